//! Our serde deserializer. The form describes itself, but for wide integers, variants and what is inside a newtype.

use rmp::Marker;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::error::{Error, Result};
use crate::payload::Reader;
use crate::payload::by_serde::write::SerdeFault;

/// Reads one value.
pub(crate) struct Decoder<'r, 'de>(&'r mut Reader<'de>);

impl<'r, 'de> Decoder<'r, 'de> {
    pub(crate) fn new(input: &'r mut Reader<'de>) -> Self {
        Self(input)
    }

    fn sequence<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeFault> {
        let mut left = self.0.begin_array()?;
        let value = visitor.visit_seq(ReadItems { input: self.0, left: &mut left })?;
        self.complete(left, "sequence")?;
        Ok(value)
    }

    fn map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeFault> {
        let mut left = self.0.begin_map()?;
        let value = visitor.visit_map(ReadItems { input: self.0, left: &mut left })?;
        self.complete(left, "map")?;
        Ok(value)
    }

    fn complete(self, left: usize, what: &str) -> Result<()> {
        self.0.end();
        match left {
            0 => Ok(()),
            left => Err(Error::damaged(format!("{what} has {left} more values than its type takes"))),
        }
    }

    /// Reads something that isn't an array or a map of its own, yet counts as a level: such types can be recursive
    /// without taking any input.
    fn nested<V>(self, read: impl FnOnce(&mut Reader<'de>) -> Result<V, SerdeFault>) -> Result<V, SerdeFault> {
        self.0.enter()?;
        self.close(read)
    }

    fn close<V>(self, read: impl FnOnce(&mut Reader<'de>) -> Result<V, SerdeFault>) -> Result<V, SerdeFault> {
        let value = read(self.0)?;
        self.0.end();
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for Decoder<'_, 'de> {
    type Error = SerdeFault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeFault> {
        let Some(&head) = self.0.rest().first() else { return Err(self.0.unexpected("a value").into()) };
        match head {
            0xc0 => {
                self.0.nil()?;
                visitor.visit_unit()
            }
            0xc2 | 0xc3 => visitor.visit_bool(self.0.bool()?),
            0x00..=0x7f | 0xcc..=0xcf => visitor.visit_u64(self.0.uint()?),
            0xe0.. | 0xd0..=0xd3 => visitor.visit_i64(self.0.sint()?),
            0xca => visitor.visit_f32(self.0.f32()?),
            0xcb => visitor.visit_f64(self.0.f64()?),
            0xa0..=0xbf | 0xd9..=0xdb => visitor.visit_borrowed_str(self.0.str()?),
            0xc4..=0xc6 => visitor.visit_borrowed_bytes(self.0.bin()?),
            0x90..=0x9f | 0xdc | 0xdd if self.0.begin_some()? => self.close(|input| visitor.visit_some(Decoder(input))),
            0x90..=0x9f | 0xdc | 0xdd => self.sequence(visitor),
            0x80..=0x8f | 0xde | 0xdf => self.map(visitor),
            _ => Err(self.0.unexpected("a value that serde knows").into()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeFault> {
        if self.0.is_nil()? {
            return visitor.visit_none();
        }
        match self.0.begin_some()? {
            true => self.close(|input| visitor.visit_some(Decoder(input))),
            // Written by a `serialize_with` that leaves out the `Some`.
            false => self.nested(|input| visitor.visit_some(Decoder(input))),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, SerdeFault> {
        self.nested(|input| visitor.visit_newtype_struct(Decoder(input)))
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeFault> {
        visitor.visit_u128(self.0.wide()?)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeFault> {
        visitor.visit_i128(self.0.wide()?.cast_signed())
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeFault> {
        match self.0.marker()? {
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                visitor.visit_enum(Variant { input: self.0, has_content: false })
            }
            _ => {
                self.0.begin_map_of(1, "variant")?;
                self.close(|input| visitor.visit_enum(Variant { input, has_content: true }))
            }
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The values of an array, or the entries of a map, that are left.
struct ReadItems<'r, 'de> {
    input: &'r mut Reader<'de>,
    left: &'r mut usize,
}

impl<'de> SeqAccess<'de> for ReadItems<'_, 'de> {
    type Error = SerdeFault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, SerdeFault> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        *self.left = left;
        seed.deserialize(Decoder(self.input)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(*self.left)
    }
}

impl<'de> MapAccess<'de> for ReadItems<'_, 'de> {
    type Error = SerdeFault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, SerdeFault> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, SerdeFault> {
        seed.deserialize(Decoder(self.input))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(*self.left)
    }
}

struct Variant<'r, 'de> {
    input: &'r mut Reader<'de>,
    has_content: bool,
}

impl Variant<'_, '_> {
    fn expect(&self, content: bool) -> Result<()> {
        match self.has_content == content {
            true => Ok(()),
            false => Err(self.input.unexpected(if content { "a variant's content" } else { "a variant without any" })),
        }
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = SerdeFault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), SerdeFault> {
        let name = seed.deserialize(Decoder(self.input))?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = SerdeFault;

    fn unit_variant(self) -> Result<(), SerdeFault> {
        Ok(self.expect(false)?)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, SerdeFault> {
        self.expect(true)?;
        seed.deserialize(Decoder(self.input))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, SerdeFault> {
        self.expect(true)?;
        Decoder(self.input).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, SerdeFault> {
        self.expect(true)?;
        Decoder(self.input).deserialize_any(visitor)
    }
}
