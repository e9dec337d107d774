//! Entries from elsewhere: the one way by which they come in.
//!
//! Nothing of them is believed: names are replaced, lengths and digests are checked on what has arrived in this folder,
//! and only then does a record name it. The record says where it came from, for ever.

use std::fmt;
use std::io::{self, Read};

use crate::digest::{Digest, LEAF, combine, leaf};
use crate::entry::archive::Archive;
use crate::entry::info::stored_bytes;
use crate::entry::read::extent::is_long;
use crate::entry::site::Site;
use crate::entry::write::code_parts::{is_code_record, keep_code_record};
use crate::entry::write::put::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::arrival::{self, take_array, take_overflow};
use crate::folder::survey::RecordState;
use crate::key::{self, Key};
use crate::memory::{Engine, Memory};
use crate::payload::{Compression, any_value};
use crate::record::{ArrayRecord, OVERFLOW_MAX, Overflow, Record};

/// How long a publication waits for whoever else replaces the entry.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// The longest path of a function.
const PATH_MAX: usize = 65_536;

/// How a foreign entry came into this folder. Prints as in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// It was imported by hand.
    Import,
    /// It was fetched from a tier.
    Tier,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Import => "import",
            Self::Tier => "tier",
        })
    }
}

/// The result of publishing a foreign entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Its key.
    pub key: Key,
    /// Whether it was published; if not, there was already an entry with that key, which stays.
    pub is_new: bool,
    /// The bytes of its files, without the record.
    pub bytes: u64,
}

/// A foreign entry that was verified and isn't published yet, from [`Memory::stage_foreign`]. Its files are removed
/// when it is dropped.
pub struct Foreign {
    memory: Memory,
    site: Site,
    record: Record,
    /// There is an entry of this key already, so that nothing was copied.
    exists: bool,
    published: bool,
}

impl Memory {
    /// Verifies a foreign entry and publishes it in this folder; an existing entry with that key stays.
    ///
    /// `record` are the bytes of its record ([`Entry::record_bytes`](crate::Entry::record_bytes)). `open_file` opens
    /// the files that the record names, each by its plain name without a folder; no name leads to another folder.
    /// Each file is copied, and must have the length, the header and the digest of the record; further bytes are
    /// damage. The caller must make sure that what it opens is a regular file.
    ///
    /// [`origin`](crate::Entry::origin) then marks the entry as foreign: an object pickled by Python isn't loaded
    /// from it unless the user allows it. An entry that once came from a tier keeps that mark, and is sent to no
    /// tier.
    ///
    /// It takes the time to write the files and to read them once.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is read-only or disabled; of kind [`Damaged`](ErrorKind::Damaged) when the
    /// record or a file is invalid; of kind [`Newer`](ErrorKind::Newer) when a newer version wrote them; and when a
    /// file can't be opened, read or written. Then nothing is published.
    ///
    /// ```
    /// # let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    /// use ndcache::Memory;
    /// use ndcache::inspect::Origin;
    ///
    /// #[ndcache::cache]
    /// fn ramp(n: usize) -> ndarray::Array1<f64> {
    ///     ndarray::Array1::linspace(0.0, 1.0, n)
    /// }
    ///
    /// let (memory, other) = (Memory::open(folder.path())?, Memory::open(other.path())?);
    /// memory.eval(ramp::call(5000));
    /// let entry = memory.entry(&ramp::call(5000))?.unwrap();
    /// let open = |name: &str| entry.open_file(name).map_err(std::io::Error::other);
    /// let published = other.publish_foreign(&entry.record_bytes()?, Origin::Import, open)?;
    /// assert!(published.is_new && other.contains(&ramp::call(5000)));
    /// assert_eq!(other.entry(&ramp::call(5000))?.unwrap().origin(), Some("import"));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn publish_foreign<R: Read>(
        &self,
        record: &[u8],
        origin: Origin,
        open_file: impl FnMut(&str) -> io::Result<R>,
    ) -> Result<Published> {
        self.stage_foreign(record, origin, open_file)?.publish()
    }

    /// Copies a foreign entry into the folder and verifies it, like [`publish_foreign`](Self::publish_foreign), but
    /// doesn't publish it yet: so several entries can be verified before the first one is published.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`publish_foreign`](Self::publish_foreign).
    pub fn stage_foreign<R: Read>(
        &self,
        record: &[u8],
        origin: Origin,
        mut open_file: impl FnMut(&str) -> io::Result<R>,
    ) -> Result<Foreign> {
        let none = || Error::unsupported("can't publish an entry: the memory is disabled");
        let engine = self.writable("publish an entry")?.ok_or_else(none)?;
        let mut open = |name: &str| open_file(name).map_err(|error| cannot("open", name, error));
        let record = decode(record, &engine.archive, &mut open)?;
        let site = Site::new(key::folder(&record.function), Key::from_digest(record.key));
        let exists = engine.has(&site)?;
        let arrays = if exists { record.arrays.clone() } else { Vec::new() };
        let came_by_tier = record.origin.as_deref() == Some("tier");
        let origin = if came_by_tier { Origin::Tier } else { origin };
        let arrived = Record { arrays, overflow: None, origin: Some(origin.to_string()), ..record.clone() };
        let mut staged = Foreign { memory: self.clone(), site, record: arrived, exists, published: exists };
        for array in record.arrays.iter().filter(|_| !exists) {
            staged.take(engine, array, open(&array.file)?)?;
        }
        Ok(staged)
    }
}

