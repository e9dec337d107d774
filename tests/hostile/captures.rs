//! A call counts by the types of what it captures where the values may not tell them apart.

use std::marker::PhantomData;

use ndarray::prelude::*;
use ndcache::{ContentHash, Memory, cache, call};

use super::dynamic_types::Shape;
use crate::support::fresh;

#[derive(ContentHash)]
struct Metres(f64);

#[derive(ContentHash)]
struct Feet(f64);

trait Unit {
    const FACTOR: f64;
}

impl Unit for Metres {
    const FACTOR: f64 = 2.0;
}

impl Unit for Feet {
    const FACTOR: f64 = 3.0;
}

trait Factor {
    fn factor(&self) -> f64;
}

macro_rules! factors {
    ($($of:ident)*) => {$(
        impl<T: Unit> Factor for $of<T> {
            fn factor(&self) -> f64 {
                T::FACTOR
            }
        }
    )*};
}

factors! { Option Vec PhantomData }

/// Asserts that two places whose closures have the same text give their own values, whichever comes first; returns how
/// many results were stored.
fn check(place: fn(&Memory, bool) -> f64) -> usize {
    let mut stored = 0;
    for first in [true, false] {
        let (_folder, memory) = fresh();
        for metres in [first, !first, first, !first] {
            assert_eq!(place(&memory, metres), if metres { 2.0 } else { 3.0 }, "{first}");
        }
        stored = memory.entries().count();
    }
    stored
}

macro_rules! two_places {
    ($memory:ident, $metres:ident, $name:literal, $metre:expr, $foot:expr) => {
        if $metres {
            let x = $metre;
            $memory.eval(call!($name, |x| x.factor()))
        } else {
            let x = $foot;
            $memory.eval(call!($name, |x| x.factor()))
        }
    };
}

#[test]
fn a_named_closure_counts_the_types_of_what_it_captures() {
    let stored = check(|memory, metres| two_places!(memory, metres, "captures: none", None::<Metres>, None::<Feet>));
    assert_eq!(stored, 2);
    let stored = check(|memory, metres| {
        two_places!(memory, metres, "captures: empty", Vec::<Metres>::new(), Vec::<Feet>::new())
    });
    assert_eq!(stored, 2);
    let stored = check(|memory, metres| {
        two_places!(memory, metres, "captures: phantom", PhantomData::<Metres>, PhantomData::<Feet>)
    });
    assert_eq!(stored, 2);
}

fn in_sibling_blocks(memory: &Memory, metres: bool) -> f64 {
    macro_rules! block {
        ($factor:literal) => {{
            #[derive(ContentHash)]
            struct Same(f64);
            impl Same {
                fn factor(&self) -> f64 {
                    $factor * self.0
                }
            }
            Same(1.0)
        }};
    }
    two_places!(memory, metres, "captures: siblings", block!(2.0), block!(3.0))
}

#[test]
fn types_of_one_name_that_a_closure_captures_share_nothing() {
    assert_eq!(check(in_sibling_blocks), 1);
}

#[cache]
fn first(shapes: &[&dyn Shape]) -> f64 {
    shapes[0].area()
}

#[cache]
fn second((_, shape): (u8, Option<&dyn Shape>)) -> f64 {
    shape.map_or(0.0, Shape::area)
}

#[cache]
fn item(shapes: ArrayView1<'_, &dyn Shape>) -> f64 {
    shapes[0].area()
}

#[test]
fn a_dyn_reference_counts_the_type_behind_it_wherever_it_is() {
    fn shape<'a>(vec: &'a Vec<f64>, array: &'a Array1<f64>, is_vec: bool) -> &'a dyn Shape {
        if is_vec { vec } else { array }
    }
    let cases: [fn(&Memory, &dyn Shape) -> f64; 5] = [
        |memory, shape| memory.eval(first::call(&[shape])),
        |memory, shape| memory.eval(second::call((1, Some(shape)))),
        |memory, shape| memory.eval(item::call(array![shape].view())),
        |memory, shape| memory.eval(call!("captures: a shape", |shape| shape.area())),
        |memory, shape| memory.eval(call!(<dyn Shape as Shape>::area(shape), version = 1)),
    ];
    for (at, evaluate) in cases.iter().enumerate() {
        let (vec, array) = (vec![1.0, 2.0], array![1.0, 2.0]);
        let (_folder, memory) = fresh();
        for _ in 0..2 {
            assert_eq!(evaluate(&memory, shape(&vec, &array, true)), 2.0, "{at}");
            assert_eq!(evaluate(&memory, shape(&vec, &array, false)), 3.0, "{at}");
        }
        assert_eq!(memory.entries().count(), 2, "{at}");
    }
}

fn area_of(shape: &dyn Shape, times: f64) -> f64 {
    shape.area() * times
}

fn area_in(shape: Box<dyn Shape>) -> f64 {
    shape.area()
}

#[test]
fn what_becomes_a_dyn_when_it_is_passed_counts_the_type_behind_it() {
    let (vec, array) = (vec![1.0, 2.0], array![1.0, 2.0]);
    for first in [true, false] {
        let (_folder, memory) = fresh();
        for is_vec in [first, !first, first, !first] {
            let expected = if is_vec { 2.0 } else { 3.0 };
            let lent = match is_vec {
                true => memory.eval(call!(area_of(&vec, 1.0), version = 1)),
                false => memory.eval(call!(area_of(&array, 1.0), version = 1)),
            };
            assert_eq!(lent, expected);
            let boxed = match is_vec {
                true => memory.eval(call!(area_in(Box::new(vec.clone())))),
                false => memory.eval(call!(area_in(Box::new(array.clone())))),
            };
            assert_eq!(boxed, expected);
        }
        assert_eq!(memory.entries().count(), 4);
    }
}

#[test]
fn what_is_passed_alike_shares_an_entry_however_it_is_given() {
    fn total(values: &[f64], text: &str) -> f64 {
        values.iter().sum::<f64>() + text.len() as f64
    }
    let (_folder, memory) = fresh();
    let (vec, text) = (vec![1.0, 2.0], "ab".to_owned());
    assert_eq!(memory.eval(call!(total(&vec, &text))), 5.0);
    assert!(memory.contains(&call!(total(&[1.0, 2.0], "ab"))));
}
