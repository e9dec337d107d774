//! Listing and removing trees.

use super::*;

fn item(name: &str, kind: FileKind) -> FolderItem {
    FolderItem { name: name.to_owned(), kind }
}

#[test]
fn a_folder_is_listed_with_kinds() {
    use std::os::unix::ffi::OsStrExt;
    let (_folder, disk) = disk();
    put(&disk, ARRAY, b"");
    symlink("/", disk.path_of("f/link")).unwrap();
    put(&disk, "f/file", b"");
    fs::write(disk.path_of("f").join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    let mut listed = disk.list("f").unwrap();
    listed.sort();
    let folder = item("stem-0123456789abcdef", FileKind::Folder);
    assert_eq!(listed, [item("file", FileKind::File), item("link", FileKind::Other), folder]);
    assert!(disk.list("f/file").unwrap().is_empty());
}

#[test]
fn a_tree_is_removed_and_links_in_it_are_not_followed() {
    let (folder, disk) = disk();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious.record"), "").unwrap();
    disk.replace(RECORD, b"", Durability::Buffered).unwrap();
    put(&disk, ARRAY, b"");
    put(&disk, "m/kept.record", b"");
    let other = "f/other/ab/abcdef0123456789abcdef0123456789.record";
    put(&disk, other, b"");
    symlink(&outside, disk.path_of("f/stem-0123456789abcdef/ab")).unwrap_err();
    symlink(&outside, disk.path_of("f/stem-0123456789abcdef/cd")).unwrap();
    symlink(outside.join("precious.record"), disk.path_of("f/stem-0123456789abcdef/ef.npy")).unwrap();
    assert_eq!(disk.remove_tree("f/stem-0123456789abcdef").unwrap().records, 1);
    assert!(!disk.path_of("f/stem-0123456789abcdef").exists());
    assert!(disk.stat(other).unwrap().is_some());
    assert_eq!(disk.remove_tree("f").unwrap().records, 1);
    assert_eq!(files(&disk), ["m/kept.record"]);
    assert!(outside.join("precious.record").exists());
    assert_eq!(disk.remove_tree("f").unwrap().records, 0);
}

#[test]
fn files_of_other_names_stay_with_the_folders_that_hold_them() {
    use std::os::unix::ffi::OsStrExt;
    let (_folder, disk) = disk();
    disk.replace(RECORD, b"", Durability::Buffered).unwrap();
    let others = ["f/notes.txt", "f/stem-0123456789abcdef/mine", "f/stem-0123456789abcdef/ab/x.record"];
    for other in others {
        put(&disk, other, b"");
    }
    let odd = disk.path_of("f").join(std::ffi::OsStr::from_bytes(b"\xff"));
    fs::write(&odd, "").unwrap();
    symlink("/", disk.path_of("f/root")).unwrap();
    assert_eq!(disk.remove_tree("f").unwrap().records, 1);
    assert_eq!(files(&disk).iter().filter(|name| others.contains(&name.as_str())).count(), 3);
    assert!(odd.exists() && disk.path_of("f/root").is_symlink());
}

#[test]
fn a_linked_tree_is_unlinked_itself() {
    let (folder, disk) = disk();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "").unwrap();
    symlink(&outside, disk.path_of("f")).unwrap();
    assert_eq!(disk.remove_tree("f").unwrap().records, 0);
    assert!(disk.path_of("f").symlink_metadata().is_err());
    assert!(outside.join("precious").exists());
}

#[test]
fn only_entries_are_removed_as_trees() {
    let (_folder, disk) = disk();
    for folder in ["locks", "CACHEDIR.TAG", "fx", "."] {
        assert_eq!(disk.remove_tree(folder).unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert!(disk.path_of("CACHEDIR.TAG").exists());
}

#[test]
fn a_bottomless_tree_is_an_error_and_the_rest_goes() {
    let (_folder, disk) = disk();
    fs::create_dir_all(disk.path_of(&format!("f/deep{}", "/x".repeat(200)))).unwrap();
    put(&disk, "f/a/ab.record", b"");
    let error = disk.remove_tree("f").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(!disk.path_of("f/a").exists());
}
