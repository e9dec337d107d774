//! What the environment says of a memory.

use std::env;
use std::time::Duration;

use crate::entry::rules::Mode;
use crate::error::{Error, Result};
use crate::memory::settings::MemoryBuilder;
use crate::tier::Tier;

impl MemoryBuilder {
    pub(super) fn read_environment(&mut self) -> Result<()> {
        if let Some(folder) = env::var_os("NDCACHE_DIR").filter(|folder| !folder.is_empty()) {
            self.folder = folder.into();
        }
        if let Some(mode) = env::var_os("NDCACHE_MODE").filter(|mode| !mode.is_empty()) {
            let mode: Mode = mode.to_string_lossy().parse().map_err(|error: Error| error.at("`NDCACHE_MODE`"))?;
            self.settings.mode = self.settings.mode.max(mode);
        }
        self.read_remote()
    }

    /// Tiers that the environment names come behind those of the builder.
    fn read_remote(&mut self) -> Result<()> {
        self.settings.tiers.extend(Tier::from_env()?);
        if let Some(wait) = text_of("NDCACHE_REMOTE_WAIT") {
            let seconds = wait.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let wrong = || {
                let wait = wait.escape_debug();
                Error::invalid(format!("`NDCACHE_REMOTE_WAIT` is `{wait}`, expected a number of seconds"))
            };
            self.settings.tier_wait = seconds.ok_or_else(wrong)?;
        }
        Ok(())
    }
}

/// What an environment variable says; an empty one says nothing.
fn text_of(variable: &str) -> Option<String> {
    env::var_os(variable).map(|text| text.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
}
