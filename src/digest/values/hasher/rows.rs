//! Items of one type, as in a table: what is alike in all of them is fed once, before the first, and of each only what
//! differs.
//!
//! What is alike is a value's stream without the bytes of its numbers and texts, which are what each row has. A part
//! whose stream may differ in more than that (an `Option`, an enum, a `Vec`, what only serde knows) is marked as a
//! whole: each row has the part's stream, and says where that ends. So a reader who has read what is alike can read
//! each row.

use std::any::type_name;

use crate::digest::values::content::{ContentHash, feed};
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::tag::Tag;

/// How the values of a type stand in a row.
pub(crate) trait Row: ContentHash {
    /// Whether anything but the end is alike in all values of this type.
    fn is_alike(&self) -> bool;
    /// Feeds that.
    fn alike(&self, hasher: &mut ContentHasher);
    /// Feeds the rest of one value.
    fn row(&self, hasher: &mut ContentHasher);
}

/// Values behind a `dyn` may be of any type.
impl<T: ContentHash + ?Sized> Row for T {
    #[inline]
    fn is_alike(&self) -> bool {
        !is_any::<T>() && self.has_rows()
    }

    #[inline]
    fn alike(&self, hasher: &mut ContentHasher) {
        if is_any::<T>() { hasher.whole() } else { self.hash_alike(hasher) }
    }

    #[inline]
    fn row(&self, hasher: &mut ContentHasher) {
        if is_any::<T>() { hasher.whole_row(|hasher| feed(self, hasher)) } else { self.hash_row(hasher) }
    }
}

#[inline]
fn is_any<T: ?Sized>() -> bool {
    size_of::<&T>() > size_of::<usize>() && type_name::<T>().starts_with("dyn ")
}

impl ContentHasher {
    /// Marks a part that each row has with its marks.
    #[doc(hidden)]
    pub fn whole(&mut self) {
        self.tag(Tag::Whole);
    }

    /// Feeds such a part of a row.
    #[doc(hidden)]
    #[inline]
    pub fn whole_row(&mut self, feed: impl FnOnce(&mut Self)) {
        feed(self);
        self.write([Tag::End as u8]);
    }

    /// Feeds a sequence, or what is like one.
    #[inline]
    pub(crate) fn sequence<'a, T: ContentHash + 'a>(&mut self, len: usize, items: impl IntoIterator<Item = &'a T>) {
        self.begin_seq(len);
        self.items(items);
        self.end();
    }

    /// Feeds the items of a sequence, or of what is like one, which has begun.
    #[inline]
    pub(crate) fn items<'a, T: ContentHash + 'a>(&mut self, items: impl IntoIterator<Item = &'a T>) {
        let mut items = items.into_iter();
        let Some(first) = items.next() else { return };
        if self.shallow || !first.is_alike() {
            self.each([first], feed);
            return self.each(items, feed);
        }
        self.tag(Tag::Table);
        first.alike(self);
        self.each([first], Row::row);
        self.each(items, Row::row);
    }
}

#[cfg(test)]
mod tests;
