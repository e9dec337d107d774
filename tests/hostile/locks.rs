//! The file of locks, and what users may do to it who mustn't write into the folder.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::{Limits, Memory, cache};

use crate::support::{child, in_child, skip};

#[cache]
fn ramp(n: usize, k: u64) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| (i as u64 ^ k) as f64)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The permissions of the file of locks.
fn mode(folder: &Path) -> u32 {
    fs::metadata(folder.join("locks")).unwrap().mode() & 0o7777
}

/// Locks the whole of an open file for reading, by a lock of the open file or of the process.
#[allow(unsafe_code)]
fn lock_for_reading(file: &fs::File, command: i32) -> std::io::Result<()> {
    let range = libc::flock64 {
        l_type: libc::F_RDLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: the calls read a `flock64` that outlives them, and change no memory. The descriptor is open.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw const range) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// In a process of its own: opens `locks` for reading, says so, locks it, says so, and stays until its input ends.
fn be_reader(path: &str) {
    let command = if std::env::var("COMMAND").unwrap() == "open file" { libc::F_OFD_SETLK } else { libc::F_SETLK };
    match fs::File::open(path).map(|file| (lock_for_reading(&file, command), file)) {
        Err(error) => println!("\ncan't open: {error}"),
        Ok((Err(error), _)) => println!("\ncan't lock: {error}"),
        Ok((Ok(()), _file)) => {
            println!("\nlocked");
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
    }
}

/// A process that [`be_reader`] keeps busy, as another user where that is possible; and what it said.
struct Reader(Child, String);

impl Reader {
    fn start(name: &str, folder: &Path, command: &str, user: Option<u32>) -> Self {
        let path = folder.join("locks");
        let test = child(name, &[("PATH_OF_LOCKS", path.to_str().unwrap()), ("COMMAND", command)]);
        let mut started = match user {
            None => test,
            Some(user) => {
                let mut other = Command::new("setpriv");
                other.args([format!("--reuid={user}"), format!("--regid={user}")]).arg("--clear-groups");
                other.arg(test.get_program()).args(test.get_args());
                other.envs(test.get_envs().filter_map(|(name, value)| Some((name, value?))));
                other
            }
        };
        let mut started = started.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = std::io::BufRead::lines(std::io::BufReader::new(started.stdout.take().unwrap()));
        let said = lines.map_while(Result::ok).find(|line| line == "locked" || line.starts_with("can't"));
        Self(started, said.unwrap_or_default())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A user who is neither the owner of what these tests make nor of its group, and may run this program.
fn another_user() -> Option<u32> {
    const USER: u32 = 60_001;
    if !rustix::process::geteuid().is_root() && skip("root, to be another user") {
        return None;
    }
    let (user, program) = (USER.to_string(), std::env::current_exe().unwrap());
    let mut tried = Command::new("setpriv");
    tried.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(program).arg("--list");
    let runs = tried.stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if runs || !skip("a program that another user may run") { Some(USER) } else { None }
}

/// Misses and evicts with a limit, which takes some milliseconds; panics if it hangs.
fn misses_and_keeps_to_its_limit(folder: &Path) {
    let (sender, receiver) = mpsc::channel();
    let path = folder.to_owned();
    thread::spawn(move || {
        let memory = Memory::builder(path).limits(Limits::bytes("2M").unwrap()).open().unwrap();
        for k in 0..60 {
            assert_eq!(memory.eval(ramp::call(20_000, k)), ramp::compute(20_000, k));
        }
        drop(memory);
        sender.send(()).unwrap();
    });
    receiver.recv_timeout(Duration::from_secs(60)).expect("misses hang");
    let bytes: u64 = crate::support::files(folder, ".npy").iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes < 4_000_000, "{bytes} bytes with a limit of 2 MB");
}

#[test]
fn a_lock_for_reading_stops_no_miss_and_no_limit() {
    const NAME: &str = "hostile::locks::a_lock_for_reading_stops_no_miss_and_no_limit";
    if let Some(path) = in_child(NAME, "PATH_OF_LOCKS") {
        return be_reader(&path);
    }
    for command in ["open file", "process"] {
        let folder = tempfile::tempdir().unwrap();
        drop(Memory::open(folder.path()).unwrap());
        let reader = Reader::start(NAME, folder.path(), command, None);
        assert_eq!(reader.1, "locked");
        misses_and_keeps_to_its_limit(folder.path());
    }
}

#[test]
fn another_user_cannot_lock_and_a_file_that_let_him_is_mended() {
    const NAME: &str = "hostile::locks::another_user_cannot_lock_and_a_file_that_let_him_is_mended";
    if let Some(path) = in_child(NAME, "PATH_OF_LOCKS") {
        return be_reader(&path);
    }
    let Some(user) = another_user() else { return };
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    drop(Memory::open(folder.path()).unwrap());
    for command in ["open file", "process"] {
        let refused = Reader::start(NAME, folder.path(), command, Some(user));
        assert!(refused.1.starts_with("can't open"), "{}", refused.1);
    }
    // Earlier versions made the file with this mode; a process that has opened it since still has a descriptor.
    set_mode(&folder.path().join("locks"), 0o644);
    let reader = Reader::start(NAME, folder.path(), "open file", Some(user));
    assert_eq!(reader.1, "locked");
    misses_and_keeps_to_its_limit(folder.path());
    assert_eq!(mode(folder.path()), 0o600);
    let refused = Reader::start(NAME, folder.path(), "open file", Some(user));
    assert!(refused.1.starts_with("can't open"), "{}", refused.1);
}

#[test]
fn who_may_write_into_the_folder_may_lock_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    for (root, expected) in
        [(0o700, 0o600), (0o755, 0o600), (0o775, 0o660), (0o2770, 0o660), (0o1777, 0o660), (0o750, 0o600)]
    {
        set_mode(folder.path(), root);
        drop(Memory::open(folder.path()).unwrap());
        assert_eq!(mode(folder.path()), expected, "{root:o}");
        for before in [0o666, 0o644, 0o600, 0o640] {
            set_mode(&folder.path().join("locks"), before);
            drop(Memory::open(folder.path()).unwrap());
            assert_eq!(mode(folder.path()), expected, "{root:o}, {before:o}");
        }
    }
}

/// A group that may not write into the folder could hold locks for ever.
#[test]
fn another_group_than_the_folders_gets_no_access_to_its_locks() {
    if !rustix::process::geteuid().is_root() && skip("root, to give files away") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), None, Some(54_321)).unwrap();
    set_mode(folder.path(), 0o775);
    drop(Memory::open(folder.path()).unwrap());
    assert_eq!(mode(folder.path()), 0o600, "the group of the one who made it");
    fs::remove_file(folder.path().join("locks")).unwrap();
    set_mode(folder.path(), 0o2775);
    drop(Memory::open(folder.path()).unwrap());
    assert_eq!(mode(folder.path()), 0o660, "the folder's group");
}

