//! The way of a call through the cache: look up, wait while others compute it, compute, store.

use std::sync::Arc;
use std::time::Instant;

use crate::call::request::{AnyCall, CallOptions, Request};
use crate::call::{Call, LazyCall};
use crate::digest::Digest;
use crate::entry::read::find::{FoundEntry, Missing};
use crate::entry::rules::Mode;
use crate::entry::site::Site;
use crate::entry::write::put::Draft;
use crate::error::{Error, Result};
use crate::flight::Look;
use crate::key::Function;
use crate::memo::entry::{MemoEntry, MemoHandle};
use crate::memory::form::{Evaluated, Owned, ResultForm, Shared, StoredEntry, Writable};
use crate::memory::fresh::good_until;
use crate::memory::scope::frame::Frame;
use crate::memory::turn::{ComputeTurn, NeededCall, Prepared, Waited};
use crate::memory::{Engine, Memory};
use crate::payload::{Compression, CopyOnWrite, Mappable, Outcome};
use crate::record::nanoseconds;
use crate::stats::recorder::ComputeTime;
use crate::stats::verbose::{MissReport, Storing};

impl Memory {
    /// Returns the result of `call`: loads it if it is stored, else computes and stores it. `call` is `f::call(x)`,
    /// not `f(x)`.
    ///
    /// The type of the result chooses how it is returned: an `Array2<f64>` is read into memory and verified against
    /// its digest; a [`Mapped2<f64>`](crate::Mapped2) is memory-mapped, by the first call as by later ones. Results
    /// are normalised before they are stored and returned, so that the first call returns what later ones do: arrays
    /// keep C or Fortran order, and arrays in another order become C; a result that is stored through serde is
    /// returned as serde deserializes it. An `Err` isn't stored, unless the function has the option `cache_err`.
    ///
    /// A fault of the cache (a full disk, a damaged entry) never loses the result: the computed value is returned,
    /// and the fault is counted in [`Memory::stats`] and logged once for each function at `warn`. Threads and
    /// processes that need the same key compute it once.
    ///
    /// # Panics
    ///
    /// Panics if the function panics; then nothing is stored.
    pub fn eval<C: LazyCall>(&self, call: C) -> C::Output {
        self.evaluate(call.into_call(), Owned).value
    }

    /// Returns the result of `call` like [`Memory::eval`], but returns an error if the cache fails.
    ///
    /// # Errors
    ///
    /// Returns an error when the result was computed and couldn't be stored, or when the call has no key. A damaged
    /// entry that was computed again and replaced isn't an error.
    pub fn try_eval<C: LazyCall>(&self, call: C) -> Result<C::Output> {
        let evaluated = self.evaluate(call.into_call(), Owned);
        evaluated.fault.map_or(Ok(evaluated.value), Err)
    }

    /// Returns the result of `call` with its arrays memory-mapped: an `Array2<f64>` is returned as
    /// [`Mapped2<f64>`](crate::Mapped2).
    ///
    /// Mapped arrays are read-only and shared; mapping takes the time of a few system calls, whatever the size.
    /// Arrays in `Result`, `Option` and tuples are mapped, too. A struct that derives `Payload` is returned as it is:
    /// give the fields that should be mapped a `Mapped` type.
    ///
    /// Where mapping isn't possible (see `docs/guarantees.md`), and for files of at most 128 KiB, which are faster to
    /// read, the same type holds a copy; [`Mapped::is_mapped`](crate::Mapped::is_mapped) says which.
    pub fn mmap<C: LazyCall<Output: Mappable>>(&self, call: C) -> <C::Output as Mappable>::Mapped {
        self.evaluate(call.into_call(), Shared).value
    }

    /// Returns the result of `call`, memory-mapped copy-on-write: it can be changed in memory, but not on disk.
    pub fn mmap_cow<C: LazyCall<Output: CopyOnWrite>>(&self, call: C) -> <C::Output as CopyOnWrite>::Cow {
        self.evaluate(call.into_call(), Writable).value
    }

    /// Computes `call`, whether or not it is stored, and stores the result in place of the old one; returns it like
    /// [`eval`](Self::eval). [`Call::refresh`] does this for the other forms of a result.
    pub fn refresh<C: LazyCall>(&self, call: C) -> C::Output {
        self.eval(call.into_call().refresh())
    }
}

