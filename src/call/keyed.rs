//! How an argument is keyed: by [`ContentHash`], else by serde, found out where a macro expands.

use std::marker::PhantomData;

use ndarray::{ArrayBase, ArrayRef, RawData};
use serde::Serialize;

use super::by_parts::{Arrays, Described, Parts};
use crate::digest::{ContentHash, ContentHasher, Row, Text, feed, serialized};

/// How an argument of type `T` is keyed.
pub trait Keyed<T: ?Sized> {
    /// Whether the argument is a part of the key.
    const COUNTS: bool = true;

    /// Whether it is keyed by what serde says of it. Serde names a type without its module, so several types may be
    /// described alike.
    const BY_SERDE: bool = false;

    /// Feeds the value.
    fn digest(&self, value: &T, hasher: &mut ContentHasher);
    /// Feeds what is alike in all values of this type.
    fn alike(&self, _: &T, hasher: &mut ContentHasher) {
        hasher.whole();
    }
    /// Feeds the rest.
    fn row(&self, value: &T, hasher: &mut ContentHasher) {
        hasher.whole_row(|hasher| self.digest(value, hasher));
    }
    /// The value in words.
    fn describe(&self, value: &T, text: &mut Text);
}

/// Finds out how an argument is keyed: [`ContentHash`], else [`Serialize`], of its items if it is an array or a container of
/// arrays, of its parts if it is another container, else a readable compile error.
///
/// The levels are told apart by how many references the method call has to take off (autoref specialisation).
pub struct Probe<'a, T: ?Sized>(pub &'a T);

impl<T: ?Sized> Clone for Probe<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Probe<'_, T> {}

/// Keyed by [`ContentHash`].
pub struct ByHash;
/// Keyed by [`Serialize`].
pub struct BySerde;
/// Keyed by [`Serialize`] of what a reference points to.
pub struct BySerdeRef;
/// Keyed by [`Serialize`] of each of its parts.
pub struct ByParts;
/// Keyed by its arrays, each in its memory order, and by [`Serialize`] of their items.
pub struct ByArrays;
/// For an argument that has no way into a key; never made.
pub struct Unkeyed<T: ?Sized>(PhantomData<T>);
/// For an array whose elements have no way into a key; never made.
pub struct UnkeyedElements<T: ?Sized>(PhantomData<T>);

/// The key of an argument that a message of its own refuses; never made.
pub struct MutableReference;

impl<T: ?Sized> Unkeyed<T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: ContentHash + ?Sized> Keyed<T> for ByHash {
    fn digest(&self, value: &T, hasher: &mut ContentHasher) {
        feed(value, hasher);
    }

    fn alike(&self, value: &T, hasher: &mut ContentHasher) {
        Row::alike(value, hasher);
    }

    #[inline]
    fn row(&self, value: &T, hasher: &mut ContentHasher) {
        Row::row(value, hasher);
    }

    fn describe(&self, value: &T, text: &mut Text) {
        value.describe(text);
    }
}

impl<T: Serialize> Keyed<T> for BySerde {
    const BY_SERDE: bool = true;

    fn digest(&self, value: &T, hasher: &mut ContentHasher) {
        hasher.serialize(value);
    }

    fn describe(&self, value: &T, text: &mut Text) {
        serialized(value, text);
    }
}

impl<T: Serialize> Keyed<&T> for BySerdeRef {
    const BY_SERDE: bool = true;

    fn digest(&self, value: &&T, hasher: &mut ContentHasher) {
        BySerde.digest(*value, hasher);
    }

    fn describe(&self, value: &&T, text: &mut Text) {
        BySerde.describe(*value, text);
    }
}

impl<T: Parts<Described> + ?Sized> Keyed<T> for ByParts {
    const BY_SERDE: bool = true;

    fn digest(&self, value: &T, hasher: &mut ContentHasher) {
        value.feed(hasher);
    }

    fn describe(&self, value: &T, text: &mut Text) {
        value.describe(text);
    }
}

impl<T: Parts<Arrays> + ?Sized> Keyed<T> for ByArrays {
    const BY_SERDE: bool = true;

    fn digest(&self, value: &T, hasher: &mut ContentHasher) {
        value.feed(hasher);
    }

    fn describe(&self, value: &T, text: &mut Text) {
        value.describe(text);
    }
}

impl<T: ?Sized> Keyed<T> for MutableReference {
    fn digest(&self, _: &T, _: &mut ContentHasher) {}

    fn describe(&self, _: &T, _: &mut Text) {}
}

impl<T: ?Sized> Keyed<T> for Unkeyed<T> {
    fn digest(&self, _: &T, _: &mut ContentHasher) {}

