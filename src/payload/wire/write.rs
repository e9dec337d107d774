//! Values to MessagePack, arrays lifted out of them into files of their own.

use rmp::encode::{self, ByteBuf};

use crate::digest::{ArrayMeta, Digest};
use crate::error::Result;
use crate::map::Stage;
use crate::payload::wire;
use crate::payload::wire::output::{Depth, Output, TypeSignature, length, too_deep};
use crate::payload::wire::{Ext, MAX_DEPTH};
use crate::payload::{ArraySink, Format, Normaliser};

/// Where a [`Payload`](crate::Payload) saves itself.
///
/// What it has written is a prefix of the stored value; after an error that prefix is of no use.
pub struct Writer<'a> {
    out: ByteBuf,
    sink: &'a mut (dyn ArraySink + 'a),
    /// The most bytes of an array that stays inside the value.
    inline: u64,
    /// Whether larger arrays are lifted out of the value.
    lifts: bool,
    depth: u32,
    /// What is known of the value's parts that only serde knows.
    known: Option<&'a Normaliser>,
    /// The arrays that have left the value, and the bytes of small ones that stayed because of them.
    lifted: u32,
    kept: u64,
    /// A buffer for the head of an array inside the value, whose length comes first.
    head: ByteBuf,
}

/// The number of array files of a value from which on further small arrays stay inside it.
const MANY: u32 = 64;
/// The longest small array, in bytes.
const SMALL: u64 = 64 << 10;
/// What small arrays may take together: they are in memory until the value is stored, and one after another if they
/// have files.
const MOST_KEPT: u64 = 256 << 20;

