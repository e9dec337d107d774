//! Entries by their key, or by the beginning of it.

use crate::entry::Entry;
use crate::entry::site::{Site, is_shard};
use crate::error::{Error, ErrorKind, Result};
use crate::folder::PlannedEntry;
use crate::folder::list::Entries;
use crate::folder::survey::{FileRole, RecordState};
use crate::folder::verify::check_array;
use crate::folder::walk::Shards;
use crate::key::{self, Key};
use crate::memory::{Engine, Memory};
use crate::record::ArrayRecord;
use crate::store::{Disk, FileKind};
use crate::tier::{RemovedScope, mark};

/// The shortest beginning of a key that is looked for.
const SHORTEST: usize = 4;

/// The most candidates that an error lists.
const LISTED: usize = 10;

mod sealed {
    pub trait Sealed {}
}

/// Identifies an entry: a [`Key`], an [`Entry`], one of a [`Plan`](crate::inspect::Plan), or a text with the first
/// hexadecimal digits of the key, at least four and in either case. A key together with the path of its function, as
/// in `("study::fit", key)`, finds the entry without listing a folder. The trait is sealed.
pub trait EntryId: sealed::Sealed {
    /// The digits that are known of the key.
    #[doc(hidden)]
    fn digits(&self) -> String;

    /// The folder of the entry's function, if that is known.
    #[doc(hidden)]
    fn folder(&self) -> Option<String> {
        None
    }
}

macro_rules! ids {
    ($($type:ty)*) => {$(
        impl sealed::Sealed for $type {}

        impl EntryId for $type {
            fn digits(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

ids! { str String Key }

impl sealed::Sealed for (&str, Key) {}

impl EntryId for (&str, Key) {
    fn digits(&self) -> String {
        self.1.to_string()
    }

    fn folder(&self) -> Option<String> {
        Some(key::folder(self.0))
    }
}

impl sealed::Sealed for Entry {}

impl EntryId for Entry {
    fn digits(&self) -> String {
        self.key().to_string()
    }

    fn folder(&self) -> Option<String> {
        Some(key::folder(self.function()))
    }
}

impl sealed::Sealed for PlannedEntry<'_> {}

impl EntryId for PlannedEntry<'_> {
    fn digits(&self) -> String {
        self.key().to_string()
    }

    fn folder(&self) -> Option<String> {
        Some(self.folder().to_owned())
    }
}

impl<T: EntryId + ?Sized> sealed::Sealed for &T {}

impl<T: EntryId + ?Sized> EntryId for &T {
    fn digits(&self) -> String {
        (**self).digits()
    }

    fn folder(&self) -> Option<String> {
        (**self).folder()
    }
}

impl Memory {
    /// Returns the paths of all functions that have entries, in alphabetical order.
    ///
    /// It reads one record of each. A function is left out if none of its records can be read.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder of functions can't be listed.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.5));
    /// assert_eq!(memory.function_names()?, [double::function().path()]);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn function_names(&self) -> Result<Vec<String>> {
        let Some(engine) = &self.0 else { return Ok(Vec::new()) };
        engine.archive.reopen(false);
        let disk = &engine.archive.disk;
        let mut names = Vec::new();
        for folder in Shards::of(disk)?.into_functions() {
            let first = Entries::of_function(disk, folder).find_map(Result::ok);
            names.extend(first.map(|entry| entry.function().to_owned()));
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Returns the entries of the function with this path, like [`entries`](Self::entries), and reads no others.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.5));
    /// assert_eq!(memory.entries_named(double::function().path()).count(), 1);
    /// assert_eq!(memory.entries_named("another").count(), 0);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn entries_named(&self, function: &str) -> impl Iterator<Item = Result<Entry>> {
        self.0.iter().flat_map(move |engine| {
            engine.archive.reopen(false);
            Entries::of_function(&engine.archive.disk, key::folder(function))
        })
    }

    /// Returns the entry whose key begins with `id`, without its value, or `None` if there is none.
    ///
    /// It lists one shard of each function, and reads one record; if `id` includes the function, it lists nothing. If
    /// a shard can't be listed, the others are searched nevertheless.
    ///
    /// # Errors
    ///
    /// Returns an error when `id` isn't at least four hexadecimal digits; when several keys begin with it, which the
    /// error lists; when the record can't be read; and when no entry was found and a folder couldn't be listed.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.5));
    /// let key = memory.entry(&double::call(1.5))?.unwrap().key();
    /// assert_eq!(memory.entry_by_id(&key.to_string()[..4])?.unwrap().key(), key);
    /// assert!(memory.entry_by_id("3f2").unwrap_err().to_string().contains("at least 4"));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn entry_by_id(&self, id: impl EntryId) -> Result<Option<Entry>> {
        let Some(engine) = &self.0 else { return Ok(None) };
        if let Some(site) = known_site(&id) {
            engine.archive.reopen(false);
            if let Some(entry) = engine.entry_at(&site)? {
                return Ok(Some(entry));
            }
        }
        let Some(site) = engine.find_site(&id)? else { return Ok(None) };
        engine.entry_at(&site)
    }

    /// Removes the entry whose key begins with `id`, also a damaged one, and returns whether there was one. Mapped
    /// arrays keep their bytes.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is read-only, when `id` is invalid or not unique as in
    /// [`entry_by_id`](Self::entry_by_id), and when the entry can't be removed.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.5));
    /// let entry = memory.entry(&double::call(1.5))?.unwrap();
    /// assert!(memory.remove_entry(&entry)?);
    /// assert!(!memory.remove_entry(entry.key())?);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn remove_entry(&self, id: impl EntryId) -> Result<bool> {
        let Some(engine) = self.writable("remove an entry")? else { return Ok(false) };
        let Some(site) = engine.find_site(&id)? else { return Ok(false) };
        let found = engine.archive.read_record(&site.record()).ok().flatten();
        mark(&engine.archive.disk, &RemovedScope::Key(site.key()));
        engine.archive.remove(&site, found.as_ref().map(|found| &*found.record))
    }

    /// Removes the entry whose key begins with `id` if it is still damaged, and returns whether it was removed: one
    /// that was stored again in the meantime stays. Unlike after [`remove_entry`](Self::remove_entry), a tier may
    /// supply it again.
    ///
    /// It reads the record and all arrays of the entry. A copy of its record in another function's folder is damage,
    /// too.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is read-only, when `id` is invalid or not unique as in
    /// [`entry_by_id`](Self::entry_by_id), and when the entry can't be read or removed.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.5));
    /// let entry = memory.entry(&double::call(1.5))?.unwrap();
    /// assert!(!memory.remove_damaged(&entry)?);
    /// std::fs::write(entry.path(), b"nonsense").unwrap();
    /// assert!(memory.remove_damaged(&entry)?);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn remove_damaged(&self, id: impl EntryId) -> Result<bool> {
        let Some(engine) = self.writable("remove a damaged entry")? else { return Ok(false) };
        let mut removed = false;
        for site in engine.find_sites(&id)? {
            removed |= engine.remove_damaged_at(&site)?;
        }
        Ok(removed)
    }
}

