//! How one result is to be stored: what its function says, else what the memory says.

use std::time::Duration;

use crate::call::request::CallOptions;
use crate::entry::rules::Mode;
use crate::entry::site::Site;
use crate::entry::write::staging::StagingSite;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Function;
use crate::memory::Engine;
use crate::memory::guarded::guarded;
use crate::payload::Compression;

/// How the result of one call is to be stored, by the function's options and the memory's settings.
pub(crate) struct StoreOptions {
    pub(crate) compression: Compression,
    pub(crate) readable: bool,
    /// A result that took less time isn't stored.
    pub(crate) least: Duration,
}

impl Engine {
    /// The stricter of the memory's mode and the function's.
    pub(crate) fn mode(&self, options: &impl CallOptions) -> Mode {
        options.mode().map_or(self.settings.mode, |mode| mode.max(self.settings.mode))
    }

    /// How arrays of the function's results are stored.
    pub(crate) fn compression(&self, options: &impl CallOptions) -> Compression {
        options.compression().unwrap_or(self.settings.compression)
    }

    /// Where the arrays of a call are made whose result's place is `site`; `None` where nothing may be written.
    pub(crate) fn staging_site(&self, function: &'static Function, site: Option<&Site>) -> Option<StagingSite> {
        let site = site.filter(|site| self.writes() && !site.is_read_only())?;
        Some(StagingSite { function, site: site.clone() })
    }

    /// Whether array files get readable names.
    pub(crate) fn is_readable(&self, options: &impl CallOptions) -> bool {
        options.readable().unwrap_or(self.settings.readable)
    }

    /// How a result is to be stored; asked before the function runs, so that no result is lost to an expression that
    /// panics.
    pub(crate) fn store_options(&self, options: &impl CallOptions) -> Result<StoreOptions> {
        let chosen = || StoreOptions {
            compression: self.compression(options),
            readable: self.is_readable(options),
            least: options.min_duration().unwrap_or(self.settings.min_duration),
        };
        let panicked = "an expression in `#[cache(…)]` panicked: `compress`, `readable` or `min_duration`";
        guarded(chosen).ok_or_else(|| Error::new(ErrorKind::Other, panicked))
    }

    /// Whether a result that took `duration`, less than `least`, is too cheap to be stored. One that is stored already
    /// is replaced all the same: a stale one must not outlive its successor.
    pub(crate) fn is_too_cheap(&self, least: Duration, site: &Site, duration: Duration) -> bool {
        duration < least && self.archive.record_stat(site).is_ok_and(|stat| stat.is_none())
    }
}