impl Memory {
    pub(crate) fn evaluate<A, R, S: ResultForm<R>>(&self, call: Call<A, R>, form: S) -> Evaluated<S::Out> {
        let Some(engine) = &self.0 else {
            let expires = call.options().expires().map(|expires| nanoseconds(expires()));
            return self.run_uncached(call, form, expires);
        };
        let function = call.function();
        engine.warn_unnamed(function);
        let mode = engine.mode(call.options());
        if mode == Mode::Off {
            let expires = engine.expires(call.options());
            return self.run_uncached(call, form, expires);
        }
        // A hit that may be rechecked needs its key.
        let has_key = mode == Mode::Refresh || engine.settings.recheck > 0.0;
        let memo_key = match if has_key { Look::Missing(None) } else { engine.recall(&call, mode, form) } {
            Look::Found(value) => return Evaluated { value, fault: None },
            Look::Missing(memo_key) => memo_key,
        };
        let site = match call.identity() {
            Ok(identity) => {
                // An argument that another thread changes meanwhile must not be found by what it was before.
                let memo_key = memo_key.filter(|&memo_key| call.is_still(memo_key));
                engine.site_under(function, identity, mode, memo_key)
            }
            Err(error) => {
                let fault = error.again();
                let missed = engine.recorder.bypassed(&call, error);
                // Counts the fault; what is returned of it is the error itself.
                let evaluated = self.compute_only(engine, call, form, &missed, "it can't be keyed");
                return Evaluated { fault: Some(fault), ..evaluated };
            }
        };
        let missing = match engine.hit(&call, &site, form) {
            Look::Found(value) => {
                self.recheck(engine, call, &site);
                return Evaluated { value, fault: None };
            }
            Look::Missing(missing) => missing,
        };
        // The thread that computes it looks again after this.
        let reopened =
            matches!(missing, Missing::Absent | Missing::Due) && engine.archive.reopen(mode <= Mode::Refresh);
        if mode <= Mode::Refresh {
            self.compute_once(engine, call, &site, form, missing)
        } else {
            let missing = match if reopened { engine.hit(&call, &site, form) } else { Look::Missing(missing) } {
                Look::Found(value) => return Evaluated { value, fault: None },
                Look::Missing(missing) => missing,
            };
            let missed = engine.recorder.miss(&call, &site, missing);
            self.compute_only(engine, call, form, &missed, "nothing is written in this mode")
        }
    }

    /// Runs a function that looks nothing up: through this memory still, so that the cached calls inside know their mode.
    /// What is good for `lifetime` is so for the cached function that called, too.
    fn run_uncached<A, R, S: ResultForm<R>>(
        &self,
        call: Call<A, R>,
        form: S,
        lifetime: Option<u64>,
    ) -> Evaluated<S::Out> {
        let value = form.keep(self.with(|| call.compute().0));
        Frame::expires(lifetime.and_then(good_until));
        Evaluated { value, fault: None }
    }

    /// Computes `call` unless another thread or process does so meanwhile, and stores the result.
    fn compute_once<A, R, S: ResultForm<R>>(
        &self,
        engine: &Engine,
        call: Call<A, R>,
        site: &Site,
        form: S,
        missing: Missing,
    ) -> Evaluated<S::Out> {
        let need = NeededCall { engine, call: &call, site, form };
        let fresh = |found: &FoundEntry| engine.fresh(call.options(), site, found).map(drop);
        let turn = match engine.wait_for_turn(&call, site, missing, &need, &fresh) {
            Waited::Found(value) => {
                // What came from a tier may be hit this once, on a machine that computes otherwise.
                self.recheck(engine, call, site);
                return Evaluated { value, fault: None };
            }
            Waited::Turn(turn) => turn,
        };
        if let Some(why) = turn.left_alone() {
            return self.compute_only(engine, call, form, &turn.into_missed(), why);
        }
        self.compute_and_put(engine, call, site, form, &turn)
    }

    /// Computes without storing.
    fn compute_only<A, R, S: ResultForm<R>>(
        &self,
        engine: &Engine,
        call: Call<A, R>,
        form: S,
        missed: &MissReport,
        why: &'static str,
    ) -> Evaluated<S::Out> {
        let (function, codec, check) = (call.function(), call.codec(), call.options().check());
        let Computed { result: mut value, took, .. } = self.compute(engine, call, None);
        codec.normalise(&mut value, check);
        engine.computed(missed, took, &Storing::NotStored(why.into()));
        match missed.bypass() {
            Some(fault) => engine.faulted(function, form.keep(value), fault),
            None => Evaluated { value: form.keep(value), fault: None },
        }
    }

