//! A type that only serde knows, inside a stored value.

mod compare;
mod normaliser;

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use compare::{Comparison, by_eq, by_eq_or_debug, unseen};
pub use normaliser::Normaliser;
pub(crate) use normaliser::{Check, Normal};

use crate::digest::tree;
use crate::digest::{Digest, digest_serde_unordered, discriminant, leaf};
use crate::error::{Error, Result};
use crate::payload::by_serde::read::Decoder;
use crate::payload::by_serde::write::Encoder;
use crate::payload::wire::Ext;
use crate::payload::wire::output::{Same, TypeSignature};
use crate::payload::wire::read::NoArrays;
use crate::payload::wire::write::Signed;
use crate::payload::{Reader, Writer};

/// Compares a value with what came back of it.
pub(crate) type Compare<T> = fn(&T, &T) -> Comparison;

/// How the digest of a leaf was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeafSeal {
    /// A digest of the bytes, which a value that was read from them becomes again.
    Exact,
    /// A digest of the value, sequences and maps in any order: it has a set, or a map without an order.
    Unordered,
}

impl LeafSeal {
    pub(crate) fn ext(self) -> Ext {
        match self {
            Self::Exact => Ext::ExactLeaf,
            Self::Unordered => Ext::UnorderedLeaf,
        }
    }
}

/// Writes `[digest, value]`, and returns the value that was read again, and how deep it nests.
///
/// What serde doesn't bring back (variants of an untagged enum that look alike, wide integers in a flattened struct) is
/// refused here rather than returned changed later. What `Serialize` itself hides, a skipped field or a rounded number,
/// only `compare` can see.
fn write<T>(value: &T, compare: Compare<T>, out: &mut Writer<'_>) -> Result<(T, u32)>
where
    T: Serialize + DeserializeOwned,
{
    let head = out.position();
    out.raw(&[0x92, 0xd8, Ext::ExactLeaf as u8]);
    out.raw(&[0; 16]);
    out.enter()?;
    let start = out.position();
    let mut signed = Signed::new(out, signature(value));
    value.serialize(Encoder::new(&mut signed)).map_err(|fault| fault.of(type_name::<T>()))?;
    let (signature, depth) = signed.finish();
    out.expect_room_for(depth)?;
    let bytes = out.since(start);
    let again: T = reread(bytes).map_err(|error| error.at(survives_not::<T>()))?;
    let (sealed, digest) = seal(value, &again, bytes, signature)?;
    match compare(value, &again) {
        Comparison::Same => {}
        Comparison::Other => return Err(another_content::<T>()),
        Comparison::Unknown(why) => return Err(not_comparable::<T>(why)),
    }
    out.patch(head + 2, &[sealed.ext() as u8]);
    out.patch(head + 3, &digest.to_bytes());
    out.end();
    Ok((again, depth + 1))
}

/// The digest that tells a value from others, once what was read again has it, too.
fn seal<T: Serialize>(value: &T, again: &T, bytes: &[u8], signature: u64) -> Result<(LeafSeal, Digest)> {
    if signature_of(again, bytes) == Some(signature) {
        return Ok((LeafSeal::Exact, exact(signature, bytes)));
    }
    let digest = digest_serde_unordered(value)?;
    match digest_serde_unordered(again)? == digest {
        true => Ok((LeafSeal::Unordered, digest)),
        false => Err(another_content::<T>()),
    }
}

/// The signature of a value that serializes to `bytes`; `None` if it doesn't.
fn signature_of<T: Serialize>(value: &T, bytes: &[u8]) -> Option<u64> {
    let mut same = Same::new(bytes, signature(value));
    value.serialize(Encoder::new(&mut same)).ok()?;
    same.finish()
}

/// Serde may not tell which variant a value is.
fn signature<T>(value: &T) -> TypeSignature {
    TypeSignature::new(discriminant(value) as u64)
}

fn exact(signature: u64, bytes: &[u8]) -> Digest {
    leaf(&[&signature.to_le_bytes()[..], &tree(bytes).to_bytes()].concat())
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

fn another_content<T>() -> Error {
    Error::unsupported(format!("{}: it comes back with another content", survives_not::<T>()))
}

fn not_comparable<T>(why: &str) -> Error {
    let name = type_name::<T>();
    Error::unsupported(format!(
        "a value of type `{name}` isn't equal to itself, as with a NaN, and {why}, so that nothing shows whether serde \
         brings all of it back; derive `ndcache::Payload` for it, which hides nothing, or say \
         `#[cache(trust_serde)]` if serde doesn't either"
    ))
}

/// Writes a leaf that is [normal](Normal) as it was read again, any other once it is seen to survive.
pub(crate) fn save<T>(value: &T, compare: Compare<T>, out: &mut Writer<'_>) -> Result<()>
where
    T: Serialize + DeserializeOwned,
{
    match out.normalised_leaf(std::ptr::from_ref(value).addr(), type_name::<T>()) {
        Some(written) => written,
        None if out.trusts() => write(value, unseen, out).map(drop),
        None => write(value, compare, out).map(drop),
    }
}

/// Reads `[digest, value]`; a value with another digest comes from another definition of the type, or from damage.
pub(crate) fn load<T: DeserializeOwned + Serialize>(input: &mut Reader<'_>) -> Result<T> {
    input.begin_array_of(2, type_name::<T>())?;
    let (sealed, stored) = input.leaf_digest()?;
    let before = input.rest();
    let value = T::deserialize(Decoder::new(input)).map_err(|fault| fault.of(type_name::<T>()))?;
    let bytes = &before[..before.len() - input.rest().len()];
    input.end();
    let found = match sealed {
        LeafSeal::Exact => signature_of(&value, bytes).map(|signature| exact(signature, bytes)),
        LeafSeal::Unordered => Some(digest_serde_unordered(&value)?),
    };
    match found {
        Some(found) if found == stored => Ok(value),
        Some(found) => {
            Err(Error::damaged(format!("value of type `{}` has digest {found}, expected {stored}", type_name::<T>())))
        }
        None => Err(Error::damaged(format!("value of type `{}` isn't what its bytes are", type_name::<T>()))),
    }
}
