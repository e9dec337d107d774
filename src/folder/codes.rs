//! The files that say what codes were made of, and which of them no entry needs any more.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use crate::digest::Digest;
use crate::entry::write::code_parts::FOLDER;
use crate::error::{ErrorKind, Result};
use crate::folder::survey::{State, is_nonce_with};
use crate::folder::sweep::is_garbage;
use crate::store::{Disk, Kind, Stat};

/// The codes that each function has entries of, by the index of its folder; `None` if not all of them are known.
#[derive(Default)]
pub(crate) struct Codes(HashMap<usize, Option<HashSet<Digest>>>);

impl Codes {
    /// Adds the code of a record of a function.
    pub(crate) fn add(&mut self, function: usize, state: &State) {
        let codes = self.0.entry(function).or_insert_with(|| Some(HashSet::new()));
        match (state, codes) {
            (State::Entry(found), Some(codes)) => drop(codes.insert(found.record.code)),
            // Whoever can't be read may use any of them.
            (State::Newer(_) | State::Unreadable(_), codes) => *codes = None,
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

    /// Removes what is written of all other codes of the functions with these folders; returns its bytes.
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
                // A link in its place, which is none of ours.
                Err(error) if error.kind() != ErrorKind::Damaged => return Err(error),
                _ => {}
            }
        }
        Ok(bytes)
    }

    /// The files of all other codes of those functions with these folders that are `wanted`, by their names.
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
                // A link in its place, which is none of ours.
                Err(error) if error.kind() == ErrorKind::Damaged => {}
                found => files.extend(found?),
            }
        }
        Ok(files)
    }
}

/// The files of codes that are none of `used`, of the function whose folder is `folder`, once they are a day old. A
/// writer whose record is about to follow writes its file after that.
fn unused(disk: &Disk, folder: &str, used: &HashSet<Digest>, now: SystemTime) -> Result<Vec<(String, Stat)>> {
    let folder = format!("{folder}/{FOLDER}");
    let mut files = Vec::new();
    for item in disk.list(&folder)?.iter().filter(|item| item.kind != Kind::Folder && is_unused(&item.name, used)) {
        let path = format!("{folder}/{}", item.name);
        let Some(stat) = disk.stat(&path)? else { continue };
        if is_garbage(&stat, now) {
            files.push((path, stat));
        }
    }
    Ok(files)
}

/// Whether a file is that of a code that nothing uses, or was never published.
fn is_unused(name: &str, used: &HashSet<Digest>) -> bool {
    let Some((code, rest)) = name.split_once('.') else { return false };
    let Ok(code) = code.parse::<Digest>() else { return false };
    match rest.strip_prefix("record.") {
        Some(rest) => is_nonce_with(rest, &["tmp"]),
        None => rest == "record" && !used.contains(&code),
    }
}
