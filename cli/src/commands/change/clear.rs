//! `ndcache clear`: removes all entries.

use std::time::Duration;

use ndcache::Memory;
use serde_json::json;

use crate::args::Clear;
use crate::cache;
use crate::commands::change::removal::{Consent, agreed};
use crate::exit::{Exit, Outcome};
use crate::interrupt::Unfinished;
use crate::out::Out;
use crate::text::{duration, entries, size};

pub(crate) fn run(args: &Clear, out: &mut Out) -> Outcome {
    let memory = cache::for_writing(out)?;
    // With `--yes` nobody is asked, so that no entry has to be read to say what would go.
    if !args.yes && !out.is_json() {
        tell(args, &memory, out)?;
    }
    if !agreed(&memory, Consent { dry_run: false, yes: args.yes }, "Remove all entries?", out)? {
        return Ok(Exit::Found);
    }
    let unfinished = Unfinished::begin();
    let mut is_whole = true;
    let mut removed = memory.clear_entries_while(|_| {
        is_whole = unfinished.exit().is_none();
        is_whole
    })?;
    if !is_whole {
        unfinished.told(|| format!("removed {}, {}; the others stay", entries(removed.items), size(removed.bytes)))?;
    }
    if !args.keep_steps {
        let rest = memory.clear()?;
        removed.items += rest.items;
        removed.bytes += rest.bytes;
    }
    match out.is_json() {
        true => out.document(json!({ "removed": { "entries": removed.items, "bytes": removed.bytes } }))?,
        false => out.line(format!("removed {}, {}", entries(removed.items), size(removed.bytes)))?,
    }
    // Before a signal may end it.
    out.finish()?;
    Ok(Exit::Fine)
}

/// Says what would be removed.
fn tell(args: &Clear, memory: &Memory, out: &mut Out) -> Outcome<()> {
    let (mut count, mut bytes, mut again) = (0, 0, Duration::ZERO);
    for entry in memory.entries().filter_map(Result::ok) {
        count += 1;
        bytes += entry.bytes();
        again = again.saturating_add(entry.duration());
    }
    let steps = if args.keep_steps { "" } else { ", and what is known of build steps" };
    let (all, size, again) = (entries(count), size(bytes), duration(again));
    out.line(format!("would remove all {all}, {size}{steps} (computing them again: {again})"))
}
