use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::{CString, OsString};
use std::marker::PhantomData;
use std::num::{NonZeroU8, NonZeroU16};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndarray::{IxDyn, s};
use num_complex::Complex;
use proptest::prelude::*;

use crate::digest::tree::leaf;
use crate::digest::values::content::*;

fn text_of<T: ContentHash + ?Sized>(value: &T) -> String {
    let mut text = Text::new();
    value.describe(&mut text);
    text.into_string()
}

#[test]
fn the_stream_is_the_one_that_the_format_fixes() {
    let int = |n: u8| [n, 0, 0, 0, 0, 0, 0, 0];
    let text = |text: &str| [&[4], &int(text.len() as u8)[..], text.as_bytes()].concat();
    let stream = |parts: &[&[u8]]| leaf(&[b"value:", &*parts.concat()].concat());

    assert_eq!(digest(&7_u8), stream(&[&[16, 7]]));
    assert_eq!(digest(&-2_i16), stream(&[&[25, 0xfe, 0xff]]));
    assert_eq!(digest(&1_usize), stream(&[&[21], &int(1)]));
    assert_eq!(digest(&1.5_f32), stream(&[&[33, 0, 0, 0xc0, 0x3f]]));
    assert_eq!(digest("ab"), stream(&[&text("ab")]));
    assert_eq!(digest(&Some(true)), stream(&[&[7, 2, 1]]));
    assert_eq!(digest(&("ab", 7_u8)), stream(&[&[49], &text("ab"), &[16, 7], &[0]]));
    assert_eq!(digest(&['a'; 1]), stream(&[&[48], &int(1), &[65, 3, 97, 0, 0, 0], &[0]]));
    assert_eq!(digest(&[Some('a')]), stream(&[&[48], &int(1), &[7, 3, 97, 0, 0, 0], &[0]]));
    let ok = [&[54], &int(6)[..], b"Result", &int(2), b"Ok", &[1, 0]].concat();
    assert_eq!(digest(&Ok::<(), ()>(())), stream(&[&ok]));
    let path = [&[58], &int(4)[..], b"Path", &int(1), b"a"].concat();
    assert_eq!(digest(Path::new("a")), stream(&[&path]));

    let (a, b) = (array![1.0, 2.0], array![3_u8]);
    let array = |digest: Digest| [&[8][..], &digest.to_bytes()].concat();
    assert_eq!(digest(&(&a, &b)), stream(&[&[49], &array(digest(&a)), &array(digest(&b)), &[0]]));

    let sum =
        |digests: [Digest; 2]| Digest::from_xxh3(digests.map(Digest::to_xxh3).into_iter().fold(0, u128::wrapping_add));
    let set = sum([b'x', b'y'].map(|letter| leaf(&[letter, 0, 0, 0]))).to_bytes();
    assert_eq!(digest(&BTreeSet::from(['x', 'y'])), stream(&[&[66, 3], &int(2), &set]));
    let set = sum([digest(&Some('x')), digest(&Some('y'))]).to_bytes();
    assert_eq!(digest(&BTreeSet::from(['x', 'y'].map(Some))), stream(&[&[50], &int(2), &set]));
    let entry = leaf(&[b'x', 0, 0, 0, 1]).to_bytes();
    assert_eq!(digest(&BTreeMap::from([('x', 1_u8)])), stream(&[&[67, 3, 16], &int(1), &entry]));
    let entry = leaf(&[b'x', 0, 0, 0, 7, 16, 1, 0]).to_bytes();
    assert_eq!(digest(&BTreeMap::from([('x', Some(1_u8))])), stream(&[&[67, 3, 68], &int(1), &entry]));
    let entry = stream(&[&[6, 0, 7, 16, 1]]).to_bytes();
    assert_eq!(digest(&BTreeMap::from([(None::<()>, Some(1_u8))])), stream(&[&[51], &int(1), &entry]));
    assert_eq!(digest(&VecDeque::from([3_u8])), stream(&[&[62], &array(digest(&b))]));
    assert_eq!(digest(&[[1.0, 2.0]]), stream(&[&[63], &array(digest(&array![[1.0, 2.0]]))]));
    let odd = Array2::from_shape_vec((1, 2).f(), vec!['a', 'b']).unwrap();
    let shape = [int(2), int(1), int(2), int(0), int(1)].concat();
    assert_eq!(digest(&odd), stream(&[&[57], &shape, &[65, 3, 97, 0, 0, 0, 98, 0, 0, 0, 0]]));
    let turned = Array2::from_shape_vec((2, 2).f(), vec!['a', 'b', 'c', 'd']).unwrap();
    let shape = [int(2), int(2), int(2), int(1), int(0)].concat();
    let items: Vec<u8> = "abcd".bytes().flat_map(|letter| [letter, 0, 0, 0]).collect();
    assert_eq!(digest(&turned), stream(&[&[57], &shape, &[65, 3], &items, &[0]]));
}

