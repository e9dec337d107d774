//! What records of entries and of slots have in common: MessagePack between a magic and a trailer, of a format that this
//! version reads or doesn't.

use serde::Serialize;

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

/// A record of `function`, with magic and trailer around its MessagePack: at most `most` bytes. Memory is taken for
/// `room` bytes at once, which is about how many there will be.
pub(super) fn seal(record: &impl Serialize, function: &str, room: usize, most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(room);
    bytes.extend_from_slice(&MAGIC);
    pack(&mut bytes, record)?;
    let trailer = tree(&bytes).to_bytes();
    bytes.extend_from_slice(&trailer);
    if bytes.len() > most {
        return Err(Error::unsupported(format!(
            "a record of function `{function}` takes {} bytes, expected at most {most}",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// Magic and trailer around what may be the MessagePack of a record.
#[cfg(any(test, fuzzing))]
pub(super) fn sealed(body: &[u8]) -> Vec<u8> {
    let mut bytes = [MAGIC.as_slice(), body].concat();
    let trailer = tree(&bytes).to_bytes();
    bytes.extend_from_slice(&trailer);
    bytes
}

/// The MessagePack between magic and trailer of a record of an entry or of a slot.
pub(super) fn verify(bytes: &[u8]) -> Result<&[u8]> {
    verify_up_to(RECORD_MAX, bytes)
}

/// The MessagePack between magic and trailer of a record that has at most `most` bytes.
pub(super) fn verify_up_to(most: usize, bytes: &[u8]) -> Result<&[u8]> {
    if bytes.len() > most {
        return Err(Error::damaged(format!("it has {} bytes, expected at most {most}", bytes.len())));
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

/// Whether a record of this format, which requires these features, is one that this version reads.
pub(super) fn is_ours(format: u32, requires: &[String]) -> bool {
    format == FORMAT && unknown(requires).is_none()
}

/// The first of these features that this version doesn't know.
pub(super) fn unknown(requires: &[String]) -> Option<&String> {
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
