//! Memory order: what a call returns has one, at once and later, stored or not.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::{Memory, Mode, Payload, cache};
use serde::{Deserialize, Serialize};

use crate::support::fresh;

/// serde restores the array in C order, whatever its order was.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Coefficients {
    coef: Array2<f64>,
}

fn fortran() -> Array2<f64> {
    Array2::from_shape_vec((3, 2).f(), (0..6).map(f64::from).collect()).unwrap()
}

#[derive(Payload, Clone, Debug, PartialEq)]
struct Mixed {
    plain: Array2<f64>,
    known: Coefficients,
}

trait Strides {
    fn all(&self) -> Vec<isize>;
}

impl<A> Strides for Array2<A> {
    fn all(&self) -> Vec<isize> {
        self.strides().to_vec()
    }
}

impl Strides for Coefficients {
    fn all(&self) -> Vec<isize> {
        self.coef.all()
    }
}

impl Strides for (u8, Coefficients, Array2<f64>) {
    fn all(&self) -> Vec<isize> {
        [self.1.all(), self.2.all()].concat()
    }
}

impl Strides for Mixed {
    fn all(&self) -> Vec<isize> {
        [self.plain.all(), self.known.all()].concat()
    }
}

impl<T: Strides> Strides for Option<T> {
    fn all(&self) -> Vec<isize> {
        self.as_ref().map_or_else(Vec::new, Strides::all)
    }
}

impl<T: Strides, E> Strides for Result<T, E> {
    fn all(&self) -> Vec<isize> {
        self.as_ref().ok().map_or_else(Vec::new, Strides::all)
    }
}

impl<T: Strides> Strides for HashMap<u8, T> {
    fn all(&self) -> Vec<isize> {
        self.values().flat_map(Strides::all).collect()
    }
}

/// Asserts that the first call has the same strides in each mode, and the next call, too.
fn agree<A, R: Strides>(call: impl Fn() -> ndcache::Call<A, R>) {
    let (folder, memory) = fresh();
    let at = |mode: Mode| Memory::builder(folder.path()).mode(mode).open().unwrap();
    let missed = at(Mode::ReadOnly).eval(call()).all();
    let first = memory.eval(call()).all();
    let later = Memory::open(folder.path()).unwrap().eval(call()).all();
    let refreshed = at(Mode::Refresh).eval(call()).all();
    let again = memory.refresh(call()).all();
    let cheap = fresh();
    let cheap = Memory::builder(cheap.0.path()).min_duration(Duration::from_secs(3600)).open().unwrap();
    let unstored = cheap.eval(call()).all();
    let tried = fresh().1.try_eval(call()).unwrap().all();
    let shelved = fresh().1;
    let shelved = shelved.shelve(call()).unwrap().load(&shelved).unwrap().all();
    let gone = fresh();
    std::fs::remove_dir_all(gone.0.path()).unwrap();
    std::fs::write(gone.0.path(), "in the way").unwrap();
    let lost = gone.1.eval(call()).all();
    std::fs::remove_file(gone.0.path()).unwrap();
    for (what, strides) in [
        ("read-only", missed),
        ("later", later),
        ("refreshed", refreshed),
        ("again", again),
        ("cheap", unstored),
        ("tried", tried),
        ("shelved", shelved),
        ("lost", lost),
    ] {
        assert_eq!(strides, first, "{what}");
    }
}

returning! {
    fit -> Coefficients { Coefficients { coef: fortran() } }
    tuple -> (u8, Coefficients, Array2<f64>) { (1, Coefficients { coef: fortran() }, fortran()) }
    options -> Array2<Option<f64>> { fortran().mapv(Some) }
    optional -> Option<Coefficients> { Some(Coefficients { coef: fortran() }) }
    failing -> Result<Coefficients, fmt::Error> { Ok(Coefficients { coef: fortran() }) }
    mixed -> Mixed { Mixed { plain: fortran(), known: Coefficients { coef: fortran() } } }
    mapped_by_number -> HashMap<u8, Mixed> { HashMap::from([(1, mixed::compute())]) }
    stepped -> Coefficients { Coefficients { coef: fortran().slice_move(s![..;2, ..]) } }
}

#[test]
fn an_array_that_passes_through_serde_has_one_memory_order() {
    agree(fit::call);
    agree(tuple::call);
    agree(options::call);
    agree(optional::call);
    agree(failing::call);
    agree(mixed::call);
    agree(mapped_by_number::call);
    agree(stepped::call);
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(mixed::call()).all(), [1, 3, 2, 1], "what is stored as an array keeps its order");
    assert_eq!(Memory::disabled().eval(fit::call()).all(), [1, 3], "without a cache nothing changes");
    let mapped = memory.mmap(mixed::call());
    assert_eq!(mapped.all(), [1, 3, 2, 1]);
}

#[test]
fn a_step_that_reads_memory_order_gets_the_same_from_the_first_call_and_later_ones() {
    #[cache]
    fn first_two(x: &ArrayRef2<f64>) -> Vec<f64> {
        x.as_slice_memory_order().unwrap()[..2].to_vec()
    }
    let (folder, memory) = fresh();
    let run = |memory: &Memory| memory.eval(first_two::call(&memory.eval(fit::call()).coef));
    let first = run(&memory);
    assert_eq!(run(&Memory::open(folder.path()).unwrap()), first);
    assert_eq!(run(&memory), first);
}

#[test]
fn a_call_that_can_not_be_keyed_agrees_too() {
    struct Refusing;
    impl Serialize for Refusing {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("never"))
        }
    }
    #[cache]
    fn fitted(_x: &Refusing) -> Coefficients {
        Coefficients { coef: fortran() }
    }
    let (_folder, memory) = fresh();
    for calls in 1..3 {
        assert_eq!(memory.eval(fitted::call(&Refusing)).all(), [2, 1]);
        assert_eq!((memory.stats().misses(), memory.stats().faults()), (calls, calls), "one fault a call");
    }
}

#[test]
fn keys_of_maps_come_back_in_the_same_order_too() {
    #[cache]
    fn keys() -> HashSet<Array2<i32>> {
        let x = Array2::from_shape_fn((4, 6), |(i, j)| (6 * i + j) as i32);
        HashSet::from([x.slice_move(s![..;2, ..;3])])
    }
    let (folder, memory) = fresh();
    let strides = |memory: &Memory| memory.eval(keys::call()).iter().map(Strides::all).collect::<Vec<_>>();
    assert_eq!(strides(&memory), strides(&Memory::open(folder.path()).unwrap()));
}
