//! Values to MessagePack, arrays lifted out of them into files of their own.

use rmp::encode::{self, ByteBuf};

use super::wire::{self, Ext, MAX_DEPTH};
use super::{ArraySink, Format};
use crate::digest::{ArrayMeta, Digest};
use crate::error::{Error, Result};
use crate::map::Stage;

/// Where a [`Payload`](super::Payload) saves itself.
///
/// What it has written is a prefix of the stored value; after an error that prefix is of no use.
pub struct Writer<'a> {
    out: ByteBuf,
    sink: &'a mut (dyn ArraySink + 'a),
    /// Arrays of at most so many bytes stay inside the value.
    inline: u64,
    /// Do larger ones leave it?
    lifts: bool,
    depth: u32,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(sink: &'a mut (dyn ArraySink + 'a), inline: u64) -> Self {
        Self { out: ByteBuf::new(), sink, inline, lifts: true, depth: 0 }
    }

    /// The stored value: one MessagePack value, which refers to the lifted arrays by their indices.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.out.into_vec()
    }

    pub(crate) fn nil(&mut self) {
        let Ok(()) = encode::write_nil(&mut self.out);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        let Ok(()) = encode::write_bool(&mut self.out, value);
    }

    pub(crate) fn uint(&mut self, value: u64) {
        let Ok(_) = encode::write_uint(&mut self.out, value);
    }

    pub(crate) fn sint(&mut self, value: i64) {
        let Ok(_) = encode::write_sint(&mut self.out, value);
    }

    pub(crate) fn wide(&mut self, value: u128) {
        let Ok(()) = encode::write_bin(&mut self.out, &wire::wide_bytes(value));
    }

    pub(crate) fn f32(&mut self, value: f32) {
        let Ok(()) = encode::write_f32(&mut self.out, value);
    }

    pub(crate) fn f64(&mut self, value: f64) {
        let Ok(()) = encode::write_f64(&mut self.out, value);
    }

    pub(crate) fn str(&mut self, value: &str) -> Result<()> {
        length(value.len(), "string")?;
        let Ok(()) = encode::write_str(&mut self.out, value);
        Ok(())
    }

    pub(crate) fn bin(&mut self, value: &[u8]) -> Result<()> {
        length(value.len(), "byte string")?;
        let Ok(()) = encode::write_bin(&mut self.out, value);
        Ok(())
    }

    /// The head of an array of `len` values, which follow; [`end`](Self::end) comes after them.
    pub(crate) fn begin_array(&mut self, len: usize) -> Result<()> {
        let len = length(len, "sequence")?;
        let Ok(_) = encode::write_array_len(&mut self.out, len);
        self.enter()
    }

    /// The head of a map of `len` entries, which follow, each key before its value; [`end`](Self::end) comes after.
    pub(crate) fn begin_map(&mut self, len: usize) -> Result<()> {
        let len = length(len, "map")?;
        let Ok(_) = encode::write_map_len(&mut self.out, len);
        self.enter()
    }

    pub(crate) fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        match self.depth <= MAX_DEPTH {
            true => Ok(()),
            false => Err(Error::unsupported(format!("value is nested deeper than {MAX_DEPTH} levels"))),
        }
    }

    /// An array: lifted, or inside the value if it is small and `may_stay`.
    ///
    /// `bytes` are the elements in memory order. `known` is their verified digest, if there is one.
    pub(super) fn array(
        &mut self,
        meta: &ArrayMeta,
        bytes: &[u8],
        known: Option<Digest>,
        may_stay: bool,
    ) -> Result<()> {
        // An extension of MessagePack has at most 4 GiB: whatever the limit, what doesn't fit is lifted.
        // A limit of 0 lifts empty arrays, too.
        let is_small = self.inline > 0 && bytes.len() as u64 <= self.inline.min(u64::from(u32::MAX / 2));
        if !self.lifts || (may_stay && is_small) {
            return self.inline_array(meta, bytes);
        }
        let index = self.sink.put(meta, bytes, known)?;
        self.ext(Ext::Lifted, &wire::index_bytes(index))
    }

    /// An array that is a file already: `true` if that was taken over.
    pub(super) fn adopted_array(
        &mut self,
        meta: &ArrayMeta,
        stage: &Stage,
        digest: &dyn Fn() -> Digest,
    ) -> Result<bool> {
        if !self.lifts {
            return Ok(false);
        }
        let Some(index) = self.sink.adopt(meta, stage, digest)? else { return Ok(false) };
        self.ext(Ext::Lifted, &wire::index_bytes(index))?;
        Ok(true)
    }

    fn inline_array(&mut self, meta: &ArrayMeta, bytes: &[u8]) -> Result<()> {
        let mut inner = ByteBuf::with_capacity(bytes.len() + 32);
        let Ok(_) = encode::write_array_len(&mut inner, 4);
        let Ok(()) = encode::write_str(&mut inner, &meta.descr);
        let Ok(()) = encode::write_str(&mut inner, wire::order_name(meta.order));
        let Ok(_) = encode::write_array_len(&mut inner, length(meta.shape.len(), "shape")?);
        for &len in &meta.shape {
            let Ok(_) = encode::write_uint(&mut inner, len);
        }
        length(bytes.len(), "array")?;
        let Ok(()) = encode::write_bin(&mut inner, bytes);
        self.ext(Ext::Inline, inner.as_slice())
    }

    fn ext(&mut self, kind: Ext, bytes: &[u8]) -> Result<()> {
        let Ok(_) = encode::write_ext_meta(&mut self.out, length(bytes.len(), "array")?, kind as i8);
        self.raw(bytes);
        Ok(())
    }

    /// Whatever `save` writes has its arrays inside.
    pub(super) fn without_lifting(&mut self, save: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let lifts = std::mem::replace(&mut self.lifts, false);
        let result = save(self);
        self.lifts = lifts;
        result
    }

    /// Bytes that are MessagePack already.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.as_mut_vec().extend_from_slice(bytes);
    }

    /// How much is written: what [`take`](Self::take) and [`patch`](Self::patch) count from.
    pub(super) fn position(&self) -> usize {
        self.out.as_slice().len()
    }

    /// Takes back everything from `start` on.
    pub(super) fn take(&mut self, start: usize) -> Vec<u8> {
        self.out.as_mut_vec().split_off(start)
    }

    pub(super) fn since(&self, start: usize) -> &[u8] {
        &self.out.as_slice()[start..]
    }

    pub(super) fn patch(&mut self, at: usize, bytes: &[u8]) {
        self.out.as_mut_vec()[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// What `#[derive(Payload)]` calls.
#[doc(hidden)]
impl Writer<'_> {
    /// A struct without fields.
    pub fn unit(&mut self) {
        self.nil();
    }

    /// A struct with so many named fields, or those of a variant: they follow, then [`end`](Self::end).
    pub fn begin_struct(&mut self, fields: usize) -> Result<()> {
        self.begin_map(fields)
    }

    pub fn field<R, F: Format<R>>(&mut self, name: &'static str, value: &R, format: F) -> Result<()> {
        self.str(name)?;
        self.item(value, format)
    }

    /// A tuple struct with so many fields, or those of a variant: they follow, then [`end`](Self::end).
    pub fn begin_tuple(&mut self, fields: usize) -> Result<()> {
        self.begin_array(fields)
    }

    pub fn item<R, F: Format<R>>(&mut self, value: &R, _: F) -> Result<()> {
        F::save(value, self)
    }

    pub fn unit_variant(&mut self, name: &'static str) -> Result<()> {
        self.str(name)
    }

    /// A variant with fields: they follow as a struct or a tuple, then another [`end`](Self::end).
    pub fn begin_variant(&mut self, name: &'static str) -> Result<()> {
        self.begin_map(1)?;
        self.str(name)
    }

    pub fn end(&mut self) {
        self.depth -= 1;
    }
}

/// A length that MessagePack can express.
pub(super) fn length(len: usize, what: &str) -> Result<u32> {
    u32::try_from(len).map_err(|_| Error::unsupported(format!("{what} has length {len}, more than {}", u32::MAX)))
}
