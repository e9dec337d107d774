//! A caller of edition 2015, in which paths of `use` begin at the root.
#![deny(warnings, missing_docs, unused)]

extern crate ndarray;
extern crate ndcache;

use ndarray::{Array1, ArrayRef1};
use ndcache::{ContentHash, Payload, cache, code};

/// An argument and a result.
#[derive(Clone, Debug, PartialEq, ContentHash, Payload)]
pub struct Model {
    /// An array.
    pub scale: Array1<f64>,
}

/// A module, which sees nothing of the root.
pub mod inner {
    use ndcache::{cache, code};

    #[code]
    fn helper(x: f64) -> f64 {
        x
    }

    /// A function with a helper beside it.
    #[cache(depends(helper))]
    pub fn helped(x: f64) -> f64 {
        helper(x)
    }
}

/// A function.
#[cache(ignore(verbose), depends(inner::helped, twice))]
pub fn fitted(x: &ArrayRef1<f64>, verbose: bool) -> Model {
    if verbose {
        println!("fitting");
    }
    Model { scale: x.mapv(twice) }
}

#[code]
fn twice(x: f64) -> f64 {
    2.0 * x
}

#[cfg(test)]
mod tests {
    extern crate tempfile;

    use ndarray::Array1;
    use ndcache::{Memory, call};

    use super::{fitted, inner};

    #[test]
    fn a_caller_of_edition_2015_hits() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        let x = Array1::from(vec![1.0, 2.0]);
        for _ in 0..2 {
            assert_eq!(memory.eval(fitted::call(&x, true)).scale[1], 4.0);
            assert_eq!(memory.eval(inner::helped::call(1.0)), 1.0);
            let y = x.sum();
            assert_eq!(memory.eval(call!("named", |y| 2.0 * y)), 6.0);
        }
        assert_eq!((memory.stats().hits(), memory.stats().misses()), (3, 3));
    }
}
