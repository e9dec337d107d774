//! `ndcache rm`: entries that are named, or selected.

use ndcache::Memory;

use crate::args::Rm;
use crate::cache;
use crate::commands::change::remove::{Consent, agreed, carry_out};
use crate::entry::{all, find, of_function};
use crate::exit::{Exit, Failure, Outcome};
use crate::filter::Filter;
use crate::out::Out;

pub(crate) fn run(args: &Rm, out: &mut Out) -> Outcome {
    let filter = Filter::new(&args.selection)?;
    let selects = args.function.is_some() || filter.is_any();
    if selects != args.entries.is_empty() {
        let what = "expected either entries, or `--function`, `--where` or `--older`";
        return Err(Failure::usage(format!("which entries are to be removed? {what}")));
    }
    let memory = if args.dry_run { cache::for_reading(out)? } else { cache::for_writing(out)? };
    let consent = Consent { dry_run: args.dry_run, yes: args.yes };
    let mut entries = match &args.function {
        Some(function) => of_function(&memory, function, &mut |_| {})?,
        None if selects => all(&memory, &mut |_| {}),
        None => {
            if let [id] = args.entries.as_slice()
                && let Err(Failure::Told { exit: Exit::Found, message }) = find(&memory, id)
            {
                return damaged(&memory, id, &message, consent, out);
            }
            args.entries.iter().map(|id| find(&memory, id)).collect::<Outcome<_>>()?
        }
    };
    entries.retain(|entry| filter.takes(entry));
    let plan = memory.plan_removal(entries)?;
    carry_out(&memory, &plan, consent, out)
}

/// Removes an entry whose record can't be read, by its whole key; `message` says why it can't.
fn damaged(memory: &Memory, id: &str, message: &str, consent: Consent, out: &mut Out) -> Outcome {
    let is_key = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_key || memory.entry_by_id(id).is_ok() {
        return Err(Failure::found(message));
    }
    out.note(message);
    if consent.dry_run || !agreed(memory, consent, "Remove it?", out)? {
        return Ok(Exit::Found);
    }
    memory.remove_entry(id)?;
    Ok(Exit::Fine)
}
