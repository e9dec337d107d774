//! Values as they are given, stored and given back; and those that nobody can have meant.

use ndarray::prelude::*;
use ndcache::dynamic::{
    Array, Form, Function, FunctionBuilder, Order, RawValue, RunTimeArgument, RunTimeCall, array_reference, result_name,
};
use ndcache::{ErrorKind, Memory, cache};

use super::{Computed, call, doubles};
use crate::support::{files, fresh};

/// `[stream, buffers]` as extension 3.
fn pickle(stream: &[u8], buffers: &[u8]) -> Vec<u8> {
    let mut held = vec![0x92, 0xc4, stream.len() as u8];
    held.extend(stream);
    held.push(0x90 | buffers.len() as u8);
    held.extend(buffers);
    [&[0xc7, held.len() as u8, 3], &held[..]].concat()
}

#[test]
fn what_is_no_value_is_refused() {
    let zero = || doubles([0.0]);
    let reference = array_reference(0).to_vec();
    let twice = [&[0x92][..], &reference, &reference].concat();
    let swapped = [&[0x92][..], &array_reference(1), &reference].concat();
    for (message, arrays) in [
        (vec![], vec![]),
        (vec![0x92, 1], vec![]),
        (vec![1, 2], vec![]),
        (vec![0xa1, 0xff], vec![]),
        (vec![0xc1], vec![]),
        (vec![0x92, 1, 0xc1], vec![]),
        ([&[0x91; 129][..], &[1]].concat(), vec![]),
        (vec![0xd6, 2, 0, 0, 0, 0], vec![]),
        (vec![0xd4, 9, 0], vec![]),
        (vec![0xd4, 1, 0], vec![zero()]),
        (vec![1], vec![zero()]),
        (reference.clone(), vec![]),
        (twice, vec![zero()]),
        (swapped, vec![zero(), zero()]),
        (pickle(b"x", &[1]), vec![zero()]),
        (pickle(b"x", &[0, 0]), vec![zero()]),
        (vec![0xc7, 2, 3, 0x91, 1], vec![]),
    ] {
        let error = RawValue::new(message.clone(), arrays).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Damaged), "{message:?}: {error}");
    }
    assert!(RawValue::new([&[0x91; 128][..], &[1]].concat(), vec![]).is_ok());
}

#[test]
fn what_python_has_pickled_comes_back_as_it_was() {
    let (folder, memory) = fresh();
    // A large array, a small one, and one of another dtype; the first one isn't part of the pickle.
    let arrays = vec![
        doubles((0..30_000).map(f64::from)),
        doubles([1.0, 2.0]),
        Array::new("<M8[s]", 8, &[2], Order::C, vec![7; 16]).unwrap(),
    ];
    let message = [&[0x93][..], &array_reference(0), &pickle(b"\x80\x05stream.", &[1, 2]), &[0xc0]].concat();
    let value = RawValue::new(message.clone(), arrays).unwrap().with_python(b"told apart".to_vec());
    let call = call("pickled", 1);
    call.eval(&memory, Form::Owned, || Ok::<_, ndcache::Error>(value.clone())).unwrap();
    // The numbers by which a pickle refers to arrays are those of files, so each has a file.
    assert_eq!(files(folder.path(), ".npy").len(), 3);
    for memory in [memory.clone(), Memory::open(folder.path()).unwrap()] {
        for form in [Form::Owned, Form::Mapped, Form::Mapped] {
            let found = call.look_up(&memory, form).unwrap();
            assert_eq!((found.message(), found.python(), found.origin()), (&message[..], &b"told apart"[..], None));
            let same = |(a, b): (&Array, &Array)| {
                a.bytes()[..] == b.bytes()[..] && a.digest() == b.digest() && a.descr() == b.descr()
            };
            assert!(found.arrays().iter().zip(value.arrays()).all(same));
        }
    }
    assert_eq!(memory.verify(ndcache::verify::Repair::No).unwrap().damaged, 0);
    assert_eq!(memory.entries().count(), 1);
}

#[cache]
fn typed(n: u64) -> Array1<f64> {
    Array1::from_elem(3, n as f64)
}

