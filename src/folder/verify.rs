//! Whether everything in a folder is what was written.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Serialize, Serializer};

use crate::entry::info::stored_bytes;
use crate::entry::read::arrays::encoded_file;
use crate::entry::read::find::FoundEntry;
use crate::entry::write::remove::remove;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::survey::{FileRole, RecordState, Shard, survey};
use crate::folder::sweep::NamedFiles;
use crate::folder::walk::Unlisted;
use crate::key::Key;
use crate::map::digest_file;
use crate::payload::{check_inline_arrays, codec_named, npy_header, npy_meta};
use crate::record::ArrayRecord;
use crate::store::Disk;

/// What [`Memory::verify`](crate::Memory::verify) does with damaged entries.
///
/// ```
/// assert_eq!(ndcache::verify::Repair::default(), ndcache::verify::Repair::No);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Repair {
    /// Leaves them: the next call computes and replaces each.
    #[default]
    No,
    /// Removes them.
    Remove,
}

/// The findings of [`Memory::verify`](crate::Memory::verify).
///
/// Serde writes each problem as `path`, `problem`, which is [`Problem::name`], and `text`, its printed form.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// use ndcache::verify::{Problem, Repair};
/// use ndcache::Memory;
///
/// #[ndcache::cache]
/// fn double(x: f64) -> f64 {
///     2.0 * x
/// }
///
/// let memory = Memory::open(folder.path())?;
/// memory.eval(double::call(1.0));
/// let path = memory.entry(&double::call(1.0))?.unwrap().path().to_owned();
/// std::fs::write(&path, b"nonsense").unwrap();
/// let report = memory.verify(Repair::Remove)?;
/// assert_eq!((report.entries, report.damaged, report.removed), (1, 1, 1));
/// assert_eq!(report.problems[0].0, path);
/// assert!(matches!(report.problems[0].1, Problem::Damaged(_)) && !path.exists());
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The number of entries, with or without problems.
    pub entries: u64,
    /// The number of damaged entries.
    pub damaged: u64,
    /// The number of entries of newer versions, which can't be checked.
    pub newer: u64,
    /// The number of files that belong to no entry.
    pub orphans: u64,
    /// The number of damaged entries that were removed.
    pub removed: u64,
    /// The bytes that were read and are correct.
    pub bytes: u64,
    /// The problems, by path.
    #[serde(serialize_with = "listed")]
    pub problems: Vec<(PathBuf, Problem)>,
}

fn listed<S: Serializer>(problems: &[(PathBuf, Problem)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct ListedFolder<'a> {
        path: Cow<'a, str>,
        problem: &'static str,
        text: String,
    }
    serializer.collect_seq(problems.iter().map(|(path, problem)| ListedFolder {
        path: path.to_string_lossy(),
        problem: problem.name(),
        text: problem.to_string(),
    }))
}

/// A problem of a file in a cache folder; prints as a phrase.
///
/// ```
/// assert_eq!(ndcache::verify::Problem::Orphan.to_string(), "belongs to no entry");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The file, or one that it names, differs from what was written; with the difference.
    Damaged(String),
    /// The array is correct but has write permission, so that a program may change it by accident: a tool that
    /// doesn't keep permissions copied it here. It is mapped again after the next hit by its owner.
    Writable,
    /// A record of a newer version, with what this version doesn't know about it.
    Newer(String),
    /// No entry names it: a killed writer left it, or it is just being written. It is removed after a day, when
    /// entries are evicted.
    Orphan,
    /// The file system reported an error.
    Unreadable(String),
}

impl Problem {
    /// Returns a short name, without the difference: `damaged`, `writable`, `newer`, `orphan` or `unreadable`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Damaged(_) => "damaged",
            Self::Writable => "writable",
            Self::Newer(_) => "newer",
            Self::Orphan => "orphan",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(what) => write!(f, "damaged: {what}"),
            Self::Writable => f.write_str("has write permission"),
            Self::Newer(what) => write!(f, "of a newer version: {what}"),
            Self::Orphan => f.write_str("belongs to no entry"),
            Self::Unreadable(what) => write!(f, "unreadable: {what}"),
        }
    }
}

impl VerifyReport {
    /// Returns whether every entry could be read and none is damaged; orphans and permissions are ignored.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.damaged == 0 && !self.problems.iter().any(|(_, problem)| matches!(problem, Problem::Unreadable(_)))
    }

    fn merge(mut self, other: Self) -> Self {
        self.entries += other.entries;
        self.damaged += other.damaged;
        self.newer += other.newer;
        self.orphans += other.orphans;
        self.removed += other.removed;
        self.bytes += other.bytes;
        self.problems.extend(other.problems);
        self
    }
}

