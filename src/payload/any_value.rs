//! A stored value of whatever type: a tree, without the type that wrote it.

use rmp::Marker;

use super::wire::{Ext, MAX_DEPTH};
use crate::digest::{ArrayMeta, Digest};
use crate::error::{Error, Result};
use crate::payload::raw::pickle;
use crate::payload::wire::read::{ReadArray, inline_array};

/// How many parts a value may have to become a tree, which takes many times the memory of its bytes.
const PARTS_MAX: usize = 1 << 24;

/// The extension of an object that Python pickled.
const PICKLE: i8 = Ext::Pickle as i8;

/// A stored result as a tree, whatever its Rust type: what its record holds, without the type that wrote it.
///
/// [`Entry::value`](crate::Entry::value) returns it. Structs and maps are [`Map`](Self::Map), tuples, sequences and
/// sets are [`List`](Self::List), a variant with fields is a map of one, `Some(x)` a list of one, `None` and `()` are
/// [`Nil`](Self::Nil). Arrays are referred to by their index in [`Entry::arrays`](crate::Entry::arrays).
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// use ndcache::inspect::Value;
///
/// #[ndcache::cache]
/// fn fit(n: u32) -> (f64, Option<String>, ndarray::Array1<f64>) {
///     (0.5, None, ndarray::Array1::zeros(n as usize))
/// }
///
/// let memory = ndcache::Memory::open(folder.path())?;
/// memory.eval(fit::call(3));
/// let value = memory.entry(&fit::call(3))?.unwrap().value()?;
/// assert_eq!(value, Value::List(vec![Value::Float64(0.5), Value::Nil, Value::Array(0)]));
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `None`, `()`, or a struct without fields.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer of at most 64 bits; longer ones are [`Bytes`](Self::Bytes), 16 of them, most significant first.
    Integer(i128),
    /// An `f32`.
    Float32(f32),
    /// An `f64`.
    Float64(f64),
    /// A text, a `char`, or the name of a variant without fields.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A tuple, a sequence, a set, or `Some`.
    List(Vec<Value>),
    /// A struct, a map, or a variant with fields, in the order in which it is stored.
    Map(Vec<(Value, Value)>),
    /// An array: its index in [`Entry::arrays`](crate::Entry::arrays).
    Array(usize),
    /// An object that Python pickled. It is never unpickled here.
    Pickle {
        /// The length of its stream in bytes.
        bytes: u64,
        /// The digest of its stream.
        digest: Digest,
        /// The arrays that the stream leaves out: their indices in [`Entry::arrays`](crate::Entry::arrays).
        arrays: Vec<usize>,
    },
}

/// An array that lies inside a value, with its elements.
pub(crate) type InlineArray = (ArrayMeta, Vec<u8>);

/// Reads a stored value that refers to `files` array files; and the arrays inside it, whose indices follow those.
///
/// # Errors
/// Returns an error of kind `Damaged` when the bytes are no stored value, and when it refers to an array that isn't
/// there.
pub(crate) fn any_value(bytes: &[u8], files: usize) -> Result<(Value, Vec<InlineArray>)> {
    let mut tree = ValueTree { rest: bytes, files, inline: Vec::new(), parts: 0 };
    let value = tree.value(0)?;
    match tree.rest.len() {
        0 => Ok((value, tree.inline)),
        left => Err(Error::damaged(format!("value is followed by {left} bytes"))),
    }
}

struct ValueTree<'a> {
    rest: &'a [u8],
    files: usize,
    inline: Vec<InlineArray>,
    parts: usize,
}

