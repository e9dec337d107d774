//! A share of the entries, whatever their records say.

use std::path::PathBuf;

use crate::entry::Entry;
use crate::entry::site::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::survey::FileRole;
use crate::folder::walk::{Shards, Unlisted};
use crate::key;
use crate::memory::Memory;
use crate::store::Disk;

impl Memory {
    /// A share of the entries, or of those of one function: evenly spread over their keys, the same ones each time, at
    /// least one where there are any; each with the path of its record, which may be one that can't be read. Folders that
    /// can't be listed come first, whatever the share: each with its path and an error.
    ///
    /// Lists all folders, and reads no record before it is asked for: those of the share alone.
    ///
    /// # Errors
    ///
    /// Returns an error when `share` isn't above 0 and at most 1, and when the folder of functions can't be listed.
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
        let (mut chosen, mut unlisted) = (Vec::new(), Vec::new());
        if let Some(engine) = &self.0 {
            engine.archive.reopen(false);
            let disk = &engine.archive.disk;
            chosen = spread(
                sites(disk, function, |folder| unlisted.push((disk.path_of(&folder.name), Err(folder.error))))?,
                share,
            );
        }
        Ok(unlisted.into_iter().chain(chosen.into_iter().filter_map(|site| {
            let engine = self.0.as_ref()?;
            // One that was removed meanwhile is none of them.
            let entry = engine.entry_at(&site).transpose()?;
            Some((engine.archive.disk.path().join(site.record()), entry))
        })))
    }
}

/// Where the records are, in the order of their keys, which are random; `bad` hears of folders that can't be listed.
fn sites(disk: &Disk, function: Option<&str>, mut bad: impl FnMut(Unlisted)) -> Result<Vec<Site>> {
    let shards = match function {
        Some(function) => Shards::of_function(key::folder(function)),
        None => Shards::of(disk)?,
    };
    let mut sites = Vec::new();
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
        let Some((folder, shard)) = listing.name.rsplit_once('/') else { continue };
        for item in &listing.items {
            if let FileRole::Record(key) = FileRole::of(&item.name, shard) {
                sites.push(Site::new(folder.to_owned(), key));
            }
        }
    }
    sites.sort_by(|a, b| (a.key(), a.folder()).cmp(&(b.key(), b.folder())));
    Ok(sites)
}

/// This share of the sites, rounded up and evenly spread.
fn spread(sites: Vec<Site>, share: f64) -> Vec<Site> {
    let most = ((sites.len() as f64 * share).ceil() as usize).min(sites.len());
    let chosen = |at: usize| (at * most) / sites.len() != ((at + 1) * most) / sites.len();
    let places: Vec<bool> = (0..sites.len()).map(chosen).collect();
    sites.into_iter().zip(places).filter_map(|(site, chosen)| chosen.then_some(site)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::key::Key;

    #[test]
    fn a_share_is_spread_evenly_and_never_empty() {
        let sites = |count: u8| (0..count).map(|n| Site::new("f/x", Key::from_digest(Digest::from_bytes([n; 16]))));
        for (count, share, expected) in [(0, 0.5, 0), (1, 0.01, 1), (10, 0.05, 1), (10, 0.25, 3), (10, 1.0, 10)] {
            let chosen = spread(sites(count).collect(), share);
            assert_eq!(chosen.len(), expected, "{count} {share}");
        }
        let chosen: Vec<_> = spread(sites(100).collect(), 0.1).iter().map(Site::key).collect();
        let wanted: Vec<_> = sites(100).map(|site| site.key()).skip(9).step_by(10).collect();
        assert_eq!(chosen, wanted);
    }
}
