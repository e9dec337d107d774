//! What lies inside a stored value, whatever the value is: its arrays, and its form without the order of its maps.

use super::scan::{ScanItem, next};
use super::wire::{Ext, MAX_DEPTH};
use crate::digest::Digest;
use crate::digest::tree;
use crate::error::{Error, Result};
use crate::payload::wire::read::{ReadArray, inline_array};

/// The digests of the arrays that lie inside `value`, in order, as far as it can be read.
///
/// Heads are followed by what they hold, so that one pass from item to item meets everything, however deep it nests.
pub(crate) fn inline_arrays(value: &[u8]) -> Vec<Digest> {
    let mut found = Vec::new();
    let mut rest = value;
    while let Some(item) = next(&mut rest) {
        if let ScanItem::Extension(kind, bytes) = item
            && i32::from(kind) == Ext::Inline as i32
            && let Ok(ReadArray::Inline(meta, elements)) = inline_array(bytes)
        {
            found.push(meta.digest(tree(elements)));
        }
    }
    found
}

/// Whether each array that lies inside `value` is one.
///
/// # Errors
/// Returns an error when one isn't, and when the value is cut off.
pub(crate) fn check_inline_arrays(value: &[u8]) -> Result<()> {
    let mut rest = value;
    while !rest.is_empty() {
        match next(&mut rest) {
            Some(ScanItem::Extension(kind, bytes)) if i32::from(kind) == Ext::Inline as i32 => {
                drop(inline_array(bytes)?)
            }
            Some(_) => {}
            None => return Err(Error::damaged("value is cut off")),
        }
    }
    Ok(())
}

/// The value with the entries of its maps sorted by their bytes; `None` where it is cut off, or nests too deep.
///
/// serde writes a `HashMap` in the order of its buckets, which differs from map to map: equal values have different
/// bytes, and the same bytes in this form. The digest of what only serde knows is left out, as it may be of those bytes.
pub(crate) fn sorted_maps(value: &[u8]) -> Option<Vec<u8>> {
    let (mut sorted, mut rest) = (Vec::with_capacity(value.len()), value);
    while !rest.is_empty() {
        push_sorted(&mut rest, 0, &mut sorted)?;
    }
    Some(sorted)
}

/// Takes one value off, with all that it holds.
fn push_sorted(rest: &mut &[u8], depth: u32, out: &mut Vec<u8>) -> Option<()> {
    // A value of our own nests that deep at most, and a variant adds a map.
    if depth > 2 * MAX_DEPTH {
        return None;
    }
    let before = *rest;
    let item = next(rest)?;
    if matches!(item, ScanItem::Extension(kind, _) if is_leaf_digest(kind)) {
        return Some(());
    }
    out.extend_from_slice(&before[..before.len() - rest.len()]);
    match item {
        ScanItem::Array(len) => (0..len).try_for_each(|_| push_sorted(rest, depth + 1, out)),
        ScanItem::Map(len) => {
            let entry = |rest: &mut &[u8]| {
                let mut entry = Vec::new();
                push_sorted(rest, depth + 1, &mut entry)?;
                push_sorted(rest, depth + 1, &mut entry)?;
                Some(entry)
            };
            let mut entries = (0..len).map(|_| entry(rest)).collect::<Option<Vec<_>>>()?;
            entries.sort_unstable();
            entries.iter().for_each(|entry| out.extend_from_slice(entry));
            Some(())
        }
        ScanItem::Extension(..) | ScanItem::Text(_) | ScanItem::Other => Some(()),
    }
}

fn is_leaf_digest(kind: i8) -> bool {
    [Ext::ExactLeaf, Ext::UnorderedLeaf].iter().any(|leaf| *leaf as i8 == kind)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ndarray::prelude::*;

    use super::super::{ArraySink, Payload, Writer};
    use super::*;
    use crate::digest::{ArrayMeta, digest};

    struct Files;

    impl ArraySink for Files {
        fn put(&mut self, _: &ArrayMeta, _: &[u8], _: Option<Digest>) -> Result<u32> {
            Ok(0)
        }
    }

    #[test]
    fn arrays_inside_a_value_are_found_however_deep() {
        let (a, b) = (array![1.0, 2.0, 3.0], array![[1_u8, 2], [3, 4]].reversed_axes());
        let large = Array1::<f32>::ones(5000);
        let text = "x".repeat(70_000);
        type Deep =
            (u8, Option<Vec<Array1<f64>>>, BTreeMap<String, Array2<u8>>, String, (f64, i64, u64, bool), Array1<f32>);
        let value: Deep = (
            7,
            Some(vec![a.clone(), a.clone()]),
            BTreeMap::from([(text, b.clone())]),
            "short".to_owned(),
            (0.5, -40_000, u64::MAX, true),
            large,
        );
        let mut files = Files;
        let mut writer = Writer::new(&mut files, 4096);
        value.save(&mut writer).unwrap();
        let value = writer.finish();
        assert_eq!(inline_arrays(&value), [digest(&a), digest(&a), digest(&b)]);
        for len in 0..value.len().min(400) {
            inline_arrays(&value[..len]);
        }
        inline_arrays(&[0xc9, 0xff, 0xff, 0xff, 0xff, 2]);
    }

    #[test]
    fn maps_in_any_order_have_one_sorted_form_and_sequences_keep_theirs() {
        // {"a": {1: 2, 3: 4}, "b": [5, 6]}, the maps forth and back.
        let forth = [0x82, 0xa1, b'a', 0x82, 1, 2, 3, 4, 0xa1, b'b', 0x92, 5, 6];
        let back = [0x82, 0xa1, b'b', 0x92, 5, 6, 0xa1, b'a', 0x82, 3, 4, 1, 2];
        assert_eq!(sorted_maps(&back), Some(forth.to_vec()));
        assert_eq!(sorted_maps(&forth), Some(forth.to_vec()));
        let other = [0x82, 0xa1, b'b', 0x92, 6, 5, 0xa1, b'a', 0x82, 3, 4, 1, 2];
        assert_ne!(sorted_maps(&other), Some(forth.to_vec()));
        let swapped = [0x82, 0xa1, b'a', 0x82, 1, 4, 3, 2, 0xa1, b'b', 0x92, 5, 6];
        assert_ne!(sorted_maps(&swapped), Some(forth.to_vec()));
    }

    #[test]
    fn what_is_cut_off_or_nests_without_end_has_no_sorted_form() {
        let whole = [0x82, 0xa1, b'a', 0x82, 1, 2, 3, 4, 0xa1, b'b', 0x92, 5, 6];
        assert!((1..whole.len()).all(|len| sorted_maps(&whole[..len]).is_none()));
        assert_eq!(sorted_maps(&[0xdf, 0xff, 0xff, 0xff, 0xff, 1]), None);
        assert_eq!(sorted_maps(&[0x91; 100_000]), None);
    }
}
