//! A place as this process sees it: its calls on threads of their own, whether it answers, and how fast.
//!
//! * `calls`: a caller waits for no longer than it likes; `pipe`: what a place writes to, on its way to the caller.
//! * `circuit`: whether the place is asked at all; `pace`: whether asking is worth the time.

pub(super) mod calls;
pub(super) mod circuit;
pub(super) mod pace;
pub(super) mod pipe;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::digest::Digest;
use crate::error::Result;
use crate::key::KeyStream;
use crate::record::RECORD_MAX;
use crate::stats::counts::Counters;
use crate::stats::printer::Printer;
use crate::stats::tiers::TierCounts;
use crate::store::Disk;
use crate::threads::fork::ForkMutex;
use crate::tier::deny::DENY;
use crate::tier::place::calls::{BackendCalls, Started, caught};
use crate::tier::place::circuit::Circuit;
use crate::tier::place::pace::Pace;
use crate::tier::place::pipe::Capped;
use crate::tier::{Access, Backend, Body, Deadline, Fault, Get, Put, Share, Stored, Tier, Trouble};

/// How long a record is waited for, from the first byte that is asked to the last one that comes.
pub(super) const RECORD_WAIT: Duration = Duration::from_secs(2);

/// How many causes of failures are warned of; further ones are logged at `debug`.
const LOGGED_MAX: usize = 16;

/// Stands for a name that isn't known.
const NAMELESS: &str = "a place that panics when it is asked for its name";

/// A tier, as this process sees it.
pub(crate) struct Place {
    pub(super) tier: Tier,
    /// Its name in statistics and messages.
    pub(crate) name: String,
    /// Names its queue: the first 16 hex digits of the digest of place and share.
    pub(super) id: String,
    /// What names of shared objects begin with: empty, or a folder and `/`.
    prefix: String,
    pub(super) calls: BackendCalls,
    pub(super) circuit: Circuit,
    pub(super) pace: Pace,
    /// Whether it gives parts of objects.
    pub(super) ranges: bool,
    /// The server that it is on, if others may be on it, too.
    server: Option<String>,
    counters: Arc<Counters>,
    pub(super) printer: Printer,
    /// What was warned of already: classes and causes.
    logged: ForkMutex<Vec<(&'static str, String)>>,
    /// Why nothing is put there any more.
    refused: ForkMutex<Option<Trouble>>,
}

/// A request for a place's list of what was purged.
pub(super) struct DenyListAsked {
    started: Result<Started<(DenyList, Duration)>, Fault>,
    until: Deadline,
}

/// A place's list of what was purged, and when that was last written by the place's clock.
pub(super) type DenyList = (Answer, Option<SystemTime>);

/// What a place says of a small object.
pub(super) enum Answer {
    Bytes(Vec<u8>),
    Absent,
    /// The object has more bytes than it may have.
    TooLong,
}

impl Place {
    /// A backend that panics when it is asked what it is isn't called any more, and nothing is noted to be sent to it.
    pub(super) fn new(mut tier: Tier, counters: Arc<Counters>, printer: Printer) -> Self {
        let prefix = match tier.share {
            Share::Any => String::new(),
            Share::Named(name) => format!("{name}/"),
            Share::Target => format!("{}/", env!("NDCACHE_TARGET")),
        };
        let calls = BackendCalls::new(Arc::clone(&tier.backend));
        let name = caught(|| tier.backend.place()).unwrap_or_else(|| {
            calls.end();
            tier.access = Access::ReadOnly;
            NAMELESS.to_owned()
        });
        let ranges = caught(|| tier.backend.ranges()).unwrap_or_else(|| {
            calls.end();
            false
        });
        let server = caught(|| tier.backend.server()).unwrap_or_else(|| {
            calls.end();
            None
        });
        let id = id(&name, &prefix);
        let (circuit, pace) = (Circuit::new(None), Pace::default());
        let (logged, refused) = (ForkMutex::default(), ForkMutex::default());
        Self { name, id, prefix, calls, circuit, pace, ranges, server, counters, printer, logged, tier, refused }
    }

    /// With its circuit in this folder, which is this user's alone.
    pub(super) fn with_circuit(self, disk: &Arc<Disk>, folder: &str) -> Self {
        Self { circuit: Circuit::new(Some((Arc::clone(disk), folder.to_owned()))), ..self }
    }

    pub(super) fn writes(&self) -> bool {
        self.tier.access == Access::ReadWrite
    }

