//! The record: what makes an entry of some files.
//!
//! `docs/format.md` fixes its bytes: a magic, a MessagePack map with named fields, and the XXH3-128 of all that. A
//! record is at most 64 KiB long; what doesn't fit goes to a file that it names.

use crate::digest::tree;
use crate::digest::{ArrayMeta, Digest, TreeHasher, known_dtype, stored_itemsize};
use crate::error::{Error, Result};
use crate::key::{Part, Types};
use rmp::encode;
use rmp::encode::ByteBuf;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod arguments;
mod code;
mod cursor;
mod decode;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(any(test, fuzzing))]
mod oracle;
mod producer;
mod sealed;
mod step_record;
#[cfg(test)]
mod tests;
mod time;

pub use arguments::Argument;
pub(crate) use arguments::{Leaf, SECRET, stored_digest};
pub(crate) use code::{CODE_MAX, CodeRecord};
pub(crate) use decode::ArgumentList;
pub use producer::Producer;
pub(crate) use sealed::{FORMAT, RECORD_MAX, required};
pub(crate) use step_record::{StepRecord, TargetRecord};
pub(crate) use time::{nanoseconds, nanoseconds_since_1970, rfc3339};

use cursor::DecodeFault;
use sealed::{DTYPE, PICKLE, bytes, is_ours, pack, seal, unknown, verify, verify_up_to};

/// How array files are encoded; also what their names end with.
pub(crate) const CODEC_NAMES: &[&str] = &[NPY, "npy.gz"];

/// The longest of their names, in bytes.
pub(crate) const CODEC_MAX: usize = {
    let (mut longest, mut at) = (0, 0);
    while at < CODEC_NAMES.len() {
        longest = if CODEC_NAMES[at].len() > longest { CODEC_NAMES[at].len() } else { longest };
        at += 1;
    }
    longest
};

/// A plain `.npy`.
pub(crate) const NPY: &str = "npy";

/// The longest overflow: of a value of 2^32 bytes, with what stands beside it.
pub(crate) const OVERFLOW_MAX: u64 = 5 << 30;

/// About what a record takes without its value and its arrays, in bytes, and each array.
const RECORD_LEN: usize = 1024;
const ARRAY_LEN: usize = 256;

/// Where elements begin in a `.npy` is a multiple of this.
const ALIGNMENT: u64 = 64;

const NAME_MAX: usize = 255;

/// A stored result, without its arrays.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Record {
    pub(crate) format: u32,
    /// Features without which the rest can't be read right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) requires: Vec<String>,
    pub(crate) key: Digest,
    /// The function's path.
    #[serde(serialize_with = "text")]
    pub(crate) function: Arc<str>,
    pub(crate) code: Digest,
    pub(crate) arguments: ArgumentList,
    /// Nanoseconds since 1970.
    pub(crate) created: u64,
    /// Nanoseconds that the function took.
    pub(crate) duration: u64,
    /// Nanoseconds since 1970 at which the first of the cached calls inside this one expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<u64>,
    /// The digest of the id of the build that stored it, where `types` mean something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) build: Option<Digest>,
    /// The types of the call, which may have the names of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) types: Option<Types>,
    /// The value as MessagePack, which is never empty; empty as long as it is in the overflow.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "bytes")]
    pub(crate) value: Vec<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) arrays: Vec<ArrayRecord>,
    /// Where value and arrays are, if they don't fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) overflow: Option<Overflow>,
    #[serde(serialize_with = "producer::shared")]
    pub(crate) producer: Arc<Producer>,
    /// Published by hand, and not a result of the function.
    pub(crate) edited: bool,
    /// How the entry came into this folder, unless a function made it here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
    /// What tells Python's types apart, for Python alone.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "bytes")]
    pub(crate) python: Vec<u8>,
    /// It means nothing on another machine: a file counts by its stamp, or the build does; or it is good for moments.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) local: bool,
}

/// Writes a text that many records share in memory.
fn text<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// One array file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ArrayRecord {
    /// Its name, in the folder of the record.
    pub(crate) file: String,
    pub(crate) meta: ArrayMeta,
    /// Where its elements begin in the `.npy`.
    pub(crate) offset: u64,
    /// The length of the whole file, in bytes.
    pub(crate) length: u64,
    /// The digest of the array, as `docs/format.md` defines it.
    pub(crate) digest: Digest,
    pub(crate) codec: Cow<'static, str>,
}

