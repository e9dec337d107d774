//! From a key to what is stored under it. Reads only: a lookup never deletes, and never repairs what it doesn't own.

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::hot::Hot;
use super::{Inner, MapPolicy, Mode, Verify, lock};
use crate::digest::{ArrayMeta, Digest, Known, escaped, tree};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Function, Key, Types};
use crate::map::{Examined, Mapping, Spare, digest_file, read_verified, vec_of};
use crate::payload::{ArraySource, MappedFile, Members, PrivateFile, Reader};
use crate::planted;
use crate::record::{ArrayRecord, NPY_GZ, RECORD_MAX, Record};
use crate::store::{Disk, OpenFolder, Stat};

#[cfg(test)]
mod tests;

/// Arrays of at most this many bytes are read rather than mapped: it is faster (measured on 2 cores, 2026-11).
pub(super) const READ_RATHER: u64 = 128 * 1024;

/// Why they are.
const SMALL: &str = "small";

/// How exactly the last use of an entry is known.
const STAMP_INTERVAL: Duration = Duration::from_secs(3600);

/// How the name of a record ends.
const RECORD: &str = ".record";

/// Where the files of one key are.
#[derive(Clone)]
pub(super) struct Site {
    /// `f/<stem>-<hash>`
    folder: Cow<'static, str>,
    key: Key,
    /// Where it is remembered.
    slot: Digest,
    /// Nothing may be written, whatever the memory's mode.
    read_only: bool,
    /// Whose entry it is to be.
    pub(super) call: Option<(&'static Function, u64)>,
}

impl Site {
    /// Makes no name yet: a repeated hit needs none.
    pub(super) fn new(folder: impl Into<Cow<'static, str>>, key: Key) -> Self {
        Self { folder: folder.into(), key, slot: key.digest(), read_only: false, call: None }
    }

    /// For a call that is found by `quick`, if it is.
    pub(super) fn remembered_by(self, quick: Option<Digest>) -> Self {
        Self { slot: quick.unwrap_or(self.slot), ..self }
    }

    pub(super) fn slot(&self) -> Digest {
        self.slot
    }

    /// For a call of a function whose mode is `mode`.
    pub(super) fn under(self, mode: Mode) -> Self {
        Self { read_only: mode >= Mode::ReadOnly, ..self }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(super) fn record(&self) -> String {
        let key = self.key.digest().hex();
        let key = key.as_str();
        let mut name = self.beside(key, key.len() + RECORD.len());
        name.push_str(key);
        name.push_str(RECORD);
        name
    }

    /// The name, below the root, of one of the entry's files.
    pub(super) fn file(&self, file: &str) -> String {
        let mut name = self.beside(self.key.digest().hex().as_str(), file.len());
        name.push_str(file);
        name
    }

    /// The folder of the entry's files, with room for a name.
    fn beside(&self, key: &str, room: usize) -> String {
        let mut name = String::with_capacity(self.folder.len() + "/00/".len() + room);
        name.push_str(&self.folder);
        name.push('/');
        name.push_str(&key[..2]);
        name.push('/');
        name
    }
}

/// A record with its own length, and when its entry was last used.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) record: Box<Record>,
    /// Of its file.
    pub(super) stat: Stat,
    pub(super) length: u64,
    pub(super) used: SystemTime,
}

/// What a call misses.
#[derive(Debug)]
pub(super) enum Missing {
    /// Nothing: it hits.
    Nothing,
    /// It is to be computed anew.
    Due,
    Absent,
    /// It is stored, and no longer good; in words.
    Expired(String),
    /// The function's mode is `Off`.
    Off,
    Damaged(Error),
    /// To be left alone.
    Newer(Error),
    /// It is of another type that has the same name, and is left alone, too.
    OtherType(Error),
    /// The file system failed.
    Fault(Error),
}

impl From<Error> for Missing {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Newer => Self::Newer(error),
            ErrorKind::Io => Self::Fault(error),
            _ => Self::Damaged(error),
        }
    }
}

impl Inner {
    /// The record at `site`, if it is the one of `function`'s call.
    pub(super) fn find(&self, site: &Site, function: &str) -> Result<Found, Missing> {
        let name = site.record();
        let found = self.read_record(&name)?.ok_or(Missing::Absent)?;
        let record = &found.record;
        if record.key != site.key.digest() || record.function != function {
            let path = self.disk.path_of(&name);
            let (path, was) = (path.display(), format!("`{}` under key {}", escaped(&record.function), record.key));
            let expected = format!("`{function}` under key {}", site.key);
            return Err(Error::damaged(format!("record `{path}` is of {was}, expected {expected}")).into());
        }
        if !site.suits(record) {
            return Err(Missing::OtherType(Types::disagreement(function)));
        }
        Ok(found)
    }

