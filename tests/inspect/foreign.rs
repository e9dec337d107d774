//! An entry from elsewhere is verified before it is published, or not published at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, Read};
use std::path::Path;

use ndarray::prelude::*;
use ndcache::inspect::{Origin, Published};
use ndcache::verify::Repair;
use ndcache::{Compression, Entry, ErrorKind, Memory, cache};

use crate::support::{fresh, newer, sealed, snapshot};

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

/// Too long for a record.
#[cache]
fn long(n: usize) -> (Vec<String>, Array1<f64>) {
    (vec!["abcdefghijklmno".to_owned(); n], Array1::ones(n))
}

/// All of an entry: its record, and its files by their names.
type Packed = (Vec<u8>, BTreeMap<String, Vec<u8>>);

fn pack(entry: &Entry) -> Packed {
    let read = |name: &str| {
        let mut bytes = Vec::new();
        entry.open_file(name).unwrap().read_to_end(&mut bytes).unwrap();
        (name.to_owned(), bytes)
    };
    (entry.record_bytes().unwrap(), entry.file_names().map(read).collect())
}

fn publish(memory: &Memory, packed: &Packed) -> ndcache::Result<Published> {
    memory.publish_foreign(&packed.0, Origin::Import, |name| {
        let bytes = packed.1.get(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Cursor::new(bytes.clone()))
    })
}

/// The files below `f/`: what has been published, and what was left behind.
fn stored(folder: &Path) -> Vec<String> {
    snapshot(folder).into_keys().filter(|path| Path::new(path).is_file() && path.contains("/f/")).collect()
}

#[test]
fn an_entry_from_elsewhere_hits_as_its_own() {
    for (compression, inline) in [(Compression::None, 4096), (Compression::None, 0), (Compression::Gzip(1), 0)] {
        let folder = tempfile::tempdir().unwrap();
        let memory =
            Memory::builder(folder.path()).compression(compression).inline(inline).readable(true).open().unwrap();
        memory.eval(ramp::call(5000));
        memory.eval(ramp::call(3));
        memory.eval(long::call(9000));
        let (other_folder, other) = fresh();
        for entry in memory.entries() {
            let entry = entry.unwrap();
            let packed = pack(&entry);
            let published = publish(&other, &packed).unwrap();
            assert!(published.is_new && published.key == entry.key());
            let here = other.entry_by_id(entry.key()).unwrap().unwrap();
            assert_eq!(
                (here.origin(), here.created(), here.arguments()),
                (Some("import"), entry.created(), entry.arguments())
            );
            assert_eq!(here.value().unwrap(), entry.value().unwrap());
            assert_eq!(here.verify().unwrap(), here.bytes());
            // Publishing once more changes nothing.
            let before = snapshot(other_folder.path());
            assert!(!publish(&other, &packed).unwrap().is_new);
            assert_eq!(snapshot(other_folder.path()), before);
        }
        assert_eq!(other.eval(ramp::call(5000)), ramp::compute(5000));
        assert_eq!(*other.mmap(ramp::call(3)), *ramp::compute(3));
        assert_eq!(other.eval(long::call(9000)), long::compute(9000));
        assert_eq!((other.stats().hits(), other.stats().misses(), other.stats().faults()), (3, 0, 0));
        assert_eq!(other.verify(Repair::No).unwrap().problems, []);
    }
}

#[test]
fn what_is_not_as_its_record_says_is_refused_and_nothing_published() {
    let (_folder, memory) = fresh();
    let long_entry = {
        memory.eval(long::call(9000));
        pack(&memory.entry(&long::call(9000)).unwrap().unwrap())
    };
    memory.eval(ramp::call(5000));
    let plain = pack(&memory.entry(&ramp::call(5000)).unwrap().unwrap());
    let (other_folder, other) = fresh();
    let before = stored(other_folder.path());
    let refused = |packed: &Packed, kind: ErrorKind, what: &str| {
        let error = publish(&other, packed).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(what), "{error}, expected {what}");
        assert_eq!(stored(other_folder.path()), before, "{what}");
    };
    for packed in [&plain, &long_entry] {
        for name in packed.1.keys() {
            let with = |change: &dyn Fn(&mut Vec<u8>)| {
                let mut packed = packed.clone();
                change(packed.1.get_mut(name).unwrap());
                packed
            };
            let is_array = name.ends_with(".npy");
            let end = |short: &'static str| if is_array { short } else { "is not the file that its record names" };
            refused(&with(&|bytes| *bytes.last_mut().unwrap() ^= 1), ErrorKind::Damaged, end("digest"));
            refused(&with(&|bytes| bytes.truncate(bytes.len() - 1)), ErrorKind::Damaged, end("1 bytes shorter"));
            refused(&with(&|bytes| bytes.push(0)), ErrorKind::Damaged, end("longer"));
            refused(&with(&Vec::clear), ErrorKind::Damaged, end("shorter"));
            if is_array {
                refused(&with(&|bytes| bytes[0] ^= 1), ErrorKind::Damaged, "magic");
            }
            let mut without = packed.clone();
            without.1.remove(name);
            refused(&without, ErrorKind::Io, name);
        }
        refused(&(newer(&packed.0), packed.1.clone()), ErrorKind::Newer, "format is 2");
        for bad in [Vec::new(), b"nonsense".to_vec(), vec![0; 70_000], packed.0[..packed.0.len() - 1].to_vec()] {
            refused(&(bad, packed.1.clone()), ErrorKind::Damaged, "record `from elsewhere`");
        }
    }
    // The unchanged entries are accepted.
    assert!(publish(&other, &plain).unwrap().is_new && publish(&other, &long_entry).unwrap().is_new);
}

