//! Edits that are committed while the same result is computed: whatever was begun earlier doesn't replace them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ndarray::Array1;
use tempfile::TempDir;

use crate::Memory;

/// Where runs say that they have begun, and what lets each of them end.
static RUNS: Mutex<Option<Sender<Sender<()>>>> = Mutex::new(None);

/// Holds the runs of one test at a time.
static TEST: Mutex<()> = Mutex::new(());

#[ndcache::cache(ignore(waits))]
fn zeros(n: usize, waits: bool) -> Array1<f64> {
    if waits {
        let (end, ended) = channel();
        RUNS.lock().unwrap().as_ref().unwrap().send(end).unwrap();
        ended.recv().unwrap();
    }
    Array1::zeros(n)
}

fn runs() -> Receiver<Sender<()>> {
    let (begin, begun) = channel();
    *RUNS.lock().unwrap() = Some(begin);
    begun
}

/// A memory that waits for nobody, and so computes beside others.
fn hasty(folder: &TempDir) -> Memory {
    Memory::builder(folder.path()).wait(Duration::ZERO).open().unwrap()
}

/// A memory of another process.
fn elsewhere(folder: &TempDir) -> Memory {
    let mut memory = hasty(folder);
    Arc::get_mut(memory.0.as_mut().unwrap()).unwrap().apart = Some(1);
    memory
}

/// Commits an edit that others than `memory` see, too.
fn edit(memory: &Memory, element: f64) {
    let mut edited = memory.mmap_mut(zeros::call(9, false)).unwrap();
    edited[0] = element;
    edited.commit().unwrap();
}

#[test]
fn an_edit_is_not_replaced_by_what_is_computed_beside_others() {
    let _test = TEST.lock();
    let (folder, begun) = (tempfile::tempdir().unwrap(), runs());
    let memory = &hasty(&folder);
    thread::scope(|scope| {
        let call = || scope.spawn(move || memory.try_eval(zeros::call(9, true)));
        let first = call();
        let end_first = begun.recv().unwrap();
        let beside = call();
        let end_beside = begun.recv().unwrap();
        end_first.send(()).unwrap();
        assert!(first.join().unwrap().is_ok());
        edit(memory, -17.0);
        end_beside.send(()).unwrap();
        assert_eq!(beside.join().unwrap().unwrap()[0], 0.0);
    });
    assert_eq!(memory.eval(zeros::call(9, false))[0], -17.0);
    assert!(memory.refresh(zeros::call(9, false))[0] == 0.0 && memory.eval(zeros::call(9, false))[0] == 0.0);
}

/// A refresh replaces what was edited before it began, and nothing later.
#[test]
fn an_edit_of_another_process_is_not_replaced_by_what_began_before() {
    let _test = TEST.lock();
    for before in [None, Some(3.0)] {
        let (folder, begun) = (tempfile::tempdir().unwrap(), runs());
        let (memory, other) = (hasty(&folder), elsewhere(&folder));
        before.into_iter().for_each(|element| edit(&other, element));
        thread::scope(|scope| {
            let refreshes = scope.spawn(|| memory.eval(zeros::call(9, true).refresh()));
            let end = begun.recv().unwrap();
            edit(&other, -17.0);
            end.send(()).unwrap();
            assert_eq!(refreshes.join().unwrap()[0], 0.0);
        });
        assert_eq!((memory.eval(zeros::call(9, false))[0], memory.stats().faults()), (-17.0, 0), "{before:?}");
        assert_eq!(memory.refresh(zeros::call(9, false))[0], 0.0);
        assert_eq!(memory.eval(zeros::call(9, false))[0], 0.0, "{before:?}");
    }
}

#[test]
fn what_an_edit_keeps_from_being_stored_leaves_no_file() {
    let _test = TEST.lock();
    let (folder, begun) = (tempfile::tempdir().unwrap(), runs());
    let open = || Memory::builder(folder.path()).wait(Duration::ZERO).inline(0).open().unwrap();
    let (memory, mut other) = (open(), open());
    Arc::get_mut(other.0.as_mut().unwrap()).unwrap().apart = Some(1);
    thread::scope(|scope| {
        scope.spawn(|| memory.eval(zeros::call(9, true)));
        let end = begun.recv().unwrap();
        edit(&other, -17.0);
        end.send(()).unwrap();
    });
    let site = memory.0.as_ref().unwrap().site(&zeros::call(9, false)).unwrap();
    let record = folder.path().join(site.record());
    let names = std::fs::read_dir(record.parent().unwrap()).unwrap().map(|item| item.unwrap().file_name());
    let arrays = names.filter(|name| name.to_string_lossy().ends_with(".npy"));
    assert_eq!(arrays.count(), 1, "that of the edit");
}
