//! What the cache knows of one stored call, without its value.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::digest::Digest;
use crate::entry::archive::Archive;
use crate::entry::read::find::FoundEntry;
use crate::entry::site::Site;
use crate::error::Result;
use crate::key::Key;
use crate::record::{Argument, Producer, Record, rfc3339};
use crate::store::{Disk, Stat};

/// A stored call: its function, arguments and files, without its value.
///
/// [`Memory::entry`](crate::Memory::entry) and [`Memory::entries`](crate::Memory::entries) return entries.
#[derive(Clone)]
pub struct Entry {
    disk: Arc<Disk>,
    path: PathBuf,
    bytes: u64,
    /// What the file system said of its record when it was read.
    stat: Stat,
    files: Vec<PathBuf>,
    /// Without its value, if that is long.
    record: Box<Record>,
}

impl Archive {
    /// What was found as the record of this name, as an entry.
    pub(crate) fn entry(&self, record: &str, found: FoundEntry) -> Entry {
        Entry::new(&self.disk, record, found)
    }

    /// What the file system says of the record at `site`; `None` if none is there.
    ///
    /// # Errors
    /// Returns an error when the file system can't say.
    pub(crate) fn record_stat(&self, site: &Site) -> Result<Option<Stat>> {
        self.disk.stat(&site.record())
    }

    /// Whether the record at `site` is as it was when `seen` was said of it.
    pub(crate) fn is_record_still(&self, site: &Site, seen: &Stat) -> bool {
        self.disk.is_still(&site.record(), seen)
    }

    /// Where the record at `site` is, or would be.
    pub(crate) fn record_path(&self, site: &Site) -> PathBuf {
        self.disk.path_of(&site.record())
    }
}

/// The most bytes of a value that an entry keeps in memory when it is listed.
const VALUE_KEPT: usize = 256;

impl Entry {
    /// The entry whose record was found as `name`.
    pub(crate) fn new(disk: &Arc<Disk>, name: &str, found: FoundEntry) -> Self {
        let FoundEntry { mut record, length, stat, .. } = found;
        // A value may be as long as memory, and a program that lists entries may have many at a time.
        if record.value.len() > VALUE_KEPT {
            record.value = Vec::new();
        }
        let path = disk.path_of(name);
        let beside = |file: &str| path.with_file_name(file);
        Self {
            disk: Arc::clone(disk),
            files: record.arrays.iter().map(|array| beside(&array.file)).collect(),
            bytes: length + stored_bytes(&record),
            stat,
            path,
            record,
        }
    }

    /// The folder in which it was found.
    pub(crate) fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }

    /// What its record says; without the value, if that is long.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// The state of the file of its record, when that was read.
    pub(crate) fn stat(&self) -> &Stat {
        &self.stat
    }

    /// The name of its record below the root.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}.record", self.folder(), self.key())
    }

    /// The folder of its files, below the root.
    pub(crate) fn folder(&self) -> String {
        let shard = self.path.parent();
        let below = shard.and_then(|shard| shard.strip_prefix(self.disk.path()).ok());
        below.map(|below| below.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Returns the key of the call.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::from_digest(self.record.key)
    }

    /// Returns the path of its record.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of its function.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.record.function
    }

    /// Returns its arguments, with type and const arguments.
    #[must_use]
    pub fn arguments(&self) -> &[Argument] {
        &self.record.arguments
    }

    /// Returns when it was computed.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.record.created)
    }

    /// Returns how long computing it took.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.record.duration)
    }

    /// Returns when it was last used, to the hour, or to a tenth of the memory's age limit.
    #[must_use]
    pub fn used(&self) -> SystemTime {
        self.stat.modified
    }

    /// Returns when the first of the cached calls inside it expires, and this entry with them. Its own function's
    /// `expires` isn't stored; it is applied to [`created`](Self::created) at each lookup.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.record.expires.map(|at| SystemTime::UNIX_EPOCH + Duration::from_nanos(at))
    }

    /// Returns the program and machine that stored it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// memory.eval(double::call(1.0));
    /// let entry = memory.entry(&double::call(1.0))?.unwrap();
    /// println!("{}", entry.producer()); // ndcache 0.1.0, rustc 1.95.0 (…), x86_64-unknown-linux-gnu, on host `node17`
    /// assert!(entry.producer().rustc().starts_with("rustc 1."));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn producer(&self) -> &Producer {
        &self.record.producer
    }

    /// Returns whether its value was published by [`MappedMut::commit`](crate::MappedMut::commit) instead of by its
    /// function.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// #[ndcache::cache]
    /// fn taps() -> ndarray::Array1<f64> {
    ///     ndarray::array![0.5, 0.5]
    /// }
    ///
    /// let mut edited = memory.mmap_mut(taps::call())?;
    /// assert!(!memory.entry(&taps::call())?.unwrap().edited());
    /// edited[0] = 0.25;
    /// edited.commit()?;
    /// assert!(memory.entry(&taps::call())?.unwrap().edited());
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn edited(&self) -> bool {
        self.record.edited
    }

    /// Returns the bytes of all its files, with the record.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the files of its arrays, in the order of the arrays in the value; small arrays are in the record
    /// instead.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

/// Writes what the methods of the same names return; `files` are names in the folder of `path`. Durations are in
/// nanoseconds (`duration_ns`), times as RFC 3339 writes them in UTC; what in a path isn't UTF-8 is replaced.
impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_struct("Entry", 12)?;
        entry.serialize_field("key", &self.key())?;
        entry.serialize_field("path", &self.path.to_string_lossy())?;
        entry.serialize_field("function", self.function())?;
        entry.serialize_field("arguments", &self.arguments().iter().map(ListedArgument::of).collect::<Vec<_>>())?;
        entry.serialize_field("created", &rfc3339(self.created()))?;
        entry.serialize_field("duration_ns", &self.record.duration)?;
        entry.serialize_field("used", &rfc3339(self.used()))?;
        entry.serialize_field("expires", &self.expires().map(rfc3339))?;
        entry.serialize_field("producer", &self.producer().to_string())?;
        entry.serialize_field("edited", &self.edited())?;
        entry.serialize_field("bytes", &self.bytes)?;
        entry.serialize_field("files", &self.record.arrays.iter().map(|array| &*array.file).collect::<Vec<_>>())?;
        entry.end()
    }
}

/// An argument as an entry shows it: without what the record keeps for comparing it.
#[derive(serde::Serialize)]
struct ListedArgument<'a> {
    name: &'a str,
    digest: Digest,
    text: &'a str,
}

impl<'a> ListedArgument<'a> {
    fn of(argument: &'a Argument) -> Self {
        Self { name: argument.name(), digest: argument.digest(), text: argument.text() }
    }
}

/// More bytes than any entry has. What a record claims is cut to this, so that sums can't overflow.
const BYTES_MAX: u64 = 1 << 62;

/// The bytes of the files that a record names, which may claim any length of them.
pub(crate) fn stored_bytes(record: &Record) -> u64 {
    let overflow = record.overflow.iter().map(|overflow| overflow.length);
    let lengths = record.arrays.iter().map(|array| array.length).chain(overflow);
    lengths.fold(0, u64::saturating_add).min(BYTES_MAX)
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("function", &self.function())
            .field("arguments", &self.arguments())
            .field("path", &self.path)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
