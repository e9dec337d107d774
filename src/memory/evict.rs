//! Eviction: what there is, what goes first, and how it goes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::entry::stored_bytes;
use super::hot::Table;
use super::lookup::Found;
use super::survey::{Part, Shard, State, Survey, survey};
use super::sweep::{self, Claims};
use super::{Evict, Evicted, Limits, Memory, lock};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::planted;
use crate::store::{Disk, Kind, LockedKey, Locks, Stat};

#[cfg(test)]
mod tests;

/// The byte of `locks` that is held by who evicts. A call whose key falls on it computes without its lock meanwhile.
const LOCK: [u8; 16] = [0; 16];

/// The file whose modification time says when entries were last counted.
const COUNTED: &str = "locks";

/// In which the value of an entry that isn't used halves.
const HALF_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

impl Memory {
    /// Evicts entries until all `limits` hold, and sweeps out garbage.
    ///
    /// Those go first that the [`Evict`] policy of the memory says, least recently used unless it was told otherwise;
    /// an entry counts by the lengths of all its files. Entries used since they were counted stay. Results published by
    /// hand (`edited`) and entries of newer versions count, and are never removed: with these alone a limit may stay
    /// exceeded. Arrays that are mapped keep their bytes.
    ///
    /// Also removed, whatever the limits: files that no record names and records that can't be read, once they are a
    /// day old; above a limit such records go before any entry.
    ///
    /// Reads every record, on several threads and at some 100 bytes of memory per entry. Lookups and writers go on meanwhile;
    /// what they add is not counted. A disabled memory evicts nothing.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is read-only, and the first one of what couldn't be listed or removed, after
    /// everything else was.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndcache::{Limits, Memory};
    ///
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = Memory::open(folder.path())?;
    /// for x in 0..5 {
    ///     memory.eval(double::call(f64::from(x)));
    /// }
    /// let evicted = memory.reduce_size(Limits::default().items(2))?;
    /// assert_eq!((evicted.items, memory.entries().count()), (3, 2));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn reduce_size(&self, limits: Limits) -> Result<Evicted> {
        match self.writable("reduce the size of the cache")? {
            Some(inner) => inner.evictor.reduce(&limits),
            None => Ok(Evicted::default()),
        }
    }
}

/// Counts and evicts the entries of one folder.
pub(super) struct Evictor {
    disk: Arc<Disk>,
    locks: Option<Locks>,
    policy: Evict,
    hot: Arc<Table>,
    /// Held by the thread that evicts: the locks of a file don't exclude those of one process that share it.
    turn: Mutex<()>,
}

/// All that there is.
pub(super) struct Census {
    now: SystemTime,
    functions: Vec<String>,
    candidates: Vec<Candidate>,
    pub(super) bytes: u64,
    pub(super) items: u64,
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

/// What a thread of the survey has seen.
#[derive(Default)]
struct Tally {
    candidates: Vec<Candidate>,
    bytes: u64,
    items: u64,
    evicted: Evicted,
    error: Option<Error>,
}

impl Evictor {
    pub(super) fn new(disk: Arc<Disk>, locks: Option<Locks>, policy: Evict, hot: Arc<Table>) -> Self {
        Self { disk, locks, policy, hot, turn: Mutex::default() }
    }

    /// Counts and evicts at once; beside another process that does so, if there is one.
    pub(super) fn reduce(&self, limits: &Limits) -> Result<Evicted> {
        let _turn = lock(&self.turn);
        let _held = self.lock();
        self.evict(self.count()?, limits)
    }

    /// The same, with limits that depend on what there is; `None` if another process is about it.
    pub(super) fn reduce_alone(&self, limits: impl FnOnce(&Census) -> Limits) -> Result<Option<Evicted>> {
        let _turn = lock(&self.turn);
        let Some(_held) = self.lock() else { return Ok(None) };
        let census = self.count()?;
        let limits = limits(&census);
        self.evict(census, &limits).map(Some)
    }

    /// When entries were last counted, by any process.
    pub(super) fn counted(&self) -> Option<SystemTime> {
        self.disk.stat(COUNTED).ok().flatten().map(|stat| stat.modified)
    }

