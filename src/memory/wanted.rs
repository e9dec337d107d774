//! A call that misses and the locks of its folder, as single flight sees them.

use super::lookup::{Missing, Site};
use super::shape::Shape;
use super::{Call, Inner};
use crate::error::Result;
use crate::flight::{Locks, Look, Wanted};
use crate::key::Key;
use crate::store::{self, AnnouncedWaits, LockedKey};

/// A call whose result is wanted in this shape.
pub(super) struct WantedCall<'a, A, R, S> {
    pub(super) inner: &'a Inner,
    pub(super) call: &'a Call<A, R>,
    pub(super) site: &'a Site,
    pub(super) shape: S,
}

impl<A, R, S: Shape<R>> Wanted for WantedCall<'_, A, R, S> {
    type Value = S::Out;
    type Missing = Missing;

    fn look(&self) -> Look<S::Out, Missing> {
        match self.inner.hit(self.call, self.site, self.shape) {
            Ok(value) => Look::Found(value),
            Err(missing) => Look::Missing(missing),
        }
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
    type Announced = AnnouncedWaits;
    type Stub = u32;

    fn try_lock(&self, key: Key) -> Result<Option<LockedKey>> {
        self.try_lock(key.digest().to_bytes())
    }

    fn stub(key: Key) -> u32 {
        store::Locks::stub(key.digest().to_bytes())
    }

    fn announce(&self, held: &[u32], wanted: u32) -> Result<AnnouncedWaits> {
        self.announce(held, wanted)
    }

    fn waits_of(&self, held: u32) -> Result<Vec<u32>> {
        self.waits_of(held)
    }
}
