//! Faults of the cache: the result comes back, the fault is counted and told, and nothing panics.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::{ErrorKind, Memory, cache};

use crate::support::{Mount, files, fresh, newer, warnings};

/// Large enough for a mapped file.
const N: usize = 40_000;

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

fn expected() -> Array1<f64> {
    ramp::compute(N)
}

/// A memory with one entry, its record and its array.
fn stored() -> (tempfile::TempDir, Memory, PathBuf, PathBuf) {
    let (folder, memory) = fresh();
    memory.eval(ramp::call(N));
    let entry = memory.entry(&ramp::call(N)).unwrap().unwrap();
    let (record, array) = (entry.path().to_owned(), entry.files()[0].clone());
    (folder, memory, record, array)
}

/// Whatever was done to the entry: a miss with a reason, the right value, a warning, and a hit the next time.
fn is_replaced(memory: &Memory, what: &str) {
    let reason = memory.explain(&ramp::call(N)).reason();
    let warned = warnings(|| assert_eq!(memory.eval(ramp::call(N)), expected(), "{what}"));
    assert!(
        matches!(reason, Reason::Damaged(_) | Reason::Argument(_) | Reason::NewFunction | Reason::Hit),
        "{what}: {reason}"
    );
    let misses = memory.stats().misses();
    assert_eq!(memory.mmap(ramp::call(N)), expected(), "{what}");
    assert_eq!(memory.eval(ramp::call(N)), expected(), "{what}");
    assert_eq!(memory.stats().misses(), misses, "{what}: replaced, and so a hit");
    drop(warned);
}

fn rewrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
}

#[test]
fn a_damaged_record_is_a_miss_and_is_replaced() {
    for damage in ["truncated", "empty", "garbage", "flipped", "longer"] {
        let (_folder, memory, record, _) = stored();
        let mut bytes = fs::read(&record).unwrap();
        match damage {
            "truncated" => bytes.truncate(bytes.len() / 2),
            "empty" => bytes.clear(),
            "garbage" => bytes = vec![0xc1; 300],
            "flipped" => bytes[100] ^= 1,
            _ => bytes.push(0),
        }
        rewrite(&record, &bytes);
        assert!(matches!(memory.explain(&ramp::call(N)).reason(), Reason::Damaged(what) if what.contains(".record")));
        is_replaced(&memory, damage);
    }
}

#[test]
fn a_damaged_array_is_a_miss_and_is_replaced() {
    for damage in ["truncated", "empty", "longer", "missing"] {
        let (_folder, memory, _, array) = stored();
        let mut bytes = fs::read(&array).unwrap();
        match damage {
            "truncated" => bytes.truncate(bytes.len() - 12),
            "empty" => bytes.clear(),
            "longer" => bytes.push(0),
            _ => {}
        }
        rewrite(&array, &bytes);
        if damage == "missing" {
            fs::remove_file(&array).unwrap();
        }
        assert!(matches!(memory.explain(&ramp::call(N)).reason(), Reason::Damaged(what) if what.contains(".npy")));
        assert!(!memory.contains(&ramp::call(N)));
        is_replaced(&memory, damage);
        assert!(memory.stats().faults() >= 1, "{damage} is counted");
    }
}

#[test]
fn a_flipped_bit_in_an_array_is_never_loaded() {
    let (_folder, memory, _, array) = stored();
    let mut bytes = fs::read(&array).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    rewrite(&array, &bytes);
    assert_eq!(memory.eval(ramp::call(N)), expected());
    assert_eq!(memory.stats().misses(), 2);
    assert_eq!(memory.stats().by_reason()["damaged"], 1);
}

#[test]
fn a_record_that_was_renamed_to_another_key_is_not_taken_for_it() {
    let (_folder, memory, record, _) = stored();
    memory.eval(ramp::call(N + 1));
    let other = memory.entry(&ramp::call(N + 1)).unwrap().unwrap();
    fs::copy(other.path(), &record).unwrap();
    is_replaced(&memory, "renamed");
}

#[test]
fn things_that_are_no_files_are_neither_opened_nor_followed() {
    for what in ["fifo", "link", "folder"] {
        for place in ["record", "array"] {
            let (folder, memory, record, array) = stored();
            let path = if place == "record" { record } else { array };
            fs::remove_file(&path).unwrap();
            let outside = tempfile::NamedTempFile::new().unwrap();
            fs::write(outside.path(), b"not ours").unwrap();
            match what {
                "fifo" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                "link" => symlink(outside.path(), &path).unwrap(),
                _ => fs::create_dir(&path).unwrap(),
            }
            assert_eq!(memory.eval(ramp::call(N)), expected(), "{what} in place of the {place}");
            assert_eq!(memory.eval(ramp::call(N)), expected(), "{what} in place of the {place}");
            assert_eq!(fs::read(outside.path()).unwrap(), b"not ours");
            drop(folder);
        }
    }
}

#[test]
fn an_entry_of_a_newer_version_is_left_alone() {
    let (_folder, memory, record, _) = stored();
    let bytes = newer(&fs::read(&record).unwrap());
    rewrite(&record, &bytes);
    assert!(matches!(memory.explain(&ramp::call(N)).reason(), Reason::Newer(_)));
    assert_eq!(memory.eval(ramp::call(N)), expected());
    assert_eq!(memory.try_eval(ramp::call(N)).unwrap(), expected());
    assert_eq!(fs::read(&record).unwrap(), bytes, "neither replaced nor removed");
    assert_eq!(memory.stats().by_reason()["newer"], 2);
}

