//! [`ContentHash`]: values that say for themselves what they are.

use std::collections::VecDeque;

use ndarray::{ArrayBase, ArrayRef, Data, Dimension};

use crate::digest::arrays::array::hash_items;
use crate::digest::value::Digest;
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::seen_types::TypeCode;
use crate::digest::values::tag::Tag;
use crate::digest::values::text::Text;

/// A value that can be part of a key: equal content gives the same digest, different content a different one.
///
/// Arrays, numbers, texts, paths, and the containers of the standard library implement it; `#[derive(ContentHash)]`
/// implements it for a struct or an enum, and [`ContentHasher`] shows how to do so by hand. Arguments of other types
/// are identified by what they serialize.
///
/// A value is identified by its content: a reference, a `Box` or an `Arc` like what it points to, a `Vec<f64>` like
/// the slice and the 1-d array of its elements. Behind a `dyn` its type is part of its digest, too, because the
/// methods of the trait may reveal the type. The order of hash sets and hash maps doesn't matter. A path is
/// identified by its text: to use the content of a file there is [`FileContent`](crate::FileContent).
///
/// ```
/// use ndarray::array;
/// use ndcache::digest;
///
/// assert_eq!(digest(&[1.0, 2.0]), digest(&array![1.0, 2.0]));
/// assert_ne!(digest(&Some(1)), digest(&Some(Some(1))));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no content digest",
    label = "not `ContentHash`",
    note = "`#[derive(ndcache::ContentHash)]` makes a struct or an enum usable here"
)]
pub trait ContentHash {
    /// Writes the value to `hasher`.
    fn content_hash(&self, hasher: &mut ContentHasher);

    /// Feeds the value as one of several types that share a `dyn`: with the type that it has.
    #[doc(hidden)]
    fn hash_concrete(&self, hasher: &mut ContentHasher) {
        hasher.concrete::<Self>();
        self.content_hash(hasher);
    }

    /// The code of the type, for functions of crates that don't see it; the derive finds it.
    #[doc(hidden)]
    fn type_code(&self) -> Option<TypeCode> {
        None
    }

    /// Whether anything but the end is alike in the streams of all values of this type; of a row of a table see
    /// "Rows" in docs/format.md.
    #[doc(hidden)]
    fn has_rows(&self) -> bool {
        false
    }

    /// Feeds what is alike in the streams of all values of this type.
    #[doc(hidden)]
    fn hash_alike(&self, hasher: &mut ContentHasher) {
        hasher.whole();
    }

    /// Feeds what the stream of this value has beside that.
    #[doc(hidden)]
    fn hash_row(&self, hasher: &mut ContentHasher) {
        hasher.whole_row(|hasher| self.content_hash(hasher));
    }

    /// Describes the value for people, without reading arrays; by default by the name of its type. The derive also
    /// describes the fields.
    fn describe(&self, text: &mut Text) {
        text.display(std::any::type_name::<Self>());
    }

    /// Feeds a slice of such values; array elements feed it as a 1-d array.
    #[doc(hidden)]
    fn hash_slice(slice: &[Self], hasher: &mut ContentHasher)
    where
        Self: Sized,
    {
        hasher.sequence(slice.len(), slice);
    }

    /// Feeds a deque of such values; array elements feed it as an array.
    #[doc(hidden)]
    fn hash_deque(deque: &VecDeque<Self>, hasher: &mut ContentHasher)
    where
        Self: Sized,
    {
        hasher.sequence(deque.len(), deque);
    }

    /// Feeds arrays of one length of such values; array elements feed them as one array.
    #[doc(hidden)]
    fn hash_rows<const N: usize>(rows: &[[Self; N]], hasher: &mut ContentHasher)
    where
        Self: Sized,
    {
        hasher.begin_seq(rows.len());
        hasher.each(rows, |row, hasher| Self::hash_slice(row, hasher));
        hasher.end();
    }

