//! What all commands have in common that remove something: they say what, they ask, and they do just that.

use std::collections::{BTreeMap, HashMap};

use ndcache::inspect::{Plan, PlanReason, PlannedFunction, shown_path};
use ndcache::{Key, Memory};
use serde_json::{Map, Value as Json, json};

use crate::cache;
use crate::entry::call;
use crate::exit::{Exit, Failure, Outcome};
use crate::interrupt::Unfinished;
use crate::out::{Out, item_text};
use crate::table::{Hide, Left, PIECE, Right, Table};
use crate::text::{ShownNames, ago, count, duration, entries, idle, listed, nanoseconds, several, size};

/// Whether something is removed, and whether that is asked before.
#[derive(Clone, Copy)]
pub(crate) struct Consent {
    pub(crate) dry_run: bool,
    pub(crate) yes: bool,
}

/// Says what a plan removes, asks, and removes it.
pub(crate) fn carry_out(memory: &Memory, plan: &Plan, consent: Consent, out: &mut Out) -> Outcome {
    if consent.yes && !consent.dry_run {
        out.go_on();
    }
    let named = plan.entries().filter(|entry| entry.reason() == PlanReason::Named).map(|entry| entry.key());
    let pinned = Pinned::among(memory, named, out);
    if !out.is_json() {
        tell(plan, out)?;
        pinned.tell(out)?;
        if out.common.verbose {
            list(memory, plan, out)?;
        }
    }
    if let Some(unread) = plan.unread() {
        out.note(format!("not all of the cache could be read: {unread}"));
    }
    if consent.dry_run || plan.is_empty() {
        document(plan, &pinned, Json::Null, out)?;
        return Ok(Exit::Fine);
    }
    if !agreed(memory, consent, "Remove?", out)? {
        return Ok(Exit::Found);
    }
    let (unfinished, mut is_whole) = (Unfinished::begin(), true);
    let done = memory.execute_while(plan, |_| {
        is_whole = unfinished.exit().is_none();
        is_whole
    })?;
    let removed = format!("removed {}, {}", entries(done.removed.items), size(done.removed.bytes));
    if !is_whole {
        let all = count(plan.len() as u64);
        unfinished.told(|| format!("{removed} of the {all} that were to be removed"))?;
    }
    let executed = json!({
        "entries": done.removed.items,
        "bytes": done.removed.bytes,
        "kept": done.kept,
        "gone": done.gone,
    });
    document(plan, &pinned, executed, out)?;
    if !out.is_json() {
        let kept = if done.kept > 0 {
            format!("; {} stayed: used or replaced meanwhile", entries(done.kept))
        } else {
            String::new()
        };
        out.line(format!("{removed}{kept}"))?;
    }
    // Before a signal may end it.
    out.finish()?;
    Ok(Exit::Fine)
}

/// Entries that somebody has pinned, with the names of the lists in which they are.
pub(crate) struct Pinned(Vec<(Key, Vec<String>)>);

/// How many pinned entries are told with their keys.
const PINNED: usize = 5;

impl Pinned {
    /// Those of these keys that are pinned. Where the lists can't be read, a note says so.
    pub(crate) fn among(memory: &Memory, keys: impl Iterator<Item = Key>, out: &mut Out) -> Self {
        let mut keys = keys.peekable();
        if keys.peek().is_none() {
            return Self(Vec::new());
        }
        let pins = memory.pins().unwrap_or_else(|error| {
            out.note(format!("whether any of it is pinned isn't known: {error}"));
            BTreeMap::new()
        });
        let mut lists: HashMap<Key, Vec<String>> = HashMap::new();
        for (name, keys) in pins {
            keys.into_iter().for_each(|key| lists.entry(key).or_default().push(name.clone()));
        }
        Self(keys.filter_map(|key| lists.remove(&key).map(|lists| (key, lists))).collect())
    }

    /// Says that they are pinned, and go all the same: somebody has named them.
    pub(crate) fn tell(&self, out: &mut Out) -> Outcome<()> {
        let Self(pinned) = self;
        if pinned.is_empty() {
            return Ok(());
        }
        let one = |(key, lists): &(Key, Vec<String>)| format!("{} in {}", &key.to_string()[..8], listed(lists));
        let mut told: Vec<String> = pinned.iter().take(PINNED).map(one).collect();
        let more = pinned.len() - told.len();
        told.extend((more > 0).then(|| format!("and {} more", count(more as u64))));
        let are = match pinned.len() {
            1 => "is pinned, and goes all the same, as it was named",
            _ => "are pinned, and go all the same, as they were named",
        };
        out.line(format!("{} of these {are}: {}", count(pinned.len() as u64), told.join("; ")))
    }

    pub(crate) fn json(&self) -> Json {
        let one = |(key, lists): &(Key, Vec<String>)| json!({ "key": key.to_string(), "lists": lists });
        self.0.iter().map(one).collect()
    }
}

