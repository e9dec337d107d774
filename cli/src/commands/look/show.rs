//! `ndcache show`: one entry.

use std::collections::{BTreeMap, HashMap};

use ndcache::inspect::{StoredArray, Value, shown_path};
use ndcache::{Entry, Key, Memory};
use serde_json::{Value as Json, json};

use crate::args::Show;
use crate::commands::look::tree::Untraced;
use crate::entry::{array, array_json, call, entry_json, find, open_for, scalar, tell, value_json};
use crate::exit::{Exit, Outcome};
use crate::numbers::Statistics;
use crate::out::{Out, Style};
use crate::text::{ago, count, duration, moment, safe, short, size};

/// Larger arrays are read only with `--all`.
const LARGEST: u64 = 1 << 30;

/// The most lines of a value that are shown.
const LINES: usize = 40;

/// The longest text of a part of a value.
const ROOM: usize = 80;

pub(crate) fn run(args: &Show, out: &mut Out) -> Outcome {
    let memory = open_for(out, &args.entry)?;
    let entry = find(&memory, &args.entry)?;
    let (value, arrays) = (entry.value()?, entry.arrays()?);
    let numbers: Vec<_> = arrays.iter().map(|array| Looked::at(array, args.all)).collect();
    let is_whole = numbers.iter().all(|looked| !matches!(looked, Looked::Damaged(_)));
    if out.is_json() {
        let (sources, pins) = (sources(&memory, &entry, out), pins(&memory, &entry, out));
        document(&entry, &value, &arrays, &numbers, &sources, &pins, out)?;
    } else {
        print(&memory, &entry, &value, &arrays, &numbers, out)?;
    }
    Ok(if is_whole { Exit::Fine } else { Exit::Found })
}

/// What reading an array has shown.
enum Looked {
    Numbers(Statistics),
    /// It is undamaged, and its elements aren't numbers.
    Other,
    TooLarge,
    Damaged(String),
}

impl Looked {
    fn at(array: &StoredArray, all: bool) -> Self {
        if array.bytes() > LARGEST && !all {
            return Self::TooLarge;
        }
        match Statistics::of(array) {
            Ok(Some(numbers)) => Self::Numbers(numbers),
            Ok(None) => Self::Other,
            Err(error) => Self::Damaged(error.to_string()),
        }
    }
}

/// The entries that arguments came from, by the arguments' names. Where not all of the cache can be read, some may be
/// missing, which a note says.
fn sources(memory: &Memory, entry: &Entry, out: &mut Out) -> HashMap<String, Vec<(Key, String)>> {
    let mut sources: HashMap<String, Vec<(Key, String)>> = HashMap::new();
    let lineage = match memory.lineage_of(entry) {
        Ok(lineage) => lineage,
        Err(error) => {
            out.note(format!("where arguments come from isn't known: {error}"));
            None
        }
    };
    if let Some(unread) = lineage.as_ref().and_then(|lineage| lineage.unread()) {
        out.note(format!("arguments may come from elsewhere, too: {unread}"));
    }
    let links = lineage.iter().flat_map(|lineage| lineage.links()).filter(|link| link.call().key() == entry.key());
    for link in links {
        if let Some(source) = link.source() {
            sources.entry(link.argument().name().to_owned()).or_default().push((source.key(), call(source)));
        }
    }
    let mut untraced = Untraced::default();
    untraced.add(entry, |name| sources.contains_key(name));
    untraced.tell(out);
    sources
}

/// The lists of pins in which an entry is; none, with a note, where they can't be read.
fn pins(memory: &Memory, entry: &Entry, out: &mut Out) -> Vec<String> {
    let pins = memory.pins().unwrap_or_else(|error| {
        out.note(format!("whether it is pinned isn't known: {error}"));
        BTreeMap::new()
    });
    pins.into_iter().filter(|(_, keys)| keys.contains(&entry.key())).map(|(name, _)| name).collect()
}

fn document(
    entry: &Entry,
    value: &Value,
    arrays: &[StoredArray],
    numbers: &[Looked],
    sources: &HashMap<String, Vec<(Key, String)>>,
    pins: &[String],
    out: &mut Out,
) -> Outcome<()> {
    let mut document = entry_json(entry);
    let arrays = arrays.iter().zip(numbers).map(|(array, looked)| {
        let mut json = array_json(array);
        match looked {
            Looked::Numbers(numbers) => json["numbers"] = numbers.json(),
            Looked::Damaged(what) => json["damaged"] = json!(what),
            Looked::Other | Looked::TooLarge => {}
        }
        json["verified"] = json!(matches!(looked, Looked::Numbers(_) | Looked::Other));
        json
    });
    let sources = sources
        .iter()
        .map(|(name, sources)| (name.clone(), sources.iter().map(|(key, _)| key.to_string()).collect::<Json>()));
    let part = |part: &ndcache::inspect::StoredPart| {
        json!({
            "name": part.name(),
            "counts": part.counts(),
            "digest": part.digest().map(|digest| digest.to_string()),
            "version": part.version(),
            "package": part.package(),
        })
    };
    document["arrays"] = arrays.collect();
    document["pins"] = json!(pins);
    document["sources"] = sources.collect::<serde_json::Map<_, _>>().into();
    document["value"] = value_json(value);
    document["code"] = json!(entry.code().to_string());
    document["code_parts"] = entry.code_parts().iter().map(part).collect();
    document["producer"] = json!({
        "version": entry.producer().version(),
        "rustc": entry.producer().rustc(),
        "target": entry.producer().target(),
        "host": entry.producer().host(),
    });
    out.document(document)
}

