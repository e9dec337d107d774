//! Arguments that a function may change: a hit doesn't run the function, and so wouldn't change them. The macros refuse
//! `&mut` and mutable views as they are spelled; this module refuses those behind an alias or a type parameter.

use ndarray::{ArrayBase, ViewRepr};

use crate::call::keyed::{
    ByArrays, ByHash, ByParts, BySerde, BySerdeRef, MutableReference, Probe, Unkeyed, UnkeyedElements,
};

/// Whether a value of the type with this name lets a function change something that isn't its own.
///
/// The parameters of a function pointer, as in `fn(&mut f64)`, don't: the caller of the pointer lends them.
pub(crate) fn lends_mutably(type_name: &str) -> bool {
    const MUTABLE: &str = "&mut ";
    if !type_name.contains(MUTABLE) {
        return false;
    }
    // For each open parenthesis, whether it is one of parameters: `fn(…)`, `dyn FnMut(…)`, and not of a tuple.
    let mut parameters = Vec::new();
    let mut before = ' ';
    for (at, character) in type_name.char_indices() {
        match character {
            '(' => parameters.push(before.is_alphanumeric()),
            ')' => drop(parameters.pop()),
            '&' if !parameters.contains(&true) && type_name[at..].starts_with(MUTABLE) => return true,
            _ => {}
        }
        before = character;
    }
    false
}

/// What the search for an argument's key must come to, too; exists for its error message.
///
/// A macro asks for it by its path, as for [`Keyable`](super::keyed::Keyable).
#[diagnostic::on_unimplemented(
    message = "a cached function can't take `{T}`: a hit wouldn't change what it lends",
    label = "lent to be changed",
    note = "take it by `&` or by value, and return what is new"
)]
pub trait Unchanged<T: ?Sized>: Sized {
    /// Returns `how`.
    #[inline]
    fn of(_: &T, how: Self) -> Self {
        how
    }
}

macro_rules! unchanged {
    ($($how:ident)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: ?Sized> Unchanged<T> for $how {}
    )*};
}

unchanged! { ByHash ByArrays ByParts BySerde BySerdeRef }

// The compiler has refused these already, with messages of their own.
#[diagnostic::do_not_recommend]
impl<T: ?Sized> Unchanged<T> for Unkeyed<T> {}
#[diagnostic::do_not_recommend]
impl<T: ?Sized> Unchanged<T> for UnkeyedElements<T> {}

/// The level of the probe before all others.
pub trait KeyedMutably<T> {
    /// Returns what isn't [`Unchanged`], so that the macro doesn't compile.
    fn keyed(&self) -> MutableReference {
        MutableReference
    }
}

impl<'a, T: ?Sized> KeyedMutably<&'a mut T> for &&&&&&Probe<'_, &'a mut T> {}

impl<'a, A, D> KeyedMutably<ArrayBase<ViewRepr<&'a mut A>, D>> for &&&&&&Probe<'_, ArrayBase<ViewRepr<&'a mut A>, D>> {}

#[cfg(test)]
mod tests {
    use std::any::type_name;

    use ndarray::{ArrayView1, ArrayViewMut1};

    use super::lends_mutably;

    #[test]
    fn a_type_lends_mutably_unless_only_its_functions_take_what_they_change() {
        for name in [
            type_name::<&mut f64>(),
            type_name::<(u8, Option<&mut [f64]>)>(),
            type_name::<ArrayViewMut1<'_, f64>>(),
            type_name::<(fn(&mut u8), &mut u8)>(),
        ] {
            assert!(lends_mutably(name), "{name}");
        }
        for name in [
            type_name::<&f64>(),
            type_name::<ArrayView1<'_, f64>>(),
            type_name::<fn(&mut f64, (u8, &mut u8))>(),
            type_name::<Box<dyn FnMut(&mut f64)>>(),
        ] {
            assert!(!lends_mutably(name), "{name}");
        }
    }
}
