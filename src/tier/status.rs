//! How the tiers of a memory are.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::tier::removed::{DENY, DENY_MAX};
use crate::tier::tiers::Core;
use crate::tier::{Access, Share};

/// A tier of a memory, from [`Memory::tiers`](crate::Memory::tiers).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TierStatus {
    /// Which place it is.
    pub place: String,
    /// Whether it is written to.
    pub access: Access,
    /// With which machines it is shared.
    pub share: Share,
    /// How many results of this user are still to be sent there.
    pub queued: u64,
    /// How long it isn't asked for yet, after a failure; nothing if it is asked.
    pub left_alone: Duration,
}

/// How long a place that is looked at may take.
const WAIT: Duration = Duration::from_secs(5);

impl Core {
    pub(crate) fn status(&self) -> Vec<TierStatus> {
        let queued = |name: &str| {
            let queue = self.outbox.queues().find(|(place, _)| place.name == name);
            queue.map_or(0, |(_, queue)| queue.len())
        };
        let status = self.outbox.places.iter().map(|place| TierStatus {
            place: place.name.clone(),
            access: place.tier.access,
            share: place.tier.share,
            queued: queued(&place.name),
            left_alone: place.circuit.waits(),
        });
        status.collect()
    }

    /// Asks each tier for a small object, and says how long that took.
    pub(crate) fn probe(&self) -> Vec<(String, Result<Duration>)> {
        let probed = self.outbox.places.iter().map(|place| {
            let begin = Instant::now();
            let answer = place.get(DENY.to_owned(), DENY_MAX, WAIT);
            let failed = |fault| Error::new(ErrorKind::Io, "it doesn't answer").because(fault);
            (place.name.clone(), answer.map(|_| begin.elapsed()).map_err(failed))
        });
        probed.collect()
    }
}
