//! The contract of values that can be stored.

use ndarray::{ArrayRef, Dimension};

use super::{Normaliser, Reader, TypeName, Writer};
use crate::digest::Element;
use crate::error::Result;
use crate::map::MappedCow;

/// A value that can be stored in a cache entry: what a `#[cache]` function may return.
///
/// It is implemented for numbers, `bool`, `char`, `String`, tuples, `Option`, `Result`, `Vec` and the other
/// collections of std, `Duration`, `PathBuf`, and the arrays of this crate and of ndarray; derive it for your own
/// types. Large arrays, wherever they are in a value, are stored in files of their own, which can be memory-mapped,
/// and which NumPy reads. A type that serde can serialize and deserialize is stored, too, without implementing
/// `Payload`; its arrays are then stored as a part of it.
///
/// An array that is contiguous in neither C nor Fortran order is stored, and returned, as its copy in C order.
///
/// ```
/// fn can_be_stored<T: ndcache::Payload>() {}
///
/// can_be_stored::<f64>();
/// can_be_stored::<(String, Vec<Option<ndarray::Array2<f64>>>)>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in the cache",
    note = "derive `ndcache::Payload` for it"
)]
pub trait Payload: Sized {
    /// Adds the name of the type.
    #[doc(hidden)]
    fn type_name(name: &mut TypeName);

    /// Brings every array into C or Fortran order, and what only serde knows through serde, so that the first call
    /// returns what later ones load.
    #[doc(hidden)]
    fn normalise(&mut self, _by: &mut Normaliser) {}

    /// Whether [`normalise`](Self::normalise) changes no value of the type.
    #[doc(hidden)]
    fn is_always_normal() -> bool {
        false
    }

    /// Whether it is a value, an `Err` or a `None`; a `Result` of an `Option` counts as what is inside of it.
    #[doc(hidden)]
    fn outcome(&self) -> Outcome {
        Outcome::Value
    }

    /// Writes one MessagePack value.
    #[doc(hidden)]
    fn save(&self, out: &mut Writer<'_>) -> Result<()>;

    /// Reads what [`save`](Self::save) wrote.
    #[doc(hidden)]
    fn load(input: &mut Reader<'_>) -> Result<Self>;

    /// Writes a sequence of them, whose parts (a deque has two) follow each other. Elements of arrays are one array.
    #[doc(hidden)]
    fn save_slices(parts: [&[Self]; 2], out: &mut Writer<'_>) -> Result<()> {
        crate::payload::kinds::sequences::save(parts, out)
    }

    /// Reads what [`save_slices`](Self::save_slices) wrote.
    #[doc(hidden)]
    fn load_vec(input: &mut Reader<'_>) -> Result<Vec<Self>> {
        crate::payload::kinds::sequences::load(input, Self::load)
    }
}

/// What a result is, for the rules on what is cached.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Value,
    Err,
    None,
}

/// A result type whose arrays can be memory-mapped instead of loaded.
///
/// An `Array` becomes a [`Mapped`](crate::Mapped); `Option`, `Result`, tuples and collections become those of their
/// mapped contents; numbers, strings and types that derive [`Payload`] stay as they are.
///
/// ```
/// fn maps_to<T: ndcache::mapped::Mappable<Mapped = M>, M>() {}
///
/// maps_to::<ndarray::Array2<f64>, ndcache::Mapped2<f64>>();
/// maps_to::<(ndarray::Array1<u8>, String), (ndcache::Mapped1<u8>, String)>();
/// ```
#[diagnostic::on_unimplemented(message = "`{Self}` has no form whose arrays are memory-mapped")]
pub trait Mappable: Sized {
    /// The type with mapped arrays.
    type Mapped;

    /// Reads what [`Payload::save`] wrote. A stored `Err`, whose type may be anything, is an error of the kind
    /// `Unsupported`: then the value has to be loaded, and [`into_mapped`](Self::into_mapped) it.
    #[doc(hidden)]
    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped>;

    /// This value as its mapped type, with its arrays in memory.
    #[doc(hidden)]
    fn into_mapped(self) -> Self::Mapped;

    /// Reads what [`Payload::save_slices`] wrote.
    #[doc(hidden)]
    fn map_vec(input: &mut Reader<'_>) -> Result<Vec<Self::Mapped>> {
        crate::payload::kinds::sequences::load(input, Self::map)
    }
}

/// A result type that is one array, which can be mapped copy-on-write.
///
/// ```
/// fn copies_to<T: ndcache::mapped::CopyOnWrite<Cow = M>, M>() {}
///
/// copies_to::<ndarray::Array2<f64>, ndcache::mapped::MappedCow2<f64>>();
/// ```
#[diagnostic::on_unimplemented(message = "`{Self}` isn't a result of one array")]
pub trait CopyOnWrite: Sized {
    /// The type that is writable in memory.
    type Cow;

    /// Reads what [`Payload::save`] wrote, as [`Mappable::map`] does.
    #[doc(hidden)]
    fn copy_on_write(input: &mut Reader<'_>) -> Result<Self::Cow>;

    /// This value as its writable type, with its array in memory.
    #[doc(hidden)]
    fn into_cow(self) -> Self::Cow;
}

/// A result type that is one array and nothing else, which can be edited and stored again.
///
/// ```
/// fn is_edited_as<T: ndcache::mapped::OneArray<Element = A>, A>() {}
///
/// is_edited_as::<ndarray::Array2<f64>, f64>();
/// is_edited_as::<ndcache::Mapped1<u8>, u8>();
/// ```
#[diagnostic::on_unimplemented(message = "`{Self}` isn't one array and nothing else")]
pub trait OneArray: CopyOnWrite<Cow = MappedCow<Self::Element, Self::Axes>> {
    /// The type of its elements.
    type Element: Element;
    /// The type of its shape.
    type Axes: Dimension + 'static;

    /// Writes an array as if it were the result.
    #[doc(hidden)]
    fn save_array(array: &ArrayRef<Self::Element, Self::Axes>, out: &mut Writer<'_>) -> Result<()>;
}

/// [`Mappable`] for types that stay what they are.
macro_rules! maps_to_itself {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<$($generics)*> $crate::payload::Mappable for $type {
            type Mapped = Self;

            fn map(input: &mut $crate::payload::Reader<'_>) -> $crate::error::Result<Self> {
                $crate::payload::Payload::load(input)
            }

            fn into_mapped(self) -> Self {
                self
            }
        }
    )*};
}
pub(super) use maps_to_itself;
