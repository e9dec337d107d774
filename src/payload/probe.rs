//! Which [`Format`](super::Format) a type has, decided by the compiler where the macros expand.
//!
//! Autoref specialization: `(&&&&&&FormatProbe::<R>::new()).format()` looks at as many references first, and at one
//! less each time. So the level that is implemented for the most of them and whose bounds hold is taken; the last one
//! takes `self` by value, fits every type, and gives what isn't [`Storable`]: the message of that trait is the error.
//! The bounds of generic functions count like those of types. In each family the levels are tried in this order:
//!
//! | `format` | `format_with_err` | `format_plain` (fields) |
//! | --- | --- | --- |
//! | `Result<T: Payload, E>`: the `Ok` | `Payload` | `Payload` |
//! | `Result<T: serde, E>`: the `Ok` | `Result<T: Payload, E: serde>` | serde |
//! | `Payload` | `Result<T: serde, E: Payload>` | refused |
//! | `Option<T: serde>` | `Result<T: serde, E: serde>` | |
//! | serde | `Option<T: serde>` | |
//! | refused, of an array for its elements | serde | |
//! | | refused | |
//!
//! For the format that was found, [`EqProbe`] then finds out by what its values can be compared.
//!
//! ```compile_fail,E0277
//! use ndcache::__private::{FormatProbe, Storable, probes::*};
//!
//! struct Opaque;
//! let probe = FormatProbe::<Opaque>::new();
//! let _ = Storable::of(probe, (&&&&&&probe).format()); // `Opaque` can't be stored in the cache
//! ```

use std::fmt::Debug;
use std::marker::PhantomData;

use ndarray::{ArrayBase, RawData};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    OkOnly, OptionVia, Payload, Refused, RefusedElements, ViaPayload, ViaSerde, ViaSerdeEq, ViaSerdeEqDebug, WithErr,
};

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
/// A probe of three levels: `(&&&probe.with(format)).compared()` turns the [`ViaSerde`] of a type that is `PartialEq`
/// into [`ViaSerdeEqDebug`] if it is `Debug` too, else into [`ViaSerdeEq`], and leaves any other format as it is; of a
/// `Result` the format of the `Ok`, and `compared_err` that of the `Err`.
#[doc(hidden)]
pub struct EqProbe<R, F>(F, PhantomData<fn() -> R>);

macro_rules! comparable {
    ($($trait:ident, $method:ident: [$($generics:tt)*] $probe:ty => $to:ty, |$probed:pat_param| $value:expr;)*) => {$(
        impl<$($generics)*> $trait for $probe {
            type Format = $to;

            fn $method(&self) -> $to {
                let $probed = self.0;
                $value
            }
        }
    )*};
}

/// The levels of one bound, for whichever formats have a side to be compared.
macro_rules! level {
    ($($trait:ident, $err:ident: [$($bound:tt)*] [$($reference:tt)*] => $to:ident;)*) => {$(
        #[doc(hidden)]
        pub trait $trait {
            type Format;
            fn compared(&self) -> Self::Format;
        }

        #[doc(hidden)]
        pub trait $err {
            type Format;
            fn compared_err(&self) -> Self::Format;
        }

        comparable! {
            $trait, compared: [R: $($bound)*] $($reference)* EqProbe<R, ViaSerde> => $to, |_| $to;
            $trait, compared: [T: $($bound)*] $($reference)* EqProbe<Option<T>, OptionVia<ViaSerde>>
                => OptionVia<$to>, |_| OptionVia($to);
            $trait, compared: [T: $($bound)*, E] $($reference)* EqProbe<Result<T, E>, OkOnly<ViaSerde>>
                => OkOnly<$to>, |_| OkOnly($to);
            $trait, compared: [T: $($bound)*, E, G: Copy] $($reference)* EqProbe<Result<T, E>, WithErr<ViaSerde, G>>
                => WithErr<$to, G>, |WithErr(_, err)| WithErr($to, err);
            $err, compared_err: [T, E: $($bound)*, F: Copy] $($reference)* EqProbe<Result<T, E>, WithErr<F, ViaSerde>>
                => WithErr<F, $to>, |WithErr(ok, _)| WithErr(ok, $to);
        }
    )*};
}

level! {
    Shown, ShownErr: [PartialEq + Debug] [&&] => ViaSerdeEqDebug;
    Comparable, ComparableErr: [PartialEq] [&] => ViaSerdeEq;
}

