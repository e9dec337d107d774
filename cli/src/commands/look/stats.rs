//! `ndcache stats`: what calls hit, missed, saved and cost, as it was written down.

use std::collections::BTreeMap;
use std::time::SystemTime;

use ndcache::Memory;
use ndcache::stats::{Activity, History};
use serde_json::{Value as Json, json};

use crate::args::{By, Stats};
use crate::cache;
use crate::commands::change::removal::{Consent, agreed};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::table::{Hide, Left, Right, Table};
use crate::text::{
    ShownNames, count, day, duration, minute, moment, nanoseconds, now, parse_duration, rfc3339, safe, several,
};

pub(crate) fn run(args: &Stats, out: &mut Out) -> Outcome {
    if args.reset {
        return reset(args, out);
    }
    let since = args.since.as_deref().map(parse_duration).transpose()?;
    let since = since.map(|age| now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
    let memory = cache::for_reading(out)?;
    let history = memory.history(since)?;
    let chosen = args.run.as_deref().map(|run| one_run(&history, run)).transpose()?;
    let functions = sums(&history, By::Function, chosen.as_deref());
    let groups = sums(&history, args.by, chosen.as_deref());
    let mut total = Activity::default();
    functions.values().for_each(|activity| total.add(activity));
    let is_empty = history.periods().is_empty();
    if out.is_json() {
        document(&cache::place(&memory), args.by, &history, &total, &functions, &groups, out)?;
        return Ok(Exit::Fine);
    }
    if args.by == By::Reason {
        let mut table = Table::new(&[("REASON", Left), ("MISSES", Right)], 0);
        groups.iter().for_each(|(reason, activity)| table.row([reason.clone(), count(activity.misses)]));
        let all = groups.values().fold(0_u64, |sum, activity| sum.saturating_add(activity.misses));
        // Never counted is not 0.
        let all = if is_empty { "–".to_owned() } else { count(all) };
        table.row(["all".to_owned(), all]);
        table.print(out)?;
    } else {
        print(args.by, &history, &groups, &total, is_empty, out)?;
    }
    match history.begin() {
        None => out.note(nothing(args.since.as_deref(), &memory)),
        Some(begin) => {
            out.note(format!(
                "hits since {}: the first of each key in a run; repeats saved nothing more",
                moment(begin)
            ));
            let faults = "faults are failures of the cache itself: a result that couldn't be read or stored";
            if total.faults > 0 {
                out.note(faults);
            }
        }
    }
    if history.unread() > 0 {
        out.note(format!("{} of the log can't be read", several(history.unread(), "line")));
    }
    Ok(Exit::Fine)
}

/// Says that there are no counts: within that time, or at all.
fn nothing(since: Option<&str>, memory: &Memory) -> String {
    match since.filter(|_| memory.history(None).is_ok_and(|history| history.begin().is_some())) {
        Some(since) => format!("nothing was recorded within {}", safe(since)),
        None => "nothing was recorded in this cache".to_owned(),
    }
}

fn reset(args: &Stats, out: &mut Out) -> Outcome {
    let memory = cache::for_writing(out)?;
    if !agreed(&memory, Consent { dry_run: false, yes: args.yes }, "Forget what was recorded?", out)? {
        return Ok(Exit::Found);
    }
    memory.reset_history()?;
    match out.is_json() {
        true => out.document(json!({ "reset": true }))?,
        false => out.line("forgot what was recorded")?,
    }
    Ok(Exit::Fine)
}

/// The run that is meant: the last one, or the one whose digits begin so.
fn one_run(history: &History, run: &str) -> Outcome<String> {
    let mut runs: Vec<&String> = history.periods().iter().filter_map(|period| period.run.as_ref()).collect();
    if run == "last" {
        return runs.last().map(ToString::to_string).ok_or_else(|| Failure::found("no run was recorded"));
    }
    runs.retain(|known| known.starts_with(run));
    runs.sort();
    runs.dedup();
    match runs.as_slice() {
        [] => Err(Failure::found(format!("no run `{}` was recorded", safe(run)))),
        [one] => Ok((*one).clone()),
        many => Err(Failure::usage(format!("run `{}` is one of {}", safe(run), many.len()))),
    }
}

/// Runs that were folded into one, whose digits and hosts aren't known any more.
const FOLDED: &str = "(folded)";

/// The digits of a run that a table has, as `why` has them: `--run` takes the first ones.
const DIGITS: usize = 8;

/// Since when a run was counted, and on which host.
type RunOrigin<'a> = (SystemTime, &'a str);

