//! The rows of a table in the order of a column.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::Chars;

use clap::ValueEnum;
use ndcache::inspect::Value;

use super::{Column, ColumnContent, Row};
use crate::args::Sort;
use crate::commands::look::ranking;
use crate::exit::{Failure, Outcome};
use crate::filter::{Number, quoted, unescaped};
use crate::text::{closest, listed, nanoseconds, safe};

/// What a row is ordered by.
enum Rank {
    Number(Number),
    NaN,
    Text(String),
    /// It has no value.
    None,
}

/// Puts rows, of which the oldest is first, into the order of a column, or into one that `ls` has; says whether `reverse`
/// was heeded.
///
/// # Errors
/// Returns a failure when there are rows, and no such column.
pub(super) fn sort(rows: &mut [Row], columns: &[Column], by: &str, reverse: bool) -> Outcome<bool> {
    let Some(column) = columns.iter().find(|column| column.name == by) else {
        match Sort::from_str(by, true) {
            Ok(sort) => ranking::sort_by(rows, sort, |row| &row.entry),
            // Without rows nobody knows which columns there would be.
            Err(_) if rows.is_empty() => {}
            Err(_) => return Err(unknown(columns, by)),
        }
        return Ok(false);
    };
    // As in `ls`: the longest and the newest first.
    let most_first = matches!(column.content, ColumnContent::Took | ColumnContent::Created) != reverse;
    let mut ranks: Vec<(Rank, usize)> = rows.iter().map(|row| row.rank(column)).zip(0..).collect();
    // Of equal ones the oldest is first.
    ranks.sort_by(|(a, _), (b, _)| a.order(b, most_first));
    let mut places = vec![0; ranks.len()];
    ranks.iter().enumerate().for_each(|(place, (_, row))| places[*row] = place);
    // Each exchange puts a row where it belongs.
    for at in 0..rows.len() {
        while places[at] != at {
            let place = places[at];
            rows.swap(at, place);
            places.swap(at, place);
        }
    }
    Ok(true)
}

fn unknown(columns: &[Column], by: &str) -> Failure {
    let names = || columns.iter().map(|column| &*column.name);
    let meant = closest(by, names()).map_or_else(String::new, |close| format!("did you mean `{}`? ", safe(close)));
    Failure::usage(format!("there is no column `{}`: {meant}there are {}", safe(by), listed(names())))
}

impl Row {
    fn rank(&self, column: &Column) -> Rank {
        match &column.content {
            ColumnContent::Argument(name) => Rank::of_text(self.argument_text(name).unwrap_or_default()),
            ColumnContent::Took => Rank::Number(Number::Whole(nanoseconds(self.entry.duration()).into())),
            ColumnContent::Created => {
                let since = self.entry.created().duration_since(std::time::SystemTime::UNIX_EPOCH);
                Rank::Number(Number::Whole(nanoseconds(since.unwrap_or_default()).into()))
            }
            // Its digits as letters: they are no number.
            ColumnContent::Key => Rank::Text(self.entry.key().to_string().chars().filter_map(letter).collect()),
            ColumnContent::Result | ColumnContent::Field(_) => {
                self.value(column).map_or(Rank::None, |value| self.rank_of(value))
            }
        }
    }

    fn rank_of(&self, value: &Value) -> Rank {
        match value {
            Value::Nil => Rank::None,
            Value::Integer(number) => Rank::Number(Number::Whole(*number)),
            Value::Float32(number) => Rank::of_decimal(f64::from(*number)),
            Value::Float64(number) => Rank::of_decimal(*number),
            Value::Text(text) => Rank::Text(text.clone()),
            // That of a `Some`, say.
            Value::List(items) if items.len() == 1 => self.rank_of(&items[0]),
            value => Rank::Text(self.in_words(value, usize::MAX)),
        }
    }
}

impl Rank {
    /// That of an argument with this text.
    fn of_text(text: &str) -> Self {
        let text = text.strip_prefix("Some(").and_then(|text| text.strip_suffix(')')).unwrap_or(text);
        match (quoted(text), Number::parse(text)) {
            (Some(inside), _) => Self::Text(unescaped(inside)),
            (None, Some(Number::Decimal(number))) => Self::of_decimal(number),
            (None, Some(number)) => Self::Number(number),
            (None, None) if matches!(text, "" | "None") => Self::None,
            (None, None) => Self::Text(text.to_owned()),
        }
    }

