//! The tasks of this process that compute a key, and those that wait for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::limits::{Wait, report};
use super::sync::{Condvar, ForkMutex, Instant, LazyLock, MutexGuard, PoisonError, is_worker};
use super::tasks::Waiter;
use crate::digest::DigestHash;
use crate::key::Key;
use crate::threads::fork::Process;

/// The age at which a flight first releases a worker that waits for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// The longest time between two releases of one flight: from this age on the age of the next isn't doubled any more.
const LONGEST_STEP: Duration = Duration::from_secs(64);

/// A folder, by 0 and the number that it has in this process: its path may change while it is open. Tests keep apart by
/// other first numbers.
pub(crate) type FolderId = (u64, u64);

/// For keys that belong to no folder: other processes are told nothing of them.
pub(crate) const NO_FOLDER: FolderId = (u64::MAX, u64::MAX);

/// What a flight is about; memories of one folder share their flights.
pub(super) type FolderKey = (FolderId, Key);

#[derive(Default)]
struct Waits {
    /// The process whose tasks these are: a forked child has none of the threads that compute in it.
    process: Option<Process>,
    flights: HashMap<FolderKey, Flight, DigestHash>,
    /// Which key each task waits for, while it sleeps.
    waiting: HashMap<Waiter, FolderKey>,
    /// The last number that was given to a flight or to a wait of a worker.
    last_number: u64,
    /// When a worker was last released, by any flight.
    released: Option<Instant>,
}

/// A key that is being computed.
struct Flight {
    /// Tells it from other flights to the same key.
    number: u64,
    leader: Waiter,
    /// How often a task beside the leader has announced.
    announced: u64,
    /// Since when the leader computes; `None` while it waits for another process.
    begun: Option<Instant>,
    /// At which age the next worker is released.
    release_at: Duration,
    /// The workers that wait, each with its number among all waits; the youngest last.
    workers: Vec<(u64, Waiter)>,
    /// The tasks that wait for this key, and no others. Made by the first of them.
    crowd: Option<Arc<Crowd>>,
}

/// The tasks that wait for one flight.
struct Crowd {
    changed: Condvar,
    /// The number of empty landings: of this flight, or of another process's that its leader waited for.
    empty: AtomicU64,
}

static WAITS: LazyLock<ForkMutex<Waits>> = LazyLock::new(ForkMutex::default);

/// How a task may go on that needs a key.
pub(super) enum Turn {
    /// It computes, and others wait for it until it announces.
    Lead(Announcement),
    /// Another task has just announced: look again.
    LookAgain,
    /// It computes beside the leader, without waiting.
    Alone(Announcement),
}

/// When it is dropped, in a panic too, it tells those that wait for its key to look again.
pub(super) struct Announcement {
    key: FolderKey,
    /// The flight that ends with it; `None` beside the leader.
    leads: Option<u64>,
    /// Whether the flight, if it ended now, would have computed and stored nothing.
    is_empty: AtomicBool,
    /// A child that is forked meanwhile has a copy of this, which means nothing among the child's own flights.
    process: Process,
}

impl Announcement {
    /// Whether another task leads the flight to the key.
    pub(super) fn is_beside(&self) -> bool {
        self.leads.is_none()
    }
}

/// Asks for the turn to compute `key`; waits while another task of this process computes it.
pub(super) fn take_turn(key: FolderKey, wait: &Wait<'_>) -> Turn {
    let (me, worker) = (Waiter::current(), is_worker());
    // Dropped after the guard of the table, whose lock it takes.
    let _waiting_worker = if worker { Some(WaitingWorker { key, me }) } else { None };
    let mut waits = lock();
    let Some(flight) = waits.flights.get_mut(&key) else {
        return Turn::Lead(waits.begin(key, me, wait.patience));
    };
    let (met, crowd) = (flight.state(), flight.crowd());
    let empty = crowd.empty();
    if worker {
        waits.enter(&key, me);
    }
    let turn = loop {
        if worker {
            waits.release_if_due(wait.patience);
        }
        // A flight in another state has ended, or somebody has announced: there may be something to find.
        let Some(flight) = waits.flights.get(&key).filter(|flight| flight.state() == met) else {
            break Turn::LookAgain;
        };
        let is_released = worker && !flight.has(me);
        // Looked for before each sleep: a task that is awake, as while it asks its caller, is no link of a chain.
        if is_released || wait.is_over() || waits.closes_cycle(me, &key) {
            break Turn::Alone(Announcement::new(key, None));
        }
        let interrupted;
        (waits, interrupted) = sleep(waits, &crowd, key, me, wait);
        if interrupted {
            break Turn::Alone(Announcement::new(key, None));
        }
    };
    if crowd.empty() != empty {
        wait.set_in_vain();
    }
    turn
}

/// A worker that waits for a flight until this is dropped: in a panic of the caller's interrupt, too.
struct WaitingWorker {
    key: FolderKey,
    me: Waiter,
}

