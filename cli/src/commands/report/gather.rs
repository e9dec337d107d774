//! What a report says, read from the cache.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use ndcache::inspect::{Plan, StoredArray};
use ndcache::stats::History;
use ndcache::{Digest, Entry, Limits, Memory};
use rayon::prelude::*;

use crate::cache;
use crate::commands::look::why::Told;
use crate::commands::report::model::{Edge, Function, Lineage, Model, Row, Sum, UNUSED_DAYS, Version};
use crate::commands::report::pictures::draw;
use crate::commands::report::private::Texts;
use crate::out::Out;
use crate::text::{date, now};

/// At most so many entries are listed.
pub(crate) const ROWS: usize = 20_000;

/// Of so many functions it is told why their newest entry was computed.
pub(crate) const TOLD: usize = 10;

/// At most so many functions are in the lineage.
const NODES: usize = 200;

/// What one look into an entry has brought.
struct Seen {
    result: String,
    arrays: Vec<StoredArray>,
}

/// Reads the whole cache: all records, the log, and the arrays of pictures. What can't be read is counted or told.
pub(crate) fn gather(memory: &Memory, texts: Texts, pictures: bool, out: &mut Out) -> Model {
    let (mut entries, mut unreadable) = (Vec::new(), 0);
    for entry in memory.entries() {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(_) => unreadable += 1,
        }
    }
    // In an order that the folder's doesn't matter for.
    entries.sort_by_key(|entry| (Reverse(entry.created()), entry.key()));
    let history = cache::history(memory, None, out);
    let seen: Vec<Seen> = entries.par_iter().map(|entry| look(entry, texts)).collect();
    let mut functions = functions(&entries, &history);
    explain(&mut functions, &entries, texts);
    let unused = unused(memory, out);
    superseded(memory, &mut functions);
    let places: HashMap<String, usize> =
        functions.iter().enumerate().map(|(at, function)| (function.name.clone(), at)).collect();
    let of: Vec<usize> =
        entries.iter().map(|entry| places.get(entry.function()).copied().unwrap_or_default()).collect();
    let mut stored = Sum::default();
    entries.iter().for_each(|entry| stored.add(entry.bytes(), entry.duration()));
    let arrays: Vec<&[StoredArray]> = seen.iter().map(|seen| &*seen.arrays).collect();
    let pictures = pictures.then(|| draw(&entries, &of, &arrays));
    let lineage = lineage(&entries, &of, &arrays);
    let counted = !history.periods().is_empty();
    let left_out = entries.len().saturating_sub(ROWS) as u64;
    Model {
        made: now(),
        folder: texts.0.then(|| cache::place(memory)),
        hosts: texts.0.then(|| hosts(&history)),
        texts: texts.0,
        begin: history.begin(),
        unread: history.unread(),
        stored,
        unreadable,
        activity: counted.then(|| history.total()),
        unused,
        days: days(&entries, &history),
        entries: rows(&entries, &of, seen, texts),
        functions,
        left_out,
        lineage,
        pictures,
    }
}

fn look(entry: &Entry, texts: Texts) -> Seen {
    match (entry.value(), entry.arrays()) {
        (Ok(value), Ok(arrays)) => Seen { result: texts.result(&value, &arrays), arrays },
        _ => Seen { result: "(can't be read)".to_owned(), arrays: Vec::new() },
    }
}

fn rows(entries: &[Entry], of: &[usize], seen: Vec<Seen>, texts: Texts) -> Vec<Row> {
    let rows = entries.iter().zip(of).zip(seen).take(ROWS);
    let row = |((entry, &function), seen): ((&Entry, &usize), Seen)| Row {
        key: entry.key(),
        function,
        arguments: texts.arguments(entry),
        result: seen.result,
        bytes: entry.bytes(),
        duration: entry.duration(),
        created: entry.created(),
        used: entry.used(),
    };
    rows.map(row).collect()
}

/// What a collection by age would take: nothing where there can't be one, as pins can't be read, say.
fn unused(memory: &Memory, out: &mut Out) -> Sum {
    let age = Duration::from_secs(UNUSED_DAYS * 86_400);
    match memory.plan_reduce(Limits { age: Some(age), ..Limits::default() }) {
        Ok(plan) => Sum { entries: plan.len() as u64, bytes: plan.bytes(), duration: plan.duration() },
        Err(error) => {
            out.note(format!("`ndcache gc` would remove nothing: {error}"));
            Sum::default()
        }
    }
}

fn hosts(history: &History) -> Vec<String> {
    let hosts: BTreeSet<_> = history.by_host().into_keys().filter(|host| !host.is_empty()).collect();
    hosts.into_iter().collect()
}