/// A member of the folder's group waits for a process of the owner, whose umask is the usual one.
#[test]
fn members_of_a_group_that_shares_a_folder_compute_a_key_once() {
    const NAME: &str = "hostile::locks::members_of_a_group_that_shares_a_folder_compute_a_key_once";
    #[cache(ignore(millis))]
    fn slow(millis: u64) -> u64 {
        println!("computes");
        thread::sleep(Duration::from_millis(millis));
        4
    }
    const GROUP: u32 = 54_321;
    if let Some(folder) = in_child(NAME, "FOLDER") {
        assert_eq!(Memory::open(folder).unwrap().eval(slow::call(0)), 4);
        return println!("done");
    }
    let Some(user) = another_user() else { return };
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), None, Some(GROUP)).unwrap();
    set_mode(folder.path(), 0o2775);
    let memory = Memory::open(folder.path()).unwrap();
    let test = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]);
    let mut member = Command::new("setpriv");
    member.args([format!("--reuid={user}"), format!("--regid={user}"), format!("--groups={GROUP}")]);
    member.arg(test.get_program()).args(test.get_args());
    member.envs(test.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = thread::scope(|scope| {
        scope.spawn(|| memory.eval(slow::call(3_000)));
        thread::sleep(Duration::from_millis(200));
        member.output().unwrap()
    });
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("done") && !said.contains("computes"), "{output:?}");
}

/// A second name of somebody's file in the place of the locks: its mode is none of the cache's business.
#[test]
fn the_mode_of_a_file_with_another_name_or_with_content_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (root, outside) = (folder.path().join("cache"), folder.path().join("outside"));
    fs::create_dir(&root).unwrap();
    fs::write(&outside, b"").unwrap();
    set_mode(&outside, 0o644);
    fs::hard_link(&outside, root.join("locks")).unwrap();
    drop(Memory::open(&root).unwrap());
    assert_eq!(mode(&root), 0o644);
    fs::remove_file(&outside).unwrap();
    fs::write(root.join("locks"), b"mine").unwrap();
    drop(Memory::open(&root).unwrap());
    assert_eq!(mode(&root), 0o644);
}
