//! Eviction: what there is, what goes first, and how it goes.

use std::collections::{BinaryHeap, HashSet};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::entry::info::stored_bytes;
use crate::entry::read::find::FoundEntry;
use crate::entry::write::remove::{left_behind, remove};
use crate::error::{Error, Result};
use crate::folder::codes::CodesInUse;
use crate::folder::limits::{EvictPolicy, Evicted, Limits};
use crate::folder::survey::{FileRole, RecordState, Shard, Survey, survey};
use crate::folder::sweep::NamedFiles;
use crate::folder::{pins, sweep};
use crate::key::Key;
use crate::planted;
use crate::store::{Disk, FileKind, LockedKey, Stat};
use crate::threads::fork::ForkMutex;

pub(crate) mod planning;
#[cfg(test)]
mod tests;

/// The byte of `locks` that a process holds while it evicts; a call whose key falls on it then computes without a lock.
const LOCK: [u8; 16] = [0; 16];

/// The file whose modification time says when entries were last counted.
const COUNTED: &str = "locks";

/// How many candidates are remembered: they cost little memory, and spare most evictions a second count.
const REMEMBERED: usize = 1 << 16;

/// The time in which the value of an unused entry halves.
const HALF_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Hears of the key of each entry that was removed.
pub(crate) type OnRemoved = Box<dyn Fn(Key) + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// Counts and evicts the entries of one folder.
pub(crate) struct Evictor {
    disk: Arc<Disk>,
    policy: EvictPolicy,
    removed: OnRemoved,
    /// Held by the thread that evicts: the locks of a file don't exclude those of one process that share it.
    turn: ForkMutex<()>,
    /// How many candidates a count remembers at least.
    remembered: usize,
}

/// All that there is.
pub(crate) struct Inventory {
    functions: Vec<String>,
    old: Vec<Candidate>,
    first: FirstCandidates,
    pub(crate) bytes: u64,
    pub(crate) items: u64,
    evicted: Evicted,
    error: Option<Error>,
}

/// An entry that may go: no more than it takes to choose it and to find it again. There may be millions.
struct Candidate {
    /// The least goes first.
    rank: u64,
    modified: SystemTime,
    bytes: u64,
    key: Key,
    function: u32,
}

/// What decides which entries a tally chooses.
struct TallyInput {
    now: SystemTime,
    /// Keys whose entries stay.
    pinned: HashSet<Key>,
    /// How long an entry may be unused: it is removed after that, whatever else there is.
    age: Option<Duration>,
    /// How much more than that goes, as far as it is known.
    excess: Evicted,
}

/// The candidates that go first: at least as many as were asked for, and no more than that takes.
#[derive(Default)]
struct FirstCandidates {
    /// The last one of them on top.
    heap: BinaryHeap<Candidate>,
    bytes: u64,
    /// There were more.
    cut: bool,
}

/// What a thread of the survey has seen.
#[derive(Default)]
struct EvictTally {
    codes: CodesInUse,
    old: Vec<Candidate>,
    first: FirstCandidates,
    bytes: u64,
    items: u64,
    evicted: Evicted,
    error: Option<Error>,
}

impl Evictor {
    pub(crate) fn new(disk: Arc<Disk>, policy: EvictPolicy, removed: OnRemoved) -> Self {
        Self { disk, policy, removed, turn: ForkMutex::default(), remembered: REMEMBERED }
    }

    /// Counts and evicts at once; beside another process that does so, if there is one.
    pub(crate) fn reduce(&self, limits: &Limits) -> Result<Evicted> {
        let _turn = self.turn.lock();
        let _held = self.lock();
        self.evict(self.count(limits.age, Evicted::default())?, limits)
    }

    /// Counts and evicts with limits that depend on what there is, but for that of `age`; `None` if another process does
    /// so now.
    pub(crate) fn reduce_alone(
        &self,
        age: Option<Duration>,
        limits: impl FnOnce(&Inventory) -> Limits,
    ) -> Result<Option<Evicted>> {
        let _turn = self.turn.lock();
        let Some(_held) = self.lock() else { return Ok(None) };
        let inventory = self.count(age, Evicted::default())?;
        let limits = Limits { age, ..limits(&inventory) };
        self.evict(inventory, &limits).map(Some)
    }

    /// When entries were last counted, by any process.
    pub(crate) fn counted(&self) -> Option<SystemTime> {
        self.disk.stat(COUNTED).ok().flatten().map(|stat| stat.modified)
    }

