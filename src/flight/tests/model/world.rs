//! A folder, its locks and the processes that share it, in memory. Each operation is a point at which the checker may
//! go on with another thread, and at which a process may have been killed.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::sync::{MutexGuard as StdGuard, PoisonError};
use std::time::Duration;

use shuttle::sync::{Condvar, Mutex, MutexGuard};
use shuttle::thread::{ThreadId, current};

use super::sync::LazyLock;

/// What a schedule may do wrong on purpose, to see that the checker finds it.
#[derive(Clone, Copy, Default)]
pub(super) struct Flaw {
    /// A flight that lands wakes one of those that wait.
    pub(super) wakes_one: bool,
    /// The leader doesn't look again.
    pub(super) trusts_its_first_look: bool,
    /// The lead is given up before the result is published.
    pub(super) lands_early: bool,
    /// A process that waits for another one doesn't hear what that one waits for.
    pub(super) tells_nothing: bool,
    /// The lock of a process outlives it, and who waits for it doesn't look whether the result is there.
    pub(super) waits_for_the_lock_alone: bool,
    /// A flight that has stored its result says that it hasn't.
    pub(super) lands_empty_though_it_stores: bool,
    /// A process that was killed is taken for one that had nothing to store.
    pub(super) kills_are_empty: bool,
    /// Whoever gives a lock back with nothing stored says so to nobody.
    pub(super) lands_in_silence: bool,
}

thread_local! {
    static FLAW: Cell<Flaw> = Cell::default();
}

/// The checker runs all threads of a schedule on one thread of the system.
pub(super) fn flaw() -> Flaw {
    FLAW.get()
}

pub(super) fn set_flaw(flaw: Flaw) {
    FLAW.set(flaw);
}

/// Unwinds a thread whose process was killed.
pub(super) struct Killed;

pub(super) type Process = u64;

#[derive(Clone, Copy, PartialEq)]
struct Entry {
    generation: u64,
    good: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Missing {
    Absent,
    Expired,
}

/// The process that computes `held` waits for `awaited`.
#[derive(Clone, Copy, PartialEq)]
struct Wait {
    process: Process,
    held: u8,
    awaited: u8,
}

#[derive(Default)]
struct Folder {
    entries: HashMap<u8, Entry>,
    locks: HashMap<u8, Process>,
    /// Which key waits for which, as processes have announced.
    announced: Vec<Wait>,
    dead: HashSet<Process>,
    computed: HashMap<u8, usize>,
    /// Counts changes, by which a sleeping thread is woken.
    version: u64,
    seen: HashMap<ThreadId, u64>,
    generation: u64,
    /// How often each key was given back with nothing stored.
    empty: HashMap<u8, u64>,
}

/// State whose use isn't a point of the schedule: no thread keeps it locked across one.
#[derive(Default)]
struct Threads {
    clock: Duration,
    workers: HashSet<ThreadId>,
    hurried: HashSet<ThreadId>,
    /// Those that have waited for a thread or a process.
    waited: HashSet<ThreadId>,
}

pub(super) struct World {
    folder: Mutex<Folder>,
    changed: Condvar,
    threads: std::sync::Mutex<Threads>,
}

static WORLD: LazyLock<World> =
    LazyLock::new(|| World { folder: Mutex::default(), changed: Condvar::new(), threads: std::sync::Mutex::default() });

/// That of this schedule.
pub(super) fn world() -> &'static World {
    LazyLock::force(&WORLD)
}

/// A key that a process has locked, and whether it has nothing to store.
pub(super) struct Held(Process, u8, Cell<bool>);

impl Held {
    pub(super) fn set_empty(&self, is_empty: bool) {
        self.2.set(is_empty);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.2.get() {
            world().land_empty(self.0, self.1);
        }
        let mut folder = world().folder();
        if !folder.dead.contains(&self.0) && folder.locks.get(&self.1) == Some(&self.0) {
            folder.locks.remove(&self.1);
            world().touch(folder);
        }
    }
}

/// Which key waits for which, as one thread has announced.
pub(super) struct Announced(Process, Vec<Wait>);

impl Drop for Announced {
    fn drop(&mut self) {
        let mut folder = world().folder();
        if folder.dead.contains(&self.0) {
            return;
        }
        for wait in &self.1 {
            if let Some(at) = folder.announced.iter().position(|announced| announced == wait) {
                folder.announced.swap_remove(at);
            }
        }
    }
}

