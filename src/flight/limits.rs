//! What bounds a task's wait, and what is said of it meanwhile.

use std::cell::Cell;
use std::time::Duration;

use super::sync::Instant;
use crate::key::Key;

/// How often a long wait is reported.
pub(super) const REPORT: Duration = Duration::from_secs(60);
/// How often a wait that can be interrupted asks whether it is.
const INTERRUPT: Duration = Duration::from_millis(50);

/// A task's wait, whatever it is for: a task that looks again goes on with the same one.
pub(super) struct Wait<'a> {
    limit: Option<Duration>,
    /// After which workers are no longer patient.
    pub(super) patience: Duration,
    interrupt: Option<&'a dyn Fn() -> bool>,
    begin: Cell<Option<Instant>>,
    next_report: Cell<Duration>,
    /// Whether a flight that it was for has landed empty. Then it is over.
    in_vain: Cell<bool>,
    /// Whether an empty landing ends it.
    minds_empty: bool,
}

impl<'a> Wait<'a> {
    pub(super) fn new(limit: Option<Duration>, patience: Duration, interrupt: Option<&'a dyn Fn() -> bool>) -> Self {
        let (begin, next_report) = (Cell::new(None), Cell::new(REPORT));
        Self { limit, patience, interrupt, begin, next_report, in_vain: Cell::new(false), minds_empty: true }
    }

    /// Doesn't end the wait when a flight lands empty: for a task that computes nothing.
    pub(super) fn minding_none(self) -> Self {
        Self { minds_empty: false, ..self }
    }

    /// Whether a flight that was waited for has landed empty.
    pub(super) fn was_in_vain(&self) -> bool {
        self.in_vain.get()
    }

    pub(super) fn set_in_vain(&self) {
        self.in_vain.set(self.minds_empty);
    }

    /// How long this wait has lasted, whatever it was for: a task that looks again goes on with the same wait.
    pub(super) fn waited(&self) -> Duration {
        let begin = self.begin.get().unwrap_or_else(Instant::now);
        self.begin.set(Some(begin));
        begin.elapsed()
    }

    pub(super) fn is_over(&self) -> bool {
        self.in_vain.get() || self.limit.is_some_and(|limit| self.waited() >= limit)
    }

    /// Until the next moment at which the wait may end by itself or has something to say.
    pub(super) fn left(&self) -> Duration {
        let report = self.next_report.get();
        let left = self.limit.map_or(report, |limit| limit.min(report)).saturating_sub(self.waited());
        if self.interrupt.is_some() { left.min(INTERRUPT) } else { left }
    }

    pub(super) fn can_be_interrupted(&self) -> bool {
        self.interrupt.is_some()
    }

    /// Asks the caller, under no lock, whether it wants to wait no longer.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupt.is_some_and(|interrupt| interrupt())
    }

    /// The time that the wait has lasted, if it is to be reported now: once a minute.
    pub(super) fn due_report(&self) -> Option<Duration> {
        let waited = self.waited();
        let is_time = waited >= self.next_report.get();
        if is_time {
            self.next_report.set(self.next_report.get() + REPORT);
        }
        is_time.then_some(waited)
    }
}

/// Logs that a task still waits for `key`. Under no lock: a subscriber may do anything, such as need another key.
pub(super) fn report(key: Key, whom: &str, waited: Duration) {
    tracing::warn!(%key, seconds = waited.as_secs(), "still waiting for {whom}");
}

#[cfg(test)]
impl Wait<'_> {
    /// Tells for whom it waits at once, so that a test takes less than a minute.
    pub(super) fn telling_at_once(self) -> Self {
        self.next_report.set(Duration::ZERO);
        self
    }
}
