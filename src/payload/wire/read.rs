//! MessagePack to values. The input may be anyone's: no length in it is believed, and every error says where.

use std::borrow::Cow;

use rmp::Marker;
use rmp::decode::{self, RmpRead, ValueReadError};

use crate::digest::tree;
use crate::digest::{ArrayMeta, Digest};
use crate::error::{Error, Result};
use crate::map::Spare;
use crate::payload::by_serde::leaf::LeafSeal;
use crate::payload::wire;
use crate::payload::wire::lift::{MappedFile, PrivateFile};
use crate::payload::wire::{Ext, MAX_DEPTH};
use crate::payload::{ArraySource, Format};

/// Where a [`Payload`](crate::Payload) loads itself from.
///
/// Reads the value in the order in which it was written. After an error it is of no further use.
pub struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
    source: &'a (dyn ArraySource + 'a),
    depth: u32,
    /// The lifted arrays read so far. Each occurs once, in the order of the table, so that a short value can't ask for
    /// one large array a million times.
    lifted: u32,
}

/// An array as it stands in the value.
pub(crate) enum ReadArray<'a> {
    Lifted(u32),
    Inline(ArrayMeta, &'a [u8]),
}

impl<'a> Reader<'a> {
    pub(crate) fn new(value: &'a [u8], source: &'a (dyn ArraySource + 'a)) -> Self {
        Self { rest: value, total: value.len(), source, depth: 0, lifted: 0 }
    }

    /// A reader of a value that has no arrays but inside.
    pub(crate) fn of_plain(value: &'a [u8]) -> Self {
        Self::new(value, &NoArrays)
    }

    /// Checks that nothing follows the value.
    #[inline]
    pub(crate) fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.trailing()) }
    }

    #[cold]
    fn trailing(&self) -> Error {
        let (position, rest) = (self.position(), self.rest.len());
        Error::damaged(format!("value ends after {position} bytes, {rest} more follow"))
    }

    fn position(&self) -> usize {
        self.total - self.rest.len()
    }

    pub(crate) fn source(&self) -> &'a (dyn ArraySource + 'a) {
        self.source
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Passes over all that is left, and returns it.
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(crate) fn marker(&self) -> Result<Marker> {
        match self.rest.first() {
            Some(&byte) => Ok(Marker::from_u8(byte)),
            None => Err(self.unexpected("a value")),
        }
    }

    /// The error for what comes next, when it should have been something else.
    pub(crate) fn unexpected(&self, expected: &str) -> Error {
        let found = self.rest.first().map_or("the end", |&byte| kind(Marker::from_u8(byte)));
        Error::damaged(format!("value has {found} at byte {}, expected {expected}", self.position()))
    }

    /// Reads a value by `rmp`. It stays out of line: a reader of numbers that holds it saves six registers at each call for
    /// what only an error or an unusual encoding needs, which are 14 instructions of a repeated hit.
    #[inline(never)]
    fn decode<T, E>(&mut self, expected: &str, read: impl FnOnce(&mut &'a [u8]) -> Result<T, E>) -> Result<T> {
        let before = self.rest;
        read(&mut self.rest).map_err(|_| {
            self.rest = before;
            self.unexpected(expected)
        })
    }

    pub(crate) fn nil(&mut self) -> Result<()> {
        self.decode("nil", decode::read_nil)
    }

    /// Passes over a nil, if one comes next.
    pub(crate) fn is_nil(&mut self) -> Result<bool> {
        match self.rest.split_first() {
            Some((0xc0, rest)) => {
                self.rest = rest;
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Err(self.unexpected("a value")),
        }
    }

    /// Passes over the head of a `Some` that serde wrote, if one comes next: [`end`](Self::end) comes after its value.
    pub(crate) fn begin_some(&mut self) -> Result<bool> {
        let Some(rest) = self.rest.strip_prefix(&wire::SOME) else { return Ok(false) };
        self.rest = rest;
        self.enter().map(|()| true)
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        self.decode("a bool", decode::read_bool)
    }

    #[inline]
    pub(crate) fn uint(&mut self) -> Result<u64> {
        let (value, rest) = match *self.rest {
            [value @ 0..=0x7f, ref rest @ ..] | [0xcc, value, ref rest @ ..] => (value.into(), rest),
            [0xcd, a, b, ref rest @ ..] => (wire::u16_of([a, b]).into(), rest),
            [0xce, a, b, c, d, ref rest @ ..] => (wire::u32_of([a, b, c, d]).into(), rest),
            [0xcf, a, b, c, d, e, f, g, h, ref rest @ ..] => (wire::u64_of([a, b, c, d, e, f, g, h]), rest),
            _ => return self.decode("an unsigned integer", decode::read_int),
        };
        self.rest = rest;
        Ok(value)
    }

    #[inline]
    pub(crate) fn sint(&mut self) -> Result<i64> {
        if let [value @ (0..=0x7f | 0xe0..), ref rest @ ..] = *self.rest {
            self.rest = rest;
            return Ok(value.cast_signed().into());
        }
        self.decode("an integer", decode::read_int)
    }

    pub(crate) fn wide(&mut self) -> Result<u128> {
        let before = self.rest;
        let bytes = self.bin()?;
        bytes.try_into().map(wire::u128_of).map_err(|_| {
            self.rest = before;
            self.unexpected("16 bytes")
        })
    }

    pub(crate) fn f32(&mut self) -> Result<f32> {
        self.decode("a float of 32 bits", decode::read_f32)
    }

    #[inline]
    pub(crate) fn f64(&mut self) -> Result<f64> {
        if let Some((&[0xcb, ref bits @ ..], rest)) = self.rest.split_first_chunk::<9>() {
            self.rest = rest;
            return Ok(f64::from_bits(wire::u64_of(*bits)));
        }
        self.decode("a float of 64 bits", decode::read_f64)
    }

    #[inline]
    pub(crate) fn str(&mut self) -> Result<&'a str> {
        let before = self.rest;
        let len = match *before {
            [head @ 0xa0..=0xbf, ref rest @ ..] => {
                self.rest = rest;
                u32::from(head & 0x1f)
            }
            [0xd9, len, ref rest @ ..] => {
                self.rest = rest;
                u32::from(len)
            }
            _ => self.decode("a string", decode::read_str_len)?,
        };
        let bytes = self.bytes(len)?;
        std::str::from_utf8(bytes).map_err(|_| {
            self.rest = before;
            self.unexpected("a string in UTF-8")
        })
    }

    pub(crate) fn bin(&mut self) -> Result<&'a [u8]> {
        let len = self.decode("bytes", decode::read_bin_len)?;
        self.bytes(len)
    }

    #[inline]
    fn bytes(&mut self, len: u32) -> Result<&'a [u8]> {
        let Some((bytes, rest)) = self.rest.split_at_checked(len as usize) else {
            return Err(self.too_long(u64::from(len), "bytes"));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn too_long(&self, len: u64, of: &str) -> Error {
        let rest = self.rest.len();
        Error::damaged(format!("value declares {len} {of} at byte {}, {rest} bytes follow", self.position()))
    }

    /// The length of an array whose values follow; [`end`](Self::end) comes after them.
    ///
    /// There are at least as many bytes.
    pub(crate) fn begin_array(&mut self) -> Result<usize> {
        self.begin("an array", 0x90, 1, decode::read_array_len)
    }

    /// The length of a map whose entries follow; [`end`](Self::end) comes after them.
    ///
    /// There are at least twice as many bytes.
    pub(crate) fn begin_map(&mut self) -> Result<usize> {
        self.begin("a map", 0x80, 2, decode::read_map_len)
    }

    /// Reads a length: in the marker itself where that is `short` but for its last four bits.
    #[inline]
    fn begin<E>(
        &mut self,
        what: &str,
        short: u8,
        least: u64,
        read: fn(&mut &'a [u8]) -> Result<u32, E>,
    ) -> Result<usize> {
        let len = match *self.rest {
            [head, ref rest @ ..] if head & 0xf0 == short => {
                self.rest = rest;
                u32::from(head & 0x0f)
            }
            _ => self.decode(what, read)?,
        };
        if u64::from(len) * least > self.rest.len() as u64 {
            return Err(self.too_long(u64::from(len), "values"));
        }
        self.enter()?;
        Ok(len as usize)
    }

    /// The head of an array of `len` values.
    pub(crate) fn begin_array_of(&mut self, len: usize, what: &str) -> Result<()> {
        let at = self.position();
        match self.begin_array()? {
            found if found == len => Ok(()),
            found => Err(Error::damaged(format!("{what} has {found} values at byte {at}, expected {len}"))),
        }
    }

    /// The head of a map of `len` entries.
    pub(crate) fn begin_map_of(&mut self, len: usize, what: &str) -> Result<()> {
        let at = self.position();
        match self.begin_map()? {
            found if found == len => Ok(()),
            found => Err(Error::damaged(format!("{what} has {found} entries at byte {at}, expected {len}"))),
        }
    }

    #[inline]
    pub(crate) fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        match self.depth <= MAX_DEPTH {
            true => Ok(()),
            false => Err(too_deep()),
        }
    }

    /// What is in the extension that comes next, if it is of this type and has less than 256 bytes.
    pub(crate) fn short_ext(&self, kind: Ext) -> Option<&'a [u8]> {
        match *self.rest {
            [EXT_8, len, found, ref rest @ ..] if found == kind as u8 => rest.get(..usize::from(len)),
            [FIX_EXT_16, found, ref rest @ ..] if found == kind as u8 => rest.get(..16),
            _ => None,
        }
    }

    /// Passes over the extension of `len` bytes that [`short_ext`](Self::short_ext) has seen.
    pub(crate) fn skip_short_ext(&mut self, len: usize) {
        let head = if self.rest.first() == Some(&EXT_8) { 3 } else { 2 };
        self.rest = &self.rest[head + len..];
    }

    /// The array that comes next, without its elements if it was lifted.
    pub(crate) fn array(&mut self) -> Result<ReadArray<'a>> {
        let before = self.rest;
        // An array in a file, as it is written; it may be written in other ways.
        if let Some((&[FIX_EXT_4, LIFTED, a, b, c, d], rest)) = before.split_first_chunk() {
            self.rest = rest;
            return self.lifted_array([a, b, c, d]);
        }
        let ext = self.decode("an array of elements", ext_head)?;
        match ext {
            (kind, 4) if kind == Ext::Lifted as i8 => {
                let mut index = [0; 4];
                self.decode("the index of an array", |rest| rest.read_exact_buf(&mut index))?;
                self.lifted_array(index)
            }
            (kind, len) if kind == Ext::Inline as i8 => {
                let bytes = self.bytes(len)?;
                inline_array(bytes)
            }
            (kind, len) => {
                let at = self.total - before.len();
                let found = format!("extension {kind} of {len} bytes at byte {at}");
                Err(Error::damaged(format!("value has an {found}, expected an array of elements")))
            }
        }
    }

    /// The digest that stands before what only serde knows, and how it was made.
    pub(crate) fn leaf_digest(&mut self) -> Result<(LeafSeal, Digest)> {
        let before = self.rest;
        let (kind, len) = self.decode("a digest", ext_head)?;
        let sealed = [LeafSeal::Exact, LeafSeal::Unordered].into_iter().find(|sealed| sealed.ext() as i8 == kind);
        let bytes = self.bytes(len)?;
        match (sealed, bytes.try_into()) {
            (Some(sealed), Ok(bytes)) => Ok((sealed, Digest::from_bytes(bytes))),
            _ => {
                self.rest = before;
                Err(self.unexpected("a digest"))
            }
        }
    }

    fn lifted_array(&mut self, index: [u8; 4]) -> Result<ReadArray<'a>> {
        let index = wire::u32_of(index);
        if index != self.lifted {
            return Err(Error::damaged(format!("value refers to array {index}, expected {}", self.lifted)));
        }
        self.lifted += 1;
        Ok(ReadArray::Lifted(index))
    }
}

