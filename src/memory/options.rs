//! What one function says about its calls, in `#[cache(…)]`, beside what the memory says about all.

use std::time::Duration;

use super::guarded::guarded;
use super::lookup::Site;
use super::{Entry, Inner, Mode};
use crate::error::{Error, ErrorKind, Result};
use crate::payload::{Check, Compression};

/// The options of one function that are expressions, as the macro writes them down; a constant. None enters the key.
#[derive(Clone, Copy)]
pub struct Options {
    /// `mode = …`
    pub mode: Option<fn() -> Mode>,
    /// `validate = …`
    pub validate: Option<fn(&Entry) -> bool>,
    /// `expires = …`
    pub expires: Option<fn() -> Duration>,
    /// `min_duration = …`
    pub min_duration: Option<fn() -> Duration>,
    /// `compress = …`
    pub compress: Option<fn() -> Compression>,
    /// `readable = …`
    pub readable: Option<fn() -> bool>,
    /// `trust_serde`
    pub trust_serde: bool,
}

impl Options {
    /// Nothing said.
    pub const NONE: Self = Self {
        mode: None,
        validate: None,
        expires: None,
        min_duration: None,
        compress: None,
        readable: None,
        trust_serde: false,
    };

    /// What is asked of the parts of a result that only serde knows.
    pub(super) fn check(&self) -> Check {
        if self.trust_serde { Check::Trust } else { Check::Compare }
    }
}

/// What the options that are about storing came to for one call.
pub(super) struct Keeping {
    pub(super) compression: Compression,
    pub(super) readable: bool,
    /// What takes less time isn't stored.
    pub(super) least: Duration,
}

impl Inner {
    /// The stricter of the memory's mode and the function's.
    pub(super) fn mode(&self, options: &Options) -> Mode {
        options.mode.map_or(self.settings.mode, |mode| mode().max(self.settings.mode))
    }

    /// How arrays of the function's results are stored.
    pub(super) fn compression(&self, options: &Options) -> Compression {
        options.compress.map_or(self.settings.compression, |compress| compress())
    }

    /// How a result is to be stored; asked before the function runs, so that no result is lost to an expression that
    /// panics.
    pub(super) fn keeping(&self, options: &Options) -> Result<Keeping> {
        let keeping = || Keeping {
            compression: self.compression(options),
            readable: self.is_readable(options),
            least: options.min_duration.map_or(self.settings.min_duration, |least| least()),
        };
        let panicked = "an expression in `#[cache(…)]` panicked: `compress`, `readable` or `min_duration`";
        guarded(keeping).ok_or_else(|| Error::new(ErrorKind::Other, panicked))
    }

    /// Whether a result that took `duration`, less than `least`, is too cheap to be stored. One that is stored already
    /// is replaced all the same: a stale one must not outlive its successor.
    pub(super) fn is_too_cheap(&self, least: Duration, site: &Site, duration: Duration) -> bool {
        duration < least && self.disk.stat(&site.record()).is_ok_and(|stat| stat.is_none())
    }
}
