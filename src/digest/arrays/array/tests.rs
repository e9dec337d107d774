use ndarray::prelude::*;
use ndarray::{IxDyn, Slice, s};
use num_complex::Complex;
use proptest::prelude::*;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::digest::arrays::array::*;
use crate::digest::values::content::digest;
use crate::digest::xxh3::tests::by_each_kernel;

/// The elements 0, 1, … 250, 0, 1, …, in C order.
fn painted<A, D: Dimension>(shape: impl ndarray::ShapeBuilder<Dim = D>, element: impl Fn(u8) -> A) -> Array<A, D> {
    let mut array = Array::from_shape_simple_fn(shape, || element(0));
    for (n, out) in array.iter_mut().enumerate() {
        *out = element((n % 251) as u8);
    }
    array
}

#[derive(Deserialize)]
struct Golden {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    descr: String,
    shape: Vec<usize>,
    digest: String,
}

/// The array that a golden vector describes in words: its dtype, shape and digest.
fn described(name: &str) -> (&'static str, Vec<usize>, Digest) {
    fn all<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> (&'static str, Vec<usize>, Digest) {
        (A::DESCR, array.shape().to_vec(), digest(array))
    }
    match name.split(['(', ';']).next().unwrap().trim_end() {
        "empty 1-d" => all(&Array1::<f64>::zeros(0)),
        "0-d" => all(&arr0(1.5)),
        "painted u8, 1000" => all(&painted(1000, u8::from)),
        "painted f64 3x4, C" => all(&painted((3, 4), f64::from)),
        "painted f64 3x4, Fortran" => all(&painted((3, 4).f(), f64::from)),
        "painted f32 2x3x4 with axes moved to 2,0,1" => all(&painted((4, 2, 3), f32::from).permuted_axes([1, 2, 0])),
        "one leaf exactly, u8 1048576" => all(&painted(1_048_576, u8::from)),
        "one leaf and a byte, u8 1048577" => all(&painted(1_048_577, u8::from)),
        "three leaves and a bit, f64 400000" => all(&painted(400_000, f64::from)),
        "bool" => all(&painted(7, |i| i % 2 == 0)),
        "complex128" => all(&painted(5, |i| Complex::new(f64::from(i), f64::from(i)))),
        "every other row of a 6x4 f64 C array" => all(&painted((6, 4), f64::from).slice(s![..;2, ..])),
        "size-1 axes 1x5x1" => all(&painted((1, 5, 1), i32::from)),
        "f64 2x1x3, Fortran: several permutations fit, order is 1,2,0" => all(&painted((2, 1, 3).f(), f64::from)),
        other => panic!("unknown golden vector `{other}`"),
    }
}

fn check_golden() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/data/array_digests.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(golden.vectors.len(), 14);
    for vector in golden.vectors {
        let (descr, shape, digest) = described(&vector.name);
        assert_eq!(descr, vector.descr, "{}", vector.name);
        assert_eq!(shape, vector.shape, "{}", vector.name);
        assert_eq!(digest.to_string(), vector.digest, "{}", vector.name);
    }
}

#[test]
fn golden_digests_hold() {
    check_golden();
}

#[test]
fn golden_digests_hold_on_one_thread() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(check_golden);
}

#[test]
fn golden_digests_hold_by_each_kernel() {
    by_each_kernel(check_golden);
}

/// The permutation by its definition: all are tried, in lexicographic order, on the addresses of the elements.
fn naive_order<A, D: Dimension>(array: &ArrayRef<A, D>) -> Option<Vec<usize>> {
    let identity = (0..array.ndim()).collect();
    if array.is_empty() {
        return Some(identity);
    }
    let view = array.view().into_dyn();
    let fits = |order: &Vec<usize>| {
        let permuted = view.view().permuted_axes(order.as_slice());
        let start = (&raw const *permuted.first().unwrap()).addr();
        permuted.iter().enumerate().all(|(n, element)| (&raw const *element).addr() == start + n * size_of::<A>())
    };
    permutations(identity).into_iter().find(fits)
}

/// All permutations of ascending axes, in lexicographic order.
fn permutations(axes: Vec<usize>) -> Vec<Vec<usize>> {
    if axes.is_empty() {
        return vec![axes];
    }
    let mut all = Vec::new();
    for first in 0..axes.len() {
        let mut rest = axes.clone();
        let head = rest.remove(first);
        all.extend(permutations(rest).into_iter().map(|tail| [vec![head], tail].concat()));
    }
    all
}

