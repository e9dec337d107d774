//! `ndcache verify`: whether every stored byte is what was written.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ndcache::verify::{Problem, Repair, VerifyReport};
use ndcache::{Entry, ErrorKind, Memory};
use rayon::prelude::*;
use serde_json::{Value as Json, json};

use crate::args::Verify;
use crate::cache;
use crate::commands::change::removal::{Consent, agreed};
use crate::entry::{DATA_FILES, arguments, call, function};
use crate::exit::{Exit, Failure, Outcome};
use crate::interrupt::Unfinished;
use crate::out::{Out, Style};
use crate::text::{count, entries, parse_percent, safe, several, size};

/// How many entries are checked at once.
const PIECE: usize = 4096;

/// What was found.
#[derive(Default)]
struct VerifyTotals {
    entries: u64,
    bytes: u64,
    problems: Vec<(PathBuf, Problem)>,
    /// The bytes that those entries have that were checked; `None` if these are all.
    total: Option<u64>,
}

impl VerifyTotals {
    /// Whether there were entries, or folders of them, none of which could be read.
    fn is_unread(&self) -> bool {
        let unreadable = |(_, problem): &(PathBuf, Problem)| matches!(problem, Problem::Unreadable(_));
        self.bytes == 0 && !self.problems.is_empty() && self.problems.iter().all(unreadable)
    }

    /// Whether no entry has a problem that left bytes of it unchecked.
    fn is_whole(&self) -> bool {
        self.problems.iter().all(|(_, problem)| matches!(problem, Problem::Orphan | Problem::Writable))
    }
}

/// The bytes of all entries, as far as their records can be read.
fn stored(memory: &Memory) -> u64 {
    memory.entries().filter_map(|entry| entry.ok().map(|entry| entry.bytes())).sum()
}

pub(crate) fn run(args: &Verify, out: &mut Out) -> Outcome {
    let share = args.sample.as_deref().map(parse_share).transpose()?;
    let repairs = args.repair && !args.dry_run;
    let memory = if repairs { cache::for_writing(out)? } else { cache::for_reading(out)? };
    if repairs && args.yes {
        out.go_on();
    }
    let found = match (&args.function, share) {
        (None, None) => whole(&memory, out)?,
        (function, share) => some(&memory, function.as_deref(), share.unwrap_or(1.0), out)?,
    };
    let damaged: Vec<&Path> =
        found.problems.iter().filter(|(_, it)| matches!(it, Problem::Damaged(_))).map(|(path, _)| &**path).collect();
    let owners = owners(&memory, &found);
    if !out.is_json() {
        print(&memory, &found, &owners, out)?;
    }
    let mut removed = 0;
    if args.repair && args.dry_run && !out.is_json() {
        out.line(format!("would remove {}", entries(damaged.len() as u64)))?;
    }
    if !args.repair && !damaged.is_empty() {
        out.note("`ndcache verify --repair` removes what is damaged; the next call of each computes it anew");
    }
    if repairs && !damaged.is_empty() {
        let question = format!("Remove {} that are damaged?", entries(damaged.len() as u64));
        let consent = Consent { dry_run: false, yes: args.yes };
        let may = agreed(&memory, consent, &question, out);
        if may.is_err() && out.is_json() {
            // What was found is worth knowing, though nothing was removed.
            document(&found, &owners, removed, Some(damaged.len()), out)?;
        }
        if may? {
            let unfinished = Unfinished::begin();
            removed = repair(&memory, &damaged, &unfinished, out)?;
            if !out.is_json() {
                out.line(format!("removed {}", entries(removed)))?;
                // Before a signal may end it.
                out.finish()?;
            }
        }
    }
    if out.is_json() {
        document(&found, &owners, removed, args.repair.then_some(damaged.len()), out)?;
    }
    let unreadable = found.problems.iter().any(|(_, problem)| matches!(problem, Problem::Unreadable(_)));
    if found.is_unread() {
        return Ok(Exit::Unreadable);
    }
    // What was damaged and is removed is no damage any more.
    let is_intact = removed == damaged.len() as u64 && !unreadable;
    Ok(if is_intact { Exit::Fine } else { Exit::Found })
}

