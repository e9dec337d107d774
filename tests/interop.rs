//! Arrays go to NumPy and come from it bit for bit: every dtype, C and Fortran order, 0-d, empty, nested.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::Slice;
use ndarray::prelude::*;
use ndcache::make::{read_npy, write_npy};
use ndcache::{Call, Element, Memory, Payload, cache};
use num_complex::Complex;
use serde::{Deserialize, Serialize};

/// What NumPy has to find in a file.
#[derive(Serialize)]
pub(crate) struct Expected {
    file: PathBuf,
    descr: &'static str,
    shape: Vec<usize>,
    fortran: bool,
    /// The bytes in memory order.
    hex: String,
}

impl Expected {
    pub(crate) fn new<A: Element, D: Dimension>(file: &Path, x: &ArrayRef<A, D>) -> Self {
        let elements = x.as_slice_memory_order().expect("a contiguous array");
        Self {
            file: file.to_owned(),
            descr: A::DESCR,
            shape: x.shape().to_vec(),
            fortran: !x.is_standard_layout(),
            hex: hex(elements),
        }
    }

    /// An array of any dtype, by its bytes in memory order.
    pub(crate) fn of_bytes(file: &Path, descr: &'static str, shape: &[u64], fortran: bool, bytes: &[u8]) -> Self {
        let shape = shape.iter().map(|&len| len as usize).collect();
        Self { file: file.to_owned(), descr, shape, fortran, hex: hex(bytes) }
    }
}

/// What NumPy wrote.
#[derive(Deserialize)]
struct Manifest {
    good: Vec<Written>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Written {
    file: PathBuf,
    descr: String,
    shape: Vec<usize>,
    fortran: bool,
    /// The bytes in C order.
    hex: String,
}

#[derive(Deserialize)]
struct Refused {
    file: PathBuf,
    words: Vec<String>,
}

#[cache]
fn same<A, D>(x: &ArrayRef<A, D>) -> Array<A, D>
where
    A: Element,
    D: Dimension,
    Array<A, D>: Payload,
{
    x.to_owned()
}

#[derive(Payload)]
struct Nested {
    first: Array1<f64>,
    inner: Inner,
}

#[derive(Payload)]
enum Inner {
    Both(Array2<u8>, Option<Array0<i16>>),
}

type Deep = (Array1<i32>, Option<Array2<f32>>, Vec<Array1<u64>>, Nested);

#[cache]
fn nested() -> Deep {
    let both = Inner::Both(array![[1, 2], [3, 4]], Some(arr0(-5)));
    let nested = Nested { first: array![-0.0, f64::NAN], inner: both };
    (array![1, 2, 3], Some(array![[1.5], [2.5]]), vec![array![u64::MAX], array![]], nested)
}

#[test]
fn numpy_reads_and_maps_every_dtype_in_both_orders() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let memory = memory(folder.path());
    let mut expected = Vec::new();
    let bits = |patterns: [u64; 5]| patterns.map(f64::from_bits);
    let f64s = bits([0x7ff0_0000_0000_0001, 0xfff8_0000_dead_beef, 1 << 63, 1, 0xfff0 << 48]);
    let f32s = [0x7f80_0001, 0xffc0_beef, 1 << 31, 1, 0xff80_0000].map(f32::from_bits);

    store(&memory, &[i8::MIN, -1], &mut expected);
    store(&memory, &[i16::MIN, -1], &mut expected);
    store(&memory, &[i32::MIN, -1], &mut expected);
    store(&memory, &[i64::MIN, -1], &mut expected);
    store(&memory, &[isize::MIN, -1], &mut expected);
    store(&memory, &[u8::MAX], &mut expected);
    store(&memory, &[u16::MAX], &mut expected);
    store(&memory, &[u32::MAX], &mut expected);
    store(&memory, &[u64::MAX], &mut expected);
    store(&memory, &[usize::MAX], &mut expected);
    store(&memory, &[true, false, true], &mut expected);
    store(&memory, &f32s, &mut expected);
    store(&memory, &f64s, &mut expected);
    store(&memory, &f32s.map(|re| Complex::new(re, -0.0)), &mut expected);
    store(&memory, &f64s.map(|im| Complex::new(-0.0, im)), &mut expected);
    #[cfg(feature = "half")]
    store(&memory, &[0x7c01, 0xfe05, 1 << 15, 1, 0xfc00].map(half::f16::from_bits), &mut expected);

    check(&python, folder.path(), &expected);
}

