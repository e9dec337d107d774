//! Starts the processes, kills them, and counts what came of it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cells;
use crate::check::check;
use crate::tally::{Count, Tally, violations};
use crate::work::Dice;

/// The folder of the cache, beside that of the counts.
pub(crate) const CACHE: &str = "cache";
pub(crate) const COUNTS: &str = "counts";

/// The time between two kills.
const BETWEEN_KILLS: Duration = Duration::from_millis(50);

/// How much less often the evictor is killed than each of the others.
const EVICTOR: u64 = 8;

/// After which a process that was told to end counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// After which a run that makes no headway counts as hung.
const STANDSTILL: Duration = Duration::from_secs(60);

/// How violations are shown; there may be one for each operation.
const SHOWN: usize = 20;

pub(crate) struct Plan {
    pub(crate) processes: u64,
    /// The number of threads in each process.
    pub(crate) threads: u64,
    /// The number of keys of each function.
    pub(crate) keys: u64,
    pub(crate) least: Duration,
    /// How many operations there are before the test ends.
    pub(crate) operations: u64,
}

impl Plan {
    /// Different calls that there are.
    fn calls(&self) -> u64 {
        3 * self.keys
    }

    /// Process number 0 evicts, the others work.
    fn start(&self, place: &Path, number: u64, dice: &mut Dice) -> Child {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        if number == 0 {
            child.arg("evictor").arg(place).arg(self.keys.to_string());
        } else {
            let seed = dice.below(1 << 20);
            child.arg("worker").arg(place).args([seed, self.threads, self.keys].map(|number| number.to_string()));
        }
        child.env("RAYON_NUM_THREADS", "2").env_remove("NDCACHE_DIR").env_remove("NDCACHE_MODE");
        child.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a child")
    }
}

/// Runs the plan; fails on a violation.
pub(crate) fn drive(plan: &Plan) -> ExitCode {
    cells::control();
    let seed = seed();
    println!("seed {seed}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path();
    std::fs::create_dir(place.join(COUNTS)).expect("a new folder");
    let tally = Tally::open(&place.join(COUNTS));
    let begin = Instant::now();
    let kills = run(plan, place, &tally, seed);
    let entries = check(&place.join(CACHE)).unwrap_or_else(|what| {
        tally.violation(&what);
        0
    });
    let lost = Lost::of(&tally);
    let most = most(plan, &tally, &lost);
    if tally.get(Count::Computed) > most {
        let computed = tally.get(Count::Computed);
        tally.violation(&format!("{computed} computations, expected at most {most}"));
    }
    report(plan, &tally, kills, &lost, most);
    let found = violations(&place.join(COUNTS));
    found.iter().take(SHOWN).for_each(|what| println!("violation: {what}"));
    let seconds = begin.elapsed().as_secs();
    println!("{seconds} s, {entries} entries at the end, {} violations", found.len());
    println!("counted | operations of the stress program | {} | {} | {seed}", tally.operations(), found.len());
    println!("counted | kills in the stress program | {kills} | {} | {seed}", found.len());
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Kills and replaces processes until the plan is fulfilled; returns the number of kills.
fn run(plan: &Plan, place: &Path, tally: &Tally, seed: u64) -> u64 {
    let mut dice = Dice::new(seed);
    let mut children: Vec<Child> = (0..=plan.processes).map(|number| plan.start(place, number, &mut dice)).collect();
    let begin = Instant::now();
    let (mut kills, mut seen, mut moved, mut next) = (0, 0, begin, begin);
    while begin.elapsed() < plan.least || seen < plan.operations {
        next = next.max(Instant::now() - BETWEEN_KILLS) + BETWEEN_KILLS;
        thread::sleep(next.saturating_duration_since(Instant::now()));
        // The evictor is killed less often than the others: in a round that it doesn't finish, each entry may have
        // gone.
        let number = (dice.below(EVICTOR * plan.processes + 1)).div_ceil(EVICTOR);
        let child = &mut children[number as usize];
        // A process that has ended by itself isn't killed by this, and its status says so.
        child.kill().expect("a child");
        let status = child.wait().expect("a child");
        kills += 1;
        if status.signal() != Some(9) {
            tally.violation(&format!("a process ended by itself: {status}"));
        }
        children[number as usize] = plan.start(place, number, &mut dice);
        let operations = tally.operations();
        if operations > seen {
            (seen, moved) = (operations, Instant::now());
        } else if moved.elapsed() > STANDSTILL {
            tally.violation("no process makes any headway");
            break;
        }
    }
    for child in children {
        match end(child) {
            Some(status) if status.success() => {}
            Some(status) => tally.violation(&format!("a process ended by itself: {status}")),
            None => tally.violation("a process that was told to end goes on"),
        }
    }
    kills
}

/// Tells a process to end, and waits for it; one that doesn't is killed.
fn end(mut child: Child) -> Option<ExitStatus> {
    drop(child.stdin.take());
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().expect("a child") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("a child");
    child.wait().expect("a child");
    None
}

/// What the kills have cut short: computations, removals and rounds of eviction.
struct Lost {
    computations: u64,
    removals: u64,
    evictions: u64,
}

impl Lost {
    fn of(tally: &Tally) -> Self {
        let between = |begun, ended| tally.get(begun) - tally.get(ended);
        Self {
            computations: between(Count::Computed, Count::Outlived),
            removals: between(Count::Remove, Count::Removals),
            evictions: between(Count::Evict, Count::Evictions),
        }
    }
}

/// The most computations that there may have been.
///
/// Each call is computed once to begin with, once for each refresh, and once for each time that its entry was removed
/// or evicted. Of those that were killed, a computation may not have been stored, a removal may not have been counted,
/// and in a round of eviction each entry may have gone.
fn most(plan: &Plan, tally: &Tally, lost: &Lost) -> u64 {
    let taken = tally.get(Count::Refresh) + tally.get(Count::Removed) + tally.get(Count::Evicted);
    plan.calls() + taken + lost.computations + lost.removals + lost.evictions * plan.calls()
}

fn report(plan: &Plan, tally: &Tally, kills: u64, lost: &Lost, most: u64) {
    let row = |name: &str, number: u64| println!("{name:<32} {number:>9}");
    row("processes", plan.processes + 1);
    row("threads that ask", plan.processes * plan.threads);
    row("distinct calls", plan.calls());
    row("operations", tally.operations());
    Count::OPERATIONS.into_iter().for_each(|count| row(&format!("  {}", count.name()), tally.get(count)));
    row("kills", kills);
    row("  computations cut short", lost.computations);
    row("  removals cut short", lost.removals);
    row("  rounds of eviction cut short", lost.evictions);
    for count in [Count::Evicted, Count::Removed, Count::Vanished, Count::Computed] {
        row(count.name(), tally.get(count));
    }
    row("  at most", most);
}

fn seed() -> u64 {
    let given = std::env::var("NDCACHE_STRESS_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = || std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64);
    given.unwrap_or_else(now)
}
