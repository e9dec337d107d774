//! Values that only serde knows, fed without losing what a compact format would leave out.

use std::fmt::{self, Display};
use std::hash::{Hash, Hasher};
use std::mem;

use serde::{Serialize, Serializer, ser};

use super::hasher::ContentHasher;
use super::tag::Tag;
use super::value::Digest;
use crate::error::{Error, Result};

/// The digest of what serde knows of a value.
///
/// Names, variants, the width of integers, and `Some` count, so that values of different meaning differ: `Some(None)`
/// and `None`, `Metres(1.0)` and `Feet(1.0)`, the variants of an enum. The entries of a map count in no order; those of
/// a set do, since serde calls it a sequence.
///
/// **What `Serialize` hides doesn't count**, and two values that differ in nothing else have one digest: a field with
/// `#[serde(skip)]`, or left out by `skip_serializing_if` (of a tuple struct, which one), what `serialize_with`
/// drops, the variants of an untagged enum that serialize alike unless the enum is `value` itself. So as arguments:
/// only the elements of a `Vec`, slice, array, `Option`, `Box`, pair or triple are looked at one by one.
/// `#[derive(ContentHash)]` hides nothing, and takes fields that only serde knows.
///
/// ```
/// use ndcache::digest_serde;
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
/// Returns an error of kind [`Invalid`](crate::ErrorKind::Invalid) when the value refuses to serialize.
pub fn digest_serde<T: Serialize>(value: &T) -> Result<Digest> {
    let mut hasher = ContentHasher::new();
    feed(value, &mut hasher, false)?;
    Ok(hasher.finish())
}

/// The same, but sequences count in no order, as some are sets.
///
/// Only to see whether a value survived being written and read: a set may come back in another order.
pub(crate) fn digest_serde_unordered<T: Serialize>(value: &T) -> Result<Digest> {
    let mut hasher = ContentHasher::new();
    feed(value, &mut hasher, true)?;
    Ok(hasher.finish())
}

/// Feeds the variant of a value, which serde may not tell, and what it serializes.
pub(super) fn feed<T: Serialize>(value: &T, hasher: &mut ContentHasher, unordered: bool) -> Result<()> {
    hasher.tagged(Tag::Discriminant, &discriminant(value).to_le_bytes());
    value
        .serialize(Canonical { hasher, unordered })
        .map_err(|refused| Error::invalid(format!("can't serialize `{}`", std::any::type_name::<T>())).because(refused))
}

/// The number of an enum's variant; the same one for all values of other types.
pub(crate) fn discriminant<T>(value: &T) -> u128 {
    struct Recorder(u128);

    impl Hasher for Recorder {
        fn write(&mut self, bytes: &[u8]) {
            self.0 = bytes.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte));
        }

        fn finish(&self) -> u64 {
            0
        }
    }

    let mut recorder = Recorder(0);
    mem::discriminant(value).hash(&mut recorder);
    recorder.0
}

/// What a `Serialize` implementation said when it refused.
#[derive(Debug)]
struct Refused(String);

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

type Fed<T = ()> = Result<T, Refused>;

/// How a variant holds its values. The numbers are part of the format.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
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
    fn begin_variant(&mut self, kind: Kind, name: &str, index: u32, variant: &str) {
        self.hasher.tagged_str(Tag::SerdeVariant, name);
        self.hasher.raw(&index.to_le_bytes());
        self.hasher.length_and(variant.as_bytes());
        self.hasher.raw(&[kind as u8]);
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Fed {
        value.serialize(Canonical { hasher: self.hasher, unordered: self.unordered })
    }

    /// The digest of a value on its own.
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Fed<Digest> {
        let mut hasher = self.hasher.child();
        value.serialize(Canonical { hasher: &mut hasher, unordered: self.unordered })?;
        Ok(self.hasher.absorb(hasher))
    }

    fn end(self) -> Fed {
        self.hasher.end();
        Ok(())
    }
}