/// The digest by its definition, in an order: the elements are copied, and hashed leaf after leaf.
fn naive_in<A: Element, D: Dimension>(order: Option<Vec<usize>>, array: &ArrayRef<A, D>) -> Digest {
    let order = order.unwrap_or((0..array.ndim()).collect());
    let permuted = array.view().into_dyn().permuted_axes(order.as_slice());
    let elements: Vec<A> = permuted.iter().copied().collect();
    let bytes: &[u8] = bytemuck::cast_slice(&elements);
    let tree = if bytes.len() <= 1_048_576 {
        xxh3_128(bytes)
    } else {
        let leaves = bytes.chunks(1_048_576).map(|leaf| Digest::from_xxh3(xxh3_128(leaf)).to_bytes());
        xxh3_128(&leaves.collect::<Vec<_>>().concat())
    };
    let join = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let text = format!("ndarray:{}:{}:{}:", A::DESCR, join(array.shape()), join(&order));
    Digest::from_xxh3(xxh3_128(&[text.as_bytes(), &Digest::from_xxh3(tree).to_bytes()].concat()))
}

fn naive<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Digest {
    naive_in(naive_order(array), array)
}

/// What is done to an axis of an array that lies in memory in C order.
#[derive(Clone, Copy, Debug)]
enum Axle {
    Kept,
    Reversed,
    Stepped(isize),
    Cut,
    Broadcast,
}

fn axle() -> impl Strategy<Value = (usize, Axle)> {
    let len = prop_oneof![4 => 1..5_usize, 2 => Just(1), 1 => Just(0)];
    let axle = prop_oneof![
        8 => Just(Axle::Kept),
        1 => Just(Axle::Reversed),
        1 => prop_oneof![Just(2), Just(-3)].prop_map(Axle::Stepped),
        1 => Just(Axle::Cut),
        1 => Just(Axle::Broadcast),
    ];
    (len, axle)
}

/// Axes, and the order that their memory has.
fn layout() -> impl Strategy<Value = (Vec<(usize, Axle)>, Vec<usize>)> {
    prop::collection::vec(axle(), 0..6).prop_flat_map(|axes| {
        let order = Just((0..axes.len()).collect::<Vec<_>>()).prop_shuffle();
        (Just(axes), order)
    })
}

