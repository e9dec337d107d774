//! Entries whose values a Rust type may take; others are those of other languages.

use super::{Found, Missing, Site};
use crate::error::{Error, Result};
use crate::memory::Inner;

impl Inner {
    /// The record at `site` of `function`'s call, if its value is one that a Rust type may take.
    pub(in crate::memory) fn find_loadable(&self, site: &Site, function: &str) -> Result<Found, Missing> {
        let found = self.find(site, function)?;
        match found.record.unsupported() {
            None => Ok(found),
            Some(what) => {
                let path = self.disk.path_of(&site.record());
                let error = format!("record `{}` {what}, which no Rust type takes", path.display());
                Err(Missing::Unsupported(Error::unsupported(error)))
            }
        }
    }
}
