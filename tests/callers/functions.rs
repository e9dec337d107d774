//! What the macros accept, silent under every lint. The packages beside this file compile it as edition 2021 under another
//! name of the crate, and as edition 2024.
#![deny(warnings, missing_docs, unused, unreachable_pub, rust_2018_idioms, clippy::all, clippy::pedantic)]

use ndarray::prelude::*;
use ndcache::{ContentHash, Mapped1, Payload, cache, call, code};

/// Free, with hidden lifetimes in a view.
#[cache]
#[must_use]
#[allow(elided_lifetimes_in_paths, clippy::needless_pass_by_value)]
pub fn scaled(factor: f64, x: ArrayView1<f64>) -> Array1<f64> {
    &x * factor
}

/// Fails.
///
/// # Errors
/// When the text is no number.
#[cache(version = 2, depends(scaled, helper, CONSTANT, TABLE, Table, Shape<f64>, PARSING), ignore(verbose))]
pub fn parsed(text: &str, verbose: bool) -> Result<u32, std::num::ParseIntError> {
    if verbose {
        println!("parsing");
    }
    text.parse::<u32>().map(|x| x + helper())
}

#[code]
fn helper() -> u32 {
    CONSTANT + TABLE[0]
}

#[code(depends(helper), version = 1)]
const CONSTANT: u32 = 3;

#[code]
static TABLE: [u32; 2] = [1, 2];

/// A struct, with code for its definition and for its methods.
#[code]
#[derive(Debug, Clone, Default, PartialEq, ContentHash, Payload)]
pub struct Table {
    /// Rows.
    pub rows: Vec<f64>,
    /// An array.
    pub image: Array2<f32>,
    other: u32,
}

#[code]
impl Table {
    /// A new one.
    #[must_use]
    pub fn new(other: u32) -> Self {
        Self { rows: vec![1.0], image: Array2::zeros((2, 3)), other }
    }
}

#[code(handle = PARSING)]
impl std::str::FromStr for Table {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::new)
    }
}

/// An enum with every kind of variant.
#[code]
#[derive(Debug, Clone, PartialEq, ContentHash, Payload)]
pub enum Shape<T> {
    /// Unit.
    Unit,
    /// Tuple.
    Tuple(T, u32),
    /// Named, with a raw name.
    Named {
        /// Values.
        values: Vec<T>,
        /// Kind.
        r#type: u32,
    },
}

/// A tuple struct, and a unit struct in it.
#[derive(Debug, Clone, PartialEq, ContentHash, Payload)]
pub struct Pair<A, B: Clone>(pub A, B, Marker);

/// Unit.
#[derive(Debug, Clone, PartialEq, ContentHash, Payload)]
pub struct Marker;

/// No value exists.
#[derive(Debug, Clone, PartialEq, ContentHash, Payload)]
pub enum Never {}

/// Recursive, and generic over what it doesn't hold.
#[derive(Debug, Clone, PartialEq, ContentHash, Payload)]
pub struct Tree<Tag> {
    children: Vec<Tree<Tag>>,
    tag: std::marker::PhantomData<Tag>,
}

/// Borrows: an argument only.
#[derive(Debug, Clone, Copy, ContentHash)]
pub struct Window<'a> {
    x: &'a [f64],
}

/// Looks on, and makes no difference to a result.
pub trait Watch {
    /// Told of a number.
    fn watch(&self, n: u32);
}

/// Panics at 0, if it is so.
#[derive(Debug, Clone, Copy)]
pub struct Watcher(pub bool);

impl Watch for Watcher {
    fn watch(&self, n: u32) {
        assert!(n > 0 || !self.0);
    }
}

/// Generic in every way.
#[cache(ignore(op, progress, named))]
#[must_use]
pub fn generic<'a, T, F, const N: usize>(
    x: &'a [T; N],
    r#type: u32,
    (a, b): (u32, u32),
    op: impl Watch,
    progress: F,
    named: &'a dyn Watch,
) -> Vec<f64>
where
    T: ContentHash + Copy + Into<f64> + PartialOrd,
    F: Watch,
{
    progress.watch(a + b + r#type);
    named.watch(a);
    op.watch(b);
    drop((op, progress));
    x.iter().map(|&x| x.into()).collect()
}

/// Hidden lifetimes, and a body that changes its argument.
#[cache]
#[must_use]
pub fn hidden(window: Window<'_>, mut more: f64, name: &str) -> f64 {
    more += 1.0;
    if name.is_empty() { more } else { window.x.iter().sum::<f64>() + more }
}

/// Explicit lifetimes of which one is unused in the result.
#[cache]
#[must_use]
pub fn explicit<'a, 'b: 'a>(x: &'a ArrayRef1<f64>, y: &'b ArrayRef1<f64>) -> Mapped1<f64> {
    (x + y).into()
}

/// Opaque arguments by value and by reference.
#[cache]
#[must_use]
pub fn opaque(x: impl ContentHash + Into<f64>, y: &(impl ContentHash + Copy + Into<f64>)) -> f64 {
    x.into() + (*y).into()
}

