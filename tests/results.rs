//! A cached function returns what the plain function returns, bit for bit: computed, loaded, mapped, in another process.

use std::collections::{BTreeMap, HashMap};

use ndarray::prelude::*;
use ndcache::{Element, Mapped2, MappedD, Memory, Payload, cache};
use num_complex::Complex;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::support::{child, files, fresh, in_child};

/// An array of any layout: `axes` permutes, `steps` and `flips` make holes and negative strides.
fn laid_out<A: Element>(seed: u64, shape: &[usize], axes: &[usize], step: isize, flip: bool) -> ArrayD<A> {
    let wide: Vec<usize> = shape.iter().map(|&n| n * step.unsigned_abs()).collect();
    let bytes = |n: usize| -> Vec<u8> {
        let mut state = seed | 1;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(n)
        .collect()
    };
    let length: usize = wide.iter().product();
    // Truth values are one bit; everything else takes any bits: NaN payloads, denormals, -0.0.
    let mut raw = bytes(length * size_of::<A>());
    if A::DESCR == "|b1" {
        raw.iter_mut().for_each(|byte| *byte &= 1);
    }
    let elements: Vec<A> =
        raw.chunks_exact(size_of::<A>()).map(|chunk| bytemuck::checked::pod_read_unaligned(chunk)).collect();
    let mut array = ArrayD::from_shape_vec(wide, elements).unwrap();
    for axis in 0..shape.len() {
        array.slice_axis_inplace(Axis(axis), ndarray::Slice::new(0, None, if flip { -step } else { step }));
    }
    array.permuted_axes(axes.to_vec())
}

#[cache]
fn arrays<A: Element>(seed: u64, shape: &[usize], axes: &[usize], step: isize, flip: bool) -> ArrayD<A> {
    laid_out(seed, shape, axes, step, flip)
}

fn bits<A: Element>(array: &ArrayRef<A, IxDyn>) -> (Vec<usize>, Vec<u8>) {
    let elements: Vec<A> = array.iter().copied().collect();
    (array.shape().to_vec(), bytemuck::cast_slice(&elements).to_vec())
}

fn layout() -> impl Strategy<Value = (u64, Vec<usize>, Vec<usize>, isize, bool)> {
    prop::collection::vec(0..7_usize, 0..4).prop_flat_map(|shape| {
        let axes: Vec<usize> = (0..shape.len()).collect();
        (any::<u64>(), Just(shape), Just(axes).prop_shuffle(), 1..3_isize, any::<bool>())
    })
}

fn holds<A: Element>(inline: u64, (seed, shape, axes, step, flip): (u64, Vec<usize>, Vec<usize>, isize, bool)) {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).inline(inline).open().unwrap();
    let call = || arrays::call::<A>(seed, &shape, &axes, step, flip);
    let plain = bits(&laid_out::<A>(seed, &shape, &axes, step, flip));
    let first = memory.eval(call());
    let second = memory.eval(call());
    assert_eq!(bits(&first), plain);
    assert_eq!(bits(&second), plain);
    assert_eq!(first.strides(), second.strides(), "first and later calls agree in layout");
    assert_eq!(ndcache::digest(&first), ndcache::digest(&second));
    let mapped = memory.mmap(call());
    assert_eq!(bits(&mapped), plain);
    assert_eq!(mapped.strides(), first.strides());
    assert_eq!(mapped.digest(), ndcache::digest(&first));
    let mut writable = memory.mmap_cow(call());
    assert_eq!(bits(&writable), plain);
    if let Some(element) = writable.iter_mut().next() {
        *element = bytemuck::Zeroable::zeroed();
    }
    assert_eq!(bits(&memory.eval(call())), plain, "never on disk");
    assert_eq!(memory.stats().misses(), 1);
}

macro_rules! every_element {
    ($($name:ident: $element:ty;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(24))]
            $(
                #[test]
                fn $name(layout in layout(), inline in prop::sample::select(vec![0_u64, 4096])) {
                    holds::<$element>(inline, layout);
                }
            )*
        }
    };
}

