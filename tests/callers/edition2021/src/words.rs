//! Names that are keywords since edition 2024, and raw ones.

use ndcache::{ContentHash, Payload, cache};

mod helpers {
    #[ndcache::code]
    pub(super) fn gen(x: u32) -> u32 {
        x
    }

    #[ndcache::code]
    pub(super) const fn r#type() -> u32 {
        1
    }
}

/// A function, its arguments and its helpers.
#[cache(ignore(gen), depends(helpers::gen, helpers::r#type))]
#[must_use]
pub fn gen(gen: u32, x: u32) -> u32 {
    helpers::gen(x) + helpers::r#type() + gen - gen
}

/// An argument with a step.
#[cache(round(gen = 1e-3))]
#[must_use]
pub fn rounded(gen: f64) -> f64 {
    gen
}

/// A field.
#[derive(Clone, Debug, PartialEq, ContentHash, Payload)]
pub struct Random {
    gen: u32,
}

impl Random {
    /// A method, and a type parameter.
    #[cache]
    #[allow(non_camel_case_types)]
    #[must_use]
    pub fn gen<gen: ContentHash + Into<u32>>(&self, x: gen) -> u32 {
        self.gen + x.into()
    }
}

#[cfg(test)]
mod tests {
    use super::{Random, gen, rounded};
    use ndcache::{Memory, call};

    #[test]
    fn names_that_a_later_edition_reserves_are_names() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        let random = Random { gen: 1 };
        let gen = 2_u32;
        for _ in 0..2 {
            assert_eq!(memory.eval(gen::call(gen, 2)), 3);
            assert_eq!(memory.eval(random.gen_call(2_u8)), 3);
            assert!(memory.eval(rounded::call(1.0)) > 0.5);
            assert_eq!(memory.eval(call!("gen", |gen| gen + 1)), 3);
        }
        assert!(memory.contains(&gen::call(7, 2)));
        assert!(gen::function().path().ends_with("words::gen"));
        assert_eq!((memory.stats().hits(), memory.stats().misses()), (4, 4));
    }
}
