//! Sampled re-verification: a share of the hits is computed again, and the results are compared.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::call::lazy::Call;
use crate::digest::tree;
use crate::digest::{ArrayMeta, Digest, escaped};
use crate::entry::in_memory::Content;
use crate::entry::read::find::FoundEntry;
use crate::entry::site::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::memory::guarded::guarded;
use crate::memory::{Engine, Memory};
use crate::payload::{ArraySink, Check, Codec, Normal, Outcome, sorted_maps};
use crate::record::Record;
use crate::stats::counts::Recheck;
use crate::threads::fork::{ForkMutex, Process};

/// The most rechecks of one memory that are under way at once; most are inside of others, so this bounds their depth.
const AT_ONCE: usize = 32;

/// Chooses the hits that are rechecked.
pub(crate) struct Rechecks {
    /// Keyed by the operating system: were the choice the same in each process, the other hits would never be met.
    random: RandomState,
    hits: AtomicU64,
    turns: ForkMutex<Turns>,
}

impl Default for Rechecks {
    fn default() -> Self {
        Self { random: RandomState::new(), hits: AtomicU64::new(0), turns: ForkMutex::default() }
    }
}

impl Rechecks {
    fn chooses(&self, key: Key, rate: f64) -> bool {
        if rate <= 0.0 {
            return false;
        }
        let hit = self.hits.fetch_add(1, Ordering::Relaxed);
        // 53 bits, which a float from 0 to 1 has room for; less than 1, so that a rate of 1 takes all.
        let drawn = self.random.hash_one((key, hit)) >> 11;
        (drawn as f64) < rate * (1_u64 << 53) as f64
    }
}

/// What came of a recheck.
enum Verdict {
    Same,
    /// What differs, in words.
    Differs(&'static str),
}

impl Memory {
    /// Recomputes a call that has just hit, if it is chosen, and compares the result with what is stored.
    pub(crate) fn recheck<A, R>(&self, engine: &Engine, call: Call<A, R>, site: &Site) {
        let function = call.function();
        if !engine.rechecks.chooses(site.key(), engine.settings.recheck) {
            return;
        }
        // An edited result isn't the function's, and one that has just gone can't be compared.
        let Some(found) = engine.archive.find(site, function.path()).ok().filter(|found| !found.record.edited) else {
            return;
        };
        let Some(_turn) = RecheckTurn::take(&engine.rechecks.turns, site.key()) else { return };
        let key = site.key();
        let arguments = found.record.arguments.iter().map(ToString::to_string);
        let arguments = escaped(&arguments.collect::<Vec<_>>().join(", ")).into_owned();
        let verdict = self.verdict(engine, call, site, &found);
        let function = function.path();
        match verdict {
            Ok(Verdict::Same) => engine.recorder.counters.recheck(function, Recheck::Same),
            Ok(Verdict::Differs(how)) => engine.tell_mismatch(function, &arguments, &found.record, how),
            Err(error) => {
                if engine.recorder.counters.fault(function) {
                    tracing::warn!(function, arguments, %key, %error, "a result can't be rechecked");
                    engine.recorder.warn(&format!("{function}({arguments}): a result can't be rechecked: {error}"));
                }
            }
        }
    }

    /// What hit is returned whatever the function does now, and whatever its types do: panics end here.
    fn verdict<A, R>(&self, engine: &Engine, call: Call<A, R>, site: &Site, found: &FoundEntry) -> Result<Verdict> {
        let (codec, check) = (call.codec(), call.options().check());
        let panicked = "a method or destructor of the arguments' or the result's type panicked";
        let panicked = || Error::new(ErrorKind::Other, panicked);
        let computed = guarded(|| -> Result<_> {
            // The hit believed what a record says of a mapped argument; of another argument nothing can be said.
            self.with(|| call.verify_claims())?;
            Ok(guarded(|| self.compute(engine, call, None).result))
        });
        match computed.ok_or_else(panicked)?? {
            Some(value) => guarded(|| engine.compare_results(site, found, codec, check, value)).ok_or_else(panicked)?,
            None => Ok(Verdict::Differs("it panicked")),
        }
    }
}

impl Engine {
    /// Counts and tells that what was computed now differs from what is stored. Of an entry from elsewhere its producer is
    /// named, and the function isn't blamed: another processor may round otherwise.
    fn tell_mismatch(&self, function: &str, arguments: &str, record: &Record, how: &str) {
        let key = record.key;
        let Some(origin) = &record.origin else {
            self.recorder.counters.recheck(function, Recheck::Differs);
            tracing::error!(
                function,
                arguments,
                %key,
                how,
                "computed again, the function differs from its stored result: it isn't pure, or code that it calls has \
                 changed and isn't named in `depends(…)`"
            );
            return self.recorder.warn(&format!("{function}({arguments}) differs from its stored result: {how}"));
        };
        self.recorder.counters.recheck(function, Recheck::DiffersFromForeign);
        let producer = record.producer.to_string();
        let (origin, producer) = (escaped(origin), escaped(&producer));
        tracing::error!(
            function,
            arguments,
            %key,
            how,
            %origin,
            %producer,
            "computed again, the function differs from a result that was computed elsewhere: the other machine computes \
             otherwise (a share of their own keeps such machines apart), the function isn't pure, or code that it calls has \
             changed and isn't named in `depends(…)`"
        );
        let what = format!("differs from the result of {producer}, which came by `{origin}`");
        self.recorder.warn(&format!("{function}({arguments}) {what}: {how}"));
    }

