//! Why a call hits, or why it doesn't.

use std::fmt;

use super::lookup::{Missing, Site};
use super::{Call, Inner, Memory, Mode};
use crate::digest::escaped;
use crate::error::{Error, Result};
use crate::key::{ArgumentDigest, Function, Key, Part, changes};
use crate::record::{self, Argument, RECORD_MAX, Record};

/// What stands for an argument that one of two calls doesn't have.
const NONE: &str = "none";

/// How many earlier calls of a function are looked at to explain a miss.
const LOOK_BACK: usize = 1000;

/// How many to tell a new function from new code, once per function and code.
const GLANCE: usize = 64;

/// Why a call would hit or miss, from [`Memory::explain`].
///
/// Prints as a short phrase: `hit`, `hit (edited)` for a result that was published by hand, ``argument `k`: 10 → 12``,
/// ``code of `window` (depends) changed``, `package version 0.1.0 → 0.2.0`, `expired 3 h ago`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    reason: Reason,
    /// A hit whose value isn't the function's.
    edited: bool,
}

impl Explanation {
    /// The reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason.clone()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        if self.edited { f.write_str(" (edited)") } else { Ok(()) }
    }
}

/// Why a call hits or misses, with what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The result is stored.
    Hit,
    /// No call of this function is stored.
    NewFunction,
    /// Calls of this function are stored, of other code. What of it has changed since the nearest one, each in words
    /// (``code of `window` (depends) changed``); empty if that isn't known.
    Code(Vec<String>),
    /// The nearest stored call had other arguments.
    Argument(Vec<Difference>),
    /// What is stored is no longer good, in words: `expired 3 h ago`, ``refused by `validate` ``.
    Expired(String),
    /// What is stored can't be used: it isn't what was written.
    Damaged(String),
    /// What is stored was written by a newer version, and is left alone.
    Newer(String),
    /// The call can't be keyed, and runs as if there were no cache.
    Bypassed(String),
    /// The memory computes every key anew, once.
    Refresh,
    /// The memory is disabled, or the mode is `Off`.
    Off,
}

/// An argument that differs from that of the nearest stored call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The parameter's name.
    pub name: String,
    /// What it was then, in words.
    pub before: String,
    /// What it is now, in words.
    pub now: String,
}

impl Difference {
    /// Of texts, of which some may be a record's.
    pub(super) fn new(name: &str, before: &str, now: &str) -> Self {
        let [name, before, now] = [name, before, now].map(|text| escaped(text).into_owned());
        Self { name, before, now }
    }
}

impl Reason {
    /// A short name, without what differs: the key of [`Stats::by_reason`](crate::Stats::by_reason).
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::NewFunction => "new function",
            Self::Code(_) => "code",
            Self::Argument(_) => "argument",
            Self::Expired(_) => "expired",
            Self::Damaged(_) => "damaged",
            Self::Newer(_) => "newer",
            Self::Bypassed(_) => "bypassed",
            Self::Refresh => "refresh",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hit => f.write_str("hit"),
            Self::NewFunction => f.write_str("new function"),
            Self::Code(changes) if changes.is_empty() => f.write_str("code changed"),
            Self::Code(changes) => f.write_str(&changes.join(", ")),
            Self::Argument(differences) if differences.is_empty() => f.write_str("other salt or result type"),
            Self::Argument(differences) => {
                for (position, difference) in differences.iter().enumerate() {
                    let separator = if position == 0 { "" } else { ", " };
                    write!(f, "{separator}{difference}")?;
                }
                Ok(())
            }
            Self::Expired(how) => f.write_str(how),
            Self::Damaged(what) => write!(f, "damaged: {what}"),
            Self::Newer(what) => write!(f, "newer: {what}"),
            Self::Bypassed(why) => write!(f, "bypassed: {why}"),
            Self::Refresh => f.write_str("refreshed"),
            Self::Off => f.write_str("cache is off"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, before, now } = self;
        if before == now {
            // Arrays of one shape, say.
            write!(f, "argument `{name}`: another {now}")
        } else {
            write!(f, "argument `{name}`: {before} → {now}")
        }
    }
}

impl Memory {
    /// Says whether `call` would hit; and if not, why: compares it with at most 1,000 stored calls of its function.
    ///
    /// Nothing is computed, written or counted.
    pub fn explain<A, R>(&self, call: &Call<A, R>) -> Explanation {
        let reason = match &self.0 {
            None => Reason::Off,
            Some(inner) => inner.explain(call),
        };
        let edited = reason == Reason::Hit && self.entry(call).is_ok_and(|entry| entry.is_some_and(|it| it.edited()));
        Explanation { reason, edited }
    }
}

impl Inner {
    fn explain<A, R>(&self, call: &Call<A, R>) -> Reason {
        match self.check(call) {
            Ok(missing) => self.reason(call, missing),
            Err(error) => Reason::Bypassed(error.to_string()),
        }
    }

