//! Our serde serializer: MessagePack as rmp-serde writes it with named fields, but `Some(x)` is `[x]`.
//!
//! It writes to any [`Output`]: a [`Writer`](super::Writer), or the bytes that it is to equal.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

use crate::digest::escaped;
use crate::error::{Error, Result};
use crate::payload::wire::output::{Kind, Output, length};
use crate::payload::wire::{LATE_ARRAY, LATE_MAP, SOME, u32_bytes};

/// An [`Error`] as serde wants it.
#[derive(Debug)]
pub(crate) struct SerdeFault(Error);

impl SerdeFault {
    /// The error again, with the type it is about.
    pub(crate) fn of(self, type_name: &str) -> Error {
        self.0.at(format_args!("type `{type_name}`"))
    }
}

impl fmt::Display for SerdeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SerdeFault {}

impl From<Error> for SerdeFault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl ser::Error for SerdeFault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Error::unsupported(message.to_string()))
    }
}

impl serde::de::Error for SerdeFault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        // The message may repeat stored bytes, which may be anything: so it is escaped.
        Self(Error::damaged(escaped(&message.to_string()).into_owned()))
    }
}

/// Writes one value.
pub(crate) struct Encoder<'w, O>(&'w mut O);

impl<'w, O: Output> Encoder<'w, O> {
    pub(crate) fn new(out: &'w mut O) -> Self {
        Self(out)
    }

    fn sequence(self, len: Option<usize>, is_variant: bool) -> Result<Compound<'w, O>, SerdeFault> {
        let head = self.0.position();
        match len {
            Some(len) => self.0.array_head(length(len, "sequence")?),
            None => self.0.late(LATE_ARRAY),
        }
        self.0.enter()?;
        Ok(Compound { out: self.0, head, declared: len, written: 0, is_variant })
    }

    #[inline]
    fn map(self, len: Option<usize>, is_variant: bool) -> Result<Compound<'w, O>, SerdeFault> {
        let head = self.0.position();
        match len {
            Some(len) => self.0.map_head(length(len, "map")?),
            None => self.0.late(LATE_MAP),
        }
        self.0.enter()?;
        Ok(Compound { out: self.0, head, declared: len, written: 0, is_variant })
    }

    fn begin_variant(
        &mut self,
        kind: Kind,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), SerdeFault> {
        self.0.kind(kind);
        self.0.name(name);
        self.0.number(index);
        self.0.map_head(1);
        self.0.enter()?;
        Ok(self.0.str(variant)?)
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty, $kind:ident => $write:ident as $wide:ty;)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), SerdeFault> {
            self.0.kind(Kind::$kind);
            self.0.$write(<$wide>::from(value));
            Ok(())
        }
    )*};
}

impl<'w, O: Output> Serializer for Encoder<'w, O> {
    type Ok = ();
    type Error = SerdeFault;
    type SerializeSeq = Compound<'w, O>;
    type SerializeTuple = Compound<'w, O>;
    type SerializeTupleStruct = Compound<'w, O>;
    type SerializeTupleVariant = Compound<'w, O>;
    type SerializeMap = Compound<'w, O>;
    type SerializeStruct = Compound<'w, O>;
    type SerializeStructVariant = Compound<'w, O>;

    numbers! {
        serialize_bool: bool, Bool => bool as bool;
        serialize_i8: i8, I8 => sint as i64;
        serialize_i16: i16, I16 => sint as i64;
        serialize_i32: i32, I32 => sint as i64;
        serialize_i64: i64, I64 => sint as i64;
        serialize_u8: u8, U8 => uint as u64;
        serialize_u16: u16, U16 => uint as u64;
        serialize_u32: u32, U32 => uint as u64;
        serialize_u64: u64, U64 => uint as u64;
        serialize_u128: u128, U128 => wide as u128;
        serialize_f32: f32, F32 => f32 as f32;
        serialize_f64: f64, F64 => f64 as f64;
    }

