//! Functions and types of one name: each has entries of its own, or none.

#![allow(clippy::type_complexity, reason = "what is tested stands in closures")]

use std::marker::PhantomData;

use ndarray::prelude::*;
use ndcache::{ContentHash, Memory, Payload, cache, call};
use serde::Serialize;

use super::dynamic_types::{Shape, area};
use crate::support::fresh;

/// Asserts that every value is that of the plain expression, whichever case comes first; returns how many results were
/// stored.
pub(super) fn check(cases: &[(&dyn Fn(&Memory) -> f64, f64)]) -> usize {
    let mut stored = 0;
    for first in 0..cases.len() {
        let (_folder, memory) = fresh();
        for _ in 0..2 {
            for (evaluate, expected) in cases[first..].iter().chain(&cases[..first]) {
                assert_eq!(evaluate(&memory), *expected, "case {first} first");
            }
        }
        stored = memory.entries().count();
    }
    stored
}

pub(super) struct Two;
pub(super) struct Three;

const _: () = {
    #[cache]
    fn unnamed(x: f64) -> f64 {
        x * 2.0
    }

    #[cache(name = "hostile: in a constant, twice")]
    fn named(x: f64) -> f64 {
        x * K
    }

    const K: f64 = 2.0;

    #[derive(ContentHash)]
    struct Hashed;

    impl InConstant for Two {
        fn unnamed(memory: &Memory) -> f64 {
            memory.eval(unnamed::call(1.0))
        }

        fn named(memory: &Memory) -> f64 {
            memory.eval(named::call(1.0))
        }

        fn hashed(memory: &Memory) -> f64 {
            memory.eval(scaled::call(Scaled(Hashed), K))
        }
    }

    impl Factor for Hashed {
        const FACTOR: f64 = 1.0;
    }
};

const _: () = {
    #[cache]
    fn unnamed(x: f64) -> f64 {
        x * 2.0 + 1.0
    }

    #[cache(name = "hostile: in a constant, thrice")]
    fn named(x: f64) -> f64 {
        x * K
    }

    const K: f64 = 3.0;

    #[derive(ContentHash)]
    struct Hashed;

    impl InConstant for Three {
        fn unnamed(memory: &Memory) -> f64 {
            memory.eval(unnamed::call(1.0))
        }

        fn named(memory: &Memory) -> f64 {
            memory.eval(named::call(1.0))
        }

        fn hashed(memory: &Memory) -> f64 {
            memory.eval(scaled::call(Scaled(Hashed), K - 1.0))
        }
    }

    impl Factor for Hashed {
        const FACTOR: f64 = 1.5;
    }
};

trait InConstant {
    fn unnamed(memory: &Memory) -> f64;
    fn named(memory: &Memory) -> f64;
    fn hashed(memory: &Memory) -> f64;
}

trait Factor {
    const FACTOR: f64;
}

#[derive(ContentHash)]
struct Scaled<T>(T);

#[cache]
fn scaled<T: Factor + ContentHash>(value: Scaled<T>, x: f64) -> f64 {
    drop(value);
    x * T::FACTOR
}

#[test]
fn what_stands_in_an_unnamed_constant_bypasses_the_cache_and_asks_for_a_name() {
    assert_eq!(check(&[(&|m| <Two as InConstant>::unnamed(m), 2.0), (&|m| <Three as InConstant>::unnamed(m), 3.0)]), 0);
    assert_eq!(check(&[(&|m| <Two as InConstant>::hashed(m), 2.0), (&|m| <Three as InConstant>::hashed(m), 3.0)]), 0);
    let told = crate::support::warnings(|| {
        let (_folder, memory) = fresh();
        <Two as InConstant>::unnamed(&memory);
        <Two as InConstant>::hashed(&memory);
    });
    assert!(told[0].contains("name = ") && told[0].contains("constant `_`"), "{told:?}");
    assert!(told[1].contains("constant `_`"), "{told:?}");
}

#[test]
fn functions_in_unnamed_constants_are_cached_under_names_of_their_own() {
    assert_eq!(check(&[(&|m| <Two as InConstant>::named(m), 2.0), (&|m| <Three as InConstant>::named(m), 3.0)]), 2);
}

