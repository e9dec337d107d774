//! Arrays: layouts, dtypes, mappings.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use ndarray::{ArcArray, Array, Array0, Array1, Array2, Array3, ArrayD, Axis, IxDyn, ShapeBuilder, array, s};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{Shelf, check, save};
use crate::digest::tree;
use crate::digest::{ArrayMeta, Digest, Element, Known};
use crate::error::{ErrorKind, Result};
use crate::map::{Mapping, Spare};
use crate::mapped::MappedCow2;
use crate::payload::npy_header;
use crate::payload::{ArraySource, CopyOnWrite, Mappable, MappedFile, PrivateFile, Reader};
use crate::{Mapped, Mapped1, Mapped2};

#[test]
fn every_dtype_comes_back() {
    fn both<A: Element>(elements: Vec<A>) {
        let n = elements.len();
        check(Array::from_vec(elements.clone()));
        check(Array::from_shape_vec((1, n, 1).f(), elements.clone()).unwrap());
        check(Array::from_shape_vec(IxDyn(&[n]), elements).unwrap());
    }
    both(vec![i8::MIN, 1]);
    both(vec![i16::MIN, 1]);
    both(vec![i32::MIN, 1]);
    both(vec![i64::MIN, 1]);
    both(vec![isize::MIN, 1]);
    both(vec![u8::MAX, 1]);
    both(vec![u16::MAX, 1]);
    both(vec![u32::MAX, 1]);
    both(vec![u64::MAX, 1]);
    both(vec![usize::MAX, 1]);
    both(vec![f32::MAX, -0.0]);
    both(vec![f64::MAX, -0.0]);
    both(vec![true, false]);
    both(vec![num_complex::Complex::new(1.0_f32, 2.0); 3]);
    both(vec![num_complex::Complex::new(1.0_f64, 2.0); 3]);
}

#[test]
fn arrays_without_axes_and_without_elements_come_back() {
    check(Array0::from_elem((), 1.5));
    check(Array3::<u8>::zeros((3, 0, 2)));
    check(Array3::<u8>::zeros((3, 0, 2).f()));
    check(ArrayD::<f32>::zeros(IxDyn(&[])));
}

/// An array of any layout: some contiguous, some not.
fn any_layout() -> impl Strategy<Value = Array3<i32>> {
    let axes = || proptest::array::uniform3(0_usize..5);
    let steps = proptest::array::uniform3(prop_oneof![Just(1_isize), Just(-1), Just(2), Just(-2)]);
    (axes(), any::<bool>(), steps, Just([0, 1, 2]).prop_shuffle()).prop_map(|(axes, f, steps, order)| {
        let mut n = 0;
        let count = move || {
            n += 1;
            n
        };
        let mut array = Array::from_shape_simple_fn(axes.set_f(f), count);
        for (axis, step) in steps.into_iter().enumerate() {
            array.slice_axis_inplace(Axis(axis), ndarray::Slice::new(0, None, step));
        }
        array.permuted_axes(order)
    })
}

proptest! {
    #[test]
    fn the_first_call_returns_what_later_ones_load(array in any_layout(), inline in prop_oneof![Just(0_u64), Just(4096)]) {
        let mut first = array.clone();
        super::normal(&mut first);
        prop_assert_eq!(&first, &array);
        for stored in [save(&array, inline), save(&first, inline)] {
            let later = stored.load::<Array3<i32>>().unwrap();
            prop_assert_eq!(&later, &array);
            prop_assert_eq!(later.strides(), first.strides());
            prop_assert_eq!(crate::digest(&later), crate::digest(&first));
            let shared = stored.load::<ArcArray<i32, ndarray::Ix3>>().unwrap();
            let mut first_shared = array.to_shared();
            super::normal(&mut first_shared);
            prop_assert_eq!(shared.strides(), first_shared.strides());
            prop_assert_eq!(shared.strides(), first.strides());
            let mapped = stored.read(Array3::<i32>::map).unwrap();
            prop_assert_eq!(&mapped, &first);
            prop_assert_eq!(mapped.strides(), first.strides());
        }
    }
}

#[test]
fn a_shared_array_in_order_is_not_copied() {
    let mut shared = array![[1, 2], [3, 4]].reversed_axes().into_shared();
    let before = shared.as_ptr();
    let other = shared.clone();
    super::normal(&mut shared);
    assert_eq!(shared.as_ptr(), before);
    assert_eq!(shared, other);
}

