use std::fs::File;

use proptest::prelude::*;

use crate::folder::evict::*;
use crate::memory::{Engine, Memory};
use crate::store::Durability;

#[ndcache::cache]
fn bytes(n: usize) -> String {
    "x".repeat(n)
}

/// A memory with entries of these lengths, the first of them unused for longest.
fn stored(lengths: &[usize]) -> (tempfile::TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    for (age, &length) in lengths.iter().rev().enumerate() {
        memory.eval(bytes::call(length));
        used(&memory, length, Duration::from_secs(60 * (age as u64 + 1)));
    }
    (folder, memory)
}

/// Sets back when the entry was last used.
fn used(memory: &Memory, length: usize, age: Duration) {
    let path = memory.entry(&bytes::call(length)).unwrap().unwrap().path().to_owned();
    File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

fn engine(memory: &Memory) -> &Engine {
    memory.0.as_ref().unwrap()
}

fn left(memory: &Memory, lengths: &[usize]) -> Vec<usize> {
    lengths.iter().copied().filter(|&length| memory.contains(&bytes::call(length))).collect()
}

/// Marks an entry as published by hand.
fn edit(memory: &Memory, length: usize) {
    let engine = engine(memory);
    let path = memory.entry(&bytes::call(length)).unwrap().unwrap().path().to_owned();
    let name = path.strip_prefix(engine.archive.disk.path()).unwrap().to_str().unwrap().to_owned();
    let mut found = engine.archive.read_record(&name).unwrap().unwrap();
    found.record.edited = true;
    engine.archive.disk.replace(&name, &found.record.encode().unwrap(), Durability::Buffered).unwrap();
}

const LENGTHS: [usize; 4] = [10, 20, 30, 40];

#[test]
fn an_entry_that_is_used_between_count_and_removal_stays() {
    let (_folder, memory) = stored(&LENGTHS);
    let evictor = &engine(&memory).evictor;
    let inventory = evictor.count(None, Evicted::default()).unwrap();
    used(&memory, 10, Duration::ZERO);
    let evicted = evictor.evict(inventory, &Limits::default().items(2)).unwrap();
    assert_eq!(evicted.items, 2);
    assert_eq!(left(&memory, &LENGTHS), [10, 40]);
}

#[test]
fn an_entry_that_is_replaced_between_count_and_removal_stays() {
    let (_folder, memory) = stored(&LENGTHS);
    let evictor = &engine(&memory).evictor;
    let inventory = evictor.count(Some(Duration::ZERO), Evicted::default()).unwrap();
    memory.refresh(bytes::call(10));
    evictor.evict(inventory, &Limits::default().age(Duration::ZERO)).unwrap();
    assert_eq!(left(&memory, &LENGTHS), [10]);
}

#[test]
fn an_entry_that_somebody_else_removes_in_between_is_not_counted_twice() {
    let (_folder, memory) = stored(&LENGTHS);
    let evictor = &engine(&memory).evictor;
    let inventory = evictor.count(None, Evicted::default()).unwrap();
    assert!(memory.remove(&bytes::call(10)).unwrap());
    let evicted = evictor.evict(inventory, &Limits::default().items(2)).unwrap();
    assert_eq!(evicted.items, 1);
    assert_eq!(left(&memory, &LENGTHS), [30, 40]);
}

#[test]
fn edited_entries_count_and_stay() {
    let (_folder, memory) = stored(&LENGTHS);
    edit(&memory, 10);
    used(&memory, 10, Duration::from_secs(24 * 3600));
    let evicted = memory.reduce_size(Limits::default().items(2)).unwrap();
    assert_eq!((evicted.items, left(&memory, &LENGTHS)), (2, vec![10, 40]));
    let evicted = memory.reduce_size(Limits::default().items(0).age(Duration::ZERO)).unwrap();
    assert_eq!((evicted.items, left(&memory, &LENGTHS)), (1, vec![10]));
}

#[test]
fn an_entry_that_is_edited_between_count_and_removal_stays() {
    let (_folder, memory) = stored(&LENGTHS);
    let evictor = &engine(&memory).evictor;
    let mut inventory = evictor.count(None, Evicted::default()).unwrap();
    edit(&memory, 10);
    // The edited entry stays even if the clock gave both records the same time.
    let path = memory.entry(&bytes::call(10)).unwrap().unwrap().path().to_owned();
    let modified = path.metadata().unwrap().modified().unwrap();
    let mut candidates = std::mem::take(&mut inventory.first.heap).into_vec();
    candidates.iter_mut().min().unwrap().modified = modified;
    inventory.first.heap = candidates.into();
    evictor.evict(inventory, &Limits::default().items(3)).unwrap();
    assert_eq!(left(&memory, &LENGTHS), [10, 30, 40]);
}

#[test]
fn one_process_evicts_at_a_time_and_the_others_let_it() {
    let (folder, memory) = stored(&LENGTHS);
    let other = Memory::open(folder.path()).unwrap();
    let held = engine(&other).evictor.lock().unwrap();
    assert!(held.is_some());
    let none = |_: &Inventory| Limits::default().items(0);
    assert_eq!(engine(&memory).evictor.reduce_alone(None, none).unwrap(), None);
    assert_eq!(left(&memory, &LENGTHS), LENGTHS);
    drop(held);
    assert_eq!(engine(&memory).evictor.reduce_alone(None, none).unwrap().unwrap().items, 4);
}

#[test]
fn a_count_leaves_its_time_on_the_file_of_locks() {
    let (folder, memory) = stored(&LENGTHS);
    let locks = File::open(folder.path().join("locks")).unwrap();
    locks.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(engine(&memory).evictor.counted(), Some(SystemTime::UNIX_EPOCH));
    memory.reduce_size(Limits::default()).unwrap();
    let counted = engine(&memory).evictor.counted().unwrap();
    assert!(counted.elapsed().unwrap() < Duration::from_secs(60));
}

#[test]
fn a_candidate_takes_no_more_than_its_documentation_says() {
    // Each candidate is in memory twice while the findings of the threads are merged.
    assert!(2 * size_of::<Candidate>() <= 112);
}

/// The evictor of a memory, which remembers only `remembered` candidates.
fn forgetful(memory: &Memory, remembered: usize) -> Evictor {
    let engine = engine(memory);
    let evictor = Evictor::new(Arc::clone(&engine.archive.disk), EvictPolicy::default(), Box::new(|_| ()));
    Evictor { remembered, ..evictor }
}

#[test]
fn more_entries_go_than_a_count_remembers() {
    for remembered in [0, 1, 2] {
        let (_folder, memory) = stored(&LENGTHS);
        let evicted = forgetful(&memory, remembered).reduce(&Limits::default().items(1)).unwrap();
        assert_eq!((evicted.items, left(&memory, &LENGTHS)), (3, vec![40]), "{remembered}");
    }
}

#[test]
fn what_cannot_be_removed_ends_the_counting() {
    let (_folder, memory) = stored(&LENGTHS);
    LENGTHS.iter().for_each(|&length| edit(&memory, length));
    assert_eq!(forgetful(&memory, 1).reduce(&Limits::default().items(1)).unwrap(), Evicted::default());
    assert_eq!(left(&memory, &LENGTHS), LENGTHS);
}

#[test]
fn a_count_remembers_what_goes_and_little_else() {
    let (_folder, memory) = stored(&LENGTHS);
    let evictor = forgetful(&memory, 1);
    let remembered = |items, bytes| {
        let inventory = evictor.count(None, Evicted { items, bytes }).unwrap();
        (inventory.first.heap.len(), inventory.first.cut)
    };
    let each = memory.entry(&bytes::call(10)).unwrap().unwrap().bytes();
    assert_eq!(remembered(0, 0), (1, true));
    assert_eq!(remembered(3, 0), (3, true));
    assert_eq!(remembered(0, each), (1, true));
    assert_eq!(remembered(0, each + 1), (2, true));
    assert_eq!(remembered(4, 0), (4, false));
    assert_eq!(remembered(9, u64::MAX), (4, false));
}

proptest! {
    /// Against the formula as it stands in the documentation, in exponents that floats can hold.
    #[test]
    fn values_are_in_the_order_of_the_formula(
        a in (1_u64..1 << 40, 1_u64..1 << 40, 0_u64..1 << 22),
        b in (1_u64..1 << 40, 1_u64..1 << 40, 0_u64..1 << 22),
    ) {
        let documented = |(duration, bytes, idle): (u64, u64, u64)| {
            duration as f64 / bytes as f64 * f64::exp2(-(idle as f64) / (7.0 * 24.0 * 3600.0))
        };
        let ranked = |(duration, bytes, idle)| value(duration, bytes, Duration::from_secs(idle));
        let (expected, found) = (documented(a) / documented(b), ranked(a).cmp(&ranked(b)));
        // Too close to each other to be told apart by rounded logarithms.
        prop_assume!((expected - 1.0).abs() > 1e-9);
        prop_assert_eq!(found, expected.total_cmp(&1.0));
    }
}

#[test]
fn values_of_extremes_are_ordered() {
    let day = Duration::from_secs(24 * 3600);
    let values = [
        value(0, u64::MAX, Duration::MAX),
        value(0, u64::MAX, Duration::ZERO),
        value(1, 2, Duration::ZERO),
        value(1, 1, 7 * day),
        value(1, 1, day),
        value(0, 0, Duration::ZERO),
        value(2, 1, Duration::ZERO),
        value(u64::MAX, 1, Duration::ZERO),
    ];
    assert!(values.is_sorted(), "{values:?}");
}

/// Pins these entries, in a file with notes and other lines in it.
fn pin(memory: &Memory, file: &str, lengths: &[usize]) {
    let mut text = String::from("# kept for the paper\n\nnonsense\n");
    for &length in lengths {
        let key = memory.entry(&bytes::call(length)).unwrap().unwrap().key();
        text.push_str(&format!("  {key}  of {length} bytes\r\n"));
    }
    let folder = engine(memory).archive.disk.path().join("p");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(file), text).unwrap();
}

