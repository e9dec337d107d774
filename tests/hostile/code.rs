//! Code that takes more from its build than its own tokens say.

#![allow(clippy::redundant_closure_call, reason = "a fact stands behind the guard of a closure's parameter")]

use std::fs;
use std::include_str as words_of;

use ndarray::prelude::*;
use ndcache::{Call, Memory, cache, call, code};

use crate::support::fresh;

/// Whether the record of a call's code names a fact.
fn counts<A, R>(call: Call<A, R>, fact: &str) -> bool {
    let (folder, memory) = fresh();
    memory.eval(call);
    let function = fs::read_dir(folder.path().join("f")).unwrap().next().expect("a function").unwrap().path();
    let code = fs::read_dir(function.join("code")).unwrap().next().expect("a code").unwrap().path();
    let bytes = fs::read(code).unwrap();
    bytes.windows(fact.len()).any(|window| window == fact.as_bytes())
}

#[cache]
fn included() -> usize {
    include!("included/body.rs")
}

#[test]
fn what_an_included_file_takes_from_its_build_counts() {
    assert_eq!(included::compute(), 4 + "ndcache".len());
    for fact in [
        "include(included/body.rs)",
        "include(included/body.rs > words.txt)",
        "cfg(target_pointer_width = \"64\")",
        "env(CARGO_PKG_NAME)",
    ] {
        assert!(counts(included::call(), fact), "{fact}");
    }
}

#[cache]
fn behind_a_generic_parameter() -> usize {
    fn inner<#[cfg(windows)] T>() -> &'static str {
        include_str!("included/words.txt")
    }
    inner().len()
}

