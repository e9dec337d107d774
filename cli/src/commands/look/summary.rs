//! `ndcache`: the cache in a few lines, and what to ask next.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::cache;
use crate::exit::{Exit, Outcome};
use crate::out::{Out, Style};
use crate::text::{ago, count, duration, entries, nanoseconds, now, rfc3339, safe, several, short, size};

/// What there is of one function.
#[derive(Clone)]
pub(crate) struct FunctionTotals {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) duration: Duration,
    pub(crate) created: SystemTime,
    pub(crate) used: SystemTime,
}

impl Default for FunctionTotals {
    fn default() -> Self {
        let (created, used) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);
        Self { entries: 0, bytes: 0, duration: Duration::ZERO, created, used }
    }
}

impl FunctionTotals {
    pub(crate) fn add(&mut self, entry: &ndcache::Entry) {
        self.entries += 1;
        self.bytes += entry.bytes();
        self.duration = self.duration.saturating_add(entry.duration());
        self.created = self.created.max(entry.created());
        self.used = self.used.max(entry.used());
    }
}

pub(crate) fn run(out: &mut Out) -> Outcome {
    let memory = cache::for_reading(out)?;
    let (mut all, mut functions, mut bad) =
        (FunctionTotals::default(), BTreeMap::<String, FunctionTotals>::new(), 0_u64);
    for entry in memory.entries() {
        match entry {
            Ok(entry) => {
                all.add(&entry);
                functions.entry(entry.function().to_owned()).or_default().add(&entry);
            }
            Err(_) => bad += 1,
        }
    }
    let week = now().checked_sub(Duration::from_secs(7 * 86_400));
    let history = cache::history(&memory, week, out);
    // What was never counted is not 0.
    let activity = history.begin().map(|_| history.total());
    let mapped = memory.why_copied().map_or("mapped".to_owned(), |why| format!("copied: {why}"));
    let kind = memory.location().and_then(cache::file_system).map_or(String::new(), |kind| format!("{kind}, "));
    if out.is_json() {
        out.document(json!({
            "folder": cache::place(&memory),
            "entries": all.entries,
            "bytes": all.bytes,
            "functions": functions.len(),
            "unreadable": bad,
            "duration_ns": nanoseconds(all.duration),
            "used": (all.entries > 0).then(|| rfc3339(all.used)),
            "mapped": memory.why_copied().is_none(),
            "week_hits": activity.as_ref().map(|it| it.hits),
            "week_misses": activity.as_ref().map(|it| it.misses),
            "week_saved_ns": activity.as_ref().map(|it| nanoseconds(it.saved)),
            "week_spent_ns": activity.as_ref().map(|it| nanoseconds(it.spent)),
        }))?;
        return Ok(Exit::Fine);
    }
    let place = out.styled(Style::Head, &safe(&cache::place(&memory)));
    let of_functions = several(functions.len() as u64, "function");
    out.line(format!("{place}  {}  {}  {of_functions}  {kind}{mapped}", entries(all.entries), size(all.bytes)))?;
    if bad > 0 {
        let bad = format!("{} can't be read: see `ndcache verify`", count(bad));
        out.line(out.styled(Style::Bad, &bad))?;
    }
    if let Some(activity) = activity.filter(|it| it.hits > 0 || it.misses > 0) {
        let (hits, misses) = (count(activity.hits), count(activity.misses));
        let (saved, spent) = (duration(activity.saved), duration(activity.spent));
        out.line(format!("last 7 days: {hits} first hits, {misses} computed, saved {saved} (spent {spent})"))?;
    } else if all.entries > 0 {
        out.line(format!("last 7 days: –   it took {} to compute what is stored", duration(all.duration)))?;
    }
    if let Some((name, largest)) = functions.iter().max_by_key(|(_, sum)| sum.bytes) {
        let mut line = format!("largest: {} {}", safe(short(name)), size(largest.bytes));
        if let Some((name, coldest)) = functions.iter().min_by_key(|(_, sum)| sum.used) {
            let (name, used) = (safe(short(name)), ago(coldest.used));
            line.push_str(&format!("   unused longest: {name}, last used {used}, {}", size(coldest.bytes)));
        }
        out.line(line)?;
    }
    out.line("see: ndcache ls, stats, gc --dry-run, verify, report")?;
    Ok(Exit::Fine)
}
