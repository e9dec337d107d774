//! Arrays of what only serde knows, as arguments.

use ndarray::{ArrayBase, ArrayRef, Data, Dimension};
use serde::Serialize;

use crate::call::lazy::Parts;
use crate::digest::{ContentHasher, hash_items};

/// Item by item: the memory order is a part of the key, which serde wouldn't tell.
impl<T: Serialize, D: Dimension> Parts for ArrayRef<T, D> {
    fn feed(&self, hasher: &mut ContentHasher) {
        hash_items(self, hasher, |items, hasher| hasher.each(items, |item, hasher| hasher.serialize(item)));
    }
}

impl<S: Data, D: Dimension> Parts for ArrayBase<S, D>
where
    S::Elem: Serialize,
{
    fn feed(&self, hasher: &mut ContentHasher) {
        (**self).feed(hasher);
    }
}
