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
    /// The name of the result's type.
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
        Wire {
            function: Cow::Borrowed(&self.reference.function),
            result: Cow::Borrowed(self.codec.type_name().as_str()),
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

fn check_result(found: &str, expected: &str) -> Result<()> {
    // A result whose `Err` isn't cached goes by its `Ok` alone.
    let ok = found.strip_suffix('>').filter(|name| name.starts_with("Result<"));
    let with_err = ok.and_then(|ok| expected.strip_prefix(ok)).is_some_and(|err| err.starts_with(", "));
    if found == expected || with_err {
        return Ok(());
    }
    let found: String = found.escape_debug().take(200).collect();
    Err(Error::invalid(format!("shelved result has type `{found}`, expected `{expected}`")))
}
