//! Entries whose files hold any bytes: whatever is loaded is right, or the call misses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::{Compression, Memory, Mode, cache};

use crate::support::fuzz::fuzz;
use crate::support::{files, sealed};

/// The length of a record's trailer, in bytes.
const TRAILER: usize = 16;

/// A record and an array file of together some 4 KiB.
#[cache]
fn small(n: usize) -> (String, Array1<f64>, Vec<Option<u64>>) {
    ("text".repeat(20), Array1::from_shape_fn(n, |i| i as f64), vec![Some(n as u64), None, Some(7)])
}

/// A value too long for a record, so that it overflows.
#[cache]
fn long(n: usize) -> String {
    "0123456789abcdef".repeat(n)
}

/// A bit of the byte before each input, whose other bits are the number of the file: whether a record gets a trailer
/// that fits.
const SEALED: u8 = 0x80;

/// The entries are plain, compressed, and with an overflow.
#[test]
fn any_bytes_in_place_of_a_file_are_a_miss_or_the_right_value() {
    const NAME: &str = "hostile::fuzz::any_bytes_in_place_of_a_file_are_a_miss_or_the_right_value";
    let folder = tempfile::tempdir().unwrap();
    for (n, compression) in [(400, Compression::None), (401, Compression::Gzip(6))] {
        let memory = Memory::builder(folder.path()).compression(compression).inline(0).open().unwrap();
        memory.eval(small::call(n));
        memory.eval(long::call(n * 20));
    }
    let files: Vec<(PathBuf, Vec<u8>)> = files(&folder.path().join("f"), "")
        .into_iter()
        .filter(|path| path.is_file())
        .map(|path| {
            let bytes = fs::read(&path).unwrap();
            (path, bytes)
        })
        .collect();
    assert_eq!(files.len(), 8, "four records, an array of each kind, two overflows");
    let is_record = |path: &Path| path.extension().is_some_and(|suffix| suffix == "record");
    let mut corpus = Vec::new();
    for (number, (path, bytes)) in (0..).zip(&files) {
        corpus.push([&[number], &bytes[..]].concat());
        if is_record(path) {
            corpus.push([&[number | SEALED], &bytes[..bytes.len() - TRAILER]].concat());
        }
    }
    fuzz(NAME, None, 500, &corpus, |input| {
        let Some((&tag, bytes)) = input.split_first() else { return };
        let (path, right) = &files[usize::from(tag & !SEALED) % files.len()];
        let forged = tag & SEALED != 0 && is_record(path);
        rewrite(path, &if forged { sealed(bytes.to_vec()) } else { bytes.to_vec() });
        // This memory remembers no entry.
        let memory = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
        for n in [400, 401] {
            for reason in [memory.explain(&small::call(n)).reason(), memory.explain(&long::call(20 * n)).reason()] {
                if let Reason::Damaged(what) | Reason::Newer(what) = reason {
                    // A forged record may name a file that doesn't exist.
                    let name = path.file_name().unwrap().to_str().unwrap();
                    assert!(what.contains(if forged { "`" } else { name }), "{what}");
                }
            }
            // Whoever forges a record may make it tell of another value, and of no other file.
            let (short, long_one) = (memory.eval(small::call(n)), memory.eval(long::call(20 * n)));
            assert!(forged || short == small::compute(n) && long_one == long::compute(20 * n), "{}", path.display());
            drop((memory.mmap(small::call(n)), memory.shelve(long::call(20 * n)).map(drop)));
        }
        rewrite(path, right);
    });
}

fn rewrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
}
