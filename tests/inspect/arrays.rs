//! Arrays and values of entries, whatever their types are.

use std::fs;

use ndarray::prelude::*;
use ndcache::inspect::{AnyArray, Order, Value};
use ndcache::{Compression, ErrorKind, Memory, cache, digest};
use num_complex::Complex;

use super::ramp;
use crate::support::fresh;

/// A result with an array of each dtype.
fn check<A: ndcache::Element>(memory: &Memory, array: ArrayD<A>, expected: impl Fn(ArrayD<A>) -> AnyArray) {
    #[cache]
    fn of<A: ndcache::Element>(bytes: ArrayD<A>, _n: usize) -> ArrayD<A> {
        bytes
    }
    memory.eval(of::call(array.clone(), 0));
    let entry = memory.entry(&of::call(array.clone(), 0)).unwrap().unwrap();
    assert_eq!(entry.value().unwrap(), Value::Array(0));
    let stored = &entry.arrays().unwrap()[0];
    assert_eq!((stored.descr(), stored.digest()), (A::DESCR, digest(&array)));
    let shape: Vec<u64> = array.shape().iter().map(|&axis| axis as u64).collect();
    assert_eq!((stored.shape(), stored.bytes()), (&shape[..], (array.len() * size_of::<A>()) as u64));
    let is_file = stored.bytes() > 4096 || memory.settings().inline == 0;
    assert_eq!(stored.file().is_some(), is_file);
    let codec = match memory.compression() {
        _ if !is_file => "inline",
        Compression::None => "npy",
        _ => "npy.gz",
    };
    assert_eq!(stored.codec(), codec);
    if let Some(file) = stored.file() {
        assert_eq!(fs::metadata(file).unwrap().len(), stored.stored_bytes());
    }
    assert_eq!(stored.open().unwrap(), expected(array));
}

#[test]
fn arrays_of_every_dtype_are_opened_as_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for (name, compression, inline) in
        [("a", Compression::None, 4096), ("b", Compression::None, 0), ("c", Compression::Gzip(1), 0)]
    {
        let builder = Memory::builder(folder.path().join(name)).compression(compression);
        let memory = builder.inline(inline).open().unwrap();
        for n in [0, 3, 5000] {
            let count = |n: usize| Array1::from_iter(0..n as i64).into_dyn();
            let m = &memory;
            check(m, count(n).mapv(|x| x % 3 == 0), AnyArray::Bool);
            check(m, count(n).mapv(|x| x as i8), AnyArray::I8);
            check(m, count(n).mapv(|x| -x as i16), AnyArray::I16);
            check(m, count(n).mapv(|x| -x as i32), AnyArray::I32);
            check(m, count(n).mapv(|x| -x), AnyArray::I64);
            check(m, count(n).mapv(|x| x as u8), AnyArray::U8);
            check(m, count(n).mapv(|x| x as u16), AnyArray::U16);
            check(m, count(n).mapv(|x| x as u32), AnyArray::U32);
            check(m, count(n).mapv(|x| x as u64), AnyArray::U64);
            #[cfg(feature = "half")]
            check(m, count(n).mapv(|x| half::f16::from_f64(x as f64)), AnyArray::F16);
            check(m, count(n).mapv(|x| x as f32 / 3.0), AnyArray::F32);
            check(m, count(n).mapv(|x| x as f64 / 3.0), AnyArray::F64);
            check(m, count(n).mapv(|x| Complex::new(x as f32, -0.5)), AnyArray::Complex32);
            check(m, count(n).mapv(|x| Complex::new(x as f64, -0.5)), AnyArray::Complex64);
        }
    }
}

#[test]
fn memory_order_is_told_and_kept() {
    #[cache]
    fn grid(fortran: bool) -> Array2<f64> {
        Array2::from_shape_fn((30, 40).set_f(fortran), |(i, j)| (40 * i + j) as f64)
    }
    let (_folder, memory) = fresh();
    for fortran in [false, true] {
        memory.eval(grid::call(fortran));
        let array = memory.entry(&grid::call(fortran)).unwrap().unwrap().arrays().unwrap().remove(0);
        assert_eq!(array.order(), if fortran { Order::F } else { Order::C });
        let AnyArray::F64(opened) = array.open().unwrap() else { panic!("{array:?}") };
        assert_eq!(opened.strides(), if fortran { [1, 30] } else { [40, 1] });
        assert_eq!(opened, grid::compute(fortran).into_dyn());
    }
}

#[test]
fn a_value_of_any_type_is_a_tree() {
    #[derive(ndcache::Payload, Debug)]
    struct Fit {
        weights: Array1<f64>,
        names: Vec<String>,
        best: Option<u8>,
    }
    #[cache]
    fn fit(n: usize) -> Result<(Fit, Array1<u8>), String> {
        Ok((Fit { weights: Array1::zeros(n), names: vec!["ä".to_owned()], best: Some(7) }, array![1, 2]))
    }
    let (_folder, memory) = fresh();
    // First both arrays are small and inside the record, then one is large and in a file.
    for (n, weights, other) in [(3, 0, 1), (1000, 0, 1)] {
        memory.eval(fit::call(n)).unwrap();
        let entry = memory.entry(&fit::call(n)).unwrap().unwrap();
        let text = |text: &str| Value::Text(text.to_owned());
        let fields = Value::Map(vec![
            (text("weights"), Value::Array(weights)),
            (text("names"), Value::List(vec![text("ä")])),
            (text("best"), Value::List(vec![Value::Integer(7)])),
        ]);
        let tree = Value::List(vec![fields, Value::Array(other)]);
        let value = entry.value().unwrap();
        assert!(value == tree || value == Value::Map(vec![(text("Ok"), tree.clone())]), "{value:?}");
        let arrays = entry.arrays().unwrap();
        assert_eq!(arrays[weights].shape(), [n as u64]);
        assert_eq!(arrays[other].open().unwrap(), AnyArray::U8(array![1, 2].into_dyn()));
    }
}

#[test]
fn damage_of_an_array_is_found_whichever_way_it_is_read() {
    for compression in [Compression::None, Compression::Gzip(1)] {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::builder(folder.path()).compression(compression).open().unwrap();
        memory.eval(ramp::call(20_000));
        let entry = memory.entry(&ramp::call(20_000)).unwrap().unwrap();
        let array = entry.arrays().unwrap().remove(0);
        let file = array.file().unwrap();
        let good = fs::read(&file).unwrap();
        let middle = good.len() / 2;
        let flipped = [&good[..middle], &[good[middle] ^ 1], &good[middle + 1..]].concat();
        for bad in [flipped, good[..good.len() - 1].to_vec(), [&good[..], &[0]].concat(), Vec::new()] {
            fs::remove_file(&file).unwrap();
            fs::write(&file, bad).unwrap();
            for error in [array.open().unwrap_err(), array.read(|_| {}).unwrap_err(), entry.verify().unwrap_err()] {
                assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
            }
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(array.open().unwrap_err().kind(), ErrorKind::Damaged);
        std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
        assert_eq!(array.open().unwrap_err().kind(), ErrorKind::Damaged, "a link is not followed");
        assert!(entry.open_file(entry.file_names().next().unwrap()).is_err());
        assert_eq!(entry.open_file("../../CACHEDIR.TAG").unwrap_err().kind(), ErrorKind::Invalid);
    }
}
