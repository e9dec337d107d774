//! `ndcache why`: what an entry was computed for, against the nearest one that was there.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;
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
use crate::filter::is_array;
use crate::out::{Out, Style};
use crate::text::{count, moment, rfc3339, safe};

/// The first digits of a run that are shown.
const RUN: usize = 8;

pub(crate) fn run(args: &Why, out: &mut Out) -> Outcome {
    let memory = open_for(out, &args.what)?;
    let (meant, function) = meant(&memory, args)?;
    let (explained, bad) = WithNearest::all(&memory, meant);
    let origins = origins(&memory, &explained, out);
    let logged = function.map_or_else(Vec::new, |function| logged(&memory, args, function, out));
    if out.is_json() {
        let misses: Vec<Json> = explained.iter().zip(&origins).map(|(it, origins)| it.json(origins)).collect();
        let logged: Vec<Json> = logged.iter().map(Logged::json).collect();
        out.document(json!({ "misses": misses, "logged": logged }))?;
        return Ok(Exit::Fine);
    }
    for miss in &logged {
        let (run, misses) = (miss.run.get(..RUN).unwrap_or("–"), count(miss.misses));
        let last = if miss.misses == 1 { String::new() } else { format!("the last of {misses}: ") };
        out.line(format!("logged    {}  run {}  {last}{}", moment(miss.at), safe(run), safe(&miss.reason)))?;
    }
    for (explained, origins) in explained.iter().zip(&origins) {
        explained.print(out)?;
        origins.iter().try_for_each(|origin| origin.print(out))?;
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
        Err(_) if Path::new(&args.what).is_file() => Err(failure),
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

/// Where another array came from than that of the nearest entry: from two calls of one function.
struct Origin {
    argument: String,
    before: Entry,
    now: Entry,
}

impl Origin {
    /// How the two calls differ.
    fn reason(&self) -> String {
        self.before.difference(&self.now).to_string()
    }

    fn print(&self, out: &mut Out) -> Outcome<()> {
        let (argument, now, before) = (&self.argument, name(&self.now), name(&self.before));
        let text = format!("`{argument}` came from {now}, before from {before}: {}", self.reason());
        out.line(format!("          {}", safe(&text)))
    }

    fn json(&self) -> Json {
        json!({
            "argument": self.argument,
            "function": self.now.function(),
            "now": self.now.key().to_string(),
            "before": self.before.key().to_string(),
            "reason": self.reason(),
        })
    }
}

/// An argument has at most so many sources in a lineage. There may be more.
const SOURCES: usize = 8;

/// For each explained entry, where the arrays came from in which it differs, as far as that is certain.
fn origins(memory: &Memory, explained: &[WithNearest], out: &mut Out) -> Vec<Vec<Origin>> {
    let differing: Vec<Vec<&str>> = explained.iter().map(WithNearest::differing_arrays).collect();
    let pairs = || explained.iter().zip(&differing).filter(|(_, arrays)| !arrays.is_empty()).map(|(it, _)| it);
    let roots: Vec<Entry> = pairs().flat_map(|it| it.both()).cloned().collect();
    let lineage = if roots.is_empty() { Ok(None) } else { memory.lineage_of_all(roots) };
    let unread = match &lineage {
        Ok(lineage) => lineage.as_ref().and_then(|lineage| lineage.unread()).map(str::to_owned),
        Err(error) => Some(error.to_string()),
    };
    if let Some(unread) = unread {
        out.note(format!("where arrays came from isn't known: {unread}"));
        return explained.iter().map(|_| Vec::new()).collect();
    }
    let lineage = lineage.ok().flatten();
    let mut sources: HashMap<(Key, String), Vec<&Entry>> = HashMap::new();
    for link in lineage.iter().flat_map(|lineage| lineage.links()) {
        sources.entry((link.call().key(), link.argument().name().to_owned())).or_default().extend(link.source());
    }
    let sources_of =
        |entry: &Entry, argument: &str| sources.get(&(entry.key(), argument.to_owned())).map_or(&[][..], Vec::as_slice);
    let found = explained.iter().zip(&differing).map(|(explained, arrays)| {
        let [now, before] = [explained.both().next(), explained.both().nth(1)];
        let origin = |argument: &&str| origin(argument, sources_of(before?, argument), sources_of(now?, argument));
        arrays.iter().filter_map(origin).collect()
    });
    found.collect()
}

/// Where an array came from and where the former one did: the first function of which one call alone holds the one, and
/// another one the other. Of several calls that made the same array nobody knows which was meant.
fn origin(argument: &str, before: &[&Entry], now: &[&Entry]) -> Option<Origin> {
    if before.len() >= SOURCES || now.len() >= SOURCES {
        return None;
    }
    let only = |sources: &[&Entry], function: &str| -> Option<Entry> {
        let mut of = sources.iter().filter(|source| source.function() == function);
        of.next().filter(|_| of.next().is_none()).map(|source| (*source).clone())
    };
    now.iter().find_map(|source| {
        let (now, before) = (only(now, source.function())?, only(before, source.function())?);
        (now.key() != before.key()).then(|| Origin { argument: argument.to_owned(), before, now })
    })
}

/// How many arguments differ, how many of these aren't one file whose content has changed, and how many are an array of
/// another dtype or shape, or an array in one of the two alone.
fn differing(before: &Entry, now: &Entry) -> (usize, usize, usize) {
    let (mut differing, mut others, mut unlike, mut common) = (0, 0, 0, 0);
    for argument in now.arguments() {
        let old = before.arguments().iter().find(|old| old.name() == argument.name());
        common += usize::from(old.is_some());
        if old.is_none_or(|old| old.digest() != argument.digest()) {
            let is_file = |old: &Argument| old.text() == argument.text() && old.text().starts_with(['"', '\'']);
            differing += 1;
            others += usize::from(!old.is_some_and(is_file));
            unlike += usize::from(old.is_some_and(|old| dtype_and_shape(old) != dtype_and_shape(argument)));
        }
    }
    let gone = before.arguments().len() - common.min(before.arguments().len());
    (differing + gone, others + gone, unlike)
}

/// `f64[10, 8]` of an argument `f64[10, 8] F`; `None` for one that is no array.
fn dtype_and_shape(argument: &Argument) -> Option<&str> {
    let text = argument.text();
    is_array(text).then(|| text.split_inclusive(']').next().unwrap_or(text))
}

/// An entry with the nearest one that was there when it was made, of those that were looked at.
pub(crate) struct WithNearest {
    entry: Entry,
    nearest: Option<(Distance, Entry)>,
}

/// How far an entry is from the one that is explained: which code, which arguments and which shapes of arrays differ; of those
/// equally far the newest one is the nearest.
type Distance = (u8, usize, usize, usize, Reverse<SystemTime>, Key);

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
    /// the fewest differing arguments, and rather a file of which the content has changed than another one, or an array of
    /// the same dtype and shape.
    fn distance(&self, other: &Entry) -> Distance {
        let (differing, others, unlike) = differing(other, &self.entry);
        let rank = match (other.code() == self.entry.code(), differing) {
            (false, 0) => 0,
            (true, _) => 1,
            (false, _) => 2,
        };
        (rank, differing, others, unlike, Reverse(other.created()), other.key())
    }

    /// The nearest one, if there was any.
    pub(crate) fn nearest(self) -> Option<Entry> {
        self.nearest.map(|(_, entry)| entry)
    }

    /// How the entry differs from the nearest one; `None` if there was none.
    pub(crate) fn explanation(&self) -> Option<Explanation> {
        self.nearest.as_ref().map(|(_, nearest)| nearest.difference(&self.entry))
    }

    /// The entry, and the nearest one, if there was any.
    fn both(&self) -> impl Iterator<Item = &Entry> {
        [&self.entry].into_iter().chain(self.nearest.as_ref().map(|(_, nearest)| nearest))
    }

    /// The arguments that are another array than in the nearest entry, if that differs in arguments alone.
    fn differing_arrays(&self) -> Vec<&str> {
        let Some((_, nearest)) = self.nearest.as_ref().filter(|(_, it)| it.code() == self.entry.code()) else {
            return Vec::new();
        };
        let old = |name: &str| nearest.arguments().iter().find(|old| old.name() == name);
        let is_other = |it: &&Argument| {
            is_array(it.text()) && old(it.name()).is_some_and(|old| is_array(old.text()) && old.digest() != it.digest())
        };
        self.entry.arguments().iter().filter(is_other).map(|it| it.name()).collect()
    }

    fn reason(&self) -> String {
        self.explanation().map_or_else(|| Reason::NewFunction.to_string(), |it| it.to_string())
    }

    fn print(&self, out: &mut Out) -> Outcome<()> {
        let key = out.styled(Style::Key, &self.entry.key().to_string()[..8]);
        out.line(format!("{key}  {}  {}", moment(self.entry.created()), safe(&call(&self.entry))))?;
        let against = match &self.nearest {
            None => "no earlier call of it is stored".to_owned(),
            Some((_, nearest)) => format!("against {}", name(nearest)),
        };
        out.line(format!("          {}  ({})", safe(&self.reason()), safe(&against)))
    }

    fn json(&self, origins: &[Origin]) -> Json {
        json!({
            "key": self.entry.key().to_string(),
            "function": self.entry.function(),
            "created": rfc3339(self.entry.created()),
            "reason": self.reason(),
            "origins": origins.iter().map(Origin::json).collect::<Vec<_>>(),
            "nearest": self.nearest.as_ref().map(|(_, nearest)| nearest.key().to_string()),
        })
    }
}
