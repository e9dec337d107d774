//! What a memory says of its calls: `tracing` events always, lines on stderr by the level of `verbose`.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::call::request::AnyCall;
use crate::digest::{Text, escaped, shown_dtype};
use crate::entry::read::find::Missing;
use crate::entry::site::Site;
use crate::error::Error;
use crate::key::{Function, Key};
use crate::record::Record;
use crate::stats::history::run::Miss;
use crate::stats::printer::{print, push_line};
use crate::stats::reason::Reason;
use crate::stats::recorder::{ComputeTime, NOT_STORED_MAX, Recorder, value_bytes};
use crate::stats::units::size;

/// The level from which on each computation is printed.
const COMPUTATIONS: u8 = 1;

/// The level from which on each hit is printed, too.
const HITS: u8 = 2;

/// The level from which on key and files are printed with it.
const FILES: u8 = 3;

/// How many characters of an argument are shown.
const ARGUMENT: usize = 40;

/// A call that missed, to be reported when it has been computed.
pub(crate) struct MissReport {
    function: &'static Function,
    /// `None` for a call that can't be keyed.
    key: Option<Key>,
    reason: Reason,
    /// The reason says what differs, and not just that something does.
    in_full: bool,
    hashing: Duration,
    /// What is to be printed of the call, if it is.
    call: Option<Box<PrintedCall>>,
}

/// A call as it is printed.
struct PrintedCall {
    /// With its arguments in short.
    call: String,
    /// What tiers said of it.
    tiers: Option<String>,
}

impl MissReport {
    pub(crate) fn function(&self) -> &'static Function {
        self.function
    }

    /// With what tiers said when they were asked for it, if they were.
    pub(crate) fn with_tier_answers(mut self, tiers: Option<String>) -> Self {
        if let Some(call) = &mut self.call {
            call.tiers = tiers;
        }
        self
    }

    /// Why the call goes by the cache, if it does.
    pub(crate) fn bypass(&self) -> Option<Error> {
        match &self.reason {
            Reason::Bypassed(why) => Some(Error::unsupported(why.clone())),
            _ => None,
        }
    }
}

/// What became of a computed value.
pub(crate) enum Storing<'a> {
    /// It was stored, which took this time.
    Stored(&'a Site, &'a Record, Duration),
    /// It wasn't stored, for this reason.
    NotStored(Cow<'a, str>),
}

impl Storing<'_> {
    pub(crate) fn failed(error: &Error) -> Self {
        Self::NotStored(error.to_string().into())
    }
}

impl Recorder {
    /// Counts a miss, and says what it is for.
    pub(crate) fn miss(&self, call: &dyn AnyCall, site: &Site, missing: Missing) -> MissReport {
        let damaged = matches!(missing, Missing::Damaged(_) | Missing::Fault(_));
        // Comparing with what is stored reads records: only if somebody reads the result.
        let in_full = self.prints(COMPUTATIONS) || tracing::enabled!(tracing::Level::INFO);
        let reason = match self.why_not_stored(site.key(), &missing) {
            Some(why) => Reason::NotStored(why),
            None if in_full => self.reason(call, missing),
            None => self.outline(call, missing),
        };
        let function = call.function();
        if damaged {
            self.fault(function.path(), &reason, "a stored result can't be used");
        }
        MissReport { in_full, ..self.missed(call, Some(site.key()), reason) }
    }

    /// Why a call that isn't there wasn't stored when it was computed before, if it was.
    fn why_not_stored(&self, key: Key, missing: &Missing) -> Option<String> {
        let Missing::Absent = missing else { return None };
        let not_stored = self.not_stored.lock();
        not_stored.get(&key.digest()).map(|why| escaped(why).into_owned())
    }

    /// Remembers whether what was computed was stored, for the next miss of its key.
    fn note_stored(&self, key: Key, outcome: &Storing<'_>) {
        let mut not_stored = self.not_stored.lock();
        match outcome {
            Storing::Stored(..) => drop(not_stored.remove(&key.digest())),
            Storing::NotStored(why) if not_stored.len() < NOT_STORED_MAX => {
                not_stored.insert(key.digest(), (&**why).into());
            }
            Storing::NotStored(_) => {}
        }
    }

    /// Counts a call that can't be keyed.
    pub(crate) fn bypassed(&self, call: &dyn AnyCall, error: &Error) -> MissReport {
        self.missed(call, None, Reason::Bypassed(error.to_string()))
    }

