//! What one memory counts and says.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

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
    /// Functions, with their code, that have missed: after its first miss a function is known.
    pub(super) outlined: Mutex<HashSet<(&'static str, Digest)>>,
    /// Pairs of functions that were warned about: a cached call inside another that doesn't name it.
    pub(crate) unnamed: Mutex<HashSet<(usize, usize)>>,
}

impl Recorder {
    pub(crate) fn new(archive: Arc<Archive>, counters: Arc<Counters>, verbose: u8) -> Self {
        Self { archive, counters, verbose, outlined: Mutex::default(), unnamed: Mutex::default() }
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
