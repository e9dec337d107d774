//! The arguments of a call in words, each with the leaves by which a miss can say what of it changed.

use std::any::type_name;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::call::keyed::Keyed;
use crate::digest::{Leaf, PartStep, Text};

/// An argument in words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Description {
    pub(crate) text: String,
    pub(crate) leaves: Vec<Leaf>,
}

impl Description {
    /// The words that `how` has for a value. Code of the user's that panics in between costs nothing but these.
    pub(super) fn of<T: ?Sized, K: Keyed<T>>(value: &T, how: &K, leaves: bool) -> Self {
        let described = catch_unwind(AssertUnwindSafe(|| {
            let mut text = if leaves { Text::outlining() } else { Text::new() };
            how.describe(value, &mut text);
            text.into_outline()
        }));
        match described {
            Ok((text, leaves)) => Self { text, leaves },
            Err(_) => Self::in_words(&type_name::<T>()),
        }
    }

    /// Words that somebody else has found.
    pub(super) fn in_words(words: &dyn fmt::Display) -> Self {
        let mut text = Text::new();
        text.display(words);
        Self { text: text.into_string(), leaves: Vec::new() }
    }
}

/// Describes a field; what the derive calls.
pub fn describe_field<T: ?Sized, K: Keyed<T>>(text: &mut Text, before: &str, name: &'static str, how: K, value: &T) {
    text.display(before);
    if K::COUNTS {
        let step = PartStep::Field(name);
        text.part(&step, |text| how.describe(value, text), |hasher| how.digest(value, hasher));
    } else {
        text.display("_");
    }
}

/// Describes the only field of a tuple struct, or of a variant of this name; what the derive calls.
pub fn describe_inside<T: ?Sized, K: Keyed<T>>(text: &mut Text, variant: &'static str, how: K, value: &T) {
    if K::COUNTS {
        text.inside(variant, |text| how.describe(value, text));
    } else {
        text.display("_");
    }
}
