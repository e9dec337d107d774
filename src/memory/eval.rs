//! The way of a call through the cache: look up, wait for whoever computes it, compute, store.

use std::time::{Duration, Instant};

use super::frame::Frame;
use super::lead::Clear;
use super::lookup::{Missing, Site};
use super::put::Draft;
use super::shape::{Again, Evaluated, Lent, Owned, Shape, Stored, Writable};
use super::staged::Berth;
use super::{Call, Inner, Memory, Mode, lock};
use crate::error::{Error, Result};
use crate::key::Function;
use crate::payload::{CopyOnWrite, Mappable, Outcome};

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
    /// Where mapping isn't offered (`docs/guarantees.md`), and for arrays of at most 128 KiB, for which reading is
    /// faster, the same type holds a copy; [`Mapped::is_mapped`](crate::Mapped::is_mapped) tells.
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
        let site = match call.identity() {
            Ok(identity) => Site::new(function.folder(), identity.key(&inner.settings.salt)).under(mode),
            Err(error) => {
                let fault = error.again();
                inner.counters.miss(function.path(), "bypassed");
                let value = shape.keep(self.compute(inner, call, None).result);
                return inner.faulted(function, value, fault);
            }
        };
        let missing = match inner.hit(&call, &site, shape) {
            Ok(value) => return Evaluated { value, fault: None },
            Err(missing) => missing,
        };
        if mode <= Mode::Refresh {
            self.compute_once(inner, call, &site, shape, missing)
        } else {
            self.compute_only(inner, call, shape, missing)
        }
    }

    /// Computes `call` unless another thread or process does so meanwhile, and stores the result.
    fn compute_once<A, R, S: Shape<R>>(
        &self,
        inner: &Inner,
        call: Call<A, R>,
        site: &Site,
        shape: S,
        mut missing: Missing,
    ) -> Evaluated<S::Out> {
        let _flight = loop {
            match inner.request(site, &missing) {
                Clear::Alone => break None,
                Clear::LookAgain(flight) => match inner.hit(&call, site, shape) {
                    Ok(value) => return Evaluated { value, fault: None },
                    Err(still) => {
                        missing = still;
                        if flight.is_some() {
                            break flight;
                        }
                    }
                },
            }
        };
        if matches!(missing, Missing::Newer(_)) {
            return self.compute_only(inner, call, shape, missing);
        }
        inner.miss(&call, missing);
        self.compute_and_put(inner, call, site, shape)
    }

    /// Computes without storing.
    fn compute_only<A, R, S: Shape<R>>(
        &self,
        inner: &Inner,
        call: Call<A, R>,
        shape: S,
        missing: Missing,
    ) -> Evaluated<S::Out> {
        inner.miss(&call, missing);
        let codec = call.codec();
        let mut value = self.compute(inner, call, None).result;
        codec.normalise(&mut value);
        Evaluated { value: shape.keep(value), fault: None }
    }

    fn compute_and_put<A, R, S: Shape<R>>(
        &self,
        inner: &Inner,
        call: Call<A, R>,
        site: &Site,
        shape: S,
    ) -> Evaluated<S::Out> {
        let (function, codec, options) = (call.function(), call.codec(), call.options());
        let draft = self.with(|| call.verify_claims()).and_then(|()| Draft::of(&call));
        let Computed { result: mut value, changed, duration, expires } = self.compute(inner, call, Some(site));
        codec.normalise(&mut value);
        if !is_stored(codec.outcome(&value), function) || inner.is_too_cheap(options, site, duration) {
            return Evaluated { value: shape.keep(value), fault: None };
        }
        let stored = match (draft, changed) {
            (_, Some(argument)) => Err(changed_argument(function, argument)),
            (draft, None) => draft.and_then(|draft| {
                let compression = inner.settings.compression;
                inner.put(site, &draft.expiring(expires), codec, &value, duration, compression)
            }),
        };
        let record = match stored {
            Ok(record) => record,
            Err(error) => return inner.faulted(function, shape.keep(value), error),
        };
        lock(&inner.refreshed).insert(site.key());
        if !shape.reloads(codec) {
            return Evaluated { value: shape.keep(value), fault: None };
        }
        match shape.load(&Stored { inner, site, record: &record, fresh: true }, codec) {
            Ok(value) => Evaluated { value, fault: None },
            // Evicted or replaced at once.
            Err(_) if !inner.stands(site, &record) => Evaluated { value: shape.keep(value), fault: None },
            Err(error) => inner.faulted(function, shape.keep(value), error),
        }
    }

    /// Runs the function; the cached calls in it go through this memory, and its result is to be stored at `site`.
    fn compute<A, R>(&self, inner: &Inner, call: Call<A, R>, site: Option<&Site>) -> Computed<R> {
        let options = call.options();
        let frame = Frame::enter(call.function());
        let berth = site.map(|site| Berth::new(call.function(), site));
        let begin = Instant::now();
        let (result, changed) = self.with_berth(berth, || call.compute());
        let duration = begin.elapsed();
        let expires = frame.and_then(Frame::leave);
        Frame::expires(inner.good_until(options));
        Computed { result, changed, duration, expires }
    }
}

struct Computed<R> {
    result: R,
    changed: Option<&'static str>,
    duration: Duration,
    /// When the first of the cached calls inside expires.
    expires: Option<u64>,
}

fn is_stored(outcome: Outcome, function: &Function) -> bool {
    match outcome {
        Outcome::Value => true,
        Outcome::Err => function.caches_err(),
        Outcome::None => !function.skips_none(),
    }
}

fn changed_argument(function: &Function, argument: &str) -> Error {
    let path = function.path();
    Error::invalid(format!("function `{path}` changed its argument `{argument}`, so that its result can't be stored"))
}

impl Inner {
    /// The stored result of `call`.
    fn hit<A, R, S: Shape<R>>(&self, call: &Call<A, R>, site: &Site, shape: S) -> Result<S::Out, Missing> {
        if S::ANEW || self.is_due(site.key(), self.mode(call.options())) {
            return Err(Missing::Due);
        }
        let function = call.function();
        let mut found = self.find(site, function.path())?;
        let (value, expires) = loop {
            let expires = self.fresh(call.options(), site, &found)?;
            match shape.load(&Stored { inner: self, site, record: &found.record, fresh: false }, call.codec()) {
                Ok(value) => break (value, expires),
                Err(error) => found = self.successor(site, function.path(), &found, error)?,
            }
        };
        Frame::expires(expires);
        self.counters.hit(function.path());
        tracing::debug!(function = function.path(), key = %site.key(), "hit");
        self.stamp(site, found.used);
        Ok(value)
    }

    fn miss<A, R>(&self, call: &Call<A, R>, missing: Missing) {
        let function = call.function();
        let damaged = matches!(missing, Missing::Damaged(_) | Missing::Fault(_));
        // Comparing with what is stored reads records: only if somebody reads the result.
        let told = tracing::enabled!(tracing::Level::INFO);
        let reason = if told { self.reason(call, missing) } else { self.outline(call, missing) };
        self.counters.miss(function.path(), reason.name());
        tracing::info!(function = function.path(), %reason, "miss");
        if damaged && self.counters.fault(function.path()) {
            tracing::warn!(function = function.path(), %reason, "a stored result can't be used");
        }
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