    fn missed(&self, call: &dyn AnyCall, key: Option<Key>, reason: Reason) -> MissReport {
        let function = call.function();
        self.counters.miss(function.path(), reason.name());
        tracing::info!(function = function.path(), key = key.map(tracing::field::display), %reason, "miss");
        if key.is_some() && self.prints(COMPUTATIONS) {
            // Its record will hold the same words: so they are described once.
            let _ = call.descriptions(self.describe_options());
        }
        MissReport {
            function,
            key,
            reason,
            in_full: true,
            hashing: call.hashing(),
            call: self.prints(COMPUTATIONS).then(|| Box::new(PrintedCall { call: self.in_short(call), tiers: None })),
        }
    }

    /// Counts a result that came from the tier at `place` in that time, and says so: none was computed.
    pub(crate) fn fetched(&self, call: &dyn AnyCall, site: &Site, place: &str, took: Duration) {
        let function = call.function().path();
        self.counters.fetched(function);
        if let Some(run) = &self.run {
            run.fetched(function);
        }
        tracing::info!(function, key = %site.key(), tier = place, seconds = took.as_secs_f64(), "fetched");
        if self.prints(COMPUTATIONS) {
            let _ = call.descriptions(self.describe_options());
            let line = format!("{} fetched in {took:.2?} from {place}", self.in_short(call));
            self.print(&line, Some(site.key()), None);
        }
    }

    /// Says that a call that missed has been computed in this time.
    pub(crate) fn computed(&self, missed: &MissReport, took: ComputeTime, outcome: &Storing<'_>) {
        let duration = took.whole;
        let MissReport { function, key, reason, in_full, hashing, call } = missed;
        let (bytes, storing) = match outcome {
            Storing::Stored(_, record, storing) => (Some(value_bytes(record)), *storing),
            Storing::NotStored(_) => (None, Duration::ZERO),
        };
        self.counters.computed(function.path(), took.own(), bytes.unwrap_or(0));
        key.iter().for_each(|key| self.note_stored(*key, outcome));
        if let Some(run) = &self.run {
            let explanation = match reason {
                // Which arguments differ wasn't looked up.
                Reason::Argument(_) if !in_full => "other arguments".to_owned(),
                reason => reason.to_string(),
            };
            let bytes = bytes.unwrap_or(0);
            let (reason, spent, hashing) = (reason.name(), took.own(), *hashing);
            run.miss(function.path(), &Miss { reason, explanation: &explanation, spent, hashing, storing, bytes });
        }
        tracing::info!(
            function = function.path(),
            key = key.map(tracing::field::display),
            %reason,
            seconds = duration.as_secs_f64(),
            bytes,
            "computed"
        );
        let Some(PrintedCall { call, tiers }) = call.as_deref() else { return };
        let stored = match outcome {
            Storing::Stored(_, record, _) => format!("{} stored", size(value_bytes(record))),
            Storing::NotStored(why) => format!("not stored ({why})"),
        };
        let tiers = tiers.as_ref().map_or_else(String::new, |tiers| format!(" (tiers: {tiers})"));
        let line = format!("{call} computed in {duration:.2?}, {stored}; {reason}{tiers}");
        let (site, record) = match outcome {
            Storing::Stored(site, record, _) => (Some(*site), Some(*record)),
            Storing::NotStored(_) => (None, None),
        };
        self.print(&line, *key, site.zip(record));
    }

    /// The present moment, if a hit is to be reported when it has been loaded.
    #[inline]
    pub(crate) fn hits_from(&self) -> Option<Instant> {
        (self.prints(HITS) || tracing::enabled!(tracing::Level::DEBUG)).then(Instant::now)
    }

    /// Says that a call hit `record`, since a moment from [`Recorder::hits_from`].
    #[inline]
    pub(crate) fn loaded(&self, call: &dyn AnyCall, site: &Site, record: &Record, since: Option<Instant>) {
        // Inlined as far as this: a hit of which nobody hears does no more.
        if let Some(since) = since {
            self.loaded_since(call, site, record, since);
        }
    }

