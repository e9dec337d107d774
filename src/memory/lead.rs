//! One computation per key, among threads and processes: who computes, who waits, and for how long.
//!
//! Knows no file: what it asks of the folder is [`Wanted`] and [`Locks`], so that a model checker runs this very code.

use std::cell::OnceCell;
use std::time::Duration;

use crate::error::Result;
use crate::key::Key;
use crate::memory::flight;
use crate::memory::flight::{Clearance, Flight, Place, REPORT};
use crate::memory::sync::{Instant, sleep};
use crate::planted;

/// A circle behind more keys is not looked for.
const MOST_KEYS: usize = 64;

/// The locks between the processes that share a folder.
pub(crate) trait Locks {
    /// A key that this process has, until it is dropped or the process ends.
    type Held;

    /// What a thread waits for, told to other processes until it is dropped.
    type Told;
    /// What of a key is told.
    type Stub: Copy + PartialEq;

    /// `None` while another process has it.
    fn try_lock(&self, key: Key) -> Result<Option<Self::Held>>;
    fn stub(key: Key) -> Self::Stub;
    /// Tells that whoever computes one of `held` waits for `wanted`.
    fn tell(&self, held: &[Self::Stub], wanted: Self::Stub) -> Result<Self::Told>;
    /// What those who compute `held` wait for, as far as that was told: two may do so beside each other.
    fn told_of(&self, held: Self::Stub) -> Result<Vec<Self::Stub>>;
}

/// A result that somebody needs and hasn't found.
pub(crate) trait Wanted {
    type Value;
    type Missing;
    type Locks: Locks;

    fn key(&self) -> Key;
    fn place(&self) -> Place;
    /// `None` where there are none to be had.
    fn locks(&self) -> Option<&Self::Locks>;
    /// The longest wait.
    fn limit(&self) -> Option<Duration>;
    fn look(&self) -> Result<Self::Value, Self::Missing>;
    /// Tells, from now on, whether something else stands there than what was `missing` because it is no good.
    fn watch(&self, missing: &Self::Missing) -> impl Fn() -> bool;
}

/// Holds the key in this process and, where the system has locks, in all of them.
pub(crate) struct Lead<Held> {
    _key: Option<Held>,
    // After the lock: a thread that is woken by the flight finds the lock free.
    _flight: Flight,
}

type HeldBy<W> = <<W as Wanted>::Locks as Locks>::Held;

/// What is missing, and the lead; without one, this thread computes beside somebody else.
pub(crate) type Leave<W> = (<W as Wanted>::Missing, Option<Lead<HeldBy<W>>>);

/// Waits for whoever computes what is missing. What they have stored; or leave to compute it.
pub(crate) fn take_turn<W: Wanted>(wanted: &W, mut missing: W::Missing) -> Result<W::Value, Leave<W>> {
    loop {
        let lead = match flight::request(wanted.place(), wanted.key(), wanted.limit()) {
            Clearance::Alone => return Err((missing, None)),
            Clearance::Landed => None,
            Clearance::Leads(flight) => match lock_key(wanted, &missing) {
                Ok(value) => return Ok(value),
                Err(key) => Some(Lead { _key: key, _flight: flight }),
            },
        };
        if planted::is("no second look under the lock") && lead.is_some() {
            return Err((missing, lead));
        }
        // Somebody may have finished since it looked.
        match wanted.look() {
            Ok(value) => return Ok(value),
            Err(still) if lead.is_some() => return Err((still, lead)),
            Err(still) => missing = still,
        }
    }
}

/// Waits until no other process computes the key; goes on without a lock where there is none to be had. What is stored,
/// if that is found out meanwhile.
fn lock_key<W: Wanted>(wanted: &W, missing: &W::Missing) -> Result<W::Value, Option<HeldBy<W>>> {
    let Some(locks) = wanted.locks() else { return Err(None) };
    let is_replaced = wanted.watch(missing);
    // What was no good may have been replaced before that was watched. Then nothing would ever end the wait for an
    // orphaned lock.
    let found = OnceCell::new();
    let is_done = || is_replaced() || found.get_or_init(|| wanted.look().ok()).is_some();
    let held = wait_for_lock(locks, wanted.place(), wanted.key(), wanted.limit(), &is_done);
    found.into_inner().flatten().ok_or(held)
}

/// Waits for the lock of `key`, unless what it is for is done meanwhile: an orphaned lock must not delay that. A wait
/// that closes a circle of processes ends, too.
pub(crate) fn wait_for_lock<L: Locks>(
    locks: &L,
    place: Place,
    key: Key,
    limit: Option<Duration>,
    is_done: &dyn Fn() -> bool,
) -> Option<L::Held> {
    let limit = flight::patience(limit);
    let begin = Instant::now();
    let (mut pause, mut report) = (Duration::from_millis(1), REPORT);
    let mut telling = None;
    let is_done = || is_done() && !planted::is("no look beside a held lock");
    loop {
        match locks.try_lock(key) {
            Ok(Some(locked)) => return Some(locked),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "going on without a lock");
                return None;
            }
        }
        let waited = begin.elapsed();
        if limit.is_some_and(|limit| waited >= limit) || is_done() {
            return None;
        }
        if closes_a_circle(locks, place, key, &mut telling).unwrap_or(false) {
            tracing::debug!(%key, "another process waits for what this thread computes");
            return None;
        }
        if waited >= report {
            tracing::warn!(%key, seconds = waited.as_secs(), "still waiting for another process");
            report += REPORT;
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// What this thread has told that it holds up.
type Telling<L> = Option<(Vec<<L as Locks>::Stub>, <L as Locks>::Told)>;

/// Whether the process that computes `wanted` waits, perhaps through others, for what this thread holds up. Tells
/// others what this thread waits for, before it looks: of those who close a circle, the last one sees it.
fn closes_a_circle<L: Locks>(locks: &L, place: Place, wanted: Key, telling: &mut Telling<L>) -> Result<bool> {
    let held: Vec<_> = flight::held_up(place, wanted).into_iter().map(L::stub).collect();
    if telling.as_ref().is_none_or(|(told, _)| *told != held) {
        // Taken back before it is told again: two files would exclude each other.
        *telling = None;
        if held.is_empty() {
            return Ok(false);
        }
        let told = locks.tell(&held, L::stub(wanted))?;
        *telling = Some((held.clone(), told));
    }
    let mut reached = vec![L::stub(wanted)];
    for at in 0..MOST_KEYS {
        let Some(&next) = reached.get(at) else { break };
        for stub in locks.told_of(next)? {
            if held.contains(&stub) {
                return Ok(true);
            }
            if !reached.contains(&stub) {
                reached.push(stub);
            }
        }
    }
    Ok(false)
}
