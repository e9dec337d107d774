//! Keys that were made without this crate, by docs/format.md alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ndarray::prelude::*;
use ndcache::{Call, ContentHash, Memory, cache};
use serde::Serialize;

#[cache(name = "golden scalars", code = "version", version = 1)]
fn scalars(n: u64, x: f64, name: &str, on: bool) -> f64 {
    if on { n as f64 + x } else { name.len() as f64 }
}

#[cache(name = "golden arrays", code = "version", version = 7)]
fn arrays(x: &ArrayRef2<f64>, y: &[f64]) -> Array2<f64> {
    x * y[0]
}

#[cache(name = "golden nothing", code = "version", version = 0)]
fn nothing() -> Option<String> {
    None
}

/// A point in the plane.
#[derive(ContentHash)]
struct Point {
    x: f64,
    y: f64,
}

/// What only serde knows.
#[derive(Serialize)]
struct Reading {
    at: u32,
    value: Option<f32>,
}

#[cache(name = "golden structures", code = "version", version = 2)]
fn structures(
    points: &[Point],
    readings: &[Reading],
    counts: &BTreeMap<String, u8>,
    kinds: &BTreeSet<char>,
    queue: &VecDeque<f64>,
    corners: &[[f64; 2]],
    turned: &Array2<(u8, u8)>,
) -> f64 {
    let sizes = points.len() + readings.len() + counts.len() + kinds.len() + queue.len() + corners.len() + turned.len();
    let read = |reading: &Reading| f64::from(reading.at) + f64::from(reading.value.unwrap_or_default());
    sizes as f64 + points.iter().map(|point| point.x * point.y).chain(readings.iter().map(read)).sum::<f64>()
}

fn key<A, R>(salt: &str, call: Call<A, R>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).salt(salt).open().unwrap();
    memory.eval(call);
    let entry = memory.entries().next().unwrap().unwrap();
    entry.key().to_string()
}

#[test]
fn keys_are_those_that_the_format_says() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/data/keys.json");
    let golden: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let x = array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]];
    let points = [Point { x: 0.5, y: 1.0 }, Point { x: -1.0, y: 2.0 }];
    let readings = [Reading { at: 1, value: None }, Reading { at: 2, value: Some(0.5) }];
    let counts = [("a", 1), ("b", 2)].map(|(name, count)| (name.to_owned(), count)).into();
    let (kinds, mut queue) = (['x', 'y'].into(), VecDeque::from([1.0]));
    queue.push_front(0.0);
    let corners = [[0.0, 1.0], [2.0, 3.0]];
    let mut turned = Array2::from_elem((2, 2).f(), (0, 0));
    turned.assign(&array![[(1, 1), (2, 2)], [(3, 3), (4, 4)]]);
    let structures = structures::call(&points, &readings, &counts, &kinds, &queue, &corners, &turned);
    let keys = [
        ("arrays", key("", arrays::call(&x, &[0.0, 1.0]))),
        ("arrays, with a salt", key("2026-11", arrays::call(&x, &[0.0, 1.0]))),
        ("nothing", key("", nothing::call())),
        ("scalars", key("", scalars::call(3, -0.0, "größe", true))),
        ("structures", key("", structures)),
    ];
    assert_eq!(golden, keys.map(|(name, key)| (name.to_owned(), key)).into());
}

/// The package for Python has tests with the same file.
#[test]
fn values_that_python_has_too_count_as_there() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/python/tests/golden_digests.json");
    let golden: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let here = [
        ("7", ndcache::digest(&7_i64)),
        ("true", ndcache::digest(&true)),
        ("1.5", ndcache::digest(&1.5_f64)),
        ("a", ndcache::digest("a")),
        ("(1, a)", ndcache::digest(&(1_i64, "a"))),
        ("none", ndcache::digest(&None::<i64>)),
        ("words", ndcache::digest(&["a", "bc"])),
        ("path", ndcache::digest(std::path::Path::new("a/b"))),
    ];
    for (name, digest) in here {
        assert_eq!(golden.get(name), Some(&digest.to_string()), "{name}");
    }
}