impl Engine {
    /// Whether a good record stands at `site`.
    fn has(&self, site: &Site) -> Result<bool> {
        match self.state(site) {
            RecordState::Entry(_) => Ok(true),
            RecordState::Newer(error) | RecordState::Unreadable(error) => Err(error),
            RecordState::Damaged(_) | RecordState::Gone => Ok(false),
        }
    }
}

impl Foreign {
    /// Returns its key.
    #[must_use]
    pub fn key(&self) -> Key {
        self.site.key()
    }

    /// Returns the path of its function.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.record.function
    }

    /// Returns the digest of the code that computed it.
    #[must_use]
    pub fn code(&self) -> Digest {
        self.record.code
    }

    /// Whether these bytes say what its code was made of ([`Entry::code_record`](crate::Entry::code_record)). That they
    /// say so rightly is nothing that could be known.
    #[must_use]
    pub fn is_code_record(&self, bytes: &[u8]) -> bool {
        is_code_record(bytes, &self.record.function, self.record.code)
    }

    /// Writes down what its code was made of, unless that is known here.
    ///
    /// # Errors
    ///
    /// Returns an error when these bytes don't say that, and when they can't be written.
    pub fn keep_code_record(&self, bytes: &[u8]) -> Result<()> {
        let Some(engine) = self.memory.0.as_deref() else { return Ok(()) };
        if !self.is_code_record(bytes) {
            return Err(Error::damaged(format!("what came as the code of `{}` is none of it", self.function())));
        }
        let folder = key::folder(&self.record.function);
        keep_code_record(&engine.archive.disk, &folder, &self.record.function, self.record.code, bytes)
    }

    /// The bytes of its files, the record aside.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        stored_bytes(&self.record)
    }

    /// Whether there is an entry of its key already, which will stay: its files were not looked at then.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// Whether its value holds an object that Python pickled.
    #[must_use]
    pub fn holds_pickle(&self) -> bool {
        self.record.has_pickle()
    }

    /// Publishes it, unless an entry of its key is there by now.
    ///
    /// # Errors
    ///
    /// Returns an error when the record can't be written, or what stands there can't be read.
    pub fn publish(mut self) -> Result<Published> {
        let memory = self.memory.clone();
        let engine = memory.0.as_deref().ok_or_else(|| Error::unsupported("the memory is disabled"))?;
        let (key, bytes) = (self.key(), self.bytes());
        // Two that replace the entry at once wouldn't see each other's files, and so wouldn't remove them.
        let _lead = engine.flights().moment(key, PATIENCE);
        if self.exists || engine.has(&self.site)? {
            return Ok(Published { key, is_new: false, bytes });
        }
        self.published = true;
        arrival::publish(&engine.archive, &self.site, self.sink(engine), &self.record)?;
        Ok(Published { key, is_new: true, bytes })
    }

    /// Copies an array's file, and checks what has arrived.
    fn take(&mut self, engine: &Engine, array: &ArrayRecord, mut file: impl Read) -> Result<()> {
        // Nothing is reserved: the length is only claimed.
        let arrived = take_array(&engine.archive, &self.site, array, 0, |blob| {
            copy(&array.file, array.length, &mut file, |bytes| blob.write_all(bytes)).map(|()| false)
        })?;
        self.record.arrays.push(arrived);
        Ok(())
    }

    /// What publishes the record, and else removes the files.
    fn sink<'a>(&'a self, engine: &'a Engine) -> Sink<'a> {
        let mut sink = Sink::new(&engine.archive, &self.site, Compression::None, String::new());
        sink.arrays = self.record.arrays.clone();
        sink
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if let Some(engine) = self.memory.0.as_deref().filter(|_| !self.published) {
            drop(self.sink(engine));
        }
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut foreign = f.debug_struct("Foreign");
        foreign.field("key", &self.key()).field("function", &self.function()).finish_non_exhaustive()
    }
}

