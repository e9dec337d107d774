//! Files of holes, which say that they are long and take no room on the disk.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::make::read_npy;
use ndcache::{FileContent, Memory, cache, digest};

use crate::support::{child, in_child};

/// Bytes of an array that nobody should make room for.
const LONG: usize = 64 << 20;

#[cache]
fn zeros(n: usize) -> Array1<f64> {
    Array1::zeros(n)
}

/// The child computes little, so that what it reads is seen.
static SMALL: AtomicBool = AtomicBool::new(false);

#[cache]
fn ones(n: usize) -> Array1<f64> {
    Array1::ones(if SMALL.load(Ordering::Relaxed) { 1 } else { n })
}

#[cache]
fn text(n: usize) -> String {
    "x".repeat(n)
}

/// The most memory that this process ever had, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Puts a file in the place of `path` that has its length, its first bytes and no others.
fn hollow(path: &Path, head: usize) {
    let whole = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    fs::write(path, &whole[..head]).unwrap();
    File::options().write(true).open(path).unwrap().set_len(whole.len() as u64).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
}

const NAME: &str = "hostile::sparse::a_long_file_of_holes_is_found_in_constant_memory";

#[test]
fn a_long_file_of_holes_is_found_in_constant_memory() {
    let Some(folder) = in_child(NAME, "FOLDER") else {
        let folder = tempfile::tempdir().unwrap();
        {
            let memory = Memory::open(folder.path().join("cache")).unwrap();
            memory.eval(ones::call(LONG / 8));
            memory.eval(text::call(LONG));
            for call in [memory.entry(&ones::call(LONG / 8)).unwrap(), memory.entry(&text::call(LONG)).unwrap()] {
                let beside = fs::read_dir(call.unwrap().path().parent().unwrap()).unwrap();
                for path in
                    beside.map(|item| item.unwrap().path()).filter(|path| path.metadata().unwrap().len() > 1 << 20)
                {
                    hollow(&path, 128);
                    assert!(path.metadata().unwrap().blocks() < 1000, "this file system has holes");
                }
            }
        }
        let done = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&said));
        return;
    };
    let memory = Memory::builder(Path::new(&folder).join("cache")).mode(ndcache::Mode::ReadOnly).open().unwrap();
    SMALL.store(true, Ordering::Relaxed);
    let before = peak();
    assert_eq!(memory.eval(ones::call(LONG / 8)).len(), 1);
    assert_eq!(memory.stats().by_reason()["damaged"], 1);
    let loaded = memory.entry(&text::call(LONG));
    assert!(loaded.unwrap_err().to_string().contains("is not the file that its record names"));
    assert!(matches!(memory.explain(&text::call(LONG)).reason(), Reason::Damaged(_)));
    let verified = memory.verify(ndcache::verify::Repair::No).unwrap();
    assert_eq!(verified.damaged, 2);
    assert!(peak() - before < LONG / 2, "{} MiB", (peak() - before) >> 20);
}

// Held: nothing is refused for its blocks, as some file systems report few for good files.
#[test]
fn files_of_holes_that_hold_what_was_stored_are_hits() {
    let folder = tempfile::tempdir().unwrap();
    let memory =
        Memory::builder(folder.path().join("cache")).verify(ndcache::policy::VerifyPolicy::Always).open().unwrap();
    let n = 400_000;
    memory.eval(zeros::call(n));
    let array = memory.entry(&zeros::call(n)).unwrap().unwrap().files()[0].clone();
    let length = array.metadata().unwrap().len();
    hollow(&array, 4096);
    assert!(array.metadata().unwrap().blocks() * 512 < length / 2);
    let other =
        Memory::builder(folder.path().join("cache")).verify(ndcache::policy::VerifyPolicy::Always).open().unwrap();
    assert_eq!(other.eval(zeros::call(n)), Array1::<f64>::zeros(n));
    assert!(other.mmap(zeros::call(n)).is_mapped());
    assert_eq!((other.stats().hits(), other.stats().misses()), (2, 0));
    assert!(other.verify(ndcache::verify::Repair::No).unwrap().is_intact());
    assert_eq!(read_npy::<f64, Ix1>(&array).unwrap(), Array1::<f64>::zeros(n));
    let dense = folder.path().join("dense");
    fs::write(&dense, fs::read(&array).unwrap()).unwrap();
    let [sparse, dense] = [&array, &dense].map(|path| digest(&FileContent::open(path).unwrap()));
    assert_eq!(sparse, dense);
    // Of other content it is damage, whichever way it is read.
    memory.eval(ones::call(n));
    hollow(&memory.entry(&ones::call(n)).unwrap().unwrap().files()[0], 4096);
    let other = Memory::builder(folder.path().join("cache")).open().unwrap();
    assert_eq!(other.eval(ones::call(n)), Array1::<f64>::ones(n));
    assert_eq!(other.stats().by_reason()["damaged"], 1);
}

#[cfg(feature = "nifti")]
#[test]
fn a_volume_of_holes_is_a_volume_of_zeros() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    ndcache::make::Persister::save(&ndcache::make::NiftiFile::new(&path), &Array3::<f32>::ones((100, 100, 100)))
        .unwrap();
    let head = fs::read(&path).unwrap()[..352].to_vec();
    let mut file = File::create(&path).unwrap();
    file.write_all(&head).unwrap();
    file.set_len(352 + 4_000_000).unwrap();
    assert_eq!(ndcache::make::read_nifti::<f32, Ix3>(&path).unwrap().voxels, Array3::<f32>::zeros((100, 100, 100)));
}