    fn compute_and_put<A, R, S: ResultForm<R>>(
        &self,
        engine: &Engine,
        call: Call<A, R>,
        site: &Site,
        form: S,
        turn: &ComputeTurn,
    ) -> Evaluated<S::Out> {
        let (function, codec, check, missed) = (call.function(), call.codec(), call.options().check(), &turn.missed);
        let Prepared { least, refreshes, draft } = self.prepare(engine, &call, turn);
        turn.lands_empty(true);
        let Computed { result: mut value, changed, took, expires } = self.compute(engine, call, Some(site));
        // Before and whatever becomes of storing it: what a call returns must not depend on a full disk.
        let normal = codec.normalise(&mut value, check);
        let unstored = unstored(codec.outcome(normal.value()), function);
        let cheap = || engine.is_too_cheap(least, site, took.whole).then_some("it took less than `min_duration`");
        if let Some(why) = unstored.or_else(cheap) {
            engine.computed(missed, took, &Storing::NotStored(why.into()));
            drop(normal);
            return Evaluated { value: form.keep(value), fault: None };
        }
        let draft = match changed {
            Some(argument) => Err(changed_argument(function, argument)),
            None => draft.map(|draft| expiring(draft, expires)),
        };
        let stored = engine.put_computed(turn, site, draft, &normal, took);
        drop(normal);
        let record = match stored {
            Ok(Some(record)) => record,
            Ok(None) => return Evaluated { value: form.keep(value), fault: None },
            Err(error) => return engine.faulted(function, form.keep(value), error),
        };
        engine.note_refreshed(site.key(), refreshes);
        if !form.reloads(codec) {
            return Evaluated { value: form.keep(value), fault: None };
        }
        match form.load(&StoredEntry { engine, site, record: &record, fresh: true, memo_entry: None }, codec) {
            Ok(value) => Evaluated { value, fault: None },
            // Evicted or replaced at once.
            Err(_) if !engine.archive.stands(site, &record) => Evaluated { value: form.keep(value), fault: None },
            Err(error) => engine.faulted(function, form.keep(value), error),
        }
    }

    /// Runs the function; the cached calls in it go through this memory, and the result's place is `site`.
    pub(crate) fn compute<A, R>(&self, engine: &Engine, call: Call<A, R>, site: Option<&Site>) -> Computed<R> {
        // Before it runs: an expression that panics must not cost its result.
        let lifetime = engine.expires(call.options());
        let frame = Frame::enter(call.function());
        let staging = engine.staging_site(call.function(), site);
        let begin = Instant::now();
        let (result, changed) = self.with_staging(staging, || call.compute());
        let (expires, took) = Frame::leave(frame, begin.elapsed());
        Frame::expires(lifetime.and_then(good_until));
        Computed { result, changed, took, expires }
    }
}

pub(crate) struct Computed<R> {
    pub(crate) result: R,
    pub(crate) changed: Option<&'static str>,
    pub(crate) took: ComputeTime,
    /// When the first of the cached calls inside expires.
    pub(crate) expires: Option<u64>,
}

/// Notes in the draft when the first of the cached calls inside expires.
pub(crate) fn expiring(draft: Box<(Draft, Compression)>, expires: Option<u64>) -> Box<(Draft, Compression)> {
    let mut draft = draft;
    draft.0.expires = expires;
    draft
}

/// Why a value isn't stored, if it isn't.
pub(crate) fn unstored(outcome: Outcome, function: &Function) -> Option<&'static str> {
    match outcome {
        Outcome::Err if !function.caches_err() => Some("it is an `Err`"),
        Outcome::None if function.skips_none() => Some("it is `None`"),
        _ => None,
    }
}

pub(crate) fn changed_argument(function: &Function, argument: &str) -> Error {
    let path = function.path();
    Error::invalid(format!("function `{path}` changed its argument `{argument}`, so that its result can't be stored"))
}

impl Engine {
    /// Whether a hit asks for no more than the value: nobody validates it, lets it expire or hears of it.
    #[inline]
    fn may_carry(&self, options: &impl CallOptions) -> bool {
        self.may_carry
            && options.validate().is_none()
            && options.expires().is_none()
            && self.recorder.hits_from().is_none()
    }

