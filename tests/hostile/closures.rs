//! Named closures: what stands around one tells it from another of its name.

#![allow(clippy::redundant_closure_call, reason = "what is tested stands in closures")]

use ndcache::{Memory, call};

use super::identity::{Three, Two, branches, check};
use crate::support::fresh;

/// Places for closures, which differ in what stands around them.
trait Work {
    const K: f64;

    fn run(memory: &Memory) -> f64;

    fn inside(&self, memory: &Memory) -> f64;
}

impl Two {
    const FACTOR: f64 = 2.0;

    fn inherent(memory: &Memory, x: f64) -> f64 {
        memory.eval(call!("inherent", |x| x * Self::FACTOR))
    }
}

impl Three {
    const FACTOR: f64 = 3.0;

    fn inherent(memory: &Memory, x: f64) -> f64 {
        memory.eval(call!("inherent", |x| x * Self::FACTOR))
    }
}

macro_rules! work {
    ($($type:ident $k:literal),*) => {$(
        impl Work for $type {
            const K: f64 = $k;

            fn run(memory: &Memory) -> f64 {
                let x = 1.0;
                memory.eval(call!("of a trait", |x| x * <Self as Work>::K))
            }

            fn inside(&self, memory: &Memory) -> f64 {
                let both = [1.0, 1.0].map(|x| (|| memory.eval(call!("inside", |x| x * <Self as Work>::K)))());
                both[0].max(both[1])
            }
        }
    )*};
}

mod two {
    const K: f64 = 2.0;

    pub(super) fn free(memory: &ndcache::Memory, x: f64) -> f64 {
        memory.eval(ndcache::call!("in a module", |x| x * K))
    }
}

mod three {
    const K: f64 = 3.0;

    pub(super) fn free(memory: &ndcache::Memory, x: f64) -> f64 {
        memory.eval(ndcache::call!("in a module", |x| x * K))
    }
}

#[test]
fn a_named_closure_counts_the_module_type_and_trait_around_it() {
    assert_eq!(check(&[(&|m| two::free(m, 1.0), 2.0), (&|m| three::free(m, 1.0), 3.0)]), 2);
    assert_eq!(check(&[(&|m| Two::inherent(m, 1.0), 2.0), (&|m| Three::inherent(m, 1.0), 3.0)]), 2);
    assert_eq!(check(&[(&|m| Two::run(m), 2.0), (&|m| Three::run(m), 3.0)]), 2);
}

#[test]
fn a_named_closure_in_a_provided_method_counts_self() {
    trait Provides {
        const K: f64;

        fn provided(memory: &Memory, x: f64) -> f64 {
            memory.eval(call!("provided for all", |x| x * Self::K))
        }
    }
    impl Provides for Two {
        const K: f64 = 2.0;
    }
    impl Provides for Three {
        const K: f64 = 3.0;
    }
    assert_eq!(check(&[(&|m| Two::provided(m, 1.0), 2.0), (&|m| Three::provided(m, 1.0), 3.0)]), 2);
}

#[test]
fn a_named_closure_is_cached_inside_closures_of_a_traits_method() {
    assert_eq!(check(&[(&|m| Two.inside(m), 2.0), (&|m| Three.inside(m), 3.0)]), 2);
    let (_folder, memory) = fresh();
    assert_eq!(Two.inside(&memory), 2.0);
    assert_eq!((memory.stats().hits(), memory.stats().misses(), memory.stats().faults()), (1, 1, 0));
}

mod four {
    pub(super) fn factor() -> f64 {
        4.0
    }
}

mod five {
    pub(super) fn factor() -> f64 {
        5.0
    }
}

fn in_blocks(memory: &Memory, first: bool) -> f64 {
    let x = 1.0;
    if first {
        const K: f64 = 2.0;
        memory.eval(call!("in blocks", |x| x * K))
    } else {
        const K: f64 = 3.0;
        memory.eval(call!("in blocks", |x| x * K))
    }
}

fn imported_in_blocks(memory: &Memory, first: bool) -> f64 {
    let x = 1.0;
    if first {
        use four::factor;
        memory.eval(call!("imported in blocks", |x| x * factor()))
    } else {
        use five::factor;
        memory.eval(call!("imported in blocks", |x| x * factor()))
    }
}