#[test]
fn another_type_than_the_stored_one_is_damage() {
    let saved = save(&array![[1.0, 2.0]], 0);
    let error = saved.load::<Array2<f32>>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert_eq!(error.to_string(), "dtype is `f64`, expected `f32`");
    let error = saved.load::<Array3<f64>>().unwrap_err();
    assert_eq!(error.to_string(), "shape is [1, 2], expected 3 axes");
    assert!(saved.load::<Vec<f64>>().is_err());
    assert!(saved.read(Mapped::<i64, ndarray::Ix2>::map).is_err());
}

#[test]
fn a_mapped_array_is_always_lifted_and_hands_its_verified_digest_on() {
    let mapped = Mapped1::from(array![1_u8, 2]);
    let saved = save(&mapped, 4096);
    assert_eq!(saved.shelf.known, [None], "nothing is known of it yet");
    let digest = mapped.digest();
    assert_eq!(save(&mapped, 4096).shelf.known, [Some(digest)]);
    assert_eq!(saved.load::<Mapped1<u8>>().unwrap(), mapped);
}

#[test]
fn a_claimed_digest_is_not_handed_on() {
    let meta = ArrayMeta::of(&*array![1_u8]).unwrap();
    let claimed = Known::claimed(Digest::from_bytes([7; 16]));
    let mapped = Mapped1::<u8>::from_vec(vec![1], &meta, Arc::new(claimed)).unwrap();
    assert_eq!(save(&mapped, 0).shelf.known, [None]);
}

/// Lifted arrays, in files.
struct Files {
    shelf: Shelf,
    dir: TempDir,
    may_map: bool,
}

impl Files {
    fn new(shelf: Shelf, may_map: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (n, (meta, bytes)) in shelf.arrays.iter().enumerate() {
            let path = dir.path().join(format!("{n}.npy"));
            fs::write(&path, [npy_header(meta).unwrap(), bytes.clone()].concat()).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        }
        Self { shelf, dir, may_map }
    }

    fn open(&self, index: u32) -> (File, PathBuf, u64, usize) {
        let path = self.dir.path().join(format!("{index}.npy"));
        let file = File::open(&path).unwrap();
        let len = file.metadata().unwrap().len();
        let offset = npy_header(&self.shelf.arrays[index as usize].0).unwrap().len();
        (file, path, len, offset)
    }
}

impl ArraySource for Files {
    fn meta(&self, index: u32) -> Result<&ArrayMeta> {
        self.shelf.meta(index)
    }

    fn read<'a>(&self, index: u32, out: Spare<'a>) -> Result<&'a mut [u8]> {
        self.shelf.read(index, out)
    }

    fn map(&self, index: u32) -> Result<Option<MappedFile>> {
        let (file, path, len, offset) = self.open(index);
        let mapping = Mapping::of(&file, &path, len)?;
        let known = Arc::new(Known::claimed(self.digest(index)?));
        Ok(self.may_map.then_some(MappedFile { mapping, offset, known }))
    }

    fn cow(&self, index: u32) -> Result<Option<PrivateFile>> {
        let (file, path, len, offset) = self.open(index);
        Ok(self.may_map.then_some(PrivateFile { file, path, len, offset }))
    }

    fn digest(&self, index: u32) -> Result<Digest> {
        let (meta, bytes) = &self.shelf.arrays[index as usize];
        Ok(meta.digest(tree(bytes)))
    }
}

#[test]
fn arrays_are_mapped_where_they_may_be() {
    type Value = (Array2<f64>, Vec<Array2<f64>>);
    let value: Value = (array![[1.0, 2.0], [3.0, 4.0]].reversed_axes(), vec![array![[5.0]]; 2]);
    for may_map in [true, false] {
        let saved = save(&value, 0);
        let files = Files::new(saved.shelf, may_map);
        let mut input = Reader::new(&saved.value, &files);
        let (a, more) = Value::map(&mut input).unwrap();
        input.finish().unwrap();
        assert_eq!(a.is_mapped(), may_map);
        assert_eq!(a, value.0);
        assert_eq!(a.strides(), value.0.strides());
        assert_eq!(a.known().digest(), Some(crate::digest(&value.0)));
        assert_eq!(a.known().is_verified(), !may_map, "reading verifies, mapping doesn't");
        assert_eq!(more[1], value.1[1]);
    }
}

