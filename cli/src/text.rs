//! Numbers, times and names for people.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use ndcache::Limits;
use ndcache::inspect::shown_path;
use unicode_width::UnicodeWidthStr;

use crate::exit::{Failure, Outcome};

const DAY: u64 = 86_400;

/// `21.4 GiB`
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1024.0, 0);
    // What would be printed as 1024.0 is one of the next unit.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1,284`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 entry`, `3 entries`
pub(crate) fn entries(number: u64) -> String {
    if number == 1 { "1 entry".to_owned() } else { format!("{} entries", count(number)) }
}

/// `1 line`, `3 lines`, of things whose plural ends with an `s`.
pub(crate) fn several(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `3.1 s`, `1 h 31 min`
pub(crate) fn duration(duration: Duration) -> String {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.as_nanos());
    match seconds {
        0 if nanoseconds < 1000 => format!("{nanoseconds} ns"),
        0 if nanoseconds < 999_950 => format!("{:.1} µs", nanoseconds as f64 / 1e3),
        0 if nanoseconds < 999_950_000 => format!("{:.1} ms", nanoseconds as f64 / 1e6),
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..360_000 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} h", count(seconds / 3600)),
    }
}

/// The present; `SOURCE_DATE_EPOCH` if that is set, so that what is printed can be reproduced.
pub(crate) fn now() -> SystemTime {
    let said = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    said.map_or_else(SystemTime::now, |seconds| UNIX_EPOCH + Duration::from_secs(seconds))
}

/// `2 hours ago`
pub(crate) fn ago(time: SystemTime) -> String {
    let Ok(age) = now().duration_since(time) else { return "just now".to_owned() };
    let units = |number: u64, unit: &str| format!("{} {unit}{} ago", count(number), if number == 1 { "" } else { "s" });
    match age.as_secs() {
        0..60 => "just now".to_owned(),
        seconds @ 60..3600 => units(seconds / 60, "minute"),
        seconds @ 3600..DAY => units(seconds / 3600, "hour"),
        seconds => units(seconds / DAY, "day"),
    }
}

/// `63 days`, or `less than a minute`
pub(crate) fn idle(time: SystemTime) -> String {
    ago(time).strip_suffix(" ago").unwrap_or("less than a minute").to_owned()
}

/// `2026-10-02`, or `today 09:12`
pub(crate) fn when(time: SystemTime) -> String {
    Calendar::new().when(time)
}

/// The day that is today, for many times.
pub(crate) struct Calendar {
    zone: TimeZone,
    today: Option<Date>,
}

impl Calendar {
    pub(crate) fn new() -> Self {
        Self { zone: TimeZone::system(), today: date(now()) }
    }

    /// `2026-10-02`, or `today 09:12`
    pub(crate) fn when(&self, time: SystemTime) -> String {
        let Ok(time) = Timestamp::try_from(time) else { return "–".to_owned() };
        let time = self.zone.to_datetime(time);
        match Some(time.date()) == self.today {
            true => format!("today {:02}:{:02}", time.hour(), time.minute()),
            false => time.date().to_string(),
        }
    }
}

/// How wide a text is on a terminal.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// A time in the local time zone; `–` if it is none that a calendar has.
fn local(time: SystemTime, format: &str) -> String {
    let time = Timestamp::try_from(time).map(|time| time.to_zoned_datetime(TimeZone::system()));
    time.map_or_else(|_| "–".to_owned(), |time| time.strftime(format).to_string())
}

/// `2026-10-02 09:12:44`
pub(crate) fn moment(time: SystemTime) -> String {
    local(time, "%Y-%m-%d %H:%M:%S %Z")
}

/// `2026-10-02 09:12`
pub(crate) fn minute(time: SystemTime) -> String {
    local(time, "%Y-%m-%d %H:%M")
}

/// The day, for sums.
pub(crate) fn day(time: SystemTime) -> String {
    local(time, "%Y-%m-%d")
}

/// The day in the local time zone.
pub(crate) fn date(time: SystemTime) -> Option<Date> {
    Some(Timestamp::try_from(time).ok()?.to_zoned_datetime(TimeZone::system()).date())
}

/// RFC 3339.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(|_| "1970-01-01T00:00:00Z".to_owned(), |time| time.to_string())
}

/// A duration in nanoseconds, for JSON.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The text in one line that tells a terminal nothing: control characters and marks of direction are escaped.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    // Most texts are; this looks at bytes, many at once.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.into();
    }
    if !text.contains(is_odd) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match is_odd(char) {
            true => safe.extend(char.escape_default()),
            false => safe.push(char),
        }
    }
    safe.into()
}