fn whole(memory: &Memory, out: &mut Out) -> Outcome<VerifyTotals> {
    let bar = out.bar(|| stored(memory));
    let report = memory.verify_with(Repair::No, |checked| bar.reach(checked.bytes));
    bar.clear();
    let VerifyReport { entries, bytes, problems, .. } = report?;
    Ok(VerifyTotals { entries, bytes, problems, total: None })
}

/// Checks a share of the entries, of one function or of all: the same ones each time, so that a find can be checked
/// again.
fn some(memory: &Memory, name: Option<&str>, share: f64, out: &mut Out) -> Outcome<VerifyTotals> {
    let function = name.map(|name| function(memory, name)).transpose()?;
    let (mut found, mut total) = (VerifyTotals::default(), 0);
    let mut sample = memory.sample(function.as_deref(), share)?;
    let bar = out.bar(|| sampled(memory, function.as_deref(), share));
    // A piece at a time: nobody has to have all entries of a large cache.
    loop {
        let piece: Vec<_> = sample.by_ref().take(PIECE).collect();
        if piece.is_empty() {
            break;
        }
        let check = |(path, entry): (PathBuf, ndcache::Result<Entry>)| {
            let bytes = entry.as_ref().map_or(0, Entry::bytes);
            let checked = entry.and_then(|entry| entry.verify().inspect(|bytes| bar.advance(*bytes)));
            (path, bytes, checked)
        };
        for (path, bytes, checked) in piece.into_par_iter().map(check).collect::<Vec<_>>() {
            // What isn't a record is a folder that can't be listed.
            found.entries += u64::from(key(&path).is_some());
            total += bytes;
            match checked {
                Ok(bytes) => found.bytes += bytes,
                // Another process has removed the entry meanwhile.
                Err(error) if error.kind() == ErrorKind::Changed => {}
                Err(error) => found.problems.push((path, problem(&error))),
            }
        }
    }
    bar.clear();
    found.problems.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(VerifyTotals { total: Some(total), ..found })
}

/// The bytes of a sample, as far as its records can be read.
fn sampled(memory: &Memory, function: Option<&str>, share: f64) -> u64 {
    let sample = memory.sample(function, share);
    sample.map_or(0, |sample| sample.filter_map(|(_, entry)| entry.ok()).map(|entry| entry.bytes()).sum())
}

fn problem(error: &ndcache::Error) -> Problem {
    match error.kind() {
        ErrorKind::Newer => Problem::Newer(error.to_string()),
        ErrorKind::Io => Problem::Unreadable(error.to_string()),
        _ => Problem::Damaged(error.to_string()),
    }
}

/// Removes those of the damaged entries that are damaged still; returns how many. What can't be removed is reported.
///
/// # Errors
/// Returns a failure, with what was removed, once a signal came before the last of them.
fn repair(memory: &Memory, damaged: &[&Path], unfinished: &Unfinished, out: &mut Out) -> Outcome<u64> {
    let mut removed = HashSet::new();
    let keys = || damaged.iter().filter_map(|path| key(path));
    let count = |removed: &HashSet<&str>| keys().filter(|key| removed.contains(key)).count() as u64;
    for key in keys() {
        unfinished
            .told(|| format!("removed {} of the {} that are damaged", entries(count(&removed)), damaged.len()))?;
        match memory.remove_damaged(key) {
            Ok(true) => drop(removed.insert(key)),
            Ok(false) => {}
            Err(error) => out.complain(&error.to_string()),
        }
    }
    Ok(count(&removed))
}

/// The entries with problems, by their keys, as far as their records can be read.
fn owners(memory: &Memory, found: &VerifyTotals) -> HashMap<String, Entry> {
    let keys: BTreeSet<&str> = found.problems.iter().filter_map(|(path, _)| key(path)).collect();
    let entry = |key: &str| Some((key.to_owned(), memory.entry_by_id(key).ok()??));
    keys.into_iter().filter_map(entry).collect()
}

/// The key in the name of a record.
fn key(path: &Path) -> Option<&str> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".record")?;
    (stem.len() == 32 && stem.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(stem)
}

/// How old a file that no entry names has to be, to be garbage: it may be that of a program that stores a result now.
const GARBAGE_AGE: Duration = Duration::from_secs(24 * 3600);

