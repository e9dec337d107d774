//! Arrays of what only serde knows, as arguments.

use std::any::type_name;

use ndarray::{ArrayBase, ArrayRef, Data, Dimension};
use serde::Serialize;

use crate::call::keyed::SerdeParts;
use crate::digest::{ContentHasher, Text, hash_items};

/// Item by item: the memory order is a part of the key, which serde wouldn't tell.
impl<T: Serialize, D: Dimension> SerdeParts for ArrayRef<T, D> {
    fn feed(&self, hasher: &mut ContentHasher) {
        hash_items(self, hasher, |items, hasher| hasher.each(items, |item, hasher| hasher.serialize(item)));
    }

    fn describe(&self, text: &mut Text) {
        text.display(short_name(type_name::<T>()));
        text.debug(self.shape());
    }
}

impl<S: Data, D: Dimension> SerdeParts for ArrayBase<S, D>
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

/// `Point` of `app::geometry::Point`.
fn short_name(type_name: &str) -> &str {
    let end = type_name.find('<').unwrap_or(type_name.len());
    type_name[..end].rfind("::").map_or(type_name, |at| &type_name[at + 2..])
}
