//! A cache that is there already: opened for looking, or for writing, and never made.

use std::path::Path;

use crate::entry::rules::Mode;
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::store::Disk;

impl Memory {
    /// Opens an existing cache for reading only: creates and stamps nothing, and never writes.
    ///
    /// A folder is a cache if it has the tag file, or a subfolder `f/` with the folder of a function (`<stem>-<16
    /// hex>`). No environment variable is read.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no such folder, when it can't be read, or when it isn't a cache.
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

    /// Opens an existing cache for writing: creates and tags nothing, and creates no folder again when it was
    /// deleted.
    ///
    /// A folder is a cache by the rules of [`inspect`](Self::inspect). Removing and evicting create the file `locks`
    /// if it is missing.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no such folder, when it can't be written to, or when it isn't a cache.
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

    /// Returns why the arrays of this folder are copied into memory instead of mapped: `policy`, `network` or
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
