//! Arrays of every dtype that NumPy has are stored, read, mapped, verified and evicted; NumPy reads their files.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};

use ndarray::prelude::*;
use ndcache::dynamic::{Array, Form, Order, RawValue, RunTimeArgument, RunTimeCall, digest_array};
use ndcache::verify::Repair;
use ndcache::{Compression, Digest, Element, Limits, Memory, digest};

use super::function;
use crate::interop::{Expected, check_with, python};
use crate::support::{files, fresh};

/// NumPy's name of a dtype, and the bytes of an element.
const DTYPES: &[(&str, u64)] = &[
    ("|b1", 1),
    ("|i1", 1),
    ("<i2", 2),
    ("<u8", 8),
    ("<f2", 2),
    ("<f4", 4),
    ("<f8", 8),
    ("<c8", 8),
    ("<c16", 16),
    ("<M8[ns]", 8),
    ("<m8[25s]", 8),
    ("|S7", 7),
    ("<U3", 12),
    ("|V5", 5),
    (">f8", 8),
    (">i2", 2),
    ("<f16", 16),
    ("[('a', '<f4'), ('b', '<i8', (2,))]", 20),
    ("[('x', '|u1'), ('', '|V3'), ('y', '>u4'), ('z', [('t', '<M8[D]')])]", 16),
];

const SHAPES: &[(&[u64], Order)] = &[
    (&[3, 4], Order::C),
    (&[3, 4], Order::F),
    (&[], Order::C),
    (&[0, 3], Order::C),
    (&[70, 1, 90], Order::F),
    (&[20_000], Order::C),
];

/// Bytes that are valid elements of each dtype.
fn painted(descr: &str, len: u64) -> Vec<u8> {
    let at = |n: u64| match descr {
        "|b1" => u8::from(n.is_multiple_of(3)),
        // Code points and letters.
        _ if descr.starts_with("<U") => {
            if n.is_multiple_of(4) {
                b'a' + (n % 7) as u8
            } else {
                0
            }
        }
        _ if descr.starts_with("|S") => b'a' + (n % 23) as u8,
        _ => (n % 251) as u8,
    };
    (0..len).map(at).collect()
}

fn array(descr: &str, itemsize: u64, shape: &[u64], order: Order) -> Array {
    let count: u64 = shape.iter().product();
    Array::new(descr, itemsize, shape, order, painted(descr, count * itemsize)).expect(descr)
}

fn all() -> impl Iterator<Item = (&'static str, Array)> {
    DTYPES.iter().flat_map(|&(descr, itemsize)| {
        SHAPES.iter().map(move |&(shape, order)| (descr, array(descr, itemsize, shape, order)))
    })
}

fn call(n: usize) -> RunTimeCall {
    RunTimeCall::new(function("dtypes", "1"), [RunTimeArgument::of("n", &n).unwrap()])
}

fn store_all(memory: &Memory) {
    for (n, (_, array)) in all().enumerate() {
        call(n).eval(memory, Form::Owned, || Ok::<_, ndcache::Error>(RawValue::of_array(array))).unwrap();
    }
    assert_eq!(memory.stats().faults(), 0);
}

fn same(found: &Array, expected: &Array) -> bool {
    let facts = |array: &Array| {
        (array.descr().to_owned(), array.itemsize(), array.shape().to_vec(), array.order(), array.digest())
    };
    facts(found) == facts(expected) && found.bytes()[..] == expected.bytes()[..]
}

#[test]
fn every_dtype_comes_back_owned_and_mapped_inside_the_record_and_from_files() {
    for inline in [0, 4096] {
        for compression in [Compression::None, Compression::Gzip(1)] {
            let folder = tempfile::tempdir().unwrap();
            let open = || Memory::builder(folder.path()).inline(inline).compression(compression).open().unwrap();
            store_all(&open());
            let memory = open();
            for (n, (_, expected)) in all().enumerate() {
                for form in [Form::Owned, Form::Mapped, Form::Owned, Form::Mapped] {
                    let found = call(n).look_up(&memory, form).unwrap_or_else(|| panic!("{expected:?} isn't found"));
                    assert!(same(&found.arrays()[0], &expected), "{found:?}, expected {expected:?}");
                }
            }
            let entries = memory.entries().collect::<Result<Vec<_>, _>>().unwrap();
            assert_eq!(entries.len(), DTYPES.len() * SHAPES.len());
            let report = memory.verify(Repair::No).unwrap();
            assert_eq!((report.entries, report.damaged, report.orphans), (entries.len() as u64, 0, 0), "{report:?}");
        }
    }
}