impl Drop for WaitingWorker {
    fn drop(&mut self) {
        if let Some(flight) = lock().flights.get_mut(&self.key) {
            flight.workers.retain(|(_, task)| *task != self.me);
        }
    }
}

/// Sleeps until something may have changed, then reports the wait if that is due, and asks whether it is interrupted.
fn sleep(
    mut waits: MutexGuard<'static, Waits>,
    crowd: &Crowd,
    key: FolderKey,
    me: Waiter,
    wait: &Wait<'_>,
) -> (MutexGuard<'static, Waits>, bool) {
    let until_release = waits.until_release(wait.patience);
    let Some(flight) = waits.flights.get(&key) else { return (waits, false) };
    let left = match flight.until_due() {
        Some(due) if flight.has(me) => due.max(until_release).min(wait.left()),
        _ => wait.left(),
    };
    waits.waiting.insert(me, key);
    let mut waits = crowd.changed.wait_timeout(waits, left).unwrap_or_else(PoisonError::into_inner).0;
    waits.waiting.remove(&me);
    let due_report = wait.due_report();
    if !wait.can_be_interrupted() && due_report.is_none() {
        return (waits, false);
    }
    drop(waits);
    if let Some(waited) = due_report {
        report(key.1, "another thread", waited);
    }
    // The caller's code may do anything, such as need another key.
    let interrupted = wait.is_interrupted();
    (lock(), interrupted)
}

/// What a task holds up while it waits for another process.
pub(super) struct HeldUp {
    /// The keys in the folder of the key that it waits for.
    pub(super) keys: Vec<Key>,
    /// Whether there are more of them than is known for certain, because workers wait.
    pub(super) widely: bool,
    /// Whether it may hold up keys of other folders, too.
    pub(super) elsewhere: bool,
}

/// The keys that nobody gets before this task has got `awaited`: those that it computes, and those that are computed by
/// tasks that wait for it. Once the patience is over, and if workers wait for anything: all that this process computes.
pub(super) fn held_up((folder, awaited): FolderKey, is_patient: bool) -> HeldUp {
    let (me, waits) = (Waiter::current(), lock());
    let widely = !is_patient && (is_worker() || waits.flights.values().any(|flight| !flight.workers.is_empty()));
    let others = || waits.flights.keys().filter(|key| **key != (folder, awaited));
    let here = others().filter(|key| key.0 == folder && (widely || waits.closes_cycle(me, key)));
    let mut keys: Vec<_> = here.map(|key| key.1).collect();
    keys.sort_unstable();
    HeldUp { keys, widely, elsewhere: widely && others().any(|key| key.0 != folder && key.0 != NO_FOLDER) }
}

fn lock() -> MutexGuard<'static, Waits> {
    let (mut waits, process) = (LazyLock::force(&WAITS).lock(), Some(Process::current()));
    if waits.process != process {
        *waits = Waits { process, ..Waits::default() };
    }
    waits
}

/// How many workers wait for a key.
#[cfg(test)]
pub(super) fn waiting_workers(key: FolderKey) -> usize {
    lock().flights.get(&key).map_or(0, |flight| flight.workers.len())
}

impl Waits {
    fn begin(&mut self, key: FolderKey, leader: Waiter, patience: Duration) -> Announcement {
        self.last_number += 1;
        let number = self.last_number;
        let flight = Flight {
            number,
            leader,
            announced: 0,
            begun: Some(Instant::now()),
            release_at: patience,
            workers: Vec::new(),
            crowd: None,
        };
        self.flights.insert(key, flight);
        Announcement::new(key, Some(number))
    }

    /// The flight that ends with this announcement; `None` if it leads none, or is a forked child's copy: the child
    /// numbers its flights anew.
    fn led_by(&mut self, announcement: &Announcement) -> Option<&mut Flight> {
        let flight = self.flights.get_mut(&announcement.key).filter(|_| announcement.process.is_current())?;
        Some(flight).filter(|flight| Some(flight.number) == announcement.leads)
    }

    /// Lets a worker wait.
    fn enter(&mut self, key: &FolderKey, me: Waiter) {
        let Some(flight) = self.flights.get_mut(key) else { return };
        if flight.workers.is_empty() {
            // There was no worker to release at the ages that have passed: the next one counts.
            flight.schedule();
        }
        self.last_number += 1;
        flight.workers.push((self.last_number, me));
    }

    /// How soon any flight may release a worker: not before the last one that was released has had time to free others.
    fn until_release(&self, patience: Duration) -> Duration {
        self.released.map_or(Duration::ZERO, |released| patience.saturating_sub(released.elapsed()))
    }

    /// Releases the youngest of all workers that wait for flights of the right age, if there is one. Whichever worker
    /// comes first at the time does it for all.
    fn release_if_due(&mut self, patience: Duration) {
        if !self.until_release(patience).is_zero() {
            return;
        }
        let due = self.flights.values_mut().filter(|flight| flight.until_due().is_some_and(|due| due.is_zero()));
        if let Some(flight) = due.max_by_key(|flight| flight.workers.last().map(|(number, _)| *number)) {
            flight.workers.pop();
            flight.schedule();
            flight.wake();
            self.released = Some(Instant::now());
        }
    }

