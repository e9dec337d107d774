//! Plans: what would go by limits, with nothing removed, locked or stamped; and removing what a plan says, and no more.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::digest::Digest;
use crate::entry::info::{Entry, stored_bytes};
use crate::entry::write::remove::{left_behind, remove};
use crate::error::{Error, Result};
use crate::folder::codes::CodesInUse;
use crate::folder::evict::{Evictor, rank};
use crate::folder::limits::{Evicted, Limits};
use crate::folder::plan::{Executed, Garbage, Plan, PlanFolder, PlanItem, PlanReason, PlannedEntry};
use crate::folder::survey::{RecordState, Shard, survey};
use crate::folder::sweep::NamedFiles;
use crate::folder::{pins, sweep};
use crate::key::Key;
use crate::planted;
use crate::store::{Disk, FileKind, Stat};

/// All entries of a folder, or of one function, as they were found.
pub(crate) struct SeenFolder {
    disk: Arc<Disk>,
    now: SystemTime,
    functions: Vec<PlanFolder>,
    entries: Vec<SeenEntry>,
    /// Files that no entry needs, a day old.
    garbage: Vec<Garbage>,
    total: Evicted,
    unread: Option<String>,
}

struct SeenEntry {
    function: u32,
    key: Key,
    stat: Stat,
    bytes: u64,
    duration: u64,
    created: u64,
    code: Digest,
    /// The least goes first.
    rank: u64,
    /// Edited or pinned: no limit takes it.
    stays: bool,
    state: Health,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    Damaged,
    /// Damaged for more than a day.
    Garbage,
}

/// What a thread of the survey has seen.
#[derive(Default)]
struct PlanTally {
    codes: CodesInUse,
    entries: Vec<SeenEntry>,
    garbage: Vec<Garbage>,
    /// Paths of functions, by their places.
    paths: HashMap<usize, String>,
    total: Evicted,
    error: Option<Error>,
}

impl PlanTally {
    /// Keeps the first error; everything else is looked at all the same.
    fn unread(&mut self, seen: Result<()>) {
        if let Err(error) = seen {
            self.error.get_or_insert(error);
        }
    }
}

impl Evictor {
    /// Looks at every entry, or at those of the function whose folder is `scope`. Writes nothing.
    pub(crate) fn see(&self, scope: Option<&str>) -> Result<SeenFolder> {
        let (now, pinned) = (SystemTime::now(), pins::read(&self.disk)?);
        let found = survey(&self.disk, |tally: &mut PlanTally, shard| {
            if scope.is_none_or(|scope| shard.folder() == scope) {
                self.see_shard(tally, shard, &pinned, now);
            }
        })?;
        let folder = |name: &String| PlanFolder { name: name.clone(), function: None };
        let mut seen = SeenFolder {
            disk: Arc::clone(&self.disk),
            now,
            functions: found.functions.iter().map(folder).collect(),
            entries: Vec::new(),
            garbage: Vec::new(),
            total: Evicted::default(),
            unread: found.unread(),
        };
        let mut codes = CodesInUse::default();
        for tally in found.tallies {
            codes.merge(tally.codes);
            seen.add(tally.entries, tally.garbage, tally.total, tally.error);
            for (at, path) in tally.paths {
                seen.functions[at].function = Some(path);
            }
        }
        let in_scope = |name: &str| scope.is_none_or(|scope| name == scope);
        seen.unneeded(codes.unused(&self.disk, &found.functions, now, in_scope));
        if scope.is_none() {
            seen.unneeded(sweep::old_step_records(&self.disk, now));
        }
        Ok(seen)
    }

    fn see_shard(&self, tally: &mut PlanTally, shard: &Shard<'_>, pinned: &HashSet<Key>, now: SystemTime) {
        let mut claims = NamedFiles::default();
        for (key, item) in shard.records().filter(|(_, item)| item.kind != FileKind::Folder) {
            let state = shard.listed_state(key, item);
            claims.add(key, &state);
            tally.codes.add(shard.function, &state);
            let seen = self.see_record(tally, shard, key, &state, pinned, now);
            tally.unread(seen);
        }
        for (name, key) in claims.orphans(shard) {
            let name = shard.path(name);
            match self.disk.stat(&name) {
                Ok(Some(stat)) if sweep::is_garbage(&stat, now) => {
                    tally.garbage.push(Garbage { name, stat, owner: Some((shard.folder().to_owned(), key)) });
                }
                seen => tally.unread(seen.map(drop)),
            }
        }
    }