/// Each of another meaning.
fn texts_and_numbers() -> Vec<Digest> {
    let strings = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
    let none: Option<Option<u8>> = None;
    vec![
        digest(&("ab", "c")),
        digest(&("a", "bc")),
        digest(&("abc",)),
        digest("abc"),
        digest(&strings(&["ab", "c"])),
        digest(&strings(&["a", "bc"])),
        digest(&[strings(&["a"]), strings(&["b"])]),
        digest(&[strings(&["a", "b"]), strings(&[])]),
        digest(&none),
        digest(&Some(none)),
        digest(&Some(Some(1_u8))),
        digest(&Some(1_u8)),
        digest(&1_u8),
        digest(&1_u16),
        digest(&1_u32),
        digest(&1_u64),
        digest(&1_usize),
        digest(&1_u128),
        digest(&1_i8),
        digest(&1_i64),
        digest(&1_isize),
        digest(&1_i128),
        digest(&NonZeroU8::MIN),
        digest(&NonZeroU16::MIN),
        digest(&true),
        digest(&'\u{1}'),
        digest(&1_f32),
        digest(&1_f64),
        digest(&0.0_f64),
        digest(&-0.0_f64),
        digest(&f64::NAN),
    ]
}

/// Each of another meaning.
fn complex_numbers_and_arrays() -> Vec<Digest> {
    vec![
        digest(&Complex::new(1.0, 0.0)),
        digest(&(1.0, 0.0)),
        digest(&[1.0, 0.0]),
        digest(&[[1.0], [0.0]]),
        digest(&[[1.0, 0.0]]),
        digest(&[[[1.0], [0.0]]]),
        digest(&vec![array![1.0], array![0.0]]),
        digest(&array![[1.0], [0.0]]),
        digest(&array![[1.0], [0.0]].t()),
        digest(&VecDeque::from([1.0, 0.0])),
        digest(&VecDeque::from([array![1.0, 0.0]])),
        digest(&[[1.0; 0]; 2]),
        digest(&[[1.0; 0]; 3]),
        digest(&[[1.0; 2]; 0]),
        digest(&array![[[1.0_f64, 0.0]]].map(|&x| [x])),
        digest(&array![[1.0, 0.0]].map(|&x| [x])),
        digest(&array![[1.0], [0.0]].map(|&x| [x])),
    ]
}

/// Each of another meaning.
fn types_of_the_standard_library() -> Vec<Digest> {
    vec![
        digest(&()),
        digest(&((),)),
        digest(&[(); 0]),
        digest(&[()]),
        digest(&PhantomData::<u8>),
        digest(&Ok::<u8, u8>(1)),
        digest(&Err::<u8, u8>(1)),
        digest(Path::new("abc")),
        digest(&OsString::from("abc")),
        digest(&CString::from(c"abc")),
        digest(&"abc".as_bytes()),
        digest(&digest("abc")),
        digest(&(0..1_u8)),
        digest(&(0..=1_u8)),
        digest(&(0_u8..)),
        digest(&(..1_u8)),
        digest(&(..=1_u8)),
        digest(&(..)),
        digest(&Bound::Included(1_u8)),
        digest(&Bound::Excluded(1_u8)),
        digest(&(0_u8, 1_u8)),
        digest(&Duration::new(1, 0)),
        digest(&Duration::new(0, 1)),
        digest(&(SystemTime::UNIX_EPOCH + Duration::from_secs(1))),
        digest(&(SystemTime::UNIX_EPOCH - Duration::from_secs(1))),
        digest(&Ordering::Less),
        digest(&Ordering::Greater),
        digest(&BTreeSet::from([(1_u8, 2_u8)])),
        digest(&BTreeMap::from([(1_u8, 2_u8)])),
        digest(&BTreeMap::from([(2_u8, 1_u8)])),
        digest(&BTreeSet::from([1_u8, 2])),
        digest(&BTreeMap::from([('a', 'c'), ('b', 'd')])),
        digest(&BTreeMap::from([('a', 'd'), ('b', 'c')])),
    ]
}

