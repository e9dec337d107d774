//! Looking into a cache from outside of its program; in `plans`, what a collection would remove, in `foreign`, entries
//! from elsewhere.

mod arrays;
mod foreign;
mod plans;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::prelude::*;
use ndcache::inspect::digest_npy;
use ndcache::verify::Repair;
use ndcache::{ErrorKind, Memory, Mode, cache, digest};

use crate::support::{Mount, fresh, newer, snapshot};

const FROZEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/v1");

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

#[cache]
fn scaled(x: &ArrayRef1<f64>, by: f64) -> Array1<f64> {
    x.mapv(|x| x * by)
}

#[cache]
fn total(x: &ArrayRef1<f64>) -> f64 {
    x.sum()
}

fn copy_folder(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// Looks at everything in every way.
fn look(memory: &Memory) {
    for entry in memory.entries() {
        let entry = entry.unwrap();
        assert_eq!(memory.entry_by_id(&entry).unwrap().unwrap().key(), entry.key());
        entry.value().unwrap();
        for array in entry.arrays().unwrap() {
            let mut read = 0;
            array.read(|block| read += block.len() as u64).unwrap();
            assert_eq!(read, array.bytes(), "{array:?}");
            array.open().unwrap();
        }
        entry.verify().unwrap();
        entry.record_bytes().unwrap();
        let _ = entry.code_parts();
        let _ = entry.difference(&entry).to_string();
        assert!(memory.lineage_of(&entry).unwrap().is_some());
        assert!(memory.dependents_of(entry.key()).unwrap().is_some());
        assert!(memory.with_lineage([entry.clone()]).unwrap().iter().any(|found| found.key() == entry.key()));
        assert_eq!(memory.plan_removal([entry]).unwrap().len(), 1);
    }
    memory.plan_reduce(ndcache::Limits::default().items(1)).unwrap();
    memory.plan_superseded(std::time::Duration::ZERO).unwrap();
    memory.plan_collection(None, |_| ndcache::Limits::default().items(1), Some(std::time::Duration::ZERO)).unwrap();
    assert_eq!(memory.sample(None, 1.0).unwrap().count(), memory.entries().count());
    assert!(memory.sample(None, 0.0).is_err() && memory.sample(None, f64::NAN).is_err());
    assert!(memory.verify_with(Repair::No, |_| {}).unwrap().is_intact());
}

#[test]
fn a_folder_that_is_no_cache_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let refused = |path: &Path, what: &str| {
        for error in [Memory::inspect(path).unwrap_err(), Memory::existing(path).unwrap_err()] {
            assert!(error.to_string().contains(what), "{error}");
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
    };
    refused(&at("nowhere"), "can't open cache folder");
    fs::create_dir(at("empty")).unwrap();
    refused(&at("empty"), "isn't a cache");
    fs::write(at("file"), b"").unwrap();
    refused(&at("file"), "can't open cache folder");
    // The folder in which cargo builds has a tag, too.
    fs::create_dir_all(at("target/debug")).unwrap();
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by cargo.\n";
    fs::write(at("target/CACHEDIR.TAG"), tag).unwrap();
    refused(&at("target"), "isn't a cache");
    for name in ["f/", "f/notes", "f/-0123456789abcdef", "f/x-0123456789ABCDEF", "f/x-0123", "g/x-0123456789abcdef"] {
        let root = at(&format!("other{}", name.replace('/', "-")));
        fs::create_dir_all(root.join(name)).unwrap();
        refused(&root, "isn't a cache");
    }
    // A file stands in the place of a function's folder, and a link to a cache in another's.
    fs::create_dir_all(at("links/f")).unwrap();
    fs::write(at("links/f/x-0123456789abcdef"), b"").unwrap();
    std::os::unix::fs::symlink(folder.path(), at("links/f/y-0123456789abcdef")).unwrap();
    refused(&at("links"), "isn't a cache");
    assert_eq!(snapshot(&at("empty")).len(), 0);
}

#[test]
fn a_cache_is_known_by_its_tag_or_by_the_folder_of_a_function() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("f/x-0123456789abcdef")).unwrap();
    let before = snapshot(folder.path());
    let memory = Memory::inspect(folder.path()).unwrap();
    assert_eq!((memory.mode(), memory.entries().count()), (Mode::ReadOnly, 0));
    assert_eq!(Memory::existing(folder.path()).unwrap().mode(), Mode::ReadWrite);
    assert_eq!(snapshot(folder.path()), before);
    let tagged = tempfile::tempdir().unwrap();
    drop(Memory::open(tagged.path()).unwrap());
    Memory::inspect(tagged.path()).unwrap();
    // A folder with only a cache's own files is one, whoever wrote the tag.
    fs::write(tagged.path().join("CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n").unwrap();
    Memory::inspect(tagged.path()).unwrap();
}