/// Whether a file without an entry may get one at any moment.
fn is_young(path: &Path, problem: &Problem) -> bool {
    let modified = || fs::symlink_metadata(path).and_then(|stat| stat.modified());
    // What is of tomorrow, by a clock that goes wrong, isn't old.
    let is_young = |modified: SystemTime| !modified.elapsed().is_ok_and(|age| age >= GARBAGE_AGE);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_of_an_entry = name.ends_with(".tmp") || DATA_FILES.iter().any(|end| name.ends_with(end));
    matches!(problem, Problem::Orphan) && is_of_an_entry && modified().is_ok_and(is_young)
}

fn print(memory: &Memory, found: &VerifyTotals, owners: &HashMap<String, Entry>, out: &mut Out) -> Outcome<()> {
    let (young, problems): (Vec<_>, Vec<_>) =
        found.problems.iter().partition(|(path, problem)| is_young(path, problem));
    for (path, problem) in &problems {
        if let Some(owner) = key(path).and_then(|key| owners.get(key)) {
            let key = out.styled(Style::Key, &owner.key().to_string()[..8]);
            out.line(format!("{key}  {}", safe(&call(owner))))?;
        }
        // The message about a record that can't be read has the path already.
        let (path, problem_text) = (path.display().to_string(), problem.to_string());
        let text = if problem_text.contains(&path) { problem_text } else { format!("{path}: {problem_text}") };
        let text = safe(&text);
        let is_bad = matches!(problem, Problem::Damaged(_) | Problem::Unreadable(_));
        out.line(if is_bad { out.styled(Style::Bad, &text) } else { text.into_owned() })?;
    }
    let problems = match problems.len() {
        0 => "all of it is what was written".to_owned(),
        1 => "1 problem".to_owned(),
        many => format!("{} problems", count(many as u64)),
    };
    let right = match found.is_whole() {
        true => size(found.bytes),
        false => {
            let total = found.total.unwrap_or_else(|| stored(memory));
            format!("{} of {} is what was written", size(found.bytes), size(total))
        }
    };
    out.line(format!("checked {}, {right}: {problems}", entries(found.entries)))?;
    if !young.is_empty() {
        let files = several(young.len() as u64, "file");
        let why = "programs are storing results now, or were killed while they did; after a day `ndcache gc` removes what \
                   is left";
        out.note(format!("{files} without an entry, less than a day old: {why}"));
    }
    Ok(())
}

fn document(
    found: &VerifyTotals,
    owners: &HashMap<String, Entry>,
    removed: u64,
    would_remove: Option<usize>,
    out: &mut Out,
) -> Outcome<()> {
    let name = |problem: &Problem| match problem {
        Problem::Damaged(_) => "damaged",
        Problem::Writable => "writable",
        Problem::Newer(_) => "newer",
        Problem::Orphan => "orphan",
        Problem::Unreadable(_) => "unreadable",
        _ => "other",
    };
    let problem = |(path, problem): &(PathBuf, Problem)| {
        let owner = key(path).and_then(|key| owners.get(key));
        json!({
            "path": path.display().to_string(),
            "kind": name(problem),
            "text": problem.to_string(),
            "key": key(path),
            "function": owner.map(Entry::function),
            "arguments": owner.map(arguments),
        })
    };
    let problems: Vec<Json> = found.problems.iter().map(problem).collect();
    let damaged = found.problems.iter().filter(|(_, problem)| name(problem) == "damaged").count();
    out.document(json!({
        "entries": found.entries,
        "bytes": found.bytes,
        "damaged": damaged,
        "problems": problems,
        "removed": removed,
        // What a repair is about, with or without a Yes.
        "would_remove": would_remove,
    }))
}

/// `5%`, `0.05`
fn parse_share(text: &str) -> Outcome<f64> {
    if let Some(share) = parse_percent(text)? {
        return Ok(share);
    }
    text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0).ok_or_else(|| {
        Failure::usage(format!("share is `{}`, expected such as `5%`, above 0 and at most 100 %", safe(text)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_or_a_fraction() {
        assert_eq!(
            (parse_share("5%").unwrap(), parse_share("0.5").unwrap(), parse_share("100%").unwrap()),
            (0.05, 0.5, 1.0)
        );
        for text in ["", "%", "0%", "101%", "-1%", "NaN", "five", "1.5"] {
            assert!(parse_share(text).is_err(), "{text}");
        }
    }
}
