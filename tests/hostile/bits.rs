//! Each bit and each length of an entry of some 4 KiB: the call misses and is stored again, or the value is exact.
//!
//! All 40,000 of them take some 20 s in a debug build, so only a part is looked at; with `NDCACHE_EVERY` set, all of
//! them. `NDCACHE_FUZZ_SEED` repeats the choice.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use ndarray::prelude::*;
use ndcache::make::read_npy;
use ndcache::policy::VerifyPolicy;
use ndcache::verify::Repair;
use ndcache::{Compression, Mapped1, Memory, Mode, cache};
use tempfile::TempDir;

use crate::support::files;
use crate::support::fuzz::{Dice, seed};

/// Where the elements of the array file begin; the header isn't looked at in a hit.
const HEADER: usize = 128;

#[cache]
fn plain(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| (i as f64).sqrt())
}

/// Too long for a record, so that it overflows.
#[cache]
fn long(n: usize) -> String {
    "0123456789abcdef".repeat(n)
}

/// So large that it is mapped instead of read.
const LARGE: usize = 200_000;

#[cache]
fn mapped(n: usize) -> Mapped1<u8> {
    Array1::from_shape_fn(n, |i| i as u8).into()
}

/// One file of an entry, as it was stored.
struct Target {
    path: PathBuf,
    bytes: Vec<u8>,
    file: File,
}

impl Target {
    fn new(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        Self { path: path.to_owned(), bytes, file: writable(path) }
    }

    fn flip(&self, bit: usize) {
        self.put(bit / 8, self.bytes[bit / 8] ^ (1 << (bit % 8)));
    }

    fn unflip(&self, bit: usize) {
        self.put(bit / 8, self.bytes[bit / 8]);
    }

    fn put(&self, at: usize, byte: u8) {
        self.file.write_all_at(&[byte], at as u64).unwrap();
    }

    /// Cuts the file, or appends zeros.
    fn resize(&self, len: usize) {
        self.file.set_len(len as u64).unwrap();
    }

    fn restore(&self) {
        self.resize(self.bytes.len());
        self.file.write_all_at(&self.bytes, 0).unwrap();
    }

    fn name(&self) -> &str {
        self.path.file_name().unwrap().to_str().unwrap()
    }
}

/// Opens a file for writing whatever its mode is; the mode stays as it is.
fn writable(path: &Path) -> File {
    let mode = fs::metadata(path).unwrap().permissions();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    fs::set_permissions(path, mode).unwrap();
    file
}

/// The files of the one entry in a new folder.
fn stored(compression: Compression, store: impl Fn(&Memory)) -> (TempDir, Vec<Target>) {
    let folder = tempfile::tempdir().unwrap();
    store(&Memory::builder(folder.path()).compression(compression).inline(0).open().unwrap());
    let found = files(&folder.path().join("f"), "");
    let targets = found.iter().filter(|path| path.is_file()).map(|path| Target::new(path)).collect();
    (folder, targets)
}

/// Draws one case of each `share` from `count` cases; all of them if `NDCACHE_EVERY` is set.
fn some(count: usize, share: usize) -> impl Iterator<Item = usize> {
    let share = if std::env::var_os("NDCACHE_EVERY").is_some() { 1 } else { share };
    let seed = seed();
    if share > 1 {
        println!("one of {share} from seed {seed}");
    }
    let mut dice = Dice::new(seed);
    (0..count).step_by(share).map(move |first| (first + dice.below(share)).min(count - 1))
}

/// A memory that knows nothing of the entry yet, and changes nothing.
fn fresh(folder: &Path) -> Memory {
    Memory::builder(folder).mode(Mode::ReadOnly).open().unwrap()
}

/// Whether a change makes the call miss; its value is right in any case.
#[derive(Clone, Copy, PartialEq)]
enum Found {
    Always,
    Perhaps,
    Never,
}

/// Tries one of each `share` bits and lengths of each file of the entry that `is_right` stores; `is_right` calls, and
/// compares the value.
fn attack(share: usize, compression: Compression, is_right: &dyn Fn(&Memory) -> bool) {
    let (folder, targets) = stored(compression, |memory| assert!(is_right(memory)));
    let cases = Cell::new(0);
    for target in &targets {
        let name = target.name();
        let look = |found: Found, case: &str, number: usize| {
            cases.set(cases.get() + 1);
            let memory = fresh(folder.path());
            assert!(is_right(&memory), "another value: {case} {number} of {name}");
            let stats = memory.stats();
            let damaged = stats.by_reason().get("damaged").copied().unwrap_or(0);
            let right = match (stats.hits(), stats.misses(), damaged) {
                (1, 0, 0) => found != Found::Always,
                (0, 1, 1) => found != Found::Never,
                _ => false,
            };
            assert!(right, "{case} {number} of {name}: {stats:?}");
        };
        // No value depends on the header of a plain array, since the record says what the array is.
        let of_a_bit = |bit| match name.rsplit('.').next() {
            Some("npy") if bit < 8 * HEADER => Found::Never,
            // Deflate streams have bits without a meaning.
            Some("gz") => Found::Perhaps,
            _ => Found::Always,
        };
        for bit in some(8 * target.bytes.len(), share) {
            target.flip(bit);
            look(of_a_bit(bit), "bit", bit);
            target.unflip(bit);
        }
        for len in some(target.bytes.len(), share) {
            target.resize(len);
            look(Found::Always, "length", len);
            target.restore();
        }
        target.resize(target.bytes.len() + 1);
        look(Found::Always, "length", target.bytes.len() + 1);
        target.restore();
        look(Found::Never, "nothing", 0);
    }
    let test = thread::current().name().unwrap_or_default().rsplit("::").next().unwrap_or_default().to_owned();
    println!("counted | bits and lengths, {test} | {} | 0 | {}", cases.get(), seed());
}

