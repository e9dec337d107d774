//! Entries as they are named, listed and described.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::path::Path;

use ndcache::inspect::{StoredArray, Value, shown_path};
use ndcache::{Entry, Memory};
use serde_json::{Value as Json, json};

use crate::cache;
use crate::exit::{Exit, Failure, Outcome};
use crate::filter::Filter;
use crate::out::Out;
use crate::text::{ShownNames, closest, listed, nanoseconds, rfc3339, safe, safe_json, short};

/// The longest text of a result.
const RESULT: usize = 60;

/// How many entries are put in order at once where only the latest are wanted.
const FEW: usize = 64;

/// Opens the cache for a command that reads one entry, which may be named by a file in it.
pub(crate) fn open_for(out: &mut Out, id: &str) -> Outcome<Memory> {
    let is_of_an_entry = is_path(id) && key_of_file(id).is_ok();
    if is_of_an_entry { cache::of_file(out, Path::new(id)) } else { cache::for_reading(out) }
}

/// How the files of an entry end, beside its record's `.record`: arrays by their codec, and values that are too long for it.
pub(crate) const DATA_FILES: [&str; 3] = [".npy", ".npy.gz", ".msgpack"];

fn is_path(id: &str) -> bool {
    let is_file = id.ends_with(".record") || DATA_FILES.iter().any(|end| id.ends_with(end));
    // A function's path may have a `/`, too.
    is_file || id.contains('/') && Path::new(id).exists()
}

/// The entry that is named: by the beginning of its key, by a file of it, or as the latest ones of a function.
pub(crate) fn find(memory: &Memory, id: &str) -> Outcome<Entry> {
    find_else(memory, id, |function| format!("; `ndcache ls {function}` lists all of them"))
}

/// [`find`] for a command that takes all entries of a function with `--function`, too.
pub(crate) fn find_one_of(memory: &Memory, id: &str) -> Outcome<Entry> {
    find_else(memory, id, |function| format!("; all of them are `--function {function}`"))
}

/// [`find`], where a function without a number gets an advice.
fn find_else(memory: &Memory, id: &str, advice: impl Fn(&str) -> String) -> Outcome<Entry> {
    let none = || none(memory, id);
    if is_path(id) {
        let entry = memory.entry_by_id(key_of_file(id)?)?.ok_or_else(none)?;
        let folder = std::path::absolute(id)?.parent().and_then(|folder| folder.canonicalize().ok());
        let is_here = entry.path().parent().and_then(|here| here.canonicalize().ok()) == folder;
        return if is_here { Ok(entry) } else { Err(none()) };
    }
    if let Some(entry) = numbered(memory, id)? {
        return Ok(entry);
    }
    if !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(no_id(memory, id, advice));
    }
    memory.entry_by_id(id)?.ok_or_else(none)
}

/// Says what is expected in place of a text that names no entry: a function's name lacks a number.
fn no_id(memory: &Memory, id: &str, advice: impl Fn(&str) -> String) -> Failure {
    let wrong = |latest: &str, advice: &str| {
        let expected =
            format!("the beginning of a key, a file of an entry, or `{latest}` for the latest of a function");
        Failure::usage(format!("entry is `{}`, expected {expected}{advice}", safe(id)))
    };
    match function(memory, id) {
        Ok(function) => {
            let function = shown_path(&function);
            let function = safe(&function);
            wrong(&format!("{function}@1"), &advice(&function))
        }
        Err(Failure::WithMessage { exit: Exit::Found, .. }) if Path::new(id).is_file() => no_entry(id),
        Err(Failure::WithMessage { exit: Exit::Found, message }) => wrong("smooth@1", &format!("; {message}")),
        Err(failure) => failure,
    }
}

