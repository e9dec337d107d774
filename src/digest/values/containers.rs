//! [`ContentHash`] of the standard library's containers.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque};
use std::ops::{Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};
use std::rc::Rc;
use std::sync::Arc;

use crate::digest::values::content::{ContentHash, feed};
use crate::digest::values::hasher::{ContentHasher, Row};
use crate::digest::values::outline::PartStep;
use crate::digest::values::text::Text;

/// What a pointer leaves to the value behind it.
macro_rules! as_what_is_behind {
    () => {
        fn has_rows(&self) -> bool {
            Row::is_alike(&**self)
        }

        fn hash_alike(&self, hasher: &mut ContentHasher) {
            Row::alike(&**self, hasher);
        }

        #[inline]
        fn hash_row(&self, hasher: &mut ContentHasher) {
            Row::row(&**self, hasher);
        }

        fn describe(&self, text: &mut Text) {
            (**self).describe(text);
        }
    };
}

macro_rules! transparent {
    ($(impl $generics:tt for $type:ty;)*) => {$(
        transparent!(@ $generics $type);
    )*};
    (@ [$($generics:tt)*] $type:ty) => {
        /// Counts like what it derefs to.
        impl<$($generics)*> ContentHash for $type {
            fn content_hash(&self, hasher: &mut ContentHasher) {
                hasher.inside(|hasher| feed(&**self, hasher));
            }

            as_what_is_behind!();
        }
    };
}

macro_rules! references {
    ($($type:ty)*) => {$(
        /// Counts like what it refers to.
        impl<T: ContentHash + ?Sized> ContentHash for $type {
            #[inline]
            fn content_hash(&self, hasher: &mut ContentHasher) {
                feed(&**self, hasher);
            }

            as_what_is_behind!();
        }
    )*};
}

references! { &T &mut T }

transparent! {
    impl [T: ContentHash + ?Sized] for Box<T>;
    impl [T: ContentHash + ?Sized] for Rc<T>;
    impl [T: ContentHash + ?Sized] for Arc<T>;
    impl [T: ContentHash + ToOwned + ?Sized] for Cow<'_, T>;
}

/// Counts like a slice.
impl<T: ContentHash> ContentHash for Vec<T> {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        T::hash_slice(self, hasher);
    }

    fn describe(&self, text: &mut Text) {
        T::describe_slice(self, text);
    }
}

/// Counts like a slice.
impl<T: ContentHash, const N: usize> ContentHash for [T; N] {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        T::hash_slice(self, hasher);
    }

    fn hash_slice(rows: &[Self], hasher: &mut ContentHasher) {
        T::hash_rows(rows, hasher);
    }

    fn has_rows(&self) -> bool {
        self.first().is_some_and(Row::is_alike)
    }

    fn hash_alike(&self, hasher: &mut ContentHasher) {
        match self.first() {
            Some(first) if first.is_alike() => {
                hasher.begin_seq(N);
                first.alike(hasher);
                hasher.end();
            }
            _ => hasher.whole(),
        }
    }

    fn hash_row(&self, hasher: &mut ContentHasher) {
        if !self.has_rows() {
            return hasher.whole_row(|hasher| self.content_hash(hasher));
        }
        if hasher.begin_row() {
            hasher.each(self, Row::row);
        }
        hasher.end_row();
    }

    fn describe(&self, text: &mut Text) {
        T::describe_slice(self, text);
    }
}

macro_rules! sequences {
    ($($type:ident)*) => {$(
        impl<T: ContentHash> ContentHash for $type<T> {
            fn content_hash(&self, hasher: &mut ContentHasher) {
                hasher.sequence(self.len(), self);
            }

            fn describe(&self, text: &mut Text) {
                text.sequence(self.len(), self, T::describe, feed);
            }
        }
    )*};
}

sequences! { LinkedList }

/// Counts by its elements, wherever its buffer begins; not like a slice, as it is no array.
impl<T: ContentHash> ContentHash for VecDeque<T> {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        T::hash_deque(self, hasher);
    }

    fn describe(&self, text: &mut Text) {
        text.sequence(self.len(), self, T::describe, feed);
    }
}

impl<T: ContentHash> ContentHash for Option<T> {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        match self {
            None => hasher.none(),
            Some(value) => {
                hasher.some();
                hasher.inside(|hasher| value.content_hash(hasher));
            }
        }
    }

    fn describe(&self, text: &mut Text) {
        match self {
            None => text.display("None"),
            Some(value) => describe_variant(text, "Some", value),
        }
    }
}

impl<T: ContentHash, E: ContentHash> ContentHash for Result<T, E> {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        match self {
            Ok(value) => hash_variant(hasher, "Result", "Ok", value),
            Err(error) => hash_variant(hasher, "Result", "Err", error),
        }
    }

    fn describe(&self, text: &mut Text) {
        match self {
            Ok(value) => describe_variant(text, "Ok", value),
            Err(error) => describe_variant(text, "Err", error),
        }
    }
}

fn hash_variant<T: ContentHash>(hasher: &mut ContentHasher, name: &'static str, variant: &'static str, value: &T) {
    hasher.begin_variant_named(name, variant);
    value.content_hash(hasher);
    hasher.end();
}

fn describe_variant<T: ContentHash>(text: &mut Text, variant: &str, value: &T) {
    text.display(format_args!("{variant}("));
    text.inside(variant, |text| value.describe(text));
    text.display(")");
}

