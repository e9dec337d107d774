//! `ndcache pin` and `unpin`: entries that no limit takes.

use ndcache::Entry;
use serde_json::json;

use crate::args::{Pin, Unpin};
use crate::cache;
use crate::entry::find;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::text::{entries, safe};

pub(crate) fn pin(args: &Pin, out: &mut Out) -> Outcome {
    let memory = cache::for_writing(out)?;
    let mut pinned: Vec<Entry> = Vec::new();
    for id in &args.entries {
        pinned.push(find(&memory, id)?);
    }
    if args.lineage {
        pinned = memory.with_lineage(pinned)?;
    }
    pinned.sort_by_key(Entry::key);
    pinned.dedup_by_key(|entry| entry.key());
    memory.pin(&args.name, &pinned)?;
    let keys: Vec<_> = pinned.iter().map(|entry| entry.key().to_string()).collect();
    match out.is_json() {
        true => out.document(json!({ "name": args.name, "keys": keys }))?,
        false => out.line(format!("pinned {} as `{}`", entries(keys.len() as u64), safe(&args.name)))?,
    }
    Ok(Exit::Fine)
}

pub(crate) fn unpin(args: &Unpin, out: &mut Out) -> Outcome {
    let memory = cache::for_writing(out)?;
    if !memory.unpin(&args.name)? {
        return Err(Failure::found(format!("nothing is pinned as `{}`", safe(&args.name))));
    }
    match out.is_json() {
        true => out.document(json!({ "name": args.name }))?,
        false => out.line(format!("unpinned `{}`; its entries stay", safe(&args.name)))?,
    }
    Ok(Exit::Fine)
}
