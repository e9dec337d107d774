//! All arguments of a call in one digest, by which a process finds again what it has found before.

use std::fmt::{self, Write as _};

use super::hasher::ContentHasher;
use super::tag::Tag;
use super::value::Digest;

/// It is no part of the format. Only what is short takes part, and arrays whose digest is known: so it costs little next to
/// the digests of each argument, which a call gets all the same if nothing is found.
impl ContentHasher {
    /// `ids` are what the process calls the function.
    #[inline]
    pub(crate) fn quick(ids: [usize; 2]) -> Self {
        let mut hasher = Self::with(false, true);
        ids.iter().for_each(|id| hasher.raw(&id.to_le_bytes()));
        hasher
    }

    /// Ends an argument. No value can feed the same, so that what belongs to which is clear.
    #[inline]
    pub(crate) fn end_argument(&mut self) {
        self.tag(Tag::Argument);
    }

    /// Feeds an argument that is a text.
    pub(crate) fn argument_text(&mut self, text: &dyn fmt::Display) {
        // A stream takes what is written.
        let _ = write!(self, "{text}");
        self.end_argument();
    }

    /// Whether what comes next is to be left out, because it would take long.
    #[inline]
    pub(super) fn leaves_out(&mut self) -> bool {
        self.cut |= self.quick;
        self.quick
    }

    /// The digest of all; `None` if some of it is long, or can't be fed.
    #[inline]
    pub(crate) fn quick_digest(&self) -> Option<Digest> {
        (!self.cut && self.failure.is_none()).then(|| self.stream.digest())
    }
}

impl fmt::Write for ContentHasher {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.raw(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::*;
    use crate::digest::{ContentHash, Known, Registration};

    fn quick(arguments: &[&dyn Feed]) -> Option<Digest> {
        let mut hasher = ContentHasher::quick([1, 2]);
        for argument in arguments {
            argument.feed(&mut hasher);
            hasher.end_argument();
        }
        hasher.quick_digest()
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
        let digests: Vec<_> = calls.iter().map(|call| quick(call).unwrap()).collect();
        for (n, digest) in digests.iter().enumerate() {
            assert!(!digests[..n].contains(digest), "call {n}");
        }
        assert_eq!(quick(&[&1_u8, &2_u8]), quick(&[&one, &two]));
    }

    #[test]
    fn what_is_long_or_would_have_to_be_read_has_none() {
        assert!(quick(&[&"short"]).is_some());
        assert!(quick(&[&"x".repeat(200)]).is_none());
        assert!(quick(&[&vec![Some("x"); 200]]).is_none());
        let array = Array1::from_elem(1000, 1.0);
        assert!(quick(&[&array]).is_none());
        assert!(quick(&[&Some(array.clone())]).is_none());
        let claimed = std::sync::Arc::new(Known::claimed(Digest::of(b"as a record says")));
        let registration = Registration::new(&array, claimed);
        assert!(quick(&[&array]).is_some());
        assert_ne!(quick(&[&array]), quick(&[&Digest::of(b"as a record says")]));
        drop(registration);
    }
}
