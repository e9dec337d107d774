//! Results that are edited: in memory until they are committed, then for everyone, and never by halves.

use std::collections::BTreeMap;
use std::sync::Barrier;

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::mapped::{MappedMut1, MappedMut2};
use ndcache::policy::VerifyPolicy;
use ndcache::{ErrorKind, Mapped1, MappedCow, MappedMut, Memory, Mode, cache, digest};
use proptest::prelude::*;

use crate::support::{Mount, child, files, fresh, in_child, snapshot};

/// Large enough for a mapped file.
const N: usize = 40_000;

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

#[cache]
fn table(rows: usize, columns: usize) -> Array2<i32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| (i * 1000 + j) as i32)
}

#[test]
fn an_edit_is_seen_by_nobody_before_it_is_committed_and_by_everyone_after() {
    let (folder, memory) = fresh();
    let other = Memory::open(folder.path()).unwrap();
    let mut edited: MappedMut1<f64> = memory.mmap_mut(ramp::call(N)).unwrap();
    assert!(edited.is_mapped());
    edited[7] = -1.0;
    assert_eq!(memory.eval(ramp::call(N)), ramp::compute(N));
    edited.commit().unwrap();
    for memory in [&memory, &other, &Memory::open(folder.path()).unwrap()] {
        assert_eq!(memory.eval(ramp::call(N)), edited);
        assert_eq!(memory.mmap(ramp::call(N)), edited);
        assert_eq!(memory.mmap(ramp::call(N)).digest(), edited.digest());
        assert_eq!(memory.stats().faults(), 0);
    }
}

#[test]
fn an_edited_entry_says_so_and_keeps_what_else_it_said() {
    let (_folder, memory) = fresh();
    let edited = memory.mmap_mut(ramp::call(N)).unwrap();
    let before = memory.entry(&ramp::call(N)).unwrap().unwrap();
    assert!(!before.edited());
    assert_eq!(memory.explain(&ramp::call(N)).to_string(), "hit");
    edited.commit().unwrap();
    let after = memory.entry(&ramp::call(N)).unwrap().unwrap();
    assert!(after.edited());
    assert_eq!(memory.explain(&ramp::call(N)).reason(), Reason::Hit);
    assert_eq!(memory.explain(&ramp::call(N)).to_string(), "hit (edited)");
    assert_eq!(
        (after.key(), after.function(), after.arguments()),
        (before.key(), before.function(), before.arguments())
    );
    assert_eq!((after.created(), after.duration()), (before.created(), before.duration()));
    assert_ne!(after.files(), before.files());
    memory.refresh(ramp::call(N));
    assert!(!memory.entry(&ramp::call(N)).unwrap().unwrap().edited());
}

#[test]
fn whoever_has_the_old_result_mapped_keeps_it() {
    let (folder, memory) = fresh();
    let old = memory.mmap(ramp::call(N));
    let mut edited = memory.mmap_mut(ramp::call(N)).unwrap();
    edited.fill(3.0);
    edited.commit().unwrap();
    assert!(old.is_mapped());
    assert_eq!(old, ramp::compute(N));
    assert_eq!(files(folder.path(), ".npy").len(), 1, "its file has no name any more");
}

#[test]
fn dropped_or_discarded_edits_change_no_file() {
    let (folder, memory) = fresh();
    memory.eval(ramp::call(N));
    let before = snapshot(folder.path());
    let mut edited = memory.mmap_mut(ramp::call(N)).unwrap();
    edited.fill(3.0);
    drop(edited);
    let mut edited = memory.mmap_mut(ramp::call(N)).unwrap();
    edited += 1.0;
    edited.discard();
    assert_eq!(snapshot(folder.path()), before);
    assert_eq!(memory.eval(ramp::call(N)), ramp::compute(N));
}

