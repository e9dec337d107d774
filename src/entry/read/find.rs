//! From a key to the record that is stored under it. Reads only: a lookup never deletes, and never repairs what it
//! doesn't own.

use std::time::SystemTime;

use crate::digest::escaped;
use crate::entry::archive::Archive;
use crate::entry::in_memory::Content;
use crate::entry::read::extent::{expect_overflow, misfit};
use crate::entry::site::{Site, is_shard};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Types;
use crate::record::{RECORD_MAX, Record};
use crate::store::{Disk, OpenFolder, Stat};

#[cfg(test)]
mod tests;

/// A record with its own length, and when its entry was last used.
#[derive(Clone)]
pub(crate) struct FoundEntry {
    pub(crate) record: Box<Record>,
    /// The state of its file.
    pub(crate) stat: Stat,
    pub(crate) length: u64,
    pub(crate) used: SystemTime,
}

/// Why a call misses.
#[derive(Debug)]
pub(crate) enum Missing {
    /// It is to be computed anew.
    Due,
    Absent,
    /// It is stored, and no longer good; in words.
    Expired(String),
    /// The function's mode is `Off`.
    Off,
    Damaged(Error),
    /// A newer version has stored it, and it is to be left alone.
    Newer(Error),
    /// It is of another type that has the same name, and is left alone, too.
    OtherType(Error),
    /// What is stored is right, and holds what no Rust type takes.
    Unsupported(Error),
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

impl Archive {
    /// The record at `site`, if it is the one of `function`'s call; in the folder that stands there by now.
    pub(crate) fn find(&self, site: &Site, function: &str) -> Result<FoundEntry, Missing> {
        match self.find_in_open(site, function) {
            Err(Missing::Absent) if self.reopen(false) => self.find_in_open(site, function),
            found => found,
        }
    }

    /// The record at `site`, if it is the one of `function`'s call; in the folder that is open, removed or not.
    pub(crate) fn find_in_open(&self, site: &Site, function: &str) -> Result<FoundEntry, Missing> {
        let name = site.record();
        let found = self.read_record(&name)?.ok_or(Missing::Absent)?;
        let record = &found.record;
        if record.key != site.key().digest() || *record.function != *function {
            let path = self.disk.path_of(&name);
            let (path, was) = (path.display(), format!("`{}` under key {}", escaped(&record.function), record.key));
            let expected = format!("`{function}` under key {}", site.key());
            return Err(Error::damaged(format!("record `{path}` is of {was}, expected {expected}")).into());
        }
        if !site.suits(record) {
            return Err(Missing::OtherType(Types::disagreement(function)));
        }
        Ok(found)
    }

    /// The record at `site` of `function`'s call, if its value is one that a Rust type may take.
    pub(crate) fn find_loadable(&self, site: &Site, function: &str) -> Result<FoundEntry, Missing> {
        self.loadable(site, self.find(site, function)?)
    }

    /// The record at `site` as [`find_loadable`](Self::find_loadable) gives it, in the folder that is open, removed or
    /// not.
    pub(crate) fn find_loadable_in_open(&self, site: &Site, function: &str) -> Result<FoundEntry, Missing> {
        self.loadable(site, self.find_in_open(site, function)?)
    }

    fn loadable(&self, site: &Site, found: FoundEntry) -> Result<FoundEntry, Missing> {
        match found.record.unsupported().filter(|_| !site.takes_any_value()) {
            None => Ok(found),
            Some(what) => {
                let path = self.disk.path_of(&site.record());
                let error = format!("record `{}` {what}, which no Rust type takes", path.display());
                Err(Missing::Unsupported(Error::unsupported(error)))
            }
        }
    }

    /// The record of this name, with what overflowed; `None` if it isn't there, or vanishes meanwhile.
    pub(crate) fn read_record(&self, name: &str) -> Result<Option<FoundEntry>> {
        read_record(&self.disk, name)
    }

    /// What stands in place of an entry whose files `error` is about. Readers hold no lock, so that an entry may be
    /// evicted or replaced between its record and its files: that is no damage.
    pub(crate) fn successor(
        &self,
        site: &Site,
        function: &str,
        was: &FoundEntry,
        error: Error,
    ) -> Result<FoundEntry, Missing> {
        match self.find_loadable(site, function) {
            Ok(now) if error.kind() == ErrorKind::Damaged && now.record.arrays != was.record.arrays => Ok(now),
            Err(Missing::Absent) => Err(Missing::Absent),
            _ => Err(error.into()),
        }
    }

