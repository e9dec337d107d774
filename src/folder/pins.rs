//! Pinned entries: their keys stand in the files of `p/`, one a line, and no limit takes them (docs/format.md, "Pins").

use std::collections::HashSet;

use crate::digest::Digest;
use crate::error::Result;
use crate::key::Key;
use crate::store::{Disk, Kind};

const FOLDER: &str = "p";

/// The longest file of pins: 500,000 keys.
const FILE_MAX: u64 = 16 << 20;

/// The keys of all pinned entries.
///
/// # Errors
/// Returns an error that names the file when one can't be read: without it entries would go that are to stay. Whoever
/// may write there may remove the entries, too.
pub(crate) fn read(disk: &Disk) -> Result<HashSet<Key>> {
    let mut keys = HashSet::new();
    for item in disk.list(FOLDER)?.iter().filter(|item| item.kind == Kind::File && !item.name.ends_with(".tmp")) {
        let name = format!("{FOLDER}/{}", item.name);
        let read = disk.read(&name, FILE_MAX).map_err(|error| error.at("pinned entries"))?;
        if let Some(blob) = read {
            keys.extend(parse(&blob.bytes));
        }
    }
    Ok(keys)
}

/// The keys that stand in a file: of each line the first word, if it is one.
fn parse(bytes: &[u8]) -> impl Iterator<Item = Key> {
    let words =
        bytes.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok()?.split_whitespace().next());
    words.filter_map(|word| word.parse::<Digest>().ok()).map(Key::from_digest)
}
