//! Values that only serde knows, fed without losing what a compact format would leave out.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt::{self, Display};
use std::hash::{Hash, Hasher};
use std::mem;

use serde::{Serialize, Serializer, ser};

use crate::digest::value::Digest;
use crate::digest::values::hasher::{ContentHasher, DigestSum, Head, HeadKind, Name};
use crate::digest::values::tag::Tag;
use crate::error::{Error, Result};

/// Computes the digest of a value as serde serializes it.
///
/// Names, variants, the width of integers, and `Some` are part of it, so that values of different meaning differ:
/// `Some(None)` and `None`, `Metres(1.0)` and `Feet(1.0)`, the variants of an enum. The order of the entries of a map
/// doesn't matter; that of a set does, since serde serializes it as a sequence.
///
/// **What `Serialize` hides isn't part of it**, and two values that differ only in that have one digest: a field with
/// `#[serde(skip)]`, or left out by `skip_serializing_if` (in a tuple struct, which field), what `serialize_with`
/// drops, and the variants of an untagged enum that serialize alike, unless the enum is `value` itself. The same
/// holds for arguments; only the elements of a `Vec`, slice, array, `Option`, `Box`, or tuple of two to four are
/// hashed one by one. `#[derive(ContentHash)]` hides nothing, and accepts fields that only implement serde's traits.
///
/// ```
/// use ndcache::hash::digest_serde;
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Metres(f64);
/// #[derive(Serialize)]
/// struct Feet(f64);
///
/// assert_ne!(digest_serde(&Metres(1.0))?, digest_serde(&Feet(1.0))?);
/// # Ok::<(), ndcache::Error>(())
/// ```
///
/// # Errors
/// Returns an error of kind [`Invalid`](crate::ErrorKind::Invalid) when the value can't be serialized.
pub fn digest_serde<T: Serialize>(value: &T) -> Result<Digest> {
    let mut hasher = ContentHasher::new();
    feed(value, &mut hasher, false)?;
    hasher.try_finish()
}

/// The digest of what serde knows of a value, where sequences count in no order, as some are sets.
///
/// Used only to check whether a value survived being written and read: a set may come back in another order.
pub(crate) fn digest_serde_unordered<T: Serialize>(value: &T) -> Result<Digest> {
    let mut hasher = ContentHasher::new();
    feed(value, &mut hasher, true)?;
    hasher.try_finish()
}

/// Feeds the variant of a value, which serde may not tell, and what it serializes.
pub(crate) fn feed<T: Serialize>(value: &T, hasher: &mut ContentHasher, unordered: bool) -> Result<()> {
    let number = discriminant(value);
    hasher.tagged_number(Tag::Discriminant, number.to_le_bytes());
    let fed = value.serialize(Canonical { hasher, unordered });
    if hasher.shallow && hasher.cut {
        // Something was left out, with or without an error.
        return Ok(());
    }
    if let Err(refused) = fed {
        // A value that is nested too deep has failed with a reason of its own.
        return Err(hasher.failure.take().unwrap_or_else(|| refusal::<T>().because(refused)));
    }
    match hasher.spoiled {
        true => Err(refusal::<T>().because(RefusedValue("it ignores the error of a part".into()))),
        false => Ok(()),
    }
}

/// Feeds what a value serializes, without its variant. Where it refuses, the stream fails.
pub(crate) fn feed_bare<T: Serialize + ?Sized>(value: &T, hasher: &mut ContentHasher) {
    let fed = value.serialize(Canonical { hasher, unordered: false });
    if fed.is_err() && hasher.failure.is_none() {
        hasher.fail(refusal::<T>());
    }
}

#[cold]
fn refusal<T: ?Sized>() -> Error {
    Error::invalid(format!("can't serialize `{}`", type_name::<T>()))
}

/// The number of `Cow::Owned`.
const OWNED: u128 = 1;

/// The number of an enum's variant. It is the same one for all values of other types, and of `Cow`, whose variants only
/// say where the content lies: a borrowed one is deserialized as an owned one.
#[inline]
pub(crate) fn discriminant<T>(value: &T) -> u128 {
    if type_name::<T>().starts_with("alloc::borrow::Cow<") {
        return OWNED;
    }
    struct ValueRecorder(u128);

    impl Hasher for ValueRecorder {
        fn write(&mut self, bytes: &[u8]) {
            self.0 = bytes.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte));
        }

        fn finish(&self) -> u64 {
            0
        }
    }

    let mut recorder = ValueRecorder(0);
    mem::discriminant(value).hash(&mut recorder);
    recorder.0
}

/// What a `Serialize` implementation said when it refused.
#[derive(Debug)]
struct RefusedValue(Cow<'static, str>);

impl Display for RefusedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RefusedValue {}

impl ser::Error for RefusedValue {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string().into())
    }
}

