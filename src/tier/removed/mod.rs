//! What was removed here must not come back from a tier, and what was purged from a tier must not stay anywhere.
//!
//! A *mark* is an empty file in `t/x/` that says by its modification time when an entry, a function's entries or all
//! were removed here by hand: entries of tiers that were computed before that aren't fetched. The *deny list* of a tier
//! says so for every machine (`deny`). Each folder keeps a copy for each tier, which is renewed every ten minutes; what it
//! names is removed here, too, so that a hit never has to ask.

mod deny;

use std::time::{Duration, SystemTime};

use crate::entry::site::Site;
use crate::key::{self, Key};
use crate::record::{Record, nanoseconds_since_1970};
use crate::store::{Disk, Stat};
use crate::tier::place::Place;
use crate::tier::tiers::Core;

pub(super) use deny::{Deny, age};

/// The name of the list in a tier, above its shares.
pub(super) const DENY: &str = "deny";

/// How old a copy may be.
pub(super) const RENEWED: Duration = Duration::from_secs(600);

/// The longest list.
pub(super) const DENY_MAX: u64 = 4 << 20;

/// What stands in a list or is the name of a mark.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    All,
    /// A function's folder, without `f/`.
    Function(String),
    Key(Key),
}

impl Target {
    pub(crate) fn of_function(path: &str) -> Self {
        Self::of_folder(&key::folder(path))
    }

    pub(crate) fn of_folder(folder: &str) -> Self {
        Self::Function(folder.strip_prefix("f/").unwrap_or(folder).to_owned())
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "all" {
            return Some(Self::All);
        }
        if let Ok(key) = text.parse() {
            return Some(Self::Key(key));
        }
        let (stem, hex) = text.rsplit_once('-')?;
        let is_folder = !stem.is_empty() && hex.len() == 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_folder && !text.contains('/')).then(|| Self::Function(text.to_owned()))
    }

    fn name(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Function(folder) => folder.clone(),
            Self::Key(key) => key.to_string(),
        }
    }
}

/// Leaves a mark, where the folder has or had tiers.
pub(crate) fn mark(disk: &Disk, target: &Target) {
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
            // What can't be told may be.
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
    let marks = [Target::Key(site.key()), Target::of_folder(site.folder()), Target::All];
    let is_marked = |target: &Target| {
        let mark = disk.stat(&format!("t/x/{}", target.name()));
        // What can't be told may be.
        mark.map_or(true, |mark| mark.is_some_and(|mark| record.created <= nanoseconds_since_1970(mark.modified)))
    };
    marks.iter().any(is_marked)
}

/// Whether an entry was removed here by hand at that time or later.
pub(super) fn is_marked_since(disk: &Disk, site: &Site, then: SystemTime) -> bool {
    let marks = [Target::Key(site.key()), Target::of_folder(site.folder()), Target::All];
    let is_later = |mark: Stat| mark.modified >= then;
    marks.iter().any(|target| disk.stat(&format!("t/x/{}", target.name())).is_ok_and(|mark| mark.is_some_and(is_later)))
}
