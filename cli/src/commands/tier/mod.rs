//! `ndcache tier`: places behind the cache that machines share.
//!
//! `status`: which there are; `probe`: whether they work; `move_results`: what goes there and comes from there; `purge`:
//! what no machine is to use any more.

mod move_results;
mod probe;
mod purge;
mod status;

use std::path::Path;
use std::time::SystemTime;

use ndcache::tier::{Filter, Trouble};
use ndcache::{Memory, Mode, tier};
use serde_json::{Value as Json, json};

use crate::args::{Tier, TierFilter};
use crate::cache;
use crate::entry::meant;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::text::{listed, now, parse_duration, parse_size, safe};

pub(crate) fn run(command: &Tier, out: &mut Out) -> Outcome {
    match command {
        Tier::Status => status::run(&to_look_at(out)?, out),
        Tier::Doctor => probe::run(&to_look_at(out)?, out),
        Tier::Flush { timeout } => move_results::flush(&to_change(out)?, *timeout, out),
        Tier::Push(filter) => move_results::push(&to_change(out)?, filter, out),
        Tier::Pull { filter, with_pickles } => move_results::pull(filter, *with_pickles, out),
        Tier::Purge { filter, lift: true, yes } => purge::lift(&to_change(out)?, filter, *yes, out),
        Tier::Purge { filter, yes, .. } => purge::run(&to_change(out)?, filter, *yes, out),
    }
}

/// The cache with the tiers of the environment, to which nothing is written.
fn to_look_at(out: &mut Out) -> Outcome<Memory> {
    let folder = cache::place(&cache::for_reading(out)?);
    open(Path::new(&folder), Mode::ReadOnly)
}

/// The cache that was named, with the tiers of the environment.
fn to_change(out: &mut Out) -> Outcome<Memory> {
    let folder = cache::place(&cache::for_writing(out)?);
    open(Path::new(&folder), Mode::ReadWrite)
}

fn open(folder: &Path, mode: Mode) -> Outcome<Memory> {
    open_with(named()?, folder, mode)
}

fn open_with(tiers: Vec<tier::Tier>, folder: &Path, mode: Mode) -> Outcome<Memory> {
    let builder = tiers.into_iter().fold(Memory::builder(folder), |builder, tier| builder.tier(tier));
    Ok(builder.mode(mode).open()?)
}

/// The tiers of the environment.
fn named() -> Outcome<Vec<tier::Tier>> {
    match tier::Tier::from_env()? {
        tiers if tiers.is_empty() => Err(Failure::usage("there are no tiers: name them in `NDCACHE_REMOTE`")),
        tiers => Ok(tiers),
    }
}

/// Fails if a filter isn't valid.
fn check(filter: &TierFilter) -> Outcome<()> {
    selected(filter, None).map(drop)
}

/// What a filter selects, of a function with this path.
fn selected(filter: &TierFilter, function: Option<String>) -> Outcome<Filter> {
    let since = filter.since.as_deref().map(parse_duration).transpose()?;
    let since = since.map(|age| now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
    let max_bytes = filter.max_bytes.as_deref().map(parse_size).transpose()?.and_then(|limits| limits.bytes);
    Ok(Filter { function, since, max_bytes })
}

/// The path of the function that is meant, of those with results in the cache or in the tiers at `places`.
///
/// # Errors
/// Returns a failure when there is none, or several; where a tier can't say which it has, what was given is taken for a
/// whole path.
fn function_there(memory: &Memory, name: &str, places: &[String], out: &mut Out) -> Outcome<String> {
    let (mut known, mut unknown) = (memory.function_names()?, Vec::new());
    for (place, functions) in memory.tier_functions().into_iter().filter(|(place, _)| places.contains(place)) {
        match functions {
            Ok(functions) => known.extend(functions),
            Err(error) => unknown.push((place, error)),
        }
    }
    known.sort_unstable();
    known.dedup();
    let which = match known.is_empty() {
        true => "nothing is stored there".to_owned(),
        false => format!("there are {}", listed(&known)),
    };
    let there = format!("`{}` or its tiers", cache::place(memory));
    match meant(name, &known, &there, [&which, ""]) {
        Err(Failure::WithMessage { exit: Exit::Found, .. }) if !unknown.is_empty() => {
            for (place, error) in unknown {
                out.note(format!("it isn't known of which functions tier `{}` has results: {error}", safe(&place)));
            }
            out.note(format!("`{}` is taken for the whole path of a function", safe(name)));
            Ok(name.to_owned())
        }
        meant => meant,
    }
}

/// Says on stderr what went wrong, each of it once.
fn tell_troubles(troubles: &[Trouble], out: &mut Out) {
    troubles.iter().for_each(|trouble| out.complain(&trouble.to_string()));
}

fn documents(troubles: &[Trouble]) -> Json {
    troubles.iter().map(document).collect()
}

fn document(trouble: &Trouble) -> Json {
    json!({
        "place": trouble.place,
        "object": trouble.object,
        "class": trouble.class,
        "cause": trouble.cause,
        "remedy": trouble.remedy,
    })
}
