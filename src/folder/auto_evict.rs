//! Keeps a folder within its limits, in the background.

use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crate::folder::evict::{Evictor, Inventory};
use crate::folder::limits::{Evicted, Limits};
use crate::threads::fork::{ForkMutex, Process};

/// What part of a limit may be written between two counts, and how much is left free for it: one such part for what
/// comes before the next count, another for what comes while it lasts.
const PART: u64 = 10;
const FREE_PARTS: u64 = 2;

/// How often room is made for the sake of a full disk, which others may have filled.
const EMERGENCY_INTERVAL: Duration = Duration::from_secs(60);

/// Evicts when enough was written; waits, when it is dropped, for its thread.
pub(crate) struct AutoEvict(Arc<EvictState>);

/// Hears, in words, that the limits can't be kept.
pub(crate) type Warn = Box<dyn Fn(&str) + Send + Sync + UnwindSafe + RefUnwindSafe>;

struct EvictState {
    evictor: Arc<Evictor>,
    limits: Limits,
    warn: Warn,
    /// Whether somebody was warned.
    warned: AtomicBool,
    /// Written since the last count.
    bytes: AtomicU64,
    items: AtomicU64,
    /// When this memory last asked for the age of the last count.
    asked: ForkMutex<Option<Instant>>,
    worker: ForkMutex<Worker>,
    emergency: ForkMutex<Option<Instant>>,
}

#[derive(Default)]
struct Worker {
    running: bool,
    thread: Option<JoinHandle<()>>,
    /// The process of that thread: a child that was forked has none.
    process: Option<Process>,
}

/// How often the folder is counted before the limits are left alone until the next put.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounds {
    /// Until no part of a limit was written meanwhile.
    UntilKept,
    /// On the thread of a put, where no other was to be had: it isn't held up by what others write meanwhile.
    One,
}

impl AutoEvict {
    pub(crate) fn new(evictor: Arc<Evictor>, limits: Limits, warn: Warn) -> Self {
        Self(Arc::new(EvictState {
            evictor,
            limits,
            warn,
            warned: AtomicBool::new(false),
            bytes: AtomicU64::new(limits.bytes.map_or(0, head_start)),
            items: AtomicU64::new(limits.items.map_or(0, head_start)),
            asked: ForkMutex::default(),
            worker: ForkMutex::default(),
            emergency: ForkMutex::default(),
        }))
    }

    /// Notes that an entry was stored; starts the thread if it is time to count, or counts here if there is none.
    pub(crate) fn wrote(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.0.items.fetch_add(1, Ordering::Relaxed);
        if self.0.is_due() {
            self.start();
        }
    }

    /// Evicts a tenth of a limit at once, because the disk is full; says whether that made room.
    pub(crate) fn make_room(&self) -> bool {
        let mut last = self.0.emergency.lock();
        if last.is_some_and(|last| last.elapsed() < EMERGENCY_INTERVAL) {
            return false;
        }
        *last = Some(Instant::now());
        let limits = self.0.limits;
        let less = |inventory: &Inventory| match limits {
            Limits { bytes: Some(bytes), .. } => {
                Limits { bytes: Some(inventory.bytes.saturating_sub(part(bytes))), ..limits }
            }
            Limits { items: Some(items), .. } => {
                Limits { items: Some(inventory.items.saturating_sub(part(items))), ..limits }
            }
            _ => limits,
        };
        let evicted = self.0.reduced(less);
        evicted.is_some_and(|evicted| evicted.bytes > 0)
    }

    fn start(&self) {
        let mut worker = self.0.worker.lock();
        worker.forget_another_process();
        if worker.running {
            return; // it looks again before it ends
        }
        if let Some(ended) = worker.thread.take() {
            let _ = ended.join();
        }
        let shared = Arc::clone(&self.0);
        let spawned =
            thread::Builder::new().name("ndcache-evict".to_owned()).spawn(move || shared.work(Rounds::UntilKept));
        let thread = spawned.inspect_err(|error| tracing::debug!(%error, "no thread to evict on")).ok();
        let is_alone = thread.is_none();
        *worker = Worker { running: true, thread, process: Some(Process::current()) };
        drop(worker);
        if is_alone {
            // A panic must not reach the computation; on a thread of its own it wouldn't.
            let _ = catch_unwind(AssertUnwindSafe(|| self.0.work(Rounds::One)));
        }
    }
}

