//! Arrays that are stored by several threads, and around the lengths from which they are.

use std::fs;

use ndarray::Array1;
use ndcache::verify::Repair;
use ndcache::{Memory, cache};

use crate::support::{child, in_child};

const MIB: usize = 1 << 20;

#[cache]
fn painted(n: usize) -> Array1<u8> {
    Array1::from_shape_fn(n, |i| (i % 251) as u8)
}

#[test]
fn an_array_of_any_length_is_stored_whole_by_a_worker_or_another_thread() {
    let around = |n: usize| [n - 129, n - 128, n - 127, n - 1, n, n + 1];
    let lengths: Vec<_> = [MIB, 2 * MIB, 4 * MIB, 5 * MIB].into_iter().flat_map(around).collect();
    let store = || {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        for &n in &lengths {
            memory.try_eval(painted::call(n)).unwrap();
        }
        assert!(memory.verify(Repair::No).unwrap().is_intact());
        let again = Memory::open(folder.path()).unwrap();
        for &n in &lengths {
            assert!(again.eval(painted::call(n)) == painted(n), "{n} bytes");
        }
        assert_eq!(again.stats().misses(), 0);
    };
    store();
    rayon::scope(|scope| scope.spawn(|_| store()));
}

/// What the process has held at most, in bytes.
#[cfg(target_os = "linux")]
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[cfg(target_os = "linux")]
#[test]
fn storing_a_large_result_takes_little_memory_beside_it() {
    const NAME: &str = "large::storing_a_large_result_takes_little_memory_beside_it";
    #[cache]
    fn ones(n: usize) -> Array1<u8> {
        let ones = Array1::ones(n);
        PEAK.set(peak());
        ones
    }
    thread_local!(static PEAK: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        let ones = memory.try_eval(ones::call(64 * MIB)).unwrap();
        let more = peak() - PEAK.get();
        assert!(PEAK.get() > ones.len() && more < 16 * MIB, "{more} bytes more than the {} before", PEAK.get());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
