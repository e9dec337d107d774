//! `ndcache pin` and `unpin`: entries that no limit takes, in lists that have names.

use std::collections::BTreeMap;

use ndcache::{Entry, Key};
use serde_json::json;

use crate::args::{Pin, Unpin};
use crate::cache;
use crate::commands::look::tree::Untraced;
use crate::entry::{call, find};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::table::{Left, Right, Table};
use crate::text::{count, entries, listed, safe, size};

pub(crate) fn pin(args: &Pin, out: &mut Out) -> Outcome {
    match &args.name {
        None => lists(out),
        Some(name) if args.entries.is_empty() => list(name, out),
        Some(name) => add(name, args, out),
    }
}

/// Shows how many entries each list has.
fn lists(out: &mut Out) -> Outcome {
    let pins = cache::for_reading(out)?.pins()?;
    if out.is_json() {
        let list = |(name, keys): (&String, &Vec<Key>)| json!({ "name": name, "keys": texts(keys) });
        out.document(json!({ "pins": pins.iter().map(list).collect::<Vec<_>>() }))?;
    } else if pins.is_empty() {
        out.note("nothing is pinned");
    } else {
        let mut table = Table::new(&[("LIST", Left), ("ENTRIES", Right)], 0);
        pins.iter().for_each(|(name, keys)| table.row([name.clone(), count(keys.len() as u64)]));
        table.print(out)?;
    }
    Ok(Exit::Fine)
}

/// Shows the entries of a list, of which some may be gone: a user can remove what is pinned.
fn list(name: &str, out: &mut Out) -> Outcome {
    let memory = cache::for_reading(out)?;
    let pins = memory.pins()?;
    let keys = pins.get(name).ok_or_else(|| unknown(name, &pins))?;
    if out.is_json() {
        out.document(json!({ "name": name, "keys": texts(keys) }))?;
        return Ok(Exit::Fine);
    }
    let mut table = Table::new(&[("KEY", Left), ("CALL", Left), ("SIZE", Right)], 1);
    for key in keys {
        let [call, bytes] = match memory.entry_by_id(*key) {
            Ok(Some(entry)) => [call(&entry), size(entry.bytes())],
            Ok(None) => ["no entry any more".to_owned(), String::new()],
            Err(error) => [error.to_string(), String::new()],
        };
        table.row([key.to_string()[..8].to_owned(), call, bytes]);
    }
    table.print(out)?;
    Ok(Exit::Fine)
}

/// Says which lists there are where none has the name.
fn unknown(name: &str, pins: &BTreeMap<String, Vec<Key>>) -> Failure {
    let known = match pins.is_empty() {
        true => "there is no list of pins".to_owned(),
        false => format!("the lists are {}", listed(pins.keys())),
    };
    Failure::found(format!("nothing is pinned as `{}`: {known}", safe(name)))
}

fn texts(keys: &[Key]) -> Vec<String> {
    keys.iter().map(Key::to_string).collect()
}

/// Adds the entries that are named to a list.
fn add(name: &str, args: &Pin, out: &mut Out) -> Outcome {
    let memory = cache::for_writing(out)?;
    let mut pinned: Vec<Entry> = args.entries.iter().map(|id| find(&memory, id)).collect::<Outcome<_>>()?;
    if args.lineage {
        pinned = memory.with_lineage(pinned)?;
        let mut untraced = Untraced::default();
        pinned.iter().for_each(|entry| untraced.add(entry, |_| false));
        untraced.tell(out);
    }
    pinned.sort_by_key(Entry::key);
    pinned.dedup_by_key(|entry| entry.key());
    memory.pin(name, &pinned)?;
    let keys: Vec<_> = pinned.iter().map(Entry::key).collect();
    match out.is_json() {
        true => out.document(json!({ "name": name, "keys": texts(&keys) }))?,
        false => out.line(format!("pinned {} as `{}`", entries(keys.len() as u64), safe(name)))?,
    }
    Ok(Exit::Fine)
}

pub(crate) fn unpin(args: &Unpin, out: &mut Out) -> Outcome {
    let memory = cache::for_writing(out)?;
    if !memory.unpin(&args.name)? {
        return Err(unknown(&args.name, &memory.pins()?));
    }
    match out.is_json() {
        true => out.document(json!({ "name": args.name }))?,
        false => out.line(format!("unpinned `{}`; its entries stay", safe(&args.name)))?,
    }
    Ok(Exit::Fine)
}