/// The runs, if that is what is grouped by.
fn runs(history: &History, by: By) -> BTreeMap<&str, RunOrigin<'_>> {
    let mut runs = BTreeMap::new();
    for period in history.periods().iter().filter(|_| by == By::Run) {
        let name = period.run.as_deref().unwrap_or(FOLDED);
        let run = runs.entry(name).or_insert((period.from, period.host.as_str()));
        run.0 = run.0.min(period.from);
    }
    runs
}

/// The groups as they are shown: runs as they began, all others by name.
fn ordered<'a>(
    groups: &'a BTreeMap<String, Activity>,
    runs: &BTreeMap<&str, RunOrigin<'_>>,
) -> Vec<(&'a String, &'a Activity)> {
    let mut groups: Vec<_> = groups.iter().collect();
    groups.sort_by_key(|(name, _)| runs.get(name.as_str()).map(|(from, _)| *from));
    groups
}

fn sums(history: &History, by: By, run: Option<&str>) -> BTreeMap<String, Activity> {
    let mut sums = BTreeMap::<String, Activity>::new();
    let folded = || FOLDED.to_owned();
    for period in history.periods() {
        if run.is_some_and(|run| period.run.as_deref() != Some(run)) {
            continue;
        }
        for (function, activity) in &period.functions {
            let name = match by {
                By::Reason => {
                    add_reasons(&mut sums, activity);
                    continue;
                }
                By::Function => function.clone(),
                By::Day => day(period.to),
                By::Run => period.run.clone().unwrap_or_else(folded),
                By::Host if period.host.is_empty() => folded(),
                By::Host => period.host.clone(),
            };
            sums.entry(name).or_default().add(activity);
        }
    }
    sums
}

/// Adds the misses of each reason to a group of its own, which has nothing else.
fn add_reasons(sums: &mut BTreeMap<String, Activity>, activity: &Activity) {
    for (reason, misses) in &activity.reasons {
        let mut of_reason = Activity::default();
        of_reason.misses = *misses;
        of_reason.reasons.insert(reason.clone(), *misses);
        sums.entry(reason.clone()).or_default().add(&of_reason);
    }
}