/// The record, with what overflowed, once all that it says by itself is right.
fn decode<R: Read>(bytes: &[u8], archive: &Archive, open: &mut dyn FnMut(&str) -> Result<R>) -> Result<Record> {
    let mut record = *Record::decode(bytes, || "from elsewhere".into())?;
    let function = &record.function;
    if function.is_empty() || function.len() > PATH_MAX || function.contains(char::is_control) {
        let shown: String = function.chars().take(80).flat_map(char::escape_debug).collect();
        return Err(Error::damaged(format!("record from elsewhere is of a function `{shown}`, which can't be one")));
    }
    if let Some(overflow) = record.overflow.clone() {
        let value = overflowed(&record, &overflow, archive, open)?;
        record = record.join(&value, overflow.file.as_ref())?;
    }
    any_value(&record.value, record.arrays.len()).map_err(|error| error.at("record from elsewhere"))?;
    Ok(record)
}

fn overflowed<R: Read>(
    record: &Record,
    overflow: &Overflow,
    archive: &Archive,
    open: &mut dyn FnMut(&str) -> Result<R>,
) -> Result<Vec<u8>> {
    if overflow.length > OVERFLOW_MAX {
        let what = format!("file `{}` is to have {} bytes", overflow.file.escape_debug(), overflow.length);
        return Err(Error::damaged(format!("record from elsewhere: {what}, expected at most {OVERFLOW_MAX}")));
    }
    let mut file = open(&overflow.file)?;
    if !is_long(overflow) {
        let mut value = Vec::new();
        let mut file = file.take(overflow.length.saturating_add(1));
        file.read_to_end(&mut value).map_err(|error| cannot("read", &overflow.file, error))?;
        return Ok(value);
    }
    let site = Site::new(key::folder(&record.function), Key::from_digest(record.key));
    take_overflow(archive, &site, overflow, 0, |blob| {
        let mut leaves = Vec::new();
        copy(&overflow.file, overflow.length, &mut file, |bytes| {
            leaves.push(leaf(bytes));
            blob.write_all(bytes)
        })?;
        Ok(combine(&leaves))
    })
}

/// Copies a file, leaf by leaf, which has to be as long as its record says.
fn copy(name: &str, length: u64, file: &mut impl Read, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut block = vec![0; LEAF];
    let mut left = length;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(LEAF).min(LEAF);
        let found = fill(name, file, &mut block[..most])?;
        if found < most {
            return Err(misfit(name, length, &format!("is {} bytes shorter", left - found as u64)));
        }
        take(&block[..most])?;
        left -= most as u64;
    }
    // One byte more than is expected, to see whether there is one.
    match fill(name, file, &mut block[..1])? {
        0 => Ok(()),
        _ => Err(misfit(name, length, "is longer")),
    }
}

/// Reads until the block is full or the file ends, and says how much came.
fn fill(name: &str, file: &mut impl Read, block: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match file.read(&mut block[filled..]) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => filled += read.map_err(|error| cannot("read", name, error))?,
        }
    }
    Ok(filled)
}

fn cannot(action: &str, name: &str, error: io::Error) -> Error {
    let name: String = name.chars().take(255).flat_map(char::escape_debug).collect();
    Error::new(ErrorKind::Io, format!("can't {action} the file `{name}` from elsewhere")).because(error)
}

fn misfit(name: &str, expected: u64, how: &str) -> Error {
    let file = name.escape_debug();
    Error::damaged(format!("file `{file}` from elsewhere {how} than the {expected} bytes that its record says"))
}