    fn serialize_i128(self, value: i128) -> Result<(), SerdeFault> {
        self.0.kind(Kind::I128);
        self.0.wide(value.cast_unsigned());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), SerdeFault> {
        self.0.kind(Kind::Char);
        Ok(self.0.str(value.encode_utf8(&mut [0; 4]))?)
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), SerdeFault> {
        self.0.kind(Kind::Text);
        Ok(self.0.str(value)?)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), SerdeFault> {
        self.0.kind(Kind::Bytes);
        Ok(self.0.bin(value)?)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), SerdeFault> {
        self.0.kind(Kind::None);
        self.0.nil();
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), SerdeFault> {
        self.0.kind(Kind::Some);
        self.0.raw(&SOME);
        self.0.enter()?;
        value.serialize(Encoder(&mut *self.0))?;
        self.0.leave();
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), SerdeFault> {
        self.0.kind(Kind::Unit);
        self.0.nil();
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), SerdeFault> {
        self.0.kind(Kind::UnitStruct);
        self.0.name(name);
        self.0.nil();
        Ok(())
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<(), SerdeFault> {
        self.0.kind(Kind::UnitVariant);
        self.0.name(name);
        self.0.number(index);
        Ok(self.0.str(variant)?)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), SerdeFault> {
        self.0.kind(Kind::Newtype);
        self.0.name(name);
        // MessagePack has no level for it, but whoever reads it goes one deeper.
        self.0.enter()?;
        value.serialize(Encoder(&mut *self.0))?;
        self.0.leave();
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), SerdeFault> {
        self.begin_variant(Kind::NewtypeVariant, name, index, variant)?;
        value.serialize(Encoder(&mut *self.0))?;
        self.0.leave();
        Ok(())
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'w, O>, SerdeFault> {
        self.0.kind(Kind::Sequence);
        self.sequence(len, false)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'w, O>, SerdeFault> {
        self.0.kind(Kind::Tuple);
        self.sequence(Some(len), false)
    }

    fn serialize_tuple_struct(self, name: &'static str, len: usize) -> Result<Compound<'w, O>, SerdeFault> {
        self.0.kind(Kind::TupleStruct);
        self.0.name(name);
        self.sequence(Some(len), false)
    }

    fn serialize_tuple_variant(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'w, O>, SerdeFault> {
        self.begin_variant(Kind::TupleVariant, name, index, variant)?;
        self.sequence(Some(len), true)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'w, O>, SerdeFault> {
        self.0.kind(Kind::Map);
        self.map(len, false)
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Compound<'w, O>, SerdeFault> {
        self.0.kind(Kind::Struct);
        self.0.name(name);
        self.map(Some(len), false)
    }

    fn serialize_struct_variant(
        mut self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'w, O>, SerdeFault> {
        self.begin_variant(Kind::StructVariant, name, index, variant)?;
        self.map(Some(len), true)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Writes a sequence, a map, or what is like them.
pub(crate) struct Compound<'w, O> {
    out: &'w mut O,
    /// Where its head is; the length goes into it last if it wasn't known at first.
    head: usize,
    declared: Option<usize>,
    written: usize,
    /// Whether it is the content of a variant, whose map of one entry ends with it.
    is_variant: bool,
}

impl<O: Output> Compound<'_, O> {
    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeFault> {
        self.written += 1;
        value.serialize(Encoder(&mut *self.out))
    }

    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), SerdeFault> {
        self.out.str(name)?;
        self.item(value)
    }

    fn close(self) -> Result<(), SerdeFault> {
        match self.declared {
            None => self.out.patch(self.head + 1, &u32_bytes(length(self.written, "sequence")?)),
            Some(declared) if declared == self.written => {}
            Some(declared) => {
                return Err(ser::Error::custom(format_args!(
                    "a sequence or map of {declared} was declared, {} came",
                    self.written
                )));
            }
        }
        if self.is_variant {
            self.out.leave();
        }
        self.out.leave();
        Ok(())
    }
}

macro_rules! compounds {
    ($($trait:ident { fn $method:ident($($name:ident: $type:ty)?) => $write:ident })*) => {$(
        impl<O: Output> ser::$trait for Compound<'_, O> {
            type Ok = ();
            type Error = SerdeFault;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)? value: &T) -> Result<(), SerdeFault> {
                self.$write($($name,)? value)
            }

            fn end(self) -> Result<(), SerdeFault> {
                self.close()
            }
        }
    )*};
}

compounds! {
    SerializeSeq { fn serialize_element() => item }
    SerializeTuple { fn serialize_element() => item }
    SerializeTupleStruct { fn serialize_field() => item }
    SerializeTupleVariant { fn serialize_field() => item }
    SerializeStruct { fn serialize_field(name: &'static str) => field }
    SerializeStructVariant { fn serialize_field(name: &'static str) => field }
}

impl<O: Output> ser::SerializeMap for Compound<'_, O> {
    type Ok = ();
    type Error = SerdeFault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerdeFault> {
        key.serialize(Encoder(&mut *self.out))
    }

    /// The values are counted: a key without one is found when the value is read again.
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeFault> {
        self.item(value)
    }

    fn end(self) -> Result<(), SerdeFault> {
        self.close()
    }
}