#[test]
fn a_folder_that_can_not_be_made_is_an_error_that_names_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for path in [file.path().to_owned(), file.path().join("below")] {
        let error = Memory::open(&path).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Invalid), "{error:?}");
    }
}

#[test]
fn a_full_disk_costs_no_result_and_leaves_nothing_half() {
    let Some(small) = Mount::tmpfs("size=200k") else { return };
    let memory = Memory::open(small.path().join("cache")).unwrap();
    let warned = warnings(|| {
        for _ in 0..3 {
            assert_eq!(memory.eval(ramp::call(N)), expected());
            assert_eq!(memory.mmap(ramp::call(N)), expected());
        }
    });
    assert_eq!(warned.len(), 1, "told once: {warned:?}");
    assert_eq!(memory.stats().faults(), 6);
    let error = memory.try_eval(ramp::call(N)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains(".npy"), "{error}");
    assert!(files(small.path(), ".npy").is_empty() && files(small.path(), ".record").is_empty());
    // There is room for smaller ones, and then there isn't: each value is right, whether it was stored or not.
    for n in 0..200 {
        assert_eq!(memory.eval(ramp::call(n)), ramp::compute(n));
    }
}

#[test]
fn a_read_only_folder_opens_for_reading_with_a_warning() {
    let Some(mount) = Mount::tmpfs("size=10m") else { return };
    let folder = mount.path().join("cache");
    Memory::open(&folder).unwrap().eval(ramp::call(N));
    mount.remount("ro");
    let warned = warnings(|| {
        let memory = Memory::open(&folder).unwrap();
        assert_eq!(memory.mode(), ndcache::Mode::ReadOnly);
        assert_eq!(memory.eval(ramp::call(N)), expected());
        assert_eq!(memory.eval(ramp::call(N + 1)).len(), N + 1);
        assert_eq!((memory.stats().hits(), memory.stats().misses(), memory.stats().faults()), (1, 1, 0));
    });
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains(folder.to_str().unwrap()), "{warned:?}");
}

#[test]
fn a_folder_that_vanishes_and_can_not_be_made_anew_costs_no_result() {
    let (folder, memory) = fresh();
    fs::remove_dir_all(folder.path()).unwrap();
    fs::write(folder.path(), "").unwrap();
    assert_eq!(memory.eval(ramp::call(N)), expected());
    assert_eq!(memory.mmap(ramp::call(N)), expected());
    assert_eq!(memory.try_eval(ramp::call(N)).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(memory.entries().count(), 0);
    fs::remove_file(folder.path()).unwrap();
}

#[test]
fn a_file_that_lost_its_mode_gets_it_back_if_its_bytes_are_right() {
    let (folder, memory, _, array) = stored();
    fs::set_permissions(&array, fs::Permissions::from_mode(0o644)).unwrap();
    let mapped = memory.mmap(ramp::call(N));
    assert!(mapped.is_mapped());
    assert_eq!(mapped, expected());
    assert_eq!(fs::metadata(&array).unwrap().permissions().mode() & 0o777, 0o444);

    fs::set_permissions(&array, fs::Permissions::from_mode(0o644)).unwrap();
    OpenOptions::new().append(false).write(true).open(&array).unwrap().write_all(b"X").unwrap();
    let mut last = File::options().write(true).open(&array).unwrap();
    std::io::Seek::seek(&mut last, std::io::SeekFrom::End(-1)).unwrap();
    last.write_all(b"X").unwrap();
    drop((last, mapped));
    // A new memory, since the old one needn't open again what it has mapped.
    let memory = Memory::open(folder.path()).unwrap();
    assert_eq!(memory.mmap(ramp::call(N)), expected());
    assert_eq!(memory.stats().by_reason()["damaged"], 1);
}

#[test]
fn a_world_writable_folder_is_never_mapped() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    for _ in 0..2 {
        let mapped = memory.mmap(ramp::call(N));
        assert!(!mapped.is_mapped());
        assert_eq!(mapped, expected());
    }
    assert_eq!(memory.stats().hits(), 1);
}

#[test]
fn what_a_function_panics_with_passes_and_nothing_is_stored() {
    #[cache]
    fn fails(n: u8) -> u8 {
        assert!(n > 0, "on purpose");
        n
    }
    let (_folder, memory) = fresh();
    for _ in 0..2 {
        let call = fails::call(0);
        assert!(std::panic::catch_unwind(|| memory.eval(call)).is_err());
    }
    assert_eq!(memory.eval(fails::call(1)), 1);
    assert_eq!(memory.entries().count(), 1);
}

#[cfg(debug_assertions)]
#[test]
fn an_argument_that_changes_during_the_call_is_told_and_its_result_is_not_stored() {
    use std::sync::atomic::{AtomicU64, Ordering};
    struct Counter(AtomicU64);
    impl ndcache::ContentHash for Counter {
        fn content_hash(&self, hasher: &mut ndcache::hash::ContentHasher) {
            hasher.u64(self.0.load(Ordering::SeqCst));
        }
    }
    #[cache]
    fn next(counter: &Counter) -> u64 {
        counter.0.fetch_add(1, Ordering::SeqCst)
    }
    let (_folder, memory) = fresh();
    let counter = Counter(AtomicU64::new(5));
    assert_eq!(memory.eval(next::call(&counter)), 5);
    assert_eq!(memory.entries().count(), 0);
    let error = memory.try_eval(next::call(&counter)).unwrap_err().to_string();
    assert!(error.contains("`counter`"), "{error}");
}
