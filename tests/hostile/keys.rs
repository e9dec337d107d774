//! Keys and stored values: wrong hits.

use ndcache::hash::ContentHasher;
use ndcache::{ContentHash, cache, call};
use serde::{Deserialize, Serialize};

use crate::support::fresh;

// ---- results: values that only serde knows

#[test]
fn numbers_come_back_by_their_bits() {
    #[derive(Serialize, Deserialize)]
    struct Bits {
        a: f32,
        b: f64,
    }
    #[cache]
    fn bits() -> (Bits, f32, f64, Vec<f32>) {
        let (a, b) = (f32::from_bits(0x7f80_0001), f64::from_bits(0xfff0_0000_0000_0001));
        (Bits { a, b }, a, b, vec![a, -0.0])
    }
    let (_folder, memory) = fresh();
    for _ in 0..2 {
        let (s, a, b, v) = memory.eval(bits::call());
        assert_eq!((s.a.to_bits(), s.b.to_bits()), (0x7f80_0001, 0xfff0_0000_0000_0001));
        assert_eq!((a.to_bits(), b.to_bits()), (0x7f80_0001, 0xfff0_0000_0000_0001));
        assert_eq!((v[0].to_bits(), v[1].to_bits()), (0x7f80_0001, (-0.0_f32).to_bits()));
    }
}

// ---- keys: call!

trait Scale {
    const SCALE: f64;
}

static ADDS: &(dyn Fn(f64) -> f64 + Sync) = &|x| x + 1.0;
static DOUBLES: &(dyn Fn(f64) -> f64 + Sync) = &|x| x * 2.0;

#[test]
fn a_static_closure_is_no_function_with_a_name() {
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(call!(ADDS(5.0), version = 1)), 6.0);
    assert_eq!(memory.eval(call!(DOUBLES(5.0), version = 1)), 10.0);
}

#[test]
fn a_static_closure_is_no_function_with_a_name_whatever_the_build() {
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(call!(ADDS(5.0))), 6.0);
    assert_eq!(memory.eval(call!(DOUBLES(5.0))), 10.0);
}

// ---- keys: type arguments whose names are not unique

#[cache]
fn scale_of<T: Scale>(x: f64) -> f64 {
    x * T::SCALE
}

#[test]
fn a_type_argument_from_a_closure_cannot_be_told_apart() {
    let (_folder, memory) = fresh();
    let one = || {
        struct Local;
        impl Scale for Local {
            const SCALE: f64 = 2.0;
        }
        memory.eval(scale_of::call::<Local>(5.0))
    };
    let other = || {
        struct Local;
        impl Scale for Local {
            const SCALE: f64 = 3.0;
        }
        memory.eval(scale_of::call::<Local>(5.0))
    };
    assert_eq!(one(), 10.0);
    assert_eq!(other(), 15.0);
}

#[test]
fn a_closure_as_a_type_argument_cannot_be_told_apart() {
    struct Boxed<F>(F);
    impl<F> ContentHash for Boxed<F> {
        fn content_hash(&self, hasher: &mut ContentHasher) {
            hasher.unit();
        }
    }
    #[cache]
    fn apply(f: Boxed<impl Fn(f64) -> f64>, x: f64) -> f64 {
        (f.0)(x)
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(apply::call(Boxed(|x| x + 1.0), 5.0)), 6.0);
    assert_eq!(memory.eval(apply::call(Boxed(|x| x * 2.0), 5.0)), 10.0);
}
