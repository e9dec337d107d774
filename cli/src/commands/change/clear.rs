//! `ndcache clear`: everything that is stored.

use std::collections::BTreeSet;

use serde_json::json;

use crate::args::Clear;
use crate::cache;
use crate::commands::change::removal::{Consent, agreed};
use crate::entry::all;
use crate::exit::{Exit, Outcome};
use crate::out::Out;
use crate::text::{duration, entries, size};

pub(crate) fn run(args: &Clear, out: &mut Out) -> Outcome {
    let memory = cache::for_writing(out)?;
    let stored = all(&memory, &mut |_| {});
    let bytes: u64 = stored.iter().map(|entry| entry.bytes()).sum();
    let again = stored.iter().map(|entry| entry.duration()).fold(std::time::Duration::ZERO, |a, b| a.saturating_add(b));
    let steps = if args.keep_steps { "" } else { ", and what is known of build steps" };
    if !out.is_json() {
        let all = entries(stored.len() as u64);
        out.line(format!(
            "would remove all {all}, {}{steps} (computing them again: {})",
            size(bytes),
            duration(again)
        ))?;
    }
    if !agreed(&memory, Consent { dry_run: false, yes: args.yes }, "Remove everything?", out)? {
        return Ok(Exit::Found);
    }
    if args.keep_steps {
        let functions: BTreeSet<_> = stored.iter().map(|entry| entry.function().to_owned()).collect();
        for function in functions {
            memory.clear_function_named(&function)?;
        }
    } else {
        memory.clear()?;
    }
    match out.is_json() {
        true => out.document(json!({ "removed": { "entries": stored.len(), "bytes": bytes } }))?,
        false => out.line("removed")?,
    }
    Ok(Exit::Fine)
}
