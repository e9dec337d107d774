//! Limits: which entries go, which stay, and that a cache keeps to them by itself; in `verify`, the check of all that
//! is stored.

mod verify;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndcache::policy::{EvictPolicy, Evicted};
use ndcache::verify::Repair;
use ndcache::{ErrorKind, Limits, Memory, Mode, cache};
use proptest::prelude::*;

use crate::support::{Mount, files, fresh, newer, snapshot};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[cache]
fn ramp(n: usize) -> Array1<u16> {
    Array1::from_shape_fn(n, |i| (i % 65_521) as u16)
}

/// Takes as long as is asked for.
#[cache]
fn slow(n: usize, milliseconds: u64) -> Array1<u8> {
    std::thread::sleep(Duration::from_millis(milliseconds));
    Array1::zeros(n)
}

/// The record of a stored call.
fn record(memory: &Memory, n: usize) -> PathBuf {
    memory.entry(&ramp::call(n)).unwrap().expect("an entry").path().to_owned()
}

fn array(memory: &Memory, n: usize) -> PathBuf {
    memory.entry(&ramp::call(n)).unwrap().expect("an entry").files()[0].clone()
}

fn set_back(path: &Path, age: Duration) {
    File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

/// Stores the ramp of `n`, last used an `age` ago.
fn store(memory: &Memory, n: usize, age: Duration) {
    memory.eval(ramp::call(n));
    set_back(&record(memory, n), age);
}

fn is_left(memory: &Memory, n: usize) -> bool {
    memory.contains(&ramp::call(n))
}

fn total(memory: &Memory) -> (u64, u64) {
    let sizes: Vec<u64> = memory.entries().map(|entry| entry.unwrap().bytes()).collect();
    (sizes.len() as u64, sizes.iter().sum())
}

/// The bytes of all files of entries; records of codes belong to no entry.
fn on_disk(folder: &Path) -> u64 {
    let files = snapshot(folder);
    let files = files.into_iter().filter(|(path, _)| path.starts_with(&format!("{}/f/", folder.display())));
    files.filter(|(path, _)| Path::new(path).is_file() && !path.contains("/code/")).map(|(_, state)| state.1).sum()
}

/// The entries that stay by the definition of limits: the oldest go until every limit holds.
fn oracle(mut entries: Vec<(Duration, u64)>, limits: &Limits) -> BTreeSet<Duration> {
    entries.sort();
    entries.retain(|(age, _)| limits.age.is_none_or(|limit| *age < limit));
    let holds = |entries: &[(Duration, u64)]| {
        let bytes: u64 = entries.iter().map(|(_, bytes)| bytes).sum();
        limits.bytes.is_none_or(|limit| bytes <= limit)
            && limits.items.is_none_or(|limit| entries.len() as u64 <= limit)
    };
    while !holds(&entries) {
        entries.pop();
    }
    entries.into_iter().map(|(age, _)| age).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_oldest_go_until_every_limit_holds(
        sizes in prop::collection::btree_set(0_usize..9000, 0..12),
        order in 0_u64..12,
        bytes in prop::option::of(0_u64..100_000),
        items in prop::option::of(0_u64..12),
        age in prop::option::of(1_u64..40),
    ) {
        let (folder, memory) = fresh();
        let mut entries = Vec::new();
        for (place, &n) in sizes.iter().enumerate() {
            // The ages differ from each other, and by half an hour from every limit.
            let age = HOUR * (1 + ((place as u64 + order) * 5 % 12) as u32 * 3) + HOUR / 2;
            store(&memory, n, age);
            entries.push((n, age, memory.entry(&ramp::call(n)).unwrap().unwrap().bytes()));
        }
        let limits = Limits { bytes, items, age: age.map(|hours| HOUR * hours as u32) };
        let expected = oracle(entries.iter().map(|&(_, age, bytes)| (age, bytes)).collect(), &limits);
        let (items_before, bytes_before) = total(&memory);

        let evicted = memory.reduce_size(limits).unwrap();

        let left: BTreeSet<Duration> =
            entries.iter().filter(|(n, ..)| is_left(&memory, *n)).map(|(_, age, _)| *age).collect();
        prop_assert_eq!(left, expected);
        let (items_after, bytes_after) = total(&memory);
        prop_assert_eq!(evicted, Evicted { items: items_before - items_after, bytes: bytes_before - bytes_after });
        prop_assert_eq!(on_disk(folder.path()), bytes_after, "their files are gone, too");
        prop_assert_eq!(memory.reduce_size(limits).unwrap(), Evicted::default(), "and nothing more");
    }
}

#[test]
fn an_entry_larger_than_the_limit_goes_like_any_other() {
    let (_folder, memory) = fresh();
    store(&memory, 100_000, HOUR);
    store(&memory, 1, 2 * HOUR);
    let evicted = memory.reduce_size(Limits::bytes("100K").unwrap()).unwrap();
    assert_eq!((evicted.items, total(&memory)), (2, (0, 0)));
}

#[test]
fn values_that_overflow_their_record_go_with_all_their_files() {
    #[cache]
    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("name number {i}")).collect()
    }
    let (folder, memory) = fresh();
    memory.eval(names::call(20_000));
    assert_eq!(files(folder.path(), ".msgpack").len(), 1);
    let bytes = on_disk(folder.path());
    let evicted = memory.reduce_size(Limits::default().items(0)).unwrap();
    assert_eq!((evicted, on_disk(folder.path())), (Evicted { items: 1, bytes }, 0));
}

