//! Why a call hits or misses, in types and in words.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::digest::escaped;

/// Why a call would hit or miss, from [`Memory::explain`](crate::Memory::explain).
///
/// It prints as a short phrase: `hit`, `hit (edited)` for an edited result, ``argument `k`: 10 → 12``, `p.steps[3]:
/// 10 → 12` for a part of the argument `p`, ``code of `window` (depends) changed``, `package version 0.1.0 → 0.2.0`,
/// `expired 3 h ago`. After it comes the last answer of each tier for the result: `new function (tiers: /nfs/team: it
/// doesn't have it)`, `hit (tiers: it came from one)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub(crate) reason: Reason,
    /// A hit whose value isn't the function's.
    pub(crate) edited: bool,
    /// What tiers said when they were last asked for it, if they were.
    pub(crate) tiers: Option<String>,
}

impl Explanation {
    /// Returns the reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason.clone()
    }
}

/// Writes `reason`, which is [`Reason::name`], `edited`, `text`, which is what is printed, and `differences`: each argument
/// that differs, as `name`, `path`, `before` and `now`.
impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let differences: &[Difference] = match &self.reason {
            Reason::Argument(differences) => differences,
            _ => &[],
        };
        let mut explanation = serializer.serialize_struct("Explanation", 4)?;
        explanation.serialize_field("reason", self.reason.name())?;
        explanation.serialize_field("edited", &self.edited)?;
        explanation.serialize_field("text", &self.to_string())?;
        explanation.serialize_field("differences", differences)?;
        explanation.end()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        if self.edited {
            f.write_str(" (edited)")?;
        }
        self.tiers.iter().try_for_each(|tiers| write!(f, " (tiers: {tiers})"))
    }
}

/// Why a call hits or misses, with what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The result is stored.
    Hit,
    /// No call of this function is stored, and the folder's history knows of none: it is new here.
    NewFunction,
    /// No call of this function is stored, though the folder's history knows that it was computed: its entries were
    /// evicted or removed, or its results weren't stored. How often and when, in words: `12 times, last 3 h ago`. Its
    /// name is that of a new function, too.
    NothingStored(String),
    /// Calls of this function are stored, but with other code. The changes since the most similar code, each in words
    /// (``code of `window` (depends) changed``); empty if they aren't known.
    Code(Vec<String>),
    /// The most similar stored call had other arguments.
    Argument(Vec<Difference>),
    /// This memory has computed the same call before, and its result wasn't stored, for this reason: it was an `Err`, say.
    NotStored(String),
    /// The stored result is no longer valid, in words: `expired 3 h ago`, ``refused by `validate` ``.
    Expired(String),
    /// The stored entry can't be used: it differs from what was written.
    Damaged(String),
    /// The stored entry can't be read, which doesn't mean that it is damaged: there is no descriptor or memory left,
    /// a permission is missing, the disk fails.
    Unreadable(String),
    /// The stored entry was written by a newer version, and is left alone.
    Newer(String),
    /// The stored entry is correct, but holds a value that no Rust type loads, such as an object pickled by Python.
    Unsupported(String),
    /// The call has no key, and runs without the cache.
    Bypassed(String),
    /// The memory computes every key again, once.
    Refresh,
    /// The memory is disabled, or the mode is `Off`.
    Off,
}

/// How the place of a part begins that is no part of the value, but code that the value counts by.
pub(crate) const CODE: &str = "code of ";

/// How many differences are printed.
const SHOWN: usize = 8;

/// An argument, or a part of one, that differs from that of the most similar stored call.
///
/// It prints as ``argument `k`: 10 → 12``, or `p.kind: Ridge(1.0) → Lasso { alpha: 1.0 }`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The parameter's name.
    pub name: String,
    /// Which part of its value differs: `kind`, `steps[3]`, `weights["a"]`; empty if it is the whole value. Of an object of
    /// Python's whose class has changed it is ``code of `Class` ``.
    pub path: String,
    /// The stored value, in words.
    pub before: String,
    /// The present value, in words.
    pub now: String,
}

impl Difference {
    /// Escapes the texts, of which some may be a record's.
    pub(crate) fn new(name: &str, before: &str, now: &str) -> Self {
        Self::at(name, "", before, now)
    }

