//! A cache folder of format 1, `data/v1`, that was written once: every later version has to hit what lies in it.
//!
//! The functions say what they are by `name` and `version` alone, so that neither their text nor the version of this
//! package counts. A run with `NDCACHE_FREEZE=folder` writes such a folder anew, for another format.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use ndarray::prelude::*;
use ndcache::verify::{Problem, Repair};
use ndcache::{Call, Compression, Mapped2, Memory, Mode, Payload, cache};
use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::support::snapshot;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/v1");

#[cache(name = "frozen number", code = "version", version = 1)]
fn number(x: f64, n: u64, name: &str, flag: Option<bool>) -> f64 {
    x + n as f64 + name.len() as f64 + f64::from(flag == Some(true))
}

#[cache(name = "frozen signed", code = "version", version = 1)]
fn signed() -> (Array1<i8>, Array1<i16>, Array1<i32>, Array1<i64>) {
    (array![i8::MIN, 0, i8::MAX], array![i16::MIN, 0, i16::MAX], array![i32::MIN, 0], array![i64::MIN, 0])
}

#[cache(name = "frozen unsigned", code = "version", version = 1)]
fn unsigned() -> (Array1<u8>, Array1<u16>, Array1<u32>, Array1<u64>) {
    (array![0, 1, u8::MAX], array![0, 1, u16::MAX], array![0, 1, u32::MAX], array![0, 1, u64::MAX])
}

#[cache(name = "frozen others", code = "version", version = 1)]
fn others() -> (Array1<f32>, Array1<bool>, Array1<isize>) {
    (array![f32::MIN_POSITIVE, -0.0], array![true, false], array![-1])
}

#[cache(name = "frozen complex", code = "version", version = 1)]
fn complex() -> (Array0<Complex<f32>>, Array3<Complex<f64>>) {
    (arr0(Complex::new(1.0, -1.0)), Array3::from_elem((1, 2, 0), Complex::new(0.0, 1.0)))
}

#[cfg(feature = "half")]
#[cache(name = "frozen half", code = "version", version = 1)]
fn halves() -> Array2<half::f16> {
    array![[half::f16::ONE, half::f16::NEG_INFINITY]]
}

#[cache(name = "frozen small", code = "version", version = 1)]
fn small(x: &ArrayRef2<f64>) -> Array2<f64> {
    x.to_owned() * 2.0
}

#[cache(name = "frozen mapped", code = "version", version = 1)]
fn mapped(rows: usize) -> Mapped2<f64> {
    Array2::from_shape_fn((rows, 8).f(), |(i, j)| (8 * i + j) as f64).into()
}

#[cache(name = "frozen packed", code = "version", version = 1)]
fn packed(n: usize) -> Array1<i32> {
    Array1::from_shape_fn(n, |i| i as i32 / 7)
}

#[derive(Debug, PartialEq, Payload)]
struct Fit {
    weights: Mapped2<f64>,
    names: Vec<String>,
    best: Option<(u32, f64)>,
    by_class: BTreeMap<String, Array1<i64>>,
    outcome: Outcome,
}

#[derive(Debug, PartialEq, Payload)]
enum Outcome {
    Converged { steps: u64 },
    Gave(Array1<f32>),
    Nothing,
}

