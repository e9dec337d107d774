//! A bar on a terminal that says how far a command has come.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::text::size;

/// How wide the bar is.
const WIDTH: u64 = 30;

/// It is drawn no more often.
const EACH: Duration = Duration::from_millis(100);

/// How many of all bytes are done. Threads may share it.
pub(crate) struct Bar(Option<Mutex<State>>);

struct State {
    total: u64,
    done: u64,
    begun: Instant,
    /// When it was drawn last.
    drawn: Option<Instant>,
}

impl Bar {
    /// One that nobody sees.
    pub(crate) fn hidden() -> Self {
        Self(None)
    }

    /// One on stderr.
    pub(crate) fn shown(total: u64) -> Self {
        Self(Some(Mutex::new(State { total, done: 0, begun: Instant::now(), drawn: None })))
    }

    /// Says that `done` bytes are done; of what several threads say, the largest number is shown.
    pub(crate) fn reach(&self, done: u64) {
        self.update(|state| state.done = state.done.max(done));
    }

    /// Says that `bytes` more bytes are done.
    pub(crate) fn advance(&self, bytes: u64) {
        self.update(|state| state.done = state.done.saturating_add(bytes));
    }

    /// Removes it from the terminal.
    pub(crate) fn clear(self) {
        if self.0.is_some_and(|state| state.into_inner().unwrap_or_else(PoisonError::into_inner).drawn.is_some()) {
            draw("");
        }
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let Some(state) = &self.0 else { return };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let now = Instant::now();
        if state.drawn.is_none_or(|drawn| now.duration_since(drawn) >= EACH) {
            state.drawn = Some(now);
            draw(&state.line(now.duration_since(state.begun)));
        }
    }
}

impl State {
    /// `██████░░░░░░  1.2 GiB of 3.4 GiB  812.0 MiB/s`
    fn line(&self, since: Duration) -> String {
        let done = self.done.min(self.total);
        let full = usize::try_from(u128::from(done) * u128::from(WIDTH) / u128::from(self.total.max(1))).unwrap_or(0);
        let bar = "█".repeat(full) + &"░".repeat(WIDTH as usize - full);
        let speed = done as f64 / since.as_secs_f64().max(0.001);
        format!("{bar}  {} of {}  {}/s", size(done), size(self.total), size(speed as u64))
    }
}

/// Replaces the line that the cursor is in.
fn draw(line: &str) {
    // If stderr can't be written to, nobody sees the bar.
    let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_much_is_done() {
        let line = |total, done| {
            let state = State { total, done, begun: Instant::now(), drawn: None };
            state.line(Duration::from_secs(2))
        };
        assert_eq!(line(2048, 1024), format!("{}{}  1.0 KiB of 2.0 KiB  512 B/s", "█".repeat(15), "░".repeat(15)));
        for (total, done, full) in [(0, 0, 0), (0, 5, 0), (10, 0, 0), (10, 25, 30), (u64::MAX, u64::MAX, 30)] {
            assert_eq!(line(total, done).matches('█').count(), full, "{total} {done}");
        }
        let bar = Bar::hidden();
        bar.reach(1);
        bar.advance(1);
        bar.clear();
    }
}
