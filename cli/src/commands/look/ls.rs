//! `ndcache ls`: functions, or the entries of one.

use std::collections::BTreeMap;

use ndcache::stats::{Activity, History};
use ndcache::{Entry, Memory};
use rayon::prelude::*;
use serde_json::{Value as Json, json};

use crate::args::{Ls, Sort};
use crate::cache;
use crate::commands::look::ranking::{Ranking, sort};
use crate::commands::look::steps;
use crate::commands::look::summary::FunctionTotals;
use crate::entry::{arguments, entry_json, entry_line, function, result};
use crate::exit::{Exit, Outcome};
use crate::filter::Filter;
use crate::out::{Out, item_text};
use crate::table::{Hide, Left, Right, Shrink, Table};
use crate::text::{Calendar, ShownNames, ago, count, duration, nanoseconds, rfc3339, size, when};

pub(crate) fn run(args: &Ls, out: &mut Out) -> Outcome {
    let mut filter = Filter::new(&args.selection)?;
    let memory = cache::for_reading(out)?;
    if args.steps {
        return steps::list(args, &memory, out);
    }
    let function = args.function.as_deref().map(|name| function(&memory, name)).transpose()?;
    match function.as_deref() {
        None if !args.entries => list_functions(args, &mut filter, &memory, out),
        function if out.common.jsonl && args.order.is_free() => stream(function, &mut filter, &memory, out),
        function => list_entries(args, function, &mut filter, &memory, out),
    }
}

/// The entries of a function, or of all.
fn entries<'a>(memory: &'a Memory, function: Option<&'a str>) -> Box<dyn Iterator<Item = ndcache::Result<Entry>> + 'a> {
    match function {
        Some(function) => Box::new(memory.entries_named(function)),
        None => Box::new(memory.entries()),
    }
}

fn list_functions(args: &Ls, filter: &mut Filter, memory: &Memory, out: &mut Out) -> Outcome {
    let (mut functions, mut bad) = (BTreeMap::<String, FunctionTotals>::new(), Bad::default());
    for entry in memory.entries() {
        match entry {
            Ok(entry) if filter.takes(&entry) => match functions.get_mut(entry.function()) {
                Some(sum) => sum.add(&entry),
                None => functions.entry(entry.function().to_owned()).or_default().add(&entry),
            },
            Ok(_) => {}
            Err(error) => bad.add(&error),
        }
    }
    filter.check()?;
    let is_unread = functions.is_empty();
    let mut functions: Vec<_> = functions.into_iter().collect();
    let history = cache::history(memory, None, out);
    let activity = history.by_function();
    let counted = |name: &str| activity.get(&*History::logged_name(name));
    let saved = |name: &str| counted(name).map(|activity| activity.saved);
    match args.order.sort.unwrap_or(Sort::Size) {
        Sort::Size => functions.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.bytes)),
        Sort::Used => functions.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.used)),
        Sort::Created => functions.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.created)),
        Sort::Saved => functions.sort_by_cached_key(|(name, _)| std::cmp::Reverse(saved(name))),
        Sort::Took => functions.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.duration)),
        Sort::Name => {}
    }
    args.order.finish(&mut functions);
    let json = |(name, sum): &(String, FunctionTotals)| {
        json!({
            "name": name,
            "entries": sum.entries,
            "bytes": sum.bytes,
            "duration_ns": nanoseconds(sum.duration),
            "created": rfc3339(sum.created),
            "used": rfc3339(sum.used),
            "hits": counted(name).map(|activity| activity.hits),
            "repeats": counted(name).map(|activity| activity.repeats),
            "saved_ns": saved(name).map(nanoseconds),
        })
    };
    if out.common.jsonl {
        functions.iter().try_for_each(|function| out.item(&json(function)))?;
    } else if out.common.json {
        let functions: Vec<Json> = functions.iter().map(json).collect();
        out.document(json!({ "folder": cache::place(memory), "functions": functions, "unreadable": bad.count }))?;
    } else {
        print_functions(functions, &activity, out)?;
        if filter.is_any() {
            out.note("these are functions with such entries: `--entries` lists the entries");
        }
        if let Some(begin) = history.begin() {
            out.note(format!("hits since {}: the first of each key in a run", when(begin)));
        }
    }
    Ok(bad.tell(is_unread, out))
}

fn print_functions(
    functions: Vec<(String, FunctionTotals)>,
    activity: &BTreeMap<String, Activity>,
    out: &mut Out,
) -> Outcome<()> {
    let head = [
        ("FUNCTION", Left),
        ("ENTRIES", Right),
        ("SIZE", Right),
        ("HITS", Right),
        ("SAVED", Right),
        ("TOOK", Right),
        ("LAST USED", Left),
    ];
    // What tells functions apart stays longest, and how large they are.
    let mut table = Table::new(&head, 0).paths(0).gives(&[Hide(6), Hide(5), Hide(4), Hide(3)]);
    // What was never counted is not 0.
    let none = || "–".to_owned();
    let names = ShownNames::among(functions.iter().map(|(name, _)| name.as_str()));
    for (name, sum) in &functions {
        let (hits, saved) = match activity.get(&*History::logged_name(name)) {
            Some(activity) => (count(activity.hits), duration(activity.saved)),
            None => (none(), none()),
        };
        let (name, entries, bytes) = (names.shown(name).into_owned(), count(sum.entries), size(sum.bytes));
        table.row([name, entries, bytes, hits, saved, duration(sum.duration), ago(sum.used)]);
    }
    table.print(out)
}

/// What can't be read of a list.
#[derive(Default)]
struct Bad {
    count: u64,
    /// Why the first of it can't.
    why: String,
}