/// The entry that `smooth@3` names, the third latest one of its function; `None` for a text without an `@`.
///
/// # Errors
/// Returns a failure when there is no such function, or no such entry of it.
fn numbered(memory: &Memory, id: &str) -> Outcome<Option<Entry>> {
    let Some((name, number)) = id.rsplit_once('@') else { return Ok(None) };
    let number: usize = number.parse().ok().filter(|&number| number > 0).ok_or_else(|| {
        Failure::usage(format!("entry is `{}`, expected such as `smooth@1`, the latest of `smooth`", safe(id)))
    })?;
    let mut latest = latest(memory, &function(memory, name)?, number);
    match latest.pop().filter(|_| latest.len() == number - 1) {
        None => Err(none(memory, id)),
        found => Ok(found),
    }
}

/// The latest entries of the function with this path, as far as they can be read: at most `most`, the newest first.
pub(crate) fn latest(memory: &Memory, function: &str, most: usize) -> Vec<Entry> {
    let newest_first = |entry: &Entry| (Reverse(entry.created()), entry.key());
    let mut latest: Vec<Entry> = Vec::new();
    for entry in memory.entries_named(function).filter_map(Result::ok) {
        latest.push(entry);
        // A function may have very many entries, of which only few are kept in memory.
        if latest.len() >= most.saturating_mul(2).max(FEW) {
            latest.sort_unstable_by_key(newest_first);
            latest.truncate(most);
        }
    }
    latest.sort_unstable_by_key(newest_first);
    latest.truncate(most);
    latest
}

fn none(memory: &Memory, id: &str) -> Failure {
    Failure::found(format!("there is no entry `{}` in `{}`", safe(id), cache::place(memory)))
}

/// The key in the name of a file of an entry: `<key>.record`, `<key>.<nonce>.npy`, `<readable>-<key>.<nonce>.npy`.
fn key_of_file(path: &str) -> Outcome<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let last = name.rsplit('-').next().unwrap_or(name);
    let key = last.split('.').next().unwrap_or(last);
    match key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(key.to_owned()),
        false => Err(no_entry(path)),
    }
}

/// Says of a file that is none of an entry how entries are found that took it as an argument.
fn no_entry(path: &str) -> Failure {
    let name = safe(path.rsplit('/').next().unwrap_or(path));
    let taken = format!("`ndcache ls --entries --where '*~{name}'` lists the calls with it in an argument");
    Failure::usage(format!("file `{}` has no key in its name, and so is none of an entry: {taken}", safe(path)))
}

/// The entries of the function with this path.
pub(crate) fn of_path(memory: &Memory, function: &str, bad: &mut dyn FnMut(String)) -> Vec<Entry> {
    let keep = |entry: ndcache::Result<Entry>| entry.map_err(|error| bad(error.to_string())).ok();
    memory.entries_named(function).filter_map(keep).collect()
}

/// Hands over the entries that are meant, one after the other: those that are named, or those of a function, or of all,
/// that a filter takes. There may be more than memory holds.
///
/// # Errors
/// Returns a failure when one that is named isn't there, when there is no such function, when a condition can't be met,
/// and the one of `take`.
pub(crate) fn chosen<T>(
    memory: &Memory,
    named: &[String],
    of_function: Option<&str>,
    filter: &mut Filter,
    out: &mut Out,
    take: impl FnOnce(&mut dyn Iterator<Item = Entry>) -> Outcome<T>,
) -> Outcome<T> {
    if !named.is_empty() {
        let found = named.iter().map(|id| find_one_of(memory, id)).collect::<Outcome<Vec<_>>>()?;
        return take(&mut found.into_iter());
    }
    let path = of_function.map(|name| function(memory, name)).transpose()?;
    let entries: Box<dyn Iterator<Item = ndcache::Result<Entry>>> = match &path {
        Some(path) => Box::new(memory.entries_named(path)),
        None => Box::new(memory.entries()),
    };
    let mut bad = 0;
    let readable = entries.filter_map(|entry| entry.map_err(|_| bad += 1).ok());
    let taken = take(&mut readable.filter(|entry| filter.takes(entry)))?;
    filter.check()?;
    // Whether they would be meant nobody knows.
    out.unread(bad);
    Ok(taken)
}