#[cache(name = "frozen fit", code = "version", version = 1)]
fn fit(outcome: u8) -> Fit {
    Fit {
        weights: array![[1.0, -0.0], [f64::MIN_POSITIVE, f64::INFINITY]].into(),
        names: vec!["größe".to_owned(), String::new()],
        best: Some((7, 0.25)),
        by_class: [("a".to_owned(), array![1, 2, 3]), ("b".to_owned(), Array1::from_elem(700, -1))].into(),
        outcome: match outcome {
            0 => Outcome::Converged { steps: u64::MAX },
            1 => Outcome::Gave(array![0.5, 1.5]),
            _ => Outcome::Nothing,
        },
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Plain {
    Unit,
    Tuple(i8, char),
    Named { x: u128, y: Option<Option<()>> },
}

#[cache(name = "frozen plain", code = "version", version = 1)]
fn plain() -> Vec<Plain> {
    vec![Plain::Unit, Plain::Tuple(-1, 'ß'), Plain::Named { x: u128::MAX, y: Some(None) }]
}

#[cache(name = "frozen nothing", code = "version", version = 1)]
fn nothing() -> Option<Vec<u8>> {
    None
}

/// Too long for a record.
#[cache(name = "frozen long", code = "version", version = 1)]
fn long(n: usize) -> Vec<String> {
    vec!["abcdefghijklmno".to_owned(); n]
}

#[cache(name = "frozen sum", code = "version", version = 1)]
fn sum(x: &ArrayRef2<f64>) -> f64 {
    x.sum()
}

#[cache(name = "frozen edited", code = "version", version = 1)]
fn edited() -> Array1<f64> {
    Array1::zeros(4)
}

/// Expects every entry of the folder; `packing` is the memory for those that are compressed.
fn ask(memory: &Memory, packing: &Memory) {
    expect(memory, || number::call(1.5, 7, "größe", Some(true)));
    expect(memory, signed::call);
    expect(memory, unsigned::call);
    expect(memory, others::call);
    expect(memory, complex::call);
    #[cfg(feature = "half")]
    expect(memory, halves::call);
    let x = array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]];
    expect(memory, || small::call(&x));
    let fortran = x.clone().reversed_axes();
    expect(memory, || small::call(&fortran));
    expect(memory, || mapped::call(10));
    expect(packing, || packed::call(5000));
    (0..3).for_each(|outcome| expect(memory, || fit::call(outcome)));
    expect(memory, plain::call);
    expect(memory, nothing::call);
    expect(memory, || long::call(4500));
    // A stored result is the argument.
    let stored = memory.mmap(mapped::call(10));
    expect(memory, || sum::call(&stored));
}

fn expect<A, R: PartialEq + Debug>(memory: &Memory, call: impl Fn() -> Call<A, R>) {
    assert_eq!(memory.eval(call()), Memory::disabled().eval(call()));
}

#[test]
fn a_folder_of_an_earlier_version_hits() {
    if let Some(folder) = std::env::var_os("NDCACHE_FREEZE") {
        return freeze(Path::new(&folder));
    }
    let copy = tempfile::tempdir().unwrap();
    copy_folder(Path::new(FOLDER), copy.path());
    let before = snapshot(copy.path());
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        let memory = Memory::builder(copy.path()).mode(mode).open().unwrap();
        ask(&memory, &memory);
        assert_eq!(memory.eval(edited::call()), array![0.0, 2.0, 0.0, 0.0]);
        assert_eq!((memory.stats().misses(), memory.stats().faults()), (0, 0), "{:?}", memory.stats());
        assert!(mode != Mode::ReadOnly || snapshot(copy.path()) == before);
        let mut report = memory.verify(Repair::No).unwrap();
        // A checkout gives its files write permission.
        report.problems.retain(|(_, problem)| *problem != Problem::Writable);
        assert_eq!(report.problems, vec![]);
        assert!(report.entries >= 15);
    }
}

fn freeze(folder: &Path) {
    let memory = Memory::open(folder).unwrap();
    let packing = Memory::builder(folder).compression(Compression::Gzip(6)).open().unwrap();
    ask(&memory, &packing);
    let mut zeros = memory.mmap_mut(edited::call()).unwrap();
    zeros[1] = 2.0;
    zeros.commit().unwrap();
    // A cache folder may lack these.
    for name in [".gitignore", "locks"] {
        fs::remove_file(folder.join(name)).unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let copy = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            fs::create_dir(&copy).unwrap();
            copy_folder(&item.path(), &copy);
        } else {
            fs::copy(item.path(), copy).unwrap();
        }
    }
}
