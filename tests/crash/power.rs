//! Power cuts: a file system of its own, from which all that isn't on its disk yet is lost.
//!
//! A process is killed at a system call, the file system is shut down as `FS_IOC_GOINGDOWN` does without its log, and
//! mounted again: what was in memory alone is gone. Half of the time somebody else has flushed a file of his own in
//! between, which puts down more than was asked for. Where nothing can be mounted this is skipped, and says so.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use crate::check::{check_after_cut, copy_folder};
use crate::inject::{self, Fault};
use crate::jobs::{DURABILITIES, Job, Task};
use crate::{PART, choose, draw};

/// File systems, and the least size that their makers take.
const SYSTEMS: [(&str, u64); 2] = [("ext4", 64 << 20), ("xfs", 320 << 20)];

/// What part of the faults is tried in a part of the cuts: they take longer.
const FEWER: usize = 20;

/// In Python, for which a call of the system needs no `unsafe`: `FS_IOC_GOINGDOWN` with `FS_GOING_FLAGS_NOLOGFLUSH`.
const CUT: &str = "import fcntl, os, struct, sys; \
                   fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// Cuts the power in these jobs, in all if none is named; returns the violations.
pub(crate) fn drive(part: usize, names: &[&str], seed: &mut u64) -> Vec<String> {
    let part = if part == PART { PART / FEWER } else { part };
    let mut violations = Vec::new();
    for (kind, size) in SYSTEMS {
        let Some(disk) = Disk::new(kind, size) else { continue };
        if disk.cut_beside_the_truth().is_ok() {
            violations.push("what was never flushed isn't missed".to_owned());
            println!("{kind}: {}", violations[violations.len() - 1]);
        }
        for durability in DURABILITIES {
            let begin = Instant::now();
            let mut cuts = 0;
            let jobs = Job::ALL.into_iter().filter(|job| names.is_empty() || names.contains(&job.name()));
            for job in jobs.filter(|job| job.writes()) {
                let task = Task { job, durability };
                for (fault, violation) in disk.cut_in(task, part, seed, &mut cuts) {
                    println!("{kind} {durability:?} {} cut at {fault}: {violation}", job.name());
                    violations.push(violation);
                }
            }
            println!("{kind} {durability:?}: {cuts} power cuts in {} s", begin.elapsed().as_secs());
        }
    }
    violations
}

/// A file system in a file.
struct Disk {
    kind: &'static str,
    folder: TempDir,
}

impl Disk {
    fn new(kind: &'static str, size: u64) -> Option<Self> {
        let disk = Self { kind, folder: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(disk.place()).expect("a new folder");
        File::create(disk.image()).and_then(|image| image.set_len(size)).expect("a sparse file");
        let made = Command::new(format!("mkfs.{kind}")).arg("-q").arg(disk.image()).output();
        let made = made.map_err(|error| error.to_string()).and_then(|made| match made.status.success() {
            true => disk.mount(),
            false => Err(String::from_utf8_lossy(&made.stderr).into_owned()),
        });
        match made {
            Ok(()) => Some(disk),
            Err(reason) => {
                println!("skipped: power cuts on {kind}: {}", reason.trim());
                None
            }
        }
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    fn mount(&self) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount.args(["-t", self.kind, "-o", "loop"]).arg(self.image()).arg(self.place());
        let done = mount.output().map_err(|error| error.to_string())?;
        if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
    }

    fn unmount(&self) -> bool {
        Command::new("umount").arg(self.place()).status().is_ok_and(|status| status.success())
    }

    /// Cuts the power at some of the calls of a task, and after its end.
    fn cut_in(&self, task: Task, part: usize, seed: &mut u64, cuts: &mut usize) -> Vec<(Fault, String)> {
        let host = tempfile::tempdir().expect("a temporary folder");
        let before = host.path().join("before");
        task.job.prepare(&before);
        let calls = inject::trace(task, &before, &host.path().join("traced"));
        let mut faults = choose(Fault::kills(&calls), part, seed);
        faults.push(Fault::none());
        *cuts += faults.len();
        let flushes = |seed: &mut u64| draw(seed).is_multiple_of(2);
        let judged = faults.into_iter().map(|fault| {
            let foreign = flushes(seed);
            let found = self.cut_at(task, task, &fault, &before, foreign);
            (fault, found)
        });
        judged.filter_map(|(fault, found)| found.err().map(|violation| (fault, violation))).collect()
    }

    /// The control: what nobody flushed, taken for flushed, has to be found lost.
    fn cut_beside_the_truth(&self) -> Result<(), String> {
        let host = tempfile::tempdir().expect("a temporary folder");
        let before = host.path().join("before");
        let [buffered, _, full] = DURABILITIES.map(|durability| Task { job: Job::Put, durability });
        buffered.job.prepare(&before);
        self.cut_at(buffered, full, &Fault::none(), &before, false)
    }

    /// Does a task, cuts the power at a call, and looks at what is left as after the task `claimed`.
    fn cut_at(&self, task: Task, claimed: Task, fault: &Fault, before: &Path, foreign: bool) -> Result<(), String> {
        let folder = self.place().join("cache");
        copy_folder(before, &folder);
        let whole = File::open(self.place()).expect("the mounted folder");
        rustix::fs::syncfs(&whole).expect("a file system that flushes");
        drop(whole);
        let end = fault.inject(task, &folder);
        if foreign {
            let mut file = File::create(self.place().join("foreign")).expect("a new file");
            file.write_all(b"of somebody else").and_then(|()| file.sync_all()).expect("room for it");
        }
        let cut = Command::new("python3").args(["-c", CUT]).arg(self.place()).status();
        assert!(cut.expect("`python3` runs").success() && self.unmount(), "the power isn't cut");
        self.mount().expect("it was mounted before");
        let checked = check_after_cut(claimed, &end, &folder);
        fs::remove_dir_all(&folder).expect("removes what was copied");
        checked
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
    }
}
