//! Calls of a place, each on a thread of its own: its caller waits for no longer than it likes, even if the call hangs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::threads::fork::{ForkMutex, Process};
use crate::tier::{Backend, Deadline, Fault};

/// How many calls may be left hanging: then the place isn't called before one of them returns. More may hang that were
/// begun together with them: the streams of an array, calls of other threads.
const ABANDONED_MAX: usize = 2;

/// How long a call may be over its time: it knows its deadline itself.
const GRACE: Duration = Duration::from_millis(150);

/// The calls of one place.
pub(in crate::tier) struct BackendCalls {
    backend: Arc<dyn Backend>,
    hanging: Arc<ForkMutex<Hanging>>,
    panicked: Arc<AtomicBool>,
}

/// Calls that nobody waits for any more. A forked child has none.
#[derive(Default)]
struct Hanging {
    process: Option<Process>,
    calls: usize,
}

/// Whose turn it is to say what became of a call.
const RUNNING: u8 = 0;
const ABANDONED: u8 = 1;
const DONE: u8 = 2;

/// A call that is under way.
pub(in crate::tier) struct Started<T> {
    result: Receiver<Result<T, Fault>>,
    state: Arc<AtomicU8>,
    hanging: Arc<ForkMutex<Hanging>>,
    over: bool,
}

impl BackendCalls {
    pub(super) fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, hanging: Arc::default(), panicked: Arc::default() }
    }

    /// Whether a call has panicked: then there are no others.
    pub(super) fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::Relaxed)
    }

    /// What a call comes to, by then.
    pub(in crate::tier) fn run<T: Send + 'static>(
        &self,
        until: Deadline,
        work: impl FnOnce(&dyn Backend) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.start(work)?.finish(until)
    }

    /// The place isn't called any more.
    pub(super) fn end(&self) {
        self.panicked.store(true, Ordering::Relaxed);
    }

    /// Begins a call.
    pub(in crate::tier) fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Backend) -> Result<T, Fault> + Send + 'static,
    ) -> Result<Started<T>, Fault> {
        if self.has_panicked() {
            return Err(Fault::other("a call of it has panicked"));
        }
        if Hanging::count(&self.hanging, 0) >= ABANDONED_MAX {
            return Err(Fault::Late);
        }
        let (done, result) = sync_channel(1);
        let state = Arc::new(AtomicU8::new(RUNNING));
        let (backend, panicked, hanging) =
            (Arc::clone(&self.backend), Arc::clone(&self.panicked), Arc::clone(&self.hanging));
        let ending = Arc::clone(&state);
        let run = move || {
            let outcome = caught(|| work(&*backend)).unwrap_or_else(|| {
                panicked.store(true, Ordering::Relaxed);
                Err(Fault::other("it panicked"))
            });
            let _ = done.send(outcome);
            if ending.swap(DONE, Ordering::AcqRel) == ABANDONED {
                Hanging::count(&hanging, -1);
            }
        };
        let spawned = thread::Builder::new().name("ndcache-tier".to_owned()).spawn(run);
        spawned.map_err(Fault::other)?;
        Ok(Started { result, state, hanging: Arc::clone(&self.hanging), over: false })
    }
}

/// What a backend says, unless it panics.
pub(super) fn caught<T>(ask: impl FnOnce() -> T) -> Option<T> {
    // What a panic carries may panic once more when it is dropped.
    catch_unwind(AssertUnwindSafe(ask)).map_err(std::mem::forget).ok()
}

impl<T> Started<T> {
    /// What it comes to, by then. Of several that have one deadline, those that are asked last wait no longer.
    pub(in crate::tier) fn finish(mut self, until: Deadline) -> Result<T, Fault> {
        let left = (until.instant() + GRACE).saturating_duration_since(Instant::now());
        self.wait(left).unwrap_or(Err(Fault::Late))
    }

    /// What it came to; `None` if that isn't known by then.
    pub(in crate::tier) fn wait(&mut self, wait: Duration) -> Option<Result<T, Fault>> {
        match self.result.recv_timeout(wait) {
            Ok(outcome) => {
                self.over = true;
                Some(outcome)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                self.over = true;
                Some(Err(Fault::other("its call ended without a word")))
            }
        }
    }
}

/// A call that is given up before its end is taken for one that hangs.
impl<T> Drop for Started<T> {
    fn drop(&mut self) {
        if !self.over && self.state.swap(ABANDONED, Ordering::AcqRel) == RUNNING {
            Hanging::count(&self.hanging, 1);
        }
    }
}

impl Hanging {
    /// Adds to the calls of this process that hang, and says how many they are.
    fn count(hanging: &ForkMutex<Self>, change: isize) -> usize {
        let (mut hanging, process) = (hanging.lock(), Process::current());
        if hanging.process != Some(process) {
            *hanging = Self { process: Some(process), calls: 0 };
        }
        hanging.calls = hanging.calls.saturating_add_signed(change);
        hanging.calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::MemoryBackend;

    #[test]
    fn a_call_that_hangs_costs_its_deadline_and_two_of_them_end_the_calls_until_one_returns() {
        let calls = BackendCalls::new(Arc::new(MemoryBackend::new()));
        let (release, held) = sync_channel::<()>(0);
        let held = Arc::new(std::sync::Mutex::new(held));
        let until = || Deadline::after(Duration::from_millis(10));
        let begin = Instant::now();
        for _ in 0..ABANDONED_MAX {
            let held = Arc::clone(&held);
            let hangs = move |_: &dyn Backend| {
                let _ = held.lock().unwrap().recv();
                Ok(())
            };
            assert!(matches!(calls.run(until(), hangs), Err(Fault::Late)));
        }
        assert!(matches!(calls.run(until(), |_| Ok(())), Err(Fault::Late)), "a third one is called");
        assert!(begin.elapsed() < Duration::from_secs(5));
        release.send(()).unwrap();
        let again = || calls.run(until(), |_| Ok(())).is_ok();
        assert!((0..500).any(|_| {
            thread::sleep(Duration::from_millis(10));
            again()
        }));
    }

    #[test]
    fn of_calls_that_begin_together_all_may_hang_and_none_begins_after_them() {
        let calls = BackendCalls::new(Arc::new(MemoryBackend::new()));
        let (release, held) = sync_channel::<()>(0);
        let held = Arc::new(std::sync::Mutex::new(held));
        let begun = Arc::new(AtomicU8::new(0));
        let start = || {
            let (held, begun) = (Arc::clone(&held), Arc::clone(&begun));
            calls.start(move |_: &dyn Backend| {
                begun.fetch_add(1, Ordering::SeqCst);
                let _ = held.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
                Ok(())
            })
        };
        let together: Vec<_> = (0..5).map(|_| start().unwrap()).collect();
        drop(together);
        (0..20).for_each(|_| assert!(matches!(start(), Err(Fault::Late))));
        drop(release);
        // All come back, and none is left that hangs.
        assert!((0..500).any(|_| {
            thread::sleep(Duration::from_millis(10));
            Hanging::count(&calls.hanging, 0) == 0
        }));
        assert_eq!(begun.load(Ordering::SeqCst), 5);
    }

    #[test]
    fn a_panic_is_a_fault_and_the_last_call() {
        let calls = BackendCalls::new(Arc::new(MemoryBackend::new()));
        let until = Deadline::after(Duration::from_secs(60));
        let panics = |_: &dyn Backend| -> Result<(), Fault> { panic!("on purpose") };
        assert!(matches!(calls.run(until, panics), Err(Fault::Other(_))));
        assert!(calls.has_panicked() && calls.run(until, |_| Ok(())).is_err());
    }
}
