//! Single flight within a process: threads that need one key compute it once.
//!
//! A flight only saves work. Whoever can't wait — because waiting would close a circle, or has lasted too long —
//! computes, and two equal results are stored one after the other.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use super::sync::{Condvar, Instant, LazyLock, Mutex, MutexGuard, PoisonError, ThreadId, current, is_worker};
use crate::key::Key;

/// A worker of rayon may have stolen the job that waits from the very flight that it waits for.
const WORKER_PATIENCE: Duration = Duration::from_secs(1);
/// How often a long wait is reported.
pub(super) const REPORT: Duration = Duration::from_secs(60);

/// Which folder and key a flight is about; memories of one folder share their flights.
type Route = (Place, Key);

/// A folder, by the number that it has in this process: its path may change while it is open.
pub(super) type Place = (u64, u64);

#[derive(Default)]
struct Board {
    /// The process that this is about: a forked child has none of the threads that it says compute.
    process: u32,
    /// Who computes what.
    holders: HashMap<Route, ThreadId>,
    /// Who waits for what.
    waiting: HashMap<ThreadId, Route>,
}

struct Tower {
    board: Mutex<Board>,
    landed: Condvar,
}

static TOWER: LazyLock<Tower> = LazyLock::new(|| Tower { board: Mutex::default(), landed: Condvar::new() });

/// How a thread may go on.
pub(super) enum Clearance {
    /// It computes, and others wait for it while this lives.
    Leads(Flight),
    /// Another thread has just finished: look again.
    Landed,
    /// It computes beside the holder.
    Alone,
}

/// Held by the thread that computes a key; dropping it, in a panic too, wakes those that wait.
pub(super) struct Flight {
    route: Route,
}

/// Asks to compute `key` in the cache folder `place`; waits while another thread does, at most `limit`.
pub(super) fn request(place: Place, key: Key, limit: Option<Duration>) -> Clearance {
    let route = (place, key);
    let me = current().id();
    let mut board = lock();
    if let Entry::Vacant(vacant) = board.holders.entry(route) {
        vacant.insert(me);
        return Clearance::Leads(Flight { route });
    }
    if board.closes_a_circle(me, &route) {
        return Clearance::Alone;
    }
    board.waiting.insert(me, route);
    let (mut board, landed) = wait(board, &route, patience(limit));
    board.waiting.remove(&me);
    if landed { Clearance::Landed } else { Clearance::Alone }
}

/// The keys that nobody gets before this thread has got `wanted`: what it computes, and what those compute that wait
/// for it.
pub(super) fn held_up(place: Place, wanted: Key) -> Vec<Key> {
    let (me, board) = (current().id(), lock());
    let held = board.holders.keys().filter(|route| route.0 == place && route.1 != wanted);
    let mut held: Vec<_> = held.filter(|route| board.closes_a_circle(me, route)).map(|route| route.1).collect();
    held.sort_unstable();
    held
}

/// The longest wait that this thread may afford.
pub(super) fn patience(limit: Option<Duration>) -> Option<Duration> {
    match is_worker() {
        true => Some(limit.map_or(WORKER_PATIENCE, |limit| limit.min(WORKER_PATIENCE))),
        false => limit,
    }
}

fn wait(
    mut board: MutexGuard<'static, Board>,
    route: &Route,
    limit: Option<Duration>,
) -> (MutexGuard<'static, Board>, bool) {
    let begin = Instant::now();
    let mut report = REPORT;
    while board.holders.contains_key(route) {
        let waited = begin.elapsed();
        if limit.is_some_and(|limit| waited >= limit) {
            return (board, false);
        }
        if waited >= report {
            tracing::warn!(key = %route.1, seconds = waited.as_secs(), "still waiting for another thread");
            report += REPORT;
        }
        let next = limit.map_or(report, |limit| limit.min(report)).saturating_sub(waited);
        board = tower().landed.wait_timeout(board, next).unwrap_or_else(PoisonError::into_inner).0;
    }
    (board, true)
}

fn tower() -> &'static Tower {
    LazyLock::force(&TOWER)
}

fn lock() -> MutexGuard<'static, Board> {
    let mut board = tower().board.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if board.process != process {
        *board = Board { process, ..Board::default() };
    }
    board
}

impl Board {
    /// Whether the holder of `route` is `me`, or waits, perhaps through others, for something that `me` computes.
    fn closes_a_circle(&self, me: ThreadId, route: &Route) -> bool {
        let mut route = route;
        // Each thread waits for one route, so that the chain has at most as many links as threads wait.
        for _ in 0..=self.waiting.len() {
            match self.holders.get(route) {
                Some(&holder) if holder == me => return true,
                Some(holder) => match self.waiting.get(holder) {
                    Some(next) => route = next,
                    None => return false,
                },
                None => return false,
            }
        }
        true
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut board = lock();
        board.holders.remove(&self.route);
        // Whoever waits has said so before it let go of the board; a wake-up for nobody is a system call, too.
        if !board.waiting.is_empty() {
            tower().landed.notify_all();
        }
    }
}
