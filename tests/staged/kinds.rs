//! Every dtype, shape and order, whatever is done to the axes, as without a cache.

use ndarray::Slice;
use ndcache::{Element, MappedD};
use num_complex::Complex;
use proptest::prelude::*;

use super::*;
use crate::interop::{Expected, check_with, python};

/// An element for each index.
trait Paint: Element {
    fn paint(i: usize) -> Self;
}

macro_rules! paint {
    ($($type:ty: $i:ident => $value:expr;)*) => {$(
        impl Paint for $type {
            fn paint($i: usize) -> Self {
                $value
            }
        }
    )*};
}

paint! {
    bool: i => i.is_multiple_of(3);
    i8: i => i as i8;
    u16: i => i as u16;
    usize: i => i;
    f32: i => if i.is_multiple_of(7) { f32::NAN } else { -(i as f32) };
    f64: i => if i == 0 { -0.0 } else { i as f64 };
    Complex<f64>: i => Complex::new(i as f64, -1.0);
}

/// What is done to the array between filling and returning it.
const CHANGES: usize = 6;

#[cache]
fn painted<A: Paint>(shape: &[usize], fortran: bool, change: usize) -> MappedD<A> {
    let mut x = zeros::<A, _>(IxDyn(shape).set_f(fortran));
    x.indexed_iter_mut().enumerate().for_each(|(i, (_, x))| *x = A::paint(i));
    match change {
        1 if x.ndim() > 1 => x.swap_axes(0, 1),
        2 if x.ndim() > 0 => x.invert_axis(Axis(0)),
        3 if x.ndim() > 0 => x.slice_axis_inplace(Axis(0), Slice::from(1.min(shape[0])..)),
        4 if x.ndim() > 0 && shape[0] > 0 => x.collapse_axis(Axis(0), shape[0] - 1),
        5 if x.ndim() > 2 => x.slice_axis_inplace(Axis(2), Slice::new(0, None, 2)),
        _ => {}
    }
    x.into()
}

fn bytes<A: Element>(x: &ArrayRef<A, IxDyn>) -> Vec<u8> {
    let elements: Vec<A> = x.iter().copied().collect();
    bytemuck::cast_slice(&elements).to_vec()
}

fn holds<A: Paint>(shape: &[usize], fortran: bool, change: usize) -> (tempfile::TempDir, Expected) {
    let (folder, memory) = fresh();
    let call = || painted::call::<A>(shape, fortran, change);
    let plain = painted::compute::<A>(shape, fortran, change);
    let first = memory.eval(call());
    let again = Memory::open(folder.path()).unwrap();
    for x in [&first, &memory.eval(call()), &again.eval(call()), &memory.mmap(call())] {
        assert_eq!((x.shape(), x.strides(), bytes(x)), (plain.shape(), plain.strides(), bytes(&plain)));
        assert_eq!(x.digest(), plain.digest());
        assert_eq!(digest(&x.to_owned()), plain.digest());
    }
    assert_eq!((memory.stats().faults(), again.stats().misses()), (0, 0));
    let files = files(folder.path(), ".npy");
    assert_eq!(files.len(), 1, "and no other is left: {files:?}");
    let expected = Expected::new(&files[0], &*first);
    (folder, expected)
}

fn any_shape() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        prop::collection::vec(0..40_usize, 0..4),
        // Some with axes of length 1.
        prop::collection::vec(prop_oneof![Just(1_usize), 20..40_usize], 1..4),
        (100_000..200_000_usize).prop_map(|n| vec![n]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn a_staged_result_is_what_the_plain_function_returns(
        shape in any_shape(), fortran in any::<bool>(), change in 0..CHANGES,
    ) {
        let stored = [
            holds::<bool>(&shape, fortran, change),
            holds::<i8>(&shape, fortran, change),
            holds::<u16>(&shape, fortran, change),
            holds::<usize>(&shape, fortran, change),
            holds::<f32>(&shape, fortran, change),
            holds::<f64>(&shape, fortran, change),
            holds::<Complex<f64>>(&shape, fortran, change),
        ];
        drop(stored);
    }
}

#[test]
fn numpy_reads_what_was_staged() {
    let Some(python) = python() else { return };
    let mut kept = Vec::new();
    for (shape, fortran) in
        [(vec![N], false), (vec![300, 200], false), (vec![300, 200], true), (vec![50, 40, 30], true)]
    {
        kept.push(holds::<f64>(&shape, fortran, 0));
        kept.push(holds::<usize>(&shape, fortran, 0));
        kept.push(holds::<Complex<f64>>(&shape, fortran, 0));
    }
    kept.push(holds::<bool>(&[N * 10], false, 0));
    let (_folders, expected): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
    check_with(&python, "check.py", tempfile::tempdir().unwrap().path(), &expected);
}
