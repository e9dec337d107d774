//! The record: what makes an entry of some files.
//!
//! `docs/format.md` fixes its bytes: a magic, a MessagePack map with named fields, and the XXH3-128 of all that. A
//! record is at most 64 KiB long; what doesn't fit goes to a file that it names.

use crate::digest::{ArrayMeta, Digest, tree};
use crate::error::{Error, Result};
use crate::key::Part;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod slot;
mod straight;
#[cfg(test)]
mod tests;

pub(crate) use slot::{Slot, TargetRecord};

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

/// How array files are encoded; also what their names end with.
const CODECS: &[&str] = &[NPY, NPY_GZ];

/// A plain `.npy`.
pub(crate) const NPY: &str = "npy";

/// The same, compressed.
pub(crate) const NPY_GZ: &str = "npy.gz";

/// Where elements begin in a `.npy` is a multiple of this.
const ALIGNMENT: u64 = 64;

/// Ours nest four deep; unknown fields of a later version may nest deeper.
const DEPTH_MAX: usize = 32;

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
    pub(crate) arguments: Vec<ArgumentRecord>,
    /// Nanoseconds since 1970.
    pub(crate) created: u64,
    /// Nanoseconds that the function took.
    pub(crate) duration: u64,
    /// Nanoseconds since 1970 at which the first of the cached calls inside this one expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<u64>,
    /// The value as MessagePack, which is never empty; empty as long as it is in the overflow.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "bytes")]
    pub(crate) value: Vec<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) arrays: Vec<ArrayRecord>,
    /// Where value and arrays are, if they don't fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) overflow: Option<Overflow>,
    #[serde(with = "shared")]
    pub(crate) producer: Arc<Producer>,
    /// Published by hand, and not a result of the function.
    #[serde(default)]
    pub(crate) edited: bool,
}

/// One argument of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArgumentRecord {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    /// For people, such as `f64[1797, 64] C`.
    pub(crate) text: String,
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
    pub(crate) codec: String,
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

/// Who stored an entry; prints as a phrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// Of this crate.
    pub(crate) version: String,
    pub(crate) rustc: String,
    pub(crate) target: String,
    pub(crate) host: String,
    /// Boot and mount. In the session that still lasts, no power cut can have come between.
    pub(crate) session: String,
}

impl Producer {
    /// The version of ndcache.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The compiler, as it calls itself.
    #[must_use]
    pub fn rustc(&self) -> &str {
        &self.rustc
    }

    /// The target that it compiled for.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The name of the machine.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// This build on this machine.
    pub(crate) fn current(session: &str) -> Self {
        static HOST: OnceLock<String> = OnceLock::new();
        let host = HOST.get_or_init(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: env!("NDCACHE_RUSTC").to_owned(),
            target: env!("NDCACHE_TARGET").to_owned(),
            host: host.clone(),
            session: session.to_owned(),
        }
    }
}

impl fmt::Display for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, rustc, target, host, .. } = self;
        write!(f, "ndcache {version}, {rustc}, {target}, on host `{host}`")
    }
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
    pub(crate) fn decode(bytes: &[u8], path: impl FnOnce() -> PathBuf) -> Result<Self> {
        Self::open(bytes).map_err(|error| error.at(format_args!("record `{}`", path().display())))
    }

    fn open(bytes: &[u8]) -> Result<Self> {
        let body = verify(bytes)?;
        let record = match straight::decode(body).map_or_else(|| unpack::<Self>(body), Ok) {
            Ok(record) if record.format == FORMAT && unknown(&record.requires).is_none() => record,
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
    let plain = !name.contains(['/', '\0']) && name.len() <= NAME_MAX;
    if plain && stem.is_some_and(|stem| !stem.is_empty()) {
        return Ok(());
    }
    let shown: String = name.escape_debug().take(NAME_MAX).collect();
    Err(Error::damaged(format!("it names the file `{shown}`, expected a plain name that ends in `.{suffix}`")))
}

/// Puts magic and trailer around the MessagePack of a record of `function`.
fn seal(body: &[u8], function: &str) -> Result<Vec<u8>> {
    let mut bytes = [MAGIC.as_slice(), body].concat();
    let digest = tree(&bytes);
    bytes.extend_from_slice(&digest.to_bytes());
    if bytes.len() > RECORD_MAX {
        return Err(Error::unsupported(format!(
            "the record of a call of `{function}` takes {} bytes, expected at most {RECORD_MAX}",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// The MessagePack between magic and trailer.
fn verify(bytes: &[u8]) -> Result<&[u8]> {
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
fn reject(body: &[u8], cause: Option<rmp_serde::decode::Error>) -> Error {
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

fn unknown(requires: &[String]) -> Option<&String> {
    requires.iter().find(|feature| !FEATURES.contains(&feature.as_str()))
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn pack(bytes: &mut Vec<u8>, value: &impl Serialize) -> Result<()> {
    let mut packer = rmp_serde::Serializer::new(bytes).with_struct_map();
    value.serialize(&mut packer).map_err(|error| Error::invalid("a record can't be encoded").because(error))
}

/// Decodes one value that takes all of `bytes`. Nothing is allocated for a length that the bytes only claim: strings
/// and byte strings are cut out of them, and serde reserves at most 1 MiB for a sequence.
fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    use rmp_serde::decode::Error as Fault;
    let mut unpacker = rmp_serde::Deserializer::from_read_ref(bytes);
    unpacker.set_max_depth(DEPTH_MAX);
    let value = T::deserialize(&mut unpacker)?;
    match serde::de::IgnoredAny::deserialize(&mut unpacker) {
        Err(Fault::InvalidMarkerRead(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(value),
        _ => Err(Fault::Syntax("bytes follow the value".to_owned())),
    }
}

/// A producer that many records share in memory, and each has in its file.
mod shared {
    use super::{Arc, Producer};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(producer: &Producer, serializer: S) -> Result<S::Ok, S::Error> {
        producer.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Producer>, D::Error> {
        Producer::deserialize(deserializer).map(Arc::new)
    }
}

/// Byte strings as such: serde would write a `Vec<u8>` as a sequence of numbers.
mod bytes {
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
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
