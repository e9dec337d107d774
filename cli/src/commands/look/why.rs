//! `ndcache why`: what an entry was computed for, against the nearest one that was there.

use std::cmp::Reverse;
use std::time::SystemTime;

use ndcache::explain::{Explanation, Reason};
use ndcache::inspect::Argument;
use ndcache::stats::{History, Period};
use ndcache::{Entry, Key, Memory};
use serde_json::{Value as Json, json};

use crate::args::Why;
use crate::cache;
use crate::commands::look::show::name;
use crate::entry::{call, find, function, latest, open_for};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::{Out, Style};
use crate::text::{count, moment, rfc3339, safe};

/// The first digits of a run that are shown.
const RUN: usize = 8;

pub(crate) fn run(args: &Why, out: &mut Out) -> Outcome {
    let memory = open_for(out, &args.what)?;
    let (meant, function) = meant(&memory, args)?;
    let (explained, bad) = WithNearest::all(&memory, meant);
    let logged = function.map_or_else(Vec::new, |function| logged(&memory, args, function, out));
    if out.is_json() {
        let misses: Vec<Json> = explained.iter().map(WithNearest::json).collect();
        let logged: Vec<Json> = logged.iter().map(Logged::json).collect();
        out.document(json!({ "misses": misses, "logged": logged }))?;
        return Ok(Exit::Fine);
    }
    for miss in &logged {
        let (run, misses) = (miss.run.get(..RUN).unwrap_or("–"), count(miss.misses));
        let last = if miss.misses == 1 { String::new() } else { format!("the last of {misses}: ") };
        out.line(format!("logged    {}  run {}  {last}{}", moment(miss.at), safe(run), safe(&miss.reason)))?;
    }
    for explained in &explained {
        explained.print(out)?;
    }
    out.unread(bad);
    Ok(Exit::Fine)
}

/// The entries that are to be explained, which are of one function; and that, if it was named, and no entry.
fn meant(memory: &Memory, args: &Why) -> Outcome<(Vec<Entry>, Option<String>)> {
    let failure = match find(memory, &args.what) {
        Ok(entry) => return Ok((vec![entry], None)),
        Err(failure) => failure,
    };
    // The text may name a function instead, even if it could be the digits of a key.
    match function(memory, &args.what) {
        Ok(function) => Ok((latest(memory, &function, args.count), Some(function))),
        Err(ambiguous @ Failure::WithMessage { exit: Exit::Usage, .. }) => Err(ambiguous),
        Err(none) if is_name(&args.what) => Err(none),
        Err(_) => Err(failure),
    }
}

/// A miss as a program wrote it down when it happened: the last one before it wrote.
struct Logged {
    at: SystemTime,
    /// The digits of the run, if they are known.
    run: String,
    function: String,
    /// How many it is the last one of.
    misses: u64,
    reason: String,
}

impl Logged {
    fn json(&self) -> Json {
        json!({
            "at": rfc3339(self.at),
            "run": self.run,
            "function": self.function,
            "misses": self.misses,
            "reason": self.reason,
        })
    }
}

/// The last misses of a function that were written down, the newest first.
fn logged(memory: &Memory, args: &Why, function: String, out: &mut Out) -> Vec<Logged> {
    let history = cache::history(memory, None, out);
    let miss = |period: &Period| {
        let activity = period.functions.get(&*History::logged_name(&function))?;
        let (reason, misses) = (activity.last_miss.clone()?, activity.misses);
        let run = period.run.clone().unwrap_or_default();
        Some(Logged { at: period.to, run, function: function.clone(), misses, reason })
    };
    let mut logged: Vec<Logged> = history.periods().iter().filter_map(miss).collect();
    logged.sort_by_key(|miss| Reverse(miss.at));
    logged.truncate(args.count);
    logged
}

/// Whether a text can't be the beginning of a key.
fn is_name(what: &str) -> bool {
    what.len() < 4 || what.bytes().any(|byte| !byte.is_ascii_hexdigit() && byte != b'@')
}

