//! Many results at once: sent, fetched, or purged everywhere.

use std::time::{Duration, SystemTime};

use crate::entry::info::stored_bytes;
use crate::entry::site::{Site, is_shard};
use crate::error::{Error, ErrorKind, Result};
use crate::folder::list::Entries;
use crate::key::{self, Key};
use crate::record::{RECORD_MAX, Record, nanoseconds_since_1970};
use crate::tier::place::{Answer, Place};
use crate::tier::read::{Outcome, Sought};
use crate::tier::removed::{DENY, DENY_MAX, Deny, Target};
use crate::tier::tiers::Core;
use crate::tier::write::upload::{Sending, Sent};
use crate::tier::{Backend, Deadline, Fault, Filter, List, Token};

/// What [`Memory::push`](crate::Memory::push) and [`Memory::pull`](crate::Memory::pull) have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// Results that were sent or fetched.
    pub moved: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Results that were there already.
    pub there: u64,
    /// Results that aren't shared: edited by hand, of another user, too large.
    pub skipped: u64,
    /// Results that couldn't be sent or fetched.
    pub failed: u64,
}

/// What [`Memory::purge`](crate::Memory::purge) has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// Results in this folder.
    pub here: u64,
    /// Results in tiers, as far as those can be listed; others stay there and are fetched by nobody.
    pub there: u64,
    /// Tiers that were told.
    pub tiers: u64,
}

/// How long each call may take.
const WAIT: Duration = Duration::from_secs(60);

/// How often a list is written anew that somebody else has written at the same time.
const TRIES: usize = 5;

impl Filter {
    fn takes(&self, record: &Record, bytes: u64) -> bool {
        self.function.as_ref().is_none_or(|function| *function == record.function)
            && self.since.is_none_or(|since| record.created >= nanoseconds_since_1970(since))
            && self.max_bytes.is_none_or(|most| bytes <= most)
    }

    /// What it names as a whole, if it does.
    fn target(&self) -> Option<Target> {
        match self {
            Self { since: Some(_), .. } | Self { max_bytes: Some(_), .. } => None,
            Self { function: Some(function), .. } => Some(Target::of_function(function)),
            Self { function: None, .. } => Some(Target::All),
        }
    }
}

impl Core {
    pub(crate) fn computed(&self, function: &str, duration: Duration) {
        self.outbox.places.iter().for_each(|place| place.pace.computed(function, duration));
    }

    pub(crate) fn push(&self, filter: &Filter) -> Result<Moved> {
        self.renew_deny();
        let mut moved = Moved::default();
        for entry in Entries::new(&self.archive.disk) {
            let entry = entry?;
            let site = Site::new(key::folder(entry.function()), entry.key());
            let Ok(Some(found)) = self.archive.read_record(&site.record()) else { continue };
            if !filter.takes(&found.record, entry.bytes()) {
                continue;
            }
            for (place, _) in self.outbox.queues() {
                match self.send(place, &site, &found, false, &Sending { held: &|| {}, until: None }) {
                    Sent::Put(bytes) => {
                        moved.moved += 1;
                        moved.bytes += bytes;
                    }
                    Sent::There => moved.there += 1,
                    Sent::Dropped | Sent::Early => moved.skipped += 1,
                    Sent::Failed => moved.failed += 1,
                }
            }
        }
        Ok(moved)
    }

    pub(crate) fn pull(&self, filter: &Filter) -> Result<Moved> {
        self.renew_deny();
        let mut moved = Moved::default();
        for place in &self.outbox.places {
            self.each_record(place, filter, &mut |site, record| self.pull_one(place, site, record, &mut moved))?;
        }
        Ok(moved)
    }

    fn pull_one(&self, place: &Place, site: &Site, record: &Record, moved: &mut Moved) {
        if matches!(self.archive.read_record(&site.record()), Ok(Some(_)) | Err(_)) {
            moved.there += 1;
            return;
        }
        let bytes = stored_bytes(record);
        let sought = Sought { site, function: &record.function, fresh: &|_| Ok(()), interrupted: &|| false };
        match self.take(place, &sought, record) {
            Outcome::Here => {
                moved.moved += 1;
                moved.bytes += bytes;
            }
            Outcome::Damaged(_) | Outcome::Failed(_) | Outcome::Local(_) => moved.failed += 1,
            _ => moved.skipped += 1,
        }
    }

    /// Tells each tier first what is no good, then removes that there and here.
    pub(crate) fn purge(&self, filter: &Filter) -> Result<Purged> {
        let places: Vec<_> = self.outbox.places.iter().filter(|place| place.writes()).collect();
        if places.is_empty() {
            return Err(Error::unsupported("can't purge: the memory has no tier that it may write"));
        }
        let (now, mut purged) = (nanoseconds_since_1970(SystemTime::now()), Purged::default());
        let mut deny = Deny::default();
        match filter.target() {
            Some(target) => deny.add(target, now),
            None => self.name_each(&places, filter, &mut deny, now)?,
        }
        let mut told = Ok(());
        for place in &places {
            match deny_there(place, &deny) {
                Ok(()) => purged.tiers += 1,
                Err(error) => told = Err(error),
            }
        }
        let known = Deny::read(&self.archive.disk);
        let mut all = known.clone();
        all.merge(deny.clone());
        purged.here = self.keep_deny(&known, &all);
        told?;
        for place in &places {
            match self.delete_denied(place, filter, &deny) {
                Ok(gone) => purged.there += gone,
                // Who reads its list fetches nothing of it.
                Err(error) => {
                    tracing::warn!(tier = place.name, %error, "what was purged stays there, and isn't fetched")
                }
            }
        }
        Ok(purged)
    }