every_element! {
    i8_arrays_come_back_bit_for_bit: i8;
    i16_arrays_come_back_bit_for_bit: i16;
    i32_arrays_come_back_bit_for_bit: i32;
    i64_arrays_come_back_bit_for_bit: i64;
    isize_arrays_come_back_bit_for_bit: isize;
    u8_arrays_come_back_bit_for_bit: u8;
    u16_arrays_come_back_bit_for_bit: u16;
    u32_arrays_come_back_bit_for_bit: u32;
    u64_arrays_come_back_bit_for_bit: u64;
    usize_arrays_come_back_bit_for_bit: usize;
    f32_arrays_come_back_bit_for_bit: f32;
    f64_arrays_come_back_bit_for_bit: f64;
    bool_arrays_come_back_bit_for_bit: bool;
    complex_f32_arrays_come_back_bit_for_bit: Complex<f32>;
    complex_f64_arrays_come_back_bit_for_bit: Complex<f64>;
}

#[derive(Payload, Clone, Debug, PartialEq)]
struct Fit {
    weights: Array2<f64>,
    basis: Mapped2<f32>,
    label: String,
    residuals: Option<Array1<f64>>,
    rounds: Vec<Array1<i32>>,
    by_name: BTreeMap<String, MappedD<u8>>,
}

#[cache]
fn fit(n: usize) -> Fit {
    Fit {
        weights: Array2::from_shape_fn((n, 3), |(i, j)| (i * j) as f64),
        basis: Array2::from_elem((n, n), -0.0).into(),
        label: "größe".to_owned(),
        residuals: (n > 2).then(|| Array1::linspace(0.0, 1.0, n)),
        rounds: (0..3).map(|i| Array1::from_elem(n, i)).collect(),
        by_name: [("a".to_owned(), ArrayD::from_elem(vec![n, 1, 2], 7).into())].into(),
    }
}

#[test]
fn a_struct_of_arrays_comes_back_with_each_array_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).inline(0).open().unwrap();
    for n in [0, 2, 300] {
        let first = memory.eval(fit::call(n));
        assert_eq!(first, fit::compute(n));
        assert_eq!(first, memory.eval(fit::call(n)));
        assert_eq!(first.basis.is_mapped(), n == 300, "mapped on the first call as on later ones");
        assert_eq!(memory.eval(fit::call(n)).basis.is_mapped(), n == 300);
        let entry = memory.entry(&fit::call(n)).unwrap().unwrap();
        assert_eq!(entry.files().len(), if n > 2 { 7 } else { 6 });
        assert!(entry.bytes() > 7 * 64);
    }
    assert_eq!(memory.stats().misses(), 3);
}

type Shapes = (Array1<f64>, Option<Option<u8>>, Columns, Result<(), String>);
type Columns = HashMap<(u8, bool), Vec<f64>>;

#[cache]
fn shapes(n: u32) -> Shapes {
    let map = (0..n as u8).map(|i| ((i, i % 2 == 0), vec![f64::NAN, f64::INFINITY, -0.0, f64::from(i)])).collect();
    (Array1::zeros(n as usize), Some(None), map, Err("kept, being inside".to_owned()))
}

#[test]
fn nested_results_come_back() {
    let (_folder, memory) = fresh();
    for n in [0, 1, 9] {
        let plain = format!("{:?}", sorted(shapes::compute(n)));
        assert_eq!(format!("{:?}", sorted(memory.eval(shapes::call(n)))), plain);
        assert_eq!(format!("{:?}", sorted(memory.eval(shapes::call(n)))), plain);
    }
    assert_eq!(memory.stats().hits(), 3);
}

fn sorted(value: Shapes) -> impl std::fmt::Debug {
    (value.0, value.1, value.2.into_iter().collect::<BTreeMap<_, _>>(), value.3)
}

#[test]
fn an_error_is_not_stored_unless_the_function_says_so() {
    #[cache]
    fn plain(n: u8) -> Result<Array1<f64>, std::num::ParseIntError> {
        if n == 0 { Err("x".parse::<u8>().unwrap_err()) } else { Ok(Array1::zeros(9)) }
    }
    #[cache(cache_err)]
    fn kept(n: u8) -> Result<Array1<f64>, String> {
        if n == 0 { Err("on purpose".to_owned()) } else { Ok(Array1::zeros(9)) }
    }
    let (_folder, memory) = fresh();
    for n in [0, 0, 1, 1] {
        assert_eq!(memory.eval(plain::call(n)).is_ok(), n == 1);
        assert_eq!(memory.eval(kept::call(n)).is_ok(), n == 1);
        assert_eq!(memory.mmap(kept::call(n)).is_ok(), n == 1);
    }
    let counts = memory.stats().by_function().values().map(|counts| (counts.hits, counts.misses)).collect::<Vec<_>>();
    assert_eq!(counts, [(6, 2), (1, 3)], "`kept` and `plain`");
}

