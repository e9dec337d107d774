//! Mapped arrays in arithmetic: what ndarray has for `&ArrayBase`, broadcasting included.
//!
//! Every operator hands over to ndarray's own for `ArrayRef`. A scalar on the right is of the elements' type, or the
//! real part of a complex one's: were it of any type, as in ndarray, no array could stand there.

use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Not, Rem, RemAssign, Sub, SubAssign};

use ndarray::{Array, ArrayBase, ArrayRef, Data, DataMut, DataOwned, DimMax, Dimension, ScalarOperand};
use num_complex::Complex;

use super::{Mapped, MappedCow, MappedMut, Staged};
use crate::digest::Element;

/// A mapped array and any array of ndarray's, on either side.
macro_rules! with_ndarray {
    ($type:ident: $($op:ident $method:ident)*) => {$(
        /// Element by element, in a new array of the shape both are broadcast to; panics when there is none.
        impl<'a, A, B, S, D, E> $op<&'a ArrayBase<S, E>> for &'a $type<A, D>
        where
            A: Element + $op<B, Output = A>,
            B: Clone,
            S: Data<Elem = B>,
            D: Dimension + DimMax<E>,
            E: Dimension,
        {
            type Output = Array<A, <D as DimMax<E>>::Output>;

            #[track_caller]
            fn $method(self, right: &'a ArrayBase<S, E>) -> Self::Output {
                $op::$method(self.as_array(), &**right)
            }
        }

        /// Element by element, in a new array of the shape both are broadcast to; panics when there is none.
        impl<'a, A, B, D, E> $op<&'a ArrayRef<B, E>> for &'a $type<A, D>
        where
            A: Element + $op<B, Output = A>,
            B: Clone,
            D: Dimension + DimMax<E>,
            E: Dimension,
        {
            type Output = Array<A, <D as DimMax<E>>::Output>;

            #[track_caller]
            fn $method(self, right: &'a ArrayRef<B, E>) -> Self::Output {
                $op::$method(self.as_array(), right)
            }
        }

        /// Element by element, in the memory of `right` if the shape stays; panics when there is no common shape.
        impl<'a, A, B, S, D, E> $op<ArrayBase<S, E>> for &'a $type<A, D>
        where
            A: Element + $op<B, Output = B>,
            B: Clone,
            S: DataOwned<Elem = B> + DataMut,
            D: Dimension,
            E: Dimension + DimMax<D>,
        {
            type Output = ArrayBase<S, <E as DimMax<D>>::Output>;

            #[track_caller]
            fn $method(self, right: ArrayBase<S, E>) -> Self::Output {
                $op::$method(self.as_array(), right)
            }
        }

        /// Element by element, in a new array of the shape both are broadcast to; panics when there is none.
        impl<'a, A, B, S, D, E> $op<&'a $type<B, E>> for &'a ArrayBase<S, D>
        where
            A: Clone + $op<B, Output = A>,
            B: Element,
            S: Data<Elem = A>,
            D: Dimension + DimMax<E>,
            E: Dimension,
        {
            type Output = Array<A, <D as DimMax<E>>::Output>;

            #[track_caller]
            fn $method(self, right: &'a $type<B, E>) -> Self::Output {
                $op::$method(&**self, right.as_array())
            }
        }

        /// Element by element, in a new array of the shape both are broadcast to; panics when there is none.
        impl<'a, A, B, D, E> $op<&'a $type<B, E>> for &'a ArrayRef<A, D>
        where
            A: Clone + $op<B, Output = A>,
            B: Element,
            D: Dimension + DimMax<E>,
            E: Dimension,
        {
            type Output = Array<A, <D as DimMax<E>>::Output>;

            #[track_caller]
            fn $method(self, right: &'a $type<B, E>) -> Self::Output {
                $op::$method(self, right.as_array())
            }
        }

        /// Element by element, in the memory of `self` if the shape stays; panics when there is no common shape.
        impl<'a, A, B, S, D, E> $op<&'a $type<B, E>> for ArrayBase<S, D>
        where
            A: Clone + $op<B, Output = A>,
            B: Element,
            S: DataOwned<Elem = A> + DataMut,
            D: Dimension + DimMax<E>,
            E: Dimension,
        {
            type Output = ArrayBase<S, <D as DimMax<E>>::Output>;

            #[track_caller]
            fn $method(self, right: &'a $type<B, E>) -> Self::Output {
                $op::$method(self, right.as_array())
            }
        }
    )*};
}

with_ndarray!(Mapped: Add add Sub sub Mul mul Div div Rem rem);
with_ndarray!(MappedCow: Add add Sub sub Mul mul Div div Rem rem);
with_ndarray!(MappedMut: Add add Sub sub Mul mul Div div Rem rem);