/// Whether something may be removed: by `--yes`, or by somebody at the terminal, who is told from where.
pub(crate) fn agreed(memory: &Memory, consent: Consent, question: &str, out: &mut Out) -> Outcome<bool> {
    if consent.yes {
        return Ok(true);
    }
    if !out.can_ask() {
        return Err(Failure::usage("nothing was removed: `--yes` is needed where nobody can be asked"));
    }
    let place = crate::text::safe(&cache::place(memory)).into_owned();
    let yes = out.confirm(&format!("{question} (in {place})"))?;
    if !yes {
        out.note("nothing was removed");
    }
    Ok(yes)
}

fn tell(plan: &Plan, out: &mut Out) -> Outcome<()> {
    if plan.is_empty() {
        return out.line("nothing would be removed");
    }
    let (total, again, garbage) = (plan.total(), duration(plan.duration()), plan.garbage());
    let unneeded = format!("{} that no entry needs, {}", several(garbage.items, "file"), size(garbage.bytes));
    if plan.entries().next().is_none() {
        return out.line(format!("would remove {unneeded}"));
    }
    // Files that no entry needs aren't in the total.
    let bytes = size(plan.bytes() - garbage.bytes);
    let all = if plan.entries().all(|entry| entry.reason() == PlanReason::Named) {
        format!("{}, {bytes}", entries(plan.len() as u64))
    } else {
        let (len, items) = (count(plan.len() as u64), entries(total.items));
        format!("{len} of {items}, {bytes} of {}", size(total.bytes))
    };
    out.line(format!("would remove {all} (computing them all again: {again})"))?;
    let head = [("FUNCTION", Left), ("ENTRIES", Right), ("SIZE", Right), ("AGAIN", Right), ("WHY", Left)];
    let mut table = Table::new(&head, 0).paths(0).gives(&[Hide(4), Hide(3)]);
    let functions = plan.by_function();
    let names = ShownNames::among(functions.iter().map(|function| function.function.as_str()));
    for function in &functions {
        let (name, again) = (names.shown(&function.function).into_owned(), duration(function.duration));
        table.row([name, count(function.entries), size(function.bytes), again, why(function)]);
    }
    table.print(out)?;
    match garbage.items {
        0 => Ok(()),
        _ => out.line(format!("and {unneeded}")),
    }
}

/// Why entries of a function go; how many for each reason, if there are several.
fn why(function: &PlannedFunction) -> String {
    match function.reasons.as_slice() {
        [(PlanReason::Age, _)] => format!("unused for {}", idle(function.used)),
        [(reason, _)] => reason.to_string(),
        reasons => {
            let each = reasons.iter().map(|(reason, entries)| format!("{} {reason}", count(*entries)));
            each.collect::<Vec<_>>().join(", ")
        }
    }
}

/// Prints each entry that a plan removes, in the order in which they would go.
fn list(memory: &Memory, plan: &Plan, out: &mut Out) -> Outcome<()> {
    if plan.is_empty() {
        return Ok(());
    }
    let head = [("KEY", Left), ("CALL", Left), ("SIZE", Right), ("AGAIN", Right), ("LAST USED", Left), ("WHY", Left)];
    let mut table = Table::new(&head, 1).gives(&[Hide(5), Hide(4), Hide(3)]);
    for (at, entry) in plan.entries().enumerate() {
        if at > 0 && at % PIECE == 0 {
            table.print_piece(out)?;
        }
        let key = entry.key().to_string()[..8].to_owned();
        let found = memory.entry_by_id(entry).ok().flatten();
        let call = found.map_or_else(|| shown_path(entry.function()).into_owned(), |found| call(&found));
        let (size, again) = (size(entry.bytes()), duration(entry.duration()));
        table.row([key, call, size, again, ago(entry.used()), entry.reason().to_string()]);
    }
    table.print(out)
}

/// Prints a plan, and what was done of it, if documents are wanted.
fn document(plan: &Plan, pinned: &Pinned, executed: Json, out: &mut Out) -> Outcome<()> {
    if !out.is_json() {
        return Ok(());
    }
    let function = |it: &PlannedFunction| {
        let reasons: Map<String, Json> =
            it.reasons.iter().map(|(reason, entries)| (reason.to_string(), json!(entries))).collect();
        json!({
            "name": it.function,
            "entries": it.entries,
            "bytes": it.bytes,
            "duration_ns": nanoseconds(it.duration),
            "reason": it.reason.to_string(),
            "reasons": reasons,
        })
    };
    let document = json!({
        "entries": plan.len(),
        "bytes": plan.bytes(),
        "total_entries": plan.total().items,
        "total_bytes": plan.total().bytes,
        "duration_ns": nanoseconds(plan.duration()),
        "garbage_files": plan.garbage().items,
        "functions": plan.by_function().iter().map(function).collect::<Vec<_>>(),
        "pinned": pinned.json(),
        "removed": executed,
    });
    let mut keys = out.begin_list(document, "keys")?;
    // A plan may have very many.
    plan.entries().try_for_each(|entry| out.list_item(&mut keys, &item_text(&json!(entry.key().to_string()))))?;
    out.end_list(keys)
}
