//! Listing and removing trees.

use super::*;

fn item(name: &str, kind: Kind) -> Item {
    Item { name: name.to_owned(), kind }
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
    let folder = item("stem-0123456789abcdef", Kind::Folder);
    assert_eq!(listed, [item("file", Kind::File), item("link", Kind::Other), folder]);
    assert!(disk.list("f/file").unwrap().is_empty());
}

#[test]
fn a_tree_is_removed_and_links_in_it_are_not_followed() {
    use std::os::unix::ffi::OsStrExt;
    let (folder, disk) = disk();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious.record"), "").unwrap();
    disk.replace(RECORD, b"", Durability::Buffered).unwrap();
    put(&disk, ARRAY, b"");
    put(&disk, "m/kept.record", b"");
    put(&disk, "f/other/ab/x.record", b"");
    symlink(&outside, disk.path_of("f/stem-0123456789abcdef/ab/folder")).unwrap();
    symlink(outside.join("precious.record"), disk.path_of("f/stem-0123456789abcdef/link.npy")).unwrap();
    fs::write(disk.path_of("f").join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    assert_eq!(disk.remove_tree("f/stem-0123456789abcdef").unwrap().records, 1);
    assert!(disk.stat("f/other/ab/x.record").unwrap().is_some());
    assert_eq!(disk.remove_tree("f").unwrap().records, 1);
    assert_eq!(files(&disk), ["m/kept.record"]);
    assert!(outside.join("precious.record").exists());
    assert_eq!(disk.remove_tree("f").unwrap().records, 0);
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
    put(&disk, "f/a/b.record", b"");
    let error = disk.remove_tree("f").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(!disk.path_of("f/a").exists());
}
