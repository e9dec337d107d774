//! A process of the model, and the way of a call through it: that of `memory::eval`, around the same `take_turn`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use shuttle::thread::{JoinHandle, spawn};

use super::flight::Place;
use super::lead::{Locks, Wanted, take_turn};
use super::world::{Held, Killed, Missing, Told, flaw, world};
use crate::digest::Digest;
use crate::error::Result as CacheResult;
use crate::key::Key;

/// Unwinds a thread whose function panics on purpose.
pub(super) struct Panicked;

#[derive(Clone, Copy)]
pub(super) struct Process {
    pub(super) number: u64,
    pub(super) limit: Option<Duration>,
    has_locks: bool,
}

impl Process {
    pub(super) fn new(number: u64) -> Self {
        Self { number, limit: None, has_locks: true }
    }

    pub(super) fn limit(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// On a file system that has none.
    pub(super) fn without_locks(self) -> Self {
        Self { has_locks: false, ..self }
    }

    /// The result of a function that makes these calls inside.
    pub(super) fn get(&self, key: u8, inside: &dyn Fn()) {
        if self.limit.is_some() {
            world().hurry();
        }
        let Err(missing) = world().look(self.number, key) else { return };
        let asked = Asked { process: *self, key, first: missing };
        let Err((_, mut lead)) = take_turn(&asked, missing) else { return };
        world().compute(self.number, key);
        inside();
        if flaw().lands_early {
            lead = None;
        }
        world().publish(self.number, key);
        drop(lead);
    }
}

/// A key that a process asks for.
struct Asked {
    process: Process,
    key: u8,
    first: Missing,
}

impl Locks for Process {
    type Held = Held;
    type Told = Told;
    type Stub = u8;

    fn try_lock(&self, key: Key) -> CacheResult<Option<Held>> {
        Ok(world().try_lock(self.number, Self::stub(key)))
    }

    fn stub(key: Key) -> u8 {
        key.digest().to_bytes()[0]
    }

    fn tell(&self, held: &[u8], wanted: u8) -> CacheResult<Told> {
        Ok(world().tell(self.number, held, wanted))
    }

    fn told_of(&self, held: u8) -> CacheResult<Vec<u8>> {
        Ok(world().told_of(self.number, held).into_iter().collect())
    }
}

impl Wanted for Asked {
    type Value = ();
    type Missing = Missing;
    type Locks = Process;

    fn key(&self) -> Key {
        Key::from_digest(Digest::from_bytes([self.key; 16]))
    }

    /// A folder for each process, so that none sees the flights of another.
    fn place(&self) -> Place {
        (self.process.number, 0)
    }

    fn locks(&self) -> Option<&Process> {
        self.process.has_locks.then_some(&self.process)
    }

    fn limit(&self) -> Option<Duration> {
        self.process.limit
    }

    fn look(&self) -> Result<(), Missing> {
        if flaw().trusts_its_first_look {
            return Err(self.first);
        }
        world().look(self.process.number, self.key)
    }

    fn watch(&self, missing: &Missing) -> impl Fn() -> bool {
        let stat = || world().stat(self.process.number, self.key);
        let stale = if *missing == Missing::Expired { stat() } else { None };
        move || !flaw().waits_for_the_lock_alone && stat().is_some_and(|stat| Some(stat) != stale)
    }
}

/// A thread that may be killed or panic on purpose.
pub(super) fn thread(body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    spawn(move || {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(body))
            && !payload.is::<Killed>()
            && !payload.is::<Panicked>()
        {
            resume_unwind(payload);
        }
    })
}

pub(super) fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    // All of them begin before the first is waited for.
    let threads: Vec<_> = threads.into_iter().collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