fn untyped(n: u64) -> RunTimeCall {
    let function: &Function = typed::function();
    let function =
        FunctionBuilder::new(function.path(), function.code().unwrap()).mark(function.mark()).build().unwrap();
    RunTimeCall::new(function, [RunTimeArgument::of("n", &n).unwrap()]).result(&result_name::<Array1<f64>>())
}

#[test]
fn a_rust_function_misses_what_it_cannot_take_and_replaces_it() {
    let (folder, memory) = fresh();
    let dates = Array::new("<M8[D]", 8, &[3], Order::C, vec![0; 24]).unwrap();
    for (n, value) in [(1, RawValue::new(pickle(b".", &[]), vec![]).unwrap()), (2, RawValue::of_array(dates))] {
        let store =
            || untyped(n).refresh().eval(&memory, Form::Owned, || Ok::<_, ndcache::Error>(value.clone())).unwrap();
        let found = || untyped(n).look_up(&memory, Form::Owned).unwrap();
        for memory in [memory.clone(), Memory::open(folder.path()).unwrap()] {
            store();
            assert_eq!((found().message(), found().message()), (value.message(), value.message()));
            assert!(untyped(n).contains(&memory) && !memory.contains(&typed::call(n)));
            let before = memory.stats().by_reason().get("unsupported").copied().unwrap_or_default();
            for _ in 0..3 {
                assert_eq!(memory.eval(typed::call(n)), Array1::from_elem(3, n as f64));
            }
            assert_eq!((memory.stats().by_reason()["unsupported"], memory.stats().faults()), (before + 1, 0));
            let stored = untyped(n).look_up(&memory, Form::Owned).unwrap();
            assert_eq!(stored.take::<Array1<f64>>().unwrap(), typed(n));
        }
    }
}

#[test]
fn many_small_arrays_share_the_entry_and_come_back_in_their_places() {
    let (folder, memory) = fresh();
    let count = 300_u32;
    let arrays: Vec<_> = (0..count).map(|n| doubles([f64::from(n)].repeat(n as usize * 3))).collect();
    let mut message = vec![0xdc, 1, 44];
    (0..count).for_each(|n| message.extend(array_reference(n)));
    let value = RawValue::new(message.clone(), arrays).unwrap();
    let computed = Computed::default();
    let call = call("many", 1);
    computed.eval(&call, &memory, Form::Owned, || value.clone());
    assert!(files(folder.path(), ".npy").len() < 300);
    let found = call.look_up(&memory, Form::Mapped).unwrap();
    assert_eq!(found.message(), message);
    assert!(found.arrays().iter().zip(value.arrays()).all(|(a, b)| a.bytes()[..] == b.bytes()[..]));
    assert_eq!(found.arrays().len(), 300);
}

#[test]
fn a_value_longer_than_a_record_overflows_and_comes_back() {
    let (folder, memory) = fresh();
    let text = vec![b'x'; 70_000];
    let message = [&[0xdb, 0, 1, 0x11, 0x70][..], &text].concat();
    let value = RawValue::new(message.clone(), vec![]).unwrap();
    let call = call("long", 1);
    call.eval(&memory, Form::Owned, || Ok::<_, ndcache::Error>(value)).unwrap();
    let other = Memory::open(folder.path()).unwrap();
    assert_eq!(call.look_up(&other, Form::Owned).unwrap().message(), message);
}

#[test]
fn what_stands_beside_the_value_is_bounded_by_the_record() {
    let (_folder, memory) = fresh();
    let value = RawValue::of(&1_u8).unwrap().with_python(vec![0; 70_000]);
    let call = call("beside", 1);
    let ndcache::dynamic::Turn::Compute(lead) = call.lead(&memory, Form::Owned, &Default::default()) else { panic!() };
    let stored = lead.store(value, Form::Mapped);
    assert_eq!(stored.value.python().len(), 70_000);
    assert!(stored.fault.unwrap().to_string().contains("expected at most 65536"));
    assert_eq!(memory.stats().faults(), 1);
}
