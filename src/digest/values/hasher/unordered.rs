//! Parts without an order: the sum of their digests counts, and how many they are.

use crate::digest::value::Digest;
use crate::digest::values::content::{ContentHash, feed};
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::tag::Tag;
use crate::digest::values::type_name::TypeSequence;

/// The sum of some digests, modulo 2^128, and their number.
///
/// It takes no memory and no sorting. By chance two sums are equal as seldom as two digests: each summand is as good as a
/// random number, and the sums of two different sets differ by at least one that only one of them has. What a sequence
/// holds 2^k times is less by k bits of it.
#[derive(Default)]
pub(crate) struct Sum {
    count: u64,
    total: u128,
}

impl Sum {
    #[inline]
    pub(crate) fn add(&mut self, digest: Digest) {
        self.count += 1;
        self.total = self.total.wrapping_add(digest.to_xxh3());
    }

    /// Adds an entry of a map, by the digest of both digests: which value belongs to which key counts.
    #[inline]
    pub(crate) fn add_entry(&mut self, key: Digest, value: Digest) {
        let mut both = [0; 32];
        both[..16].copy_from_slice(&key.to_bytes());
        both[16..].copy_from_slice(&value.to_bytes());
        self.add(Digest::of(&both));
    }
}

impl ContentHasher {
    /// Feeds values that have no order, such as those of a set; at once, without a `begin` and `end`.
    pub fn set<'a, T: ContentHash + ?Sized + 'a>(&mut self, items: impl IntoIterator<Item = &'a T>) {
        let Some(mut part) = self.part() else { return };
        let mut sum = Sum::default();
        for item in items {
            feed(item, &mut part);
            sum.add(self.absorb(&mut part));
            if self.is_over() {
                return;
            }
        }
        self.unordered(Tag::Set, &sum);
    }

    /// Feeds entries that have no order, such as those of a map; at once, without a `begin` and `end`.
    pub fn map<'a, K, V>(&mut self, entries: impl IntoIterator<Item = (&'a K, &'a V)>)
    where
        K: ContentHash + ?Sized + 'a,
        V: ContentHash + ?Sized + 'a,
    {
        let Some(mut part) = self.part() else { return };
        let mut sum = Sum::default();
        for (key, value) in entries {
            feed(key, &mut part);
            let key = self.absorb(&mut part);
            feed(value, &mut part);
            sum.add_entry(key, self.absorb(&mut part));
            if self.is_over() {
                return;
            }
        }
        self.unordered(Tag::Map, &sum);
    }

    /// A stream for parts, one after the other; it is as strict. `None` if they would be nested too deep, or nothing
    /// counts any more.
    pub(crate) fn part(&mut self) -> Option<Self> {
        if self.depth >= crate::digest::values::hasher::nested::DEPTH {
            self.too_deep();
        }
        if self.is_over() {
            return None;
        }
        let mut part = Self::with(self.strict, self.quick);
        (part.depth, part.hops) = (self.depth + 1, self.hops);
        Some(part)
    }

    /// The digest of a part, whose stream begins anew; what it rests on, this one rests on.
    #[inline]
    pub(crate) fn absorb(&mut self, part: &mut Self) -> Digest {
        self.claimed |= part.claimed;
        self.spoiled |= part.spoiled;
        // A part that begins its stream anew may have digested a quick one, in which something was left out.
        self.cut |= part.cut || part.quick != self.quick;
        if part.failure.is_some() {
            self.take_failure(part);
        }
        let digest = part.digest();
        self.types.add_part(part.types, digest.halves()[0]);
        part.restart(self.depth + 1);
        digest
    }

    #[cold]
    fn take_failure(&mut self, part: &mut Self) {
        if let Some(error) = part.failure.take().filter(|_| self.failure.is_none()) {
            self.fail(error);
        }
    }

    #[inline]
    fn restart(&mut self, depth: u32) {
        self.stream.restart(if self.quick { 0 } else { crate::digest::values::hasher::DOMAIN.len() });
        (self.only, self.empty, self.depth) = (None, true, depth);
        self.types = TypeSequence::default();
        if let Some(names) = &mut self.names {
            names.clear(depth as usize);
        }
    }

    /// Feeds parts without the order they came in.
    pub(crate) fn unordered(&mut self, tag: Tag, sum: &Sum) {
        self.tagged(tag, &sum.count.to_le_bytes());
        self.raw(&Digest::from_xxh3(sum.total).to_bytes());
    }
}
