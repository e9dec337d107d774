//! A result in the form in which it comes back: what `normalise` makes of it, before anything is stored.

use std::any::type_name;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::digest::{ArrayMeta, Digest};
use crate::error::{Error, Result};
use crate::payload::by_serde::leaf::{Compare, unseen, write};
use crate::payload::{ArraySink, Codec, Payload, Writer};

/// What is asked of the parts of a result that only serde knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// They have to come back equal.
    Compare,
    /// They have to serialize alike.
    Trust,
    /// Nothing; they stay as they are.
    Leave,
}

/// Brings a result into the form in which it comes back: arrays into C or Fortran order, and what only serde knows
/// through serde. A part that serde doesn't bring back stays as it is.
#[doc(hidden)]
pub struct Normaliser {
    check: Check,
    /// What the parts that only serde knows are stored as, one after the other.
    bytes: RefCell<Vec<u8>>,
    /// Where each of them stands, by its address and type.
    spans: BTreeMap<(usize, &'static str), LeafSpan>,
    failure: Option<Error>,
}

struct LeafSpan {
    range: Range<usize>,
    depth: u32,
}

impl Normaliser {
    pub(crate) fn new(check: Check) -> Self {
        Self { check, bytes: RefCell::default(), spans: BTreeMap::new(), failure: None }
    }

    /// Replaces a part that only serde knows by what serde brings back of it.
    ///
    /// Its methods are the program's own, and may panic where nothing is wanted but the computed value.
    pub(crate) fn leaf<T>(&mut self, value: &mut T, compare: Compare<T>)
    where
        T: Serialize + DeserializeOwned,
    {
        let compare = match self.check {
            Check::Compare => compare,
            Check::Trust => unseen,
            Check::Leave => return,
        };
        let replaced = catch_unwind(AssertUnwindSafe(|| self.replace(value, compare)));
        if let Err(error) = replaced.unwrap_or_else(|panic| Err(panicked::<T>(panic))) {
            self.failure.get_or_insert(error);
        }
    }

    fn replace<T>(&mut self, value: &mut T, compare: Compare<T>) -> Result<()>
    where
        T: Serialize + DeserializeOwned,
    {
        let mut nowhere = Nowhere;
        let mut out = Writer::after(mem::take(self.bytes.get_mut()), &mut nowhere);
        let start = out.position();
        let written = write(value, compare, &mut out);
        *self.bytes.get_mut() = out.finish();
        let (again, depth) = written?;
        let range = start..self.bytes.get_mut().len();
        self.spans.insert((std::ptr::from_ref(value).addr(), type_name::<T>()), LeafSpan { range, depth });
        *value = again;
        Ok(())
    }

    /// A value that goes elsewhere once it is normal, as keys of a map do: its parts aren't known by their addresses.
    pub(crate) fn moved<T: Payload>(&mut self, mut value: T) -> T {
        let (spans, len) = (mem::take(&mut self.spans), self.bytes.get_mut().len());
        value.normalise(self);
        self.spans = spans;
        self.bytes.get_mut().truncate(len);
        value
    }

    /// Entries in the order of their keys' bytes, in which maps and sets are stored. Where a key can't be stored they stay
    /// as they are: then nothing of them is.
    pub(crate) fn sorted<K: Payload, V>(&self, entries: Vec<(K, V)>) -> Vec<(K, V)> {
        let mut nowhere = Nowhere;
        let mut out = Writer::new(&mut nowhere, 0);
        let mut bytes_of = |key: &K| {
            let start = out.position();
            out.without_lifting(|out| key.save(out)).map(|()| out.take(start))
        };
        let keys: Result<Vec<Vec<u8>>> = entries.iter().map(|(key, _)| bytes_of(key)).collect();
        let Ok(keys) = keys else { return entries };
        let mut keyed: Vec<_> = keys.into_iter().zip(entries).collect();
        keyed.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        keyed.into_iter().map(|(_, entry)| entry).collect()
    }

    pub(crate) fn trusts(&self) -> bool {
        self.check == Check::Trust
    }

    /// Writes what the part at this address is stored as; `None` if it isn't known.
    ///
    /// The bytes of a value that is one such part are handed over, and not known a second time.
    pub(crate) fn write(&self, at: usize, type_name: &'static str, out: &mut Writer<'_>) -> Option<Result<()>> {
        let LeafSpan { range, depth } = self.spans.get(&(at, type_name))?;
        let mut bytes = self.bytes.borrow_mut();
        let part = bytes.get(range.clone())?;
        if let Err(error) = out.expect_room_for(*depth) {
            return Some(Err(error));
        }
        match out.position() == 0 && part.len() == bytes.len() {
            true => out.take_over(mem::take(&mut *bytes)),
            false => out.raw(part),
        }
        Some(Ok(()))
    }
}

/// What a panic carries isn't dropped: that may panic, too.
fn panicked<T>(panic: Box<dyn std::any::Any + Send>) -> Error {
    mem::forget(panic);
    Error::unsupported(format!("a method of type `{}` panicked", type_name::<T>()))
}

/// A result as it comes back, borrowed, so that it stays where its parts are known to be.
pub(crate) struct Normal<'a, R> {
    value: &'a R,
    codec: Codec<R>,
    normaliser: Normaliser,
}

impl<'a, R> Normal<'a, R> {
    pub(crate) fn new(value: &'a R, codec: Codec<R>, normaliser: Normaliser) -> Self {
        Self { value, codec, normaliser }
    }

    pub(crate) fn value(&self) -> &'a R {
        self.value
    }

    /// The stored value, its arrays put into `sink` but for those of at most `inline` bytes.
    ///
    /// # Errors
    /// Returns an error when a part doesn't come back from serde, and what `sink` returns.
    pub(crate) fn save(&self, sink: &mut dyn ArraySink, inline: u64) -> Result<Vec<u8>> {
        if let Some(failure) = &self.normaliser.failure {
            return Err(failure.again());
        }
        let mut out = Writer::new(sink, inline).knowing(&self.normaliser);
        self.codec.save(self.value, &mut out)?;
        Ok(out.finish())
    }
}

/// Refuses each array: parts that only serde knows have none that could be lifted out.
struct Nowhere;

impl ArraySink for Nowhere {
    fn put(&mut self, _: &ArrayMeta, _: &[u8], _: Option<Digest>) -> Result<u32> {
        Err(Error::unsupported("what only serde knows has no arrays of its own"))
    }
}
