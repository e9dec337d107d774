//! A target that is made again keeps what its owner has set: permissions, owner, group, extended attributes.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use ndarray::Array1;
use ndcache::make::{MsgpackFile, NpyFile, replace_file};
use ndcache::{Mapped1, Memory, cache};

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::linspace(0.0, 1.0, n)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn permissions_stay_and_a_mapped_target_has_none_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path().join("cache")).unwrap();
    let (path, mapped) = (folder.path().join("a.npy"), folder.path().join("m.npy"));
    let mut n = 10;
    let mut make = || {
        n += 1;
        memory.make(ramp::call(n), NpyFile::new(&path)).unwrap();
        let array: Mapped1<f64> = memory.make(ramp::call(n + 20_000), NpyFile::mapped(&mapped)).unwrap();
        assert!(array.is_mapped());
    };
    make();
    let first = mode(&path);
    make();
    assert_eq!((mode(&path), mode(&mapped)), (first, 0o444));
    for given in [0o600, 0o640, 0o664, 0o666, 0o444, 0o400, 0o755, 0o2750, 0o4755] {
        set(&path, given);
        set(&mapped, given);
        make();
        assert_eq!(mode(&path), given, "{given:o}");
        assert_eq!(mode(&mapped), given & !0o222, "{given:o}");
    }
}

#[test]
fn a_file_is_private_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "old").unwrap();
    set(&path, 0o600);
    let written = replace_file(&path, |_| {
        for item in fs::read_dir(folder.path())? {
            assert_eq!(mode(&item?.path()), 0o600);
        }
        Ok::<(), std::io::Error>(())
    });
    written.unwrap();
}

#[test]
fn owner_group_and_extended_attributes_stay_where_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.msgpack");
    let memory = Memory::open(folder.path().join("cache")).unwrap();
    memory.make(ramp::call(3), NpyFile::new(&path)).unwrap();
    let attribute = |value: &[u8]| {
        let name = c"user.comment";
        rustix::fs::setxattr(&path, name, value, rustix::fs::XattrFlags::empty())
    };
    let has_attributes = attribute(b"mine").is_ok();
    if !has_attributes {
        eprintln!("skipped in part: the file system has no extended attributes");
    }
    let owned = chown(&path, Some(12345), Some(23456)).is_ok();
    if !owned {
        eprintln!("skipped in part: only the superuser gives files away");
    }
    set(&path, 0o4710);
    replace_file(&path, |file| std::io::Write::write_all(file, b"new")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(mode(&path), 0o4710);
    let found = fs::metadata(&path).unwrap();
    assert!(!owned || (found.uid(), found.gid()) == (12345, 23456));
    let mut value = [0; 8];
    assert!(!has_attributes || rustix::fs::getxattr(&path, c"user.comment", &mut value[..]) == Ok(4));
}

#[test]
fn an_access_control_list_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "old").unwrap();
    let set = Command::new("setfacl").args(["-m", "u:12345:rw"]).arg(&path).status();
    if !set.is_ok_and(|status| status.success()) {
        eprintln!("skipped: `setfacl` can't be run here");
        return;
    }
    let list = || Command::new("getfacl").args(["-cn"]).arg(&path).output().unwrap().stdout;
    let before = list();
    replace_file(&path, |file| std::io::Write::write_all(file, b"new")).unwrap();
    assert_eq!(String::from_utf8(list()).unwrap(), String::from_utf8(before).unwrap());
}

#[test]
fn links_lead_to_the_old_file_or_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a"), "old").unwrap();
    set(&at("a"), 0o600);
    fs::hard_link(at("a"), at("hard")).unwrap();
    symlink("hard", at("soft")).unwrap();
    let put = |name: &str| replace_file(at(name), |file| std::io::Write::write_all(file, b"new"));
    put("a").unwrap();
    put("soft").unwrap();
    assert_eq!(fs::read_to_string(at("hard")).unwrap(), "old");
    assert!(fs::symlink_metadata(at("soft")).unwrap().is_file());
    assert_eq!([at("a"), at("soft"), at("hard")].map(|path| mode(&path)), [0o600; 3]);
    // A step still refuses a link.
    symlink("hard", at("link")).unwrap();
    let memory = Memory::open(at("cache")).unwrap();
    let error = memory.make(ramp::call(3), MsgpackFile::new(at("link"))).unwrap_err();
    assert!(error.to_string().contains("no regular file"), "{error}");
}
