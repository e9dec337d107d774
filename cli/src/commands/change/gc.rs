//! `ndcache gc`: what limits take.

use std::path::Path;
use std::time::Duration;

use ndcache::inspect::Plan;
use ndcache::policy::{EvictPolicy, Evicted};
use ndcache::{Limits, Memory, Mode};

use crate::args::{First, Gc};
use crate::cache;
use crate::commands::change::removal::{Consent, carry_out};
use crate::entry::function;
use crate::exit::Outcome;
use crate::out::Out;
use crate::text::{entries, parse_duration, parse_percent, parse_size, safe, size};

pub(crate) fn run(args: &Gc, out: &mut Out) -> Outcome {
    let limits = Asked {
        max_size: args.max_size.as_deref().map(|text| Amount::parse(text, out)).transpose()?,
        free: args.free.as_deref().map(|text| Amount::parse(text, out)).transpose()?,
        max_items: args.max_items,
        unused: args.unused.as_deref().map(parse_duration).transpose()?,
    };
    let superseded = args.superseded.as_deref().map(parse_duration).transpose()?;
    let memory = if args.dry_run { cache::for_reading(out)? } else { cache::for_writing(out)? };
    let function = args.function.as_deref().map(|name| function(&memory, name)).transpose()?;
    let plan = collection(&memory, args.by, function.as_deref(), &limits, superseded)?;
    tell_spared(&plan, out);
    let free = limits.free.as_ref().map_or(0, |free| free.in_bytes(plan.total().bytes));
    if plan.bytes() < free {
        let (bytes, free) = (size(plan.bytes()), size(free));
        out.note(format!("no more than {bytes} of {free} can be freed: the rest isn't there, or is pinned or edited"));
    }
    if plan.is_empty() && !is_limited(args) {
        let limits = "`--superseded` takes what is of older code, `--unused 60d` what wasn't used for so long, \
                      `--max-size 50%` what was used longest ago";
        out.note(format!("no limit was given, and so only files were looked for that no entry needs: {limits}"));
    }
    carry_out(&memory, &plan, Consent { dry_run: args.dry_run, yes: args.yes }, out)
}

/// The limits as they were asked for.
struct Asked {
    max_size: Option<Amount>,
    free: Option<Amount>,
    max_items: Option<u64>,
    unused: Option<Duration>,
}

impl Asked {
    /// The limits where so much is stored.
    fn limits(&self, stored: Evicted) -> Limits {
        let left = self.free.as_ref().map(|free| stored.bytes.saturating_sub(free.in_bytes(stored.bytes)));
        let most = self.max_size.as_ref().map(|most| most.in_bytes(stored.bytes));
        Limits { bytes: left.or(most), items: self.max_items, age: self.unused }
    }
}

/// How many bytes: `20G`, or `50%` of those that are stored.
enum Amount {
    Bytes(u64),
    Share(f64),
}

impl Amount {
    fn parse(text: &str, out: &mut Out) -> Outcome<Self> {
        if let Some(share) = parse_percent(text)? {
            return Ok(Self::Share(share));
        }
        let bytes = parse_size(text)?.bytes.unwrap_or_default();
        if text.ends_with('B') && !text.ends_with("iB") {
            out.note(format!("`{}` is taken for {}: units are powers of 1024", safe(text), size(bytes)));
        }
        Ok(Self::Bytes(bytes))
    }

    fn in_bytes(&self, stored: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => *bytes,
            Self::Share(share) => (stored as f64 * share) as u64,
        }
    }
}

/// What limits take, by the order in which entries go first.
fn collection(
    memory: &Memory,
    by: First,
    function: Option<&str>,
    asked: &Asked,
    superseded: Option<Duration>,
) -> Outcome<Plan> {
    let by_value;
    let memory = match by {
        First::Used => memory,
        First::Value => {
            // This memory only makes the plan, and a plan writes nothing.
            let builder = Memory::builder(memory.location().unwrap_or(Path::new("")));
            by_value = builder.mode(Mode::ReadOnly).evict(EvictPolicy::LeastValuable).open()?;
            &by_value
        }
    };
    Ok(memory.plan_collection(function, |stored| asked.limits(stored), superseded)?)
}

/// Says how many entries of older code stay, and why they do.
fn tell_spared(plan: &Plan, out: &mut Out) {
    let spared = plan.spared();
    if spared > 0 {
        let (stay, they, were) = if spared == 1 { ("stays", "it", "was") } else { ("stay", "they", "were") };
        let why =
            format!("{they} {were} used since the newest code was first stored, or too lately, or pinned or edited");
        out.note(format!("{} of older code {stay}: {why}", entries(spared)));
    }
}

/// Whether anything but garbage is asked for.
fn is_limited(args: &Gc) -> bool {
    let is_sized = args.max_size.is_some() || args.free.is_some();
    is_sized || args.max_items.is_some() || args.unused.is_some() || args.superseded.is_some()
}
