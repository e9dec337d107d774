//! A package of which a program holds two versions: all names and texts are those of the other, and `K` isn't.

use ndcache::{ContentHash, Memory, Payload, cache, call};
use serde::{Deserialize, Serialize};

/// 2 in version 0.1, 3 in version 0.2.
pub const K: f64 = (env!("CARGO_PKG_VERSION_MINOR").as_bytes()[0] - b'0' + 1) as f64;

/// Without the attribute.
pub fn smooth(x: f64) -> f64 {
    x * K
}

/// Of which the package's version is no code.
#[cache(code = "body")]
pub fn cached(x: f64) -> f64 {
    x * K
}

/// Whose name says that it is one function, and is wrong.
#[cache(name = "kern named", code = "body")]
pub fn named(x: f64) -> f64 {
    x * K
}

/// A named closure.
pub fn closure(memory: &Memory, x: f64) -> f64 {
    memory.eval(call!("kern closure", |x| x * K, version = 1))
}

/// Says nothing but its name.
pub struct Marker;

impl Marker {
    /// A method.
    #[cache(method, code = "body")]
    pub fn scaled(x: f64) -> f64 {
        x * K
    }
}

/// An argument.
#[derive(ContentHash, Clone, Copy)]
pub struct Hashed {
    /// A number.
    pub x: f64,
}

/// An argument, too.
#[derive(ContentHash, Clone, Copy)]
pub enum Choice {
    /// A number.
    One(f64),
}

/// An argument and a result that serde knows.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub struct Described {
    /// A number.
    pub x: f64,
}

/// A result.
#[derive(Payload, Clone, Copy)]
pub struct Stored {
    /// A number.
    pub x: f64,
}

/// Holds another type.
#[derive(ContentHash, Payload, Clone, Copy)]
pub struct Holder<T> {
    /// What it holds.
    pub held: T,
}
