//! The deny list of a tier: what was purged, and when.
//!
//! A line has the time of the machine that writes it. One whose clock is ahead would deny results for as long as it is
//! ahead; so a line denies nothing that was computed after the list was last written, by the clock of the place, where
//! that is known, and else after it was first seen here. Lines are never taken away, as two processes that write at once
//! might take each other's: that a purge is lifted is said by another line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use crate::entry::archive::Archive;
use crate::entry::site::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::walk::{Listing, Shards};
use crate::key::{self, Key};
use crate::record::nanoseconds_since_1970;
use crate::store::{Disk, Durability};

/// The name of the list in a tier, above its shares.
pub(super) const DENY: &str = "deny";

/// How old a copy may be.
pub(super) const RENEWED: Duration = Duration::from_secs(600);

/// The longest list.
pub(super) const DENY_MAX: u64 = 4 << 20;

/// How far clocks may differ before a line is one of the future.
pub(super) const SKEW: Duration = Duration::from_secs(600);

/// Times from this on are refused: no clock that is only wrong by some years gives one, and sums of earlier ones
/// don't overflow.
const LAST: u64 = 1 << 63;

/// What stands in a list or is the name of a mark.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RemovedScope {
    All,
    /// A function's folder, without `f/`.
    Function(String),
    Key(Key),
}

impl RemovedScope {
    pub(crate) fn of_function(path: &str) -> Self {
        Self::of_folder(&key::folder(path))
    }

    pub(crate) fn of_folder(folder: &str) -> Self {
        Self::Function(folder.strip_prefix("f/").unwrap_or(folder).to_owned())
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
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

    pub(super) fn name(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Function(folder) => folder.clone(),
            Self::Key(key) => key.to_string(),
        }
    }
}

/// What was purged, and when: entries that were computed until then aren't good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Deny(BTreeMap<RemovedScope, PurgeLine>);

/// A purge, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PurgeLine {
    /// When it was made, by the clock of whoever made it: of two for one target the later one counts.
    until: u64,
    /// What was computed until then isn't good: no later than `until`.
    denies: u64,
    /// The latest purge that was lifted.
    lifted: u64,
}

impl PurgeLine {
    fn is_in_force(self) -> bool {
        self.until > self.lifted
    }

    /// The merger of two lines for one target, in either order.
    fn merged(self, other: Self) -> Self {
        let lifted = self.lifted.max(other.lifted);
        let (older, newer) = if self.until <= other.until { (self, other) } else { (other, self) };
        let denies = match older.until == newer.until {
            true => older.denies.min(newer.denies),
            // A later purge denies all that an earlier one does.
            false if older.until > lifted => older.denies.max(newer.denies),
            false => newer.denies,
        };
        Self { until: newer.until, denies, lifted }
    }
}

impl Deny {
    /// This folder's copy of the list of the tier with this id; an empty list where it can't be read.
    pub(super) fn read(disk: &Disk, id: &str) -> Self {
        Self::try_read(disk, id).unwrap_or_default()
    }

    pub(super) fn try_read(disk: &Disk, id: &str) -> Result<Self> {
        Ok(disk.read(&copy(id), DENY_MAX)?.map(|blob| Self::parse(&blob.bytes)).unwrap_or_default())
    }

