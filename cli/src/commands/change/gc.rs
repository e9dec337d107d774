//! `ndcache gc`: what limits take.

use std::collections::HashMap;
use std::path::Path;
use std::time::SystemTime;

use ndcache::inspect::Plan;
use ndcache::policy::EvictPolicy;
use ndcache::{Digest, Limits, Memory, Mode};

use crate::args::{First, Gc};
use crate::cache;
use crate::commands::change::removal::{Consent, carry_out};
use crate::entry::function;
use crate::exit::{Failure, Outcome};
use crate::out::Out;
use crate::text::{entries, parse_duration, parse_size, safe, size};

pub(crate) fn run(args: &Gc, out: &mut Out) -> Outcome {
    let limits = limits(args)?;
    let superseded = args.superseded.as_deref().map(parse_duration).transpose()?;
    if let (Some(text), Some(bytes)) = (&args.max_size, limits.bytes)
        && text.ends_with('B')
        && !text.ends_with("iB")
    {
        out.note(format!("`{}` is taken for {}: units are powers of 1024", safe(text), size(bytes)));
    }
    let memory = if args.dry_run { cache::for_reading(out)? } else { cache::for_writing(out)? };
    let function = args.function.as_deref().map(|name| function(&memory, name)).transpose()?;
    let mut plan = reduce(&memory, args, function.as_deref(), limits)?;
    if let Some(unused) = superseded {
        let mut older = memory.plan_superseded(unused)?;
        older.retain(|entry| function.as_deref().is_none_or(|function| entry.function() == function));
        tell_older(&memory, function.as_deref(), older.len() as u64, out);
        plan = plan.union(older);
    }
    if plan.is_empty() && !is_limited(args) {
        out.note("no limit was given, and so only files were looked for that no entry needs: see `ndcache gc --help`");
    }
    carry_out(&memory, &plan, Consent { dry_run: args.dry_run, yes: args.yes }, out)
}

/// What limits take, by the order in which entries go first.
fn reduce(memory: &Memory, args: &Gc, function: Option<&str>, limits: Limits) -> Outcome<Plan> {
    let by_value;
    let memory = match args.by {
        First::Used => memory,
        First::Value => {
            // Only the plan is by value, and a plan writes nothing.
            let builder = Memory::builder(memory.location().unwrap_or(Path::new("")));
            by_value = builder.mode(Mode::ReadOnly).evict(EvictPolicy::LeastValuable).open()?;
            &by_value
        }
    };
    Ok(match function {
        Some(function) => memory.plan_reduce_function(function, limits)?,
        None => memory.plan_reduce(limits)?,
    })
}

/// Says how many entries of older code stay, and why they do.
fn tell_older(memory: &Memory, function: Option<&str>, going: u64, out: &mut Out) {
    let mut newest: HashMap<String, (SystemTime, Digest)> = HashMap::new();
    let mut codes: HashMap<(String, Digest), u64> = HashMap::new();
    for entry in memory.entries().filter_map(Result::ok) {
        if function.is_some_and(|function| entry.function() != function) {
            continue;
        }
        let made = (entry.created(), entry.code());
        let last = newest.entry(entry.function().to_owned()).or_insert(made);
        *last = made.max(*last);
        *codes.entry((entry.function().to_owned(), entry.code())).or_default() += 1;
    }
    let is_older = |(function, code): &(String, Digest)| newest.get(function).is_some_and(|(_, newest)| newest != code);
    let older: u64 = codes.iter().filter(|(code, _)| is_older(code)).map(|(_, entries)| entries).sum();
    if older > going {
        let (stay, they, were) = if older - going == 1 { ("stays", "it", "was") } else { ("stay", "they", "were") };
        let why =
            format!("{they} {were} used since the newest code was first stored, or too lately, or pinned or edited");
        out.note(format!("{} of older code {stay}: {why}", entries(older - going)));
    }
}

/// Whether anything but garbage is asked for.
fn is_limited(args: &Gc) -> bool {
    args.max_size.is_some() || args.max_items.is_some() || args.unused.is_some() || args.superseded.is_some()
}

fn limits(args: &Gc) -> Result<Limits, Failure> {
    let size = args.max_size.as_deref().map(parse_size).transpose()?.unwrap_or_default();
    let age = args.unused.as_deref().map(parse_duration).transpose()?;
    Ok(Limits { items: args.max_items, age, ..size })
}