/// In each branch the same text, but for the constant.
macro_rules! branches {
    ($first:expr, |$k:ident| $($body:tt)*) => {
        if $first {
            const $k: f64 = 2.0;
            $($body)*
        } else {
            const $k: f64 = 3.0;
            $($body)*
        }
    };
}

pub(super) use branches;

#[cache]
fn by_type<T: Factor>(x: f64) -> f64 {
    x * T::FACTOR
}

#[cache]
fn by_value<T: Factor + Serialize>(value: T) -> f64 {
    drop(value);
    T::FACTOR
}

#[cache]
fn by_result<T: Made + Payload>() -> T {
    T::made()
}

trait Made {
    fn made() -> Self;
}

fn sibling_function(memory: &Memory, first: bool) -> f64 {
    branches!(first, |K| {
        #[cache]
        fn same(x: f64) -> f64 {
            x * K
        }
        memory.eval(same::call(1.0))
    })
}

fn sibling_call(memory: &Memory, first: bool) -> f64 {
    branches!(first, |K| {
        fn same(x: f64) -> f64 {
            x * K
        }
        memory.eval(call!(same(1.0)))
    })
}

fn sibling_given_name(memory: &Memory, first: bool) -> f64 {
    branches!(first, |K| {
        #[cache(name = "sibling with a name")]
        fn same(x: f64) -> f64 {
            x * K
        }
        memory.eval(same::call(1.0))
    })
}

fn sibling_type(memory: &Memory, first: bool) -> f64 {
    branches!(first, |K| {
        struct Same;
        impl Factor for Same {
            const FACTOR: f64 = K;
        }
        memory.eval(by_type::call::<Same>(1.0))
    })
}

fn sibling_argument(memory: &Memory, first: bool) -> f64 {
    branches!(first, |K| {
        #[derive(Serialize)]
        struct Same(f64);
        impl Factor for Same {
            const FACTOR: f64 = K;
        }
        memory.eval(by_value::call(Same(1.0)))
    })
}

fn sibling_hash(memory: &Memory, first: bool) -> f64 {
    branches!(first, |K| {
        #[derive(ContentHash)]
        struct Same(f64);
        impl Factor for Same {
            const FACTOR: f64 = K;
        }
        memory.eval(scaled::call(Scaled(Same(1.0)), 1.0))
    })
}

fn sibling_result(memory: &Memory, first: bool) -> f64 {
    branches!(first, |K| {
        #[derive(Payload)]
        struct Same(f64);
        impl Made for Same {
            fn made() -> Self {
                Self(K)
            }
        }
        memory.eval(by_result::call::<Same>()).0
    })
}

fn sibling_self(memory: &Memory, first: bool) -> f64 {
    branches!(first, |K| {
        struct Same;
        impl Same {
            #[cache(method)]
            fn scaled(x: f64) -> f64 {
                x * K
            }
        }
        memory.eval(Same::scaled_call(1.0))
    })
}

fn sibling_shape(memory: &Memory, first: bool) -> f64 {
    branches!(first, |K| {
        struct Same;
        impl ContentHash for Same {
            fn content_hash(&self, hasher: &mut ndcache::hash::ContentHasher) {
                hasher.unit();
            }
        }
        impl Shape for Same {
            fn area(&self) -> f64 {
                K
            }
        }
        memory.eval(area::call(&Same))
    })
}

type Sibling = fn(&Memory, bool) -> f64;

#[test]
fn functions_and_types_of_one_name_in_sibling_blocks_share_nothing() {
    let siblings: [(Sibling, usize); 9] = [
        (sibling_call, 2),
        (sibling_function, 2),
        (sibling_given_name, 2),
        (sibling_type, 1),
        (sibling_argument, 1),
        (sibling_hash, 1),
        (sibling_result, 1),
        (sibling_self, 2),
        (sibling_shape, 1),
    ];
    for (at, (evaluate, stored)) in siblings.into_iter().enumerate() {
        assert_eq!(check(&[(&|m| evaluate(m, true), 2.0), (&|m| evaluate(m, false), 3.0)]), stored, "{at}");
    }
}

