//! The one line grammar of `s/log*` (docs/format.md, "Counts").

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::stats::history::activity::{Activity, History, NAME_MAX, Period, cut_to};
use crate::stats::history::json::{JsonCursor, push_text};

/// The version of the grammar.
const VERSION: u64 = 1;

/// The most bytes that one write appends: what the system is known to append in one piece.
const LINE_MAX: usize = 4096;

/// The longest explanation of a miss, in characters.
const EXPLANATION_MAX: usize = 120;

/// A line, as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogLine {
    Counts(Period),
    /// The last line of a file of folded lines: the files that they stand for.
    Sources(Vec<String>),
}

/// Why a line can't be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    Torn,
    Newer,
}

/// The lines of `line`, each to be written at once: a newline before it, so that a torn line ends there, and one behind.
pub(super) fn encode(line: &LogLine) -> Vec<Vec<u8>> {
    match line {
        LogLine::Counts(period) => encode_period(period),
        LogLine::Sources(sources) => {
            let mut text = format!("\n{{\"v\":{VERSION},\"sources\":[");
            for (n, source) in sources.iter().enumerate() {
                text.push_str(if n > 0 { "," } else { "" });
                push_text(&mut text, source);
            }
            vec![(text + "]}\n").into_bytes()]
        }
    }
}

/// The period as lines, as many as its functions need.
fn encode_period(period: &Period) -> Vec<Vec<u8>> {
    let mut head = format!("\n{{\"v\":{VERSION},\"run\":");
    push_text(&mut head, period.run.as_deref().unwrap_or_default());
    head.push_str(",\"host\":");
    push_text(&mut head, cut(&period.host));
    let (from, to) = (nanoseconds(period.from), nanoseconds(period.to));
    head.push_str(&format!(",\"from\":{from},\"to\":{to},\"f\":{{"));
    let mut lines = Vec::new();
    let mut line = String::new();
    for (function, activity) in &period.functions {
        let mut text = String::new();
        push_text(&mut text, &History::logged_name(function));
        text.push(':');
        push_activity(&mut text, activity);
        if !line.is_empty() && line.len() + text.len() + 4 > LINE_MAX {
            lines.push((std::mem::take(&mut line) + "}}\n").into_bytes());
        }
        line.push_str(if line.is_empty() { &head } else { "," });
        line.push_str(&text);
    }
    if !line.is_empty() {
        lines.push((line + "}}\n").into_bytes());
    }
    lines
}

/// What is zero is left out.
fn push_activity(line: &mut String, activity: &Activity) {
    let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let fields = [
        ("hit", activity.hits),
        ("repeat", activity.repeats),
        ("fetch", activity.fetched),
        ("miss", activity.misses),
        ("fault", activity.faults),
        ("saved", nanoseconds(activity.saved)),
        ("spent", nanoseconds(activity.spent)),
        ("hash", nanoseconds(activity.hashing)),
        ("load", nanoseconds(activity.loading)),
        ("store", nanoseconds(activity.storing)),
        ("in", activity.loaded),
        ("out", activity.stored),
    ];
    line.push('{');
    for (name, value) in fields.into_iter().filter(|&(_, value)| value > 0) {
        line.push_str(&format!("\"{name}\":{value},"));
    }
    if !activity.reasons.is_empty() {
        line.push_str("\"why\":{");
        for (reason, count) in &activity.reasons {
            push_text(line, cut(reason));
            line.push_str(&format!(":{count},"));
        }
        line.pop();
        line.push_str("},");
    }
    if let Some(last) = &activity.last_miss {
        line.push_str("\"last\":");
        push_text(line, explanation(last));
        line.push(',');
    }
    if line.ends_with(',') {
        line.pop();
    }
    line.push('}');
}

/// The line that these bytes are, without newlines.
pub(super) fn decode(bytes: &[u8]) -> Result<LogLine, Unread> {
    let (mut version, mut sources) = (None, None);
    let (mut run, mut host, mut from, mut to, mut functions) = (None, None, None, None, None);
    let mut cursor = JsonCursor::new(bytes);
    let whole = cursor.object(|cursor, name| {
        match &*name {
            "v" => version = Some(cursor.number()?),
            "run" => run = Some(cursor.text()?),
            "host" => host = Some(cursor.text()?),
            "from" => from = Some(time(cursor.number()?)),
            "to" => to = Some(time(cursor.number()?)),
            // What a later version has there is its own matter.
            "f" if version == Some(VERSION) => functions = Some(read_functions(cursor)?),
            "sources" if version == Some(VERSION) => sources = Some(cursor.texts()?),
            _ => cursor.skip()?,
        }
        Some(())
    });
    if whole.and_then(|()| cursor.end()).is_none() {
        return Err(Unread::Torn);
    }
    match version {
        Some(VERSION) => {}
        Some(newer) if newer > VERSION => return Err(Unread::Newer),
        _ => return Err(Unread::Torn),
    }
    if let Some(sources) = sources {
        return Ok(LogLine::Sources(sources));
    }
    let period = || {
        let run = Some(run?).filter(|run| !run.is_empty());
        Some(Period { run, host: host?, from: from?, to: to?, functions: functions? })
    };
    period().map(LogLine::Counts).ok_or(Unread::Torn)
}

fn read_functions(cursor: &mut JsonCursor<'_>) -> Option<BTreeMap<String, Activity>> {
    let mut functions = BTreeMap::<String, Activity>::new();
    cursor.object(|cursor, function| {
        let activity = read_activity(cursor)?;
        functions.entry(function).or_default().add(&activity);
        Some(())
    })?;
    Some(functions)
}

fn read_activity(cursor: &mut JsonCursor<'_>) -> Option<Activity> {
    let mut activity = Activity::default();
    cursor.object(|cursor, name| {
        match &*name {
            "hit" => activity.hits = cursor.number()?,
            "repeat" => activity.repeats = cursor.number()?,
            "fetch" => activity.fetched = cursor.number()?,
            "miss" => activity.misses = cursor.number()?,
            "fault" => activity.faults = cursor.number()?,
            "saved" => activity.saved = Duration::from_nanos(cursor.number()?),
            "spent" => activity.spent = Duration::from_nanos(cursor.number()?),
            "hash" => activity.hashing = Duration::from_nanos(cursor.number()?),
            "load" => activity.loading = Duration::from_nanos(cursor.number()?),
            "store" => activity.storing = Duration::from_nanos(cursor.number()?),
            "in" => activity.loaded = cursor.number()?,
            "out" => activity.stored = cursor.number()?,
            "why" => cursor.object(|cursor, reason| {
                *activity.reasons.entry(reason).or_default() = cursor.number()?;
                Some(())
            })?,
            "last" => activity.last_miss = Some(explanation(&cursor.text()?).to_owned()),
            _ => cursor.skip()?,
        }
        Some(())
    })?;
    Some(activity)
}

fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

fn time(nanoseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn cut(name: &str) -> &str {
    cut_to(name, NAME_MAX)
}

fn explanation(text: &str) -> &str {
    text.char_indices().nth(EXPLANATION_MAX).map_or(text, |(end, _)| &text[..end])
}