#[doc(hidden)]
pub trait Uncompared {
    type Format;
    fn compared(&self) -> Self::Format;
    fn compared_err(&self) -> Self::Format;
}

impl<R, F: Copy> Uncompared for EqProbe<R, F> {
    type Format = F;

    fn compared(&self) -> F {
        self.0
    }

    fn compared_err(&self) -> F {
        self.0
    }
}

/// What the search for a format must come to. A macro asks for it by its path, so that the compiler shows its message and
/// no function that has a bound.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{R}` can't be stored in the cache",
    label = "neither a `Payload` nor a type that serde can write and read",
    note = "derive `ndcache::Payload`, or `serde::Serialize` and `serde::Deserialize`, for it (a type parameter needs the bound `ndcache::Payload`)",
    note = "the parts of a tuple or container need `Payload` each, or serde each; an array holds numbers (a type parameter needs the bound `ndcache::Element`): for structs take a `Vec` of them, or a struct of arrays"
)]
pub trait Storable<R>: Sized {
    fn of(_: FormatProbe<R>, format: Self) -> Self {
        format
    }
}

/// What the search for the format of an array must come to, too; exists for its error message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{R}` can't be stored in the cache: its elements can't be those of an array",
    label = "the elements of a stored array are numbers: `ndcache::Element`",
    note = "a type parameter needs the bound: `A: ndcache::Element`",
    note = "of a struct return a `Vec`, and derive `ndcache::Payload` for it; or return its fields as columns, a struct of arrays that derives `ndcache::Payload`, which can be memory-mapped",
    note = "as it is, an array is stored through serde, as one piece, if its elements derive `serde::Serialize` and `serde::Deserialize` and ndarray has its feature `serde`"
)]
pub trait StorableElements<R>: Sized {
    fn of(_: FormatProbe<R>, format: Self) -> Self {
        format
    }
}

macro_rules! storable {
    ($([$($generic:ident)?] $format:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<R $(, $generic)?> Storable<R> for $format {}

        #[diagnostic::do_not_recommend]
        impl<R $(, $generic)?> StorableElements<R> for $format {}
    )*};
}

storable! {
    [] ViaPayload;
    [] ViaSerde;
    [] ViaSerdeEq;
    [] ViaSerdeEqDebug;
    [F] OptionVia<F>;
    [F] OkOnly<F>;
}

#[diagnostic::do_not_recommend]
impl<R, F, G> Storable<R> for WithErr<F, G> {}

#[diagnostic::do_not_recommend]
impl<R, F, G> StorableElements<R> for WithErr<F, G> {}

#[diagnostic::do_not_recommend]
impl<R> Storable<R> for RefusedElements<R> {}

#[diagnostic::do_not_recommend]
impl<R> StorableElements<R> for Refused<R> {}

/// The traits of all levels, for a glob import.
pub(crate) mod probes {
    pub use super::{
        Comparable, ComparableErr, ErrNone, ErrOption, ErrPayload, ErrPayloadSerde, ErrSerde, ErrSerdePayload,
        ErrSerdeSerde, FormatNoElements, FormatNone, FormatOk, FormatOkSerde, FormatOption, FormatPayload, FormatSerde,
        PlainNone, PlainPayload, PlainSerde, Shown, ShownErr, Uncompared,
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

#[doc(hidden)]
pub trait FormatNoElements<R> {
    fn format(&self) -> RefusedElements<R> {
        RefusedElements::new()
    }
}

impl<S: RawData, D> FormatNoElements<ArrayBase<S, D>> for FormatProbe<ArrayBase<S, D>> {}

#[doc(hidden)]
pub trait FormatNone<R>: Sized {
    fn format(self) -> Refused<R>;
}

impl<R> FormatNone<R> for FormatProbe<R> {
    fn format(self) -> Refused<R> {
        Refused::new()
    }
}

#[doc(hidden)]
pub trait ErrNone<R>: Sized {
    fn format_with_err(self) -> Refused<R>;
}

impl<R> ErrNone<R> for FormatProbe<R> {
    fn format_with_err(self) -> Refused<R> {
        Refused::new()
    }
}

#[doc(hidden)]
pub trait PlainNone<R>: Sized {
    fn format_plain(self) -> Refused<R>;
}

impl<R> PlainNone<R> for FormatProbe<R> {
    fn format_plain(self) -> Refused<R> {
        Refused::new()
    }
}