#[test]
fn a_pin_that_comes_between_count_and_removal_counts() {
    let (_folder, memory) = stored(&LENGTHS);
    let evictor = &engine(&memory).evictor;
    let inventory = evictor.count(None, Evicted::default()).unwrap();
    pin(&memory, "late", &[10]);
    evictor.evict(inventory, &Limits::default().items(0)).unwrap();
    assert_eq!(left(&memory, &LENGTHS), [10]);
}

#[test]
fn nothing_is_evicted_while_a_file_of_pins_can_not_be_read() {
    let (folder, memory) = stored(&LENGTHS);
    std::fs::create_dir(folder.path().join("p")).unwrap();
    let path = folder.path().join("p/long");
    File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let error = memory.reduce_size(Limits::default().items(0)).unwrap_err().to_string();
    assert!(error.contains("p/long") && error.contains("pinned entries"), "{error}");
    assert_eq!(left(&memory, &LENGTHS), LENGTHS);
    std::fs::remove_file(path).unwrap();
    // What is no file holds no keys.
    std::fs::create_dir(folder.path().join("p/folder")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("p/link")).unwrap();
    assert_eq!(memory.reduce_size(Limits::default().items(0)).unwrap().items, 4);
}

#[test]
fn a_pinned_entry_goes_when_it_is_removed_by_hand() {
    let (_folder, memory) = stored(&LENGTHS);
    pin(&memory, "mine", &LENGTHS);
    assert!(memory.remove(&bytes::call(10)).unwrap());
    memory.clear_function(bytes::function()).unwrap();
    assert!(left(&memory, &LENGTHS).is_empty());
}

