//! What others may plant in a cache.

use super::*;
use crate::store::system::at;
use rustix::fd::AsFd;

/// Something at `RECORD` that is no file of ours.
fn plant(what: FileType, disk: &Disk) -> Option<PathBuf> {
    let path = disk.path_of(RECORD);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    if what == FileType::Directory {
        fs::create_dir(&path).unwrap();
        return Some(path);
    }
    // A device is `/dev/zero`, which would be read for ever.
    let device = rustix::fs::makedev(1, 5);
    match rustix::fs::mknodat(CWD, &path, what, Mode::from_raw_mode(0o666), device) {
        Ok(()) => Some(path),
        Err(error) => {
            eprintln!("skipped: a {what:?} can't be made: {error}");
            None
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn only_regular_files_are_read() {
    for what in [FileType::Directory, FileType::Fifo, FileType::Socket, FileType::CharacterDevice] {
        let (_folder, disk) = disk();
        let Some(path) = plant(what, &disk) else {
            continue;
        };
        fails(disk.read(RECORD, 99), ErrorKind::Damaged, &path);
        fails(disk.open_file(RECORD), ErrorKind::Damaged, &path);
        assert!(!disk.stat(RECORD).unwrap().unwrap().regular);
        if what != FileType::Directory {
            disk.replace(RECORD, b"cured", Durability::Buffered).unwrap();
            assert_eq!(get(&disk, RECORD).unwrap(), b"cured");
        }
    }
}

#[test]
fn a_link_in_a_files_place_is_not_followed() {
    let (folder, disk) = disk();
    let outside = folder.path().join("outside");
    fs::write(&outside, "secret").unwrap();
    put(&disk, ARRAY, b"");
    let path = disk.path_of(RECORD);
    for target in [outside.as_path(), Path::new("ab01.4567.npy"), Path::new("/nowhere")] {
        symlink(target, &path).unwrap();
        fails(disk.read(RECORD, 99), ErrorKind::Damaged, &path);
        fails(disk.open_file(RECORD), ErrorKind::Damaged, &path);
        fails(disk.lock_file(RECORD), ErrorKind::Damaged, &path);
        assert!(!disk.stat(RECORD).unwrap().unwrap().regular);
        disk.touch(RECORD).unwrap();
        assert!(disk.remove(RECORD).unwrap());
    }
    assert!(fs::metadata(&outside).unwrap().modified().unwrap().elapsed().unwrap() < Duration::from_secs(600));
    symlink(&outside, &path).unwrap();
    disk.replace(RECORD, b"record", Durability::Buffered).unwrap();
    assert_eq!(get(&disk, RECORD).unwrap(), b"record");
    assert_eq!(fs::read(&outside).unwrap(), b"secret");
}

#[test]
fn a_link_in_a_folders_place_is_not_followed() {
    let (folder, disk) = disk();
    let outside = folder.path().join("outside");
    fs::create_dir_all(outside.join("ab")).unwrap();
    fs::write(outside.join("ab/ab01.record"), "secret").unwrap();
    fs::create_dir(disk.path_of("f")).unwrap();
    symlink(&outside, disk.path_of("f/stem-0123456789abcdef")).unwrap();
    let path = disk.path_of(RECORD);
    fails(disk.read(RECORD, 99), ErrorKind::Damaged, &path);
    fails(disk.open_file(RECORD), ErrorKind::Damaged, &path);
    fails(disk.stat(RECORD), ErrorKind::Damaged, &path);
    fails(disk.remove(RECORD), ErrorKind::Damaged, &path);
    fails(disk.touch(RECORD), ErrorKind::Damaged, &path);
    fails(disk.create(ARRAY, 1), ErrorKind::Damaged, &disk.path_of(ARRAY));
    fails(disk.replace(RECORD, b"", Durability::Buffered), ErrorKind::Damaged, &path);
    let missing = "f/stem-0123456789abcdef/cd/cd01.record";
    fails(disk.replace(missing, b"", Durability::Buffered), ErrorKind::Damaged, &disk.path_of(missing));
    fails(disk.list("f/stem-0123456789abcdef"), ErrorKind::Damaged, &disk.path_of("f"));
    assert_eq!(disk.list("f").unwrap()[0].kind, FileKind::Other);
    assert_eq!(fs::read(outside.join("ab/ab01.record")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

/// `openat2` is missing before Linux 5.6, in some sandboxes and on macOS.
#[test]
fn opening_step_by_step_finds_and_refuses_the_same() {
    let (_folder, disk) = disk();
    put(&disk, ARRAY, b"elements");
    put(&disk, "top", b"");
    symlink("ab01.4567.npy", disk.path_of("f/stem-0123456789abcdef/ab/link")).unwrap();
    symlink("stem-0123456789abcdef", disk.path_of("f/link")).unwrap();
    symlink("f", disk.path_of("link")).unwrap();
    let names = [
        ARRAY,
        RECORD,
        "top",
        "top/below",
        "link",
        "f/link",
        "f/link/ab",
        "link/stem-0123456789abcdef/ab",
        "f/stem-0123456789abcdef/ab/link",
        "f/stem-0123456789abcdef/ab",
        "f/nowhere/ab",
    ];
    for name in names {
        for flags in [at::READ, at::LIST, at::SEARCH] {
            let at_once = at::open(disk.root().as_fd(), name, flags, Mode::empty()).map(drop);
            let stepwise = at::open_stepwise(disk.root().as_fd(), name, flags, Mode::empty()).map(drop);
            assert_eq!(at_once, stepwise, "{name} {flags:?}");
        }
    }
}