    fn of_decimal(number: f64) -> Self {
        if number.is_nan() { Self::NaN } else { Self::Number(Number::Decimal(number)) }
    }

    /// Numbers come first, and what has no value last, whatever is first among those.
    fn order(&self, other: &Self, most_first: bool) -> Ordering {
        let class = |rank: &Self| match rank {
            Self::Number(_) => 0,
            Self::NaN => 1,
            Self::Text(_) => 2,
            Self::None => 3,
        };
        let order = match (self, other) {
            (Self::Number(one), Self::Number(other)) => by_value(*one, *other),
            (Self::Text(one), Self::Text(other)) => naturally(one, other),
            _ => return class(self).cmp(&class(other)),
        };
        if most_first { order.reverse() } else { order }
    }
}

/// The letter in the place of a hexadecimal digit.
fn letter(digit: char) -> Option<char> {
    char::from_u32(u32::from('a') + digit.to_digit(16)?)
}

/// Two numbers that aren't NaN. Whole ones are compared exactly; a float that is equal to several comes before them, so that
/// it is an order.
fn by_value(one: Number, other: Number) -> Ordering {
    let order = one.decimal().partial_cmp(&other.decimal()).unwrap_or(Ordering::Equal);
    order.then_with(|| match (one, other) {
        (Number::Whole(one), Number::Whole(other)) => one.cmp(&other),
        (Number::Whole(_), Number::Decimal(_)) => Ordering::Greater,
        (Number::Decimal(_), Number::Whole(_)) => Ordering::Less,
        (Number::Decimal(_), Number::Decimal(_)) => Ordering::Equal,
    })
}

/// Two texts as people order them: `run9` before `run10`.
fn naturally(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one.chars().peekable(), other.chars().peekable());
    loop {
        let order = match (left.peek().copied(), right.peek().copied()) {
            (None, None) => return one.cmp(other),
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (a, b) = (digits(&mut left), digits(&mut right));
                // Without zeros before them the longer ones are more.
                a.len().cmp(&b.len()).then(a.cmp(&b))
            }
            (a, b) => {
                left.next();
                right.next();
                a.cmp(&b)
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Takes the digits that come next, and returns them without zeros before them.
fn digits(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        if digit != '0' || !digits.is_empty() {
            digits.push(digit);
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_naturally() {
        let mut texts = ["run10", "run9", "run", "a", "run09", "f64[10, 3]", "f64[9, 30]", "größe", "run9b", ""];
        texts.sort_by(|a, b| naturally(a, b));
        assert_eq!(texts, ["", "a", "f64[9, 30]", "f64[10, 3]", "größe", "run", "run09", "run9", "run9b", "run10"]);
        let long = ["99999999999999999999999999", "100000000000000000000000000"];
        assert_eq!(naturally(long[0], long[1]), Ordering::Less);
    }

    #[test]
    fn numbers_go_by_value_and_whole_ones_exactly() {
        let texts = ["-inf", "-3", "-0.5", "0", "2.5", "10", "1e3", "9007199254740992", "9007199254740993", "inf"];
        let texts = texts.map(Rank::of_text);
        for (at, one) in texts.iter().enumerate() {
            for (place, other) in texts.iter().enumerate() {
                assert_eq!(one.order(other, false), at.cmp(&place));
                assert_eq!(one.order(other, true), place.cmp(&at));
            }
        }
    }

    #[test]
    fn what_has_no_value_is_last_either_way() {
        for most_first in [false, true] {
            let mut ranks = ["None", "abc", "NaN", "", "'7'", "Some(8)"].map(Rank::of_text);
            ranks.sort_by(|a, b| a.order(b, most_first));
            assert!(matches!(ranks[0], Rank::Number(_)) && matches!(ranks[1], Rank::NaN));
            assert!(matches!((&ranks[2], &ranks[3]), (Rank::Text(_), Rank::Text(_))), "'7' is a text");
            assert!(matches!((&ranks[4], &ranks[5]), (Rank::None, Rank::None)));
        }
    }
}
