//! MessagePack item by item, whatever it is: heads are followed by what they hold.

use rmp::Marker;

use super::wire::MAX_DEPTH;
use crate::error::{Error, Result};

/// One value, of which nothing is known, item by item: it is whole, nests no deeper than a stored value may, and nothing
/// follows it.
pub(super) struct ValueScan<'a> {
    rest: &'a [u8],
    total: usize,
    /// How many values are missing on each level. The outermost is the value itself.
    missing: Vec<u64>,
}

impl<'a> ValueScan<'a> {
    pub(super) fn new(value: &'a [u8]) -> Self {
        Self { rest: value, total: value.len(), missing: vec![1] }
    }

    /// The next item, and its bytes: of an array or map its head alone. `None` behind the value.
    ///
    /// # Errors
    /// Returns an error when the value isn't whole, nests too deep, has a text that isn't UTF-8, or something follows it.
    pub(super) fn next(&mut self) -> Result<Option<(ScanItem<'a>, &'a [u8])>> {
        while self.missing.pop_if(|missing| *missing == 0).is_some() {}
        let (before, at) = (self.rest, self.total - self.rest.len());
        let Some(missing) = self.missing.last_mut() else {
            return match self.rest.len() {
                0 => Ok(None),
                rest => Err(Error::damaged(format!("value ends after {at} bytes, {rest} more follow"))),
            };
        };
        let Some(item) = next(&mut self.rest) else {
            return Err(Error::damaged(format!("value is cut off, or none, at byte {at}")));
        };
        *missing -= 1;
        match item {
            ScanItem::Array(len) => self.enter(len as u64)?,
            // At most 2^32 entries.
            ScanItem::Map(len) => self.enter(2 * len as u64)?,
            ScanItem::Text(text) if std::str::from_utf8(text).is_err() => {
                return Err(Error::damaged(format!("value has a text that isn't UTF-8 at byte {at}")));
            }
            ScanItem::Extension(..) | ScanItem::Text(_) | ScanItem::Other => {}
        }
        Ok(Some((item, &before[..before.len() - self.rest.len()])))
    }

    fn enter(&mut self, values: u64) -> Result<()> {
        self.missing.push(values);
        match self.missing.len() <= MAX_DEPTH as usize + 1 {
            true => Ok(()),
            false => Err(Error::damaged(format!("value is nested deeper than {MAX_DEPTH} levels"))),
        }
    }
}

/// One item of MessagePack.
pub(super) enum ScanItem<'a> {
    /// The head of an array, with the number of its items.
    Array(usize),
    /// The head of a map, with the number of its entries.
    Map(usize),
    Extension(i8, &'a [u8]),
    /// The bytes of a text, which may not be UTF-8.
    Text(&'a [u8]),
    Other,
}

/// Takes one item off, of an array or map its head alone; `None` at the end, and where it is cut off.
pub(super) fn next<'a>(rest: &mut &'a [u8]) -> Option<ScanItem<'a>> {
    let marker = Marker::from_u8(take(rest, 1)?[0]);
    let skipped = match marker {
        Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => 0,
        // No value begins with it.
        Marker::Reserved => return None,
        Marker::FixArray(len) => return Some(ScanItem::Array(usize::from(len))),
        Marker::FixMap(len) => return Some(ScanItem::Map(usize::from(len))),
        Marker::Array16 => return length(rest, 2).map(ScanItem::Array),
        Marker::Array32 => return length(rest, 4).map(ScanItem::Array),
        Marker::Map16 => return length(rest, 2).map(ScanItem::Map),
        Marker::Map32 => return length(rest, 4).map(ScanItem::Map),
        Marker::U8 | Marker::I8 => 1,
        Marker::U16 | Marker::I16 => 2,
        Marker::U32 | Marker::I32 | Marker::F32 => 4,
        Marker::U64 | Marker::I64 | Marker::F64 => 8,
        Marker::FixStr(len) => return take(rest, len.into()).map(ScanItem::Text),
        Marker::Str8 => return length(rest, 1).and_then(|len| take(rest, len)).map(ScanItem::Text),
        Marker::Str16 => return length(rest, 2).and_then(|len| take(rest, len)).map(ScanItem::Text),
        Marker::Str32 => return length(rest, 4).and_then(|len| take(rest, len)).map(ScanItem::Text),
        Marker::Bin8 => length(rest, 1)?,
        Marker::Bin16 => length(rest, 2)?,
        Marker::Bin32 => length(rest, 4)?,
        Marker::FixExt1 => return extension(rest, 1),
        Marker::FixExt2 => return extension(rest, 2),
        Marker::FixExt4 => return extension(rest, 4),
        Marker::FixExt8 => return extension(rest, 8),
        Marker::FixExt16 => return extension(rest, 16),
        Marker::Ext8 => return length(rest, 1).and_then(|len| extension(rest, len)),
        Marker::Ext16 => return length(rest, 2).and_then(|len| extension(rest, len)),
        Marker::Ext32 => return length(rest, 4).and_then(|len| extension(rest, len)),
    };
    take(rest, skipped).map(|_| ScanItem::Other)
}

fn extension<'a>(rest: &mut &'a [u8], len: usize) -> Option<ScanItem<'a>> {
    let kind = take(rest, 1)?[0].cast_signed();
    take(rest, len).map(|bytes| ScanItem::Extension(kind, bytes))
}

/// A length that is stored in `bytes` bytes, most significant first.
fn length(rest: &mut &[u8], bytes: usize) -> Option<usize> {
    take(rest, bytes).map(|bytes| bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)))
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(value: &[u8]) -> Result<usize> {
        let mut scan = ValueScan::new(value);
        let mut items = 0;
        while scan.next()?.is_some() {
            items += 1;
        }
        Ok(items)
    }

    #[test]
    fn a_value_is_met_item_by_item() {
        // {"a": [1, nil], "b": {}} and an empty array.
        assert_eq!(count(&[0x82, 0xa1, b'a', 0x92, 1, 0xc0, 0xa1, b'b', 0x80]).unwrap(), 7);
        assert_eq!(count(&[0x90]).unwrap(), 1);
        assert_eq!(count(&[0xc7, 3, 9, 1, 2, 3]).unwrap(), 1);
    }

    #[test]
    fn what_is_no_value_is_an_error() {
        for value in [
            &[][..],
            &[0x92, 1],
            &[0x91],
            &[0xc0, 0xc0],
            &[0x90, 0x90],
            &[0xa1],
            &[0xa1, 0xff],
            &[0xc1],
            &[0x92, 1, 0xc1],
            &[0xdf, 0xff, 0xff, 0xff, 0xff, 1],
            &[0xc9, 0xff, 0xff, 0xff, 0xff, 2],
            &[0x91; 100_000],
        ] {
            assert!(count(value).is_err(), "{:?}", &value[..value.len().min(8)]);
        }
        assert!(count(&[&[0x91; 128][..], &[1]].concat()).is_ok());
        assert!(count(&[&[0x91; 129][..], &[1]].concat()).is_err());
    }
}
