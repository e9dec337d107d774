//! One computation per key, among threads and processes: who computes, who waits, and for how long.

use std::cell::OnceCell;
use std::time::Duration;

use super::limits::Wait;
use super::processes::{HeldKey, ProcessLocks, wait_for_lock};
use super::waits::{Announcement, FolderId, PATIENCE, TakenOver, Turn, take_turn};
use crate::key::Key;
use crate::planted;

/// The flights to the keys of one folder.
pub(crate) struct Flights<L> {
    folder: FolderId,
    /// `None` where the folder has no locks.
    locks: Option<L>,
    /// The longest wait.
    limit: Option<Duration>,
    /// How long workers of rayon wait before the first of them goes on alone.
    patience: Duration,
}

/// A result that a task needs and hasn't found.
pub(crate) trait Need {
    type Value;
    type Missing;

    fn look(&self) -> Look<Self::Value, Self::Missing>;

    /// Returns a check for whether something new is stored there since it was `missing`: an entry that was found to be no
    /// good, and still stands there, isn't new.
    fn watch(&self, missing: &Self::Missing) -> impl Fn() -> bool;

    /// Asked at least every 50 ms of a wait, on the thread that waits and under no lock; `true` ends the wait as its
    /// limit would. A caller that gives an interrupt knows by it that it isn't to compute.
    fn interrupt(&self) -> Option<&dyn Fn() -> bool> {
        None
    }

    /// Called once a minute, under no lock, with the process that the task still waits for, and the time that it has waited.
    fn still_waits(&self, _for_whom: &str, _waited: Duration) {}

    /// Whether the task computes without waiting.
    fn is_hasty(&self) -> bool {
        false
    }
}

/// What a look at a key finds.
pub(crate) enum Look<T, M> {
    Found(T),
    Missing(M),
}

impl<T, M> Look<T, M> {
    pub(crate) fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Missing(_) => None,
        }
    }
}

/// How a task goes on that needed a key.
pub(crate) enum FlightOutcome<T, M, Held> {
    /// Another task has made it.
    Found(T),
    /// This task is to make what is missing. Others wait for it while the lead lives, unless it [is alone](Lead::is_alone).
    Compute(M, Lead<Held>),
}

/// Holds a key in this process and, where there are locks, in all of them. A task that went on alone holds nothing, but
/// lets those that wait look again when it has stored.
pub(crate) struct Lead<Held> {
    lock: Option<Held>,
    // After the lock: a task that is woken finds the lock free.
    announcement: Announcement,
    in_vain: bool,
}

/// How the wait for another process ended.
enum AfterWait<T, Held> {
    Found(T),
    /// The wait is over: with the lock, or without one where it can't be had.
    Over(Option<Held>),
}

impl<L: ProcessLocks> Flights<L> {
    pub(crate) fn new(folder: FolderId, locks: Option<L>, limit: Option<Duration>) -> Self {
        Self { folder, locks, limit, patience: PATIENCE }
    }

    /// Waits while others compute `key`, which was `missing`, and looks again after each of them.
    pub(crate) fn lead<W: Need>(
        &self,
        key: Key,
        missing: W::Missing,
        need: &W,
    ) -> FlightOutcome<W::Value, W::Missing, L::Held> {
        let limit = if need.is_hasty() { Some(Duration::ZERO) } else { self.limit };
        self.lead_within(&Wait::new(limit, self.patience, need.interrupt()), key, missing, need)
    }

    /// Waits for a moment, `limit` at most, until nobody else computes or replaces `key`.
    pub(crate) fn moment(&self, key: Key, limit: Duration) -> Lead<L::Held> {
        let wait = Wait::new(Some(limit), self.patience, None).minding_none();
        match self.lead_within(&wait, key, (), &Moment) {
            FlightOutcome::Compute((), lead) => lead,
            FlightOutcome::Found(never) => match never {},
        }
    }

