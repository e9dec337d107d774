//! Results that no machine is to use any more are put on the list of each tier first, then removed there and here.

use std::time::SystemTime;

use crate::entry::site::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::list::Entries;
use crate::record::{Record, nanoseconds_since_1970};
use crate::tier::bulk::{WAIT, failed_to, read_only};
use crate::tier::core::Core;
use crate::tier::deny::{DENY, DENY_MAX, Deny, RemovedScope};
use crate::tier::place::{Answer, Place};
use crate::tier::trouble::add;
use crate::tier::{Deadline, Fault, Filter, Trouble};

/// What [`Memory::purge`](crate::Memory::purge) removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// The number of results in this folder.
    pub here: u64,
    /// The number of results in tiers, as far as these can be listed; purged results in other tiers stay there, but
    /// aren't fetched.
    pub there: u64,
    /// The number of tiers into which the purge was written.
    pub tiers: u64,
    /// Why a result stays in a tier, or a tier wasn't searched; purged results aren't fetched in any case.
    pub troubles: Vec<Trouble>,
}

/// How often a list is written anew that somebody else has written at the same time.
const TRIES: usize = 5;

impl Filter {
    /// What it names as a whole, if it does.
    fn target(&self) -> Option<RemovedScope> {
        match self {
            Self { since: Some(_), .. } | Self { max_bytes: Some(_), .. } => None,
            Self { function: Some(function), .. } => Some(RemovedScope::of_function(function)),
            Self { function: None, .. } => Some(RemovedScope::All),
        }
    }
}

impl Core {
    /// Tells each tier first what is no good, then removes that there and here.
    pub(crate) fn purge(&self, filter: &Filter) -> Result<Purged> {
        let places: Vec<_> = self.outbox.places.iter().filter(|place| place.writes()).collect();
        if places.is_empty() {
            return Err(read_only("purge"));
        }
        let (now, mut purged) = (nanoseconds_since_1970(SystemTime::now()), Purged::default());
        let mut deny = Deny::default();
        match filter.target() {
            Some(target) => deny.add(target, now),
            None => self.name_each(&places, filter, &mut deny, now, &mut purged.troubles)?,
        }
        let (mut there, mut here) = (Ok(()), Ok(()));
        for place in &places {
            let mut own = deny.clone();
            match deny_there(place, &mut own) {
                Ok(()) => purged.tiers += 1,
                Err(error) => there = Err(error),
            }
            match self.keep_deny(place, own) {
                Ok(removed) => purged.here += removed,
                Err(error) => here = Err(error),
            }
        }
        there?;
        for place in &places {
            purged.there += self.delete_denied(place, filter, &deny, &mut purged.troubles);
        }
        here.map(|()| purged)
    }

    /// Lifts purges on the tiers that may be written; returns how many were in force.
    pub(crate) fn lift_purge(&self, what: Option<&str>) -> Result<u64> {
        let places: Vec<_> = self.outbox.places.iter().filter(|place| place.writes()).collect();
        if places.is_empty() {
            return Err(read_only("lift a purge"));
        }
        let mut lifted = 0;
        for place in places {
            let (mut list, _) = list_of(place, "lift a purge")?;
            // Purges that the list has lost, and this folder still knows, are lifted, too.
            list.merge(Deny::read(&self.archive.disk, &place.id));
            let here = list.lift(what);
            if here > 0 {
                put_list(place, list.clone(), "lift a purge")?;
                self.keep_deny(place, list)?;
                lifted += here;
            }
        }
        Ok(lifted)
    }

