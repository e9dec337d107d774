//! What is done with a folder as a whole: listing, removing, reducing and verifying what is stored.

use std::time::SystemTime;

use crate::call::Call;
use crate::call::request::{CallOptions, Request};
use crate::entry::{Entry, Mode};
use crate::error::{Error, Result};
use crate::folder::list::Entries;
use crate::folder::verify::{Watcher, verify};
use crate::folder::{Checked, Evicted, Limits, Repair, VerifyReport};
use crate::key::{self, Function};
use crate::memory::{Engine, Memory};
use crate::stats::History;
use crate::store::Removed;
use crate::tier::{RemovedScope, mark};

impl Engine {
    /// # Errors
    ///
    /// Returns an error when the function writes nothing, by its own mode or the memory's.
    pub(crate) fn expect_writes(&self, function: &Function, options: &impl CallOptions, action: &str) -> Result<()> {
        match self.mode(options) {
            Mode::ReadWrite | Mode::Refresh => Ok(()),
            mode => {
                Err(Error::unsupported(format!("can't {action}: function `{}` is in mode `{mode}`", function.path())))
            }
        }
    }
}

impl Memory {
    /// Returns all entries, of every function and in no order, without their values.
    ///
    /// Each step reads one record; after a thousand, several threads read some hundreds ahead. Entries that are
    /// removed in the meantime are left out; a record or folder that can't be read is an error, after which the
    /// iteration continues.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry>> {
        self.0.iter().flat_map(|engine| {
            engine.archive.reopen(false);
            Entries::new(&engine.archive.disk)
        })
    }

    /// Removes the entry of `call`, and returns whether there was one. Mapped arrays keep their bytes.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory or the function is read-only, when the call has no key, or when the entry
    /// can't be removed.
    pub fn remove<A, R>(&self, call: &Call<A, R>) -> Result<bool> {
        self.remove_entry_of(call)
    }

    pub(crate) fn remove_entry_of(&self, call: &impl Request) -> Result<bool> {
        let Some(engine) = self.writable("remove an entry")? else { return Ok(false) };
        engine.expect_writes(call.function(), call.options(), "remove an entry")?;
        let site = engine.site(call)?;
        let found = engine.archive.find(&site, call.function().path()).ok();
        mark(&engine.archive.disk, &RemovedScope::Key(site.key()));
        engine.archive.remove(&site, found.as_ref().map(|found| &*found.record))
    }

    /// Removes all entries of `function`, of every version of its code, and returns how many there were.
    ///
    /// A disabled memory has none.
    ///
    /// # Errors
    ///
    /// Returns an error when an entry can't be removed; all others are removed nevertheless.
    pub fn clear_function(&self, function: &Function) -> Result<Evicted> {
        self.clear_function_named(function.path())
    }

    /// Removes all entries of the function with this path, like [`clear_function`](Self::clear_function).
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is read-only, or when an entry can't be removed; all others are removed
    /// nevertheless.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.5));
    /// assert_eq!(memory.clear_function_named(double::function().path())?.items, 1);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn clear_function_named(&self, function: &str) -> Result<Evicted> {
        self.clear_tree("clear a function", &RemovedScope::of_function(function), &key::folder(function), |_| true)
    }

    /// Removes everything that was stored, that is the folders `f/` and `m/` and nothing else of the cache folder,
    /// and returns how many entries there were. The number of bytes is that of all files, with the records of build
    /// steps.
    ///
    /// A disabled memory has nothing to remove.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.0));
    /// memory.eval(double::call(2.0));
    /// let removed = memory.clear()?;
    /// assert_eq!(removed.items, 2);
    /// assert!(removed.bytes > 0);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error when a file can't be removed; all others are removed nevertheless.
    pub fn clear(&self) -> Result<Evicted> {
        let Some(engine) = self.writable("clear the cache")? else { return Ok(Evicted::default()) };
        mark(&engine.archive.disk, &RemovedScope::All);
        let (entries, steps) = (engine.archive.disk.remove_tree("f"), engine.archive.disk.remove_tree("m"));
        engine.forget_all();
        let (entries, steps) = (entries?, steps?);
        Ok(Evicted { items: entries.records, bytes: entries.bytes + steps.bytes })
    }

    /// Removes all entries, that is the folder `f/` and nothing else: records of build steps stay. Returns how many
    /// entries there were, and the bytes of their files, none of which it reads.
    ///
    /// A disabled memory has nothing to remove.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.0));
    /// assert_eq!(memory.clear_entries()?.items, 1);
    /// assert_eq!(memory.entries().count(), 0);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error when a file can't be removed; all others are removed nevertheless.
    pub fn clear_entries(&self) -> Result<Evicted> {
        self.clear_entries_while(|_| true)
    }

    /// Removes all entries like [`clear_entries`](Self::clear_entries) as long as `goes_on` returns `true`: it is called
    /// for every few entries, with what was removed so far. No entry is removed in part.
    ///
    /// # Errors
    ///
    /// Returns an error when a file can't be removed; all others are removed nevertheless.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.0));
    /// let stop = std::sync::atomic::AtomicBool::new(true);
    /// let removed = memory.clear_entries_while(|_| !stop.load(std::sync::atomic::Ordering::Relaxed))?;
    /// assert_eq!((removed.items, memory.entries().count()), (0, 1));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn clear_entries_while(&self, goes_on: impl FnMut(Evicted) -> bool) -> Result<Evicted> {
        self.clear_tree("clear the entries", &RemovedScope::All, "f", goes_on)
    }

    /// Removes a folder of entries with all that is in it, and marks that it was removed by hand.
    fn clear_tree(
        &self,
        action: &str,
        target: &RemovedScope,
        folder: &str,
        mut goes_on: impl FnMut(Evicted) -> bool,
    ) -> Result<Evicted> {
        let Some(engine) = self.writable(action)? else { return Ok(Evicted::default()) };
        let evicted = |removed: Removed| Evicted { items: removed.records, bytes: removed.bytes };
        mark(&engine.archive.disk, target);
        let removed = engine.archive.disk.remove_tree_while(folder, &mut |removed| goes_on(evicted(removed)));
        engine.forget_all();
        removed.map(evicted)
    }

    pub(crate) fn writable(&self, action: &str) -> Result<Option<&Engine>> {
        match &self.0 {
            Some(engine) if !engine.writes() => {
                let place = engine.archive.disk.path().display();
                Err(Error::unsupported(format!("can't {action}: the memory in `{place}` is read-only")))
            }
            Some(engine) => {
                engine.archive.reopen(false);
                Ok(Some(engine))
            }
            None => Ok(None),
        }
    }

    /// Evicts entries until all `limits` hold, and removes garbage.
    ///
    /// The [`EvictPolicy`](crate::policy::EvictPolicy) of the memory says which entries are evicted first, by default
    /// the least recently used. The size of an entry is the length of all its files. Entries that were used since
    /// they were read stay. Edited results and entries of newer versions are part of the sum, but are never evicted:
    /// if there are only these, a limit may remain exceeded. Mapped arrays keep their bytes.
    ///
    /// Files that no record names and records that can't be read are also removed, whatever the limits, once they are
    /// a day old; above a limit such records are removed before any entry.
    ///
    /// It reads every record, on several threads, and twice if more than 65,536 entries have to go. Each of these
    /// threads takes some 100 bytes of memory for each evicted entry and for up to 65,536 others, however many there
    /// are. Lookups and writers continue; what they add in the meantime isn't part of the sum. A disabled memory
    /// evicts nothing.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is read-only, or when something couldn't be listed or removed: the first such
    /// error, after everything else was done.
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
            Some(engine) => engine.evictor.reduce(&limits),
            None => Ok(Evicted::default()),
        }
    }

    /// Checks every entry: its record, and the length, mode, header and digest of each of its files.
    ///
    /// It reads the whole cache, on several threads, a mebibyte at a time, and maps nothing. Other processes may
    /// continue: an entry that is replaced or removed in the meantime isn't a problem. With [`Repair::Remove`]
    /// damaged entries are removed, unless they changed in the meantime; entries of newer versions, and entries that
    /// the file system failed to read, stay. Records of build steps aren't checked. A disabled memory has nothing to
    /// check.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder can't be listed, or when damaged entries should be removed from a read-only
    /// memory. Problems of single files, and of folders in it that can't be listed, are in the report.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndcache::verify::Repair;
    /// use ndcache::Memory;
    ///
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = Memory::open(folder.path())?;
    /// memory.eval(double::call(1.0));
    /// let report = memory.verify(Repair::No)?;
    /// assert!(report.is_intact());
    /// assert_eq!((report.entries, report.problems), (1, vec![]));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn verify(&self, repair: Repair) -> Result<VerifyReport> {
        self.verify_with(repair, |_| {})
    }

    /// Checks every entry, like [`verify`](Self::verify), and calls `progress` after each.
    ///
    /// `progress` is called by several threads, with what all of them have checked so far; two calls may come in
    /// either order.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder can't be listed, or when damaged entries should be removed from a read-only
    /// memory.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use ndcache::verify::Repair;
    /// use ndcache::Memory;
    ///
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = Memory::open(folder.path())?;
    /// memory.eval(double::call(1.0));
    /// let most = AtomicU64::new(0);
    /// let report = memory.verify_with(Repair::No, |checked| {
    ///     most.fetch_max(checked.entries, Ordering::Relaxed);
    /// })?;
    /// assert_eq!((report.entries, most.into_inner()), (1, 1));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn verify_with(&self, repair: Repair, progress: impl Fn(Checked) + Sync) -> Result<VerifyReport> {
        if repair == Repair::Remove {
            self.writable("remove damaged entries")?;
        }
        let Some(engine) = &self.0 else { return Ok(VerifyReport::default()) };
        engine.archive.reopen(false);
        let report = verify(&engine.archive.disk, repair, &Watcher::new(&progress));
        if repair == Repair::Remove {
            engine.memo.table.clear();
        }
        report
    }
}

