//! One blob by its name.

use super::*;

#[test]
fn a_created_blob_is_read_back_and_can_not_be_written() {
    let (_folder, disk) = disk();
    let before = SystemTime::now() - Duration::from_secs(2);
    put(&disk, ARRAY, b"elements");
    let blob = disk.read(ARRAY, 8).unwrap().unwrap();
    assert_eq!(blob.bytes, b"elements");
    assert!(blob.stat.modified > before && blob.stat.modified < before + Duration::from_secs(60));
    let (mut file, stat) = disk.open_file(ARRAY).unwrap().unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"elements");
    assert_eq!(disk.stat(ARRAY).unwrap().unwrap(), stat);
    assert!(stat.regular && stat.is_read_only() && stat.len == 8);
    assert_eq!(stat.ino, fs::metadata(disk.path_of(ARRAY)).unwrap().ino());
}

#[test]
fn what_is_not_there_is_nothing() {
    let (_folder, disk) = disk();
    put(&disk, "f/file", b"");
    for name in [ARRAY, "locks", "f/file/below"] {
        assert!(disk.read(name, 9).unwrap().is_none());
        assert!(disk.open_file(name).unwrap().is_none());
        assert!(disk.stat(name).unwrap().is_none());
        assert!(!disk.remove(name).unwrap());
        assert!(disk.list(name).unwrap().is_empty());
        disk.touch(name).unwrap();
    }
}

#[test]
fn an_empty_blob_is_not_nothing() {
    let (_folder, disk) = disk();
    put(&disk, ARRAY, b"");
    assert_eq!(get(&disk, ARRAY).unwrap(), b"");
}

#[test]
fn a_blob_longer_than_the_cap_is_damaged() {
    let (_folder, disk) = disk();
    put(&disk, ARRAY, b"elements");
    fails(disk.read(ARRAY, 7), ErrorKind::Damaged, &disk.path_of(ARRAY));
}

#[test]
fn a_name_that_is_taken_stays_as_it_is() {
    let (_folder, disk) = disk();
    put(&disk, ARRAY, b"first");
    fails(disk.create(ARRAY, 1), ErrorKind::Io, &disk.path_of(ARRAY));
    assert_eq!(get(&disk, ARRAY).unwrap(), b"first");
    symlink("/nowhere", disk.path_of("f/link")).unwrap();
    fails(disk.create("f/link", 1), ErrorKind::Io, &disk.path_of("f/link"));
}

#[test]
fn an_unfinished_blob_is_removed() {
    let (_folder, disk) = disk();
    let mut blob = disk.create(ARRAY, 1 << 20).unwrap();
    blob.write_all(b"half").unwrap();
    assert_eq!(files(&disk), [ARRAY]);
    drop(blob);
    assert!(files(&disk).is_empty());
}

/// Reserved room must not become length: after a power cut that would be a full-length file of zeros.
#[cfg(target_os = "linux")]
#[test]
fn room_is_reserved_without_changing_the_length() {
    let (_folder, disk) = disk();
    let blob = disk.create(ARRAY, 1 << 20).unwrap();
    let found = fs::metadata(disk.path_of(ARRAY)).unwrap();
    assert_eq!(found.len(), 0);
    if !disk.medium().network {
        assert!(found.blocks() * 512 >= 1 << 20, "{} blocks", found.blocks());
    }
    drop(blob);
}

#[test]
fn every_durability_publishes() {
    let (_folder, disk) = disk();
    for (n, durability) in [Durability::Buffered, Durability::Synced, Durability::Full].into_iter().enumerate() {
        let name = format!("f/a/{n}.npy");
        let mut blob = disk.create(&name, 1).unwrap();
        blob.write_all(b"1").unwrap();
        blob.finish(durability).unwrap();
        disk.replace("m/a.record", &[n as u8], durability).unwrap();
        disk.sync_folders_of("m/a.record", durability).unwrap();
        assert_eq!((get(&disk, &name).unwrap(), get(&disk, "m/a.record").unwrap()), (b"1".to_vec(), vec![n as u8]));
    }
    assert!(disk.unsynced.lock().is_empty(), "`Full` flushes the folders above a new root, too");
}

