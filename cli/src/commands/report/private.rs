//! What a report shows of texts that may be private.

use ndcache::Entry;
use ndcache::explain::{Explanation, Reason};
use ndcache::inspect::{Argument, StoredArray, Value};

use crate::entry::{array, tell};

/// The longest text of arguments, and of a result.
const LONGEST: usize = 160;

/// Stands for a text that isn't shown.
const HIDDEN: &str = "…";

/// Whether texts of arguments and results are shown; if not, a result is described by its kind.
#[derive(Clone, Copy)]
pub(crate) struct Texts(pub(crate) bool);

impl Texts {
    /// `x=f64[256, 256] C, sigma=1.5`, or `x=f64[256, 256] C, sigma=…`
    pub(crate) fn arguments(self, entry: &Entry) -> String {
        let texts: Vec<_> = entry.arguments().iter().map(|argument| self.argument(argument)).collect();
        shortened(&texts.join(", "))
    }

    fn argument(self, argument: &Argument) -> String {
        let is_plain = argument.text().is_empty() || argument.text() == "(secret)" || is_array(argument.text());
        if self.0 || is_plain { argument.to_string() } else { format!("{}={HIDDEN}", argument.name()) }
    }

    /// `{weights: f64[3], best: 7}`, or `a map of 2: f64[3]`
    pub(crate) fn result(self, value: &Value, arrays: &[StoredArray]) -> String {
        if self.0 {
            let mut text = String::new();
            tell(value, arrays, LONGEST, &mut text);
            return shortened(&text);
        }
        kind(value, arrays)
    }

    /// ``argument `k`: 10 → 12``, or ``argument `k` ``
    pub(crate) fn why(self, explanation: &Explanation) -> String {
        match explanation.reason() {
            _ if self.0 => shortened(&explanation.to_string()),
            Reason::Argument(differences) if !differences.is_empty() => {
                let mut names: Vec<_> = differences.iter().map(|it| format!("`{}`", it.name)).collect();
                names.dedup();
                let plural = if names.len() == 1 { "" } else { "s" };
                shortened(&format!("argument{plural} {}", names.join(", ")))
            }
            reason => reason.name().to_owned(),
        }
    }
}

/// The kind of a value; of its content only lengths, and the dtypes and shapes of arrays.
fn kind(value: &Value, arrays: &[StoredArray]) -> String {
    let with_arrays = |what: String| {
        let shown: Vec<_> = arrays.iter().take(3).map(array).collect();
        let more = if arrays.len() > shown.len() { ", …" } else { "" };
        if shown.is_empty() { what } else { format!("{what}: {}{more}", shown.join(", ")) }
    };
    match value {
        Value::Nil => "none".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Integer(_) => "integer".to_owned(),
        Value::Float32(_) | Value::Float64(_) => "float".to_owned(),
        Value::Text(_) => "text".to_owned(),
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Value::Pickle { .. } => "a pickle".to_owned(),
        Value::Array(index) => arrays.get(*index).map_or_else(|| "array".to_owned(), array),
        Value::List(items) => with_arrays(format!("a list of {}", items.len())),
        Value::Map(items) => with_arrays(format!("a map of {}", items.len())),
        _ => HIDDEN.to_owned(),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Whether a text can only be that of an array: `f64[1797, 64] C`. The text of a string has quotes.
fn is_array(text: &str) -> bool {
    let array = ["C", "F", "strided"].iter().find_map(|order| text.strip_suffix(order)?.strip_suffix("] "));
    let Some((dtype, shape)) = array.and_then(|array| array.split_once('[')) else { return false };
    let real = ["bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "f32", "f64"];
    let is_dtype = real.contains(&dtype) || ["Complex<f32>", "Complex<f64>"].contains(&dtype);
    let is_shape = shape.bytes().all(|byte| byte.is_ascii_digit() || byte == b',' || byte == b' ');
    is_dtype && is_shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_not_be_private_is_taken_for_an_array() {
        for text in ["f64[2, 3] C", "bool[] F", "Complex<f64>[5] strided"] {
            assert!(is_array(text), "{text}");
        }
        for text in ["", "1.5", "\"f64[2] C\"", "name[2] C", "f64[2; secret] C", "f64[2] D", "f64 C", "x f64[2] C"] {
            assert!(!is_array(text), "{text}");
        }
    }

    #[test]
    fn a_hidden_value_shows_its_kind_alone() {
        let text = || Value::Text("private".to_owned());
        let map = Value::Map(vec![(text(), text())]);
        for (value, shown) in [
            (text(), "text"),
            (Value::List(vec![text(), Value::Nil]), "a list of 2"),
            (map, "a map of 1"),
            (Value::Float64(1.5), "float"),
            (Value::Bytes(vec![1, 2]), "2 bytes"),
        ] {
            assert_eq!(Texts(false).result(&value, &[]), shown);
        }
        assert_eq!(Texts(true).result(&text(), &[]), "\"private\"");
    }
}
