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
use crate::exit::{Failure, Outcome};
use crate::out::Out;
use crate::text::{entries, parse_duration, parse_percent, parse_size, safe, size};

pub(crate) fn run(args: &Gc, out: &mut Out) -> Outcome {
    let (limits, share) = (limits(args)?, args.max_size.as_deref().map(parse_percent).transpose()?.flatten());
    let superseded = args.superseded.as_deref().map(parse_duration).transpose()?;
    if let (Some(text), Some(bytes)) = (&args.max_size, limits.bytes)
        && text.ends_with('B')
        && !text.ends_with("iB")
    {
        out.note(format!("`{}` is taken for {}: units are powers of 1024", safe(text), size(bytes)));
    }
    let memory = if args.dry_run { cache::for_reading(out)? } else { cache::for_writing(out)? };
    let function = args.function.as_deref().map(|name| function(&memory, name)).transpose()?;
    let plan = collection(&memory, args, function.as_deref(), limits, share, superseded)?;
    tell_spared(&plan, out);
    if plan.is_empty() && !is_limited(args) {
        let limits = "`--superseded` takes what is of older code, `--unused 60d` what wasn't used for so long, \
                      `--max-size 50%` what was used longest ago";
        out.note(format!("no limit was given, and so only files were looked for that no entry needs: {limits}"));
    }
    carry_out(&memory, &plan, Consent { dry_run: args.dry_run, yes: args.yes }, out)
}

/// What limits take, by the order in which entries go first.
fn collection(
    memory: &Memory,
    args: &Gc,
    function: Option<&str>,
    limits: Limits,
    share: Option<f64>,
    superseded: Option<Duration>,
) -> Outcome<Plan> {
    let by_value;
    let memory = match args.by {
        First::Used => memory,
        First::Value => {
            // This memory only makes the plan, and a plan writes nothing.
            let builder = Memory::builder(memory.location().unwrap_or(Path::new("")));
            by_value = builder.mode(Mode::ReadOnly).evict(EvictPolicy::LeastValuable).open()?;
            &by_value
        }
    };
    let limits = |stored: Evicted| {
        let of_stored = share.map(|share| (stored.bytes as f64 * share) as u64);
        Limits { bytes: of_stored.or(limits.bytes), ..limits }
    };
    Ok(memory.plan_collection(function, limits, superseded)?)
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
    args.max_size.is_some() || args.max_items.is_some() || args.unused.is_some() || args.superseded.is_some()
}

fn limits(args: &Gc) -> Result<Limits, Failure> {
    let size = args.max_size.as_deref().filter(|text| !text.ends_with('%'));
    let size = size.map(parse_size).transpose()?.unwrap_or_default();
    let age = args.unused.as_deref().map(parse_duration).transpose()?;
    Ok(Limits { items: args.max_items, age, ..size })
}