#[test]
fn the_least_valuable_goes_first_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).evict(EvictPolicy::LeastValuable).open().unwrap();
    let used = |n, milliseconds, age| {
        memory.eval(slow::call(n, milliseconds));
        set_back(memory.entry(&slow::call(n, milliseconds)).unwrap().unwrap().path(), age);
    };
    used(50_000, 60, DAY); // dear and small
    used(50_000, 0, HOUR); // cheap and small, used last
    used(5_000_000, 60, HOUR); // as dear as the first, and large
    let left = || {
        let calls = [(50_000, 60), (50_000, 0), (5_000_000, 60)];
        calls.map(|(n, milliseconds)| memory.contains(&slow::call(n, milliseconds)))
    };
    memory.reduce_size(Limits::default().items(1)).unwrap();
    assert_eq!(left(), [true, false, false]);
    // An entry that wasn't used for months is worth less than one that is cheap to compute.
    memory.eval(slow::call(50_000, 0));
    set_back(memory.entry(&slow::call(50_000, 60)).unwrap().unwrap().path(), 400 * DAY);
    memory.reduce_size(Limits::default().items(1)).unwrap();
    assert_eq!(left(), [false, true, false]);
}

#[test]
fn a_time_of_use_in_the_future_counts_as_now() {
    let (_folder, memory) = fresh();
    store(&memory, 1, HOUR);
    memory.eval(ramp::call(2));
    File::open(record(&memory, 2)).unwrap().set_modified(SystemTime::now() + 1000 * DAY).unwrap();
    assert_eq!(memory.reduce_size(Limits::default().age(HOUR / 2)).unwrap().items, 1);
    assert!(is_left(&memory, 2));
    assert_eq!(memory.reduce_size(Limits::default().age(Duration::ZERO)).unwrap().items, 1);
}

#[test]
fn a_mapped_victim_keeps_its_bytes() {
    let (folder, memory) = fresh();
    let mapped = memory.mmap(ramp::call(100_000));
    assert!(mapped.is_mapped());
    assert_eq!(memory.reduce_size(Limits::default().items(0)).unwrap().items, 1);
    assert_eq!(on_disk(folder.path()), 0);
    assert_eq!(mapped, ramp::compute(100_000));
}

