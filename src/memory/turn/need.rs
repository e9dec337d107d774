//! A call that misses and the locks of its folder, as single flight sees them.

use std::time::Duration;

use crate::call::request::Request;
use crate::entry::read::find::Missing;
use crate::entry::site::Site;
use crate::error::Result;
use crate::flight::{HeldKey, Look, Need, ProcessLocks};
use crate::key::Key;
use crate::memory::Engine;
use crate::memory::form::ResultForm;
use crate::store::{self, AnnouncedWaits, LockedKey};

/// A call whose result is awaited in this form.
pub(crate) struct NeededCall<'a, C, S> {
    pub(crate) engine: &'a Engine,
    pub(crate) call: &'a C,
    pub(crate) site: &'a Site,
    pub(crate) form: S,
}

impl<C: Request, S: ResultForm<C::Result>> Need for NeededCall<'_, C, S> {
    type Value = S::Out;
    type Missing = Missing;

    fn look(&self) -> Look<S::Out, Missing> {
        self.engine.hit(self.call, self.site, self.form)
    }

    fn watch(&self, missing: &Missing) -> impl Fn() -> bool {
        self.engine.watch(self.site, missing)
    }

    fn still_waits(&self, for_whom: &str, waited: Duration) {
        self.engine.still_waits(self.call.function().path(), for_whom, waited);
    }
}

impl Engine {
    /// Prints for which other process a call still waits.
    pub(crate) fn still_waits(&self, function: &str, for_whom: &str, waited: Duration) {
        let seconds = waited.as_secs();
        self.recorder.warn(&format!("{function}: still waiting for {for_whom}, for {seconds} s now"));
    }

    /// Tells whether a record stands there, other than the one that was found to be no good.
    pub(crate) fn watch(&self, site: &Site, missing: &Missing) -> impl Fn() -> bool {
        let record = || self.archive.record_stat(site).ok().flatten();
        // What is there and no good doesn't end the wait; what takes its place does.
        let stale = if matches!(missing, Missing::Expired(_) | Missing::Damaged(_) | Missing::Unsupported(_)) {
            record()
        } else {
            None
        };
        move || record().is_some_and(|stat| Some(stat) != stale)
    }
}

impl ProcessLocks for store::Locks {
    type Held = LockedKey;
    type Announced = AnnouncedWaits;
    type Stub = u32;

    fn try_lock(&self, key: Key) -> Result<Option<LockedKey>> {
        self.try_lock(key.digest().to_bytes())
    }

    fn stub(key: Key) -> u32 {
        store::Locks::stub(key.digest().to_bytes())
    }

    fn announce(&self, held: &[u32], awaited: u32) -> Result<AnnouncedWaits> {
        self.announce(held, awaited)
    }

    fn waits_of(&self, held: u32) -> Result<Vec<u32>> {
        self.waits_of(held)
    }

    fn last_empty(&self, key: Key) -> Option<u64> {
        self.last_empty(key.digest().to_bytes())
    }

    fn holder(&self, key: Key) -> Option<String> {
        self.holder(key.digest().to_bytes())
    }
}

impl HeldKey for LockedKey {
    fn lands_empty(&self, is_empty: bool) {
        self.lands_empty(is_empty);
    }
}
