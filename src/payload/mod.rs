//! Values and their stored form: one MessagePack value, with the arrays in it lifted into files of their own.
//!
//! * `value`: [`Payload`] and what a result may be taken as; `name`: the result type's part of a key.
//! * `format`: how one type is stored, chosen by `probe` where the macros expand.
//! * `wire`: MessagePack with arrays lifted; `kinds`: the types of std and ndarray; `by_serde`: those that only serde
//!   knows; `inline`, `scan`: what lies inside a stored value; `any_value`: a value without its type; `raw`: values that
//!   are stored and loaded without one.
//! * `codecs`: array files, plain and compressed.
//!
//! # The stored form
//!
//! | value | MessagePack |
//! | --- | --- |
//! | integers, floats, `bool`, `String`, `char` | the shortest integer, float 32 or 64, bool, str, str |
//! | `u128`, `i128` | bin of 16 bytes, big-endian, two's complement |
//! | `()`, `None` | nil |
//! | `Some(x)` | `[x]` |
//! | tuples, sequences, sets, tuple structs | array |
//! | maps | map; those of `HashMap`, and the elements of `HashSet`, sorted by the bytes of their keys |
//! | derived structs | map by field name, in the order of the definition |
//! | variants | `"Name"`; with fields `{"Name": [..]}` or `{"Name": {..}}` |
//! | `Result` | `{"Ok": x}`, `{"Err": e}` |
//! | arrays, `Vec` and `[T; N]` of array elements | extension 1: the index in the record's table, 4 bytes big-endian |
//! | the same, at most `inline` bytes long | extension 2: MessagePack `[descr, "C" or "F", shape, bin]` |
//! | a type that only serde knows | `[extension 4 or 5, x]`: its digest, and the value with named fields |
//!
//! In a serde value `Some(x)` is an array of one whose length is written in 16 bits (`dc 00 01`), as no sequence of one
//! is: MessagePack readers see `[x]`, and serde's untagged, internally tagged and flattened types, which read before
//! they know what, see a `Some`. Newtypes are what is in them.
//!
//! # What `#[derive(Payload)]` expands to
//!
//! Every field's format comes from the same expression, `plain!(Type)` below, for which the macro brings the levels
//! of the probe into scope: `use ::ndcache::__private::probes::*;`.
//!
//! ```text
//! // plain!(T):
//! (&&&FormatProbe::<T>::new().with((&&&&&&FormatProbe::<T>::new()).format_plain())).compared()
//!
//! // struct Point<T> { x: T, tag: Tag }          (generic parameters get a bound `T: ::ndcache::Payload`)
//! impl<T: Payload> Payload for Point<T> {
//!     fn type_name(name: &mut TypeName) {
//!         name.derived("kern@0.1", ::core::any::type_name::<Self>(), DEFINITION, |name| {  // DEFINITION: [u8; 16]
//!             name.part::<T, _>(plain!(T));
//!             name.part::<Tag, _>(plain!(Tag));
//!         });
//!     }
//!     fn normalise(&mut self, by: &mut Normaliser) {
//!         __private::normalise(&mut self.x, plain!(T), by);
//!         __private::normalise(&mut self.tag, plain!(Tag), by);
//!     }
//!     fn save(&self, out: &mut Writer<'_>) -> ::ndcache::Result<()> {
//!         out.begin_struct(2)?;
//!         out.field("x", &self.x, plain!(T))?;
//!         out.field("tag", &self.tag, plain!(Tag))?;
//!         out.end();
//!         ::core::result::Result::Ok(())
//!     }
//!     fn load(input: &mut Reader<'_>) -> ::ndcache::Result<Self> {
//!         input.begin_struct("Point", 2)?;
//!         let value = Self { x: input.field("x", plain!(T))?, tag: input.field("tag", plain!(Tag))? };
//!         input.end();
//!         ::core::result::Result::Ok(value)
//!     }
//! }
//! impl<T: Payload> Mappable for Point<T> {       // as itself
//!     type Mapped = Self;
//!     fn map(input: &mut Reader<'_>) -> ::ndcache::Result<Self> { Payload::load(input) }
//!     fn into_mapped(self) -> Self { self }
//! }
//!
//! // struct Pair(A, B);                          (one field alike: an array of one)
//! out.begin_tuple(2)?; out.item(&self.0, plain!(A))?; out.item(&self.1, plain!(B))?; out.end();
//! input.begin_tuple("Pair", 2)?; let value = Self(input.item(plain!(A))?, input.item(plain!(B))?); input.end();
//!
//! // struct Marker;
//! out.unit();
//! input.unit()?; Ok(Self)
//!
//! // enum Shape { Empty, Circle(f64), Box { w: f64 } }
//! fn save(&self, out: &mut Writer<'_>) -> ::ndcache::Result<()> {
//!     match self {
//!         Self::Empty => out.unit_variant("Empty"),
//!         Self::Circle(f0) => {
//!             out.begin_variant("Circle")?;
//!             out.begin_tuple(1)?;
//!             out.item(f0, plain!(f64))?;
//!             out.end();
//!             out.end();
//!             Ok(())
//!         }
//!         Self::Box { w } => {
//!             out.begin_variant("Box")?;
//!             out.begin_struct(1)?;
//!             out.field("w", w, plain!(f64))?;
//!             out.end();
//!             out.end();
//!             Ok(())
//!         }
//!     }
//! }
//! fn load(input: &mut Reader<'_>) -> ::ndcache::Result<Self> {
//!     const VARIANTS: &[&str] = &["Empty", "Circle", "Box"];
//!     match input.variant("Shape", VARIANTS)? {
//!         (0, false) => Ok(Self::Empty),
//!         (1, true) => {
//!             input.begin_tuple("Circle", 1)?;
//!             let value = Self::Circle(input.item(plain!(f64))?);
//!             input.end();
//!             input.end();
//!             Ok(value)
//!         }
//!         (2, true) => { /* input.begin_struct("Box", 1)?, input.field("w", …)? */ }
//!         (index, _) => Err(input.wrong_variant("Shape", VARIANTS[index])),
//!     }
//! }
//! fn normalise(&mut self, by: &mut Normaliser) {
//!     match self { Self::Empty => {} Self::Circle(f0) => { __private::normalise(f0, plain!(f64), by); } … }
//! }
//! ```
//!
//! `#[cache]` picks the result's format with `(&&&&&&FormatProbe::<R>::new()).format()`, or `.format_with_err()` under
//! `cache_err`, with the levels of [`probe`] in scope, compared as above, and makes a table of it: `Codec::of(format)`.
//! `tests/derived.rs` beside this file has that expansion by hand.

