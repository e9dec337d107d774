//! Words that aren't known here: the nearest that is, and what other caches' options are called.

use syn::{Error, Ident};

/// ``unknown option `versions`, did you mean `version`? expected one of `version`, `crate` ``.
pub(crate) fn unknown(what: &str, found: &Ident, known: &[impl AsRef<str>]) -> Error {
    let near = nearest(&found.to_string(), known).map(|near| format!(", did you mean `{near}`?"));
    let quoted: Vec<String> = known.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    let expected = match quoted.as_slice() {
        [] => Some("there is none".to_owned()),
        [_] if near.is_some() => None,
        [only] => Some(format!("expected {only}")),
        several => Some(format!("expected one of {}", several.join(", "))),
    };
    let comma = if near.is_some() { " " } else { ", " };
    let expected = expected.map(|expected| format!("{comma}{expected}"));
    let message = format!("unknown {what} `{found}`{}{}", near.unwrap_or_default(), expected.unwrap_or_default());
    Error::new(found.span(), message)
}

/// The known word that is the fewest keystrokes away, if that is at most a third of its letters.
pub(crate) fn nearest<'a>(found: &str, known: &'a [impl AsRef<str>]) -> Option<&'a str> {
    let distances = known.iter().map(|word| (distance(found, word.as_ref()), word.as_ref()));
    let (distance, word) = distances.min_by_key(|(distance, _)| *distance)?;
    let is_start = found.len() > 2 && (word.starts_with(found) || found.starts_with(word));
    (distance <= word.len().max(found.len()) / 3 || is_start).then_some(word)
}

/// How many letters have to be put in, taken out, changed, or exchanged with their neighbour (Damerau 1964).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for (i, &a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &b) in to.iter().enumerate() {
            let changed = rows[i][j] + usize::from(a != b);
            let mut best = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a == to[j - 1] && from[i - 1] == b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

/// What options of joblib and of other caches are here.
const ELSEWHERE: [(&str, &str); 15] = [
    ("mmap_mode", "map a call with `memory.mmap(f::call(…))`, or return a `Mapped` array"),
    ("mmap", "map a call with `memory.mmap(f::call(…))`, or return a `Mapped` array"),
    ("verbose", "that is a setting of the memory: `Memory::builder(…).verbose(1)`"),
    (
        "cache_validation_callback",
        "write `validate = path`, a `fn(&Entry) -> bool`, or `expires = Duration::from_secs(60)`",
    ),
    ("expires_after", "write `expires = Duration::from_secs(60)`"),
    ("ttl", "write `expires = Duration::from_secs(60)`"),
    ("time", "write `expires = Duration::from_secs(60)`"),
    ("time_to_live", "write `expires = Duration::from_secs(60)`"),
    ("bytes_limit", "that is a setting of the memory: `Memory::builder(…).limits(…)`"),
    ("size", "that is a setting of the memory: `Memory::builder(…).limits(…)`"),
    ("max_size", "that is a setting of the memory: `Memory::builder(…).limits(…)`"),
    ("location", "that is the memory's: `Memory::open(…)`; `name = \"…\"` names the function"),
    ("key", "an argument counts by `ContentHash` or serde; `ignore(…)` leaves one out"),
    ("result", "an `Err` isn't stored unless `cache_err` is given"),
    ("option", "a `None` is stored unless `skip_none` is given"),
];

/// The answer to an option that has another name or place here.
pub(super) fn elsewhere(option: &Ident) -> Option<Error> {
    let (name, answer) = ELSEWHERE.iter().find(|(name, _)| option == name)?;
    Some(Error::new(option.span(), format!("`{name}` is no option of a function: {answer}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_and_none_that_is_far() {
        let known = ["version", "depends", "cache_err", "ignore"];
        for (found, near) in [
            ("versions", Some("version")),
            ("vresion", Some("version")),
            ("depend", Some("depends")),
            ("ignored", Some("ignore")),
            ("cache_error", Some("cache_err")),
            ("verbatim", None),
            ("x", None),
        ] {
            assert_eq!(nearest(found, &known), near, "{found}");
        }
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
