//! The layout of entries in an archive: as in a cache, so that an unpacked archive is a cache.
//!
//! A tar of regular files named `f/<folder of the function>/<shard>/<file>`, and nothing else.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use ndcache::Digest;

use crate::exit::{Failure, Outcome};
use crate::text::safe;

/// The folder of the records of codes.
pub(super) const CODE: &str = "code";

/// The longest record of a code.
const CODE_MAX: u64 = 4 << 20;

/// The unit of a tar, in bytes; two of zeros are its end.
const BLOCK: u64 = 512;

/// How a file begins that `gzip` made.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// An archive that was looked through: where each file is in it.
pub(crate) struct ArchiveFile {
    file: File,
    places: HashMap<String, (u64, u64)>,
    /// The names of the records, in the order of the archive.
    pub(crate) records: Vec<String>,
}

impl ArchiveFile {
    /// # Errors
    /// Returns a failure when it isn't an archive or not all of one, and when something else is in it than the files of
    /// entries: a link, a device, a folder, a name that leads elsewhere, one name twice.
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        let shown = path.display();
        let cannot = |error: io::Error| Failure::unreadable(format!("can't read the archive `{shown}`: {error}"));
        let none = |what: &str| {
            let expected = "isn't an archive of ndcache, as `ndcache export -o` writes it";
            Failure::unreadable(format!("`{shown}` {expected}: {what}"))
        };
        let file = File::open(path).map_err(cannot)?;
        let (mut places, mut records) = (HashMap::new(), Vec::new());
        let mut magic = Vec::new();
        (&file).take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(cannot)?;
        (&file).rewind().map_err(cannot)?;
        if magic == MAGIC {
            return Err(none("it is compressed; `gunzip` makes a tar of it"));
        }
        let mut archive = tar::Archive::new(&file);
        let mut end = 0;
        for entry in archive.entries_with_seek().map_err(cannot)? {
            // What such a file holds in place of a header says nothing to anybody.
            let broken = |error: io::Error| match (error.raw_os_error(), places.is_empty()) {
                (Some(_), _) => cannot(error),
                (None, true) => none("it is no tar"),
                (None, false) => none(&format!("it is damaged, or ends, after file {}", places.len())),
            };
            let entry = entry.map_err(broken)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let refuse =
                |what: &str| Failure::found(format!("archive `{shown}`: `{}` {what}; nothing was taken", safe(&name)));
            end = entry.raw_file_position() + entry.size().next_multiple_of(BLOCK);
            if !entry.header().entry_type().is_file() {
                return Err(refuse("isn't a regular file"));
            }
            if !is_name(&name) {
                return Err(refuse("isn't the name of a file of an entry"));
            }
            if places.insert(name.clone(), (entry.raw_file_position(), entry.size())).is_some() {
                return Err(refuse("is there twice"));
            }
            if name.ends_with(".record") && !is_code(&name) {
                records.push(name);
            }
        }
        if records.is_empty() {
            return Err(none("there is no entry in it"));
        }
        if !has_end(&file, end).map_err(cannot)? {
            return Err(none(&format!("it breaks off after file {}: export or copy it again", places.len())));
        }
        Ok(Self { file, places, records })
    }

    /// The record of a code, which lies beside the entries of its function; `None` if there is none.
    pub(crate) fn code(&self, folder: &str, code: Digest) -> io::Result<Option<Vec<u8>>> {
        let name = format!("{folder}/{CODE}/{code}.record");
        if !self.places.contains_key(&name) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.read(&name)?.take(CODE_MAX + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Opens a file of the archive.
    ///
    /// # Errors
    /// Returns an error when there is none of this name.
    pub(crate) fn read(&self, name: &str) -> io::Result<impl Read + use<>> {
        let (start, length) = *self.places.get(name).ok_or(io::ErrorKind::NotFound)?;
        // A position of its own: several may be read at once.
        Ok(FileTail { file: self.file.try_clone()?, position: start }.take(length))
    }
}

/// The rest of a file from some place on.
struct FileTail {
    file: File,
    position: u64,
}

impl Read for FileTail {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(self.position))?;
        let read = self.file.read(out)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// Whether a tar ends at `end`: one that was cut off behind a file looks whole to who reads file by file.
fn has_end(mut file: &File, end: u64) -> io::Result<bool> {
    let mut blocks = Vec::new();
    file.seek(SeekFrom::Start(end))?;
    file.take(2 * BLOCK).read_to_end(&mut blocks)?;
    Ok(blocks.len() as u64 == 2 * BLOCK && blocks.iter().all(|&byte| byte == 0))
}

/// Whether a name is that of the record of a code.
fn is_code(name: &str) -> bool {
    name.rsplit('/').nth(1) == Some(CODE)
}

/// `f/<folder>/<shard>/<file>`, or `f/<folder>/code/<32 hex>.record`, each a plain name.
fn is_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let plain =
        |part: &&str| !part.is_empty() && !part.starts_with("..") && *part != "." && !part.contains(char::is_control);
    let is_code = || {
        let digits = parts[3].strip_suffix(".record").unwrap_or_default();
        parts[2] == CODE && digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    parts.len() == 4 && parts[0] == "f" && (parts[2].len() == 2 || is_code()) && parts.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_entries_are_taken() {
        assert!(is_name("f/ramp-0123456789abcdef/3f/3f2a.record"));
        assert!(is_name("f/ramp-0123456789abcdef/code/0123456789abcdef0123456789abcdef.record"));
        for name in [
            "f/a/3f/../x",
            "/f/a/3f/x",
            "f/a/3f",
            "f/a/3f/x/y",
            "g/a/3f/x",
            "f/../3f/x",
            "f/a/3f/",
            "f//3f/x",
            "f/a/3f/a\nb",
            "f/a/code/x.record",
            "f/a/code/0123456789abcdef0123456789abcdef.npy",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
