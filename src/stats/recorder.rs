//! What one memory counts and says.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::call::draft::DescribeOptions;
use crate::call::request::AnyCall;
use crate::digest::{Digest, DigestHash};
use crate::entry::archive::Archive;
use crate::error::Result;
use crate::key::{Key, shown_path};
use crate::record::Record;
use crate::stats::counts::{Counters, Tally};
use crate::stats::history::run::{FirstHit, Miss, Run};
use crate::stats::history::{History, Period, log};
use crate::stats::printer::Printer;
use crate::stats::units::{count, time};
use crate::threads::fork::ForkMutex;

/// The arguments of stored calls of other code.
pub(super) type OtherCode = HashSet<Digest, DigestHash>;

/// The calls that were computed and not stored, by their keys, each with the reason.
pub(super) type NotStored = HashMap<Digest, Box<str>, DigestHash>;

/// How many of these are remembered.
pub(super) const NOT_STORED_MAX: usize = 1 << 14;

/// How long a computation took.
#[derive(Clone, Copy)]
pub(crate) struct ComputeTime {
    /// From its beginning to its end.
    pub(crate) whole: Duration,
    /// The cached calls inside that were computed on the same thread.
    pub(crate) inside: Duration,
}

impl ComputeTime {
    /// What is counted as its time: that of the calls inside is counted for them.
    pub(crate) fn own(self) -> Duration {
        self.whole.saturating_sub(self.inside)
    }
}

/// Counts what happens to the calls of one memory, finds out why they miss, and says so.
pub(crate) struct Recorder {
    pub(super) archive: Arc<Archive>,
    pub(crate) counters: Arc<Counters>,
    /// What is counted for good, unless nothing is.
    pub(super) run: Option<Arc<Run>>,
    pub(super) printer: Printer,
    /// Whether the values of arguments are shown and recorded.
    texts: bool,
    pub(super) salt: String,
    /// The functions that have missed, by the address of their path and by their code, each with the arguments of
    /// stored calls of its other codes, as they were found at the first miss.
    pub(super) outlined: ForkMutex<HashMap<(usize, Digest), Arc<OtherCode>, DigestHash>>,
    pub(super) not_stored: ForkMutex<NotStored>,
    /// Pairs of functions, the second called inside the first and not named by it, that were looked at, and warned about if
    /// need be.
    pub(crate) unnamed: ForkMutex<HashSet<(usize, usize)>>,
}

impl Recorder {
    pub(crate) fn new(
        archive: Arc<Archive>,
        counters: Arc<Counters>,
        run: Option<Arc<Run>>,
        printer: Printer,
        options: DescribeOptions<'_>,
    ) -> Self {
        let DescribeOptions { texts, salt } = options;
        Self {
            archive,
            counters,
            run,
            printer,
            texts,
            salt: salt.to_owned(),
            outlined: ForkMutex::default(),
            not_stored: ForkMutex::default(),
            unnamed: ForkMutex::default(),
        }
    }

    /// How arguments are described.
    pub(super) fn describe_options(&self) -> DescribeOptions<'_> {
        DescribeOptions { texts: self.texts, salt: &self.salt }
    }

    /// Counts in `tally` and for good a hit of an entry that was read from the disk, which took since `begin`.
    ///
    /// What is hit again has saved one computation, and no second one.
    pub(crate) fn read(&self, call: &dyn AnyCall, key: Key, record: &Record, begin: Instant, tally: &Tally) {
        let bytes = value_bytes(record);
        let hit = || FirstHit {
            saved: Duration::from_nanos(record.duration),
            hashing: call.hashing(),
            loading: begin.elapsed(),
            bytes,
        };
        if self.is_first(call, key, hit) {
            tally.load(record.duration, bytes);
        }
    }

    /// Counts a hit for good, and says whether it is the first of its key; where nothing is counted, every hit is.
    fn is_first(&self, call: &dyn AnyCall, key: Key, hit: impl FnOnce() -> FirstHit) -> bool {
        self.run.as_ref().is_none_or(|run| run.first_hit(call.function().path(), key, hit))
    }

    /// Counts a build step that was made before, and took `took` then.
    pub(crate) fn made_before(&self, call: &dyn AnyCall, step: Key, took: Duration) {
        let hit = || FirstHit { saved: took, hashing: call.hashing(), loading: Duration::ZERO, bytes: 0 };
        if self.is_first(call, step, hit) {
            self.counters.saved(call.function().path(), took);
        }
    }

    /// Counts a build step that was made now.
    pub(crate) fn made(&self, function: &'static str, reason: &'static str, took: ComputeTime, explanation: &str) {
        let spent = took.own();
        self.counters.computed(function, spent, 0);
        let Some(run) = &self.run else { return };
        let (hashing, storing, bytes) = (Duration::ZERO, Duration::ZERO, 0);
        run.miss(function, &Miss { reason, explanation, spent, hashing, storing, bytes });
    }

    /// How often and when a function was computed of which nothing is stored, in words, if that is known.
    pub(super) fn computed_before(&self, function: &'static str) -> Option<String> {
        let history = log::read(&self.archive.disk, None).unwrap_or_default();
        let name = History::logged_name(function);
        let misses = |period: &Period| period.functions.get(&*name).map_or(0, |activity| activity.misses);
        let unwritten = self.run.as_ref().map_or(0, |run| run.unwritten_misses(function));
        let times = history.periods().iter().map(misses).fold(unwritten, u64::saturating_add);
        let last = history.periods().iter().filter(|period| misses(period) > 0).map(|period| period.to).max();
        let when = match last {
            _ if times == 0 => return None,
            Some(last) if unwritten == 0 => format!("{} ago", time(last.elapsed().unwrap_or_default())),
            _ => "in this run".to_owned(),
        };
        Some(if times == 1 { format!("once, {when}") } else { format!("{} times, last {when}", count(times)) })
    }

    /// What was written down since `since`, by whomever.
    pub(crate) fn history(&self, since: Option<SystemTime>) -> Result<History> {
        if let Some(run) = &self.run {
            run.write();
        }
        log::read(&self.archive.disk, since)
    }

    /// Folds what was set aside long ago.
    pub(crate) fn fold_history(&self) -> Result<()> {
        log::fold(&self.archive.disk, SystemTime::now())
    }

    /// Forgets all that was ever counted.
    pub(crate) fn reset_history(&self) -> Result<()> {
        if let Some(run) = &self.run {
            run.forget();
        }
        log::clear(&self.archive.disk)
    }

    /// Counts a fault of the cache; the first of each function is a warning.
    pub(crate) fn fault(&self, function: &str, error: &dyn Display, what: &str) {
        if self.counters.fault(function) {
            tracing::warn!(function, %error, "{what}");
            self.warn(&format!("{}: {what}: {error}", shown_path(function)));
        } else {
            tracing::debug!(function, %error, "{what}");
        }
    }
}

/// The bytes of a value and its arrays, without what the record says of them.
pub(crate) fn value_bytes(record: &Record) -> u64 {
    record.arrays.iter().map(|array| array.length).sum::<u64>() + record.value.len() as u64
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(run) = &self.run {
            run.leave(&self.counters);
        }
    }
}
