//! `ndcache diff`: in what two entries differ.

use ndcache::explain::Reason;
use ndcache::inspect::{StoredArray, Value, shown_path};
use ndcache::{Entry, Memory};
use serde_json::{Value as Json, json};

use crate::args::Diff;
use crate::commands::look::element_differences;
use crate::commands::look::show::name;
use crate::commands::look::why::WithNearest;
use crate::entry::{array, find, open_for, scalar};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::text::{ShownNames, count, safe};

/// Larger arrays aren't compared element by element.
const LARGEST: u64 = 1 << 30;

/// The most differences of values that are printed.
const LISTED: usize = 20;

/// An entry, and before it the one that it is explained against.
fn against_nearest(memory: &Memory, id: &str, out: &mut Out) -> Outcome<(Entry, Entry)> {
    let now = find(memory, id)?;
    let (explained, _) = WithNearest::all(memory, vec![now.clone()]);
    let Some(before) = explained.into_iter().find_map(WithNearest::nearest) else {
        return Err(Failure::found(format!(
            "no other call of `{}` was stored before it",
            safe(&shown_path(now.function()))
        )));
    };
    out.note(format!("{} against {}", name(&now), name(&before)));
    Ok((before, now))
}

pub(crate) fn run(args: &Diff, out: &mut Out) -> Outcome {
    let memory = open_for(out, &args.before)?;
    let (before, now) = match &args.now {
        Some(now) => (find(&memory, &args.before)?, find(&memory, now)?),
        None => against_nearest(&memory, &args.before, out)?,
    };
    let mut lines = Vec::new();
    for difference in before.differing_arguments(&now) {
        lines.push(("argument", difference.to_string()));
    }
    if before.function() != now.function() {
        lines.push(("function", functions(before.function(), now.function(), out.is_json())));
    } else if let Reason::Code(changes) = before.difference(&now).reason() {
        match changes.is_empty() {
            true => lines.push(("code", "code: changed; what of it isn't known".to_owned())),
            false => lines.extend(changes.iter().map(|change| match change.as_str() {
                // Beside a helper's it has to be said whose, if it is known.
                "code changed" if changes.len() > 1 && has_body(&now) => {
                    ("code", "code: code of the function itself changed".to_owned())
                }
                change => ("code", format!("code: {change}")),
            })),
        }
    }
    let mut results = Vec::new();
    compare(&before, &now, &mut results)?;
    let more = results.len().saturating_sub(LISTED);
    lines.extend(results.into_iter().take(LISTED).map(|result| ("result", result)));
    if more > 0 {
        lines.push(("result", format!("result: and {} more differences", count(more as u64))));
    }
    if out.is_json() {
        let lines: Vec<Json> = lines.iter().map(|(kind, text)| json!({ "kind": kind, "text": text })).collect();
        let [before_key, now_key] = [&before, &now].map(|entry| entry.key().to_string());
        let same = lines.is_empty();
        out.document(json!({ "before": before_key, "now": now_key, "differences": lines, "same": same }))?;
        return Ok(if same { Exit::Fine } else { Exit::Found });
    }
    for (_, line) in &lines {
        out.line(safe(line))?;
    }
    match lines.is_empty() {
        true => {
            out.note("they are the same");
            Ok(Exit::Fine)
        }
        false => Ok(Exit::Found),
    }
}

/// Which two functions were called, for a reader or in full.
fn functions(before: &str, now: &str, in_full: bool) -> String {
    let names = ShownNames::among([before, now]);
    let [before, now] = [before, now].map(|path| if in_full { path.into() } else { names.shown(path) });
    format!("function: {before} → {now}")
}

/// Adds to `found` how the results differ.
fn compare(before: &Entry, now: &Entry, found: &mut Vec<String>) -> Outcome<()> {
    let both = Both { before: before.arrays()?, now: now.arrays()? };
    both.values(&before.value()?, &now.value()?, "result", found)
}

