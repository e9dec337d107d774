//! Tiers: results that come from there instead of being computed, and results that go there.

use std::time::{Duration, Instant};

use crate::call::request::{AnyCall, Request};
use crate::entry::in_memory::Content;
use crate::entry::read::find::{FoundEntry, Missing};
use crate::entry::rules::Sharing;
use crate::entry::site::Site;
use crate::error::{Error, Result};
use crate::flight::{Look, Need};
use crate::memory::{Engine, Memory};
use crate::stats::recorder::ComputeTime;
use crate::stats::verbose::{MissReport, Storing};
use crate::tier::{FetchRequest, Fetched, Filter, Flushed, Moved, Purged, TierProbe, TierStatus, Tiers};

/// A result that is good for less than this isn't shared; in nanoseconds.
const SHORT_LIVED: u64 = 60_000_000_000;

/// A call that is asked for.
pub(crate) struct Ask<'a> {
    pub(crate) call: &'a dyn AnyCall,
    pub(crate) site: &'a Site,
    /// Whether an entry is good, by the rules of function and memory.
    pub(crate) fresh: &'a dyn Fn(&FoundEntry) -> Result<(), Missing>,
    /// The edit there that the result is to replace, if there is one.
    pub(crate) edited: Option<Content>,
    /// Another task computes it, too.
    pub(crate) is_alone: bool,
}

impl Engine {
    /// The result of a call from a tier, if one has it; else what is missing still, and whether what is computed instead
    /// goes to the tiers.
    pub(crate) fn ask_tiers<W: Need<Missing = Missing>>(
        &self,
        tiers: &Tiers,
        ask: &Ask<'_>,
        missing: Missing,
        need: &W,
    ) -> Result<W::Value, (Missing, Sharing)> {
        let &Ask { call, site, fresh, edited, is_alone } = ask;
        if !is_shareable(call) {
            return Err((missing, Sharing::No));
        }
        let is_lacking = matches!(missing, Missing::Absent | Missing::Expired(_) | Missing::Damaged(_));
        let is_bad = !matches!(missing, Missing::Absent);
        if !is_lacking || is_alone || site.is_read_only() {
            return Err((missing, if is_bad { Sharing::Replace } else { Sharing::Yes }));
        }
        let interrupted = || need.interrupt().is_some_and(|interrupt| interrupt());
        let function = call.function().path();
        // An edit is by hand: nothing is fetched over it.
        let wanted = || self.archive.edited(site, function) == edited;
        let sought = FetchRequest { site, function, fresh, interrupted: &interrupted, wanted: &wanted };
        let begin = Instant::now();
        match tiers.core().fetch(&sought) {
            Fetched::Here(place) => match need.look() {
                Look::Found(value) => {
                    self.recorder.fetched(call, site, &place, begin.elapsed());
                    Ok(value)
                }
                Look::Missing(still) => Err((still, Sharing::Replace)),
            },
            Fetched::Nowhere { replace } => {
                Err((missing, if replace || is_bad { Sharing::Replace } else { Sharing::Yes }))
            }
        }
    }

    /// Whether the result of a call goes to no tier, now or later.
    pub(crate) fn is_local(&self, call: &impl Request) -> bool {
        let is_short_lived = || self.expires(call.options()).is_some_and(|lifetime| lifetime < SHORT_LIVED);
        !is_shareable(call) || is_short_lived()
    }

    /// Says that a call that missed has been computed in this time. Whether or not the result is stored, a function that is
    /// faster than a tier isn't asked for there.
    pub(crate) fn computed(&self, missed: &MissReport, took: ComputeTime, storing: &Storing<'_>) {
        if let Some(tiers) = &self.tiers {
            tiers.core().computed(missed.function().path(), took.whole);
        }
        self.recorder.computed(missed, took, storing);
    }
}

/// Whether the result of a call means anything on another machine.
fn is_shareable(call: &dyn AnyCall) -> bool {
    let is_stamped = || call.identity().is_ok_and(|identity| identity.files.iter().any(|file| file.by_stamp));
    !call.function().counts_build() && !is_stamped()
}

impl Memory {
    /// Sends results that this user's processes have computed and not yet sent to the tiers, for at most `timeout`.
    ///
    /// Results are sent automatically, some seconds after they were computed; those that a process leaves when it
    /// ends are sent by the next one. This method is for the last step of a job on a machine that is discarded
    /// afterwards. It tries tiers that have failed again, until the time is over.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndcache::Memory;
    /// use ndcache::tier::{Access, MemoryBackend, Tier};
    /// # let folder = tempfile::tempdir().unwrap();
    ///
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let place = MemoryBackend::new();
    /// let memory = Memory::builder(folder.path()).tier(Tier::new(place.clone()).access(Access::ReadWrite)).open()?;
    /// memory.eval(double::call(1.0));
    /// let flushed = memory.flush(Duration::from_secs(60))?;
    /// assert_eq!((flushed.left, place.names().len()), (0, 1));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error when the memory has tiers and is read-only. Results that couldn't be sent are in the returned
    /// value.
    pub fn flush(&self, timeout: Duration) -> Result<Flushed> {
        match self.with_tiers("send results to tiers")? {
            Some(tiers) => Ok(tiers.core().flush(timeout)),
            None => Ok(Flushed::default()),
        }
    }

