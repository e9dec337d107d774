//! `ndcache table`: one row for each call of a function.

mod order;

use std::collections::HashSet;

use ndcache::Entry;
use ndcache::inspect::{StoredArray, Value};
use serde_json::{Map, Value as Json, json};

use crate::args::TableArgs;
use crate::cache;
use crate::entry::{array, function, of_path, scalar, tell, value_json};
use crate::exit::{Exit, Outcome};
use crate::filter::{Filter, quoted, unescaped};
use crate::out::{Out, Style};
use crate::table::cut;
use crate::text::{duration, moment, nanoseconds, rfc3339, safe, width};

/// The longest text of a result in a row.
const ROOM: usize = 40;

/// The narrowest that a column is cut to on a terminal: the digits of a key.
const NARROWEST: usize = 8;

/// A column, with a name that no other one has.
struct Column {
    name: String,
    content: ColumnContent,
}

/// What a column shows of each entry.
#[derive(Clone, PartialEq, Eq, Hash)]
enum ColumnContent {
    Argument(String),
    /// The whole result.
    Result,
    /// A field of the result.
    Field(String),
    Took,
    Created,
    /// The key of the entry.
    Key,
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
    // The oldest first: this is the order in which a table is read, and its values are plotted.
    entries.sort_by_key(|entry| (entry.created(), entry.key()));
    let (rows, columns) = match &args.sort {
        None => {
            shorten(args, &mut entries, true);
            let rows = rows(entries, &mut bad);
            let columns = columns(&rows);
            (rows, columns)
        }
        Some(by) => {
            // What there is to sort by, the results say.
            let mut rows = rows(entries, &mut bad);
            let columns = columns(&rows);
            let is_reversed = order::sort(&mut rows, &columns, by, args.reverse)?;
            shorten(args, &mut rows, !is_reversed);
            (rows, columns)
        }
    };
    if out.common.jsonl {
        rows.iter().try_for_each(|row| out.item(&row.json(&columns)))?;
    } else if out.common.json {
        let rows: Vec<Json> = rows.iter().map(|row| row.json(&columns)).collect();
        out.document(json!({ "folder": cache::place(&memory), "function": function, "rows": rows }))?;
    } else if args.csv {
        out.line(columns.iter().map(|column| csv_field(&column.name)).collect::<Vec<_>>().join(","))?;
        for row in &rows {
            out.line(columns.iter().map(|column| csv_field(&row.plain(column))).collect::<Vec<_>>().join(","))?;
        }
    } else {
        print(&columns, &rows, out)?;
    }
    out.unread(bad);
    Ok(Exit::Fine)
}

/// The rows of entries, as far as they can be read.
fn rows(entries: Vec<Entry>, bad: &mut u64) -> Vec<Row> {
    let row = |entry: Entry| match (entry.value(), entry.arrays()) {
        (Ok(value), Ok(arrays)) => Some(Row { entry, value, arrays }),
        _ => {
            *bad += 1;
            None
        }
    };
    entries.into_iter().filter_map(row).collect()
}

/// Turns a list that is in order, if that is still to be done, and shortens it, as it is asked for.
fn shorten<T>(args: &TableArgs, list: &mut Vec<T>, turns: bool) {
    if args.reverse && turns {
        list.reverse();
    }
    list.truncate(args.count.unwrap_or(usize::MAX));
}

