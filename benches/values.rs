//! Digesting arguments, and storing and loading results, that are no arrays, against bincode into a buffer that is there
//! and XXH3 of its bytes, on one thread.
//!
//! `cargo bench --bench values`; `NDCACHE_BENCH_VALUES` sets the number of elements, 1,000,000 unless said, and
//! `NDCACHE_BENCH_ONLY` a part of the names of what is measured. Tests take 100, and judge no time. A goal is met by the
//! median round; those that are missed stand at the end once more.

mod ratio;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hint::black_box;
use std::time::Instant;

use ndarray::prelude::*;
use ndcache::hash::digest_serde;
use ndcache::{Call, ContentHash, Memory, cache, digest};
use ratio::Goal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ContentHash)]
struct P3 {
    x: f64,
    y: f64,
    z: f64,
}

/// Ten fields, as a table has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ContentHash)]
struct Row {
    id: u64,
    name: String,
    x: f64,
    y: f64,
    z: f64,
    weight: f32,
    count: u32,
    kind: u8,
    valid: bool,
    parent: Option<i64>,
}

impl Row {
    fn new(i: usize) -> Self {
        let x = i as f64;
        Self {
            id: i as u64,
            name: format!("row {i}"),
            x,
            y: 0.5 * x,
            z: -x,
            weight: 1.5,
            count: i as u32 % 1000,
            kind: i as u8,
            valid: i.is_multiple_of(3),
            parent: (!i.is_multiple_of(4)).then_some(i as i64 - 1),
        }
    }
}

fn is_wanted(name: &str) -> bool {
    std::env::var("NDCACHE_BENCH_ONLY").map_or(true, |only| name.contains(&only))
}

/// Seconds of writing a value into `buffer` by bincode, and of hashing that.
fn written<T: Serialize>(value: &T, buffer: &mut Vec<u8>) -> f64 {
    ratio::seconds(1, || {
        buffer.clear();
        bincode::serialize_into(&mut *buffer, black_box(value)).expect("serializable");
        XxHash3_128::oneshot(buffer)
    })
}

fn argument<T: Serialize>(name: &str, goal: f64, value: impl FnOnce() -> T, digested: impl Fn(&T)) {
    let name = format!("argument {name} / bincode and XXH3");
    if !is_wanted(&name) {
        return;
    }
    let (value, mut buffer) = (value(), Vec::new());
    written(&value, &mut buffer);
    ratio::hold_median(
        &name,
        Goal::Times(goal),
        9,
        || ratio::seconds(1, || digested(black_box(&value))),
        || written(&value, &mut buffer),
    );
}

fn hashed<T: ContentHash + Serialize>(name: &str, goal: f64, value: impl FnOnce() -> T) {
    argument(name, goal, value, |value| {
        black_box(digest(value));
    });
}

fn by_serde<T: Serialize>(name: &str, goal: f64, value: impl FnOnce() -> T) {
    argument(name, goal, value, |value| drop(black_box(digest_serde(value))));
}

