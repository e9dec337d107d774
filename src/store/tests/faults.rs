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
fn a_removed_root_is_nothing_to_readers_and_is_made_anew_by_whoever_stores() {
    let (_folder, disk) = disk();
    let store: [&dyn Fn() -> crate::Result<()>; 3] = [
        &|| disk.replace(RECORD, b"record", Durability::Full),
        &|| disk.create(ARRAY, 1)?.finish(Durability::Full),
        &|| Arc::new(Disk::open(disk.path())?).create_staged(ARRAY, b"", 1 << 16).map(drop),
    ];
    for store in store {
        disk.remove(ARRAY).unwrap();
        disk.replace(RECORD, b"record", Durability::Buffered).unwrap();
        let unfinished = disk.create(ARRAY, 1).unwrap();
        fs::remove_dir_all(disk.path()).unwrap();
        drop(unfinished);
        assert!(disk.read(RECORD, 99).unwrap().is_none());
        assert!(disk.stat("locks").unwrap().is_none());
        assert!(disk.list("").unwrap().is_empty());
        assert!(!disk.remove(RECORD).unwrap());
        assert_eq!(disk.remove_tree("f").unwrap().records, 0);
        disk.touch(RECORD).unwrap();
        // What isn't for a result that is to be stored makes no folder.
        fails(disk.create("locks", 1), ErrorKind::Io, &disk.path_of("locks"));
        fails(disk.lock_file("locks"), ErrorKind::Io, &disk.path_of("locks"));
        assert!(!disk.path().exists());
        store().unwrap();
        assert!(disk.path().join("CACHEDIR.TAG").exists() && disk.path().join(".gitignore").exists());
    }
    assert_eq!(disk.reopened(), 2, "the last one was made by another store");
    assert!(disk.reopen(true).unwrap());
    assert!(!disk.reopen(true).unwrap(), "it is there");
}

#[test]
fn a_root_that_was_moved_stays_the_one_and_one_that_was_replaced_is_another() {
    let (folder, disk) = disk();
    let moved = folder.path().join("moved");
    fs::rename(disk.path(), &moved).unwrap();
    fs::create_dir(disk.path()).unwrap();
    assert!(!disk.reopen(true).unwrap());
    put(&disk, ARRAY, b"array");
    assert!(moved.join(ARRAY).exists() && !disk.path().join(ARRAY).exists());
    fs::remove_dir_all(&moved).unwrap();
    put(&disk, ARRAY, b"array");
    assert!(disk.path().join(ARRAY).exists() && !moved.exists());
}

#[test]
fn a_store_that_is_opened_for_reading_makes_nothing_and_follows() {
    let (_folder, writer) = disk();
    let reader = Disk::open_read_only(writer.path()).unwrap();
    fs::remove_dir_all(writer.path()).unwrap();
    assert!(!reader.reopen(true).unwrap() && !writer.path().exists());
    put(&writer, ARRAY, b"array");
    assert_eq!(get(&reader, ARRAY), None);
    assert!(reader.reopen(false).unwrap());
    assert_eq!(get(&reader, ARRAY).unwrap(), b"array");
}

#[test]
fn what_comes_to_the_place_of_a_removed_root_is_opened_or_an_error() {
    let (folder, disk) = disk();
    let remove = || fs::remove_dir_all(disk.path()).unwrap();
    remove();
    fs::write(disk.path(), "precious").unwrap();
    fails(disk.reopen(true), ErrorKind::Io, disk.path());
    fails(disk.create(ARRAY, 1), ErrorKind::Io, &disk.path_of(ARRAY));
    assert_eq!(fs::read(disk.path()).unwrap(), b"precious");
    fs::remove_file(disk.path()).unwrap();
    // A link to nothing: what it led to was removed, too.
    symlink("real/cache", disk.path()).unwrap();
    put(&disk, ARRAY, b"array");
    assert!(folder.path().join("real/cache").join(ARRAY).exists());
    let place = disk.place();
    fs::remove_dir_all(folder.path().join("real")).unwrap();
    put(&disk, ARRAY, b"array");
    assert!(folder.path().join("real/cache").join(ARRAY).exists());
    assert_eq!((disk.place(), disk.reopened()), (place, 2));
    assert_ne!(Disk::open(folder.path()).unwrap().place(), place);
    assert_eq!(Disk::open(disk.path()).unwrap().place(), place);
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
