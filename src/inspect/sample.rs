//! A share of the entries, whatever their records say.

use std::path::PathBuf;

use crate::entry::Entry;
use crate::entry::site::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::survey::FileRole;
use crate::folder::walk::{Shards, Unlisted};
use crate::key::{self, Key};
use crate::memory::Memory;
use crate::store::Disk;

impl Memory {
    /// Returns a share of the entries, or of those of one function: evenly spread over their keys, the same ones each
    /// time, at least one if there are any; each with the path of its record, which may be one that can't be read.
    /// Folders that can't be listed come first, whatever the share, each with its path and an error.
    ///
    /// It lists all folders, and reads only the records of the share, when the iterator reaches them.
    ///
    /// # Errors
    ///
    /// Returns an error when `share` isn't above 0 and at most 1, or when the folder of functions can't be listed.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// for x in 0..8 {
    ///     memory.eval(double::call(f64::from(x)));
    /// }
    /// for (path, entry) in memory.sample(None, 0.25)? {
    ///     println!("{}: {} bytes", path.display(), entry?.verify()?);
    /// }
    /// assert_eq!(memory.sample(Some(double::function().path()), 0.25)?.count(), 2);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn sample(&self, function: Option<&str>, share: f64) -> Result<impl Iterator<Item = (PathBuf, Result<Entry>)>> {
        if !(share > 0.0 && share <= 1.0) {
            return Err(Error::invalid(format!("share is {share}, expected more than 0 and at most 1")));
        }
        let (mut listed, mut unlisted) = (Places::default(), Vec::new());
        if let Some(engine) = &self.0 {
            engine.archive.reopen(false);
            let disk = &engine.archive.disk;
            let bad = |folder: Unlisted| unlisted.push((disk.path_of(&folder.name), Err(folder.error)));
            listed = Places::of(disk, function, bad)?;
            spread(&mut listed.places, share);
        }
        let Places { folders, places } = listed;
        Ok(unlisted.into_iter().chain(places.into_iter().filter_map(move |(key, folder)| {
            let engine = self.0.as_ref()?;
            let site = Site::new(folders[folder as usize].clone(), key);
            // One that was removed meanwhile is none of them.
            let entry = engine.entry_at(&site).transpose()?;
            Some((engine.archive.disk.path().join(site.record()), entry))
        })))
    }
}

/// Where records are, in a few bytes each.
#[derive(Default)]
struct Places {
    /// The folders of functions.
    folders: Vec<String>,
    /// The key of each, and the index of its folder: in the order of the keys, which are random.
    places: Vec<(Key, u32)>,
}

impl Places {
    /// The records of a function, or of all; `bad` hears of folders that can't be listed.
    fn of(disk: &Disk, function: Option<&str>, mut bad: impl FnMut(Unlisted)) -> Result<Self> {
        let shards = match function {
            Some(function) => Shards::of_function(key::folder(function)),
            None => Shards::of(disk)?,
        };
        let mut places = Vec::new();
        while let Some(listing) = shards.next(disk) {
            let listing = match listing {
                Ok(listing) => listing,
                // A link in its place, which isn't the cache's.
                Err(unlisted) if unlisted.error.kind() == ErrorKind::Damaged => continue,
                Err(unlisted) => {
                    bad(unlisted);
                    continue;
                }
            };
            let Some((_, shard)) = listing.name.rsplit_once('/') else { continue };
            // A file system holds fewer folders than that.
            let folder = u32::try_from(listing.function).unwrap_or(u32::MAX);
            for item in &listing.items {
                if let FileRole::Record(key) = FileRole::of(&item.name, shard) {
                    places.push((key, folder));
                }
            }
        }
        let folders = shards.into_functions();
        places.sort_unstable_by_key(|&(key, folder)| (key, &*folders[folder as usize]));
        Ok(Self { folders, places })
    }
}

/// Keeps this share of what is listed, rounded up and evenly spread.
fn spread<T>(places: &mut Vec<T>, share: f64) {
    let all = places.len();
    let most = ((all as f64 * share).ceil() as usize).min(all);
    let mut at = 0;
    places.retain(|_| {
        at += 1;
        (at - 1) * most / all != at * most / all
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_spread_evenly_and_never_empty() {
        let spread = |count: u8, share: f64| {
            let mut places: Vec<u8> = (0..count).collect();
            spread(&mut places, share);
            places
        };
        for (count, share, expected) in [(0, 0.5, 0), (1, 0.01, 1), (10, 0.05, 1), (10, 0.25, 3), (10, 1.0, 10)] {
            assert_eq!(spread(count, share).len(), expected, "{count} {share}");
        }
        assert_eq!(spread(100, 0.1), (0..100).skip(9).step_by(10).collect::<Vec<u8>>());
    }
}