    /// Lines that mean nothing are left out.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut deny = Self::default();
        for line in String::from_utf8_lossy(bytes).lines() {
            if let Some((target, line)) = parse_line(line) {
                deny.merge_line(target, line);
            }
        }
        deny
    }

    /// The list of a place that was last written then, by the place's clock.
    pub(super) fn of_place(bytes: &[u8], modified: Option<SystemTime>) -> Self {
        let last = modified.unwrap_or_else(SystemTime::now).checked_add(SKEW);
        let last = last.map_or(u64::MAX, nanoseconds_since_1970);
        let mut deny = Self::parse(bytes);
        deny.0.values_mut().for_each(|line| line.denies = line.denies.min(last));
        deny
    }

    pub(super) fn add(&mut self, target: RemovedScope, until: u64) {
        self.merge_line(target, PurgeLine { until, denies: until, lifted: 0 });
    }

    fn merge_line(&mut self, target: RemovedScope, line: PurgeLine) {
        let known = self.0.entry(target).or_default();
        *known = known.merged(line);
    }

    pub(super) fn merge(&mut self, other: Self) {
        other.0.into_iter().for_each(|(target, line)| self.merge_line(target, line));
    }

    pub(super) fn denies(&self, folder: &str, key: Key, created: u64) -> bool {
        let targets = [RemovedScope::Key(key), RemovedScope::of_folder(folder), RemovedScope::All];
        let denies = |line: &PurgeLine| line.is_in_force() && created <= line.denies;
        targets.iter().any(|target| self.0.get(target).is_some_and(denies))
    }

    /// Whether this list says all that `other` says.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let covers = |known: &PurgeLine, line: &PurgeLine| {
            known.lifted >= line.lifted && (!line.is_in_force() || known.is_in_force() && known.until >= line.until)
        };
        other.0.iter().all(|(target, line)| self.0.get(target).is_some_and(|known| covers(known, line)))
    }

    /// Whether it has a purge, or the end of one, that another list knows nothing of.
    pub(super) fn says_more_than(&self, other: &Self) -> bool {
        self.0.iter().any(|(target, line)| {
            let known = other.0.get(target).copied().unwrap_or_default();
            line.lifted > known.lifted || line.is_in_force() && line.until > known.until.max(known.lifted)
        })
    }

    /// Puts its purges behind those of another list, whose clocks may have been ahead: a purge has to act.
    pub(super) fn overtake(&mut self, other: &Self) {
        for (target, line) in self.0.iter_mut().filter(|(_, line)| line.is_in_force()) {
            let Some(known) = other.0.get(target) else { continue };
            let is_ahead = known.until > line.until + SKEW.as_nanos() as u64;
            let is_weaker = known.until > line.until && known.denies < line.denies;
            if is_ahead || is_weaker || known.lifted >= line.until {
                line.until = known.until.max(known.lifted) + 1;
            }
        }
    }

    /// Dates its purges anew that were made by a clock that is behind that of the place, at which they are there now.
    pub(super) fn catch_up(&mut self, modified: Option<SystemTime>) -> bool {
        let Some(place) = modified.and_then(|modified| modified.checked_sub(SKEW)) else { return false };
        let (least, now) = (nanoseconds_since_1970(place), nanoseconds_since_1970(place + SKEW));
        let behind = self.0.values_mut().filter(|line| line.is_in_force() && line.denies < least);
        behind.map(|line| (line.until, line.denies) = (line.until.max(now), now)).count() > 0
    }

    /// Lifts the purges in force that are of `what`: the name of a target or the path of a function; all, if it is `None`.
    /// Returns how many these are.
    pub(super) fn lift(&mut self, what: Option<&str>) -> u64 {
        let function = what.map(RemovedScope::of_function);
        let is_meant =
            |target: &RemovedScope| what.is_none_or(|what| target.name() == what || function.as_ref() == Some(target));
        let meant = self.0.iter_mut().filter(|(target, line)| line.is_in_force() && is_meant(target));
        meant.map(|(_, line)| line.lifted = line.until).count() as u64
    }

    /// What is in force: the target's name, and until when what was computed isn't good.
    pub(super) fn in_force(&self) -> impl Iterator<Item = (String, u64)> {
        self.0.iter().filter(|(_, line)| line.is_in_force()).map(|(target, line)| (target.name(), line.denies))
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (target, line) in &self.0 {
            let (name, PurgeLine { until, denies, lifted }) = (target.name(), line);
            let _ = match line.is_in_force() {
                true if denies < until => writeln!(text, "{until} {name} {denies}"),
                true => writeln!(text, "{until} {name}"),
                false => Ok(()),
            };
            if *lifted > 0 {
                let _ = writeln!(text, "{lifted} -{name}");
            }
        }
        text
    }

    pub(super) fn write(&self, disk: &Disk, id: &str) -> Result<()> {
        disk.replace(&copy(id), self.text().as_bytes(), Durability::Buffered)
    }

    /// Removes the entries of this folder that it denies and `known` doesn't; returns how many there were.
    ///
    /// # Errors
    ///
    /// Returns the first error after everything else was tried: an entry that it denies may still be there.
    pub(super) fn apply(&self, archive: &Archive, known: &Self) -> Result<u64> {
        let is_known = |target: &RemovedScope, line: &PurgeLine| {
            known.0.get(target).is_some_and(|old| old.is_in_force() && old.denies >= line.denies)
        };
        let new = self.0.iter().filter(|(target, line)| line.is_in_force() && !is_known(target, line));
        let new: Vec<&RemovedScope> = new.map(|(target, _)| target).collect();
        let mut removal = PurgeRemoval { deny: self, archive, removed: 0, error: None };
        if new.contains(&&RemovedScope::All) {
            removal.shards(Shards::of(&archive.disk)?);
            return removal.finish();
        }
        for target in new {
            match target {
                RemovedScope::Function(folder) => removal.shards(Shards::of_function(format!("f/{folder}"))),
                RemovedScope::Key(key) => removal.key(*key, Shards::of(&archive.disk)?.into_functions()),
                RemovedScope::All => {}
            }
        }
        removal.finish()
    }
}

