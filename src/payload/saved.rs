//! What can be written into an entry, with a Rust type or without.

use super::raw::{Features, RawValue, save};
use super::{ArraySink, Normal, Writer};
use crate::error::Result;

/// A value as an entry has it.
pub(crate) struct Saved {
    /// One MessagePack value.
    pub(crate) bytes: Vec<u8>,
    /// What a reader has to know.
    pub(crate) features: Features,
    /// What is stored beside it, for Python.
    pub(crate) python: Vec<u8>,
}

/// A value that can be written into an entry.
pub(crate) trait Savable {
    /// The stored value, its arrays put into `sink` but for those of at most `inline` bytes.
    ///
    /// # Errors
    /// Returns an error when the value can't be stored, and what `sink` returns.
    fn saved(&self, sink: &mut dyn ArraySink, inline: u64) -> Result<Saved>;
}

impl<R> Savable for Normal<'_, R> {
    fn saved(&self, sink: &mut dyn ArraySink, inline: u64) -> Result<Saved> {
        let bytes = self.save(sink, inline)?;
        Ok(Saved { bytes, features: Features::default(), python: Vec::new() })
    }
}

impl Savable for RawValue {
    fn saved(&self, sink: &mut dyn ArraySink, inline: u64) -> Result<Saved> {
        let mut out = Writer::new(sink, inline);
        let features = save(self, &mut out)?;
        Ok(Saved { bytes: out.finish(), features, python: self.python().to_vec() })
    }
}
