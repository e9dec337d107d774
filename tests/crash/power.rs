//! Power cuts: a file system of its own, from which all that isn't on its disk yet is lost.
//!
//! A process is killed at a system call, the file system is shut down as `FS_IOC_GOINGDOWN` does without its log, and
//! mounted again: what was in memory alone is gone. Half of the time somebody else has flushed a file of his own in
//! between, which puts down more than was asked for; in a full run, each cut is tried with and without.
//!
//! Mounting takes `CAP_SYS_ADMIN`. Without that right this is skipped, in CI too, and says so. With it, a file system
//! that can't be made and mounted is a failure in CI; only XFS may be missing, where there is no `mkfs.xfs`.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use crate::check::{check_after_cut, copy_folder};
use crate::choice::{Choice, Kind};
use crate::inject::{self, Fault};
use crate::jobs::{DURABILITIES, Job, Task};
use crate::{counted, draw, is_in_ci, scene};

/// File systems, and the least size that their makers take.
const SYSTEMS: [(&str, u64); 2] = [("ext4", 64 << 20), ("xfs", 320 << 20)];

/// How often the control is tried.
const TRIES: usize = 3;

/// The bit of the right to mount among a process's capabilities.
const CAP_SYS_ADMIN: u64 = 1 << 21;

/// In Python, for which a call of the system needs no `unsafe`: `FS_IOC_GOINGDOWN` with `FS_GOING_FLAGS_NOLOGFLUSH`.
const CUT: &str = "import fcntl, os, struct, sys; \
                   fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// The outcome of all cuts.
#[derive(Default)]
pub(crate) struct Cuts {
    pub(crate) tried: usize,
    pub(crate) violations: usize,
}

/// Cuts the power in the chosen jobs.
pub(crate) fn drive(choice: &Choice, first: u64) -> Cuts {
    let mut all = Cuts::default();
    for (kind, size) in SYSTEMS {
        let disk = match Disk::new(kind, size) {
            Ok(disk) => disk,
            Err(reason) => {
                println!("skipped: power cuts on {kind}: {reason}");
                if is_in_ci() && may_mount() && (kind != "xfs" || has_maker(kind)) {
                    println!("violation: {kind} has to be mounted, since this process has CAP_SYS_ADMIN");
                    all.violations += 1;
                }
                continue;
            }
        };
        scene::set(first);
        // The `sync` of another program may come between, but hardly each time.
        if !choice.only && (0..TRIES).all(|_| disk.cut_beside_the_truth().is_ok()) {
            println!("violation: {kind}: what was never flushed isn't missed");
            all.violations += 1;
        }
        for durability in DURABILITIES {
            let (begin, mut cuts, mut seeds) = (Instant::now(), Cuts::default(), 0);
            while seeds == 0 || cuts.tried > 0 && (cuts.tried as u64) < choice.cuts {
                let mut dice = first.wrapping_add(seeds);
                scene::set(dice);
                for job in choice.jobs().filter(|job| job.writes()) {
                    disk.cut_in(Task { job, durability }, choice, &mut dice, &mut cuts);
                }
                seeds += 1;
            }
            if cuts.tried > 0 {
                println!("{kind} {durability:?}: {} power cuts in {} s", cuts.tried, begin.elapsed().as_secs());
                let what = format!("{}, {kind}, {durability:?}", Kind::Cut.points());
                counted(&what, cuts.tried, cuts.violations, first, seeds);
            }
            all.tried += cuts.tried;
            all.violations += cuts.violations;
        }
    }
    all
}

/// Whether this process has the right to mount.
fn may_mount() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    rights.and_then(|rights| u64::from_str_radix(rights.trim(), 16).ok()).is_some_and(|bits| bits & CAP_SYS_ADMIN != 0)
}

fn has_maker(kind: &str) -> bool {
    Command::new(format!("mkfs.{kind}")).arg("-V").output().is_ok()
}

/// A file system in a file.
struct Disk {
    kind: &'static str,
    folder: TempDir,
}

impl Disk {
    /// Makes and mounts it; the error says why that isn't possible.
    fn new(kind: &'static str, size: u64) -> Result<Self, String> {
        if !may_mount() {
            return Err("this process hasn't the right to mount (CAP_SYS_ADMIN)".to_owned());
        }
        let disk = Self { kind, folder: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(disk.place()).expect("a new folder");
        File::create(disk.image()).and_then(|image| image.set_len(size)).expect("a sparse file");
        let made = Command::new(format!("mkfs.{kind}")).arg("-q").arg(disk.image()).output();
        let made = made.map_err(|error| format!("`mkfs.{kind}` can't be run: {error}"))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).trim().to_owned());
        }
        disk.mount().map_err(|reason| reason.trim().to_owned())?;
        Ok(disk)
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

    /// Cuts the power at the chosen calls of a task, and after its end.
    fn cut_in(&self, task: Task, choice: &Choice, dice: &mut u64, cuts: &mut Cuts) {
        let host = tempfile::tempdir().expect("a temporary folder");
        let before = host.path().join("before");
        task.job.prepare(&before);
        let calls = inject::trace(task, &before, &host.path().join("traced"));
        let mut faults = choice.of(Fault::kills(&calls), Kind::Cut, task, self.kind, dice);
        faults.extend(choice.of(vec![Fault::none()], Kind::Cut, task, self.kind, dice));
        for fault in faults {
            let flushes = if choice.both { vec![false, true] } else { vec![draw(dice).is_multiple_of(2)] };
            for foreign in flushes {
                cuts.tried += 1;
                if let Err(violation) = self.cut_at(task, task, &fault, &before, foreign) {
                    let Task { job, durability } = task;
                    let beside = if foreign { ", beside a foreign flush" } else { "" };
                    let at = if fault.call() == "end" { "the end".to_owned() } else { fault.to_string() };
                    println!("violation: {} {durability:?} {} cut at {at}{beside}: {violation}", self.kind, job.name());
                    cuts.violations += 1;
                }
            }
        }
    }

    /// The control: checks as if everything had been flushed, though nothing was; the loss has to be noticed.
    fn cut_beside_the_truth(&self) -> Result<(), String> {
        let host = tempfile::tempdir().expect("a temporary folder");
        let before = host.path().join("before");
        let [buffered, _, full] = DURABILITIES.map(|durability| Task { job: Job::Put, durability });
        buffered.job.prepare(&before);
        self.cut_at(buffered, full, &Fault::none(), &before, false)
    }

    /// Does a task, cuts the power at a call, and checks what is left as if the task had been `claimed`.
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
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("removes what was copied");
        }
        checked
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
    }
}
