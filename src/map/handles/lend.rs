//! Mapped arrays as ndarray's: references, views, iterators, producers; equality and formatting.

use std::borrow::{Borrow, BorrowMut};
use std::fmt;
use std::ops::{Deref, DerefMut};

use ndarray::linalg::Dot;
use ndarray::parallel::Parallel;
use ndarray::parallel::prelude::IntoParallelIterator;
use ndarray::{
    ArrayBase, ArrayRef, ArrayView, ArrayViewMut, Data, Dimension, IntoNdProducer, Ix1, Ix2, IxDyn, LayoutRef,
    LinalgScalar, RawRef, iter,
};

use super::{Mapped, MappedCow, MappedMut, Staged};
use crate::digest::{ContentHash, ContentHasher, Element, Roundable, Step, Text};

macro_rules! lend {
    ($type:ident) => {
        impl<A: Element, D: Dimension> Deref for $type<A, D> {
            type Target = ArrayRef<A, D>;

            fn deref(&self) -> &ArrayRef<A, D> {
                self.as_array()
            }
        }

        impl<A: Element, D: Dimension> AsRef<ArrayRef<A, D>> for $type<A, D> {
            fn as_ref(&self) -> &ArrayRef<A, D> {
                self
            }
        }

        impl<A: Element, D: Dimension> AsRef<RawRef<A, D>> for $type<A, D> {
            fn as_ref(&self) -> &RawRef<A, D> {
                self
            }
        }

        impl<A: Element, D: Dimension> AsRef<LayoutRef<A, D>> for $type<A, D> {
            fn as_ref(&self) -> &LayoutRef<A, D> {
                self
            }
        }

        impl<A: Element, D: Dimension> Borrow<ArrayRef<A, D>> for $type<A, D> {
            fn borrow(&self) -> &ArrayRef<A, D> {
                self
            }
        }

        impl<'a, A: Element, D: Dimension> From<&'a $type<A, D>> for ArrayView<'a, A, D> {
            fn from(array: &'a $type<A, D>) -> Self {
                array.view()
            }
        }

        impl<'a, A: Element, D: Dimension> IntoIterator for &'a $type<A, D> {
            type Item = &'a A;
            type IntoIter = iter::Iter<'a, A, D>;

            fn into_iter(self) -> Self::IntoIter {
                self.iter()
            }
        }

        impl<'a, A: Element, D: Dimension> IntoNdProducer for &'a $type<A, D> {
            type Item = &'a A;
            type Dim = D;
            type Output = ArrayView<'a, A, D>;

            fn into_producer(self) -> Self::Output {
                self.view()
            }
        }

        impl<'a, A: Element, D: Dimension> IntoParallelIterator for &'a $type<A, D> {
            type Item = &'a A;
            type Iter = Parallel<ArrayView<'a, A, D>>;

            fn into_par_iter(self) -> Self::Iter {
                self.view().into_par_iter()
            }
        }

        impl<A: Element, D: Dimension> ContentHash for $type<A, D> {
            fn content_hash(&self, hasher: &mut ContentHasher) {
                self.as_array().content_hash(hasher);
            }

            fn describe(&self, text: &mut Text) {
                self.as_array().describe(text);
            }
        }

        impl<A: Element, D: Dimension> Roundable for $type<A, D>
        where
            ArrayRef<A, D>: Roundable,
        {
            fn round_hash(&self, step: Step, hasher: &mut ContentHasher) {
                self.as_array().round_hash(step, hasher);
            }
        }

        /// Equal when shape and elements are, as for `Array`.
        impl<A: Element + PartialEq<S::Elem>, S: Data, D: Dimension> PartialEq<ArrayBase<S, D>> for $type<A, D> {
            fn eq(&self, other: &ArrayBase<S, D>) -> bool {
                *self.as_array() == **other
            }
        }

        /// Equal when shape and elements are, as for `Array`.
        impl<A: Element, S: Data<Elem: PartialEq<A>>, D: Dimension> PartialEq<$type<A, D>> for ArrayBase<S, D> {
            fn eq(&self, other: &$type<A, D>) -> bool {
                **self == *other.as_array()
            }
        }

        /// Equal when shape and elements are, as for `Array`.
        impl<A: Element + PartialEq<B>, B, D: Dimension> PartialEq<ArrayRef<B, D>> for $type<A, D> {
            fn eq(&self, other: &ArrayRef<B, D>) -> bool {
                *self.as_array() == *other
            }
        }

        /// Equal when shape and elements are, as for `Array`.
        impl<A: Element, B: PartialEq<A>, D: Dimension> PartialEq<$type<A, D>> for ArrayRef<B, D> {
            fn eq(&self, other: &$type<A, D>) -> bool {
                *self == *other.as_array()
            }
        }

        impl<A: Element + Eq, D: Dimension> Eq for $type<A, D> {}

        /// Element type, where the bytes are, and what ndarray shows of the array: of a large one its corners.
        impl<A: Element, D: Dimension> fmt::Debug for $type<A, D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "<{}>({}) "), A::NAME, self.place())?;
                fmt::Debug::fmt(self.as_array(), f)
            }
        }

        lend! { $type formats Display LowerExp UpperExp LowerHex Binary }
        lend! { $type dots Ix1 Ix1, Ix1 Ix2, Ix2 Ix1, Ix2 Ix2, IxDyn IxDyn }
    };

    ($type:ident formats $($format:ident)*) => {$(
        impl<A: Element + fmt::$format, D: Dimension> fmt::$format for $type<A, D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::$format::fmt(self.as_array(), f)
            }
        }
    )*};

    // The other way round, `m.dot(&a)`, is ndarray's own, through `Deref`.
    ($type:ident dots $($left:ident $right:ident),*) => {$(
        impl<A: Element + LinalgScalar> Dot<$type<A, $right>> for ArrayRef<A, $left> {
            type Output = <Self as Dot<ArrayRef<A, $right>>>::Output;

            #[track_caller]
            fn dot(&self, right: &$type<A, $right>) -> Self::Output {
                Dot::dot(self, right.as_array())
            }
        }
    )*};
}