    fn describe(&self, _: &T, _: &mut Text) {}
}

impl<T: ?Sized> Keyed<T> for UnkeyedElements<T> {
    fn digest(&self, _: &T, _: &mut ContentHasher) {}

    fn describe(&self, _: &T, _: &mut Text) {}
}

/// The first level.
pub trait KeyedByHash {
    /// Says how.
    fn keyed(&self) -> ByHash {
        ByHash
    }
}

impl<T: ContentHash + ?Sized> KeyedByHash for &&&&&Probe<'_, T> {}

/// The second level.
pub trait KeyedByArrays {
    /// Says how.
    fn keyed(&self) -> ByArrays {
        ByArrays
    }
}

impl<T: Parts<Arrays> + ?Sized> KeyedByArrays for &&&&Probe<'_, T> {}

/// The third level.
pub trait KeyedByParts {
    /// Says how.
    fn keyed(&self) -> ByParts {
        ByParts
    }
}

impl<T: Parts<Described> + ?Sized> KeyedByParts for &&&Probe<'_, T> {}

/// The fourth level.
pub trait KeyedBySerdeRef {
    /// Says how.
    fn keyed(&self) -> BySerdeRef {
        BySerdeRef
    }
}

impl<T: Serialize> KeyedBySerdeRef for &&Probe<'_, &T> {}

/// The fifth level.
pub trait KeyedBySerde {
    /// Says how.
    fn keyed(&self) -> BySerde {
        BySerde
    }
}

impl<T: Serialize> KeyedBySerde for &Probe<'_, T> {}

/// What the search for an argument's key must come to; exists for its error message.
///
/// A macro asks for it by its path: for a bound, the compiler would show the function that has it.
#[diagnostic::on_unimplemented(
    message = "an argument of type `{T}` can't be part of a cache key",
    label = "neither `ndcache::ContentHash` nor `serde::Serialize`",
    note = "derive `ndcache::ContentHash` or `serde::Serialize` for it (a type parameter needs one as a bound), or, if it doesn't affect the result, leave the argument out of the key with `#[cache(ignore(…))]`",
    note = "a function has nothing to be keyed by, and must not be ignored: take an enum that names it, or call it inside of a closure that is cached under a name, `call!(\"name\", |…| …)`"
)]
pub trait Keyable<T: ?Sized>: Sized {
    /// Returns `how`. The argument goes first, so that its type is known where `how` is refused.
    #[inline]
    fn of(_: &T, how: Self) -> Self {
        how
    }
}

/// What the search for the key of an array must come to, too; exists for its error message.
#[diagnostic::on_unimplemented(
    message = "an array of type `{T}` can't be part of a cache key: its elements can't",
    label = "elements that are neither `ndcache::Element` nor `ndcache::ContentHash` nor `serde::Serialize`",
    note = "a type parameter needs the bound: `A: ndcache::Element` for numbers, which arrays of results need as well, else `A: ndcache::ContentHash`",
    note = "a type of your own derives `ndcache::ContentHash`"
)]
pub trait KeyableElements<T: ?Sized>: Sized {
    /// Returns `how`.
    #[inline]
    fn of(_: &T, how: Self) -> Self {
        how
    }
}

macro_rules! keyable {
    ($($trait:ident: $($how:ty)*;)*) => {$($(
        #[diagnostic::do_not_recommend]
        impl<T: ?Sized> $trait<T> for $how {}
    )*)*};
}

keyable! {
    Keyable: ByHash ByArrays BySerde BySerdeRef ByParts MutableReference UnkeyedElements<T>;
    KeyableElements: ByHash ByArrays BySerde BySerdeRef ByParts MutableReference Unkeyed<T>;
}

/// The sixth level, of arrays.
pub trait NoKeyedElements<T: ?Sized> {
    /// Returns what isn't [`KeyableElements`], so that the macro doesn't compile.
    fn keyed(&self) -> UnkeyedElements<T> {
        UnkeyedElements(PhantomData)
    }
}

impl<S: RawData, D> NoKeyedElements<ArrayBase<S, D>> for Probe<'_, ArrayBase<S, D>> {}
impl<A, D> NoKeyedElements<ArrayRef<A, D>> for Probe<'_, ArrayRef<A, D>> {}

/// The last level.
pub trait NotKeyed<T: ?Sized>: Sized {
    /// Returns what isn't [`Keyable`], so that the macro doesn't compile.
    fn keyed(self) -> Unkeyed<T> {
        Unkeyed::new()
    }
}

impl<T: ?Sized> NotKeyed<T> for Probe<'_, T> {}