/// The path of a function that is named by it or by the end of it.
///
/// # Errors
/// Returns a failure when there is none, for which it names one that is spelt alike, or several, which it lists.
pub(crate) fn function(memory: &Memory, name: &str) -> Outcome<String> {
    // A whole path says where its entries are; the end of one is looked for among all.
    if memory.entries_named(name).find_map(Result::ok).is_some_and(|entry| entry.function() == name) {
        return Ok(name.to_owned());
    }
    let (place, functions) = (format!("`{}`", cache::place(memory)), memory.function_names()?);
    let among_arguments = format!("; `ndcache ls --entries --where '*~{}'` looks among arguments", safe(name));
    meant(name, &functions, &place, ["see `ndcache ls`", &among_arguments])
}

/// The one of these functions that is named by its path, in full or as it is shown, or by the end of it.
///
/// # Errors
/// Returns a failure when there is none, for which it names one that is spelt alike, or several, which it lists. Of the
/// advices the second one is for a name that is like none.
pub(crate) fn meant(name: &str, functions: &[String], place: &str, [advice, further]: [&str; 2]) -> Outcome<String> {
    if functions.iter().any(|path| path == name) {
        return Ok(name.to_owned());
    }
    let is_whole: Vec<&String> = functions.iter().filter(|path| shown_path(path) == name).collect();
    let meant = || functions.iter().filter(|path| names(name, path)).collect();
    // What a command has shown is taken, though it may be the end of another one, too.
    let meant: Vec<&String> = if is_whole.len() == 1 { is_whole } else { meant() };
    match meant.as_slice() {
        [] => {
            let shown: Vec<_> = functions.iter().map(|path| shown_path(path)).collect();
            let ends = shown.iter().flat_map(|path| [&**path, last(path)]);
            let advice = match closest(name, ends) {
                Some(close) => format!("did you mean `{}`? {advice}", safe(close)),
                None => format!("{advice}{further}"),
            };
            Err(Failure::found(format!("no function `{}` has entries in {place}: {advice}", safe(name))))
        }
        [function] => Ok((*function).clone()),
        several => {
            let (count, names) = (several.len(), ShownNames::among(several.iter().map(|path| path.as_str())));
            let several = several.iter().map(|path| names.shown(path));
            Err(Failure::usage(format!("function `{}` is one of {count}: {}", safe(name), listed(several))))
        }
    }
}

/// What stands between the parts of a function's path, in Rust, in Python and in names that somebody has given.
const DIVIDERS: [&str; 4] = ["::", "/", ".", " "];

/// Whether a name is a function's path, in full or as it is shown, or the end of it.
pub(crate) fn names(name: &str, path: &str) -> bool {
    let is_end = |path: &str| {
        let rest = path.strip_suffix(name);
        rest.is_some_and(|rest| rest.is_empty() || DIVIDERS.iter().any(|divider| rest.ends_with(divider)))
    };
    is_end(path) || is_end(&shown_path(path))
}

/// The last part of a function's path.
fn last(path: &str) -> &str {
    DIVIDERS.iter().fold(path, |path, divider| path.rsplit(divider).next().unwrap_or(path))
}

/// `x=f64[256, 256] C, sigma=1.5`
pub(crate) fn arguments(entry: &Entry) -> String {
    let arguments: Vec<_> = entry.arguments().iter().map(ToString::to_string).collect();
    arguments.join(", ")
}

/// `smooth(x=f64[256, 256] C, sigma=1.5)`
pub(crate) fn call(entry: &Entry) -> String {
    format!("{}({})", short(entry.function()), arguments(entry))
}

/// The result in short: `f32[256, 256, 160]`, `0.25`, `{weights: f64[3], best: 7}`.
pub(crate) fn result(entry: &Entry) -> String {
    let read = entry.value().and_then(|value| {
        // Most results of many calls are numbers.
        let arrays = if holds_array(&value) { entry.arrays()? } else { Vec::new() };
        Ok((value, arrays))
    });
    match read {
        Ok((value, arrays)) => {
            let mut text = String::new();
            tell(&value, &arrays, RESULT, &mut text);
            text
        }
        Err(error) => format!("({})", error.to_string().chars().take(40).collect::<String>()),
    }
}

