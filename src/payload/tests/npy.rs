//! `.npy` files: ours are NumPy's byte for byte, and NumPy's and ndarray-npy's are read.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array, Array0, Array1, Array2, Array3, ArrayD, Ix2, IxDyn, ShapeBuilder as _, array};
use ndarray_npy::{ReadNpyExt, WriteNpyExt};
use num_complex::Complex;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::digest::{ArrayMeta, Element, Order};
use crate::error::{Error, ErrorKind};
use crate::make::read_npy;
use crate::payload::npy_header;

/// A file that NumPy wrote.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/npy").join(name)
}

/// A folder for one test, and a file in it.
fn file_of(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

/// What the cache writes: the header, and the elements in the order of memory.
fn ours<A: Element, D: ndarray::Dimension>(array: &Array<A, D>) -> Vec<u8> {
    let elements = array.as_slice_memory_order().unwrap();
    [npy_header(&ArrayMeta::of(array).unwrap()).unwrap(), bytemuck::cast_slice(elements).to_vec()].concat()
}

#[derive(serde::Deserialize)]
struct Header {
    descr: String,
    shape: Vec<u64>,
    fortran: bool,
    header: String,
}

#[test]
fn a_header_is_numpys_byte_for_byte() {
    let headers = fs::read(fixture("headers.json")).unwrap();
    for expected in serde_json::from_slice::<Vec<Header>>(&headers).unwrap() {
        let order = if expected.fortran { Order::F } else { Order::C };
        let meta = ArrayMeta { descr: expected.descr.into(), shape: expected.shape, order, itemsize: None };
        let found = npy_header(&meta).unwrap();
        assert_eq!(found[..8], *b"\x93NUMPY\x01\x00");
        assert_eq!(usize::from(found[8]) | usize::from(found[9]) << 8, found.len() - 10);
        assert_eq!(found.len() % 64, 0);
        assert_eq!(std::str::from_utf8(&found[10..]).unwrap(), expected.header);
    }
}

#[test]
fn an_array_with_too_many_axes_has_no_header() {
    let meta = ArrayMeta { descr: "<f8".into(), shape: vec![1; 30_000], order: Order::C, itemsize: None };
    assert_eq!(npy_header(&meta).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn numpys_files_are_ours_byte_for_byte() {
    let a = array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]];
    assert_eq!(ours(&a), fs::read(fixture("c_f8.npy")).unwrap());
    let fortran = Array2::from_shape_vec((2, 3).f(), vec![0.0_f32, 3.0, 1.0, 4.0, 2.0, 5.0]).unwrap();
    assert_eq!(ours(&fortran), fs::read(fixture("f_f4.npy")).unwrap());
    assert_eq!(ours(&Array0::from_elem((), Complex::new(1.5, -2.0))), fs::read(fixture("scalar_c16.npy")).unwrap());
    assert_eq!(ours(&array![true, false, true]), fs::read(fixture("bool.npy")).unwrap());
    assert_eq!(ours(&Array2::<i16>::zeros((0, 5))), fs::read(fixture("empty_i2.npy")).unwrap());
}

#[test]
fn numpys_files_are_read() {
    let a = array![[0, 1, 2], [3, 4, 5]];
    assert_eq!(read_npy::<f64, _>(fixture("c_f8.npy")).unwrap(), a.mapv(f64::from));
    let fortran: Array2<f32> = read_npy(fixture("f_f4.npy")).unwrap();
    assert_eq!(fortran, a.mapv(|n| n as f32));
    assert_eq!(fortran.strides(), [1, 2], "the order is kept");
    assert_eq!(
        read_npy::<Complex<f64>, _>(fixture("scalar_c16.npy")).unwrap(),
        Array0::from_elem((), Complex::new(1.5, -2.0))
    );
    assert_eq!(read_npy::<i16, _>(fixture("empty_i2.npy")).unwrap(), Array2::<i16>::zeros((0, 5)));
    assert_eq!(read_npy::<bool, _>(fixture("bool.npy")).unwrap(), array![true, false, true]);
    assert_eq!(read_npy::<u8, _>(fixture("u1.npy")).unwrap(), Array1::from_iter(0..=255));
    assert_eq!(read_npy::<i32, _>(fixture("version_2.npy")).unwrap(), a);
    assert_eq!(read_npy::<i32, _>(fixture("version_3.npy")).unwrap(), a);
    let four: ArrayD<isize> = read_npy(fixture("four_axes_i8.npy")).unwrap();
    assert_eq!(four, Array::from_iter(0..24).into_shape_with_order(IxDyn(&[2, 3, 1, 4])).unwrap());
}

#[cfg(feature = "half")]
#[test]
fn half_precision_is_read() {
    let expected = array![half::f16::from_f32(1.5), half::f16::from_f32(-2.0)];
    assert_eq!(read_npy::<half::f16, _>(fixture("f2.npy")).unwrap(), expected);
}

#[track_caller]
fn refused(path: &Path, kind: ErrorKind, message: &str) {
    let error = read_npy::<f64, ndarray::Ix2>(path).unwrap_err();
    assert_eq!(error.to_string(), format!("array `{}`: {message}", path.display()));
    assert_eq!(error.kind(), kind);
}

#[test]
fn dtypes_and_shapes_that_were_not_asked_for_are_named() {
    use ErrorKind::{Invalid, Unsupported};
    refused(&fixture("big_endian.npy"), Unsupported, "dtype `>f8` is big-endian");
    refused(&fixture("object.npy"), Unsupported, "dtype `|O` is of objects, which are never read");
    refused(&fixture("structured.npy"), Unsupported, "dtype `[('x', '<f8'), ('y', '<i4')]` is structured");
    refused(&fixture("text.npy"), Invalid, "dtype is `<U2`, expected `f64`");
    refused(&fixture("time.npy"), Invalid, "dtype is `<M8[s]`, expected `f64`");
    refused(&fixture("f_f4.npy"), Invalid, "dtype is `f32`, expected `f64`");
    let (_dir, path) = file_of(&ours(&array![1.0]));
    refused(&path, Invalid, "shape is [1], expected 2 axes");
}

/// A file with this dict, and `elements` bytes of zeros.
fn file_with(dict: &str, elements: usize) -> (TempDir, PathBuf) {
    let start = [b"\x93NUMPY\x01\x00".as_slice(), &[dict.len() as u8, (dict.len() >> 8) as u8]].concat();
    file_of(&[&start, dict.as_bytes(), &vec![0; elements]].concat())
}

#[test]
fn dicts_are_read_as_python_reads_them() {
    for dict in [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }  \n",
        "{\"shape\": (2,1),\"descr\":\"<f8\", \"fortran_order\":False}",
        " { 'descr' : '=f8' , 'fortran_order' : False , 'shape' : ( 2L , 1L , ) } ",
    ] {
        let (_dir, path) = file_with(dict, 16);
        assert_eq!(read_npy::<f64, _>(&path).unwrap(), Array2::<f64>::zeros((2, 1)), "{dict}");
    }
    let (_dir, path) = file_with("{'descr': '>u1', 'fortran_order': True, 'shape': ()}", 1);
    assert_eq!(read_npy::<u8, _>(&path).unwrap(), Array0::<u8>::zeros(()));
}

