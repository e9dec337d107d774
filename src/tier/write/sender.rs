//! The thread that sends to tiers what this process computes, and keeps the list of what was purged up to date.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::threads::fork::{ForkMutex, Process};
use crate::tier::core::Core;
use crate::tier::deny;
use crate::tier::write::upload::SendPass;

/// The longest that the first entry waits, at random: many processes may begin at once.
const JITTER: Duration = Duration::from_secs(2);

/// How often it looks whether a tier that is left alone may be asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// How often it looks whether an entry has been published.
const SOON: Duration = Duration::from_millis(100);

pub(in crate::tier) struct Sender {
    core: Arc<Core>,
    /// The process that has the thread.
    process: ForkMutex<Option<Process>>,
    over: Arc<AtomicBool>,
}

impl Sender {
    pub(in crate::tier) fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), process: ForkMutex::default(), over: Arc::default() }
    }

    /// Begins the thread, unless this process has it. Where none is to be had, the next process sends.
    pub(in crate::tier) fn work(&self) {
        let (mut process, current) = (self.process.lock(), Process::current());
        if *process == Some(current) {
            return;
        }
        *process = Some(current);
        drop(process);
        let (core, over) = (Arc::clone(&self.core), Arc::clone(&self.over));
        let spawned = thread::Builder::new().name("ndcache-sender".to_owned()).spawn(move || send(&core, &over));
        match spawned {
            Ok(thread) => *self.core.outbox.sender.lock() = Some(thread.thread().clone()),
            Err(error) => tracing::debug!(%error, "results are sent to tiers by another process"),
        }
    }

    /// Ends the thread when it has done with what it is sending.
    pub(in crate::tier) fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.core.outbox.wake();
    }
}

fn send(core: &Core, over: &AtomicBool) {
    let is_over = || over.load(Ordering::Relaxed);
    let jitter = JITTER * u32::try_from(RandomState::new().hash_one(0) % 1000).unwrap_or(0) / 1000;
    sleep(jitter, &is_over);
    while !is_over() {
        core.renew_deny();
        let pass = core.pass(false, &is_over, None);
        if is_over() || core.outbox.was_added() {
            continue;
        }
        thread::park_timeout(match pass {
            SendPass { early: 1.., .. } => SOON,
            SendPass { left: 1.., .. } => AGAIN,
            _ => deny::RENEWED,
        });
    }
}

/// Sleeps for `wait`, even if it is woken, or until `is_over`.
fn sleep(wait: Duration, is_over: &dyn Fn() -> bool) {
    let begin = Instant::now();
    while let Some(left) = wait.checked_sub(begin.elapsed()).filter(|left| !left.is_zero() && !is_over()) {
        thread::park_timeout(left);
    }
}
