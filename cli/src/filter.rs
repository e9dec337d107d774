//! Which entries are meant by their arguments and by their last use.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::Duration;

use ndcache::Entry;
use ndcache::inspect::Argument;

use crate::args::Selection;
use crate::exit::{Failure, Outcome};
use crate::text::{closest, listed, now, parse_duration, safe};

/// Conditions that all have to hold.
pub(crate) struct Filter {
    conditions: Vec<Condition>,
    older: Option<Duration>,
    /// The names of the arguments of the entries that were looked at.
    names: BTreeSet<String>,
}

/// `sigma>1`
struct Condition {
    /// The condition as it was given.
    text: String,
    name: String,
    operator: &'static str,
    value: Operand,
    met: Met,
}

/// What the arguments were like that a condition was held against: a condition that no argument could have met is a
/// mistake, and is reported as one.
#[derive(Default)]
struct Met {
    /// One had the name.
    named: bool,
    /// One could be compared with the value.
    compared: bool,
    /// One is equal to the value, or holds it.
    equal: bool,
    /// The texts of one that couldn't be compared.
    other: Option<String>,
    /// The digests that begin with the value.
    digests: BTreeSet<String>,
}

/// What arguments are compared with.
struct Operand {
    /// Without its quotes.
    text: String,
    /// It had quotes, and so means a text.
    quoted: bool,
    number: Option<Number>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Whole(i128),
    Decimal(f64),
}

/// The name that stands for each argument.
const ANY: &str = "*";

/// The longer ones first.
const OPERATORS: [&str; 8] = ["<=", ">=", "!=", "==", "=", "<", ">", "~"];

/// What operators are made of.
const MARKS: [char; 5] = ['<', '>', '!', '=', '~'];

/// Words that are values beside numbers.
const WORDS: [&str; 5] = ["None", "true", "false", "True", "False"];

/// The text of an argument that is secret.
const SECRET: &str = "(secret)";

/// What a text ends with that was too long to be kept.
const CUT: char = '…';

/// The fewest digits by which an array is named, as for keys.
const DIGITS: usize = 4;

/// The digits of a digest.
const DIGEST: usize = 32;

impl Filter {
    pub(crate) fn new(selection: &Selection) -> Outcome<Self> {
        let conditions = selection.conditions.iter().map(|text| Condition::parse(text)).collect::<Outcome<_>>()?;
        let older = selection.older.as_deref().map(parse_duration).transpose()?;
        Ok(Self { conditions, older, names: BTreeSet::new() })
    }

    /// Whether it says anything.
    pub(crate) fn is_any(&self) -> bool {
        !self.conditions.is_empty() || self.older.is_some()
    }

    /// Keeps those of all entries in question that it takes.
    ///
    /// # Errors
    /// Returns a failure as [`check`](Self::check) does.
    pub(crate) fn apply(&mut self, entries: &mut Vec<Entry>) -> Outcome<()> {
        entries.retain(|entry| self.takes(entry));
        self.check()
    }

    pub(crate) fn takes(&mut self, entry: &Entry) -> bool {
        if self.conditions.is_empty() && self.older.is_none() {
            return true;
        }
        for argument in entry.arguments() {
            if !self.names.contains(argument.name()) {
                self.names.insert(argument.name().to_owned());
            }
        }
        // Each condition sees every entry, so that it knows whether any could meet it.
        let missed = self.conditions.iter_mut().filter_map(|condition| (!condition.holds(entry)).then_some(())).count();
        let idle = || now().duration_since(entry.used()).unwrap_or_default();
        missed == 0 && self.older.is_none_or(|older| idle() >= older)
    }

    /// Says whether the conditions make sense for the entries that were looked at.
    ///
    /// # Errors
    /// Returns a failure when no entry has an argument of the name, when none can be compared with the value, when the
    /// value has a `*` that nothing is equal to, and when the digits of an array are those of several.
    pub(crate) fn check(&self) -> Outcome<()> {
        match self.names.is_empty() {
            true => Ok(()),
            false => self.conditions.iter().try_for_each(|condition| condition.check(&self.names)),
        }
    }
}

