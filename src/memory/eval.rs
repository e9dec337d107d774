//! The way of a call through the cache: look up, wait for whoever computes it, compute, store.

use std::time::{Duration, Instant};

use super::expiry::good_until;
use super::frame::Frame;
use super::hot::{Hot, Lease};
use super::lead::take_turn;
use super::lookup::{Missing, Site};
use super::options::Keeping;
use super::put::Draft;
use super::shape::{Again, Evaluated, Lent, Owned, Shape, Stored, Writable};
use super::verbose::{Fate, Missed};
use super::wanted::WantedCall;
use super::{Call, Inner, Memory, Mode, lock};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::key::Function;
use crate::payload::{Compression, CopyOnWrite, Mappable, Outcome};

impl Memory {
    /// The result of `call`, which is `f::call(x)` and not `f(x)`: loaded if it is stored, else computed and stored.
    ///
    /// The result's type chooses how it comes back: an `Array2<f64>` is read into memory and verified against its
    /// digest, a [`Mapped2<f64>`](crate::Mapped2) is memory-mapped, on the first call as on later ones. Results are
    /// normalised before they are stored and returned: arrays keep C or Fortran order, any other becomes C, so that
    /// the first call returns what later ones do. `Err` is not stored unless the function says `cache_err`.
    ///
    /// A fault of the cache (a full disk, a damaged entry) never costs the result: it is counted in [`Memory::stats`],
    /// logged once per function at `warn`, and the computed value is returned. Threads and processes that need one
    /// key compute it once.
    ///
    /// # Panics
    ///
    /// Panics if the function does; nothing is stored then.
    pub fn eval<A, R>(&self, call: Call<A, R>) -> R {
        self.evaluate(call, Owned).value
    }

    /// The same as [`Memory::eval`], but a fault of the cache is an error.
    ///
    /// # Errors
    ///
    /// Returns an error when the result was computed and could not be stored, or when the call could not be keyed.
    /// A damaged entry that was computed again and replaced is no error.
    pub fn try_eval<A, R>(&self, call: Call<A, R>) -> Result<R> {
        let evaluated = self.evaluate(call, Owned);
        evaluated.fault.map_or(Ok(evaluated.value), Err)
    }

    /// The result of `call`, its arrays memory-mapped: `Array2<f64>` comes back as [`Mapped2<f64>`](crate::Mapped2).
    ///
    /// Read-only and shared; takes the time of a few system calls, whatever the size. Arrays in `Result`, `Option`
    /// and tuples are mapped, too. A struct that derives `Payload` comes back as it is: give the fields that are to be
    /// mapped a `Mapped` type.
    ///
    /// Where mapping isn't offered (`docs/guarantees.md`), and for arrays of at most 128 KiB, the file's header
    /// included, for which reading is faster, the same type holds a copy;
    /// [`Mapped::is_mapped`](crate::Mapped::is_mapped) tells.
    pub fn mmap<A, R: Mappable>(&self, call: Call<A, R>) -> R::Mapped {
        self.evaluate(call, Lent).value
    }

    /// The result of `call`, memory-mapped copy-on-write: writable in memory, never on disk.
    pub fn mmap_cow<A, R: CopyOnWrite>(&self, call: Call<A, R>) -> R::Cow {
        self.evaluate(call, Writable).value
    }

    /// Computes `call` whether or not it is stored, and stores the result in place of what was there.
    pub fn refresh<A, R>(&self, call: Call<A, R>) -> R {
        self.evaluate(call, Again(Owned)).value
    }
}

impl Memory {
    pub(super) fn evaluate<A, R, S: Shape<R>>(&self, call: Call<A, R>, shape: S) -> Evaluated<S::Out> {
        let Some(inner) = &self.0 else {
            // Through this memory still, so that the cached calls inside just run, too.
            return Evaluated { value: shape.keep(self.with(|| call.compute().0)), fault: None };
        };
        let function = call.function();
        inner.warn_unnamed(function);
        let mode = inner.mode(call.options());
        if mode == Mode::Off {
            return Evaluated { value: shape.keep(self.with(|| call.compute().0)), fault: None };
        }
        // A hit that may be rechecked needs its key.
        let has_key = S::ANEW || mode == Mode::Refresh || inner.settings.recheck > 0.0;
        let quick = match if has_key { Err(None) } else { inner.recall(&call, mode, shape) } {
            Ok(value) => return Evaluated { value, fault: None },
            Err(quick) => quick,
        };
        let site = match call.identity() {
            Ok(identity) => {
                // An argument that another thread changes meanwhile must not be found by what it was before.
                let quick = quick.filter(|&quick| call.is_still(quick));
                inner.site_under(function, identity, mode, quick)
            }
            Err(error) => {
                let fault = error.again();
                let missed = inner.bypassed(&call, error);
                let computed = self.compute(inner, call, None);
                inner.computed(&missed, computed.duration, &Fate::NotStored("it can't be keyed".into()));
                return inner.faulted(function, shape.keep(computed.result), fault);
            }
        };
        let missing = match inner.hit(&call, &site, shape) {
            Ok(value) => {
                self.recheck(inner, call, &site);
                return Evaluated { value, fault: None };
            }
            Err(missing) => missing,
        };
        if mode <= Mode::Refresh {
            self.compute_once(inner, call, &site, shape, missing)
        } else {
            let missed = inner.miss(&call, &site, missing);
            self.compute_only(inner, call, shape, &missed, "nothing is written in this mode")
        }
    }