#[test]
fn large_arrays_of_every_dtype_are_mapped_at_a_multiple_of_64() {
    let (_folder, memory) = fresh();
    for (n, &(descr, itemsize)) in DTYPES.iter().enumerate() {
        let large = array(descr, itemsize, &[200_000], Order::C);
        let stored =
            call(n).eval(&memory, Form::Mapped, || Ok::<_, ndcache::Error>(RawValue::of_array(large.clone()))).unwrap();
        for found in [stored, call(n).look_up(&memory, Form::Mapped).unwrap()] {
            let found = &found.arrays()[0];
            assert!(found.bytes().is_mapped() && same(found, &large), "{found:?}");
            let (path, offset) = found.file().unwrap();
            assert!(offset % 64 == 0 && found.bytes().as_ptr().addr() % 64 == 0);
            assert_eq!(fs::read(path).unwrap()[offset as usize..], large.bytes()[..]);
        }
    }
}

#[test]
fn a_changed_byte_of_any_dtype_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Memory::builder(folder.path()).inline(0).open().unwrap();
    store_all(&open());
    let mut changed = 0;
    for path in files(folder.path(), ".npy") {
        let length = fs::metadata(&path).unwrap().len();
        let mut last = [0];
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let file = fs::File::options().read(true).write(true).open(&path).unwrap();
        file.read_exact_at(&mut last, length - 1).unwrap();
        // The last byte of an array without elements is the end of the header, which doesn't count.
        if last[0] != b'\n' {
            file.write_all_at(&[last[0] ^ 1], length - 1).unwrap();
            changed += 1;
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    }
    let memory = open();
    assert!(changed >= DTYPES.len() * 5, "{changed}");
    for (n, (_, array)) in all().enumerate() {
        if !array.bytes().is_empty() && array.bytes().last() != Some(&b'\n') {
            assert!(call(n).look_up(&memory, Form::Owned).is_none(), "{array:?}");
        }
    }
    assert_eq!(memory.verify(Repair::Remove).unwrap().removed, changed as u64);
    assert_eq!(memory.entries().count(), DTYPES.len() * SHAPES.len() - changed);
}

#[test]
fn entries_of_every_dtype_are_evicted() {
    let (folder, memory) = fresh();
    store_all(&memory);
    memory.reduce_size(Limits::default().items(7)).unwrap();
    assert_eq!(memory.entries().count(), 7);
    memory.reduce_size(Limits::default().items(0)).unwrap();
    assert_eq!(files(folder.path(), ".npy"), Vec::<std::path::PathBuf>::new());
    assert_eq!(files(folder.path(), ".record"), Vec::<std::path::PathBuf>::new());
}

#[test]
fn numpy_reads_the_files_of_every_dtype() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).inline(0).open().unwrap();
    store_all(&memory);
    let mut expected = Vec::new();
    for (n, (descr, array)) in all().enumerate() {
        let entry = call(n).entry(&memory).unwrap().unwrap();
        // NumPy maps no array without elements. A dtype that is only bytes has another name where it is part of a
        // structured one.
        if !array.bytes().is_empty() {
            let fortran = array.order() == Order::F;
            expected.push(Expected::of_bytes(&entry.files()[0], descr, array.shape(), fortran, array.bytes()));
        }
    }
    check_with(&python, "check.py", folder.path(), &expected);
}

