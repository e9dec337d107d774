//! What mapped arrays promise, held against plain ones.

use std::fs::{self, Permissions};
use std::mem;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::thread;

use ndarray::parallel::prelude::*;
use ndarray::{Array, Array1, Array2, ArrayD, ArrayRef1, ArrayView2, Axis, Dimension, Ix1, Ix2, Zip, array, s};
use num_complex::Complex;
use proptest::prelude::*;

use super::layout::tests::any_array;
use super::mapping::tests::StoredFile;
use super::*;
use crate::digest::tree;
use crate::digest::{ArrayMeta, ContentHash, ContentHasher, Digest, Element, Known, Order, digest};
use crate::error::ErrorKind;

const OFFSET: usize = 128;

/// A file that holds the elements of an array behind a header of `OFFSET` bytes, and what a record says about it.
fn store<A: Element, D: Dimension>(array: &Array<A, D>) -> (StoredFile, ArrayMeta) {
    let meta = ArrayMeta::of(array).expect("only normalised arrays are stored");
    let mut bytes = vec![0x93; OFFSET];
    bytes.extend_from_slice(bytemuck::cast_slice(array.as_slice_memory_order().unwrap()));
    (StoredFile::new(&bytes), meta)
}

fn map<A: Element, D: Dimension>(array: &Array<A, D>) -> Mapped<A, D> {
    let (stored, meta) = store(array);
    Mapped::from_mapping(stored.map(), OFFSET, &meta, Arc::new(Known::unknown())).unwrap()
}

fn map_cow<A: Element, D: Dimension>(array: &Array<A, D>) -> MappedCow<A, D> {
    let (stored, meta) = store(array);
    MappedCow::from_file(&stored.file, &stored.path, stored.len, OFFSET, &meta).unwrap()
}

fn painted(len: usize) -> Array1<f64> {
    (0..len).map(|i| (i % 251) as f64).collect()
}

/// A digest that no array has, by which an array of known digest gives itself away.
fn mark() -> Digest {
    Digest::from_bytes([7; 16])
}

#[test]
fn handles_can_be_sent_and_shared() {
    fn check<T: Send + Sync + std::panic::UnwindSafe + Unpin>() {}
    check::<Mapped2<f64>>();
    check::<MappedD<bool>>();
    check::<MappedCow1<Complex<f32>>>();
    check::<MappedCowD<u8>>();
    check::<Mapping>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_kind_equals_the_array_it_was_made_of(array in any_array()) {
        let mut normal = array.clone();
        normalise(&mut normal);
        let (heap, file) = (Mapped::from(array.clone()), map(&normal));
        let (heap_cow, file_cow) = (MappedCow::from(array.clone()), map_cow(&normal));
        prop_assert!(heap == array && file == array && heap_cow == array && file_cow == array);
        prop_assert!(array == heap && array == file && array == heap_cow && array == file_cow);
        prop_assert_eq!((heap.is_mapped(), file.is_mapped()), (false, true));
        prop_assert_eq!((heap_cow.is_mapped(), file_cow.is_mapped()), (false, true));
        for strides in [heap.strides(), file.strides(), heap_cow.strides(), file_cow.strides()] {
            prop_assert_eq!(strides, normal.strides());
        }
    }

    #[test]
    fn every_kind_has_the_digest_of_its_copy_in_memory(array in any_array()) {
        let mut normal = array.clone();
        normalise(&mut normal);
        let expected = digest(&normal);
        prop_assert_eq!(Mapped::from(array.clone()).digest(), expected);
        prop_assert_eq!(MappedCow::from(array).digest(), expected);
        prop_assert_eq!(map(&normal).digest(), expected);
        prop_assert_eq!(map_cow(&normal).digest(), expected);
        prop_assert_eq!(digest(&map(&normal).to_owned()), expected);
    }
}

#[test]
fn a_vector_is_taken_over() {
    let elements = vec![1.5, 2.5, 3.5, 4.5, 5.5, 6.5];
    let address = elements.as_ptr();
    let meta = ArrayMeta { descr: "<f8".into(), shape: vec![2, 3], order: Order::F, itemsize: None };
    let m = Mapped2::<f64>::from_vec(elements.clone(), &meta, Arc::new(Known::unknown())).unwrap();
    let cow = MappedCow2::<f64>::from_vec(elements, &meta).unwrap();
    assert_eq!(cow.as_ptr(), address);
    assert_eq!(m, array![[1.5, 3.5, 5.5], [2.5, 4.5, 6.5]]);
    assert_eq!(m, cow);
}

