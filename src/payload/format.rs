//! How a type is stored. The macros choose one of these by [`FormatProbe`](super::FormatProbe).

use std::any::type_name;
use std::cell::Cell;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::mem::needs_drop;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::wire::MAX_DEPTH;
use super::{Check, Normal, Normaliser, Outcome, Payload, Reader, TypeName, Writer};
use crate::error::{Error, Result};
use crate::payload::by_serde::leaf;

/// How values of `R` are stored and loaded; implemented by types without content.
#[doc(hidden)]
pub trait Format<R>: Copy {
    fn type_name(name: &mut TypeName);
    fn normalise(value: &mut R, by: &mut Normaliser);
    fn outcome(value: &R) -> Outcome;
    fn save(value: &R, out: &mut Writer<'_>) -> Result<()>;
    fn load(input: &mut Reader<'_>) -> Result<R>;
}

/// A [`Format`] as a table of functions, by value: a reference to one would force `R: 'static`.
pub(crate) struct Codec<R> {
    type_name: fn(&mut TypeName),
    normalise: fn(&mut R, &mut Normaliser),
    outcome: fn(&R) -> Outcome,
    save: fn(&R, &mut Writer<'_>) -> Result<()>,
    load: fn(&mut Reader<'_>) -> Result<R>,
}

impl<R> Clone for Codec<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Codec<R> {}

impl<R> Codec<R> {
    pub(crate) fn of<F: Format<R>>(_: F) -> Self {
        Self { type_name: F::type_name, normalise: F::normalise, outcome: F::outcome, save: F::save, load: F::load }
    }

    /// The name of the type, and whether there is a `Mapped` in it.
    pub(crate) fn type_name(&self) -> TypeName {
        let mut name = TypeName::new();
        (self.type_name)(&mut name);
        name
    }

    /// The address of the function that names the type: functions of one address write one name.
    pub(crate) fn namer(&self) -> usize {
        (self.type_name as *const ()).addr()
    }

    /// Brings a result into the form in which it comes back: arrays in C or Fortran order, and what only serde knows as
    /// serde reads it again, if that is the same by `check`.
    pub(crate) fn normalise<'a>(&self, value: &'a mut R, check: Check) -> Normal<'a, R> {
        let mut normaliser = Normaliser::new(check);
        (self.normalise)(value, &mut normaliser);
        Normal::new(value, *self, normaliser)
    }

    /// A result that has come back.
    pub(crate) fn loaded<'a>(&self, value: &'a R) -> Normal<'a, R> {
        Normal::new(value, *self, Normaliser::new(Check::Trust))
    }

    pub(crate) fn outcome(&self, value: &R) -> Outcome {
        (self.outcome)(value)
    }

    pub(crate) fn save(&self, value: &R, out: &mut Writer<'_>) -> Result<()> {
        (self.save)(value, out)
    }

    pub(crate) fn load(&self, input: &mut Reader<'_>) -> Result<R> {
        (self.load)(input)
    }
}

/// Calls [`Format::normalise`] of a format that the probe has chosen, for a field.
///
/// What is nested deeper than a stored value may be is left as it is: it isn't stored, and the stack may have no room.
#[doc(hidden)]
pub fn normalise<R, F: Format<R>>(value: &mut R, _: F, by: &mut Normaliser) {
    thread_local! {
        static DEPTH: Cell<u32> = const { Cell::new(0) };
    }

    /// A level, until it is left or a panic passes.
    struct Level;

    impl Drop for Level {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() - 1);
        }
    }

    // What needs no drop owns no box, and so nests no deeper than its type says. It may be a part that only serde knows.
    if !needs_drop::<R>() {
        return F::normalise(value, by);
    }
    if DEPTH.get() < MAX_DEPTH {
        DEPTH.set(DEPTH.get() + 1);
        let _level = Level;
        F::normalise(value, by);
    }
}

/// The format that [`Payload`] defines.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct ViaPayload;

impl<R: Payload> Format<R> for ViaPayload {
    fn type_name(name: &mut TypeName) {
        R::type_name(name);
    }

