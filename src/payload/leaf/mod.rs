//! A type that only serde knows, inside a stored value.

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::read::NoArrays;
use super::serde_read::Decoder;
use super::serde_write::Encoder;
use super::{Reader, Writer, builtin};
use crate::digest::digest_serde_unordered;
use crate::error::{Error, Result};

/// The head of a leaf: an array of two, the first of them 16 bytes, which follow.
const HEAD: [u8; 3] = [0x92, 0xc4, 16];

/// Writes `[digest, value]`.
///
/// The value is read again at once: what serde doesn't bring back (variants of an untagged enum that look alike, wide
/// integers in a flattened struct) is refused here rather than returned changed later. What `Serialize` itself hides,
/// a skipped field or a rounded number, only `same` can see.
pub(super) fn save<T>(value: &T, same: fn(&T, &T) -> bool, out: &mut Writer<'_>) -> Result<()>
where
    T: Serialize + DeserializeOwned,
{
    out.raw(&HEAD);
    let digest_at = out.position();
    out.raw(&[0; 16]);
    out.enter()?;
    let start = out.position();
    value.serialize(Encoder::new(out)).map_err(|fault| fault.of(type_name::<T>()))?;
    let digest = digest_serde_unordered(value)?;
    let again = reread(out.since(start)).map_err(|error| error.at(survives_not::<T>()))?;
    if digest_serde_unordered::<T>(&again)? != digest || !same(value, &again) {
        return Err(Error::unsupported(format!("{}: it comes back with another content", survives_not::<T>())));
    }
    out.patch(digest_at, &digest.to_bytes());
    out.end();
    Ok(())
}

fn reread<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut input = Reader::new(bytes, &NoArrays);
    let value = T::deserialize(Decoder::new(&mut input)).map_err(|fault| Error::unsupported(fault.to_string()))?;
    input.finish()?;
    Ok(value)
}

fn survives_not<T>() -> String {
    format!("type `{}` doesn't survive being stored by serde", type_name::<T>())
}

/// Reads `[digest, value]`; a value with another digest comes from another definition of the type, or from damage.
pub(super) fn load<T: DeserializeOwned + Serialize>(input: &mut Reader<'_>) -> Result<T> {
    input.begin_array_of(2, type_name::<T>())?;
    let stored = builtin::digest(input.bin()?)?;
    let value = T::deserialize(Decoder::new(input)).map_err(|fault| fault.of(type_name::<T>()))?;
    input.end();
    match digest_serde_unordered(&value)? {
        found if found == stored => Ok(value),
        found => {
            Err(Error::damaged(format!("value of type `{}` has digest {found}, expected {stored}", type_name::<T>())))
        }
    }
}
