//! The layout of entries in an archive: as in a cache, so that an unpacked archive is a cache.
//!
//! A tar of regular files named `f/<folder of the function>/<shard>/<file>`, and nothing else.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::exit::{Failure, Outcome};
use crate::text::safe;

/// An archive that was looked through: where each file is in it.
pub(crate) struct Archive {
    file: File,
    places: HashMap<String, (u64, u64)>,
    /// The names of the records, in the order of the archive.
    pub(crate) records: Vec<String>,
}

impl Archive {
    /// # Errors
    /// Returns a failure when it isn't an archive, and when something else is in it than the files of entries: a link, a
    /// device, a folder, a name that leads elsewhere, one name twice.
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        let shown = path.display();
        let cannot = |error: io::Error| Failure::unreadable(format!("can't read the archive `{shown}`: {error}"));
        let file = File::open(path).map_err(cannot)?;
        let (mut places, mut records) = (HashMap::new(), Vec::new());
        let mut archive = tar::Archive::new(&file);
        for entry in archive.entries_with_seek().map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let refuse =
                |what: &str| Failure::found(format!("archive `{shown}`: `{}` {what}; nothing was taken", safe(&name)));
            if !entry.header().entry_type().is_file() {
                return Err(refuse("isn't a regular file"));
            }
            if !is_name(&name) {
                return Err(refuse("isn't the name of a file of an entry"));
            }
            if places.insert(name.clone(), (entry.raw_file_position(), entry.size())).is_some() {
                return Err(refuse("is there twice"));
            }
            if name.ends_with(".record") {
                records.push(name);
            }
        }
        Ok(Self { file, places, records })
    }

    /// Opens a file of the archive.
    ///
    /// # Errors
    /// Returns an error when there is none of this name.
    pub(crate) fn read(&self, name: &str) -> io::Result<impl Read + use<>> {
        let (start, length) = *self.places.get(name).ok_or(io::ErrorKind::NotFound)?;
        // A position of its own: several may be read at once.
        Ok(Section { file: self.file.try_clone()?, position: start }.take(length))
    }
}

/// The rest of a file from some place on.
struct Section {
    file: File,
    position: u64,
}

impl Read for Section {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(self.position))?;
        let read = self.file.read(out)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// `f/<folder>/<shard>/<file>`, each a plain name.
fn is_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let plain =
        |part: &&str| !part.is_empty() && !part.starts_with("..") && *part != "." && !part.contains(char::is_control);
    parts.len() == 4 && parts[0] == "f" && parts[2].len() == 2 && parts.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_entries_are_taken() {
        assert!(is_name("f/ramp-0123456789abcdef/3f/3f2a.record"));
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
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