impl<'a> ValueTree<'a> {
    fn value(&mut self, depth: u32) -> Result<Value> {
        // A value of our own nests that deep at most, and a variant adds a map.
        if depth > 2 * MAX_DEPTH {
            return Err(Error::damaged("value nests too deep"));
        }
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(Error::unsupported(format!("value has more than {PARTS_MAX} parts, too many for a tree")));
        }
        let marker = Marker::from_u8(self.take(1)?[0]);
        Ok(match marker {
            Marker::Null => Value::Nil,
            Marker::False => Value::Bool(false),
            Marker::True => Value::Bool(true),
            Marker::FixPos(number) => Value::Integer(number.into()),
            Marker::FixNeg(number) => Value::Integer(number.into()),
            Marker::U8 => Value::Integer(self.number(1)?.into()),
            Marker::U16 => Value::Integer(self.number(2)?.into()),
            Marker::U32 => Value::Integer(self.number(4)?.into()),
            Marker::U64 => Value::Integer(self.number(8)?.into()),
            Marker::I8 => Value::Integer((self.number(1)? as i8).into()),
            Marker::I16 => Value::Integer((self.number(2)? as i16).into()),
            Marker::I32 => Value::Integer((self.number(4)? as i32).into()),
            Marker::I64 => Value::Integer(self.number(8)?.cast_signed().into()),
            Marker::F32 => Value::Float32(f32::from_bits(self.number(4)? as u32)),
            Marker::F64 => Value::Float64(f64::from_bits(self.number(8)?)),
            Marker::FixStr(len) => self.text(len.into())?,
            Marker::Str8 => self.long(1, Self::text)?,
            Marker::Str16 => self.long(2, Self::text)?,
            Marker::Str32 => self.long(4, Self::text)?,
            Marker::Bin8 => self.long(1, Self::bytes)?,
            Marker::Bin16 => self.long(2, Self::bytes)?,
            Marker::Bin32 => self.long(4, Self::bytes)?,
            Marker::FixArray(len) => self.list(len.into(), depth)?,
            Marker::Array16 => self.long(2, |tree, len| tree.list(len, depth))?,
            Marker::Array32 => self.long(4, |tree, len| tree.list(len, depth))?,
            Marker::FixMap(len) => self.map(len.into(), depth)?,
            Marker::Map16 => self.long(2, |tree, len| tree.map(len, depth))?,
            Marker::Map32 => self.long(4, |tree, len| tree.map(len, depth))?,
            Marker::FixExt1 => self.extension(1)?,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => self.extension(8)?,
            Marker::FixExt16 => self.extension(16)?,
            Marker::Ext8 => self.long(1, Self::extension)?,
            Marker::Ext16 => self.long(2, Self::extension)?,
            Marker::Ext32 => self.long(4, Self::extension)?,
            Marker::Reserved => return Err(Error::damaged("value has a reserved byte")),
        })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, left) = self.rest.split_at_checked(len).ok_or_else(|| Error::damaged("value is cut off"))?;
        self.rest = left;
        Ok(taken)
    }

    /// Reads a big-endian number of `bytes` bytes.
    fn number(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// Reads an item that begins with its length, a number of `bytes` bytes.
    fn long(&mut self, bytes: usize, read: impl FnOnce(&mut Self, usize) -> Result<Value>) -> Result<Value> {
        let len = usize::try_from(self.number(bytes)?).map_err(|_| Error::damaged("value is cut off"))?;
        read(self, len)
    }

    fn text(&mut self, len: usize) -> Result<Value> {
        let text = std::str::from_utf8(self.take(len)?);
        text.map(|text| Value::Text(text.to_owned())).map_err(|_| Error::damaged("value has a text that isn't UTF-8"))
    }

    fn bytes(&mut self, len: usize) -> Result<Value> {
        self.take(len).map(|bytes| Value::Bytes(bytes.to_owned()))
    }

    /// Grows as items are there: the length is only claimed.
    fn list(&mut self, len: usize, depth: u32) -> Result<Value> {
        let mut items = Vec::new();
        for at in 0..len {
            let is_digest = at == 0 && len == 2 && self.skip_leaf_digest();
            if !is_digest {
                items.push(self.value(depth + 1)?);
            } else {
                // What only serde knows: its digest, and itself.
                return self.value(depth + 1);
            }
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, len: usize, depth: u32) -> Result<Value> {
        let mut entries = Vec::new();
        for _ in 0..len {
            entries.push((self.value(depth + 1)?, self.value(depth + 1)?));
        }
        Ok(Value::Map(entries))
    }

    /// Takes the digest of what only serde knows off, if that comes next.
    fn skip_leaf_digest(&mut self) -> bool {
        let is_leaf = |kind: &u8| [Ext::ExactLeaf as u8, Ext::UnorderedLeaf as u8].contains(kind);
        match self.rest {
            [0xd8, kind, rest @ ..] if is_leaf(kind) && rest.len() >= 16 => {
                self.rest = &rest[16..];
                true
            }
            _ => false,
        }
    }

    fn extension(&mut self, len: usize) -> Result<Value> {
        let kind = self.take(1)?[0].cast_signed();
        let bytes = self.take(len)?;
        match i32::from(kind) {
            lifted if lifted == Ext::Lifted as i32 => self.lifted(bytes),
            inline if inline == Ext::Inline as i32 => self.inline_array(bytes),
            pickle if pickle == i32::from(PICKLE) => self.pickled(bytes),
            _ => Err(Error::damaged(format!("value has extension {kind}, which this version doesn't know"))),
        }
    }

    fn lifted(&self, bytes: &[u8]) -> Result<Value> {
        let index = bytes.iter().fold(0, |index, &byte| index << 8 | usize::from(byte));
        if bytes.len() == 4 && index < self.files {
            return Ok(Value::Array(index));
        }
        Err(Error::damaged(format!("value refers to array {index} of {}", self.files)))
    }

    fn inline_array(&mut self, bytes: &[u8]) -> Result<Value> {
        let ReadArray::Inline(meta, elements) = inline_array(bytes)? else {
            return Err(Error::damaged("value has an array inside it that is elsewhere"));
        };
        self.inline.push((meta, elements.to_owned()));
        Ok(Value::Array(self.files + self.inline.len() - 1))
    }

    fn pickled(&self, bytes: &[u8]) -> Result<Value> {
        let (stream, buffers) = pickle(bytes)?;
        let is_there = |index: &usize| *index < self.files;
        let arrays = buffers.into_iter().map(|number| usize::try_from(number).ok().filter(is_there));
        let arrays = arrays.collect::<Option<Vec<usize>>>();
        let arrays = arrays.ok_or_else(|| Error::damaged("value has a pickle with a buffer that isn't there"))?;
        Ok(Value::Pickle { bytes: stream.len() as u64, digest: Digest::of(stream), arrays })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_of_value_is_told() {
        let read = |bytes: &[u8]| any_value(bytes, 2).unwrap().0;
        assert_eq!(read(&[0xc0]), Value::Nil);
        assert_eq!(read(&[0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]), Value::Integer(-2));
        assert_eq!(read(&[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Value::Integer(u64::MAX.into()));
        assert_eq!(read(&[0xd0, 0x80]), Value::Integer(-128));
        assert_eq!(read(&[0xca, 0x3f, 0x80, 0, 0]), Value::Float32(1.0));
        assert_eq!(read(&[0xd6, 1, 0, 0, 0, 1]), Value::Array(1));
        assert_eq!(read(&[0x81, 0xa1, b'a', 0x92, 1, 0xc3]), {
            Value::Map(vec![(Value::Text("a".into()), Value::List(vec![Value::Integer(1), Value::Bool(true)]))])
        });
        let leaf = [&[0x92, 0xd8, 4][..], &[7; 16], &[0xa1, b'x']].concat();
        assert_eq!(read(&leaf), Value::Text("x".into()));
        let pickle = |arrays| Value::Pickle { bytes: 1, digest: Digest::of(&[9]), arrays };
        assert_eq!(read(&[0xc7, 5, 3, 0x92, 0xc4, 1, 9, 0x90]), pickle(vec![]));
        assert_eq!(read(&[0xc7, 7, 3, 0x92, 0xc4, 1, 9, 0x92, 1, 0]), pickle(vec![1, 0]));
        // The array of four bytes [1, 2] inside the value.
        let inline = [&[0xc7, 13, 2, 0x94, 0xa3][..], b"|u1", &[0xa1, b'C', 0x91, 2, 0xc4, 2, 1, 2]].concat();
        let (value, arrays) = any_value(&inline, 2).unwrap();
        assert_eq!((value, arrays[0].1.as_slice()), (Value::Array(2), &[1, 2][..]));
    }

    #[test]
    fn what_is_no_value_is_damaged() {
        for bytes in [
            &[][..],
            &[0xc1],
            &[0xc0, 0xc0],
            &[0xd6, 1, 0, 0, 0, 2],
            &[0xd5, 1, 0, 0],
            &[0xd4, 9, 0],
            &[0xa1, 0xff],
            &[0xdf, 0xff, 0xff, 0xff, 0xff, 1],
            &[0xc6, 0xff, 0xff, 0xff, 0xff],
            &[0x91; 100_000],
            &[0xc7, 1, 3, 0xc0],
            &[0xc7, 6, 3, 0x92, 0xc4, 1, 9, 0x91, 2],
        ] {
            let error = any_value(bytes, 2).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Damaged, "{error}");
        }
    }

    #[test]
    fn pickles_in_pickles_are_damaged_however_deep_they_nest() {
        const LAYERS: usize = 100_000;
        // Each has a list of buffers with the next one in it, the last one with the number 0.
        let around = [0x92_u8, 0xc4, 1, 9, 0x91];
        let mut bytes = Vec::new();
        for inside in (0..LAYERS).rev() {
            let held = u32::try_from(inside * (6 + around.len()) + around.len() + 1).unwrap();
            rmp::encode::write_ext_meta(&mut bytes, held, 3).unwrap();
            bytes.extend(around);
        }
        bytes.push(0);
        assert_eq!(any_value(&bytes, 2).unwrap_err().kind(), crate::ErrorKind::Damaged);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = any_value(&bytes, 1);
        }
    }
}
