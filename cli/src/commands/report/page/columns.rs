//! The entries for the page's table: columns, deflated.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::commands::report::model::{Model, Row};
use crate::commands::report::png::{base64, deflated};
use crate::text::{nanoseconds, safe};

/// How many digits of a key find its entry.
pub(crate) const DIGITS: usize = 12;

/// Zlib's bytes of a JSON document, as base64.
pub(crate) fn columns(model: &Model) -> String {
    let rows = &model.entries;
    let keys: String = rows.iter().map(|row| row.key.to_string()[..DIGITS].to_owned()).collect();
    let functions: Vec<_> = model.functions.iter().map(|function| safe(&function.name)).collect();
    let (results, texts) = distinct(rows.iter().map(|row| &*row.result));
    let document = json!({
        "digits": DIGITS,
        "keys": keys,
        "functions": functions,
        "function": numbers(rows, |row| row.function as u64),
        "arguments": rows.iter().map(|row| safe(&row.arguments)).collect::<Vec<_>>(),
        "results": texts.iter().map(|text| safe(text)).collect::<Vec<_>>(),
        "result": results,
        "bytes": numbers(rows, |row| row.bytes),
        "took": numbers(rows, |row| nanoseconds(row.duration)),
        "created": numbers(rows, |row| seconds(row.created)),
        "used": numbers(rows, |row| seconds(row.used)),
    });
    base64(&deflated(document.to_string().as_bytes()))
}

fn numbers(rows: &[Row], value: fn(&Row) -> u64) -> Vec<u64> {
    rows.iter().map(value).collect()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The place of each text among the distinct ones, and these.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> (Vec<usize>, Vec<&'a str>) {
    let (mut known, mut all): (HashMap<&str, usize>, Vec<&str>) = (HashMap::new(), Vec::new());
    let place = |text| {
        *known.entry(text).or_insert_with(|| {
            all.push(text);
            all.len() - 1
        })
    };
    (texts.map(place).collect(), all)
}
