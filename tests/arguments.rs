//! How arguments count: types that only serde knows, values behind a `dyn`, and many arguments.

use ndarray::prelude::*;
use ndcache::hash::ContentHasher;
use ndcache::{ContentHash, Memory, cache};
use serde::{Deserialize, Serialize};

use crate::support::fresh;

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(untagged)]
enum Degrees {
    Celsius(f64),
    Fahrenheit(f64),
}

impl Degrees {
    fn kelvin(&self) -> f64 {
        match self {
            Self::Celsius(x) => x + 273.15,
            Self::Fahrenheit(x) => (x - 32.0) / 1.8 + 273.15,
        }
    }
}

#[test]
fn variants_of_a_nested_untagged_enum_are_other_arguments() {
    #[cache]
    fn mean(all: Vec<Degrees>) -> f64 {
        all.iter().map(Degrees::kelvin).sum::<f64>() / all.len() as f64
    }
    let (_folder, memory) = fresh();
    let one = memory.eval(mean::call(vec![Degrees::Celsius(100.0)]));
    let other = memory.eval(mean::call(vec![Degrees::Fahrenheit(100.0)]));
    assert_eq!(one, mean::compute(vec![Degrees::Celsius(100.0)]));
    assert_eq!(other, mean::compute(vec![Degrees::Fahrenheit(100.0)]));
}

/// An item that only serde knows.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
struct Point(f64, f64);

type Points = Array2<Point>;

/// The items in the order in which they lie in memory.
fn lies(points: &Points) -> String {
    points.as_slice_memory_order().unwrap().iter().map(|point| format!("{} ", point.0)).collect()
}

#[test]
fn the_memory_order_of_arrays_in_containers_is_part_of_the_key() {
    #[cache]
    fn optional(it: Option<Points>) -> String {
        it.as_ref().map_or(String::new(), lies)
    }
    #[cache]
    fn boxed(it: Box<Points>) -> String {
        lies(&it)
    }
    #[cache]
    fn all(it: &[Points]) -> String {
        it.iter().map(lies).collect()
    }
    #[cache]
    fn listed(it: Vec<Option<&Points>>) -> String {
        it.into_iter().flatten().map(lies).collect()
    }
    #[cache]
    fn two(it: [Points; 2]) -> String {
        it.iter().map(lies).collect()
    }
    #[cache]
    fn beside(it: &(Points, f64, String)) -> String {
        lies(&it.0)
    }
    #[cache]
    fn pair(it: (&str, Vec<(Points, Points)>)) -> String {
        it.1.iter().map(|(one, other)| lies(one) + &lies(other)).collect()
    }
    let (_folder, memory) = fresh();
    let point = |(row, column): (usize, usize)| Point((2 * row + column) as f64, 0.0);
    let (c, f) = (Points::from_shape_fn((2, 2), point), Points::from_shape_fn((2, 2).f(), point));
    assert!(c == f && lies(&c) != lies(&f));
    for _ in 0..2 {
        for it in [&c, &f] {
            let own = || it.clone();
            let lies = lies(it);
            assert_eq!(memory.eval(optional::call(Some(own()))), lies);
            assert_eq!(memory.eval(boxed::call(Box::new(own()))), lies);
            assert_eq!(memory.eval(all::call(&[own(), c.clone()])), lies.clone() + &self::lies(&c));
            assert_eq!(memory.eval(listed::call(vec![None, Some(it)])), lies);
            assert_eq!(memory.eval(two::call([own(), own()])), lies.repeat(2));
            assert_eq!(memory.eval(beside::call(&(own(), 1.0, String::new()))), lies);
            assert_eq!(memory.eval(pair::call(("a", vec![(c.clone(), own())]))), self::lies(&c) + &lies);
        }
    }
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (14, 14));
}

#[test]
fn variants_of_an_untagged_enum_in_an_option_are_other_arguments() {
    #[cache]
    fn kelvin(it: Option<Degrees>) -> f64 {
        it.map_or(0.0, |it| it.kelvin())
    }
    let (_folder, memory) = fresh();
    for it in [Degrees::Celsius(100.0), Degrees::Fahrenheit(100.0)] {
        assert_eq!(memory.eval(kelvin::call(Some(it.clone()))), it.kelvin());
    }
}

