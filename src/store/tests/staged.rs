//! Files that are filled before anybody knows what will become of them.

use super::*;
use std::os::unix::fs::FileExt;

const OTHER: &str = "f/b-0123/cd/other.npy";
const LEN: u64 = 10_000;

fn shared() -> (tempfile::TempDir, Arc<Disk>) {
    let (folder, disk) = disk();
    (folder, Arc::new(disk))
}

/// Where a file system doesn't reserve blocks, there is nothing to test.
fn stage(disk: &Arc<Disk>) -> Option<(StagedBlob, fs::File)> {
    match disk.create_staged(ARRAY, b"head", LEN) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            eprintln!("skipped: {error}");
            None
        }
        staged => Some(staged.unwrap()),
    }
}

#[test]
fn a_staged_file_has_its_length_its_blocks_and_no_write_permission() {
    let (_folder, disk) = shared();
    let Some((blob, file)) = stage(&disk) else { return };
    let stat = file.metadata().unwrap();
    assert_eq!((stat.len(), stat.permissions().mode() & 0o777), (LEN, 0o444));
    assert!(stat.blocks() * 512 >= LEN, "{} blocks", stat.blocks());
    let bytes = get(&disk, ARRAY).unwrap();
    assert!(bytes.starts_with(b"head") && bytes[4..].iter().all(|&byte| byte == 0));
    assert_eq!(disk.create_staged(ARRAY, b"", LEN).unwrap_err().kind(), ErrorKind::Io, "the name is taken");
    drop(blob);
    assert!(files(&disk).is_empty());
}

#[test]
fn a_file_is_handed_over_once_and_by_its_bytes() {
    let (_folder, disk) = shared();
    let Some((blob, file)) = stage(&disk) else { return };
    file.write_all_at(b"tail", LEN - 4).unwrap();
    let again = Disk::open(disk.path()).unwrap();
    assert!(!blob.hand_over(&again, OTHER, LEN + 1, Durability::Full).unwrap(), "another length");
    assert!(blob.hand_over(&again, OTHER, LEN, Durability::Full).unwrap(), "another handle on the folder will do");
    assert!(!blob.hand_over(&disk, ARRAY, LEN, Durability::Buffered).unwrap());
    drop(blob);
    assert_eq!(files(&disk), [OTHER]);
    let stat = fs::metadata(disk.path_of(OTHER)).unwrap();
    assert_eq!((stat.ino(), stat.nlink()), (file.metadata().unwrap().ino(), 1));
    assert!(get(&disk, OTHER).unwrap().ends_with(b"tail"));
}

#[test]
fn a_file_that_is_taken_back_is_removed_at_the_end() {
    let (_folder, disk) = shared();
    let Some((blob, _file)) = stage(&disk) else { return };
    assert!(blob.hand_over(&disk, OTHER, LEN, Durability::Buffered).unwrap());
    blob.take_back(OTHER);
    assert!(blob.hand_over(&disk, ARRAY, LEN, Durability::Buffered).unwrap());
    blob.take_back(ARRAY);
    drop(blob);
    assert!(files(&disk).is_empty());
}

#[test]
fn what_is_no_longer_the_file_is_not_handed_over() {
    for what in ["swept", "replaced", "writable", "another folder"] {
        let (_folder, disk) = shared();
        let Some((blob, _file)) = stage(&disk) else { return };
        let path = disk.path_of(ARRAY);
        let (_other_folder, other) = shared();
        match what {
            "swept" => fs::remove_file(&path).unwrap(),
            "replaced" => {
                fs::remove_file(&path).unwrap();
                fs::write(&path, [0; LEN as usize]).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
            }
            "writable" => fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap(),
            _ => {}
        }
        let to = if what == "another folder" { &other } else { &disk };
        assert!(!blob.hand_over(to, OTHER, LEN, Durability::Buffered).unwrap(), "{what}");
        assert!(files(&other).is_empty());
        drop(blob);
        assert!(files(&disk).is_empty(), "{what}");
    }
}

#[test]
fn a_file_that_has_no_room_is_not_staged() {
    let Some(mount) = Mount::tmpfs("size=1m") else { return };
    let disk = Arc::new(Disk::open(mount.path()).unwrap());
    let error = disk.create_staged(ARRAY, b"head", 2 << 20).unwrap_err();
    assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::StorageFull, "{error}");
    assert!(files(&disk).is_empty());
}
