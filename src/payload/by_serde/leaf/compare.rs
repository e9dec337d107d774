//! Whether what serde has read again is the value that was written.

use std::fmt::{self, Debug, Write as _};

use crate::digest::{ByteStream, Digest};

/// What a comparison has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Same,
    Other,
    /// Nothing, and why.
    Unknown(&'static str),
}

/// Nothing to compare by.
pub(crate) fn unseen<T>(_: &T, _: &T) -> Comparison {
    Comparison::Same
}

/// A value that doesn't equal itself can't be compared.
#[allow(clippy::eq_op)]
pub(crate) fn by_eq<T: PartialEq>(value: &T, again: &T) -> Comparison {
    if value == again {
        Comparison::Same
    } else if value == value {
        Comparison::Other
    } else {
        Comparison::Unknown("its type has no `Debug` to compare by")
    }
}

/// A value that doesn't equal itself is compared by its `Debug` text, if that is all there is of it.
pub(crate) fn by_eq_or_debug<T: PartialEq + Debug>(value: &T, again: &T) -> Comparison {
    match by_eq(value, again) {
        Comparison::Unknown(_) => by_debug(value, again),
        known => known,
    }
}

fn by_debug<T: Debug>(value: &T, again: &T) -> Comparison {
    match (shown(value), shown(again)) {
        (Some(value), Some(again)) if value == again => Comparison::Same,
        (Some(_), Some(_)) => Comparison::Unknown("its `Debug` text comes back as another one"),
        _ => Comparison::Unknown("its `Debug` text leaves something out"),
    }
}

/// The digest of the `Debug` text; `None` if `..` or `…` is in it, by which such texts leave something out.
fn shown<T: Debug>(value: &T) -> Option<Digest> {
    let mut text = DebugText { stream: ByteStream::new(), ends_in_dot: false };
    write!(text, "{value:?}").ok()?;
    Some(text.stream.digest())
}

struct DebugText {
    stream: ByteStream<128>,
    ends_in_dot: bool,
}

impl fmt::Write for DebugText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let begins_in_dot = self.ends_in_dot && text.starts_with('.');
        if begins_in_dot || text.contains("..") || text.contains('…') {
            return Err(fmt::Error);
        }
        if !text.is_empty() {
            self.ends_in_dot = text.ends_with('.');
        }
        self.stream.update(text.as_bytes());
        Ok(())
    }
}
