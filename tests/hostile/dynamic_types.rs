//! Values behind a `dyn`: their types count.

#![allow(clippy::type_complexity, reason = "what is tested stands in closures")]

use std::rc::Rc;
use std::sync::Arc;

use ndarray::prelude::*;
use ndcache::{ContentHash, Memory, cache};

use super::identity::check;

pub(super) trait Shape: ContentHash {
    fn area(&self) -> f64;
}

impl Shape for Vec<f64> {
    fn area(&self) -> f64 {
        2.0
    }
}

impl Shape for Array1<f64> {
    fn area(&self) -> f64 {
        3.0
    }
}

#[cache]
pub(super) fn area(shape: &dyn Shape) -> f64 {
    shape.area()
}

#[cache]
fn shared(shape: Arc<dyn Shape + Send + Sync>) -> f64 {
    shape.area()
}

#[cache]
fn boxed(shapes: &[Box<dyn Shape>]) -> f64 {
    shapes[0].area()
}

#[cache]
fn behind(shape: &&Option<Rc<dyn Shape>>) -> f64 {
    shape.as_ref().map_or(0.0, |shape| shape.area())
}

#[derive(ContentHash)]
struct Held<'a> {
    shape: &'a dyn Shape,
}

#[cache]
fn held(held: Held<'_>) -> f64 {
    held.shape.area()
}

#[derive(ContentHash)]
struct Unsized<T: ?Sized> {
    length: usize,
    shape: T,
}

#[cache]
fn tail(value: &Unsized<dyn Shape>) -> f64 {
    value.shape.area()
}

#[cache]
fn mapped(shapes: &std::collections::HashMap<u8, Box<dyn Shape>>) -> f64 {
    shapes.values().map(|shape| shape.area()).sum()
}

#[test]
fn types_that_count_alike_are_told_apart_behind_a_dyn() {
    let (vec, array) = (vec![1.0, 2.0], array![1.0, 2.0]);
    assert_eq!(ndcache::digest(&vec), ndcache::digest(&array), "the premise: both count alike");
    assert_eq!(check(&[(&|m| m.eval(area::call(&vec)), 2.0), (&|m| m.eval(area::call(&array)), 3.0)]), 2);
    let of =
        |first: bool| -> Box<dyn Shape> { if first { Box::new(vec![1.0, 2.0]) } else { Box::new(array![1.0, 2.0]) } };
    let cases: [&dyn Fn(&Memory, bool) -> f64; 6] = [
        &|m, first| m.eval(boxed::call(&[of(first)])),
        &|m, first| m.eval(behind::call(&&Some(Rc::from(of(first))))),
        &|m, first| m.eval(held::call(Held { shape: &*of(first) })),
        &|m, first| match first {
            true => m.eval(shared::call(Arc::new(vec![1.0, 2.0]))),
            false => m.eval(shared::call(Arc::new(array![1.0, 2.0]))),
        },
        &|m, first| match first {
            true => m.eval(tail::call(&Unsized { length: 2, shape: vec![1.0, 2.0] })),
            false => m.eval(tail::call(&Unsized { length: 2, shape: array![1.0, 2.0] })),
        },
        &|m, first| m.eval(mapped::call(&[(1, of(first))].into())),
    ];
    for (at, evaluate) in cases.iter().enumerate() {
        assert_eq!(check(&[(&|m| evaluate(m, true), 2.0), (&|m| evaluate(m, false), 3.0)]), 2, "{at}");
    }
}
