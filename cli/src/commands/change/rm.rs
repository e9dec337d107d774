//! `ndcache rm`: entries that are named, or selected.

use ndcache::Memory;

use crate::args::Rm;
use crate::cache;
use crate::commands::change::removal::{Consent, agreed, carry_out};
use crate::exit::{Exit, Failure, Outcome};
use crate::filter::{Filter, chosen};
use crate::out::Out;

pub(crate) fn run(args: &Rm, out: &mut Out) -> Outcome {
    let mut filter = Filter::new(&args.selection)?;
    let selects = args.function.is_some() || filter.is_any();
    if selects != args.entries.is_empty() {
        let what = "expected either entries, or `--function`, `--where` or `--older`";
        return Err(Failure::usage(format!("which entries are to be removed? {what}")));
    }
    let memory = if args.dry_run { cache::for_reading(out)? } else { cache::for_writing(out)? };
    let consent = Consent { dry_run: args.dry_run, yes: args.yes };
    let chosen = chosen(&memory, &args.entries, args.function.as_deref(), &mut filter, out);
    let entries = match (chosen, args.entries.as_slice()) {
        (Err(Failure::Told { exit: Exit::Found, message }), [id]) => {
            return damaged(&memory, id, &message, consent, out);
        }
        (entries, _) => entries?,
    };
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