#[test]
fn a_build_step_is_not_up_to_date_with_another_type_of_its_name() {
    #[cache]
    fn table<T: Factor>() -> Array1<f64> {
        array![T::FACTOR]
    }
    fn made(memory: &Memory, path: &std::path::Path, first: bool) -> f64 {
        branches!(first, |K| {
            struct Same;
            impl Factor for Same {
                const FACTOR: f64 = K;
            }
            let made: Array1<f64> = memory.make(table::call::<Same>(), ndcache::make::NpyFile::new(path)).unwrap();
            made[0]
        })
    }
    let (folder, memory) = fresh();
    let path = folder.path().join("table.npy");
    for first in [true, true, false, false, true] {
        assert_eq!(made(&memory, &path, first), if first { 2.0 } else { 3.0 });
    }
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (2, 3));
}

struct Metres;
struct Feet;

trait Unit {
    type Kind;

    fn factor(&self) -> f64;
}

impl Unit for Metres {
    type Kind = Metres;

    fn factor(&self) -> f64 {
        2.0
    }
}

impl Unit for Feet {
    type Kind = Feet;

    fn factor(&self) -> f64 {
        3.0
    }
}

trait Convert<U> {
    fn convert(&self) -> f64;
}

impl Convert<Metres> for f64 {
    fn convert(&self) -> f64 {
        2.0 * self
    }
}

impl Convert<Feet> for f64 {
    fn convert(&self) -> f64 {
        3.0 * self
    }
}

#[cache(ignore(_unit))]
fn inline<U, T: Convert<U> + ContentHash>(x: T, _unit: PhantomData<U>) -> f64 {
    x.convert()
}

#[cache(ignore(_unit))]
fn in_where<U, T>(x: T, _unit: PhantomData<U>) -> f64
where
    T: Convert<U> + ContentHash,
{
    x.convert()
}

#[cache(ignore(_unit))]
fn associated<U, T>(x: T, _unit: &U) -> f64
where
    U: Unit,
    T: Convert<U::Kind> + ContentHash,
{
    x.convert()
}

#[cache(ignore(_unit), round(x = 0.5))]
fn rounded<U>(x: f64, _unit: U) -> f64
where
    f64: Convert<U>,
{
    Convert::<U>::convert(&x)
}

#[cache(ignore(unit))]
fn opaque(x: f64, unit: impl Unit) -> f64 {
    x * unit.factor()
}

#[cache(ignore(unit))]
fn opaque_reference(x: f64, unit: &impl Unit) -> f64 {
    x * unit.factor()
}

#[cache(ignore(_size))]
fn by_size<const N: usize>(x: f64, _size: [u8; N]) -> f64 {
    x * N as f64
}

#[test]
fn an_ignored_argument_leaves_out_no_parameter_that_a_bound_uses() {
    let x = 1.0;
    let cases: [[Box<dyn Fn(&Memory) -> f64>; 2]; 7] = [
        [
            Box::new(move |m| m.eval(inline::call(x, PhantomData::<Metres>))),
            Box::new(move |m| m.eval(inline::call(x, PhantomData::<Feet>))),
        ],
        [
            Box::new(move |m| m.eval(in_where::call(x, PhantomData::<Metres>))),
            Box::new(move |m| m.eval(in_where::call(x, PhantomData::<Feet>))),
        ],
        [
            Box::new(move |m| m.eval(associated::call(x, &Metres))),
            Box::new(move |m| m.eval(associated::call(x, &Feet))),
        ],
        [Box::new(move |m| m.eval(rounded::call(x, Metres))), Box::new(move |m| m.eval(rounded::call(x, Feet)))],
        [Box::new(move |m| m.eval(opaque::call(x, Metres))), Box::new(move |m| m.eval(opaque::call(x, Feet)))],
        [
            Box::new(move |m| m.eval(opaque_reference::call(x, &Metres))),
            Box::new(move |m| m.eval(opaque_reference::call(x, &Feet))),
        ],
        [Box::new(move |m| m.eval(by_size::call(x, [0; 2]))), Box::new(move |m| m.eval(by_size::call(x, [0; 3])))],
    ];
    for [metres, feet] in &cases {
        assert_eq!(check(&[(metres, 2.0), (feet, 3.0)]), 2);
    }
}
