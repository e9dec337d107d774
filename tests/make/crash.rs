//! A process that dies while it makes a target leaves the old one or the new one.
//!
//! `strace` kills a child of this test at the first, second, … call of each system call that writes, until the child
//! survives; see `src/store/tests/crash.rs`.

use std::path::Path;
use std::process::Command;

use ndarray::prelude::*;
use ndcache::Memory;
use ndcache::make::{NpyFile, Persister};
use ndcache::policy::Durability;

use super::{Workshop, ramp, runs};
use crate::support::{in_child, skip};

const NAME: &str = "make::crash::a_killed_step_leaves_the_old_target_or_the_new_one_whole";

const CALLS: [&str; 7] = ["openat", "openat2", "write", "fsync", "mkdirat", "rename", "renameat"];

fn make(folder: &Path, step: f64) -> Array1<f64> {
    let memory = Memory::builder(folder.join("cache")).durability(Durability::Full).open().unwrap();
    memory.make(ramp::call(300_000, step), NpyFile::new(folder.join("out/a.npy"))).unwrap()
}

/// Kills a child at call number `count` of `call`; `None` if tracing isn't possible, else whether it died.
fn kill_at(call: &str, count: u32, folder: &Path) -> Option<bool> {
    let program = crate::support::child(NAME, &[("FOLDER", folder.to_str().unwrap())]);
    let mut strace = Command::new("strace");
    let inject = format!("inject={call}:signal=SIGKILL:when={count}");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
    strace.arg(program.get_program()).args(program.get_args());
    strace.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let done = strace.output().ok()?;
    match done.status.code() {
        Some(0) => Some(false),
        // As strace ends when its child was killed; when it ends by itself, it was not allowed to trace.
        None | Some(137) => Some(true),
        _ => {
            println!("skipped: {}", String::from_utf8_lossy(&done.stderr));
            None
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_step_leaves_the_old_target_or_the_new_one_whole() {
    if let Some(folder) = in_child(NAME, "FOLDER") {
        make(Path::new(&folder), 2.0);
        return;
    }
    if Command::new("strace").arg("-V").output().is_err() && skip("strace") {
        return;
    }
    let mut seen = [0; 3];
    for call in CALLS {
        // The loader opens libraries, and the test harness files, before anything is made.
        for count in 1.. {
            let workshop = Workshop::new();
            make(workshop.folder.path(), 1.0);
            let Some(died) = kill_at(call, count, workshop.folder.path()) else { return };
            let target = NpyFile::new(workshop.path("a.npy"));
            let found =
                Persister::<Array1<f64>>::load(&target).unwrap_or_else(|error| panic!("{call} {count}: {error}"));
            let step = found[1];
            assert!(step == 1.0 || step == 2.0);
            assert_eq!(found, ramp::compute(300_000, step));
            assert!(died || step == 2.0, "{call} {count}");
            seen[step as usize] += 1;
            // Whatever the crash has left, the next step goes through, and doesn't take one result for the other.
            let before = runs();
            assert_eq!(make(workshop.folder.path(), 2.0)[1], 2.0);
            assert!(died || runs() == before, "{call} {count}");
            assert_eq!(make(workshop.folder.path(), 1.0)[1], 1.0);
            let left = workshop.names().into_iter().filter(|name| name != "a.npy");
            assert!(left.into_iter().all(|name| name.starts_with(".a.npy.") && name.ends_with(".tmp")));
            if !died {
                break;
            }
        }
    }
    assert!(seen[1] > 5 && seen[2] > 5, "deaths before and after the target was replaced: {seen:?}");
}
