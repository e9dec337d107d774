//! The files that say what codes were made of, and which of them no entry needs any more.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use crate::digest::Digest;
use crate::entry::write::code_parts::FOLDER;
use crate::error::{ErrorKind, Result};
use crate::folder::survey::{State, is_nonce_with};
use crate::folder::sweep::is_garbage;
use crate::store::{Disk, Kind};

/// By the index of a function's folder, the codes of which it has entries; `None` if not all of them are known.
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
    pub(crate) fn sweep_unused(mut self, disk: &Disk, functions: &[String], now: SystemTime) -> Result<u64> {
        let mut bytes = 0;
        for (n, folder) in functions.iter().enumerate() {
            let Some(used) = self.0.remove(&n).unwrap_or_else(|| Some(HashSet::new())) else { continue };
            match sweep(disk, folder, &used, now) {
                // A link in its place, which is none of ours.
                Err(error) if error.kind() == ErrorKind::Damaged => {}
                swept => bytes += swept?,
            }
        }
        Ok(bytes)
    }
}

/// Removes, of the function whose folder is `folder`, the files of codes that are none of `used`, once they are a day
/// old; returns their bytes. A writer whose record is about to follow writes its file after that.
fn sweep(disk: &Disk, folder: &str, used: &HashSet<Digest>, now: SystemTime) -> Result<u64> {
    let folder = format!("{folder}/{FOLDER}");
    let (items, mut bytes) = (disk.list(&folder)?, 0);
    for item in items.iter().filter(|item| item.kind != Kind::Folder && is_unused(&item.name, used)) {
        let path = format!("{folder}/{}", item.name);
        let Some(stat) = disk.stat(&path)? else { continue };
        if is_garbage(&stat, now) && disk.remove(&path)? {
            bytes += stat.len;
        }
    }
    if items.is_empty() {
        disk.remove_empty(&folder)?;
    }
    Ok(bytes)
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
