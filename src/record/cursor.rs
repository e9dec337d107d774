//! MessagePack within its bytes: values are read one after the other, and nothing is allocated for a length that is
//! only claimed.

use std::fmt;
use std::ops::Range;

use rmp::Marker;
use rmp::decode::{Bytes, read_int};

use crate::digest::Digest;

/// How deep values may nest: those of format 1 nest four deep, unknown fields of a later version may nest deeper.
const DEPTH_MAX: usize = 32;

/// How many elements are reserved at most for a list whose length is only claimed.
const RESERVED: usize = 8;

/// Why bytes aren't what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecodeFault {
    /// They end too early, hold a value of another type, or a text that isn't UTF-8.
    Value,
    /// The map lacks this field.
    Missing(&'static str),
    /// The map holds a field twice.
    Twice,
    /// Bytes follow the value.
    Trailing,
    /// Values nest too deep.
    Depth,
}

pub(super) type Result<T> = std::result::Result<T, DecodeFault>;

impl fmt::Display for DecodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value => f.write_str("a value is cut short or of another type"),
            Self::Missing(field) => write!(f, "missing field `{field}`"),
            Self::Twice => f.write_str("a field stands twice"),
            Self::Trailing => f.write_str("bytes follow the value"),
            Self::Depth => write!(f, "values nest more than {DEPTH_MAX} deep"),
        }
    }
}

impl std::error::Error for DecodeFault {}

/// What is left of the bytes.
pub(super) struct Cursor<'a>(&'a [u8]);

/// How MessagePack writes a number or a length: as one byte of `fix`, or in some bytes behind one of `wide`. Read here
/// and not by `rmp`, whose errors are large: a first hit takes 2 % more instructions with it (2026-11).
struct LengthKind {
    fix: Range<u8>,
    wide: Range<u8>,
    /// The bytes behind the first of `wide`, as a power of two; behind the next ones are twice as many each.
    least: u8,
}

const NUMBER: LengthKind = LengthKind { fix: 0x00..0x80, wide: 0xcc..0xd0, least: 0 };
const STR: LengthKind = LengthKind { fix: 0xa0..0xc0, wide: 0xd9..0xdc, least: 0 };
const BIN: LengthKind = LengthKind { fix: 0..0, wide: 0xc4..0xc7, least: 0 };
const LIST: LengthKind = LengthKind { fix: 0x90..0xa0, wide: 0xdc..0xde, least: 1 };
const MAP: LengthKind = LengthKind { fix: 0x80..0x90, wide: 0xde..0xe0, least: 1 };

/// Decodes one value that takes all of `bytes`.
pub(super) fn whole<'a, T>(bytes: &'a [u8], read: impl FnOnce(&mut Cursor<'a>) -> Result<T>) -> Result<T> {
    let mut cursor = Cursor(bytes);
    let value = read(&mut cursor)?;
    if cursor.rest().is_empty() { Ok(value) } else { Err(DecodeFault::Trailing) }
}