fn holds_array(value: &Value) -> bool {
    match value {
        Value::Array(_) => true,
        Value::List(items) => items.iter().any(holds_array),
        Value::Map(entries) => entries.iter().any(|(key, item)| holds_array(key) || holds_array(item)),
        _ => false,
    }
}

/// `f32[256, 256, 160]`
pub(crate) fn array(array: &StoredArray) -> String {
    let axes: Vec<_> = array.shape().iter().map(u64::to_string).collect();
    format!("{}[{}]", dtype(array.descr()), axes.join(", "))
}

/// The name of a dtype in Rust, where it has one.
pub(crate) fn dtype(descr: &str) -> &str {
    match descr {
        "|b1" => "bool",
        "|i1" => "i8",
        "<i2" => "i16",
        "<i4" => "i32",
        "<i8" => "i64",
        "|u1" => "u8",
        "<u2" => "u16",
        "<u4" => "u32",
        "<u8" => "u64",
        "<f2" => "f16",
        "<f4" => "f32",
        "<f8" => "f64",
        "<c8" => "c32",
        "<c16" => "c64",
        other => other,
    }
}

/// Writes a value in one line, up to about `room` characters.
pub(crate) fn tell(value: &Value, arrays: &[StoredArray], room: usize, text: &mut String) {
    let is_full = |text: &String| text.chars().count() >= room;
    let list =
        |open: char, close: char, items: &mut dyn Iterator<Item = (Option<&Value>, &Value)>, text: &mut String| {
            text.push(open);
            for (at, (key, item)) in items.enumerate() {
                if at > 0 {
                    text.push_str(", ");
                }
                if is_full(text) {
                    text.push('…');
                    break;
                }
                if let Some(key) = key {
                    match key {
                        Value::Text(name) => text.push_str(name),
                        key => tell(key, arrays, room, text),
                    }
                    text.push_str(": ");
                }
                tell(item, arrays, room, text);
            }
            text.push(close);
        };
    match value {
        Value::Array(index) => text.push_str(&arrays.get(*index).map_or_else(|| "array".to_owned(), array)),
        Value::List(items) => list('[', ']', &mut items.iter().map(|item| (None, item)), text),
        Value::Map(entries) => list('{', '}', &mut entries.iter().map(|(key, item)| (Some(key), item)), text),
        scalar => text.push_str(&self::scalar(scalar, room)),
    }
}

/// A value that holds no others, as text.
pub(crate) fn scalar(value: &Value, room: usize) -> String {
    match value {
        Value::Nil => "none".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float32(value) => format!("{value:?}"),
        Value::Float64(value) => format!("{value:?}"),
        Value::Text(value) if value.chars().count() > room => {
            format!("{:?}", value.chars().take(room).chain(['…']).collect::<String>())
        }
        Value::Text(value) => format!("{value:?}"),
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Value::Pickle { bytes, .. } => format!("a pickle of {bytes} bytes"),
        _ => "…".to_owned(),
    }
}

/// A value as JSON; what JSON has no word for as text.
pub(crate) fn value_json(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Integer(value) => match (i64::try_from(*value), u64::try_from(*value)) {
            (Ok(value), _) => json!(value),
            (_, Ok(value)) => json!(value),
            _ => json!(value.to_string()),
        },
        Value::Float32(value) if value.is_finite() => json!(value),
        Value::Float64(value) if value.is_finite() => json!(value),
        Value::Float32(value) => json!(value.to_string()),
        Value::Float64(value) => json!(value.to_string()),
        Value::Text(value) => json!(value),
        Value::Bytes(bytes) => json!({ "bytes": bytes.len() }),
        Value::Pickle { bytes, .. } => json!({ "pickle": bytes }),
        Value::Array(index) => json!({ "array": index }),
        Value::List(items) => items.iter().map(value_json).collect(),
        Value::Map(entries) => {
            let all_text = entries.iter().all(|(key, _)| matches!(key, Value::Text(_)));
            let named = |(key, item): &(Value, Value)| match key {
                Value::Text(name) => (name.clone(), value_json(item)),
                _ => (String::new(), Json::Null),
            };
            match all_text {
                true => entries.iter().map(named).collect::<serde_json::Map<_, _>>().into(),
                false => entries.iter().map(|(key, item)| json!([value_json(key), value_json(item)])).collect(),
            }
        }
        _ => Json::Null,
    }
}

