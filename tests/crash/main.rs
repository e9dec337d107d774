//! Kills a process at every system call of every operation on a cache, and fails every call with every error.
//!
//! A child of this program does one operation while `strace` injects one fault into it; then the folder is looked at
//! as the next process would. `cargo test --test crash` tries a part, chosen by a seed that it prints and takes from
//! `NDCACHE_CRASH_SEED`; `cargo test --test crash -- --full` tries all, and with names of operations behind it all of
//! those. Without `strace`, or the right to trace,
//! nothing is tested, and the reason is printed; in CI that is a failure. Where file systems can be mounted the power is
//! cut, too: see `power`.

#![allow(missing_docs)]

mod check;
mod inject;
mod jobs;
mod power;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use check::{check, copy_folder};
use inject::{End, Fault, Inject};
use jobs::{Answer, Job, Task};
use ndcache::Durability;

/// How many faults of each job are tried in a part.
const PART: usize = 40;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["worker", job, durability, folder] => jobs::work(job, durability, Path::new(folder)),
        ["--full", ref jobs @ ..] => drive(usize::MAX, jobs),
        ["--list", ..] => {
            println!("crash: test");
            ExitCode::SUCCESS
        }
        // A filter of the test harness that names other tests, or none.
        ref rest if rest.iter().any(|word| !word.starts_with('-') && !"crash".contains(word)) => ExitCode::SUCCESS,
        _ => drive(PART, &[]),
    }
}

/// What came of the faults of one kind in one job.
#[derive(Default)]
struct Tally {
    tried: usize,
    of: usize,
    /// The fault was met; otherwise the job was over before.
    met: usize,
}

/// Tries so many faults of each kind in each of these jobs; in all, if none is named.
fn drive(part: usize, names: &[&str]) -> ExitCode {
    if let Err(reason) = inject::is_possible() {
        println!("skipped: {reason}");
        return if std::env::var_os("CI").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let mut seed = seed();
    println!("seed {seed}");
    let begin = Instant::now();
    let (mut tallies, mut violations) = (BTreeMap::new(), Vec::new());
    for job in Job::ALL.into_iter().filter(|job| names.is_empty() || names.contains(&job.name())) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let before = folder.path().join("before");
        job.prepare(&before);
        let task = Task { job, durability: Durability::Buffered };
        let calls = inject::trace(task, &before, &folder.path().join("traced"));
        for (kind, faults) in [("kill", Fault::kills(&calls)), ("error", Fault::errors(&calls))] {
            let of = faults.len();
            let chosen = choose(faults, part, &mut seed);
            let mut tally = Tally { tried: chosen.len(), of, met: 0 };
            for (number, fault) in chosen.iter().enumerate() {
                let place = folder.path().join(format!("{kind}{number}"));
                copy_folder(&before, &place);
                let end = fault.inject(task, &place);
                tally.met += usize::from(fault.is_met(&end));
                if let Err(violation) = judge(job, fault, &end).and_then(|()| check(job, &end, &place)) {
                    println!("{} {fault}: {violation}", job.name());
                    violations.push(violation);
                }
                std::fs::remove_dir_all(&place).expect("removes what was copied");
            }
            tallies.insert((job.name(), kind), tally);
        }
    }
    report(&tallies, violations.len(), begin);
    violations.extend(power::drive(part, names, &mut seed));
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the process itself may have come to.
fn judge(job: Job, fault: &Fault, end: &End) -> Result<(), String> {
    match (end, fault.kind) {
        (End::Killed, Inject::Kill) | (End::Answered { answer: Answer::Right, .. }, _) => Ok(()),
        // Who removes or edits by hand is told of the error.
        (End::Answered { answer: Answer::Refused, .. }, Inject::Once(_) | Inject::Ever(_)) => Ok(()),
        _ => Err(format!("{} came to this: {end}", job.name())),
    }
}

fn report(tallies: &BTreeMap<(&str, &str), Tally>, violations: usize, begin: Instant) {
    println!("{:<12} {:<6} {:>8} {:>8} {:>8}", "operation", "fault", "points", "tried", "met");
    for ((job, kind), tally) in tallies {
        println!("{job:<12} {kind:<6} {:>8} {:>8} {:>8}", tally.of, tally.tried, tally.met);
    }
    let tried: usize = tallies.values().map(|tally| tally.tried).sum();
    println!("{tried} faults in {} s, {violations} violations", begin.elapsed().as_secs());
}

fn seed() -> u64 {
    let given = std::env::var("NDCACHE_CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = || std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64);
    given.unwrap_or_else(now)
}

/// At most `count` of them, in their order.
fn choose<T>(mut items: Vec<T>, count: usize, seed: &mut u64) -> Vec<T> {
    while items.len() > count {
        items.remove(draw(seed) % items.len());
    }
    items
}

/// Knuth's generator, MMIX.
fn draw(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize
}
