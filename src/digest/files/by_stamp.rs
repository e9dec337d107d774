//! A file as an argument by its size and times.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::digest::files::read::ReadFile;
use crate::digest::files::seen::{SeenFile, see};
use crate::digest::files::stamp::{FileId, Stamp, absolute, file_name, stat};
use crate::digest::value::Digest;
use crate::digest::values::content::ContentHash;
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::text::Text;
use crate::error::Result;

/// A file as an argument that is identified by its size, its times of modification and change, and its inode, and
/// isn't read.
///
/// It is for files that are too large to be read at each call. The consequences:
///
/// * A file that was edited or replaced is another argument, and so is one that was only touched, or whose mode or
///   number of links changed, though its content is the same.
/// * A copy has another key than the file, also on another machine, and so has a file that was restored from a
///   backup. On most file systems a renamed file has another key, too.
/// * A file that changed within the last two seconds before it was opened may change once more in the same step of
///   the clock. It is read, and identified by its content as well; after two seconds it is identified by its stamp
///   alone, which is another key.
/// * The inode is unique on one file system. Files of two file systems with the same inode, size and both times to
///   the nanosecond are one argument.
/// * What another process writes through a mapping is noticed when the system updates the file's time, up to half a
///   minute later.
///
/// [`FileContent`](crate::FileContent) identifies a file by its content, wherever it is.
///
/// ```
/// use ndcache::{FileStamp, digest};
///
/// # let dir = tempfile::tempdir()?;
/// # let (a, b) = (dir.path().join("a.csv"), dir.path().join("b.csv"));
/// std::fs::write(&a, "1,2,3")?;
/// std::fs::copy(&a, &b)?;
/// assert_eq!(digest(&FileStamp::open(&a)?), digest(&FileStamp::open(&a)?));
/// assert_ne!(digest(&FileStamp::open(&a)?), digest(&FileStamp::open(&b)?)); // a copy is another file
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileStamp {
    path: PathBuf,
    stamp: Stamp,
    place: FileId,
    /// The digest of its content, while the stamp can't show a change.
    content: Option<Digest>,
}

impl FileStamp {
    /// Asks the file system for the stamp, in one system call. A result isn't stored if the file has another stamp,
    /// or is gone, when the function has returned.
    ///
    /// # Errors
    ///
    /// Returns an error when the file can't be found, isn't a regular file, or changed within the last two seconds
    /// and can't be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_at(absolute(path.into()), SystemTime::now())
    }

    /// Returns the absolute path of the file at the time when the stamp was taken, even if the current folder has
    /// changed since.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `now` is taken before the file is looked at.
    fn open_at(path: PathBuf, now: SystemTime) -> Result<Self> {
        let (stamp, place) = stat(&path)?;
        if stamp.is_settled(now) {
            return Ok(Self { path, stamp, place, content: None });
        }
        // By now the path may lead to another file: stamp and content are those of one.
        let read = ReadFile::at(&path)?;
        let content = if read.stamp.is_settled(now) { None } else { Some(read.digest) };
        Ok(Self { path, stamp: read.stamp, place: read.place, content })
    }
}

impl ContentHash for FileStamp {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        let time = |hasher: &mut ContentHasher, name: &str, (seconds, nanoseconds): (i64, i64)| {
            hasher.field(name);
            hasher.begin_tuple();
            hasher.i64(seconds);
            hasher.i64(nanoseconds);
            hasher.end();
        };
        see(|| SeenFile {
            path: self.path.clone(),
            place: self.place,
            stamp: self.stamp,
            content: self.content,
            by_stamp: true,
        });
        hasher.begin_struct("ndcache::FileStamp");
        hasher.field("size");
        hasher.u64(self.stamp.len);
        time(hasher, "modified", self.stamp.modified);
        time(hasher, "changed", self.stamp.changed);
        hasher.field("inode");
        hasher.u64(self.place.inode);
        if let Some(content) = self.content {
            hasher.field("content");
            hasher.leaf(content);
        }
        hasher.end();
    }

    fn describe(&self, text: &mut Text) {
        text.debug(file_name(&self.path));
        text.display(format_args!(" of {} bytes", self.stamp.len));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::digest::values::content::digest;

    fn at(path: &Path, now: SystemTime) -> Digest {
        digest(&FileStamp::open_at(path.to_owned(), now).unwrap())
    }

    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(60)
    }

    #[test]
    fn a_stamp_counts_size_times_and_inode_and_a_copy_is_another_file() {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&path, "123").unwrap();
        fs::copy(&path, &copy).unwrap();
        let was = at(&path, later());
        assert_eq!(at(&path, later()), was);
        assert_ne!(at(&copy, later()), was);
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&path, "123").unwrap();
        assert_ne!(at(&path, later()), was, "written again");
    }

    #[test]
    fn a_file_that_has_settled_is_stamped_without_being_opened() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "123").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        let stamp = FileStamp::open_at(path.clone(), later()).unwrap();
        assert!(stamp.content.is_none());
        assert_eq!(stamp.path(), path);
    }

    #[test]
    fn a_file_that_has_just_changed_counts_by_its_content_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "123").unwrap();
        let young = FileStamp::open(&path).unwrap();
        assert!(young.content.is_some());
        let unseen = FileStamp { content: Some(Digest::of(b"another")), ..young.clone() };
        assert_ne!(digest(&young), digest(&unseen));
        assert_ne!(digest(&young), at(&path, later()));
    }

    #[test]
    fn a_stamp_of_no_regular_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let error = FileStamp::open(dir.path()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Invalid);
        assert!(error.to_string().ends_with("is a folder, expected a regular file"), "{error}");
        let missing = FileStamp::open(dir.path().join("missing")).unwrap_err();
        assert_eq!(missing.kind(), crate::ErrorKind::Io);
        assert!(missing.to_string().contains("missing"), "{missing}");
    }
}
