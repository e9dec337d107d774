//! MessagePack within its bytes: values are read one after the other, and nothing is allocated for a length that is
//! only claimed.

use std::fmt;

use rmp::Marker;
use rmp::decode::{Bytes, RmpRead, marker_to_len, read_array_len, read_bin_len, read_bool, read_int, read_map_len};
use rmp::decode::{read_marker, read_str_len};

use crate::digest::Digest;

/// How deep values may nest: those of format 1 nest four deep, unknown fields of a later version may nest deeper.
const DEPTH_MAX: usize = 32;

/// So many elements are reserved for a list whose length is only claimed.
const RESERVED: usize = 8;

/// Why bytes aren't what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
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

pub(super) type Result<T> = std::result::Result<T, Fault>;

impl fmt::Display for Fault {
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

impl std::error::Error for Fault {}

/// What is left of the bytes.
pub(super) struct Cursor<'a>(Bytes<'a>);

/// Decodes one value that takes all of `bytes`.
pub(super) fn whole<'a, T>(bytes: &'a [u8], read: impl FnOnce(&mut Cursor<'a>) -> Result<T>) -> Result<T> {
    let mut cursor = Cursor(Bytes::new(bytes));
    let value = read(&mut cursor)?;
    if cursor.rest().is_empty() { Ok(value) } else { Err(Fault::Trailing) }
}

/// Takes the value of a field, which a map holds once.
#[inline]
pub(super) fn once<T>(field: &mut Option<T>, value: T) -> Result<()> {
    if field.replace(value).is_none() { Ok(()) } else { Err(Fault::Twice) }
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0.remaining_slice()
    }

    /// The bytes that were read since `before` was left.
    pub(super) fn since(&self, before: &'a [u8]) -> &'a [u8] {
        &before[..before.len() - self.rest().len()]
    }

    /// Passes over these bytes, if they come next.
    pub(super) fn passes(&mut self, bytes: &[u8]) -> bool {
        let rest = self.rest().strip_prefix(bytes);
        if let Some(rest) = rest {
            self.0 = Bytes::new(rest);
        }
        rest.is_some()
    }

    /// Reads a map of named fields, in any order. `read` is called with each name, and reads its value or skips it.
    #[inline]
    pub(super) fn map(&mut self, mut read: impl FnMut(&mut Self, &str) -> Result<()>) -> Result<()> {
        for _ in 0..read_map_len(&mut self.0).map_err(value)? {
            let name = self.str()?;
            read(self, name)?;
        }
        Ok(())
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
        read_array_len(&mut self.0).map_err(value).map(|len| len as usize)
    }

    #[inline]
    pub(super) fn bool(&mut self) -> Result<bool> {
        read_bool(&mut self.0).map_err(value)
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Result<u64> {
        read_int(&mut self.0).map_err(value)
    }

    #[inline]
    pub(super) fn i64(&mut self) -> Result<i64> {
        read_int(&mut self.0).map_err(value)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32> {
        read_int(&mut self.0).map_err(value)
    }

    pub(super) fn digest(&mut self) -> Result<Digest> {
        self.bytes()?.try_into().map(Digest::from_bytes).map_err(value)
    }

    pub(super) fn text(&mut self) -> Result<String> {
        self.str().map(str::to_owned)
    }

    #[inline]
    pub(super) fn str(&mut self) -> Result<&'a str> {
        let len = read_str_len(&mut self.0).map_err(value)?;
        std::str::from_utf8(self.take(len as usize)?).map_err(value)
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = read_bin_len(&mut self.0).map_err(value)?;
        self.take(len as usize)
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest().split_at_checked(len).ok_or(Fault::Value)?;
        self.0 = Bytes::new(rest);
        Ok(taken)
    }

    /// Passes over the value of a field that this version doesn't know.
    #[cold]
    pub(super) fn skip(&mut self) -> Result<()> {
        self.skip_within(DEPTH_MAX)
    }

    fn skip_within(&mut self, depth: usize) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or(Fault::Depth)?;
        let marker = read_marker(&mut self.0).map_err(value)?;
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
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                let len = marker_to_len(&mut self.0, marker).map_err(value)? as usize;
                return self.skip_each(len, depth).and_then(|()| self.skip_each(len, depth));
            }
            Marker::Reserved => return Err(Fault::Value),
        };
        self.take(bytes).map(drop)
    }

    fn skip_each(&mut self, count: usize, depth: usize) -> Result<()> {
        (0..count).try_for_each(|_| self.skip_within(depth))
    }

    fn len8(&mut self) -> Result<usize> {
        self.0.read_data_u8().map_err(value).map(usize::from)
    }

    fn len16(&mut self) -> Result<usize> {
        self.0.read_data_u16().map_err(value).map(usize::from)
    }

    fn len32(&mut self) -> Result<usize> {
        self.0.read_data_u32().map_err(value).map(|len| len as usize)
    }
}

/// Whatever a decoder of MessagePack finds fault with. What it says of it isn't kept: its errors are large.
fn value<E>(_: E) -> Fault {
    Fault::Value
}
