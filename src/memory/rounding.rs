//! Arguments that are keyed by their nearest multiple of a step: `round(x = 1e-9)`.

use super::call::Keyed;
use crate::digest::{ContentHasher, Roundable, Step, Text};

/// How an argument of floats is keyed.
pub struct ByStep(Step);

/// Says how; fails to compile, readably, for an argument that can't be rounded.
pub fn rounded<T: Roundable + ?Sized>(_: &T, step: Step) -> ByStep {
    ByStep(step)
}

impl<T: Roundable + ?Sized> Keyed<T> for ByStep {
    fn digest(&self, value: &T, hasher: &mut ContentHasher) {
        self.0.feed(value, hasher);
    }

    fn describe(&self, value: &T, text: &mut Text) {
        value.describe(text);
    }
}