#[test]
fn values_of_different_meaning_differ() {
    let digests = [texts_and_numbers(), complex_numbers_and_arrays(), types_of_the_standard_library()].concat();
    assert_eq!(digests.len(), 81);
    for (n, one) in digests.iter().enumerate() {
        assert!(!digests[..n].contains(one), "value {n} has the digest of another");
    }
}

#[test]
fn a_value_counts_by_what_it_holds_not_by_who_holds_it() {
    let text = digest("hann");
    assert_eq!(digest(&"hann"), text);
    assert_eq!(digest(&String::from("hann")), text);
    assert_eq!(digest(&Box::<str>::from("hann")), text);
    assert_eq!(digest(&Rc::<str>::from("hann")), text);
    assert_eq!(digest(&Arc::new(Cow::Borrowed("hann"))), text);
    assert_eq!(digest(&&mut String::from("hann")), text);
    assert_eq!(digest(&PathBuf::from("a/b")), digest(Path::new("a/b")));
    assert_eq!(digest(&vec!['a', 'b']), digest(&['a', 'b']));
    assert_eq!(digest(&vec![[1.0], [0.0]]), digest(&[[1.0], [0.0]]));
    let shape: Box<dyn ContentHash> = Box::new(3_u8);
    assert_eq!(digest(&shape), digest(&3_u8));
}

#[test]
fn a_deque_counts_by_its_elements_not_by_its_buffer() {
    let straight = VecDeque::from([1.0, 2.0, 3.0]);
    let mut wrapped = VecDeque::from([3.0, 9.0, 9.0]);
    wrapped.truncate(1);
    wrapped.push_front(2.0);
    wrapped.push_front(1.0);
    assert!(!wrapped.as_slices().1.is_empty());
    assert_eq!(digest(&wrapped), digest(&straight));
}

#[test]
fn a_range_that_was_iterated_to_its_end_is_another() {
    let mut range = 1..=1_u8;
    let whole = digest(&range);
    range.next();
    assert_ne!(digest(&range), whole);
}

#[test]
fn arrays_of_anything_that_has_a_digest_have_one() {
    let names = |shape, names: [&str; 4]| Array2::from_shape_vec(shape, names.map(String::from).to_vec()).unwrap();
    let square = names((2, 2), ["a", "b", "c", "d"]);
    assert_eq!(digest(&square), digest(&square.view()));
    assert_ne!(digest(&square), digest(&names((4, 1), ["a", "b", "c", "d"])));
    assert_ne!(digest(&square), digest(&names((2, 2), ["a", "b", "d", "c"])));
    assert_ne!(digest(&square), digest(&square.t()));
}

