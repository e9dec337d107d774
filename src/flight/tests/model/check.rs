//! Runs a scenario under many schedules.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use super::limits::Wait;
use super::waits::{NO_FOLDER, PATIENCE, take_turn};
use super::world::{Flaw, set_flaw, world};
use crate::digest::Digest;
use crate::key::Key;

/// How many schedules of each kind are tried; they take a fraction of a second.
pub(super) const RUNS: usize = 500;

/// How many runs a scenario on files has; where others have more runs, these have in proportion.
const RUNS_ON_FILES: usize = 60;

/// How many changes of thread at just the wrong places a bug may need, for PCT to look for it.
const DEPTH: usize = 4;

/// Tries the schedules of this test; a failing one is printed.
pub(super) fn check(scenario: fn()) {
    check_of(RUNS, scenario);
}

/// Checks a scenario on files, which takes longer.
pub(crate) fn check_on_files(scenario: fn()) {
    check_of(RUNS_ON_FILES, scenario);
}

fn check_of(runs: usize, scenario: fn()) {
    let wanted = number("NDCACHE_MODEL_RUNS").and_then(|runs| usize::try_from(runs).ok());
    let runs = wanted.map_or(runs, |wanted| wanted * runs / RUNS);
    let (seed, begin) = (seed(), Instant::now());
    println!("NDCACHE_MODEL_SEED={seed}");
    let config = config(FailurePersistence::Print);
    run(RandomScheduler::new_from_seed(seed, runs), config.clone(), scenario);
    run(PctScheduler::new_from_seed(seed, DEPTH, runs), config, scenario);
    println!("{} schedules in {:.1} s", 2 * runs, begin.elapsed().as_secs_f64());
}

/// Whether some schedule of a scenario that is wrong by itself fails.
pub(crate) fn fails(scenario: fn()) -> bool {
    is_caught_in(20 * RUNS_ON_FILES, Flaw::default(), scenario)
}

/// Whether some schedule fails with this flaw.
pub(super) fn is_caught(flaw: Flaw, scenario: fn()) -> bool {
    is_caught_in(20 * RUNS, flaw, scenario)
}

pub(super) fn is_caught_in(runs: usize, flaw: Flaw, scenario: fn()) -> bool {
    let seed = seed();
    println!("NDCACHE_MODEL_SEED={seed}");
    set_flaw(flaw);
    let config = || config(FailurePersistence::None);
    let at_random = || run(RandomScheduler::new_from_seed(seed, runs), config(), scenario);
    let by_pct = || run(PctScheduler::new_from_seed(seed, DEPTH, runs), config(), scenario);
    let caught = catch_unwind(AssertUnwindSafe(at_random)).is_err() || catch_unwind(AssertUnwindSafe(by_pct)).is_err();
    set_flaw(Flaw::default());
    caught
}

fn run(scheduler: impl Scheduler + 'static, config: Config, scenario: fn()) {
    Runner::new(scheduler, config).run(begun(scenario));
}

/// With what is made once in a schedule: made while another thread unwinds, it would be taken for poisoned.
fn begun(scenario: fn()) -> impl Fn() + Send + Sync + 'static {
    move || {
        world();
        let key = Key::from_digest(Digest::from_bytes([0; 16]));
        drop(take_turn((NO_FOLDER, key), &Wait::new(None, PATIENCE, None)));
        scenario();
    }
}

fn config(failures: FailurePersistence) -> Config {
    let mut config = Config::new();
    config.failure_persistence = failures;
    // A thread that goes round and round is as bad as one that stands.
    config.max_steps = MaxSteps::FailAfter(20_000);
    config.silence_warnings = true;
    config.stack_size = 1 << 18;
    config
}

fn seed() -> u64 {
    number("NDCACHE_MODEL_SEED").unwrap_or_else(|| u64::from(std::process::id()))
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