/// Takes the value of a field, which a map holds once.
#[inline]
pub(super) fn once<T>(field: &mut Option<T>, value: T) -> Result<()> {
    if field.replace(value).is_none() { Ok(()) } else { Err(DecodeFault::Twice) }
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The bytes that were read since `before` was left.
    pub(super) fn since(&self, before: &'a [u8]) -> &'a [u8] {
        &before[..before.len() - self.rest().len()]
    }

    /// Passes over these bytes, if they come next.
    #[inline]
    pub(super) fn passes(&mut self, bytes: &[u8]) -> bool {
        let rest = self.rest().strip_prefix(bytes);
        if let Some(rest) = rest {
            self.0 = rest;
        }
        rest.is_some()
    }

    /// Reads a map of named fields, in any order. `read` is called with each name, and reads its value or skips it.
    #[inline]
    pub(super) fn map(&mut self, mut read: impl FnMut(&mut Self, &str) -> Result<()>) -> Result<()> {
        for _ in 0..self.len(&MAP)? {
            let name = self.str()?;
            read(self, name)?;
        }
        Ok(())
    }

    /// How many fields the map has that comes next.
    #[inline]
    pub(super) fn map_len(&mut self) -> Result<usize> {
        self.len(&MAP)
    }

    /// Passes over the name of a field, if it comes next and is written as this version writes names.
    #[inline(always)]
    pub(super) fn passes_name(&mut self, name: &'static str) -> bool {
        let Some((&first, rest)) = self.0.split_first() else { return false };
        let has_length = u8::try_from(name.len()).is_ok_and(|len| first == STR.fix.start + len);
        match rest.strip_prefix(name.as_bytes()) {
            Some(rest) if has_length && STR.fix.contains(&first) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    pub(super) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let len = self.array_len()?;
        let mut list = Vec::with_capacity(len.min(RESERVED));
        for _ in 0..len {
            list.push(read(self)?);
        }
        Ok(list)
    }

    /// How many values the list has that comes next.
    pub(super) fn array_len(&mut self) -> Result<usize> {
        self.len(&LIST)
    }

    #[inline]
    pub(super) fn bool(&mut self) -> Result<bool> {
        match self.take(1)? {
            [0xc2] => Ok(false),
            [0xc3] => Ok(true),
            _ => Err(DecodeFault::Value),
        }
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Result<u64> {
        // Most numbers of a record are long: times, and those of types.
        if self.passes(&[0xcf]) { self.number_of::<8>() } else { self.head(&NUMBER) }
    }

    #[inline]
    pub(super) fn i64(&mut self) -> Result<i64> {
        let mut bytes = Bytes::new(self.0);
        let number = read_int(&mut bytes).map_err(value)?;
        self.0 = bytes.remaining_slice();
        Ok(number)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32> {
        self.u64()?.try_into().map_err(value)
    }

    pub(super) fn digest(&mut self) -> Result<Digest> {
        match self.0.split_first_chunk::<18>() {
            // As this version writes its length.
            Some((&[0xc4, 16, ref digest @ ..], rest)) => {
                self.0 = rest;
                Ok(Digest::from_bytes(*digest))
            }
            _ => self.bytes()?.try_into().map(Digest::from_bytes).map_err(value),
        }
    }

    pub(super) fn text(&mut self) -> Result<String> {
        self.str().map(str::to_owned)
    }

    #[inline]
    pub(super) fn str(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.str_bytes()?).map_err(value)
    }

    /// The bytes of a text, which may not be UTF-8.
    #[inline]
    pub(super) fn str_bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.len(&STR)?;
        self.take(len)
    }

    /// Passes over a text.
    #[inline]
    pub(super) fn check_str(&mut self) -> Result<()> {
        let bytes = self.str_bytes()?;
        if bytes.is_ascii() { Ok(()) } else { std::str::from_utf8(bytes).map(drop).map_err(value) }
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.len(&BIN)?;
        self.take(len)
    }

    #[inline]
    fn len(&mut self, kind: &LengthKind) -> Result<usize> {
        self.head(kind)?.try_into().map_err(value)
    }

    /// A number, or the length of what follows.
    #[inline]
    fn head(&mut self, kind: &LengthKind) -> Result<u64> {
        let (first, rest) = self.0.split_first().ok_or(DecodeFault::Value)?;
        self.0 = rest;
        if kind.fix.contains(first) {
            return Ok(u64::from(first - kind.fix.start));
        }
        if !kind.wide.contains(first) {
            return Err(DecodeFault::Value);
        }
        self.number(1 << (kind.least + first - kind.wide.start))
    }

    /// A number of `width` bytes, the most significant first.
    #[inline]
    fn number(&mut self, width: usize) -> Result<u64> {
        match width {
            1 => self.number_of::<1>(),
            2 => self.number_of::<2>(),
            4 => self.number_of::<4>(),
            _ => self.number_of::<8>(),
        }
    }

    /// A big-endian number of `WIDTH` bytes: one instruction, as the compiler knows the width.
    #[inline]
    fn number_of<const WIDTH: usize>(&mut self) -> Result<u64> {
        let (bytes, rest) = self.0.split_first_chunk::<WIDTH>().ok_or(DecodeFault::Value)?;
        self.0 = rest;
        Ok(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest().split_at_checked(len).ok_or(DecodeFault::Value)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Passes over the value of a field that this version doesn't know.
    #[cold]
    pub(super) fn skip(&mut self) -> Result<()> {
        self.skip_within(DEPTH_MAX)
    }

    fn skip_within(&mut self, depth: usize) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or(DecodeFault::Depth)?;
        let marker = Marker::from_u8(self.take(1)?[0]);
        let bytes = match marker {
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => 0,
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 => 2,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            Marker::FixStr(len) => usize::from(len),
            Marker::Str8 | Marker::Bin8 => self.len8()?,
            Marker::Str16 | Marker::Bin16 => self.len16()?,
            Marker::Str32 | Marker::Bin32 => self.len32()?,
            // Behind the length of an extension stands its type.
            Marker::FixExt1 => 2,
            Marker::FixExt2 => 3,
            Marker::FixExt4 => 5,
            Marker::FixExt8 => 9,
            Marker::FixExt16 => 17,
            Marker::Ext8 => self.len8()? + 1,
            Marker::Ext16 => self.len16()? + 1,
            Marker::Ext32 => self.len32()?.saturating_add(1),
            Marker::FixArray(len) => return self.skip_each(usize::from(len), depth),
            Marker::Array16 => return self.len16().and_then(|len| self.skip_each(len, depth)),
            Marker::Array32 => return self.len32().and_then(|len| self.skip_each(len, depth)),
            Marker::FixMap(len) => return self.skip_each(2 * usize::from(len), depth),
            Marker::Map16 => return self.len16().and_then(|len| self.skip_each(2 * len, depth)),
            Marker::Map32 => return self.len32().and_then(|len| self.skip_each(len.saturating_mul(2), depth)),
            Marker::Reserved => return Err(DecodeFault::Value),
        };
        self.take(bytes).map(drop)
    }

    fn skip_each(&mut self, count: usize, depth: usize) -> Result<()> {
        (0..count).try_for_each(|_| self.skip_within(depth))
    }

    fn len8(&mut self) -> Result<usize> {
        self.number(1)?.try_into().map_err(value)
    }

    fn len16(&mut self) -> Result<usize> {
        self.number(2)?.try_into().map_err(value)
    }

    fn len32(&mut self) -> Result<usize> {
        self.number(4)?.try_into().map_err(value)
    }
}

/// Whatever a decoder of MessagePack finds fault with. What it says of it isn't kept: its errors are large.
pub(super) fn value<E>(_: E) -> DecodeFault {
    DecodeFault::Value
}
