//! Keys that were made without this crate, by docs/format.md alone.

use std::collections::BTreeMap;

use ndarray::prelude::*;
use ndcache::{Call, Memory, cache};

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
    let keys = [
        ("arrays", key("", arrays::call(&x, &[0.0, 1.0]))),
        ("arrays, with a salt", key("2026-11", arrays::call(&x, &[0.0, 1.0]))),
        ("nothing", key("", nothing::call())),
        ("scalars", key("", scalars::call(3, -0.0, "größe", true))),
    ];
    assert_eq!(golden, keys.map(|(name, key)| (name.to_owned(), key)).into());
}
