//! `ndcache ls --steps`: build steps, and whether their targets are there.

use std::cmp::Reverse;

use ndcache::Memory;
use ndcache::inspect::Step;
use serde_json::{Value as Json, json};

use crate::args::{Ls, Sort};
use crate::cache;
use crate::exit::{Exit, Outcome};
use crate::out::Out;
use crate::table::{Left, Right, Table};
use crate::text::{ShownNames, duration, nanoseconds, rfc3339, size, when};

pub(crate) fn list(args: &Ls, memory: &Memory, out: &mut Out) -> Outcome {
    let (mut steps, mut bad) = (Vec::new(), 0);
    for step in memory.steps()? {
        match step {
            Ok(step) if is_wanted(args, &step) => steps.push(step),
            Ok(_) => {}
            Err(_) => bad += 1,
        }
    }
    match args.order.sort.unwrap_or(Sort::Name) {
        Sort::Size => steps.sort_by_key(|step| Reverse(step.bytes())),
        // When a target was last used is known to nobody.
        Sort::Used | Sort::Created => steps.sort_by_key(|step| Reverse(step.created())),
        Sort::Saved | Sort::Took => steps.sort_by_key(|step| Reverse(step.duration())),
        Sort::Name => {}
    }
    args.order.finish(&mut steps);
    if out.common.jsonl {
        steps.iter().try_for_each(|step| out.item(&json(step)))?;
    } else if out.common.json {
        let steps: Vec<Json> = steps.iter().map(json).collect();
        out.document(json!({ "folder": cache::place(memory), "steps": steps, "unreadable": bad }))?;
    } else {
        let head = [
            ("TARGET", Left),
            ("FUNCTION", Left),
            ("ARGUMENTS", Left),
            ("SIZE", Right),
            ("TOOK", Right),
            ("MADE", Left),
            ("STATE", Left),
        ];
        let mut table = Table::new(&head, 2);
        let names = ShownNames::among(steps.iter().map(Step::function));
        for step in &steps {
            let (function, arguments) = (names.shown(step.function()).into_owned(), arguments(step));
            let target = step.target().map_or_else(|| "–".to_owned(), |path| path.display().to_string());
            let (bytes, took, made) = (size(step.bytes()), duration(step.duration()), when(step.created()));
            table.row([target, function, arguments, bytes, took, made, state(step).to_owned()]);
        }
        table.print(out)?;
    }
    out.unread(bad);
    Ok(Exit::Fine)
}

fn is_wanted(args: &Ls, step: &Step) -> bool {
    args.function.as_deref().is_none_or(|name| crate::entry::names(name, step.function()))
}

fn arguments(step: &Step) -> String {
    step.arguments().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// How the target looks from outside; only the step itself compares its content.
fn state(step: &Step) -> &'static str {
    match step.target().map(std::fs::metadata) {
        None => "without a target",
        Some(Ok(stat)) if stat.len() == step.bytes() => "there",
        Some(Ok(_)) => "changed",
        Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => "missing",
        Some(Err(_)) => "unreadable",
    }
}

fn json(step: &Step) -> Json {
    let argument = |it: &ndcache::inspect::Argument| json!({ "name": it.name(), "text": it.text(), "digest": it.digest().to_string() });
    json!({
        "target": step.target().map(|path| path.display().to_string()),
        "function": step.function(),
        "key": step.key().to_string(),
        "arguments": step.arguments().iter().map(argument).collect::<Vec<_>>(),
        "bytes": step.bytes(),
        "duration_ns": nanoseconds(step.duration()),
        "created": rfc3339(step.created()),
        "state": state(step),
    })
}