    /// Keeps other processes from evicting, where there are locks; `None` if one of them is about it.
    fn lock(&self) -> Option<Option<LockedKey>> {
        match self.disk.locks().map(|locks| locks.try_lock(LOCK)) {
            Some(Ok(held)) => held.map(Some),
            Some(Err(_)) | None => Some(None),
        }
    }

    /// Notes, by the time of `locks`, that entries are counted, and says when: on a network file system by the clock of
    /// the server, as the files' times are. Where that time may not be set its old value is taken: files then look
    /// younger than they are, and too little is removed. Where it can't be opened, this machine's clock is asked.
    fn begin(&self) -> SystemTime {
        let touched = self.disk.lock_file(COUNTED).and_then(|_| self.disk.touch(COUNTED));
        let server = self.counted().filter(|_| touched.is_ok() && self.disk.medium().network);
        server.unwrap_or_else(SystemTime::now)
    }

    /// Looks at every entry, and sweeps out what belongs to none. Of the entries that may go it remembers the old ones,
    /// and of the others those that go first, up to the `excess`.
    fn count(&self, age: Option<Duration>, excess: Evicted) -> Result<Inventory> {
        let question = TallyInput { now: self.begin(), pinned: pins::read(&self.disk)?, age, excess };
        let Survey { functions, tallies, unlisted } =
            survey(&self.disk, |tally: &mut EvictTally, shard| self.visit(tally, shard, &question))?;
        let error = unlisted.into_iter().next().map(|unlisted| unlisted.error);
        let (old, first) = (Vec::new(), FirstCandidates::default());
        let mut inventory = Inventory { functions, old, first, bytes: 0, items: 0, evicted: Evicted::default(), error };
        let mut codes = CodesInUse::default();
        for mut tally in tallies {
            codes.merge(tally.codes);
            inventory.old.append(&mut tally.old);
            inventory.first.cut |= tally.first.cut;
            for candidate in tally.first.heap {
                inventory.first.add(candidate, self.remembered, excess);
            }
            inventory.bytes += tally.bytes;
            inventory.items += tally.items;
            inventory.evicted.add(tally.evicted.items, tally.evicted.bytes);
            inventory.error = inventory.error.or(tally.error);
        }
        let sweep_codes = || codes.sweep_unused(&self.disk, &inventory.functions, question.now);
        for swept in [sweep::step_records(&self.disk, question.now), sweep_codes()] {
            match swept {
                Ok(bytes) => inventory.evicted.bytes += bytes,
                Err(error) => drop(inventory.error.get_or_insert(error)),
            }
        }
        Ok(inventory)
    }

    fn visit(&self, tally: &mut EvictTally, shard: &Shard<'_>, question: &TallyInput) {
        let mut claims = NamedFiles::default();
        // What can't be removed isn't counted either.
        for (key, item) in shard.records().filter(|(_, item)| item.kind != FileKind::Folder) {
            let state = shard.listed_state(key, item);
            claims.add(key, &state);
            tally.codes.add(shard.function, &state);
            match self.tally(tally, shard, key, &state, question) {
                Ok(Some(candidate)) if question.is_old(&candidate) => tally.old.push(candidate),
                Ok(Some(candidate)) => tally.first.add(candidate, self.remembered, question.excess),
                Ok(None) => {}
                Err(error) => drop(tally.error.get_or_insert(error)),
            }
        }
        match sweep::shard(&self.disk, shard, &claims, question.now) {
            Ok(bytes) => tally.evicted.bytes += bytes,
            Err(error) => drop(tally.error.get_or_insert(error)),
        }
    }

