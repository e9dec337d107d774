//! Containers as arguments whose items `ContentHash` doesn't know: those of arrays, and those of what serde describes.
//!
//! They are fed part by part, since serde would tell neither the memory order of an array nor the variant of an untagged
//! enum.

use std::any::type_name;
use std::marker::PhantomData;

use ndarray::{ArrayBase, ArrayRef, Data, Dimension};
use serde::Serialize;

use crate::digest::{ContentHash, ContentHasher, Text, hash_items, serialized};

/// Parts that are arrays whose items only serde knows, containers of such arrays, or plain values beside them.
pub struct Arrays;

/// Parts that serde describes.
pub struct Described;

/// A container, or an array, that is fed part by part.
pub trait Parts<Kind> {
    /// Feeds the parts.
    fn feed(&self, hasher: &mut ContentHasher);

    /// The value in words.
    fn describe(&self, text: &mut Text);
}

/// One of the parts.
trait FeedPart<Kind> {
    fn feed_part(&self, hasher: &mut ContentHasher);

    fn describe_part(&self, text: &mut Text);
}

impl<T: Parts<Arrays> + ?Sized> FeedPart<Arrays> for T {
    fn feed_part(&self, hasher: &mut ContentHasher) {
        self.feed(hasher);
    }

    fn describe_part(&self, text: &mut Text) {
        self.describe(text);
    }
}

impl<T: Serialize> FeedPart<Described> for T {
    fn feed_part(&self, hasher: &mut ContentHasher) {
        hasher.serialize(self);
    }

    fn describe_part(&self, text: &mut Text) {
        serialized(self, text);
    }
}

/// A part, for the containers that `ContentHash` knows.
struct Inside<'a, Kind, T: ?Sized>(&'a T, PhantomData<Kind>);

impl<'a, Kind, T: ?Sized> Inside<'a, Kind, T> {
    fn of(part: &'a T) -> Self {
        Self(part, PhantomData)
    }
}

impl<Kind, T: FeedPart<Kind> + ?Sized> ContentHash for Inside<'_, Kind, T> {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        self.0.feed_part(hasher);
    }

    fn describe(&self, text: &mut Text) {
        self.0.describe_part(text);
    }
}

impl<T: Serialize, D: Dimension> Parts<Arrays> for ArrayRef<T, D> {
    fn feed(&self, hasher: &mut ContentHasher) {
        hash_items(self, hasher, |items, hasher| hasher.each(items, |item, hasher| hasher.serialize(item)));
    }

    fn describe(&self, text: &mut Text) {
        text.display(short_name(type_name::<T>()));
        text.debug(self.shape());
    }
}

impl<S: Data, D: Dimension> Parts<Arrays> for ArrayBase<S, D>
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

/// What stands beside an array in a tuple.
macro_rules! beside {
    ($($type:ty)*) => {$(
        impl Parts<Arrays> for $type {
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

impl<Kind, T: Parts<Kind> + ?Sized> Parts<Kind> for &T {
    fn feed(&self, hasher: &mut ContentHasher) {
        (**self).feed(hasher);
    }

    fn describe(&self, text: &mut Text) {
        (**self).describe(text);
    }
}

impl<Kind, T: FeedPart<Kind> + ?Sized> Parts<Kind> for Box<T> {
    fn feed(&self, hasher: &mut ContentHasher) {
        hasher.inside(|hasher| T::feed_part(self, hasher));
    }

    fn describe(&self, text: &mut Text) {
        T::describe_part(self, text);
    }
}

impl<Kind, T: FeedPart<Kind>> Parts<Kind> for Option<T> {
    fn feed(&self, hasher: &mut ContentHasher) {
        self.as_ref().map(Inside::of).content_hash(hasher);
    }

    fn describe(&self, text: &mut Text) {
        ContentHash::describe(&self.as_ref().map(Inside::of), text);
    }
}

impl<Kind, T: FeedPart<Kind>> Parts<Kind> for [T] {
    fn feed(&self, hasher: &mut ContentHasher) {
        hasher.begin_seq(self.len());
        hasher.each(self, T::feed_part);
        hasher.end();
    }

    fn describe(&self, text: &mut Text) {
        text.sequence(self.len(), self, T::describe_part, T::feed_part);
    }
}

impl<Kind, T: FeedPart<Kind>> Parts<Kind> for Vec<T> {
    fn feed(&self, hasher: &mut ContentHasher) {
        self.as_slice().feed(hasher);
    }

    fn describe(&self, text: &mut Text) {
        self.as_slice().describe(text);
    }
}

impl<Kind, T: FeedPart<Kind>, const N: usize> Parts<Kind> for [T; N] {
    fn feed(&self, hasher: &mut ContentHasher) {
        self.as_slice().feed(hasher);
    }

    fn describe(&self, text: &mut Text) {
        self.as_slice().describe(text);
    }
}

macro_rules! tuples {
    ($(($($part:ident $at:tt),*))*) => {$(
        impl<Kind, $($part: FeedPart<Kind>),*> Parts<Kind> for ($($part,)*) {
            fn feed(&self, hasher: &mut ContentHasher) {
                ($(Inside::<Kind, _>::of(&self.$at),)*).content_hash(hasher);
            }

            fn describe(&self, text: &mut Text) {
                ContentHash::describe(&($(Inside::<Kind, _>::of(&self.$at),)*), text);
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
