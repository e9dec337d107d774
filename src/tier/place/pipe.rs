//! What a place writes to, on its way to the caller: never more than was asked for, and never after the caller left.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use crate::digest::{Digest, LEAF, leaf};
use crate::tier::place::Answer;
use crate::tier::{Deadline, Fault, Got};

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

/// Bytes of a large object, with where they belong: a leaf of its array, and before the first one what comes before that.
pub(in crate::tier) struct Piece {
    pub(in crate::tier) at: u64,
    pub(in crate::tier) bytes: Vec<u8>,
    /// The digest of the leaf, if it is whole.
    pub(in crate::tier) leaf: Digest,
}

/// A part of a large object, on its way to a caller that may have left.
pub(in crate::tier) struct Pipe {
    to: SyncSender<Piece>,
    at: u64,
    left: u64,
    /// Where the leaves begin.
    offset: u64,
    piece: Vec<u8>,
    /// How many bytes all pipes of the object have taken.
    arrived: Arc<AtomicU64>,
    failed: Option<&'static str>,
    too_long: bool,
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
    pub(in crate::tier) fn new(to: SyncSender<Piece>, part: Range<u64>, offset: u64, arrived: Arc<AtomicU64>) -> Self {
        let (at, left) = (part.start, part.end - part.start);
        Self { to, at, left, offset, piece: Vec::new(), arrived, failed: None, too_long: false }
    }

    /// How long the piece under way is to be: up to the end of its leaf.
    fn target(&self) -> usize {
        let leaf = self.at.saturating_sub(self.offset) / LEAF as u64;
        let end = self.offset + (leaf + 1) * LEAF as u64;
        usize::try_from(end - self.at).unwrap_or(LEAF)
    }

    /// Hands over the rest; an error unless all has come that was to come, whatever the place says.
    pub(in crate::tier) fn finish(mut self, got: Result<Got, Fault>) -> Result<(), Fault> {
        if let Some(failed) = self.failed {
            return Err(if self.too_long { Fault::other(Misfit) } else { Fault::other(failed) });
        }
        got?;
        self.hand_over().map_err(Fault::other)?;
        match self.left {
            0 => Ok(()),
            _ => Err(Fault::other(Misfit)),
        }
    }

    fn hand_over(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.piece);
        let (at, len) = (self.at, bytes.len() as u64);
        self.at += len;
        let before = usize::try_from(self.offset.saturating_sub(at)).map_or(bytes.len(), |n| n.min(bytes.len()));
        let leaf = leaf(&bytes[before..]);
        self.to.send(Piece { at, bytes, leaf }).map_err(|_| self.fail("the reader has left"))
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
        let target = self.target();
        let taken = bytes.len().min(target - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        self.left -= taken as u64;
        self.arrived.fetch_add(taken as u64, Ordering::Relaxed);
        if self.piece.len() == target {
            self.hand_over()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