    /// Counts what a record turned out to be; returns it if it may go.
    fn tally(
        &self,
        tally: &mut EvictTally,
        shard: &Shard<'_>,
        key: Key,
        state: &RecordState,
        question: &TallyInput,
    ) -> Result<Option<Candidate>> {
        let now = question.now;
        let function = u32::try_from(shard.function).map_err(|_| Error::unsupported("more than 2^32 functions"))?;
        let pinned = question.pinned.contains(&key);
        let candidate = match state {
            RecordState::Gone => None,
            RecordState::Entry(found) => {
                let bytes = found.length + stored_bytes(&found.record);
                let rank = rank(self.policy, found, bytes, now);
                tally.add(bytes);
                (!pinned && !found.record.edited).then_some(Candidate {
                    rank,
                    modified: found.used,
                    bytes,
                    key,
                    function,
                })
            }
            RecordState::Newer(_) => {
                tally.add(self.bytes_beside(shard, key)?);
                None
            }
            RecordState::Damaged(_) | RecordState::Unreadable(_) => {
                let name = shard.path(&format!("{key}.record"));
                let Some(stat) = self.disk.stat(&name)? else { return Ok(None) };
                // While the record of a pinned entry is there, nobody removes its arrays, either.
                let may_go = matches!(state, RecordState::Damaged(_)) && !pinned;
                if may_go && sweep::is_garbage(&stat, now) && self.unchanged(&name, &stat)? {
                    tally.evicted.add(u64::from(self.disk.remove(&name)?), stat.len);
                    return Ok(None);
                }
                tally.add(stat.len);
                may_go.then_some(Candidate { rank: 0, modified: stat.modified, bytes: stat.len, key, function })
            }
        };
        Ok(candidate)
    }

    /// The bytes of all files that bear the name of `key`.
    fn bytes_beside(&self, shard: &Shard<'_>, key: Key) -> Result<u64> {
        let names =
            shard.items.iter().filter(|item| item.role.key() == Some(key) && !matches!(item.role, FileRole::Staged(_)));
        let mut bytes = 0;
        for item in names {
            bytes += self.disk.stat(&shard.path(&item.name))?.map_or(0, |stat| stat.len);
        }
        Ok(bytes)
    }

    fn unchanged(&self, name: &str, was: &Stat) -> Result<bool> {
        Ok(self.disk.stat(name)?.is_some_and(|stat| stat == *was))
    }

    /// Removes what is too old, then what comes first until the other limits hold.
    fn evict(&self, mut inventory: Inventory, limits: &Limits) -> Result<Evicted> {
        let mut is_known = false;
        // Read once more: an entry that has been pinned since the count has to stay.
        let pinned = pins::read(&self.disk)?;
        inventory.old.retain(|candidate| !pinned.contains(&candidate.key));
        loop {
            let before = inventory.evicted;
            for candidate in std::mem::take(&mut inventory.old) {
                self.evict_one(&mut inventory, &candidate);
            }
            for candidate in std::mem::take(&mut inventory.first.heap).into_sorted_vec() {
                if inventory.excess(limits).is_none() {
                    break;
                }
                if pinned.contains(&candidate.key) {
                    continue;
                }
                self.evict_one(&mut inventory, &candidate);
            }
            // More has to go than was remembered. As the excess is known now, another count remembers all of it; if
            // then nothing can be removed, eviction ends.
            let goes_on = inventory.first.cut && (inventory.evicted != before || !is_known);
            let Some(excess) = inventory.excess(limits).filter(|_| goes_on) else { break };
            is_known = true;
            let again = self.count(limits.age, excess)?;
            let mut evicted = again.evicted;
            evicted.add(inventory.evicted.items, inventory.evicted.bytes);
            inventory = Inventory { evicted, error: inventory.error.or(again.error), ..again };
        }
        tracing::debug!(?limits, evicted = ?inventory.evicted, left = inventory.items, bytes = inventory.bytes, "reduced");
        inventory.error.map_or(Ok(inventory.evicted), Err)
    }

    fn evict_one(&self, inventory: &mut Inventory, candidate: &Candidate) {
        match self.remove(&inventory.functions[candidate.function as usize], candidate) {
            Ok(EvictOutcome::Stays) => return,
            Ok(EvictOutcome::Gone) => {}
            Ok(EvictOutcome::Removed) => inventory.evicted.add(1, candidate.bytes),
            Err(error) => {
                inventory.error.get_or_insert(error);
                return;
            }
        }
        inventory.items = inventory.items.saturating_sub(1);
        inventory.bytes = inventory.bytes.saturating_sub(candidate.bytes);
    }

