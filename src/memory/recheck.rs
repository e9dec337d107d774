//! Sampled re-verification: a share of the hits is computed again, and the results are compared.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use super::kept::Content;
use super::lookup::{Found, Site};
use super::{Call, Inner, Memory};
use crate::digest::{ArrayMeta, Digest, tree};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::payload::{ArraySink, Codec, Outcome, Writer};

/// Chooses the hits that are rechecked.
pub(super) struct Sampler {
    /// Keyed by the operating system: were the choice the same in each process, the other hits would never be met.
    random: RandomState,
    hits: AtomicU64,
}

impl Default for Sampler {
    fn default() -> Self {
        Self { random: RandomState::new(), hits: AtomicU64::new(0) }
    }
}

impl Sampler {
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
    /// In words.
    Differs(&'static str),
}

impl Memory {
    /// Recomputes a call that has just hit, if it is chosen, and compares the result with what is stored.
    pub(super) fn recheck<A, R>(&self, inner: &Inner, call: Call<A, R>, site: &Site) {
        let function = call.function();
        if !inner.sampler.chooses(site.key(), inner.settings.recheck) {
            return;
        }
        // An edited result isn't the function's, and one that has just gone can't be compared.
        let Some(found) = inner.find(site, function.path()).ok().filter(|found| !found.record.edited) else { return };
        let Some(_turn) = Turn::take(site.key()) else { return };
        let (codec, key) = (call.codec(), site.key());
        let arguments = found.record.arguments.iter().map(|argument| format!("{}={}", argument.name, argument.text));
        let arguments = arguments.collect::<Vec<_>>().join(", ");
        // What hit is returned whatever the function does now.
        let computed = catch_unwind(AssertUnwindSafe(|| self.compute(inner, call, Some(site)).result));
        let verdict = match computed {
            Ok(value) => inner.compare_results(site, &found, codec, value),
            Err(_) => Ok(Verdict::Differs("it panicked")),
        };
        let function = function.path();
        match verdict {
            Ok(Verdict::Same) => inner.counters.recheck(function, false),
            Ok(Verdict::Differs(how)) => {
                inner.counters.recheck(function, true);
                tracing::error!(
                    function,
                    arguments,
                    %key,
                    how,
                    "computed again, the function differs from its stored result: it isn't pure, or code that it calls \
                     has changed and isn't named in `depends(…)`"
                );
            }
            Err(error) => {
                if inner.counters.fault(function) {
                    tracing::warn!(function, arguments, %key, %error, "a result can't be rechecked");
                }
            }
        }
    }
}

impl Inner {
    /// Compares what was computed now with what is stored.
    fn compare_results<R>(&self, site: &Site, found: &Found, codec: Codec<R>, mut value: R) -> Result<Verdict> {
        codec.normalise(&mut value);
        let Ok(computed) = self.content_of(codec, &value) else {
            return Ok(Verdict::Differs(match codec.outcome(&value) {
                Outcome::Err => "it returned an error",
                _ => "its result can't be stored",
            }));
        };
        drop(value);
        if computed == Content::of(&found.record) {
            return Ok(Verdict::Same);
        }
        // The entry may have been written with other arrays inside its value: its result is saved as this one was.
        let stored = self.load(site, &found.record, |reader| codec.load(reader))?;
        let same = self.content_of(codec, &stored)? == computed;
        Ok(if same { Verdict::Same } else { Verdict::Differs("its result differs") })
    }

    /// The content of a value as this memory would store it; no array is copied.
    fn content_of<R>(&self, codec: Codec<R>, value: &R) -> Result<Content> {
        let mut arrays = Digests(Vec::new());
        let mut writer = Writer::new(&mut arrays, self.settings.inline);
        codec.save(value, &mut writer)?;
        let value = writer.finish();
        Ok(Content::new(&value, arrays.0.iter().copied()))
    }
}

/// Keeps of the arrays their digests, made of their bytes.
struct Digests(Vec<Digest>);

impl ArraySink for Digests {
    fn put(&mut self, meta: &ArrayMeta, data: &[u8], known: Option<Digest>) -> Result<u32> {
        let index = u32::try_from(self.0.len()).map_err(|_| Error::unsupported("more than 2^32 arrays"))?;
        self.0.push(known.unwrap_or_else(|| meta.digest(tree(data))));
        Ok(index)
    }
}

thread_local! {
    /// The keys that the outermost recheck of this thread has come to.
    static TAKEN: RefCell<HashSet<Key>> = RefCell::default();
}

/// The turn of one key: inside a recheck each key has one, so that recursion doesn't recheck again and again.
struct Turn {
    outermost: bool,
}

impl Turn {
    /// `None` if the key had its turn; without the thread's variables, in the destructor of another one, too.
    fn take(key: Key) -> Option<Self> {
        let taken = TAKEN.try_with(|taken| {
            let mut taken = taken.borrow_mut();
            let outermost = taken.is_empty();
            taken.insert(key).then_some(Self { outermost })
        });
        taken.ok().flatten()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.outermost {
            let _ = TAKEN.try_with(|taken| taken.borrow_mut().clear());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_hits_that_are_rechecked_is_the_rate() {
        let (sampler, key) = (Sampler::default(), Key::from_digest(Digest::of(b"key")));
        let share = |rate| (0..10_000).filter(|_| sampler.chooses(key, rate)).count();
        assert_eq!((share(0.0), share(1.0)), (0, 10_000));
        // Eight standard deviations.
        assert!((2_650..3_350).contains(&share(0.3)));
    }

    #[test]
    fn inside_a_recheck_each_key_has_one_turn() {
        let key = |name: &str| Key::from_digest(Digest::of(name.as_bytes()));
        let outer = Turn::take(key("outer"));
        assert!(outer.is_some() && Turn::take(key("outer")).is_none());
        drop(Turn::take(key("inner")).unwrap());
        assert!(Turn::take(key("inner")).is_none());
        drop(outer);
        assert!(Turn::take(key("inner")).is_some());
    }
}