/// An entry as JSON.
pub(crate) fn entry_json(entry: &Entry) -> Json {
    let argument = |it: &ndcache::inspect::Argument| json!({ "name": it.name(), "text": it.text(), "digest": it.digest().to_string() });
    json!({
        "key": entry.key().to_string(),
        "function": entry.function(),
        "arguments": entry.arguments().iter().map(argument).collect::<Vec<_>>(),
        "bytes": entry.bytes(),
        "duration_ns": nanoseconds(entry.duration()),
        "created": rfc3339(entry.created()),
        "used": rfc3339(entry.used()),
        "edited": entry.edited(),
        "origin": entry.origin(),
        "path": entry.path().display().to_string(),
    })
}

/// An entry as JSON in one line, which is the text of [`entry_json`]: of a list that has very many.
pub(crate) fn entry_line(entry: &Entry) -> String {
    let mut line = String::with_capacity(512);
    line.push_str(r#"{"arguments":["#);
    for (at, argument) in entry.arguments().iter().enumerate() {
        line.push_str(if at == 0 { r#"{"digest":""# } else { r#",{"digest":""# });
        let _ = write!(line, "{}", argument.digest());
        line.push_str(r#"","name":"#);
        quote(argument.name(), &mut line);
        line.push_str(r#","text":"#);
        quote(argument.text(), &mut line);
        line.push('}');
    }
    let (created, used) = (rfc3339(entry.created()), rfc3339(entry.used()));
    let (bytes, duration, edited) = (entry.bytes(), nanoseconds(entry.duration()), entry.edited());
    let _ = write!(line, r#"],"bytes":{bytes},"created":"{created}","duration_ns":{duration},"edited":{edited}"#);
    line.push_str(r#","function":"#);
    quote(entry.function(), &mut line);
    let _ = write!(line, r#","key":"{}","origin":"#, entry.key());
    match entry.origin() {
        Some(origin) => quote(origin, &mut line),
        None => line.push_str("null"),
    }
    line.push_str(r#","path":"#);
    quote(&entry.path().to_string_lossy(), &mut line);
    let _ = write!(line, r#","used":"{used}"}}"#);
    safe_json(line)
}

/// Appends a text as JSON has it.
fn quote(text: &str, line: &mut String) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        line.extend(["\"", text, "\""]);
    } else {
        line.push_str(&json!(text).to_string());
    }
}

/// An array as JSON.
pub(crate) fn array_json(array: &StoredArray) -> Json {
    json!({
        "descr": array.descr(),
        "shape": array.shape(),
        "order": array.order().to_string(),
        "bytes": array.bytes(),
        "stored_bytes": array.stored_bytes(),
        "digest": array.digest().to_string(),
        "codec": array.codec(),
        "file": array.file().map(|file| file.display().to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[ndcache::cache]
    fn described(text: &str, n: f64) -> String {
        format!("{text} {n}")
    }

    #[ndcache::cache(name = "größe \"of\" \\ it")]
    fn named() -> u64 {
        1
    }

    #[test]
    fn a_line_of_an_entry_is_its_document() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path().join("a \"folder\"")).unwrap();
        for text in ["", "plain", "\"quoted\" \\ and a\nline", "größe \u{202e}\u{1b}[31m", "\u{7f}"] {
            memory.eval(described::call(text, 1.5));
        }
        memory.eval(named::call());
        let lines = memory
            .entries()
            .map(Result::unwrap)
            .map(|entry| (entry_line(&entry), safe_json(entry_json(&entry).to_string())));
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), 6);
        lines.into_iter().for_each(|(line, document)| assert_eq!(line, document));
    }
}