/// Two mapped arrays.
macro_rules! with_each_other {
    ($left:ident $right:ident: $($op:ident $method:ident)*) => {$(
        /// Element by element, in a new array of the shape both are broadcast to; panics when there is none.
        impl<'a, A, B, D, E> $op<&'a $right<B, E>> for &'a $left<A, D>
        where
            A: Element + $op<B, Output = A>,
            B: Element,
            D: Dimension + DimMax<E>,
            E: Dimension,
        {
            type Output = Array<A, <D as DimMax<E>>::Output>;

            #[track_caller]
            fn $method(self, right: &'a $right<B, E>) -> Self::Output {
                $op::$method(self.as_array(), right.as_array())
            }
        }
    )*};
}

with_each_other!(Mapped Mapped: Add add Sub sub Mul mul Div div Rem rem);
with_each_other!(Mapped MappedCow: Add add Sub sub Mul mul Div div Rem rem);
with_each_other!(MappedCow Mapped: Add add Sub sub Mul mul Div div Rem rem);
with_each_other!(MappedCow MappedCow: Add add Sub sub Mul mul Div div Rem rem);
with_each_other!(Mapped MappedMut: Add add Sub sub Mul mul Div div Rem rem);
with_each_other!(MappedMut Mapped: Add add Sub sub Mul mul Div div Rem rem);
with_each_other!(MappedCow MappedMut: Add add Sub sub Mul mul Div div Rem rem);
with_each_other!(MappedMut MappedCow: Add add Sub sub Mul mul Div div Rem rem);
with_each_other!(MappedMut MappedMut: Add add Sub sub Mul mul Div div Rem rem);

macro_rules! with_scalar {
    ($type:ident: $($op:ident $method:ident)*) => {$(
        /// Each element and the scalar, in a new array.
        impl<A: Element + ScalarOperand + $op<Output = A>, D: Dimension> $op<A> for &$type<A, D> {
            type Output = Array<A, D>;

            fn $method(self, right: A) -> Self::Output {
                $op::$method(self.as_array(), right)
            }
        }
    )*};
}

with_scalar!(Mapped: Add add Sub sub Mul mul Div div Rem rem);
with_scalar!(MappedCow: Add add Sub sub Mul mul Div div Rem rem);
with_scalar!(MappedMut: Add add Sub sub Mul mul Div div Rem rem);

macro_rules! complex_with_real {
    ($type:ident $real:ty: $($op:ident $method:ident)*) => {$(
        /// Each element and the real scalar, in a new array.
        impl<D: Dimension> $op<$real> for &$type<Complex<$real>, D> {
            type Output = Array<Complex<$real>, D>;

            fn $method(self, right: $real) -> Self::Output {
                $op::$method(self.as_array(), right)
            }
        }
    )*};
}

complex_with_real!(Mapped f32: Add add Sub sub Mul mul Div div);
complex_with_real!(Mapped f64: Add add Sub sub Mul mul Div div);
complex_with_real!(MappedCow f32: Add add Sub sub Mul mul Div div);
complex_with_real!(MappedCow f64: Add add Sub sub Mul mul Div div);
complex_with_real!(MappedMut f32: Add add Sub sub Mul mul Div div);
complex_with_real!(MappedMut f64: Add add Sub sub Mul mul Div div);

/// A scalar on the left: ndarray's list of types, since an implementation for any would be for foreign ones.
macro_rules! scalars_on_the_left {
    ($ops:tt: $($scalar:ty)*) => {$(
        scalars_on_the_left!(each Mapped $scalar, $ops);
        scalars_on_the_left!(each MappedCow $scalar, $ops);
        scalars_on_the_left!(each MappedMut $scalar, $ops);
    )*};

    (each $type:ident $scalar:ty, [$($op:ident $method:ident)*]) => {$(
        /// The scalar and each element, in a new array.
        impl<'a, D: Dimension> $op<&'a $type<$scalar, D>> for $scalar {
            type Output = Array<$scalar, D>;

            fn $method(self, right: &'a $type<$scalar, D>) -> Self::Output {
                $op::$method(self, right.as_array())
            }
        }
    )*};
}

scalars_on_the_left!([Add add Sub sub Mul mul Div div Rem rem]: i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64);
scalars_on_the_left!([Add add Sub sub Mul mul Div div]: Complex<f32> Complex<f64>);

