//! Plans of what a collection would remove, and their execution.

use std::time::Duration;

use crate::entry::Entry;
use crate::error::{Error, Result};
use crate::folder::evict::planning::{SeenFolder, named};
use crate::folder::{Evicted, Executed, Limits, Plan, PlanReason};
use crate::key;
use crate::memory::Memory;
use crate::tier::{RemovedScope, mark};

impl Memory {
    /// Plans what [`reduce_size`](Self::reduce_size) would remove, and sums up how long it would take to compute that
    /// again.
    ///
    /// It reads every record, on several threads, and removes, locks and stamps nothing, so a read-only memory can
    /// make a plan, too. Without limits the plan holds only files that belong to no entry, and records that can't be
    /// read, once they are a day old. [`execute`](Self::execute) carries out the plan.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder or its pins can't be read, or the memory is disabled. [`Plan::unread`] names
    /// the first other thing that can't be read; such things stay.
    pub fn plan_reduce(&self, limits: Limits) -> Result<Plan> {
        self.see(None).map(|seen| seen.reduce(&limits))
    }

    /// Plans what would be removed if the limits held for the entries of one function alone, by its path.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder or its pins can't be read, or the memory is disabled.
    pub fn plan_reduce_function(&self, function: &str, limits: Limits) -> Result<Plan> {
        self.see(Some(&key::folder(function))).map(|seen| seen.reduce(&limits))
    }

    /// Plans to remove the entries of older code: those that weren't used since the newest code of their function was
    /// first stored, nor for `unused`.
    ///
    /// The newest code is that of the entry that was created last. Edited and pinned entries aren't in the plan.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder or its pins can't be read, or the memory is disabled.
    pub fn plan_superseded(&self, unused: Duration) -> Result<Plan> {
        self.see(None).map(|seen| seen.superseded(unused))
    }

    /// Plans what limits would remove and, with `superseded`, also entries of older code that weren't used for that
    /// time: the union of [`plan_reduce`](Self::plan_reduce) and [`plan_superseded`](Self::plan_superseded), while
    /// reading each record once; with a `function`, by its path, only for its entries. `limits` is called with the
    /// number of entries and bytes.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder or its pins can't be read, or the memory is disabled.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use std::time::Duration;
    /// use ndcache::{Limits, Memory};
    ///
    /// let memory = Memory::open(folder.path())?;
    /// let half = |stored: ndcache::policy::Evicted| Limits { bytes: Some(stored.bytes / 2), ..Limits::default() };
    /// let plan = memory.plan_collection(None, half, Some(Duration::ZERO))?;
    /// assert!(plan.is_empty());
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn plan_collection(
        &self,
        function: Option<&str>,
        limits: impl FnOnce(Evicted) -> Limits,
        superseded: Option<Duration>,
    ) -> Result<Plan> {
        let seen = self.see(function.map(key::folder).as_deref())?;
        let older = superseded.map(|unused| seen.superseded(unused));
        let limits = limits(seen.total());
        let plan = seen.reduce(&limits);
        Ok(match older {
            Some(older) => plan.union(older),
            None => plan,
        })
    }

    /// Plans to remove the given entries, which this memory, or another one for the same folder, has listed; also
    /// pinned and edited ones.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is disabled.
    pub fn plan_removal(&self, entries: impl IntoIterator<Item = Entry>) -> Result<Plan> {
        let engine = self.0.as_ref().ok_or_else(disabled)?;
        Ok(named(&engine.archive.disk, entries))
    }

    /// Removes what a plan holds and nothing else, and returns what was done.
    ///
    /// Each entry is checked once more: one whose record was used, replaced or touched since then stays and is
    /// counted, and so does one that was pinned or edited, unless it was named. Uses are recorded at most once an
    /// hour, so a use isn't seen if the entry was already used in the hour before. Mapped arrays keep their bytes.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is read-only or disabled, when the plan is for another folder, or when
    /// something couldn't be removed: the first such error, after everything else was removed.
    pub fn execute(&self, plan: &Plan) -> Result<Executed> {
        self.execute_while(plan, |_| true)
    }

    /// Removes what a plan holds like [`execute`](Self::execute), as long as `goes_on` returns `true`: it is called before
    /// each entry, with what was done so far.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`execute`](Self::execute).
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
    /// let plan = memory.plan_reduce(Limits::default().items(0))?;
    /// let executed = memory.execute_while(&plan, |done| done.removed.items < 2)?;
    /// assert_eq!((executed.removed.items, memory.entries().count()), (2, 3));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn execute_while(&self, plan: &Plan, mut goes_on: impl FnMut(Executed) -> bool) -> Result<Executed> {
        let engine = self.writable("execute a plan")?.ok_or_else(disabled)?;
        let executed = engine.evictor.execute(plan, |done, next| {
            let goes_on = goes_on(done);
            // What a limit takes may come back from a tier; what somebody has named may not.
            if let Some(entry) = next.filter(|entry| goes_on && entry.reason() == PlanReason::Named) {
                mark(&engine.archive.disk, &RemovedScope::Key(entry.key()));
            }
            goes_on
        });
        engine.archive.forget_codes();
        executed
    }

    fn see(&self, scope: Option<&str>) -> Result<SeenFolder> {
        let engine = self.0.as_ref().ok_or_else(disabled)?;
        engine.archive.reopen(false);
        engine.evictor.see(scope)
    }
}

fn disabled() -> Error {
    Error::unsupported("can't plan a collection: the memory is disabled")
}
