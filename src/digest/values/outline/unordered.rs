//! Maps and sets, in an order that doesn't depend on how they came: equal ones have one text.

use crate::digest::value::Digest;
use crate::digest::values::content::{ContentHash, feed};
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::outline::{CUT, LISTED, PartStep};
use crate::digest::values::text::Text;

/// The place of a key among others: texts by their letters, then numbers by their value. Keys whose texts are alike,
/// as long ones may be, come by their digests.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    number: Option<i128>,
    pub(super) text: String,
    digest: [u8; 16],
}

impl Rank {
    pub(super) fn new(text: String, digest: Digest) -> Self {
        Self { number: text.parse().ok(), text, digest: digest.to_bytes() }
    }

    fn of<T: ContentHash>(value: &T, text: &Text) -> Self {
        let mut words = text.plain();
        words.look_into(|words| value.describe(words));
        let mut hasher = ContentHasher::trusting();
        feed(value, &mut hasher);
        Self::new(words.into_string(), hasher.digest())
    }

    /// The key as part of a path: no other key's, though the text of a long one may be.
    fn path(&self) -> String {
        match self.text.contains(CUT) {
            true => format!("{}~{:.8}", self.text, Digest::from_bytes(self.digest).to_string()),
            false => self.text.clone(),
        }
    }
}

impl Text {
    /// Describes a map: `{"a": 1, "b": 2}`, or in short `map of 1000`.
    pub(crate) fn map<'a, K, V>(&mut self, len: usize, entries: impl IntoIterator<Item = (&'a K, &'a V)>)
    where
        K: ContentHash + 'a,
        V: ContentHash + 'a,
    {
        if len > LISTED {
            return self.display(format_args!("map of {len}"));
        }
        let mut entries: Vec<_> = entries.into_iter().map(|(key, value)| (Rank::of(key, self), value)).collect();
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        let described = entries.into_iter().map(|(rank, value)| {
            let part = self.described(|part| value.describe(part), |hasher| feed(value, hasher));
            (rank, part)
        });
        let described = described.collect();
        self.ranked(described);
    }

    /// Takes over the entries of a map, which have come in the order of their keys.
    pub(super) fn ranked(&mut self, entries: Vec<(Rank, Text)>) {
        let keys = entries.iter().flat_map(|(rank, _)| rank.digest).collect::<Vec<_>>();
        self.head(format_args!("map of {}", Digest::of(&keys)));
        self.display("{");
        for (position, (rank, part)) in entries.into_iter().enumerate() {
            self.comma(position);
            self.display(format_args!("{}: ", rank.text));
            self.take(&PartStep::Key(&rank.path()), part);
        }
        self.display("}");
    }

    /// Describes a set, which is a leaf: `{1, 2}`, or in short `set of 1000`.
    pub(crate) fn set<'a, T: ContentHash + 'a>(&mut self, len: usize, items: impl IntoIterator<Item = &'a T>) {
        if len > LISTED {
            return self.display(format_args!("set of {len}"));
        }
        let mut ranks: Vec<_> = items.into_iter().map(|item| Rank::of(item, self)).collect();
        ranks.sort();
        self.display("{");
        for (position, rank) in ranks.into_iter().enumerate() {
            self.comma(position);
            self.display(rank.text);
        }
        self.display("}");
    }
}