/// The arguments that any call has, in order; then the fields of the results, or the results if not all are structs;
/// then what every entry has. Of those that have one name the first one keeps it.
fn columns(rows: &[Row]) -> Vec<Column> {
    let (mut columns, mut known, mut names) = (Vec::new(), HashSet::new(), HashSet::new());
    let mut add = |content: ColumnContent| {
        if !known.insert(content.clone()) {
            return;
        }
        let (room, name) = match &content {
            ColumnContent::Argument(name) => ("argument", &**name),
            ColumnContent::Field(name) => ("result", &**name),
            ColumnContent::Result => ("entry", "result"),
            ColumnContent::Took => ("entry", "took"),
            ColumnContent::Created => ("entry", "created"),
            ColumnContent::Key => ("entry", "key"),
        };
        let mut name = name.to_owned();
        while !names.insert(name.clone()) {
            name = format!("{room}.{name}");
        }
        columns.push(Column { name, content });
    };
    let arguments = rows.iter().flat_map(|row| row.entry.arguments()).map(|argument| argument.name());
    let mut seen = HashSet::new();
    arguments.filter(|name| seen.insert(*name)).for_each(|name| add(ColumnContent::Argument(name.to_owned())));
    let fields = |row: &Row| match &row.value {
        Value::Map(entries) => entries.iter().map(|(key, _)| field(key)).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    match rows.iter().map(fields).collect::<Option<Vec<_>>>() {
        Some(fields) if !rows.is_empty() => {
            fields.into_iter().flatten().for_each(|name| add(ColumnContent::Field(name)))
        }
        _ => add(ColumnContent::Result),
    }
    [ColumnContent::Took, ColumnContent::Created, ColumnContent::Key].into_iter().for_each(add);
    columns
}

fn field(key: &Value) -> Option<String> {
    match key {
        Value::Text(name) => Some(name.clone()),
        _ => None,
    }
}

impl Row {
    fn value(&self, column: &Column) -> Option<&Value> {
        match (&column.content, &self.value) {
            (ColumnContent::Result, value) => Some(value),
            (ColumnContent::Field(name), Value::Map(entries)) => {
                entries.iter().find(|(key, _)| matches!(key, Value::Text(key) if key == name)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// A cell for programs: numbers in full, texts without quotes, times in seconds.
    fn plain(&self, column: &Column) -> String {
        match &column.content {
            ColumnContent::Argument(name) => self.plain_argument(name).unwrap_or_default(),
            ColumnContent::Took => format!("{:.9}", self.entry.duration().as_secs_f64()),
            ColumnContent::Created => rfc3339(self.entry.created()),
            ColumnContent::Key => self.entry.key().to_string(),
            ColumnContent::Result | ColumnContent::Field(_) => match self.value(column) {
                None | Some(Value::Nil) => String::new(),
                Some(Value::Text(text)) => text.clone(),
                Some(value) => self.in_words(value, usize::MAX),
            },
        }
    }

    fn argument_text(&self, name: &str) -> Option<&str> {
        self.entry.arguments().iter().find(|argument| argument.name() == name).map(|argument| argument.text())
    }

    fn argument(&self, name: &str) -> Option<String> {
        let text = self.argument_text(name)?;
        Some(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).to_owned())
    }

    /// An argument's text; of a string the string itself, without quotes and escapes.
    fn plain_argument(&self, name: &str) -> Option<String> {
        let text = self.argument_text(name)?;
        Some(quoted(text).map_or_else(|| text.to_owned(), unescaped))
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
        match &column.content {
            ColumnContent::Took => duration(self.entry.duration()),
            ColumnContent::Created => moment(self.entry.created()),
            ColumnContent::Key => self.entry.key().to_string()[..8].to_owned(),
            ColumnContent::Argument(name) => self.argument(name).unwrap_or_default(),
            ColumnContent::Result | ColumnContent::Field(_) => {
                self.value(column).map(|value| self.in_words(value, ROOM)).unwrap_or_default()
            }
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
            .filter_map(|column| {
                // Arguments have a place of their own.
                let name = if column.content == ColumnContent::Result { "result" } else { &*column.name };
                self.value(column).map(|value| (name.to_owned(), value_json(value)))
            })
            .collect();
        row.insert("results".to_owned(), results.into());
        row.into()
    }
}

fn print(columns: &[Column], rows: &[Row], out: &mut Out) -> Outcome<()> {
    let mut lines = vec![columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>()];
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
fn csv_field(text: &str) -> String {
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
            assert_eq!(csv_field(text), field);
        }
    }
}
