//! Code records, which list the parts of a code digest, and which of them no entry needs any more.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use crate::digest::Digest;
use crate::entry::write::code_parts::FOLDER;
use crate::error::{ErrorKind, Result};
use crate::folder::survey::{RecordState, is_nonce_with};
use crate::folder::sweep::is_garbage;
use crate::store::{Disk, FileKind, Stat};

/// The code digests of each function's entries, by the index of its folder; `None` if not all of them are known.
#[derive(Default)]
pub(crate) struct CodesInUse(HashMap<usize, Option<HashSet<Digest>>>);

impl CodesInUse {
    /// Adds the code digest that a record of a function states.
    pub(crate) fn add(&mut self, function: usize, state: &RecordState) {
        let codes = self.0.entry(function).or_insert_with(|| Some(HashSet::new()));
        match (state, codes) {
            (RecordState::Entry(found), Some(codes)) => drop(codes.insert(found.record.code)),
            // An entry that can't be read may use any of them.
            (RecordState::Newer(_) | RecordState::Unreadable(_), codes) => *codes = None,
            _ => {}
        }
    }

    pub(crate) fn merge(&mut self, more: Self) {
        for (function, more) in more.0 {
            let codes = self.0.entry(function).or_insert_with(|| Some(HashSet::new()));
            match (codes, more) {
                (Some(codes), Some(more)) => codes.extend(more),
                (codes, _) => *codes = None,
            }
        }
    }

    /// Removes the code records in the folders of these functions that no entry uses; returns their bytes.
    pub(crate) fn sweep_unused(self, disk: &Disk, functions: &[String], now: SystemTime) -> Result<u64> {
        let mut bytes = 0;
        for (name, stat) in self.unused(disk, functions, now, |_| true)? {
            if disk.remove(&name)? {
                bytes += stat.len;
            }
        }
        for folder in functions {
            let folder = format!("{folder}/{FOLDER}");
            match disk.list(&folder) {
                Ok(items) if items.is_empty() => disk.remove_empty(&folder)?,
                // Damaged: a link in its place, which isn't the cache's.
                Err(error) if error.kind() != ErrorKind::Damaged => return Err(error),
                _ => {}
            }
        }
        Ok(bytes)
    }

    /// The names of the code records that no entry uses, in those of the folders that are `wanted`.
    pub(crate) fn unused(
        mut self,
        disk: &Disk,
        functions: &[String],
        now: SystemTime,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, Stat)>> {
        let mut files = Vec::new();
        for (n, folder) in functions.iter().enumerate().filter(|(_, folder)| wanted(folder)) {
            let Some(used) = self.0.remove(&n).unwrap_or_else(|| Some(HashSet::new())) else { continue };
            match unused(disk, folder, &used, now) {
                // A link in its place, which isn't the cache's.
                Err(error) if error.kind() == ErrorKind::Damaged => {}
                found => files.extend(found?),
            }
        }
        Ok(files)
    }
}

/// The code records of the function whose folder is `folder` that are a day old and whose code isn't among `used`. A
/// writer publishes the record of its entry first, and writes the code record after that.
fn unused(disk: &Disk, folder: &str, used: &HashSet<Digest>, now: SystemTime) -> Result<Vec<(String, Stat)>> {
    let folder = format!("{folder}/{FOLDER}");
    let mut files = Vec::new();
    for item in disk.list(&folder)?.iter().filter(|item| item.kind != FileKind::Folder && is_unused(&item.name, used)) {
        let path = format!("{folder}/{}", item.name);
        let Some(stat) = disk.stat(&path)? else { continue };
        if is_garbage(&stat, now) {
            files.push((path, stat));
        }
    }
    Ok(files)
}

/// Whether a file is a code record that no entry uses, or one that was never published.
fn is_unused(name: &str, used: &HashSet<Digest>) -> bool {
    let Some((code, rest)) = name.split_once('.') else { return false };
    let Ok(code) = code.parse::<Digest>() else { return false };
    match rest.strip_prefix("record.") {
        Some(rest) => is_nonce_with(rest, &["tmp"]),
        None => rest == "record" && !used.contains(&code),
    }
}