/// How many arguments differ, and how many of these aren't one file whose content has changed.
fn differing(before: &Entry, now: &Entry) -> (usize, usize) {
    let (mut differing, mut others, mut common) = (0, 0, 0);
    for argument in now.arguments() {
        let old = before.arguments().iter().find(|old| old.name() == argument.name());
        common += usize::from(old.is_some());
        if old.is_none_or(|old| old.digest() != argument.digest()) {
            let is_file = |old: &Argument| old.text() == argument.text() && old.text().starts_with(['"', '\'']);
            differing += 1;
            others += usize::from(!old.is_some_and(is_file));
        }
    }
    let gone = before.arguments().len() - common.min(before.arguments().len());
    (differing + gone, others + gone)
}

/// An entry with the nearest one that was there when it was made, of those that were looked at.
pub(crate) struct WithNearest {
    entry: Entry,
    nearest: Option<(Distance, Entry)>,
}

/// How far an entry is from the one that is explained: which code and which arguments differ; of those equally far the newest
/// one is the nearest.
type Distance = (u8, usize, usize, Reverse<SystemTime>, Key);

impl WithNearest {
    pub(crate) fn new(entry: Entry) -> Self {
        Self { entry, nearest: None }
    }

    /// These entries, which are of one function, against all of it; and how much of it can't be read.
    pub(crate) fn all(memory: &Memory, entries: Vec<Entry>) -> (Vec<Self>, u64) {
        let function = entries.first().map(|entry| entry.function().to_owned());
        let (mut explained, mut bad): (Vec<Self>, u64) = (entries.into_iter().map(Self::new).collect(), 0);
        for other in function.iter().flat_map(|function| memory.entries_named(function)) {
            match other {
                Ok(other) => explained.iter_mut().for_each(|explained| explained.look_at(&other)),
                Err(_) => bad += 1,
            }
        }
        (explained, bad)
    }

    /// The entry that is explained.
    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Takes the other entry for the nearest one if it is nearer than those before.
    pub(crate) fn look_at(&mut self, other: &Entry) {
        if other.created() >= self.entry.created() || other.key() == self.entry.key() {
            return;
        }
        let distance = self.distance(other);
        if self.nearest.as_ref().is_none_or(|(nearest, _)| distance < *nearest) {
            self.nearest = Some((distance, other.clone()));
        }
    }

    /// One with the same arguments and other code says that the code alone has changed; else one of the same code, with
    /// the fewest differing arguments, and rather a file of which the content has changed than another one.
    fn distance(&self, other: &Entry) -> Distance {
        let (differing, others) = differing(other, &self.entry);
        let rank = match (other.code() == self.entry.code(), differing) {
            (false, 0) => 0,
            (true, _) => 1,
            (false, _) => 2,
        };
        (rank, differing, others, Reverse(other.created()), other.key())
    }

    /// The nearest one, if there was any.
    pub(crate) fn nearest(self) -> Option<Entry> {
        self.nearest.map(|(_, entry)| entry)
    }

    /// How the entry differs from the nearest one; `None` if there was none.
    pub(crate) fn explanation(&self) -> Option<Explanation> {
        self.nearest.as_ref().map(|(_, nearest)| nearest.difference(&self.entry))
    }

    fn reason(&self) -> String {
        self.explanation().map_or_else(|| Reason::NewFunction.to_string(), |it| it.to_string())
    }

    fn print(&self, out: &mut Out) -> Outcome<()> {
        let key = out.styled(Style::Key, &self.entry.key().to_string()[..8]);
        out.line(format!("{key}  {}  {}", moment(self.entry.created()), safe(&call(&self.entry))))?;
        let against = match &self.nearest {
            None => "no call of it was stored before".to_owned(),
            Some((_, nearest)) => format!("against {}", name(nearest)),
        };
        out.line(format!("          {}  ({})", safe(&self.reason()), safe(&against)))
    }

    fn json(&self) -> Json {
        json!({
            "key": self.entry.key().to_string(),
            "function": self.entry.function(),
            "created": rfc3339(self.entry.created()),
            "reason": self.reason(),
            "nearest": self.nearest.as_ref().map(|(_, nearest)| nearest.key().to_string()),
        })
    }
}
