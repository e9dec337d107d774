//! What the codes of functions were made of: a file for each function and code, which only explanations read
//! (docs/format.md, "Code").

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use super::lookup::Site;
use super::put::Draft;
use super::survey::{State, is_nonce_with};
use super::sweep::is_garbage;
use super::{Inner, lock};
use crate::digest::Digest;
use crate::error::{ErrorKind, Result};
use crate::key::Part;
use crate::record::{CodeRecord, RECORD_MAX};
use crate::store::{Disk, Durability, Kind};

/// Its folder in that of the function, which is none of its shards.
const FOLDER: &str = "code";

impl Inner {
    /// Writes down what the code of a stored call was made of, once for each memory and code. A damaged file is replaced.
    ///
    /// An entry is no worse without it, so that a fault costs nothing but a more exact explanation.
    pub(super) fn keep_code(&self, site: &Site, draft: &Draft) {
        if draft.parts.is_empty() || !lock(&self.codes).insert((draft.function, draft.code)) {
            return;
        }
        let name = name(site.folder(), draft.code);
        let kept = || -> Result<()> {
            let bytes = CodeRecord::new(draft.function, draft.code, draft.parts).encode()?;
            let stands = self.disk.read(&name, RECORD_MAX as u64);
            match stands {
                Ok(Some(blob)) if blob.bytes == bytes => Ok(()),
                _ => self.disk.replace(&name, &bytes, Durability::Buffered),
            }
        };
        if let Err(error) = kept() {
            tracing::debug!(%error, "explanations won't say which part of the code changed");
        }
    }

    /// What a code of `function`, whose folder is `folder`, was made of; empty if that isn't known.
    pub(super) fn code_parts(&self, folder: &str, function: &str, code: Digest) -> Vec<Part> {
        let blob = self.disk.read(&name(folder, code), RECORD_MAX as u64).ok().flatten();
        blob.map_or_else(Vec::new, |blob| CodeRecord::parts_of(&blob.bytes, function, code))
    }
}

fn name(folder: &str, code: Digest) -> String {
    format!("{folder}/{FOLDER}/{code}.record")
}

/// By the index of a function's folder, the codes of which it has entries; `None` if not all of them are known.
#[derive(Default)]
pub(super) struct Codes(HashMap<usize, Option<HashSet<Digest>>>);

impl Codes {
    /// Adds the code of a record of a function.
    pub(super) fn add(&mut self, function: usize, state: &State) {
        let codes = self.0.entry(function).or_insert_with(|| Some(HashSet::new()));
        match (state, codes) {
            (State::Entry(found), Some(codes)) => drop(codes.insert(found.record.code)),
            // Whoever can't be read may use any of them.
            (State::Newer(_) | State::Unreadable(_), codes) => *codes = None,
            _ => {}
        }
    }

    pub(super) fn merge(&mut self, more: Self) {
        for (function, more) in more.0 {
            let codes = self.0.entry(function).or_insert_with(|| Some(HashSet::new()));
            match (codes, more) {
                (Some(codes), Some(more)) => codes.extend(more),
                (codes, _) => *codes = None,
            }
        }
    }

    /// Removes what is written of all other codes of the functions with these folders; returns its bytes.
    pub(super) fn sweep_unused(mut self, disk: &Disk, functions: &[String], now: SystemTime) -> Result<u64> {
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