/// Whether a terminal may take a character for a command, or turn the text behind it.
fn is_odd(char: char) -> bool {
    let is_mark = |char: char| matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    char.is_control() || is_mark(char) || matches!(char, '\u{2028}' | '\u{2029}')
}

/// A JSON document for a terminal, in which what JSON lets stand and a terminal would obey is escaped.
pub(crate) fn safe_json(document: String) -> String {
    let is_odd = |char: char| !char.is_ascii_whitespace() && is_odd(char);
    if document.is_ascii() && !document.contains('\u{7f}') || !document.contains(is_odd) {
        return document;
    }
    let mut safe = String::with_capacity(document.len() + 16);
    for char in document.chars() {
        match is_odd(char) {
            true => char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}"))),
            false => safe.push(char),
        }
    }
    safe
}

/// The last component of a function's path: `smooth` of `pipeline::filters::smooth`.
pub(crate) fn short(function: &str) -> &str {
    let mut depth = 0;
    for (at, byte) in function.bytes().enumerate().rev() {
        match byte {
            b'>' => depth += 1,
            b'<' => depth -= 1,
            b':' | b'/' if depth == 0 => return &function[at + 1..],
            _ => {}
        }
    }
    function
}

/// What is shown of several functions of one list, so that it tells none of them from another.
pub(crate) struct ShownNames(HashSet<String>);

impl ShownNames {
    pub(crate) fn among<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let paths: HashSet<&str> = paths.into_iter().collect();
        let (mut seen, mut ambiguous) = (HashSet::new(), HashSet::new());
        for name in paths.into_iter().map(shown_path) {
            if !seen.insert(name.clone()) {
                ambiguous.insert(name.into_owned());
            }
        }
        Self(ambiguous)
    }

    /// A function's path for a reader, in full where that of another one would look the same.
    pub(crate) fn shown<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let shown = shown_path(path);
        if self.0.contains(&*shown) { path.into() } else { shown }
    }
}

/// The most names that are listed.
const LISTED: usize = 10;