#[test]
fn variants_of_an_untagged_enum_in_each_small_container_are_other_arguments() {
    #[cache]
    fn all(
        slice: &[Degrees],
        array: [Degrees; 1],
        boxed: Box<Degrees>,
        pair: &(Degrees, u8),
        triple: (u8, u8, Degrees),
    ) -> f64 {
        let [array] = array;
        [&slice[0], &array, &boxed, &pair.0, &triple.2]
            .into_iter()
            .zip(1..)
            .map(|(it, n)| f64::from(n) * it.kelvin())
            .sum()
    }
    let (_folder, memory) = fresh();
    for hot in 0..6 {
        let it = |n| if n == hot { Degrees::Fahrenheit(100.0) } else { Degrees::Celsius(100.0) };
        let (slice, pair) = (vec![it(0)], (it(3), 1));
        let plain = all::compute(&slice, [it(1)], Box::new(it(2)), &pair, (1, 2, it(4)));
        assert_eq!(memory.eval(all::call(&slice, [it(1)], Box::new(it(2)), &pair, (1, 2, it(4)))), plain);
    }
}

#[test]
fn a_derived_content_hash_counts_what_serde_hides() {
    #[derive(Serialize, ContentHash)]
    struct Weather {
        outside: Degrees,
        #[serde(skip)]
        wind: f64,
    }
    #[cache]
    fn felt(it: &Weather) -> f64 {
        it.outside.kelvin() - it.wind
    }
    let (_folder, memory) = fresh();
    for outside in [Degrees::Celsius(100.0), Degrees::Fahrenheit(100.0)] {
        for wind in [0.0, 1.0] {
            let weather = Weather { outside: outside.clone(), wind };
            assert_eq!(memory.eval(felt::call(&weather)), felt::compute(&weather));
        }
    }
}

#[test]
fn a_derived_content_hash_counts_fields_by_their_place() {
    #[derive(Serialize, ContentHash)]
    struct Ends(
        #[serde(skip_serializing_if = "Option::is_none")] Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")] Option<u8>,
    );
    #[cache]
    fn first(ends: &Ends) -> Option<u8> {
        ends.0.or(ends.1.map(|end| 100 - end))
    }
    let (_folder, memory) = fresh();
    for ends in [Ends(Some(1), None), Ends(None, Some(1))] {
        assert_eq!(memory.eval(first::call(&ends)), first::compute(&ends));
    }
}

trait Window: ContentHash {
    fn at(&self, x: f64) -> f64;
}

mod hann {
    #[derive(ndcache::ContentHash)]
    pub(super) struct Taps(pub(super) u64);
    impl super::Window for Taps {
        fn at(&self, x: f64) -> f64 {
            x + self.0 as f64
        }
    }
}

mod hamming {
    #[derive(ndcache::ContentHash)]
    pub(super) struct Taps(pub(super) u64);
    impl super::Window for Taps {
        fn at(&self, x: f64) -> f64 {
            x * self.0 as f64
        }
    }
}

#[cache]
fn windowed(w: &dyn Window, x: f64) -> f64 {
    w.at(x)
}

#[test]
fn types_of_one_name_behind_a_dyn_reference_are_other_arguments() {
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(windowed::call(&hann::Taps(3), 5.0)), 8.0);
    assert_eq!(memory.eval(windowed::call(&hamming::Taps(3), 5.0)), 15.0);
}

#[test]
fn generic_types_behind_a_boxed_dyn_are_other_arguments() {
    #[derive(ContentHash)]
    struct Power<const N: i32>;
    impl<const N: i32> Window for Power<N> {
        fn at(&self, x: f64) -> f64 {
            x.powi(N)
        }
    }
    #[cache]
    fn all(w: &[Box<dyn Window>], x: f64) -> f64 {
        w.iter().map(|w| w.at(x)).sum()
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(all::call(&[Box::new(Power::<2>)], 5.0)), 25.0);
    assert_eq!(memory.eval(all::call(&[Box::new(Power::<3>)], 5.0)), 125.0);
}

#[test]
fn lifetimes_are_no_part_of_a_type() {
    #[derive(ContentHash)]
    struct Named<'a>(&'a str);
    #[cache]
    fn length(named: Named<'_>) -> usize {
        named.0.len()
    }
    let (_folder, memory) = fresh();
    let name = String::from("a");
    assert_eq!(memory.eval(length::call(Named("a"))), 1);
    assert!(memory.contains(&length::call(Named(&name))));
}