    fn see_record(
        &self,
        tally: &mut PlanTally,
        shard: &Shard<'_>,
        key: Key,
        state: &RecordState,
        pinned: &HashSet<Key>,
        now: SystemTime,
    ) -> Result<()> {
        let function = u32::try_from(shard.function).map_err(|_| Error::unsupported("more than 2^32 functions"))?;
        let entry = match state {
            RecordState::Gone => return Ok(()),
            RecordState::Entry(found) => {
                let record = &found.record;
                tally.paths.entry(shard.function).or_insert_with(|| record.function.to_string());
                let bytes = found.length + stored_bytes(record);
                SeenEntry {
                    function,
                    key,
                    stat: found.stat,
                    bytes,
                    duration: record.duration,
                    created: record.created,
                    code: record.code,
                    rank: rank(self.policy, found, bytes, now),
                    stays: record.edited || pinned.contains(&key),
                    state: Health::Good,
                }
            }
            RecordState::Newer(_) => {
                tally.total.add(1, self.bytes_beside(shard, key)?);
                return Ok(());
            }
            RecordState::Damaged(_) | RecordState::Unreadable(_) => {
                let Some(stat) = self.disk.stat(&shard.path(&format!("{key}.record")))? else { return Ok(()) };
                if matches!(state, RecordState::Unreadable(_)) {
                    tally.total.add(1, stat.len);
                    return Ok(());
                }
                let state = if sweep::is_garbage(&stat, now) { Health::Garbage } else { Health::Damaged };
                let (bytes, code) = (stat.len, Digest::from_bytes([0; 16]));
                SeenEntry {
                    function,
                    key,
                    stat,
                    bytes,
                    duration: 0,
                    created: 0,
                    code,
                    rank: 0,
                    stays: pinned.contains(&key),
                    state,
                }
            }
        };
        tally.total.add(1, entry.bytes);
        tally.entries.push(entry);
        Ok(())
    }

