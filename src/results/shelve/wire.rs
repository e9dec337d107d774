//! References to stored results as serde sees them.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};

use crate::digest::{Digest, Known};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::payload::{Codec, Payload, ViaPayload};
use crate::record::RECORD_MAX;
use crate::results::shelve::{Content, Reference, Referent, Shelved, ShelvedEntry};

/// The serialized form (docs/format.md, "Shelved results").
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "Shelved")]
struct Wire<'a> {
    function: Cow<'a, str>,
    /// The name of the result's type; in formats for people with each axis of an array in it.
    result: Cow<'a, str>,
    key: Digest,
    content: Digest,
    array: Option<Digest>,
}

impl<R> Serialize for Shelved<R> {
    /// Fails for a result that is kept in the reference itself.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Referent::Entry(ShelvedEntry { key, content, .. }) = &self.reference.referent else {
            return Err(S::Error::custom(format_args!("{self} isn't stored, and so can't be referred to")));
        };
        let name = self.codec.type_name();
        let is_for_people = serializer.is_human_readable();
        Wire {
            function: Cow::Borrowed(&self.reference.function),
            result: if is_for_people { with_axes(name.as_str()).into() } else { name.as_str().into() },
            key: key.digest(),
            content: content.digest,
            array: content.array,
        }
        .serialize(serializer)
    }
}

impl<'de, R: Payload> Deserialize<'de> for Shelved<R> {
    /// Fails for what isn't a reference to a result of the type `R`. Nothing in it names a file.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let codec = Codec::of(ViaPayload);
        check_function(&wire.function).map_err(D::Error::custom)?;
        check_result(&wire.result, codec.type_name().as_str()).map_err(D::Error::custom)?;
        let content = Content { digest: wire.content, array: wire.array };
        let entry = ShelvedEntry {
            key: Key::from_digest(wire.key),
            content,
            known: Known::claimed(content.counts_as()),
            memory: None,
        };
        let reference = Reference { function: wire.function.into_owned(), referent: Referent::Entry(entry) };
        Ok(Self { reference: Arc::new(reference), codec })
    }
}

/// A path that a record can hold, and a message can show.
fn check_function(path: &str) -> Result<()> {
    if path.is_empty() || path.len() > RECORD_MAX || path.contains(char::is_control) {
        return Err(Error::invalid("shelved result has a function path that no function has"));
    }
    Ok(())
}

/// The name of a type with `_` for each axis of an array, which has none but the number of them: `f64[_, _]` for `f64[2]`,
/// which a reader would take for two elements.
fn with_axes(name: &str) -> String {
    in_brackets(name, |inside| {
        let axes = inside.parse().ok().filter(|&axes: &usize| axes <= MOST_AXES && !inside.starts_with('+'))?;
        Some(vec!["_"; axes].join(", "))
    })
}

/// The name of a type by [`with_axes`] as it is in keys; any other name as it is.
fn with_count(name: &str) -> String {
    in_brackets(name, |inside| {
        let axes = if inside.is_empty() { 0 } else { inside.split(", ").count() };
        (inside.is_empty() || inside.split(", ").all(|axis| axis == "_")).then(|| axes.to_string())
    })
}

/// More are left as a number; ndarray has six by name.
const MOST_AXES: usize = 32;

/// A text with what stands in brackets that hold no others replaced, where there is something to replace it with.
fn in_brackets(text: &str, replace: impl Fn(&str) -> Option<String>) -> String {
    let (mut replaced, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(']') {
        let (head, inside) = before.split_at(before.rfind('[').map_or(before.len(), |open| open + 1));
        replaced.push_str(head);
        let is_in_brackets = head.ends_with('[');
        replaced.push_str(&is_in_brackets.then(|| replace(inside)).flatten().unwrap_or_else(|| inside.to_owned()));
        replaced.push(']');
        rest = after;
    }
    replaced + rest
}

fn check_result(found: &str, expected: &str) -> Result<()> {
    let counted = with_count(found);
    if is_result(&counted, expected) {
        return Ok(());
    }
    let [found, expected] = [&counted, expected].map(with_axes);
    let found: String = found.escape_debug().take(200).collect();
    Err(Error::invalid(format!("shelved result has type `{found}`, expected `{expected}`")))
}

fn is_result(found: &str, expected: &str) -> bool {
    // A result whose `Err` isn't cached goes by its `Ok` alone.
    let ok = found.strip_suffix('>').filter(|name| name.starts_with("Result<"));
    let with_err = ok.and_then(|ok| expected.strip_prefix(ok)).is_some_and(|err| err.starts_with(", "));
    found == expected || with_err
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::*;
    use crate::memory::Memory;

    #[ndcache::cache]
    fn table(rows: usize) -> (Array2<f64>, Vec<Array1<u8>>) {
        (Array2::zeros((rows, 3)), Vec::new())
    }

    #[test]
    fn a_reference_for_people_has_an_axis_for_each_and_both_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        let shelved = memory.shelve(table::call(2)).unwrap();
        let text = serde_json::to_string(&shelved).unwrap();
        assert!(text.contains(r#""result":"(f64[_, _], Vec<u8[_]>)""#), "{text}");
        let bytes = rmp_serde::to_vec(&shelved).unwrap();
        let name = b"(f64[2], Vec<u8[1]>)";
        assert!(bytes.windows(name.len()).any(|window| window == name), "{bytes:?}");
        let counted = text.replace("f64[_, _]", "f64[2]").replace("u8[_]", "u8[1]");
        for text in [text, counted] {
            let received: Shelved<(Array2<f64>, Vec<Array1<u8>>)> = serde_json::from_str(&text).unwrap();
            assert_eq!(received.load(&memory).unwrap(), table::compute(2), "{text}");
            let error = serde_json::from_str::<Shelved<(Array1<f64>, Vec<Array1<u8>>)>>(&text).unwrap_err().to_string();
            let expected = "shelved result has type `(f64[_, _], Vec<u8[_]>)`, expected `(f64[_], Vec<u8[_]>)`";
            assert!(error.contains(expected), "{error}");
        }
        let received: Shelved<(Array2<f64>, Vec<Array1<u8>>)> = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(received.key(), shelved.key());
    }

    #[test]
    fn names_with_axes_lead_back() {
        for (name, axes) in [
            ("mapped f64[2]", "mapped f64[_, _]"),
            ("f64[0]", "f64[]"),
            ("(u8[..], [f64; 3], Vec<i16[1]>)", "(u8[..], [f64; 3], Vec<i16[_]>)"),
            ("app::Of<[u8[2]; 2]>", "app::Of<[u8[_, _]; 2]>"),
            ("f64[4000000000]", "f64[4000000000]"),
            ("f64[", "f64["),
            ("]f64[2]]", "]f64[_, _]]"),
            ("", ""),
        ] {
            assert_eq!((with_axes(name), with_count(axes)), (axes.to_owned(), name.to_owned()));
        }
    }
}
