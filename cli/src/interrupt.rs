//! Signals: at Ctrl-C where a command may end at once, and where it puts away first what it has begun; and none for a
//! file that gets too long.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

use crate::exit::{Exit, Failure, Outcome};

/// What signals change.
#[derive(Debug, Default)]
struct Signals {
    /// A signal ends the process.
    ends: Arc<AtomicBool>,
    /// The last one that came, 0 before any.
    came: Arc<AtomicUsize>,
}

static SIGNALS: OnceLock<Signals> = OnceLock::new();

/// Makes Ctrl-C end the process with 130, and `SIGTERM` with 143: at once where nothing is left behind, else as soon as
/// that is put away. A second one ends it at once.
pub(crate) fn watch() {
    SIGNALS.get_or_init(|| {
        let signals = Signals::default();
        signals.ends.store(true, SeqCst);
        // Writing past the limit on file sizes (`ulimit -f`) fails then, in place of ending the process without a word.
        let _ = flag::register(SIGXFSZ, Arc::default());
        for (signal, code) in [(SIGINT, Exit::Interrupted), (SIGTERM, Exit::Terminated)] {
            // In this order: the first one doesn't end what puts away, and the second one does. Where a handler can't be
            // had, the signal ends the process as ever.
            let _ = flag::register_conditional_shutdown(signal, code as i32, Arc::clone(&signals.ends));
            let _ = flag::register(signal, Arc::clone(&signals.ends));
            let _ = flag::register_usize(signal, Arc::clone(&signals.came), signal as usize);
        }
        signals
    });
}

/// While it lives, the first signal ends nothing: [`check`](Self::check) says that it came.
pub(crate) struct Unfinished(());

impl Unfinished {
    pub(crate) fn begin() -> Self {
        if let Some(signals) = SIGNALS.get() {
            signals.ends.store(false, SeqCst);
        }
        Self(())
    }

    /// How the command ends, once a signal came.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match SIGNALS.get().map_or(0, |signals| signals.came.load(SeqCst)) {
            0 => None,
            came if came == SIGTERM as usize => Some(Exit::Terminated),
            _ => Some(Exit::Interrupted),
        }
    }

    /// # Errors
    /// Returns a failure once a signal came, where what was done before it is put away.
    pub(crate) fn check(&self) -> Outcome<()> {
        self.told(|| "nothing of it is left".to_owned())
    }

    /// # Errors
    /// Returns a failure once a signal came, with what was `done` before it.
    pub(crate) fn told(&self, done: impl FnOnce() -> String) -> Outcome<()> {
        match self.exit() {
            None => Ok(()),
            Some(exit) => Err(Failure::WithMessage { exit, message: format!("interrupted; {}", done()) }),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(signals) = SIGNALS.get() {
            signals.ends.store(true, SeqCst);
        }
    }
}
