//! Values as MessagePack, from which arrays are lifted out: the constants of the stored form, and numbers as bytes
//! where `rmp` doesn't write them.
//!
//! * `write`, `read`: values, with lengths checked; `output`: where bytes go; `lift`: where arrays go, and come from.

pub(crate) mod lift;
pub(crate) mod output;
pub(crate) mod read;
pub(crate) mod write;

use crate::digest::{Order, escaped};
use crate::error::{Error, Result};

/// How deep a value may nest: what bounds the stack of a reader whose input is hostile.
pub(crate) const MAX_DEPTH: u32 = 128;

/// The types of our MessagePack extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ext {
    /// A lifted array, by its index in the record: 4 bytes, big-endian.
    Lifted = 1,
    /// An array inside the value: MessagePack `[descr, order, shape, bytes]`.
    Inline = 2,
    /// An object that Python pickled: MessagePack `[stream, buffers]`; `buffers` are indices in the record.
    Pickle = 3,
    /// The digest of a part that only serde knows, over its serialized bytes: 16 bytes.
    ExactLeaf = 4,
    /// The digest of a part that only serde knows, over its value, whatever the order of its elements: 16 bytes.
    UnorderedLeaf = 5,
}

/// The head of the one-element array that stands for serde's `Some(x)`.
///
/// It is the 16-bit form of a length that sequences write in the short form, so that a reader that doesn't know the
/// type (serde's untagged, internally tagged and flattened ones) can tell `Some(x)` from a sequence of one.
pub(crate) const SOME: [u8; 3] = [0xdc, 0, 1];

/// The heads of arrays and maps whose length isn't known yet: 32-bit forms, whose last four bytes are patched later.
pub(crate) const LATE_ARRAY: [u8; 5] = [0xdd, 0, 0, 0, 0];
pub(crate) const LATE_MAP: [u8; 5] = [0xdf, 0, 0, 0, 0];

/// A `u32`, such as an array's index, as bytes. MessagePack is big-endian; `rmp` doesn't write these numbers.
#[expect(clippy::big_endian_bytes, reason = "the format says so")]
pub(crate) fn u32_bytes(index: u32) -> [u8; 4] {
    index.to_be_bytes()
}

#[expect(clippy::big_endian_bytes, reason = "the format says so")]
fn u16_bytes(value: u16) -> [u8; 2] {
    value.to_be_bytes()
}

#[expect(clippy::big_endian_bytes, reason = "the format says so")]
fn u64_bytes(value: u64) -> [u8; 8] {
    value.to_be_bytes()
}

/// The first 16 bytes, padded with zeros, as a number that sorts as they do.
#[expect(clippy::big_endian_bytes, reason = "that order is the one of their bytes")]
pub(crate) fn first_bytes(bytes: &[u8]) -> u128 {
    let mut first = [0; 16];
    let len = bytes.len().min(16);
    first[..len].copy_from_slice(&bytes[..len]);
    u128::from_be_bytes(first)
}

/// A marker and the number behind it.
#[inline]
pub(crate) fn marked_u16(marker: u8, number: u16) -> [u8; 3] {
    let [a, b] = u16_bytes(number);
    [marker, a, b]
}

#[inline]
pub(crate) fn marked_u32(marker: u8, number: u32) -> [u8; 5] {
    let [a, b, c, d] = u32_bytes(number);
    [marker, a, b, c, d]
}

#[inline]
pub(crate) fn marked_u64(marker: u8, number: u64) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = u64_bytes(number);
    [marker, a, b, c, d, e, f, g, h]
}

#[expect(clippy::big_endian_bytes, reason = "the format says so")]
pub(crate) fn u64_of(bytes: [u8; 8]) -> u64 {
    u64::from_be_bytes(bytes)
}

#[expect(clippy::big_endian_bytes, reason = "the format says so")]
pub(crate) fn u16_of(bytes: [u8; 2]) -> u16 {
    u16::from_be_bytes(bytes)
}

#[expect(clippy::big_endian_bytes, reason = "the format says so")]
pub(crate) fn u32_of(bytes: [u8; 4]) -> u32 {
    u32::from_be_bytes(bytes)
}

#[expect(clippy::big_endian_bytes, reason = "the format says so")]
pub(crate) fn u128_bytes(value: u128) -> [u8; 16] {
    value.to_be_bytes()
}

#[expect(clippy::big_endian_bytes, reason = "the format says so")]
pub(crate) fn u128_of(bytes: [u8; 16]) -> u128 {
    u128::from_be_bytes(bytes)
}

pub(crate) fn order_name(order: Order) -> &'static str {
    match order {
        Order::C => "C",
        Order::F => "F",
    }
}

pub(crate) fn order_of(name: &str) -> Result<Order> {
    match name {
        "C" => Ok(Order::C),
        "F" => Ok(Order::F),
        _ => Err(Error::damaged(format!("array has order `{}`, expected `C` or `F`", escaped(name)))),
    }
}
