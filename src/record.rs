//! The record: what makes an entry of some files.
//!
//! `docs/format.md` fixes its bytes: a magic, a MessagePack map with named fields, and the XXH3-128 of all that. A
//! record is at most 64 KiB long; what doesn't fit goes to a file that it names.

use crate::digest::{ArrayMeta, Digest, tree};
use crate::error::{Error, Result};
use crate::key::{Part, Types};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod arguments;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod producer;
mod sealed;
mod slot;
mod straight;
#[cfg(test)]
mod tests;

pub use arguments::Argument;
pub(crate) use arguments::Arguments;
pub use producer::Producer;
pub(crate) use sealed::{FORMAT, RECORD_MAX};
pub(crate) use slot::{Slot, TargetRecord};

use sealed::{bytes, is_ours, pack, reject, seal, unpack, verify};

/// How array files are encoded; also what their names end with.
const CODECS: &[&str] = &[NPY, NPY_GZ];

/// A plain `.npy`.
pub(crate) const NPY: &str = "npy";

/// The same, compressed.
pub(crate) const NPY_GZ: &str = "npy.gz";

/// Where elements begin in a `.npy` is a multiple of this.
const ALIGNMENT: u64 = 64;

const NAME_MAX: usize = 255;

/// A stored result, without its arrays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) format: u32,
    /// Features without which the rest can't be read right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) requires: Vec<String>,
    pub(crate) key: Digest,
    /// The function's path.
    pub(crate) function: String,
    pub(crate) code: Digest,
    /// What the code digest was made of, to be written. Only [`parts`] reads it: a hit has no use for it.
    #[serde(skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Part>,
    pub(crate) arguments: Arguments,
    /// Nanoseconds since 1970.
    pub(crate) created: u64,
    /// Nanoseconds that the function took.
    pub(crate) duration: u64,
    /// Nanoseconds since 1970 at which the first of the cached calls inside this one expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<u64>,
    /// The digest of the id of the build that stored it, where `types` mean something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) build: Option<Digest>,
    /// The types of the call, which may have the names of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) types: Option<Types>,
    /// The value as MessagePack, which is never empty; empty as long as it is in the overflow.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "bytes")]
    pub(crate) value: Vec<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) arrays: Vec<ArrayRecord>,
    /// Where value and arrays are, if they don't fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) overflow: Option<Overflow>,
    #[serde(with = "producer::shared")]
    pub(crate) producer: Arc<Producer>,
    /// Published by hand, and not a result of the function.
    #[serde(default)]
    pub(crate) edited: bool,
}

/// One array file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArrayRecord {
    /// Its name, in the folder of the record.
    pub(crate) file: String,
    pub(crate) meta: ArrayMeta,
    /// Where its elements begin in the `.npy`.
    pub(crate) offset: u64,
    /// Of the whole file.
    pub(crate) length: u64,
    /// Of the array, as `docs/format.md` defines it.
    pub(crate) digest: Digest,
    pub(crate) codec: Cow<'static, str>,
}

/// The file that holds what doesn't fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Overflow {
    pub(crate) file: String,
    pub(crate) length: u64,
    pub(crate) digest: Digest,
}

/// What an overflow file holds.
#[derive(Serialize, Deserialize)]
struct Overflowed {
    #[serde(with = "bytes")]
    value: Vec<u8>,
    arrays: Vec<ArrayRecord>,
}

/// The bytes of a record, and of its overflow if it has one.
pub(crate) struct Split {
    pub(crate) record: Vec<u8>,
    /// Name and bytes, to be published first.
    pub(crate) overflow: Option<(String, Vec<u8>)>,
}