    /// Computes `call` unless another thread or process does so meanwhile, and stores the result.
    fn compute_once<A, R, S: Shape<R>>(
        &self,
        inner: &Inner,
        call: Call<A, R>,
        site: &Site,
        shape: S,
        missing: Missing,
    ) -> Evaluated<S::Out> {
        let wanted = WantedCall { inner, call: &call, site, shape };
        let (missing, _lead) = match take_turn(&wanted, missing) {
            Ok(value) => return Evaluated { value, fault: None },
            Err(leave) => leave,
        };
        // Two types whose calls replaced each other's entry would never hit.
        let left_alone = match missing {
            Missing::Newer(_) => Some("a newer entry stands there"),
            Missing::OtherType(_) => Some("an entry of other types of the same names stands there"),
            _ => None,
        };
        let missed = inner.miss(&call, site, missing);
        if let Some(why) = left_alone {
            return self.compute_only(inner, call, shape, &missed, why);
        }
        self.compute_and_put(inner, call, site, shape, &missed)
    }

    /// Computes without storing.
    fn compute_only<A, R, S: Shape<R>>(
        &self,
        inner: &Inner,
        call: Call<A, R>,
        shape: S,
        missed: &Missed,
        why: &'static str,
    ) -> Evaluated<S::Out> {
        let (function, codec) = (call.function(), call.codec());
        let Computed { result: mut value, duration, .. } = self.compute(inner, call, None);
        codec.normalise(&mut value);
        inner.computed(missed, duration, &Fate::NotStored(why.into()));
        match missed.bypass() {
            Some(fault) => inner.faulted(function, shape.keep(value), fault),
            None => Evaluated { value: shape.keep(value), fault: None },
        }
    }

    fn compute_and_put<A, R, S: Shape<R>>(
        &self,
        inner: &Inner,
        call: Call<A, R>,
        site: &Site,
        shape: S,
        missed: &Missed,
    ) -> Evaluated<S::Out> {
        let (function, codec) = (call.function(), call.codec());
        let (least, draft) = self.prepare(inner, &call);
        let Computed { result: mut value, changed, duration, expires } = self.compute(inner, call, Some(site));
        codec.normalise(&mut value);
        let unstored = unstored(codec.outcome(&value), function);
        let cheap = || inner.is_too_cheap(least, site, duration).then_some("it took less than `min_duration`");
        if let Some(why) = unstored.or_else(cheap) {
            inner.computed(missed, duration, &Fate::NotStored(why.into()));
            return Evaluated { value: shape.keep(value), fault: None };
        }
        let stored = match (draft, changed) {
            (_, Some(argument)) => Err(changed_argument(function, argument)),
            (draft, None) => draft.and_then(|draft| {
                let (draft, compression) = *draft;
                inner.put(site, &draft.expiring(expires), codec, &value, duration, compression)
            }),
        };
        let record = match stored {
            Ok(record) => record,
            Err(error) => {
                inner.computed(missed, duration, &Fate::failed(&error));
                return inner.faulted(function, shape.keep(value), error);
            }
        };
        inner.computed(missed, duration, &Fate::Stored(site, &record));
        lock(&inner.refreshed).insert(site.key());
        if !shape.reloads(codec) {
            return Evaluated { value: shape.keep(value), fault: None };
        }
        match shape.load(&Stored { inner, site, record: &record, fresh: true, hot: None }, codec) {
            Ok(value) => Evaluated { value, fault: None },
            // Evicted or replaced at once.
            Err(_) if !inner.stands(site, &record) => Evaluated { value: shape.keep(value), fault: None },
            Err(error) => inner.faulted(function, shape.keep(value), error),
        }
    }

    /// What storing the result takes of the call, before its arguments are gone, and the least time that it has to take.
    ///
    /// In a frame of its own, and boxed: calls nest, and while the function runs the stack is the callers'.
    fn prepare<A, R>(&self, inner: &Inner, call: &Call<A, R>) -> (Duration, Result<Box<(Draft, Compression)>>) {
        let draft = self.with(|| call.verify_claims()).and_then(|()| Draft::of(call));
        match inner.keeping(call.options()) {
            Ok(Keeping { compression, readable, least }) => {
                (least, draft.map(|draft| Box::new((draft.readable(readable), compression))))
            }
            Err(error) => (Duration::ZERO, draft.and(Err(error))),
        }
    }