#[test]
fn a_clone_outlives_its_original() {
    for original in [map(&painted(100_000)), Mapped::from(painted(100_000))] {
        let clone = original.clone();
        assert_eq!(clone.as_ptr(), original.as_ptr());
        drop(original);
        assert_eq!(thread::spawn(move || clone.sum()).join().unwrap(), painted(100_000).sum());
    }
}

#[test]
fn an_array_moves_without_its_bytes() {
    let boxed = Box::new(MappedCow::from(painted(1000)));
    let address = boxed.as_ptr();
    let mut moved = vec![*boxed];
    moved[0][3] = -1.0;
    moved.reserve(100);
    assert_eq!((moved[0].as_ptr(), moved[0][3]), (address, -1.0));
}

#[test]
fn a_file_removed_or_replaced_under_an_array_keeps_its_elements() {
    let (stored, meta) = store(&painted(10_000));
    let m = Mapped1::<f64>::from_mapping(stored.map(), OFFSET, &meta, Arc::new(Known::unknown())).unwrap();
    let mut cow = MappedCow1::<f64>::from_file(&stored.file, &stored.path, stored.len, OFFSET, &meta).unwrap();
    let other = stored.folder.path().join("other");
    fs::write(&other, [0; 10]).unwrap();
    fs::rename(&other, &stored.path).unwrap();
    fs::remove_file(&stored.path).unwrap();
    drop(stored);
    cow[9_999] += 1.0;
    assert_eq!(m, painted(10_000));
    assert_eq!(cow.sum(), m.sum() + 1.0);
}

#[test]
fn what_is_written_to_a_copy_on_write_array_reaches_nobody_else() {
    let (stored, meta) = store(&painted(10_000));
    let m = Mapped1::<f64>::from_mapping(stored.map(), OFFSET, &meta, Arc::new(Known::unknown())).unwrap();
    let open = || MappedCow1::<f64>::from_file(&stored.file, &stored.path, stored.len, OFFSET, &meta).unwrap();
    let (mut one, two) = (open(), open());
    let before = fs::read(&stored.path).unwrap();
    one.fill(-1.0);
    assert_eq!(one.sum(), -10_000.0);
    assert_eq!((&m, &two), (&Mapped::from(painted(10_000)), &MappedCow::from(painted(10_000))));
    assert_eq!(fs::read(&stored.path).unwrap(), before);
}

#[test]
fn a_clone_of_a_copy_on_write_array_is_a_copy() {
    let one = map_cow(&painted(100));
    let mut two = one.clone();
    two[0] = 9.0;
    assert!(!two.is_mapped());
    assert_eq!((one[0], two[0], one.slice(s![1..])), (0.0, 9.0, two.slice(s![1..])));
}

#[test]
fn swapped_handles_and_changed_axes_free_what_they_own() {
    let mut a = map_cow(&Array2::from_elem((40, 50), 1.0));
    let mut b = MappedCow::from(Array2::from_elem((50, 40), 2.0));
    a.swap_axes(0, 1);
    a.invert_axis(Axis(0));
    a.slice_collapse(s![10..;3, 20..30]);
    b.slice_collapse(s![49.., ..]);
    mem::swap(&mut a, &mut b);
    assert_eq!((a.is_mapped(), b.is_mapped()), (false, true));
    assert_eq!((a.dim(), b.dim()), ((1, 40), (14, 10)));
    b[[13, 9]] = 3.0;
    drop(a);
    assert_eq!((b.sum(), b.to_owned().dim()), (142.0, (14, 10)));
    assert_eq!(b.digest(), digest(&b.to_owned()));
}

