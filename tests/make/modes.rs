//! What the modes mean to a build step, and what is remembered of one.

use std::fs;

use ndarray::prelude::*;
use ndcache::make::{NoOutput, NpyFile};
use ndcache::{ErrorKind, Memory, Mode, cache};

use super::{RUNS, Workshop, ramp, runs};
use crate::support::{child, in_child, snapshot, warnings};

#[test]
fn without_a_memory_a_step_is_made_each_time_and_nothing_is_remembered() {
    let workshop = Workshop::new();
    let target = NpyFile::new(workshop.path("a.npy"));
    for _ in 0..2 {
        assert_eq!(Memory::disabled().make(ramp::call(3, 1.0), &target).unwrap(), array![0.0, 1.0, 2.0]);
    }
    let off = Memory::builder(workshop.folder.path().join("off")).mode(Mode::Off).open().unwrap();
    off.make(ramp::call(3, 1.0), &target).unwrap();
    assert_eq!((runs(), workshop.slots().len()), (3, 0));
    assert!(!workshop.folder.path().join("off").exists());
}

#[test]
fn a_function_that_is_off_is_made_each_time() {
    #[cache(mode = Mode::Off)]
    fn off(n: usize) -> Array1<f64> {
        RUNS.set(RUNS.get() + 1);
        Array1::zeros(n)
    }
    let workshop = Workshop::new();
    for _ in 0..2 {
        workshop.memory.make(off::call(3), NpyFile::new(workshop.path("a.npy"))).unwrap();
    }
    assert_eq!((runs(), workshop.slots().len()), (2, 0));
}

#[test]
fn a_read_only_memory_loads_what_is_up_to_date_and_refuses_to_make_anything() {
    let workshop = Workshop::new();
    let target = NpyFile::new(workshop.path("a.npy"));
    workshop.memory.make(ramp::call(3, 1.0), &target).unwrap();
    let before = snapshot(workshop.folder.path());
    let reader = Memory::builder(workshop.folder.path().join("cache")).mode(Mode::ReadOnly).open().unwrap();
    assert_eq!(reader.make(ramp::call(3, 1.0), &target).unwrap(), array![0.0, 1.0, 2.0]);
    let error = reader.make(ramp::call(3, 2.0), &target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let message = error.to_string();
    assert!(
        message.contains("out/a.npy` isn't up to date (argument `step`: 1.0 → 2.0), and the memory in `"),
        "{message}"
    );
    assert_eq!(snapshot(workshop.folder.path()), before);
    fs::remove_file(workshop.path("a.npy")).unwrap();
    let message = reader.make(ramp::call(3, 1.0), &target).unwrap_err().to_string();
    assert!(message.contains("(the target is missing)"), "{message}");
    let message = reader.make(ramp::call(3, 1.0), NoOutput).unwrap_err().to_string();
    assert!(message.contains("a step without a file isn't up to date (not made yet)"), "{message}");
    assert_eq!(runs(), 1);
}

#[test]
fn refreshing_makes_each_step_again_once() {
    let workshop = Workshop::new();
    let (a, b) = (NpyFile::new(workshop.path("a.npy")), NpyFile::new(workshop.path("b.npy")));
    workshop.memory.make(ramp::call(3, 1.0), &a).unwrap();
    workshop.memory.make(ramp::call(3, 1.0), &b).unwrap();
    let memory = Memory::builder(workshop.folder.path().join("cache")).mode(Mode::Refresh).open().unwrap();
    for _ in 0..3 {
        memory.make(ramp::call(3, 1.0), &a).unwrap();
        memory.make(ramp::call(3, 1.0), &b).unwrap();
    }
    assert_eq!((runs(), memory.stats().by_reason()["refresh"]), (4, 2));
}

#[test]
fn only_the_last_result_is_kept() {
    let workshop = Workshop::new();
    let target = NpyFile::new(workshop.path("a.npy"));
    for (step, expected) in [(1.0, 1), (1.0, 1), (2.0, 2), (1.0, 3), (1.0, 3)] {
        assert_eq!(workshop.memory.make(ramp::call(3, step), &target).unwrap()[1], step);
        assert_eq!(runs(), expected);
    }
    assert_eq!((workshop.slots().len(), workshop.names()), (1, vec!["a.npy".to_owned()]));
    assert_eq!(workshop.memory.entries().count(), 0, "a step is no entry");
}

#[test]
fn steps_without_output_run_once_for_each_function_and_name() {
    let workshop = Workshop::new();
    let memory = &workshop.memory;
    for _ in 0..2 {
        memory.make(ramp::call(3, 1.0), NoOutput).unwrap();
        memory.make(ramp::call(3, 1.0), NoOutput::named("again")).unwrap();
    }
    assert_eq!((runs(), workshop.slots().len()), (2, 2));
    memory.make(ramp::call(3, 2.0), NoOutput).unwrap();
    memory.make(ramp::call(3, 1.0), NoOutput).unwrap();
    assert_eq!(runs(), 4, "only the last call counts");
}

#[test]
fn the_reasons_are_counted() {
    let workshop = Workshop::new();
    let path = workshop.path("a.npy");
    let make = |step| workshop.memory.make(ramp::call(3, step), NpyFile::new(&path)).unwrap();
    make(1.0);
    make(2.0);
    make(2.0);
    fs::remove_file(&path).unwrap();
    make(2.0);
    let stats = workshop.memory.stats();
    let counted: Vec<_> = stats.by_reason().iter().map(|(reason, count)| (*reason, *count)).collect();
    assert_eq!(counted, [("argument", 1), ("hit", 1), ("new function", 1), ("target", 1)]);
    assert_eq!(stats.faults(), 0);
}

#[test]
fn a_damaged_record_of_a_slot_is_told_and_the_step_is_made_again() {
    let workshop = Workshop::new();
    let target = NpyFile::new(workshop.path("a.npy"));
    workshop.memory.make(ramp::call(3, 1.0), &target).unwrap();
    let slot = workshop.slots().remove(0);
    let mut bytes = fs::read(&slot).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&slot, bytes).unwrap();
    let told = warnings(|| drop(workshop.memory.make(ramp::call(3, 1.0), &target).unwrap()));
    assert_eq!((told.len(), runs(), workshop.memory.stats().faults()), (1, 2, 1), "{told:?}");
    workshop.memory.make(ramp::call(3, 1.0), &target).unwrap();
    assert_eq!(runs(), 2);
}

