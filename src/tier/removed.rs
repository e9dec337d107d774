//! What was removed here must not come back from a tier, and what was purged from a tier must not stay anywhere.
//!
//! A *mark* is an empty file in `t/x/` that says by its modification time when an entry, a function's entries or all
//! were removed here by hand: entries of tiers that were computed before that aren't fetched. The *deny list* of a tier
//! says so for every machine. Each folder keeps a copy of it, which is renewed every ten minutes; what it names is removed
//! here, too, so that a hit never has to ask.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use crate::entry::archive::Archive;
use crate::entry::site::Site;
use crate::error::Result;
use crate::key::{self, Key};
use crate::record::{Record, nanoseconds_since_1970};
use crate::store::{Disk, Durability, Stat};

/// The name of the list in a tier, above its shares.
pub(super) const DENY: &str = "deny";

/// This folder's copy.
pub(super) const COPY: &str = "t/deny";

/// How old the copy may be.
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

/// Whether a record of a tier was removed, here or there, after it was computed.
pub(super) fn is_removed(disk: &Disk, site: &Site, record: &Record) -> bool {
    let marks = [Target::Key(site.key()), Target::of_folder(site.folder()), Target::All];
    let is_marked = |target: &Target| {
        let mark = disk.stat(&format!("t/x/{}", target.name()));
        // What can't be told may be.
        mark.map_or(true, |mark| mark.is_some_and(|mark| record.created <= nanoseconds_since_1970(mark.modified)))
    };
    marks.iter().any(is_marked) || is_denied(disk, site, record)
}

/// Whether an entry was removed here by hand at that time or later.
pub(super) fn is_marked_since(disk: &Disk, site: &Site, then: SystemTime) -> bool {
    let marks = [Target::Key(site.key()), Target::of_folder(site.folder()), Target::All];
    let is_later = |mark: Stat| mark.modified >= then;
    marks.iter().any(|target| disk.stat(&format!("t/x/{}", target.name())).is_ok_and(|mark| mark.is_some_and(is_later)))
}

/// Whether a record was purged from a tier after it was computed.
pub(super) fn is_denied(disk: &Disk, site: &Site, record: &Record) -> bool {
    match Deny::try_read(disk) {
        Ok(deny) => deny.denies(site.folder(), site.key(), record.created),
        // What can't be told may be.
        Err(_) => true,
    }
}

/// What was purged, and when: entries that were computed until then aren't good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Deny(BTreeMap<Target, u64>);

impl Deny {
    /// This folder's copy; an empty list where it can't be read.
    pub(super) fn read(disk: &Disk) -> Self {
        Self::try_read(disk).unwrap_or_default()
    }

    fn try_read(disk: &Disk) -> Result<Self> {
        Ok(disk.read(COPY, DENY_MAX)?.map(|blob| Self::parse(&blob.bytes)).unwrap_or_default())
    }

    /// Lines that mean nothing are left out.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut deny = Self::default();
        for line in String::from_utf8_lossy(bytes).lines() {
            let Some((until, target)) = line.split_once(' ') else { continue };
            if let (Ok(until), Some(target)) = (until.parse(), Target::parse(target)) {
                deny.add(target, until);
            }
        }
        deny
    }

    pub(super) fn add(&mut self, target: Target, until: u64) {
        let known = self.0.entry(target).or_default();
        *known = until.max(*known);
    }

    pub(super) fn merge(&mut self, other: Self) {
        other.0.into_iter().for_each(|(target, until)| self.add(target, until));
    }

    pub(super) fn denies(&self, folder: &str, key: Key, created: u64) -> bool {
        let targets = [Target::Key(key), Target::of_folder(folder), Target::All];
        targets.iter().any(|target| self.0.get(target).is_some_and(|&until| created <= until))
    }

    /// Whether it says all that another one says.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(target, until)| self.0.get(target).is_some_and(|known| known >= until))
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (target, until) in &self.0 {
            let _ = writeln!(text, "{until} {}", target.name());
        }
        text
    }

    pub(super) fn write(&self, disk: &Disk) -> Result<()> {
        disk.replace(COPY, self.text().as_bytes(), Durability::Buffered)
    }

    /// Removes the entries of this folder that it denies and `known` doesn't; returns how many there were.
    pub(super) fn apply(&self, archive: &Archive, known: &Self) -> u64 {
        let new: Vec<_> =
            self.0.iter().filter(|(target, until)| known.0.get(target).is_none_or(|old| old < until)).collect();
        let all = new.iter().any(|(target, _)| **target == Target::All);
        let mut removed = 0;
        if all {
            let folders = archive.disk.list("f").unwrap_or_default();
            return folders.iter().map(|item| self.apply_to(archive, &format!("f/{}", item.name), None)).sum();
        }
        for (target, _) in new {
            removed += match target {
                Target::Function(folder) => self.apply_to(archive, &format!("f/{folder}"), None),
                Target::Key(key) => {
                    let folders = archive.disk.list("f").unwrap_or_default();
                    folders.iter().map(|item| self.apply_to(archive, &format!("f/{}", item.name), Some(*key))).sum()
                }
                Target::All => 0,
            };
        }
        removed
    }

    fn apply_to(&self, archive: &Archive, folder: &str, only: Option<Key>) -> u64 {
        let names: Vec<_> = match only {
            Some(key) => vec![Site::new(folder.to_owned(), key).record()],
            None => archive.record_names(folder).collect(),
        };
        let mut removed = 0;
        for name in names {
            let Ok(Some(found)) = archive.read_record(&name) else { continue };
            let record = &found.record;
            let site = Site::new(folder.to_owned(), Key::from_digest(record.key));
            if site.record() == name && self.denies(folder, site.key(), record.created) {
                removed += u64::from(remove(archive, &site, record));
            }
        }
        removed
    }
}

/// Removes an entry of this folder: its record first.
pub(super) fn remove(archive: &Archive, site: &Site, record: &Record) -> bool {
    let removed = archive.disk.remove(&site.record()).unwrap_or(false);
    archive.forget(site.key());
    if removed {
        archive.remove_files(site, record);
    }
    removed
}

/// How long ago the copy was renewed; `None` if it never was.
pub(super) fn age(disk: &Disk) -> Option<Duration> {
    let stat = disk.stat(COPY).ok()??;
    // One from the future, by a clock that was ahead, counts as old.
    Some(SystemTime::now().duration_since(stat.modified).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written_and_nonsense_is_left_out() {
        let key: Key = "0c3e264c767b9f1326f873db8c902583".parse().unwrap();
        let mut deny = Deny::default();
        deny.add(Target::Key(key), 5);
        deny.add(Target::Key(key), 3);
        deny.add(Target::Function("a-0123456789abcdef".to_owned()), 7);
        assert_eq!(Deny::parse(deny.text().as_bytes()), deny);
        assert!(deny.denies("f/b-0123456789abcdef", key, 5) && !deny.denies("f/b-0123456789abcdef", key, 6));
        assert!(deny.denies("f/a-0123456789abcdef", Key::from_digest(crate::digest::Digest::of(b"")), 7));
        let nonsense =
            b"\xff\n1\n1 \n-1 all\n1 f/a-0123456789abcdef\n1 ../a-0123456789abcdef\n99999999999999999999 all\n";
        assert_eq!(Deny::parse(nonsense), Deny::default());
        assert!(Deny::parse(b"9 all").denies("f/x", key, 9));
    }
}