#[test]
fn none_is_stored_unless_the_function_says_not_to() {
    #[cache]
    fn plain() -> Option<u8> {
        None
    }
    #[cache(skip_none)]
    fn skips() -> Option<u8> {
        None
    }
    let (_folder, memory) = fresh();
    for _ in 0..2 {
        assert_eq!((memory.eval(plain::call()), memory.eval(skips::call())), (None, None));
    }
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 3));
}

#[test]
fn a_value_that_would_not_come_back_is_refused_and_returned() {
    #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    struct Lossy {
        #[serde(serialize_with = "half")]
        x: f64,
    }
    fn half<S: serde::Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(x / 2.0)
    }
    #[cache]
    fn lossy() -> Lossy {
        Lossy { x: 1.0 }
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(lossy::call()), Lossy { x: 1.0 });
    assert_eq!(memory.eval(lossy::call()), Lossy { x: 1.0 });
    let error = memory.try_eval(lossy::call()).unwrap_err().to_string();
    assert!(error.contains("Lossy"), "{error}");
    assert_eq!(memory.entries().count(), 0);
}

#[test]
fn a_value_too_large_for_its_record_gets_a_file() {
    #[cache]
    fn long(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("line {i}")).collect()
    }
    let (folder, memory) = fresh();
    for _ in 0..2 {
        assert_eq!(memory.eval(long::call(20_000)), long::compute(20_000));
    }
    assert_eq!(memory.stats().hits(), 1);
    assert_eq!(files(folder.path(), ".msgpack").len(), 1);
    assert!(memory.entries().map(|entry| entry.unwrap().bytes()).sum::<u64>() > 200_000);
    assert!(memory.remove(&long::call(20_000)).unwrap());
    assert!(files(folder.path(), ".msgpack").is_empty());
}

#[cache]
fn shared(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, n).f(), |(i, j)| (i as f64).sin() - j as f64)
}

#[test]
fn another_process_hits_what_this_one_stored() {
    const NAME: &str = "results::another_process_hits_what_this_one_stored";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        assert_eq!(memory.eval(shared::call(200)), shared::compute(200));
        assert_eq!(memory.mmap(shared::call(200)), shared::compute(200));
        assert_eq!((memory.stats().hits(), memory.stats().misses()), (2, 0));
        return;
    }
    let (folder, memory) = fresh();
    memory.eval(shared::call(200));
    let path = folder.path().to_str().unwrap();
    for threads in ["1", "2"] {
        let output = child(NAME, &[("FOLDER", path), ("RAYON_NUM_THREADS", threads)]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn a_folder_can_be_moved() {
    let (folder, memory) = fresh();
    memory.eval(shared::call(150));
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("moved");
    drop(memory);
    std::fs::rename(folder.path(), &moved).unwrap();
    let memory = Memory::open(&moved).unwrap();
    assert_eq!(memory.mmap(shared::call(150)), shared::compute(150));
    assert_eq!(memory.stats().hits(), 1);
}

#[test]
fn entries_can_be_listed_and_removed() {
    let (folder, memory) = fresh();
    std::fs::write(folder.path().join("mine.txt"), b"not the cache's").unwrap();
    for n in 1..4 {
        memory.eval(shared::call(n * 100));
        memory.eval(fit::call(n));
    }
    assert_eq!(memory.entries().count(), 6);
    let entry = memory.entry(&shared::call(200)).unwrap().unwrap();
    assert_eq!(entry.function(), shared::function().path());
    assert!(format!("{entry:?}").contains("text: \"200\""), "{entry:?}");
    assert_eq!((entry.arguments()[0].name(), entry.arguments()[0].text()), ("n", "200"));
    assert!(entry.duration().as_nanos() > 0 && entry.created().elapsed().unwrap().as_secs() < 60);
    assert_eq!(
        entry.bytes(),
        std::iter::once(entry.path())
            .chain(entry.files().iter().map(|path| &**path))
            .map(|path| path.metadata().unwrap().len())
            .sum::<u64>()
    );
    assert!(memory.remove(&shared::call(200)).unwrap());
    assert!(!memory.remove(&shared::call(200)).unwrap());
    assert!(!memory.contains(&shared::call(200)) && memory.contains(&shared::call(100)));
    memory.clear_function(shared::function()).unwrap();
    assert_eq!(memory.entries().count(), 3);
    memory.clear().unwrap();
    assert_eq!(memory.entries().count(), 0);
    assert!(folder.path().join("mine.txt").exists() && folder.path().join("CACHEDIR.TAG").exists());
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(untagged)]
enum Degrees {
    Celsius(f64),
    Fahrenheit(f64),
}

#[test]
fn variants_of_a_nested_untagged_enum_come_back_or_are_not_stored() {
    #[cache]
    fn readings() -> Vec<Degrees> {
        vec![Degrees::Fahrenheit(100.0)]
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(readings::call()), readings::compute());
    assert_eq!(memory.eval(readings::call()), readings::compute());
}

#[test]
fn a_field_that_serde_skips_comes_back_or_is_not_stored() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Fit {
        slope: f64,
        #[serde(skip)]
        residual: f64,
    }
    #[cache]
    fn fit() -> Fit {
        Fit { slope: 1.0, residual: 0.5 }
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(fit::call()), fit::compute());
    assert_eq!(memory.eval(fit::call()), fit::compute());
}

/// A `Cow` counts by its content, wherever that lies.
#[test]
fn a_cow_is_stored_borrowed_or_owned_and_counts_by_its_content() {
    use std::borrow::Cow;
    #[cache]
    fn label(n: u32) -> Cow<'static, str> {
        if n == 0 { Cow::Borrowed("none") } else { Cow::Owned(format!("{n} of them")) }
    }
    #[cache]
    fn length(text: Cow<'static, str>) -> usize {
        text.len()
    }
    let (_folder, memory) = fresh();
    for _ in 0..2 {
        assert_eq!(memory.try_eval(label::call(0)).unwrap(), "none");
        assert_eq!(memory.try_eval(label::call(7)).unwrap(), "7 of them");
        assert_eq!(memory.eval(length::call(Cow::Borrowed("four"))), 4);
        assert_eq!(memory.eval(length::call(Cow::Owned("four".to_owned()))), 4);
    }
    assert_eq!((memory.stats().misses(), memory.stats().hits()), (3, 5));
}