#[cold]
fn too_deep() -> Error {
    Error::damaged(format!("value is nested deeper than {MAX_DEPTH} levels"))
}

const EXT_8: u8 = 0xc7;
const FIX_EXT_4: u8 = 0xd6;
const LIFTED: u8 = Ext::Lifted as u8;
const FIX_EXT_16: u8 = 0xd8;

/// The type and length of an extension.
fn ext_head(rest: &mut &[u8]) -> Result<(i8, u32), ValueReadError> {
    decode::read_ext_meta(rest).map(|meta| (meta.typeid, meta.size))
}

pub(crate) fn inline_array(bytes: &[u8]) -> Result<ReadArray<'_>> {
    let mut inner = Reader::new(bytes, &NoArrays);
    inner.begin_array_of(4, "array")?;
    let descr = Cow::Owned(inner.str()?.to_owned());
    let order = wire::order_of(inner.str()?)?;
    let ndim = inner.begin_array()?;
    let shape = (0..ndim).map(|_| inner.uint()).collect::<Result<_>>()?;
    let elements = inner.bin()?;
    inner.finish()?;
    let meta = ArrayMeta { descr, shape, order, itemsize: None }.sized();
    match meta.byte_len()? {
        expected if expected == elements.len() as u64 => Ok(ReadArray::Inline(meta, elements)),
        expected => Err(Error::damaged(format!("array has {} bytes, expected {expected}", elements.len()))),
    }
}

