//! Inflating what may be anyone's: nothing that the file claims is believed before it is there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::digest::{ArrayMeta, Digest, LEAF, combine, leaf};
use crate::error::{Error, Result};
use crate::map::{self, Spare};
use crate::payload::codecs::gzip::{HEAD, RATIO_MAX, START, TAIL, longest};
use crate::payload::npy_header;

/// An array's compressed file, whose members' places and lengths have been checked.
pub(crate) struct Members {
    file: File,
    path: PathBuf,
    /// Where each leaf's member ends; the first begins where the header's ends.
    ends: Vec<u64>,
    header_end: u64,
    meta: ArrayMeta,
    /// Bytes of all elements.
    plain: u64,
    /// The digests of the leaves that have been inflated.
    leaves: Vec<Digest>,
}

/// One member in the file, and the bytes that it has to become.
struct Span {
    start: u64,
    end: u64,
    plain: usize,
}

impl Members {
    /// Finds the members of a file of `length` bytes, the compressed `.npy` of an array.
    ///
    /// Reads each member's header and trailer, and inflates the first: it has to be the very header of such a `.npy`,
    /// `offset` bytes long. Allocates no more than a few bytes for each member that is there.
    ///
    /// # Errors
    /// Returns an error of the kind `Damaged` that names the file when it isn't such a one.
    pub(crate) fn find(file: File, path: PathBuf, length: u64, offset: u64, meta: &ArrayMeta) -> Result<Self> {
        let plain = meta.byte_len()?;
        let header = npy_header(meta)?;
        let meta = meta.clone();
        let mut members = Self { file, path, ends: Vec::new(), header_end: 0, meta, plain, leaves: Vec::new() };
        if header.len() as u64 != offset {
            return Err(members.damaged(format_args!("has its elements at {offset}, expected {}", header.len())));
        }
        if plain / RATIO_MAX > length {
            return Err(members.damaged(format_args!("has {length} bytes, too few to become {plain}")));
        }
        members.index(length, header.len())?;
        members.check_header(&header)?;
        Ok(members)
    }

