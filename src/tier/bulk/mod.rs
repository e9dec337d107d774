//! Many results at once: sent, fetched, or purged everywhere.
//!
//! * `listing`: what a tier has; `purge`: what no machine is to use any more.

mod listing;
mod purge;

use std::time::Duration;

use crate::entry::info::stored_bytes;
use crate::entry::site::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::list::Entries;
use crate::key;
use crate::record::{Record, nanoseconds_since_1970};
use crate::tier::core::Core;
use crate::tier::place::Place;
use crate::tier::read::{FetchOutcome, FetchRequest};
use crate::tier::trouble::add;
use crate::tier::write::upload::{Sending, Sent};
use crate::tier::{Fault, Filter, Trouble};

pub use purge::Purged;

/// What [`Memory::push`](crate::Memory::push) and [`Memory::pull`](crate::Memory::pull) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// The number of results that were sent or fetched.
    pub moved: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The number of results that were already there.
    pub there: u64,
    /// The number of results that aren't shared: edited, of another user, too large.
    pub skipped: u64,
    /// The number of results that couldn't be sent or fetched, and of objects that have the name of a result but
    /// aren't one.
    pub failed: u64,
    /// The reasons: one for each tier and cause; for a single object with its name; at most a hundred.
    pub troubles: Vec<Trouble>,
}

/// How long each call may take.
const WAIT: Duration = Duration::from_secs(60);

impl Moved {
    fn fail(&mut self, trouble: Trouble) {
        self.failed += 1;
        add(&mut self.troubles, trouble);
    }
}

impl Filter {
    fn takes(&self, record: &Record, bytes: u64) -> bool {
        self.function.as_ref().is_none_or(|function| **function == *record.function)
            && self.since.is_none_or(|since| record.created >= nanoseconds_since_1970(since))
            && self.max_bytes.is_none_or(|most| bytes <= most)
    }
}

impl Core {
    pub(crate) fn computed(&self, function: &str, duration: Duration) {
        self.outbox.places.iter().for_each(|place| place.pace.computed(function, duration));
    }

    /// Sends this folder's results to all tiers that may be written.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no such tier.
    pub(crate) fn push(&self, filter: &Filter) -> Result<Moved> {
        if !self.outbox.places.iter().any(Place::writes) {
            return Err(read_only("push"));
        }
        self.renew_deny();
        let mut moved = Moved { troubles: self.outbox.withheld(), ..Moved::default() };
        for entry in Entries::new(&self.archive.disk) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    moved.fail(self.trouble_here(&error));
                    continue;
                }
            };
            let site = Site::new(key::folder(entry.function()), entry.key());
            let Ok(Some(found)) = self.archive.read_record(&site.record()) else { continue };
            if !filter.takes(&found.record, entry.bytes()) {
                continue;
            }
            for (place, _) in self.outbox.queues() {
                let sent = match place.refusal() {
                    Some(refusal) => Sent::Failed(Box::new(refusal)),
                    None => self.send(place, &site, &found, false, &Sending { held: &|| {}, until: None }),
                };
                match sent {
                    Sent::Put(bytes) => {
                        moved.moved += 1;
                        moved.bytes += bytes;
                    }
                    Sent::There => moved.there += 1,
                    Sent::Dropped | Sent::Early => moved.skipped += 1,
                    Sent::Failed(trouble) => moved.fail(*trouble),
                }
            }
        }
        Ok(moved)
    }

    /// Fetches the results of all tiers that this folder lacks.
    ///
    /// # Errors
    ///
    /// Returns an error when no tier can be listed; of several, those that can't are reported as troubles.
    pub(crate) fn pull(&self, filter: &Filter) -> Result<Moved> {
        self.renew_deny();
        let mut moved = Moved::default();
        let mut unlisted = Vec::new();
        for place in &self.outbox.places {
            let mut failed = Vec::new();
            let mut bad = |trouble: Trouble| failed.push(trouble);
            let mut each = |site: &Site, record: &Record| self.pull_one(place, site, record, &mut moved);
            let listed = self.each_record(place, filter, &mut each, &mut bad);
            failed.into_iter().for_each(|trouble| moved.fail(trouble));
            if let Err(fault) = listed {
                add(&mut moved.troubles, place.trouble(&fault));
                unlisted.push(failed_to("list", place, &fault));
            }
        }
        match unlisted.pop() {
            Some(error) if unlisted.len() + 1 == self.outbox.places.len() => Err(error),
            _ => Ok(moved),
        }
    }

    fn pull_one(&self, place: &Place, site: &Site, record: &Record, moved: &mut Moved) {
        let is_there = || matches!(self.archive.read_record(&site.record()), Ok(Some(_)) | Err(_));
        if is_there() {
            moved.there += 1;
            return;
        }
        if self.is_removed(site, record) {
            moved.skipped += 1;
            return;
        }
        let bytes = stored_bytes(record);
        let wanted = || !is_there() && !self.is_removed(site, record);
        let function = &record.function;
        // Values that no Rust type takes are fetched, too: Python may need them.
        let any = site.clone().of_any_value();
        let sought = FetchRequest { site: &any, function, fresh: &|_| Ok(()), interrupted: &|| false, wanted: &wanted };
        let of_object = |trouble: Trouble| trouble.at(place.object(&site.record()));
        match self.take(place, &sought, record) {
            FetchOutcome::Here => {
                moved.moved += 1;
                moved.bytes += bytes;
            }
            FetchOutcome::Damaged(error) => {
                moved.fail(of_object(Trouble::of_object(&place.name, "damaged", error.to_string())));
            }
            FetchOutcome::Failed(fault) => moved.fail(of_object(place.trouble(&fault))),
            FetchOutcome::Local(error) => moved.fail(self.trouble_here(&error)),
            _ => moved.skipped += 1,
        }
    }
}

/// The error of an action that needs a tier that may be written, where there is none.
fn read_only(action: &str) -> Error {
    let remedy = "say `rw:` before one in `NDCACHE_REMOTE`, or give it `Access::ReadWrite`";
    Error::unsupported(format!("can't {action}: the memory has no tier that it may write; {remedy}"))
}

fn failed_to(action: &str, place: &Place, fault: &Fault) -> Error {
    Error::new(ErrorKind::Io, format!("can't {action}: {}", place.trouble(fault)))
}