    /// What `call` would miss; `Err` if it bypasses the cache.
    pub(super) fn check<'a, A, R>(&self, call: &'a Call<A, R>) -> Result<Missing, &'a Error> {
        let identity = call.identity()?;
        let (function, key) = (call.function(), identity.key(&self.settings.salt));
        let mode = self.mode(call.options());
        if mode == Mode::Off {
            return Ok(Missing::Off);
        }
        if self.is_due(key, mode) {
            return Ok(Missing::Due);
        }
        let site = Site::new(function.folder(), key).of(function, identity.other_types);
        Ok(self.would_hit(call, &site).err().unwrap_or(Missing::Nothing))
    }

    /// Whether the entry is good and all its files are there, without a look into them.
    fn would_hit<A, R>(&self, call: &Call<A, R>, site: &Site) -> Result<(), Missing> {
        let function = call.function().path();
        let mut found = self.find(site, function)?;
        loop {
            self.fresh(call.options(), site, &found)?;
            match self.is_whole(site, &found.record) {
                Ok(()) => return Ok(()),
                Err(error) => found = self.successor(site, function, &found, error)?,
            }
        }
    }

    /// Whether `Mode::Refresh` hasn't computed `key` yet.
    pub(super) fn is_due(&self, key: Key, mode: Mode) -> bool {
        mode == Mode::Refresh && !super::lock(&self.refreshed).contains(&key)
    }

    /// Puts what a lookup found instead of an entry into a reason.
    pub(super) fn reason<A, R>(&self, call: &Call<A, R>, missing: Missing) -> Reason {
        match missing {
            Missing::Nothing => Reason::Hit,
            Missing::Due => Reason::Refresh,
            Missing::Off => Reason::Off,
            Missing::Expired(how) => Reason::Expired(how),
            Missing::Damaged(error) | Missing::Fault(error) => {
                Reason::Damaged(escaped(&error.to_string()).into_owned())
            }
            Missing::Newer(error) => Reason::Newer(escaped(&error.to_string()).into_owned()),
            Missing::OtherType(error) => Reason::Bypassed(escaped(&error.to_string()).into_owned()),
            Missing::Absent => self.nearest(call),
        }
    }

    /// The reason without what differs: what a miss costs is then bounded, whatever is stored.
    pub(super) fn outline<A, R>(&self, call: &Call<A, R>, missing: Missing) -> Reason {
        let Missing::Absent = missing else { return self.reason(call, missing) };
        let Ok(identity) = call.identity() else { return Reason::Off };
        let function = call.function();
        if !super::lock(&self.outlined).insert((function.path(), identity.code)) {
            return Reason::Argument(Vec::new());
        }
        let codes: Vec<_> = self.records(function.folder()).take(GLANCE).map(|record| record.code).collect();
        match codes.contains(&identity.code) {
            _ if codes.is_empty() => Reason::NewFunction,
            true => Reason::Argument(Vec::new()),
            false => Reason::Code(Vec::new()),
        }
    }

    /// Compares a call that isn't stored with those of its function that are.
    fn nearest<A, R>(&self, call: &Call<A, R>) -> Reason {
        let Ok(identity) = call.identity() else { return Reason::Off };
        let records = self.records(call.function().folder()).take(LOOK_BACK);
        let same_path = records.filter(|record| record.function == call.function().path());
        let distance = |record: &Record| {
            let differing = identity.arguments.iter().filter(|argument| {
                !record.arguments.iter().any(|old| old.name == argument.name && old.digest == argument.digest)
            });
            (record.code != identity.code, differing.count(), u64::MAX - record.created)
        };
        let Some(nearest) = same_path.min_by_key(|record| distance(record)) else { return Reason::NewFunction };
        if nearest.code != identity.code {
            return Reason::Code(changes(&self.parts(&nearest, call.function()), call.function().parts()));
        }
        Reason::Argument(differences(&nearest.arguments, &identity.arguments, call.argument_texts()))
    }

    /// What the code of a stored call was made of.
    fn parts(&self, record: &Record, function: &Function) -> Vec<Part> {
        let site = Site::new(function.folder().to_owned(), Key::from_digest(record.key));
        let blob = self.disk.read(&site.record(), RECORD_MAX as u64).ok().flatten();
        blob.map_or_else(Vec::new, |blob| record::parts(&blob.bytes))
    }

    /// The readable records below a function's folder, in no order.
    pub(super) fn records(&self, folder: &str) -> impl Iterator<Item = Box<Record>> + use<'_> {
        self.record_names(folder).filter_map(|name| {
            let blob = self.disk.read(&name, RECORD_MAX as u64).ok()??;
            Record::decode(&blob.bytes, || self.disk.path().join(name)).ok()
        })
    }

    /// The names, below the root, of the records below a function's folder.
    fn record_names(&self, folder: &str) -> impl Iterator<Item = String> + use<'_> {
        let folders = self.disk.list(folder).unwrap_or_default();
        let shards = folders.into_iter().map(move |item| item.name).map({
            let folder = folder.to_owned();
            move |shard| format!("{folder}/{shard}")
        });
        shards.flat_map(|shard| {
            let items = self.disk.list(&shard).unwrap_or_default();
            let names = items.into_iter().map(|item| item.name).filter(|name| name.ends_with(".record"));
            names.map(move |name| format!("{shard}/{name}")).collect::<Vec<_>>()
        })
    }
}

/// The arguments by which a stored call differs from one whose arguments have these texts. Under `code = "version"`
/// one may have arguments that the other hasn't.
pub(super) fn differences(before: &[Argument], now: &[ArgumentDigest], texts: Vec<String>) -> Vec<Difference> {
    let changed = now.iter().zip(texts).filter_map(|(argument, now)| {
        let old = before.iter().find(|old| old.name == argument.name);
        let changed = old.is_none_or(|old| old.digest != argument.digest);
        let before = old.map_or(NONE, |old| &old.text);
        changed.then(|| Difference::new(argument.name, before, &now))
    });
    let gone = before.iter().filter(|old| !now.iter().any(|argument| argument.name == old.name));
    let gone = gone.map(|old| Difference::new(&old.name, &old.text, NONE));
    changed.chain(gone).collect()
}
