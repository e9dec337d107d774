//! Two versions of a package in one program: whatever differs between them has entries of its own.

use std::marker::PhantomData;

use ndcache::{ContentHash, Memory, Payload, cache, call};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What the versions of a type differ in.
pub trait Scale {
    /// 2 in version 0.1, 3 in version 0.2.
    const K: f64;
}

/// A value of a type that has two versions, made by the function that is cached.
pub trait Made: Scale {
    /// Of this number.
    fn of(x: f64) -> Self;
    /// The number.
    fn number(&self) -> f64;
}

/// What a `dyn` reference shows of a type.
pub trait Shape: ContentHash {
    /// Depends on the type.
    fn area(&self) -> f64;
}

macro_rules! versions {
    ($($kern:ident)*) => {$(
        impl Scale for $kern::Marker { const K: f64 = $kern::K; }
        impl Scale for $kern::Hashed { const K: f64 = $kern::K; }
        impl Scale for $kern::Choice { const K: f64 = $kern::K; }
        impl Scale for $kern::Described { const K: f64 = $kern::K; }
        impl Scale for $kern::Stored { const K: f64 = $kern::K; }
        impl Made for $kern::Described {
            fn of(x: f64) -> Self { Self { x } }
            fn number(&self) -> f64 { self.x }
        }
        impl Made for $kern::Stored {
            fn of(x: f64) -> Self { Self { x } }
            fn number(&self) -> f64 { self.x }
        }
        impl Shape for $kern::Hashed { fn area(&self) -> f64 { self.x * $kern::K } }
        impl ContentHash for Plain<$kern::Marker> {
            fn content_hash(&self, hasher: &mut ndcache::hash::ContentHasher) {
                hasher.unit();
            }
        }
        impl Shape for Plain<$kern::Marker> { fn area(&self) -> f64 { $kern::K } }
    )*};
}

versions! { kern1 kern2 }

/// Feeds nothing of its type.
pub struct Plain<T>(PhantomData<T>);

impl<T> Plain<T> {
    /// The only one.
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Plain<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scale> Plain<T> {
    /// A method of a generic type.
    #[cache(method)]
    pub fn scaled(x: f64) -> f64 {
        x * T::K
    }
}

/// Known by its type argument alone.
#[cache]
pub fn by_type<T: Scale>(x: f64) -> f64 {
    x * T::K
}

/// Known by an argument that derives `ContentHash`.
#[cache]
pub fn by_hash<T: Scale + ContentHash>(value: T) -> f64 {
    drop(value);
    T::K
}

/// Known by an argument that serde describes.
#[cache]
pub fn by_serde<T: Scale + Serialize>(value: T) -> f64 {
    drop(value);
    T::K
}

/// Known by the type of an `impl Trait` argument.
#[cache]
pub fn by_opaque(value: &(impl Opaque + Serialize)) -> f64 {
    value.scale()
}

/// Shows the scale of a type that isn't named.
pub trait Opaque {
    /// The scale.
    fn scale(&self) -> f64;
}

impl<T: Scale> Opaque for T {
    fn scale(&self) -> f64 {
        T::K
    }
}

/// Known by what stands behind a `dyn`.
#[cache]
pub fn by_dyn(shape: &dyn Shape) -> f64 {
    shape.area()
}

/// The same in a container.
#[cache]
pub fn by_boxes(shapes: &[Box<dyn Shape>]) -> f64 {
    shapes.iter().map(|shape| shape.area()).sum()
}

/// Known by its result, which derives `Payload`.
#[cache]
pub fn by_payload<T: Made + Payload>() -> T {
    T::of(T::K)
}

/// Known by its result, which serde describes.
#[cache]
pub fn by_result<T: Made + Serialize + DeserializeOwned>() -> T {
    T::of(T::K)
}

/// Without the attribute, known by its type argument.
pub fn plain<T: Scale>(x: f64) -> f64 {
    x * T::K
}

/// A named closure that uses what is generic around it.
pub fn closure<T: Scale>(memory: &Memory, x: f64) -> f64 {
    memory.eval(call!("closure", |x| x * T::K))
}

/// A named closure known by an argument that serde describes.
pub fn closure_of<T: Scale + Serialize + Opaque>(memory: &Memory, value: T) -> f64 {
    memory.eval(call!("closure of", |value| value.scale()))
}

#[cfg(test)]
mod tests;
