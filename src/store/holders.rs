//! The process that holds a lock, from Linux's `/proc`: `fcntl` tells the kind of an open file's lock, and not its process.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The process that has locked this byte of the file, in words: `process 4711 (python), which is stopped`. `None` if
/// `/proc` doesn't show it: for a process of another user or in another container.
///
/// `name` is the last component of the file's path. Scans all open files of this user's processes, which takes
/// milliseconds.
pub(super) fn holder(file: &fs::File, name: &str, offset: i64) -> Option<String> {
    let stat = file.metadata().ok()?;
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut numbers: Vec<u32> = processes.filter_map(|process| process.file_name().to_str()?.parse().ok()).collect();
    // The parent first: a forked child may have its open file, and then shows its lock, too.
    numbers.sort_unstable();
    numbers.into_iter().find_map(|number| {
        let process = Path::new("/proc").join(number.to_string());
        holds(&process, name, (stat.dev(), stat.ino()), offset).then(|| told(number, &process))
    })
}

/// Whether one of the open files of a process is this one, and has the byte locked.
fn holds(process: &Path, name: &str, file: (u64, u64), offset: i64) -> bool {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    descriptors.into_iter().any(|descriptor| {
        // The link first: to ask for the metadata of other files may be slow, if a server doesn't answer.
        let is_named = fs::read_link(descriptor.path()).is_ok_and(|path| path.ends_with(name));
        let is_it = || fs::metadata(descriptor.path()).is_ok_and(|stat| (stat.dev(), stat.ino()) == file);
        let info = || fs::read_to_string(process.join("fdinfo").join(descriptor.file_name())).unwrap_or_default();
        is_named && is_it() && info().lines().any(|line| is_lock_of(line, offset))
    })
}

/// Whether a line is like `lock: 1: OFDLCK  ADVISORY  WRITE -1 08:01:131 3254 3254`, with this byte.
fn is_lock_of(line: &str, offset: i64) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<i64>().ok());
    let kind = words.iter().position(|word| *word == "WRITE");
    words.first() == Some(&"lock:") && kind.is_some_and(|at| number(at + 3) == Some(offset))
}

fn told(number: u32, process: &Path) -> String {
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    // `4711 (any name) T 1 …`: behind the name, which may hold what it likes.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    let is_stopped = matches!(state, Some('T' | 't'));
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    format!("process {number} ({}){}", name.trim(), if is_stopped { ", which is stopped" } else { "" })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;
    use crate::range_locks::{LockKind, set};

    #[test]
    fn a_lock_is_told_by_its_kind_and_its_byte() {
        let line = |kind: &str, byte: i64| format!("lock:\t1: OFDLCK  ADVISORY  {kind} -1 08:01:131 {byte} {byte}");
        assert!(is_lock_of(&line("WRITE", 3254), 3254));
        assert!(!is_lock_of(&line("READ", 3254), 3254) && !is_lock_of(&line("WRITE", 3255), 3254));
        assert!(!is_lock_of("pos:\t0", 0) && !is_lock_of("lock:\t1: WRITE", 0) && !is_lock_of("", 0));
    }

    #[test]
    fn the_holder_of_a_lock_is_told_and_whether_it_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let file =
            || fs::File::options().create(true).append(true).read(true).open(folder.path().join("locks")).unwrap();
        let (mine, other) = (file(), file());
        set(&other, LockKind::Write, 7, 1).unwrap();
        // What it has as its input is the open file that has the lock.
        let mut child = Command::new("sleep").arg("600").stdin(Stdio::from(other)).spawn().unwrap();
        let told = format!("process {} (sleep)", child.id());
        let until = |told: &str| {
            (0..500).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                holder(&mine, "locks", 7).as_deref() == Some(told)
            })
        };
        assert!(until(&told), "{:?}", holder(&mine, "locks", 7));
        assert_eq!(holder(&mine, "locks", 8), None);
        kill_process(Pid::from_child(&child), Signal::STOP).unwrap();
        assert!(until(&format!("{told}, which is stopped")), "{:?}", holder(&mine, "locks", 7));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(holder(&mine, "locks", 7), None);
    }
}