#[cache]
fn behind_a_parameter_of_a_closure() -> usize {
    (|#[cfg(windows)] _x: u8| include_str!("included/words.txt").len())()
}

#[test]
fn a_condition_of_a_parameter_hides_no_fact_of_the_body() {
    let file = "include(included/words.txt)";
    assert!(counts(behind_a_generic_parameter::call(), file));
    assert!(counts(behind_a_parameter_of_a_closure::call(), file));
}

#[cache]
fn renamed_outside() -> usize {
    words_of!("included/words.txt").len()
}

#[cache]
fn renamed_inside() -> usize {
    use std::{cfg as condition, env as variable, include_bytes as bytes};
    bytes!("included/words.txt").len() + variable!("CARGO_PKG_NAME").len() + usize::from(condition!(unix))
}

#[test]
fn a_macro_that_a_use_renames_is_known() {
    assert!(counts(renamed_outside::call(), "include(included/words.txt)"));
    for fact in ["include(included/words.txt)", "env(CARGO_PKG_NAME)", "cfg(unix)"] {
        assert!(counts(renamed_inside::call(), fact), "{fact}");
    }
}

#[code]
macro_rules! tripled {
    ($x:expr) => {
        $x * 3 + u64::from(cfg!(windows))
    };
}

#[cache(depends(tripled))]
fn by_a_macro(x: u64) -> u64 {
    tripled!(x)
}

#[test]
fn a_macro_of_the_users_counts_by_its_name() {
    assert!(counts(by_a_macro::call(2), "tripled"));
    assert!(counts(by_a_macro::call(2), "cfg(windows)"));
}

#[test]
fn the_edition_counts() {
    assert!(counts(included::call(), "edition"));
    assert!(counts(included::call(), "2024"));
}

#[cache]
fn through(memory: &Memory, x: u64) -> u64 {
    memory.eval(by_a_macro::call(x)) + 1
}

#[cache]
fn through_other_types(a: Memory, b: Option<&Memory>, c: std::sync::Arc<Memory>, x: u64) -> u64 {
    drop((a, b, c));
    x
}

#[test]
fn a_memory_as_an_argument_is_no_part_of_the_key() {
    let (_folder, memory) = fresh();
    let (_other_folder, other) = fresh();
    assert_eq!(memory.eval(through::call(&memory, 2)), 7);
    assert!(memory.contains(&through::call(&other, 2)));
    assert!(memory.contains(&through::call(&Memory::disabled(), 2)));
    assert!(!memory.contains(&through::call(&memory, 3)));

    memory.eval(through_other_types::call(other.clone(), None, memory.clone().into(), 1));
    assert!(memory.contains(&through_other_types::call(memory.clone(), Some(&other), other.clone().into(), 1)));

    let inner = &other;
    memory.eval(call!("named", |inner| inner.location().is_some()));
    let inner = &memory;
    assert!(memory.contains(&call!("named", |inner| inner.location().is_some())));
    let arguments = memory.entry(&through::call(&other, 2)).unwrap().unwrap();
    assert_eq!(arguments.arguments().len(), 1);
}

mod fragments {
    use super::*;

    #[code]
    pub(super) fn helper() -> f64 {
        2.0
    }

    #[code]
    #[allow(dead_code)]
    pub(super) struct Table(f64);

    macro_rules! cached {
        ($name:ident, $version:literal, $path:path, $ty:ty, $option:meta, $argument:ty, $step:literal, $text:literal, $kind:literal, $expr:expr) => {
            #[cache(version = $version, depends($path, $ty), $option, round(step = $step), name = $text, code = $kind, expires = $expr)]
            #[allow(dead_code)]
            pub(super) fn $name(x: $argument, step: f64, y: u8) -> f64 {
                let _ = y;
                x.sum() + step + helper()
            }

            #[code(version = $version, depends($path, $ty), handle = Coded)]
            #[allow(dead_code)]
            fn coded() {}
        };
    }

    macro_rules! nested {
        ($name:ident, $version:literal, $path:path, $ty:ty, $option:meta, $argument:ty, $step:literal, $text:literal, $kind:literal, $expr:expr) => {
            cached! { $name, $version, $path, $ty, $option, $argument, $step, $text, $kind, $expr }
        };
    }

    nested! {
        every, 3, self::helper, Table, ignore(y), &ArrayRef1<f64>, 1e-3, "every fragment", "body",
        std::time::Duration::from_secs(60 * 60)
    }

    macro_rules! whole {
        ($attribute:meta, $item:item $version:expr, $body:block, $vis:vis) => {
            #[$attribute]
            $item

            #[cache(version = $version)]
            $vis fn in_a_block(x: f64) -> f64 {
                in_the_block(x) + $body
            }
        };
    }

    whole! {
        cache(depends(helper)),
        pub(super) fn item(x: f64) -> f64 { x + helper() }
        7, { 1.0 }, pub(super)
    }

    fn in_the_block(x: f64) -> f64 {
        x
    }

    macro_rules! called {
        ($path:path, $name:literal, $expr:expr, $closure:expr, $version:literal, $x:ident) => {
            (
                call!($path(1.0), version = $version),
                call!($expr),
                call!($name, $closure),
                call!($name, |$x| $x + 1.0, version = $version),
            )
        };
    }

    pub(super) fn doubled(x: f64) -> f64 {
        2.0 * x
    }

    pub(super) fn calls(memory: &Memory) -> [f64; 4] {
        let z = 3.0;
        let (a, b, c, d) = called!(fragments::doubled, "closure", doubled(2.0), |z| z * z, 2, z);
        [memory.eval(a), memory.eval(b), memory.eval(c), memory.eval(d)]
    }

    use super::fragments;
}

#[test]
fn fragments_of_a_macro_are_options_paths_and_calls() {
    let (_folder, memory) = fresh();
    let x = array![1.0, 2.0];
    assert_eq!(memory.eval(fragments::every::call(&x, 1.0, 1)), 6.0);
    assert_eq!(memory.eval(fragments::every::call(&x, 1.0002, 2)), 6.0);
    assert_eq!(memory.stats().hits(), 1);
    assert_eq!(fragments::every::function().path(), "every fragment");
    assert!(counts(fragments::every::call(&x, 1.0, 1), "helper"));
    assert!(counts(fragments::every::call(&x, 1.0, 1), "Table"));
    assert_eq!(memory.eval(fragments::item::call(1.0)), 3.0);
    assert_eq!(memory.eval(fragments::in_a_block::call(1.0)), 2.0);
    assert_eq!(fragments::calls(&memory), [2.0, 4.0, 9.0, 4.0]);
}