#[test]
fn entries_of_a_newer_version_count_and_stay() {
    let (folder, memory) = fresh();
    for n in [10_000, 20_000, 30_000] {
        store(&memory, n, HOUR);
    }
    let path = record(&memory, 10_000);
    let its_array = array(&memory, 10_000);
    let bytes = newer(&fs::read(&path).unwrap());
    fs::write(&path, &bytes).unwrap();
    set_back(&path, 100 * DAY);
    // One file has the key of an entry in this folder, and one a key that isn't known at all.
    for name in [its_array.clone(), its_array.with_file_name("stranger")] {
        let garbage = name.with_extension("0123456789abcdef.npy");
        fs::write(&garbage, b"perhaps its").unwrap();
        set_back(&garbage, 100 * DAY);
        set_back(&its_array, 100 * DAY);
    }
    let before = fs::read_dir(path.parent().unwrap()).unwrap().count();
    let evicted = memory.reduce_size(Limits::default().items(2)).unwrap();
    assert_eq!(evicted.items, 1, "the newer one counts");
    let evicted = memory.reduce_size(Limits::bytes("0").unwrap().items(0).age(Duration::ZERO)).unwrap();
    assert_eq!(evicted.items, 1);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), before);
    assert!(on_disk(folder.path()) > 20_000);
}

/// Garbage of every kind, beside an entry: the name, and whether it is ours to remove.
fn plant(memory: &Memory, age: Duration) -> Vec<(PathBuf, bool)> {
    let entry = array(memory, 10_000);
    let key = entry.file_name().unwrap().to_str().unwrap()[..32].to_owned();
    let nonce = "0123456789abcdef";
    let root = memory.location().unwrap();
    fs::create_dir_all(root.join("m")).unwrap();
    let mut planted: Vec<(PathBuf, bool)> = [
        (format!("{key}.{nonce}.npy"), true),
        (format!("{key}.{nonce}.msgpack"), true),
        (format!("{key}.record.{nonce}.tmp"), true),
        (format!("{}{}.{nonce}.npy", &key[..2], "0".repeat(30)), true),
        ("notes.txt".to_owned(), false),
        (format!("{key}.npy"), false),
        (format!("{}.{nonce}.npy", key.to_uppercase().replace(|c: char| c.is_ascii_digit(), "A")), false),
    ]
    .into_iter()
    .map(|(name, ours)| (entry.with_file_name(name), ours))
    .collect();
    planted.push((root.join("m").join(format!("{nonce}.record.{nonce}.tmp")), true));
    planted.push((root.join("m").join(format!("{nonce}.record")), false));
    planted.push((root.join("notes.txt"), false));
    for (path, _) in &planted {
        fs::write(path, b"garbage").unwrap();
        set_back(path, age);
    }
    planted
}

#[test]
fn garbage_stays_for_a_day_and_then_goes() {
    let (folder, memory) = fresh();
    store(&memory, 10_000, HOUR);
    // An array as old as anything stays while its record names it.
    set_back(&array(&memory, 10_000), 100 * DAY);
    let before = snapshot(folder.path());
    plant(&memory, 23 * HOUR);
    assert_eq!(memory.reduce_size(Limits::default()).unwrap(), Evicted::default());

    let planted = plant(&memory, 25 * HOUR);
    assert!(planted.iter().all(|(path, _)| path.exists()));
    let ours = planted.iter().filter(|(_, ours)| *ours).count() as u64;
    assert_eq!(memory.reduce_size(Limits::default()).unwrap(), Evicted { items: 0, bytes: 7 * ours });
    for (path, ours) in planted {
        assert_eq!(path.exists(), !ours, "{}", path.display());
    }
    assert!(is_left(&memory, 10_000));
    assert!(before.keys().all(|path| Path::new(path).exists()));
}

#[test]
fn what_a_removed_record_leaves_is_garbage() {
    let (folder, memory) = fresh();
    store(&memory, 10_000, HOUR);
    let (record, array) = (record(&memory, 10_000), array(&memory, 10_000));
    fs::remove_file(&record).unwrap();
    memory.reduce_size(Limits::default()).unwrap();
    assert!(array.exists(), "a writer may be about to publish it");
    set_back(&array, 25 * HOUR);
    memory.reduce_size(Limits::default()).unwrap();
    assert!(!array.exists());
    memory.reduce_size(Limits::default()).unwrap();
    assert!(!record.parent().unwrap().exists(), "an empty folder goes, too");
    assert_eq!(on_disk(folder.path()), 0);
    store(&memory, 10_000, HOUR);
    assert!(is_left(&memory, 10_000));
}

