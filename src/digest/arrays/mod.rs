//! Digests of arrays: their elements as a tree of leaves, with dtype, shape and memory order.
//!
//! * `element`: what an array may hold; `dtype`: what else NumPy's may, by its text; `meta`: shape and memory order.
//! * `array`: ndarray's arrays, in any layout; `gather`: their elements in logical order; `rounded`: numbers that count by multiples of a step.
//! * `trust`: live mapped arrays whose digest is known.

pub(crate) mod array;
pub(crate) mod dtype;
pub(crate) mod element;
mod gather;
pub(crate) mod meta;
pub(crate) mod rounded;
pub(crate) mod trust;