#[test]
fn damaged_dicts_are_refused() {
    let damaged = |dict: &str, message: &str| {
        let (_dir, path) = file_with(dict, 16);
        refused(&path, ErrorKind::Damaged, message);
    };
    damaged("", "`.npy` header has ``, expected `{`");
    damaged("{'descr': '<f8'", "`.npy` header has ``, expected `}`");
    damaged("{'descr': '<f8'}", "`.npy` header lacks `descr`, `fortran_order` or `shape`");
    damaged("{'descr': '<f8', 'descr': '<f8'}", "`.npy` header has the key `descr` twice");
    damaged("{'other': 1}", "`.npy` header has an unknown key `other`");
    damaged("{'shape': (2)}", "`.npy` header has `)}`, expected `,`");
    damaged("{'shape': (-2,)}", "`.npy` header has `-2,)}`, expected the length of an axis");
    damaged(
        "{'shape': (18446744073709551616,)}",
        "`.npy` header has `18446744073709551616,)}`, expected the length of an axis",
    );
    damaged("{'shape': (2, 1}", "`.npy` header has `}`, expected `)`");
    damaged("{'descr': 'f8", "`.npy` header has `f8`, expected the end of a string");
    damaged("{'fortran_order': 0}", "`.npy` header has `0}`, expected `True` or `False`");
    let whole = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1)}";
    damaged(&format!("{whole} import os"), "`.npy` header goes on after its end: `import os`");
    damaged(&whole.replace("2, 1", "3, 1"), "file has 83 bytes, expected 91 by its header");
    damaged(&whole.replace("2, 1", "1, 1"), "file has 83 bytes, expected 75 by its header");
    let huge = whole.replace("2, 1", "4611686018427387904, 4");
    damaged(&huge, "shape [4611686018427387904, 4] of dtype `f64` is too large");
    let large = whole.replace("2, 1", "100000000000, 1");
    damaged(&large, "file has 94 bytes, expected 800000000078 by its header");
}