#[test]
fn the_digest_is_that_of_the_elements_of_rust() {
    fn check<A: Element>(of: impl Fn(usize) -> A) {
        let (rows, columns) = (70, 90);
        let a = Array2::from_shape_fn((rows, columns), |(i, j)| of(i * columns + j));
        let bytes = |slice: &[A]| bytemuck::cast_slice::<A, u8>(slice).to_vec();
        let in_memory = bytes(a.as_slice().unwrap());
        let size = size_of::<A>() as u64;
        let shape = [rows as u64, columns as u64];
        let by_array =
            |shape: &[u64], order| Array::new(A::DESCR, size, shape, order, in_memory.clone()).unwrap().digest();
        assert_eq!(by_array(&shape, Order::C), digest(&a), "{}", A::DESCR);
        assert_eq!(by_array(&[columns as u64, rows as u64], Order::F), digest(&a.t()), "{}", A::DESCR);
        assert_eq!(digest_array(A::DESCR, size, &shape, &[0, 1], &in_memory).unwrap(), digest(&a));
        let cube = a.into_shape_with_order((7, 10, 90)).unwrap();
        let turned = cube.view().permuted_axes([2, 0, 1]);
        assert_eq!(digest_array(A::DESCR, size, &[90, 7, 10], &[1, 2, 0], &in_memory).unwrap(), digest(&turned));
        assert_eq!(RunTimeArgument::of("x", &turned).unwrap().digest(), digest(&turned));
    }
    check(|n| n % 3 == 0);
    check(|n| n as i8);
    check(|n| n as u16);
    check(|n| n as i64);
    check(|n| n as f32);
    check(|n| n as f64);
    check(|n| num_complex::Complex::new(n as f64, 1.0));
    // Axes of length 1 don't matter, nor does the order of what is empty.
    let row = Array2::<u8>::zeros((1, 5));
    assert_eq!(Array::new("|u1", 1, &[1, 5], Order::F, vec![0; 5]).unwrap().digest(), digest(&row));
    assert_eq!(digest_array("|u1", 1, &[1, 5], &[1, 0], &[0; 5]).unwrap(), digest(&row));
    let empty = Array2::<f64>::zeros((0, 4));
    assert_eq!(Array::new("<f8", 8, &[0, 4], Order::F, vec![]).unwrap().digest(), digest(&empty));
    assert_eq!(digest_array("<f8", 8, &[0, 4], &[1, 0], &[]).unwrap(), digest(&empty));
}

#[test]
fn arrays_that_differ_in_anything_have_other_digests() {
    let mut seen: Vec<Digest> = Vec::new();
    for (_, array) in all() {
        assert!(!seen.contains(&array.digest()), "{array:?}");
        seen.push(array.digest());
    }
}

#[test]
fn what_is_no_array_is_refused() {
    for (descr, itemsize, shape, bytes) in [
        ("|O", 8, &[1_u64][..], 8_usize),
        ("[('a', '|O')]", 8, &[1], 8),
        ("", 1, &[1], 1),
        ("<f8\n", 8, &[1], 8),
        ("<\u{3b1}8", 8, &[1], 8),
        ("O", 8, &[1], 8),
        ("[('a', 'O')]", 8, &[1], 8),
        ("[(\"a\", \"|O\")]", 8, &[1], 8),
        ("a' , 'b", 8, &[1], 8),
        ("a\\", 8, &[1], 8),
        ("nonsense", 5, &[1], 5),
        ("|S7", 3, &[1], 3),
        ("<M8[D]", 4, &[1], 4),
        (">f4", 8, &[1], 8),
        ("[('a', '<f4')]", 8, &[1], 8),
        ("[]", 1, &[1], 1),
        ("[('a', '<f4')], 'fortran_order': True, 'x': [1]", 4, &[1], 4),
        ("<U0", 0, &[3], 0),
        ("<f8", 4, &[1], 4),
        ("<f8", 8, &[2], 8),
        ("<f8", 8, &[u64::MAX, 2], 8),
        ("|S9", 9, &[1 << 62], 8),
        ("|S9", u64::MAX, &[1], 8),
    ] {
        assert!(Array::new(descr, itemsize, shape, Order::C, vec![0; bytes]).is_err(), "{descr} {shape:?}");
        assert!(digest_array(descr, itemsize, shape, &[0], &vec![0; bytes]).is_err(), "{descr} {shape:?}");
    }
    for axes in [&[][..], &[0, 0], &[1, 2], &[0, 1, 2]] {
        assert!(digest_array("|u1", 1, &[1, 1], axes, &[0]).is_err(), "{axes:?}");
    }
}
