//! Which [`Format`](super::Format) a type has, decided by the compiler where the macros expand.
//!
//! Autoref specialization: `(&&&&&&FormatProbe::<R>::new()).format()` looks at as many references first, and at one
//! less each time. So the level that is implemented for the most of them and whose bounds hold is taken; the last one
//! takes `self` by value, fits every type, and asks for [`Storable`], which no type is: its message is the error.
//! The bounds of generic functions count like those of types. In each family the levels are tried in this order:
//!
//! | `format` | `format_with_err` | `format_plain` (fields) |
//! | --- | --- | --- |
//! | `Result<T: Payload, E>`: the `Ok` | `Payload` | `Payload` |
//! | `Result<T: serde, E>`: the `Ok` | `Result<T: Payload, E: serde>` | serde |
//! | `Payload` | `Result<T: serde, E: Payload>` | refused |
//! | `Option<T: serde>` | `Result<T: serde, E: serde>` | |
//! | serde | `Option<T: serde>` | |
//! | refused | serde | |
//! | | refused | |
//!
//! The format that was found is then asked, by [`EqProbe`], whether its values can be compared.
//!
//! ```compile_fail,E0277
//! use ndcache::__private::{FormatProbe, probes::*};
//!
//! struct Opaque;
//! let _ = (&&&&&&FormatProbe::<Opaque>::new()).format(); // `Opaque` can't be stored in the cache
//! ```

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{OkOnly, OptionVia, Payload, Refused, ViaPayload, ViaSerde, ViaSerdeEq, WithErr};

/// Stands for the type `R` in the search for its format.
#[doc(hidden)]
pub struct FormatProbe<R>(PhantomData<fn() -> R>);

impl<R> FormatProbe<R> {
    #[allow(clippy::new_without_default)]
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> FormatProbe<R> {
    /// Asks whether what the format `F` stores can be compared.
    pub const fn with<F>(self, format: F) -> EqProbe<R, F> {
        EqProbe(format, PhantomData)
    }
}

impl<R> Clone for FormatProbe<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for FormatProbe<R> {}

/// Stands for `R` and the format that was found for it, in the search for a stricter one.
///
/// Of two levels: `(&&probe.with(format)).compared()` turns each [`ViaSerde`] of a type that is `PartialEq` into
/// [`ViaSerdeEq`], else leaves the format as it is.
#[doc(hidden)]
pub struct EqProbe<R, F>(F, PhantomData<fn() -> R>);

#[doc(hidden)]
pub trait Comparable {
    type Format;
    fn compared(&self) -> Self::Format;
}

macro_rules! comparable {
    ($([$($generics:tt)*] $type:ty, $from:ty => $to:ty, $value:expr;)*) => {$(
        impl<$($generics)*> Comparable for &EqProbe<$type, $from> {
            type Format = $to;

            fn compared(&self) -> $to {
                $value
            }
        }
    )*};
}

comparable! {
    [R: PartialEq] R, ViaSerde => ViaSerdeEq, ViaSerdeEq;
    [T: PartialEq] Option<T>, OptionVia<ViaSerde> => OptionVia<ViaSerdeEq>, OptionVia(ViaSerdeEq);
    [T: PartialEq, E] Result<T, E>, OkOnly<ViaSerde> => OkOnly<ViaSerdeEq>, OkOnly(ViaSerdeEq);
    [T: PartialEq, E] Result<T, E>, WithErr<ViaSerde, ViaPayload>
        => WithErr<ViaSerdeEq, ViaPayload>, WithErr(ViaSerdeEq, ViaPayload);
    [T, E: PartialEq] Result<T, E>, WithErr<ViaPayload, ViaSerde>
        => WithErr<ViaPayload, ViaSerdeEq>, WithErr(ViaPayload, ViaSerdeEq);
    [T: PartialEq, E: PartialEq] Result<T, E>, WithErr<ViaSerde, ViaSerde>
        => WithErr<ViaSerdeEq, ViaSerdeEq>, WithErr(ViaSerdeEq, ViaSerdeEq);
}

#[doc(hidden)]
pub trait Uncompared {
    type Format;
    fn compared(&self) -> Self::Format;
}

impl<R, F: Copy> Uncompared for EqProbe<R, F> {
    type Format = F;

    fn compared(&self) -> F {
        self.0
    }
}

/// What no type is: the bound of the last level, so that its message is the compiler's.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in the cache",
    label = "neither a `Payload` nor a type that serde can write and read",
    note = "derive `ndcache::Payload`, or `serde::Serialize` and `serde::Deserialize`, for it",
    note = "the parts of a tuple or container need `Payload` each, or serde each; an array of a type parameter needs `ndcache::Element` as its bound"
)]
pub trait Storable {}

