//! The check of all that is stored.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ndarray::prelude::*;
use ndcache::verify::{Problem, Repair};
use ndcache::{Compression, Limits, Memory, cache};

use super::{HOUR, array, ramp, record, store};
use crate::support::{fresh, newer, snapshot};

fn rewrite(path: &Path, change: &dyn Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
}

#[test]
fn each_planted_damage_is_found_and_only_damage_is_removed() {
    let (folder, memory) = fresh();
    let entry = |n: usize| {
        store(&memory, n, HOUR);
        (record(&memory, n), array(&memory, n))
    };
    let intact = entry(10_000);
    let mut damaged = Vec::new();
    let mut plant = |n: usize, what: &'static str, in_array: bool, change: &dyn Fn(&mut Vec<u8>)| {
        let (record, array) = entry(n);
        rewrite(if in_array { &array } else { &record }, change);
        damaged.push((record, what));
    };
    plant(11_000, "digest", false, &|bytes| bytes[100] ^= 1);
    plant(11_001, "bytes", false, &|bytes| bytes.truncate(9));
    plant(11_002, "bytes", false, &|bytes| bytes.resize(100_000, 0));
    plant(11_003, "digest", true, &|bytes| *bytes.last_mut().unwrap() ^= 1);
    plant(11_004, "bytes, expected", true, &|bytes| bytes.truncate(bytes.len() - 1));
    plant(11_005, "magic", true, &|bytes| bytes[0] ^= 1);
    plant(11_006, "header", true, &|bytes| {
        let at = bytes.windows(7).position(|window| window == b"(11006,").unwrap();
        bytes[at + 5] = b'7';
    });
    let (missing, array_of_missing) = entry(11_007);
    fs::remove_file(array_of_missing).unwrap();
    damaged.push((missing, "is missing"));
    let (moved, _) = entry(11_008);
    fs::copy(&intact.0, &moved).unwrap();
    damaged.push((moved, "is of `"));

    let (_, writable) = entry(12_000);
    fs::set_permissions(&writable, fs::Permissions::from_mode(0o644)).unwrap();
    let (later, _) = entry(13_000);
    fs::write(&later, newer(&fs::read(&later).unwrap())).unwrap();
    let orphan = intact.1.with_extension("").with_extension("00000000deadbeef.npy");
    fs::write(&orphan, b"orphan").unwrap();
    let before = snapshot(folder.path());

    let report = memory.verify(Repair::No).unwrap();
    assert_eq!(snapshot(folder.path()), before, "nothing is touched");
    assert_eq!((report.entries, report.damaged, report.newer, report.orphans), (12, 9, 1, 1), "{report:?}");
    assert!(!report.is_intact() && report.removed == 0 && report.bytes > 40_000);
    let problem = |path: &Path| {
        let mut found = report.problems.iter().filter(|(at, _)| at == path).map(|(_, problem)| problem);
        let problem = found.next().unwrap_or_else(|| panic!("`{}` in {report:?}", path.display()));
        assert!(found.next().is_none());
        problem
    };
    for (path, what) in &damaged {
        let Problem::Damaged(text) = problem(path) else { panic!("{what}: {:?}", problem(path)) };
        assert!(text.contains(what), "{what}: {text}");
        assert!(problem(path).to_string().starts_with("damaged: "));
    }
    assert_eq!(*problem(&writable), Problem::Writable);
    assert!(matches!(problem(&later), Problem::Newer(text) if text.contains("format is 2")));
    assert_eq!(*problem(&orphan), Problem::Orphan);
    assert_eq!(report.problems.len(), damaged.len() + 3);

    let report = memory.verify(Repair::Remove).unwrap();
    assert_eq!((report.damaged, report.removed), (9, 9));
    let report = memory.verify(Repair::No).unwrap();
    assert!(report.is_intact());
    assert_eq!((report.entries, report.newer), (3, 1));
    assert!(intact.0.exists() && intact.1.exists() && writable.exists() && later.exists() && orphan.exists());
    assert!(damaged.iter().all(|(path, _)| !path.exists()));
}

#[test]
fn a_folder_that_is_written_to_meanwhile_has_no_damage() {
    let (_folder, memory) = fresh();
    let end = Instant::now() + Duration::from_millis(500);
    thread::scope(|scope| {
        for thread in 0..2 {
            let memory = &memory;
            scope.spawn(move || {
                for n in (0..20).cycle().take_while(|_| Instant::now() < end) {
                    let value = if thread == 0 {
                        memory.refresh(ramp::call(5000 + n))
                    } else {
                        memory.eval(ramp::call(5000 + n))
                    };
                    assert_eq!(value, ramp::compute(5000 + n));
                    if n == 10 {
                        memory.reduce_size(Limits::default().items(5)).unwrap();
                    }
                }
            });
        }
        while Instant::now() < end {
            let report = memory.verify(Repair::Remove).unwrap();
            assert_eq!((report.damaged, report.removed), (0, 0), "{report:?}");
        }
    });
    assert_eq!(memory.stats().faults(), 0, "{:?}", memory.stats());
}

#[test]
fn compressed_entries_are_checked_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).compression(Compression::Gzip(1)).inline(0).open().unwrap();
    #[cache]
    fn ramp(n: u32) -> Array1<f64> {
        (0..n).map(f64::from).collect()
    }
    memory.eval(ramp::call(1000));
    let report = memory.verify(Repair::No).unwrap();
    assert!(report.is_intact(), "{report:?}");
    let file = memory.entry(&ramp::call(1000)).unwrap().unwrap().files()[0].clone();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    assert_eq!(memory.verify(Repair::No).unwrap().damaged, 1);
}