/// The progress of [`Memory::verify_with`](crate::Memory::verify_with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// The number of entries checked so far.
    pub entries: u64,
    /// The bytes of those that are correct.
    pub bytes: u64,
}

/// How far a check has come, and the function that hears of it.
pub(crate) struct Watcher<'a> {
    entries: AtomicU64,
    bytes: AtomicU64,
    tell: &'a (dyn Fn(Checked) + Sync),
}

impl<'a> Watcher<'a> {
    pub(crate) fn new(tell: &'a (dyn Fn(Checked) + Sync)) -> Self {
        Self { entries: AtomicU64::new(0), bytes: AtomicU64::new(0), tell }
    }

    fn checked(&self, bytes: u64) {
        let entries = 1 + self.entries.fetch_add(1, Ordering::Relaxed);
        let bytes = bytes + self.bytes.fetch_add(bytes, Ordering::Relaxed);
        (self.tell)(Checked { entries, bytes });
    }
}

/// Checks every entry of the folder, on several threads, and removes the damaged ones if that is wanted.
///
/// # Errors
///
/// Returns an error when the folder can't be listed; one in it that can't be is a problem.
pub(crate) fn verify(disk: &Disk, repair: Repair, watcher: &Watcher<'_>) -> Result<VerifyReport> {
    let checked =
        survey(disk, |report: &mut VerifyReport, shard| FolderCheck { disk, repair, report, watcher }.shard(shard))?;
    let mut report = checked.tallies.into_iter().fold(VerifyReport::default(), VerifyReport::merge);
    report.problems.extend(
        checked
            .unlisted
            .into_iter()
            .map(|Unlisted { name, error }| (disk.path_of(&name), Problem::Unreadable(error.to_string()))),
    );
    report.problems.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(report)
}

/// The check of one shard, whose findings go into a report.
struct FolderCheck<'a> {
    disk: &'a Disk,
    repair: Repair,
    report: &'a mut VerifyReport,
    watcher: &'a Watcher<'a>,
}

impl FolderCheck<'_> {
    fn shard(mut self, shard: &Shard<'_>) {
        let mut claims = NamedFiles::default();
        for (key, _) in shard.records() {
            let state = self.record(shard, key);
            claims.add(key, &state);
        }
        self.orphans(shard, &claims);
    }

    /// Checks an entry, and again if it was replaced meanwhile; returns what its record was in the end.
    fn record(&mut self, shard: &Shard<'_>, key: Key) -> RecordState {
        let (noted, before) = (self.report.problems.len(), self.report.bytes);
        loop {
            self.report.problems.truncate(noted);
            let state = shard.state(key);
            let checked = match &state {
                RecordState::Entry(found) => self.files(shard, found),
                RecordState::Gone => return state,
                RecordState::Damaged(error) | RecordState::Newer(error) | RecordState::Unreadable(error) => {
                    Err(error.again())
                }
            };
            if checked.is_ok() || is_same(&state, &shard.state(key)) {
                self.report.entries += 1;
                self.watcher.checked(self.report.bytes - before);
                if let Err(error) = checked {
                    self.wrong(shard, key, &state, &error);
                }
                return state;
            }
        }
    }

    /// Checks the files of an entry; what overflowed was checked with its record.
    fn files(&mut self, shard: &Shard<'_>, found: &FoundEntry) -> Result<()> {
        check_inline_arrays(&found.record.value).map_err(|error| {
            error.at(format_args!("record `{}`", shard.path(&format!("{}.record", found.record.key))))
        })?;
        for array in &found.record.arrays {
            if !check_array(self.disk, &shard.path(&array.file), array)? {
                self.note(shard, &array.file, Problem::Writable);
            }
        }
        self.report.bytes += found.length + stored_bytes(&found.record);
        Ok(())
    }

    fn wrong(&mut self, shard: &Shard<'_>, key: Key, state: &RecordState, error: &Error) {
        let name = format!("{key}.record");
        let problem = match error.kind() {
            ErrorKind::Newer => {
                self.report.newer += 1;
                Problem::Newer(error.to_string())
            }
            ErrorKind::Io => Problem::Unreadable(error.to_string()),
            _ => {
                self.report.damaged += 1;
                if self.repair == Repair::Remove {
                    self.remove(shard, &name, state);
                }
                Problem::Damaged(error.to_string())
            }
        };
        self.note(shard, &name, problem);
    }

    /// Removes a damaged entry: its record first, then the files that it names.
    fn remove(&mut self, shard: &Shard<'_>, name: &str, state: &RecordState) {
        let record = if let RecordState::Entry(found) = state { Some(&found.record) } else { None };
        let files = record.into_iter().flat_map(|record| record.files()).map(|file| shard.path(file));
        let mut left = Vec::new();
        let stays = |file: &str, error| left.push((file.to_owned(), error));
        match remove(self.disk, &shard.path(name), files, || {}, stays) {
            Ok(removed) => self.report.removed += u64::from(removed),
            Err(error) => left.push((shard.path(name), error)),
        }
        let problems =
            left.into_iter().map(|(file, error)| (self.disk.path_of(&file), Problem::Unreadable(error.to_string())));
        self.report.problems.extend(problems);
    }

    fn orphans(&mut self, shard: &Shard<'_>, claims: &NamedFiles) {
        let foreign = shard.items.iter().filter(|item| item.role == FileRole::Foreign).map(|item| item.name.as_str());
        for name in claims.orphans(shard).map(|(name, _)| name).chain(foreign) {
            // What was claimed and is gone by now was removed with its entry.
            if self.disk.stat(&shard.path(name)).is_ok_and(|stat| stat.is_some()) {
                self.report.orphans += 1;
                self.note(shard, name, Problem::Orphan);
            }
        }
    }

    fn note(&mut self, shard: &Shard<'_>, name: &str, problem: Problem) {
        self.report.problems.push((self.disk.path_of(&shard.path(name)), problem));
    }
}

