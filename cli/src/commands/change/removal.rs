//! What all commands have in common that remove something: they say what, they ask, and they do just that.

use ndcache::Memory;
use ndcache::inspect::{Plan, PlanReason, PlannedFunction, shown_path};
use serde_json::{Map, Value as Json, json};

use crate::cache;
use crate::entry::call;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::{Out, item_text};
use crate::table::{Hide, Left, PIECE, Right, Table};
use crate::text::{Alike, ago, count, duration, entries, idle, nanoseconds, several, size};

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
    if !out.is_json() {
        tell(plan, out)?;
        if out.common.verbose {
            list(memory, plan, out)?;
        }
    }
    if let Some(unread) = plan.unread() {
        out.note(format!("not all of the cache could be read: {unread}"));
    }
    if consent.dry_run || plan.is_empty() {
        document(plan, Json::Null, out)?;
        return Ok(Exit::Fine);
    }
    if !agreed(memory, consent, "Remove?", out)? {
        return Ok(Exit::Found);
    }
    let done = memory.execute(plan)?;
    let executed = json!({
        "entries": done.removed.items,
        "bytes": done.removed.bytes,
        "kept": done.kept,
        "gone": done.gone,
    });
    document(plan, executed, out)?;
    if !out.is_json() {
        let mut line = format!("removed {}, {}", entries(done.removed.items), size(done.removed.bytes));
        if done.kept > 0 {
            line.push_str(&format!("; {} stayed: used or replaced meanwhile", entries(done.kept)));
        }
        out.line(line)?;
    }
    Ok(Exit::Fine)
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
    let alike = Alike::among(functions.iter().map(|function| function.function.as_str()));
    for function in &functions {
        let (name, again) = (alike.shown(&function.function).into_owned(), duration(function.duration));
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
fn document(plan: &Plan, executed: Json, out: &mut Out) -> Outcome<()> {
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
        "removed": executed,
    });
    let mut keys = out.begin_list(document, "keys")?;
    // A plan may have very many.
    plan.entries().try_for_each(|entry| out.list_item(&mut keys, &item_text(&json!(entry.key().to_string()))))?;
    out.end_list(keys)
}