    /// The name of an object that is shared, by its name in a cache folder.
    pub(super) fn object(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A small object.
    pub(super) fn get(&self, name: String, at_most: u64, wait: Duration) -> Result<Answer, Fault> {
        let (until, begin) = (Deadline::after(wait), Instant::now());
        let work = move |backend: &dyn Backend| {
            let mut out = Capped::new(at_most, until);
            let got = backend.get(&Get::new(&name, at_most, until), &mut out);
            out.finish(got)
        };
        let answer = match self.calls.run(until, work) {
            Err(Fault::Absent) => Ok(Answer::Absent),
            // The first object makes the place.
            Err(Fault::NoPlace) if self.writes() => Ok(Answer::Absent),
            answer => answer,
        };
        if answer.is_ok() {
            self.pace.answered(begin.elapsed());
        }
        self.hear(&answer);
        answer
    }

    /// Asks for its list of what was purged.
    pub(super) fn ask_deny_list(&self, at_most: u64, until: Deadline) -> DenyListAsked {
        let work = move |backend: &dyn Backend| {
            let (mut out, begin) = (Capped::new(at_most, until), Instant::now());
            let got = backend.get(&Get::new(DENY, at_most, until), &mut out);
            let modified = got.as_ref().ok().and_then(|got| got.modified);
            let answer = match out.finish(got) {
                Err(Fault::Absent) => Answer::Absent,
                answer => answer?,
            };
            Ok(((answer, modified), begin.elapsed()))
        };
        DenyListAsked { started: self.calls.start(work), until }
    }

    /// What came of asking for its list. A place that isn't there has none that is known.
    pub(super) fn deny_list(&self, asked: DenyListAsked) -> Result<DenyList, Fault> {
        let listed = asked.started.and_then(|started| started.finish(asked.until));
        let listed = listed.map(|(list, took)| {
            self.pace.answered(took);
            list
        });
        // The first object makes the place.
        if !(self.writes() && matches!(listed, Err(Fault::NoPlace))) {
            self.hear(&listed);
        }
        listed
    }

    /// The record of this name.
    pub(super) fn record(&self, name: &str) -> Result<Answer, Fault> {
        self.count(|counts| counts.asked += 1);
        self.get(self.object(name), RECORD_MAX as u64, RECORD_WAIT)
    }

    pub(super) fn put(
        &self,
        name: String,
        body: impl Body + Send + 'static,
        if_absent: bool,
        wait: Duration,
    ) -> Result<Stored, Fault> {
        let until = Deadline::after(wait);
        let put = self.calls.run(until, move |backend: &dyn Backend| {
            let put = Put::new(&name, until);
            backend.put(&if if_absent { put.if_absent() } else { put }, &body)
        });
        self.hear_of_writing(&put);
        put
    }

    pub(super) fn delete(&self, name: String, wait: Duration) -> Result<(), Fault> {
        let until = Deadline::after(wait);
        let deleted = match self.calls.run(until, move |backend: &dyn Backend| backend.delete(&name, until)) {
            Err(Fault::Absent) => Ok(()),
            deleted => deleted,
        };
        self.hear_of_writing(&deleted);
        deleted
    }

    /// Notes what an answer to a write says of the place: a user who may not write may still read.
    fn hear_of_writing<T>(&self, answer: &Result<T, Fault>) {
        match answer {
            Err(fault @ Fault::Denied) => {
                self.count_failure(fault);
                self.warn(fault, "a tier refuses to be written; it is still read");
            }
            answer => self.hear(answer),
        }
    }

    /// Notes what an answer says of the place.
    pub(super) fn hear<T>(&self, answer: &Result<T, Fault>) {
        match answer {
            Ok(_) | Err(Fault::Absent | Fault::Exists | Fault::Unsupported) => self.circuit.answered(),
            Err(fault) => self.fault(fault),
        }
    }

    /// Hears that another place has failed with this fault: if nobody answers on the server that both are on, that
    /// isn't waited for again.
    pub(super) fn hear_of_server(&self, other: &Self, fault: &Fault) {
        let is_away = matches!(fault, Fault::Late) || fault.is_unreachable();
        if is_away && self.id != other.id && self.server.is_some() && self.server == other.server {
            self.circuit.failed(fault);
        }
    }

    /// Counts a fault, draws the conclusion, and warns of it.
    pub(super) fn fault(&self, fault: &Fault) {
        self.count_failure(fault);
        let off = if self.calls.has_panicked() {
            self.circuit.end();
            true
        } else {
            self.circuit.failed(fault)
        };
        let then = if off { "; it isn't asked for a while" } else { "" };
        self.warn(fault, &format!("a tier failed; results are computed instead{then}"));
    }

    fn count_failure(&self, fault: &Fault) {
        self.count(|counts| *counts.errors.entry(fault.class()).or_default() += 1);
    }

    /// Warns of a fault, once for each cause.
    fn warn(&self, fault: &Fault, what: &str) {
        let trouble = self.trouble(fault);
        let Trouble { class, cause, remedy, .. } = &trouble;
        // A busy place that asks for another time to wait has the same cause.
        let is_logged = self.is_logged(class, if let Fault::Busy(_) = fault { "" } else { cause });
        if is_logged {
            tracing::debug!(tier = self.name, %fault, "{what}");
        } else {
            tracing::warn!(tier = self.name, class, cause, remedy, "{what}");
            self.printer.warn(&format!("{what}: {trouble}"));
        }
    }

    /// A fault of this place, in words.
    pub(super) fn trouble(&self, fault: &Fault) -> Trouble {
        let advice = caught(|| self.tier.backend.advice(fault)).flatten();
        Trouble::of_fault(&self.name, fault, advice)
    }

    /// What doesn't allow to put anything there, ever, isn't asked for that again by this process.
    pub(super) fn refuse(&self, fault: &Fault) {
        *self.refused.lock() = Some(self.trouble(fault));
    }

    /// Why nothing is put there any more, if that is so.
    pub(super) fn refusal(&self) -> Option<Trouble> {
        self.refused.lock().clone()
    }

    /// Whether this cause was warned of before, or so many other causes that no more warnings follow.
    fn is_logged(&self, class: &'static str, cause: &str) -> bool {
        let mut logged = self.logged.lock();
        let is_logged = logged.len() == LOGGED_MAX || logged.iter().any(|(of, known)| *of == class && known == cause);
        if !is_logged {
            logged.push((class, cause.to_owned()));
        }
        is_logged
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut TierCounts)) {
        self.counters.tier(&self.name, count);
    }
}

/// The folder of what is to be sent to a place by this user.
pub(super) fn queue_folder(id: &str) -> String {
    format!("t/{id}/q-{}", rustix::process::geteuid().as_raw())
}

/// The first 16 hex digits of the digest of a place and the share of it that is used.
fn id(place: &str, prefix: &str) -> String {
    let mut stream = KeyStream::new("ndcache-tier:1");
    stream.text(place);
    stream.text(prefix);
    let digest: Digest = stream.finish();
    digest.to_string()[..16].to_owned()
}
