//! Whose a cache is: what may be mapped by the owners and the modes of folders and files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use ndarray::prelude::*;
use ndcache::{Mapped1, Memory, cache};
use rustix::fs::Mode as Bits;

use crate::support::{child, fresh, in_child, skip, snapshot};

/// Large enough for a mapping.
const N: usize = 40_000;

#[cache]
fn ramp(n: usize) -> Mapped1<f64> {
    Array1::from_shape_fn(n, |i| i as f64).into()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Why the stored array is copied by a memory that is opened now; `None` if it is mapped.
fn copied(folder: &Path) -> Option<&'static str> {
    let memory = Memory::open(folder).unwrap();
    assert_eq!(memory.eval(ramp::call(N)), ramp::compute(N));
    assert_eq!((memory.stats().hits(), memory.stats().faults()), (1, 0));
    memory.stats().by_copy().keys().next().copied()
}

#[test]
fn a_folder_that_anyone_may_write_to_is_copied_from_with_the_reason() {
    let (folder, memory) = fresh();
    memory.eval(ramp::call(N));
    for (mode, expected) in [
        (0o700, None),
        (0o755, None),
        (0o775, None), // a group's
        (0o2770, None),
        (0o777, Some("world-writable")),
        (0o1777, Some("world-writable")), // as `/tmp`
        (0o702, Some("world-writable")),
    ] {
        set_mode(folder.path(), mode);
        assert_eq!(copied(folder.path()), expected, "{mode:o}");
    }
}

/// As `guarantees.md` says: the owner of a folder, and those that it lets in, are trusted as oneself; what has write
/// permission isn't mapped whoever owns it.
#[test]
fn another_owner_is_trusted_and_a_file_that_he_may_write_to_is_copied() {
    if !rustix::process::geteuid().is_root() && skip("root, to give files away") {
        return;
    }
    let (folder, memory) = fresh();
    memory.eval(ramp::call(N));
    let entry = memory.entry(&ramp::call(N)).unwrap().unwrap();
    let (record, array) = (entry.path(), &entry.files()[0]);
    for path in [record, array, folder.path()] {
        chown(path, Some(54_321), Some(54_321)).unwrap();
        assert_eq!(copied(folder.path()), None, "{}", path.display());
    }
    for mode in [0o644, 0o464, 0o446] {
        set_mode(array, mode);
        assert_eq!(copied(folder.path()), Some("mode"), "{mode:o}");
        assert_eq!(fs::metadata(array).unwrap().mode() & 0o777, mode, "another's file is left as it is");
    }
    // The user's own file gets its mode back once its bytes are verified.
    chown(array, Some(0), Some(0)).unwrap();
    assert_eq!(copied(folder.path()), None);
    assert_eq!(fs::metadata(array).unwrap().mode() & 0o777, 0o444);
}

/// A program that lets everyone write to what it makes, in a folder that isn't everyone's.
#[test]
fn no_umask_makes_folders_that_anyone_may_write_to_below_one_that_is_not() {
    const NAME: &str = "hostile::owners::no_umask_makes_folders_that_anyone_may_write_to_below_one_that_is_not";
    if let Some(folder) = in_child(NAME, "NDCACHE_TEST_FOLDER") {
        rustix::process::umask(Bits::empty());
        let memory = Memory::open(folder).unwrap();
        // The later calls find the function's folder, and make only a shard.
        for n in N..N + 4 {
            assert_eq!(memory.eval(ramp::call(n)), ramp::compute(n));
        }
        return println!("stored");
    }
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    let output = child(NAME, &[("NDCACHE_TEST_FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("stored"), "{output:?}");
    let folders = snapshot(folder.path()).into_iter().filter(|(path, _)| Path::new(path).is_dir());
    let modes: Vec<_> = folders.map(|(path, (.., mode))| (path, mode & 0o777)).collect();
    assert!(modes.len() > 3, "`f`, the function's and shards: {modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o775), "{modes:?}");
    assert_eq!(copied(folder.path()), None);
}
