//! All arguments of a call in one digest, by which a process finds again what it has found before.

use std::fmt::{self, Write as _};

use crate::digest::value::Digest;
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::tag::Tag;

/// It is no part of the format. Only what is short takes part, and arrays whose digest is known: so it costs little
/// next to the digests of each argument, which a call gets all the same if nothing is found.
impl ContentHasher {
    /// `ids` are what the process calls the function.
    #[inline]
    pub(crate) fn shallow(ids: [usize; 2]) -> Self {
        let mut hasher = Self::with(false, true);
        ids.iter().for_each(|id| hasher.raw(&id.to_le_bytes()));
        hasher
    }

    /// Ends an argument. No value can feed this mark, so it is clear which bytes belong to which argument.
    #[inline]
    pub(crate) fn end_argument(&mut self) {
        self.tag(Tag::Argument);
    }

    /// Feeds an argument that is a text.
    pub(crate) fn argument_text(&mut self, text: &dyn fmt::Display) {
        // A stream takes whatever is written.
        let _ = write!(PlainBytes(self), "{text}");
        self.end_argument();
    }

    /// Feeds the type of this number as an argument.
    #[inline]
    pub(crate) fn argument_type(&mut self, number: u64) {
        self.raw(&number.to_le_bytes());
        self.end_argument();
    }

    /// Whether what comes next is to be left out, because it would take long.
    #[inline]
    pub(crate) fn leaves_out(&mut self) -> bool {
        self.cut |= self.shallow;
        self.shallow
    }

    /// What was fed, if that is all of it and short: it names the call as the digest does, and takes no hashing.
    #[inline]
    pub(crate) fn plain_key(&self) -> Option<PlainKey> {
        let words = if self.is_whole() { self.stream.words() } else { None };
        words.map(PlainKey)
    }

    /// Whether nothing was left out or lost: an argument may begin the hasher anew, which then isn't a shallow one any
    /// more.
    #[inline]
    fn is_whole(&self) -> bool {
        self.shallow && !self.cut && self.failure.is_none()
    }

    /// The digest of all; `None` if some of it is long, can't be fed, or was lost.
    #[inline]
    pub(crate) fn memo_key(&self) -> Option<Digest> {
        self.is_whole().then(|| self.stream.digest())
    }
}

/// A call in `WORDS` words of 64 bits: the bytes that were fed, their number, and zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlainKey([u64; WORDS]);

/// The words of a function and four numbers.
const WORDS: usize = 8;

impl PlainKey {
    /// Spreads calls over places; calls that share a place are told apart by their words.
    #[inline]
    pub(crate) fn spread(&self) -> u64 {
        let pairs = self.0.chunks_exact(2).zip(ODD);
        pairs.fold(0, |spread: u64, (pair, odd)| {
            let product = u128::from(pair[0] ^ odd) * u128::from(pair[1] ^ odd.rotate_left(32));
            spread.rotate_left(23) ^ product as u64 ^ (product >> 64) as u64
        })
    }
}

/// Odd numbers without a pattern.
const ODD: [u64; WORDS / 2] =
    [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0x27d4_eb2f_1656_67c5];

/// Writes text without a mark. The hasher doesn't implement this trait itself: what its users wrote in this way could
/// look like marks.
struct PlainBytes<'a>(&'a mut ContentHasher);

impl fmt::Write for PlainBytes<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.raw(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::*;
    use crate::digest::{ContentHash, Known, Registration};

    fn shallow(arguments: &[&dyn Feed]) -> Option<Digest> {
        fed(arguments).memo_key()
    }

    fn fed(arguments: &[&dyn Feed]) -> ContentHasher {
        let mut hasher = ContentHasher::shallow([1, 2]);
        for argument in arguments {
            argument.feed(&mut hasher);
            hasher.end_argument();
        }
        hasher
    }

    trait Feed {
        fn feed(&self, hasher: &mut ContentHasher);
    }

    impl<T: ContentHash> Feed for T {
        fn feed(&self, hasher: &mut ContentHasher) {
            self.content_hash(hasher);
        }
    }

    /// A type whose author feeds what he likes.
    struct Fed(fn(&mut ContentHasher));

    impl ContentHash for Fed {
        fn content_hash(&self, hasher: &mut ContentHasher) {
            (self.0)(hasher);
        }
    }

    #[test]
    fn what_belongs_to_which_argument_counts() {
        let nothing = Fed(|_| {});
        let one = Fed(|hasher| hasher.u8(1));
        let two = Fed(|hasher| hasher.u8(2));
        let both = Fed(|hasher| {
            hasher.u8(1);
            hasher.u8(2);
        });
        let ends = Fed(|hasher| hasher.end());
        let calls: [&[&dyn Feed]; 9] = [
            &[&one, &two],
            &[&two, &one],
            &[&both, &nothing],
            &[&nothing, &both],
            &[&nothing, &nothing],
            &[&nothing],
            &[&both],
            &[&one, &ends],
            &[&one, &nothing, &two],
        ];
        let digests: Vec<_> = calls.iter().map(|call| shallow(call).unwrap()).collect();
        for (n, digest) in digests.iter().enumerate() {
            assert!(!digests[..n].contains(digest), "call {n}");
        }
        assert_eq!(shallow(&[&1_u8, &2_u8]), shallow(&[&one, &two]));
        let plain_keys: Vec<_> = calls.iter().map(|call| fed(call).plain_key().unwrap()).collect();
        for (n, plain_key) in plain_keys.iter().enumerate() {
            assert!(!plain_keys[..n].contains(plain_key), "call {n}");
        }
    }

    #[test]
    fn a_call_in_brief_is_all_of_it_or_nothing() {
        // 16 bytes for the function, and as many as a text has and 10 for each argument.
        for len in 0..200 {
            let text = "x".repeat(len);
            let plain_key = fed(&[&text]).plain_key();
            assert_eq!(plain_key.is_some(), len <= 8 * WORDS - 1 - 16 - 10, "{len}");
        }
        let zeros = |len: usize| fed(&[&Fed(move_zeros(len))]).plain_key().unwrap();
        assert!(zeros(1) != zeros(2), "zeros count, too");
    }

    fn move_zeros(len: usize) -> fn(&mut ContentHasher) {
        match len {
            1 => |hasher| hasher.raw(&[0]),
            _ => |hasher| hasher.raw(&[0, 0]),
        }
    }

    #[test]
    fn what_is_long_or_would_have_to_be_read_has_none() {
        assert!(shallow(&[&"short"]).is_some());
        assert!(shallow(&[&"x".repeat(200)]).is_none());
        assert!(shallow(&[&vec![Some("x"); 200]]).is_none());
        let array = Array1::from_elem(1000, 1.0);
        assert!(shallow(&[&array]).is_none());
        assert!(shallow(&[&Some(array.clone())]).is_none());
        let claimed = std::sync::Arc::new(Known::claimed(Digest::of(b"as a record says")));
        let registration = Registration::new(&array, claimed);
        assert!(shallow(&[&array]).is_some());
        assert_ne!(shallow(&[&array]), shallow(&[&Digest::of(b"as a record says")]));
        drop(registration);
    }
}