#[test]
fn a_process_that_dies_before_the_commit_changes_no_file() {
    const NAME: &str = "mutable::a_process_that_dies_before_the_commit_changes_no_file";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let mut edited = Memory::open(folder).unwrap().mmap_mut(ramp::call(N)).unwrap();
        edited.fill(3.0);
        std::process::abort();
    }
    let (folder, memory) = fresh();
    memory.eval(ramp::call(N));
    let before = snapshot(folder.path());
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(6), "it did abort");
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn a_commit_on_a_full_disk_leaves_the_old_entry_and_the_edits() {
    let Some(small) = Mount::tmpfs("size=500k") else { return };
    let memory = Memory::open(small.path().join("cache")).unwrap();
    let mut edited = memory.mmap_mut(ramp::call(N)).unwrap();
    let before = snapshot(small.path());
    edited.fill(3.0);
    let error = edited.commit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    // Folders aren't compared, since their times have changed.
    let kept = |files: BTreeMap<String, (u64, u64, i64, i64, u32)>| {
        files.into_iter().filter(|(_, state)| state.4 & 0o170_000 == 0o100_000).collect::<Vec<_>>()
    };
    assert_eq!(kept(snapshot(small.path())), kept(before));
    assert_eq!(memory.eval(ramp::call(N)), ramp::compute(N));
    assert_eq!(edited, Array1::from_elem(N, 3.0));
    small.remount("size=2m");
    edited.commit().unwrap();
    assert_eq!(memory.eval(ramp::call(N)), edited);
    assert_eq!(files(small.path(), ".npy").len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Through `DerefMut`, safe code permutes, inverts and narrows axes.
    #[test]
    fn what_is_published_is_the_logical_array(
        (rows, columns) in (1..200_usize, 1..200_usize),
        (swapped, inverted, narrowed) in any::<(bool, bool, bool)>(),
    ) {
        let (folder, memory) = fresh();
        let mut edited: MappedMut2<i32> = memory.mmap_mut(table::call(rows, columns)).unwrap();
        let mut expected = table::compute(rows, columns);
        edited[[0, 0]] = -5;
        expected[[0, 0]] = -5;
        if swapped {
            edited.swap_axes(0, 1);
            expected.swap_axes(0, 1);
        }
        if inverted {
            edited.invert_axis(Axis(0));
            expected.invert_axis(Axis(0));
        }
        if narrowed {
            edited.slice_axis_inplace(Axis(1), ndarray::Slice::new(0, None, 2));
            expected.slice_axis_inplace(Axis(1), ndarray::Slice::new(0, None, 2));
        }
        edited.commit().unwrap();
        let memory = Memory::builder(folder.path()).verify(VerifyPolicy::Always).open().unwrap();
        let loaded = memory.eval(table::call(rows, columns));
        prop_assert_eq!(&loaded, &expected);
        prop_assert_eq!(digest(&loaded), digest(&expected));
        prop_assert_eq!(memory.mmap(table::call(rows, columns)), expected);
        prop_assert_eq!(memory.stats().misses(), 0);
    }
}

#[test]
fn an_edited_array_can_be_edited_on() {
    let (folder, memory) = fresh();
    let mut edited = memory.mmap_mut(ramp::call(N)).unwrap();
    for round in 0..3 {
        edited[0] = f64::from(round);
        edited.commit().unwrap();
        assert_eq!(memory.eval(ramp::call(N)), edited);
    }
    assert_eq!(memory.mmap_mut(ramp::call(N)).unwrap(), edited);
    assert_eq!(files(folder.path(), ".npy").len(), 1);
}

#[test]
fn small_results_and_results_of_mapped_type_are_edited_alike() {
    #[cache]
    fn mapped(n: usize) -> Mapped1<f64> {
        ramp::compute(n).into()
    }
    let (_folder, memory) = fresh();
    for n in [0, 1, 10, N] {
        let mut edited = memory.mmap_mut(ramp::call(n)).unwrap();
        edited += 1.0;
        edited.commit().unwrap();
        assert_eq!(memory.eval(ramp::call(n)), ramp::compute(n) + 1.0);
        let mut edited = memory.mmap_mut(mapped::call(n)).unwrap();
        edited += 2.0;
        edited.commit().unwrap();
        assert_eq!(memory.eval(mapped::call(n)), ramp::compute(n) + 2.0);
    }
    assert_eq!(memory.stats().faults(), 0);
}

#[test]
fn of_two_that_commit_the_last_one_wins_and_none_leaves_garbage() {
    let folder = tempfile::tempdir().unwrap();
    // Two memories of one folder, as two processes would have; and two threads of each.
    let memories = [Memory::open(folder.path()).unwrap(), Memory::open(folder.path()).unwrap()];
    memories[0].eval(ramp::call(N));
    let barrier = Barrier::new(4);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (memory, barrier) = (&memories[thread % 2], &barrier);
            scope.spawn(move || {
                let mut edited = memory.mmap_mut(ramp::call(N)).unwrap();
                edited.fill(thread as f64);
                for _ in 0..20 {
                    barrier.wait();
                    edited.commit().unwrap();
                }
            });
        }
    });
    let last = memories[0].eval(ramp::call(N));
    assert!(last.iter().all(|&x| x == last[0]) && last[0] < 4.0);
    assert_eq!(files(folder.path(), ".npy").len(), 1);
    assert_eq!(files(folder.path(), ".record").len(), 1);
    assert!(files(folder.path(), ".tmp").is_empty());
}