#[test]
fn numpy_reads_what_is_written_without_a_step() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    written(folder.path(), &[i16::MIN, -1], &mut expected);
    written(folder.path(), &[usize::MAX], &mut expected);
    written(folder.path(), &[true, false], &mut expected);
    written(folder.path(), &[f64::NAN, -0.0], &mut expected);
    written(folder.path(), &[Complex::new(f32::NAN, -0.0)], &mut expected);
    #[cfg(feature = "half")]
    written(folder.path(), &[half::f16::NAN], &mut expected);
    check(&python, folder.path(), &expected);
}

/// Writes arrays of several shapes and orders in several forms of ownership, and reads them again.
fn written<A: Element + Clone>(folder: &Path, first: &[A], expected: &mut Vec<Expected>) {
    let shapes: [&[usize]; 5] = [&[], &[0], &[7], &[3, 4], &[2, 3, 4]];
    for shape in shapes {
        let c = Array::from_shape_vec(shape, painted(first, shape.iter().product())).unwrap();
        let strided = painted(first, 2 * c.len());
        let strided = Array::from_shape_vec([&[2], shape].concat(), strided).unwrap();
        let every_other = strided.index_axis(Axis(0), 1).reversed_axes();
        let slices = c.slice_each_axis(|axis| Slice::new(0, None, if axis.len > 1 { 2 } else { 1 }));
        let mut put = |array: &ArrayRef<A, IxDyn>| {
            let path = folder.join(format!("{}-{}.npy", &A::DESCR[1..], expected.len()));
            std::fs::write(&path, "an older file").unwrap();
            write_npy(&path, array).unwrap();
            let back = read_npy::<A, IxDyn>(&path).unwrap();
            let copied = array.as_slice_memory_order().is_none();
            let whole = if copied { array.as_standard_layout().into_owned() } else { array.to_owned() };
            expected.push(Expected::new(&path, &whole));
            assert_eq!(hex(back.as_slice_memory_order().unwrap()), hex(whole.as_slice_memory_order().unwrap()));
            assert_eq!((back.shape(), back.strides()), (whole.shape(), whole.strides()));
        };
        put(&c);
        put(&c.t());
        put(&c.to_shared());
        put(&every_other);
        put(&slices);
    }
}

#[test]
fn numpy_reads_the_arrays_inside_a_nested_result() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let memory = memory(folder.path());
    let (a, b, c, d) = memory.eval(nested::call());
    let Inner::Both(both, Some(scalar)) = d.inner else { panic!("the option came back empty") };
    let files = files(&memory, &nested::call());

    assert_eq!(files.len(), 7);
    let expected = [
        Expected::new(&files[0], &a),
        Expected::new(&files[1], &b.unwrap()),
        Expected::new(&files[2], &c[0]),
        Expected::new(&files[3], &c[1]),
        Expected::new(&files[4], &d.first),
        Expected::new(&files[5], &both),
        Expected::new(&files[6], &scalar),
    ];
    check(&python, folder.path(), &expected);
}

#[test]
fn files_of_numpy_are_read_bit_for_bit() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let manifest = make_files(&python, folder.path());

    assert!(manifest.good.len() > 500);
    for written in &manifest.good {
        match written.descr.as_str() {
            "|i1" => compare::<i8>(written),
            "<i2" => compare::<i16>(written),
            "<i4" => compare::<i32>(written),
            "<i8" => compare::<i64>(written),
            "|u1" => compare::<u8>(written),
            "<u2" => compare::<u16>(written),
            "<u4" => compare::<u32>(written),
            "<u8" => compare::<u64>(written),
            "<f4" => compare::<f32>(written),
            "<f8" => compare::<f64>(written),
            "|b1" => compare::<bool>(written),
            "<c8" => compare::<Complex<f32>>(written),
            "<c16" => compare::<Complex<f64>>(written),
            #[cfg(feature = "half")]
            "<f2" => compare::<half::f16>(written),
            #[cfg(not(feature = "half"))]
            "<f2" => {}
            descr => panic!("`{}` has dtype `{descr}`, which this test doesn't know", written.file.display()),
        }
    }
}

#[test]
fn a_file_of_another_kind_is_refused_by_its_name_and_dtype() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let manifest = make_files(&python, folder.path());

    for Refused { file, words } in &manifest.refused {
        assert_refused(read_npy::<f64, IxDyn>(file), words.iter().map(String::as_str));
    }
    let matrix = folder.path().join("f8-3x4-C-1.npy");
    assert_refused(read_npy::<f32, Ix2>(&matrix), ["f8-3x4-C-1.npy", "`f64`", "`f32`"]);
    assert_refused(read_npy::<f64, Ix3>(&matrix), ["f8-3x4-C-1.npy", "[3, 4]", "3 axes"]);
}

