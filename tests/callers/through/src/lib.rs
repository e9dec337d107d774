//! Every macro with `crate = …`.
#![deny(warnings, missing_docs, unused, unreachable_pub, rust_2018_idioms, clippy::all, clippy::pedantic)]

use facade::inner::cached::{Call, ContentHash, Payload, call};
use facade::ndcache::{cache, code};

/// An argument and a result.
#[derive(Clone, Debug, PartialEq, ContentHash, Payload)]
#[ndcache(crate = facade::ndcache)]
pub struct Model {
    /// A field.
    pub scale: f64,
}

/// A method.
impl Model {
    /// Cached.
    #[cache(crate = "facade::inner::cached", depends(twice))]
    #[must_use]
    pub fn scaled(&self, x: f64) -> f64 {
        self.scale * twice(x)
    }
}

#[code(crate = facade::ndcache)]
fn twice(x: f64) -> f64 {
    2.0 * x
}

/// A function.
#[cache(crate = facade::ndcache, depends(twice, Model::scaled))]
#[must_use]
pub fn fitted(model: &Model, x: f64) -> Model {
    Model { scale: model.scaled(twice(x)) }
}

/// A closure with a name.
#[must_use = "a call does nothing until a memory evaluates it"]
pub fn named(x: f64) -> Call<impl Sized, f64> {
    call!("named", |x| x + 1.0, crate = facade::ndcache)
}

/// A function without an attribute.
#[must_use = "a call does nothing until a memory evaluates it"]
pub fn foreign(x: f64) -> Call<impl Sized, f64> {
    call!(f64::abs(x), version = 1, crate = facade::inner::cached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use facade::ndcache::Memory;

    #[test]
    fn every_macro_finds_the_crate_where_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        let model = Model { scale: 3.0 };
        for _ in 0..2 {
            assert_eq!(memory.eval(fitted::call(&model, 1.0)), Model { scale: 12.0 });
            assert!((memory.eval(model.scaled_call(1.0)) - 6.0).abs() < 1e-9);
            assert!((memory.eval(named(1.0)) - 2.0).abs() < 1e-9);
            assert!((memory.eval(foreign(-1.0)) - 1.0).abs() < 1e-9);
        }
        assert_eq!((memory.stats().hits(), memory.stats().misses()), (4, 5)); // one within `fitted`
    }
}
