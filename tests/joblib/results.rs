//! What is printed, copied and opened again: memories, calls, functions.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndcache::shelve::Shelved;
use ndcache::{Memory, Mode, cache, digest};

use crate::support::fresh;

#[cache]
fn doubled(n: u64) -> u64 {
    2 * n
}

#[test]
fn settings_memories_functions_calls_and_references_print() {
    let folder = tempfile::tempdir().unwrap();
    let builder = Memory::builder(folder.path()).salt("2026-11").mode(Mode::Refresh);
    let text = format!("{builder:?}");
    assert!(text.contains(folder.path().to_str().unwrap()) && text.contains("Refresh"), "{text}");
    let memory = builder.open().unwrap();
    let place = memory.location().unwrap().display().to_string();
    assert_eq!(format!("{memory:?}"), format!("Memory({place}, Refresh)"));
    assert_eq!(format!("{:?}", Memory::disabled()), "Memory(disabled, Off)");
    let path = doubled::function().path();
    assert!(path.ends_with("joblib::results::doubled"), "{path}");
    assert_eq!(format!("{:?}", doubled::function()), format!("Function({path})"));
    assert_eq!(format!("{:?}", doubled::call(21)), format!("{path}(21)"));
    let shelved = memory.shelve(doubled::call(21)).unwrap();
    assert_eq!(format!("{shelved:?}"), format!("Shelved({shelved})"));
}

#[test]
fn references_to_one_result_print_alike() {
    let (_folder, memory) = fresh();
    let [one, other] = [0; 2].map(|_| memory.shelve(doubled::call(21)).unwrap());
    assert_eq!(format!("{one:?} {one}"), format!("{other:?} {other}"));
    let third = memory.shelve(doubled::call(22)).unwrap();
    assert_ne!(format!("{one:?}"), format!("{third:?}"));
}

#[test]
fn a_clone_a_reopened_memory_and_a_received_reference_are_as_good_as_the_first() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn counted(n: u64) -> u64 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        2 * n
    }
    let (folder, memory) = fresh();
    let shelved = memory.shelve(counted::call(21)).unwrap();
    let text = serde_json::to_string(&shelved).unwrap();
    let received: Shelved<u64> = serde_json::from_str(&text).unwrap();
    let clone = memory.clone();
    let reopened = Memory::open(folder.path()).unwrap();
    for memory in [&memory, &clone, &reopened] {
        assert_eq!(memory.eval(counted::call(21)), 42);
        assert_eq!((shelved.load(memory).unwrap(), received.load(memory).unwrap()), (42, 42));
        assert_eq!(format!("{memory:?}"), format!("{:?}", opened(folder.path())));
    }
    assert_eq!(clone.stats(), memory.stats());
    assert_eq!((received.function(), received.key()), (shelved.function(), shelved.key()));
    assert_eq!(received.to_string(), shelved.to_string());
    assert_eq!(serde_json::to_string(&received).unwrap(), text);
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
}

fn opened(folder: &std::path::Path) -> Memory {
    Memory::open(folder).unwrap()
}

#[test]
fn a_reference_counts_the_same_after_it_was_written_and_read() {
    #[cache]
    fn ones(n: usize) -> ndarray::Array1<f64> {
        ndarray::Array1::ones(n)
    }
    let (_folder, memory) = fresh();
    let shelved = memory.shelve(ones::call(9)).unwrap();
    let received: Shelved<ndarray::Array1<f64>> =
        serde_json::from_str(&serde_json::to_string(&shelved).unwrap()).unwrap();
    // The reference was received with its digest, and verifies it in the current memory.
    assert_eq!(memory.with(|| digest(&received)), digest(&shelved));
    assert_eq!(digest(&shelved), digest(&ones::compute(9)));
}