    /// The record of this name, with what overflowed; `None` if it isn't there, or vanishes meanwhile.
    pub(super) fn read_record(&self, name: &str) -> Result<Option<Found>> {
        read_record(&self.disk, name)
    }

    /// What stands in place of an entry whose files `error` is about. Readers hold no lock, so that an entry may be
    /// evicted or replaced between its record and its files: that is no damage.
    pub(super) fn successor(&self, site: &Site, function: &str, was: &Found, error: Error) -> Result<Found, Missing> {
        match self.find(site, function) {
            Ok(now) if error.kind() == ErrorKind::Damaged && now.record.arrays != was.record.arrays => Ok(now),
            Err(Missing::Absent) => Err(Missing::Absent),
            _ => Err(error.into()),
        }
    }

    /// Whether the entry at `site` is still that of `record`.
    pub(super) fn stands(&self, site: &Site, record: &Record) -> bool {
        let found = self.read_record(&site.record());
        found.is_ok_and(|found| found.is_some_and(|found| found.record.arrays == record.arrays))
    }

    /// Notes that the entry was used, by its record's modification time and at most once an hour.
    pub(super) fn stamp(&self, site: &Site, used: SystemTime) {
        let stale = used.elapsed().is_ok_and(|age| age >= self.stamp_interval());
        if stale && self.writes() && !site.read_only {
            // A stamp that fails makes the entry look older than it is; that is all.
            let _ = self.disk.touch(&site.record());
        }
    }

    pub(super) fn stamp_interval(&self) -> Duration {
        self.settings.limits.age.map_or(STAMP_INTERVAL, |limit| STAMP_INTERVAL.min(limit / 10))
    }

    /// Decodes the value of `record` with `load`.
    pub(super) fn load<T>(
        &self,
        site: &Site,
        record: &Record,
        load: impl FnOnce(&mut Reader<'_>) -> Result<T>,
    ) -> Result<T> {
        self.load_with(site, record, None, load)
    }

    /// The same, with what is remembered of its arrays.
    pub(super) fn load_with<T>(
        &self,
        site: &Site,
        record: &Record,
        hot: Option<&Hot>,
        load: impl FnOnce(&mut Reader<'_>) -> Result<T>,
    ) -> Result<T> {
        let source = Source { inner: self, site, record, hot };
        let mut reader = Reader::new(&record.value, &source);
        let value = load(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    /// Whether the record's files are there in their full length; opens none of them.
    pub(super) fn is_whole(&self, site: &Site, record: &Record) -> Result<()> {
        for array in &record.arrays {
            let name = site.file(&array.file);
            let length = self.disk.stat(&name)?.filter(|stat| stat.regular).map(|stat| stat.len);
            if length != Some(array.length) {
                return Err(misfit(&name, length, array.length));
            }
        }
        Ok(())
    }

    /// Reads every array of `record`, and compares it with its digest.
    pub(super) fn verify(&self, site: &Site, record: &Record) -> Result<()> {
        let source = Source { inner: self, site, record, hot: None };
        (0..).take(record.arrays.len()).try_for_each(|index| source.verify_array(index))
    }

    /// Why no array of this folder may be mapped, unless one may (docs/guarantees.md, "Mapping").
    pub(super) fn unmappable(&self) -> Option<&'static str> {
        let medium = self.disk.medium();
        if self.settings.map == MapPolicy::Never {
            Some("policy")
        } else if medium.network && !self.settings.map_network {
            Some("network")
        } else {
            medium.world_writable.then_some("world-writable")
        }
    }
}

/// The record of this name, with what overflowed; `None` if it isn't there, or vanishes meanwhile.
pub(super) fn read_record(disk: &Disk, name: &str) -> Result<Option<Found>> {
    read_record_in(disk, None, name)
}

/// The same; it is looked for in `folder`, if that is open.
pub(super) fn read_record_in(disk: &Disk, folder: Option<&OpenFolder>, name: &str) -> Result<Option<Found>> {
    let mut before = Vec::new();
    loop {
        let blob = match folder {
            Some(folder) => disk.read_in(folder, name, RECORD_MAX as u64)?,
            None => disk.read(name, RECORD_MAX as u64)?,
        };
        let Some(blob) = blob else { return Ok(None) };
        let record = Record::decode(&blob.bytes, || disk.path_of(name))?;
        let (stat, length, used) = (blob.stat, blob.bytes.len() as u64, blob.stat.modified);
        let Some(overflow) = &record.overflow else { return Ok(Some(Found { record, stat, length, used })) };
        let beside = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let file = format!("{beside}/{}", overflow.file);
        let path = disk.path_of(&file);
        match disk.read(&file, overflow.length)? {
            Some(overflowed) => {
                return Ok(Some(Found { record: record.join(&overflowed.bytes, &path)?.into(), stat, length, used }));
            }
            None if before == blob.bytes => {
                return Err(Error::damaged(format!("file `{}` is missing", path.display())));
            }
            // The entry may have been removed or replaced in between, which the record tells.
            None => before = blob.bytes,
        }
    }
}

/// The array files of one record.
struct Source<'a> {
    inner: &'a Inner,
    site: &'a Site,
    record: &'a Record,
    hot: Option<&'a Hot>,
}

impl Source<'_> {
    fn array(&self, index: u32) -> Result<&ArrayRecord> {
        let array = usize::try_from(index).ok().and_then(|index| self.record.arrays.get(index));
        array.ok_or_else(|| {
            let name = self.site.record();
            Error::damaged(format!("record `{name}` refers to array {index} of {}", self.record.arrays.len()))
        })
    }

    /// The array's file, which has the length that the record says.
    fn open(&self, array: &ArrayRecord, name: &str) -> Result<Examined> {
        let file = self.inner.disk.open_unseen(name)?.ok_or_else(|| misfit(name, None, array.length))?;
        let file = Examined::of(file, || self.inner.disk.path_of(name))?;
        if file.len() != array.length {
            return Err(misfit(name, Some(file.len()), array.length));
        }
        Ok(file)
    }

    /// The array's file, to be mapped; `None` where it is to be copied, which is counted unless the array is small.
    fn to_map(&self, array: &ArrayRecord, name: &str) -> Result<Option<Examined>> {
        match self.mappable(array, name)? {
            Ok(file) => return Ok(Some(file)),
            Err(SMALL) => {}
            Err(reason) => self.inner.counters.copied(reason),
        }
        Ok(None)
    }

    /// The array's file, if it may be mapped; else why not.
    fn mappable(&self, array: &ArrayRecord, name: &str) -> Result<Result<Examined, &'static str>> {
        if array.offset.saturating_add(array.meta.byte_len()?) <= READ_RATHER {
            return Ok(Err(SMALL));
        }
        let compressed = || is_compressed(array).then_some("compressed");
        if let Some(reason) = self.inner.unmappable().or_else(compressed) {
            return Ok(Err(reason));
        }
        let mut file = self.open(array, name)?;
        if !file.is_read_only() && self.restore_mode(array, name, &file)? {
            file = Examined::of(file.into_file(), || self.inner.disk.path_of(name))?;
        }
        Ok(if file.is_read_only() { Ok(file) } else { Err("mode") })
    }

