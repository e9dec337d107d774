//! A short text that says what a value is.

use std::borrow::Cow;
use std::fmt::{self, Debug, Display, Write};
use std::mem;

use crate::digest::values::outline::Outline;

/// The most characters that a [`Text`] holds.
pub(super) const LIMIT: usize = 120;

/// A description of a value for people, of at most 120 characters: `f64[1797, 64] C`, `"hann"`, `3`.
///
/// A longer one ends with `…`. After that, writing to it fails, so that describing a long value stops early.
///
/// ```
/// use ndcache::hash::Text;
/// use ndcache::ContentHash;
///
/// let mut text = Text::new();
/// (1.5, "hann", vec![0_u8; 99], Some(vec![1, 2])).describe(&mut text);
/// assert_eq!(text.as_str(), r#"(1.5, "hann", u8[99], Some([1, 2]))"#);
/// ```
#[derive(Clone, Default)]
pub struct Text {
    pub(super) text: String,
    pub(super) chars: usize,
    pub(super) full: bool,
    pub(super) outline: Outline,
}

impl Text {
    /// Makes an empty text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what has been written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns what has been written, as a `String`.
    #[must_use]
    pub fn into_string(self) -> String {
        self.text
    }

    /// Returns whether something was cut off; then nothing more is accepted.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Adds the `Display` text of `value`, as far as it fits.
    pub fn display(&mut self, value: impl Display) {
        // It fails when it is full, which the `…` shows.
        let _ = write!(self, "{value}");
    }

    /// Adds the `Debug` text of `value`, as far as it fits.
    pub fn debug(&mut self, value: impl Debug) {
        let _ = write!(self, "{value:?}");
    }

    /// Adds items between `open` and `close`, separated by commas, as far as they fit. A miss can't name single items
    /// of them as changed.
    pub fn list<I: IntoIterator>(
        &mut self,
        open: &str,
        items: I,
        close: &str,
        mut describe: impl FnMut(I::Item, &mut Self),
    ) {
        let plain = self.plain().outline;
        let outline = mem::replace(&mut self.outline, plain);
        self.display(open);
        for (n, item) in items.into_iter().enumerate() {
            if self.is_full() {
                break;
            }
            self.display(if n > 0 { ", " } else { "" });
            describe(item, self);
        }
        self.display(close);
        self.outline = outline;
    }
}

/// The text in one line that tells a terminal nothing: control characters are escaped. For what comes from a record,
/// which anybody may have written, on its way to people.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char.is_control() {
            true => escaped.extend(char.escape_default()),
            false => escaped.push(char),
        }
    }
    escaped.into()
}

impl Write for Text {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        for char in piece.chars() {
            if self.full {
                return Err(fmt::Error);
            }
            if self.chars == LIMIT {
                self.text.pop();
                self.text.push('…');
                self.full = true;
                return Err(fmt::Error);
            }
            self.text.push(char);
            self.chars += 1;
        }
        Ok(())
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({:?})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_with_an_ellipsis_only_if_something_was_cut_off() {
        let mut text = Text::new();
        text.display("é".repeat(LIMIT));
        assert_eq!(text.as_str(), "é".repeat(LIMIT));
        assert!(!text.is_full());
        text.display("");
        assert!(!text.is_full());
        text.display("x");
        assert!(text.is_full());
        text.display("y");
        assert_eq!(text.as_str(), format!("{}…", "é".repeat(LIMIT - 1)));
    }

    #[test]
    fn control_characters_are_escaped_and_no_others() {
        for text in ["", "f(\"a\")", "é → \\n"] {
            assert!(matches!(escaped(text), Cow::Borrowed(same) if same == text));
        }
        assert_eq!(escaped("f(\"a\n\u{1b}[2J\u{9b}é\")"), "f(\"a\\n\\u{1b}[2J\\u{9b}é\")");
    }

    #[test]
    fn a_long_value_is_described_only_in_part() {
        let mut described = 0;
        let mut text = Text::new();
        text.list("[", 0..1_000_000_u32, "]", |n, text| {
            described += 1;
            text.display(n);
        });
        assert!(text.as_str().starts_with("[0, 1, 2"));
        assert!(text.as_str().ends_with('…'));
        assert!(described < LIMIT);
    }
}
