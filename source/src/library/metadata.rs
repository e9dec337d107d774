//! Which crates one was linked with, found in the compiler's metadata.
//!
//! Metadata has no format that lasts, but it holds the end of the name of each crate's file as it is: `-0123456789abcdef`.
//! A text that looks like one means something only where such a file lies beside.

use std::collections::BTreeSet;
use std::fs;
use std::io::BufRead as _;
use std::path::Path;

/// Hex digits of a hash.
const DIGITS: usize = 16;

/// A crate that was compiled: `name-hash`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Compiled {
    pub(super) name: String,
    pub(super) hash: String,
}

impl Compiled {
    pub(super) fn stem(&self) -> String {
        format!("{}-{}", self.name, self.hash)
    }
}

/// The crates whose lists of sources lie in a folder, sorted.
pub(super) fn compiled(folder: &Path) -> Vec<Compiled> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<(String, String)> = names
        .filter_map(|name| {
            let (name, hash) = name.strip_suffix(".d")?.rsplit_once('-')?;
            is_hash(hash.as_bytes()).then(|| (name.to_owned(), hash.to_owned()))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(name, hash)| Compiled { name, hash }).collect()
}

/// The metadata of the crate in `file`, whose name without both ends is `stem`; empty if it can't be read.
pub(super) fn of(file: &Path, stem: &str) -> Vec<u8> {
    // A library holds its metadata, too, but they are quicker to read where they lie alone.
    let alone = fs::read(file.with_file_name(format!("lib{stem}.rmeta")));
    alone.or_else(|_| fs::read(file)).unwrap_or_default()
}

/// Whether the metadata hold a name. Its last byte is looked for first, by code that is optimized however this is compiled:
/// there may be megabytes of them.
pub(super) fn mention(metadata: &[u8], name: &str) -> bool {
    let Some(&last) = name.as_bytes().last() else { return true };
    let (mut at, mut rest) = (0, metadata);
    while let Ok(skipped @ 1..) = rest.skip_until(last) {
        at += skipped;
        if metadata[..at].ends_with(name.as_bytes()) {
            return true;
        }
    }
    false
}

/// Everything in the metadata that looks like the hash of a crate.
pub(super) fn hashes(metadata: &[u8]) -> BTreeSet<String> {
    let (mut found, mut rest) = (BTreeSet::new(), metadata);
    while rest.skip_until(b'-').is_ok_and(|skipped| skipped > 0) {
        if let Some(hash) = rest.get(..DIGITS).filter(|hash| is_hash(hash)) {
            found.insert(String::from_utf8_lossy(hash).into_owned());
        }
    }
    found
}

fn is_hash(text: &[u8]) -> bool {
    text.len() == DIGITS && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_anywhere_in_metadata() {
        for (metadata, expected) in [
            (&b"ndcache"[..], true),
            (b"\xff\0ndcache-0123", true),
            (b"eendcachinde ndcach", false),
            (b"ndcach", false),
            (b"", false),
            (b"ndcachndcache", true),
        ] {
            assert_eq!(mention(metadata, "ndcache"), expected, "{metadata:?}");
        }
    }

    #[test]
    fn hashes_stand_anywhere_in_metadata() {
        let metadata = b"rust\0\0-0123456789abcdef\x07deep-fedcba9876543210-0123456789abcdeX-0123";
        let expected = ["0123456789abcdef", "fedcba9876543210"].map(str::to_owned);
        assert_eq!(hashes(metadata), BTreeSet::from(expected));
    }
}
