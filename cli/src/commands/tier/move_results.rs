//! `ndcache tier flush`, `push` and `pull`: results go to tiers and come from there.

use std::time::Duration;

use ndcache::tier::{Access, Moved};
use ndcache::{Memory, Mode};
use serde_json::json;

use crate::args::TierFilter;
use crate::cache;
use crate::commands::tier::{check, documents, function_there, named, open_with, selected, tell_troubles};
use crate::entry::function;
use crate::exit::{Exit, Outcome};
use crate::out::Out;
use crate::text::{count, entries, size};

/// Sends what this process and earlier ones have queued.
pub(super) fn flush(memory: &Memory, seconds: u64, out: &mut Out) -> Outcome {
    let flushed = memory.flush(Duration::from_secs(seconds))?;
    let (uploaded, left, failed) = (flushed.uploaded, flushed.left, flushed.failed);
    match out.is_json() {
        true => out.document(json!({
            "uploaded": uploaded, "left": left, "failed": failed, "troubles": documents(&flushed.troubles),
        }))?,
        false => {
            let failed = if failed > 0 { format!(", {} attempts failed", count(failed)) } else { String::new() };
            out.line(format!("sent {}, {} left{failed}", entries(uploaded), count(left)))?;
        }
    }
    tell_troubles(&flushed.troubles, out);
    if memory.tiers().iter().all(|tier| tier.access == Access::ReadOnly) {
        out.note("nothing is sent: no tier in `NDCACHE_REMOTE` has `rw:` before it");
    }
    Ok(if left == 0 && flushed.troubles.is_empty() { Exit::Fine } else { Exit::Found })
}

/// Sends stored results, queued or not.
pub(super) fn push(memory: &Memory, filter: &TierFilter, out: &mut Out) -> Outcome {
    let path = filter.function.as_deref().map(|name| function(memory, name)).transpose()?;
    tell("sent", &memory.push(&selected(filter, path)?)?, out)
}

/// Fetches what the tiers have; where there is no cache yet, it makes one.
pub(super) fn pull(filter: &TierFilter, with_pickles: bool, out: &mut Out) -> Outcome {
    // What is wrong with the tiers or the filter is said before a cache is made.
    let tiers = named()?.into_iter().map(|tier| tier.pickles(with_pickles)).collect();
    check(filter)?;
    let folder = cache::changeable(out)?;
    let is_new = cache::is_blank(&folder);
    if !is_new {
        // A folder with anything but a cache in it is refused.
        cache::for_writing(out)?;
    }
    let memory = open_with(tiers, &folder, Mode::ReadWrite)?;
    if is_new {
        out.note(format!("made a cache in `{}`", cache::place(&memory)));
    }
    let places: Vec<_> = memory.tiers().into_iter().map(|tier| tier.place).collect();
    let path = filter.function.as_deref().map(|name| function_there(&memory, name, &places, out)).transpose()?;
    tell("fetched", &memory.pull(&selected(filter, path)?)?, out)
}

fn tell(verb: &str, moved: &Moved, out: &mut Out) -> Outcome {
    let Moved { moved: results, bytes, there, skipped, failed, troubles, .. } = moved;
    match out.is_json() {
        true => out.document(json!({
            "moved": results, "bytes": bytes, "there": there, "skipped": skipped, "failed": failed,
            "troubles": documents(troubles),
        }))?,
        false => {
            let rest =
                format!("{} already there, {} not shared, {} failed", count(*there), count(*skipped), count(*failed));
            out.line(format!("{verb} {}, {}; {rest}", entries(*results), size(*bytes)))?;
        }
    }
    tell_troubles(troubles, out);
    Ok(if *failed == 0 && troubles.is_empty() { Exit::Fine } else { Exit::Found })
}