/// The removal of what a list denies.
struct PurgeRemoval<'a> {
    deny: &'a Deny,
    archive: &'a Archive,
    removed: u64,
    error: Option<Error>,
}

impl PurgeRemoval<'_> {
    fn finish(self) -> Result<u64> {
        self.error.map_or(Ok(self.removed), Err)
    }

    fn shards(&mut self, shards: Shards) {
        while let Some(listed) = shards.next(&self.archive.disk) {
            match listed {
                Ok(Listing { name, items, .. }) => {
                    let records = items.iter().filter(|item| item.name.ends_with(".record"));
                    records.for_each(|item| self.record(&format!("{name}/{}", item.name)));
                }
                Err(unlisted) => drop(self.error.get_or_insert(unlisted.error)),
            }
        }
    }

    fn key(&mut self, key: Key, functions: Vec<String>) {
        functions.into_iter().for_each(|folder| self.record(&Site::new(folder, key).record()));
    }

    fn record(&mut self, name: &str) {
        match self.remove(name) {
            Ok(removed) => self.removed += u64::from(removed),
            Err(error) => drop(self.error.get_or_insert(error)),
        }
    }

    /// Removes the entry whose record has this name, if it is denied.
    fn remove(&self, name: &str) -> Result<bool> {
        let found = match self.archive.read_record(name) {
            // A record that can't be read isn't found by lookups either.
            Err(error) if error.kind() != ErrorKind::Io => return Ok(false),
            found => found?,
        };
        let Some((record, folder)) = found.map(|found| found.record).zip(folder_of(name)) else { return Ok(false) };
        let site = Site::new(folder.to_owned(), Key::from_digest(record.key));
        let is_denied = site.record() == name && self.deny.denies(folder, site.key(), record.created);
        if is_denied { self.archive.remove(&site, Some(&record)) } else { Ok(false) }
    }
}

/// The folder of the function in which the record of this name lies.
fn folder_of(record: &str) -> Option<&str> {
    let (shard, _) = record.rsplit_once('/')?;
    Some(shard.rsplit_once('/')?.0)
}

/// The name of the copy of the list of the tier with this id.
fn copy(id: &str) -> String {
    format!("t/{id}/deny")
}

/// `1764460800000000000 all`, and behind it until when it denies, if that is before; `1764460800000000000 -all` lifts it.
fn parse_line(text: &str) -> Option<(RemovedScope, PurgeLine)> {
    let mut fields = text.split(' ');
    let (until, name) = (fields.next()?.parse().ok().filter(|&until: &u64| until < LAST)?, fields.next()?);
    if let Some(name) = name.strip_prefix('-') {
        return Some((RemovedScope::parse(name)?, PurgeLine { until: 0, denies: 0, lifted: until }));
    }
    let denies = fields.next().map_or(Some(until), |denies| denies.parse().ok())?;
    Some((RemovedScope::parse(name)?, PurgeLine { until, denies: denies.min(until), lifted: 0 }))
}