fn print(
    memory: &Memory,
    entry: &Entry,
    value: &Value,
    arrays: &[StoredArray],
    numbers: &[Looked],
    out: &mut Out,
) -> Outcome<()> {
    let head = format!("{}  {}", out.styled(Style::Key, &entry.key().to_string()), safe(&shown_path(entry.function())));
    out.line(head)?;
    let sources = sources(memory, entry, out);
    for argument in entry.arguments() {
        let mut line = format!("  {}", safe(&argument.to_string()));
        for (key, call) in sources.get(argument.name()).into_iter().flatten() {
            line.push_str(&format!("  from {} {}", &key.to_string()[..8], safe(call)));
        }
        out.line(line)?;
    }
    let took = duration(entry.duration());
    out.line(format!("took      {took}, {}, last used {}", moment(entry.created()), ago(entry.used())))?;
    out.line(format!("by        {}", safe(&entry.producer().to_string())))?;
    let mut notes = Vec::new();
    notes.extend(pins(memory, entry, out).into_iter().map(|name| format!("pinned as `{name}`")));
    notes.extend(entry.edited().then(|| "edited by hand".to_owned()));
    notes.extend(entry.origin().map(|origin| format!("came by {origin}")));
    notes.extend(entry.expires().map(|at| format!("expires {}", moment(at))));
    notes.extend(entry.holds_pickle().then(|| "holds an object that Python pickled".to_owned()));
    if !notes.is_empty() {
        out.line(format!("note      {}", safe(&notes.join(", "))))?;
    }
    let parts: Vec<_> = entry.code_parts().iter().skip(1).map(|part| part.name().to_owned()).collect();
    let helpers = if parts.is_empty() { String::new() } else { format!(", with {}", parts.join(", ")) };
    out.line(format!("code      {}{}", &entry.code().to_string()[..8], safe(&helpers)))?;
    out.line(format!("files     {}  {}", size(entry.bytes()), safe(&entry.path().display().to_string())))?;
    out.line("result")?;
    let mut lines = Vec::new();
    tree(value, arrays, "", 1, &mut lines);
    let more = lines.len().saturating_sub(LINES);
    for line in lines.iter().take(LINES) {
        out.line(safe(line))?;
    }
    if more > 0 {
        out.line(format!("  … and {} more lines: see `--json`", count(more as u64)))?;
    }
    for (at, (array, looked)) in arrays.iter().zip(numbers).enumerate() {
        print_array(at, array, looked, out)?;
    }
    Ok(())
}

/// A value as lines, with the parts of each value below it.
fn tree(value: &Value, arrays: &[StoredArray], name: &str, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let named = if name.is_empty() { String::new() } else { format!("{name}: ") };
    if lines.len() > 10_000 {
        return;
    }
    match value {
        Value::Map(entries) if !entries.is_empty() => {
            if !name.is_empty() {
                lines.push(format!("{indent}{name}:"));
            }
            let depth = depth + usize::from(!name.is_empty());
            for (key, item) in entries {
                let key = match key {
                    Value::Text(key) => key.clone(),
                    key => scalar(key, ROOM),
                };
                tree(item, arrays, &key, depth, lines);
            }
        }
        Value::List(items) if items.iter().any(|item| matches!(item, Value::Map(_) | Value::Array(_))) => {
            for (at, item) in items.iter().enumerate() {
                let name = if name.is_empty() { format!("#{at}") } else { format!("{name}[{at}]") };
                tree(item, arrays, &name, depth, lines);
            }
        }
        Value::Array(index) => {
            let text = arrays.get(*index).map_or_else(|| "array".to_owned(), array);
            lines.push(format!("{indent}{named}{text}  (array #{index})"));
        }
        other => {
            let mut text = String::new();
            tell(other, arrays, ROOM, &mut text);
            lines.push(format!("{indent}{named}{text}"));
        }
    }
}

fn print_array(at: usize, stored: &StoredArray, looked: &Looked, out: &mut Out) -> Outcome<()> {
    let (order, bytes) = (stored.order(), size(stored.bytes()));
    let head = format!("array #{at}  {} {order}  {bytes}  {}", safe(&array(stored)), stored.codec());
    // A plain file has the bytes of the elements and a header, so that its length says nothing new.
    let encoded = !matches!(stored.codec(), "npy" | "inline");
    let stored = if encoded { format!(" {}", size(stored.stored_bytes())) } else { String::new() };
    let state = match looked {
        Looked::Numbers(_) | Looked::Other => "verified".to_owned(),
        Looked::TooLarge => "not read: it is large, `--all` reads it".to_owned(),
        Looked::Damaged(what) => out.styled(Style::Bad, &safe(what)),
    };
    out.line(format!("{head}{stored}  {state}"))?;
    if let Looked::Numbers(numbers) = looked
        && numbers.count > 0
    {
        out.line(format!("  {}", numbers.line()))?;
        if numbers.max > numbers.min {
            out.line(format!("  {}", out.styled(Style::Dim, numbers.bars().trim_end())))?;
        }
        out.line(format!("  {}", numbers.values()))?;
    }
    Ok(())
}

/// `smooth 3f2a91c4`
pub(crate) fn name(entry: &Entry) -> String {
    format!("{} {}", short(entry.function()), &entry.key().to_string()[..8])
}