    /// Keeps other processes from evicting, where there are locks; `None` if one of them is about it.
    fn lock(&self) -> Option<Option<LockedKey>> {
        match self.locks.as_ref().map(|locks| locks.try_lock(LOCK)) {
            Some(Ok(held)) => held.map(Some),
            Some(Err(_)) | None => Some(None),
        }
    }

    /// Notes that entries are counted, and says when: on a network file system, by the clock of the server, whose
    /// times are those of the files. Where it can't be noted that server's last answer counts, by which files look
    /// younger than they are: that removes too little.
    fn begin(&self) -> SystemTime {
        let touched = self.disk.lock_file(COUNTED).and_then(|_| self.disk.touch(COUNTED));
        let server = self.counted().filter(|_| touched.is_ok() && self.disk.medium().network);
        server.unwrap_or_else(SystemTime::now)
    }

    /// Looks at every entry, and sweeps out what is none.
    fn count(&self) -> Result<Census> {
        let now = self.begin();
        let Survey { functions, tallies, error } =
            survey(&self.disk, |tally: &mut Tally, shard| self.visit(tally, shard, now))?;
        let mut census =
            Census { now, functions, candidates: Vec::new(), bytes: 0, items: 0, evicted: Evicted::default(), error };
        for mut tally in tallies {
            census.candidates.append(&mut tally.candidates);
            census.bytes += tally.bytes;
            census.items += tally.items;
            census.evicted.items += tally.evicted.items;
            census.evicted.bytes += tally.evicted.bytes;
            census.error = census.error.or(tally.error);
        }
        match sweep::slots(&self.disk, now) {
            Ok(bytes) => census.evicted.bytes += bytes,
            Err(error) => drop(census.error.get_or_insert(error)),
        }
        Ok(census)
    }

    fn visit(&self, tally: &mut Tally, shard: &Shard<'_>, now: SystemTime) {
        let mut claims = Claims::default();
        // What can't be removed isn't counted either.
        for (key, _) in shard.records().filter(|(_, kind)| *kind != Kind::Folder) {
            let state = shard.state(key);
            claims.add(key, &state);
            if let Err(error) = self.tally(tally, shard, key, &state, now) {
                tally.error.get_or_insert(error);
            }
        }
        match sweep::shard(&self.disk, shard, &claims, now) {
            Ok(bytes) => tally.evicted.bytes += bytes,
            Err(error) => drop(tally.error.get_or_insert(error)),
        }
    }

    fn tally(&self, tally: &mut Tally, shard: &Shard<'_>, key: Key, state: &State, now: SystemTime) -> Result<()> {
        let function = u32::try_from(shard.function).map_err(|_| Error::unsupported("more than 2^32 functions"))?;
        let candidate = match state {
            State::Gone => return Ok(()),
            State::Entry(found) => {
                let bytes = found.length + stored_bytes(&found.record);
                let rank = rank(self.policy, found, bytes, now);
                tally.add(bytes);
                (!found.record.edited).then_some(Candidate { rank, modified: found.used, bytes, key, function })
            }
            State::Newer(_) => {
                tally.add(self.bytes_beside(shard, key)?);
                None
            }
            State::Damaged(_) | State::Unreadable(_) => {
                let name = shard.path(&format!("{key}.record"));
                let Some(stat) = self.disk.stat(&name)? else { return Ok(()) };
                let damaged = matches!(state, State::Damaged(_));
                if damaged && sweep::is_garbage(&stat, now) && self.unchanged(&name, &stat)? {
                    tally.evicted.add(u64::from(self.disk.remove(&name)?), stat.len);
                    return Ok(());
                }
                tally.add(stat.len);
                damaged.then_some(Candidate { rank: 0, modified: stat.modified, bytes: stat.len, key, function })
            }
        };
        tally.candidates.extend(candidate);
        Ok(())
    }