    /// Compares what was computed now with what is stored.
    fn compare_results<R>(
        &self,
        site: &Site,
        found: &FoundEntry,
        codec: Codec<R>,
        check: Check,
        mut value: R,
    ) -> Result<Verdict> {
        let normal = codec.normalise(&mut value, check);
        let Ok(computed) = self.fingerprint(&normal) else {
            return Ok(Verdict::Differs(match codec.outcome(normal.value()) {
                Outcome::Err => "it returned an error",
                _ => "its result can't be stored",
            }));
        };
        drop(normal);
        drop(value);
        if computed.content() == Content::of(&found.record) {
            return Ok(Verdict::Same);
        }
        // The entry may have been written with other arrays inside its value: its result is saved as this one was.
        let stored = self.archive.load(site, &found.record, |reader| codec.load(reader))?;
        let same = self.fingerprint(&codec.loaded(&stored))?.is(&computed);
        Ok(if same { Verdict::Same } else { Verdict::Differs("its result differs") })
    }

    /// A value as this memory would store it; no array is copied.
    fn fingerprint<R>(&self, value: &Normal<'_, R>) -> Result<Fingerprint> {
        let mut arrays = ArrayDigests(Vec::new());
        let value = value.save(&mut arrays, self.settings.inline)?;
        Ok(Fingerprint { value, arrays: arrays.0 })
    }
}

/// A value as it would be stored, but of each array the digest alone.
struct Fingerprint {
    value: Vec<u8>,
    arrays: Vec<Digest>,
}

impl Fingerprint {
    fn content(&self) -> Content {
        Content::new(&self.value, self.arrays.iter().copied())
    }

    /// Whether both are one value, whatever the order of the entries of its maps.
    fn is(&self, other: &Self) -> bool {
        let sorted = |print: &Self| sorted_maps(&print.value);
        self.arrays == other.arrays
            && (self.value == other.value || sorted(self).is_some_and(|value| Some(value) == sorted(other)))
    }
}

/// Keeps of the arrays their digests, made of their bytes.
struct ArrayDigests(Vec<Digest>);

impl ArraySink for ArrayDigests {
    fn put(&mut self, meta: &ArrayMeta, data: &[u8], known: Option<Digest>) -> Result<u32> {
        let index = u32::try_from(self.0.len()).map_err(|_| Error::unsupported("more than 2^32 arrays"))?;
        self.0.push(known.unwrap_or_else(|| meta.digest(tree(data))));
        Ok(index)
    }
}

/// The rechecks that are under way, on whichever threads.
#[derive(Default)]
pub(crate) struct Turns {
    /// The process whose rechecks these are: a forked child has none of the threads that recheck.
    process: Option<Process>,
    under_way: usize,
    /// The keys that were come to since the outermost one began.
    taken: HashSet<Key>,
}

/// The turn of one key: inside a recheck each key has one, so that recursion doesn't recheck again and again.
struct RecheckTurn<'a> {
    turns: &'a ForkMutex<Turns>,
    outermost: bool,
}

impl<'a> RecheckTurn<'a> {
    /// `None` if the key had its turn, or too many have theirs.
    fn take(turns: &'a ForkMutex<Turns>, key: Key) -> Option<Self> {
        let mut now = turns.lock();
        let process = Some(Process::current());
        if now.process != process {
            *now = Turns { process, ..Turns::default() };
        }
        let outermost = now.taken.is_empty();
        if now.under_way == AT_ONCE || !now.taken.insert(key) {
            return None;
        }
        now.under_way += 1;
        Some(Self { turns, outermost })
    }
}

impl Drop for RecheckTurn<'_> {
    fn drop(&mut self) {
        let mut now = self.turns.lock();
        now.under_way = now.under_way.saturating_sub(1);
        if self.outermost {
            now.taken.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_hits_that_are_rechecked_is_the_rate() {
        let (rechecks, key) = (Rechecks::default(), Key::from_digest(Digest::of(b"key")));
        let share = |rate| (0..10_000).filter(|_| rechecks.chooses(key, rate)).count();
        assert_eq!((share(0.0), share(1.0)), (0, 10_000));
        // Eight standard deviations.
        assert!((2_650..3_350).contains(&share(0.3)));
    }

    fn key(name: &str) -> Key {
        Key::from_digest(Digest::of(name.as_bytes()))
    }

    #[test]
    fn inside_a_recheck_each_key_has_one_turn() {
        let turns = ForkMutex::default();
        let outer = RecheckTurn::take(&turns, key("outer"));
        assert!(outer.is_some() && RecheckTurn::take(&turns, key("outer")).is_none());
        std::thread::scope(|scope| drop(scope.spawn(|| drop(RecheckTurn::take(&turns, key("inner")).unwrap())).join()));
        assert!(RecheckTurn::take(&turns, key("inner")).is_none(), "on whichever thread");
        drop(outer);
        assert!(RecheckTurn::take(&turns, key("inner")).is_some());
    }

    #[test]
    fn so_many_rechecks_are_under_way_at_most() {
        let turns = ForkMutex::default();
        let mut held: Vec<_> = (0..AT_ONCE).map(|n| RecheckTurn::take(&turns, key(&n.to_string())).unwrap()).collect();
        assert!(RecheckTurn::take(&turns, key("one more")).is_none());
        held.pop();
        assert!(RecheckTurn::take(&turns, key("one more")).is_some());
    }
}
