//! Garbage: files that no record names, left behind by writers that were killed.
//!
//! A live writer's files look the same until their record is published. They are told apart by age alone, for which a
//! day is a wide margin: a file's modification time is that of its last write, and the record follows within moments.

use std::collections::HashSet;
use std::time::SystemTime;

use crate::error::Result;
use crate::folder::survey::{FileRole, RecordState, Shard, is_nonce_with};
use crate::key::Key;
use crate::planted;
use crate::store::{Disk, FileKind, GARBAGE_AGE, Stat};

/// The files of a shard that its records name.
#[derive(Default)]
pub(crate) struct NamedFiles {
    files: HashSet<String>,
    /// Keys whose record doesn't tell which files are its own.
    silent: HashSet<Key>,
    /// There is a record of a later version, whose files may have any name.
    newer: bool,
}

impl NamedFiles {
    pub(crate) fn add(&mut self, key: Key, state: &RecordState) {
        match state {
            RecordState::Entry(found) => self.files.extend(found.record.files().map(str::to_owned)),
            RecordState::Newer(_) => self.newer = true,
            RecordState::Damaged(_) | RecordState::Unreadable(_) => drop(self.silent.insert(key)),
            RecordState::Gone => {}
        }
    }

    /// The names that no record claims, as far as that is known, with the entries that they would belong to.
    pub(crate) fn orphans<'a>(&'a self, shard: &'a Shard<'_>) -> impl Iterator<Item = (&'a str, Key)> {
        let unclaimed = shard.items.iter().filter(move |item| !self.newer && !self.files.contains(&item.name));
        unclaimed.filter_map(|item| match item.role {
            FileRole::Data(key) | FileRole::Staged(key) if !self.silent.contains(&key) => {
                Some((item.name.as_str(), key))
            }
            _ => None,
        })
    }
}

/// Removes the garbage of a shard, and returns its bytes.
pub(crate) fn shard(disk: &Disk, shard: &Shard<'_>, claims: &NamedFiles, now: SystemTime) -> Result<u64> {
    let mut bytes = 0;
    for (name, key) in claims.orphans(shard) {
        let path = shard.path(name);
        let Some(stat) = disk.stat(&path)? else { continue };
        // The record may have been published since the shard was listed.
        if is_garbage(&stat, now) && !is_claimed(shard, name, key) && disk.remove(&path)? {
            bytes += stat.len;
        }
    }
    if shard.items.is_empty() {
        disk.remove_empty(&shard.name)?;
    }
    Ok(bytes)
}

fn is_claimed(shard: &Shard<'_>, file: &str, key: Key) -> bool {
    is_claimed_by(&shard.state(key), file)
}

/// Whether a record names a file of its key, or may.
pub(crate) fn is_claimed_by(state: &RecordState, file: &str) -> bool {
    match state {
        RecordState::Entry(found) => found.record.files().any(|name| name == file),
        RecordState::Gone => false,
        RecordState::Damaged(_) | RecordState::Newer(_) | RecordState::Unreadable(_) => true,
    }
}

/// Removes the records of `make` that were never published, and returns their bytes.
pub(crate) fn step_records(disk: &Disk, now: SystemTime) -> Result<u64> {
    let mut bytes = 0;
    for (path, stat) in old_step_records(disk, now)? {
        if disk.remove(&path)? {
            bytes += stat.len;
        }
    }
    Ok(bytes)
}

/// The records of `make` that were never published, by their names, once they are a day old.
pub(crate) fn old_step_records(disk: &Disk, now: SystemTime) -> Result<Vec<(String, Stat)>> {
    let mut records = Vec::new();
    for item in disk.list("m")? {
        let staged = item.name.split_once(".record.").is_some_and(|(_, rest)| is_nonce_with(rest, &["tmp"]));
        if item.kind == FileKind::Folder || !staged {
            continue;
        }
        let path = format!("m/{}", item.name);
        let Some(stat) = disk.stat(&path)? else { continue };
        if is_garbage(&stat, now) {
            records.push((path, stat));
        }
    }
    Ok(records)
}

/// Whether a file that nobody needs is old enough that nobody can be about to need it.
pub(crate) fn is_garbage(stat: &Stat, now: SystemTime) -> bool {
    planted::is("young files swept") || now.duration_since(stat.modified).is_ok_and(|age| age >= GARBAGE_AGE)
}