#[test]
fn damaged_records_go_before_entries_and_after_a_day_in_any_case() {
    let (_folder, memory) = fresh();
    for n in [10_000, 20_000, 30_000] {
        store(&memory, n, 2 * HOUR);
    }
    let path = record(&memory, 20_000);
    fs::write(&path, b"nonsense").unwrap();
    set_back(&path, HOUR);
    assert_eq!(memory.reduce_size(Limits::default().items(3)).unwrap(), Evicted::default());
    assert_eq!(memory.reduce_size(Limits::default().items(2)).unwrap(), Evicted { items: 1, bytes: 8 });
    assert!(!path.exists() && is_left(&memory, 10_000) && is_left(&memory, 30_000));

    let path = record(&memory, 10_000);
    fs::write(&path, b"nonsense").unwrap();
    set_back(&path, 25 * HOUR);
    assert_eq!(memory.reduce_size(Limits::default()).unwrap(), Evicted { items: 1, bytes: 8 });
    assert!(!path.exists() && is_left(&memory, 30_000));
}

#[test]
fn things_that_are_no_files_neither_block_nor_lead_astray() {
    let (_folder, memory) = fresh();
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), b"not ours").unwrap();
    for n in 0..8 {
        store(&memory, 10_000 + n, HOUR);
        let path = if n < 4 { record(&memory, 10_000 + n) } else { array(&memory, 10_000 + n) };
        fs::remove_file(&path).unwrap();
        match n % 4 {
            0 => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
            1 => symlink(outside.path(), &path).unwrap(),
            2 => symlink("nowhere", &path).unwrap(),
            _ => fs::create_dir(&path).unwrap(),
        }
    }
    let report = memory.verify(Repair::No).unwrap();
    assert_eq!((report.entries, report.damaged), (8, 8), "{report:?}");
    memory.reduce_size(Limits::default().items(0)).unwrap();
    memory.verify(Repair::Remove).unwrap();
    assert_eq!(memory.entries().filter(Result::is_ok).count(), 0);
    assert_eq!(fs::read(outside.path()).unwrap(), b"not ours");
}

#[test]
fn a_read_only_memory_evicts_nothing_and_a_disabled_one_has_nothing() {
    let (folder, memory) = fresh();
    store(&memory, 10_000, 100 * DAY);
    plant(&memory, 100 * DAY);
    let before = snapshot(folder.path());
    let reader = Memory::builder(folder.path()).mode(Mode::ReadOnly).limits(Limits::default().items(0)).open().unwrap();
    let error = reader.reduce_size(Limits::default().items(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
    assert_eq!(reader.verify(Repair::Remove).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(reader.verify(Repair::No).unwrap().entries, 1);
    reader.eval(ramp::call(10_000));
    reader.eval(ramp::call(1));
    drop(reader);
    assert_eq!(snapshot(folder.path()), before);
    assert_eq!(Memory::disabled().reduce_size(Limits::default().items(0)).unwrap(), Evicted::default());
    assert_eq!(Memory::disabled().verify(Repair::Remove).unwrap().entries, 0);
}

#[test]
fn a_folder_keeps_to_its_limit_while_threads_write_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let limit = 4 << 20;
    let memory =
        Memory::builder(folder.path()).limits(Limits { bytes: Some(limit), ..Limits::default() }).open().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|thread| {
                let memory = &memory;
                scope.spawn(move || {
                    for step in 0..150_usize {
                        // Half of the calls are of keys that others use, too.
                        let n = if step % 2 == 0 { 20_000 + step } else { 40_000 + thread * 1000 + step };
                        assert_eq!(memory.eval(ramp::call(n)), ramp::compute(n));
                        assert_eq!(memory.mmap(ramp::call(n)), ramp::compute(n));
                        std::thread::sleep(Duration::from_millis(2)); // as if it had been work
                    }
                })
            })
            .collect();
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(memory.entries().filter_map(Result::ok).map(|entry| entry.bytes()).sum());
                std::thread::sleep(Duration::from_millis(1));
            }
            most
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        let most: u64 = watcher.join().unwrap();
        // Storing doesn't wait for an eviction, so files that are written meanwhile come on top; on a busy machine an
        // eviction takes long.
        assert!(most <= 4 * limit, "held {most} bytes at a time");
    });
    assert_eq!(memory.stats().faults(), 0, "{:?}", memory.stats());
    drop(memory);
    let memory = Memory::open(folder.path()).unwrap();
    let (items, bytes) = total(&memory);
    assert!(bytes <= limit && bytes > limit / 4, "{items} entries of {bytes} bytes are left");
    assert_eq!(on_disk(folder.path()), bytes, "and nothing but them");
}