    /// Says what a slice of such values is.
    #[doc(hidden)]
    fn describe_slice(slice: &[Self], text: &mut Text)
    where
        Self: Sized,
    {
        text.sequence(slice.len(), slice, Self::describe, feed);
    }

    /// Feeds an array of such values; array elements feed it as its array digest.
    #[doc(hidden)]
    fn hash_array<D: Dimension>(array: &ArrayRef<Self, D>, hasher: &mut ContentHasher)
    where
        Self: Sized,
    {
        hash_items(array, hasher, |items, hasher| hasher.items(items));
    }

    /// Says what an array of such values is.
    #[doc(hidden)]
    fn describe_array<D: Dimension>(array: &ArrayRef<Self, D>, text: &mut Text)
    where
        Self: Sized,
    {
        text.display(std::any::type_name::<Self>());
        text.debug(array.shape());
    }
}

/// Computes the digest of a value's content.
///
/// The digest of an array covers its dtype, shape, memory order and elements, and is the same whatever owns the
/// array: also for slices and `Vec`s of elements, which are hashed as 1-d arrays. Arrays are read once, at about
/// memory bandwidth, and in parallel when they are large; a `Mapped` array that was hashed before isn't read at all.
///
/// If a part of a value fails to serialize, its digest equals no other; [`ContentHasher::try_finish`] returns the
/// error.
///
/// ```
/// use ndarray::{Array2, ShapeBuilder};
/// use ndcache::digest;
///
/// let c = Array2::from_shape_fn((3, 4), |(i, j)| (4 * i + j) as f64);
/// let mut f = Array2::zeros((3, 4).f());
/// f.assign(&c);
/// assert_eq!(digest(&c).to_string(), "0c3e264c767b9f1326f873db8c902583");
/// assert_eq!(digest(&f).to_string(), "4eaa895f0b95b25cc2e6b3b12a00bcfb"); // another memory order
/// assert_eq!(digest(&c), digest(&c.view()));
/// ```
#[must_use]
#[inline]
pub fn digest<T: ContentHash + ?Sized>(value: &T) -> Digest {
    let mut hasher = ContentHasher::strict();
    feed(value, &mut hasher);
    hasher.digest()
}

/// Feeds a value, which may stand behind a `dyn`: there types that feed alike may behave differently.
#[inline]
pub(crate) fn feed<T: ContentHash + ?Sized>(value: &T, hasher: &mut ContentHasher) {
    if is_dyn::<T>() { value.hash_concrete(hasher) } else { value.content_hash(hasher) }
}

/// Whether a value is seen through a trait that may show more of it than what it counts by.
#[inline]
fn is_dyn<T: ?Sized>() -> bool {
    let name = std::any::type_name::<T>;
    let shows_more = || name().starts_with("dyn ") && !name().starts_with(std::any::type_name::<dyn ContentHash>());
    size_of::<&T>() > size_of::<usize>() && shows_more()
}

impl<A: ContentHash, D: Dimension> ContentHash for ArrayRef<A, D> {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        A::hash_array(self, hasher);
    }

    fn describe(&self, text: &mut Text) {
        A::describe_array(self, text);
    }
}

impl<S: Data, D: Dimension> ContentHash for ArrayBase<S, D>
where
    S::Elem: ContentHash,
{
    #[inline]
    fn content_hash(&self, hasher: &mut ContentHasher) {
        (**self).content_hash(hasher);
    }

    fn describe(&self, text: &mut Text) {
        (**self).describe(text);
    }
}

impl<T: ContentHash> ContentHash for [T] {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        T::hash_slice(self, hasher);
    }

    fn describe(&self, text: &mut Text) {
        T::describe_slice(self, text);
    }
}

impl ContentHash for Digest {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.tagged(Tag::Digest, &self.to_bytes());
    }

    fn describe(&self, text: &mut Text) {
        text.display(self);
    }
}

#[cfg(test)]
mod tests;
