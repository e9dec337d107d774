//! Bytes that come in pieces, hashed as one.

use std::fmt;

use super::tree::leaf;
use super::value::Digest;
use super::xxh3::Stream;

/// Collects bytes for one digest: up to `SHORT` of them where it stands, so that a scalar argument takes no memory and
/// one call of the hash; more in the hash's own state, which is large.
pub(crate) struct ByteStream<const SHORT: usize> {
    short: [u8; SHORT],
    /// `SHORT` if there are more.
    len: usize,
    long: Option<Box<Long>>,
    /// The state of a stream that was long and began anew.
    spare: Option<Box<Long>>,
}

/// What a long stream keeps back: a hash takes few long pieces faster than many short ones, and what is no longer than
/// that in one.
const KEPT_BACK: usize = 4096;

/// A stream of many bytes.
struct Long {
    /// Once there are more bytes than are kept back.
    hash: Option<Stream>,
    /// Those that the hash hasn't been given.
    rest: [u8; KEPT_BACK],
    len: usize,
}

impl Long {
    fn new() -> Box<Self> {
        Box::new(Self { hash: None, rest: [0; KEPT_BACK], len: 0 })
    }

    fn clear(&mut self) {
        self.hash = None;
        self.len = 0;
    }

    #[inline]
    fn update(&mut self, bytes: &[u8]) {
        match self.rest.get_mut(self.len..self.len + bytes.len()) {
            Some(free) => {
                free.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.pass_on(bytes),
        }
    }

    /// Gives the hash what was kept back, and these bytes if they are many.
    #[inline(never)]
    fn pass_on(&mut self, bytes: &[u8]) {
        let hash = self.hash.get_or_insert_with(Stream::new);
        hash.write(&self.rest[..self.len]);
        if bytes.len() > KEPT_BACK {
            hash.write(bytes);
            self.len = 0;
        } else {
            self.rest[..bytes.len()].copy_from_slice(bytes);
            self.len = bytes.len();
        }
    }

    fn digest(&self) -> Digest {
        let rest = &self.rest[..self.len];
        let Some(hash) = &self.hash else { return leaf(rest) };
        let mut hash = hash.clone();
        hash.write(rest);
        Digest::from_xxh3(hash.finish())
    }
}

impl<const SHORT: usize> ByteStream<SHORT> {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self::beginning(&[])
    }

    /// One that has been given these bytes.
    #[inline]
    pub(super) const fn beginning(bytes: &[u8]) -> Self {
        let mut short = [0; SHORT];
        short.split_at_mut(bytes.len()).0.copy_from_slice(bytes);
        Self { short, len: bytes.len(), long: None, spare: None }
    }

    #[inline]
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self.short.get_mut(self.len..self.len + bytes.len()) {
            Some(free) => {
                free.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.spill(bytes),
        }
    }

    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        let long = self.long.get_or_insert_with(|| {
            let mut long = self.spare.take().unwrap_or_else(Long::new);
            long.clear();
            long.update(&self.short[..self.len]);
            long
        });
        long.update(bytes);
        self.len = SHORT;
    }

    /// Takes some bytes, if there is room where they stand or are kept back.
    #[inline]
    pub(super) fn append<const LEN: usize>(&mut self, bytes: [u8; LEN]) -> bool {
        let (kept, len) = match &mut self.long {
            None => (&mut self.short[..], &mut self.len),
            Some(long) => (&mut long.rest[..], &mut long.len),
        };
        let Some(room) = kept.get_mut(*len..).and_then(<[u8]>::first_chunk_mut) else { return false };
        *room = bytes;
        *len += LEN;
        true
    }

    /// A byte and some more, in the same way.
    #[inline]
    pub(super) fn extend<const LEN: usize>(&mut self, first: u8, bytes: [u8; LEN]) -> bool {
        let (kept, len) = match &mut self.long {
            None => (&mut self.short[..], &mut self.len),
            Some(long) => (&mut long.rest[..], &mut long.len),
        };
        let Some([mark, room @ ..]) = kept.get_mut(*len..) else { return false };
        let Some(room) = room.first_chunk_mut() else { return false };
        (*mark, *room) = (first, bytes);
        *len += 1 + LEN;
        true
    }

    /// Forgets all but the first `len` bytes, with which it began.
    #[inline]
    pub(super) fn restart(&mut self, len: usize) {
        self.len = len;
        if self.long.is_some() {
            self.spare = self.long.take();
        }
    }

    /// Whether `bytes` more bytes fit into the short buffer.
    #[inline]
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        bytes <= SHORT - self.len
    }

    /// The bytes as words, the last of which ends with their number; `None` if there are more.
    #[inline]
    pub(super) fn words<const WORDS: usize>(&self) -> Option<[u64; WORDS]> {
        if self.len >= 8 * WORDS || 8 * WORDS > SHORT {
            return None;
        }
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(self.short.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        // The last byte of the last word is free.
        *words.last_mut()? |= (self.len as u64) << 56;
        Some(words)
    }

    #[inline]
    pub(crate) fn digest(&self) -> Digest {
        match &self.long {
            None => Digest::of(&self.short[..self.len]),
            Some(long) => long.digest(),
        }
    }
}

impl<const SHORT: usize> fmt::Write for ByteStream<SHORT> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.update(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_the_digest_of_the_whole_around_every_limit() {
        let bytes: Vec<u8> = (0..2000).map(|i| (i % 251) as u8).collect();
        for len in [0, 1, 15, 16, 17, 128, 129, 239, 240, 241, 255, 256, 257, 480, 1023, 1024, 1025, 2000] {
            for piece in [1, 7, 16, 240, 241, 2000] {
                let mut stream = ByteStream::<240>::new();
                bytes[..len].chunks(piece).for_each(|piece| stream.update(piece));
                stream.update(&[]);
                assert_eq!(stream.digest(), Digest::of(&bytes[..len]), "{len} bytes by {piece}");
            }
        }
    }
}