    /// The stored result of a call that this thread has hit before; else the key that it is to be remembered by.
    pub(crate) fn recall<A, R, S: ResultForm<R>>(
        &self,
        call: &Call<A, R>,
        mode: Mode,
        form: S,
    ) -> Look<S::Out, Option<Digest>> {
        let found = call.hashed_shallow(|hasher| {
            let plain_key = if self.may_carry(call.options()) { hasher.plain_key() } else { None };
            if let Some(value) =
                plain_key.and_then(|plain_key| self.memo.carried(&plain_key, |value| form.decode(value, call.codec())))
            {
                return Some(Look::Found(value));
            }
            let memo_key = hasher.memo_key()?;
            let found = self.memo.recalled(memo_key, call.function()).and_then(|(handle, site, now)| {
                let value = self.again(call, &site.under(mode), form, &handle, now)?;
                if let Some(plain_key) = plain_key {
                    self.memo.carry(plain_key, &handle);
                }
                Some(value)
            });
            Some(found.map_or(Look::Missing(Some(memo_key)), Look::Found))
        });
        found.unwrap_or(Look::Missing(None))
    }

    /// The result of a call from what is remembered. If that can't be used, the disk may have another entry by now.
    fn again<C: Request, S: ResultForm<C::Result>>(
        &self,
        call: &C,
        site: &Site,
        form: S,
        handle: &MemoHandle,
        now: u64,
    ) -> Option<S::Out> {
        let begin = self.recorder.hits_from();
        let expires = self.fresh(call.options(), site, &handle.memo_entry.found).ok()?;
        let value = form.load(&self.stored(site, &handle.memo_entry), call.codec()).ok()?;
        self.note_hit(call, site, handle, expires, begin);
        self.memo.stamp_again(site, &handle.memo_entry, now);
        Some(value)
    }

    /// The stored result of `call`.
    pub(crate) fn hit<C: Request, S: ResultForm<C::Result>>(
        &self,
        call: &C,
        site: &Site,
        form: S,
    ) -> Look<S::Out, Missing> {
        if call.is_refreshed() || self.is_due(site.key(), self.mode(call.options())) {
            return Look::Missing(Missing::Due);
        }
        let (path, begin) = (call.function().path(), self.recorder.hits_from());
        let was = match self.memo.remembered(site, path) {
            Ok((handle, now)) => match self.again(call, site, form, &handle, now) {
                Some(value) => return Look::Found(value),
                None => Some(handle),
            },
            Err(was) => was,
        };
        self.load(call, site, form, was, begin).map_or_else(Look::Missing, Look::Found)
    }

    /// The result of `call` from the disk, where the entry may be replaced while it is read; from then on it is
    /// remembered, in place of what `was` remembered.
    fn load<C: Request, S: ResultForm<C::Result>>(
        &self,
        call: &C,
        site: &Site,
        form: S,
        was: Option<Arc<MemoHandle>>,
        begin: Option<Instant>,
    ) -> Result<S::Out, Missing> {
        let (path, read) = (call.function().path(), Instant::now());
        let mut handle = self.memo.look_up(site, path, was)?;
        let (value, expires) = loop {
            let expires = self.fresh(call.options(), site, &handle.memo_entry.found)?;
            match form.load(&self.stored(site, &handle.memo_entry), call.codec()) {
                Ok(value) => break (value, expires),
                Err(error) => {
                    self.archive.successor(site, path, &handle.memo_entry.found, error)?;
                    handle = self.memo.look_up(site, path, Some(handle))?;
                }
            }
        };
        self.recorder.read(call, site.key(), &handle.memo_entry.found.record, read, &handle.tally);
        self.note_hit(call, site, &handle, expires, begin);
        self.memo.stamp_again(site, &handle.memo_entry, handle.memo_entry.checked());
        Ok(value)
    }

    fn stored<'a>(&'a self, site: &'a Site, memo_entry: &'a MemoEntry) -> StoredEntry<'a> {
        StoredEntry { engine: self, site, record: &memo_entry.found.record, fresh: false, memo_entry: Some(memo_entry) }
    }

    fn note_hit(
        &self,
        call: &impl AnyCall,
        site: &Site,
        handle: &MemoHandle,
        expires: Option<u64>,
        begin: Option<Instant>,
    ) {
        Frame::expires(expires);
        handle.tally.hit();
        self.recorder.loaded(call, site, &handle.memo_entry.found.record, begin);
    }

    /// Counts a fault; the first of each function is a warning.
    fn faulted<T>(&self, function: &Function, value: T, error: Error) -> Evaluated<T> {
        self.recorder.fault(function.path(), &error, "the cache failed; the result is returned all the same");
        Evaluated { value, fault: Some(error) }
    }
}
