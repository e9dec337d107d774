//! `ndcache why`: what an entry was computed for, against the nearest one that was there.

use std::time::SystemTime;

use ndcache::explain::{Explanation, Reason};
use ndcache::{Entry, Memory};
use serde_json::{Value as Json, json};

use crate::args::Why;
use crate::commands::look::show::name;
use crate::entry::{call, find, of_function, open_for};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::{Out, Style};
use crate::text::{moment, rfc3339, safe};

pub(crate) fn run(args: &Why, out: &mut Out) -> Outcome {
    let memory = open_for(out, &args.what)?;
    let (siblings, told) = meant(&memory, args)?;
    let logged = logged(&memory, args, &told)?;
    let told: Vec<Told> = told.into_iter().map(|entry| Told::of(entry, &siblings)).collect();
    if out.is_json() {
        let misses: Vec<Json> = told.iter().map(Told::json).collect();
        let logged: Vec<Json> = logged.iter().map(Logged::json).collect();
        out.document(json!({ "misses": misses, "logged": logged }))?;
        return Ok(Exit::Fine);
    }
    for miss in &logged {
        out.line(format!("logged    {}  {}", moment(miss.at), safe(&miss.reason)))?;
    }
    for told in &told {
        told.print(out)?;
    }
    Ok(Exit::Fine)
}

/// All entries of the function, and those that are to be told of: one, or the last ones.
fn meant(memory: &Memory, args: &Why) -> Outcome<(Vec<Entry>, Vec<Entry>)> {
    match find(memory, &args.what) {
        Ok(entry) => {
            let siblings = of_function(memory, entry.function(), &mut |_| {})?;
            Ok((siblings, vec![entry]))
        }
        // It may name a function, which has no digits of a key, or happens to have.
        Err(failure) => match of_function(memory, &args.what, &mut |_| {}) {
            Ok(mut siblings) => {
                siblings.sort_by_key(|entry| std::cmp::Reverse((entry.created(), entry.key())));
                let told = siblings.iter().take(args.count).cloned().collect();
                Ok((siblings, told))
            }
            Err(ambiguous @ Failure::Told { exit: Exit::Usage, .. }) => Err(ambiguous),
            Err(none) if is_name(&args.what) => Err(none),
            Err(_) => Err(failure),
        },
    }
}

/// A miss as a program wrote it down when it happened: the last one before it wrote.
struct Logged {
    at: SystemTime,
    function: String,
    reason: String,
}

impl Logged {
    fn json(&self) -> Json {
        json!({ "at": rfc3339(self.at), "function": self.function, "reason": self.reason })
    }
}

/// The last misses of a function that were written down, the newest first; none if one entry is asked for.
fn logged(memory: &Memory, args: &Why, told: &[Entry]) -> Outcome<Vec<Logged>> {
    if find(memory, &args.what).is_ok() {
        return Ok(Vec::new());
    }
    let function = told.first().map_or(args.what.as_str(), Entry::function);
    let history = memory.history(None)?;
    let miss = |period: &ndcache::stats::Period| {
        let reason = period.functions.get(function)?.last_miss.clone()?;
        Some(Logged { at: period.to, function: function.to_owned(), reason })
    };
    let mut logged: Vec<Logged> = history.periods().iter().filter_map(miss).collect();
    logged.sort_by_key(|miss| std::cmp::Reverse(miss.at));
    logged.truncate(args.count);
    Ok(logged)
}

/// Whether a text can't be the beginning of a key.
fn is_name(what: &str) -> bool {
    what.len() < 4 || what.bytes().any(|byte| !byte.is_ascii_hexdigit() && byte != b'@')
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
        let distance = |other: &&Entry| {
            let differing = other.differing_arguments(&entry).len();
            (other.code() != entry.code(), differing, std::cmp::Reverse(other.created()))
        };
        let nearest = before.min_by_key(distance).cloned();
        Self { entry, nearest }
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
