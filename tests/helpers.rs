//! Helpers that `#[cache]` finds by itself, in a crate that is edited and compiled again.

mod builds;
mod copies;
mod crates;
mod downstream;
mod libraries;
mod lookups;
mod marks;
mod nested;

use std::fs;

use ndcache::cache;

use crates::Crate;

const MAIN: &str = r#"
mod dsp;
mod shapes;

#[ndcache::cache]
fn smooth(x: u64) -> u64 {
    dsp::window(x) + 1
}

/// Reaches an enum, and through it all that names it.
#[ndcache::cache(helpers(without(shapes::Fault)))]
fn cut(x: u64) -> u64 {
    shapes::checked(x).unwrap_or(0)
}

#[ndcache::cache(helpers = "named")]
fn named(x: u64) -> u64 {
    dsp::window(x) + 2
}

#[allow(dead_code)]
fn unrelated() -> u64 {
    3
}

fn main() {
    let memory = ndcache::Memory::open(std::env::args().nth(1).unwrap()).unwrap();
    println!("smooth: {}", memory.explain(&smooth::call(2)));
    println!("cut: {}", memory.explain(&cut::call(2)));
    println!("named: {}", memory.explain(&named::call(2)));
    memory.eval(smooth::call(2));
    memory.eval(cut::call(2));
    memory.eval(named::call(2));
    for part in smooth::function().parts() {
        println!("part: {} in {}, {}", part.name, part.file.unwrap(), part.why);
    }
    for unseen in named::function().unseen() {
        println!("unseen: {unseen}");
    }
}
"#;

const DSP: &str = r#"
use core::convert::identity as last;

pub fn window(x: u64) -> u64 {
    last(taps(x)) + include_str!("table.txt").len() as u64
}

pub fn taps(x: u64) -> u64 {
    if cfg!(debug_assertions) == cfg!(debug_assertions) { x * 2 } else { 0 }
}
"#;

const SHAPES: &str = r#"
pub enum Fault {
    Odd,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("odd")
    }
}

pub fn checked(x: u64) -> Result<u64, Fault> {
    if x % 2 == 0 { Ok(x) } else { Err(Fault::Odd) }
}
"#;

/// The crate of these tests.
fn new() -> Crate {
    Crate::of(&[("main.rs", MAIN), ("dsp.rs", DSP), ("shapes.rs", SHAPES), ("table.txt", "1 2 3")])
}

/// Asserts how the calls of `smooth`, `cut` and `named` are explained.
#[track_caller]
fn assert_told(of: &Crate, options: &[&str], smooth: &str, cut: &str, named: &str) {
    let told = of.run(options);
    assert_eq!(told[..3], [format!("smooth: {smooth}"), format!("cut: {cut}"), format!("named: {named}")]);
}

#[test]
fn helpers_are_found_and_told_with_the_reason() {
    let told = new().run(&[]);
    assert_eq!(told[..3], ["smooth: new function", "cut: new function", "named: new function"]);
    let expected = [
        "part: smooth in main.rs, the function itself",
        "part: dsp::window in dsp.rs, named by `smooth`",
        "part: dsp::taps in dsp.rs, named by `dsp::window`",
        "unseen: helpers that `depends(…)` doesn't name",
    ];
    assert_eq!(told[3..], expected);
}

#[test]
fn an_edited_helper_is_a_miss_that_names_it() {
    let edited = new();
    edited.run(&[]);
    edited.edit("dsp.rs", "x * 2", "x * 3");
    assert_told(&edited, &[], "code of `dsp::taps` changed", "hit", "hit");
    edited.edit("table.txt", "1 2 3", "1 2 3 4");
    assert_told(&edited, &[], "`include(table.txt)` of `dsp::window` changed", "hit", "hit");
    // The tokens stay the same, and another function stands behind them.
    edited.edit("dsp.rs", "core::convert::identity as last", "crate::last");
    edited.edit("main.rs", "fn main()", "fn last(x: u64) -> u64 {\n    x\n}\n\nfn main()");
    assert_told(&edited, &[], "`last` is new in the helpers", "hit", "hit");
}

#[test]
fn where_only_an_import_has_changed_a_miss_says_so() {
    let edited = new();
    edited.run(&[]);
    edited.edit("dsp.rs", "core::convert::identity as last", "core::hint::black_box as last");
    let changed = "imports changed: a name in the code or in a helper leads elsewhere";
    assert_told(&edited, &[], changed, "hit", "hit");
    edited.edit("dsp.rs", "use core::hint::black_box as last;", "use core::convert::identity as last;");
    assert_told(&edited, &[], "hit", "hit", "hit");
    // As many names by a glob import of another module.
    edited.edit("main.rs", "mod shapes;", "mod shapes;\nuse std::f32::consts::*;");
    edited.edit("main.rs", "dsp::window(x) + 1", "dsp::window(x) + f64::from(PI as f32) as u64");
    edited.run(&[]);
    edited.edit("main.rs", "std::f32::consts::*", "std::f64::consts::*");
    assert_eq!(edited.run(&[])[0], format!("smooth: {changed}"));
}

#[test]
fn what_changes_nothing_is_a_hit_in_another_folder_and_build() {
    let first = new();
    first.run(&[]);
    let second = Crate { folder: new().folder, cache: first.cache };
    second.edit("main.rs", "    3\n", "    4\n");
    second.edit("dsp.rs", "pub fn taps", "/// Docs.\n// Comments.\n#[allow(unused)]\npub(crate) fn taps");
    second.edit("dsp.rs", "{ x * 2 }", "{\n        x\n            * 2\n    }");
    assert_told(&second, &[], "hit", "hit", "hit");
    // The function moves to another module.
    second.edit("dsp.rs", "/// Docs.", "pub(crate) use fir::taps;\nmod fir {\n/// Docs.");
    second.write("dsp.rs", &(fs::read_to_string(second.folder.path().join("dsp.rs")).unwrap() + "}\n"));
    second.edit("shapes.rs", "\"odd\"", "\"not even\"");
    assert_told(&second, &["-Copt-level=1", "-Cdebug-assertions=yes"], "hit", "hit", "hit");
    // A helper depends on this `cfg`.
    let told = second.run(&["-Cdebug-assertions=no"]);
    assert!(told[0].starts_with("smooth: `cfg(debug_assertions)` of `dsp::fir::taps` true → false"), "{told:?}");
    assert_eq!(told[1..3], ["cut: hit", "named: hit"]);
}

#[cache]
fn outer() -> u64 {
    inner()
}

#[cache]
fn inner() -> u64 {
    offset::OFFSET
}

mod offset {
    pub(super) const OFFSET: u64 = 5;
}

#[test]
fn parts_are_those_of_the_package() {
    let parts = outer::function().parts();
    let named = |name: &str| parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("{name}: {parts:?}"));
    assert_eq!(parts[0].why, "the function itself");
    assert_eq!(parts[0].file.as_deref(), Some("tests/helpers.rs"));
    assert_eq!(named("helpers::inner").why, "named by `helpers::outer`");
    assert_eq!(named("helpers::offset::OFFSET").why, "named by `helpers::inner`");
    assert_eq!(outer(), 5);
}
