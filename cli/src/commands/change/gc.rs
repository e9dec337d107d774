//! `ndcache gc`: what limits take.

use ndcache::Limits;

use crate::args::Gc;
use crate::cache;
use crate::commands::change::remove::{Consent, carry_out};
use crate::entry::of_function;
use crate::exit::{Failure, Outcome};
use crate::out::Out;
use crate::text::parse_duration;

pub(crate) fn run(args: &Gc, out: &mut Out) -> Outcome {
    let limits = limits(args)?;
    let superseded = args.superseded.as_deref().map(parse_duration).transpose()?;
    let memory = if args.dry_run { cache::for_reading(out)? } else { cache::for_writing(out)? };
    let function = match &args.function {
        Some(name) => of_function(&memory, name, &mut |_| {})?.first().map(|entry| entry.function().to_owned()),
        None => None,
    };
    let mut plan = match &function {
        Some(function) => memory.plan_reduce_function(function, limits)?,
        None => memory.plan_reduce(limits)?,
    };
    if let Some(unused) = superseded {
        let mut older = memory.plan_superseded(unused)?;
        older.retain(|entry| function.as_deref().is_none_or(|function| entry.function() == function));
        plan = plan.union(older);
    }
    if plan.is_empty() && !is_limited(args) {
        out.note("no limit was given, and so only files were looked for that no entry needs: see `ndcache gc --help`");
    }
    carry_out(&memory, &plan, Consent { dry_run: args.dry_run, yes: args.yes }, out)
}

/// Whether anything but garbage is asked for.
fn is_limited(args: &Gc) -> bool {
    args.max_size.is_some() || args.max_items.is_some() || args.unused.is_some() || args.superseded.is_some()
}

fn limits(args: &Gc) -> Result<Limits, Failure> {
    let size = args.max_size.as_deref().map(Limits::bytes).transpose()?.unwrap_or_default();
    let age = args.unused.as_deref().map(parse_duration).transpose()?;
    Ok(Limits { items: args.max_items, age, ..size })
}