/// Checks that an array of what isn't an element counts by its shape, items and memory order, as one of elements does.
fn counts_as_elements<T: ContentHash + Clone>(item: impl Fn(f64) -> T) {
    let base = Array3::from_shape_fn((3, 4, 2), |(i, j, k)| (8 * i + 2 * j + k) as f64);
    // In C order, where `permuted_axes` alone keeps the elements where they are.
    let turned = |axes: [usize; 3]| base.view().permuted_axes(axes).as_standard_layout().into_owned();
    let mut all: Vec<ArrayD<f64>> = vec![base.clone().into_dyn()];
    for axes in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        all.push(turned(axes).into_dyn());
        all.push(base.clone().permuted_axes(axes).into_dyn());
    }
    let mut fortran = Array3::zeros((3, 4, 2).f());
    fortran.assign(&base);
    all.extend([fortran.clone().into_dyn(), fortran.reversed_axes().into_dyn()]);
    all.push(ArrayD::zeros(IxDyn(&[])));
    all.extend([&[0, 3][..], &[3, 0], &[0], &[1, 1], &[5, 1], &[1, 5]].map(|shape| ArrayD::zeros(IxDyn(shape))));
    all.extend([&[0, 3][..], &[3, 0], &[5, 1], &[1, 5], &[2, 1, 3]].map(|shape| ArrayD::zeros(IxDyn(shape).f())));
    let odd: Vec<ArrayD<T>> = all.iter().map(|array| array.map(|&x| item(x))).collect();
    for (array, odd) in all.iter().zip(&odd) {
        assert_eq!((array.shape(), array.strides()), (odd.shape(), odd.strides()));
    }
    let mut views: Vec<(ArrayViewD<'_, f64>, ArrayViewD<'_, T>)> =
        all.iter().zip(&odd).map(|(array, odd)| (array.view(), odd.view())).collect();
    for (array, odd) in all.iter().zip(&odd).filter(|(array, _)| array.ndim() == 3 && !array.is_empty()) {
        let (array, odd) = (array.view().into_dimensionality::<Ix3>(), odd.view().into_dimensionality::<Ix3>());
        let (array, odd) = (array.unwrap(), odd.unwrap());
        macro_rules! slice {
            ($($slice:tt)*) => {
                views.push((
                    array.clone().slice_move(s![$($slice)*]).into_dyn(),
                    odd.clone().slice_move(s![$($slice)*]).into_dyn(),
                ))
            };
        }
        slice!(..;-1, .., ..);
        slice!(..;2, .., ..);
        slice!(.., .., ..1);
        slice!(.., ..1, ..);
    }
    let digests: Vec<_> = views.iter().map(|(array, odd)| (digest(array), digest(odd))).collect();
    for (n, a) in digests.iter().enumerate() {
        for b in &digests[..n] {
            assert_eq!(a.0 == b.0, a.1 == b.1, "{:?}", views[n].1.shape());
        }
    }
    let (first, fixed) = (&odd[0], odd[0].view().into_dimensionality::<Ix3>().unwrap());
    for same in [digest(&fixed), digest(&**first), digest(&first.to_shared()), digest(&CowArray::from(first.view()))] {
        assert_eq!(same, digest(first));
    }
}

#[test]
fn memory_order_counts_whatever_an_array_holds() {
    counts_as_elements(|x| [x; 2]);
    counts_as_elements(|x| [x; 1]);
    counts_as_elements(Some);
    counts_as_elements(|x| (x, 1_u8));
    counts_as_elements(|x| x.to_string());
    counts_as_elements(|x| vec![x]);
    counts_as_elements(|x| array![[x, x], [x, 0.5]]);
    counts_as_elements(|x| Array2::from_elem((2, 2).f(), [Some(x)]));
    counts_as_elements(|x| x as u128);
    counts_as_elements(Box::new);
    // Deeper down, too.
    let of = |inner: Array2<[f64; 2]>| Array1::from_elem(2, (inner, 'x'));
    let (mut c, mut f) = (Array2::from_elem((2, 3), [0.0; 2]), Array2::from_elem((2, 3).f(), [0.0; 2]));
    (c[[1, 0]], f[[1, 0]]) = ([1.0, 2.0], [1.0, 2.0]);
    assert_ne!(digest(&of(c.clone())), digest(&of(f.clone())));
    assert_ne!(digest(&Some(vec![c])), digest(&Some(vec![f])));
}

#[test]
fn an_item_that_takes_no_room_has_an_order_all_the_same() {
    let unit = |shape: [usize; 2]| Array2::from_elem(shape, ());
    assert_ne!(digest(&unit([2, 3])), digest(&unit([3, 2])));
    assert_eq!(digest(&unit([2, 3])), digest(&unit([2, 3]).view()));
}

