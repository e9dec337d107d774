//! Files of holes, which say that they are long and take no room on the disk.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::make::read_npy;
use ndcache::tier::{Access, Share, Tier};
use ndcache::{FileContent, Memory, cache, digest};

use crate::support::{child, in_child};

/// Bytes of an array that nobody should make room for.
const LONG: usize = 64 << 20;

#[cache]
fn zeros(n: usize) -> Array1<f64> {
    Array1::zeros(n)
}

/// In the child, so that its memory is taken by reading and not by computing.
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

/// The files in a folder and below it that are `wanted`.
fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let items = fs::read_dir(folder).unwrap().map(|item| item.unwrap().path());
    let files = items.flat_map(|path| if path.is_dir() { files(&path, wanted) } else { vec![path] });
    files.filter(|path| wanted(path)).collect()
}

fn is_long(path: &Path) -> bool {
    path.metadata().unwrap().len() > 1 << 20
}

/// Slow, so that fetching it is worth the time.
#[cache]
fn late(n: usize) -> String {
    let is_small = SMALL.load(Ordering::Relaxed);
    std::thread::sleep(std::time::Duration::from_secs(if is_small { 0 } else { 4 }));
    "x".repeat(if is_small { 1 } else { n })
}

/// A memory whose tier is another cache's folder.
fn over(shared: &Path, own: &Path) -> Memory {
    let tier = Tier::new(ndcache::tier::Folder::new(shared).unwrap()).share(Share::Any).access(Access::ReadOnly);
    Memory::builder(own).tier(tier).open().unwrap()
}

const FOREIGN: &str = "hostile::sparse::what_overflows_from_elsewhere_is_found_to_be_of_holes_in_constant_memory";

#[test]
fn what_overflows_from_elsewhere_is_found_to_be_of_holes_in_constant_memory() {
    let Some(folder) = in_child(FOREIGN, "FOLDER") else {
        let folder = tempfile::tempdir().unwrap();
        let shared = folder.path().join("shared");
        let expected = Memory::open(&shared).unwrap().eval(late::call(LONG));
        let whole = over(&shared, &folder.path().join("whole"));
        assert!(whole.eval(late::call(LONG)) == expected);
        assert_eq!((whole.stats().hits(), whole.stats().misses()), (1, 0), "it comes whole");
        files(&shared, &is_long).iter().for_each(|path| hollow(path, 128));
        let done = child(FOREIGN, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&said));
        return;
    };
    let [shared, own, other] = ["shared", "own", "other"].map(|name| Path::new(&folder).join(name));
    let (fetching, importing) = (over(&shared, &own), Memory::open(&other).unwrap());
    let is_entry = |path: &Path| {
        path.extension().is_some_and(|name| name == "record") && !path.parent().unwrap().ends_with("code")
    };
    let record = &files(&shared, &is_entry)[0];
    let before = peak();
    let beside = |name: &str| File::open(record.parent().unwrap().join(name));
    let foreign = importing.publish_foreign(&fs::read(record).unwrap(), ndcache::inspect::Origin::Import, beside);
    let told = foreign.unwrap_err().to_string();
    assert!(told.contains("is not the file that its record names"), "{told}");
    SMALL.store(true, Ordering::Relaxed);
    assert_eq!(fetching.eval(late::call(LONG)).len(), 1);
    assert_eq!(fetching.stats().by_tier().values().map(|counts| counts.damaged).sum::<u64>(), 1);
    // Pieces that have arrived and wait to be written are at most a quarter of it.
    assert!(peak() - before < LONG, "{} MiB", (peak() - before) >> 20);
    for folder in [own, other] {
        assert_eq!(files(&folder, &is_long), [] as [PathBuf; 0], "what was staged is gone");
    }
}

// Holds already: no file is refused for its few blocks, as some file systems report few for good files.
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
    // Where the content is another one it is damaged, whichever way it is read.
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