impl Engine {
    /// Where the entry is that `id` names; `None` if there is none.
    pub(super) fn find_site(&self, id: &impl EntryId) -> Result<Option<Site>> {
        let mut found = self.find_sites(id)?;
        // Somebody may have put a copy of a record into another function's folder, where it isn't an entry.
        let home = found.iter().position(|site| found.len() == 1 || matches!(self.state(site), RecordState::Entry(_)));
        Ok((!found.is_empty()).then(|| found.swap_remove(home.unwrap_or(0))))
    }

    /// Where records are whose keys begin with `id`: all of one key.
    fn find_sites(&self, id: &impl EntryId) -> Result<Vec<Site>> {
        self.archive.reopen(false);
        let is_there = |site: &Site| matches!(self.archive.record_stat(site), Ok(Some(_)));
        if let Some(site) = known_site(id).filter(is_there) {
            return Ok(vec![site]);
        }
        let digits = digits(&id.digits())?;
        let found = candidates(&self.archive.disk, &digits, id.folder())?;
        match found.iter().any(|site| site.key() != found[0].key()) {
            true => Err(self.ambiguous(&digits, &found, found.len())),
            false => Ok(found),
        }
    }

    /// Removes what is at `site` unless it is whole, gone or of a newer version.
    fn remove_damaged_at(&self, site: &Site) -> Result<bool> {
        loop {
            let Some(before) = self.archive.record_stat(site)? else { return Ok(false) };
            let (found, error) = match self.state(site) {
                RecordState::Gone | RecordState::Newer(_) => return Ok(false),
                RecordState::Damaged(error) | RecordState::Unreadable(error) => (None, error),
                RecordState::Entry(found) => {
                    let disk = &self.archive.disk;
                    let check = |array: &ArrayRecord| check_array(disk, &site.file(&array.file), array).map(drop);
                    match found.record.arrays.iter().try_for_each(check) {
                        Ok(()) => return Ok(false),
                        Err(error) => (Some(found), error),
                    }
                }
            };
            // What was used or stored anew since it was looked at is looked at again.
            if self.archive.record_stat(site)? == Some(before) {
                return match error.kind() {
                    ErrorKind::Io => Err(error),
                    _ => self.archive.remove(site, found.as_ref().map(|found| &*found.record)),
                };
            }
        }
    }