#[test]
fn what_is_not_a_npy_file_is_refused() {
    let damaged = |bytes: &[u8], message: &str| {
        let (_dir, path) = file_of(bytes);
        refused(&path, ErrorKind::Damaged, message);
    };
    damaged(b"", "`.npy` header is cut off: file has 0 bytes");
    damaged(b"\x93NUMPY\x01\x00\x10", "`.npy` header is cut off: file has 9 bytes");
    damaged(b"\x93NUMPY\x01\x00\x10\x00", "`.npy` header is cut off: file has 10 bytes");
    damaged(b"PK\x03\x04 a zip archive", "isn't a `.npy` file: its magic is missing");
    damaged(b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "`.npy` header has 4294967295 bytes, expected at most 65536");
    let (_dir, path) = file_of(b"\x93NUMPY\x04\x00\x10\x00\x00\x00");
    refused(&path, ErrorKind::Unsupported, "`.npy` format is 4.0, expected 1.0, 2.0 or 3.0");
}

#[test]
fn only_regular_files_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    refused(dir.path(), ErrorKind::Invalid, "isn't a regular file");
    let fifo = dir.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    refused(&fifo, ErrorKind::Invalid, "isn't a regular file");
    let missing = dir.path().join("missing.npy");
    let error: Error = read_npy::<f64, ndarray::Ix2>(&missing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().starts_with(&format!("can't open `{}`: ", missing.display())), "{error}");
}

