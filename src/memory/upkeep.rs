//! Looking at what is stored, and removing it by hand.

use super::call::Identity;
use super::entry::Entry;
use super::listing::Entries;
use super::lookup::{Missing, Site};
use super::{Call, Inner, Memory, Mode};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::key::{Function, Types};
use crate::record::Record;

impl Memory {
    /// Whether `call` would hit. Nothing is computed, written or counted, and its arguments are hashed at most once.
    ///
    /// Its record is read and its files are looked at, but not into.
    pub fn contains<A, R>(&self, call: &Call<A, R>) -> bool {
        self.0.as_ref().is_some_and(|inner| matches!(inner.check(call), Ok(Missing::Nothing)))
    }

    /// The stored entry of `call`, without its value; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns an error when the call can't be keyed, or its entry can't be read.
    pub fn entry<A, R>(&self, call: &Call<A, R>) -> Result<Option<Entry>> {
        let Some(inner) = &self.0 else { return Ok(None) };
        inner.entry(&inner.site(call)?.record())
    }

    /// All entries, of every function and in no order, without their values.
    ///
    /// Each step reads one record; after a thousand, several threads read some hundreds ahead. Entries that vanish
    /// meanwhile are left out; a record or a folder that can't be read is an error, after which the iteration goes on.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry>> {
        self.0.iter().flat_map(|inner| Entries::new(&inner.disk))
    }

    /// Removes the entry of `call`, and says whether there was one. Arrays that are mapped keep their bytes.
    ///
    /// # Errors
    ///
    /// Returns an error when the call can't be keyed, or the entry can't be removed.
    pub fn remove<A, R>(&self, call: &Call<A, R>) -> Result<bool> {
        let Some(inner) = self.writable("remove an entry")? else { return Ok(false) };
        let site = inner.site(call)?;
        let found = inner.find(&site, call.function().path());
        let removed = inner.disk.remove(&site.record());
        inner.hot.forget(site.key());
        let removed = removed?;
        if let Ok(found) = found {
            inner.remove_files(&site, &found.record);
        }
        Ok(removed)
    }

    /// Removes all entries of `function`, of every version of its code.
    ///
    /// # Errors
    ///
    /// Returns an error when something of it can't be removed.
    pub fn clear_function(&self, function: &Function) -> Result<()> {
        match self.writable("clear a function")? {
            Some(inner) => {
                let removed = inner.disk.remove_tree(function.folder());
                inner.hot.clear();
                removed.map(drop)
            }
            None => Ok(()),
        }
    }

    /// Removes everything that was stored: the folders `f/` and `m/`, and nothing else of the cache folder.
    ///
    /// # Errors
    ///
    /// Returns an error when something of it can't be removed.
    pub fn clear(&self) -> Result<()> {
        match self.writable("clear the cache")? {
            Some(inner) => {
                let removed = inner.disk.remove_tree("f").and(inner.disk.remove_tree("m"));
                inner.hot.clear();
                removed.map(drop)
            }
            None => Ok(()),
        }
    }

    pub(super) fn writable(&self, action: &str) -> Result<Option<&Inner>> {
        match &self.0 {
            Some(inner) if !inner.writes() => {
                let place = inner.disk.path().display();
                Err(Error::unsupported(format!("can't {action}: the memory in `{place}` is read-only")))
            }
            inner => Ok(inner.as_deref()),
        }
    }
}

impl Inner {
    /// The site of a call whose function has this mode. In a frame of its own: calls nest.
    #[inline(never)]
    pub(super) fn site_under(
        &self,
        function: &'static Function,
        identity: &Identity,
        mode: Mode,
        quick: Option<Digest>,
    ) -> Site {
        let site = Site::new(function.folder(), identity.key(&self.settings.salt));
        site.of(function, identity.other_types).under(mode).remembered_by(quick)
    }

    pub(super) fn site<A, R>(&self, call: &Call<A, R>) -> Result<Site> {
        let identity = call.identity().map_err(Error::again)?;
        let function = call.function();
        Ok(Site::new(function.folder(), identity.key(&self.settings.salt)).of(function, identity.other_types))
    }

    pub(super) fn entry(&self, name: &str) -> Result<Option<Entry>> {
        let found = self.read_record(name)?;
        Ok(found.map(|found| Entry::new(self.disk.path_of(name), found)))
    }
}

/// Whose entries are looked for: keys are made of names, and names may be those of several types.
impl Site {
    /// For a call of these types, and of no other that have their names.
    pub(super) fn of(mut self, function: &'static Function, other_types: u64) -> Self {
        self.call = Some((function, other_types));
        self
    }

    /// Whether `record` is of the types that are asked for, as far as that is known.
    pub(super) fn suits(&self, record: &Record) -> bool {
        self.call
            .is_none_or(|(function, others)| Types::new(function, others).suit(function, record.types, record.build))
    }
}