#[test]
fn a_file_of_another_array_is_damaged() {
    let (stored, meta) = store(&painted(100));
    let damage = |meta: &ArrayMeta, offset: usize, expected: &str| {
        let mapped = Mapped1::<f64>::from_mapping(stored.map(), offset, meta, Arc::new(Known::unknown())).unwrap_err();
        let cow = MappedCow1::<f64>::from_file(&stored.file, &stored.path, stored.len, offset, meta).unwrap_err();
        assert_eq!((mapped.kind(), cow.kind()), (ErrorKind::Damaged, ErrorKind::Damaged));
        assert!(mapped.to_string().contains(expected), "{mapped}");
        assert!(cow.to_string().contains(&stored.path.display().to_string()), "{cow}");
    };
    damage(&ArrayMeta { descr: "<i8".into(), ..meta.clone() }, OFFSET, "has dtype `i64`, expected `f64`");
    damage(&ArrayMeta { shape: vec![10, 10], ..meta.clone() }, OFFSET, "has 2 axes, expected 1");
    damage(&ArrayMeta { shape: vec![101], ..meta.clone() }, OFFSET, "reach beyond");
    damage(&ArrayMeta { shape: vec![u64::MAX], ..meta.clone() }, OFFSET, "too large");
    damage(&meta, OFFSET + 8, "reach beyond");
    damage(&meta, OFFSET - 4, "not aligned");
}

