//! What records of entries and of slots have in common: MessagePack between a magic and a trailer, of a format that this
//! version reads or doesn't.

use serde::Serialize;

use super::cursor::Fault;
use super::decode;
use crate::digest::tree;
use crate::error::{Error, Result};

/// The longest record, so that a reader need never trust a length. Of every format, past and to come.
pub(crate) const RECORD_MAX: usize = 64 << 10;

/// How a record begins. Of every format, too, as is the trailer.
const MAGIC: [u8; 8] = *b"ndcache\0";

/// Bytes of the digest at the end.
const TRAILER: usize = 16;

/// The format that this version writes, and the only one so far.
pub(crate) const FORMAT: u32 = 1;

/// What `requires` names if the value holds a pickle of Python's, which no Rust type takes.
pub(super) const PICKLE: &str = "pickle";

/// What `requires` names if an array has a dtype that no Rust type takes.
pub(super) const DTYPE: &str = "dtype";

/// What `requires` may name: things a reader has to know beyond `FORMAT`.
const FEATURES: &[&str] = &[PICKLE, DTYPE];

/// The features that a reader of such an entry has to know.
pub(crate) fn required(pickle: bool, dtype: bool) -> Vec<String> {
    [(pickle, PICKLE), (dtype, DTYPE)].into_iter().filter(|(is, _)| *is).map(|(_, name)| name.to_owned()).collect()
}

/// Puts magic and trailer around the MessagePack of a record of `function`.
pub(super) fn seal(body: &[u8], function: &str) -> Result<Vec<u8>> {
    let bytes = sealed(body);
    if bytes.len() > RECORD_MAX {
        return Err(Error::unsupported(format!(
            "the record of a call of `{function}` takes {} bytes, expected at most {RECORD_MAX}",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// The same, however long it is.
pub(super) fn sealed(body: &[u8]) -> Vec<u8> {
    let mut bytes = [MAGIC.as_slice(), body].concat();
    let trailer = tree(&bytes).to_bytes();
    bytes.extend_from_slice(&trailer);
    bytes
}

/// The MessagePack between magic and trailer.
pub(super) fn verify(bytes: &[u8]) -> Result<&[u8]> {
    if bytes.len() > RECORD_MAX {
        return Err(Error::damaged(format!("it has {} bytes, expected at most {RECORD_MAX}", bytes.len())));
    }
    let Some((sealed, trailer)) = bytes.split_last_chunk::<TRAILER>() else {
        return Err(Error::damaged(format!("it has {} bytes only", bytes.len())));
    };
    let Some(body) = sealed.strip_prefix(&MAGIC) else {
        return Err(Error::damaged("it doesn't begin like a record"));
    };
    if tree(sealed).to_bytes() != *trailer {
        return Err(Error::damaged("its bytes don't have the digest at its end"));
    }
    Ok(body)
}

/// Why an intact record isn't one of ours. A later format may have changed every other field, so each step decodes no
/// more than it needs.
pub(super) fn reject(body: &[u8], cause: Option<Fault>) -> Error {
    match decode::format(body) {
        Some(format) if format > u64::from(FORMAT) => {
            return Error::newer(format!("entry format is {format}, this version reads {FORMAT}"));
        }
        Some(format) if format < u64::from(FORMAT) => {
            return Error::damaged(format!("entry format is {format}, expected {FORMAT}"));
        }
        _ => {}
    }
    if let Some(requires) = decode::requires(body)
        && let Some(feature) = unknown(&requires)
    {
        return Error::newer(format!("entry requires `{}`, which this version doesn't know", feature.escape_debug()));
    }
    let error = Error::damaged("it can't be decoded");
    match cause {
        Some(cause) => error.because(cause),
        None => error,
    }
}

/// Whether a record of this format, which requires these features, is one that this version reads.
pub(super) fn is_ours(format: u32, requires: &[String]) -> bool {
    format == FORMAT && unknown(requires).is_none()
}

fn unknown(requires: &[String]) -> Option<&String> {
    requires.iter().find(|feature| !FEATURES.contains(&feature.as_str()))
}

pub(super) fn pack(bytes: &mut Vec<u8>, value: &impl Serialize) -> Result<()> {
    let mut packer = rmp_serde::Serializer::new(bytes).with_struct_map();
    value.serialize(&mut packer).map_err(|error| Error::invalid("a record can't be encoded").because(error))
}

/// Byte strings as such: serde would write a `Vec<u8>` as a sequence of numbers.
pub(super) mod bytes {
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }
}