fn memory(folder: &Path) -> Memory {
    Memory::builder(folder.join("cache")).inline(0).open().unwrap()
}

fn files<A, R>(memory: &Memory, call: &Call<A, R>) -> Vec<PathBuf> {
    let entry = memory.entry(call).unwrap().expect("an entry");
    entry.files().to_vec()
}

/// Stores arrays of several shapes and orders, whose first elements are the given ones.
fn store<A>(memory: &Memory, first: &[A], expected: &mut Vec<Expected>)
where
    A: Element + Clone,
    ArrayD<A>: Payload,
{
    let shapes: [&[usize]; 7] = [&[], &[0], &[7], &[3, 4], &[0, 3], &[2, 3, 4], &[1, 5, 1]];
    for shape in shapes {
        let c = Array::from_shape_vec(shape, painted(first, shape.iter().product())).unwrap();
        let f = c.clone().reversed_axes();
        put(memory, &c, expected);
        put(memory, &f, expected);
    }
}

fn put<A>(memory: &Memory, x: &ArrayD<A>, expected: &mut Vec<Expected>)
where
    A: Element + Clone,
    ArrayD<A>: Payload,
{
    let stored = memory.eval(same::call(x));
    assert_eq!(hex(stored.as_slice_memory_order().unwrap()), hex(x.as_slice_memory_order().unwrap()));
    let files = files(memory, &same::call(x));
    assert_eq!(files.len(), 1, "files of {:?}", x.shape());
    expected.push(Expected::new(&files[0], x));
}

/// The given elements, then such as arise from bytes of period 251.
fn painted<A: Element + Clone>(first: &[A], len: usize) -> Vec<A> {
    let bytes: Vec<u8> = (0..64 * 251).map(|i| (i * 167 % 251) as u8).collect();
    let rest = bytes.chunks_exact(size_of::<A>()).cycle();
    let rest = rest.filter_map(|bytes| bytemuck::checked::try_pod_read_unaligned(bytes).ok());
    first.iter().cloned().chain(rest).take(len).collect()
}

fn compare<A: Element + Clone>(written: &Written) {
    let file = written.file.display();
    let x = read_npy::<A, IxDyn>(&written.file).unwrap_or_else(|error| panic!("`{file}`: {error}"));
    assert_eq!(x.shape(), written.shape, "shape of `{file}`");
    assert_eq!(!x.is_standard_layout(), written.fortran, "order of `{file}`");
    let c: Vec<A> = x.iter().cloned().collect();
    assert_eq!(hex(&c), written.hex, "elements of `{file}`");
}

fn assert_refused<'a, T>(result: ndcache::Result<T>, words: impl IntoIterator<Item = &'a str>) {
    let message = result.err().expect("an error").to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` isn't in: {message}");
    }
}

fn hex<A: Element>(elements: &[A]) -> String {
    let bytes: &[u8] = bytemuck::cast_slice(elements);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(python: &Path, folder: &Path, expected: &[Expected]) {
    check_with(python, "check.py", folder, expected);
}

/// Has a script compare the files with what is expected of them; the list of that goes into `folder`.
pub(crate) fn check_with(python: &Path, script: &str, folder: &Path, expected: &[Expected]) {
    let manifest = folder.join("manifest.json");
    std::fs::write(&manifest, serde_json::to_vec(expected).unwrap()).unwrap();
    run(python, script, &manifest);
}

fn make_files(python: &Path, folder: &Path) -> Manifest {
    run(python, "make_files.py", folder);
    serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

fn run(python: &Path, script: &str, argument: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script);
    let output = Command::new(python).arg("-B").arg(&script).arg(argument).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{}`: {text}", script.display());
}

/// A Python that has NumPy: `NDCACHE_PYTHON`, or `python3`. Without one these tests are skipped, but not under CI.
pub(crate) fn python() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("NDCACHE_PYTHON").unwrap_or_else(|| "python3".into()));
    let found = Command::new(&python).args(["-c", "import numpy"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    let reason = format!("`{}` is missing or has no NumPy", python.display());
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{reason}");
    // Not `eprintln!`, whose output the test harness keeps to itself when a test passes.
    let mut terminal = std::io::stderr();
    writeln!(terminal, "skipped a test of the exchange with NumPy: {reason}").unwrap();
    None
}