    fn normalise(value: &mut R, by: &mut Normaliser) {
        value.normalise(by);
    }

    fn outcome(value: &R) -> Outcome {
        value.outcome()
    }

    fn save(value: &R, out: &mut Writer<'_>) -> Result<()> {
        value.save(out)
    }

    fn load(input: &mut Reader<'_>) -> Result<R> {
        R::load(input)
    }
}

macro_rules! via_serde {
    ($($(#[$doc:meta])* $name:ident: [$($bound:tt)*] $compare:path;)*) => {$(
        $(#[$doc])*
        #[doc(hidden)]
        #[derive(Clone, Copy)]
        pub struct $name;

        impl<R: Serialize + DeserializeOwned $($bound)*> Format<R> for $name {
            fn type_name(name: &mut TypeName) {
                name.push(type_name::<R>());
            }

            fn normalise(value: &mut R, by: &mut Normaliser) {
                by.leaf(value, $compare);
            }

            fn outcome(_: &R) -> Outcome {
                Outcome::Value
            }

            fn save(value: &R, out: &mut Writer<'_>) -> Result<()> {
                leaf::save(value, $compare, out)
            }

            fn load(input: &mut Reader<'_>) -> Result<R> {
                leaf::load(input)
            }
        }
    )*};
}

via_serde! {
    /// What serde writes, behind a digest of the value.
    ViaSerde: [] leaf::unseen;
    /// What serde writes of a value that can be compared: it has to come back equal to what it was.
    ViaSerdeEq: [+ PartialEq] leaf::by_eq;
    /// What serde writes of a value that can be compared and shown: one that doesn't equal itself has to look the same.
    ViaSerdeEqDebug: [+ PartialEq + Debug] leaf::by_eq_or_debug;
}

/// An `Option` of something that only serde knows.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct OptionVia<F>(pub F);

impl<T, F: Format<T>> Format<Option<T>> for OptionVia<F> {
    fn type_name(name: &mut TypeName) {
        name.generic("Option", &[F::type_name]);
    }

    fn normalise(value: &mut Option<T>, by: &mut Normaliser) {
        if let Some(value) = value {
            F::normalise(value, by);
        }
    }

    fn outcome(value: &Option<T>) -> Outcome {
        option_outcome(value)
    }

    fn save(value: &Option<T>, out: &mut Writer<'_>) -> Result<()> {
        save_option(value.as_ref(), out, F::save)
    }

    fn load(input: &mut Reader<'_>) -> Result<Option<T>> {
        load_option(input, F::load)
    }
}

/// A `Result` whose `Err` is never stored, and may be anything.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct OkOnly<F>(pub F);

impl<T, E, F: Format<T>> Format<Result<T, E>> for OkOnly<F> {
    fn type_name(name: &mut TypeName) {
        name.generic("Result", &[F::type_name]);
    }

    fn normalise(value: &mut Result<T, E>, by: &mut Normaliser) {
        if let Ok(value) = value {
            F::normalise(value, by);
        }
    }

    fn outcome(value: &Result<T, E>) -> Outcome {
        result_outcome(value, F::outcome)
    }

    fn save(value: &Result<T, E>, out: &mut Writer<'_>) -> Result<()> {
        match value {
            Ok(value) => save_side(OK, value, out, F::save),
            Err(_) => Err(Error::unsupported("an `Err` isn't stored without `cache_err`")),
        }
    }

    fn load(input: &mut Reader<'_>) -> Result<Result<T, E>> {
        match input.variant("Result", &[OK, ERR])? {
            (0, true) => load_side(input, F::load).map(Ok),
            (0, false) => Err(input.wrong_variant("Result", OK)),
            _ => Err(Error::damaged("value is an `Err`, expected an `Ok`")),
        }
    }
}

/// A `Result` both sides of which are stored.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct WithErr<F, G>(pub F, pub G);

impl<T, E, F: Format<T>, G: Format<E>> Format<Result<T, E>> for WithErr<F, G> {
    fn type_name(name: &mut TypeName) {
        name.generic("Result", &[F::type_name, G::type_name]);
    }

    fn normalise(value: &mut Result<T, E>, by: &mut Normaliser) {
        match value {
            Ok(value) => F::normalise(value, by),
            Err(error) => G::normalise(error, by),
        }
    }

    fn outcome(value: &Result<T, E>) -> Outcome {
        result_outcome(value, F::outcome)
    }

    fn save(value: &Result<T, E>, out: &mut Writer<'_>) -> Result<()> {
        match value {
            Ok(value) => save_side(OK, value, out, F::save),
            Err(error) => save_side(ERR, error, out, G::save),
        }
    }

    fn load(input: &mut Reader<'_>) -> Result<Result<T, E>> {
        match input.variant("Result", &[OK, ERR])? {
            (0, true) => load_side(input, F::load).map(Ok),
            (1, true) => load_side(input, G::load).map(Err),
            (index, _) => Err(input.wrong_variant("Result", [OK, ERR][index])),
        }
    }
}

/// The last level of the probe, where the compiler has already refused the type.
#[doc(hidden)]
pub struct Refused<R>(PhantomData<fn() -> R>);

/// The last level of the probe for arrays, where the compiler has already refused the elements.
#[doc(hidden)]
pub struct RefusedElements<R>(PhantomData<fn() -> R>);

macro_rules! refused {
    ($($refused:ident)*) => {$(
        impl<R> Clone for $refused<R> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<R> Copy for $refused<R> {}

        impl<R> $refused<R> {
            pub(super) fn new() -> Self {
                Self(PhantomData)
            }
        }

        impl<R> Format<R> for $refused<R> {
            fn type_name(name: &mut TypeName) {
                name.push(type_name::<R>());
            }

            fn normalise(_: &mut R, _: &mut Normaliser) {}

            fn outcome(_: &R) -> Outcome {
                Outcome::Value
            }

            fn save(_: &R, _: &mut Writer<'_>) -> Result<()> {
                Err(refused::<R>())
            }

            fn load(_: &mut Reader<'_>) -> Result<R> {
                Err(refused::<R>())
            }
        }
    )*};
}

refused! { Refused RefusedElements }

fn refused<R>() -> Error {
    Error::unsupported(format!("`{}` can't be stored in the cache", type_name::<R>()))
}

pub(super) const OK: &str = "Ok";
pub(super) const ERR: &str = "Err";

pub(super) fn save_side<T>(
    name: &'static str,
    value: &T,
    out: &mut Writer<'_>,
    save: fn(&T, &mut Writer<'_>) -> Result<()>,
) -> Result<()> {
    out.begin_variant(name)?;
    save(value, out)?;
    out.end();
    Ok(())
}

pub(super) fn load_side<T>(input: &mut Reader<'_>, load: fn(&mut Reader<'_>) -> Result<T>) -> Result<T> {
    let value = load(input)?;
    input.end();
    Ok(value)
}

pub(super) fn save_option<T>(
    value: Option<&T>,
    out: &mut Writer<'_>,
    save: fn(&T, &mut Writer<'_>) -> Result<()>,
) -> Result<()> {
    let Some(value) = value else {
        out.nil();
        return Ok(());
    };
    out.begin_array(1)?;
    save(value, out)?;
    out.end();
    Ok(())
}

pub(super) fn load_option<T>(input: &mut Reader<'_>, load: fn(&mut Reader<'_>) -> Result<T>) -> Result<Option<T>> {
    if input.is_nil()? {
        return Ok(None);
    }
    input.begin_array_of(1, "Some")?;
    load_side(input, load).map(Some)
}

pub(super) fn option_outcome<T>(value: &Option<T>) -> Outcome {
    match value {
        Some(_) => Outcome::Value,
        None => Outcome::None,
    }
}

/// `Ok(None)` counts as `None`; what is inside a `Some` doesn't matter.
pub(super) fn result_outcome<T, E>(value: &Result<T, E>, ok: fn(&T) -> Outcome) -> Outcome {
    match value {
        Ok(value) => ok(value),
        Err(_) => Outcome::Err,
    }
}
