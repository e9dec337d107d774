//! `ndcache tier status`: which tiers there are, and what is still to be sent there.

use std::time::Duration;

use ndcache::Memory;
use ndcache::tier::{Access, Purge, Share, TierStatus};
use serde_json::{Value as Json, json};

use crate::exit::{Exit, Outcome};
use crate::out::Out;
use crate::text::{count, duration, nanoseconds, rfc3339, safe};

pub(super) fn run(memory: &Memory, out: &mut Out) -> Outcome {
    let (tiers, elsewhere) = (memory.tiers(), memory.queued_elsewhere());
    if out.is_json() {
        let tiers: Vec<_> = tiers.iter().map(document).collect();
        out.document(json!({ "tiers": tiers, "queued_elsewhere": elsewhere }))?;
        return Ok(Exit::Fine);
    }
    for tier in &tiers {
        out.line(line(tier))?;
        for purge in tier.purges.iter().filter(|_| out.common.verbose).collect::<Vec<_>>() {
            out.line(format!("  purged {} of until {}", safe(&purge.what), rfc3339(purge.until)))?;
        }
    }
    if elsewhere > 0 {
        let count = count(elsewhere);
        out.line(format!(
            "{count} to be sent to places that `NDCACHE_REMOTE` and `NDCACHE_REMOTE_SHARE` don't name now"
        ))?;
    }
    Ok(Exit::Fine)
}

fn document(tier: &TierStatus) -> Json {
    json!({
        "place": tier.place,
        "writes": tier.access == Access::ReadWrite,
        "share": share(tier.share),
        "queued": tier.queued,
        "left_alone_ns": nanoseconds(tier.left_alone),
        "purges": tier.purges.iter().map(purge).collect::<Vec<_>>(),
    })
}

fn purge(purge: &Purge) -> Json {
    json!({ "what": purge.what, "until": rfc3339(purge.until) })
}

/// `/nfs/team/cache: read-write, share any, 3 to be sent`
fn line(tier: &TierStatus) -> String {
    let access = if tier.access == Access::ReadWrite { "read-write" } else { "read-only" };
    let left_alone = match tier.left_alone {
        Duration::ZERO => String::new(),
        wait => format!(", left alone for {} after a failure", duration(wait)),
    };
    let purges = match (tier.purges.len(), tier.purges.iter().map(|purge| purge.until).max()) {
        (1, Some(newest)) => format!(", 1 purge in force, of {}", rfc3339(newest)),
        (several, Some(newest)) => {
            format!(", {} purges in force, the newest of {}", count(several as u64), rfc3339(newest))
        }
        _ => String::new(),
    };
    let (place, share, queued) = (safe(&tier.place), share(tier.share), count(tier.queued));
    format!("{place}: {access}, share {share}, {queued} to be sent{left_alone}{purges}")
}

fn share(share: Share) -> String {
    match share {
        Share::Target => "target".to_owned(),
        Share::Any => "any".to_owned(),
        Share::Named(name) => name.to_owned(),
        _ => "unknown".to_owned(),
    }
}
