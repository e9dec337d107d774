//! Arrays of what only serde knows, as arguments, and containers of such arrays.

use std::any::type_name;

use ndarray::{ArrayBase, ArrayRef, Data, Dimension};
use serde::Serialize;

use crate::digest::{ContentHash, ContentHasher, Text, hash_items};

/// An array whose items only serde knows, or a container of such arrays: fed array by array and item by item, since the
/// memory order is a part of the key, and serde would be told the items in logical order.
pub trait ArrayParts {
    /// Feeds the arrays.
    fn feed(&self, hasher: &mut ContentHasher);

    /// The value in words.
    fn describe(&self, text: &mut Text);
}

impl<T: Serialize, D: Dimension> ArrayParts for ArrayRef<T, D> {
    fn feed(&self, hasher: &mut ContentHasher) {
        hash_items(self, hasher, |items, hasher| hasher.each(items, |item, hasher| hasher.serialize(item)));
    }

    fn describe(&self, text: &mut Text) {
        text.display(short_name(type_name::<T>()));
        text.debug(self.shape());
    }
}

impl<S: Data, D: Dimension> ArrayParts for ArrayBase<S, D>
where
    S::Elem: Serialize,
{
    fn feed(&self, hasher: &mut ContentHasher) {
        (**self).feed(hasher);
    }

    fn describe(&self, text: &mut Text) {
        (**self).describe(text);
    }
}

/// An array in a container that knows how to feed its parts.
struct Inside<'a, T: ?Sized>(&'a T);

impl<T: ArrayParts + ?Sized> ContentHash for Inside<'_, T> {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        self.0.feed(hasher);
    }

    fn describe(&self, text: &mut Text) {
        self.0.describe(text);
    }
}

/// What stands beside an array in a tuple.
macro_rules! beside {
    ($($type:ty)*) => {$(
        impl ArrayParts for $type {
            fn feed(&self, hasher: &mut ContentHasher) {
                self.content_hash(hasher);
            }

            fn describe(&self, text: &mut Text) {
                ContentHash::describe(self, text);
            }
        }
    )*};
}

beside! { bool char f32 f64 i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize str String }

impl<T: ArrayParts + ?Sized> ArrayParts for &T {
    fn feed(&self, hasher: &mut ContentHasher) {
        (**self).feed(hasher);
    }

    fn describe(&self, text: &mut Text) {
        (**self).describe(text);
    }
}

impl<T: ArrayParts + ?Sized> ArrayParts for Box<T> {
    fn feed(&self, hasher: &mut ContentHasher) {
        hasher.inside(|hasher| (**self).feed(hasher));
    }

    fn describe(&self, text: &mut Text) {
        (**self).describe(text);
    }
}

impl<T: ArrayParts> ArrayParts for Option<T> {
    fn feed(&self, hasher: &mut ContentHasher) {
        self.as_ref().map(Inside).content_hash(hasher);
    }

    fn describe(&self, text: &mut Text) {
        ContentHash::describe(&self.as_ref().map(Inside), text);
    }
}

impl<T: ArrayParts> ArrayParts for [T] {
    fn feed(&self, hasher: &mut ContentHasher) {
        hasher.begin_seq(self.len());
        hasher.each(self, |item, hasher| item.feed(hasher));
        hasher.end();
    }

    fn describe(&self, text: &mut Text) {
        text.sequence(self.len(), self, T::describe, |item, hasher| item.feed(hasher));
    }
}

impl<T: ArrayParts> ArrayParts for Vec<T> {
    fn feed(&self, hasher: &mut ContentHasher) {
        self.as_slice().feed(hasher);
    }

    fn describe(&self, text: &mut Text) {
        self.as_slice().describe(text);
    }
}

impl<T: ArrayParts, const N: usize> ArrayParts for [T; N] {
    fn feed(&self, hasher: &mut ContentHasher) {
        self.as_slice().feed(hasher);
    }

    fn describe(&self, text: &mut Text) {
        self.as_slice().describe(text);
    }
}

macro_rules! tuples {
    ($(($($part:ident $at:tt),*))*) => {$(
        impl<$($part: ArrayParts),*> ArrayParts for ($($part,)*) {
            fn feed(&self, hasher: &mut ContentHasher) {
                ($(Inside(&self.$at),)*).content_hash(hasher);
            }

            fn describe(&self, text: &mut Text) {
                ContentHash::describe(&($(Inside(&self.$at),)*), text);
            }
        }
    )*};
}

tuples! { (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) }

/// `Point` of `app::geometry::Point`.
fn short_name(type_name: &str) -> &str {
    let end = type_name.find('<').unwrap_or(type_name.len());
    type_name[..end].rfind("::").map_or(type_name, |at| &type_name[at + 2..])
}