type CanonicalResult<T = ()> = Result<T, RefusedValue>;

/// How a variant holds its values. The numbers are part of the format.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Holds {
    Unit = 0,
    Newtype = 1,
    Tuple = 2,
    Struct = 3,
}

/// The serializer of one value.
struct Canonical<'a> {
    hasher: &'a mut ContentHasher,
    unordered: bool,
}

impl<'a> Canonical<'a> {
    #[inline]
    fn begin_struct(&mut self, name: &'static str) -> CanonicalResult {
        self.begin(Head { name: Name::Static(name), kind: HeadKind::Struct })
    }

    fn begin_variant(
        &mut self,
        holds: Holds,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> CanonicalResult {
        let kind = HeadKind::SerdeVariant(Name::Static(variant), index, holds as u8);
        self.begin(Head { name: Name::Static(name), kind })
    }

    #[inline]
    fn begin(&mut self, head: Head<'_>) -> CanonicalResult {
        self.hasher.begin(head);
        self.goes_on()
    }

    /// An error once the digest has failed, or would take too long: it ends the recursion through a value that is nested
    /// too deep.
    #[inline]
    fn goes_on(&self) -> CanonicalResult {
        if self.hasher.is_over() { Err(over()) } else { Ok(()) }
    }

    #[inline]
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> CanonicalResult {
        let fed = value.serialize(Canonical { hasher: self.hasher, unordered: self.unordered });
        // If an implementation ignores the error, the stream has begun something that doesn't end.
        self.hasher.spoiled |= fed.is_err();
        fed
    }

    /// A value that holds one other value.
    #[inline]
    fn inside<T: Serialize + ?Sized>(self, value: &T) -> CanonicalResult {
        let mut fed = Err(over());
        let unordered = self.unordered;
        self.hasher.inside(|hasher| fed = value.serialize(Canonical { hasher, unordered }));
        fed
    }

    /// The digest of a value on its own, whose stream is `part`.
    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T, part: &mut ContentHasher) -> CanonicalResult<Digest> {
        let fed = self.value_of(value, part);
        let digest = self.hasher.absorb(part);
        fed.map(|()| digest)
    }

    /// Feeds a value to a stream of its own.
    #[inline]
    fn value_of<T: Serialize + ?Sized>(&mut self, value: &T, part: &mut ContentHasher) -> CanonicalResult {
        let fed = value.serialize(Canonical { hasher: part, unordered: self.unordered });
        self.hasher.spoiled |= fed.is_err();
        fed
    }

    /// A stream for parts.
    fn parts(&mut self) -> CanonicalResult<Box<ContentHasher>> {
        self.hasher.part().map(Box::new).ok_or_else(over)
    }

    fn end(self) -> CanonicalResult {
        self.hasher.end();
        Ok(())
    }
}

/// The error of a value that isn't fed, since an earlier one was refused; the earlier error says why.
#[cold]
fn over() -> RefusedValue {
    RefusedValue("nothing is fed any more".into())
}

macro_rules! plain {
    ($($method:ident, $feed:ident, $type:ty;)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> CanonicalResult {
            self.hasher.$feed(value);
            Ok(())
        }
    )*};
}

