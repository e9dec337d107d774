//! A cache that is there already: opened for looking, or for writing, and never made.

use std::path::Path;

use crate::entry::rules::Mode;
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::store::Disk;

impl Memory {
    /// Opens a cache that is there, for reading only: creates nothing, stamps nothing, and writes nothing later.
    ///
    /// A folder is a cache if it has its tag, or if there is an `f/` with the folder of a function (`<stem>-<16 hex>`)
    /// in it. No environment variable is looked at.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no such folder, when it can't be read, and when it is no cache.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndcache::{Memory, Mode};
    ///
    /// let error = Memory::inspect(folder.path()).unwrap_err();
    /// assert!(error.to_string().ends_with("isn't a cache: it has neither the tag `CACHEDIR.TAG` of one nor entries in `f/`"));
    /// Memory::open(folder.path())?; // makes one of an empty folder
    /// assert_eq!(Memory::inspect(folder.path())?.mode(), Mode::ReadOnly);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn inspect(folder: impl AsRef<Path>) -> Result<Self> {
        let disk = Disk::open_read_only(folder.as_ref())?;
        expect_cache(&disk)?;
        Ok(Self::builder(folder).mode(Mode::ReadOnly).open_disk(disk))
    }

    /// Opens a cache that is there, for writing: creates and tags nothing, and makes no other one in its place when it
    /// is removed.
    ///
    /// What counts as a cache is said at [`inspect`](Self::inspect). Removing and evicting create the file `locks` where
    /// it is missing.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no such folder, when it can't be written, and when it is no cache.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndcache::Memory;
    ///
    /// assert!(Memory::existing(folder.path()).is_err());
    /// assert!(folder.path().read_dir().unwrap().next().is_none());
    /// Memory::open(folder.path())?;
    /// Memory::existing(folder.path())?.clear()?;
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn existing(folder: impl AsRef<Path>) -> Result<Self> {
        let disk = Disk::open_existing(folder.as_ref())?;
        expect_cache(&disk)?;
        Ok(Self::builder(folder).open_disk(disk))
    }

    /// Why the arrays of this folder are copied into memory where they could be mapped: `policy`, `network` or
    /// `world-writable`; `None` if they are mapped, as far as the folder decides it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndcache::Memory;
    /// use ndcache::policy::MapPolicy;
    ///
    /// let memory = Memory::builder(folder.path()).map(MapPolicy::Never).open()?;
    /// assert_eq!(memory.why_copied(), Some("policy"));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn why_copied(&self) -> Option<&'static str> {
        self.0.as_ref().and_then(|engine| engine.archive.unmappable())
    }
}

fn expect_cache(disk: &Disk) -> Result<()> {
    if disk.is_cache()? {
        return Ok(());
    }
    let folder = disk.path().display();
    let why = "it has neither the tag `CACHEDIR.TAG` of one nor entries in `f/`";
    Err(Error::invalid(format!("folder `{folder}` isn't a cache: {why}")))
}