macro_rules! tuples {
    ($($first:ident $($rest:ident)*)?) => {$(
        impl<$first: ContentHash, $($rest: ContentHash),*> ContentHash for ($first, $($rest,)*) {
            #[allow(non_snake_case)]
            fn content_hash(&self, hasher: &mut ContentHasher) {
                let ($first, $($rest,)*) = self;
                hasher.begin_tuple();
                $first.content_hash(hasher);
                $($rest.content_hash(hasher);)*
                hasher.end();
            }

            fn has_rows(&self) -> bool {
                true
            }

            #[allow(non_snake_case)]
            fn hash_alike(&self, hasher: &mut ContentHasher) {
                let ($first, $($rest,)*) = self;
                hasher.begin_tuple();
                $first.alike(hasher);
                $($rest.alike(hasher);)*
                hasher.end();
            }

            #[allow(non_snake_case)]
            #[inline]
            fn hash_row(&self, hasher: &mut ContentHasher) {
                let ($first, $($rest,)*) = self;
                if hasher.begin_row() {
                    $first.row(hasher);
                    $($rest.row(hasher);)*
                }
                hasher.end_row();
            }

            #[allow(non_snake_case)]
            fn describe(&self, text: &mut Text) {
                let ($first, $($rest,)*) = self;
                let mut position = 0;
                describe_field(text, &mut position, $first);
                $(describe_field(text, &mut position, $rest);)*
                text.display(")");
            }
        }

        tuples! { $($rest)* }
    )?};
}

fn describe_field<T: ContentHash>(text: &mut Text, position: &mut usize, value: &T) {
    text.display(if *position > 0 { ", " } else { "(" });
    let step = PartStep::Field(&position.to_string());
    text.part(&step, |text| value.describe(text), |hasher| feed(value, hasher));
    *position += 1;
}

tuples! { A B C D E F G H I J K L }

/// Sets count by what they hold: in no order, and alike whether they are hashed or sorted.
macro_rules! sets {
    ($(impl $generics:tt for $type:ty;)*) => {$(sets!(@ $generics $type);)*};
    (@ [$($generics:tt)*] $type:ty) => {
        /// Independent of order; alike for hashed and sorted sets.
        impl<T: ContentHash, $($generics)*> ContentHash for $type {
            fn content_hash(&self, hasher: &mut ContentHasher) {
                hasher.set(self);
            }

            fn describe(&self, text: &mut Text) {
                text.set(self.len(), self);
            }
        }
    };
}

sets! {
    impl [S] for HashSet<T, S>;
    impl [] for BTreeSet<T>;
}

macro_rules! maps {
    ($(impl $generics:tt for $type:ty;)*) => {$(maps!(@ $generics $type);)*};
    (@ [$($generics:tt)*] $type:ty) => {
        /// Independent of order; alike for hashed and sorted maps.
        impl<K: ContentHash, V: ContentHash, $($generics)*> ContentHash for $type {
            fn content_hash(&self, hasher: &mut ContentHasher) {
                hasher.map(self);
            }

            fn describe(&self, text: &mut Text) {
                text.map(self.len(), self);
            }
        }
    };
}

maps! {
    impl [S] for HashMap<K, V, S>;
    impl [] for BTreeMap<K, V>;
}

impl<T: ContentHash> ContentHash for Bound<T> {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        match self {
            Self::Included(bound) => hash_variant(hasher, "Bound", "Included", bound),
            Self::Excluded(bound) => hash_variant(hasher, "Bound", "Excluded", bound),
            Self::Unbounded => hash_variant(hasher, "Bound", "Unbounded", &()),
        }
    }

    fn describe(&self, text: &mut Text) {
        match self {
            Self::Included(bound) => text.list("Included(", [bound], ")", T::describe),
            Self::Excluded(bound) => text.list("Excluded(", [bound], ")", T::describe),
            Self::Unbounded => text.display("Unbounded"),
        }
    }
}

macro_rules! ranges {
    ($($type:ident, $dots:literal;)*) => {$(
        impl<T: ContentHash> ContentHash for $type<T> {
            fn content_hash(&self, hasher: &mut ContentHasher) {
                hash_range(hasher, stringify!($type), self);
            }

            fn describe(&self, text: &mut Text) {
                describe_range(text, $dots, self);
            }
        }
    )*};
}

ranges! {
    Range, "..";
    RangeFrom, "..";
    RangeTo, "..";
    RangeInclusive, "..=";
    RangeToInclusive, "..=";
}

impl ContentHash for RangeFull {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.begin_struct_named("RangeFull");
        hasher.end();
    }

    fn describe(&self, text: &mut Text) {
        text.display("..");
    }
}

/// Types are named, as a range is more than its bounds: `a..b` iterates, `(Included(a), Excluded(b))` doesn't.
///
/// The bounds of a `RangeInclusive` tell whether it has been iterated to its end.
fn hash_range<T: ContentHash>(hasher: &mut ContentHasher, name: &'static str, range: &impl RangeBounds<T>) {
    hasher.begin_struct_named(name);
    range.start_bound().content_hash(hasher);
    range.end_bound().content_hash(hasher);
    hasher.end();
}

fn describe_range<T: ContentHash>(text: &mut Text, dots: &str, range: &impl RangeBounds<T>) {
    let bound = |bound: Bound<&T>, text: &mut Text| match bound {
        Bound::Included(value) | Bound::Excluded(value) => {
            text.list("", [value], "", |value, text| value.describe(text))
        }
        Bound::Unbounded => (),
    };
    bound(range.start_bound(), text);
    text.display(dots);
    bound(range.end_bound(), text);
}
