//! The content of a file as an argument.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::content::ContentHash;
use super::hasher::ContentHasher;
use super::progress::Work;
use super::text::Text;
use super::tree::{LEAF, TreeHasher, leaf};
use super::value::Digest;
use crate::error::{Error, Result};

/// A file as an argument that counts by what the file holds, not by where it is.
///
/// A copy or a renamed file hits the same entry, an edited one doesn't. The file is read once, when it is opened here;
/// what happens to it later isn't noticed. A bare [`Path`] counts by its text.
///
/// ```
/// use ndcache::{FileContent, digest};
///
/// # let dir = tempfile::tempdir()?;
/// # let (a, b) = (dir.path().join("a.csv"), dir.path().join("b.csv"));
/// std::fs::write(&a, "1,2,3")?;
/// std::fs::copy(&a, &b)?;
/// assert_eq!(digest(&FileContent::open(&a)?), digest(&FileContent::open(&b)?));
/// assert_ne!(digest(&*a), digest(&*b));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileContent {
    path: PathBuf,
    len: u64,
    digest: Digest,
}

impl FileContent {
    /// Reads the file and keeps the digest of what it holds: one pass, a megabyte of memory.
    ///
    /// # Errors
    /// Returns an error when the file can't be opened or read, or isn't a regular file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        // Before opening it, since a pipe that nobody writes to would wait for ever.
        let metadata = fs::metadata(&path).map_err(|error| Error::io("open", &path, error))?;
        if !metadata.is_file() {
            return Err(Error::invalid(format!("`{}` isn't a regular file", path.display())));
        }
        let file = File::open(&path).map_err(|error| Error::io("open", &path, error))?;
        let work = Work::new("hashing", metadata.len());
        let (len, tree) = read(file, &work).map_err(|error| Error::io("read", &path, error))?;
        Ok(Self { path, len, digest: file_text(len, tree) })
    }

    /// Where the file was when it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn read(mut file: File, work: &Work) -> std::io::Result<(u64, Digest)> {
    let mut hasher = TreeHasher::new();
    let mut buffer = vec![0; LEAF];
    loop {
        match fill(&mut file, &mut buffer)? {
            0 => return Ok((hasher.total(), hasher.finish())),
            len => {
                hasher.push(&buffer[..len]);
                work.add(len as u64);
            }
        }
    }
}

/// Reads until the buffer is full or the file ends: whole leaves are hashed faster.
fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match file.read(&mut buffer[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

/// The digest of a file: of a text with its length, and the digest of its bytes.
fn file_text(len: u64, tree: Digest) -> Digest {
    leaf(&[format!("file:{len}:").as_bytes(), &tree.to_bytes()].concat())
}

impl ContentHash for FileContent {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.leaf(self.digest);
    }

    fn describe(&self, text: &mut Text) {
        text.debug(&self.path);
        text.display(format_args!(" of {} bytes", self.len));
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::digest;
    use super::super::tree::tree;
    use super::*;

    #[test]
    fn a_file_counts_by_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        for len in [0, 1, LEAF, LEAF + 1, 3 * LEAF + 7] {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            fs::write(&path, &bytes).unwrap();
            let file = FileContent::open(&path).unwrap();
            assert_eq!(digest(&file), file_text(len as u64, tree(&bytes)), "{len} bytes");
            assert_eq!(file.path(), path);
            assert_ne!(digest(&file), digest(&bytes));
        }
    }

    #[test]
    fn a_file_is_not_taken_for_the_leaves_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let (long, short) = (dir.path().join("long"), dir.path().join("short"));
        let bytes = vec![1; 2 * LEAF];
        fs::write(&long, &bytes).unwrap();
        fs::write(&short, [leaf(&bytes[..LEAF]).to_bytes(), leaf(&bytes[LEAF..]).to_bytes()].concat()).unwrap();
        let open = |path: &PathBuf| FileContent::open(path).unwrap();
        assert_ne!(digest(&open(&long)), digest(&open(&short)));
    }

    #[test]
    fn what_is_no_regular_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let error = FileContent::open(dir.path()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Invalid);
        let missing = FileContent::open(dir.path().join("missing")).unwrap_err();
        assert_eq!(missing.kind(), crate::ErrorKind::Io);
        assert!(missing.to_string().contains("missing"));
    }

    #[test]
    fn a_file_is_described_by_path_and_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "123").unwrap();
        let mut text = Text::new();
        FileContent::open(&path).unwrap().describe(&mut text);
        assert!(text.as_str().ends_with("a\" of 3 bytes") || text.is_full());
    }
}