#[test]
fn processes_that_commit_at_once_leave_no_garbage() {
    const NAME: &str = "mutable::processes_that_commit_at_once_leave_no_garbage";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let mut edited = Memory::open(folder).unwrap().mmap_mut(ramp::call(N)).unwrap();
        edited.fill(f64::from(std::process::id()));
        (0..30).for_each(|_| edited.commit().unwrap());
        return;
    }
    let (folder, memory) = fresh();
    memory.eval(ramp::call(N));
    let start = || child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).spawn().unwrap();
    let mut children: Vec<_> = (0..3).map(|_| start()).collect();
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    let last = memory.eval(ramp::call(N));
    assert!(last.iter().all(|&x| x == last[0]) && last[0] > 1.0);
    assert_eq!(files(folder.path(), ".npy").len(), 1);
}

#[test]
fn a_commit_publishes_what_was_removed_meanwhile() {
    let (_folder, memory) = fresh();
    let edited = memory.mmap_mut(ramp::call(N)).unwrap();
    memory.clear().unwrap();
    edited.commit().unwrap();
    assert_eq!(memory.explain(&ramp::call(N)).to_string(), "hit (edited)");
}

#[test]
fn a_memory_that_stores_nothing_edits_nothing() {
    let (folder, memory) = fresh();
    memory.eval(ramp::call(N));
    let read_only = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
    for (memory, word) in [(read_only, "read-only"), (Memory::disabled(), "disabled")] {
        let error = memory.mmap_mut(ramp::call(N)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn an_edit_is_good_for_as_long_as_a_result_of_that_moment() {
    const SHORT: std::time::Duration = std::time::Duration::from_millis(1500);
    #[cache(expires = SHORT)]
    fn short(n: usize) -> Array1<f64> {
        Array1::zeros(n)
    }
    let (_folder, memory) = fresh();
    let mut edited = memory.mmap_mut(short::call(N)).unwrap();
    std::thread::sleep(SHORT);
    edited[0] = -17.0;
    edited.commit().unwrap();
    assert_eq!(memory.eval(short::call(N))[0], -17.0);
}

/// The edit expires with a cached call inside of the function, too.
#[test]
fn an_edit_expires_as_the_result_that_it_replaces_would() {
    const SHORT: std::time::Duration = std::time::Duration::from_millis(1500);
    #[cache(expires = SHORT)]
    fn rate() -> f64 {
        2.0
    }
    #[cache]
    fn rated(n: usize) -> Array1<f64> {
        Array1::from_elem(n, rate())
    }
    let (_folder, memory) = fresh();
    memory.with(|| {
        let mut edited = memory.mmap_mut(rated::call(N)).unwrap();
        edited[0] = -17.0;
        edited.commit().unwrap();
        std::thread::sleep(SHORT * 2);
        assert_eq!(memory.eval(rated::call(N))[0], 2.0);
    });
}

#[test]
fn an_edit_of_what_is_computed_at_that_moment_is_an_error_and_not_lost() {
    static BEGUN: Barrier = Barrier::new(2);
    static ENDED: Barrier = Barrier::new(2);
    #[cache(ignore(slow))]
    fn slow(n: usize, slow: bool) -> Array1<f64> {
        if slow {
            BEGUN.wait();
            ENDED.wait();
        }
        Array1::zeros(n)
    }
    let (_folder, memory) = fresh();
    let mut edited = memory.mmap_mut(slow::call(N, false)).unwrap();
    memory.clear().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| memory.eval(slow::call(N, true)));
        BEGUN.wait();
        edited[0] = -17.0;
        let error = edited.commit().unwrap_err();
        assert!(error.to_string().ends_with("commit the edited one when that has ended"), "{error}");
        ENDED.wait();
    });
    edited.commit().unwrap();
    assert_eq!(memory.eval(slow::call(N, false))[0], -17.0);
}