#[test]
fn a_type_that_is_defined_in_a_closure_bypasses_the_cache() {
    #[cache]
    fn windowed_twice(w: &dyn Window, x: f64) -> f64 {
        w.at(w.at(x))
    }
    let adds = |memory: &Memory| {
        #[derive(ContentHash)]
        struct Local;
        impl Window for Local {
            fn at(&self, x: f64) -> f64 {
                x + 1.0
            }
        }
        memory.eval(windowed_twice::call(&Local, 5.0))
    };
    let doubles = |memory: &Memory| {
        #[derive(ContentHash)]
        struct Local;
        impl Window for Local {
            fn at(&self, x: f64) -> f64 {
                x * 2.0
            }
        }
        memory.eval(windowed_twice::call(&Local, 5.0))
    };
    let (_folder, memory) = fresh();
    assert_eq!((adds(&memory), doubles(&memory)), (7.0, 20.0));
    assert!(memory.entries().next().is_none());
}

#[test]
fn values_that_feed_nothing_still_count_by_their_number() {
    struct Marker;
    impl ContentHash for Marker {
        fn content_hash(&self, _: &mut ContentHasher) {}
    }
    #[cache]
    fn count(all: Vec<Marker>) -> usize {
        all.len()
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(count::call(vec![Marker])), 1);
    assert_eq!(memory.eval(count::call(vec![Marker, Marker])), 2);
}

/// Two arrays of the same items, in C and in Fortran order.
fn in_both_orders<T: Clone>(item: impl Fn(usize) -> T) -> [Array2<T>; 2] {
    let c = Array2::from_shape_fn((2, 3), |(i, j)| item(3 * i + j));
    let mut f = c.t().as_standard_layout().into_owned().reversed_axes();
    assert!(!f.is_standard_layout());
    f.assign(&c);
    [c, f]
}

#[test]
fn memory_order_is_a_part_of_the_key_whatever_an_array_holds() {
    #[cache]
    fn second(x: &Array2<[f64; 2]>) -> f64 {
        x.as_slice_memory_order().unwrap()[1][0]
    }
    #[cache]
    fn second_of(x: ArrayView2<'_, Option<(f64, String)>>) -> f64 {
        x.as_slice_memory_order().unwrap()[1].as_ref().unwrap().0
    }
    let (_folder, memory) = fresh();
    let [c, f] = in_both_orders(|n| [n as f64, 0.5]);
    assert_eq!((memory.eval(second::call(&c)), memory.eval(second::call(&f))), (1.0, 3.0));
    let [c, f] = in_both_orders(|n| Some((n as f64, n.to_string())));
    assert_eq!((memory.eval(second_of::call(c.view())), memory.eval(second_of::call(f.view()))), (1.0, 3.0));
    assert_eq!(memory.eval(second_of::call(f.view())), 3.0);
    assert_eq!(memory.stats().hits(), 1);
}

#[test]
fn an_array_of_what_only_serde_knows_counts_by_its_memory_order() {
    #[derive(Serialize, Clone)]
    struct Cell {
        value: f64,
    }
    #[derive(ContentHash)]
    struct Grid {
        cells: Array2<Cell>,
        shared: ArcArray<Cell, Ix2>,
    }
    #[cache]
    fn second(x: &Array2<Cell>) -> f64 {
        x.as_slice_memory_order().unwrap()[1].value
    }
    #[cache]
    fn second_of_view(x: ArrayView2<'_, Cell>) -> f64 {
        x.as_slice_memory_order().unwrap()[1].value
    }
    #[cache]
    fn second_of_reference(x: &ArrayRef2<Cell>) -> f64 {
        x.as_slice_memory_order().unwrap()[1].value
    }
    #[cache]
    fn second_of_both(x: &Grid) -> f64 {
        x.cells.as_slice_memory_order().unwrap()[1].value * x.shared.as_slice_memory_order().unwrap()[1].value
    }
    let (_folder, memory) = fresh();
    let [c, f] = in_both_orders(|n| Cell { value: n as f64 });
    assert_eq!((memory.eval(second::call(&c)), memory.eval(second::call(&f))), (1.0, 3.0));
    let views = (memory.eval(second_of_view::call(c.view())), memory.eval(second_of_view::call(f.view())));
    assert_eq!(views, (1.0, 3.0));
    let references = (memory.eval(second_of_reference::call(&c)), memory.eval(second_of_reference::call(&f)));
    assert_eq!(references, (1.0, 3.0));
    assert_eq!(memory.eval(second::call(&f.clone())), 3.0);
    assert_eq!(memory.stats().hits(), 1);
    let grid = |cells: &Array2<Cell>, shared: &Array2<Cell>| Grid { cells: cells.clone(), shared: shared.to_shared() };
    let products = [(&c, &c), (&f, &c), (&c, &f), (&f, &f)]
        .map(|(cells, shared)| memory.eval(second_of_both::call(&grid(cells, shared))));
    assert_eq!(products, [1.0, 3.0, 3.0, 9.0]);
}
