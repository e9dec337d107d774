//! Kills a process at every system call of every operation on a cache, fails every call with every error, and cuts the
//! power.
//!
//! A child of this program does one operation while `strace` injects one fault into it; then the folder is looked at
//! as the next process would. A seed decides what is stored: see `scene`. `cargo test --test crash` tries a part,
//! chosen by a seed that it prints and takes from `NDCACHE_CRASH_SEED`; `cargo test --test crash -- --full` tries all,
//! kills with three seeds, and with names of operations behind it all of those; `-- --only kill overwrite write` tries
//! what it says (see `choice`). Without `strace`, or the right to trace, nothing is tested, and the reason is printed;
//! in CI that is a failure. The power is cut on file systems of their own: see `power`. Each line that begins with
//! `counted` says what was tried, how often, with how many violations.

#![allow(missing_docs)]

mod check;
mod choice;
mod inject;
mod jobs;
mod power;
mod scene;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use check::{check, copy_folder};
use choice::{Choice, Kind};
use inject::{End, Fault, Inject};
use jobs::{Answer, Job, Task};
use ndcache::policy::Durability;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["worker", job, durability, seed, folder] => jobs::work(job, durability, seed, Path::new(folder)),
        ["--full", ref jobs @ ..] => drive(&Choice::full(jobs)),
        ["--only", kind, job, ref words @ ..] => drive(&Choice::only(kind, job, words)),
        ["--list", ..] => {
            println!("crash: test");
            ExitCode::SUCCESS
        }
        // A filter of the test harness that names other tests, or none.
        ref rest if rest.iter().any(|word| !word.starts_with('-') && !"crash".contains(word)) => ExitCode::SUCCESS,
        _ => drive(&Choice::part()),
    }
}

/// The outcome of the faults of one kind in one job.
#[derive(Default)]
struct Tally {
    tried: usize,
    of: usize,
    /// In how many runs the fault was reached; in others the job had ended before.
    met: usize,
    violations: usize,
}

/// Tries the faults that are chosen.
fn drive(choice: &Choice) -> ExitCode {
    if let Err(reason) = inject::is_possible() {
        println!("skipped: {reason}");
        return if is_in_ci() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let first = seed();
    println!("seed {first}");
    let (mut tallies, begin) = (BTreeMap::new(), Instant::now());
    for turn in 0..choice.seeds {
        let mut dice = first.wrapping_add(turn);
        scene::set(dice);
        println!("{:?}", scene::scene());
        for job in choice.jobs() {
            inject_in(job, choice, turn, &mut dice, &mut tallies);
        }
    }
    report(&tallies, first, choice, begin);
    let mut tried: usize = tallies.values().map(|tally| tally.tried).sum();
    let mut violations: usize = tallies.values().map(|tally| tally.violations).sum();
    if choice.has(Kind::Cut) {
        let cuts = power::drive(choice, first);
        tried += cuts.tried;
        violations += cuts.violations;
    }
    if tried == 0 {
        println!("nothing is what was asked for");
    }
    if violations == 0 && tried > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tries the chosen faults in one job, but for power cuts, in the turn of this seed.
fn inject_in(
    job: Job,
    choice: &Choice,
    turn: u64,
    dice: &mut u64,
    tallies: &mut BTreeMap<(Kind, &'static str), Tally>,
) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let before = folder.path().join("before");
    job.prepare(&before);
    for (kind, durability) in
        [(Kind::Kill, Durability::Buffered), (Kind::Error, Durability::Buffered), (Kind::Flush, Durability::Full)]
    {
        if !choice.has(kind) || turn >= choice.seeds_of(kind) || kind == Kind::Flush && !job.writes() {
            continue;
        }
        let task = Task { job, durability };
        let calls = inject::trace(task, &before, &folder.path().join(format!("traced for {}", kind.name())));
        let faults = match kind {
            Kind::Kill => Fault::kills(&calls),
            Kind::Error => Fault::errors(&calls),
            Kind::Flush | Kind::Cut => Fault::flushes(&calls),
        };
        let tally = tallies.entry((kind, job.name())).or_default();
        tally.of += faults.len();
        for (number, fault) in choice.of(faults, kind, task, "", dice).iter().enumerate() {
            let place = folder.path().join(format!("{}{number}", kind.name()));
            copy_folder(&before, &place);
            let end = fault.inject(task, &place);
            tally.tried += 1;
            tally.met += usize::from(fault.is_met(&end));
            if let Err(violation) = judge(task, fault, &end).and_then(|()| check(job, &end, &place)) {
                println!("violation: {} {fault}: {violation}", job.name());
                tally.violations += 1;
            }
            if place.exists() {
                std::fs::remove_dir_all(&place).expect("removes what was copied");
            }
        }
    }
}

/// Checks how the process itself has ended.
fn judge(task: Task, fault: &Fault, end: &End) -> Result<(), String> {
    match (end, fault.kind) {
        (End::Answered { answer: Answer::Right, warnings: 0 }, _) if fault.is_lost_flush(task) => {
            Err("a flush failed, and nobody was told".to_owned())
        }
        (End::Killed, Inject::Kill) | (End::Answered { answer: Answer::Right, .. }, _) => Ok(()),
        // An operation that a user asks for, such as removing or editing, returns the error.
        (End::Answered { answer: Answer::Refused, .. }, Inject::Once(_) | Inject::Ever(_)) => Ok(()),
        _ => Err(format!("{} came to this: {end}", task.job.name())),
    }
}

fn report(tallies: &BTreeMap<(Kind, &str), Tally>, first: u64, choice: &Choice, begin: Instant) {
    println!("{:<12} {:<6} {:>8} {:>8} {:>8} {:>11}", "operation", "fault", "points", "tried", "met", "violations");
    let mut sums: BTreeMap<Kind, (usize, usize)> = BTreeMap::new();
    for ((kind, job), Tally { tried, of, met, violations }) in tallies {
        println!("{job:<12} {:<6} {of:>8} {tried:>8} {met:>8} {violations:>11}", kind.name());
        let sum = sums.entry(*kind).or_default();
        *sum = (sum.0 + tried, sum.1 + violations);
    }
    println!("in {} s", begin.elapsed().as_secs());
    for (kind, (tried, violations)) in sums {
        counted(kind.points(), tried, violations, first, choice.seeds_of(kind));
    }
}

/// A line of the table of counts.
fn counted(what: &str, tried: usize, violations: usize, first: u64, seeds: u64) {
    let seeds: Vec<_> = (0..seeds).map(|n| first.wrapping_add(n).to_string()).collect();
    println!("counted | {what} | {tried} | {violations} | {}", seeds.join(" "));
}

fn is_in_ci() -> bool {
    std::env::var_os("CI").is_some()
}

fn seed() -> u64 {
    let given = std::env::var("NDCACHE_CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = || std::time::UNIX_EPOCH.elapsed().map_or(0, |since| u64::from(since.subsec_nanos()));
    given.unwrap_or_else(now)
}

/// Knuth's generator, MMIX.
fn draw(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize
}