#[test]
fn a_hasher_that_was_fed_one_leaf_is_that_leaf_and_nothing_else_is() {
    let known = digest(&array![1.0]);
    let mut hasher = ContentHasher::new();
    hasher.leaf(known);
    assert_eq!(hasher.try_finish().unwrap(), known);

    let mut twice = ContentHasher::new();
    twice.leaf(known);
    twice.leaf(known);
    let mut marked = ContentHasher::new();
    marked.leaf(known);
    marked.unit();
    let mut late = ContentHasher::new();
    late.unit();
    late.leaf(known);
    let all = [known, digest(&known), twice.finish(), marked.finish(), late.finish()];
    for (n, one) in all.iter().enumerate() {
        assert!(!all[..n].contains(one), "stream {n}");
    }
}

#[test]
fn values_are_described_in_words_without_reading_arrays() {
    let array = Array2::<f64>::zeros((1797, 64));
    assert_eq!(text_of(&array), "f64[1797, 64] C");
    assert_eq!(text_of(&array.t()), "f64[64, 1797] F");
    assert_eq!(text_of(&array.slice(ndarray::s![..;2, ..;2])), "f64[899, 32] strided");
    assert_eq!(text_of(&ndarray::arr0(1_usize)), "u64[] C");
    assert_eq!(text_of(&vec![Complex::new(1.0, 2.0)]), "Complex<f64>[1] C");
    assert_eq!(text_of(&(1.5, "hann", 3_u8, 'c', false, ())), "(1.5, \"hann\", 3, 'c', false, ())");
    assert_eq!(text_of(&Some(Ok::<_, ()>(-1))), "Some(Ok(-1))");
    assert_eq!(text_of(&None::<u8>), "None");
    assert_eq!(text_of(&vec!["a", "b"]), "[\"a\", \"b\"]");
    assert_eq!(text_of(&[vec![1_u8], vec![]]), "[[1], []]");
    assert_eq!(text_of(&HashMap::from([(1, 2), (3, 4)])), "{1: 2, 3: 4}");
    assert_eq!(text_of(&HashSet::from([1])), "{1}");
    assert_eq!(text_of(&(0..=9)), "0..=9");
    assert_eq!(text_of(&(..9)), "..9");
    assert_eq!(text_of(&Duration::from_millis(1500)), "1.5s");
    assert_eq!(text_of("x".repeat(1000).as_str()).chars().count(), 120);

    struct Opaque;
    impl ContentHash for Opaque {
        fn content_hash(&self, hasher: &mut ContentHasher) {
            hasher.unit();
        }
    }
    assert!(text_of(&Opaque).ends_with("Opaque"));
}

proptest! {
    #[test]
    fn maps_and_sets_count_in_no_order(
        entries in prop::collection::btree_map(any::<u16>(), ".{0,3}", 0..20),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut shuffled: Vec<_> = entries.clone().into_iter().collect();
        shuffled.rotate_left(seed.index(entries.len() + 1));
        shuffled.reverse();
        let hashed: HashMap<_, _> = shuffled.iter().cloned().collect();
        prop_assert_eq!(digest(&hashed), digest(&entries));
        let keys: HashSet<_> = shuffled.iter().map(|entry| entry.0).collect();
        let sorted: BTreeSet<_> = entries.keys().copied().collect();
        prop_assert_eq!(digest(&keys), digest(&sorted));
        prop_assert_ne!(digest(&keys), digest(&entries));
    }

    #[test]
    fn different_texts_differ_however_they_are_nested(
        a in prop::collection::vec(prop::collection::vec("[a-b]{0,2}", 0..3), 0..3),
        b in prop::collection::vec(prop::collection::vec("[a-b]{0,2}", 0..3), 0..3),
    ) {
        prop_assert_eq!(a == b, digest(&a) == digest(&b));
    }

    #[test]
    fn different_numbers_differ(a in any::<(u8, i16, Option<u8>)>(), b in any::<(u8, i16, Option<u8>)>()) {
        prop_assert_eq!(a == b, digest(&a) == digest(&b));
    }
}