    /// Sends results that are already in the folder to the tiers that may be written to: those that belong to this
    /// user, were computed, and match `filter`.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory has tiers and is read-only, or when none of its tiers may be written to.
    /// Results that couldn't be sent are in the returned value.
    pub fn push(&self, filter: &Filter) -> Result<Moved> {
        match self.with_tiers("send results to tiers")? {
            Some(tiers) => tiers.core().push(filter),
            None => Ok(Moved::default()),
        }
    }

    /// Fetches the results that match `filter` from the tiers into the folder, for a machine that is about to need
    /// them. Foreign or damaged objects are skipped and reported.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory has tiers and is read-only, or when none of them can be listed. Results that
    /// couldn't be fetched are in the returned value.
    pub fn pull(&self, filter: &Filter) -> Result<Moved> {
        match self.with_tiers("fetch results from tiers")? {
            Some(tiers) => tiers.core().pull(filter),
            None => Ok(Moved::default()),
        }
    }

    /// Removes the results that match `filter` from the tiers that may be written to, from this folder and, within
    /// ten minutes, from the folder of every machine that has these tiers: for results that are wrong.
    ///
    /// Results that are computed afterwards are stored and shared as usual, also by the old program: raise
    /// [`#[cache(version = n)]`](macro@crate::cache) in the new one.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is read-only, has no tier that may be written to, when a tier couldn't be
    /// written to (its results may then come back), or when a result may still be in this folder. In the last two
    /// cases purge again.
    pub fn purge(&self, filter: &Filter) -> Result<Purged> {
        let none = || Error::unsupported("can't purge: the memory has no tiers");
        self.with_tiers("purge results")?.ok_or_else(none)?.core().purge(filter)
    }

    /// Cancels purges on the tiers that may be written to: those of `what`, which is the path of a function or the
    /// name of a [`Purge`](crate::tier::Purge), or all if it is `None`. Results that they removed are computed again;
    /// results that still exist, or were computed under a clock that differs, are valid again, on every machine
    /// within ten minutes. Returns how many purges were in force.
    ///
    /// ```
    /// use ndcache::Memory;
    /// use ndcache::tier::{Access, Filter, MemoryBackend, Tier};
    /// # let folder = tempfile::tempdir().unwrap();
    ///
    /// let tier = Tier::new(MemoryBackend::new()).access(Access::ReadWrite);
    /// let memory = Memory::builder(folder.path()).tier(tier).open()?;
    /// memory.purge(&Filter::default())?;
    /// assert_eq!(memory.tiers()[0].purges[0].what, "all");
    /// assert_eq!((memory.lift_purge(None)?, memory.tiers()[0].purges.len()), (1, 0));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is read-only, has no tier that may be written to, or when a tier couldn't be
    /// written to.
    pub fn lift_purge(&self, what: Option<&str>) -> Result<u64> {
        let none = || Error::unsupported("can't lift a purge: the memory has no tiers");
        self.with_tiers("lift a purge")?.ok_or_else(none)?.core().lift_purge(what)
    }

    /// Returns the tiers, in the order in which they are asked, without asking them anything.
    ///
    /// ```
    /// use ndcache::Memory;
    /// use ndcache::tier::{Access, MemoryBackend, Tier};
    /// # let folder = tempfile::tempdir().unwrap();
    ///
    /// let memory = Memory::builder(folder.path()).tier(Tier::new(MemoryBackend::named("x"))).open()?;
    /// let tiers = memory.tiers();
    /// assert_eq!((&*tiers[0].place, tiers[0].access, tiers[0].queued), ("memory:x", Access::ReadOnly, 0));
    /// assert!(memory.probe_tiers()[0].is_fine());
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn tiers(&self) -> Vec<TierStatus> {
        self.all_tiers().map_or_else(Vec::new, |tiers| tiers.core().status())
    }

    /// Tries each operation that a tier is used for, whether or not it failed recently: an object and a folder that
    /// don't exist must be reported as absent, and if the tier may be written to, a small object is put, read back
    /// and deleted. Takes five seconds for a tier that doesn't answer.
    #[must_use]
    pub fn probe_tiers(&self) -> Vec<TierProbe> {
        self.all_tiers().map_or_else(Vec::new, |tiers| tiers.core().probe())
    }

    /// Returns how many results of this user wait to be sent to places that aren't tiers of this memory, for example
    /// one of another share, or one that is no longer named.
    #[must_use]
    pub fn queued_elsewhere(&self) -> u64 {
        self.all_tiers().map_or(0, |tiers| tiers.core().outbox.queued_elsewhere())
    }

    /// Returns the paths of the functions of which each tier has results, sorted, with the tier's place; an error for
    /// a tier that can't be listed. Lists each tier completely and reads a record of each function.
    #[must_use]
    pub fn tier_functions(&self) -> Vec<(String, Result<Vec<String>>)> {
        self.all_tiers().map_or_else(Vec::new, |tiers| tiers.core().functions())
    }

    fn all_tiers(&self) -> Option<&Tiers> {
        self.0.as_ref().and_then(|engine| engine.tiers.as_ref())
    }

    /// What tiers said of a call when they were last asked for it by this memory.
    pub(crate) fn tier_answers(&self, call: &dyn AnyCall) -> Option<String> {
        let engine = self.0.as_ref()?;
        engine.tiers.as_ref()?.core().last_answers(engine.site(call).ok()?.key())
    }

    /// The tiers, for what takes a memory that may write.
    fn with_tiers(&self, action: &str) -> Result<Option<&Tiers>> {
        let Some(tiers) = self.all_tiers() else { return Ok(None) };
        self.writable(action)?;
        Ok(Some(tiers))
    }
}
