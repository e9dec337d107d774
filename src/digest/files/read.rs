//! A file that is read from its beginning to its end: its digest, and what the file system says of it meanwhile.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::digest::files::stamp::{FileId, Stamp, status};
use crate::digest::progress::Work;
use crate::digest::tree::{LEAF, TreeHasher, leaf};
use crate::digest::value::Digest;
use crate::error::{Error, Result};

/// A regular file that has been read through one descriptor, which said what it is, too.
pub(crate) struct ReadFile {
    /// Before it was read.
    pub(crate) stamp: Stamp,
    pub(crate) place: FileId,
    pub(super) len: u64,
    pub(crate) digest: Digest,
    /// Whether it stayed the same while it was read; if not, its times may be those of a content that it never had.
    pub(super) steady: bool,
}

impl ReadFile {
    pub(crate) fn at(path: &Path) -> Result<Self> {
        // A pipe that has taken the file's place would wait for somebody who writes to it. Of a regular file the flag
        // means nothing.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(path);
        let mut file = file.map_err(|error| Error::io("open", path, error))?;
        let (stamp, place) = status(&file, path)?;
        let work = Work::new("hashing", stamp.len);
        let (len, tree) = read(&mut file, &work).map_err(|error| Error::io("read", path, error))?;
        let steady = len == stamp.len && status(&file, path)?.0 == stamp;
        Ok(Self { stamp, place, len, digest: file_text(len, tree), steady })
    }
}

fn read(file: &mut File, work: &Work) -> std::io::Result<(u64, Digest)> {
    let mut hasher = TreeHasher::new();
    let mut buffer = vec![0; LEAF];
    loop {
        match fill(file, &mut buffer)? {
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
pub(super) fn file_text(len: u64, tree: Digest) -> Digest {
    leaf(&[format!("file:{len}:").as_bytes(), &tree.to_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        // Opened as after a look that has found a regular file there.
        let error = ReadFile::at(&path).err().unwrap();
        assert!(error.to_string().ends_with("is no regular file, expected a regular file"), "{error}");
    }
}