#[test]
fn looking_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    copy_folder(Path::new(FROZEN), &root);
    let before = snapshot(&root);
    look(&Memory::inspect(&root).unwrap());
    assert_eq!(snapshot(&root), before);
    let memory = Memory::existing(&root).unwrap();
    look(&memory);
    assert_eq!(snapshot(&root), before, "a memory for writing has written nothing yet");
    drop(memory);
    assert_eq!(snapshot(&root), before);
}

#[test]
fn a_cache_on_a_read_only_medium_can_be_looked_into_and_not_opened_for_writing() {
    let Some(mount) = Mount::tmpfs("size=16m,mode=0700") else { return };
    let root = mount.path().join("cache");
    let memory = Memory::open(&root).unwrap();
    let x = memory.eval(ramp::call(2000));
    memory.eval(total::call(&x));
    drop(memory);
    mount.remount("ro");
    look(&Memory::inspect(&root).unwrap());
    let error = Memory::existing(&root).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().starts_with("can't write to cache folder `"), "{error}");
    mount.remount("rw");
}

#[test]
fn a_memory_that_only_looks_removes_nothing() {
    let (folder, memory) = fresh();
    memory.eval(ramp::call(10));
    let key = memory.entry(&ramp::call(10)).unwrap().unwrap().key();
    let before = snapshot(folder.path());
    let looking = Memory::inspect(folder.path()).unwrap();
    let plan = looking.plan_reduce(ndcache::Limits::default().items(0)).unwrap();
    assert_eq!(plan.len(), 1);
    for error in [
        looking.remove_entry(key).unwrap_err(),
        looking.clear_function_named(ramp::function().path()).unwrap_err(),
        looking.execute(&plan).unwrap_err(),
        looking.verify_with(Repair::Remove, |_| {}).unwrap_err(),
        looking.clear().unwrap_err(),
    ] {
        assert!(error.to_string().contains("read-only"), "{error}");
    }
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn a_cache_that_is_removed_is_not_made_anew_by_who_only_used_it() {
    let (folder, memory) = fresh();
    memory.eval(ramp::call(10));
    let elsewhere = tempfile::tempdir().unwrap();
    let root = elsewhere.path().join("cache");
    copy_folder(folder.path(), &root);
    let existing = Memory::existing(&root).unwrap();
    fs::remove_dir_all(&root).unwrap();
    assert_eq!(existing.eval(ramp::call(11)), ramp::compute(11));
    assert!(!existing.remove_entry("abcd").unwrap());
    existing.clear().unwrap();
    existing.reduce_size(ndcache::Limits::default()).ok();
    assert!(!root.exists());
}

#[test]
fn an_entry_is_found_by_the_beginning_of_its_key() {
    #[cache]
    fn number(n: u64) -> u64 {
        n
    }
    let (_folder, memory) = fresh();
    // So many keys that two begin with the same four digits, almost surely.
    let keys: Vec<String> = (0..900)
        .map(|n| {
            memory.eval(number::call(n));
            memory.entry(&number::call(n)).unwrap().unwrap().key().to_string()
        })
        .collect();
    let sharing = |key: &str, len: usize| keys.iter().filter(|other| other[..len] == key[..len]).count();
    let mut ambiguous = 0;
    for key in &keys {
        for len in [4, 5, 8, 31, 32] {
            let found = memory.entry_by_id(&key[..len]);
            match sharing(key, len) {
                1 => assert_eq!(found.unwrap().unwrap().key().to_string(), *key),
                count => {
                    ambiguous += 1;
                    let error = found.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Invalid);
                    let text = error.to_string();
                    assert!(text.contains(&format!("{count} entries")) && text.contains(key.as_str()), "{text}");
                    assert!(memory.remove_entry(&key[..len]).is_err(), "which one is to go is not known");
                }
            }
        }
    }
    assert!(ambiguous > 0, "900 keys differ in their first four digits");
    assert!(memory.entry_by_id("ffff0000ffff").unwrap().is_none());
    let key = memory.entries().next().unwrap().unwrap().key();
    assert!(memory.entry_by_id(key.to_string().to_uppercase()).unwrap().is_some());
    assert!(memory.remove_entry(key).unwrap());
    assert!(memory.entry_by_id(key).unwrap().is_none());
    assert!(!memory.remove_entry(key).unwrap());
    assert_eq!(memory.clear_function_named(number::function().path()).unwrap().items, 899);
    assert_eq!(memory.clear_function_named("no/such::function").unwrap().items, 0);
}

