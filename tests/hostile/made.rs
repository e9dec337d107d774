//! Functions that macros make from one text: their keys differ wherever what stands around them does, in one build and
//! from one build to the next.

use ndcache::{ContentHash, Memory, cache};

use crate::support::fresh;

/// How a call is evaluated, and the value of the plain function.
type Case<'a> = (&'a dyn Fn(&Memory) -> u64, u64);

/// Asserts that the calls have keys of their own, and that each value is that of the plain function, whichever comes first.
fn check<const N: usize>(cases: [Case<'_>; N]) {
    let mut keys: Vec<String> = cases.iter().map(|(evaluate, _)| key(evaluate)).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), N, "functions share a key: {keys:?}");
    for first in 0..N {
        let (_folder, memory) = fresh();
        for (evaluate, expected) in cases[first..].iter().chain(&cases[..first]).chain(&cases) {
            assert_eq!(evaluate(&memory), *expected, "case {first} first");
        }
    }
}

/// The key under which a call is stored.
fn key(evaluate: &dyn Fn(&Memory) -> u64) -> String {
    let (_folder, memory) = fresh();
    evaluate(&memory);
    let entries: Vec<_> = memory.entries().map(|entry| entry.unwrap()).collect();
    assert_eq!(entries.len(), 1, "one call, one entry");
    format!("{} {}", entries[0].function(), entries[0].key())
}

#[derive(ContentHash)]
struct Unit;

#[derive(ContentHash)]
struct Other;

/// The name of an argument is passed, so that the attribute isn't told that a trait's method stands under it.
macro_rules! traits {
    ($x:ident, $($name:ident $k:literal),*) => {$(
        trait $name: ContentHash + Sized {
            fn constant() -> u64 {
                $k
            }

            #[cache]
            fn scaled(&self, $x: u64) -> u64 {
                $x * Self::constant()
            }
        }
        impl $name for Unit {}
        impl $name for Other {}
    )*};
}

traits!(x, Twice 2, Thrice 3);

mod inner {
    use super::{ContentHash, Other, Unit, cache};
    traits!(x, Twice 5);

    pub(super) fn called(memory: &ndcache::Memory) -> u64 {
        memory.eval(Unit.scaled_call(1))
    }
}

#[test]
fn methods_that_traits_of_one_text_provide_have_keys_of_their_own() {
    check([
        (&|m| m.eval(Twice::scaled_call(&Unit, 1)), 2),
        (&|m| m.eval(Thrice::scaled_call(&Unit, 1)), 3),
        (&|m| m.eval(Twice::scaled_call(&Other, 1)), 2),
        (&|m| m.eval(Thrice::scaled_call(&Other, 1)), 3),
        (&|m| inner::called(m), 5),
    ]);
    let (_folder, memory) = fresh();
    memory.eval(Twice::scaled_call(&Unit, 1));
    let entry = memory.entries().next().unwrap().unwrap();
    assert!(entry.function().ends_with("made::Unit as ndcache::hostile::made::Twice>::scaled"), "{}", entry.function());
}

macro_rules! generic_trait {
    ($name:ident, $x:ident) => {
        trait $name<U: Default + Into<u64>>: ContentHash + Sized {
            #[cache]
            fn converted(&self, $x: u64) -> u64 {
                $x + size_of::<U>() as u64 + U::default().into()
            }
        }
        impl<U: Default + Into<u64>> $name<U> for Unit {}
    };
}

generic_trait!(Convert, x);

#[test]
fn a_provided_method_counts_the_types_of_its_trait() {
    check([
        (&|m| m.eval(Convert::<u8>::converted_call(&Unit, 1)), 2),
        (&|m| m.eval(Convert::<u16>::converted_call(&Unit, 1)), 3),
        (&|m| m.eval(Convert::<u64>::converted_call(&Unit, 1)), 9),
    ]);
}

struct Two;
struct Three;

macro_rules! implement {
    ($($type:ident $k:literal),*) => {$(
        impl $type {
            const K: u64 = $k;

            #[cache(method)]
            fn times(x: u64) -> u64 {
                x * Self::K
            }
        }
    )*};
}

implement!(Two 2, Three 3);

#[test]
fn methods_of_types_that_one_macro_implements_have_keys_of_their_own() {
    check([(&|m| m.eval(Two::times_call(1)), 2), (&|m| m.eval(Three::times_call(1)), 3)]);
}

/// Makes a module with a function and what it calls.
macro_rules! module {
    ($name:ident $k:literal) => {
        mod $name {
            const K: u64 = $k;

            #[allow(dead_code)]
            #[ndcache::cache]
            pub(super) fn times(x: u64) -> u64 {
                x * K
            }
        }
    };
}

module!(two 2);
module!(three 3);

/// Makes a macro, which in turn makes the function.
macro_rules! nested {
    ($module:ident $make:ident $k:literal) => {
        mod $module {
            const K: u64 = $k;
            macro_rules! $make {
                ($f:ident) => {
                    #[ndcache::cache]
                    pub(crate) fn $f(x: u64) -> u64 {
                        x * K
                    }
                };
            }
            #[allow(dead_code)]
            mod made {
                use super::K;
                $make!(times);
            }
            pub(super) use made::times;
        }
    };
}

nested!(nested_two make 2);
nested!(nested_three make 3);

mod included_two {
    const K: u64 = 2;
    include!("included/times.rs");
}

mod included_three {
    const K: u64 = 3;
    include!("included/times.rs");
}

#[test]
fn functions_of_one_text_in_two_modules_have_keys_of_their_own() {
    check([
        (&|m| m.eval(two::times::call(1)), 2),
        (&|m| m.eval(three::times::call(1)), 3),
        (&|m| m.eval(nested_two::times::call(1)), 2),
        (&|m| m.eval(nested_three::times::call(1)), 3),
        (&|m| m.eval(included_two::times::call(1)), 2),
        (&|m| m.eval(included_three::times::call(1)), 3),
    ]);
}

macro_rules! named {
    ($($f:ident $k:ident $value:literal),*) => {$(
        const $k: u64 = $value;

        #[cache]
        fn $f(x: u64) -> u64 {
            x * $k
        }
    )*};
}

named!(by_two K_TWO 2, by_three K_THREE 3);

#[test]
fn functions_that_one_macro_names_have_keys_of_their_own() {
    check([(&|m| m.eval(by_two::call(1)), 2), (&|m| m.eval(by_three::call(1)), 3)]);
}
