//! What counts of the code: the types around a closure, the tokens of a macro, the module that a body asks for.

use ndcache::{Memory, call};

use crate::support::fresh;

trait Scale {
    const SCALE: f64;
}
struct Two;
struct Three;
impl Scale for Two {
    const SCALE: f64 = 2.0;
}
impl Scale for Three {
    const SCALE: f64 = 3.0;
}

#[test]
fn a_named_closure_in_a_generic_function_counts_its_types() {
    fn scaled<T: Scale>(memory: &Memory, x: f64) -> f64 {
        memory.eval(call!("scaled", |x| x * T::SCALE))
    }
    let (_folder, memory) = fresh();
    assert_eq!(scaled::<Two>(&memory, 5.0), 10.0);
    assert_eq!(scaled::<Three>(&memory, 5.0), 15.0);
}

#[test]
fn a_named_closure_in_a_generic_function_counts_its_constants() {
    fn added<const N: u64>(memory: &Memory, x: u64) -> u64 {
        memory.eval(call!("added", |x| x + N))
    }
    let (_folder, memory) = fresh();
    assert_eq!(added::<2>(&memory, 5), 7);
    assert_eq!(added::<3>(&memory, 5), 8);
}

#[test]
fn a_named_closure_in_a_generic_function_hits() {
    fn tripled<T: Scale>(memory: &Memory) -> bool {
        let x = 3.0;
        let stored = memory.contains(&call!("tripled", |x| 3.0 * x * T::SCALE));
        memory.eval(call!("tripled", |x| 3.0 * x * T::SCALE));
        stored
    }
    let (_folder, memory) = fresh();
    assert!(!tripled::<Two>(&memory));
    assert!(tripled::<Two>(&memory));
    assert!(!tripled::<Three>(&memory));
}

macro_rules! counted {
    ($($item:expr),*) => { 0_u64 $(+ { let _ = $item; 1 })* };
    ($($item:expr),*,) => { 100_u64 };
}

macro_rules! by_path {
    ($m:path, $($arg:tt)*) => {
        #[ndcache::cache(name = "macro by path")]
        #[allow(dead_code)] // Only its companion is used.
        pub(super) fn f() -> u64 {
            $m!($($arg)*)
        }
    };
}

mod without_comma {
    by_path!(counted, 1, 2);
}

mod with_comma {
    by_path!(counted, 1, 2,);
}

#[test]
fn tokens_of_a_macro_named_by_a_path_all_count() {
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(without_comma::f::call()), without_comma::f::compute());
    assert_eq!(memory.eval(with_comma::f::call()), with_comma::f::compute());
    assert_ne!(with_comma::f::compute(), without_comma::f::compute());
}

mod one_module {
    #[ndcache::cache(name = "a module's path")]
    pub(super) fn f() -> String {
        module_path!().to_owned()
    }
}

mod another_module {
    #[ndcache::cache(name = "a module's path")]
    pub(super) fn f() -> String {
        module_path!().to_owned()
    }
}

#[test]
fn the_module_that_a_body_asks_for_is_a_part_of_its_code() {
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(one_module::f::call()), one_module::f::compute());
    assert_eq!(memory.eval(another_module::f::call()), another_module::f::compute());
    assert_ne!(one_module::f::compute(), another_module::f::compute());
}

#[ndcache::cache(code = "build")]
fn line() -> u32 {
    line!()
}

#[test]
fn a_body_that_counts_by_its_build_may_ask_for_its_line() {
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(line::call()), line::compute());
}
