//! Pinned entries: their keys stand in the files of `p/`, one a line, and no limit takes them (docs/format.md, "Pins").

use std::collections::{BTreeMap, HashSet};

use crate::digest::Digest;
use crate::error::Result;
use crate::key::Key;
use crate::store::{Disk, Kind};

const FOLDER: &str = "p";

/// The longest file of pins: 500,000 keys.
pub(crate) const FILE_MAX: u64 = 16 << 20;

/// The keys of all pinned entries.
///
/// # Errors
/// Returns an error that names the file when one can't be read: without it entries would be removed that are to stay.
/// Those who may write there may remove the entries, too.
pub(crate) fn read(disk: &Disk) -> Result<HashSet<Key>> {
    Ok(lists(disk)?.into_values().flatten().collect())
}

/// The keys of pinned entries by the names of the files in which they stand.
pub(crate) fn lists(disk: &Disk) -> Result<BTreeMap<String, Vec<Key>>> {
    let mut lists = BTreeMap::new();
    for item in disk.list(FOLDER)?.into_iter().filter(|item| item.kind == Kind::File && !item.name.ends_with(".tmp")) {
        let read = disk.read(&format!("{FOLDER}/{}", item.name), FILE_MAX);
        if let Some(blob) = read.map_err(|error| error.at("pinned entries"))? {
            lists.insert(item.name, parse(&blob.bytes).collect());
        }
    }
    Ok(lists)
}

/// The keys that stand in a file: of each line the first word, if it is one.
pub(crate) fn parse(bytes: &[u8]) -> impl Iterator<Item = Key> {
    let words =
        bytes.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok()?.split_whitespace().next());
    words.filter_map(|word| word.parse::<Digest>().ok()).map(Key::from_digest)
}
