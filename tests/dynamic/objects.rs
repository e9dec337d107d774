//! Records that somebody has changed so that NumPy would take their bytes for objects, or for elements of other lengths:
//! none is loaded, whichever way it comes.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ndcache::dynamic::{Array, Form, Order, RawValue, dtype_itemsize};
use ndcache::inspect::Origin;
use ndcache::tier::{Filter, Folder, Share, Tier};
use ndcache::verify::Repair;
use ndcache::{Error, Memory};

use super::call;
use crate::interop::python;
use crate::support::{files, sealed};

/// A dtype, the length of its elements, and a text as long as the dtype's that is forged in its place: it names
/// objects, elements of another length, or no dtype at all.
const FORGED: &[(&str, u64, &str)] = &[
    ("|V8", 8, "|O8"),
    ("|V8", 8, "|O4"),
    ("<M8[D]", 8, "object"),
    ("<M8[ns]", 8, "object_"),
    ("[('a', '|V8')]", 8, "[('a', '|O8')]"),
    ("[('abcde', '|V8')]", 8, "[('abcd', '|O8') ]"),
    ("[('a', '<M8[D]')]", 8, "[('a', 'object')]"),
    ("[('abc', '|V8')]", 8, "[(\"abcd\", \"|O\")]"),
    ("[('abc', '|V8'), ('b', '<f4')]", 12, "[('a', [('b', '|O')]), ('c',)]"),
    ("|S15", 15, "|S01"),
    ("|S15", 15, "|S05"),
    ("|S15", 15, "|S14"),
    ("|V8", 8, "|V9"),
    ("<U3", 12, "|S3"),
    ("[('a', '<M8'), ('b', '<f4')]", 12, "[('a', '<f4'), ('b', '<f4')]"),
];

fn array(descr: &str, itemsize: u64) -> Array {
    Array::new(descr, itemsize, &[5], Order::C, vec![0x41; 5 * itemsize as usize]).expect(descr)
}

/// A memory that stores arrays inside of records, or in files.
fn open(folder: &std::path::Path, inline: u64) -> Memory {
    Memory::builder(folder).inline(inline).open().unwrap()
}

fn store(memory: &Memory, descr: &str, itemsize: u64) {
    let value = || Ok::<_, Error>(RawValue::of_array(array(descr, itemsize)));
    call("objects", 1).eval(memory, Form::Owned, value).unwrap();
}

/// The record with one text in the place of another, of the same length.
fn forged(record: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "{to}");
    let mut bytes = record[..record.len() - 16].to_vec();
    let places: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(from.as_bytes())).collect();
    assert_eq!(places.len(), 1, "`{from}` stands once");
    bytes[places[0]..][..to.len()].copy_from_slice(to.as_bytes());
    sealed(bytes)
}

fn record(folder: &std::path::Path) -> PathBuf {
    let records = files(&folder.join("f"), ".record");
    assert_eq!(records.len(), 1);
    records[0].clone()
}

fn rewrite(path: &std::path::Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_dtype_of_objects_comes_from_no_record_tier_or_import() {
    for &(descr, itemsize, forgery) in FORGED {
        for inline in [0, 4096] {
            let folder = tempfile::tempdir().unwrap();
            store(&open(folder.path(), inline), descr, itemsize);
            let path = record(folder.path());
            let bad = forged(&fs::read(&path).unwrap(), descr, forgery);
            rewrite(&path, &bad);

            let memory = open(folder.path(), inline);
            assert_eq!(memory.verify(Repair::No).unwrap().damaged, 1, "{forgery}");
            for form in [Form::Owned, Form::Mapped] {
                assert!(call("objects", 1).look_up(&memory, form).is_none(), "{forgery}");
            }

            let here = tempfile::tempdir().unwrap();
            let tier = || Tier::new(Folder::new(folder.path()).unwrap()).share(Share::Any);
            let behind = Memory::builder(here.path()).tier(tier()).open().unwrap();
            assert!(call("objects", 1).look_up(&behind, Form::Owned).is_none(), "{forgery}");
            assert_eq!(behind.pull(&Filter::default()).unwrap().moved, 0, "{forgery}");
            let published = behind.publish_foreign(&bad, Origin::Import, |name| {
                let file = files(folder.path(), name).remove(0);
                Ok(Cursor::new(fs::read(file).unwrap()))
            });
            assert!(published.is_err() && behind.entries().next().is_none(), "{forgery}");

            // The call is computed, and its result stored in the place of the forgery.
            store(&memory, descr, itemsize);
            assert_eq!(memory.verify(Repair::No).unwrap().damaged, 0, "{forgery}");
            assert!(call("objects", 1).look_up(&open(folder.path(), inline), Form::Owned).is_some(), "{forgery}");
        }
    }
}

/// Dtypes that NumPy writes are accepted with its bytes; and any dtype that is accepted has these bytes in NumPy, and
/// no objects.
#[test]
fn dtypes_of_numpy_are_stored_and_what_is_stored_is_one_of_numpys() {
    let Some(python) = python() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/dtypes.py");
    let written = Command::new(&python).args([script, "write", "1000"]).output().unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let written: Vec<(String, u64)> = serde_json::from_slice(&written.stdout).unwrap();
    assert_eq!(written.len(), 1000);
    for (descr, itemsize) in &written {
        assert_eq!(dtype_itemsize(descr).ok(), Some(*itemsize), "{descr}");
    }

    let taken: Vec<(String, u64)> = changed(&written)
        .filter_map(|descr| {
            let itemsize = dtype_itemsize(&descr).ok()?;
            Some((descr, itemsize))
        })
        .collect();
    assert!(taken.len() > 300, "{} are dtypes", taken.len());
    let mut check = Command::new(&python).args([script, "check"]).stdin(Stdio::piped()).spawn().unwrap();
    check.stdin.take().unwrap().write_all(&serde_json::to_vec(&taken).unwrap()).unwrap();
    assert!(check.wait().unwrap().success());
}

/// The texts with a part of each left out, doubled, or another's in its place.
fn changed(written: &[(String, u64)]) -> impl Iterator<Item = String> {
    let mut state = 7_u64;
    let mut draw = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    (0..40_000).map(move |_| {
        let (text, other) = (&written[draw(written.len())].0, &written[draw(written.len())].0);
        let (from, length) = (draw(text.len()), 1 + draw(8));
        let upto = text.len().min(from + length);
        let at = draw(other.len());
        let part = &other[at..other.len().min(at + draw(8))];
        match draw(4) {
            0 => format!("{}{}", &text[..from], &text[upto..]),
            1 => format!("{}{}", &text[..upto], &text[from..]),
            2 => format!(
                "{}{}{}",
                &text[..from],
                ["|O", "O", "object", "S", "V3", "L", "0", "\\x4f"][draw(8)],
                &text[upto..]
            ),
            _ => format!("{}{part}{}", &text[..from], &text[upto..]),
        }
    })
}