/// A stored value that is one array and nothing else.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SoleArray {
    /// In a file of its own.
    Lifted,
    /// Inside the value; its digest.
    Inline(Digest),
}

/// What array `value` is, if it is one and nothing else.
pub(crate) fn sole_array(value: &[u8]) -> Option<SoleArray> {
    let mut reader = Reader::new(value, &NoArrays);
    let array = match reader.array().ok()? {
        ReadArray::Lifted(_) => SoleArray::Lifted,
        ReadArray::Inline(meta, bytes) => SoleArray::Inline(meta.digest(tree(bytes))),
    };
    reader.finish().ok().map(|()| array)
}

/// What `#[derive(Payload)]` calls.
#[doc(hidden)]
impl Reader<'_> {
    /// A struct without fields.
    pub fn unit(&mut self) -> Result<()> {
        self.nil()
    }

    /// The head of a struct or variant with `fields` named fields: they follow, then [`end`](Self::end).
    pub fn begin_struct(&mut self, name: &'static str, fields: usize) -> Result<()> {
        self.begin_map_of(fields, name)
    }

    pub fn field<R, F: Format<R>>(&mut self, name: &'static str, format: F) -> Result<R> {
        let at = self.position();
        match self.str()? {
            found if found == name => self.item(format).map_err(|error| error.at(format_args!("field `{name}`"))),
            found => {
                let found = found.escape_debug();
                Err(Error::damaged(format!("value has field `{found}` at byte {at}, expected `{name}`")))
            }
        }
    }

    /// The head of a tuple struct or variant with `fields` fields: they follow, then [`end`](Self::end).
    pub fn begin_tuple(&mut self, name: &'static str, fields: usize) -> Result<()> {
        self.begin_array_of(fields, name)
    }

    pub fn item<R, F: Format<R>>(&mut self, _: F) -> Result<R> {
        F::load(self)
    }

    /// The index of a variant, and whether it has fields: if so they follow, then [`end`](Self::end).
    pub fn variant(&mut self, name: &'static str, variants: &[&str]) -> Result<(usize, bool)> {
        let fields = !matches!(self.marker()?, Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32);
        if fields {
            self.begin_map_of(1, name)?;
        }
        let at = self.position();
        let found = self.str()?;
        match variants.iter().position(|variant| *variant == found) {
            Some(index) => Ok((index, fields)),
            None => {
                let found = found.escape_debug();
                Err(Error::damaged(format!("value has variant `{name}::{found}` at byte {at}, there is none")))
            }
        }
    }

    /// The error for a variant that has fields and shouldn't, or the other way round.
    pub fn wrong_variant(&self, name: &'static str, variant: &str) -> Error {
        Error::damaged(format!("variant `{name}::{variant}` has other fields before byte {}", self.position()))
    }

    pub fn end(&mut self) {
        self.depth -= 1;
    }
}

