//! One maker per target, among threads and processes.

use std::process::Stdio;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::make::NpyFile;
use ndcache::{Memory, cache};

use super::Workshop;
use crate::support::{child, in_child};

#[test]
fn threads_that_make_one_target_run_its_function_once() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn slow(n: usize) -> Array1<f64> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(100));
        Array1::ones(n)
    }
    let workshop = Workshop::new();
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                let made = workshop.memory.make(slow::call(5), NpyFile::new(workshop.path("a.npy"))).unwrap();
                assert_eq!(made.sum(), 5.0);
            });
        }
    });
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
}

#[test]
fn threads_that_make_one_target_of_other_arguments_each_get_their_own() {
    #[cache]
    fn filled(with: u32) -> Array1<u32> {
        Array1::from_elem(1000, with)
    }
    let workshop = Workshop::new();
    std::thread::scope(|scope| {
        for with in 0..8 {
            let workshop = &workshop;
            scope.spawn(move || {
                for _ in 0..5 {
                    let made = workshop.memory.make(filled::call(with), NpyFile::new(workshop.path("a.npy"))).unwrap();
                    assert!(made.iter().all(|&x| x == with));
                }
            });
        }
    });
    assert_eq!(workshop.names(), ["a.npy"]);
}

#[cfg(target_os = "linux")]
#[test]
fn processes_that_make_one_target_run_its_function_once() {
    const NAME: &str = "make::flights::processes_that_make_one_target_run_its_function_once";
    #[cache]
    fn slow(n: usize) -> Array1<f64> {
        std::thread::sleep(Duration::from_millis(300));
        Array1::ones(n)
    }
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(format!("{folder}/cache")).unwrap();
        let made = memory.make(slow::call(5), NpyFile::new(format!("{folder}/out/a.npy"))).unwrap();
        assert_eq!(made.sum(), 5.0);
        println!("misses: {}", memory.stats().misses());
        return;
    }
    let workshop = Workshop::new();
    let folder = workshop.folder.path().to_str().unwrap();
    let children: Vec<_> =
        (0..4).map(|_| child(NAME, &[("FOLDER", folder)]).stdout(Stdio::piped()).spawn().unwrap()).collect();
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    let ran = outputs.iter().filter(|output| String::from_utf8_lossy(&output.stdout).contains("misses: 1")).count();
    assert_eq!(ran, 1);
}
