//! What was removed here must not come back from a tier, and what was purged from a tier must not stay anywhere.
//!
//! A *mark* is an empty file in `t/x/` that says by its modification time when an entry, a function's entries or all
//! were removed here by hand: entries of tiers that were computed before that aren't fetched. The *deny list* of a tier
//! says so for every machine (`deny`). Each folder keeps a copy for each tier, which is renewed every ten minutes; what it
//! names is removed here, too, so that a hit never has to ask.

use std::time::{Duration, SystemTime};

use crate::entry::site::Site;
use crate::error::{ErrorKind, Result};
use crate::record::{Record, nanoseconds_since_1970};
use crate::store::{Disk, Stat};
use crate::tier::Deadline;
use crate::tier::core::Core;
use crate::tier::deny::{self, Deny, RemovedScope};
use crate::tier::place::{Answer, Place};

/// How long the deny lists of all tiers are waited for.
const DENY_WAIT: Duration = Duration::from_secs(2);

/// Leaves a mark, where the folder has or had tiers.
pub(crate) fn mark(disk: &Disk, target: &RemovedScope) {
    let marked = disk.stat("t").and_then(|found| match found {
        Some(_) => disk.mark_now(&format!("t/x/{}", target.name())),
        None => Ok(()),
    });
    if let Err(error) = marked {
        tracing::warn!(%error, "what was removed here may come back from a tier");
    }
}

impl Core {
    /// Whether a record of a tier was removed, here or there, after it was computed, or may have been.
    pub(super) fn is_removed(&self, site: &Site, record: &Record) -> bool {
        let is_unknown = !self.unknown.lock().is_empty();
        is_unknown || is_marked(&self.archive.disk, site, record) || self.is_denied(site, record)
    }

    /// Whether a record was purged from one of the tiers after it was computed.
    pub(super) fn is_denied(&self, site: &Site, record: &Record) -> bool {
        let is_denied = |place: &Place| match Deny::try_read(&self.archive.disk, &place.id) {
            Ok(deny) => deny.denies(site.folder(), site.key(), record.created),
            // What can't be known may be.
            Err(_) => true,
        };
        let is_unapplied = |place: &Place| {
            let unapplied = self.unapplied.lock();
            unapplied.get(&place.id).is_some_and(|deny| deny.denies(site.folder(), site.key(), record.created))
        };
        self.outbox.places.iter().any(|place| is_denied(place) || is_unapplied(place))
    }
}

fn is_marked(disk: &Disk, site: &Site, record: &Record) -> bool {
    let marks = [RemovedScope::Key(site.key()), RemovedScope::of_folder(site.folder()), RemovedScope::All];
    let is_marked = |target: &RemovedScope| {
        let mark = disk.stat(&format!("t/x/{}", target.name()));
        // What can't be known may be.
        mark.map_or(true, |mark| mark.is_some_and(|mark| record.created <= nanoseconds_since_1970(mark.modified)))
    };
    marks.iter().any(is_marked)
}

/// Whether an entry was removed here by hand at that time or later.
pub(super) fn is_marked_since(disk: &Disk, site: &Site, then: SystemTime) -> bool {
    let marks = [RemovedScope::Key(site.key()), RemovedScope::of_folder(site.folder()), RemovedScope::All];
    let is_later = |mark: Stat| mark.modified >= then;
    marks.iter().any(|target| disk.stat(&format!("t/x/{}", target.name())).is_ok_and(|mark| mark.is_some_and(is_later)))
}

impl Core {
    /// Renews the copies of what was purged from tiers that are ten minutes old, and removes that here.
    pub(crate) fn renew_deny(&self) {
        let disk = &self.archive.disk;
        let is_old = |place: &&Place| deny::age(disk, &place.id).is_none_or(|age| age >= deny::RENEWED);
        if !self.outbox.places.iter().any(|place| is_old(&place)) {
            return;
        }
        let _one = self.renewing.lock();
        let until = Deadline::after(DENY_WAIT);
        let old = self.outbox.places.iter().filter(is_old).filter(|place| place.circuit.may_ask());
        // All at once: behind one server that is silent there may be several tiers.
        let asked: Vec<_> = old.map(|place| (place, place.ask_deny_list(deny::DENY_MAX, until))).collect();
        for (place, asked) in asked {
            match place.deny_list(asked) {
                Ok((Answer::Bytes(bytes), modified)) => self.renew_copy(place, Deny::of_place(&bytes, modified)),
                Ok((Answer::Absent, _)) => self.renew_copy(place, Deny::default()),
                Ok((Answer::TooLong, _)) => {
                    tracing::warn!(
                        tier = place.name,
                        "its list of what was purged is too long: nothing is fetched from there"
                    );
                    self.unknown.lock().insert(place.id.clone());
                }
                Err(_) => {}
            }
        }
    }

    fn renew_copy(&self, place: &Place, list: Deny) {
        self.unknown.lock().remove(&place.id);
        self.put_back(place, &list);
        if let Err(error) = self.keep_deny(place, list) {
            tracing::warn!(tier = place.name, %error, "what was purged from a tier can't be removed here: it is tried again");
        }
    }

    /// Puts back what the list of a tier has lost and this folder's copy says: two purges at the same time may each have
    /// written one without the other's lines.
    fn put_back(&self, place: &Place, list: &Deny) {
        let known = Deny::read(&self.archive.disk, &place.id);
        if !place.writes() || !known.says_more_than(list) {
            return;
        }
        let mut all = list.clone();
        all.merge(known);
        let text = all.text();
        if text.len() as u64 > deny::DENY_MAX {
            return;
        }
        if let Err(fault) = place.put(deny::DENY.to_owned(), text.into_bytes(), false, DENY_WAIT) {
            tracing::debug!(tier = place.name, %fault, "what its list of purges has lost isn't put back yet");
        }
    }

    /// Removes what a tier denies now and didn't, and adds it to the copy of its list; returns how many entries went.
    ///
    /// # Errors
    ///
    /// Returns an error when one of them may still be here. Then the copy stays as old as it is, so that the next renewal
    /// tries again.
    pub(super) fn keep_deny(&self, place: &Place, list: Deny) -> Result<u64> {
        let known = match Deny::try_read(&self.archive.disk, &place.id) {
            Err(error) if error.kind() != ErrorKind::Io => Deny::default(),
            known => known?,
        };
        let mut all = known.clone();
        all.merge(list);
        let applied = all.apply(&self.archive, &known);
        match &applied {
            Ok(_) => drop(self.unapplied.lock().remove(&place.id)),
            Err(_) => drop(self.unapplied.lock().insert(place.id.clone(), all.clone())),
        }
        let removed = applied?;
        if let Err(error) = all.write(&self.archive.disk, &place.id) {
            tracing::warn!(%error, "the list of what was purged from tiers can't be kept");
        }
        // What a fetch has published before it could see the list.
        Ok(removed + all.apply(&self.archive, &known)?)
    }
}