mod any_value;
pub(crate) mod by_serde;
pub(crate) mod codecs;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod inline;
pub(crate) mod kinds;
mod name;
mod probe;
pub(crate) mod raw;
mod saved;
mod scan;
mod value;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

pub use any_value::Value;
pub(crate) use any_value::{InlineArray, any_value};
pub use by_serde::leaf::Normaliser;
pub(crate) use by_serde::leaf::{Check, Normal};
pub use codecs::Compression;
pub(crate) use codecs::npy::read_any_header as npy_meta_any;
pub(crate) use codecs::npy::read_header as npy_meta;
pub use codecs::npy::read_npy;
pub(crate) use codecs::npy::{check_npy, encode_npy};
pub(crate) use codecs::npy_header::header as npy_header;
pub(crate) use codecs::{EncodedArray, EncodedFile, Plain, Written, codec_named};
pub(crate) use format::Codec;
pub use format::{
    Format, OkOnly, OptionVia, Refused, RefusedElements, ViaPayload, ViaSerde, ViaSerdeEq, ViaSerdeEqDebug, WithErr,
    normalise,
};
pub(crate) use inline::{check_inline_arrays, inline_arrays, sorted_maps};
pub use name::TypeName;
pub(crate) use probe::probes;
pub use probe::{EqProbe, FormatProbe, Storable, StorableElements};
pub(crate) use saved::{Savable, Saved};
pub use value::{CopyOnWrite, Mappable, OneArray, Outcome, Payload};
pub(crate) use wire::lift::{ArraySink, ArraySource, MappedFile, PrivateFile};
pub use wire::read::Reader;
pub(crate) use wire::read::{SoleArray, sole_array};
pub use wire::write::Writer;
