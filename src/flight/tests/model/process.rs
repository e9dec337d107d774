//! A process of the model, and the way of a call through it: that of `memory::eval`, around the same `Flights::lead`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use shuttle::thread::{JoinHandle, spawn};

use super::flights::{FlightOutcome, Flights, Look, Need};
use super::processes::{HeldKey, ProcessLocks};
use super::world::{Announced, Held, Killed, Missing, flaw, world};
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
        self.get_if(key, &|| {
            inside();
            true
        });
    }

    /// The result of a function that says whether it is to be stored.
    pub(super) fn get_if(&self, key: u8, inside: &dyn Fn() -> bool) {
        if self.limit.is_some() {
            world().hurry();
        }
        let Err(missing) = world().look(self.number, key) else { return };
        let asked = Asked { process: *self, key, first: missing };
        // A folder for each process, so that none sees the flights of another.
        let flights = Flights::new((self.number, 0), self.has_locks.then_some(*self), self.limit);
        let digest = Key::from_digest(Digest::from_bytes([key; 16]));
        let FlightOutcome::Compute(_, lead) = flights.lead(digest, missing, &asked) else { return };
        let mut lead = Some(lead);
        lead.iter().for_each(|lead| lead.lands_empty(true));
        world().compute(self.number, key);
        let is_stored = inside();
        if flaw().lands_early {
            lead = None;
        }
        if is_stored {
            world().publish(self.number, key);
            lead.iter().for_each(|lead| lead.lands_empty(flaw().lands_empty_though_it_stores));
        }
        drop(lead);
    }
}

/// A key that a process asks for.
struct Asked {
    process: Process,
    key: u8,
    first: Missing,
}

impl ProcessLocks for Process {
    type Held = Held;
    type Announced = Announced;
    type Stub = u8;

    fn try_lock(&self, key: Key) -> CacheResult<Option<Held>> {
        Ok(world().try_lock(self.number, Self::stub(key)))
    }

    fn stub(key: Key) -> u8 {
        key.digest().to_bytes()[0]
    }

    fn announce(&self, held: &[u8], awaited: u8) -> CacheResult<Announced> {
        Ok(world().announce(self.number, held, awaited))
    }

    fn waits_of(&self, held: u8) -> CacheResult<Vec<u8>> {
        Ok(world().waits_of(self.number, held))
    }

    fn last_empty(&self, key: Key) -> Option<u64> {
        world().last_empty(self.number, Self::stub(key))
    }

    fn holder(&self, _: Key) -> Option<String> {
        None
    }
}

impl HeldKey for Held {
    fn lands_empty(&self, is_empty: bool) {
        self.set_empty(is_empty);
    }
}

impl Need for Asked {
    type Value = ();
    type Missing = Missing;

    fn look(&self) -> Look<(), Missing> {
        let found =
            if flaw().trusts_its_first_look { Err(self.first) } else { world().look(self.process.number, self.key) };
        found.map_or_else(Look::Missing, Look::Found)
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