#[test]
fn each_bit_and_each_length_of_an_entry_is_found_or_harmless() {
    let right = plain::compute(400);
    attack(8, Compression::None, &|memory| memory.eval(plain::call(400)) == right);
}

#[test]
fn each_bit_and_each_length_of_a_compressed_entry_is_found_or_harmless() {
    let right = plain::compute(40);
    attack(4, Compression::Gzip(6), &|memory| memory.eval(plain::call(40)) == right);
}

#[test]
fn each_bit_and_each_length_of_an_overflowed_entry_is_found() {
    let right = long::compute(4_100);
    attack(32, Compression::None, &|memory| memory.eval(long::call(4_100)) == right);
}

/// Only a few cases, because the entry is stored again in each.
#[test]
fn an_entry_with_a_changed_bit_or_length_is_replaced() {
    let right = plain::compute(400);
    let (folder, targets) = stored(Compression::None, |memory| assert_eq!(memory.eval(plain::call(400)), right));
    let shard = targets[0].path.parent().unwrap();
    for (number, target) in targets.iter().enumerate() {
        let (bits, name) = (8 * target.bytes.len(), target.name());
        for case in some(bits + target.bytes.len(), 64) {
            // The files are written anew, because the last case has replaced them.
            fs::remove_dir_all(shard).unwrap();
            fs::create_dir(shard).unwrap();
            for (other, whole) in targets.iter().enumerate() {
                let mut bytes = whole.bytes.clone();
                match case.checked_sub(bits) {
                    _ if other != number => {}
                    None => bytes[case / 8] ^= 1 << (case % 8),
                    Some(len) => bytes.truncate(len),
                }
                fs::write(&whole.path, bytes).unwrap();
                fs::set_permissions(&whole.path, fs::Permissions::from_mode(0o444)).unwrap();
            }
            let memory = Memory::open(folder.path()).unwrap();
            let verified = memory.verify(Repair::No).unwrap();
            let harmless = name.ends_with(".npy") && case < 8 * HEADER;
            // `=f8` says the same as `<f8`.
            let damaged = u64::from(!harmless || read_npy::<f64, Ix1>(&target.path).ok().as_ref() != Some(&right));
            assert_eq!((verified.entries, verified.damaged), (1, damaged), "case {case} of {name}");
            assert_eq!(memory.eval(plain::call(400)), right, "case {case} of {name}");
            assert_eq!(memory.stats().hits(), u64::from(harmless), "case {case} of {name}");
            let again = fresh(folder.path());
            assert_eq!(again.eval(plain::call(400)), right, "case {case} of {name}");
            assert_eq!(again.stats().hits(), 1, "case {case} of {name} is replaced");
            let left = memory.verify(Repair::No).unwrap().damaged;
            assert_eq!(left, damaged * u64::from(harmless), "case {case} of {name}");
        }
    }
}

/// Mapped files are verified as `VerifyPolicy` says: by default, a file that was written since the last boot is
/// trusted.
#[test]
fn a_flipped_bit_under_a_mapped_result_is_found_as_verify_says() {
    let right = mapped::compute(LARGE);
    let (folder, targets) = stored(Compression::None, |memory| drop(memory.eval(mapped::call(LARGE))));
    let target = targets.iter().find(|target| target.name().ends_with(".npy")).unwrap();
    let open = |verify| Memory::builder(folder.path()).mode(Mode::ReadOnly).verify(verify).open().unwrap();
    let bits = 8 * target.bytes.len();
    for bit in (0..8 * HEADER).step_by(7).chain(some(bits - 8 * HEADER, bits / 100).map(|bit| bit + 8 * HEADER)) {
        let in_header = bit < 8 * HEADER;
        target.flip(bit);
        for verify in [VerifyPolicy::First, VerifyPolicy::Always] {
            let memory = open(verify);
            assert_eq!(memory.eval(mapped::call(LARGE)), right, "bit {bit}");
            assert_eq!(memory.stats().hits(), u64::from(in_header), "bit {bit}");
        }
        for verify in [VerifyPolicy::Never, VerifyPolicy::Boot] {
            let memory = open(verify);
            let shown = memory.eval(mapped::call(LARGE));
            let differs = ndarray::Zip::from(&*shown).and(&*right).fold(0, |count, a, b| count + u32::from(a != b));
            assert_eq!((memory.stats().hits(), differs), (1, u32::from(!in_header)), "bit {bit}");
        }
        target.unflip(bit);
    }
    for len in [0, 1, HEADER, target.bytes.len() / 2, target.bytes.len() - 1, target.bytes.len() + 1] {
        target.resize(len);
        for verify in [VerifyPolicy::Never, VerifyPolicy::Boot, VerifyPolicy::First, VerifyPolicy::Always] {
            let memory = open(verify);
            assert_eq!(memory.eval(mapped::call(LARGE)), right, "length {len}");
            assert_eq!(memory.stats().by_reason()["damaged"], 1, "length {len}");
        }
        target.restore();
    }
}