impl World {
    fn folder(&self) -> MutexGuard<'_, Folder> {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder, for a process that is still alive.
    fn enter(&self, process: Process) -> MutexGuard<'_, Folder> {
        let folder = self.folder();
        if folder.dead.contains(&process) {
            drop(folder);
            resume_unwind(Box::new(Killed));
        }
        folder
    }

    fn touch(&self, mut folder: MutexGuard<'_, Folder>) {
        folder.version += 1;
        drop(folder);
        self.changed.notify_all();
    }

    pub(super) fn try_lock(&self, process: Process, key: u8) -> Option<Held> {
        let mut folder = self.enter(process);
        let version = folder.version;
        folder.seen.insert(current().id(), version);
        let holder = *folder.locks.entry(key).or_insert(process);
        (holder == process).then(|| Held(process, key, Cell::new(false)))
    }

    pub(super) fn last_empty(&self, process: Process, key: u8) -> Option<u64> {
        self.enter(process).empty.get(&key).copied()
    }

    fn land_empty(&self, process: Process, key: u8) {
        let mut folder = self.folder();
        if !folder.dead.contains(&process) && !flaw().lands_in_silence {
            *folder.empty.entry(key).or_default() += 1;
            self.touch(folder);
        }
    }

    pub(super) fn announce(&self, process: Process, held: &[u8], awaited: u8) -> Announced {
        let mut folder = self.enter(process);
        let waits: Vec<_> = held.iter().map(|&held| Wait { process, held, awaited }).collect();
        let is_news = waits.iter().any(|wait| !folder.announced.contains(wait));
        folder.announced.extend(&waits);
        if is_news {
            self.touch(folder);
        }
        Announced(process, waits)
    }

    pub(super) fn waits_of(&self, process: Process, held: u8) -> Vec<u8> {
        let folder = self.enter(process);
        let waits = folder.announced.iter().filter(|wait| wait.held == held && !flaw().tells_nothing);
        waits.map(|wait| wait.awaited).collect()
    }

    /// Those that sleep look again: a thread of theirs begins to wait for another.
    pub(super) fn wake(&self) {
        self.touch(self.folder());
    }

    pub(super) fn look(&self, process: Process, key: u8) -> Result<(), Missing> {
        match self.enter(process).entries.get(&key) {
            Some(entry) if entry.good => Ok(()),
            Some(_) => Err(Missing::Expired),
            None => Err(Missing::Absent),
        }
    }

    /// Which record stands there.
    pub(super) fn stat(&self, process: Process, key: u8) -> Option<u64> {
        self.enter(process).entries.get(&key).map(|entry| entry.generation)
    }

    pub(super) fn compute(&self, process: Process, key: u8) {
        *self.enter(process).computed.entry(key).or_default() += 1;
    }

    pub(super) fn publish(&self, process: Process, key: u8) {
        self.put(self.enter(process), key, true);
    }

    /// An entry that was stored long ago.
    pub(super) fn expired(&self, key: u8) {
        self.put(self.folder(), key, false);
    }

    fn put(&self, mut folder: MutexGuard<'_, Folder>, key: u8, good: bool) {
        folder.generation += 1;
        let generation = folder.generation;
        folder.entries.insert(key, Entry { generation, good });
        self.touch(folder);
    }

    /// Whether there was something to evict.
    pub(super) fn evict(&self, key: u8) -> bool {
        let mut folder = self.folder();
        let evicted = folder.entries.remove(&key).is_some();
        self.touch(folder);
        evicted
    }

    /// None of the process's threads goes on, and the kernel takes its locks; those that a forked child has inherited
    /// stay.
    pub(super) fn kill(&self, process: Process, orphans: bool) {
        let mut folder = self.folder();
        folder.dead.insert(process);
        if flaw().kills_are_empty {
            let held: Vec<_> =
                folder.locks.iter().filter(|(_, holder)| **holder == process).map(|(key, _)| *key).collect();
            held.into_iter().for_each(|key| *folder.empty.entry(key).or_default() += 1);
        }
        if !orphans {
            folder.locks.retain(|_, holder| *holder != process);
            folder.announced.retain(|wait| wait.process != process);
        }
        self.touch(folder);
    }

    pub(super) fn computed(&self, key: u8) -> usize {
        self.folder().computed.get(&key).copied().unwrap_or(0)
    }

    /// Goes on when `number` threads have begun to wait for one another.
    pub(super) fn until_others_wait(&self, number: usize) {
        while self.threads().waited.len() < number {
            shuttle::thread::yield_now();
        }
    }

    pub(super) fn note_wait(&self) {
        self.threads().waited.insert(current().id());
    }

    /// Waits until something has changed since this thread last tried a lock.
    pub(super) fn sleep(&self) {
        self.note_wait();
        let mut folder = self.folder();
        while folder.seen.get(&current().id()) == Some(&folder.version) {
            folder = self.changed.wait(folder).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn threads(&self) -> StdGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
        self.threads().clock
    }

    pub(super) fn advance(&self, by: Duration) {
        self.threads().clock += by;
    }

    /// Notes that this thread waits within limits.
    pub(super) fn hurry(&self) {
        self.threads().hurried.insert(current().id());
    }

    pub(super) fn is_hurried(&self) -> bool {
        self.is_worker() || self.threads().hurried.contains(&current().id())
    }

    /// This thread is one of a pool, which runs whatever job there is while it waits for its own.
    pub(super) fn work(&self) {
        self.threads().workers.insert(current().id());
    }

    pub(super) fn is_worker(&self) -> bool {
        self.threads().workers.contains(&current().id())
    }
}
