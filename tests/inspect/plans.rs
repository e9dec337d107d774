//! A plan removes nothing that isn't in it, and nothing that was used since.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndcache::inspect::PlanReason;
use ndcache::policy::Evicted;
use ndcache::{Key, Limits, Memory, cache};
use proptest::prelude::*;

use super::copy_folder;
use crate::support::{fresh, newer, snapshot};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[cache]
fn bytes(n: usize) -> Array1<u8> {
    Array1::from_shape_fn(n, |i| i as u8)
}

fn set_back(path: &Path, age: Duration) {
    File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

/// Stores the bytes of `n`, last used `hours` hours ago.
fn store(memory: &Memory, n: usize, hours: u64) -> Key {
    memory.eval(bytes::call(n));
    let entry = memory.entry(&bytes::call(n)).unwrap().unwrap();
    set_back(entry.path(), Duration::from_secs(3600 * hours));
    entry.key()
}

fn keys(memory: &Memory) -> BTreeSet<Key> {
    memory.entries().map(|entry| entry.unwrap().key()).collect()
}

fn pin(folder: &Path, name: &str, key: Key) {
    fs::create_dir_all(folder.join("p")).unwrap();
    fs::write(folder.join("p").join(name), format!("{key}\n")).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_plan_is_what_a_collection_removes(
        sizes in prop::collection::btree_set(0_usize..9000, 1..10),
        hours in 0_u64..20,
        limit in (prop::option::of(0_u64..10), prop::option::of(0_u64..30_000), prop::option::of(0_u64..20)),
    ) {
        let planned = fresh();
        for (at, n) in sizes.iter().enumerate() {
            store(&planned.1, *n, (7 * at as u64 + hours) % 23);
        }
        let other = tempfile::tempdir().unwrap();
        copy_folder(planned.0.path(), &other.path().join("copy"));
        let collected = Memory::open(other.path().join("copy")).unwrap();
        let (items, bytes, age) = limit;
        let limits = Limits { items, bytes, age: age.map(|hours| Duration::from_secs(3600 * hours + 60)) };
        let before = snapshot(planned.0.path());
        let all = keys(&planned.1);
        let plan = planned.1.plan_reduce(limits).unwrap();
        prop_assert_eq!(snapshot(planned.0.path()), before, "nothing happens");
        let expected = collected.reduce_size(limits).unwrap();
        prop_assert_eq!(Evicted { items: plan.len() as u64, bytes: plan.bytes() }, expected);
        prop_assert_eq!(plan.total().items, all.len() as u64);
        let named: BTreeSet<Key> = plan.entries().map(|entry| entry.key()).collect();
        let done = planned.1.execute(&plan).unwrap();
        prop_assert_eq!((done.removed, done.kept, done.gone), (expected, 0, 0));
        prop_assert_eq!(keys(&planned.1), all.difference(&named).copied().collect::<BTreeSet<_>>());
        prop_assert_eq!(keys(&planned.1), keys(&collected));
    }

    /// Between plan and execution each entry is left alone, used, replaced, pinned, edited or removed.
    #[test]
    fn what_was_touched_after_the_plan_stays(what in prop::collection::vec(0_u8..6, 1..8)) {
        let (folder, memory) = fresh();
        let stored: Vec<Key> = (0..what.len()).map(|at| store(&memory, 10 * at, 5)).collect();
        let plan = memory.plan_reduce(Limits::default().age(Duration::from_secs(60))).unwrap();
        prop_assert_eq!(plan.len(), what.len());
        let (mut expected, mut kept, mut gone) = (BTreeSet::new(), 0, 0);
        for (at, what) in what.iter().enumerate() {
            match what {
                0 => continue,
                1 => {
                    // Another memory, which hasn't hit it before, uses it.
                    Memory::open(folder.path()).unwrap().eval(bytes::call(10 * at));
                }
                2 => drop(memory.refresh(bytes::call(10 * at))),
                3 => pin(folder.path(), &at.to_string(), stored[at]),
                4 => memory.mmap_mut(bytes::call(10 * at)).unwrap().commit().unwrap(),
                _ => {
                    memory.remove_entry(stored[at]).unwrap();
                    gone += 1;
                    continue;
                }
            }
            kept += 1;
            expected.insert(stored[at]);
        }
        // An entry that is stored after the plan isn't in it.
        expected.insert(store(&memory, 8888, 5));
        let done = memory.execute(&plan).unwrap();
        prop_assert_eq!((done.kept, done.gone), (kept, gone));
        prop_assert_eq!(done.removed.items, what.len() as u64 - kept - gone);
        prop_assert_eq!(keys(&memory), expected);
        let again = memory.execute(&plan).unwrap();
        prop_assert_eq!((again.removed.items, again.kept), (0, kept), "twice is once");
    }
}

#[test]
fn a_plan_removes_nothing_else_while_others_write() {
    let (folder, memory) = fresh();
    for n in 0..60 {
        store(&memory, n, n as u64 % 7);
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..2 {
            let (stop, folder) = (&stop, folder.path());
            scope.spawn(move || {
                let memory = Memory::open(folder).unwrap();
                for n in (0..60).cycle().skip(30 * writer) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    assert_eq!(memory.eval(bytes::call(n)).len(), n);
                    if n % 5 == 0 {
                        memory.refresh(bytes::call(n));
                    }
                }
                assert_eq!(memory.stats().faults(), 0, "{:?}", memory.stats());
            });
        }
        for round in 0..20 {
            let plan = memory.plan_reduce(Limits::default().items(30 + round)).unwrap();
            let planned: BTreeSet<Key> = plan.entries().map(|entry| entry.key()).collect();
            let before = keys(&memory);
            let done = memory.execute(&plan).unwrap();
            let after = keys(&memory);
            let lost: Vec<_> = before.difference(&after).filter(|key| !planned.contains(key)).collect();
            assert!(lost.is_empty(), "{lost:?} were in no plan");
            assert_eq!(done.removed.items + done.kept + done.gone, plan.len() as u64);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(memory.verify(ndcache::verify::Repair::No).unwrap().is_intact());
}

#[test]
fn without_limits_only_what_no_entry_needs_is_in_a_plan() {
    let (folder, memory) = fresh();
    let key = store(&memory, 5000, 100);
    let entry = memory.entry_by_id(key).unwrap().unwrap();
    let beside = |name: &str| entry.path().with_file_name(name);
    let file = |name: &str, age: Duration| {
        fs::write(beside(name), b"12345").unwrap();
        set_back(&beside(name), age);
        beside(name)
    };
    let old = file(&format!("{key}.0123456789abcdef.npy"), 2 * DAY);
    let staged = file(&format!("{key}.record.0123456789abcdef.tmp"), 2 * DAY);
    let young = file(&format!("{key}.0123456789abcdee.npy"), DAY / 2);
    let foreign = file("notes.txt", 9 * DAY);
    fs::create_dir_all(folder.path().join("m")).unwrap();
    let slot = folder.path().join("m/0123456789abcdef.record.0123456789abcdef.tmp");
    fs::write(&slot, b"123").unwrap();
    set_back(&slot, 2 * DAY);
    let code = entry.path().parent().unwrap().parent().unwrap().join("code/00112233445566778899aabbccddeeff.record");
    fs::write(&code, b"1234").unwrap();
    set_back(&code, 2 * DAY);
    store(&memory, 6000, 1);
    let damaged = memory.entry(&bytes::call(6000)).unwrap().unwrap().path().to_owned();
    fs::write(&damaged, b"nonsense").unwrap();
    set_back(&damaged, 2 * DAY);
    store(&memory, 7000, 1);
    let fresh_damage = memory.entry(&bytes::call(7000)).unwrap().unwrap().path().to_owned();
    fs::write(&fresh_damage, b"nonsense").unwrap();
    store(&memory, 8000, 1);
    let later = memory.entry(&bytes::call(8000)).unwrap().unwrap().path().to_owned();
    fs::write(&later, newer(&fs::read(&later).unwrap())).unwrap();
    set_back(&later, 9 * DAY);

    let before = snapshot(folder.path());
    let plan = memory.plan_reduce(Limits::default()).unwrap();
    assert_eq!(snapshot(folder.path()), before);
    let reasons: Vec<_> = plan.entries().map(|entry| entry.reason()).collect();
    // The array of a damaged record may be another entry's, and nobody knows which files a newer version's record
    // needs.
    assert_eq!((reasons, plan.garbage()), (vec![PlanReason::Damaged], Evicted { items: 3, bytes: 5 + 5 + 3 }));
    // One garbage file is written to, and another gets a record, before the plan is executed.
    fs::write(&slot, b"1234").unwrap();
    let done = memory.execute(&plan).unwrap();
    assert_eq!((done.removed, done.kept), (Evicted { items: 1, bytes: 8 + 5 + 5 }, 0));
    for (path, stays) in [
        (&old, false),
        (&staged, false),
        (&young, true),
        (&foreign, true),
        (&slot, true),
        (&code, true),
        (&damaged, false),
        (&fresh_damage, true),
        (&later, true),
    ] {
        assert_eq!(path.exists(), stays, "{}", path.display());
    }
    assert!(entry.path().exists() && entry.files()[0].exists());
    // Above a limit the newer entries stay, and damaged ones go first.
    let plan = memory.plan_reduce(Limits::default().items(2)).unwrap();
    assert_eq!(plan.entries().map(|entry| entry.reason()).collect::<Vec<_>>(), [PlanReason::Damaged]);
    let plan = memory.plan_reduce(Limits::default().items(0)).unwrap();
    assert_eq!((plan.len(), plan.total().items), (2, 3));
}

#[test]
fn pinned_and_edited_entries_are_in_a_plan_only_if_they_are_named() {
    let (folder, memory) = fresh();
    let keys: Vec<_> = (1..4).map(|n| store(&memory, n, 50)).collect();
    pin(folder.path(), "paper", keys[0]);
    let mut edited = memory.mmap_mut(bytes::call(2)).unwrap();
    edited[0] = 9;
    edited.commit().unwrap();
    let plan = memory.plan_reduce(Limits::default().items(0)).unwrap();
    assert_eq!(plan.entries().map(|entry| entry.key()).collect::<Vec<_>>(), [keys[2]]);
    let all: Vec<_> = memory.entries().map(Result::unwrap).collect();
    let plan = memory.plan_removal(all.iter().chain(&all).cloned()).unwrap();
    assert_eq!((plan.len(), plan.entries().all(|entry| entry.reason() == PlanReason::Named)), (3, true));
    assert_eq!(memory.execute(&plan).unwrap().removed.items, 3);
    assert_eq!(memory.entries().count(), 0);
}

#[test]
fn a_named_entry_that_was_replaced_since_stays() {
    let (_folder, memory) = fresh();
    store(&memory, 10, 1);
    let plan = memory.plan_removal(memory.entries().map(Result::unwrap)).unwrap();
    memory.refresh(bytes::call(10));
    let done = memory.execute(&plan).unwrap();
    assert_eq!((done.removed.items, done.kept), (0, 1));
    assert!(memory.contains(&bytes::call(10)));
}

#[test]
fn a_plan_is_for_one_folder() {
    let (_a, memory) = fresh();
    let (_b, other) = fresh();
    store(&memory, 10, 1);
    let plan = memory.plan_reduce(Limits::default().items(0)).unwrap();
    let error = other.execute(&plan).unwrap_err();
    assert!(error.to_string().starts_with("the plan is for the cache `"), "{error}");
    let entries: Vec<_> = memory.entries().map(Result::unwrap).collect();
    assert!(other.plan_removal(entries).unwrap().is_empty());
}

#[test]
fn entries_of_older_code_are_superseded_unless_they_were_used_since() {
    mod old {
        #[ndcache::cache(name = "superseded", code = "version", version = 1)]
        pub(super) fn f(x: u64) -> u64 {
            x
        }
    }
    mod new {
        #[ndcache::cache(name = "superseded", code = "version", version = 2)]
        pub(super) fn f(x: u64) -> u64 {
            x + 1
        }
    }
    let (_folder, memory) = fresh();
    let set = |path: &Path, hours: u64| set_back(path, Duration::from_secs(3600 * hours));
    for x in 0..4 {
        memory.eval(old::f::call(x));
        set(memory.entry(&old::f::call(x)).unwrap().unwrap().path(), 10 * x);
    }
    assert!(memory.plan_superseded(Duration::ZERO).unwrap().is_empty(), "there is no other code");
    memory.eval(new::f::call(0));
    // The one of 0 hours ago is from before the newest code was stored, too; use it again.
    let used = memory.entry(&old::f::call(0)).unwrap().unwrap().path().to_owned();
    File::open(used).unwrap().set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
    let plan = memory.plan_superseded(Duration::ZERO).unwrap();
    assert_eq!(plan.len(), 3);
    assert!(plan.entries().all(|entry| entry.reason() == PlanReason::Superseded));
    assert_eq!(memory.plan_superseded(Duration::from_secs(15 * 3600)).unwrap().len(), 2);
    // A union has each entry once.
    let both = memory.plan_reduce(Limits::default().age(Duration::from_secs(25 * 3600))).unwrap().union(plan);
    assert_eq!((both.len(), both.spared()), (3, 1));
    let limits = |stored: Evicted| {
        assert_eq!(stored.items, 5);
        Limits::default().age(Duration::from_secs(25 * 3600))
    };
    let at_once = memory.plan_collection(None, limits, Some(Duration::ZERO)).unwrap();
    let keys = |plan: &ndcache::inspect::Plan| plan.entries().map(|entry| entry.key()).collect::<BTreeSet<_>>();
    assert_eq!((keys(&at_once), at_once.spared()), (keys(&both), 1));
    let of_another = memory.plan_collection(Some("another"), |_| Limits::default().items(0), Some(Duration::ZERO));
    assert!(of_another.unwrap().is_empty());
    let functions = both.by_function();
    assert_eq!((functions.len(), functions[0].entries, functions[0].bytes), (1, 3, both.bytes()));
    // An entry of a plan names one, as long as it is there.
    let planned = both.entries().next().unwrap();
    assert_eq!(memory.entry_by_id(planned).unwrap().unwrap().key(), planned.key());
    assert_eq!(memory.execute(&both).unwrap().removed.items, 3);
    assert!(memory.entry_by_id(planned).unwrap().is_none());
    assert!(memory.contains(&old::f::call(0)) && memory.contains(&new::f::call(0)));
}

#[test]
fn a_plan_for_one_function_leaves_the_others_alone() {
    #[cache]
    fn other(n: usize) -> usize {
        n
    }
    let (_folder, memory) = fresh();
    for n in 0..3 {
        store(&memory, n, 1);
        memory.eval(other::call(n));
    }
    let path = bytes::function().path();
    let mut plan = memory.plan_reduce_function(path, Limits::default().items(1)).unwrap();
    assert_eq!((plan.len(), plan.total().items), (2, 3));
    assert!(plan.entries().all(|entry| entry.function() == path));
    let first = plan.entries().next().unwrap().key();
    plan.retain(|entry| entry.key() != first);
    assert_eq!(memory.execute(&plan).unwrap().removed.items, 1);
    assert_eq!(memory.entries().count(), 5);
    assert!(memory.plan_reduce_function("nothing", Limits::default().items(0)).unwrap().is_empty());
}