fn arguments(n: usize) {
    let floats = || (0..n).map(|i| i as f64);
    // No order that a map could profit from.
    let keys = || (0..n as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let points = || floats().map(|x| P3 { x, y: 2.0 * x, z: -x });
    let rows = || (0..n).map(Row::new).collect::<Vec<_>>();
    hashed("Vec<P3>, derived", 4.0, || points().collect::<Vec<_>>());
    hashed("Vec<Row>, derived", 4.0, rows);
    by_serde("Vec<Row>, serde", 4.0, rows);
    hashed("Vec<(f64, f64)>", 4.0, || floats().map(|x| (x, -x)).collect::<Vec<_>>());
    hashed("BTreeMap<u64, f64>", 6.0, || keys().zip(floats()).collect::<BTreeMap<_, _>>());
    hashed("BTreeMap<u64, P3>", 6.0, || keys().zip(points()).collect::<BTreeMap<_, _>>());
    hashed("HashMap<u64, f64>", 10.0, || keys().zip(floats()).collect::<HashMap<_, _>>());
    hashed("HashMap<u64, Row>", 10.0, || keys().zip(rows()).collect::<HashMap<_, _>>());
    by_serde("HashMap<u64, P3>, serde", 10.0, || keys().zip(points()).collect::<HashMap<_, _>>());
    hashed("HashSet<u64>", 10.0, || keys().collect::<HashSet<_>>());
    hashed("VecDeque<u8>", 4.0, || keys().map(|key| key as u8).collect::<VecDeque<_>>());
    by_serde("Vec<f64>, serde", 4.0, || floats().collect::<Vec<_>>());
}

/// Each returns what it is given, so that a miss costs nothing but its storing.
macro_rules! given {
    ($($name:ident: $type:ty;)*) => {$(
        #[cache(ignore(value))]
        fn $name(round: usize, value: $type) -> $type {
            black_box(round);
            value
        }
    )*};
}

given! {
    rows: Vec<Row>;
    map: HashMap<String, f64>;
    arrays: Vec<Array1<f64>>;
    bytes: Vec<Vec<u8>>;
}

/// Stores a value again and again, and loads it by memories that have not seen it.
///
/// `values` makes the value, and what bincode writes in its place; `stored` and `loaded` are the goals.
fn result<R, P: Serialize + DeserializeOwned, A>(
    name: &str,
    [stored, loaded]: [Goal; 2],
    values: impl FnOnce() -> (R, P),
    call: impl Fn(usize, R) -> Call<A, R>,
    none: impl Fn() -> R,
) {
    if !is_wanted(&format!("result {name}")) {
        return;
    }
    let (value, plain) = values();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = Memory::open(folder.path()).expect("a memory");
    let (kept, round) = (RefCell::new(Some(value)), Cell::new(0));
    let mut buffer = Vec::new();
    written(&plain, &mut buffer);
    ratio::hold_median(
        &format!("result {name}, stored / bincode and XXH3"),
        stored,
        9,
        || {
            memory.clear().expect("cleared");
            round.set(round.get() + 1);
            let call = call(round.get(), kept.take().expect("the value came back"));
            let start = Instant::now();
            kept.replace(Some(memory.try_eval(call).expect("stored")));
            start.elapsed().as_secs_f64()
        },
        || written(&plain, &mut buffer),
    );
    ratio::hold_median(
        &format!("result {name}, loaded / bincode and XXH3"),
        loaded,
        9,
        || {
            let fresh = Memory::open(folder.path()).expect("a memory");
            let call = call(round.get(), none());
            let start = Instant::now();
            let value = fresh.eval(call);
            let seconds = start.elapsed().as_secs_f64();
            assert_eq!(fresh.stats().hits(), 1);
            drop(value);
            seconds
        },
        || {
            let start = Instant::now();
            black_box(XxHash3_128::oneshot(&buffer));
            let value: P = bincode::deserialize(black_box(&buffer)).expect("what was written");
            let seconds = start.elapsed().as_secs_f64();
            drop(value);
            seconds
        },
    );
}

fn results(n: usize) {
    let goals = |stored, loaded| [Goal::Times(stored), Goal::Times(loaded)];
    fn twice<T: Clone>(value: T) -> (T, T) {
        (value.clone(), value)
    }
    let table = || twice((0..n / 10).map(Row::new).collect::<Vec<_>>());
    result("Vec<Row>, serde", goals(6.0, 4.0), table, rows::call, Vec::new);
    let numbers = || twice((0..n / 10).map(|i| (format!("key {i}"), i as f64)).collect::<HashMap<_, _>>());
    result("HashMap<String, f64>", goals(6.0, 4.0), numbers, map::call, HashMap::new);
    let many = || {
        let plain: Vec<Vec<f64>> = (0..n / 100).map(|i| (i..i + 600).map(|x| x as f64).collect()).collect();
        (plain.iter().map(|x| Array1::from(x.clone())).collect(), plain)
    };
    result("10,000 arrays of 600", goals(2.0, 4.0), many, arrays::call, Vec::new);
    let short = || twice((0..n).map(|i| vec![i as u8; 4]).collect::<Vec<_>>());
    result("Vec<Vec<u8>>", goals(6.0, 4.0), short, bytes::call, Vec::new);
}

fn main() {
    let n = ratio::number("NDCACHE_BENCH_VALUES", 1_000_000, 100);
    arguments(n);
    results(n);
    ratio::print_missed();
}
