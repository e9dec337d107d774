//! Our serde serializer: MessagePack as rmp-serde writes it with named fields, but `Some(x)` is `[x]`.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

use super::Writer;
use super::wire::{LATE_ARRAY, LATE_MAP, SOME, index_bytes};
use super::write::length;
use crate::digest::escaped;
use crate::error::{Error, Result};

/// An [`Error`] as serde wants it.
#[derive(Debug)]
pub(super) struct Fault(Error);

impl Fault {
    /// The error again, with the type it is about.
    pub(super) fn of(self, type_name: &str) -> Error {
        self.0.at(format_args!("type `{type_name}`"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Fault {}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl ser::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Error::unsupported(message.to_string()))
    }
}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        // It may repeat what the stored bytes say.
        Self(Error::damaged(escaped(&message.to_string()).into_owned()))
    }
}

/// Writes one value.
pub(super) struct Encoder<'w, 'a>(&'w mut Writer<'a>);

impl<'w, 'a> Encoder<'w, 'a> {
    pub(super) fn new(out: &'w mut Writer<'a>) -> Self {
        Self(out)
    }

    fn sequence(self, len: Option<usize>, is_variant: bool) -> Result<Compound<'w, 'a>, Fault> {
        let head = self.0.position();
        match len {
            Some(len) => self.0.begin_array(len)?,
            None => {
                self.0.raw(&LATE_ARRAY);
                self.0.enter()?;
            }
        }
        Ok(Compound { out: self.0, head, declared: len, written: 0, is_variant })
    }

    fn map(self, len: Option<usize>, is_variant: bool) -> Result<Compound<'w, 'a>, Fault> {
        let head = self.0.position();
        match len {
            Some(len) => self.0.begin_map(len)?,
            None => {
                self.0.raw(&LATE_MAP);
                self.0.enter()?;
            }
        }
        Ok(Compound { out: self.0, head, declared: len, written: 0, is_variant })
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty => $write:ident as $wide:ty;)*) => {$(
        fn $method(self, value: $type) -> Result<(), Fault> {
            self.0.$write(<$wide>::from(value));
            Ok(())
        }
    )*};
}

impl<'w, 'a> Serializer for Encoder<'w, 'a> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Compound<'w, 'a>;
    type SerializeTuple = Compound<'w, 'a>;
    type SerializeTupleStruct = Compound<'w, 'a>;
    type SerializeTupleVariant = Compound<'w, 'a>;
    type SerializeMap = Compound<'w, 'a>;
    type SerializeStruct = Compound<'w, 'a>;
    type SerializeStructVariant = Compound<'w, 'a>;

    numbers! {
        serialize_bool: bool => bool as bool;
        serialize_i8: i8 => sint as i64;
        serialize_i16: i16 => sint as i64;
        serialize_i32: i32 => sint as i64;
        serialize_i64: i64 => sint as i64;
        serialize_u8: u8 => uint as u64;
        serialize_u16: u16 => uint as u64;
        serialize_u32: u32 => uint as u64;
        serialize_u64: u64 => uint as u64;
        serialize_u128: u128 => wide as u128;
        serialize_f32: f32 => f32 as f32;
        serialize_f64: f64 => f64 as f64;
    }

    fn serialize_i128(self, value: i128) -> Result<(), Fault> {
        self.0.wide(value.cast_unsigned());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Fault> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Fault> {
        Ok(self.0.str(value)?)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Fault> {
        Ok(self.0.bin(value)?)
    }

    fn serialize_none(self) -> Result<(), Fault> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        self.0.raw(&SOME);
        self.0.enter()?;
        value.serialize(Encoder(self.0))?;
        self.0.end();
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        self.0.nil();
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Fault> {
        Ok(self.0.unit_variant(variant)?)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.0.begin_variant(variant)?;
        value.serialize(Encoder(self.0))?;
        self.0.end();
        Ok(())
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'w, 'a>, Fault> {
        self.sequence(len, false)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'w, 'a>, Fault> {
        self.sequence(Some(len), false)
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Compound<'w, 'a>, Fault> {
        self.sequence(Some(len), false)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'w, 'a>, Fault> {
        self.0.begin_variant(variant)?;
        self.sequence(Some(len), true)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'w, 'a>, Fault> {
        self.map(len, false)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Compound<'w, 'a>, Fault> {
        self.map(Some(len), false)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'w, 'a>, Fault> {
        self.0.begin_variant(variant)?;
        self.map(Some(len), true)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Writes a sequence, a map, or what is like them.
pub(super) struct Compound<'w, 'a> {
    out: &'w mut Writer<'a>,
    /// Where its head is; the length goes into it last if it wasn't known at first.
    head: usize,
    declared: Option<usize>,
    written: usize,
    /// Is it the content of a variant, whose map of one ends with it?
    is_variant: bool,
}

impl Compound<'_, '_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.written += 1;
        value.serialize(Encoder(self.out))
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Fault> {
        self.out.str(name)?;
        self.item(value)
    }

    fn close(self) -> Result<(), Fault> {
        match self.declared {
            None => self.out.patch(self.head + 1, &index_bytes(length(self.written, "sequence")?)),
            Some(declared) if declared == self.written => {}
            Some(declared) => {
                return Err(ser::Error::custom(format_args!(
                    "a sequence or map of {declared} was declared, {} came",
                    self.written
                )));
            }
        }
        if self.is_variant {
            self.out.end();
        }
        self.out.end();
        Ok(())
    }
}

macro_rules! compounds {
    ($($trait:ident { fn $method:ident($($name:ident: $type:ty)?) => $write:ident })*) => {$(
        impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = Fault;

            fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)? value: &T) -> Result<(), Fault> {
                self.$write($($name,)? value)
            }

            fn end(self) -> Result<(), Fault> {
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

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        key.serialize(Encoder(self.out))
    }

    /// The values are counted: a key without one is found when the value is read again.
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.item(value)
    }

    fn end(self) -> Result<(), Fault> {
        self.close()
    }
}