impl Bad {
    fn add(&mut self, error: &ndcache::Error) {
        self.count += 1;
        if self.count == 1 {
            self.why = error.to_string();
        }
    }

    /// Says it; a list of which nothing could be read is no list.
    fn tell(self, is_unread: bool, out: &mut Out) -> Exit {
        if self.count == 0 {
            return Exit::Fine;
        }
        out.note(format!("{} can't be read: see `ndcache verify`; {}", count(self.count), self.why));
        if is_unread { Exit::Unreadable } else { Exit::Fine }
    }
}

/// The columns of entries that give way where a terminal is narrow: what tells entries apart stays longest. Where there is
/// one of functions, those behind it are one further.
const FUNCTION: usize = 1;
const ARGUMENTS: usize = 1;
const RESULT: usize = 2;
const SIZE: usize = 3;
const TOOK: usize = 4;
const CREATED: usize = 5;
const LAST_USED: usize = 6;

/// How many entries are put in order where no order is asked for; of more none is kept.
const SORTED: usize = 4096;

/// Prints each entry in a line of its own, as they come where they are many: in bounded memory.
fn stream(function: Option<&str>, filter: &mut Filter, memory: &Memory, out: &mut Out) -> Outcome {
    let (mut kept, mut printed, mut bad) = (Vec::new(), 0, Bad::default());
    for entry in entries(memory, function) {
        match entry {
            Ok(entry) if filter.takes(&entry) => kept.push(entry),
            Ok(_) => {}
            Err(error) => bad.add(&error),
        }
        if kept.len() > SORTED {
            printed += kept.len();
            let lines: Vec<String> = kept.par_iter().map(entry_line).collect();
            kept.clear();
            lines.iter().try_for_each(|line| out.line(line))?;
        }
    }
    filter.check()?;
    sort(&mut kept, Sort::Created);
    kept.iter().try_for_each(|entry| out.line(entry_line(entry)))?;
    if printed > 0 {
        out.note(format!(
            "more than {}, and so in no order: `--sort created` puts them into one",
            count(SORTED as u64)
        ));
    }
    Ok(bad.tell(printed == 0 && kept.is_empty(), out))
}

fn list_entries(args: &Ls, function: Option<&str>, filter: &mut Filter, memory: &Memory, out: &mut Out) -> Outcome {
    let (mut ranking, mut bad) = (Ranking::new(memory, args.order), Bad::default());
    for entry in entries(memory, function) {
        match entry {
            Ok(entry) if filter.takes(&entry) => ranking.add(entry),
            Ok(_) => {}
            Err(error) => bad.add(&error),
        }
    }
    filter.check()?;
    let is_unread = ranking.is_empty();
    if out.common.jsonl {
        ranking.each(entry_line, |lines| lines.iter().try_for_each(|line| out.line(line)))?;
    } else if out.common.json {
        let head = json!({ "folder": cache::place(memory), "function": function, "unreadable": bad.count });
        let mut list = out.begin_list(head, "entries")?;
        ranking.each(
            |entry| item_text(&entry_json(entry)),
            |items| items.iter().try_for_each(|item| out.list_item(&mut list, item)),
        )?;
        out.end_list(list)?;
    } else {
        print(args, ranking, out)?;
    }
    Ok(bad.tell(is_unread, out))
}

fn print(args: &Ls, mut ranking: Ranking<'_>, out: &mut Out) -> Outcome<()> {
    // With the entries of all functions in one table each row has to name its function.
    let named = args.function.is_none();
    let (mut table, calendar) = (table(args, named), Calendar::new());
    let names = named.then(|| ShownNames::among(ranking.functions()));
    let row = |entry: &Entry| row(entry, args.long, names.as_ref(), &calendar);
    ranking.each(row, |rows| {
        rows.into_iter().for_each(|row| table.row(row));
        table.print_piece(out)
    })?;
    table.print(out)
}

fn table(args: &Ls, named: bool) -> Table {
    let mut head = vec![("KEY", Left)];
    head.extend(named.then_some(("FUNCTION", Left)));
    head.extend([("ARGUMENTS", Left), ("RESULT", Left), ("SIZE", Right), ("TOOK", Right), ("CREATED", Left)]);
    head.push(("LAST USED", Left));
    if args.long {
        head.extend([("HOST", Left), ("CODE", Left), ("PATH", Left)]);
    }
    let at = |column: usize| column + usize::from(named);
    let mut gives = vec![Shrink(at(RESULT), 16), Shrink(at(ARGUMENTS), 40), Shrink(at(RESULT), 8), Hide(at(LAST_USED))];
    gives.extend(named.then_some(Shrink(FUNCTION, 16)));
    gives.extend([Hide(at(CREATED)), Shrink(at(ARGUMENTS), 24), Hide(at(RESULT)), Hide(at(TOOK)), Hide(at(SIZE))]);
    gives.extend(named.then_some(Shrink(FUNCTION, 8)));
    let table = Table::new(&head, at(ARGUMENTS)).lists(at(ARGUMENTS)).gives(&gives);
    if named { table.paths(FUNCTION) } else { table }
}

fn row(entry: &Entry, long: bool, names: Option<&ShownNames>, calendar: &Calendar) -> Vec<String> {
    let key = entry.key().to_string();
    let mut row = vec![if long { key } else { key[..8].to_owned() }];
    row.extend(names.map(|names| names.shown(entry.function()).into_owned()));
    row.extend([
        arguments(entry),
        result(entry),
        size(entry.bytes()),
        duration(entry.duration()),
        calendar.when(entry.created()),
        calendar.when(entry.used()),
    ]);
    if long {
        let code = entry.code().to_string()[..8].to_owned();
        row.extend([entry.producer().host().to_owned(), code, entry.path().display().to_string()]);
    }
    row
}