/// Calls `check` with an array of that layout.
fn with_layout<A: Element>(
    (axes, order): &(Vec<(usize, Axle)>, Vec<usize>),
    element: impl Fn(u8) -> A,
    check: impl FnOnce(&ArrayViewD<'_, A>),
) {
    let stored = |&axis: &usize| match axes[axis] {
        (len, Axle::Kept | Axle::Reversed) => len,
        (len, Axle::Stepped(step)) => len * step.unsigned_abs(),
        (len, Axle::Cut) => len + 2,
        (_, Axle::Broadcast) => 1,
    };
    let base = painted(IxDyn(&order.iter().map(stored).collect::<Vec<_>>()), element);
    let mut place = vec![0; order.len()];
    order.iter().enumerate().for_each(|(n, &axis)| place[axis] = n);
    let mut view = base.view().permuted_axes(place);
    view.slice_each_axis_inplace(|axis| match axes[axis.axis.index()].1 {
        Axle::Kept | Axle::Broadcast => Slice::from(..),
        Axle::Reversed => Slice::new(0, None, -1),
        Axle::Stepped(step) => Slice::new(0, None, step),
        Axle::Cut => Slice::new(1, Some(-1), 1),
    });
    let shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
    check(&view.broadcast(shape).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_layout_has_the_order_and_digest_of_the_definition(layout in layout()) {
        with_layout(&layout, f64::from, |view| {
            let order = memory_order(view.shape(), view.strides());
            assert_eq!(order, naive_order(view), "{:?} {:?}", view.shape(), view.strides());
            assert_eq!(digest(view), naive(view));
        });
        with_layout(&layout, u8::from, |view| assert_eq!(digest(view), naive(view)));
        with_layout(&layout, |n| n % 2 == 0, |view| assert_eq!(digest(view), naive(view)));
        with_layout(&layout, |n| Complex::new(f32::from(n), 0.5), |view| assert_eq!(digest(view), naive(view)));
    }

    #[test]
    fn a_strided_array_has_the_digest_of_its_c_order_copy(layout in layout()) {
        with_layout(&layout, i16::from, |view| {
            let copy = ArrayD::from_shape_vec(view.raw_dim(), view.iter().copied().collect()).unwrap();
            if memory_order(view.shape(), view.strides()).is_none_or(|order| order.is_sorted()) {
                assert_eq!(digest(view), digest(&copy));
            } else {
                assert_ne!(digest(view), digest(&copy));
            }
        });
    }

    #[test]
    fn any_range_is_gathered_in_logical_order(layout in layout(), range in (0.0..=1.0, 0.0..=1.0)) {
        with_layout(&layout, u32::from, |view| {
            let logical: Vec<u32> = view.iter().copied().collect();
            let at = |part: f64| (part * logical.len() as f64).round() as usize;
            let (start, end) = (at(range.0).min(at(range.1)), at(range.0).max(at(range.1)));
            if start < end {
                let mut out = vec![u32::MAX; end - start];
                gather(view.view(), start, &mut out);
                assert_eq!(out, logical[start..end]);
            }
        });
    }
}

#[test]
fn large_arrays_have_the_digest_of_the_definition_whatever_the_thread_count() {
    let base = painted((3, 700, 1001), f64::from); // 16 MiB
    let small = painted((2, 3), f32::from);
    let wide = painted((9, 300, 1100), f64::from); // 23 MiB; a leaf has few of the 1100 that are neighbours
    let arrays: [ArrayViewD<'_, f64>; 7] = [
        wide.slice(s![1.., .., ..]).permuted_axes([2, 1, 0]).into_dyn(),
        wide.view().permuted_axes([1, 2, 0]).slice_move(s![.., ..;-1, ..]).into_dyn(),
        base.view().into_dyn(),
        base.view().permuted_axes([2, 0, 1]).into_dyn(),
        base.slice(s![.., ..;-1, ..]).into_dyn(),
        base.slice(s![.., .., 1..]).permuted_axes([1, 2, 0]).into_dyn(),
        base.slice(s![1, ..;3, ..;2]).into_dyn(),
    ];
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for array in &arrays {
        let expected = naive_large(array);
        assert_eq!(digest(array), expected, "{:?} {:?}", array.shape(), array.strides());
        assert_eq!(one.install(|| digest(array)), expected);
    }
    let broadcast = small.broadcast((400_000, 2, 3)).unwrap(); // 9.6 MB of 24 bytes
    assert_eq!(digest(&broadcast), naive_large(&broadcast));
}

/// The digest of [`naive`] with the permutation under test, since the addresses of millions of elements take long.
fn naive_large<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Digest {
    naive_in(memory_order(array.shape(), array.strides()), array)
}

#[test]
fn an_arrays_digest_is_the_same_whatever_owns_it() {
    let array = painted((3, 4), f64::from);
    let expected = digest(&array);
    assert_eq!(digest(&array.view()), expected);
    assert_eq!(digest(&*array), expected);
    assert_eq!(digest(&array.to_shared()), expected);
    assert_eq!(digest(&CowArray::from(array.view())), expected);
    assert_eq!(digest(&array.clone().into_dyn()), expected);
    assert_eq!(digest(&&Box::new(array.view())), expected);

    let row = array.row(1);
    assert_eq!(digest(row.as_slice().unwrap()), digest(&row));
    assert_eq!(digest(&row.to_vec()), digest(&row));
    assert_eq!(digest(&[4.0, 5.0, 6.0, 7.0]), digest(&row));
    assert_eq!(digest(&array.column(1)), digest(&array.column(1).to_vec()));
    assert_eq!(digest(&Vec::<bool>::new()), digest(&Array1::<bool>::default(0)));
}

#[test]
fn bits_dtype_shape_and_order_count() {
    let array = painted((2, 6), f64::from);
    let all = [
        digest(&array),
        digest(&array.mapv(|x| -x)), // -0.0 among them
        digest(&array.mapv(|x| if x == 0.0 { -0.0 } else { x })),
        digest(&array.mapv(|x| x as f32)),
        digest(&array.mapv(|x| x as u64)),
        digest(&array.mapv(|x| x as i64)),
        digest(&array.clone().into_shape_with_order((6, 2)).unwrap()),
        digest(&array.clone().into_shape_with_order((1, 2, 6)).unwrap()),
        digest(&array.t()),
        digest(&array.mapv(f64::to_bits)),
        digest(&array.mapv(|_| f64::NAN)),
        digest(&array.mapv(|_| -f64::NAN)),
        digest(&Array2::<f64>::zeros((0, 6))),
        digest(&Array2::<f64>::zeros((6, 0))),
        digest(&Array1::<f64>::zeros(0)),
        digest(&arr0(0.0)),
        digest(&arr1(&[0.0])),
    ];
    for (n, one) in all.iter().enumerate() {
        assert!(!all[..n].contains(one), "array {n} has the digest of another");
    }
    assert_eq!(digest(&array.mapv(|x| x as usize)), digest(&array.mapv(|x| x as u64)));
    assert_eq!(digest(&array.mapv(|x| x as isize)), digest(&array.mapv(|x| x as i64)));
}

#[test]
fn an_array_of_one_column_is_c_whatever_its_strides() {
    let base = painted((5, 3), f64::from);
    let column = base.slice(s![.., 1..2]).to_owned();
    let fortran = painted((5, 1).f(), f64::from);
    assert_eq!(digest(&fortran), digest(&painted((5, 1), f64::from)));
    assert_eq!(digest(&base.slice(s![.., 1..2])), digest(&column));
    let row = base.slice(s![2..;7, ..]); // its stride along the first axis is 21
    assert_eq!(row.shape(), [1, 3]);
    assert_eq!(digest(&row), digest(&row.to_owned()));
}
