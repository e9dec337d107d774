//! The codes of functions whose parts this process has found on the disk, or has written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use crate::digest::Digest;

/// How long what another process removed may stay unseen.
const LOOK: Duration = Duration::from_secs(1);

/// When the parts of each code were last looked for, by the address and the length of the function's path; `None` if
/// they are too many to be written.
#[derive(Default)]
pub(crate) struct CodesSeen(BTreeMap<(usize, usize, Digest), Option<Instant>>);

impl CodesSeen {
    /// Whether to look for this code now.
    pub(super) fn is_due(&mut self, function: &'static str, code: Digest) -> bool {
        let now = Instant::now();
        match self.0.entry(place(function, code)) {
            Entry::Vacant(new) => {
                new.insert(Some(now));
                true
            }
            Entry::Occupied(mut seen) => {
                let is_due = seen.get().is_some_and(|seen| now.duration_since(seen) >= LOOK);
                if is_due {
                    seen.insert(Some(now));
                }
                is_due
            }
        }
    }

    /// Looks for this code no more: its parts are too many to be written.
    pub(super) fn leave(&mut self, function: &'static str, code: Digest) {
        self.0.insert(place(function, code), None);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn place(function: &'static str, code: Digest) -> (usize, usize, Digest) {
    (function.as_ptr().addr(), function.len(), code)
}
