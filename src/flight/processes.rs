//! The locks of other processes: waiting for one, and seeing that such a wait would be a deadlock.

use std::time::Duration;

use super::limits::{Wait, report};
use super::sync::sleep;
use super::waits::{Announcement, FolderKey, held_up};
use crate::error::Result;
use crate::key::Key;
use crate::planted;

/// A cycle behind more keys is not looked for.
const MOST_KEYS: usize = 64;

/// The pauses between two attempts at a lock grow up to this.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The locks between the processes that share a folder.
pub(crate) trait ProcessLocks {
    /// A key that this process has, until it is dropped or the process ends.
    type Held: HeldKey;
    /// What a task waits for, announced to other processes until it is dropped.
    type Announced;
    /// What of a key is announced.
    type Stub: Copy + PartialEq;

    /// `None` while another process has it; an error where the lock can't be had at all.
    fn try_lock(&self, key: Key) -> Result<Option<Self::Held>>;
    fn stub(key: Key) -> Self::Stub;
    /// Announces that whoever computes one of `held` waits for `awaited`.
    fn announce(&self, held: &[Self::Stub], awaited: Self::Stub) -> Result<Self::Announced>;
    /// What those who compute `held` wait for, as far as that was announced: two may do so beside each other.
    fn waits_of(&self, held: Self::Stub) -> Result<Vec<Self::Stub>>;
    /// The number of the last empty landing of `key`, a new one each time; `None` if none is known.
    fn last_empty(&self, key: Key) -> Option<u64>;
    /// The process that has `key`, in words, if the system shows it.
    fn holder(&self, key: Key) -> Option<String>;
}

/// A key that a process has.
pub(crate) trait HeldKey {
    /// Says whether other processes are told, when the key is released, that no result was stored. A killed process tells
    /// them nothing.
    fn lands_empty(&self, is_empty: bool);
}

/// Called with the process that a task still waits for, and the time that it has waited.
type Hear<'a> = dyn Fn(&str, Duration) + 'a;

/// Waits for the lock of `key`, which this task leads, unless what it is for is done meanwhile: an orphaned lock must not
/// delay that. A wait that would be a deadlock ends, too.
pub(super) fn wait_for_lock<L: ProcessLocks>(
    locks: &L,
    key: FolderKey,
    flight: &Announcement,
    wait: &Wait<'_>,
    is_done: &dyn Fn() -> bool,
    hear: &Hear<'_>,
) -> Option<L::Held> {
    match locks.try_lock(key.1) {
        Ok(None) if !wait.is_over() => {}
        locked => return unless_refused(locked),
    }
    flight.suspend(true);
    let held = wait_in_turns(locks, key, wait, is_done, hear);
    flight.suspend(false);
    if wait.was_in_vain() {
        flight.pass_on_empty();
    }
    held
}

fn wait_in_turns<L: ProcessLocks>(
    locks: &L,
    key: FolderKey,
    wait: &Wait<'_>,
    is_done: &dyn Fn() -> bool,
    hear: &Hear<'_>,
) -> Option<L::Held> {
    let is_done = || is_done() && !planted::is("no look beside a held lock");
    let before = locks.last_empty(key.1);
    let mut announced = None;
    let mut pause = Duration::from_millis(1);
    loop {
        if wait.is_over() || is_done() || wait.is_interrupted() {
            return None;
        }
        // A task that can't announce what it waits for might be waited for by the process that it waits for.
        if closes_cycle(locks, key, wait, &mut announced).unwrap_or_else(|error| refused(&error)) {
            tracing::debug!(key = %key.1, "another process may wait for what this one computes");
            return None;
        }
        if let Some(waited) = wait.due_report() {
            let whom = locks.holder(key.1).unwrap_or_else(|| "another process".to_owned());
            report(key.1, &whom, waited);
            hear(&whom, waited);
        }
        sleep(pause.min(wait.left()));
        pause = (pause * 2).min(LONGEST_PAUSE);
        let locked = locks.try_lock(key.1);
        // Read after the attempt at the lock: a leader notes an empty landing before it releases the lock. None is no news:
        // another key's landing may have taken the place of the one before this wait.
        let last = locks.last_empty(key.1);
        if last.is_some() && last != before {
            wait.set_in_vain();
        }
        match locked {
            Ok(None) => {}
            locked => return unless_refused(locked),
        }
    }
}

fn unless_refused<Held>(locked: Result<Option<Held>>) -> Option<Held> {
    locked.unwrap_or_else(|error| {
        refused(&error);
        None
    })
}

fn refused(error: &crate::error::Error) -> bool {
    tracing::debug!(%error, "going on without a lock");
    true
}

/// What this task has announced that it holds up.
type Announced<L> = Option<(Vec<<L as ProcessLocks>::Stub>, <L as ProcessLocks>::Announced)>;

/// Whether the process that computes `key` waits, perhaps through others, for what this task holds up. Announces what
/// this task waits for, before it looks: of those who close a cycle, the last one sees it.
fn closes_cycle<L: ProcessLocks>(
    locks: &L,
    key: FolderKey,
    wait: &Wait<'_>,
    announced: &mut Announced<L>,
) -> Result<bool> {
    let awaited = L::stub(key.1);
    let held_up = held_up(key, wait.waited() < wait.patience);
    if held_up.elsewhere {
        return Ok(true);
    }
    let held: Vec<_> = held_up.keys.into_iter().map(L::stub).collect();
    if announced.as_ref().is_none_or(|(before, _)| *before != held) {
        // Taken back before it is announced again: two files would exclude each other.
        *announced = None;
        if held.is_empty() {
            return Ok(false);
        }
        *announced = Some((held.clone(), locks.announce(&held, awaited)?));
    }
    let mut reached = vec![awaited];
    for at in 0..MOST_KEYS {
        let Some(&next) = reached.get(at) else { return Ok(false) };
        for stub in locks.waits_of(next)? {
            if held.contains(&stub) {
                return Ok(true);
            }
            if !reached.contains(&stub) {
                reached.push(stub);
            }
        }
    }
    Ok(held_up.widely)
}
