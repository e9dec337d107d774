//! A file system that refuses.

use super::*;

#[test]
fn a_full_disk_is_found_early_and_leaves_nothing() {
    let Some(mount) = Mount::tmpfs("size=1m") else {
        return;
    };
    let disk = Disk::open(mount.path()).unwrap();
    let full = |error: &crate::Error| error.io_error().unwrap().kind() == std::io::ErrorKind::StorageFull;
    let error = disk.create(ARRAY, 2 << 20).unwrap_err();
    assert!(full(&error), "{error}");
    assert!(files(&disk).is_empty());
    let mut blob = disk.create(ARRAY, 0).unwrap();
    let error = blob.write_all(&vec![1; 2 << 20]).unwrap_err();
    assert!(full(&error) && error.to_string().contains(ARRAY), "{error}");
    drop(blob);
    disk.replace(RECORD, b"old", Durability::Buffered).unwrap();
    let error = disk.replace(RECORD, &vec![1; 2 << 20], Durability::Buffered).unwrap_err();
    assert!(full(&error), "{error}");
    assert_eq!(files(&disk), [RECORD]);
    assert_eq!(get(&disk, RECORD).unwrap(), b"old");
    until_free(mount.path(), 3 << 18);
    put(&disk, ARRAY, &vec![1; 1 << 19]);
}

/// Waits until `bytes` are free: a child that another test forks holds every open file until its `exec`, and with it
/// the space of one that was just deleted.
fn until_free(path: &Path, bytes: u64) {
    let free = || {
        let stat = rustix::fs::statvfs(path).unwrap();
        stat.f_bavail * stat.f_frsize
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while free() < bytes {
        assert!(std::time::Instant::now() < deadline, "only {} bytes are free again", free());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_disk_without_inodes_is_an_error_and_no_more() {
    let Some(mount) = Mount::tmpfs("size=1m,nr_inodes=5") else {
        return;
    };
    let disk = Disk::open(mount.path()).unwrap();
    fails(disk.create(ARRAY, 1), ErrorKind::Io, &disk.path_of(ARRAY));
    fails(disk.replace(RECORD, b"", Durability::Buffered), ErrorKind::Io, &disk.path_of(RECORD));
    assert!(disk.read(RECORD, 9).unwrap().is_none());
}

#[test]
fn a_vanished_root_is_an_error_to_writers_and_nothing_to_readers() {
    let (_folder, disk) = disk();
    disk.replace(RECORD, b"record", Durability::Buffered).unwrap();
    let unfinished = disk.create(ARRAY, 1).unwrap();
    fs::remove_dir_all(disk.path()).unwrap();
    drop(unfinished);
    for _ in 0..2 {
        assert!(disk.read(RECORD, 99).unwrap().is_none());
        assert!(disk.stat("locks").unwrap().is_none());
        assert!(disk.list("").unwrap().is_empty());
        assert!(!disk.remove(RECORD).unwrap());
        assert_eq!(disk.remove_tree("f").unwrap(), 0);
        disk.touch(RECORD).unwrap();
        fails(disk.create(ARRAY, 1), ErrorKind::Io, &disk.path_of(ARRAY));
        fails(disk.create("locks", 1), ErrorKind::Io, &disk.path_of("locks"));
        fails(disk.replace(RECORD, b"", Durability::Full), ErrorKind::Io, &disk.path_of(RECORD));
        fails(disk.lock_file("locks"), ErrorKind::Io, &disk.path_of("locks"));
        // Another folder in its place is not this store.
        fs::create_dir_all(disk.path()).unwrap();
    }
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0);
}

/// Runs this test binary anew under a limit that would end the process with a signal, were it not foreseen.
#[test]
fn a_limit_on_file_sizes_is_an_error_and_no_signal() {
    if std::env::var_os("NDCACHE_TEST_LIMITED").is_none() {
        let name = "store::tests::faults::a_limit_on_file_sizes_is_an_error_and_no_signal";
        let script = format!("ulimit -f 1; exec \"$0\" --exact {name} --nocapture");
        let mut limited = Command::new("sh");
        limited.args(["-c", &script]).arg(std::env::current_exe().unwrap());
        let done = limited.env("NDCACHE_TEST_LIMITED", "1").output().unwrap();
        assert!(done.status.success(), "{done:?}");
        assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"), "{done:?}");
        return;
    }
    let (_folder, disk) = disk();
    fails(disk.create(ARRAY, 1 << 20), ErrorKind::Io, &disk.path_of(ARRAY));
    fails(disk.replace(RECORD, &[0; 4096], Durability::Buffered), ErrorKind::Io, &disk.path_of(RECORD));
    let mut blob = disk.create(ARRAY, 0).unwrap();
    blob.write_all(&[0; 500]).unwrap();
    fails(blob.write_all(&[0; 4096]), ErrorKind::Io, &disk.path_of(ARRAY));
    drop(blob);
    assert!(files(&disk).is_empty());
}
