//! `ndcache table`: one row for each call of a function.

use std::collections::{BTreeSet, HashSet};

use ndcache::Entry;
use ndcache::inspect::{StoredArray, Value};
use serde_json::{Map, Value as Json, json};

use crate::args::TableArgs;
use crate::cache;
use crate::commands::look::ranking::sort;
use crate::entry::{array, function, of_path, scalar, tell, value_json};
use crate::exit::{Exit, Outcome};
use crate::filter::{Filter, unescaped};
use crate::out::{Out, Style};
use crate::table::cut;
use crate::text::{duration, moment, nanoseconds, rfc3339, safe, width};

/// The longest text of a result in a row.
const ROOM: usize = 40;

/// The narrowest that a column is cut to on a terminal: the digits of a key.
const NARROWEST: usize = 8;

/// What a column is of.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Column {
    Argument(String),
    /// The whole result.
    Result,
    /// A field of the result, and whether an argument has the same name.
    Field(String, bool),
    Took,
    Created,
    /// The key of the entry, and whether an argument is named `key`.
    Key(bool),
}

struct Row {
    entry: Entry,
    value: Value,
    arrays: Vec<StoredArray>,
}

pub(crate) fn run(args: &TableArgs, out: &mut Out) -> Outcome {
    let mut filter = Filter::new(&args.selection)?;
    let memory = cache::for_reading(out)?;
    let mut bad = 0;
    let function = function(&memory, &args.function)?;
    let mut entries = of_path(&memory, &function, &mut |_| bad += 1);
    filter.apply(&mut entries)?;
    match args.order.sort {
        // The oldest first: this is the order in which a table is read, and its values are plotted.
        None => entries.sort_by_key(|entry| (entry.created(), entry.key())),
        Some(by) => sort(&mut entries, by),
    }
    args.order.finish(&mut entries);
    let mut rows = Vec::new();
    for entry in entries {
        match (entry.value(), entry.arrays()) {
            (Ok(value), Ok(arrays)) => rows.push(Row { entry, value, arrays }),
            _ => bad += 1,
        }
    }
    let columns = columns(&rows);
    if out.common.jsonl {
        rows.iter().try_for_each(|row| out.item(&row.json(&columns)))?;
    } else if out.common.json {
        let rows: Vec<Json> = rows.iter().map(|row| row.json(&columns)).collect();
        out.document(json!({ "folder": cache::place(&memory), "function": function, "rows": rows }))?;
    } else if args.csv {
        out.line(columns.iter().map(|column| quoted(&column.name())).collect::<Vec<_>>().join(","))?;
        for row in &rows {
            out.line(columns.iter().map(|column| quoted(&row.plain(column))).collect::<Vec<_>>().join(","))?;
        }
    } else {
        print(&columns, &rows, out)?;
    }
    out.unread(bad);
    Ok(Exit::Fine)
}