/// The traits of all levels, for a glob import.
pub(crate) mod probes {
    pub use super::{
        Comparable, ErrNone, ErrOption, ErrPayload, ErrPayloadSerde, ErrSerde, ErrSerdePayload, ErrSerdeSerde,
        FormatNone, FormatOk, FormatOkSerde, FormatOption, FormatPayload, FormatSerde, PlainNone, PlainPayload,
        PlainSerde, Uncompared,
    };
}

macro_rules! levels {
    ($($trait:ident: [$($generics:tt)*] $probe:ty => $method:ident -> $format:ty, $value:expr;)*) => {$(
        #[doc(hidden)]
        pub trait $trait {
            type Format;
            fn $method(&self) -> Self::Format;
        }

        impl<$($generics)*> $trait for $probe {
            type Format = $format;

            fn $method(&self) -> $format {
                $value
            }
        }
    )*};
}

levels! {
    FormatOk: [T: Payload, E] &&&&&FormatProbe<Result<T, E>> => format -> OkOnly<ViaPayload>, OkOnly(ViaPayload);
    FormatOkSerde: [T: Serialize + DeserializeOwned, E] &&&&FormatProbe<Result<T, E>>
        => format -> OkOnly<ViaSerde>, OkOnly(ViaSerde);
    FormatPayload: [R: Payload] &&&FormatProbe<R> => format -> ViaPayload, ViaPayload;
    FormatOption: [T: Serialize + DeserializeOwned] &&FormatProbe<Option<T>>
        => format -> OptionVia<ViaSerde>, OptionVia(ViaSerde);
    FormatSerde: [R: Serialize + DeserializeOwned] &FormatProbe<R> => format -> ViaSerde, ViaSerde;

    ErrPayload: [R: Payload] &&&&&FormatProbe<R> => format_with_err -> ViaPayload, ViaPayload;
    ErrPayloadSerde: [T: Payload, E: Serialize + DeserializeOwned] &&&&FormatProbe<Result<T, E>>
        => format_with_err -> WithErr<ViaPayload, ViaSerde>, WithErr(ViaPayload, ViaSerde);
    ErrSerdePayload: [T: Serialize + DeserializeOwned, E: Payload] &&&FormatProbe<Result<T, E>>
        => format_with_err -> WithErr<ViaSerde, ViaPayload>, WithErr(ViaSerde, ViaPayload);
    ErrSerdeSerde: [T: Serialize + DeserializeOwned, E: Serialize + DeserializeOwned] &&FormatProbe<Result<T, E>>
        => format_with_err -> WithErr<ViaSerde, ViaSerde>, WithErr(ViaSerde, ViaSerde);
    ErrOption: [T: Serialize + DeserializeOwned] &FormatProbe<Option<T>>
        => format_with_err -> OptionVia<ViaSerde>, OptionVia(ViaSerde);
    ErrSerde: [R: Serialize + DeserializeOwned] FormatProbe<R> => format_with_err -> ViaSerde, ViaSerde;

    PlainPayload: [R: Payload] &FormatProbe<R> => format_plain -> ViaPayload, ViaPayload;
    PlainSerde: [R: Serialize + DeserializeOwned] FormatProbe<R> => format_plain -> ViaSerde, ViaSerde;
}

// Written out: the compiler's message quotes them, and the macro with them if they came from one.
#[doc(hidden)]
pub trait FormatNone<R>: Sized {
    fn format(self) -> Refused<R>
    where
        R: Storable;
}

impl<R> FormatNone<R> for FormatProbe<R> {
    fn format(self) -> Refused<R>
    where
        R: Storable,
    {
        Refused::new()
    }
}

#[doc(hidden)]
pub trait ErrNone<R>: Sized {
    fn format_with_err(self) -> Refused<R>
    where
        R: Storable;
}

impl<R> ErrNone<R> for FormatProbe<R> {
    fn format_with_err(self) -> Refused<R>
    where
        R: Storable,
    {
        Refused::new()
    }
}

#[doc(hidden)]
pub trait PlainNone<R>: Sized {
    fn format_plain(self) -> Refused<R>
    where
        R: Storable;
}

impl<R> PlainNone<R> for FormatProbe<R> {
    fn format_plain(self) -> Refused<R>
    where
        R: Storable,
    {
        Refused::new()
    }
}