#[test]
fn replacing_leaves_the_old_inode_to_its_readers() {
    let (_folder, disk) = disk();
    disk.replace(RECORD, b"old", Durability::Buffered).unwrap();
    let (mut old, _) = disk.open_file(RECORD).unwrap().unwrap();
    disk.replace(RECORD, b"new", Durability::Buffered).unwrap();
    let mut bytes = Vec::new();
    old.read_to_end(&mut bytes).unwrap();
    assert_eq!((bytes, get(&disk, RECORD).unwrap()), (b"old".to_vec(), b"new".to_vec()));
    assert_eq!(files(&disk), [RECORD]);
}

#[test]
fn a_replacement_that_fails_leaves_no_stage() {
    let (_folder, disk) = disk();
    fs::create_dir_all(disk.path_of(RECORD).join("inside")).unwrap();
    fails(disk.replace(RECORD, b"new", Durability::Buffered), ErrorKind::Io, &disk.path_of(RECORD));
    assert!(files(&disk).is_empty());
    let long = format!("f/{}", "x".repeat(250));
    assert_eq!(disk.replace(&long, b"", Durability::Buffered).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn touching_stamps_a_blob_of_any_mode() {
    let (_folder, disk) = disk();
    put(&disk, ARRAY, b"elements");
    let past = SystemTime::now() - Duration::from_secs(1_000_000);
    File::open(disk.path_of(ARRAY)).unwrap().set_modified(past).unwrap();
    assert_eq!(disk.stat(ARRAY).unwrap().unwrap().modified, past);
    disk.touch(ARRAY).unwrap();
    assert!(disk.stat(ARRAY).unwrap().unwrap().modified > past + Duration::from_secs(999_000));
}

#[test]
fn a_file_that_lost_its_mode_gets_it_back() {
    let (_folder, disk) = disk();
    disk.replace(ARRAY, b"elements", Durability::Buffered).unwrap();
    let (file, stat) = disk.open_file(ARRAY).unwrap().unwrap();
    assert!(!stat.is_read_only());
    let reading = Disk::open_read_only(disk.path()).unwrap();
    assert!(!reading.make_read_only(&file).unwrap(), "a store for reading changes no modes");
    assert!(disk.make_read_only(&file).unwrap());
    assert!(disk.stat(ARRAY).unwrap().unwrap().is_read_only());
    assert!(reading.make_read_only(&file).unwrap());
}

#[test]
fn names_with_a_way_out_are_refused_everywhere() {
    let (folder, disk) = disk();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    for name in ["../secret", "f/../../secret", "/etc/passwd", "", "f//x"] {
        let invalid = |error: crate::Error| assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        invalid(disk.read(name, 99).unwrap_err());
        invalid(disk.open_file(name).unwrap_err());
        invalid(disk.create(name, 1).unwrap_err());
        invalid(disk.replace(name, b"", Durability::Buffered).unwrap_err());
        invalid(disk.remove(name).unwrap_err());
        invalid(disk.touch(name).unwrap_err());
        invalid(disk.stat(name).unwrap_err());
        invalid(disk.lock_file(name).unwrap_err());
        invalid(disk.remove_tree(name).unwrap_err());
        if !name.is_empty() {
            invalid(disk.list(name).unwrap_err());
        }
    }
    assert_eq!(fs::read(folder.path().join("secret")).unwrap(), b"secret");
}

#[test]
fn a_lock_file_is_made_once_and_kept() {
    let (_folder, disk) = disk();
    let first = disk.lock_file("locks").unwrap();
    let second = disk.lock_file("locks").unwrap();
    assert_eq!(first.metadata().unwrap().ino(), second.metadata().unwrap().ino());
    first.try_lock().unwrap();
    assert!(second.try_lock().is_err());
}