    fn mapping(&self, array: &ArrayRecord, name: &str, file: &Examined) -> Result<Mapping> {
        Mapping::of_examined(file, || self.inner.disk.path_of(name), array.length)
    }

    /// A file that lost its mode on the way here, by a copying tool or a file system without modes: if it is ours
    /// and its bytes are right it gets the mode back, else it is copied.
    fn restore_mode(&self, array: &ArrayRecord, name: &str, file: &File) -> Result<bool> {
        if !self.inner.writes() || self.site.read_only {
            return Ok(false);
        }
        // Verified before: with its mode back the file is taken for what the record says.
        let path = || self.inner.disk.path_of(name);
        let found = digest_file(file, path, array.offset, array.length.saturating_sub(array.offset))?;
        self.compare(array, name, found)?;
        let restored = self.inner.disk.make_read_only(file)?;
        if !restored {
            tracing::warn!(array = name, "has write permission, so that it is copied instead of mapped");
        }
        Ok(restored)
    }

    fn verify_array(&self, index: u32) -> Result<()> {
        let array = self.array(index)?;
        let name = self.site.file(&array.file);
        if let Some(members) = self.members(index)? {
            return members.verify(array.digest);
        }
        if let Ok(file) = self.mappable(array, &name)? {
            return self.verify(array, &name, &self.mapping(array, &name, &file)?);
        }
        // Opened before memory is taken for it: it has the length that the record says.
        self.open(array, &name)?;
        vec_of::<u8>(to_usize(array.meta.byte_len()?)?, |out| self.read(index, out)).map(drop)
    }

    /// What may be used again without looking at the file.
    fn remembered(&self) -> Option<&Hot> {
        self.hot.filter(|_| self.inner.settings.verify != Verify::Always)
    }

    fn must_verify(&self, name: &str) -> bool {
        let fresh = || !lock(&self.inner.verified).contains(name);
        match self.inner.settings.verify {
            Verify::Never => false,
            Verify::Boot => self.record.producer.session != self.inner.disk.medium().session && fresh(),
            Verify::First => fresh(),
            Verify::Always => true,
        }
    }