/// `` `a`, `b` and 3 more ``
pub(crate) fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{}`", safe(name.as_ref()))).collect();
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let more = if more > 0 { format!(" and {} more", count(more as u64)) } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// The one of `known` that a misspelt name is most like; `None` if none is.
pub(crate) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = name.chars().count().div_ceil(4).min(3);
    let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
    known.filter(|known| known.len() < 256).min_by_key(distance).filter(|known| distance(known) <= most)
}

/// A size as it is given: `20G`, `60MB`, `60MiB`. Units are powers of 1024 however they are spelt.
///
/// # Errors
/// Anything else is an error, and no default.
pub(crate) fn parse_size(text: &str) -> Outcome<Limits> {
    let is_unit = |rest: &str| rest.trim_end().ends_with(['K', 'k', 'M', 'm', 'G', 'g', 'T', 't']);
    let is_number = |rest: &str| rest.trim_end().ends_with(|char: char| char.is_ascii_digit());
    let short = match (text.strip_suffix("iB"), text.strip_suffix('B')) {
        (Some(rest), _) if is_unit(rest) => rest,
        (None, Some(rest)) if is_unit(rest) || is_number(rest) => rest,
        _ => text,
    };
    // What it says of a text that it doesn't take is of the whole text.
    Ok(Limits::bytes(short).or_else(|_| Limits::bytes(text))?)
}

/// A share as it is given, such as `50%`; `None` for a text that doesn't end with `%`.
///
/// # Errors
/// Returns a failure for a percentage that isn't above 0 and at most 100.
pub(crate) fn parse_percent(text: &str) -> Outcome<Option<f64>> {
    let Some(percent) = text.strip_suffix('%') else { return Ok(None) };
    let share = percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0);
    match share.filter(|share| *share > 0.0 && *share <= 1.0) {
        Some(share) => Ok(Some(share)),
        None => {
            Err(Failure::usage(format!("share is `{}`, expected such as `5%`, above 0 and at most 100 %", safe(text))))
        }
    }
}

/// A duration as it is given: `30d`, `12h`, `90min`, `2h30min`.
///
/// # Errors
/// Anything else is an error, and no default.
pub(crate) fn parse_duration(text: &str) -> Outcome<Duration> {
    let wrong = || Failure::usage(format!("duration is `{}`, expected such as `30d`, `12h` or `90min`", safe(text)));
    let (mut rest, mut total) = (text.trim(), Duration::ZERO);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(after.len());
        let seconds = match &after[..unit] {
            "s" | "sec" => 1,
            "min" => 60,
            "h" => 3600,
            "d" => DAY,
            "w" => 7 * DAY,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let more = number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)?;
        total = total.checked_add(more).ok_or_else(wrong)?;
        rest = after[unit..].trim_start();
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_times_are_spans_and_ages_are_not() {
        for (seconds, span, age) in
            [(3, "less than a minute", "just now"), (65, "1 minute", "1 minute ago"), (3 * DAY, "3 days", "3 days ago")]
        {
            let time = now() - std::time::Duration::from_secs(seconds);
            assert_eq!((idle(time), ago(time)), (span.to_owned(), age.to_owned()));
        }
    }

    #[test]
    fn sizes_counts_and_durations_are_short() {
        let sizes = [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1 << 20, "1.0 MiB"), (1048575, "1.0 MiB")];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX), "16.0 EiB");
        assert_eq!((several(0, "line"), several(1, "line")), ("0 lines".into(), "1 line".into()));
        assert_eq!((several(1284, "line"), entries(1)), ("1,284 lines".into(), "1 entry".into()));
        assert_eq!((count(0), count(999), count(1000), count(1_234_567)), {
            ("0".into(), "999".into(), "1,000".into(), "1,234,567".into())
        });
        for (nanoseconds, text) in [
            (41, "41 ns"),
            (1_500, "1.5 µs"),
            (999_960, "1.0 ms"),
            (3_100_000_000, "3.1 s"),
            (61_000_000_000, "1 min 1 s"),
            (5_460_000_000_000, "1 h 31 min"),
            (u64::MAX, "5,124,095 h"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanoseconds)), text);
        }
    }

    #[test]
    fn a_duration_is_a_number_with_a_unit_and_nothing_else_is_taken_for_one() {
        for (text, seconds) in
            [("30d", 30 * DAY), ("12h", 43_200), ("2h30min", 9000), ("1w", 7 * DAY), ("0s", 0), (" 5 s", 5)]
        {
            if text == " 5 s" {
                assert!(parse_duration(text).is_err(), "no space between");
                continue;
            }
            assert_eq!(parse_duration(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        for text in
            ["", " ", "30", "d", "-3d", "1.5d", "30 d", "3m", "3M", "3 days", "99999999999999999999d", "1d2", "٣d"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_has_units_of_1024_however_they_are_spelt() {
        for (text, bytes) in [
            ("0", 0),
            ("60", 60),
            ("60B", 60),
            ("60M", 60 << 20),
            ("60MB", 60 << 20),
            ("60MiB", 60 << 20),
            ("1.5 GiB", 3 << 29),
            ("2kB", 2 << 10),
        ] {
            assert_eq!(parse_size(text).unwrap().bytes, Some(bytes), "{text}");
        }
        for text in ["", "B", "iB", "60iB", "60MBB", "60BiB", "60Mi", "MB", "10 apples", "-1MB", "1.5B"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_misspelt_name_is_known_by_the_one_that_it_is_like() {
        let known = ["features", "fit", "fat", "load"];
        let close = |name: &str| closest(name, known.into_iter());
        assert_eq!((close("featurs"), close("loda"), close("fti")), (Some("features"), Some("load"), Some("fit")));
        assert_eq!((close("nothing"), close(""), close("x")), (None, None, None));
        let many = ["a"; 12];
        assert_eq!(listed(&many[..2]), "`a`, `a`");
        assert!(listed(many).ends_with("`a` and 2 more"));
    }

    #[test]
    fn a_functions_path_is_shown_without_the_same_word_twice_unless_another_looks_so() {
        for (path, expected) in [
            ("app/app/app::pipeline::kmeans", "app::pipeline::kmeans"),
            ("app/app::kmeans", "app::kmeans"),
            ("my-app/my_app::kmeans", "my_app::kmeans"),
            ("app/tool/tool::load::table", "app/tool::load::table"),
            ("app/<app::Unit as app::Twice>::scaled", "app/<app::Unit as app::Twice>::scaled"),
            ("squares, first edition", "squares, first edition"),
            ("a/b", "a/b"),
        ] {
            assert_eq!(shown_path(path), expected);
        }
        let names = ShownNames::among(["app/app::f", "app/app/app::f", "app/app::g", "app/app::g"]);
        assert_eq!((names.shown("app/app::f"), names.shown("app/app::g")), ("app/app::f".into(), "app::g".into()));
    }

    #[test]
    fn nothing_of_a_text_reaches_the_terminal_as_a_command() {
        assert_eq!(safe("a\u{1b}[2Jb\u{202e}c\n\u{61c}"), "a\\u{1b}[2Jb\\u{202e}c\\n\\u{61c}");
        assert!(matches!(safe("größe → ß"), Cow::Borrowed(_)));
        assert_eq!((short("a::b::f"), short("p/bin::f"), short("a::T<b::C>"), short("f")), ("f", "f", "T<b::C>", "f"));
    }
}