impl<T> Shape<T>
where
    T: ContentHash + Clone,
{
    /// A method of a generic type.
    #[cache]
    #[must_use]
    pub fn count(&self, times: u32) -> u32 {
        match self {
            Self::Unit => times,
            _ => 2 * times,
        }
    }

    /// Without a receiver; it and `Table::total` depend on each other.
    #[cache(method, depends(Table::total), version = 3, code = "body")]
    #[must_use]
    pub fn make(n: u32) -> u32 {
        let _: Option<Self> = None;
        n
    }
}

impl Table {
    /// Depends on a method, and on a function.
    #[cache(depends(Shape::<f64>::make, scaled))]
    pub(crate) fn total(&self) -> f64 {
        self.rows.iter().sum()
    }

    /// By value, with the names that the expansion uses itself.
    #[cache(name = "by value")]
    #[must_use]
    pub fn by_value(self, memory: u32, arguments: u32, again: u32, value: u32, receiver: u32) -> u32 {
        self.other + memory + arguments + again + value + receiver
    }

    /// Shared.
    #[cache]
    #[must_use]
    pub fn shared(self: std::sync::Arc<Self>) -> u32 {
        self.other
    }

    /// A raw name.
    #[cache]
    #[must_use]
    pub fn r#move(&self) -> u32 {
        self.other
    }
}

#[cache]
fn recursive(n: u64) -> u64 {
    if n < 2 { n } else { recursive(n - 1) + recursive(n - 2) }
}

#[cache(code = "build")]
pub(crate) fn unit() {}

#[cache(code = "version", version = CONSTANT_VERSION, skip_none)]
fn r#type(n: u8) -> Option<u8> {
    (n > 1).then_some(n)
}

const CONSTANT_VERSION: u64 = 7;

#[cache(handle = Spectrum, cache_err)]
#[inline]
pub(self) fn spectrum(memory: u32) -> Result<u32, String> {
    if memory > 3 { Err("too many".to_owned()) } else { Ok(memory) }
}

/// A module of the name of a function.
pub mod spectrum {
    /// Visibilities.
    pub mod deep {
        #[ndcache::cache]
        pub(in super::super::spectrum) fn inner(x: u8) -> u8 {
            x
        }

        #[ndcache::cache(depends(super::super::helper))]
        #[allow(clippy::wildcard_imports)]
        pub(super) fn upper(x: u8) -> u8 {
            use super::super::*;
            x + u8::try_from(helper()).unwrap_or(0)
        }
    }

    /// Uses them.
    #[must_use]
    pub fn all() -> u8 {
        deep::inner(1) + deep::upper(2)
    }
}

/// Old.
#[deprecated = "use another"]
#[cache]
#[must_use]
pub fn old(x: u8) -> u8 {
    x
}

#[cache]
#[expect(clippy::too_many_arguments, clippy::many_single_char_names, non_snake_case)]
fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, H: u8) -> u8 {
    a + b + c + d + e + f + g + H
}

#[cfg(test)]
#[cache]
fn only_in_tests() -> u8 {
    1
}

#[cache]
#[cfg(any())]
fn nowhere() -> Missing {
    1
}

#[cache]
#[cfg_attr(all(), inline, allow(clippy::unused_unit))]
fn conditional() -> u32 {
    7
}

macro_rules! generated {
    ($visibility:vis $name:ident($argument:ident: $type:ty) -> $body:expr) => {
        #[cache]
        $visibility fn $name($argument: $type) -> f64 {
            $body
        }
    };
}

generated!(pub(crate) doubled(x: f64) -> 2.0 * x);

#[cache]
#[allow(unexpected_cfgs)]
fn built() -> usize {
    #[cfg(any())]
    let _ = include_str!("no such file");
    let _ = option_env!("NDCACHE_NO_SUCH_VARIABLE");
    let length = include_str!("edition2021/Cargo.toml").len();
    if cfg!(feature = "no-such-feature") { 0 } else { length }
}

#[cache]
fn only_called(x: u8) -> u8 {
    x
}

#[cache]
fn only_computed(x: u8) -> u8 {
    x
}

/// What is used nowhere else.
#[must_use]
pub fn uses(memory: &ndcache::Memory) -> f64 {
    let x = array![1.0, 2.0];
    let k = 2.0;
    let scaled_x = {
        let x = &x;
        memory.eval(call!("scaled", |x, k| x * k))
    };
    let typed = memory.eval(call!("typed", move |k: f64| -> f64 { k + 1.0 }, version = 2));
    let more = memory.eval(call!(scaled(2.0, x.view()), version = 3));
    let third = memory.eval(call!(std::cmp::max::<u32>(2, 3)));
    let other = f64::from(memory.eval(only_called::call(1)) + only_computed::compute(2));
    let numbers =
        [recursive(3), u64::from(many(1, 2, 3, 4, 5, 6, 7, 8)), u64::from(conditional()), u64::from(spectrum::all())];
    unit();
    let _ = (built(), spectrum(2), r#type(3), r#type::function().path(), Spectrum::call(2));
    let mut sum = typed + f64::from(third) + other + doubled(1.0) + Table::new(1).total();
    sum += numbers.iter().map(|&n| f64::from(u32::try_from(n).unwrap_or(0))).sum::<f64>();
    sum + scaled_x.sum() + more.sum()
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
#[path = "functions_tests.rs"]
mod tests;