/// How long ago the copy for the tier with this id was renewed; `None` if it never was.
pub(super) fn age(disk: &Disk, id: &str) -> Option<Duration> {
    let stat = disk.stat(&copy(id)).ok()??;
    // One from the future, by a clock that was ahead, counts as old.
    Some(SystemTime::now().duration_since(stat.modified).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    #[ndcache::cache]
    fn unchanged(x: f64) -> f64 {
        x
    }

    #[test]
    fn an_entry_that_can_not_be_removed_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        crate::Memory::open(folder.path()).unwrap().eval(unchanged::call(1.0));
        let archive = |mode| crate::Memory::builder(folder.path()).mode(mode).open().unwrap().0.unwrap();
        let (reader, writer) = (archive(crate::Mode::ReadOnly), archive(crate::Mode::ReadWrite));
        let deny = all_until(now());
        assert!(deny.apply(&reader.archive, &Deny::default()).is_err());
        assert_eq!(deny.apply(&writer.archive, &Deny::default()).unwrap(), 1);
        assert_eq!(deny.apply(&reader.archive, &Deny::default()).unwrap(), 0);
    }

    fn key() -> Key {
        "0c3e264c767b9f1326f873db8c902583".parse().unwrap()
    }

    fn all_until(until: u64) -> Deny {
        let mut deny = Deny::default();
        deny.add(RemovedScope::All, until);
        deny
    }

    fn now() -> u64 {
        nanoseconds_since_1970(SystemTime::now())
    }

    #[test]
    fn a_list_is_read_as_it_was_written_and_nonsense_is_left_out() {
        let mut deny = Deny::default();
        deny.add(RemovedScope::Key(key()), 5);
        deny.add(RemovedScope::Key(key()), 3);
        deny.add(RemovedScope::Function("a-0123456789abcdef".to_owned()), 7);
        assert_eq!(Deny::parse(deny.text().as_bytes()), deny);
        assert!(deny.denies("f/b-0123456789abcdef", key(), 5) && !deny.denies("f/b-0123456789abcdef", key(), 6));
        assert!(deny.denies("f/a-0123456789abcdef", Key::from_digest(crate::digest::Digest::of(b"")), 7));
        let nonsense = b"\xff\n1\n1 \n-1 all\n1 f/a-0123456789abcdef\n1 ../a-0123456789abcdef\n\
                         99999999999999999999 all\n18446744073709551615 all\n1 all x\n";
        assert_eq!(Deny::parse(nonsense), Deny::default());
        assert!(Deny::parse(b"9 all").denies("f/x", key(), 9));
    }

    #[test]
    fn a_purge_of_the_future_denies_nothing_that_is_computed_after_the_list_was_written() {
        let (now, modified) = (now(), SystemTime::now());
        for written in [Some(modified), None] {
            let future = Deny::of_place(all_until(now + 1000 * HOUR).text().as_bytes(), written);
            assert!(future.denies("f/x", key(), now) && !future.denies("f/x", key(), now + HOUR));
            // What was seen first stays, in this folder's copy and in what is written of it.
            let mut copy = Deny::parse(future.text().as_bytes());
            assert_eq!(copy, future);
            copy.merge(Deny::parse(all_until(now + 1000 * HOUR).text().as_bytes()));
            assert!(!copy.denies("f/x", key(), now + HOUR));
        }
        // A clock that is behind takes nothing from a purge: that of the place counts.
        let old = Deny::of_place(all_until(now).text().as_bytes(), Some(modified));
        assert!(old.denies("f/x", key(), now));
    }

    #[test]
    fn a_purge_acts_whatever_clock_made_one_before_it() {
        let now = now();
        let wrong = Deny::of_place(
            all_until(now + 1000 * HOUR).text().as_bytes(),
            Some(SystemTime::now() - Duration::from_secs(86_400)),
        );
        let mut purge = all_until(now);
        purge.overtake(&wrong);
        let mut merged = wrong.clone();
        merged.merge(purge.clone());
        assert!(merged.covers(&purge) && merged.denies("f/x", key(), now));
        assert!(!merged.denies("f/x", key(), now + HOUR));
        // Made by a clock that is behind that of the place.
        let mut behind = all_until(now - 1000 * HOUR);
        assert!(behind.catch_up(Some(SystemTime::now())) && behind.denies("f/x", key(), now));
        assert!(!behind.catch_up(Some(SystemTime::now())));
    }

    #[test]
    fn a_purge_that_is_lifted_denies_nothing_and_the_next_one_does() {
        let now = now();
        let mut deny = all_until(now + 1000 * HOUR);
        deny.add(RemovedScope::of_function("app::f"), now);
        let before = deny.clone();
        assert_eq!((deny.lift(Some("app::f")), deny.lift(Some("app::g")), deny.lift(None)), (1, 0, 1));
        assert_eq!(Deny::parse(deny.text().as_bytes()).in_force().count(), 0, "{}", deny.text());
        // A copy that only knows the purge learns that it was lifted.
        let mut copy = before;
        copy.merge(deny.clone());
        assert_eq!(copy.in_force().count(), 0);
        let mut again = all_until(now);
        again.overtake(&copy);
        copy.merge(again.clone());
        assert!(copy.covers(&again) && copy.denies("f/x", key(), now) && !copy.denies("f/x", key(), now + HOUR));
    }
}