    /// The bytes of all files that bear the name of `key`.
    fn bytes_beside(&self, shard: &Shard<'_>, key: Key) -> Result<u64> {
        let names =
            shard.items.iter().filter(|item| item.part.key() == Some(key) && !matches!(item.part, Part::Staged(_)));
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
    fn evict(&self, mut census: Census, limits: &Limits) -> Result<Evicted> {
        if let Some(limit) = limits.age {
            let now = census.now;
            let is_old =
                |candidate: &mut Candidate| now.duration_since(candidate.modified).unwrap_or_default() >= limit;
            let old: Vec<_> = census.candidates.extract_if(.., is_old).collect();
            old.iter().for_each(|candidate| self.evict_one(&mut census, candidate));
        }
        if census.exceeds(limits) {
            let candidates = std::mem::take(&mut census.candidates);
            let mut queue: BinaryHeap<_> = candidates.into_iter().map(Reverse).collect();
            while census.exceeds(limits)
                && let Some(Reverse(candidate)) = queue.pop()
            {
                self.evict_one(&mut census, &candidate);
            }
        }
        tracing::debug!(?limits, evicted = ?census.evicted, left = census.items, bytes = census.bytes, "reduced");
        census.error.map_or(Ok(census.evicted), Err)
    }

    fn evict_one(&self, census: &mut Census, candidate: &Candidate) {
        match self.remove(&census.functions[candidate.function as usize], candidate) {
            Ok(Removal::Stays) => return,
            Ok(Removal::Gone) => {}
            Ok(Removal::Removed) => census.evicted.add(1, candidate.bytes),
            Err(error) => {
                census.error.get_or_insert(error);
                return;
            }
        }
        census.items = census.items.saturating_sub(1);
        census.bytes = census.bytes.saturating_sub(candidate.bytes);
    }

    /// Removes an entry, unless it was used or replaced since it was counted: its record first, then its files.
    fn remove(&self, folder: &str, candidate: &Candidate) -> Result<Removal> {
        let key = candidate.key;
        let shard = format!("{folder}/{}", &key.to_string()[..2]);
        let name = format!("{shard}/{key}.record");
        let state = State::read(&self.disk, &name, key, folder);
        let Some(stat) = self.disk.stat(&name)? else { return Ok(Removal::Gone) };
        let files: Vec<String> = match state {
            State::Entry(found) if found.used == candidate.modified && !found.record.edited => {
                found.record.files().map(|file| format!("{shard}/{file}")).collect()
            }
            // What it named is not known; a later sweep removes that.
            State::Damaged(_) => Vec::new(),
            State::Unreadable(error) => return Err(error),
            State::Entry(_) | State::Newer(_) | State::Gone => return Ok(Removal::Stays),
        };
        if stat.modified != candidate.modified {
            return Ok(Removal::Stays);
        }
        if planted::is("data evicted before its record") {
            files.iter().for_each(|file| drop(self.disk.remove(file)));
        }
        if !self.disk.remove(&name)? {
            assert!(!planted::is("panic at an entry that is gone"), "{name} is gone");
            return Ok(Removal::Gone);
        }
        self.hot.forget(key);
        for file in files {
            if let Err(error) = self.disk.remove(&file) {
                tracing::debug!(%error, "left behind");
            }
        }
        Ok(Removal::Removed)
    }
}

enum Removal {
    Removed,
    /// By somebody else.
    Gone,
    Stays,
}

impl Tally {
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
}

impl Census {
    fn exceeds(&self, limits: &Limits) -> bool {
        limits.bytes.is_some_and(|limit| self.bytes > limit) || limits.items.is_some_and(|limit| self.items > limit)
    }
}

/// When an entry goes: that of the least rank first. A time of use in the future, by a clock that was wrong, is now.
fn rank(policy: Evict, found: &Found, bytes: u64, now: SystemTime) -> u64 {
    let used = found.used.min(now);
    match policy {
        Evict::LeastRecentlyUsed => nanoseconds(used.duration_since(SystemTime::UNIX_EPOCH)),
        Evict::LeastValuable => {
            let idle = now.duration_since(used).unwrap_or_default();
            value(found.record.duration, bytes, idle)
        }
    }
}

/// The logarithm of [`Evict::LeastValuable`]'s formula, in the order of integers.
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

// By rank, then by key, so that processes that count the same evict the same.
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