#[test]
fn an_entry_is_named_by_its_function_and_key() {
    let (_folder, memory) = fresh();
    memory.eval(ramp::call(5));
    memory.eval(total::call(&ramp::compute(5)));
    let (ramp, total) = (ramp::function().path(), total::function().path());
    let key = memory.entries_named(ramp).next().unwrap().unwrap().key();
    let found = memory.entry_by_id((ramp, key)).unwrap().unwrap();
    assert_eq!((found.function(), found.key()), (ramp, key));
    // This key belongs to no other function.
    assert!(memory.entry_by_id((total, key)).unwrap().is_none());
    assert!(memory.entry_by_id(("another", key)).unwrap().is_none());
    assert!(!memory.remove_entry((total, key)).unwrap());
    assert!(memory.remove_entry((ramp, key)).unwrap());
    assert!(memory.entry_by_id((ramp, key)).unwrap().is_none());
}

#[test]
fn what_is_removed_by_its_key_is_not_remembered() {
    let (_folder, memory) = fresh();
    memory.eval(ramp::call(3000));
    memory.eval(ramp::call(3000));
    let entry = memory.entry(&ramp::call(3000)).unwrap().unwrap();
    assert!(memory.remove_entry(&entry).unwrap());
    assert!(!entry.path().exists() && entry.files().iter().all(|file| !file.exists()));
    memory.eval(ramp::call(3000));
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 2));
}

#[test]
fn only_what_is_damaged_still_is_removed_as_damaged_and_leaves_no_mark() {
    let (folder, memory) = fresh();
    // Marks are made only where there are tiers, for which this folder stands.
    fs::create_dir(folder.path().join("t")).unwrap();
    let marks = || fs::read_dir(folder.path().join("t/x")).map_or(0, Iterator::count);
    memory.eval(ramp::call(3000));
    let entry = memory.entry(&ramp::call(3000)).unwrap().unwrap();
    assert!(!memory.remove_damaged(&entry).unwrap() && entry.path().exists(), "it is whole");
    // A record in another function's folder is no entry of that function, and counts as damaged.
    let copy = folder.path().join("f/other-0123456789abcdef").join(&entry.key().to_string()[..2]);
    fs::create_dir_all(&copy).unwrap();
    let copy = copy.join(entry.path().file_name().unwrap());
    fs::copy(entry.path(), &copy).unwrap();
    let key = entry.key().to_string();
    assert!(memory.remove_damaged(&key[..8]).unwrap() && entry.path().exists() && !copy.exists());
    for damages_array in [true, false] {
        memory.eval(ramp::call(3000));
        let entry = memory.entry(&ramp::call(3000)).unwrap().unwrap();
        let array = entry.arrays().unwrap()[0].file().unwrap().to_owned();
        let at = if damages_array { &*array } else { entry.path() };
        fs::remove_file(at).unwrap();
        fs::write(at, "nonsense").unwrap();
        assert!(memory.remove_damaged(entry.key()).unwrap(), "{at:?}");
        assert!(!entry.path().exists() && !memory.remove_damaged(entry.key()).unwrap());
    }
    assert_eq!(memory.eval(ramp::call(3000)).len(), 3000);
    assert_eq!(marks(), 0);
    assert!(memory.remove_entry(entry.key()).unwrap());
    assert_eq!(marks(), 1, "what is removed by name stays away");
}