#[test]
fn a_deque_comes_back_in_one_piece_as_it_does_at_first() {
    use std::collections::VecDeque;
    #[cache]
    fn ring() -> VecDeque<f64> {
        let mut ring: VecDeque<_> = [0.0, 1.0, 2.0, 3.0].into();
        while ring.as_slices().1.is_empty() {
            let first = ring.pop_front().unwrap();
            ring.push_back(first + 4.0);
        }
        ring
    }
    assert!(!ring::compute().as_slices().1.is_empty());
    let (_folder, memory) = fresh();
    for _ in 0..2 {
        let ring = memory.eval(ring::call());
        assert_eq!(ring, ring::compute());
        assert_eq!(ring.as_slices().0.len(), ring.len());
    }
    assert_eq!(memory.stats().hits(), 1);
}

#[test]
fn what_is_cleared_is_counted() {
    #[cache]
    fn ramp(n: usize) -> Array1<f64> {
        Array1::linspace(0.0, 1.0, n)
    }
    #[cache]
    fn twice(n: u64) -> u64 {
        2 * n
    }
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path().join("cache")).inline(0).open().unwrap();
    let size = || -> u64 {
        let files = crate::support::snapshot(&folder.path().join("cache/f")).into_keys();
        files
            .map(|path| std::fs::symlink_metadata(path).unwrap())
            .filter(|stat| stat.is_file())
            .map(|stat| stat.len())
            .sum()
    };
    let nothing = ndcache::policy::Evicted::default();
    assert_eq!(memory.clear_function(ramp::function()).unwrap(), nothing);
    assert_eq!(memory.clear().unwrap(), nothing);
    for n in 1..=3 {
        memory.eval(ramp::call(1000 * n));
    }
    let bytes = size();
    memory.eval(twice::call(1));
    memory.make(twice::call(2), ndcache::make::MsgpackFile::new(folder.path().join("two.msgpack"))).unwrap();
    let removed = memory.clear_function(ramp::function()).unwrap();
    assert_eq!((removed.items, removed.bytes), (3, bytes));
    assert!(bytes > 8 * 6000);
    let rest = size();
    let removed = memory.clear().unwrap();
    assert_eq!(removed.items, 1);
    assert!(removed.bytes > rest, "the step's record is among them: {removed:?}, {rest}");
    assert_eq!(memory.clear().unwrap(), nothing);
    assert_eq!(Memory::disabled().clear().unwrap(), nothing);
}