impl Drop for AutoEvict {
    fn drop(&mut self) {
        let mut worker = self.0.worker.lock();
        worker.forget_another_process();
        let thread = worker.thread.take();
        drop(worker);
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Worker {
    /// Forgets the thread in a forked child, whose copy of the handle stands for none: joining it would last for ever.
    fn forget_another_process(&mut self) {
        if self.process != Some(Process::current()) {
            self.running = false;
            if let Some(thread) = self.thread.take() {
                std::mem::forget(thread);
            }
        }
    }
}

impl EvictState {
    fn work(&self, rounds: Rounds) {
        let ended = Ended(self);
        loop {
            self.bytes.store(0, Ordering::Relaxed);
            self.items.store(0, Ordering::Relaxed);
            if self.reduced(|_| self.goal()).is_none() {
                // Another process counts, and may have passed by what was just written: look again before long.
                self.bytes.fetch_add(self.limits.bytes.map_or(0, part) / 2, Ordering::Relaxed);
                self.items.fetch_add(self.limits.items.map_or(0, part) / 2, Ordering::Relaxed);
            }
            // Looked at under the lock, so that a put that finds the thread running is seen here.
            let mut worker = self.worker.lock();
            if rounds == Rounds::One || !self.has_written() {
                worker.running = false;
                std::mem::forget(ended);
                return;
            }
        }
    }

    fn reduced(&self, limits: impl FnOnce(&Inventory) -> Limits) -> Option<Evicted> {
        match self.evictor.reduce_alone(self.limits.age, limits) {
            Ok(evicted) => evicted,
            Err(error) => {
                let what = "the cache can't be kept within its limits";
                tracing::warn!(%error, "{what}");
                if !self.warned.swap(true, Ordering::Relaxed) {
                    (self.warn)(&format!("{what}: {error}"));
                }
                Some(Evicted::default())
            }
        }
    }

    /// What is to be left: less than the limit, so that there is room until the next count.
    fn goal(&self) -> Limits {
        let less = |limit: u64| limit - limit / PART * FREE_PARTS;
        Limits { bytes: self.limits.bytes.map(less), items: self.limits.items.map(less), age: self.limits.age }
    }

    fn is_due(&self) -> bool {
        self.has_written() || self.limits.age.is_some_and(|age| self.is_long_ago(age / PART as u32))
    }

    /// Whether a part of a limit was written since the last count.
    fn has_written(&self) -> bool {
        let written = |count: &AtomicU64, limit: u64| count.load(Ordering::Relaxed) >= part(limit);
        self.limits.bytes.is_some_and(|limit| written(&self.bytes, limit))
            || self.limits.items.is_some_and(|limit| written(&self.items, limit))
    }

    /// Whether no process has counted the folder for `interval`. Asks the file system at most once in that time.
    fn is_long_ago(&self, interval: Duration) -> bool {
        let mut asked = self.asked.lock();
        if asked.is_some_and(|asked| asked.elapsed() < interval) {
            return false;
        }
        *asked = Some(Instant::now());
        let counted = self.evictor.counted().unwrap_or(SystemTime::UNIX_EPOCH);
        counted.elapsed().is_ok_and(|since| since >= interval)
    }
}

/// Says so when the thread panics, that another may be started.
struct Ended<'a>(&'a EvictState);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.worker.lock().running = false;
    }
}

/// How much of a limit may be written before what is there is counted.
fn part(limit: u64) -> u64 {
    (limit / PART).max(1)
}

/// Where a memory begins in its first part: anywhere, so that however little each of many processes writes, a count
/// comes once in a part on the average.
fn head_start(limit: u64) -> u64 {
    // Keyed by the operating system, anew each time.
    RandomState::new().hash_one(std::process::id()) % part(limit)
}