/// A column of the table: its head, and what stands in it.
type Column = (&'static str, fn(&Activity) -> String);

const COLUMNS: [Column; 7] = [
    ("HITS", |it| count(it.hits)),
    ("REPEATS", |it| count(it.repeats)),
    (FETCHED, |it| count(it.fetched)),
    ("MISSES", |it| count(it.misses)),
    ("FAULTS", |it| count(it.faults)),
    ("SAVED", |it| duration(it.saved)),
    ("SPENT", |it| duration(it.spent)),
];

/// The column that is shown where anything was fetched: most caches have no tiers behind them.
const FETCHED: &str = "FETCHED";

/// The columns that give way where a terminal is narrow, the first one first.
const GIVES: [&str; 6] = ["REPEATS", "FAULTS", "SPENT", FETCHED, "HOST", "MISSES"];

fn print(
    by: By,
    history: &History,
    groups: &BTreeMap<String, Activity>,
    total: &Activity,
    is_empty: bool,
    out: &mut Out,
) -> Outcome<()> {
    let name = match by {
        By::Day => "DAY",
        By::Run => "RUN",
        By::Host => "HOST",
        By::Function | By::Reason => "FUNCTION",
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(|(head, _)| *head != FETCHED || total.fetched > 0).collect();
    let mut head = vec![(name, Left)];
    if by == By::Run {
        head.extend([("FROM", Left), ("HOST", Left)]);
    }
    head.extend(columns.iter().map(|(head, _)| (*head, Right)));
    // What is grouped by stays.
    let place = |give: &&str| head.iter().skip(1).position(|(head, _)| head == give).map(|at| Hide(at + 1));
    let gives: Vec<_> = GIVES.iter().filter_map(place).collect();
    let mut table = Table::new(&head, 0).paths(0).gives(&gives);
    let row = |names: Vec<String>, tell: &dyn Fn(&Column) -> String| {
        names.into_iter().chain(columns.iter().map(|column| tell(column))).collect::<Vec<_>>()
    };
    let (names, runs) = (ShownNames::among(groups.keys().map(String::as_str)), runs(history, by));
    let shown = |name: &str| match (by, runs.get(name)) {
        (By::Function, _) => vec![names.shown(name).into_owned()],
        (_, Some((from, host))) => {
            let host = if host.is_empty() { "–".to_owned() } else { (*host).to_owned() };
            vec![name.chars().take(DIGITS).collect(), minute(*from), host]
        }
        (_, None) => vec![name.to_owned()],
    };
    ordered(groups, &runs).into_iter().for_each(|(name, it)| table.row(row(shown(name), &|(_, value)| value(it))));
    let mut all = vec!["all".to_owned()];
    all.resize(if by == By::Run { 3 } else { 1 }, String::new());
    table.row(match is_empty {
        // Never counted is not 0.
        true => row(all, &|_| "–".to_owned()),
        false => row(all, &|(_, value)| value(total)),
    });
    table.print(out)
}

fn activity_json(activity: &Activity) -> serde_json::Map<String, Json> {
    let json = json!({
        "hits": activity.hits,
        "repeats": activity.repeats,
        "fetched": activity.fetched,
        "misses": activity.misses,
        "faults": activity.faults,
        "saved_ns": nanoseconds(activity.saved),
        "spent_ns": nanoseconds(activity.spent),
        "hashing_ns": nanoseconds(activity.hashing),
        "loading_ns": nanoseconds(activity.loading),
        "storing_ns": nanoseconds(activity.storing),
        "loaded_bytes": activity.loaded,
        "stored_bytes": activity.stored,
        "reasons": activity.reasons,
        "last_miss": activity.last_miss,
    });
    match json {
        Json::Object(fields) => fields,
        _ => serde_json::Map::new(),
    }
}

fn document(
    folder: &str,
    by: By,
    history: &History,
    total: &Activity,
    functions: &BTreeMap<String, Activity>,
    groups: &BTreeMap<String, Activity>,
    out: &mut Out,
) -> Outcome<()> {
    let list = |sums: &BTreeMap<String, Activity>, runs: &BTreeMap<&str, RunOrigin<'_>>| {
        let item = |(name, activity): (&String, &Activity)| {
            let mut fields = activity_json(activity);
            fields.insert("name".to_owned(), json!(name));
            if let Some((from, host)) = runs.get(name.as_str()) {
                fields.insert("from".to_owned(), json!(rfc3339(*from)));
                fields.insert("host".to_owned(), json!(host));
            }
            Json::Object(fields)
        };
        ordered(sums, runs).into_iter().map(item).collect::<Vec<Json>>()
    };
    let mut fields = activity_json(total);
    if history.periods().is_empty() {
        // What was never counted is null, and not 0.
        fields.values_mut().for_each(|value| *value = Json::Null);
    }
    let runs = runs(history, by);
    let by = match by {
        By::Function => "function",
        By::Day => "day",
        By::Run => "run",
        By::Host => "host",
        By::Reason => "reason",
    };
    fields.insert("folder".to_owned(), json!(folder));
    fields.insert("begin".to_owned(), json!(history.begin().map(rfc3339)));
    fields.insert("unread".to_owned(), json!(history.unread()));
    fields.insert("functions".to_owned(), list(functions, &BTreeMap::new()).into());
    fields.insert("by".to_owned(), json!(by));
    fields.insert("groups".to_owned(), list(groups, &runs).into());
    out.document(Json::Object(fields))
}