/// The file that holds what doesn't fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Overflow {
    pub(crate) file: String,
    pub(crate) length: u64,
    pub(crate) digest: Digest,
}

/// What an overflow file holds.
#[derive(Serialize)]
struct Overflowed {
    #[serde(with = "bytes")]
    value: Vec<u8>,
    arrays: Vec<ArrayRecord>,
}

/// The bytes of a record, and its overflow if it has one, to be published first.
pub(crate) struct Split<'a> {
    pub(crate) record: Vec<u8>,
    pub(crate) overflow: Option<OverflowFile<'a>>,
}

/// The name and bytes of an overflow, in three pieces: the value is too long to be copied for it.
pub(crate) struct OverflowFile<'a> {
    pub(crate) file: String,
    pub(crate) head: Vec<u8>,
    pub(crate) value: &'a [u8],
    pub(crate) tail: Vec<u8>,
}

impl<'a> OverflowFile<'a> {
    /// A map of two: the head of the first ends where the bytes of the value begin.
    fn new(file: String, value: &'a [u8], arrays: &[ArrayRecord]) -> Result<Self> {
        let len = u32::try_from(value.len())
            .map_err(|_| Error::unsupported(format!("value has {} bytes, more than {}", value.len(), u32::MAX)))?;
        let (mut head, mut tail) = (ByteBuf::new(), Vec::new());
        let Ok(_) = encode::write_map_len(&mut head, 2);
        let Ok(()) = encode::write_str(&mut head, "value");
        let Ok(_) = encode::write_bin_len(&mut head, len);
        pack(&mut tail, &"arrays")?;
        pack(&mut tail, &arrays)?;
        Ok(Self { file, head: head.into_vec(), value, tail })
    }

    fn pieces(&self) -> [&[u8]; 3] {
        [&self.head, self.value, &self.tail]
    }

    pub(crate) fn len(&self) -> u64 {
        self.pieces().iter().map(|piece| piece.len() as u64).sum()
    }

    fn digest(&self) -> Digest {
        let mut hasher = TreeHasher::new();
        self.pieces().iter().for_each(|piece| hasher.push(piece));
        hasher.finish()
    }
}