    /// A difference in a part of an argument.
    pub(crate) fn at(name: &str, path: &str, before: &str, now: &str) -> Self {
        let [name, path, before, now] = [name, path, before, now].map(|text| escaped(text).into_owned());
        Self { name, path, before, now }
    }
}

/// Whether the texts of two different arguments name one file, whose content counts: theirs begin with its name or path in
/// quotes. What was cut off may differ.
pub(crate) fn is_same_file(before: &str, now: &str) -> bool {
    before == now && now.starts_with(['"', '\'']) && !now.ends_with('…')
}

/// Whether one of two different arguments with these texts is an array, and the other one none of the same dtype and shape.
pub(crate) fn are_unlike_arrays(before: &str, now: &str) -> bool {
    dtype_and_shape(before) != dtype_and_shape(now)
}

/// `f64[1797, 64]` of `f64[1797, 64] C`; `None` for a text that is no array's.
fn dtype_and_shape(text: &str) -> Option<&str> {
    let (dtype, rest) = text.split_once('[')?;
    let (shape, order) = rest.split_once(']')?;
    let is_shape = shape.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b' '));
    let is_dtype = !dtype.is_empty() && !dtype.contains([' ', '"', '\'', '(', '{']);
    let is_array = is_dtype && is_shape && matches!(order, "" | " C" | " F" | " strided");
    is_array.then(|| &text[..text.len() - order.len()])
}

impl Reason {
    /// Returns a short name, without the difference: the key of [`Stats::by_reason`](crate::stats::Stats::by_reason).
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::NewFunction | Self::NothingStored(_) => "new function",
            Self::Code(_) => "code",
            Self::Argument(_) => "argument",
            Self::NotStored(_) => "not stored",
            Self::Expired(_) => "expired",
            Self::Damaged(_) => "damaged",
            Self::Unreadable(_) => "unreadable",
            Self::Newer(_) => "newer",
            Self::Unsupported(_) => "unsupported",
            Self::Bypassed(_) => "bypassed",
            Self::Refresh => "refresh",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hit => f.write_str("hit"),
            Self::NewFunction => f.write_str("new function"),
            Self::NothingStored(known) => write!(f, "none of its results is stored; it was computed {known}"),
            Self::Code(changes) if changes.is_empty() => f.write_str("code changed"),
            Self::Code(changes) => f.write_str(&changes.join(", ")),
            Self::Argument(differences) if differences.is_empty() => f.write_str("other salt or result type"),
            Self::Argument(differences) => {
                for (position, difference) in differences.iter().take(SHOWN).enumerate() {
                    let separator = if position == 0 { "" } else { ", " };
                    write!(f, "{separator}{difference}")?;
                }
                match differences.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, ", and {more} more"),
                }
            }
            Self::NotStored(why) => write!(f, "the result of the same call wasn't stored: {why}"),
            Self::Expired(how) => f.write_str(how),
            Self::Damaged(what) => write!(f, "damaged: {what}"),
            Self::Unreadable(what) => write!(f, "unreadable: {what}"),
            Self::Newer(what) => write!(f, "newer: {what}"),
            Self::Unsupported(what) => write!(f, "unsupported: {what}"),
            Self::Bypassed(why) => write!(f, "bypassed: {why}"),
            Self::Refresh => f.write_str("refreshed"),
            Self::Off => f.write_str("cache is off"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, path, before, now } = self;
        match &**path {
            "" if name.starts_with(CODE) => f.write_str(name)?,
            "" => write!(f, "argument `{name}`")?,
            path if path.starts_with(CODE) => write!(f, "argument `{name}`: {path}")?,
            path if path.starts_with('[') => write!(f, "{name}{path}")?,
            path => write!(f, "{name}.{path}")?,
        }
        match (&**before, &**now) {
            // Of one of the two, or of both, no text is kept.
            ("", _) | (_, "") => f.write_str(" changed"),
            (before, now) if is_same_file(before, now) => write!(f, ": the content of {now} changed"),
            // Arrays of one shape, say.
            (before, now) if before == now => write!(f, ": another {now}"),
            (before, now) => write!(f, ": {before} → {now}"),
        }
    }
}