#[test]
fn a_large_file_is_read_in_parallel() {
    let large = Array1::from_iter((0..1_500_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let (_dir, path) = file_of(&ours(&large));
    assert_eq!(read_npy::<u64, _>(&path).unwrap(), large);
}

/// Tried with a header alone, and with a file.
#[test]
fn any_header_is_a_description_or_damage() {
    let dicts = [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }  \n",
        "{\"shape\": (2L,1),\"descr\":\"=c16\", \"fortran_order\":True}",
        "{'descr': [('x', '<f8'), ('y', '|O')], 'fortran_order': False, 'shape': ()}",
    ];
    let corpus: Vec<Vec<u8>> = dicts.iter().map(|dict| dict.as_bytes().to_vec()).collect();
    let name = "payload::tests::npy::any_header_is_a_description_or_damage";
    crate::fuzz::fuzz(name, Some("header"), 100_000, &corpus, crate::payload::fuzzing::header);
}

#[test]
fn any_file_is_an_array_or_an_error_that_names_it() {
    let mut corpus = vec![ours(&array![[1.0, 2.0], [3.0, 4.0]]), ours(&Array2::<f64>::zeros((0, 3)))];
    corpus.extend(
        ["c_f8", "f_f4", "version_2", "version_3", "object"]
            .map(|name| fs::read(fixture(&format!("{name}.npy"))).unwrap()),
    );
    let name = "payload::tests::npy::any_file_is_an_array_or_an_error_that_names_it";
    crate::fuzz::fuzz(name, Some("file"), 20_000, &corpus, crate::payload::fuzzing::file);
}

proptest! {
    /// ndarray-npy, both ways.
    #[test]
    fn files_are_those_of_ndarray_npy(axes in proptest::array::uniform3(0_usize..5), fortran in any::<bool>()) {
        let mut n = 0.0;
        let count = || {
            n += 0.5;
            n
        };
        let array = Array3::from_shape_simple_fn(axes.set_f(fortran), count);
        prop_assert_eq!(&Array3::<f64>::read_npy(ours(&array).as_slice()).unwrap(), &array);
        let mut theirs = Vec::new();
        array.write_npy(&mut theirs).unwrap();
        let (_dir, path) = file_of(&theirs);
        prop_assert_eq!(&read_npy::<f64, ndarray::Ix3>(&path).unwrap(), &array);
    }

    #[test]
    fn a_damaged_file_is_an_array_or_an_error(at in 0_usize..140, byte in any::<u8>(), cut in 0_usize..180) {
        let whole = ours(&array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let (_dir, path) = file_of(&whole[..cut.min(whole.len() - 1)]);
        prop_assert!(read_npy::<f64, ndarray::Ix2>(&path).is_err());
        let mut changed = whole;
        changed[at] = byte;
        let (_dir, path) = file_of(&changed);
        if let Ok(array) = read_npy::<f64, ndarray::Ix2>(&path) {
            prop_assert_eq!(array.len(), 6);
        }
    }
}

/// What `np.dtype(…)` of NumPy 2.4 says of every text that is one of our elements.
#[test]
fn every_spelling_of_a_dtype_is_the_one_that_numpy_takes_it_for() {
    let same = [
        ("|b1", "? b1 bool bool_"),
        ("|i1", "b i1 byte int8"),
        ("|u1", "B u1 ubyte uint8"),
        ("<i2", "h i2 i02 short int16"),
        ("<u2", "H u2 ushort uint16"),
        ("<i4", "i i4 intc int32"),
        ("<u4", "I u4 uintc uint32"),
        ("<i8", "l n p q i8 i08 int int_ intp long longlong int64"),
        ("<u8", "L N P Q u8 uint uintp ulong ulonglong uint64"),
        ("<f2", "e f2 half float16"),
        ("<f4", "f f4 single float32"),
        ("<f8", "d f8 f08 double float float64"),
        ("<c8", "F c8 csingle complex64"),
        ("<c16", "D c16 cdouble complex complex128"),
    ];
    let descr = |text: &str| {
        let header = format!("{{'descr': '{text}', 'fortran_order': False, 'shape': (), }}\n");
        crate::payload::codecs::npy_header::parse(header.as_bytes()).map(|meta| meta.descr.into_owned())
    };
    for (expected, names) in same {
        for name in names.split(' ') {
            assert_eq!(descr(name).unwrap(), expected, "{name}");
            let is_code = name.len() <= 2 || name.as_bytes()[1].is_ascii_digit();
            for order in ["<", "=", "|"] {
                let text = format!("{order}{name}");
                match descr(&text) {
                    Ok(found) if is_code => assert_eq!(found, expected, "{text}"),
                    Err(error) if !is_code => assert!(error.to_string().ends_with("is unknown"), "{text}: {error}"),
                    found => panic!("{text}: {found:?}"),
                }
            }
            let big = descr(&format!(">{name}"));
            match (is_code, expected.ends_with('1')) {
                (true, true) => assert_eq!(big.unwrap(), expected),
                (true, false) => assert!(big.unwrap_err().to_string().ends_with("is big-endian")),
                (false, _) => assert!(big.unwrap_err().to_string().ends_with("is unknown")),
            }
        }
    }
    for unknown in
        ["", " f8", "f8 ", "f8,", "1f8", "F8", "Float64", "d8", "l8", "?1", "i16", "f12", "b2", "!f8", "é8", "f"]
    {
        let found = descr(unknown);
        match unknown {
            "f" => assert_eq!(found.unwrap(), "<f4"),
            _ => assert!(found.unwrap_err().to_string().ends_with("is unknown"), "{unknown}"),
        }
    }
    for objects in ["O", "|O", "O8", "object", "<O"] {
        assert!(descr(objects).unwrap_err().to_string().ends_with("of objects, which are never read"), "{objects}");
    }
    for literal in ["u'<f8'", "U\"f8\"", "r'd'", " u'float64' "] {
        let dict = format!("{{u'descr': {literal}, u'fortran_order': False, u\"shape\": (2L, 1), }}");
        let (_dir, path) = file_with(&dict, 16);
        assert_eq!(read_npy::<f64, Ix2>(&path).unwrap().dim(), (2, 1), "{literal}");
    }
}