#[test]
fn the_latest_entries_are_those_that_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).limits(Limits::default().items(10)).open().unwrap();
    for n in 0..40 {
        memory.eval(ramp::call(n));
        std::thread::sleep(Duration::from_millis(10)); // more than a file system's clock may stand still
    }
    drop(memory); // waits
    let memory = Memory::open(folder.path()).unwrap();
    let left: Vec<usize> = (0..40).filter(|&n| is_left(&memory, n)).collect();
    assert_eq!(left, (32..40).collect::<Vec<_>>());
}

#[test]
fn a_result_larger_than_the_limit_comes_back_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).limits(Limits::bytes("1K").unwrap()).open().unwrap();
    for _ in 0..30 {
        assert_eq!(memory.eval(ramp::call(100_000)), ramp::compute(100_000));
        assert_eq!(memory.mmap(ramp::call(100_001)), ramp::compute(100_001));
        assert_eq!(memory.mmap_cow(ramp::call(100_002)), ramp::compute(100_002));
    }
    assert_eq!(memory.stats().faults(), 0, "{:?}", memory.stats());
    drop(memory);
    assert_eq!(on_disk(folder.path()), 0);
}

#[test]
fn many_memories_that_write_a_little_each_keep_to_the_limit_too() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits::default().items(40);
    for n in 0..200 {
        Memory::builder(folder.path()).limits(limits).open().unwrap().eval(ramp::call(n));
    }
    // On average every fourth memory counts the folder; that 40 in a row don't happens once in 10^5 times.
    let left = Memory::open(folder.path()).unwrap().entries().count();
    assert!((1..=40 + 40).contains(&left), "{left} entries are left");
}

#[test]
fn entries_that_are_too_old_go_by_themselves() {
    let (folder, memory) = fresh();
    store(&memory, 10_000, 2 * DAY);
    store(&memory, 20_000, HOUR);
    let keep = || Memory::builder(folder.path()).limits(Limits::default().age(DAY)).open().unwrap();
    keep().eval(ramp::call(1));
    assert!(is_left(&memory, 10_000), "counted just now: the folder is new");
    set_back(&folder.path().join("locks"), HOUR * 3);
    keep().eval(ramp::call(2));
    assert!(!is_left(&memory, 10_000) && is_left(&memory, 20_000));
}

#[test]
fn what_is_used_within_a_short_age_limit_stays() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).limits(Limits::default().age(HOUR / 2)).open().unwrap();
    store(&memory, 10_000, HOUR / 4);
    memory.eval(ramp::call(10_000));
    let used = fs::metadata(record(&memory, 10_000)).unwrap().modified().unwrap();
    assert!(used.elapsed().unwrap() < HOUR / 8, "stamped although the last stamp is younger than an hour");
}

#[test]
fn a_full_disk_makes_room_within_its_limits() {
    let Some(small) = Mount::tmpfs("size=2m") else { return };
    let memory = Memory::builder(small.path().join("cache")).limits(Limits::bytes("8M").unwrap()).open().unwrap();
    for n in 0..20 {
        assert_eq!(memory.try_eval(ramp::call(60_000 + n)).unwrap(), ramp::compute(60_000 + n), "the {n}th");
        if let Ok(Some(entry)) = memory.entry(&ramp::call(60_000 + n)) {
            set_back(entry.path(), HOUR - Duration::from_secs(n as u64));
        }
        if memory.stats().misses() > memory.entries().count() as u64 {
            break; // it has evicted; the next time is a minute away
        }
    }
    assert!(memory.stats().misses() > memory.entries().count() as u64, "the disk was never full");
    assert!(!is_left(&memory, 60_000) && memory.stats().faults() == 0);
}