#[test]
fn no_name_of_a_record_leads_anywhere() {
    let (_folder, memory) = fresh();
    memory.eval(ramp::call(5000));
    let (record, files) = pack(&memory.entry(&ramp::call(5000)).unwrap().unwrap());
    let name = files.keys().next().unwrap();
    let (other_folder, other) = fresh();
    for evil in ["../../../../evil", "/etc/passwd.evil", "a/b.evil", "..", "a\0b"] {
        let mut renamed = vec![b'x'; name.len() - ".npy".len()];
        renamed[..evil.len()].copy_from_slice(evil.as_bytes());
        renamed.extend(b".npy");
        let at = record.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
        let mut bytes = record[..record.len() - 16].to_vec();
        bytes[at..at + name.len()].copy_from_slice(&renamed);
        let mut asked = Vec::new();
        let published = other.publish_foreign(&sealed(bytes), Origin::Tier, |name| {
            asked.push(name.to_owned());
            Ok(Cursor::new(files.values().next().unwrap().clone()))
        });
        match published {
            Err(error) => assert_eq!((error.kind(), asked.len()), (ErrorKind::Damaged, 0), "{error}"),
            // This name is plain, and so is replaced like any other.
            Ok(published) => {
                assert!(evil == "..", "{evil}");
                let entry = other.entry_by_id(published.key).unwrap().unwrap();
                assert!(entry.file_names().all(|name| name.starts_with(&entry.key().to_string())));
                assert_eq!(entry.origin(), Some("tier"));
            }
        }
    }
    assert!(stored(other_folder.path()).len() <= 2);
}

#[test]
fn what_is_staged_is_published_later_or_leaves_nothing() {
    let (_folder, memory) = fresh();
    memory.eval(ramp::call(5000));
    let (record, files) = pack(&memory.entry(&ramp::call(5000)).unwrap().unwrap());
    let (other_folder, other) = fresh();
    let stage = || other.stage_foreign(&record, Origin::Import, |name| Ok(Cursor::new(files[name].clone()))).unwrap();
    let staged = stage();
    assert_eq!((staged.function(), staged.exists(), staged.holds_pickle()), (ramp::function().path(), false, false));
    assert_eq!(staged.bytes(), files.values().map(|file| file.len() as u64).sum::<u64>());
    assert!(!other.contains(&ramp::call(5000)));
    drop(staged);
    assert_eq!(stored(other_folder.path()), Vec::<String>::new());
    // Of two that publish the same entry, the first one's stays.
    let (first, second) = (stage(), stage());
    assert!(first.publish().unwrap().is_new);
    assert_eq!(stored(other_folder.path()).len(), 3, "a record, and two arrays");
    assert!(!second.publish().unwrap().is_new);
    assert_eq!(stored(other_folder.path()).len(), 2);
    assert_eq!(other.eval(ramp::call(5000)), ramp::compute(5000));
}

#[test]
fn a_damaged_entry_is_replaced_by_a_good_one_and_a_newer_one_stays() {
    let (_folder, memory) = fresh();
    memory.eval(ramp::call(5000));
    let packed = pack(&memory.entry(&ramp::call(5000)).unwrap().unwrap());
    let (_other_folder, other) = fresh();
    other.eval(ramp::call(5000));
    let path = other.entry(&ramp::call(5000)).unwrap().unwrap().path().to_owned();
    let good = fs::read(&path).unwrap();
    fs::write(&path, b"nonsense").unwrap();
    assert!(publish(&other, &packed).unwrap().is_new);
    fs::write(&path, newer(&good)).unwrap();
    assert_eq!(publish(&other, &packed).unwrap_err().kind(), ErrorKind::Newer);
    assert_eq!(fs::read(&path).unwrap(), newer(&good));
    let looking = Memory::inspect(other.location().unwrap()).unwrap();
    assert!(publish(&looking, &packed).unwrap_err().to_string().contains("read-only"));
    assert_eq!(publish(&Memory::disabled(), &packed).unwrap_err().kind(), ErrorKind::Unsupported);
}