#[test]
fn a_slot_of_a_newer_version_is_left_alone() {
    let workshop = Workshop::new();
    let target = NpyFile::new(workshop.path("a.npy"));
    workshop.memory.make(ramp::call(3, 1.0), &target).unwrap();
    let slot = workshop.slots().remove(0);
    let newer = crate::support::newer(&fs::read(&slot).unwrap());
    fs::write(&slot, &newer).unwrap();
    for _ in 0..2 {
        assert_eq!(workshop.memory.make(ramp::call(3, 1.0), &target).unwrap(), array![0.0, 1.0, 2.0]);
    }
    assert_eq!((fs::read(&slot).unwrap() == newer, runs()), (true, 3));
    assert_eq!(workshop.memory.stats().by_reason()["newer"], 2);
}

#[test]
fn a_fault_of_the_cache_costs_no_target() {
    let workshop = Workshop::new();
    let target = NpyFile::new(workshop.path("a.npy"));
    // A file stands where the slots' folder would be.
    fs::write(workshop.folder.path().join("cache/m"), "").unwrap();
    for _ in 0..2 {
        assert_eq!(workshop.memory.make(ramp::call(3, 1.0), &target).unwrap(), array![0.0, 1.0, 2.0]);
    }
    assert_eq!((runs(), workshop.memory.stats().faults()), (2, 2));
}

#[test]
fn clearing_forgets_the_steps_and_leaves_their_targets() {
    let workshop = Workshop::new();
    let target = NpyFile::new(workshop.path("a.npy"));
    workshop.memory.make(ramp::call(3, 1.0), &target).unwrap();
    workshop.memory.clear().unwrap();
    assert_eq!((workshop.slots().len(), workshop.names()), (0, vec!["a.npy".to_owned()]));
    workshop.memory.make(ramp::call(3, 1.0), &target).unwrap();
    assert_eq!(runs(), 2);
}

#[test]
fn a_call_that_can_not_be_keyed_is_made_each_time() {
    let workshop = Workshop::new();
    let make = || {
        // A function inside a closure has no name of its own.
        let inner = || {
            #[cache]
            fn nameless(n: usize) -> Array1<f64> {
                RUNS.set(RUNS.get() + 1);
                Array1::zeros(n)
            }
            nameless::call(3)
        };
        workshop.memory.make(inner(), NpyFile::new(workshop.path("a.npy"))).unwrap()
    };
    assert_eq!((make(), make()), (array![0.0, 0.0, 0.0], array![0.0, 0.0, 0.0]));
    assert_eq!((runs(), workshop.memory.stats().by_reason()["bypassed"]), (2, 2));
}

#[test]
fn cached_calls_inside_a_step_and_steps_inside_cached_calls_go_through_the_memory() {
    #[cache(depends(ramp))]
    fn outer(n: usize) -> Array1<f64> {
        RUNS.set(RUNS.get() + 1);
        ramp(n, 1.0) + 1.0
    }
    let workshop = Workshop::new();
    workshop.memory.make(outer::call(3), NpyFile::new(workshop.path("a.npy"))).unwrap();
    assert!(workshop.memory.contains(&ramp::call(3, 1.0)));
    let inside = workshop.memory.with(|| {
        let memory = workshop.memory.clone();
        memory.make(outer::call(3), NpyFile::new(workshop.path("a.npy"))).unwrap()
    });
    assert_eq!((inside, runs()), (array![1.0, 2.0, 3.0], 2));
}

#[test]
fn verbose_memories_print_what_was_made_why_and_what_is_up_to_date() {
    const NAME: &str = "make::modes::verbose_memories_print_what_was_made_why_and_what_is_up_to_date";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::builder(format!("{folder}/cache")).verbose(2).open().unwrap();
        for step in [1.0, 1.0, 2.0] {
            memory.make(ramp::call(3, step), NpyFile::new(format!("{folder}/a.npy"))).unwrap();
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let said: Vec<_> = said.lines().collect();
    let target = format!("target `{}`", folder.path().join("a.npy").display());
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].starts_with("ndcache: ndcache::make::ramp(n: 3, step: 1.0) made in "), "{}", said[0]);
    assert!(said[0].ends_with(&format!("{target}; not made yet")), "{}", said[0]);
    assert!(said[1].ends_with(&format!("ramp(n: 3, step: 1.0) is up to date, {target}")), "{}", said[1]);
    assert!(said[2].ends_with(&format!("{target}; argument `step`: 1.0 → 2.0")), "{}", said[2]);
}