/// Whether a record is the one that it was.
fn is_same(was: &RecordState, now: &RecordState) -> bool {
    match (was, now) {
        (RecordState::Entry(was), RecordState::Entry(now)) => was.record == now.record,
        (RecordState::Damaged(was), RecordState::Damaged(now))
        | (RecordState::Newer(was), RecordState::Newer(now))
        | (RecordState::Unreadable(was), RecordState::Unreadable(now)) => was.to_string() == now.to_string(),
        _ => false,
    }
}

/// Checks an array file, and says whether it has no write permission.
pub(crate) fn check_array(disk: &Disk, name: &str, array: &ArrayRecord) -> Result<bool> {
    let path = disk.path_of(name);
    let damaged = |what: String| Error::damaged(format!("array `{}` {what}", path.display()));
    let Some((file, stat)) = disk.open_file(name)? else { return Err(damaged("is missing".to_owned())) };
    if stat.len != array.length {
        return Err(damaged(format!("has {} bytes, expected {}", stat.len, array.length)));
    }
    if let Some(codec) = codec_named(&array.codec) {
        let encoded = codec.decode(encoded_file(array, file, path))?;
        return encoded.verify(array.digest).map(|()| stat.is_read_only());
    }
    check_header(&file, &path, array, stat.len)
        .map_err(|error| if error.kind() == ErrorKind::Io { error } else { damaged(error.to_string()) })?;
    let offset = array.offset;
    let found = array.meta.digest(digest_file(&file, || path.clone(), offset, array.length.saturating_sub(offset))?);
    if found != array.digest {
        return Err(damaged(format!("has digest {found}, expected {}", array.digest)));
    }
    Ok(stat.is_read_only())
}

/// Whether a plain file begins with the header of its array.
fn check_header(file: &File, path: &Path, array: &ArrayRecord, len: u64) -> Result<()> {
    if array.meta.itemsize.is_some() {
        // Its dtype isn't parsed: the header has to be that which we write, byte for byte.
        let (mut found, expected) = (Vec::new(), npy_header(&array.meta)?);
        let read = file.take(expected.len() as u64).read_to_end(&mut found);
        read.map_err(|error| Error::io("read", path, error))?;
        let is_right = found == expected && expected.len() as u64 == array.offset;
        return if is_right { Ok(()) } else { Err(Error::damaged("doesn't begin with the header of its array")) };
    }
    let (meta, offset) = npy_meta(file, path, len)?;
    if meta != array.meta || offset != array.offset {
        let expected = format!("{:?} at offset {}", array.meta, array.offset);
        return Err(Error::damaged(format!("has the header {meta:?} at offset {offset}, expected {expected}")));
    }
    Ok(())
}
