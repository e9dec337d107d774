//! What a place writes to: never more than was asked for, and never after the caller left.
//!
//! A large object is written into its file where it arrives, without being copied, and hashed on the way.

use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Weak};

use crate::digest::{ByteStream, Digest, LEAF};
use crate::error::Error;
use crate::store::SharedBlob;
use crate::tier::place::Answer;
use crate::tier::{Deadline, Fault, Got};

/// Pieces of fewer bytes are collected before they are written: each write is a system call.
const COLLECTED: usize = 64 << 10;

/// Small objects, in memory. Nothing is reserved: lengths are only claimed.
pub(in crate::tier) struct Capped {
    bytes: Vec<u8>,
    at_most: usize,
    until: Deadline,
    too_long: bool,
    failed: bool,
}

impl Capped {
    pub(in crate::tier) fn new(at_most: u64, until: Deadline) -> Self {
        let at_most = usize::try_from(at_most).unwrap_or(usize::MAX);
        Self { bytes: Vec::new(), at_most, until, too_long: false, failed: false }
    }

    /// What has come, if it is all; whatever the place says of a reader that had failed.
    pub(in crate::tier) fn finish(self, got: Result<Got, Fault>) -> Result<Answer, Fault> {
        if self.too_long {
            return Ok(Answer::TooLong);
        }
        if self.failed {
            return Err(Fault::Late);
        }
        match got?.len {
            Some(len) if len > self.at_most as u64 => Ok(Answer::TooLong),
            Some(len) if len != self.bytes.len() as u64 => {
                Err(Fault::other(format!("{} bytes came of an object that has {len}", self.bytes.len())))
            }
            _ => Ok(Answer::Bytes(self.bytes)),
        }
    }
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.too_long |= bytes.len() > self.at_most - self.bytes.len();
        self.failed |= self.until.has_passed();
        if self.too_long || self.failed {
            return Err(io::Error::other("the reader takes no more"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A leaf of a large object that has come.
pub(in crate::tier) struct ArrivedLeaf {
    /// Where it begins.
    pub(in crate::tier) at: u64,
    /// What comes before the first leaf.
    pub(in crate::tier) head: Vec<u8>,
    pub(in crate::tier) digest: Digest,
}

/// How far the pipes of some objects are.
#[derive(Default)]
pub(in crate::tier) struct Progress {
    /// How many bytes have come.
    pub(in crate::tier) arrived: AtomicU64,
    /// How many pipes wait for this machine, which writes, and not for the place.
    pub(in crate::tier) writing: AtomicUsize,
}

/// Where the pipes of an object lead. The caller that leaves drops the blob, so that a call which hangs doesn't keep its
/// file.
#[derive(Clone)]
pub(in crate::tier) struct PipeEnd {
    pub(in crate::tier) blob: Weak<SharedBlob>,
    /// Takes the leaves, or why they can't be written.
    pub(in crate::tier) leaves: Sender<Result<ArrivedLeaf, Error>>,
    pub(in crate::tier) progress: Arc<Progress>,
}

/// A part of a large object, on its way into a file whose caller may have left.
pub(in crate::tier) struct Pipe {
    out: BufWriter<BlobWriter>,
    end: PipeEnd,
    at: u64,
    left: u64,
    /// Where the leaves begin.
    offset: u64,
    head: Vec<u8>,
    /// The leaf under way.
    leaf: ByteStream<16>,
    failed: Option<&'static str>,
    too_long: bool,
}

/// Writes into a file at a place of its own.
struct BlobWriter {
    end: PipeEnd,
    at: u64,
}

/// More or fewer bytes came than the object is to have.
#[derive(Debug)]
pub(in crate::tier) struct Misfit;

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it isn't as long as its record says")
    }
}

impl std::error::Error for Misfit {}

impl Pipe {
    /// For the bytes `part` of an object whose array begins at `offset`.
    pub(in crate::tier) fn new(end: PipeEnd, part: Range<u64>, offset: u64) -> Self {
        let (at, left) = (part.start, part.end - part.start);
        let out = BufWriter::with_capacity(COLLECTED, BlobWriter { end: end.clone(), at });
        let (head, leaf) = (Vec::new(), ByteStream::new());
        Self { out, end, at, left, offset, head, leaf, failed: None, too_long: false }
    }

    /// How many bytes are left of the leaf under way, or of what comes before the first one.
    fn left_of_leaf(&self) -> u64 {
        match self.at.checked_sub(self.offset) {
            Some(at) => LEAF as u64 - at % LEAF as u64,
            None => self.offset - self.at,
        }
    }

    /// Writes the rest; an error unless all has come that was to come, whatever the place says.
    pub(in crate::tier) fn finish(mut self, got: Result<Got, Fault>) -> Result<(), Fault> {
        if let Some(failed) = self.failed {
            return Err(if self.too_long { Fault::other(Misfit) } else { Fault::other(failed) });
        }
        got?;
        if let Err(error) = self.out.flush() {
            return Err(Fault::other(self.not_written(error)));
        }
        if self.at > self.offset && self.left_of_leaf() < LEAF as u64 {
            self.hand_over().map_err(Fault::other)?;
        }
        match self.left {
            0 => Ok(()),
            _ => Err(Fault::other(Misfit)),
        }
    }

    /// Hands over the leaf that ends here.
    fn hand_over(&mut self) -> io::Result<()> {
        let leaf = std::mem::replace(&mut self.leaf, ByteStream::new());
        let before = (self.at - self.offset - 1) / LEAF as u64 * LEAF as u64;
        let (at, head) = (self.offset + before, std::mem::take(&mut self.head));
        let leaf = ArrivedLeaf { at, head, digest: leaf.digest() };
        self.end.leaves.send(Ok(leaf)).map_err(|_| self.fail("the reader has left"))
    }

    /// Tells the caller why it can't be written, if there still is one.
    fn not_written(&mut self, error: io::Error) -> io::Error {
        match error.downcast::<Error>() {
            Ok(error) => {
                let _ = self.end.leaves.send(Err(error));
                self.fail("it can't be written here")
            }
            Err(_) => self.fail("the reader has left"),
        }
    }

    fn fail(&mut self, why: &'static str) -> io::Error {
        self.failed = Some(why);
        io::Error::other(why)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(why) = self.failed {
            return Err(io::Error::other(why));
        }
        if bytes.len() as u64 > self.left {
            self.too_long = true;
            return Err(self.fail("more bytes came than were asked for"));
        }
        let taken = usize::try_from(self.left_of_leaf()).map_or(bytes.len(), |left| left.min(bytes.len()));
        let bytes = &bytes[..taken];
        self.end.progress.arrived.fetch_add(taken as u64, Ordering::Relaxed);
        if self.at < self.offset {
            self.head.extend_from_slice(bytes);
        } else {
            self.leaf.update(bytes);
        }
        self.out.write_all(bytes).map_err(|error| self.not_written(error))?;
        (self.at, self.left) = (self.at + taken as u64, self.left - taken as u64);
        if taken > 0 && self.at > self.offset && self.left_of_leaf() == LEAF as u64 {
            self.hand_over()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(blob) = self.end.blob.upgrade() else { return Err(io::Error::other("the reader has left")) };
        self.end.progress.writing.fetch_add(1, Ordering::Relaxed);
        let written = blob.write_at(self.at, bytes);
        self.end.progress.writing.fetch_sub(1, Ordering::Relaxed);
        written.map_err(io::Error::other)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::digest::leaf;
    use crate::store::{Disk, NewBlob};

    const OFFSET: usize = 128;
    const BLOB: &str = "f/g/blob";

    /// A way into a blob, what comes out of it, and what keeps the blob open.
    fn end(blob: &NewBlob<'_>) -> (PipeEnd, Receiver<Result<ArrivedLeaf, Error>>, Arc<SharedBlob>) {
        let ((leaves, arrived), blob) = (channel(), Arc::new(blob.shared().unwrap()));
        (PipeEnd { blob: Arc::downgrade(&blob), leaves, progress: Arc::default() }, arrived, blob)
    }

    #[test]
    fn what_comes_in_pieces_of_any_length_is_written_and_hashed_by_leaves() {
        let bytes: Vec<u8> = (0..OFFSET + 2 * LEAF + 1000).map(|i| (i * i % 251) as u8).collect();
        let expected: Vec<_> = bytes[OFFSET..].chunks(LEAF).map(leaf).collect();
        for len in [1000, 16 << 10, COLLECTED - 1, COLLECTED, LEAF + 1, bytes.len()] {
            let root = tempfile::tempdir().unwrap();
            let disk = Disk::open(root.path()).unwrap();
            let blob = disk.create(BLOB, bytes.len() as u64).unwrap();
            let (end, arrived, _open) = end(&blob);
            // As two streams have them.
            let second = OFFSET + LEAF;
            for part in [0..second, second..bytes.len()] {
                let mut pipe = Pipe::new(end.clone(), part.start as u64..part.end as u64, OFFSET as u64);
                bytes[part].chunks(len).for_each(|piece| pipe.write_all(piece).unwrap());
                pipe.finish(Ok(Got::default())).unwrap();
            }
            assert_eq!(end.progress.arrived.load(Ordering::Relaxed), bytes.len() as u64);
            assert_eq!(std::fs::read(disk.path_of(BLOB)).unwrap(), bytes, "by {len}");
            let arrived: Vec<_> = arrived.try_iter().map(Result::unwrap).collect();
            assert_eq!(arrived.iter().map(|leaf| leaf.digest).collect::<Vec<_>>(), expected, "by {len}");
            let at: Vec<_> = arrived.iter().map(|leaf| leaf.at as usize).collect();
            assert_eq!(at, [OFFSET, OFFSET + LEAF, OFFSET + 2 * LEAF]);
            assert_eq!(arrived[0].head, bytes[..OFFSET]);
        }
    }

    /// A call that hangs may return when the file has long been removed.
    #[test]
    fn nothing_is_written_and_no_file_is_kept_for_a_caller_that_has_left() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::open(root.path()).unwrap();
        let blob = disk.create(BLOB, LEAF as u64).unwrap();
        let (end, arrived, open) = end(&blob);
        let mut pipe = Pipe::new(end, 0..LEAF as u64, 0);
        pipe.write_all(&[1; COLLECTED]).unwrap();
        assert_eq!(Arc::strong_count(&open), 1);
        drop(open);
        assert!(pipe.write_all(&[1; COLLECTED]).is_err());
        assert!(matches!(pipe.finish(Ok(Got::default())), Err(Fault::Other(_))));
        assert!(arrived.try_recv().is_err());
    }
}
