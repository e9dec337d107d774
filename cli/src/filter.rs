//! Which entries are meant by their arguments and by their last use.

use std::time::Duration;

use ndcache::Entry;
use ndcache::inspect::Argument;

use crate::args::Selection;
use crate::exit::{Failure, Outcome};
use crate::text::{now, parse_duration, safe};

/// Conditions that all have to hold.
pub(crate) struct Filter {
    conditions: Vec<Condition>,
    older: Option<Duration>,
}

/// `sigma>1`
struct Condition {
    name: String,
    operator: &'static str,
    value: String,
}

/// The name that stands for each argument.
const ANY: &str = "*";

/// The longer ones first.
const OPERATORS: [&str; 7] = ["<=", ">=", "!=", "=", "<", ">", "~"];

impl Filter {
    pub(crate) fn new(selection: &Selection) -> Outcome<Self> {
        let conditions = selection.conditions.iter().map(|text| Condition::parse(text)).collect::<Outcome<_>>()?;
        let older = selection.older.as_deref().map(parse_duration).transpose()?;
        Ok(Self { conditions, older })
    }

    /// Whether it says anything.
    pub(crate) fn is_any(&self) -> bool {
        !self.conditions.is_empty() || self.older.is_some()
    }

    pub(crate) fn takes(&self, entry: &Entry) -> bool {
        let idle = || now().duration_since(entry.used()).unwrap_or_default();
        self.older.is_none_or(|older| idle() >= older) && self.conditions.iter().all(|condition| condition.holds(entry))
    }
}

impl Condition {
    fn parse(text: &str) -> Outcome<Self> {
        let wrong = || Failure::usage(format!("condition is `{}`, expected such as `sigma>1` or `name=a`", safe(text)));
        let at = text.find(['<', '>', '!', '=', '~']).ok_or_else(wrong)?;
        let operator = OPERATORS.into_iter().find(|operator| text[at..].starts_with(operator)).ok_or_else(wrong)?;
        let (name, value) = (text[..at].trim(), text[at + operator.len()..].trim());
        if name.is_empty() || value.is_empty() {
            return Err(wrong());
        }
        Ok(Self { name: name.to_owned(), operator, value: value.to_owned() })
    }

    /// Whether an argument of this name is so; one that is secret, or of which no text is kept, never is.
    fn holds(&self, entry: &Entry) -> bool {
        let is_meant = |argument: &&Argument| self.name == ANY || argument.name() == self.name;
        entry.arguments().iter().filter(is_meant).any(|argument| self.holds_of(argument))
    }

    fn holds_of(&self, argument: &Argument) -> bool {
        let text = argument.text();
        if text == "(secret)" {
            return false;
        }
        // What `ndcache hash` prints names an array by its content, whatever its text is.
        if self.operator == "=" && self.value.len() == 32 && argument.digest().to_string() == self.value {
            return true;
        }
        if text.is_empty() {
            return false;
        }
        let order = compare(text, &self.value);
        match self.operator {
            "=" => order.is_some_and(|order| order.is_eq()),
            "!=" => order.is_none_or(|order| order.is_ne()),
            "<" => order.is_some_and(|order| order.is_lt()),
            "<=" => order.is_some_and(|order| order.is_le()),
            ">" => order.is_some_and(|order| order.is_gt()),
            ">=" => order.is_some_and(|order| order.is_ge()),
            _ => text.contains(&self.value),
        }
    }
}

/// Numbers as numbers, everything else as text, without its quotes.
fn compare(text: &str, value: &str) -> Option<std::cmp::Ordering> {
    let plain = |text: &str| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).to_owned();
    match (text.parse::<f64>(), value.parse::<f64>()) {
        (Ok(text), Ok(value)) => text.partial_cmp(&value),
        _ => Some(plain(text).cmp(&plain(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_name_an_operator_and_a_value() {
        for (text, name, operator, value) in [
            ("sigma>1", "sigma", ">", "1"),
            ("k >= 2", "k", ">=", "2"),
            ("<T>=f64", "", "", ""),
            ("name=a=b", "name", "=", "a=b"),
            ("x!=3", "x", "!=", "3"),
            ("path~data", "path", "~", "data"),
        ] {
            match Condition::parse(text) {
                Ok(condition) => {
                    assert_eq!((&*condition.name, condition.operator, &*condition.value), (name, operator, value));
                }
                Err(_) => assert_eq!(name, "", "{text}"),
            }
        }
        for text in ["", "sigma", ">1", "sigma>", "!", "x!3"] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        use std::cmp::Ordering::{Equal, Greater, Less};
        assert_eq!(compare("10", "9"), Some(Greater));
        assert_eq!(compare("1.0", "1"), Some(Equal));
        assert_eq!(compare("\"a\"", "a"), Some(Equal));
        assert_eq!(compare("a", "b"), Some(Less));
        assert_eq!(compare("NaN", "1"), None);
    }
}