#[test]
fn a_pinned_entry_stays_when_its_record_is_damaged_for_a_plan_and_for_an_eviction() {
    let (folder, memory) = stored(&[10]);
    let entry = memory.entries().next().unwrap().unwrap();
    pin(&memory, "mine", &[10]);
    std::fs::write(entry.path(), "damaged").unwrap();
    let day = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    std::fs::File::options().write(true).open(entry.path()).unwrap().set_modified(day).unwrap();
    let everything = || Limits::default().items(0).age(Duration::ZERO);
    assert!(memory.plan_reduce(everything()).unwrap().is_empty());
    assert_eq!(memory.reduce_size(everything()).unwrap().items, 0);
    assert!(entry.path().exists());
    std::fs::remove_dir_all(folder.path().join("p")).unwrap();
    let plan = memory.plan_reduce(everything()).unwrap();
    assert_eq!((plan.len(), memory.execute(&plan).unwrap().removed.items), (1, 1));
    assert!(!entry.path().exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_limit_takes_a_pinned_entry(
        pinned in prop::collection::vec(any::<bool>(), 4),
        limits in (prop::option::of(0_u64..5), prop::option::of(0_u64..2000), any::<bool>()),
        remembered in 0_usize..3,
    ) {
        let (folder, memory) = stored(&LENGTHS);
        let kept: Vec<_> = LENGTHS.iter().zip(&pinned).filter(|(_, pinned)| **pinned).map(|(&length, _)| length).collect();
        let (mine, others) = kept.split_at(kept.len() / 2);
        pin(&memory, "mine", mine);
        pin(&memory, "other", others);
        let (items, bytes, age) = limits;
        let age = age.then_some(Duration::ZERO);
        let limits = Limits { items, bytes, age };
        let disk = Disk::open(folder.path()).unwrap();
        let evictor = Evictor { remembered, ..Evictor::new(Arc::new(disk), EvictPolicy::default(), Box::new(|_| ())) };
        evictor.reduce(&limits).unwrap();
        let left = left(&memory, &LENGTHS);
        prop_assert!(kept.iter().all(|length| left.contains(length)), "{:?} of {:?}", left, kept);
        if age.is_some() {
            prop_assert_eq!(&left, &kept);
        }
        // The other entries are evicted as far as the limits demand.
        if let Some(items) = items {
            prop_assert!(left.len() as u64 <= items.max(kept.len() as u64));
        }
    }
}