/// Refuses each array: for values that have none.
pub(crate) struct NoArrays;

impl NoArrays {
    fn refuse<T>() -> Result<T> {
        Err(Error::damaged("value refers to an array where none can be"))
    }
}

impl ArraySource for NoArrays {
    fn meta(&self, _: u32) -> Result<&ArrayMeta> {
        Self::refuse()
    }

    fn read<'a>(&self, _: u32, _: Spare<'a>) -> Result<&'a mut [u8]> {
        Self::refuse()
    }

    fn map(&self, _: u32) -> Result<Option<MappedFile>> {
        Self::refuse()
    }

    fn cow(&self, _: u32) -> Result<Option<PrivateFile>> {
        Self::refuse()
    }

    fn digest(&self, _: u32) -> Result<Digest> {
        Self::refuse()
    }
}

fn kind(marker: Marker) -> &'static str {
    match marker {
        Marker::FixPos(_) | Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => "an unsigned integer",
        Marker::FixNeg(_) | Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64 => "an integer",
        Marker::Null => "nil",
        Marker::False | Marker::True => "a bool",
        Marker::F32 => "a float of 32 bits",
        Marker::F64 => "a float of 64 bits",
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => "a string",
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => "bytes",
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => "an array",
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => "a map",
        Marker::FixExt1 | Marker::FixExt2 | Marker::FixExt4 | Marker::FixExt8 | Marker::FixExt16 => "an extension",
        Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => "an extension",
        Marker::Reserved => "a reserved byte",
    }
}