macro_rules! plain {
    ($($method:ident, $feed:ident, $type:ty;)*) => {$(
        fn $method(self, value: $type) -> Fed {
            self.hasher.$feed(value);
            Ok(())
        }
    )*};
}

impl<'a> Serializer for Canonical<'a> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Entries<'a>;
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

    fn serialize_none(self) -> Fed {
        self.hasher.none();
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Fed {
        self.hasher.some();
        value.serialize(self)
    }

    fn serialize_unit(self) -> Fed {
        self.hasher.unit();
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Fed {
        self.hasher.begin_struct(name);
        self.end()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Fed {
        self.hasher.tagged_str(Tag::Newtype, name);
        value.serialize(self)
    }

    fn serialize_unit_variant(mut self, name: &'static str, index: u32, variant: &'static str) -> Fed {
        self.begin_variant(Kind::Unit, name, index, variant);
        self.end()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Fed {
        self.begin_variant(Kind::Newtype, name, index, variant);
        self.value(value)?;
        self.end()
    }

    fn serialize_seq(self, _len: Option<usize>) -> Fed<Items<'a>> {
        self.hasher.begin_stream();
        Ok(Items { canonical: self, bag: Vec::new() })
    }

    fn serialize_tuple(self, _len: usize) -> Fed<Self> {
        self.hasher.begin_tuple();
        Ok(self)
    }

    fn serialize_tuple_struct(self, name: &'static str, _len: usize) -> Fed<Self> {
        self.hasher.begin_struct(name);
        Ok(self)
    }

    fn serialize_tuple_variant(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Fed<Self> {
        self.begin_variant(Kind::Tuple, name, index, variant);
        Ok(self)
    }

    fn serialize_map(self, len: Option<usize>) -> Fed<Entries<'a>> {
        // What it says of its length is a hint, and may be wrong.
        let entries = Vec::with_capacity(len.unwrap_or(0).min(1024));
        Ok(Entries { canonical: self, key: None, entries })
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Fed<Self> {
        self.hasher.begin_struct(name);
        Ok(self)
    }

    fn serialize_struct_variant(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Fed<Self> {
        self.begin_variant(Kind::Struct, name, index, variant);
        Ok(self)
    }
}

/// A sequence under way, which has begun in the stream; its digests are kept back where the order doesn't count.
struct Items<'a> {
    canonical: Canonical<'a>,
    bag: Vec<Digest>,
}

impl ser::SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Fed {
        if !self.canonical.unordered {
            return self.canonical.value(value);
        }
        let digest = self.canonical.part(value)?;
        self.bag.push(digest);
        Ok(())
    }

    fn end(self) -> Fed {
        if self.canonical.unordered {
            self.canonical.hasher.unordered(Tag::Set, self.bag);
        }
        self.canonical.end()
    }
}

/// A map under way, of which nothing is in the stream yet.
struct Entries<'a> {
    canonical: Canonical<'a>,
    key: Option<Digest>,
    entries: Vec<[Digest; 2]>,
}

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Fed {
        self.key = Some(self.canonical.part(key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Fed {
        let key = self.key.take().ok_or_else(|| ser::Error::custom("a map's value came before its key"))?;
        let value = self.canonical.part(value)?;
        self.entries.push([key, value]);
        Ok(())
    }

    fn end(self) -> Fed {
        self.canonical.hasher.unordered(Tag::Map, self.entries);
        Ok(())
    }
}

macro_rules! compound {
    ($($trait:ident, $method:ident;)*) => {$(
        impl ser::$trait for Canonical<'_> {
            type Ok = ();
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Fed {
                self.value(value)
            }

            fn end(self) -> Fed {
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
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Fed {
                self.hasher.field(name);
                self.value(value)
            }

            fn end(self) -> Fed {
                Canonical::end(self)
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

#[cfg(test)]
mod tests;
