//! Opening a folder, and what it is found to be.

use super::*;

#[test]
fn a_missing_folder_is_created_and_marked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some/where/cache");
    let disk = Disk::open(&path).unwrap();
    assert!(disk.writable());
    assert_eq!(disk.path(), path);
    let tag = fs::read_to_string(path.join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    assert_eq!(fs::read_to_string(path.join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn an_empty_folder_is_tagged_but_not_hidden_from_git() {
    let folder = tempfile::tempdir().unwrap();
    Disk::open(folder.path()).unwrap();
    assert!(folder.path().join("CACHEDIR.TAG").exists());
    assert!(!folder.path().join(".gitignore").exists());
}

#[test]
fn a_folder_with_other_things_in_it_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "").unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    put(&disk, ARRAY, b"array");
    Disk::open(folder.path()).unwrap();
    assert!(!folder.path().join("CACHEDIR.TAG").exists());
    assert!(!folder.path().join(".gitignore").exists());
}

#[test]
fn marks_that_were_removed_or_changed_are_respected() {
    let (_folder, disk) = disk();
    fs::remove_file(disk.path().join(".gitignore")).unwrap();
    fs::write(disk.path().join("CACHEDIR.TAG"), "mine").unwrap();
    Disk::open(disk.path()).unwrap();
    assert!(!disk.path().join(".gitignore").exists());
    assert_eq!(fs::read(disk.path().join("CACHEDIR.TAG")).unwrap(), b"mine");
}

#[test]
fn a_mark_that_a_crash_prevented_is_made_up_for() {
    let (_folder, disk) = disk();
    put(&disk, ARRAY, b"array");
    fs::rename(disk.path().join("CACHEDIR.TAG"), disk.path().join("CACHEDIR.TAG.0123456789abcdef.tmp")).unwrap();
    Disk::open(disk.path()).unwrap();
    assert!(disk.path().join("CACHEDIR.TAG").exists());
}

#[test]
fn what_is_no_folder_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    fails(Disk::open(&file), ErrorKind::Io, &file);
    fails(Disk::open(&file.join("below")), ErrorKind::Io, &file);
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    let dangling = folder.path().join("dangling");
    symlink(folder.path().join("nowhere"), &dangling).unwrap();
    fails(Disk::open(&dangling), ErrorKind::Io, &dangling);
    assert!(Disk::open(&dangling).unwrap_err().to_string().contains("symbolic link to nothing"));
    assert!(!folder.path().join("nowhere").exists());
    assert_eq!(Disk::open(Path::new("")).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_root_may_be_a_link_to_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("link")).unwrap();
    let disk = Disk::open(&folder.path().join("link")).unwrap();
    put(&disk, ARRAY, b"array");
    assert!(folder.path().join("real").join(ARRAY).exists());
}

#[test]
fn opening_for_reading_only_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    fails(Disk::open_read_only(&missing), ErrorKind::Io, &missing);
    assert!(!missing.exists());
    let disk = Disk::open_read_only(folder.path()).unwrap();
    refuses_to_write(&disk);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn refuses_to_write(disk: &Disk) {
    assert!(!disk.writable());
    let path = disk.path_of(RECORD);
    fails(disk.create(RECORD, 1), ErrorKind::Io, &path);
    fails(disk.replace(RECORD, b"", Durability::Buffered), ErrorKind::Io, &path);
    fails(disk.remove(RECORD), ErrorKind::Io, &path);
    fails(disk.lock_file("locks"), ErrorKind::Io, &disk.path_of("locks"));
    fails(disk.remove_tree("f"), ErrorKind::Io, &disk.path_of("f"));
    disk.touch(RECORD).unwrap();
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn open_logged(path: &Path) -> (Disk, String) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let disk = tracing::subscriber::with_default(subscriber, || Disk::open(path)).unwrap();
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    (disk, text)
}

#[test]
fn a_read_only_mount_is_opened_for_reading_with_one_warning() {
    let Some(mount) = Mount::tmpfs("size=1m") else {
        return;
    };
    put(&Disk::open(mount.path()).unwrap(), RECORD, b"record");
    mount.remount("ro");
    let (disk, log) = open_logged(mount.path());
    refuses_to_write(&disk);
    assert_eq!(get(&disk, RECORD).unwrap(), b"record");
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(log.contains(mount.path().to_str().unwrap()), "{log}");
}

#[test]
fn a_folder_without_write_permission_is_opened_for_reading() {
    let folder = tempfile::tempdir().unwrap();
    if rustix::process::geteuid().is_root() {
        return eprintln!("skipped: root may write anywhere");
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    refuses_to_write(&Disk::open(folder.path()).unwrap());
}

#[test]
fn the_medium_is_known() {
    let (_folder, disk) = disk();
    assert!(!disk.medium().world_writable);
    let (session, again) = (disk.session(), Disk::open(disk.path()).unwrap());
    assert_eq!(again.session(), session);
    let (boot, mount) = session.split_once(':').unwrap();
    assert!(boot.len() >= 32 && !mount.is_empty(), "{session}");
    for mode in [0o777, 0o1777] {
        fs::set_permissions(disk.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert!(Disk::open(disk.path()).unwrap().medium().world_writable);
    }
}

#[test]
fn another_mount_is_another_session() {
    let Some(mount) = Mount::tmpfs("size=1m") else {
        return;
    };
    let disk = Disk::open(mount.path()).unwrap();
    assert!(!disk.medium().network, "tmpfs is local");
    let first = disk.session();
    drop(disk);
    let umount = Command::new("umount").arg(mount.path()).status().unwrap();
    assert!(umount.success());
    let mut again = Command::new("mount");
    again.args(["-t", "tmpfs", "-o", "size=1m", "ndcache-test"]).arg(mount.path());
    assert!(again.status().unwrap().success());
    assert_ne!(first, Disk::open(mount.path()).unwrap().session());
}

/// `/proc` stands for every file system that isn't on the list.
#[cfg(target_os = "linux")]
#[test]
fn an_unknown_file_system_counts_as_a_network() {
    let root = File::open("/proc").unwrap();
    let stat = rustix::fs::fstat(&root).unwrap();
    assert!(Medium::of(&root, &stat, Path::new("/proc")).unwrap().network);
}
