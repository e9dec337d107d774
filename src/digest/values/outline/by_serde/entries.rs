//! Maps that serialize.

use serde::{Serialize, ser};

use crate::digest::value::Digest;
use crate::digest::values::canonical::feed_bare;
use crate::digest::values::hasher::{ContentHasher, DigestSum};
use crate::digest::values::outline::LISTED;
use crate::digest::values::outline::by_serde::{OutlineResult, Stopped, serialized};
use crate::digest::values::outline::unordered::Rank;
use crate::digest::values::tag::Tag;
use crate::digest::values::text::Text;

/// A map under way.
pub(super) struct OutlineEntries<'a> {
    pub(super) text: &'a mut Text,
    pub(super) hasher: &'a mut ContentHasher,
    pub(super) key: Option<(Rank, Digest)>,
    /// The digest of a map that is too long to be listed, and so is one leaf.
    pub(super) sum: Option<DigestSum>,
    pub(super) listed: Vec<(Rank, Text)>,
}

/// The digest of a part of a long map.
fn digest_of<T: Serialize + ?Sized>(value: &T) -> OutlineResult<Digest> {
    let mut hasher = ContentHasher::trusting();
    feed_bare(value, &mut hasher);
    hasher.take().map_err(|_| Stopped)
}

impl ser::SerializeMap for OutlineEntries<'_> {
    type Ok = ();
    type Error = Stopped;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> OutlineResult {
        if self.sum.is_some() && !self.text.collects() {
            return Err(Stopped);
        }
        let digest = digest_of(key)?;
        let mut words = self.text.plain();
        if self.sum.is_none() {
            serialized(key, &mut words);
        }
        self.key = Some((Rank::new(words.into_string(), digest), digest));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> OutlineResult {
        let (rank, key) = self.key.take().ok_or(Stopped)?;
        if let Some(sum) = &mut self.sum {
            let value = digest_of(value)?;
            sum.add(Digest::of(&[key.to_bytes(), value.to_bytes()].concat()));
            return Ok(());
        }
        if self.listed.len() >= LISTED {
            // More than were promised: which of them came first says nothing.
            self.text.display(format_args!("map of more than {LISTED}"));
            return Err(Stopped);
        }
        let part = self.text.described(|part| serialized(value, part), |hasher| feed_bare(value, hasher));
        self.listed.push((rank, part));
        Ok(())
    }

    fn end(self) -> OutlineResult {
        match self.sum {
            Some(sum) => self.hasher.unordered(Tag::Map, &sum),
            None => {
                let mut listed = self.listed;
                listed.sort_by(|(one, _), (other, _)| one.cmp(other));
                self.text.ranked(listed);
            }
        }
        Ok(())
    }
}
