//! A call that misses and the locks of its folder, as single flight sees them.

use std::time::Duration;

use super::flight::Place;
use super::lead::{Locks, Wanted};
use super::lookup::{Missing, Site};
use super::shape::Shape;
use super::{Call, Inner};
use crate::error::Result;
use crate::key::Key;
use crate::store::{self, LockedKey, ToldWaits};

/// A call whose result is wanted in this shape.
pub(super) struct WantedCall<'a, A, R, S> {
    inner: &'a Inner,
    call: &'a Call<A, R>,
    site: &'a Site,
    shape: S,
    place: Place,
    locks: Option<store::Locks>,
}

impl<'a, A, R, S> WantedCall<'a, A, R, S> {
    /// In the folder that is open now.
    pub(super) fn new(inner: &'a Inner, call: &'a Call<A, R>, site: &'a Site, shape: S) -> Self {
        Self { inner, call, site, shape, place: inner.place(), locks: inner.locks() }
    }
}

impl<A, R, S: Shape<R>> Wanted for WantedCall<'_, A, R, S> {
    type Value = S::Out;
    type Missing = Missing;
    type Locks = store::Locks;

    fn key(&self) -> Key {
        self.site.key()
    }

    fn place(&self) -> Place {
        self.place
    }

    fn locks(&self) -> Option<&store::Locks> {
        self.locks.as_ref()
    }

    fn limit(&self) -> Option<Duration> {
        self.inner.settings.wait
    }

    fn look(&self) -> Result<S::Out, Missing> {
        self.inner.hit(self.call, self.site, self.shape)
    }

    fn watch(&self, missing: &Missing) -> impl Fn() -> bool {
        self.inner.watch(self.site, missing)
    }
}

impl Inner {
    /// Tells whether a record stands there, other than the one that was found to be no good.
    fn watch(&self, site: &Site, missing: &Missing) -> impl Fn() -> bool {
        let record = || self.disk.stat(&site.record()).ok().flatten();
        // What is there and no good doesn't end the wait; what takes its place does.
        let stale = if matches!(missing, Missing::Expired(_) | Missing::Damaged(_)) { record() } else { None };
        move || record().is_some_and(|stat| Some(stat) != stale)
    }
}

impl Locks for store::Locks {
    type Held = LockedKey;
    type Told = ToldWaits;
    type Stub = u32;

    fn try_lock(&self, key: Key) -> Result<Option<LockedKey>> {
        self.try_lock(key.digest().to_bytes())
    }

    fn stub(key: Key) -> u32 {
        store::Locks::stub(key.digest().to_bytes())
    }

    fn tell(&self, held: &[u32], wanted: u32) -> Result<ToldWaits> {
        self.tell(held, wanted)
    }

    fn told_of(&self, held: u32) -> Result<Vec<u32>> {
        self.told_of(held)
    }
}
