//! Parts without an order: the sum of their digests counts, and how many they are.

use crate::digest::value::Digest;
use crate::digest::values::content::{ContentHash, feed};
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::hasher::rows::Row;
use crate::digest::values::tag::Tag;
use crate::digest::values::type_name::TypeSequence;

/// The sum of some digests, modulo 2^128, and their number.
///
/// It takes no memory and no sorting. By chance two sums are equal as seldom as two digests: each summand is as good as
/// a random number, and the sums of two different sets differ by at least one that only one of them has. A digest that
/// occurs 2^k times counts for k bits less.
#[derive(Default)]
pub(crate) struct DigestSum {
    count: u64,
    total: u128,
}

impl DigestSum {
    #[inline]
    pub(crate) fn add(&mut self, digest: Digest) {
        self.count += 1;
        self.total = self.total.wrapping_add(digest.to_xxh3());
    }
}

impl ContentHasher {
    /// Feeds values that have no order, such as those of a set; at once, without a `begin` and `end`.
    pub fn set<'a, T: ContentHash + ?Sized + 'a>(&mut self, items: impl IntoIterator<Item = &'a T>) {
        let Some(mut part) = self.part() else { return };
        let mut items = items.into_iter().peekable();
        let has_rows = !self.shallow && items.peek().is_some_and(|first| first.is_alike());
        if has_rows {
            self.tag(Tag::TableSet);
            items.peek().inspect(|first| first.alike(self));
            part.begin_rows();
        }
        let mut sum = DigestSum::default();
        for item in items {
            match has_rows {
                true => item.row(&mut part),
                false => feed(item, &mut part),
            }
            sum.add(self.absorb(&mut part));
            if self.is_over() {
                return;
            }
        }
        self.sum_up(has_rows, Tag::Set, &sum);
    }

    /// Feeds entries that have no order, such as those of a map; at once, without a `begin` and `end`.
    pub fn map<'a, K, V>(&mut self, entries: impl IntoIterator<Item = (&'a K, &'a V)>)
    where
        K: ContentHash + ?Sized + 'a,
        V: ContentHash + ?Sized + 'a,
    {
        let Some(mut part) = self.part() else { return };
        let mut entries = entries.into_iter().peekable();
        let has_rows = !self.shallow && entries.peek().is_some_and(|(key, value)| key.is_alike() || value.is_alike());
        if has_rows {
            self.tag(Tag::TableMap);
            entries.peek().inspect(|(key, value)| {
                key.alike(self);
                value.alike(self);
            });
            part.begin_rows();
        }
        let mut sum = DigestSum::default();
        for (key, value) in entries {
            match has_rows {
                true => {
                    key.row(&mut part);
                    value.row(&mut part);
                }
                false => {
                    feed(key, &mut part);
                    part.tag(Tag::End);
                    feed(value, &mut part);
                }
            }
            if part.is_part {
                sum.add(self.absorb(&mut part));
            } else {
                sum.add(self.apart(key, value, &mut part));
            }
            if self.is_over() {
                return;
            }
        }
        self.sum_up(has_rows, Tag::Map, &sum);
    }

    /// The digest of an entry of which key or value has put another stream in the place of the one that it was given,
    /// and so has lost what was fed before: made of the digests of both.
    #[cold]
    fn apart<K, V>(&mut self, key: &K, value: &V, part: &mut Self) -> Digest
    where
        K: ContentHash + ?Sized,
        V: ContentHash + ?Sized,
    {
        let mut both = [0; 32];
        let mut digest = |feed: &dyn Fn(&mut Self)| match self.part() {
            Some(mut part) => {
                feed(&mut part);
                self.absorb(&mut part).to_bytes()
            }
            None => [0; 16],
        };
        both[..16].copy_from_slice(&digest(&|part| feed(key, part)));
        both[16..].copy_from_slice(&digest(&|part| feed(value, part)));
        let prefix = part.prefix;
        if let Some(anew) = self.part() {
            *part = anew;
            part.prefix = prefix;
        }
        Digest::of(&both)
    }

    /// Begins the stream of a part anew, with nothing in it.
    fn begin_rows(&mut self) {
        self.prefix = 0;
        self.restart(self.depth);
    }

    fn sum_up(&mut self, has_rows: bool, tag: Tag, sum: &DigestSum) {
        match has_rows {
            true => self.total(sum),
            false => self.unordered(tag, sum),
        }
    }

    /// A stream for parts, one after the other; it is as strict. `None` if they would be nested too deep, or the
    /// digest is given up.
    pub(crate) fn part(&mut self) -> Option<Self> {
        if self.depth >= crate::digest::values::hasher::nested::DEPTH {
            self.too_deep();
        }
        if self.is_over() {
            return None;
        }
        let mut part = Self::with(self.strict, self.shallow);
        (part.depth, part.hops, part.is_part) = (self.depth + 1, self.hops, true);
        part.prefix = if self.shallow { 0 } else { crate::digest::values::hasher::DOMAIN.len() as u8 };
        Some(part)
    }

    /// Returns the digest of a part, and begins the part's stream anew. What this stream has to know of it, such as
    /// claims and failures, is taken over.
    #[inline]
    pub(crate) fn absorb(&mut self, part: &mut Self) -> Digest {
        if part.claimed | part.spoiled | part.cut | (part.shallow != self.shallow) || part.failure.is_some() {
            self.heed(part);
        }
        let digest = part.digest();
        self.types.add_part(part.types, digest.halves()[0]);
        part.restart(self.depth + 1);
        digest
    }

    #[cold]
    fn heed(&mut self, part: &mut Self) {
        self.claimed |= part.claimed;
        self.spoiled |= part.spoiled;
        // A part that begins its stream anew may have digested a shallow one, in which something was left out.
        self.cut |= part.cut || part.shallow != self.shallow;
        if part.failure.is_some() {
            self.take_failure(part);
        }
    }

    #[cold]
    fn take_failure(&mut self, part: &mut Self) {
        if let Some(error) = part.failure.take().filter(|_| self.failure.is_none()) {
            self.fail(error);
        }
    }

    #[inline]
    fn restart(&mut self, depth: u32) {
        self.stream.restart(self.prefix.into());
        (self.only, self.empty, self.flows, self.depth) = (None, true, false, depth);
        self.types = TypeSequence::default();
        if let Some(names) = &mut self.names {
            names.clear();
        }
    }

    /// Feeds parts without the order they came in.
    pub(crate) fn unordered(&mut self, tag: Tag, sum: &DigestSum) {
        self.tag(tag);
        self.total(sum);
    }

    fn total(&mut self, sum: &DigestSum) {
        self.raw(&sum.count.to_le_bytes());
        self.raw(&Digest::from_xxh3(sum.total).to_bytes());
    }
}