impl<'a> Writer<'a> {
    pub(crate) fn new(sink: &'a mut (dyn ArraySink + 'a), inline: u64) -> Self {
        Self {
            out: ByteBuf::new(),
            sink,
            inline,
            lifts: true,
            depth: 0,
            known: None,
            lifted: 0,
            kept: 0,
            head: ByteBuf::new(),
        }
    }

    /// Writes a value of its own behind these bytes.
    pub(crate) fn after(bytes: Vec<u8>, sink: &'a mut (dyn ArraySink + 'a)) -> Self {
        Self { out: ByteBuf::from_vec(bytes), ..Self::new(sink, 0) }
    }

    /// Saves a value whose parts this has normalised.
    pub(crate) fn knowing(self, known: &'a Normaliser) -> Self {
        Self { known: Some(known), ..self }
    }

    /// Writes the part at this address, if it is known how; see [`Normaliser::write`].
    pub(crate) fn normalised_leaf(&mut self, at: usize, type_name: &'static str) -> Option<Result<()>> {
        self.known?.write(at, type_name, self)
    }

    /// Whether what serde brings back is taken for the value without a comparison.
    pub(crate) fn trusts(&self) -> bool {
        self.known.is_some_and(Normaliser::trusts)
    }

    /// Bytes that are the value from its beginning.
    pub(crate) fn take_over(&mut self, bytes: Vec<u8>) {
        self.out = ByteBuf::from_vec(bytes);
    }

    /// Checks that a part that nests so deep has room here.
    pub(crate) fn expect_room_for(&self, depth: u32) -> Result<()> {
        match self.depth + depth <= MAX_DEPTH {
            true => Ok(()),
            false => Err(too_deep()),
        }
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
        let Ok(()) = encode::write_bin(&mut self.out, &wire::u128_bytes(value));
    }

    #[inline]
    pub(crate) fn f32(&mut self, value: f32) {
        self.raw(&wire::marked_u32(0xca, value.to_bits()));
    }

    #[inline]
    pub(crate) fn f64(&mut self, value: f64) {
        self.raw(&wire::marked_u64(0xcb, value.to_bits()));
    }

    pub(crate) fn str(&mut self, value: &str) -> Result<()> {
        if value.len() < 32 {
            self.raw(&[0xa0 | value.len() as u8]);
            self.raw(value.as_bytes());
            return Ok(());
        }
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
            false => Err(too_deep()),
        }
    }

    /// An array: lifted, or inside the value if it is small and `may_stay`.
    ///
    /// Ten thousand small files take several times as long as one of the same bytes, so that from the 65th on an array
    /// that a file would be made for stays inside if it isn't large.
    ///
    /// `bytes` are the elements in memory order. `known` is their verified digest, if there is one.
    pub(crate) fn array(
        &mut self,
        meta: &ArrayMeta,
        bytes: &[u8],
        known: Option<Digest>,
        may_stay: bool,
    ) -> Result<()> {
        // An extension of MessagePack has at most 4 GiB: whatever the limit, what doesn't fit is lifted.
        // A limit of 0 lifts empty arrays, too.
        let is_small = self.inline > 0 && bytes.len() as u64 <= self.inline.min(u64::from(u32::MAX / 2));
        if !self.lifts || (may_stay && (is_small || self.is_one_of_many(bytes.len() as u64))) {
            return self.inline_array(meta, bytes);
        }
        let index = self.lift(meta, bytes, known)?;
        self.ext(Ext::Lifted, &wire::u32_bytes(index))
    }

    /// Gives an array a file of its own, whatever its size; what refers to it is the caller's to write.
    pub(crate) fn lift(&mut self, meta: &ArrayMeta, bytes: &[u8], known: Option<Digest>) -> Result<u32> {
        let index = self.sink.put(meta, bytes, known)?;
        self.lifted += 1;
        Ok(index)
    }

    fn is_one_of_many(&mut self, bytes: u64) -> bool {
        let kept = self.kept + bytes;
        let stays = self.inline > 0 && self.lifted >= MANY && bytes <= SMALL && kept <= MOST_KEPT;
        self.kept = if stays { kept } else { self.kept };
        stays
    }

    /// An array that is a file already: `true` if that was taken over.
    pub(crate) fn adopted_array(
        &mut self,
        meta: &ArrayMeta,
        stage: &Stage,
        digest: &dyn Fn() -> Digest,
    ) -> Result<bool> {
        if !self.lifts {
            return Ok(false);
        }
        let Some(index) = self.sink.adopt(meta, stage, digest)? else { return Ok(false) };
        self.ext(Ext::Lifted, &wire::u32_bytes(index))?;
        Ok(true)
    }

    /// A short array of one axis that stays inside the value, as they come by the million, as [`array`](Self::array)
    /// would write it; `false` for any other.
    pub(crate) fn short_row(&mut self, descr: &str, count: usize, bytes: &[u8]) -> bool {
        let stays = !self.lifts || self.inline > 0 && bytes.len() as u64 <= self.inline;
        let (&[a, b, c], 0..=0x7f, 0..=0x7f) = (descr.as_bytes(), count, bytes.len()) else { return false };
        let len = bytes.len() as u8 + 11;
        // The form for 16 bytes has a marker of its own.
        if !stays || len == 16 {
            return false;
        }
        let kind = Ext::Inline as u8;
        self.raw(&[0xc7, len, kind, 0x94, 0xa3, a, b, c, 0xa1, b'C', 0x91, count as u8, 0xc4, bytes.len() as u8]);
        self.raw(bytes);
        true
    }

    fn inline_array(&mut self, meta: &ArrayMeta, bytes: &[u8]) -> Result<()> {
        let head = &mut self.head;
        head.as_mut_vec().clear();
        let Ok(_) = encode::write_array_len(head, 4);
        let Ok(()) = encode::write_str(head, &meta.descr);
        let Ok(()) = encode::write_str(head, wire::order_name(meta.order));
        let Ok(_) = encode::write_array_len(head, length(meta.shape.len(), "shape")?);
        for &len in &meta.shape {
            let Ok(_) = encode::write_uint(head, len);
        }
        let Ok(_) = encode::write_bin_len(head, length(bytes.len(), "array")?);
        let len = length(head.as_slice().len() + bytes.len(), "array")?;
        let Ok(_) = encode::write_ext_meta(&mut self.out, len, Ext::Inline as i8);
        self.out.as_mut_vec().extend_from_slice(self.head.as_slice());
        self.raw(bytes);
        Ok(())
    }

    pub(crate) fn ext(&mut self, kind: Ext, bytes: &[u8]) -> Result<()> {
        let Ok(_) = encode::write_ext_meta(&mut self.out, length(bytes.len(), "array")?, kind as i8);
        self.raw(bytes);
        Ok(())
    }

    /// Whatever `save` writes has its arrays inside.
    pub(crate) fn without_lifting(&mut self, save: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let lifts = std::mem::replace(&mut self.lifts, false);
        let result = save(self);
        self.lifts = lifts;
        result
    }

    /// Bytes that are MessagePack already.
    #[inline]
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.as_mut_vec().extend_from_slice(bytes);
    }

    /// How much is written: what [`take`](Self::take) and [`patch`](Self::patch) count from.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.out.as_slice().len()
    }

    /// Takes back everything from `start` on.
    pub(crate) fn take(&mut self, start: usize) -> Vec<u8> {
        self.out.as_mut_vec().split_off(start)
    }

    pub(crate) fn since(&self, start: usize) -> &[u8] {
        &self.out.as_slice()[start..]
    }

    #[inline]
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
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

    /// The head of a struct or variant with `fields` named fields: they follow, then [`end`](Self::end).
    pub fn begin_struct(&mut self, fields: usize) -> Result<()> {
        self.begin_map(fields)
    }

    pub fn field<R, F: Format<R>>(&mut self, name: &'static str, value: &R, format: F) -> Result<()> {
        self.str(name)?;
        self.item(value, format)
    }

    /// The head of a tuple struct or variant with `fields` fields: they follow, then [`end`](Self::end).
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

/// Writes to the stored value.
pub(crate) struct Signed<'w, 'a> {
    out: &'w mut Writer<'a>,
    signature: TypeSignature,
    depth: Depth,
}

impl<'w, 'a> Signed<'w, 'a> {
    pub(crate) fn new(out: &'w mut Writer<'a>, signature: TypeSignature) -> Self {
        Self { out, signature, depth: Depth::default() }
    }

    /// The signature of what was written, and how deep that nests.
    pub(crate) fn finish(self) -> (u64, u32) {
        (self.signature.value(), self.depth.most)
    }
}

impl Output for Signed<'_, '_> {
    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        self.out.raw(bytes);
    }

    #[inline]
    fn position(&self) -> usize {
        self.out.position()
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        self.out.patch(at, bytes);
    }

    #[inline]
    fn signature(&mut self) -> &mut TypeSignature {
        &mut self.signature
    }

    #[inline]
    fn depth(&mut self) -> &mut Depth {
        &mut self.depth
    }
}
