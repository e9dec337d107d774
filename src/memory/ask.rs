//! Looking at what is stored: whether a call would hit, why not, and what its entry is.

use crate::call::Call;
use crate::call::lazy::Identity;
use crate::call::request::{AnyCall, Request};
use crate::digest::Digest;
use crate::entry::Entry;
use crate::entry::read::find::Missing;
use crate::entry::rules::Mode;
use crate::entry::site::Site;
use crate::error::{Error, Result};
use crate::flight::Look;
use crate::key::{Function, Key};
use crate::memory::form::Owned;
use crate::memory::{Engine, Memory};
use crate::stats::{Explanation, Reason};

impl Memory {
    /// Returns whether `call` would hit. It computes, writes and counts nothing, and hashes the arguments at most
    /// once.
    ///
    /// It reads the record and checks that the files exist, but doesn't read them.
    pub fn contains<A, R>(&self, call: &Call<A, R>) -> bool {
        self.would_hit(call)
    }

    pub(crate) fn would_hit(&self, call: &impl Request) -> bool {
        self.0.as_ref().is_some_and(|engine| matches!(engine.check(call), Ok(Look::Found(()))))
    }

    /// Returns the stored result of `call`, or `None` if it isn't stored or isn't valid: expired, damaged, due to be
    /// refreshed.
    ///
    /// It computes nothing, and doesn't wait for a computation under way. A result that is found is a hit like any
    /// other: loaded and verified as by [`eval`](Self::eval), counted, and marked as used. A result that isn't found
    /// isn't counted. If a cached function uses this method inside, its own result depends on the state of the cache.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// assert_eq!(memory.get(&double::call(1.0)), None);
    /// memory.eval(double::call(1.0));
    /// assert_eq!(memory.get(&double::call(1.0)), Some(2.0));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn get<A, R>(&self, call: &Call<A, R>) -> Option<R> {
        let engine = self.0.as_ref()?;
        let mode = engine.mode(call.options());
        let memo_key = match mode {
            Mode::Off => return None,
            Mode::Refresh => None,
            Mode::ReadWrite | Mode::ReadOnly => match engine.recall(call, mode, Owned) {
                Look::Found(value) => return Some(value),
                Look::Missing(memo_key) => memo_key,
            },
        };
        let identity = call.identity().ok()?;
        // An argument that another thread changes meanwhile must not be found by what it was before.
        let memo_key = memo_key.filter(|&memo_key| call.is_still(memo_key));
        let site = engine.site_under(call.function(), identity, mode, memo_key);
        let look = match engine.hit(call, &site, Owned) {
            Look::Missing(Missing::Absent) if engine.archive.reopen(false) => engine.hit(call, &site, Owned),
            look => look,
        };
        look.found()
    }

    /// Returns the stored entry of `call`, without its value, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns an error when the call has no key, or its entry can't be read.
    pub fn entry<A, R>(&self, call: &Call<A, R>) -> Result<Option<Entry>> {
        self.entry_of(call)
    }

    pub(crate) fn entry_of(&self, call: &dyn AnyCall) -> Result<Option<Entry>> {
        let Some(engine) = &self.0 else { return Ok(None) };
        engine.entry(&engine.site(call)?.record())
    }

    /// Says whether `call` would hit, and if not, why: compares it with at most 1,000 stored calls of its function.
    ///
    /// It computes, writes and counts nothing.
    pub fn explain<A, R>(&self, call: &Call<A, R>) -> Explanation {
        self.explanation_of(call)
    }

    pub(crate) fn explanation_of(&self, call: &impl Request) -> Explanation {
        let reason = match &self.0 {
            None => Reason::Off,
            Some(engine) => engine.explain(call),
        };
        if reason != Reason::Hit {
            return Explanation { reason, edited: false, tiers: self.tier_answers(call) };
        }
        let entry = self.entry_of(call).ok().flatten();
        let edited = entry.as_ref().is_some_and(Entry::edited);
        let is_from_tier = entry.is_some_and(|entry| entry.origin() == Some("tier"));
        let tiers = is_from_tier.then(|| self.tier_answers(call).unwrap_or_else(|| "it came from one".to_owned()));
        Explanation { reason, edited, tiers }
    }
}

impl Engine {
    pub(crate) fn site(&self, call: &dyn AnyCall) -> Result<Site> {
        call.site(&self.settings.salt).map_err(Error::again)
    }

    /// The site of a call whose function has this mode. In a frame of its own: calls nest.
    #[inline(never)]
    pub(super) fn site_under(
        &self,
        function: &'static Function,
        identity: &Identity,
        mode: Mode,
        memo_key: Option<Digest>,
    ) -> Site {
        let site = Site::new(function.folder(), identity.key(&self.settings.salt));
        site.of(function, identity.other_types).under(mode).remembered_by(memo_key)
    }

    pub(crate) fn entry(&self, name: &str) -> Result<Option<Entry>> {
        let found = match self.archive.read_record(name)? {
            None if self.archive.reopen(false) => self.archive.read_record(name)?,
            found => found,
        };
        Ok(found.map(|found| self.archive.entry(name, found)))
    }

    pub(crate) fn explain<C: Request>(&self, call: &C) -> Reason {
        match self.check(call) {
            Ok(Look::Found(())) => Reason::Hit,
            Ok(Look::Missing(missing)) => self.recorder.reason(call, missing),
            Err(error) => Reason::Bypassed(error.to_string()),
        }
    }

    /// Whether `call` would hit, or why it would miss; `Err` if it bypasses the cache.
    pub(crate) fn check<'a, C: Request>(&self, call: &'a C) -> Result<Look<(), Missing>, &'a Error> {
        let site = call.site(&self.settings.salt)?;
        let mode = self.mode(call.options());
        if mode == Mode::Off {
            return Ok(Look::Missing(Missing::Off));
        }
        if call.is_refreshed() || self.is_due(site.key(), mode) {
            return Ok(Look::Missing(Missing::Due));
        }
        Ok(self.would_hit(call, &site).map_or_else(Look::Missing, Look::Found))
    }

    /// Whether the entry is good and all its files are there, without a look into them.
    fn would_hit(&self, call: &impl Request, site: &Site) -> Result<(), Missing> {
        let function = call.function().path();
        let mut found = self.archive.find_loadable(site, function)?;
        loop {
            self.fresh(call.options(), site, &found)?;
            match self.archive.is_whole(site, &found.record) {
                Ok(()) => return Ok(()),
                Err(error) => found = self.archive.successor(site, function, &found, error)?,
            }
        }
    }

    /// Remembers, if `refreshes`, that a key was computed and is due no more. Only `Mode::Refresh` asks for it; what other
    /// modes compute isn't remembered, as it would grow with the number of results.
    pub(crate) fn note_refreshed(&self, key: Key, refreshes: bool) {
        if refreshes {
            self.refreshed.lock().insert(key);
        }
    }

    /// Whether `Mode::Refresh` hasn't computed `key` yet.
    pub(crate) fn is_due(&self, key: Key, mode: Mode) -> bool {
        mode == Mode::Refresh && !self.refreshed.lock().contains(&key)
    }
}