    /// Removes what a plan says, as far as it is what it was then and as long as `goes_on` says so: that is asked before each
    /// entry and each file, with what was done so far.
    ///
    /// # Errors
    /// Returns an error when the plan is for another folder, when the pins can't be read, and the first one of what
    /// couldn't be removed, after everything else was.
    pub(crate) fn execute(
        &self,
        plan: &Plan,
        mut goes_on: impl FnMut(Executed, Option<PlannedEntry<'_>>) -> bool,
    ) -> Result<Executed> {
        if plan.root != self.disk.path() {
            let (found, expected) = (plan.root.display(), self.disk.path().display());
            return Err(Error::invalid(format!("the plan is for the cache `{found}`, expected `{expected}`")));
        }
        let _turn = self.turn.lock();
        let _held = self.lock();
        let (now, pinned) = (self.begin(), pins::read(&self.disk)?);
        let (mut done, mut error) = (Executed::default(), None);
        let mut is_over = false;
        for (item, entry) in plan.items.iter().zip(plan.entries()) {
            is_over = is_over || !goes_on(done, Some(entry));
            if is_over {
                break;
            }
            match self.remove_planned(plan.folder(item), item, &pinned) {
                Ok(PlannedOutcome::Removed) => done.removed.add(1, item.bytes),
                Ok(PlannedOutcome::Kept) => done.kept += 1,
                Ok(PlannedOutcome::Gone) => done.gone += 1,
                Err(fault) => drop(error.get_or_insert(fault)),
            }
        }
        for garbage in &plan.garbage {
            is_over = is_over || !goes_on(done, None);
            if is_over {
                break;
            }
            match self.remove_garbage(garbage, now) {
                Ok(bytes) => done.removed.bytes += bytes,
                Err(fault) => drop(error.get_or_insert(fault)),
            }
        }
        tracing::debug!(?done, "executed a plan");
        error.map_or(Ok(done), Err)
    }

    fn remove_planned(&self, folder: &str, item: &PlanItem, pinned: &HashSet<Key>) -> Result<PlannedOutcome> {
        let key = item.key;
        // What was named goes, as everything that is removed by hand.
        let is_named = item.reason == PlanReason::Named;
        if !is_named && pinned.contains(&key) {
            return Ok(PlannedOutcome::Kept);
        }
        let shard = format!("{folder}/{}", &key.to_string()[..2]);
        let name = format!("{shard}/{key}.record");
        let files: Vec<String> = match RecordState::read(&self.disk, &name, key, folder) {
            RecordState::Entry(found) if is_named || !found.record.edited => {
                found.record.files().map(|file| format!("{shard}/{file}")).collect()
            }
            // What it named is not known; a later sweep removes that.
            RecordState::Damaged(_) => Vec::new(),
            RecordState::Unreadable(error) => return Err(error),
            RecordState::Entry(_) | RecordState::Newer(_) => return Ok(PlannedOutcome::Kept),
            RecordState::Gone => return Ok(PlannedOutcome::Gone),
        };
        let Some(stat) = self.disk.stat(&name)? else { return Ok(PlannedOutcome::Gone) };
        if stat != item.stat && !planted::is("plan executed blindly") {
            return Ok(PlannedOutcome::Kept);
        }
        let removed = remove(&self.disk, &name, files, || (self.removed)(key), left_behind)?;
        Ok(if removed { PlannedOutcome::Removed } else { PlannedOutcome::Gone })
    }

    /// Removes a file that no entry needed, unless one does by now; returns its bytes.
    fn remove_garbage(&self, garbage: &Garbage, now: SystemTime) -> Result<u64> {
        let Garbage { name, stat, owner } = garbage;
        let is_same = self.disk.stat(name)?.is_some_and(|found| found == *stat) && sweep::is_garbage(stat, now);
        let is_claimed = |folder: &str, key: Key| {
            let file = name.rsplit_once('/').map_or("", |(_, file)| file);
            let record = format!("{folder}/{}/{key}.record", &key.to_string()[..2]);
            sweep::is_claimed_by(&RecordState::read(&self.disk, &record, key, folder), file)
        };
        if !is_same || owner.as_ref().is_some_and(|(folder, key)| is_claimed(folder, *key)) {
            return Ok(0);
        }
        Ok(if self.disk.remove(name)? { stat.len } else { 0 })
    }
}

enum PlannedOutcome {
    Removed,
    /// It isn't what it was.
    Kept,
    /// Removed by somebody else.
    Gone,
}

impl SeenFolder {
    fn add(&mut self, entries: Vec<SeenEntry>, garbage: Vec<Garbage>, total: Evicted, error: Option<Error>) {
        self.entries.extend(entries);
        self.garbage.extend(garbage);
        self.total.add(total.items, total.bytes);
        if let Some(error) = error {
            self.unread.get_or_insert_with(|| error.to_string());
        }
    }

    /// Adds files that no entry needs.
    fn unneeded(&mut self, found: Result<Vec<(String, Stat)>>) {
        match found {
            Ok(files) => {
                self.garbage.extend(files.into_iter().map(|(name, stat)| Garbage { name, stat, owner: None }));
            }
            Err(error) => drop(self.unread.get_or_insert_with(|| error.to_string())),
        }
    }

    /// All entries, and their bytes.
    pub(crate) fn total(&self) -> Evicted {
        self.total
    }

    /// What would go by limits, by the same rules as [`Evictor::reduce`]: garbage, what is too old, then what comes
    /// first until the other limits hold.
    pub(crate) fn reduce(mut self, limits: &Limits) -> Plan {
        let is_old = |entry: &SeenEntry| {
            let idle = self.now.duration_since(entry.stat.modified).unwrap_or_default();
            limits.age.is_some_and(|limit| idle >= limit)
        };
        self.entries.sort_unstable_by_key(|entry| (entry.rank, entry.key));
        let (mut left, mut going, mut rest) = (self.total, Vec::new(), Vec::new());
        for (at, entry) in self.entries.iter().enumerate().filter(|(_, entry)| !entry.stays) {
            let reason = match entry.state {
                Health::Garbage => PlanReason::Damaged,
                _ if is_old(entry) => PlanReason::Age,
                _ => {
                    rest.push(at);
                    continue;
                }
            };
            left.take(entry.bytes);
            going.push((at, reason));
        }
        for at in rest {
            let over = |count: u64, limit: Option<u64>| limit.is_some_and(|limit| count > limit);
            if !over(left.items, limits.items) && !over(left.bytes, limits.bytes) {
                break;
            }
            left.take(self.entries[at].bytes);
            let is_damaged = self.entries[at].state == Health::Damaged;
            going.push((at, if is_damaged { PlanReason::Damaged } else { PlanReason::Size }));
        }
        let garbage = std::mem::take(&mut self.garbage);
        Plan { garbage, ..self.plan(going) }
    }

