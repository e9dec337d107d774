//! Cached values that say what they are: their key and their generation, in each element.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::{Mapped1, Payload, cache};

use crate::tally::{Count, Tally};

/// Elements of an array that is mapped; smaller ones are read.
const LARGE: usize = 20_000;

/// A computation takes some time, in which others ask for the same.
const TAKES: Duration = Duration::from_millis(5);

/// Bits of an element that are the generation; above them are kind and key.
const GENERATION: u32 = 40;

/// An array of each kind: in the record, in a file of its own, mapped.
#[derive(Debug, Payload)]
pub(crate) struct Tower {
    inside: Array1<u64>,
    beside: Array1<u64>,
    mapped: Mapped1<u64>,
}

/// The functions, whose keys are other ones each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tower,
    Field,
    Pair,
}

/// Who computes. It isn't a part of the key, so that one generation replaces another.
#[derive(Clone, Copy)]
pub(crate) struct Maker<'a> {
    pub(crate) tally: &'a Tally,
    pub(crate) generation: u64,
    /// Set when the function was computed.
    pub(crate) computed: &'a Cell<bool>,
}

#[cache(name = "stress tower", code = "version", version = 1, ignore(maker))]
pub(crate) fn tower(key: u64, maker: Maker<'_>) -> Tower {
    let number = made(Kind::Tower, key, maker);
    let fill = |n| Array1::from_elem(n, number);
    Tower { inside: fill(3), beside: fill(1000), mapped: fill(LARGE).into() }
}

#[cache(name = "stress field", code = "version", version = 1, ignore(maker))]
pub(crate) fn field(key: u64, maker: Maker<'_>) -> Array1<u64> {
    Array1::from_elem(LARGE, made(Kind::Field, key, maker))
}

#[cache(name = "stress pair", code = "version", version = 1, ignore(maker))]
pub(crate) fn pair(key: u64, maker: Maker<'_>) -> (u64, Vec<u64>) {
    let number = made(Kind::Pair, key, maker);
    (number, vec![number; 40])
}

fn made(kind: Kind, key: u64, maker: Maker<'_>) -> u64 {
    maker.tally.add(Count::Computed, 1);
    maker.computed.set(true);
    thread::sleep(TAKES);
    number(kind, key, maker.generation)
}

/// The number that all elements of such a value are.
pub(crate) fn number(kind: Kind, key: u64, generation: u64) -> u64 {
    (kind as u64 + 1) << 56 | key << GENERATION | generation & ((1 << GENERATION) - 1)
}

/// Whether these are the arrays of one value of this kind and key.
fn is_one<const N: usize>(kind: Kind, key: u64, arrays: [&[u64]; N], lengths: [usize; N]) -> Result<(), String> {
    if arrays.map(<[u64]>::len) != lengths {
        return Err(format!("{kind:?} {key} has {:?} elements, expected {lengths:?}", arrays.map(<[u64]>::len)));
    }
    let first = arrays[0][0];
    // Fast in a debug build, too: the elements are all the same if each is its neighbour.
    let odd = arrays.iter().find(|array| array[0] != first || array[1..] != array[..array.len() - 1]);
    if let Some(array) = odd {
        let other = array.iter().position(|&element| element != first).unwrap_or_default();
        return Err(format!("{kind:?} {key} begins with {first:#x} and holds {:#x} at {other}", array[other]));
    }
    if first >> GENERATION == number(kind, key, 0) >> GENERATION {
        Ok(())
    } else {
        Err(format!("{kind:?} {key} holds {first:#x}"))
    }
}

pub(crate) fn judge_tower(key: u64, tower: &Tower) -> Result<(), String> {
    let arrays = [slice(&tower.inside)?, slice(&tower.beside)?, slice(&tower.mapped)?];
    is_one(Kind::Tower, key, arrays, [3, 1000, LARGE])
}

pub(crate) fn judge_field(key: u64, field: &ArrayRef1<u64>) -> Result<(), String> {
    is_one(Kind::Field, key, [slice(field)?], [LARGE])
}

pub(crate) fn judge_pair(key: u64, (number, rest): &(u64, Vec<u64>)) -> Result<(), String> {
    is_one(Kind::Pair, key, [&[*number], rest], [1, 40])
}

fn slice(array: &ArrayRef1<u64>) -> Result<&[u64], String> {
    array.as_slice().ok_or_else(|| "an array isn't contiguous".to_owned())
}

/// Checks that the judges see wrong and torn values.
pub(crate) fn control() {
    let key = 7;
    let whole = |key| vec![number(Kind::Field, key, 5); LARGE];
    let seen = |elements: Vec<u64>| judge_field(key, &Array1::from(elements)).is_err();
    assert!(!seen(whole(key)), "a right value is taken for a wrong one");
    assert!(seen(whole(key + 1)), "another key's value is taken for right");
    let mut torn = whole(key);
    torn[LARGE / 2..].fill(number(Kind::Field, key, 6));
    assert!(seen(torn), "half of one generation and half of another is taken for right");
    let mut zeros = whole(key);
    zeros[LARGE - 1] = 0;
    assert!(seen(zeros), "an element that was never written is taken for right");
}