/// The arrays of two entries.
struct Both {
    before: Vec<StoredArray>,
    now: Vec<StoredArray>,
}

impl Both {
    fn values(&self, before: &Value, now: &Value, place: &str, found: &mut Vec<String>) -> Outcome<()> {
        match (before, now) {
            (Value::Array(before), Value::Array(now)) => self.arrays(*before, *now, place, found),
            (Value::List(before), Value::List(now)) if before.len() == now.len() => {
                let pairs = before.iter().zip(now).enumerate();
                pairs.into_iter().try_for_each(|(at, (a, b))| self.values(a, b, &format!("{place} #{at}"), found))
            }
            (Value::Map(before), Value::Map(now)) if before.iter().map(|it| &it.0).eq(now.iter().map(|it| &it.0)) => {
                before.iter().zip(now).try_for_each(|((key, a), (_, b))| {
                    let name = match key {
                        Value::Text(name) => name.clone(),
                        key => scalar(key, 40),
                    };
                    self.values(a, b, &format!("{place} `{name}`"), found)
                })
            }
            (
                Value::Pickle { bytes, digest, arrays },
                Value::Pickle { bytes: bytes_now, digest: digest_now, arrays: arrays_now },
            ) if arrays.len() == arrays_now.len() => {
                // What a pickle holds can't be told without running it.
                match bytes == bytes_now {
                    true if digest == digest_now => {}
                    true => found.push(format!("{place}: {}, of other content", in_words(now))),
                    false => found.push(format!("{place}: {} → {}", in_words(before), in_words(now))),
                }
                let pairs = arrays.iter().zip(arrays_now);
                pairs.into_iter().try_for_each(|(a, b)| self.arrays(*a, *b, &format!("{place} array #{b}"), found))
            }
            (before, now) if same(before, now) => Ok(()),
            (before, now) => {
                found.push(format!("{place}: {} → {}", in_words(before), in_words(now)));
                Ok(())
            }
        }
    }

    fn arrays(&self, before: usize, now: usize, place: &str, found: &mut Vec<String>) -> Outcome<()> {
        let (Some(before), Some(now)) = (self.before.get(before), self.now.get(now)) else { return Ok(()) };
        if before.digest() == now.digest() {
            return Ok(());
        }
        if (before.descr(), before.shape()) != (now.descr(), now.shape()) {
            found.push(format!("{place}: {} → {}", array(before), array(now)));
            return Ok(());
        }
        if before.order() != now.order() {
            found.push(format!("{place}: memory order {} → {}", before.order(), now.order()));
            return Ok(());
        }
        if before.bytes() > LARGEST {
            found.push(format!("{place}: {} differs, too large to be compared", array(before)));
            return Ok(());
        }
        found.push(difference(before, now, place)?);
        Ok(())
    }
}

/// How many elements differ, and by how much.
fn difference(before: &StoredArray, now: &StoredArray, place: &str) -> Outcome<String> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    before.read(|block| a.extend_from_slice(block))?;
    now.read(|block| b.extend_from_slice(block))?;
    Ok(format!("{place}: {}", element_differences::difference(before.descr(), &a, &b)))
}

/// Whether two values are the same, NaNs among them.
fn same(before: &Value, now: &Value) -> bool {
    match (before, now) {
        (Value::Float32(a), Value::Float32(b)) => a.to_bits() == b.to_bits(),
        (Value::Float64(a), Value::Float64(b)) => a.to_bits() == b.to_bits(),
        (before, now) => before == now,
    }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::List(items) => format!("a list of {}", items.len()),
        Value::Map(entries) => format!("a map of {}", entries.len()),
        Value::Array(_) => "an array".to_owned(),
        value => scalar(value, 40),
    }
}

/// Whether the digest of a function's own body is known, and not only that of all its code.
fn has_body(entry: &Entry) -> bool {
    entry.code_parts().first().is_some_and(|part| part.digest() != Some(entry.code()))
}