    fn verify(&self, array: &ArrayRecord, name: &str, mapping: &Mapping) -> Result<()> {
        let data = usize::try_from(array.offset).ok().and_then(|offset| mapping.bytes().get(offset..));
        self.compare(array, name, tree(data.unwrap_or_default()))
    }

    /// Compares the bytes of an array with what its record says, and remembers that they are right.
    fn compare(&self, array: &ArrayRecord, name: &str, tree: Digest) -> Result<()> {
        let found = array.meta.digest(tree);
        if found != array.digest && !planted::is("no digest compared") {
            return Err(Error::damaged(format!("array `{name}` has digest {found}, expected {}", array.digest)));
        }
        // Nobody asks about one that is never mapped.
        if array.length > READ_RATHER {
            lock(&self.inner.verified).insert(name.to_owned());
        }
        Ok(())
    }
}

impl ArraySource for Source<'_> {
    fn meta(&self, index: u32) -> Result<&ArrayMeta> {
        Ok(&self.array(index)?.meta)
    }

    fn digest(&self, index: u32) -> Result<Digest> {
        Ok(self.array(index)?.digest)
    }

    fn read<'a>(&self, index: u32, out: Spare<'a>) -> Result<&'a mut [u8]> {
        if let Some(elements) = self.remembered().and_then(|hot| hot.elements(index))
            && elements.len() == out.len()
        {
            return out.copy_of(&elements);
        }
        let array = self.array(index)?;
        let name = self.site.file(&array.file);
        let file = self.open(array, &name)?;
        let (data, tree) = read_verified(&file, || self.inner.disk.path_of(&name), array.offset, out)?;
        self.compare(array, &name, tree)?;
        if let Some(hot) = self.remembered() {
            hot.keep_elements(index, data);
        }
        Ok(data)
    }

    fn members(&self, index: u32) -> Result<Option<Members>> {
        let array = self.array(index)?;
        if !is_compressed(array) {
            return Ok(None);
        }
        let name = self.site.file(&array.file);
        let file = self.open(array, &name)?.into_file();
        let path = self.inner.disk.path_of(&name);
        Members::find(file, path, array.length, array.offset, &array.meta).map(Some)
    }

    fn map(&self, index: u32) -> Result<Option<MappedFile>> {
        let array = self.array(index)?;
        if let Some((mapping, known)) = self.remembered().and_then(|hot| hot.mapping(index)) {
            return Ok(Some(MappedFile { mapping, offset: to_usize(array.offset)?, known }));
        }
        let name = self.site.file(&array.file);
        let Some(file) = self.to_map(array, &name)? else { return Ok(None) };
        let mapping = self.mapping(array, &name, &file)?;
        let verified = self.must_verify(&name);
        if verified {
            self.verify(array, &name, &mapping)?;
        }
        let known = if verified { Known::verified(array.digest) } else { Known::claimed(array.digest) };
        let known = Arc::new(known);
        if let Some(hot) = self.hot {
            hot.keep_mapping(index, &mapping, &known);
        }
        Ok(Some(MappedFile { mapping, offset: to_usize(array.offset)?, known }))
    }

    fn cow(&self, index: u32) -> Result<Option<PrivateFile>> {
        let array = self.array(index)?;
        let name = self.site.file(&array.file);
        let Some(file) = self.to_map(array, &name)? else { return Ok(None) };
        let path = self.inner.disk.path_of(&name);
        if self.must_verify(&name) {
            self.verify(array, &name, &self.mapping(array, &name, &file)?)?;
        }
        Ok(Some(PrivateFile { file: file.into_file(), path, len: array.length, offset: to_usize(array.offset)? }))
    }
}

/// An array file that isn't there, or has another length than its record says.
fn misfit(name: &str, found: Option<u64>, expected: u64) -> Error {
    let Some(found) = found else {
        return Error::damaged(format!("array file is missing: `{name}`, expected {}", bytes(expected)));
    };
    let how = if found < expected { "short" } else { "too long" };
    let (difference, found, expected) = (bytes(found.abs_diff(expected)), bytes(found), bytes(expected));
    Error::damaged(format!("array file is {difference} {how}: `{name}` has {found}, expected {expected}"))
}

fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

fn is_compressed(array: &ArrayRecord) -> bool {
    array.codec == NPY_GZ
}

fn to_usize(offset: u64) -> Result<usize> {
    usize::try_from(offset).map_err(|_| Error::damaged(format!("data offset {offset} doesn't fit this machine")))
}
