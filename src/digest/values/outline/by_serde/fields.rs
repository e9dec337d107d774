//! Structs and variants that serialize.

use std::any::type_name;

use serde::{Serialize, ser};

use crate::digest::values::canonical::feed_bare;
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::outline::PartStep;
use crate::digest::values::outline::by_serde::{OutlineResult, Outliner, Stopped, serialized};
use crate::digest::values::text::Text;

/// Fields under way, behind the name of what has them.
pub(super) struct OutlineFields<'a> {
    pub(super) text: &'a mut Text,
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    pub(super) position: usize,
}

impl OutlineFields<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: Option<&'static str>, value: &T) -> OutlineResult {
        let position = self.position.to_string();
        self.text.display(if self.position > 0 { ", " } else { self.open });
        self.position += 1;
        if let Some(name) = name {
            self.text.display(format_args!("{name}: "));
        }
        self.text.serde_part(&PartStep::Field(name.unwrap_or(&position)), value);
        Ok(())
    }

    fn close(self) -> OutlineResult {
        self.text.outline.has_parts = true;
        if self.position > 0 {
            self.text.display(self.close);
        }
        Ok(())
    }
}

macro_rules! fields {
    ($($trait:ident $method:ident ($($name:ident)?);)*) => {$(
        impl ser::$trait for OutlineFields<'_> {
            type Ok = ();
            type Error = Stopped;

            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> OutlineResult {
                self.field(None$(.or(Some($name)))?, value)
            }

            fn end(self) -> OutlineResult {
                self.close()
            }
        }
    )*};
}

fields! {
    SerializeTupleStruct serialize_field ();
    SerializeTupleVariant serialize_field ();
    SerializeStructVariant serialize_field (name);
}

/// A struct under way.
pub(super) enum Struct<'a> {
    Plain(OutlineFields<'a>),
    /// What looks like an array of ndarray: `v`, its version; `dim`, the lengths of its axes; `data`, its elements.
    Array {
        text: &'a mut Text,
        hasher: &'a mut ContentHasher,
        axes: Option<String>,
    },
}

impl Struct<'_> {
    fn array_field<T: Serialize + ?Sized>(
        text: &mut Text,
        hasher: &mut ContentHasher,
        axes: &mut Option<String>,
        name: &str,
        value: &T,
    ) -> OutlineResult {
        match (name, axes.take()) {
            ("v", None) => feed_bare(value, hasher),
            ("dim", None) => {
                let mut shape = text.plain();
                serialized(value, &mut shape);
                hasher.str(shape.as_str());
                let inner = shape.as_str().trim_start_matches(['(', '[']).trim_end_matches([')', ']']);
                *axes = Some(inner.to_owned());
            }
            ("data", Some(axes)) => {
                return value.serialize(Outliner { text, hasher, type_name: type_name::<T>(), axes: Some(axes) });
            }
            // Another struct of this name.
            _ => {
                text.display("Array");
                return Err(Stopped);
            }
        }
        Ok(())
    }
}

impl ser::SerializeStruct for Struct<'_> {
    type Ok = ();
    type Error = Stopped;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> OutlineResult {
        match self {
            Self::Plain(fields) => fields.field(Some(name), value),
            Self::Array { text, hasher, axes } => Self::array_field(text, hasher, axes, name, value),
        }
    }

    fn end(self) -> OutlineResult {
        match self {
            Self::Plain(fields) => fields.close(),
            Self::Array { .. } => Ok(()),
        }
    }
}