#[test]
fn a_damaged_record_is_told_and_can_be_removed_by_its_key() {
    let (_folder, memory) = fresh();
    for (n, write) in [(1, &b"nonsense"[..]), (2, b""), (3, &[0; 70_000])] {
        memory.eval(ramp::call(n));
        let entry = memory.entry(&ramp::call(n)).unwrap().unwrap();
        fs::write(entry.path(), write).unwrap();
        let error = memory.entry_by_id(entry.key()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
        assert!(memory.lineage_of(entry.key()).is_err());
        assert!(memory.remove_entry(entry.key()).unwrap() && !entry.path().exists());
    }
    memory.eval(ramp::call(4));
    let entry = memory.entry(&ramp::call(4)).unwrap().unwrap();
    fs::write(entry.path(), newer(&fs::read(entry.path()).unwrap())).unwrap();
    assert_eq!(memory.entry_by_id(entry.key()).unwrap_err().kind(), ErrorKind::Newer);
    assert_eq!(entry.record_bytes().unwrap_err().kind(), ErrorKind::Newer);
}

#[test]
fn an_entry_that_is_gone_says_so() {
    let (_folder, memory) = fresh();
    memory.eval(ramp::call(500));
    let entry = memory.entry(&ramp::call(500)).unwrap().unwrap();
    memory.remove_entry(&entry).unwrap();
    let error = entry.arrays().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert!(error.to_string().ends_with("is no longer there"), "{error}");
    assert_eq!(entry.verify().unwrap_err().kind(), ErrorKind::Changed);
    assert_eq!(entry.record_bytes().unwrap_err().kind(), ErrorKind::Changed);
}

#[test]
fn no_byte_of_a_record_makes_looking_panic() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    copy_folder(Path::new(FROZEN), &root);
    let memory = Memory::inspect(&root).unwrap();
    let records: Vec<_> = memory.entries().map(|entry| entry.unwrap().path().to_owned()).collect();
    for path in records {
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(1 + good.len() / 60) {
            let mut bad = good[..good.len() - 16].to_vec();
            if at < bad.len() {
                bad[at] = bad[at].wrapping_add(1);
            }
            // The trailer is right, so that the content is looked at.
            fs::write(&path, crate::support::sealed(bad)).unwrap();
            for entry in memory.entries().filter_map(Result::ok).filter(|entry| entry.path() == path) {
                let _ = entry.value();
                entry.arrays().into_iter().flatten().for_each(|array| drop(array.open()));
                let _ = (entry.verify(), entry.record_bytes(), entry.code_parts(), format!("{entry:?}"));
                let _ = memory.lineage_of(&entry);
            }
        }
        fs::write(&path, &good).unwrap();
    }
    look(&memory);
}

#[test]
fn what_two_entries_differ_in_is_told_as_a_miss_is() {
    let (_folder, memory) = fresh();
    let x = memory.eval(ramp::call(10));
    let y = memory.eval(ramp::call(11));
    for (x, by) in [(&x, 1.5), (&x, 2.0), (&y, 2.0)] {
        memory.eval(scaled::call(x, by));
    }
    let entry = |x: &Array1<f64>, by: f64| memory.entry(&scaled::call(x, by)).unwrap().unwrap();
    let told = |a: &ndcache::Entry, b: &ndcache::Entry| a.difference(b).to_string();
    assert_eq!(told(&entry(&x, 1.5), &entry(&x, 2.0)), "argument `by`: 1.5 → 2.0");
    assert_eq!(told(&entry(&x, 1.5), &entry(&y, 2.0)), "argument `x`: f64[10] C → f64[11] C, argument `by`: 1.5 → 2.0");
    assert_eq!(told(&entry(&x, 1.5), &entry(&x, 1.5)), "hit");
    let other = memory.entry(&ramp::call(10)).unwrap().unwrap();
    assert_eq!(told(&other, &entry(&x, 1.5)), "new function");
    let parts = entry(&x, 1.5).code_parts();
    assert_eq!((parts[0].name(), parts[0].counts()), ("", "auto"));
    assert!(parts[0].digest().is_some());
}

#[test]
fn code_and_arguments_of_two_versions_are_told_apart() {
    mod old {
        #[ndcache::cache(name = "two versions", code = "version", version = 1)]
        pub(super) fn f(x: f64, #[allow(unused)] secret: u8) -> f64 {
            x
        }
    }
    mod new {
        #[ndcache::cache(name = "two versions", code = "version", version = 2)]
        pub(super) fn f(x: f64, more: f64) -> f64 {
            x + more
        }
    }
    let (_folder, memory) = fresh();
    memory.eval(old::f::call(1.0, 3));
    memory.eval(new::f::call(2.0, 0.5));
    let before = memory.entry(&old::f::call(1.0, 3)).unwrap().unwrap();
    let now = memory.entry(&new::f::call(2.0, 0.5)).unwrap().unwrap();
    assert_eq!(before.difference(&now).to_string(), "`version` 1 → 2");
    let arguments: Vec<_> = before.differing_arguments(&now).iter().map(ToString::to_string).collect();
    assert_eq!(arguments, ["argument `x`: 1.0 → 2.0", "argument `more`: none → 0.5", "argument `secret`: 3 → none",]);
}

