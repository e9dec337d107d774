//! What records of entries and of slots have in common: MessagePack between a magic and a trailer, of a format that this
//! version reads or doesn't.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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

/// What `requires` may name: things a reader has to know beyond `FORMAT`. None so far.
const FEATURES: &[&str] = &[];

/// Ours nest four deep; unknown fields of a later version may nest deeper.
const DEPTH_MAX: usize = 32;

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
pub(super) fn reject(body: &[u8], cause: Option<rmp_serde::decode::Error>) -> Error {
    #[derive(Deserialize)]
    struct Format {
        format: u64,
    }
    #[derive(Deserialize)]
    struct Requires {
        requires: Vec<String>,
    }
    match unpack::<Format>(body) {
        Ok(Format { format }) if format > u64::from(FORMAT) => {
            return Error::newer(format!("entry format is {format}, this version reads {FORMAT}"));
        }
        Ok(Format { format }) if format < u64::from(FORMAT) => {
            return Error::damaged(format!("entry format is {format}, expected {FORMAT}"));
        }
        _ => {}
    }
    if let Ok(Requires { requires }) = unpack(body)
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

/// Decodes one value that takes all of `bytes`. Nothing is allocated for a length that the bytes only claim: strings
/// and byte strings are cut out of them, and serde reserves at most 1 MiB for a sequence.
pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    use rmp_serde::decode::Error as Fault;
    let mut unpacker = rmp_serde::Deserializer::from_read_ref(bytes);
    unpacker.set_max_depth(DEPTH_MAX);
    let value = T::deserialize(&mut unpacker)?;
    match serde::de::IgnoredAny::deserialize(&mut unpacker) {
        Err(Fault::InvalidMarkerRead(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(value),
        _ => Err(Fault::Syntax("bytes follow the value".to_owned())),
    }
}

/// Byte strings as such: serde would write a `Vec<u8>` as a sequence of numbers.
pub(super) mod bytes {
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_bytes(Bytes)
    }

    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a byte string")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
}
