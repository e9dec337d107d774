//! `ndcache tier`: places behind the cache that machines share.

use std::time::Duration;

use ndcache::tier::{Access, Filter, Moved, Share};
use ndcache::{Memory, Mode, tier};
use serde_json::json;

use crate::args::{Tier, TierFilter};
use crate::cache;
use crate::commands::change::removal::{Consent, agreed};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::text::{count, duration, entries, nanoseconds, now, parse_duration, safe, size};

pub(crate) fn run(command: &Tier, out: &mut Out) -> Outcome {
    let only_reads = matches!(command, Tier::Status | Tier::Doctor);
    let memory = open(only_reads, out)?;
    match command {
        Tier::Status => status(&memory, out),
        Tier::Doctor => doctor(&memory, out),
        Tier::Flush { timeout } => flush(&memory, Duration::from_secs(*timeout), out),
        Tier::Push(filter) => tell_moved("sent", &memory.push(&selected(filter)?)?, out),
        Tier::Pull(filter) => tell_moved("fetched", &memory.pull(&selected(filter)?)?, out),
        Tier::Purge { filter, yes } => purge(&memory, filter, *yes, out),
    }
}

/// The cache with the tiers of the environment: one that was named, unless the command only reads.
fn open(only_reads: bool, out: &mut Out) -> Outcome<Memory> {
    let folder = cache::place(&if only_reads { cache::for_reading(out)? } else { cache::for_writing(out)? });
    let tiers = tier::Tier::from_env()?;
    if tiers.is_empty() {
        return Err(Failure::usage("there are no tiers: name them in `NDCACHE_REMOTE`"));
    }
    let builder = tiers.into_iter().fold(Memory::builder(folder), |builder, tier| builder.tier(tier));
    let mode = if only_reads { Mode::ReadOnly } else { Mode::ReadWrite };
    Ok(builder.mode(mode).open()?)
}

fn selected(filter: &TierFilter) -> Outcome<Filter> {
    let since = filter.since.as_deref().map(parse_duration).transpose()?;
    let since = since.map(|age| now().checked_sub(age).unwrap_or(std::time::SystemTime::UNIX_EPOCH));
    Ok(Filter { function: filter.function.clone(), since, max_bytes: None })
}

fn status(memory: &Memory, out: &mut Out) -> Outcome {
    let tiers = memory.tiers();
    if out.is_json() {
        let tiers = tiers.iter().map(|tier| {
            json!({
                "place": tier.place,
                "writes": tier.access == Access::ReadWrite,
                "share": share(tier.share),
                "queued": tier.queued,
                "left_alone_ns": nanoseconds(tier.left_alone),
            })
        });
        out.document(json!({ "tiers": tiers.collect::<Vec<_>>() }))?;
        return Ok(Exit::Fine);
    }
    for tier in tiers {
        let access = if tier.access == Access::ReadWrite { "read-write" } else { "read-only" };
        let left_alone = match tier.left_alone {
            Duration::ZERO => String::new(),
            wait => format!(", left alone for {} after a failure", duration(wait)),
        };
        let (place, share, queued) = (safe(&tier.place), share(tier.share), count(tier.queued));
        out.line(format!("{place}: {access}, share {share}, {queued} to be sent{left_alone}"))?;
    }
    Ok(Exit::Fine)
}

fn share(share: Share) -> String {
    match share {
        Share::Target => "target".to_owned(),
        Share::Any => "any".to_owned(),
        Share::Named(name) => name.to_owned(),
        _ => "unknown".to_owned(),
    }
}

fn doctor(memory: &Memory, out: &mut Out) -> Outcome {
    let probed = memory.probe_tiers();
    let is_fine = probed.iter().all(|(_, answer)| answer.is_ok());
    if out.is_json() {
        let tiers = probed.iter().map(|(place, answer)| {
            let (took, problem) = (answer.as_ref().ok().copied(), answer.as_ref().err().map(ToString::to_string));
            json!({ "place": place, "answered_ns": took.map(nanoseconds), "problem": problem })
        });
        out.document(json!({ "tiers": tiers.collect::<Vec<_>>() }))?;
    } else {
        for (place, answer) in &probed {
            let told = match answer {
                Ok(took) => format!("answers in {}", duration(*took)),
                Err(error) => safe(&error.to_string()).into_owned(),
            };
            out.line(format!("{}: {told}", safe(place)))?;
        }
    }
    Ok(if is_fine { Exit::Fine } else { Exit::Found })
}

fn flush(memory: &Memory, timeout: Duration, out: &mut Out) -> Outcome {
    let flushed = memory.flush(timeout)?;
    let (uploaded, left, failed) = (flushed.uploaded, flushed.left, flushed.failed);
    match out.is_json() {
        true => out.document(json!({ "uploaded": uploaded, "left": left, "failed": failed }))?,
        false => {
            let failed = if failed > 0 { format!(", {} attempts failed", count(failed)) } else { String::new() };
            out.line(format!("sent {}, {} left{failed}", entries(uploaded), count(left)))?;
        }
    }
    Ok(if left == 0 { Exit::Fine } else { Exit::Found })
}

fn tell_moved(verb: &str, moved: &Moved, out: &mut Out) -> Outcome {
    let Moved { moved: done, bytes, there, skipped, failed, .. } = *moved;
    match out.is_json() {
        true => out
            .document(json!({ "moved": done, "bytes": bytes, "there": there, "skipped": skipped, "failed": failed }))?,
        false => {
            let rest =
                format!("{} already there, {} not shared, {} failed", count(there), count(skipped), count(failed));
            out.line(format!("{verb} {}, {}; {rest}", entries(done), size(bytes)))?;
        }
    }
    Ok(if failed == 0 { Exit::Fine } else { Exit::Found })
}

fn purge(memory: &Memory, filter: &TierFilter, yes: bool, out: &mut Out) -> Outcome {
    let what = filter.function.as_ref().map_or("everything".to_owned(), |function| format!("`{}`", safe(function)));
    if !agreed(memory, Consent { dry_run: false, yes }, &format!("purge {what} on every machine?"), out)? {
        return Ok(Exit::Found);
    }
    let purged = memory.purge(&selected(filter)?)?;
    let (here, there, tiers) = (purged.here, purged.there, purged.tiers);
    match out.is_json() {
        true => out.document(json!({ "here": here, "there": there, "tiers": tiers }))?,
        false => out.line(format!(
            "purged {} here and {} in {} tiers; other machines follow within ten minutes",
            entries(here),
            entries(there),
            count(tiers)
        ))?,
    }
    Ok(Exit::Fine)
}