#[test]
fn what_was_made_of_a_result_is_found() {
    let (folder, memory) = fresh();
    let x = memory.eval(ramp::call(2000));
    let y = memory.eval(scaled::call(&x, 0.5));
    memory.eval(total::call(&y));
    memory.eval(total::call(&x));
    // A function that returns its argument goes round in no circle.
    let same = memory.eval(scaled::call(&x, 1.0));
    assert_eq!(same, x);
    let before = snapshot(folder.path());
    let key = memory.entry(&ramp::call(2000)).unwrap().unwrap().key();
    let dependents = memory.dependents_of(&key.to_string()[..8]).unwrap().unwrap();
    assert_eq!(dependents.entries().count(), 5);
    let links: Vec<_> = dependents.links().map(|(made, by, argument)| (made.key(), by.key(), argument)).collect();
    let scaled = memory.entry(&scaled::call(&x, 0.5)).unwrap().unwrap().key();
    let of_y = memory.entry(&total::call(&y)).unwrap().unwrap().key();
    assert!(links.contains(&(key, scaled, "x")) && links.contains(&(scaled, of_y, "x")), "{links:?}");
    let text = dependents.to_string();
    assert!(text.starts_with("ramp(n=2000)") && text.contains("x of scaled(x=f64[2000] C, by=0.5)"), "{text}");
    assert!(memory.dependents_of("ffff0000ffff").unwrap().is_none());
    let last = memory.dependents_of(of_y).unwrap().unwrap();
    assert_eq!((last.entries().count(), last.links().count()), (1, 0));
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn a_check_tells_how_far_it_has_come() {
    let (_folder, memory) = fresh();
    (1000..1020).for_each(|n| drop(memory.eval(ramp::call(n))));
    let (calls, entries, bytes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let report = memory
        .verify_with(Repair::No, |checked| {
            calls.fetch_add(1, Ordering::Relaxed);
            entries.fetch_max(checked.entries, Ordering::Relaxed);
            bytes.fetch_max(checked.bytes, Ordering::Relaxed);
        })
        .unwrap();
    let told = (calls.into_inner(), entries.into_inner(), bytes.into_inner());
    assert_eq!(told, (report.entries, report.entries, report.bytes));
}

#[test]
fn the_digest_of_a_file_is_that_of_the_array_whatever_its_dtype() {
    let npy = |name: &str| format!("{}/data/npy/{name}", env!("CARGO_MANIFEST_DIR"));
    let array: Array2<f64> = ndcache::make::read_npy(npy("c_f8.npy")).unwrap();
    assert_eq!(digest_npy(npy("c_f8.npy")).unwrap(), digest(&array));
    let array: ArrayD<f32> = ndcache::make::read_npy(npy("f_f4.npy")).unwrap();
    assert_eq!(digest_npy(npy("f_f4.npy")).unwrap(), digest(&array));
    let array: ArrayD<bool> = ndcache::make::read_npy(npy("bool.npy")).unwrap();
    assert_eq!(digest_npy(npy("bool.npy")).unwrap(), digest(&array));
    for other in
        ["big_endian.npy", "structured.npy", "text.npy", "time.npy", "f2.npy", "version_2.npy", "version_3.npy"]
    {
        digest_npy(npy(other)).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.npy");
    for name in ["c_f8.npy", "structured.npy", "text.npy"] {
        let bytes = fs::read(npy(name)).unwrap();
        for end in 0..bytes.len() {
            fs::write(&cut, &bytes[..end]).unwrap();
            if let Err(error) = digest_npy(&cut) {
                assert!(error.to_string().contains("cut.npy"), "{error}");
            } else {
                assert_ne!(name, "c_f8.npy", "{end}");
            }
        }
    }
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (path, what) in [
        (npy("object.npy"), "objects"),
        (npy("headers.json"), "magic"),
        (fifo.display().to_string(), "isn't a regular file"),
        (folder.path().display().to_string(), "isn't a regular file"),
        (npy("nowhere.npy"), "can't open"),
    ] {
        let error = digest_npy(&path).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains(&path), "{error}");
    }
}
