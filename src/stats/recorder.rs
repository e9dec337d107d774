//! What one memory counts and says.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use crate::call::draft::Telling;
use crate::digest::Digest;
use crate::entry::archive::Archive;
use crate::error::Error;
use crate::stats::counts::Counters;

/// Counts what happens to the calls of one memory, finds out why they miss, and says so.
pub(crate) struct Recorder {
    pub(super) archive: Arc<Archive>,
    pub(crate) counters: Arc<Counters>,
    /// How much is printed.
    pub(super) verbose: u8,
    /// Whether the values of arguments are told.
    texts: bool,
    pub(super) salt: String,
    /// Functions, with their code, that have missed: after its first miss a function is known.
    pub(super) outlined: Mutex<HashSet<(&'static str, Digest)>>,
    /// Pairs of functions, the second called inside the first and not named by it, that were looked at, and warned about if
    /// need be.
    pub(crate) unnamed: Mutex<HashSet<(usize, usize)>>,
}

impl Recorder {
    pub(crate) fn new(archive: Arc<Archive>, counters: Arc<Counters>, verbose: u8, telling: Telling<'_>) -> Self {
        let Telling { texts, salt } = telling;
        Self {
            archive,
            counters,
            verbose,
            texts,
            salt: salt.to_owned(),
            outlined: Mutex::default(),
            unnamed: Mutex::default(),
        }
    }

    /// How arguments are told of.
    pub(super) fn telling(&self) -> Telling<'_> {
        Telling { texts: self.texts, salt: &self.salt }
    }

    /// Counts a fault of the cache; the first of each function is a warning.
    pub(crate) fn fault(&self, function: &str, error: &Error, what: &str) {
        if self.counters.fault(function) {
            tracing::warn!(function, %error, "{what}");
        } else {
            tracing::debug!(function, %error, "{what}");
        }
    }
}