    /// Fills `out` with the next elements: whole leaves, or all that remain.
    ///
    /// A long `out` is filled by several threads, each of which holds one compressed member.
    ///
    /// # Errors
    /// Returns an error that names the file when a member can't be read, or doesn't become the bytes that it should.
    pub(crate) fn fill<'a>(&mut self, out: Spare<'a>) -> Result<&'a mut [u8]> {
        let first = self.leaves.len();
        let threads = out.len() / LEAF;
        let inflate = |scratch: &mut Inflater, n, part: &mut [u8]| {
            let span = self.span(first + n).filter(|span| span.plain == part.len());
            let span = span.ok_or_else(|| self.damaged(format_args!("has no leaf {n} of {} bytes", part.len())))?;
            self.inflate(scratch, &span, part)?;
            Ok(leaf(part))
        };
        let (out, leaves) = out.fill_parts(LEAF, threads, Inflater::new, inflate)?;
        self.leaves.extend(leaves);
        Ok(out)
    }

    /// Whether the elements are those of the array with the digest `expected`; in memory for a few members.
    ///
    /// # Errors
    /// Returns an error when [`fill`](Self::fill) or [`finish`](Self::finish) does.
    pub(crate) fn verify(mut self, expected: Digest) -> Result<()> {
        let window = (16 * LEAF) as u64;
        for start in (0..self.plain).step_by(16 * LEAF) {
            let len = (self.plain - start).min(window) as usize;
            map::vec_of::<u8>(len, |out| self.fill(out))?;
        }
        self.finish(expected)
    }

    /// Whether the elements, all of which have been inflated, are those of the array with the digest `expected`.
    ///
    /// # Errors
    /// Returns an error of the kind `Damaged` that names the file when they aren't.
    pub(crate) fn finish(self, expected: Digest) -> Result<()> {
        let found = self.meta.digest(combine(&self.leaves));
        if found == expected && self.leaves.len() == self.ends.len() {
            return Ok(());
        }
        Err(self.damaged(format_args!("has digest {found}, expected {expected}")))
    }

    /// Finds the members. Their number is known; that many have to be there, each as long as it can be, and no more.
    fn index(&mut self, length: u64, header: usize) -> Result<()> {
        let mut position = self.next(0, header as u64, length)?;
        self.header_end = position;
        for n in 0..self.plain.div_ceil(LEAF as u64) {
            position = self.next(position, self.leaf_len(n), length)?;
            self.ends.push(position);
        }
        match length - position {
            0 => Ok(()),
            rest => Err(self.damaged(format_args!("has {rest} bytes after its last member"))),
        }
    }

    /// Where the member ends that begins at `start` and has to become `plain` bytes.
    fn next(&self, start: u64, plain: u64, length: u64) -> Result<u64> {
        let not = |what: &str| self.damaged(format_args!("has at byte {start} {what}"));
        let mut head = [0; HEAD];
        if length - start < (HEAD + TAIL) as u64 {
            return Err(not("no member"));
        }
        self.read(&mut head, start)?;
        let Some(said) = head.strip_prefix(&START) else { return Err(not("no member")) };
        let said = u64::from(little_endian(said));
        let deflated = said.checked_sub((HEAD + TAIL) as u64).filter(|_| said <= (length - start).min(longest(plain)));
        if deflated.is_none_or(|deflated| plain > deflated * RATIO_MAX) {
            return Err(not(&format!("a member of {said} bytes, which can't become {plain}")));
        }
        let mut tail = [0; 4];
        self.read(&mut tail, start + said - 4)?;
        if u64::from(little_endian(&tail)) != plain {
            let claimed = little_endian(&tail);
            return Err(not(&format!("a member that claims to become {claimed} bytes, expected {plain}")));
        }
        Ok(start + said)
    }

    fn check_header(&self, expected: &[u8]) -> Result<()> {
        let mut found = vec![0; expected.len()];
        let span = Span { start: 0, end: self.header_end, plain: expected.len() };
        self.inflate(&mut Inflater::new(), &span, &mut found)?;
        if found != expected {
            return Err(self.damaged(format_args!("has another `.npy` header than its record says")));
        }
        Ok(())
    }

    /// The bytes of leaf `n`.
    fn leaf_len(&self, n: u64) -> u64 {
        (self.plain - n * LEAF as u64).min(LEAF as u64)
    }

    fn span(&self, n: usize) -> Option<Span> {
        let end = *self.ends.get(n)?;
        let start = if n == 0 { self.header_end } else { self.ends[n - 1] };
        Some(Span { start, end, plain: self.leaf_len(n as u64) as usize })
    }

    fn inflate(&self, scratch: &mut Inflater, span: &Span, out: &mut [u8]) -> Result<()> {
        // `next` has checked that it is about as long as what it becomes, at most.
        scratch.member.resize((span.end - span.start) as usize, 0);
        self.read(&mut scratch.member, span.start)?;
        if !scratch.inflate(out) {
            let (start, len) = (span.start, out.len());
            return Err(self.damaged(format_args!("has at byte {start} a member that doesn't become its {len} bytes")));
        }
        Ok(())
    }

    fn read(&self, out: &mut [u8], at: u64) -> Result<()> {
        self.file.read_exact_at(out, at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(format_args!("ends before byte {}", at + out.len() as u64)),
            _ => Error::io("read", &self.path, error),
        })
    }

    fn damaged(&self, what: std::fmt::Arguments<'_>) -> Error {
        Error::damaged(format!("array `{}` {what}", self.path.display()))
    }
}

/// What a thread uses again and again.
struct Inflater {
    /// The member's bytes in the file.
    member: Vec<u8>,
    state: Decompress,
}

impl Inflater {
    fn new() -> Self {
        Self { member: Vec::new(), state: Decompress::new(false) }
    }

    /// Whether the member becomes `out`, exactly, by its CRC too.
    fn inflate(&mut self, out: &mut [u8]) -> bool {
        let (deflated, tail) = self.member[HEAD..].split_at(self.member.len() - HEAD - TAIL);
        self.state.reset(false);
        let status = self.state.decompress(deflated, out, FlushDecompress::Finish);
        let ended = matches!(status, Ok(Status::StreamEnd));
        let exact = self.state.total_in() == deflated.len() as u64 && self.state.total_out() == out.len() as u64;
        let mut crc = Crc::new();
        crc.update(out);
        ended && exact && crc.sum() == little_endian(&tail[..4])
    }
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