    /// Removes an entry, unless it was used or replaced since it was counted: its record first, then its files.
    fn remove(&self, folder: &str, candidate: &Candidate) -> Result<EvictOutcome> {
        let key = candidate.key;
        let shard = format!("{folder}/{}", &key.to_string()[..2]);
        let name = format!("{shard}/{key}.record");
        let state = RecordState::read(&self.disk, &name, key, folder);
        let Some(stat) = self.disk.stat(&name)? else { return Ok(EvictOutcome::Gone) };
        let files: Vec<String> = match state {
            RecordState::Entry(found) if found.used == candidate.modified && !found.record.edited => {
                found.record.files().map(|file| format!("{shard}/{file}")).collect()
            }
            // What it named is not known; a later sweep removes that.
            RecordState::Damaged(_) => Vec::new(),
            RecordState::Unreadable(error) => return Err(error),
            RecordState::Entry(_) | RecordState::Newer(_) | RecordState::Gone => return Ok(EvictOutcome::Stays),
        };
        if stat.modified != candidate.modified {
            return Ok(EvictOutcome::Stays);
        }
        if planted::is("data evicted before its record") {
            files.iter().for_each(|file| drop(self.disk.remove(file)));
        }
        if !remove(&self.disk, &name, files, || (self.removed)(key), left_behind)? {
            assert!(!planted::is("panic at an entry that is gone"), "{name} is gone");
            return Ok(EvictOutcome::Gone);
        }
        Ok(EvictOutcome::Removed)
    }
}

enum EvictOutcome {
    Removed,
    /// Somebody else has removed it.
    Gone,
    Stays,
}

impl EvictTally {
    fn add(&mut self, bytes: u64) {
        self.items += 1;
        self.bytes += bytes;
    }
}

impl Evicted {
    fn add(&mut self, items: u64, bytes: u64) {
        self.items += items;
        self.bytes += bytes;
    }

    /// One entry less.
    fn take(&mut self, bytes: u64) {
        self.items = self.items.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Inventory {
    /// How far a limit is exceeded, if one is.
    fn excess(&self, limits: &Limits) -> Option<Evicted> {
        let over = |count: u64, limit: Option<u64>| limit.map_or(0, |limit| count.saturating_sub(limit));
        let excess = Evicted { items: over(self.items, limits.items), bytes: over(self.bytes, limits.bytes) };
        (excess != Evicted::default()).then_some(excess)
    }
}

impl TallyInput {
    fn is_old(&self, candidate: &Candidate) -> bool {
        self.age.is_some_and(|limit| self.now.duration_since(candidate.modified).unwrap_or_default() >= limit)
    }
}

impl FirstCandidates {
    /// Takes one more, and gives up those that come last and aren't needed for `least` candidates or the `excess`.
    fn add(&mut self, candidate: Candidate, least: usize, excess: Evicted) {
        let least = least.max(usize::try_from(excess.items).unwrap_or(usize::MAX));
        let is_full = self.heap.len() >= least && self.bytes >= excess.bytes;
        if is_full && self.heap.peek().is_some_and(|last| candidate > *last) {
            self.cut = true;
            return;
        }
        self.bytes = self.bytes.saturating_add(candidate.bytes);
        self.heap.push(candidate);
        while self.heap.len() > least
            && let Some(last) = self.heap.peek()
            && self.bytes.saturating_sub(last.bytes) >= excess.bytes
        {
            self.bytes = self.bytes.saturating_sub(last.bytes);
            self.heap.pop();
            self.cut = true;
        }
    }
}

/// When an entry goes: that of the least rank first. A time of use in the future, by a clock that was wrong, is now.
fn rank(policy: EvictPolicy, found: &FoundEntry, bytes: u64, now: SystemTime) -> u64 {
    let used = found.used.min(now);
    match policy {
        EvictPolicy::LeastRecentlyUsed => nanoseconds(used.duration_since(SystemTime::UNIX_EPOCH)),
        EvictPolicy::LeastValuable => {
            let idle = now.duration_since(used).unwrap_or_default();
            value(found.record.duration, bytes, idle)
        }
    }
}

/// The logarithm of [`EvictPolicy::LeastValuable`]'s formula, in the order of integers.
fn value(duration: u64, bytes: u64, idle: Duration) -> u64 {
    let density = (duration.max(1) as f64).log2() - (bytes.max(1) as f64).log2();
    let value = density - idle.as_secs_f64() / HALF_LIFE.as_secs_f64();
    // Positive floats are ordered as their bits are, negative ones the other way round.
    let bits = value.to_bits();
    if value.is_sign_negative() { !bits } else { bits | 1 << 63 }
}

fn nanoseconds<E>(since: Result<Duration, E>) -> u64 {
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

// Candidates are ordered by rank, then by key, so that processes that count the same evict the same.
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.rank, self.key).cmp(&(other.rank, other.key))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}
