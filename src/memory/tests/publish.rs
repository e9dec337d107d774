//! Storing, replacing, evicting and reading one entry under the model checker: the code that ships, on a folder. Each
//! operation on a file is a point of the schedule.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::Array1;
use shuttle::thread::spawn;
use tempfile::TempDir;

use crate::flight::tests::model::check::{check_on_files, fails};
use crate::folder::{Limits, Repair};
use crate::memory::Memory;
use crate::store::{Durability, set_between};

/// What a reader computes that finds nothing.
const READER: u64 = 99;

/// Two arrays of one generation, which is no part of the key.
#[ndcache::cache(ignore(generation))]
fn block(generation: u64) -> (Array1<u64>, Array1<u64>) {
    (Array1::from_elem(8, generation), Array1::from_elem(9, generation))
}

/// In memory, where the system has such a place.
fn folder() -> TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { TempDir::new_in(shared).unwrap() } else { TempDir::new().unwrap() }
}

/// A memory of a process of its own: without locks, which nothing here may depend on, and which would wait outside the
/// schedule.
fn memory(folder: &TempDir, process: u64) -> Memory {
    let mut memory = Memory::builder(folder.path()).inline(0).open().unwrap();
    let engine = Arc::get_mut(memory.0.as_mut().unwrap()).unwrap();
    engine.apart = Some(process);
    memory
}

/// With an entry of generation 1.
fn stored() -> TempDir {
    set_between(None);
    let folder = folder();
    write(&memory(&folder, 0), 1);
    folder
}

fn write(memory: &Memory, generation: u64) {
    memory.refresh(block::call(generation));
    assert_eq!(memory.stats().faults(), 0, "{:?}", memory.stats());
}

/// The generation of a whole value, which is never taken for a damaged one.
fn read(memory: &Memory) -> u64 {
    let (one, other) = memory.try_eval(block::call(READER)).unwrap();
    let generation = one[0];
    assert_eq!((one, other), block(generation));
    assert!(!memory.stats().by_reason().contains_key("damaged"), "{:?}", memory.stats());
    generation
}

type Body = Box<dyn FnOnce() + Send>;

/// Lets all of them go at once, and waits for them.
fn race<const N: usize>(bodies: [Body; N]) {
    // Some operation of shuttle's, before which it may choose another thread.
    set_between(Some(|| drop(shuttle::sync::Mutex::new(()).lock())));
    let threads: Vec<_> = bodies.into_iter().map(spawn).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    set_between(None);
}

fn writes(memory: Memory, generation: u64) -> Body {
    Box::new(move || write(&memory, generation))
}

fn reads(memory: Memory, expected: &'static [u64]) -> Body {
    Box::new(move || {
        for _ in 0..2 {
            let found = read(&memory);
            assert!(expected.contains(&found), "{found}");
        }
    })
}

#[test]
fn a_reader_sees_the_old_value_or_a_new_one_and_never_a_mix() {
    check_on_files(|| {
        let folder = stored();
        let reader = memory(&folder, 3);
        race([writes(memory(&folder, 1), 2), writes(memory(&folder, 2), 3), reads(reader.clone(), &[1, 2, 3])]);
        assert_eq!(reader.stats().misses(), 0, "one of them is always there");
        let after = memory(&folder, 4);
        assert!(matches!(read(&after), 2 | 3));
        assert_eq!(after.stats().misses(), 0);
        assert_eq!(after.verify(Repair::No).unwrap().damaged, 0);
    });
}

#[test]
fn an_eviction_beside_a_writer_leaves_a_whole_value_or_none() {
    check_on_files(|| {
        let folder = stored();
        let evicts = memory(&folder, 2);
        race([
            writes(memory(&folder, 1), 2),
            Box::new(move || {
                evicts.reduce_size(Limits::default().items(0)).unwrap();
            }),
            reads(memory(&folder, 3), &[1, 2, READER]),
        ]);
        assert!([1, 2, READER].contains(&read(&memory(&folder, 4))));
    });
}

/// A reader that remembers, and a writer.
fn remembers(reader: Memory, writer: Memory) {
    let written = Arc::new(AtomicU64::new(1));
    // From the third time on it looks at no file.
    for _ in 0..3 {
        assert_eq!(read(&reader), 1);
    }
    let announced = Arc::clone(&written);
    race([
        Box::new(move || {
            write(&writer, 2);
            announced.store(2, Ordering::SeqCst);
        }),
        Box::new(move || {
            for _ in 0..20 {
                // What is remembered is read without looking at a file, and so without a point.
                shuttle::thread::yield_now();
                let least = written.load(Ordering::SeqCst);
                assert!(read(&reader) >= least, "what was read before a change is used after it");
            }
        }),
    ]);
}

#[test]
fn what_was_read_before_a_change_is_not_used_after_it() {
    check_on_files(|| {
        let folder = stored();
        let memory = memory(&folder, 1);
        remembers(memory.clone(), memory);
    });
}

#[test]
fn a_change_that_raises_no_generation_is_caught() {
    // That of another process is seen after a second.
    assert!(fails(|| {
        let folder = stored();
        remembers(memory(&folder, 1), memory(&folder, 2));
    }));
}

/// The files of the entry, the record last, by their names in the folder.
fn files(folder: &TempDir) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.path().join("f")];
    while let Some(next) = folders.pop() {
        for item in fs::read_dir(next).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read(path).unwrap()));
            }
        }
    }
    found.sort_by_key(|(name, _)| name.ends_with(".record"));
    found
}

#[test]
fn a_record_that_is_published_before_its_arrays_is_caught() {
    fn scenario(record_first: bool) {
        let folder = stored();
        let mut files = files(&folder);
        memory(&folder, 0).remove(&block::call(0)).unwrap();
        if record_first {
            files.reverse();
        }
        let writer = memory(&folder, 1);
        let publishes = Box::new(move || {
            let disk = &writer.0.as_ref().unwrap().archive.disk;
            for (name, bytes) in files {
                if name.ends_with(".record") {
                    disk.replace(&name, &bytes, Durability::Buffered).unwrap();
                } else {
                    let mut blob = disk.create(&name, 0).unwrap();
                    blob.write_all(&bytes).unwrap();
                    blob.finish(Durability::Buffered).unwrap();
                }
            }
        });
        race([publishes, reads(memory(&folder, 2), &[1, READER])]);
    }
    check_on_files(|| scenario(false));
    assert!(fails(|| scenario(true)));
}

#[test]
fn an_eviction_that_takes_the_arrays_first_is_caught() {
    fn scenario(arrays_first: bool) {
        let folder = stored();
        let mut files = files(&folder);
        if !arrays_first {
            files.reverse();
        }
        let evictor = memory(&folder, 1);
        let evicts = Box::new(move || {
            let disk = &evictor.0.as_ref().unwrap().archive.disk;
            for (name, _) in files {
                disk.remove(&name).unwrap();
            }
        });
        race([evicts, reads(memory(&folder, 2), &[1, READER])]);
    }
    check_on_files(|| scenario(false));
    assert!(fails(|| scenario(true)));
}
