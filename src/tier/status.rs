//! How the tiers of a memory are.

use std::time::{Duration, SystemTime};

use crate::tier::core::Core;
use crate::tier::deny::Deny;
use crate::tier::place::Place;
use crate::tier::{Access, Share};

/// A tier of a memory, from [`Memory::tiers`](crate::Memory::tiers).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TierStatus {
    /// The place.
    pub place: String,
    /// Whether it is written to.
    pub access: Access,
    /// Which machines share results there.
    pub share: Share,
    /// The number of results of this user that are still to be sent there.
    pub queued: u64,
    /// How long it won't be asked, because of a failure; zero if it is asked.
    pub left_alone: Duration,
    /// The purges in force, as last read by this folder, at most ten minutes ago if a memory is open.
    pub purges: Vec<Purge>,
}

/// A purge that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purge {
    /// What was purged, as the list of the tier has it: the name of a function's folder, a key, or `all`.
    pub what: String,
    /// Results that were computed until then are invalid.
    pub until: SystemTime,
}

impl Core {
    pub(crate) fn status(&self) -> Vec<TierStatus> {
        let status = self.outbox.queued().map(|(place, queued)| TierStatus {
            place: place.name.clone(),
            access: place.tier.access,
            share: place.tier.share,
            queued,
            left_alone: place.circuit.waits(),
            purges: self.purges(place),
        });
        status.collect()
    }

    fn purges(&self, place: &Place) -> Vec<Purge> {
        let at = |nanoseconds| SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        let list = Deny::read(&self.archive.disk, &place.id);
        list.in_force().map(|(what, until)| Purge { what, until: at(until) }).collect()
    }
}
