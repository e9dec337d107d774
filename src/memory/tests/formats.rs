//! Entries that others have written: what no Rust type takes is listed, verified and evicted as any.

use std::fs;

use ndarray::Array1;

use crate::digest::ArrayMeta;
use crate::digest::tree;
use crate::folder::{Evicted, Limits, Problem, Repair};
use crate::memory::{Engine, Memory};
use crate::payload::npy_header;
use crate::record::Record;
use crate::stats::Reason;
use crate::store::Durability;

#[ndcache::cache]
fn ramp(n: usize) -> Array1<i64> {
    (0..n as i64).collect()
}

fn engine(memory: &Memory) -> &Engine {
    memory.0.as_ref().unwrap()
}

/// A memory whose only entry has its array in a file, and is altered then.
fn altered(alter: impl FnOnce(&mut Record, &Engine, &str)) -> (tempfile::TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).inline(0).open().unwrap();
    memory.eval(ramp::call(3));
    let path = memory.entry(&ramp::call(3)).unwrap().unwrap().path().to_owned();
    let name = path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
    let mut record = engine(&memory).archive.read_record(&name).unwrap().unwrap().record;
    alter(&mut record, engine(&memory), &name);
    engine(&memory).archive.disk.replace(&name, &record.encode().unwrap(), Durability::Buffered).unwrap();
    (folder, memory)
}

/// What is true of an entry that holds what no Rust type takes.
fn is_kept_and_no_hit(memory: &Memory, expected: &str) {
    let entries: Vec<_> = memory.entries().collect::<Result<_, _>>().unwrap();
    assert_eq!(entries.len(), 1);
    assert!(memory.lineage(&ramp::call(3)).unwrap().is_some());
    let report = memory.verify(Repair::Remove).unwrap();
    assert_eq!((report.entries, report.damaged, report.problems), (1, 0, vec![]));
    assert!(!memory.contains(&ramp::call(3)));
    let reason = memory.explain(&ramp::call(3)).reason();
    assert!(matches!(&reason, Reason::Unsupported(what) if what.contains(expected)), "{reason:?}");
    let other = Memory::open(memory.location().unwrap()).unwrap();
    assert_eq!(other.eval(ramp::call(3)).to_vec(), [0, 1, 2], "computed, and stored in its place");
    assert_eq!(other.stats().by_reason().get("unsupported"), Some(&1), "{:?}", other.stats());
    assert_eq!((other.stats().faults(), other.stats().misses()), (0, 1));
    assert!(other.contains(&ramp::call(3)));
    let report = other.verify(Repair::No).unwrap();
    assert_eq!((report.entries, report.problems), (1, vec![]), "no file of it is left behind");
}

#[test]
fn a_pickle_is_kept_as_any_entry_and_hits_for_no_rust_type() {
    let (_folder, memory) = altered(|record, _, _| {
        record.requires = vec!["pickle".to_owned()];
        record.origin = Some("import".to_owned());
        record.python = vec![0xc0];
        // Extension 3: the stream, and the arrays that are its buffers.
        let inside = rmp_serde::to_vec(&(serde_bytes::Bytes::new(b"\x80\x05."), [0_u32])).unwrap();
        record.value = [&[0xc7, inside.len() as u8, 3], inside.as_slice()].concat();
    });
    is_kept_and_no_hit(&memory, "Python pickled");
}

#[test]
fn a_pickle_is_evicted_with_its_arrays() {
    let (folder, memory) = altered(|record, _, _| record.requires = vec!["pickle".to_owned()]);
    let evicted = memory.reduce_size(Limits::default().items(0)).unwrap();
    assert!(evicted.items == 1 && evicted.bytes > 0, "{evicted:?}");
    assert_eq!(memory.reduce_size(Limits::default().items(0)).unwrap(), Evicted::default());
    let report = memory.verify(Repair::No).unwrap();
    assert_eq!((report.entries, report.orphans), (0, 0), "{}", folder.path().display());
}