#[test]
fn one_array_is_mapped_writable() {
    let result: Result<Array2<f64>, std::fmt::Error> = Ok(array![[1.0, 2.0]]);
    for may_map in [true, false] {
        let saved = super::save_as(&result, super::super::OkOnly(super::ViaPayload), 0).unwrap();
        let files = Files::new(saved.shelf, may_map);
        let mut input = Reader::new(&saved.value, &files);
        let mut cow: MappedCow2<f64> =
            Result::<Array2<f64>, std::fmt::Error>::copy_on_write(&mut input).unwrap().unwrap();
        assert_eq!(cow.is_mapped(), may_map);
        cow[[0, 0]] = 9.0;
        assert_eq!(cow, array![[9.0, 2.0]]);
    }
    assert_eq!(result.clone().into_cow().unwrap(), array![[1.0, 2.0]]);
    let mapped: Mapped2<f64> = array![[1.0]].into();
    assert_eq!(Some(mapped).into_cow().unwrap(), array![[1.0]]);
}

#[test]
fn a_stored_err_asks_to_be_loaded() {
    let value: Result<Array2<f64>, String> = Err("no".into());
    let saved = save(&value, 0);
    let error = saved.read(<Result<Array2<f64>, String> as Mappable>::map).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(saved.load::<Result<Array2<f64>, String>>().unwrap(), value);
}

#[test]
fn a_slice_that_is_not_contiguous_is_saved_as_its_copy() {
    let wide = Array2::from_shape_fn((4, 6), |(i, j)| i * 10 + j);
    let mut sliced = wide.clone();
    sliced.slice_collapse(s![.., ..;2]);
    assert_eq!(save(&sliced, 0).load::<Array2<usize>>().unwrap(), wide.slice(s![.., ..;2]));
}

#[test]
fn from_the_65th_file_on_small_arrays_stay_inside() {
    let arrays = |count: usize, len: usize| vec![Array1::<f64>::ones(len); count];
    let files = |count: usize, len: usize, inline: u64| {
        let value = arrays(count, len);
        let saved = save(&value, inline);
        assert_eq!(saved.load::<Vec<Array1<f64>>>().unwrap(), value);
        saved.shelf.arrays.len()
    };
    assert_eq!([64, 65, 200].map(|count| files(count, 600, 4096)), [64, 64, 64]);
    assert_eq!(files(80, 8192, 1), 64, "64 KiB are small");
    assert_eq!(files(80, 8193, 4096), 80, "what is larger has a file");
    assert_eq!(files(80, 600, 0), 80, "`inline(0)` keeps files");
    assert_eq!(files(80, 512, 4096), 0, "what stays inside anyway isn't counted");
    let mapped: Vec<Mapped1<f64>> = arrays(80, 600).into_iter().map(Into::into).collect();
    assert_eq!(save(&mapped, 4096).shelf.arrays.len(), 80, "what is mapped needs a file");
}

#[test]
fn short_rows_are_read_as_any_other_array_is() {
    for len in [0, 1, 4, 15, 16, 127, 128, 255, 256] {
        let value: Vec<Vec<u8>> = vec![(0..len).map(|i| i as u8).collect(); 3];
        assert_eq!(save(&value, 4096).load::<Vec<Vec<u8>>>().unwrap(), value, "{len}");
        let value = vec![(0..len).map(|i| i as f64).collect::<Vec<_>>(); 2];
        assert_eq!(save(&value, 4096).load::<Vec<Vec<f64>>>().unwrap(), value, "{len}");
    }
    let right = save(&vec![1_u8, 2, 3, 4], 4096).value;
    for at in 0..right.len() - 4 {
        let mut wrong = right.clone();
        wrong[at] ^= 1;
        assert!(super::plain(&wrong).load::<Vec<u8>>().is_err(), "byte {at}");
    }
    assert!(super::plain(&save(&vec![true, false], 4096).value).load::<Vec<u8>>().is_err());
    let mut bools = save(&vec![true, false], 4096).value;
    *bools.last_mut().unwrap() = 2;
    assert!(super::plain(&bools).load::<Vec<bool>>().is_err(), "neither true nor false");
}
