//! `ndcache tier purge`: results that no machine is to use any more, and those that all may use again.

use ndcache::Memory;
use ndcache::tier::Access;
use serde_json::json;

use crate::args::TierFilter;
use crate::commands::change::removal::{Consent, agreed};
use crate::commands::tier::{documents, function_there, selected, tell_troubles};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::text::{count, entries, listed, safe};

pub(super) fn run(memory: &Memory, filter: &TierFilter, yes: bool, out: &mut Out) -> Outcome {
    let written = memory.tiers().into_iter().filter(|tier| tier.access == Access::ReadWrite);
    let places: Vec<_> = written.map(|tier| tier.place).collect();
    let path = filter.function.as_deref().map(|name| function_there(memory, name, &places, out)).transpose()?;
    let what = in_words(path.as_deref(), filter);
    // What is wrong with the filter is said before anything is asked.
    let selected = selected(filter, path)?;
    if !agreed(memory, Consent { dry_run: false, yes }, &format!("purge {what} on every machine?"), out)? {
        return Ok(Exit::Found);
    }
    let purged = memory.purge(&selected)?;
    let (here, there, tiers) = (purged.here, purged.there, purged.tiers);
    match out.is_json() {
        true => out.document(json!({
            "here": here, "there": there, "tiers": tiers, "troubles": documents(&purged.troubles),
        }))?,
        false => out.line(format!(
            "purged {} here and {} in {} tiers; other machines follow within ten minutes",
            entries(here),
            entries(there),
            count(tiers)
        ))?,
    }
    tell_troubles(&purged.troubles, out);
    let is_fine = purged.troubles.iter().all(|trouble| trouble.class == "unsupported");
    Ok(if is_fine { Exit::Fine } else { Exit::Found })
}

/// What is purged, in words.
fn in_words(function: Option<&str>, filter: &TierFilter) -> String {
    let what = function.map_or("everything".to_owned(), |function| format!("`{}`", safe(function)));
    let since = filter.since.as_ref().map(|since| format!(" of the last {}", safe(since)));
    let size = filter.max_bytes.as_ref().map(|size| format!(" of at most {} each", safe(size)));
    [Some(what), since, size].into_iter().flatten().collect()
}

/// Lifts the purges of a function, or all.
pub(super) fn lift(memory: &Memory, filter: &TierFilter, yes: bool, out: &mut Out) -> Outcome {
    let what = filter.function.as_deref().map(|name| purged(memory, name, out)).transpose()?;
    let purge = what.as_ref().map_or("all purges".to_owned(), |what| format!("the purge of `{}`", safe(what)));
    if !agreed(memory, Consent { dry_run: false, yes }, &format!("lift {purge} on every machine?"), out)? {
        return Ok(Exit::Found);
    }
    let lifted = memory.lift_purge(what.as_deref())?;
    match out.is_json() {
        true => out.document(json!({ "lifted": lifted }))?,
        false => {
            let purges = if lifted == 1 { "1 purge".to_owned() } else { format!("{} purges", count(lifted)) };
            out.line(format!("lifted {purges}; other machines follow within ten minutes"))?;
        }
    }
    Ok(Exit::Fine)
}

/// What a purge in force is called that is named by the function's path, the end of it, or as `status` names it.
///
/// # Errors
/// Returns a failure when none is in force, or several are, which it lists.
fn purged(memory: &Memory, name: &str, out: &mut Out) -> Outcome<String> {
    let tiers = memory.tiers();
    let mut folders: Vec<_> = tiers.iter().flat_map(|tier| &tier.purges).map(|purge| purge.what.as_str()).collect();
    folders.sort_unstable();
    folders.dedup();
    if folders.contains(&name) {
        return Ok(name.to_owned());
    }
    let stem: String = name.chars().map(|char| if is_plain(char) { char.to_ascii_lowercase() } else { '-' }).collect();
    let is_meant = |folder: &&&str| {
        let path = folder.rsplit_once('-').map_or("", |(path, _)| path);
        path == stem || path.strip_suffix(&stem).is_some_and(|rest| rest.ends_with('-'))
    };
    match folders.iter().filter(is_meant).collect::<Vec<_>>().as_slice() {
        [folder] => Ok((**folder).to_owned()),
        [] if folders.is_empty() => Err(Failure::found("no purge is in force that this folder has heard of")),
        [] => Err(Failure::found(format!("no purge of `{}` is in force: there are {}", safe(name), listed(&folders)))),
        several => {
            let count = several.len();
            out.note("the whole name says which is meant");
            Err(Failure::usage(format!(
                "purge `{}` is one of {count}: {}",
                safe(name),
                listed(several.iter().copied())
            )))
        }
    }
}

/// What stands for itself in the name of a function's folder.
fn is_plain(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}