/// Rewrites the array of a record as one of this dtype.
fn retyped(descr: &'static str, itemsize: u64, record: &mut Record, engine: &Engine, name: &str) {
    let array = &mut record.arrays[0];
    let path = engine.archive.disk.path_of(name).with_file_name(&array.file);
    let bytes = fs::read(&path).unwrap();
    let elements = bytes[array.offset as usize..].to_vec();
    let shape = vec![elements.len() as u64 / itemsize];
    array.meta = ArrayMeta { descr: descr.into(), shape, itemsize: Some(itemsize), ..array.meta.clone() };
    let header = npy_header(&array.meta).unwrap();
    array.offset = header.len() as u64;
    array.length = array.offset + elements.len() as u64;
    array.digest = array.meta.digest(tree(&elements));
    fs::remove_file(&path).unwrap();
    fs::write(&path, [header, elements].concat()).unwrap();
    let mut mode = fs::metadata(&path).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(&path, mode).unwrap();
    record.requires = vec!["dtype".to_owned()];
}

const DTYPES: [(&str, u64); 5] =
    [("<M8[ns]", 8), ("<U3", 12), ("|S4", 4), ("[('a', '<f8'), ('b', '<i4')]", 12), (">f8", 8)];

#[test]
fn arrays_of_every_dtype_are_kept_and_hit_for_no_rust_type() {
    for (descr, itemsize) in DTYPES {
        let (_folder, memory) = altered(|record, engine, name| retyped(descr, itemsize, record, engine, name));
        is_kept_and_no_hit(&memory, "another dtype");
    }
}

#[test]
fn each_byte_of_an_array_of_another_dtype_is_verified() {
    for (descr, itemsize) in DTYPES {
        let (_folder, memory) = altered(|record, engine, name| retyped(descr, itemsize, record, engine, name));
        let path = memory.entries().next().unwrap().unwrap().files()[0].clone();
        let right = fs::read(&path).unwrap();
        for at in (0..right.len()).step_by(5) {
            let mut forged = right.clone();
            forged[at] ^= 1;
            fs::remove_file(&path).unwrap();
            fs::write(&path, forged).unwrap();
            let report = memory.verify(Repair::No).unwrap();
            assert_eq!(report.damaged, 1, "`{descr}`, byte {at}");
            assert!(report.problems.iter().any(|(_, problem)| matches!(problem, Problem::Damaged(_))));
        }
    }
}

#[test]
fn a_root_of_known_names_is_marked_as_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["f", "m", "s", "t", "p"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    drop(Memory::open(folder.path()).unwrap());
    assert!(folder.path().join("CACHEDIR.TAG").exists());
}

#[test]
fn clearing_takes_entries_and_slots_alone() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    let others =
        ["s/log", "s/log.host-7", "t/0123456789abcdef/q-7/job", "t/x/all", "t/0123456789abcdef/deny", "p/mine"];
    // As in a folder that was no cache before.
    let foreign =
        ["m/ab/x", "m/notes.record", "f/thing-0123456789abcdef/mine", "f/thing-0123456789abcdef/ab/table.npy"];
    let put = |name: &&str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(100 * 3600);
        fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    };
    others.iter().for_each(put);
    memory.eval(ramp::call(3));
    assert_eq!(memory.entries().count(), 1);
    let report = memory.verify(Repair::No).unwrap();
    assert_eq!((report.entries, report.orphans), (1, 0));
    foreign.iter().for_each(put);
    assert_eq!(memory.reduce_size(Limits::default().items(0)).unwrap().items, 1);
    memory.eval(ramp::call(3));
    memory.clear().unwrap();
    let function = ramp::function();
    assert!(!folder.path().join(function.folder()).exists());
    for name in others.iter().chain(&foreign) {
        assert!(folder.path().join(name).exists(), "{name}");
    }
}
