//! `ndcache rm`: entries that are named, or selected.

use std::fs;

use ndcache::{Key, Memory};
use serde_json::json;

use crate::args::Rm;
use crate::cache;
use crate::commands::change::removal::{Consent, Pinned, agreed, carry_out};
use crate::entry::chosen;
use crate::exit::{Exit, Failure, Outcome};
use crate::filter::Filter;
use crate::out::Out;
use crate::text::size;

pub(crate) fn run(args: &Rm, out: &mut Out) -> Outcome {
    let mut filter = Filter::new(&args.selection)?;
    let selects = args.function.is_some() || filter.is_any();
    if selects != args.entries.is_empty() {
        let what = "expected either entries, or `--function`, `--where` or `--older`";
        return Err(Failure::usage(format!("which entries are to be removed? {what}")));
    }
    let memory = if args.dry_run { cache::for_reading(out)? } else { cache::for_writing(out)? };
    let consent = Consent { dry_run: args.dry_run, yes: args.yes };
    let plan = chosen(&memory, &args.entries, args.function.as_deref(), &mut filter, out, |entries| {
        Ok(memory.plan_removal(entries)?)
    });
    match (plan, args.entries.as_slice()) {
        (Err(Failure::WithMessage { exit: Exit::Found, message }), [id]) => {
            damaged(&memory, id, &message, consent, out)
        }
        (plan, _) => carry_out(&memory, &plan?, consent, out),
    }
}

/// Removes an entry whose record can't be read, by its whole key; `message` says why it can't.
fn damaged(memory: &Memory, id: &str, message: &str, consent: Consent, out: &mut Out) -> Outcome {
    let is_key = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let key = id.to_ascii_lowercase();
    if !is_key || memory.entry_by_id(&key).is_ok() {
        return Err(Failure::found(message));
    }
    let bytes = record_bytes(memory, &key);
    let pinned = Pinned::among(memory, key.parse::<Key>().into_iter(), out);
    out.note(message);
    if !out.is_json() {
        out.line(format!("would remove 1 entry that can't be read, {}", size(bytes)))?;
        pinned.tell(out)?;
    }
    if consent.dry_run {
        document(&key, bytes, &pinned, None, out)?;
        return Ok(Exit::Fine);
    }
    if !agreed(memory, consent, "Remove it?", out)? {
        return Ok(Exit::Found);
    }
    // Another program may have stored the entry anew while the question was open.
    let is_kept = memory.entry_by_id(&key).is_ok_and(|entry| entry.is_some());
    let is_removed = !is_kept && memory.remove_entry(&key)?;
    document(&key, bytes, &pinned, Some([is_removed, is_kept]), out)?;
    if !out.is_json() {
        out.line(match (is_removed, is_kept) {
            (true, _) => format!("removed 1 entry, {}", size(bytes)),
            (false, true) => "removed nothing; 1 entry stayed: replaced meanwhile".to_owned(),
            (false, false) => "removed nothing; it was gone".to_owned(),
        })?;
    }
    Ok(Exit::Fine)
}

/// The bytes of the records with a key; what a record that can't be read names is not known.
fn record_bytes(memory: &Memory, key: &str) -> u64 {
    let functions = memory.location().and_then(|root| fs::read_dir(root.join("f")).ok());
    let record = |folder: fs::DirEntry| folder.path().join(&key[..2]).join(format!("{key}.record"));
    let records = functions.into_iter().flatten().flatten().map(record);
    records.filter_map(|record| fs::symlink_metadata(record).ok()).map(|record| record.len()).sum()
}

/// Prints the plan for one entry, and whether it was removed or kept, if documents are wanted.
fn document(key: &str, bytes: u64, pinned: &Pinned, done: Option<[bool; 2]>, out: &mut Out) -> Outcome<()> {
    if !out.is_json() {
        return Ok(());
    }
    let removed = done.map(|[is_removed, is_kept]| {
        json!({
            "entries": u64::from(is_removed),
            "bytes": if is_removed { bytes } else { 0 },
            "kept": u64::from(is_kept),
            "gone": u64::from(!is_removed && !is_kept),
        })
    });
    out.document(json!({
        "entries": 1,
        "bytes": bytes,
        "total_entries": 1,
        "total_bytes": bytes,
        "duration_ns": 0,
        "garbage_files": 0,
        // Which function it is of stands in the record.
        "functions": [],
        "keys": [key],
        "pinned": pinned.json(),
        "removed": removed,
    }))
}