    /// Whether the leader of `key` is `me`, or waits, perhaps through others, for something that `me` computes.
    fn closes_cycle(&self, me: Waiter, key: &FolderKey) -> bool {
        let mut key = key;
        // Each task waits for one key, so that the chain has at most as many links as tasks wait.
        for _ in 0..=self.waiting.len() {
            match self.flights.get(key) {
                Some(flight) if flight.leader == me => return true,
                Some(flight) => match self.waiting.get(&flight.leader) {
                    Some(next) => key = next,
                    None => return false,
                },
                None => return false,
            }
        }
        true
    }
}

impl Flight {
    /// Changes whenever there may be something new to find.
    fn state(&self) -> (u64, u64) {
        (self.number, self.announced)
    }

    fn age(&self) -> Option<Duration> {
        self.begun.map(|begun| begun.elapsed())
    }

    fn has(&self, worker: Waiter) -> bool {
        self.workers.iter().any(|(_, task)| *task == worker)
    }

    /// The time until it is old enough to release one of its workers; `None` if it has none, or doesn't get older.
    fn until_due(&self) -> Option<Duration> {
        self.age().filter(|_| !self.workers.is_empty()).map(|age| self.release_at.saturating_sub(age))
    }

    /// Passes over the ages that the flight has reached.
    fn schedule(&mut self) {
        while self.age().is_some_and(|age| age >= self.release_at) {
            self.release_at += self.release_at.clamp(Duration::from_millis(1), LONGEST_STEP);
        }
    }

    fn crowd(&mut self) -> Arc<Crowd> {
        let new = || Arc::new(Crowd { changed: Condvar::new(), empty: AtomicU64::new(0) });
        Arc::clone(self.crowd.get_or_insert_with(new))
    }

    fn wake(&self) {
        // A wake-up for nobody is a system call, too.
        if let Some(crowd) = &self.crowd {
            crowd.changed.notify_all();
        }
    }

    /// Tells the waiting tasks that nothing was stored. Only under the lock of the table, under which they read it.
    fn land_empty(&self) {
        if let Some(crowd) = &self.crowd {
            crowd.empty.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Crowd {
    fn empty(&self) -> u64 {
        self.empty.load(Ordering::Relaxed)
    }
}

impl Announcement {
    fn new(key: FolderKey, leads: Option<u64>) -> Self {
        Self { key, leads, is_empty: AtomicBool::new(false), process: Process::current() }
    }

    /// Says whether the flight lands empty if it ends now. If it doesn't, the waiting tasks look again, and one of them
    /// leads if there is no result.
    pub(super) fn lands_empty(&self, is_empty: bool) {
        self.is_empty.store(is_empty, Ordering::Relaxed);
    }

    /// Tells the waiting tasks that the other process's flight, which this one waited for, has landed empty.
    pub(super) fn pass_on_empty(&self) {
        let mut waits = lock();
        if let Some(flight) = waits.led_by(self) {
            flight.announced += 1;
            flight.land_empty();
            flight.wake();
        }
    }

    /// Says that this thread or task computes what another one has announced, until the guard is dropped. Nobody waits
    /// while they say so, so that no cycle is closed by it.
    pub(super) fn take_over(&self) -> TakenOver<'_> {
        TakenOver { announcement: self, before: self.lead_by(Waiter::current()) }
    }

    /// The task that led before; `None` if this leads no flight.
    fn lead_by(&self, leader: Waiter) -> Option<Waiter> {
        let mut waits = lock();
        Some(std::mem::replace(&mut waits.led_by(self)?.leader, leader))
    }

    /// Whether the leader waits for another process, during which its flight releases nobody.
    pub(super) fn suspend(&self, is_suspended: bool) {
        let mut waits = lock();
        let Some(flight) = waits.led_by(self) else { return };
        flight.begun = if is_suspended { None } else { Some(Instant::now()) };
        flight.wake();
    }
}

#[cfg(test)]
impl Announcement {
    /// The copy that a forked child has of it.
    pub(super) fn inherited(&self) -> Self {
        Self { key: self.key, leads: self.leads, is_empty: AtomicBool::new(false), process: Process::OTHER }
    }
}

/// A flight that another thread or task leads meanwhile.
pub(crate) struct TakenOver<'a> {
    announcement: &'a Announcement,
    before: Option<Waiter>,
}

impl Drop for TakenOver<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            self.announcement.lead_by(before);
        }
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if !self.process.is_current() {
            return;
        }
        let mut waits = lock();
        let Entry::Occupied(mut flight) = waits.flights.entry(self.key) else { return };
        match self.leads {
            None => {
                flight.get_mut().announced += 1;
                flight.get().wake();
            }
            Some(number) if number == flight.get().number => {
                let flight = flight.remove();
                if *self.is_empty.get_mut() {
                    flight.land_empty();
                }
                flight.wake();
            }
            Some(_) => {}
        }
    }
}
