//! Files that are lost, empty, garbled, or half written.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::policy::VerifyPolicy;
use ndcache::{Memory, cache};

use crate::support::{fresh, snapshot};

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| (i * n) as f64)
}

fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
}

/// joblib: another process that saw the file of the function's code empty wiped all of the function's results.
#[test]
fn whatever_file_is_lost_or_garbled_all_other_entries_hit() {
    const CALLS: [usize; 4] = [10, 20, 1000, 2000];
    let stored = || {
        let (folder, memory) = fresh();
        let _ = CALLS.map(|n| memory.eval(ramp::call(n)));
        (folder, memory)
    };
    let (folder, _memory) = stored();
    let files = snapshot(folder.path()).into_keys().filter(|path| Path::new(path).is_file()).count();
    assert!(files >= 7, "four records, two arrays, a tag: {files}");
    for file in 0..files {
        for damage in [None, Some(&b""[..]), Some(b"garbage")] {
            let (folder, _) = stored();
            let path = snapshot(folder.path()).into_keys().map(PathBuf::from).filter(|path| path.is_file()).nth(file);
            let path = path.unwrap();
            match damage {
                None => fs::remove_file(&path).unwrap(),
                Some(bytes) => replace(&path, bytes),
            }
            // A new memory finds the folder as a process does that starts now.
            let memory = Memory::open(folder.path()).unwrap();
            let missing = CALLS.iter().filter(|&&n| !memory.contains(&ramp::call(n))).count();
            assert!(missing <= 1, "{} takes {missing} entries with it", path.display());
            for n in CALLS {
                assert_eq!(memory.eval(ramp::call(n)), ramp::compute(n));
            }
            assert_eq!(memory.stats().misses(), missing as u64, "{}", path.display());
        }
    }
}

mod edited {
    use super::*;

    /// Other code under the name of `ramp`.
    #[cache(name = "failures: refused ramp", validate = |_| GOOD.load(Ordering::SeqCst))]
    pub(super) fn ramp(n: usize) -> Array1<f64> {
        0.5 * super::ramp::compute(n)
    }
}

mod before {
    use super::*;

    #[cache(name = "failures: refused ramp")]
    pub(super) fn ramp(n: usize) -> Array1<f64> {
        super::ramp::compute(n)
    }
}

static GOOD: AtomicBool = AtomicBool::new(true);

/// joblib: asking after a change of code removed all of the function's results, and a refused one was removed, too.
#[test]
fn asking_removes_nothing_after_a_change_of_code_or_a_refusal() {
    let (folder, memory) = fresh();
    for n in [10, 1000, 2000] {
        memory.eval(before::ramp::call(n));
    }
    memory.eval(edited::ramp::call(3000));
    let stored = snapshot(folder.path());
    GOOD.store(false, Ordering::SeqCst);
    let memory = Memory::open(folder.path()).unwrap();
    for n in [10, 1000, 2000, 3000] {
        assert!(!memory.contains(&edited::ramp::call(n)));
        assert_ne!(memory.explain(&edited::ramp::call(n)).reason(), Reason::Hit);
    }
    assert_eq!(snapshot(folder.path()), stored);
    GOOD.store(true, Ordering::SeqCst);
    assert!(memory.contains(&edited::ramp::call(3000)) && memory.contains(&before::ramp::call(2000)));
}

/// joblib: the time of an entry was in a second file, and a call that found the first one alone raised `KeyError`.
#[test]
fn an_entry_that_expires_is_whole_or_a_miss_at_every_length_of_its_record() {
    #[cache(expires = Duration::from_secs(3600))]
    fn next(n: usize) -> usize {
        n + RUNS.fetch_add(1, Ordering::SeqCst)
    }
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let (folder, memory) = fresh();
    memory.eval(next::call(0));
    let record = memory.entry(&next::call(0)).unwrap().unwrap().path().to_owned();
    let whole = fs::read(&record).unwrap();
    let of_entry = |path: &String| !path.contains("/code");
    let found = snapshot(&folder.path().join("f")).into_keys().filter(of_entry).count();
    assert_eq!(found, 3, "folder, shard and one file");
    for length in 0..whole.len() {
        replace(&record, &whole[..length]);
        // One that remembers nothing.
        let memory = Memory::open(folder.path()).unwrap();
        let runs = RUNS.load(Ordering::SeqCst);
        assert!(matches!(memory.explain(&next::call(0)).reason(), Reason::Damaged(_)), "{length} bytes");
        assert_eq!((memory.eval(next::call(0)), memory.eval(next::call(0))), (runs, runs));
    }
}

/// joblib: see above; writers left that gap open at each of their calls.
#[test]
fn an_entry_that_expires_is_never_seen_half_while_others_write_it() {
    #[cache(expires = Duration::from_secs(3600))]
    fn ramp(n: usize) -> Array1<f64> {
        super::files::ramp::compute(n)
    }
    let (folder, memory) = fresh();
    memory.eval(ramp::call(1000));
    let writer = Memory::open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        let writes = scope.spawn(|| (0..50).for_each(|_| drop(writer.refresh(ramp::call(1000)))));
        while !writes.is_finished() {
            assert!(memory.contains(&ramp::call(1000)));
            assert_eq!(memory.eval(ramp::call(1000)), super::files::ramp::compute(1000));
        }
    });
    assert_eq!((memory.stats().misses(), memory.stats().faults(), writer.stats().faults()), (1, 0, 0));
}

/// joblib: a truncated entry raised from `get`, and a flipped bit in an array was returned as a wrong value.
#[test]
fn a_truncated_file_or_a_flipped_bit_is_never_a_wrong_value() {
    const N: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    // Each array is in its own file, and each mapped one is verified at each hit.
    let memory = Memory::builder(folder.path()).inline(0).verify(VerifyPolicy::Always).open().unwrap();
    let expected = ramp::compute(N);
    // How often a memory that remembers no entry misses.
    let misses = |what: &dyn Fn() -> String| {
        let memory = Memory::builder(folder.path()).inline(0).verify(VerifyPolicy::Always).open().unwrap();
        assert_eq!(memory.mmap(ramp::call(N)), expected, "{}", what());
        assert_eq!(memory.eval(ramp::call(N)), expected, "{}", what());
        memory.stats().misses()
    };
    assert_eq!(misses(&|| "whole".to_owned()), 1);
    for which in ["record", "array"] {
        let file = || {
            let entry = memory.entry(&ramp::call(N)).unwrap().unwrap();
            if which == "record" { entry.path().to_owned() } else { entry.files()[0].clone() }
        };
        let length = fs::read(file()).unwrap().len();
        // All bits of the array's elements are tried, and one bit of each other byte.
        let elements = if which == "array" { length - 8 * N..length } else { 0..0 };
        for bit in (0..8 * length).filter(|bit| elements.contains(&(bit / 8)) || bit % 9 == 0) {
            let (path, mut bytes) = (file(), fs::read(file()).unwrap());
            bytes[bit / 8] ^= 1 << (bit % 8);
            replace(&path, &bytes);
            let missed = misses(&|| format!("bit {bit} of the {which}"));
            assert!(missed == 1 || which == "array" && !elements.contains(&(bit / 8)), "bit {bit} of the {which}");
        }
        for length in (0..length).step_by(7) {
            let (path, bytes) = (file(), fs::read(file()).unwrap());
            replace(&path, &bytes[..length]);
            assert_eq!(misses(&|| format!("{length} bytes of the {which}")), 1, "{length} bytes of the {which}");
        }
    }
}
