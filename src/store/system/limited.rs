//! Files whose writing the process's limit on file sizes (`ulimit -f`) ends with an error.
//!
//! The system sends a signal (`SIGXFSZ`) to whoever writes past the limit, which ends the process. A signal mask or a
//! handler belongs to the program, so that what would be too much is never asked of the system.

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{self, FileType, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::io::{self, IoSlice, Seek, SeekFrom, Write};

/// The process's own limit on the length of a file.
pub(crate) fn size_limit() -> u64 {
    getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
}

/// Whether `len` bytes can be written at the position of an open file, which others may share.
pub(crate) fn takes(file: impl AsFd, len: u64) -> bool {
    let limit = size_limit();
    limit == u64::MAX || end(file, len).is_ok_and(|end| end.is_none_or(|end| end <= limit))
}

/// Where a regular file ends, or writing to it has got to, after `len` more bytes; `None` if it isn't a regular file.
fn end(file: impl AsFd, len: u64) -> rustix::io::Result<Option<u64>> {
    let stat = fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let at = match fs::fcntl_getfl(&file)?.contains(OFlags::APPEND) {
        true => u64::try_from(stat.st_size).unwrap_or(u64::MAX),
        false => fs::tell(&file)?,
    };
    Ok(Some(at.saturating_add(len)))
}

/// A new file that is being written: what [`replace_file`](crate::make::replace_file) gives to be filled.
///
/// Writing past the process's limit on file sizes (`ulimit -f`) is an error here; without this type it raises a signal
/// that ends the process.
#[derive(Debug)]
pub struct LimitedFile {
    file: File,
    /// Where the next byte goes.
    at: u64,
    limit: u64,
}

impl LimitedFile {
    /// A file that was just created.
    pub(crate) fn new(file: File) -> Self {
        Self { file, at: 0, limit: size_limit() }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn into_file(self) -> File {
        self.file
    }

    /// How many bytes can be written now, of `len` that are to be.
    fn room(&self, len: usize) -> io::Result<usize> {
        match usize::try_from(self.limit.saturating_sub(self.at)).unwrap_or(usize::MAX) {
            0 if len > 0 => Err(Errno::FBIG.into()),
            room => Ok(room.min(len)),
        }
    }

    fn wrote(&mut self, written: io::Result<usize>) -> io::Result<usize> {
        self.at += *written.as_ref().unwrap_or(&0) as u64;
        written
    }
}

impl Write for LimitedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room(bytes.len())?;
        let written = self.file.write(&bytes[..room]);
        self.wrote(written)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = parts.iter().map(|part| part.len()).fold(0, usize::saturating_add);
        if self.room(len)? < len {
            let first = parts.iter().find(|part| !part.is_empty());
            return first.map_or(Ok(0), |first| self.write(first));
        }
        let written = self.file.write_vectored(parts);
        self.wrote(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for LimitedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

impl AsFd for LimitedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(limit: u64) -> LimitedFile {
        LimitedFile { limit, ..LimitedFile::new(tempfile::tempfile().unwrap()) }
    }

    #[test]
    fn a_file_takes_what_the_limit_allows_and_refuses_the_next_byte() {
        let too_large = |written: io::Result<usize>| written.unwrap_err().kind() == io::ErrorKind::FileTooLarge;
        let mut file = limited(10);
        assert_eq!(file.write(&[1; 6]).unwrap(), 6);
        assert_eq!(file.write(&[2; 6]).unwrap(), 4);
        assert!(too_large(file.write(&[3])));
        assert!(too_large(file.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&[3])])));
        assert_eq!(file.write(&[]).unwrap(), 0);
        assert_eq!(file.seek(SeekFrom::Start(8)).unwrap(), 8);
        assert_eq!(file.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&[4; 3]), IoSlice::new(&[5])]).unwrap(), 2);
        file.seek(SeekFrom::End(1 << 40)).unwrap();
        assert!(too_large(file.write(&[6])));
        assert_eq!(file.file().metadata().unwrap().len(), 10);
        assert_eq!(limited(10).write_vectored(&[IoSlice::new(&[1; 5]), IoSlice::new(&[2; 5])]).unwrap(), 10);
        assert!(limited(0).write_all(&[1]).is_err());
    }
}