impl<'a> Serializer for Canonical<'a> {
    type Ok = ();
    type Error = RefusedValue;
    type SerializeSeq = SequenceItems<'a>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = MapEntries<'a>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    plain! {
        serialize_bool, bool, bool;
        serialize_i8, i8, i8;
        serialize_i16, i16, i16;
        serialize_i32, i32, i32;
        serialize_i64, i64, i64;
        serialize_i128, i128, i128;
        serialize_u8, u8, u8;
        serialize_u16, u16, u16;
        serialize_u32, u32, u32;
        serialize_u64, u64, u64;
        serialize_u128, u128, u128;
        serialize_f32, f32, f32;
        serialize_f64, f64, f64;
        serialize_char, char, char;
        serialize_str, str, &str;
        serialize_bytes, bytes, &[u8];
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_none(self) -> CanonicalResult {
        self.hasher.none();
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> CanonicalResult {
        self.hasher.some();
        self.inside(value)
    }

    fn serialize_unit(self) -> CanonicalResult {
        self.hasher.unit();
        Ok(())
    }

    fn serialize_unit_struct(mut self, name: &'static str) -> CanonicalResult {
        self.begin_struct(name)?;
        self.end()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> CanonicalResult {
        self.hasher.tagged_str(Tag::Newtype, name);
        self.inside(value)
    }

    fn serialize_unit_variant(mut self, name: &'static str, index: u32, variant: &'static str) -> CanonicalResult {
        self.begin_variant(Holds::Unit, name, index, variant)?;
        self.end()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> CanonicalResult {
        self.begin_variant(Holds::Newtype, name, index, variant)?;
        self.value(value)?;
        self.end()
    }

    fn serialize_seq(mut self, _len: Option<usize>) -> CanonicalResult<SequenceItems<'a>> {
        self.hasher.begin_stream();
        self.goes_on()?;
        let bag = if self.unordered { Some((self.parts()?, DigestSum::default())) } else { None };
        Ok(SequenceItems { canonical: self, bag })
    }

    fn serialize_tuple(self, _len: usize) -> CanonicalResult<Self> {
        self.hasher.begin_tuple();
        self.goes_on()?;
        Ok(self)
    }

    fn serialize_tuple_struct(mut self, name: &'static str, _len: usize) -> CanonicalResult<Self> {
        self.begin_struct(name)?;
        Ok(self)
    }

    fn serialize_tuple_variant(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> CanonicalResult<Self> {
        self.begin_variant(Holds::Tuple, name, index, variant)?;
        Ok(self)
    }

    fn serialize_map(mut self, _: Option<usize>) -> CanonicalResult<MapEntries<'a>> {
        let part = self.parts()?;
        Ok(MapEntries { canonical: self, has_key: false, keys: Vec::new(), part, sum: DigestSum::default() })
    }

    #[inline]
    fn serialize_struct(mut self, name: &'static str, _len: usize) -> CanonicalResult<Self> {
        self.begin_struct(name)?;
        Ok(self)
    }

    fn serialize_struct_variant(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> CanonicalResult<Self> {
        self.begin_variant(Holds::Struct, name, index, variant)?;
        Ok(self)
    }
}

/// A sequence under way, which has begun in the stream.
struct SequenceItems<'a> {
    canonical: Canonical<'a>,
    /// Where the order doesn't count: the stream of an item, and the sum so far.
    bag: Option<(Box<ContentHasher>, DigestSum)>,
}

impl ser::SerializeSeq for SequenceItems<'_> {
    type Ok = ();
    type Error = RefusedValue;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> CanonicalResult {
        self.canonical.goes_on()?;
        let Some((part, sum)) = &mut self.bag else { return self.canonical.value(value) };
        sum.add(self.canonical.part(value, part)?);
        Ok(())
    }

    fn end(self) -> CanonicalResult {
        if let Some((_, sum)) = &self.bag {
            self.canonical.hasher.unordered(Tag::Set, sum);
        }
        self.canonical.end()
    }
}

/// A map under way, of which nothing is in the stream yet.
struct MapEntries<'a> {
    canonical: Canonical<'a>,
    /// A key is in the stream of an entry, and its value isn't yet.
    has_key: bool,
    /// The digests of the keys. A key that stands there twice, as `#[serde(flatten)]` may have it, would leave open which
    /// of the two values came first.
    keys: Vec<u128>,
    part: Box<ContentHasher>,
    sum: DigestSum,
}

impl ser::SerializeMap for MapEntries<'_> {
    type Ok = ();
    type Error = RefusedValue;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> CanonicalResult {
        self.has_key = true;
        self.canonical.value_of(key, &mut self.part)?;
        self.part.tag(Tag::End);
        self.keys.push(self.part.digest().to_xxh3());
        Ok(())
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> CanonicalResult {
        if !mem::take(&mut self.has_key) {
            return Err(ser::Error::custom("a map's value came before its key"));
        }
        self.sum.add(self.canonical.part(value, &mut self.part)?);
        Ok(())
    }

    fn end(mut self) -> CanonicalResult {
        if self.has_key {
            return Err(ser::Error::custom("a map's last key has no value"));
        }
        self.keys.sort_unstable();
        if self.keys.is_sorted_by(|a, b| a < b) {
            self.canonical.hasher.unordered(Tag::Map, &self.sum);
            return Ok(());
        }
        let remedy = "derive `ndcache::ContentHash`, which counts each field by its name";
        Err(ser::Error::custom(format_args!(
            "a map has a key twice, so that its values may be swapped unseen: {remedy}"
        )))
    }
}

macro_rules! compound {
    ($($trait:ident, $method:ident;)*) => {$(
        impl ser::$trait for Canonical<'_> {
            type Ok = ();
            type Error = RefusedValue;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> CanonicalResult {
                self.value(value)
            }

            fn end(self) -> CanonicalResult {
                Canonical::end(self)
            }
        }
    )*};
}

compound! {
    SerializeTuple, serialize_element;
    SerializeTupleStruct, serialize_field;
    SerializeTupleVariant, serialize_field;
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Canonical<'_> {
            type Ok = ();
            type Error = RefusedValue;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> CanonicalResult {
                self.hasher.begin_field(name);
                self.value(value)
            }

            fn end(self) -> CanonicalResult {
                Canonical::end(self)
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

#[cfg(test)]
mod tests;