impl Engine {
    /// Forgets what is remembered of entries that may be gone.
    fn forget_all(&self) {
        self.memo.table.clear();
        self.archive.forget_codes();
    }
}

impl Memory {
    /// Returns the recorded counts of calls that used the folder, by any process, since `since` or since the
    /// beginning.
    ///
    /// The counts of this process are recorded first. It reads the whole log, in some milliseconds for each mebibyte.
    /// Lines that were torn by a kill are skipped, and counted.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.0));
    /// let week = SystemTime::now() - Duration::from_secs(7 * 86_400);
    /// assert_eq!(memory.history(Some(week))?.total().misses, 1);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error when the folder can't be listed. The history of a disabled memory is empty.
    pub fn history(&self, since: Option<SystemTime>) -> Result<History> {
        let Some(engine) = &self.0 else { return Ok(History::default()) };
        engine.recorder.history(since)
    }

    /// Replaces lines of the [`history`](Self::history) that were rotated out of `s/log` more than an hour ago by one
    /// line for each day, in which runs and machines aren't distinguished any more.
    ///
    /// This is done automatically each time that 4 MiB were written.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder can't be read or written.
    pub fn fold_history(&self) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |engine| engine.recorder.fold_history())
    }

    /// Deletes the [`history`](Self::history), with the counts that this process hasn't recorded yet.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder can't be read or written.
    pub fn reset_history(&self) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |engine| engine.recorder.reset_history())
    }
}