impl Record {
    /// The bytes of the record.
    ///
    /// # Errors
    /// Returns an error if they are more than [`RECORD_MAX`], or if they couldn't be read again.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        self.check()?;
        let arrays = self.arrays.len() * ARRAY_LEN;
        seal(self, &self.function, RECORD_LEN + self.value.len() + arrays, RECORD_MAX)
    }

    /// The bytes of the record, which has no overflow yet; if it is too long, value and arrays go to a file named `file`.
    pub(crate) fn split(&self, file: impl FnOnce() -> String) -> Result<Split<'_>> {
        if self.value.len() < RECORD_MAX {
            match self.encode() {
                Err(error) if error.kind() == crate::error::ErrorKind::Unsupported => {}
                encoded => {
                    return Ok(Split { record: encoded?, overflow: None });
                }
            }
        }
        let mut rest = self.without_contents();
        let overflow = OverflowFile::new(file(), &self.value, &self.arrays)?;
        rest.overflow =
            Some(Overflow { file: overflow.file.clone(), length: overflow.len(), digest: overflow.digest() });
        Ok(Split { record: rest.encode()?, overflow: Some(overflow) })
    }

    /// All but value and arrays, which may be long.
    fn without_contents(&self) -> Self {
        Self {
            format: self.format,
            requires: self.requires.clone(),
            key: self.key,
            function: Arc::clone(&self.function),
            code: self.code,
            arguments: self.arguments.clone(),
            created: self.created,
            duration: self.duration,
            expires: self.expires,
            value: Vec::new(),
            arrays: Vec::new(),
            overflow: None,
            producer: self.producer.clone(),
            edited: self.edited,
            build: self.build,
            types: self.types,
            origin: self.origin.clone(),
            python: self.python.clone(),
            local: self.local,
        }
    }

    /// Takes value and arrays out of the overflow file that was read from `path`.
    pub(crate) fn join(mut self, bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = |what: &str| Error::damaged(format!("`{}` {what}", path.display()));
        let expected = self.overflow.as_ref().ok_or_else(|| damaged("belongs to no record"))?;
        if bytes.len() as u64 != expected.length || tree(bytes) != expected.digest {
            return Err(damaged("is not the file that its record names"));
        }
        let held = decode::overflowed(bytes).map_err(|error| damaged("can't be decoded").because(error))?;
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
        let record = match decode::record(body) {
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

    /// Whether its value holds an object that Python pickled.
    pub(crate) fn has_pickle(&self) -> bool {
        self.requires.iter().any(|required| required == PICKLE)
    }

    /// What it holds that no Rust type takes, in words.
    pub(crate) fn unsupported(&self) -> Option<&'static str> {
        let requires = |feature: &str| self.requires.iter().any(|required| required == feature);
        match () {
            () if self.requires.is_empty() => None,
            () if requires(PICKLE) => Some("holds an object that Python pickled"),
            () if requires(DTYPE) => Some("holds an array of another dtype"),
            () => None,
        }
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
        let Some(codec) = CODEC_NAMES.iter().find(|&&codec| codec == self.codec) else {
            return Err(Error::newer(format!(
                "array `{}` has codec `{}`, this version reads {}",
                self.file.escape_debug(),
                self.codec.escape_debug(),
                listed(CODEC_NAMES)
            )));
        };
        check_name(&self.file, codec)?;
        if !self.offset.is_multiple_of(ALIGNMENT) {
            return Err(self.fault(format_args!("at offset {}, expected a multiple of {ALIGNMENT}", self.offset)));
        }
        self.check_length()
    }

    /// Checks that the file has the length of its elements, where that can be said: not for a dtype that this build
    /// doesn't have, nor for a compressed array, of which only its members tell.
    fn check_length(&self) -> Result<()> {
        if self.meta.itemsize.is_some() {
            self.check_dtype()?;
        } else if self.meta.itemsize().is_err() {
            return self.check_dtype();
        }
        let elements = self.meta.byte_len().map_err(|error| error.at(format_args!("array `{}`", self.file)))?;
        if self.codec != NPY || self.offset.checked_add(elements) == Some(self.length) {
            return Ok(());
        }
        Err(self.fault(format_args!(
            "of {elements} bytes at offset {}, expected that to be the file's length {}",
            self.offset, self.length
        )))
    }

    /// Whether the dtype is one of bytes, and the length of an element, where it is said, its own; it isn't said of
    /// [`Element`](crate::Element)'s.
    #[cold]
    fn check_dtype(&self) -> Result<()> {
        let descr = self.meta.descr.escape_debug();
        let damaged = |what: std::fmt::Arguments<'_>| Err(Error::damaged(format!("array `{}` {what}", self.file)));
        if known_dtype(&self.meta.descr).is_some() {
            return damaged(format_args!("of dtype `{descr}` says how long elements are"));
        }
        match (stored_itemsize(&self.meta.descr), self.meta.itemsize) {
            (Err(why), _) => damaged(format_args!("has dtype `{descr}`, which {why}")),
            (Ok(expected), Some(found)) if expected == found => Ok(()),
            (Ok(expected), Some(found)) => {
                damaged(format_args!("of dtype `{descr}` has elements of {found} bytes, expected {expected}"))
            }
            // Another build stored it, which has an element type for this dtype.
            (Ok(_), None) => Ok(()),
        }
    }

    fn fault(&self, what: std::fmt::Arguments<'_>) -> Error {
        Error::damaged(format!("array `{}` has elements {what}", self.file))
    }
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

impl StepRecord {
    /// Reads a slot's record. `path` is for messages.
    ///
    /// # Errors
    /// Returns an error of kind `Newer` for one that a later version has written, of kind `Damaged` for one that no
    /// version has.
    pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        Self::open(bytes).map_err(|error| error.at(format_args!("record `{}`", path.display())))
    }

    fn open(bytes: &[u8]) -> Result<Self> {
        let body = verify(bytes)?;
        match decode::step_record(body) {
            Ok(step) if is_ours(step.format, &step.requires) => Ok(step),
            decoded => Err(reject(body, decoded.err())),
        }
    }
}

impl CodeRecord {
    /// The parts that these bytes hold of a code of `function`; none if they are anything else, or of a later version.
    pub(crate) fn parts_of(bytes: &[u8], function: &str, code: Digest) -> Vec<Part> {
        let read = verify_up_to(CODE_MAX, bytes).ok().and_then(|body| decode::code(body).ok());
        let fits = |read: &Self| is_ours(read.format, &read.requires) && read.function == function && read.code == code;
        read.filter(fits).map_or_else(Vec::new, |read| read.parts)
    }
}

/// Why an intact record isn't one of ours. A later format may have changed every other field, so each step decodes no
/// more than it needs.
fn reject(body: &[u8], cause: Option<DecodeFault>) -> Error {
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
