//! `ndcache why`: what an entry was computed for, against the nearest one that was there.

use std::time::SystemTime;

use ndcache::explain::{Explanation, Reason};
use ndcache::inspect::Argument;
use ndcache::stats::{History, Period};
use ndcache::{Entry, Memory};
use serde_json::{Value as Json, json};

use crate::args::{Sort, Why};
use crate::cache;
use crate::commands::look::ls::sort;
use crate::commands::look::show::name;
use crate::entry::{call, find, function, numbered, of_path, open_for};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::{Out, Style};
use crate::text::{count, moment, rfc3339, safe};

/// The first digits of a run that are shown.
const RUN: usize = 8;

pub(crate) fn run(args: &Why, out: &mut Out) -> Outcome {
    let memory = open_for(out, &args.what)?;
    let Meant { siblings, told, function, bad } = meant(&memory, args)?;
    let logged = function.map_or_else(Vec::new, |function| logged(&memory, args, function, out));
    let told: Vec<Told> = told.into_iter().map(|entry| Told::of(entry, &siblings)).collect();
    if out.is_json() {
        let misses: Vec<Json> = told.iter().map(Told::json).collect();
        let logged: Vec<Json> = logged.iter().map(Logged::json).collect();
        out.document(json!({ "misses": misses, "logged": logged }))?;
        return Ok(Exit::Fine);
    }
    for miss in &logged {
        let (run, misses) = (miss.run.get(..RUN).unwrap_or("–"), count(miss.misses));
        let last = if miss.misses == 1 { String::new() } else { format!("the last of {misses}: ") };
        out.line(format!("logged    {}  run {}  {last}{}", moment(miss.at), safe(run), safe(&miss.reason)))?;
    }
    for told in &told {
        told.print(out)?;
    }
    out.unread(bad);
    Ok(Exit::Fine)
}

/// What is to be told of.
struct Meant {
    /// All entries of the function.
    siblings: Vec<Entry>,
    /// One of them, or the last ones.
    told: Vec<Entry>,
    /// The function, if that was named, and no entry.
    function: Option<String>,
    /// How much of the function can't be read.
    bad: u64,
}

fn meant(memory: &Memory, args: &Why) -> Outcome<Meant> {
    let mut bad = 0;
    let failure = match numbered(memory, &args.what) {
        Ok(Some((siblings, at))) => {
            let told = vec![siblings[at].clone()];
            return Ok(Meant { siblings, told, function: None, bad });
        }
        Err(failure) => failure,
        Ok(None) => match find(memory, &args.what) {
            Ok(entry) => {
                let siblings = of_path(memory, entry.function(), &mut |_| bad += 1);
                return Ok(Meant { siblings, told: vec![entry], function: None, bad });
            }
            Err(failure) => failure,
        },
    };
    // It may name a function, which has no digits of a key, or happens to have.
    match function(memory, &args.what) {
        Ok(function) => {
            let mut siblings = of_path(memory, &function, &mut |_| bad += 1);
            sort(&mut siblings, Sort::Created);
            let told = siblings.iter().take(args.count).cloned().collect();
            Ok(Meant { siblings, told, function: Some(function), bad })
        }
        Err(ambiguous @ Failure::Told { exit: Exit::Usage, .. }) => Err(ambiguous),
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
    logged.sort_by_key(|miss| std::cmp::Reverse(miss.at));
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

/// An entry, and the nearest one that was there when it was made.
pub(crate) struct Told {
    entry: Entry,
    nearest: Option<Entry>,
}

impl Told {
    pub(crate) fn of<'a>(entry: Entry, siblings: impl IntoIterator<Item = &'a Entry>) -> Self {
        let before =
            siblings.into_iter().filter(|other| other.created() < entry.created() && other.key() != entry.key());
        // One with the same arguments and other code says that the code alone has changed; else one of the same code, with
        // the fewest differing arguments, and rather a file of which the content has changed than another one.
        let distance = |other: &&Entry| {
            let (differing, others) = differing(other, &entry);
            let rank = match (other.code() == entry.code(), differing) {
                (false, 0) => 0,
                (true, _) => 1,
                (false, _) => 2,
            };
            (rank, differing, others, std::cmp::Reverse(other.created()))
        };
        let nearest = before.min_by_key(distance).cloned();
        Self { entry, nearest }
    }

    /// The nearest one, if there was any.
    pub(crate) fn nearest(self) -> Option<Entry> {
        self.nearest
    }

    /// In what it differs from the nearest one; `None` if there was none.
    pub(crate) fn explanation(&self) -> Option<Explanation> {
        self.nearest.as_ref().map(|nearest| nearest.difference(&self.entry))
    }

    fn reason(&self) -> String {
        self.explanation().map_or_else(|| Reason::NewFunction.to_string(), |it| it.to_string())
    }

    fn print(&self, out: &mut Out) -> Outcome<()> {
        let key = out.styled(Style::Key, &self.entry.key().to_string()[..8]);
        out.line(format!("{key}  {}  {}", moment(self.entry.created()), safe(&call(&self.entry))))?;
        let against = match &self.nearest {
            None => "no call of it was stored before".to_owned(),
            Some(nearest) => format!("against {}", name(nearest)),
        };
        out.line(format!("          {}  ({})", safe(&self.reason()), safe(&against)))
    }

    fn json(&self) -> Json {
        json!({
            "key": self.entry.key().to_string(),
            "function": self.entry.function(),
            "created": rfc3339(self.entry.created()),
            "reason": self.reason(),
            "nearest": self.nearest.as_ref().map(|nearest| nearest.key().to_string()),
        })
    }
}