    #[cold]
    fn loaded_since(&self, call: &dyn AnyCall, site: &Site, record: &Record, since: Instant) {
        let (function, duration, bytes) = (call.function().path(), since.elapsed(), value_bytes(record));
        let (key, seconds) = (site.key(), duration.as_secs_f64());
        tracing::debug!(function, %key, reason = "hit", seconds, bytes, "hit");
        if self.prints(HITS) {
            let line = format!("{} loaded in {duration:.2?}, {}", self.in_short(call), contents(record));
            self.print(&line, Some(key), Some((site, record)));
        }
    }

    /// The call of a build step in short, if it is to be printed that it was made.
    pub(crate) fn step(&self, call: &dyn AnyCall) -> Option<String> {
        self.prints(COMPUTATIONS).then(|| self.in_short(call))
    }

    /// Prints what was made of a build step.
    pub(crate) fn print_made(&self, step: Option<&str>, duration: Duration, what: &str, reason: &dyn Display) {
        if let Some(step) = step {
            self.print(&format!("{step} made in {duration:.2?}, {what}; {reason}"), None, None);
        }
    }

    /// Prints that a build step was made before.
    pub(crate) fn up_to_date(&self, call: &dyn AnyCall, what: &str) {
        if self.prints(HITS) {
            self.print(&format!("{} is up to date, {what}", self.in_short(call)), None, None);
        }
    }

    /// Prints a warning, whose caller has logged it, too.
    pub(crate) fn warn(&self, what: &str) {
        self.printer.warn(what);
    }

    fn prints(&self, level: u8) -> bool {
        self.printer.prints(level)
    }

    /// Prints one line, and below it, from level 3 on, the key and the entry's files.
    fn print(&self, line: &str, key: Option<Key>, entry: Option<(&Site, &Record)>) {
        let mut text = String::new();
        push_line(&mut text, "ndcache: ", line);
        if self.prints(FILES) {
            if let Some(key) = key {
                push_line(&mut text, "  key ", &key.to_string());
            }
            for name in entry.iter().flat_map(|(site, record)| names(site, record)) {
                push_line(&mut text, "  file ", &self.archive.disk.path_of(&name).display().to_string());
            }
        }
        print(&text);
    }
}

impl Recorder {
    /// A function with its arguments: `app/fir(x: f64[1797, 64] C, k: 12)`; only their names where no texts are shown.
    pub(super) fn in_short(&self, call: &dyn AnyCall) -> String {
        let names = call.identity().map(|identity| identity.arguments.iter().map(|argument| argument.name).collect());
        let names: Vec<&str> = names.unwrap_or_default();
        let names = names.into_iter().map(Some).chain(std::iter::repeat(None));
        let mut arguments = Text::new();
        let texts = call.described_arguments(self.describe_options());
        arguments.list("(", texts.iter().zip(names), ")", |(value, name), text| {
            match name {
                Some(name) if value.is_empty() => return text.display(name),
                Some(name) => text.display(format_args!("{name}: ")),
                None => {}
            }
            text.display(cut(value));
        });
        format!("{}{arguments}", call.function().shown())
    }
}

/// A text of at most `ARGUMENT` characters, cut in the middle: of a path the file's name is shown.
fn cut(value: &str) -> Cow<'_, str> {
    let count = value.chars().count();
    if count <= ARGUMENT {
        return value.into();
    }
    let at = |nth: usize| value.char_indices().nth(nth).map_or(value.len(), |(at, _)| at);
    let head = ARGUMENT / 2;
    format!("{}…{}", &value[..at(head)], &value[at(count - (ARGUMENT - head - 1))..]).into()
}

/// `898.4 KiB: f64[1797, 64], f64[64]`.
fn contents(record: &Record) -> String {
    let mut text = Text::new();
    text.display(size(value_bytes(record)));
    let open = if record.arrays.is_empty() { "" } else { ": " };
    text.list(open, &record.arrays, "", |array, text| {
        text.display(format_args!("{}{:?}", shown_dtype(&array.meta.descr), array.meta.shape));
    });
    text.into_string()
}

fn names(site: &Site, record: &Record) -> Vec<String> {
    let files = record.files().map(|file| site.file(file));
    std::iter::once(site.record()).chain(files).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_in_the_middle() {
        assert_eq!(cut("short"), "short");
        let long = "/data/projects/spectra/2026/november/run-0412/features.npy";
        assert_eq!(cut(long), "/data/projects/spect…n-0412/features.npy");
        assert_eq!(cut(&"é".repeat(41)).chars().count(), ARGUMENT);
        assert_eq!(cut(&"é".repeat(40)), "é".repeat(40));
    }
}