macro_rules! unary {
    ($type:ident: $($op:ident $method:ident)*) => {$(
        /// Each element, in a new array.
        impl<'a, A: Element, D: Dimension> $op for &'a $type<A, D>
        where
            &'a A: $op<Output = A>,
        {
            type Output = Array<A, D>;

            fn $method(self) -> Self::Output {
                $op::$method(self.as_array())
            }
        }
    )*};
}

unary!(Mapped: Neg neg Not not);
unary!(MappedCow: Neg neg Not not);
unary!(MappedMut: Neg neg Not not);

/// Assignment to ndarray's arrays from mapped ones.
macro_rules! assign_from {
    ($type:ident: $($op:ident $method:ident)*) => {$(
        /// Element by element; panics when `right` can't be broadcast to the shape of `self`.
        impl<A, S, D, E> $op<&$type<A, E>> for ArrayBase<S, D>
        where
            A: Element + $op<A>,
            S: DataMut<Elem = A>,
            D: Dimension,
            E: Dimension,
        {
            #[track_caller]
            fn $method(&mut self, right: &$type<A, E>) {
                $op::$method(&mut **self, right.as_array());
            }
        }

        assign_from!(each MappedCow $type, $op $method);
        assign_from!(each MappedMut $type, $op $method);
    )*};

    (each $target:ident $type:ident, $op:ident $method:ident) => {
        /// Element by element; panics when `right` can't be broadcast to the shape of `self`.
        impl<A, D, E> $op<&$type<A, E>> for $target<A, D>
        where
            A: Element + $op<A>,
            D: Dimension,
            E: Dimension,
        {
            #[track_caller]
            fn $method(&mut self, right: &$type<A, E>) {
                $op::$method(&mut **self, right.as_array());
            }
        }
    };
}

assign_from!(Mapped: AddAssign add_assign SubAssign sub_assign MulAssign mul_assign);
assign_from!(Mapped: DivAssign div_assign RemAssign rem_assign);
assign_from!(MappedCow: AddAssign add_assign SubAssign sub_assign MulAssign mul_assign);
assign_from!(MappedCow: DivAssign div_assign RemAssign rem_assign);
assign_from!(MappedMut: AddAssign add_assign SubAssign sub_assign MulAssign mul_assign);
assign_from!(MappedMut: DivAssign div_assign RemAssign rem_assign);

/// Assignment to a writable mapped array.
macro_rules! assign_to {
    ($type:ident: $($op:ident $method:ident)*) => {$(
        /// Element by element; panics when `right` can't be broadcast to the shape of `self`.
        impl<A, S, D, E> $op<&ArrayBase<S, E>> for $type<A, D>
        where
            A: Element + $op<A>,
            S: Data<Elem = A>,
            D: Dimension,
            E: Dimension,
        {
            #[track_caller]
            fn $method(&mut self, right: &ArrayBase<S, E>) {
                $op::$method(&mut **self, &**right);
            }
        }

        /// Element by element; panics when `right` can't be broadcast to the shape of `self`.
        impl<A, D, E> $op<&ArrayRef<A, E>> for $type<A, D>
        where
            A: Element + $op<A>,
            D: Dimension,
            E: Dimension,
        {
            #[track_caller]
            fn $method(&mut self, right: &ArrayRef<A, E>) {
                $op::$method(&mut **self, right);
            }
        }

        /// Each element and the scalar.
        impl<A: Element + ScalarOperand + $op<A>, D: Dimension> $op<A> for $type<A, D> {
            fn $method(&mut self, right: A) {
                $op::$method(&mut **self, right);
            }
        }
    )*};
}