impl Condition {
    fn parse(text: &str) -> Outcome<Self> {
        let wrong = || {
            let expected = "an argument's name, one of `=`, `!=`, `<`, `<=`, `>`, `>=` and `~`, and a value, such as \
                            `sigma>1` or `name=a`, or `*~a` for any argument with `a` in it; quotes go around a value \
                            that begins with one of these signs";
            Failure::usage(format!("condition is `{}`, expected {expected}", safe(text)))
        };
        let at = text.find(MARKS).ok_or_else(wrong)?;
        let operator = OPERATORS.into_iter().find(|operator| text[at..].starts_with(operator)).ok_or_else(wrong)?;
        let (name, value) = (text[..at].trim(), text[at + operator.len()..].trim());
        if name.is_empty() || value.is_empty() || value.starts_with(MARKS) {
            return Err(wrong());
        }
        let operator = if operator == "==" { "=" } else { operator };
        let (text, name) = (text.to_owned(), name.to_owned());
        Ok(Self { text, name, operator, value: Operand::parse(value), met: Met::default() })
    }

    /// Whether an argument of this name meets the condition. One that is secret, or whose text isn't kept, never does.
    /// For `!=` no argument of the name may be equal, or have a text that was cut off and might be.
    fn holds(&mut self, entry: &Entry) -> bool {
        let Self { name, operator, value, met, .. } = self;
        let (mut yes, mut no) = (false, false);
        // Among any arguments a word may be looked for.
        met.compared |= name == ANY && matches!(*operator, "=" | "!=");
        for argument in entry.arguments().iter().filter(|argument| name == ANY || argument.name() == name) {
            met.named = true;
            match argument.text() == SECRET {
                true => met.compared = true,
                false => match met.holds(argument, operator, value) {
                    Some(true) => yes = true,
                    Some(false) => no = true,
                    None => no |= *operator == "!=" && !argument.text().is_empty(),
                },
            }
        }
        if *operator == "!=" { yes && !no } else { yes }
    }

    fn check(&self, names: &BTreeSet<String>) -> Outcome<()> {
        let (met, name, value) = (&self.met, safe(&self.name), safe(&self.value.text));
        let wrong = |what: String| Err(Failure::usage(format!("condition `{}`: {what}", safe(&self.text))));
        if !met.named && self.name != ANY {
            let meant = match closest(&self.name, names.iter().map(String::as_str)) {
                Some(close) => format!("did you mean `{}`?", safe(close)),
                None => format!("there are {}", listed(names)),
            };
            return wrong(format!("no entry has an argument `{name}`: {meant}"));
        }
        if !met.compared {
            let such = met.other.as_ref().map_or_else(String::new, |other| format!(", such as `{}`", safe(other)));
            return wrong(format!("`{value}` can't be compared with any of these{such}"));
        }
        if self.value.text.contains('*') && !self.value.quoted && !met.equal {
            return wrong(format!(
                "nothing is `{value}`, and `*` stands for nothing in a value: `{name}~part` finds texts"
            ));
        }
        if met.digests.len() > 1 {
            let count = met.digests.len();
            return wrong(format!("`{value}` is the beginning of {count} digests: {}", listed(&met.digests)));
        }
        Ok(())
    }
}

impl Met {
    /// Whether an argument meets a condition; `None` if that isn't known.
    fn holds(&mut self, argument: &Argument, operator: &str, value: &Operand) -> Option<bool> {
        let text = argument.text();
        let holds = match operator {
            "=" | "!=" => {
                let equal = self.equals(argument, value);
                // A word is no number: if there are only numbers, something else was meant.
                let is_number = value.is_word() && Number::parse(text).is_some();
                if is_number {
                    self.other.get_or_insert_with(|| text.to_owned());
                }
                self.compared |= !is_number || equal == Some(true);
                return if operator == "=" { equal } else { equal.map(|equal| !equal) };
            }
            "~" => {
                let found = text.contains(&value.text) || unescaped(plain(text)).contains(&value.text);
                self.equal |= found;
                Some(found)
            }
            operator => {
                let Some(order) = value.order(text) else {
                    self.compared |= text.is_empty();
                    self.other.get_or_insert_with(|| text.to_owned());
                    return None;
                };
                Some(order.is_some_and(|order| match operator {
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                }))
            }
        };
        self.compared = true;
        holds
    }

