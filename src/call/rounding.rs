//! Arguments that are keyed by their nearest multiple of a step: `round(x = 1e-9)`.

use crate::call::keyed::{Keyed, Unkeyed};
use crate::digest::{ContentHasher, Roundable, Step, Text};

/// How an argument of floats is keyed.
pub struct ByStep(Step);

impl<T: Roundable + ?Sized> Keyed<T> for ByStep {
    fn digest(&self, value: &T, hasher: &mut ContentHasher) {
        self.0.feed(value, hasher);
    }

    fn describe(&self, value: &T, text: &mut Text) {
        // Parts aren't described: their digests would be those of the values before rounding.
        text.list("", [value], "", |value, text| value.describe(text));
        self.0.describe(text);
    }
}

/// Finds out whether an argument can be rounded, as [`Probe`](super::keyed::Probe) does for others.
pub struct Rounding<'a, T: ?Sized>(pub &'a T);

/// The first level.
pub trait KeyedByStep {
    /// Says how.
    fn keyed(&self, step: Step) -> ByStep {
        ByStep(step)
    }
}

impl<T: Roundable + ?Sized> KeyedByStep for &Rounding<'_, T> {}

/// What the search for a rounded argument's key must come to; exists for its error message.
///
/// A macro asks for it by its path, as for [`Keyable`](super::keyed::Keyable).
#[diagnostic::on_unimplemented(
    message = "an argument of type `{T}` can't be rounded",
    label = "neither a float nor an array of floats",
    note = "`round(…)` takes `f32`, `f64`, arrays, slices and `Vec`s of these, and `Option`s of those"
)]
pub trait Rounded<T: ?Sized>: Sized {
    /// Returns `how`.
    #[inline]
    fn of(_: &T, how: Self) -> Self {
        how
    }
}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> Rounded<T> for ByStep {}

/// The last level.
pub trait NotRounded<T: ?Sized> {
    /// Returns what isn't [`Rounded`], so that the macro doesn't compile.
    fn keyed(&self, _: Step) -> Unkeyed<T> {
        Unkeyed::new()
    }
}

impl<T: ?Sized> NotRounded<T> for Rounding<'_, T> {}