    /// Names what a filter takes that takes no whole function, here and there.
    fn name_each(&self, places: &[&Place], filter: &Filter, deny: &mut Deny, now: u64) -> Result<()> {
        for entry in Entries::new(&self.archive.disk) {
            let entry = entry?;
            if filter.takes(entry.record(), entry.bytes()) {
                deny.add(Target::Key(entry.key()), now);
            }
        }
        for place in places {
            self.each_record(place, filter, &mut |site, _| deny.add(Target::Key(site.key()), now))?;
        }
        Ok(())
    }

    fn delete_denied(&self, place: &Place, filter: &Filter, deny: &Deny) -> Result<u64> {
        let mut found = Vec::new();
        self.each_record(place, filter, &mut |site, record| {
            if deny.denies(site.folder(), site.key(), record.created) {
                found.push((site.clone(), record.clone()));
            }
        })?;
        let mut gone = 0;
        for (site, record) in found {
            let delete = |name: &str| place.delete(place.object(name), WAIT);
            delete(&site.record()).map_err(|fault| failed(place, "remove a result", fault))?;
            record.files().for_each(|file| drop(delete(&site.file(file))));
            gone += 1;
        }
        Ok(gone)
    }

    /// Calls `each` with the records of a tier that `filter` takes.
    fn each_record(&self, place: &Place, filter: &Filter, each: &mut dyn FnMut(&Site, &Record)) -> Result<()> {
        let folder = filter.function.as_ref().map_or("f".to_owned(), |function| key::folder(function));
        for name in names(place, &place.object(&folder))? {
            let Some(site) = site_of(&name, &place.object("")) else { continue };
            let answer =
                place.get(name, RECORD_MAX as u64, WAIT).map_err(|fault| failed(place, "read a result", fault))?;
            let Answer::Bytes(bytes) = answer else { continue };
            let Ok(record) = Record::decode(&bytes, || "of a tier".into()) else { continue };
            let is_home = record.key == site.key().digest() && key::folder(&record.function) == site.folder();
            if is_home && filter.takes(&record, stored_bytes(&record)) {
                each(&site, &record);
            }
        }
        Ok(())
    }
}

/// The names of all objects below a folder of a tier.
fn names(place: &Place, folder: &str) -> Result<Vec<String>> {
    let (mut names, mut token): (Vec<String>, Option<Token>) = (Vec::new(), None);
    loop {
        let (until, folder, after) = (Deadline::after(WAIT), folder.to_owned(), token.clone());
        let listed = place.calls.run(until, move |backend: &dyn Backend| {
            let (mut page, list) = (Vec::new(), List::new(&folder, until));
            let list = if let Some(token) = &after { list.after(token) } else { list };
            let more = backend.list(&list, &mut |listed| {
                page.push(listed.name.to_owned());
                Ok(())
            })?;
            Ok((page, more))
        });
        match listed {
            Ok((page, more)) => {
                let is_over = more.is_none() || more == token || page.is_empty();
                names.extend(page);
                if is_over {
                    return Ok(names);
                }
                token = more;
            }
            Err(Fault::Absent | Fault::NoPlace) if place.writes() => return Ok(names),
            Err(fault) => return Err(failed(place, "list", fault)),
        }
    }
}

/// Where the entry is whose record is the object `name`, if it is one.
fn site_of(name: &str, prefix: &str) -> Option<Site> {
    let mut parts = name.strip_prefix(prefix)?.strip_suffix(".record")?.split('/');
    let (f, function, shard, key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let key: Key = key.parse().ok()?;
    let site = Site::new(format!("{f}/{function}"), key);
    (parts.next().is_none() && f == "f" && is_shard(shard) && site.record() == name[prefix.len()..]).then_some(site)
}

/// Adds to the list of a tier what is denied from now on.
fn deny_there(place: &Place, deny: &Deny) -> Result<()> {
    for _ in 0..TRIES {
        let mut all = match place.get(DENY.to_owned(), DENY_MAX, WAIT).map_err(|fault| failed(place, "purge", fault))? {
            Answer::Bytes(bytes) => Deny::parse(&bytes),
            Answer::Absent => Deny::default(),
            Answer::TooLong => {
                let name = &place.name;
                return Err(Error::new(
                    ErrorKind::Other,
                    format!("tier `{name}`: its list of what was purged is full"),
                ));
            }
        };
        if all.covers(deny) {
            return Ok(());
        }
        all.merge(deny.clone());
        let put = place.put(DENY.to_owned(), all.text().into_bytes(), false, WAIT);
        put.map_err(|fault| failed(place, "purge", fault))?;
        // Somebody else may have written one meanwhile that doesn't say so.
    }
    Err(Error::new(ErrorKind::Other, format!("tier `{}` doesn't keep the list of what was purged", place.name)))
}

fn failed(place: &Place, action: &str, fault: Fault) -> Error {
    Error::new(ErrorKind::Io, format!("can't {action} in tier `{}`", place.name.escape_debug())).because(fault)
}