    fn equals(&mut self, argument: &Argument, value: &Operand) -> Option<bool> {
        let (text, digest) = (argument.text(), argument.digest().to_string());
        // What `ndcache hash` prints names an array by its content, whatever its text is; digits of it where the text is
        // no value, that might have them.
        let enough = if is_array(text) { DIGITS } else { DIGEST };
        let named = value.text.len() >= enough && digest.starts_with(&value.text.to_ascii_lowercase());
        if named && value.text.len() < DIGEST {
            self.digests.insert(digest);
        }
        let equal = if named { Some(true) } else { value.is(text) };
        self.equal |= equal == Some(true);
        equal
    }
}

impl Operand {
    fn parse(text: &str) -> Self {
        let inside = quoted(text);
        let number = if inside.is_none() { Number::parse(text) } else { None };
        Self { text: inside.unwrap_or(text).to_owned(), quoted: inside.is_some(), number }
    }

    /// Whether it is a word that stands for no value of its own, and can't be digits of a digest.
    fn is_word(&self) -> bool {
        let is_digest = self.text.len() >= DIGITS && self.text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_value = self.number.is_some() || WORDS.contains(&&*self.text);
        !self.quoted && !is_value && !is_digest && self.text.starts_with(char::is_alphabetic)
    }

    /// Whether it is the value with this text; `None` if the text doesn't say.
    fn is(&self, text: &str) -> Option<bool> {
        if text.is_empty() {
            return (self.text.len() == DIGEST).then_some(false);
        }
        if let Some(known) = known(text) {
            let may_be = self.text.starts_with(known) || self.text.starts_with(&unescaped(known));
            return if may_be { None } else { Some(false) };
        }
        if let (Some(mine), Some(number)) = (self.number, Number::parse(text)) {
            return Some(mine.is(number));
        }
        if self.quoted && quoted(text).is_none() {
            return Some(false);
        }
        let is_same = |text: &str| text == self.text;
        let spaceless = || is_array(text) && text.replace(' ', "") == self.text.replace(' ', "");
        Some(is_same(plain(text)) || is_same(&unescaped(plain(text))) || spaceless())
    }

    /// How a value of this text compares with it: numbers as numbers, everything else as text. `None` if the one is a
    /// number and the other isn't, or it is an array; and inside if it isn't known, or nothing compares with a NaN.
    fn order(&self, text: &str) -> Option<Option<Ordering>> {
        if text.is_empty() || is_array(text) {
            return None;
        }
        if let Some(known) = known(text) {
            let order = known.cmp(&self.text);
            return Some((!self.text.starts_with(known)).then_some(order));
        }
        match (Number::parse(text), self.number) {
            (Some(text), Some(number)) => Some(text.order(number)),
            (None, None) => Some(Some(unescaped(plain(text)).as_str().cmp(&self.text))),
            // What is in quotes is a text, digits or not.
            (None, Some(_)) if quoted(text).is_some() => Some(Some(plain(text).cmp(&self.text))),
            _ => None,
        }
    }
}

impl Number {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let whole = text.parse().ok().map(Self::Whole);
        whole.or_else(|| text.parse().ok().map(Self::Decimal))
    }

    pub(crate) fn decimal(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Decimal(number) => number,
        }
    }

    /// Whole numbers are compared exactly: a float hasn't enough digits for all of them.
    fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => Some(one.cmp(&other)),
            (one, other) => one.decimal().partial_cmp(&other.decimal()),
        }
    }

    fn is(self, other: Self) -> bool {
        let both_nan = self.decimal().is_nan() && other.decimal().is_nan();
        both_nan || self.order(other).is_some_and(Ordering::is_eq)
    }
}

/// What is between the quotes of a text that has them.
pub(crate) fn quoted(text: &str) -> Option<&str> {
    let between = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    between('"').or_else(|| between('\''))
}

/// The beginning of a text of which not all was kept; `None` if all was.
fn known(text: &str) -> Option<&str> {
    let is_whole = quoted(text).is_some();
    let (known, _) = text.split_once(CUT).filter(|_| !is_whole)?;
    Some(known.strip_prefix(['"', '\'']).unwrap_or(known))
}

fn plain(text: &str) -> &str {
    quoted(text).unwrap_or(text)
}

