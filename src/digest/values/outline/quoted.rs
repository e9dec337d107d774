//! Texts in quotes, of which a long one is shown by its beginning and its end.

use crate::digest::values::outline::CUT;
use crate::digest::values::text::{LIMIT, Text};

/// The longest text inside of another value, in characters with its quotes.
const INNER: usize = 48;

impl Text {
    /// Adds a text in quotes, with control characters escaped. Of a long one, however long it is, only the beginning and
    /// the end are read.
    pub(crate) fn quoted(&mut self, value: &str) {
        let most = if self.is_outermost() { LIMIT } else { INNER };
        // A character has at most four bytes: a longer text can't fit.
        if value.len() <= 4 * most {
            let whole = format!("{value:?}");
            if whole.chars().count() <= most {
                return self.display(whole);
            }
        }
        let room = most - 2 - CUT.chars().count();
        let head: String = within(value.chars().map(escaped), room / 2).concat();
        let mut tail = within(value.chars().rev().map(escaped), room - room / 2);
        tail.reverse();
        self.display(format_args!("\"{head}{CUT}{}\"", tail.concat()));
    }
}

/// A character as `{:?}` of a text shows it, which leaves `'` as it is; `escape_debug` doesn't.
fn escaped(char: char) -> String {
    if char == '\'' { char.to_string() } else { char.escape_debug().collect() }
}

/// The first pieces, as many as have no more than `room` characters together.
fn within(pieces: impl Iterator<Item = String>, mut room: usize) -> Vec<String> {
    let fits = |piece: &String| {
        let rest = room.checked_sub(piece.chars().count());
        room = rest.unwrap_or(0);
        rest.is_some()
    };
    pieces.take_while(fits).collect()
}
