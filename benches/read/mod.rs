//! The bound of any digest: reading the bytes and doing next to nothing with them.

use rayon::prelude::*;

const LANES: usize = 16;
const CHUNK: usize = 1 << 17;

/// An XOR over 16 lanes of `u64`, with all cores.
pub(crate) fn xor(elements: &[f64]) -> u64 {
    elements.par_chunks(CHUNK).map(xor_alone).reduce(|| 0, |a, b| a ^ b)
}

/// The same on one core.
pub(crate) fn xor_alone(elements: &[f64]) -> u64 {
    let (groups, rest) = elements.as_chunks::<LANES>();
    let mut lanes = [0; LANES];
    for group in groups {
        for (lane, element) in lanes.iter_mut().zip(group) {
            *lane ^= element.to_bits();
        }
    }
    rest.iter().map(|element| element.to_bits()).chain(lanes).fold(0, |a, b| a ^ b)
}
