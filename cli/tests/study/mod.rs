//! A cache like that of a study: functions with dotted names, arguments as texts, arrays that are handed on, code and files
//! that change.

mod beside;
mod collecting;
mod moving;
mod names;
mod reading;
mod reasons;
mod selection;

use std::fs;

use ndcache::dynamic::{Form, FunctionBuilder, RawValue, RunTimeArgument, RunTimeCall};
use ndcache::{Digest, Memory, digest};

use crate::support::Scene;

/// A stored call of a function that is known by its path and its code.
pub(crate) struct Made<'a> {
    pub(crate) path: &'a str,
    pub(crate) code: u8,
    pub(crate) arguments: Vec<RunTimeArgument>,
}

/// A whole number.
pub(crate) fn number(name: &str, value: i64) -> RunTimeArgument {
    RunTimeArgument::new(name, digest(&value), &value.to_string())
}

/// A number with decimals.
pub(crate) fn decimal(name: &str, value: f64) -> RunTimeArgument {
    RunTimeArgument::new(name, digest(&value), &format!("{value:?}"))
}

/// The path of a file whose content counts.
pub(crate) fn file(name: &str, path: &str, content: &str) -> RunTimeArgument {
    RunTimeArgument::new(name, digest(content), &format!("'{path}'"))
}

/// An array.
pub(crate) fn array(name: &str, content: &str) -> RunTimeArgument {
    RunTimeArgument::new(name, digest(content), "float64[64,512]")
}

/// Stores calls, one after the other.
pub(crate) fn store(scene: &Scene, made: Vec<Made<'_>>) {
    let memory = Memory::open(scene.cache()).expect("a cache");
    for Made { path, code, arguments } in made {
        let function = FunctionBuilder::new(path, Digest::from_bytes([code; 16])).build().expect("a function");
        let value = || Ok::<_, ndcache::Error>(RawValue::of(&1.5).expect("a value"));
        RunTimeCall::new(function, arguments).eval(&memory, Form::Owned, value).expect("stored");
    }
}

/// A scene with an empty cache.
pub(crate) fn empty() -> Scene {
    let scene = Scene::new();
    fs::remove_dir_all(scene.cache()).expect("removed");
    scene
}

/// Three files, each loaded and fitted with three numbers.
pub(crate) fn study() -> Scene {
    let scene = empty();
    let mut made = Vec::new();
    for scan in 0..3 {
        let path = format!("data/scan{scan:02}.npy");
        made.push(Made { path: "pipeline.load", code: 1, arguments: vec![file("path", &path, &path)] });
        for alpha in [0.0, 0.5, 0.9] {
            let arguments = vec![array("features", &path), decimal("alpha", alpha), number("order", 2)];
            made.push(Made { path: "pipeline.fit", code: 1, arguments });
        }
    }
    store(&scene, made);
    scene
}

/// The number of lines below the head of a table.
pub(crate) fn rows(scene: &Scene, arguments: &[&str]) -> usize {
    let run = scene.run(arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {run:?}");
    run.stdout.lines().count() - 1
}