    /// Entries of older code that weren't used since the newest code of their function was first stored, nor for as
    /// long as `unused`. The newest code is that of the entry that was made last.
    pub(crate) fn superseded(&self, unused: Duration) -> Plan {
        // `newest`: of each function the time and code of its last entry; `first`: of each code the time of its first.
        let (mut newest, mut first) = (HashMap::new(), HashMap::new());
        for entry in self.entries.iter().filter(|entry| entry.state == Health::Good) {
            let last = newest.entry(entry.function).or_insert((entry.created, entry.code));
            *last = (entry.created, entry.code).max(*last);
            let begin = first.entry((entry.function, entry.code)).or_insert(entry.created);
            *begin = entry.created.min(*begin);
        }
        let is_older = |entry: &SeenEntry| {
            let newest = newest.get(&entry.function).is_some_and(|(_, code)| *code != entry.code);
            newest && entry.state == Health::Good
        };
        let is_superseded = |entry: &SeenEntry| {
            let Some((_, code)) = newest.get(&entry.function) else { return false };
            let Some(begin) = first.get(&(entry.function, *code)) else { return false };
            let begin = SystemTime::UNIX_EPOCH + Duration::from_nanos(*begin);
            let idle = self.now.duration_since(entry.stat.modified).unwrap_or_default();
            entry.stat.modified < begin && idle >= unused && !entry.stays
        };
        let older = self.entries.iter().enumerate().filter(|(_, entry)| is_older(entry));
        let (going, staying): (Vec<_>, Vec<_>) = older.partition(|(_, entry)| is_superseded(entry));
        let going = going.into_iter().map(|(at, _)| (at, PlanReason::Superseded)).collect();
        Plan { spared: staying.len() as u64, ..self.plan(going) }
    }

    /// The plan by which these entries go.
    fn plan(&self, going: Vec<(usize, PlanReason)>) -> Plan {
        let items = going.into_iter().map(|(at, reason)| {
            let SeenEntry { function, key, stat, bytes, duration, .. } = self.entries[at];
            PlanItem { function, key, stat, bytes, duration, reason }
        });
        let items = items.collect();
        let functions = self.functions.clone();
        let unread = self.unread.clone();
        Plan { functions, items, unread, ..Plan::new(self.disk.path(), self.total) }
    }
}

/// The plan by which these entries go, whatever else there is.
pub(crate) fn named(disk: &Disk, entries: impl IntoIterator<Item = Entry>) -> Plan {
    let mut plan = Plan::new(disk.path(), Evicted::default());
    let (mut known, mut places) = (HashSet::new(), HashMap::new());
    for entry in entries.into_iter().filter(|entry| entry.disk().path() == disk.path()) {
        let folder = entry.folder();
        let name = folder.rsplit_once('/').map_or("", |(function, _)| function);
        let function = match places.get(name) {
            Some(&function) => function,
            None => {
                let folder = PlanFolder { name: name.to_owned(), function: Some(entry.function().to_owned()) };
                let function = plan.add_function(folder);
                places.insert(name.to_owned(), function);
                function
            }
        };
        if known.insert((function, entry.key())) {
            let (key, stat, bytes) = (entry.key(), *entry.stat(), entry.bytes());
            let duration = entry.record().duration;
            plan.items.push(PlanItem { function, key, stat, bytes, duration, reason: PlanReason::Named });
        }
    }
    plan.total = Evicted { items: plan.items.len() as u64, bytes: plan.bytes() };
    plan
}