    /// Names the single results that a filter takes, here and in tiers, if it takes no whole function.
    fn name_each(
        &self,
        places: &[&Place],
        filter: &Filter,
        deny: &mut Deny,
        now: u64,
        troubles: &mut Vec<Trouble>,
    ) -> Result<()> {
        for entry in Entries::new(&self.archive.disk) {
            match entry {
                Ok(entry) if filter.takes(entry.record(), entry.bytes()) => {
                    deny.add(RemovedScope::Key(entry.key()), now)
                }
                Ok(_) => {}
                Err(error) => add(troubles, self.trouble_here(&error)),
            }
        }
        for place in places {
            let mut each = |site: &Site, _: &Record| deny.add(RemovedScope::Key(site.key()), now);
            match self.each_record(place, filter, &mut each, &mut |trouble| add(troubles, trouble)) {
                Ok(()) | Err(Fault::NoPlace) => {}
                Err(fault) => return Err(failed_to("purge", place, &fault)),
            }
        }
        Ok(())
    }

    /// Removes from a tier what is denied; what can't be removed is fetched by nobody who reads its list.
    fn delete_denied(&self, place: &Place, filter: &Filter, deny: &Deny, troubles: &mut Vec<Trouble>) -> u64 {
        let mut found = Vec::new();
        let mut each = |site: &Site, record: &Record| {
            if deny.denies(site.folder(), site.key(), record.created) {
                found.push((site.clone(), record.clone()));
            }
        };
        match self.each_record(place, filter, &mut each, &mut |trouble| add(troubles, trouble)) {
            Ok(()) | Err(Fault::NoPlace) => {}
            Err(fault) => add(troubles, place.trouble(&fault)),
        }
        let mut gone = 0;
        for (site, record) in found {
            let delete = |name: &str| place.delete(place.object(name), WAIT);
            if let Err(fault) = delete(&site.record()) {
                let trouble = place.trouble(&fault);
                let is_over = trouble.is_of_place();
                add(troubles, trouble);
                if is_over {
                    break;
                }
                continue;
            }
            record.files().for_each(|file| drop(delete(&site.file(file))));
            gone += 1;
        }
        gone
    }
}

/// Adds to the list of a tier what is denied from now on, by the clock of the place if that is ahead.
fn deny_there(place: &Place, deny: &mut Deny) -> Result<()> {
    for _ in 0..TRIES {
        let (mut all, modified) = list_of(place, "purge")?;
        deny.overtake(&all);
        if all.covers(deny) && !deny.catch_up(modified) {
            return Ok(());
        }
        all.merge(deny.clone());
        // Another process may write a list meanwhile that lacks this purge: so it is read again.
        put_list(place, all, "purge")?;
    }
    Err(Error::new(ErrorKind::Other, format!("tier `{}` doesn't keep the list of what was purged", place.name)))
}

fn put_list(place: &Place, list: Deny, action: &str) -> Result<()> {
    let text = list.text();
    // Machines don't read a longer list, and so would know of no purge at all.
    if text.len() as u64 > DENY_MAX {
        let name = &place.name;
        let what = format!("its list of what was purged would be longer than {DENY_MAX} bytes");
        let remedy = "purge functions as a whole, which takes a line for each instead of one for each result";
        return Err(Error::new(ErrorKind::Other, format!("tier `{name}`: {what}; {remedy}")));
    }
    let put = place.put(DENY.to_owned(), text.into_bytes(), false, WAIT);
    put.map(drop).map_err(|fault| failed_to(action, place, &fault))
}

/// The list of a tier, and when it was last written by the place's clock.
fn list_of(place: &Place, action: &str) -> Result<(Deny, Option<SystemTime>)> {
    match place.deny_list(place.ask_deny_list(DENY_MAX, Deadline::after(WAIT))) {
        Ok((Answer::Bytes(bytes), modified)) => Ok((Deny::of_place(&bytes, modified), modified)),
        Ok((Answer::Absent, _)) | Err(Fault::NoPlace) => Ok((Deny::default(), None)),
        Ok((Answer::TooLong, _)) => {
            let name = &place.name;
            let what = format!("its list of what was purged, `{DENY}`, is longer than {DENY_MAX} bytes");
            Err(Error::new(ErrorKind::Other, format!("tier `{name}`: {what}; remove it there, and purge anew")))
        }
        Err(fault) => Err(failed_to(action, place, &fault)),
    }
}
