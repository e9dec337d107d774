//! Pinned entries: their keys stand in the files of `p/`, one a line, and no limit takes them (docs/format.md, "Pins").

use std::collections::{BTreeMap, HashSet};

use crate::digest::Digest;
use crate::error::Result;
use crate::key::Key;
use crate::store::{Disk, FileKind};

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
    for item in
        disk.list(FOLDER)?.into_iter().filter(|item| item.kind == FileKind::File && !item.name.ends_with(".tmp"))
    {
        let read = disk.read(&format!("{FOLDER}/{}", item.name), FILE_MAX);
        if let Some(blob) = read.map_err(|error| error.at("pinned entries"))? {
            lists.insert(item.name, parse(&blob.bytes).collect());
        }
    }
    Ok(lists)
}

/// The keys that stand in a file: of each line the first word, if it is one. Notes behind it may be in any encoding, and a
/// mark of byte order before all means nothing.
pub(crate) fn parse(bytes: &[u8]) -> impl Iterator<Item = Key> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
    let words = lines.filter_map(|line| line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()));
    words.filter_map(|word| std::str::from_utf8(word).ok()?.parse::<Digest>().ok()).map(Key::from_digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_may_be_in_any_encoding_and_lines_end_in_any_way() {
        let keys = ["0c3e264c767b9f1326f873db8c902583", "1c3e264c767b9f1326f873db8c902583"].map(|key| {
            let digest: Digest = key.parse().unwrap();
            (key, Key::from_digest(digest))
        });
        let [(a, one), (b, two)] = keys;
        let texts: [Vec<u8>; 4] = [
            format!("{a}\n\n  {b} a note\n").into(),
            [a.as_bytes(), b" caf\xe9\n# \xff\n", b.as_bytes()].concat(),
            format!("\u{feff}{a}\r\n{b}\r\n").into(),
            format!("{a}\r{b}\tnote {a}\rnote {a}").into(),
        ];
        for text in texts {
            assert_eq!(parse(&text).collect::<Vec<_>>(), [one, two], "{text:?}");
        }
    }
}