lend!(Mapped);
lend!(MappedCow);
lend!(MappedMut);
lend!(Staged);

/// What only a writable array lends.
macro_rules! lend_mut {
    ($type:ident) => {
        impl<A: Element, D: Dimension> DerefMut for $type<A, D> {
            fn deref_mut(&mut self) -> &mut ArrayRef<A, D> {
                self.as_array_mut()
            }
        }

        impl<A: Element, D: Dimension> AsMut<ArrayRef<A, D>> for $type<A, D> {
            fn as_mut(&mut self) -> &mut ArrayRef<A, D> {
                self
            }
        }

        impl<A: Element, D: Dimension> AsMut<RawRef<A, D>> for $type<A, D> {
            fn as_mut(&mut self) -> &mut RawRef<A, D> {
                self
            }
        }

        impl<A: Element, D: Dimension> AsMut<LayoutRef<A, D>> for $type<A, D> {
            fn as_mut(&mut self) -> &mut LayoutRef<A, D> {
                self
            }
        }

        impl<A: Element, D: Dimension> BorrowMut<ArrayRef<A, D>> for $type<A, D> {
            fn borrow_mut(&mut self) -> &mut ArrayRef<A, D> {
                self
            }
        }

        impl<'a, A: Element, D: Dimension> From<&'a mut $type<A, D>> for ArrayViewMut<'a, A, D> {
            fn from(array: &'a mut $type<A, D>) -> Self {
                array.view_mut()
            }
        }

        impl<'a, A: Element, D: Dimension> IntoIterator for &'a mut $type<A, D> {
            type Item = &'a mut A;
            type IntoIter = iter::IterMut<'a, A, D>;

            fn into_iter(self) -> Self::IntoIter {
                self.iter_mut()
            }
        }

        impl<'a, A: Element, D: Dimension> IntoNdProducer for &'a mut $type<A, D> {
            type Item = &'a mut A;
            type Dim = D;
            type Output = ArrayViewMut<'a, A, D>;

            fn into_producer(self) -> Self::Output {
                self.view_mut()
            }
        }

        impl<'a, A: Element, D: Dimension> IntoParallelIterator for &'a mut $type<A, D> {
            type Item = &'a mut A;
            type Iter = Parallel<ArrayViewMut<'a, A, D>>;

            fn into_par_iter(self) -> Self::Iter {
                self.view_mut().into_par_iter()
            }
        }
    };
}

lend_mut!(MappedCow);
lend_mut!(MappedMut);
lend_mut!(Staged);

macro_rules! equal {
    ($($left:ident $right:ident),*) => {$(
        /// Equal when shape and elements are, as for `Array`; the same array twice is compared, too: a NaN isn't equal.
        impl<A: Element + PartialEq<B>, B: Element, D: Dimension> PartialEq<$right<B, D>> for $left<A, D> {
            fn eq(&self, other: &$right<B, D>) -> bool {
                *self.as_array() == *other.as_array()
            }
        }
    )*};
}

equal!(Staged Staged, Staged Mapped, Mapped Staged);
equal!(Mapped Mapped, Mapped MappedCow, MappedCow Mapped, MappedCow MappedCow);
equal!(Mapped MappedMut, MappedMut Mapped, MappedCow MappedMut, MappedMut MappedCow, MappedMut MappedMut);