/// All functions that have entries or were counted, the largest first.
fn functions(entries: &[Entry], history: &History) -> Vec<Function> {
    let counted = history.by_function().into_iter().map(|(name, activity)| {
        let function = Function { name: name.clone(), activity: Some(activity), ..Function::default() };
        (name, function)
    });
    let mut functions: BTreeMap<String, Function> = counted.collect();
    for entry in entries {
        let function = functions.entry(History::logged_name(entry.function()).into_owned()).or_default();
        // The log may have cut it.
        if function.name != entry.function() {
            entry.function().clone_into(&mut function.name);
        }
        function.stored.add(entry.bytes(), entry.duration());
        function.created = function.created.max(Some(entry.created()));
        function.used = function.used.max(Some(entry.used()));
        add_version(&mut function.versions, entry);
    }
    let mut functions: Vec<_> = functions.into_values().collect();
    for function in &mut functions {
        function.versions.sort_by(|a, b| (b.first, &a.code).cmp(&(a.first, &b.code)));
    }
    functions.sort_by(|a, b| (b.stored.bytes, &a.name).cmp(&(a.stored.bytes, &b.name)));
    functions
}

fn add_version(versions: &mut Vec<Version>, entry: &Entry) {
    let code = entry.code().to_string()[..8].to_owned();
    let at = versions.iter().position(|version| version.code == code).unwrap_or_else(|| {
        versions.push(Version { code, first: entry.created(), stored: Sum::default() });
        versions.len() - 1
    });
    versions[at].first = versions[at].first.min(entry.created());
    versions[at].stored.add(entry.bytes(), entry.duration());
}

/// Says of functions that have older code what a collection of that would take.
fn superseded(memory: &Memory, functions: &mut [Function]) {
    if functions.iter().all(|function| function.versions.len() < 2) {
        return;
    }
    // Why there is no plan was told of what is unused.
    let plan = memory.plan_superseded(Duration::ZERO);
    for going in plan.iter().flat_map(Plan::by_function) {
        if let Some(function) = functions.iter_mut().find(|function| function.name == going.function) {
            function.superseded = Sum { entries: going.entries, bytes: going.bytes, duration: going.duration };
        }
    }
}

/// Says of the functions that compute most why the newest entry of each was computed.
fn explain(functions: &mut [Function], entries: &[Entry], texts: Texts) {
    let mut most: Vec<&mut Function> = functions.iter_mut().collect();
    most.sort_by(|a, b| (b.spent(), &a.name).cmp(&(a.spent(), &b.name)));
    for function in most.into_iter().take(TOLD) {
        let mut siblings = entries.iter().filter(|it| it.function() == function.name);
        if let Some(newest) = siblings.next() {
            let told = Told::of(newest.clone(), siblings);
            function.why = Some(told.explanation().map_or_else(|| "new function".to_owned(), |it| texts.why(&it)));
        }
    }
}

fn days(entries: &[Entry], history: &History) -> BTreeMap<jiff::civil::Date, super::model::Day> {
    let mut days = BTreeMap::<_, super::model::Day>::new();
    for period in history.periods() {
        let Some(date) = date(period.to) else { continue };
        let day = days.entry(date).or_default();
        for (function, activity) in &period.functions {
            let saved = day.saved.entry(function.clone()).or_default();
            *saved = saved.saturating_add(activity.saved);
            day.spent = day.spent.saturating_add(activity.spent);
        }
    }
    for entry in entries {
        let Some(date) = date(entry.created()) else { continue };
        *days.entry(date).or_default().made.entry(History::logged_name(entry.function()).into_owned()).or_default() +=
            1;
    }
    days
}

/// Joins arguments with the arrays of results that have their digests.
fn lineage(entries: &[Entry], of: &[usize], arrays: &[&[StoredArray]]) -> Lineage {
    // A function that returns its argument unchanged holds it, too, and didn't make it: the oldest one did.
    let mut makers: HashMap<Digest, (usize, u64)> = HashMap::new();
    for (at, arrays) in arrays.iter().enumerate() {
        makers.extend(arrays.iter().map(|array| (array.digest(), (at, array.bytes()))));
    }
    let mut edges: BTreeMap<(usize, usize), (u64, u64)> = BTreeMap::new();
    // An array that many calls took is one array.
    let mut known: HashSet<(usize, usize, Digest)> = HashSet::new();
    for (at, entry) in entries.iter().enumerate() {
        for argument in entry.arguments() {
            if let Some(&(maker, bytes)) = makers.get(&argument.digest()).filter(|(maker, _)| *maker != at) {
                let (links, total) = edges.entry((of[maker], of[at])).or_default();
                let is_new = known.insert((of[maker], of[at], argument.digest()));
                (*links, *total) = (*links + 1, *total + if is_new { bytes } else { 0 });
            }
        }
    }
    let nodes: BTreeSet<usize> = edges.keys().flat_map(|&(from, to)| [from, to]).collect();
    // By their size, as the functions are.
    let kept: BTreeSet<usize> = nodes.iter().copied().take(NODES).collect();
    let left_out = (nodes.len() - kept.len()) as u64;
    let edge = |((from, to), (links, bytes))| Edge { from, to, links, bytes };
    let mut edges: Vec<Edge> = edges.into_iter().map(edge).collect();
    edges.retain(|edge| kept.contains(&edge.from) && kept.contains(&edge.to));
    Lineage { nodes: kept.into_iter().collect(), edges, left_out }
}