    fn lead_within<W: Need>(
        &self,
        wait: &Wait<'_>,
        key: Key,
        mut missing: W::Missing,
        need: &W,
    ) -> FlightOutcome<W::Value, W::Missing, L::Held> {
        let lead = |lock, announcement| Lead { lock, announcement, in_vain: wait.was_in_vain() };
        loop {
            let lead = match take_turn((self.folder, key), wait) {
                Turn::Alone(announcement) => return FlightOutcome::Compute(missing, lead(None, announcement)),
                Turn::LookAgain => None,
                Turn::Lead(flight) => match self.wait_for_others(key, &flight, &missing, need, wait) {
                    AfterWait::Found(value) => return FlightOutcome::Found(value),
                    AfterWait::Over(lock) => Some(lead(lock, flight)),
                },
            };
            let skips = planted::is("no second look under the lock") && lead.is_some();
            // Somebody may have finished since this task looked. Without this look each of those that waited would
            // compute once more.
            let look = if skips { Look::Missing(missing) } else { need.look() };
            missing = match (look, lead) {
                (Look::Found(value), _) => return FlightOutcome::Found(value),
                (Look::Missing(still), Some(lead)) => return FlightOutcome::Compute(still, lead),
                (Look::Missing(still), None) => still,
            };
        }
    }

    /// Waits until no other process computes the key, or what it makes is found meanwhile.
    fn wait_for_others<W: Need>(
        &self,
        key: Key,
        flight: &Announcement,
        missing: &W::Missing,
        need: &W,
        wait: &Wait<'_>,
    ) -> AfterWait<W::Value, L::Held> {
        let Some(locks) = &self.locks else { return AfterWait::Over(None) };
        let is_replaced = need.watch(missing);
        // What was no good may have been replaced before that was watched. Then nothing would ever end the wait for an
        // orphaned lock.
        let looked = OnceCell::new();
        let look = || need.look().found();
        let is_done = || is_replaced() || looked.get_or_init(look).is_some();
        let hear = |whom: &str, waited| need.still_waits(whom, waited);
        let held = wait_for_lock(locks, (self.folder, key), flight, wait, &is_done, &hear);
        looked.into_inner().flatten().map_or(AfterWait::Over(held), AfterWait::Found)
    }
}

/// Nothing that could be found: the turn is all that is needed.
struct Moment;

impl Need for Moment {
    type Value = std::convert::Infallible;
    type Missing = ();

    fn look(&self) -> Look<Self::Value, ()> {
        Look::Missing(())
    }

    fn watch(&self, (): &()) -> impl Fn() -> bool {
        || false
    }
}

#[cfg(test)]
impl<L> Flights<L> {
    /// Sets the patience, so that a test takes less than seconds.
    pub(crate) fn with_patience(self, patience: Option<Duration>) -> Self {
        Self { patience: patience.unwrap_or(self.patience), ..self }
    }
}

impl<Held> Lead<Held> {
    /// Says that this thread computes the key, until the guard is dropped: a lead may go from thread to thread.
    pub(crate) fn take_over(&self) -> TakenOver<'_> {
        self.announcement.take_over()
    }

    /// Whether this lead was given while another task computes the key.
    pub(crate) fn is_alone(&self) -> bool {
        self.announcement.is_beside()
    }

    /// Whether this task had waited for a flight that landed empty.
    pub(crate) fn was_in_vain(&self) -> bool {
        self.in_vain
    }
}

impl<Held: HeldKey> Lead<Held> {
    /// Says whether the flight lands empty if it ends now, in a panic too: its function has begun, and no result is
    /// stored. Then all waiting tasks compute at once if they find no result: to wait for a second run, one after the
    /// other, would help none of them. Otherwise, and if the process is killed, one of them computes.
    pub(crate) fn lands_empty(&self, is_empty: bool) {
        if let Some(lock) = &self.lock {
            lock.lands_empty(is_empty);
        }
        self.announcement.lands_empty(is_empty);
    }
}

#[cfg(test)]
impl<Held> Lead<Held> {
    pub(crate) fn has_lock(&self) -> bool {
        self.lock.is_some()
    }
}
