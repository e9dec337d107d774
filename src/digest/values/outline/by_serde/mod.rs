//! Values that only serde knows, described while they serialize once.
//!
//! Serde doesn't tell arrays of the language from tuples, nor `f64` from what serializes like one. The name of the type
//! does; it is used only for the text, never for a digest. A part that refuses to serialize is left out.

mod entries;
mod fields;
mod items;

use std::any::type_name;
use std::fmt::{self, Display};

use serde::{Serialize, Serializer, ser};

use crate::digest::values::canonical::feed_bare;
use crate::digest::values::hasher::{ContentHasher, DigestSum};
use crate::digest::values::outline::{CUT, LISTED, PartStep};
use crate::digest::values::text::Text;
use entries::OutlineEntries;
use fields::{OutlineFields, Struct};
use items::{ItemKind, OutlineItems};

/// Describes what serde knows of a value.
pub(crate) fn serialized<T: Serialize + ?Sized>(value: &T, text: &mut Text) {
    let mut hasher = ContentHasher::trusting();
    let done = value.serialize(Outliner::of::<T>(text, &mut hasher));
    text.end_serialized(&hasher, done.is_ok());
}

impl Text {
    /// Ends the description of a value that serde has serialized. For a leaf, `hasher` holds all of it, and its digest
    /// becomes the head.
    fn end_serialized(&mut self, hasher: &ContentHasher, whole: bool) {
        let whole = whole && hasher.failure().is_none();
        let outline = &mut self.outline;
        outline.is_incomplete |= !whole;
        if outline.collects && !outline.has_parts && whole {
            outline.head = Some(hasher.digest());
        }
    }

    /// Describes a part that serde knows.
    fn serde_part<T: Serialize + ?Sized>(&mut self, step: &PartStep<'_>, value: &T) {
        self.part(step, |part| serialized(value, part), |hasher| feed_bare(value, hasher));
    }
}

/// Why serializing has stopped: the value refused, or nothing more is wanted.
#[derive(Debug)]
struct Stopped;

impl Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

impl ser::Error for Stopped {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

type OutlineResult<T = ()> = Result<T, Stopped>;

/// The dtype of the array that a sequence of this type is shown as; `None` if it is shown as no array.
fn element(type_name: &'static str) -> Option<&'static str> {
    match type_name.trim_start_matches('&') {
        "usize" => Some("u64"),
        "isize" => Some("i64"),
        name @ ("i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "f32" | "f64" | "bool") => Some(name),
        _ => None,
    }
}

/// The serializer of one value.
struct Outliner<'a> {
    text: &'a mut Text,
    /// Takes what a leaf consists of.
    hasher: &'a mut ContentHasher,
    type_name: &'static str,
    /// If the value is the elements of an array: the lengths of its axes, as text.
    axes: Option<String>,
}

impl<'a> Outliner<'a> {
    fn of<T: ?Sized>(text: &'a mut Text, hasher: &'a mut ContentHasher) -> Self {
        Self { text, hasher, type_name: type_name::<T>(), axes: None }
    }

    /// The value that this one holds, behind `before` and in parentheses. `mark` tells variants apart in the digest; it is
    /// empty for a newtype.
    fn holds<T: Serialize + ?Sized>(self, before: &str, mark: &str, value: &T) -> OutlineResult {
        let Self { text, hasher, .. } = self;
        let mut part = text.below();
        let done = match part.is_deep() {
            true => {
                part.display(CUT);
                feed_bare(value, hasher);
                Ok(())
            }
            false => value.serialize(Outliner::of::<T>(&mut part, hasher)),
        };
        text.display(format_args!("{before}("));
        // What it holds has been fed; it is a leaf only together with what was fed before.
        text.adopt(mark, part);
        text.display(")");
        done
    }

    fn fields(self, name: &str, open: &'static str, close: &'static str) -> OutlineFields<'a> {
        self.text.display(name);
        OutlineFields { text: self.text, open, close, position: 0 }
    }

    fn items(self, len: usize, kind: ItemKind) -> OutlineItems<'a> {
        let Self { text, hasher, axes, .. } = self;
        let listed = axes.is_none() && len <= LISTED;
        if listed {
            text.outline.has_parts = true;
            text.display(kind.brackets()[0]);
        }
        let label = axes.unwrap_or_else(|| len.to_string());
        OutlineItems { text, hasher, listed, label, kind, position: 0 }
    }
}

macro_rules! numbers {
    ($($method:ident, $feed:ident, $type:ty;)*) => {$(
        fn $method(self, value: $type) -> OutlineResult {
            self.hasher.$feed(value);
            self.text.debug(value);
            Ok(())
        }
    )*};
}

impl<'a> Serializer for Outliner<'a> {
    type Ok = ();
    type Error = Stopped;
    type SerializeSeq = OutlineItems<'a>;
    type SerializeTuple = OutlineItems<'a>;
    type SerializeTupleStruct = OutlineFields<'a>;
    type SerializeTupleVariant = OutlineFields<'a>;
    type SerializeMap = OutlineEntries<'a>;
    type SerializeStruct = Struct<'a>;
    type SerializeStructVariant = OutlineFields<'a>;

    numbers! {
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
    }

    fn serialize_str(self, value: &str) -> OutlineResult {
        self.hasher.str(value);
        self.text.quoted(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> OutlineResult {
        self.hasher.bytes(value);
        self.text.display(format_args!("u8[{}]", value.len()));
        Ok(())
    }

    fn serialize_none(self) -> OutlineResult {
        self.hasher.none();
        self.text.display("None");
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> OutlineResult {
        self.hasher.some();
        self.holds("Some", "Some", value)
    }

    fn serialize_unit(self) -> OutlineResult {
        self.hasher.unit();
        self.text.display("()");
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> OutlineResult {
        self.hasher.str(name);
        self.text.display(name);
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> OutlineResult {
        self.serialize_unit_struct(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> OutlineResult {
        self.hasher.str(name);
        self.holds(name, "", value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> OutlineResult {
        self.hasher.str(variant);
        self.holds(variant, variant, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> OutlineResult<OutlineItems<'a>> {
        Ok(self.items(len.unwrap_or(0), ItemKind::Elements))
    }

    fn serialize_tuple(self, len: usize) -> OutlineResult<OutlineItems<'a>> {
        let is_array = self.type_name.trim_start_matches('&').starts_with('[');
        Ok(self.items(len, if is_array { ItemKind::Elements } else { ItemKind::Fields }))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> OutlineResult<OutlineFields<'a>> {
        Ok(self.fields(name, "(", ")"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> OutlineResult<OutlineFields<'a>> {
        self.text.head(format_args!("variant {variant}"));
        Ok(self.fields(variant, "(", ")"))
    }

    fn serialize_map(self, len: Option<usize>) -> OutlineResult<OutlineEntries<'a>> {
        let Self { text, hasher, .. } = self;
        let sum = len.filter(|&len| len > LISTED).map(|_| DigestSum::default());
        if sum.is_some() {
            text.display(format_args!("map of {}", len.unwrap_or_default()));
        }
        Ok(OutlineEntries { text, hasher, key: None, sum, listed: Vec::new() })
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> OutlineResult<Struct<'a>> {
        // As ndarray serializes one: `v`, `dim`, `data`.
        if name == "Array" && len == 3 {
            return Ok(Struct::Array { text: self.text, hasher: self.hasher, axes: None });
        }
        Ok(Struct::Plain(self.fields(name, " { ", " }")))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> OutlineResult<OutlineFields<'a>> {
        self.text.head(format_args!("variant {variant}"));
        Ok(self.fields(variant, " { ", " }"))
    }
}
