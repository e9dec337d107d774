//! The leases of one stripe, by their slots.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::unsync::Cache;

use crate::digest::{Digest, DigestHash};
use crate::memo::table::{BYTES, ENTRY, Lease};

/// The share of the one that came last. What is heavier has its place among the others, who refuse it if they must.
const NEWEST: u64 = BYTES / 4;

/// A table that holds so many as there is room for, and the one that came last before it: a process that hits once
/// makes no table.
#[derive(Default)]
pub(crate) struct Leases {
    newest: Option<(Digest, Arc<Lease>)>,
    others: Option<Box<Others>>,
}

type Others = Cache<Digest, Arc<Lease>, Weight, DigestHash>;

impl Leases {
    #[inline]
    pub(crate) fn get(&self, slot: Digest) -> Option<&Arc<Lease>> {
        self.newest(slot).or_else(|| self.others.as_ref()?.get(&slot))
    }

    /// The same, which counts as no use.
    pub(crate) fn peek(&self, slot: Digest) -> Option<&Arc<Lease>> {
        self.newest(slot).or_else(|| self.others.as_ref()?.peek(&slot))
    }

    #[inline]
    fn newest(&self, slot: Digest) -> Option<&Arc<Lease>> {
        self.newest.as_ref().filter(|(newest, _)| *newest == slot).map(|(_, lease)| lease)
    }

    pub(crate) fn insert(&mut self, slot: Digest, lease: Arc<Lease>) {
        if lease.hot.weight() > NEWEST {
            self.newest.take_if(|(newest, _)| *newest == slot);
            return self.others().insert(slot, lease);
        }
        if let Some((older, lease)) = self.newest.replace((slot, lease))
            && older != slot
        {
            self.others().insert(older, lease);
        }
    }

    fn others(&mut self) -> &mut Others {
        self.others.get_or_insert_with(|| Box::new(others()))
    }

    pub(crate) fn remove(&mut self, slot: Digest) {
        self.newest.take_if(|(newest, _)| *newest == slot);
        if let Some(others) = &mut self.others {
            others.remove(&slot);
        }
    }

    #[cfg(test)]
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Lease>> {
        let others = self.others.iter().flat_map(|others| others.iter().map(|(_, lease)| lease));
        self.newest.iter().map(|(_, lease)| lease).chain(others)
    }
}

fn others() -> Others {
    let bytes = BYTES - NEWEST;
    let items = usize::try_from(bytes / ENTRY).unwrap_or(usize::MAX);
    Others::with(items, bytes, Weight, Default::default(), Default::default())
}

#[derive(Clone)]
struct Weight;

impl Weighter<Digest, Arc<Lease>> for Weight {
    fn weight(&self, _: &Digest, lease: &Arc<Lease>) -> u64 {
        lease.hot.weight()
    }
}