/// A text without the escapes that it is kept with.
pub(crate) fn unescaped(text: &str) -> String {
    let (mut plain, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some('r') => plain.push('\r'),
                Some('t') => plain.push('\t'),
                Some('0') => plain.push('\0'),
                Some(escaped @ ('\\' | '"' | '\'')) => plain.push(escaped),
                other => plain.extend(['\\'].into_iter().chain(other)),
            },
            char => plain.push(char),
        }
    }
    plain
}

/// Whether a text is an array's: `f64[10, 8] F`.
pub(crate) fn is_array(text: &str) -> bool {
    let Some((dtype, rest)) = text.split_once('[') else { return false };
    let shape = rest.split_once(']').map_or("", |(shape, _)| shape);
    let is_shape = rest.contains(']') && shape.chars().all(|char| char.is_ascii_digit() || matches!(char, ',' | ' '));
    is_shape && !dtype.is_empty() && dtype.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.'))
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
            ("x==3", "x", "=", "3"),
            ("path~data", "path", "~", "data"),
            ("name='<lambda>'", "name", "=", "<lambda>"),
            ("name=''", "name", "=", ""),
        ] {
            match Condition::parse(text) {
                Ok(condition) => {
                    assert_eq!((&*condition.name, condition.operator, &*condition.value.text), (name, operator, value));
                }
                Err(_) => assert_eq!(name, "", "{text}"),
            }
        }
        for text in ["", "sigma", ">1", "sigma>", "!", "x!3", "x=>1", "x=<1", "x<>1", "x=~a", "x===1", "x= >1", "x!~a"]
        {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_with_numbers_alone() {
        use Ordering::{Equal, Greater, Less};
        let order = |text: &str, value: &str| Operand::parse(value).order(text);
        assert_eq!(order("10", "9"), Some(Some(Greater)));
        assert_eq!(order("1.0", "1"), Some(Some(Equal)));
        assert_eq!(order("18446744073709551615", "18446744073709551614"), Some(Some(Greater)));
        assert_eq!(order("NaN", "1"), Some(None));
        assert_eq!((order("'b'", "a"), order("\"b\"", "'c'")), (Some(Some(Greater)), Some(Some(Less))));
        assert_eq!(order("'2026-01-01'", "2026"), Some(Some(Greater)), "a text with digits is a text");
        assert_eq!((order("0.5", "abc"), order("abc", "0.5")), (None, None));
        assert_eq!((order("0.5", "'0.4'"), order("f64[3] C", "a"), order("", "1")), (None, None, None));
        assert_eq!((order("'abc…", "abcd"), order("'abc…", "abd")), (Some(None), Some(Some(Less))));
    }

    #[test]
    fn a_text_is_itself_with_and_without_its_quotes() {
        let is = |text: &str, value: &str| Operand::parse(value).is(text);
        for (text, value) in [
            ("'data/a.npy'", "data/a.npy"),
            ("'data/a.npy'", "'data/a.npy'"),
            ("'data/a.npy'", "\"data/a.npy\""),
            ("\"größe\"", "größe"),
            ("\"a\\\"b\"", "a\"b"),
            ("'it\\'s'", "it's"),
            ("\"it's\"", "it's"),
            ("0.5", "0.50"),
            ("NaN", "nan"),
            ("True", "True"),
            ("f64[10, 8] F", "f64[10,8] F"),
            ("''", "''"),
        ] {
            assert_eq!(is(text, value), Some(true), "{text} {value}");
        }
        for (text, value) in [
            ("'data/a.npy'", "data/b.npy"),
            ("1", "'1'"),
            ("18446744073709551615", "18446744073709551614"),
            ("0.5", "abc"),
            ("'abc…", "abd"),
            ("''", "'a'"),
        ] {
            assert_eq!(is(text, value), Some(false), "{text} {value}");
        }
        assert_eq!((is("'abc…", "abcd"), is("[1, …]", "[1, 2]"), is("", "a")), (None, None, None), "nobody knows");
        assert_eq!(is("'a…b'", "a…b"), Some(true), "all of it is there");
    }

    #[test]
    fn arrays_are_told_from_other_texts() {
        for text in ["f64[10, 8] F", "float64[64,512]", "u8[99]", "np.float64[3]", "f64[] C"] {
            assert!(is_array(text), "{text}");
        }
        for text in ["", "1", "'f64[3]'", "[1, 2]", "Some([1, 2])", "x[a]", "f64[3", "cafe"] {
            assert!(!is_array(text), "{text}");
        }
    }
}
