//! What a report says, read from the cache.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Date;
use ndcache::inspect::Plan;
use ndcache::stats::History;
use ndcache::{Limits, Memory};

use crate::cache;
use crate::commands::look::why::WithNearest;
use crate::commands::report::model::{Day, FunctionReport, LineageGraph, Model, StoredTotals, UNUSED_DAYS};
use crate::commands::report::private::Texts;
use crate::commands::report::survey::ReportSurvey;
use crate::out::Out;
use crate::text::{date, now};

/// The number of functions of which the report says why their newest entry was computed.
pub(crate) const EXPLAINED: usize = 10;

/// Reads the whole cache: all records, the log, and the arrays of pictures. What can't be read is counted or reported.
pub(crate) fn gather(memory: &Memory, texts: Texts, pictures: bool, out: &mut Out) -> Model {
    let mut survey = ReportSurvey::read(memory, texts, pictures);
    let history = cache::history(memory, None, out);
    survey.rank(&history);
    let lineage = explain(&mut survey, memory, texts);
    let unused = unused(memory, out);
    superseded(memory, &mut survey.functions);
    let counted = !history.periods().is_empty();
    Model {
        made: now(),
        folder: texts.0.then(|| cache::place(memory)),
        hosts: texts.0.then(|| hosts(&history)),
        texts: texts.0,
        begin: history.begin(),
        unread: history.unread(),
        stored: survey.stored,
        unreadable: survey.unreadable,
        activity: counted.then(|| history.total()),
        unused,
        days: days(&survey, &history),
        left_out: survey.stored.entries - survey.rows.len() as u64,
        entries: survey.rows,
        functions: survey.functions,
        lineage,
        pictures: survey.gallery.map(|gallery| gallery.draw()),
    }
}

/// Says of the functions that compute most why the newest entry of each was computed; which results went into which, by
/// the same reading.
fn explain(survey: &mut ReportSurvey, memory: &Memory, texts: Texts) -> LineageGraph {
    let mut most: Vec<usize> = (0..survey.functions.len()).collect();
    let by = |at: &usize| (&survey.functions[*at].name, survey.functions[*at].spent());
    most.sort_by(|a, b| (by(b).1, by(a).0).cmp(&(by(a).1, by(b).0)));
    most.truncate(EXPLAINED);
    most.retain(|&at| survey.newest(at).is_some());
    let mut explained: Vec<WithNearest> =
        most.iter().filter_map(|&at| survey.newest(at).cloned()).map(WithNearest::new).collect();
    let lineage = survey.read_again(memory, &mut explained);
    for (at, explained) in most.into_iter().zip(explained) {
        let why = explained.explanation().map_or_else(|| "new function".to_owned(), |it| texts.why(&it));
        survey.functions[at].why = Some(why);
    }
    lineage
}

/// What a collection by age would take: nothing where there can't be one, as pins can't be read, say.
fn unused(memory: &Memory, out: &mut Out) -> StoredTotals {
    let age = Duration::from_secs(UNUSED_DAYS * 86_400);
    match memory.plan_reduce(Limits { age: Some(age), ..Limits::default() }) {
        Ok(plan) => StoredTotals { entries: plan.len() as u64, bytes: plan.bytes(), duration: plan.duration() },
        Err(error) => {
            out.note(format!("`ndcache gc` would remove nothing: {error}"));
            StoredTotals::default()
        }
    }
}

fn hosts(history: &History) -> Vec<String> {
    let hosts: BTreeSet<_> = history.by_host().into_keys().filter(|host| !host.is_empty()).collect();
    hosts.into_iter().collect()
}

/// Says of functions that have older code what a collection of that would take.
fn superseded(memory: &Memory, functions: &mut [FunctionReport]) {
    if functions.iter().all(|function| function.versions.len() < 2) {
        return;
    }
    // Why there is no plan was reported with what is unused.
    let plan = memory.plan_superseded(Duration::ZERO);
    for going in plan.iter().flat_map(Plan::by_function) {
        if let Some(function) = functions.iter_mut().find(|function| function.name == going.function) {
            function.superseded = StoredTotals { entries: going.entries, bytes: going.bytes, duration: going.duration };
        }
    }
}

fn days(survey: &ReportSurvey, history: &History) -> BTreeMap<Date, Day> {
    let mut days = BTreeMap::<_, Day>::new();
    for period in history.periods() {
        let Some(date) = date(period.to) else { continue };
        let day = days.entry(date).or_default();
        for (function, activity) in &period.functions {
            let saved = day.saved.entry(function.clone()).or_default();
            *saved = saved.saturating_add(activity.saved);
            day.spent = day.spent.saturating_add(activity.spent);
        }
    }
    for (&(date, function), &made) in &survey.made {
        let name = History::logged_name(&survey.functions[function].name).into_owned();
        *days.entry(date).or_default().made.entry(name).or_default() += made;
    }
    days
}
