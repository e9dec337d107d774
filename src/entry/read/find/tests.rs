use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ndarray::Array1;

use crate::{Memory, Mode};

/// Some 4 KiB: a record, and a file for the array.
#[ndcache::cache]
fn entry(n: usize) -> (String, Array1<f64>) {
    ("text".repeat(20), Array1::from_shape_fn(n, |i| i as f64))
}

const N: usize = 440;

/// The elements of a `.npy`; nothing depends on the header before them, which a hit doesn't read.
const ELEMENTS: usize = 128;

/// One of this many bits and lengths is flipped or cut if `NDCACHE_EVERY` is unset; if it is set, each is.
const PART: usize = 61;

#[test]
fn every_bit_and_every_length_of_an_entry_counts() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).inline(0).open().unwrap();
    let right = memory.eval(entry::call(N));
    let stored = memory.entry(&entry::call(N)).unwrap().unwrap();
    let files: Vec<PathBuf> =
        [stored.path()].into_iter().chain(stored.files().iter().map(PathBuf::as_path)).map(Into::into).collect();
    let step = if std::env::var_os("NDCACHE_EVERY").is_some() { 1 } else { PART };
    let (mut bits, mut lengths) = (0, 0);
    for path in &files {
        let whole = fs::read(path).unwrap();
        let is_read = |at: usize| path == stored.path() || at >= ELEMENTS;
        let check = |bytes: &[u8], counts: bool, what: &dyn std::fmt::Display| {
            rewrite(path, bytes);
            // One that remembers nothing.
            let memory = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
            assert_eq!(memory.eval(entry::call(N)), right, "{what} of {}", path.display());
            assert_eq!(memory.stats().misses(), u64::from(counts), "{what} of {}", path.display());
        };
        for bit in (0..8 * whole.len()).step_by(step) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            check(&flipped, is_read(bit / 8), &format_args!("bit {bit}"));
            bits += 1;
        }
        for len in (0..whole.len()).step_by(step) {
            check(&whole[..len], true, &format_args!("{len} bytes"));
            lengths += 1;
        }
        check(&[&whole[..], &[0]].concat(), true, &"a byte more");
        check(&whole, false, &"all");
    }
    assert!(files.len() == 2 && bits > 8 * 4000 / step && lengths > 4000 / step, "{bits} bits, {lengths} lengths");
    println!("counted | bits of an entry of 4 KiB | {bits} | 0 |");
    println!("counted | lengths of an entry of 4 KiB | {lengths} | 0 |");
}

fn rewrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
}
