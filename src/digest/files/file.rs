//! The content of a file as an argument.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::digest::files::read::ReadFile;
use crate::digest::files::remembered::RememberedDigests;
use crate::digest::files::seen::{SeenFile, see};
use crate::digest::files::stamp::{FileId, Stamp, absolute, file_name, stat};
use crate::digest::value::Digest;
use crate::digest::values::content::ContentHash;
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::text::Text;
use crate::error::Result;

/// A file as an argument that is identified by its content, not by its path.
///
/// A copy or a renamed file hits the same entry, an edited one doesn't. The file is read once, by
/// [`open`](Self::open). A process remembers the digests of up to 65,536 files (with one more it forgets all of
/// them), and opening a file again reads nothing as long as its size, both times, inode and device are unchanged.
/// This requires that the times are more than two seconds old when the file is read, since a younger file may change
/// once more without a sign in its times. What another process writes through a mapping isn't noticed until the
/// system updates the file's time.
///
/// The function reads the file later than that. When it has returned, the file is checked once more; if size, times,
/// inode or device have changed, or the file is gone, the result isn't stored, because it isn't known which content
/// the function has read. A file that was younger than two seconds is read once more.
///
/// [`FileStamp`](crate::FileStamp) identifies a file by size and times alone. A bare [`Path`] as an argument is
/// identified by its text.
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
    place: FileId,
    stamp: Stamp,
    /// Whether the file was old enough that every later change shows in its stamp.
    settled: bool,
}

impl FileContent {
    /// Reads the file and keeps the digest of its content: one pass, with a megabyte of memory; or a single system
    /// call for a file that this process has read before and that hasn't changed.
    ///
    /// # Errors
    ///
    /// Returns an error when the file can't be opened or read, or isn't a regular file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_with(absolute(path.into()), RememberedDigests::of_process(), SystemTime::now())
    }

    /// Returns the absolute path of the file at the time when it was read, even if the current folder has changed
    /// since.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `now` is taken before the file is looked at.
    fn open_with(path: PathBuf, remembered: &RememberedDigests, now: SystemTime) -> Result<Self> {
        let (stamp, place) = stat(&path)?;
        if let Some(digest) = remembered.get(place, &stamp) {
            return Ok(Self { path, len: stamp.len, digest, place, stamp, settled: true });
        }
        // By now the path may lead to another file: only its descriptor leads to what was read.
        let read = ReadFile::at(&path)?;
        let settled = read.steady && read.stamp.is_settled(now);
        if settled {
            remembered.put(read.place, read.stamp, read.digest);
        }
        let ReadFile { stamp, place, len, digest, .. } = read;
        Ok(Self { path, len, digest, place, stamp, settled })
    }
}

impl ContentHash for FileContent {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        see(|| SeenFile {
            path: self.path.clone(),
            place: self.place,
            stamp: self.stamp,
            content: (!self.settled).then_some(self.digest),
            by_stamp: false,
        });
        hasher.leaf(self.digest);
    }

    fn describe(&self, text: &mut Text) {
        text.debug(file_name(&self.path));
        text.display(format_args!(" of {} bytes", self.len));
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::Duration;

    use super::*;
    use crate::digest::files::read::file_text;
    use crate::digest::tree::{LEAF, leaf, tree};
    use crate::digest::values::content::digest;

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
    fn a_path_is_that_of_the_current_folder_of_then() {
        let here = std::env::current_dir().unwrap().join("Cargo.toml");
        assert_eq!(FileContent::open("Cargo.toml").unwrap().path(), here);
        assert_eq!(crate::FileStamp::open("Cargo.toml").unwrap().path(), here);
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

    /// Opens a file, and says whether its digest is remembered then.
    fn open_at(path: &Path, remembered: &RememberedDigests, now: SystemTime) -> (Digest, bool) {
        let file = FileContent::open_with(path.to_owned(), remembered, now).unwrap();
        let (stamp, place) = stat(path).unwrap();
        (digest(&file), remembered.get(place, &stamp) == Some(digest(&file)))
    }

    #[test]
    fn only_a_file_that_has_settled_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let (path, remembered) = (dir.path().join("a"), RememberedDigests::new());
        fs::write(&path, "one").unwrap();
        let now = SystemTime::now();
        assert!(!open_at(&path, &remembered, now).1, "just written");
        assert!(!open_at(&path, &remembered, now - Duration::from_secs(60)).1, "written in the future");
        let (digest, known) = open_at(&path, &remembered, now + Duration::from_secs(3));
        assert!(known);
        assert_eq!(open_at(&path, &remembered, now + Duration::from_secs(4)), (digest, true));
    }

    #[test]
    fn a_file_that_changed_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other, remembered) = (dir.path().join("a"), dir.path().join("b"), RememberedDigests::new());
        let later = SystemTime::now() + Duration::from_secs(60);
        let mut digests = Vec::new();
        fs::write(&path, "one").unwrap();
        digests.push(open_at(&path, &remembered, later).0);
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&path, "two").unwrap();
        digests.push(open_at(&path, &remembered, later).0);
        // It has the size and the modification time of the file that it replaces.
        fs::write(&other, "six").unwrap();
        let times = fs::FileTimes::new().set_modified(fs::metadata(&path).unwrap().modified().unwrap());
        File::options().write(true).open(&other).unwrap().set_times(times).unwrap();
        fs::rename(&other, &path).unwrap();
        digests.push(open_at(&path, &remembered, later).0);
        assert_eq!(digests.len(), digests.iter().collect::<std::collections::HashSet<_>>().len());
        assert_eq!(digests[2], file_text(3, tree(b"six")));
    }

    #[test]
    fn what_is_no_regular_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let error = FileContent::open(dir.path()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Invalid);
        assert!(error.to_string().contains("is a folder, expected a regular file"), "{error}");
        let missing = FileContent::open(dir.path().join("missing")).unwrap_err();
        assert_eq!(missing.kind(), crate::ErrorKind::Io);
        assert!(missing.to_string().contains("missing"));
    }

    #[test]
    fn a_file_is_described_by_its_name_and_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "123").unwrap();
        let mut text = Text::new();
        FileContent::open(&path).unwrap().describe(&mut text);
        assert_eq!(text.as_str(), "\"a\" of 3 bytes");
    }
}