    /// What stands at `site`.
    pub(super) fn state(&self, site: &Site) -> RecordState {
        RecordState::read(&self.archive.disk, &site.record(), site.key(), site.folder())
    }

    /// The entry at `site`; an error if its record is no entry.
    pub(super) fn entry_at(&self, site: &Site) -> Result<Option<Entry>> {
        match self.state(site) {
            RecordState::Entry(found) => Ok(Some(self.archive.entry(&site.record(), *found))),
            RecordState::Gone => Ok(None),
            RecordState::Damaged(error) | RecordState::Newer(error) | RecordState::Unreadable(error) => Err(error),
        }
    }

    fn ambiguous(&self, digits: &str, found: &[Site], count: usize) -> Error {
        let candidates = found.iter().take(LISTED).map(|site| match self.state(site) {
            RecordState::Entry(found) => format!("{} ({})", site.key(), crate::digest::escaped(&found.record.function)),
            _ => site.key().to_string(),
        });
        let mut listed = candidates.collect::<Vec<_>>().join(", ");
        if count > LISTED {
            listed.push_str(&format!(" and {} more", count - LISTED));
        }
        Error::invalid(format!("key `{digits}` is the beginning of {count} entries: {listed}"))
    }
}

/// Where the entry is of which `id` says both function and key; nothing has to be listed for it.
fn known_site(id: &impl EntryId) -> Option<Site> {
    let folder = id.folder()?;
    id.digits().parse().ok().map(|key| Site::new(folder, key))
}

/// The digits of a key, in lower case.
fn digits(id: &str) -> Result<String> {
    let is_right = (SHORTEST..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_right {
        return Ok(id.to_ascii_lowercase());
    }
    let shown: String = id.chars().take(64).flat_map(char::escape_debug).collect();
    Err(Error::invalid(format!(
        "key `{shown}` isn't one, expected at least {SHORTEST} and at most 32 hexadecimal digits"
    )))
}

/// Where records are whose keys begin so, in order.
fn candidates(disk: &Disk, digits: &str, folder: Option<String>) -> Result<Vec<Site>> {
    let shard = &digits[..2];
    debug_assert!(is_shard(shard));
    let folders = match folder {
        Some(folder) => vec![folder],
        None => {
            let functions = disk.list("f")?.into_iter().filter(|item| item.kind == FileKind::Folder);
            functions.map(|item| format!("f/{}", item.name)).collect()
        }
    };
    let (mut found, mut unlisted) = (Vec::new(), None);
    for folder in folders {
        let items = match disk.list(&format!("{folder}/{shard}")) {
            Ok(items) => items,
            // A link in its place, which isn't the cache's.
            Err(error) if error.kind() == ErrorKind::Damaged => continue,
            Err(error) => {
                unlisted.get_or_insert(error);
                continue;
            }
        };
        for item in items {
            if item.name.starts_with(digits)
                && let FileRole::Record(key) = FileRole::of(&item.name, shard)
            {
                found.push(Site::new(folder.clone(), key));
            }
        }
    }
    found.sort_by_key(|site| (site.key(), site.folder().to_owned()));
    match unlisted {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hexadecimal_digits_name_an_entry() {
        let key = crate::digest::Digest::of(b"a").to_string();
        assert_eq!(digits(&key.to_uppercase()).unwrap(), key);
        for wrong in ["", "3f2", "3f2g", "../..", "3f2a ", "é123", &format!("{key}0"), "0x3f2a", "3f2\0a"] {
            assert_eq!(digits(wrong).unwrap_err().kind(), crate::ErrorKind::Invalid, "{wrong}");
        }
    }
}