#[test]
fn a_function_that_stores_nothing_is_neither_edited_nor_removed() {
    #[cache(mode = Mode::ReadOnly)]
    fn read_only(n: usize) -> Array1<f64> {
        Array1::zeros(n)
    }
    #[cache(mode = Mode::Off)]
    fn off(n: usize) -> Array1<f64> {
        Array1::zeros(n)
    }
    let (_folder, memory) = fresh();
    let errors = [
        memory.mmap_mut(read_only::call(N)).unwrap_err(),
        memory.mmap_mut(off::call(N)).unwrap_err(),
        memory.remove(&read_only::call(N)).unwrap_err(),
        memory.remove(&off::call(N)).unwrap_err(),
    ];
    for (error, mode) in errors.iter().zip(["read-only", "off", "read-only", "off"]) {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().ends_with(&format!("is in mode `{mode}`")), "{error}");
    }
}

#[test]
fn a_result_that_can_not_be_stored_is_an_error_and_no_edit_that_would_be_lost() {
    let Some(small) = Mount::tmpfs("size=200k") else { return };
    let memory = Memory::open(small.path().join("cache")).unwrap();
    assert_eq!(memory.mmap_mut(ramp::call(N)).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn an_edited_array_counts_by_its_present_content_as_an_argument() {
    #[cache]
    fn total(x: &ArrayRef1<f64>) -> f64 {
        x.sum()
    }
    let (_folder, memory) = fresh();
    let mut edited = memory.mmap_mut(ramp::call(N)).unwrap();
    assert_eq!(edited.digest(), digest(&ramp::compute(N)));
    assert_eq!(memory.eval(total::call(&edited)), ramp::compute(N).sum());
    edited[0] = 1.0;
    assert!(!memory.contains(&total::call(&edited)));
    assert_eq!(memory.eval(total::call(&edited)), ramp::compute(N).sum() + 1.0);
}

#[test]
fn operators_and_assignments_are_those_of_the_other_mapped_arrays() {
    let (_folder, memory) = fresh();
    let mut m: MappedMut<f64, Ix1> = memory.mmap_mut(ramp::call(4)).unwrap();
    let a = ramp::compute(4);
    let (mapped, cow) = (Mapped1::from(a.clone()), MappedCow::from(a.clone()));
    assert_eq!(&m + &a, &a + &a);
    assert_eq!(&a - &m, &a - &a);
    assert_eq!(&m * &mapped + &(&mapped * &m), 2.0 * (&a * &a));
    assert_eq!(&(&cow + &m) - &(&m + &cow), &a - &a);
    assert_eq!(1.0 - &m, 1.0 - &a);
    assert_eq!(-&m, -&a);
    assert_eq!(m.dot(&a), a.dot(&m));
    assert_eq!(m, mapped);
    assert_eq!(mapped, m);
    assert_eq!(cow, m);
    assert_eq!(m, cow);
    m += &a;
    m *= &mapped;
    m -= &cow;
    m /= 2.0;
    let mut plain = (&(&a + &a) * &a - &a) / 2.0;
    assert_eq!(m, plain);
    plain += &m;
    assert_eq!(plain, &m * 2.0);
    m.iter_mut().for_each(|x| *x = 0.5);
    assert_eq!(m.to_owned(), Array1::from_elem(4, 0.5));
    assert!(format!("{m:?}").starts_with("MappedMut<f64>(in memory)"), "{m:?}");
}
