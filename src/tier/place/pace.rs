//! Whether asking is worth the time: how long the place takes, and how long computing does.

use std::collections::HashMap;
use std::time::Duration;

use crate::threads::fork::ForkMutex;

/// What is taken for the speed of a place before it is known, in bytes a second.
const THROUGHPUT: f64 = 50e6;

/// A fetch may take this share of the time that computing took.
const WORTH: f64 = 0.8;

/// How many calls of a function are computed before it is taken to be faster than the place.
const CALLS: u32 = 3;

/// Fewer bytes than these say nothing of the throughput.
const MEASURED: u64 = 1 << 20;

#[derive(Default)]
pub(in crate::tier) struct Pace(ForkMutex<KnownFunction>);

#[derive(Default)]
struct KnownFunction {
    /// Seconds, and bytes a second.
    latency: Option<f64>,
    throughput: Option<f64>,
    /// How long functions take, by their paths.
    functions: HashMap<String, CallTimes>,
}

#[derive(Default)]
struct CallTimes {
    calls: u32,
    seconds: f64,
}

impl Pace {
    /// Notes that a small object took `took`.
    pub(super) fn answered(&self, took: Duration) {
        average(&mut self.0.lock().latency, took.as_secs_f64());
    }

    /// Notes how long bytes took to come.
    pub(in crate::tier) fn fetched(&self, bytes: u64, took: Duration) {
        if bytes >= MEASURED {
            average(&mut self.0.lock().throughput, bytes as f64 / took.as_secs_f64().max(1e-6));
        }
    }

    /// Notes that a call of a function was computed in that time.
    pub(in crate::tier) fn computed(&self, function: &str, took: Duration) {
        let mut known = self.0.lock();
        if !known.functions.contains_key(function) {
            known.functions.insert(function.to_owned(), CallTimes::default());
        }
        let Some(taken) = known.functions.get_mut(function) else { return };
        taken.calls = taken.calls.saturating_add(1);
        let weight = 1.0 / f64::from(taken.calls.min(8));
        taken.seconds += (took.as_secs_f64() - taken.seconds) * weight;
    }

    /// Whether a function computes in less time than the place takes to answer.
    pub(in crate::tier) fn is_slower_than(&self, function: &str) -> bool {
        let known = self.0.lock();
        let taken = known.functions.get(function);
        taken.zip(known.latency).is_some_and(|(taken, latency)| taken.calls >= CALLS && taken.seconds < latency)
    }

    /// Whether fetching `bytes` by `requests`, one after the other, is worth it for a result that took `duration` to
    /// compute. Each request is expected to take the mean of earlier ones, but no less than `answered`, the time that
    /// the place has just taken.
    pub(in crate::tier) fn is_worth(&self, bytes: u64, requests: u64, answered: Duration, duration: Duration) -> bool {
        let known = self.0.lock();
        let latency = known.latency.unwrap_or(0.0).max(answered.as_secs_f64());
        let fetch = latency * requests as f64 + bytes as f64 / known.throughput.unwrap_or(THROUGHPUT);
        requests == 0 || fetch <= WORTH * duration.as_secs_f64()
    }
}

fn average(known: &mut Option<f64>, measured: f64) {
    *known = Some(known.map_or(measured, |known| known + (measured - known) / 4.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_longer_to_fetch_than_to_compute_is_not_fetched() {
        let (pace, soon) = (Pace::default(), Duration::from_millis(1));
        assert!(pace.is_worth(0, 0, soon, Duration::ZERO), "it is here already");
        assert!(!pace.is_worth(100 << 20, 1, soon, Duration::from_millis(50)));
        assert!(pace.is_worth(1 << 30, 1, soon, Duration::from_secs(600)));
        pace.fetched(100 << 20, Duration::from_secs(100));
        assert!(!pace.is_worth(1 << 30, 1, soon, Duration::from_secs(600)));
    }

    #[test]
    fn the_last_answer_counts_whatever_came_before_and_each_request_costs_one() {
        let (pace, late) = (Pace::default(), Duration::from_millis(1500));
        assert!(!pace.is_worth(1 << 20, 1, late, Duration::from_millis(1800)), "the first one of a process");
        (0..20).for_each(|_| pace.answered(Duration::from_millis(5)));
        pace.answered(late);
        assert!(!pace.is_worth(1 << 20, 1, late, Duration::from_millis(1800)), "a mean of better ones");
        assert!(pace.is_worth(1 << 20, 1, late, Duration::from_secs(2)));
        assert!(!pace.is_worth(1 << 20, 2, late, Duration::from_secs(2)), "two arrays");
    }

    #[test]
    fn a_function_that_is_faster_than_the_place_is_not_asked_for_after_three_calls() {
        let (pace, fast, slow) = (Pace::default(), "fast", "slow");
        pace.answered(Duration::from_millis(30));
        for n in 0..10 {
            assert_eq!(pace.is_slower_than(fast), n >= 3, "call {n}");
            assert!(!pace.is_slower_than(slow));
            pace.computed(fast, Duration::from_millis(5));
            pace.computed(slow, Duration::from_secs(5));
        }
        // It takes longer by now.
        (0..20).for_each(|_| pace.computed(fast, Duration::from_secs(1)));
        assert!(!pace.is_slower_than(fast));
    }
}