assign_to!(MappedCow: AddAssign add_assign SubAssign sub_assign MulAssign mul_assign);
assign_to!(MappedCow: DivAssign div_assign RemAssign rem_assign);
assign_to!(MappedMut: AddAssign add_assign SubAssign sub_assign MulAssign mul_assign);
assign_to!(MappedMut: DivAssign div_assign RemAssign rem_assign);
assign_to!(Staged: AddAssign add_assign SubAssign sub_assign MulAssign mul_assign);
assign_to!(Staged: DivAssign div_assign RemAssign rem_assign);

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, array};
    use proptest::prelude::*;

    fn small() -> impl Strategy<Value = (Array2<i64>, Array2<i64>, Array1<i64>)> {
        let element = || 1..100_i64;
        (1..5_usize, 1..5_usize).prop_flat_map(move |(rows, columns)| {
            let vec = |len| prop::collection::vec(element(), len);
            (vec(rows * columns), vec(rows * columns), vec(columns)).prop_map(move |(a, b, c)| {
                let matrix = |elements| Array2::from_shape_vec((rows, columns), elements).unwrap();
                (matrix(a), matrix(b), Array1::from(c))
            })
        })
    }

    macro_rules! check {
        ($type:ident $op:ident $method:ident, $a:ident, $b:ident, $c:ident) => {{
            let (m, n, r) = ($type::from($a.clone()), $type::from($b.clone()), $type::from($c.clone()));
            let (same, row, scalar) = ($op::$method(&$a, &$b), $op::$method(&$a, &$c), $op::$method(&$a, 7));
            assert_eq!($op::$method(&m, &$b), same);
            assert_eq!($op::$method(&m, &*$b), same);
            assert_eq!($op::$method(&m, &$b.view()), same);
            assert_eq!($op::$method(&m, $b.clone()), same);
            assert_eq!($op::$method(&$a, &n), same);
            assert_eq!($op::$method(&*$a, &n), same);
            assert_eq!($op::$method($a.clone(), &n), same);
            assert_eq!($op::$method(&m, &n), same);
            assert_eq!($op::$method(&m, &Mapped::from($b.clone())), same);
            assert_eq!($op::$method(&m, &MappedCow::from($b.clone())), same);
            assert_eq!($op::$method(&m, &$c), row);
            assert_eq!($op::$method(&$a, &r), row);
            assert_eq!($op::$method(&m, &r), row);
            assert_eq!($op::$method(&m, 7), scalar);
            assert_eq!($op::$method(7, &m), $op::$method(7, &$a));
        }};
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn operators_do_what_they_do_with_plain_arrays((a, b, c) in small()) {
            check!(Mapped Add add, a, b, c);
            check!(Mapped Sub sub, a, b, c);
            check!(Mapped Mul mul, a, b, c);
            check!(Mapped Div div, a, b, c);
            check!(Mapped Rem rem, a, b, c);
            check!(MappedCow Add add, a, b, c);
            check!(MappedCow Sub sub, a, b, c);
            check!(MappedCow Mul mul, a, b, c);
            check!(MappedCow Div div, a, b, c);
            check!(MappedCow Rem rem, a, b, c);
        }

        #[test]
        fn assignments_do_what_they_do_with_plain_arrays((a, b, c) in small()) {
            let (n, r, cow) = (Mapped::from(b.clone()), Mapped::from(c.clone()), MappedCow::from(b.clone()));
            let mut expected = a.clone();
            expected += &b;
            expected -= &b;
            expected *= &b;
            expected /= &c;
            expected %= 5;
            expected += 3;
            expected += &b;
            let (mut plain, mut mapped) = (a.clone(), MappedCow::from(a));
            plain += &n;
            plain -= &cow;
            plain *= &n;
            plain /= &r;
            plain %= 5;
            plain += 3;
            plain += &cow;
            mapped += &b;
            mapped -= &*b;
            mapped *= &cow;
            mapped /= &r;
            mapped %= 5;
            mapped += 3;
            mapped += &n;
            prop_assert_eq!(&plain, &expected);
            prop_assert_eq!(&mapped, &expected);
        }
    }

    #[test]
    fn unary_operators_make_new_arrays() {
        assert_eq!(-&Mapped::from(array![1.0, -2.0]), array![-1.0, 2.0]);
        assert_eq!(-&MappedCow::from(array![1, -2]), array![-1, 2]);
        assert_eq!(!&Mapped::from(array![true, false]), array![false, true]);
    }

    #[test]
    fn complex_arrays_take_complex_and_real_scalars() {
        let i = Complex::new(0.0, 1.0);
        let m = Mapped::from(array![i, -i]);
        assert_eq!(&m * i, array![-Complex::ONE, Complex::ONE]);
        assert_eq!(i - &m, array![Complex::ZERO, 2.0 * i]);
        assert_eq!(&m / 2.0, array![i / 2.0, -i / 2.0]);
    }

    #[test]
    #[should_panic(expected = "IncompatibleShape")]
    fn shapes_that_do_not_broadcast_panic() {
        let _ = &Mapped::from(array![1, 2]) + &array![1, 2, 3];
    }

    #[test]
    fn products_of_matrices_take_mapped_arrays_on_either_side() {
        let (a, x) = (array![[1.0, 2.0], [3.0, 4.0]], array![5.0, 6.0]);
        let (m, v) = (Mapped::from(a.clone()), Mapped::from(x.clone()));
        assert_eq!(m.dot(&a), a.dot(&a));
        assert_eq!(a.dot(&m), a.dot(&a));
        assert_eq!(m.dot(&m), a.dot(&a));
        assert_eq!(a.dot(&*m), a.dot(&a));
        assert_eq!(m.dot(&v), a.dot(&x));
        assert_eq!(v.dot(&m), x.dot(&a));
        assert_eq!(v.dot(&v), 61.0);
    }
}