#[test]
fn named_closures_in_sibling_blocks_share_nothing_that_the_blocks_declare() {
    assert_eq!(check(&[(&|m| in_blocks(m, true), 2.0), (&|m| in_blocks(m, false), 3.0)]), 2);
    let imported: fn(&Memory, bool) -> f64 = imported_in_blocks;
    assert_eq!(check(&[(&|m| imported(m, true), 4.0), (&|m| imported(m, false), 5.0)]), 2);
}

#[test]
fn two_places_of_one_function_that_write_a_named_closure_alike_share_it() {
    let (_folder, memory) = fresh();
    let x = 3.0;
    assert!(!memory.contains(&call!("alike", |x| x * 2.0)));
    assert_eq!(memory.eval(call!("alike", |x| x * 2.0)), 6.0);
    assert!(memory.contains(&call!("alike", |x| x * 2.0)));
    let twice = || memory.eval(call!("alike", |x| x * 2.0));
    assert_eq!(twice(), 6.0);
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 1));
}

work! { Two 2.0, Three 3.0 }

/// A macro puts this one closure into both branches.
fn sibling_closure(memory: &Memory, first: bool) -> f64 {
    let x = 1.0;
    branches!(first, |K| memory.eval(call!("sibling", |x| x * K)))
}

fn sibling_closure_in_a_function(memory: &Memory, first: bool) -> f64 {
    branches!(first, |K| {
        fn inner(memory: &Memory, x: f64) -> f64 {
            memory.eval(call!("sibling in a function", |x| x * K))
        }
        inner(memory, 1.0)
    })
}

fn sibling_closure_in_an_impl(memory: &Memory, first: bool) -> f64 {
    branches!(first, |K| {
        struct Same;
        impl Same {
            fn inner(memory: &Memory, x: f64) -> f64 {
                memory.eval(call!("sibling in an impl", |x| x * K))
            }
        }
        Same::inner(memory, 1.0)
    })
}

/// The closure is written once, in a macro that is called twice.
fn closures_of_one_macro(memory: &Memory, first: bool) -> f64 {
    macro_rules! scaled {
        ($k:expr) => {{
            const K: f64 = $k;
            let x = 1.0;
            memory.eval(call!("of one macro", |x| x * K))
        }};
    }
    if first { scaled!(2.0) } else { scaled!(3.0) }
}

/// Both closures get their name from one literal.
macro_rules! two_closures {
    ($memory:ident, $first:ident, $name:literal) => {{
        let x = 1.0;
        if $first {
            const K: f64 = 2.0;
            $memory.eval(call!($name, |x| x * K))
        } else {
            const K: f64 = 3.0;
            $memory.eval(call!($name, |x| x * K))
        }
    }};
}

fn closures_in_one_macro(memory: &Memory, first: bool) -> f64 {
    two_closures!(memory, first, "in one macro")
}

#[rustfmt::skip]
fn closures_in_one_line(memory: &Memory, x: f64, first: bool) -> f64 {
    if first { const K: f64 = 2.0; memory.eval(call!("one line", |x| x * K)) } else { const K: f64 = 3.0; memory.eval(call!("one line", |x| x * K)) }
}

#[test]
fn closures_of_one_text_in_blocks_that_macros_make_share_nothing() {
    let siblings: [fn(&Memory, bool) -> f64; 6] = [
        sibling_closure,
        sibling_closure_in_a_function,
        sibling_closure_in_an_impl,
        closures_of_one_macro,
        closures_in_one_macro,
        |memory, first| closures_in_one_line(memory, 1.0, first),
    ];
    for (at, evaluate) in siblings.into_iter().enumerate() {
        assert_eq!(check(&[(&|m| evaluate(m, true), 2.0), (&|m| evaluate(m, false), 3.0)]), 2, "{at}");
    }
}

/// Calls one closure of the text once.
macro_rules! doubled {
    ($memory:expr) => {{
        let x = 4.0;
        $memory.eval(call!("copies", |x| x * 2.0))
    }};
}

#[test]
fn copies_of_a_closure_in_blocks_that_declare_nothing_share_it() {
    let (_folder, memory) = fresh();
    assert_eq!((doubled!(memory), doubled!(memory)), (8.0, 8.0));
    assert_eq!((memory.stats().hits(), memory.stats().misses(), memory.stats().faults()), (1, 1, 0));
}