impl Record {
    /// The bytes of the record.
    ///
    /// # Errors
    /// Returns an error if they are more than [`RECORD_MAX`], or if they couldn't be read again.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        self.check()?;
        let mut body = Vec::new();
        pack(&mut body, self)?;
        seal(&body, &self.function)
    }

    /// The bytes of the record, which has no overflow yet; if it is too long, value and arrays go to a file named `file`.
    pub(crate) fn split(&self, file: impl FnOnce() -> String) -> Result<Split> {
        if self.value.len() < RECORD_MAX {
            match self.encode() {
                Err(error) if error.kind() == crate::error::ErrorKind::Unsupported => {}
                encoded => {
                    return Ok(Split { record: encoded?, overflow: None });
                }
            }
        }
        let mut rest = self.clone();
        let overflowed =
            Overflowed { value: std::mem::take(&mut rest.value), arrays: std::mem::take(&mut rest.arrays) };
        let (file, mut bytes) = (file(), Vec::new());
        pack(&mut bytes, &overflowed)?;
        rest.overflow = Some(Overflow { file: file.clone(), length: bytes.len() as u64, digest: tree(&bytes) });
        let record = rest.encode().or_else(|_| {
            // An explanation less is better than an entry less.
            rest.parts.clear();
            rest.encode()
        })?;
        Ok(Split { record, overflow: Some((file, bytes)) })
    }

    /// Takes value and arrays out of the overflow file that was read from `path`.
    pub(crate) fn join(mut self, bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = |what: &str| Error::damaged(format!("`{}` {what}", path.display()));
        let expected = self.overflow.as_ref().ok_or_else(|| damaged("belongs to no record"))?;
        if bytes.len() as u64 != expected.length || tree(bytes) != expected.digest {
            return Err(damaged("is not the file that its record names"));
        }
        let held: Overflowed = unpack(bytes).map_err(|error| damaged("can't be decoded").because(error))?;
        (self.value, self.arrays) = (held.value, held.arrays);
        self.check_contents().map_err(|error| error.at(format_args!("`{}`", path.display())))?;
        Ok(self)
    }

    /// Reads a record. `path` is for messages.
    ///
    /// # Errors
    /// Returns an error of kind `Newer` for one that a later version has written, of kind `Damaged` for one that no
    /// version has.
    pub(crate) fn decode(bytes: &[u8], path: impl FnOnce() -> PathBuf) -> Result<Box<Self>> {
        Self::open(bytes).map_err(|error| error.at(format_args!("record `{}`", path().display())))
    }

    /// On the heap: it is long, and is handed on some ten times.
    fn open(bytes: &[u8]) -> Result<Box<Self>> {
        let body = verify(bytes)?;
        let record = match straight::decode(body).map_or_else(|| unpack::<Box<Self>>(body), Ok) {
            Ok(record) if is_ours(record.format, &record.requires) => record,
            decoded => return Err(reject(body, decoded.err())),
        };
        record.check()?;
        Ok(record)
    }

    /// The files that hold the entry, as far as the record knows: with an overflow, only after [`Record::join`] all.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let arrays = self.arrays.iter().map(|array| array.file.as_str());
        arrays.chain(self.overflow.iter().map(|overflow| overflow.file.as_str()))
    }

    /// What has to hold on disk.
    fn check(&self) -> Result<()> {
        match &self.overflow {
            Some(_) if !self.value.is_empty() || !self.arrays.is_empty() => {
                Err(Error::damaged("it has a value and an overflow, expected one of them"))
            }
            Some(overflow) => check_name(&overflow.file, "msgpack"),
            None => self.check_contents(),
        }
    }

    fn check_contents(&self) -> Result<()> {
        if self.value.is_empty() {
            return Err(Error::damaged("it has no value"));
        }
        self.arrays.iter().try_for_each(ArrayRecord::check)
    }
}

impl ArrayRecord {
    fn check(&self) -> Result<()> {
        let Some(codec) = CODECS.iter().find(|&&codec| codec == self.codec) else {
            return Err(Error::newer(format!(
                "array `{}` has codec `{}`, this version reads {}",
                self.file.escape_debug(),
                self.codec.escape_debug(),
                listed(CODECS)
            )));
        };
        check_name(&self.file, codec)?;
        if !self.offset.is_multiple_of(ALIGNMENT) {
            return Err(self.fault(format_args!("at offset {}, expected a multiple of {ALIGNMENT}", self.offset)));
        }
        self.check_length()
    }

    /// Of an array whose dtype this build doesn't have, all that can be said is that it isn't asked for; of one that is
    /// compressed, only its members tell.
    fn check_length(&self) -> Result<()> {
        if self.meta.itemsize().is_err() {
            return Ok(());
        }
        let elements = self.meta.byte_len().map_err(|error| error.at(format_args!("array `{}`", self.file)))?;
        if self.codec == NPY_GZ || self.offset.checked_add(elements) == Some(self.length) {
            return Ok(());
        }
        Err(self.fault(format_args!(
            "of {elements} bytes at offset {}, expected that to be the file's length {}",
            self.offset, self.length
        )))
    }

    fn fault(&self, what: std::fmt::Arguments<'_>) -> Error {
        Error::damaged(format!("array `{}` has elements {what}", self.file))
    }
}

/// What the code digest of the record of these bytes was made of; empty where it doesn't say.
pub(crate) fn parts(bytes: &[u8]) -> Vec<Part> {
    #[derive(Deserialize)]
    struct Parts {
        parts: Vec<Part>,
    }
    let read = verify(bytes).ok().and_then(|body| unpack::<Parts>(body).ok());
    read.map_or_else(Vec::new, |read| read.parts)
}

/// A name that a record gives is a plain one in its own folder, whatever the record says.
fn check_name(name: &str, suffix: &str) -> Result<()> {
    let stem = name.strip_suffix(suffix).and_then(|name| name.strip_suffix('.'));
    // Without an early end, so that many bytes are looked at at once.
    let has_way_out = name.bytes().fold(false, |found, byte| found | (byte == b'/') | (byte == 0));
    let plain = !has_way_out && name.len() <= NAME_MAX;
    if plain && stem.is_some_and(|stem| !stem.is_empty()) {
        return Ok(());
    }
    let shown: String = name.escape_debug().take(NAME_MAX).collect();
    Err(Error::damaged(format!("it names the file `{shown}`, expected a plain name that ends in `.{suffix}`")))
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