    /// Runs the function; the cached calls in it go through this memory, and the result's place is `site`.
    pub(super) fn compute<A, R>(&self, inner: &Inner, call: Call<A, R>, site: Option<&Site>) -> Computed<R> {
        // Before it runs: an expression that panics must not cost its result.
        let lifetime = inner.expires(call.options());
        let frame = Frame::enter(call.function());
        let berth = inner.berth(call.function(), site);
        let begin = Instant::now();
        let (result, changed) = self.with_berth(berth, || call.compute());
        let duration = begin.elapsed();
        let expires = frame.and_then(Frame::leave);
        Frame::expires(lifetime.and_then(good_until));
        Computed { result, changed, duration, expires }
    }
}

pub(super) struct Computed<R> {
    pub(super) result: R,
    pub(super) changed: Option<&'static str>,
    pub(super) duration: Duration,
    /// When the first of the cached calls inside expires.
    expires: Option<u64>,
}

/// Why a value isn't stored, if it isn't.
pub(super) fn unstored(outcome: Outcome, function: &Function) -> Option<&'static str> {
    match outcome {
        Outcome::Err if !function.caches_err() => Some("it is an `Err`"),
        Outcome::None if function.skips_none() => Some("it is `None`"),
        _ => None,
    }
}

pub(super) fn changed_argument(function: &Function, argument: &str) -> Error {
    let path = function.path();
    Error::invalid(format!("function `{path}` changed its argument `{argument}`, so that its result can't be stored"))
}

impl Inner {
    /// The stored result of a call that this thread has hit before; else what it is to be remembered by.
    fn recall<A, R, S: Shape<R>>(&self, call: &Call<A, R>, mode: Mode, shape: S) -> Result<S::Out, Option<Digest>> {
        let found = call.quick(|quick| {
            let brief = if self.may_carry(call.options()) { quick.brief() } else { None };
            if let Some(value) = brief.and_then(|brief| self.carried(&brief, |value| shape.decode(value, call.codec())))
            {
                return Some(Ok(value));
            }
            let slot = quick.quick_digest()?;
            let found = self.recalled(slot, call.function()).and_then(|(lease, site, now)| {
                let value = self.again(call, &site.under(mode), shape, &lease, now)?;
                if let Some(brief) = brief {
                    self.carry(brief, &lease);
                }
                Some(value)
            });
            Some(found.ok_or(Some(slot)))
        });
        found.unwrap_or(Err(None))
    }

    /// The result of a call from what is remembered. If that can't be used, what is on the disk may be another one by
    /// now.
    fn again<A, R, S: Shape<R>>(
        &self,
        call: &Call<A, R>,
        site: &Site,
        shape: S,
        lease: &Lease,
        now: u64,
    ) -> Option<S::Out> {
        let begin = self.hits_from();
        let expires = self.fresh(call.options(), site, &lease.hot.found).ok()?;
        let value = shape.load(&self.stored(site, &lease.hot), call.codec()).ok()?;
        self.note_hit(call, site, lease, expires, begin);
        self.stamp_again(site, &lease.hot, now);
        Some(value)
    }

    /// The stored result of `call`.
    pub(super) fn hit<A, R, S: Shape<R>>(&self, call: &Call<A, R>, site: &Site, shape: S) -> Result<S::Out, Missing> {
        if S::ANEW || self.is_due(site.key(), self.mode(call.options())) {
            return Err(Missing::Due);
        }
        let (path, begin) = (call.function().path(), self.hits_from());
        if let Some((lease, now)) = self.remembered(site, path)
            && let Some(value) = self.again(call, site, shape, &lease, now)
        {
            return Ok(value);
        }
        let mut lease = self.look_up(site, path)?;
        let (value, expires) = loop {
            let expires = self.fresh(call.options(), site, &lease.hot.found)?;
            match shape.load(&self.stored(site, &lease.hot), call.codec()) {
                Ok(value) => break (value, expires),
                Err(error) => {
                    self.successor(site, path, &lease.hot.found, error)?;
                    lease = self.look_up(site, path)?;
                }
            }
        };
        self.note_hit(call, site, &lease, expires, begin);
        self.stamp_again(site, &lease.hot, lease.hot.checked());
        Ok(value)
    }

    fn stored<'a>(&'a self, site: &'a Site, hot: &'a Hot) -> Stored<'a> {
        Stored { inner: self, site, record: &hot.found.record, fresh: false, hot: Some(hot) }
    }

    fn note_hit<A, R>(
        &self,
        call: &Call<A, R>,
        site: &Site,
        lease: &Lease,
        expires: Option<u64>,
        begin: Option<Instant>,
    ) {
        Frame::expires(expires);
        lease.tally.hit();
        self.loaded(call, site, &lease.hot.found.record, begin);
    }

    /// Counts a fault; the first of each function is a warning.
    fn faulted<T>(&self, function: &Function, value: T, error: Error) -> Evaluated<T> {
        let function = function.path();
        if self.counters.fault(function) {
            tracing::warn!(function, %error, "the cache failed; the result is returned all the same");
        } else {
            tracing::debug!(function, %error, "the cache failed");
        }
        Evaluated { value, fault: Some(error) }
    }
}