    /// Whether the entry at `site` is still that of `record`.
    pub(crate) fn stands(&self, site: &Site, record: &Record) -> bool {
        let found = self.read_record(&site.record());
        found.is_ok_and(|found| found.is_some_and(|found| found.record.arrays == record.arrays))
    }

    /// The content that a user has given the entry at `site` by hand; `None` if it is as it was computed, or isn't
    /// there.
    pub(crate) fn edited(&self, site: &Site, function: &str) -> Option<Content> {
        let found = self.find_in_open(site, function).ok().filter(|found| found.record.edited)?;
        Some(Content::of(&found.record))
    }

    /// Notes that the entry was used, by its record's modification time and at most once an hour.
    pub(crate) fn stamp(&self, site: &Site, used: SystemTime) {
        let stale = used.elapsed().is_ok_and(|age| age >= self.rules.stamp_interval);
        if stale && self.rules.writes && !site.is_read_only() {
            // A stamp that fails makes the entry look older than it is; that is all.
            let _ = self.disk.touch(&site.record());
        }
    }

    /// Whether the record's files are there in their full length; opens none of them.
    pub(crate) fn is_whole(&self, site: &Site, record: &Record) -> Result<()> {
        for array in &record.arrays {
            let name = site.file(&array.file);
            let length = self.disk.stat(&name)?.filter(|stat| stat.regular).map(|stat| stat.len);
            if length != Some(array.length) {
                return Err(misfit(&name, length, array.length));
            }
        }
        Ok(())
    }

    /// The readable records below a function's folder, in no order.
    pub(crate) fn records(&self, folder: &str) -> impl Iterator<Item = Box<Record>> + use<'_> {
        self.record_names(folder).filter_map(|name| {
            let blob = self.disk.read(&name, RECORD_MAX as u64).ok()??;
            Record::decode(&blob.bytes, || self.disk.path().join(name)).ok()
        })
    }

    /// The names, below the root, of the records below a function's folder.
    pub(crate) fn record_names(&self, folder: &str) -> impl Iterator<Item = String> + use<'_> {
        let folders = self.disk.list(folder).unwrap_or_default();
        let shards = folders.into_iter().map(|item| item.name).filter(|name| is_shard(name)).map({
            let folder = folder.to_owned();
            move |shard| format!("{folder}/{shard}")
        });
        shards.flat_map(|shard| {
            let items = self.disk.list(&shard).unwrap_or_default();
            let names = items.into_iter().map(|item| item.name).filter(|name| name.ends_with(".record"));
            names.map(move |name| format!("{shard}/{name}")).collect::<Vec<_>>()
        })
    }
}

/// The record of this name, with what overflowed; `None` if it isn't there, or vanishes meanwhile.
pub(crate) fn read_record(disk: &Disk, name: &str) -> Result<Option<FoundEntry>> {
    read_record_in(disk, None, name)
}

/// The record of this name, looked for in `folder` if that is open, with what overflowed; `None` if it isn't there, or
/// vanishes meanwhile.
pub(crate) fn read_record_in(disk: &Disk, folder: Option<&OpenFolder>, name: &str) -> Result<Option<FoundEntry>> {
    let mut before = Vec::new();
    loop {
        let blob = match folder {
            Some(folder) => disk.read_in(folder, name, RECORD_MAX as u64)?,
            None => disk.read(name, RECORD_MAX as u64)?,
        };
        let Some(blob) = blob else { return Ok(None) };
        let record = Record::decode(&blob.bytes, || disk.path_of(name))?;
        let (stat, length, used) = (blob.stat, blob.bytes.len() as u64, blob.stat.modified);
        let Some(overflow) = &record.overflow else { return Ok(Some(FoundEntry { record, stat, length, used })) };
        let beside = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let file = format!("{beside}/{}", overflow.file);
        let path = disk.path_of(&file);
        expect_overflow(disk, &file, overflow)?;
        match disk.read(&file, overflow.length)? {
            Some(overflowed) => {
                return Ok(Some(FoundEntry {
                    record: record.join(&overflowed.bytes, &path)?.into(),
                    stat,
                    length,
                    used,
                }));
            }
            None if before == blob.bytes => {
                return Err(Error::damaged(format!("file `{}` is missing", path.display())));
            }
            // The entry may have been removed or replaced in between, which the record tells.
            None => before = blob.bytes,
        }
    }
}
