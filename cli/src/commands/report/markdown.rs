//! A report as Markdown.

use std::fmt::Write as _;

use ndcache::stats::Activity;

use crate::commands::report::gather::EXPLAINED;
use crate::commands::report::model::{FunctionReport, Model, UNUSED_DAYS};
use crate::text::{ShownNames, count, day, duration, entries, moment, safe, size};

/// How many functions, days, edges and entries are listed at most.
const LISTED: usize = 50;

/// The whole report; of the entries only the newest.
pub(crate) fn markdown(model: &Model) -> String {
    let mut text = String::from("# Report of a cache\n\n");
    if let Some(folder) = &model.folder {
        let _ = writeln!(text, "{}\n", escaped(folder));
    }
    let _ = writeln!(text, "made {}\n", moment(model.made));
    numbers(model, &mut text);
    functions(model, &mut text);
    misses(model, &mut text);
    days(model, &mut text);
    lineage(model, &mut text);
    newest(model, &mut text);
    text
}

fn numbers(model: &Model, text: &mut String) {
    let counted = |value: fn(&Activity) -> String| counted(model.activity.as_ref(), value);
    let rows = [
        ["Saved".to_owned(), counted(|it| duration(it.saved))],
        ["Spent".to_owned(), counted(|it| duration(it.spent))],
        ["First hits".to_owned(), counted(|it| count(it.hits))],
        ["Repeats".to_owned(), counted(|it| count(it.repeats))],
        ["Computed".to_owned(), counted(|it| count(it.misses))],
        ["Stored".to_owned(), format!("{}, {}", size(model.stored.bytes), entries(model.stored.entries))],
        [
            format!("Unused for {UNUSED_DAYS} days"),
            format!("{}, {}", size(model.unused.bytes), entries(model.unused.entries)),
        ],
        ["Counted since".to_owned(), model.begin.map_or_else(|| "–".to_owned(), day)],
    ];
    table(text, &["", ""], rows);
    if let Some(hosts) = model.hosts.as_ref().filter(|hosts| !hosts.is_empty()) {
        let _ = writeln!(text, "Counted on {}.\n", escaped(&hosts.join(", ")));
    }
}

/// A dash where nothing was counted: 0 would be a claim.
fn counted(activity: Option<&Activity>, value: fn(&Activity) -> String) -> String {
    activity.map_or_else(|| "–".to_owned(), value)
}

fn shown_names(model: &Model) -> ShownNames {
    ShownNames::among(model.functions.iter().map(|function| function.name.as_str()))
}

fn functions(model: &Model, text: &mut String) {
    text.push_str("## Functions\n\n");
    let names = shown_names(model);
    let row = |function: &FunctionReport| {
        let counted = |value: fn(&Activity) -> String| counted(function.activity.as_ref(), value);
        let stored = function.stored;
        [
            escaped(&names.shown(&function.name)),
            count(stored.entries),
            size(stored.bytes),
            counted(|it| count(it.hits)),
            counted(|it| count(it.misses)),
            counted(|it| duration(it.saved)),
            duration(stored.duration),
            function.used.map_or_else(|| "–".to_owned(), day),
        ]
    };
    let head = ["Function", "Entries", "Size", "Hits", "Computed", "Saved", "Took", "Last used"];
    table(text, &head, model.functions.iter().take(LISTED).map(row));
    tell_more(text, model.functions.len(), "functions");
}

fn misses(model: &Model, text: &mut String) {
    text.push_str("## Misses and why\n\n");
    let names = shown_names(model);
    let mut most: Vec<_> = model.functions.iter().filter(|function| !function.spent().is_zero()).collect();
    most.sort_by(|a, b| (b.spent(), &a.name).cmp(&(a.spent(), &b.name)));
    let row = |function: &FunctionReport| {
        let reasons = function.activity.iter().flat_map(|it| &it.reasons);
        let reasons: Vec<_> = reasons.map(|(reason, misses)| format!("{} {reason}", count(*misses))).collect();
        let why = function.why.as_deref().unwrap_or("–");
        [escaped(&names.shown(&function.name)), duration(function.spent()), escaped(&reasons.join(", ")), escaped(why)]
    };
    table(
        text,
        &["Function", "Spent", "Misses", "Why the newest entry was computed"],
        most.into_iter().take(EXPLAINED).map(row),
    );
}

fn days(model: &Model, text: &mut String) {
    text.push_str("## By day\n\n");
    let older = model.days.len().saturating_sub(LISTED);
    let row = |(date, it): (&jiff::civil::Date, &crate::commands::report::model::Day)| {
        let saved = it.saved.values().fold(std::time::Duration::ZERO, |sum, it| sum.saturating_add(*it));
        let made: u64 = it.made.values().sum();
        let [saved, spent] =
            [saved, it.spent].map(|it| if model.activity.is_some() { duration(it) } else { "–".to_owned() });
        [date.to_string(), saved, spent, count(made)]
    };
    table(text, &["Day", "Saved", "Spent", "Entries made"], model.days.iter().skip(older).map(row));
    if older > 0 {
        let _ = writeln!(text, "and {} earlier days\n", count(older as u64));
    }
}

fn lineage(model: &Model, text: &mut String) {
    if model.lineage.edges.is_empty() {
        return;
    }
    text.push_str("## Lineage\n\n");
    let names = shown_names(model);
    let mut edges: Vec<_> = model.lineage.edges.iter().collect();
    edges.sort_by_key(|edge| (std::cmp::Reverse(edge.bytes), edge.from, edge.to));
    let row = |edge: &&crate::commands::report::model::Edge| {
        let [from, to] = [edge.from, edge.to].map(|at| escaped(&names.shown(model.name(at))));
        [from, to, count(edge.links), size(edge.bytes)]
    };
    table(text, &["From", "To", "Arguments", "Size"], edges.iter().take(LISTED).map(row));
    tell_more(text, edges.len(), "edges");
}

fn newest(model: &Model, text: &mut String) {
    text.push_str("## Newest entries\n\n");
    let names = shown_names(model);
    let row = |row: &crate::commands::report::model::Row| {
        [
            format!("`{}`", &row.key.to_string()[..12]),
            escaped(&names.shown(model.name(row.function))),
            escaped(&row.arguments),
            escaped(&row.result),
            size(row.bytes),
            duration(row.duration),
            day(row.created),
        ]
    };
    let head = ["Key", "Function", "Arguments", "Result", "Size", "Took", "Created"];
    table(text, &head, model.entries.iter().take(LISTED).map(row));
    tell_more(text, model.stored.entries as usize, "entries");
}

fn tell_more(text: &mut String, all: usize, what: &str) {
    if all > LISTED {
        let _ = writeln!(text, "and {} {what} more\n", count((all - LISTED) as u64));
    }
}

fn table<const N: usize>(text: &mut String, head: &[&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let _ = writeln!(text, "| {} |", head.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(N));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text.push('\n');
}

/// A text that is nothing but text in Markdown: every character that may mean something has a backslash.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for char in safe(text).chars() {
        // Brackets of shapes are harmless unless a parenthesis follows, and parentheses are escaped.
        if char.is_ascii_punctuation() && !matches!(char, '.' | ',' | ':' | '-' | '=' | '/' | '[' | ']' | '"' | '\'') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_taken_for_markdown() {
        assert_eq!(escaped("a|b`c<script>[x](y)*_"), "a\\|b\\`c\\<script\\>[x]\\(y\\)\\*\\_");
        assert_eq!(escaped("x=f64[2,3] C\n"), "x=f64[2,3] C\\\\n");
    }
}