/// The arguments that any call has, in order; then the fields of the results, or the results if not all are structs;
/// then what every entry has.
fn columns(rows: &[Row]) -> Vec<Column> {
    let (mut columns, mut known) = (Vec::new(), HashSet::new());
    let mut add = |column: Column| {
        if known.insert(column.clone()) {
            columns.push(column);
        }
    };
    let names = || rows.iter().flat_map(|row| row.entry.arguments()).map(|argument| argument.name());
    let taken: BTreeSet<&str> = names().collect();
    let mut seen = HashSet::new();
    names().filter(|name| seen.insert(*name)).for_each(|name| add(Column::Argument(name.to_owned())));
    let fields = |row: &Row| match &row.value {
        Value::Map(entries) => entries.iter().map(|(key, _)| field(key)).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    match rows.iter().map(fields).collect::<Option<Vec<_>>>() {
        Some(fields) if !rows.is_empty() => fields.into_iter().flatten().for_each(|name| {
            let is_taken = taken.contains(name.as_str());
            add(Column::Field(name, is_taken));
        }),
        _ => add(Column::Result),
    }
    add(Column::Took);
    add(Column::Created);
    add(Column::Key(taken.contains("key")));
    columns
}

fn field(key: &Value) -> Option<String> {
    match key {
        Value::Text(name) => Some(name.clone()),
        _ => None,
    }
}

impl Column {
    fn name(&self) -> String {
        match self {
            Self::Field(name, true) => format!("result.{name}"),
            Self::Argument(name) | Self::Field(name, false) => name.clone(),
            Self::Result => "result".to_owned(),
            Self::Took => "took".to_owned(),
            Self::Created => "created".to_owned(),
            Self::Key(false) => "key".to_owned(),
            Self::Key(true) => "entry.key".to_owned(),
        }
    }
}

impl Row {
    fn value(&self, column: &Column) -> Option<&Value> {
        match (column, &self.value) {
            (Column::Result, value) => Some(value),
            (Column::Field(name, _), Value::Map(entries)) => {
                entries.iter().find(|(key, _)| matches!(key, Value::Text(key) if key == name)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// A cell for programs: numbers in full, texts without quotes, times in seconds.
    fn plain(&self, column: &Column) -> String {
        match column {
            Column::Argument(name) => self.plain_argument(name).unwrap_or_default(),
            Column::Took => format!("{:.9}", self.entry.duration().as_secs_f64()),
            Column::Created => rfc3339(self.entry.created()),
            Column::Key(_) => self.entry.key().to_string(),
            column => match self.value(column) {
                None | Some(Value::Nil) => String::new(),
                Some(Value::Text(text)) => text.clone(),
                Some(value) => self.in_words(value, usize::MAX),
            },
        }
    }

    fn argument(&self, name: &str) -> Option<String> {
        let argument = self.entry.arguments().iter().find(|argument| argument.name() == name)?;
        let text = argument.text();
        Some(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).to_owned())
    }

    /// An argument's text; of a string the string itself, without quotes and escapes.
    fn plain_argument(&self, name: &str) -> Option<String> {
        let argument = self.entry.arguments().iter().find(|argument| argument.name() == name)?;
        let text = argument.text();
        let inside = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
        Some(inside('"').or_else(|| inside('\'')).map_or_else(|| text.to_owned(), unescaped))
    }

    fn in_words(&self, value: &Value, room: usize) -> String {
        match value {
            Value::Array(index) => self.arrays.get(*index).map_or_else(|| "array".to_owned(), array),
            Value::List(_) | Value::Map(_) => {
                let mut text = String::new();
                tell(value, &self.arrays, room, &mut text);
                text
            }
            value => scalar(value, room),
        }
    }

    fn cell(&self, column: &Column) -> String {
        match column {
            Column::Took => duration(self.entry.duration()),
            Column::Created => moment(self.entry.created()),
            Column::Key(_) => self.entry.key().to_string()[..8].to_owned(),
            Column::Argument(name) => self.argument(name).unwrap_or_default(),
            column => self.value(column).map(|value| self.in_words(value, ROOM)).unwrap_or_default(),
        }
    }

    fn json(&self, columns: &[Column]) -> Json {
        let mut row = Map::new();
        row.insert("key".to_owned(), json!(self.entry.key().to_string()));
        row.insert("duration_ns".to_owned(), json!(nanoseconds(self.entry.duration())));
        row.insert("created".to_owned(), json!(rfc3339(self.entry.created())));
        let arguments: Map<_, _> =
            self.entry.arguments().iter().map(|it| (it.name().to_owned(), json!(it.text()))).collect();
        row.insert("arguments".to_owned(), arguments.into());
        let results: Map<_, _> = columns
            .iter()
            .filter_map(|column| self.value(column).map(|value| (column.name(), value_json(value))))
            .collect();
        row.insert("results".to_owned(), results.into());
        row.into()
    }
}

fn print(columns: &[Column], rows: &[Row], out: &mut Out) -> Outcome<()> {
    let mut lines = vec![columns.iter().map(Column::name).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|column| row.cell(column)).collect()));
    let lines: Vec<Vec<String>> =
        lines.into_iter().map(|line| line.iter().map(|cell| safe(cell).into_owned()).collect()).collect();
    let widest = |at: usize| lines.iter().map(|line| width(&line[at])).max().unwrap_or(0);
    let natural: Vec<usize> = (0..columns.len()).map(widest).collect();
    let widths = match out.width() {
        Some(room) => fitted(natural, room),
        None => natural,
    };
    for (at, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).map(|(cell, &most)| {
            let cell = cut(cell, most);
            format!("{cell}{}", " ".repeat(most.saturating_sub(width(&cell))))
        });
        let text = cells.collect::<Vec<_>>().join("  ");
        let text = text.trim_end();
        out.line(if at == 0 { out.styled(Style::Head, text) } else { text.to_owned() })?;
    }
    Ok(())
}

/// Cuts columns, the widest first, until the table is no wider than `room` or no column can be cut further.
fn fitted(mut widths: Vec<usize>, room: usize) -> Vec<usize> {
    let between = 2 * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + between > room {
        let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > NARROWEST) else { break };
        *widest -= 1;
    }
    widths
}

/// A field of a CSV, by RFC 4180, in one line. A text that a spreadsheet would take for a formula gets a `'` before it.
fn quoted(text: &str) -> String {
    let text = &*safe(text);
    let is_formula = text.starts_with(['=', '+', '@']) || text.starts_with('-') && text.parse::<f64>().is_err();
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_columns_are_cut_first() {
        assert_eq!(fitted(vec![4, 30, 10], 100), [4, 30, 10]);
        assert_eq!(fitted(vec![4, 30, 10], 30), [4, 12, 10]);
        assert_eq!(fitted(vec![4, 30, 10], 3), [4, 8, 8]);
        assert_eq!(fitted(Vec::new(), 3), [0; 0]);
    }

    #[test]
    fn a_field_is_quoted_where_it_has_to_be() {
        for (text, field) in [
            ("a", "a"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "a\\nb"),
            ("=1+1", "'=1+1"),
            ("-1.5", "-1.5"),
            ("-x", "'-x"),
        ] {
            assert_eq!(quoted(text), field);
        }
    }
}