#[test]
fn a_file_of_another_length_or_mode_is_refused() {
    let (stored, meta) = store(&painted(100));
    let kind = |len| MappedCow1::<f64>::from_file(&stored.file, &stored.path, len, OFFSET, &meta).unwrap_err().kind();
    assert_eq!(kind(stored.len - 1), ErrorKind::Damaged);
    fs::set_permissions(&stored.path, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(kind(stored.len), ErrorKind::Unsupported);
}

#[test]
fn a_mapped_bool_is_true_or_false() {
    let array = Array1::from_elem(5000, true);
    assert!(map(&array).iter().all(|&b| b));
    let (stored, meta) = store(&Array1::from_elem(5000, 3_u8));
    let meta = ArrayMeta { descr: bool::DESCR.into(), ..meta };
    let mapped = Mapped1::<bool>::from_mapping(stored.map(), OFFSET, &meta, Arc::new(Known::unknown()));
    let cow = MappedCow1::<bool>::from_file(&stored.file, &stored.path, stored.len, OFFSET, &meta);
    assert_eq!(mapped.unwrap_err().kind(), ErrorKind::Damaged);
    assert_eq!(cow.unwrap_err().kind(), ErrorKind::Damaged);
}

mod trust {
    use super::*;

    fn marked(array: &Array1<f64>) -> Mapped1<f64> {
        let (stored, meta) = store(array);
        Mapped::from_mapping(stored.map(), OFFSET, &meta, Arc::new(Known::verified(mark()))).unwrap()
    }

    fn of_argument(array: &ArrayRef1<f64>) -> Digest {
        digest(array)
    }

    #[test]
    fn a_reference_to_the_whole_of_a_live_array_takes_its_digest() {
        let m = marked(&painted(100));
        assert_eq!((m.digest(), digest(&m)), (mark(), mark()));
        assert_eq!((of_argument(&m), of_argument(&m.clone()), digest(&m.view())), (mark(), mark(), mark()));
    }

    #[test]
    fn a_part_another_shape_or_a_copy_has_its_own() {
        let m = marked(&painted(100));
        assert_eq!(digest(&m.slice(s![..99])), digest(&painted(100).slice(s![..99])));
        assert_eq!(digest(&m.slice(s![..;2])), digest(&painted(100).slice(s![..;2])));
        let square = (10, 10);
        assert_eq!(digest(&m.to_shape(square).unwrap()), digest(&painted(100).to_shape(square).unwrap()));
        assert_eq!(digest(&m.to_owned()), digest(&painted(100)));
    }

    #[test]
    fn nothing_is_known_any_more_once_the_mapping_is_gone() {
        let (stored, meta) = store(&painted(100));
        let mapping = stored.map();
        let map = |mapping: &Mapping, known| {
            Mapped1::<f64>::from_mapping(mapping.clone(), OFFSET, &meta, Arc::new(known)).unwrap()
        };
        let first = map(&mapping, Known::verified(mark()));
        let clone = first.clone();
        let again = map(&mapping, Known::unknown());
        assert_eq!(again.as_ptr(), first.as_ptr());
        drop((first, clone));
        assert_eq!(again.digest(), mark(), "its bytes are still there");
        drop((again, mapping));
        assert_eq!(map(&stored.map(), Known::unknown()).digest(), digest(&painted(100)));
    }

    #[test]
    fn an_array_that_is_made_again_of_a_mapping_is_registered_once() {
        let (stored, meta) = store(&painted(100));
        let (mapping, known) = (stored.map(), Arc::new(Known::verified(mark())));
        let whole = || Mapped1::<f64>::from_mapping(mapping.clone(), OFFSET, &meta, Arc::clone(&known)).unwrap();
        let held = |array: &Mapped1<f64>| mapping.register(array, &known).is_none();
        assert!(held(&whole()) && held(&whole()), "for as long as the mapping lasts");
        let bits = ArrayMeta { descr: "<u8".into(), ..meta.clone() };
        let bits = Mapped1::<u64>::from_mapping(mapping.clone(), OFFSET, &bits, Arc::clone(&known)).unwrap();
        assert!(mapping.register(&bits, &known).is_some(), "another type is another array");
        assert!(mapping.register(&whole(), &Arc::new(Known::unknown())).is_some(), "and so is what else is known");
    }

    #[test]
    fn an_address_that_is_used_again_has_the_digest_of_its_new_content() {
        let work = |content: u64| {
            let array = Array1::from_elem(1000, content);
            // Not by way of the table, which might give the same wrong digest.
            let expected = ArrayMeta::of(&array).unwrap().digest(tree(bytemuck::cast_slice(&array.to_vec())));
            let (stored, meta) = store(&array);
            for _ in 0..2000 {
                let known = Arc::new(Known::unknown());
                let m = Mapped1::<u64>::from_mapping(stored.map(), OFFSET, &meta, known).unwrap();
                assert_eq!(m.digest(), expected);
            }
        };
        thread::scope(|scope| (0..4).for_each(|content| drop(scope.spawn(move || work(content)))));
    }

    #[test]
    fn a_claim_serves_a_lookup_and_is_checked_for_anything_else() {
        let (stored, meta) = store(&painted(100));
        let known = Arc::new(Known::claimed(mark()));
        let m = Mapped1::<f64>::from_mapping(stored.map(), OFFSET, &meta, known).unwrap();
        let mut hasher = ContentHasher::trusting();
        m.content_hash(&mut hasher);
        assert!(hasher.claimed());
        assert_eq!(hasher.finish(), mark());
        assert_eq!(m.digest(), digest(&painted(100)));
        assert!(m.known().is_verified());
    }

    #[test]
    fn an_array_on_the_heap_is_hashed_once() {
        let m = Mapped::from(painted(100));
        assert_eq!(m.known().digest(), None);
        assert_eq!(Some(digest(&m)), m.known().digest());
        assert!(m.known().is_verified());
    }

    #[test]
    fn a_copy_on_write_array_is_hashed_each_time() {
        let (stored, meta) = store(&painted(100));
        let known = Arc::new(Known::verified(mark()));
        let _m = Mapped1::<f64>::from_mapping(stored.map(), OFFSET, &meta, known).unwrap();
        let mut cow = MappedCow1::<f64>::from_file(&stored.file, &stored.path, stored.len, OFFSET, &meta).unwrap();
        assert_eq!(digest(&cow), digest(&painted(100)));
        cow[0] = 1.0;
        assert_eq!(digest(&cow), digest(&cow.to_owned()));
        assert_ne!(digest(&cow), digest(&painted(100)));
    }

    #[test]
    fn empty_arrays_are_never_mistaken_for_one_another() {
        let empty = Array2::<f64>::zeros((0, 3));
        let meta = ArrayMeta::of(&empty).unwrap();
        let marked = Mapped2::<f64>::from_vec(vec![], &meta, Arc::new(Known::verified(mark()))).unwrap();
        assert_eq!(digest(&marked), digest(&empty));
        assert_eq!(digest(&Mapped::from(empty.clone())), digest(&empty));
    }
}

mod lending {
    use super::*;

    #[test]
    fn arrays_are_equal_across_types_when_shape_and_elements_are() {
        let (m, cow) = (Mapped::from(array![1.0, 2.0]), MappedCow::from(array![1.0, 2.0]));
        let view = array![1.0, 2.0];
        assert_eq!([m == cow, cow == m, m == m.clone(), cow == cow.clone()], [true; 4]);
        assert_eq!([m == *cow, *cow == m, m == view.view(), view.view() == m], [true; 4]);
        let (other, short) = (array![1.0, 3.0], array![1.0]);
        assert_eq!([m == other, other == m, cow == other, m == short, short == m, cow == short], [false; 6]);
        let mapped_other = Mapped::from(other);
        assert_eq!([m == mapped_other, cow == mapped_other, *m == *short], [false; 3]);
        let nan = Mapped::from(array![f64::NAN]);
        assert!(nan != nan.clone());
    }

    #[test]
    fn iterators_give_the_elements_in_logical_order() {
        let (m, mut cow) =
            (Mapped::from(array![[1, 2], [3, 4]]), MappedCow::from(array![[1, 2], [3, 4]].reversed_axes()));
        assert_eq!((&m).into_iter().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!((&cow).into_iter().copied().collect::<Vec<_>>(), [1, 3, 2, 4]);
        for element in &mut cow {
            *element *= 10;
        }
        assert_eq!(cow, array![[10, 30], [20, 40]]);
    }

    #[test]
    fn arrays_take_part_in_zip_and_rayon() {
        let (m, mut cow) = (map(&painted(1000)), map_cow(&painted(1000)));
        Zip::from(&mut cow).and(&m).for_each(|c, m| *c += m);
        assert_eq!(cow, 2.0 * &m);
        assert_eq!(m.par_iter().sum::<f64>(), m.sum());
        assert_eq!((&m).into_par_iter().map(|x| x as *const f64 as usize).min(), Some(m.as_ptr() as usize));
        cow.par_iter_mut().for_each(|c| *c = 1.0);
        assert_eq!(Zip::from(&cow).and(&m).fold(0.0, |sum, c, m| sum + c * m), m.sum());
    }

    #[test]
    fn arrays_convert_to_views_and_references() {
        let (m, mut cow) = (Mapped::from(array![[1, 2], [3, 4]]), MappedCow::from(array![[1, 2], [3, 4]]));
        assert_eq!(ArrayView2::from(&m), ArrayView2::from(&cow));
        ndarray::ArrayViewMut2::from(&mut cow).fill(0);
        let as_ref: &ndarray::ArrayRef2<i32> = m.as_ref();
        let borrowed: &ndarray::ArrayRef2<i32> = std::borrow::Borrow::borrow(&cow);
        assert_eq!((as_ref.sum(), borrowed.sum()), (10, 0));
        fn columns<T: AsRef<ndarray::LayoutRef2<i32>> + ?Sized>(array: &T) -> usize {
            array.as_ref().ncols()
        }
        assert_eq!((columns(&m), columns(&cow)), (2, 2));
    }

    #[test]
    fn formatting_says_where_the_bytes_are_and_elides_large_arrays() {
        assert_eq!(format!("{}", Mapped::from(array![1, 2])), "[1, 2]");
        assert_eq!(format!("{:.2}", MappedCow::from(array![1.0])), "[1.00]");
        let debug = format!("{:?}", Mapped::from(array![1_i32, 2]));
        assert!(debug.starts_with("Mapped<i32>(in memory) [1, 2], shape=[2]"), "{debug}");
        let debug = format!("{:?}", map_cow(&painted(1_000_000)));
        assert!(debug.starts_with("MappedCow<f64>(mapped, copied on write) ["), "{debug}");
        assert!(debug.len() < 1000, "{}", debug.len());
    }

    #[test]
    fn names_fix_the_number_of_axes() {
        let one: Mapped1<f64> = painted(3).into();
        let two: Mapped<f64, Ix2> = Mapped2::from(array![[1.0]]);
        let any: MappedD<f64> = ArrayD::zeros(vec![1, 2, 3]).into();
        let cow: MappedCow<f64, Ix1> = MappedCow1::from(painted(3));
        assert_eq!((one.ndim(), two.ndim(), any.ndim(), cow.ndim()), (1, 2, 3, 1));
        assert_eq!(Mapped0::from(ndarray::arr0(5)).into_iter().count(), 1);
    }
}
