//! What comes into the place of a root that was removed, and how a root is marked as a cache.

use super::disk::Disk;
use super::root::{self, Root};
use super::{Durability, FileKind};
use crate::error::Result;
use rustix::io::Errno;
use std::sync::atomic::Ordering;
use std::sync::{Arc, TryLockError, TryLockResult};
use std::thread;
use std::time::{Duration, Instant};

/// See <https://bford.info/cachedir/>: backup programs skip a folder that holds this file.
const TAG: &str = "CACHEDIR.TAG";
const TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55
# This folder is a cache of ndcache; everything in it can be computed again.
# For information about cache directory tags see https://bford.info/cachedir/
";
const IGNORE: &str = ".gitignore";

/// How every tag begins, whichever program wrote it.
const SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Nobody writes longer ones.
const TAG_MAX: u64 = 4096;

/// What else stands in a root (docs/format.md, "Layout").
const NAMES: &[&str] = &["f", "m", "s", "t", "p", "locks", "landings"];

/// How long one thread waits for another one that opens a root.
const PATIENCE: Duration = Duration::from_secs(5);

impl Disk {
    /// If the root was removed, goes on in the folder that is at the store's path by now, which is made if there is
    /// none and `create` says so. A root that was moved stays the one.
    ///
    /// Says whether there is another root than before. Costs a look at the descriptor, unless it was removed.
    ///
    /// # Errors
    /// Returns an error when something else than a folder is there, or none can be made.
    pub(crate) fn reopen(&self, create: bool) -> Result<bool> {
        self.reopen_instead_of(&self.root(), create)
    }

    /// Does what [`Disk::reopen`] does for a caller that can make nothing in `root`, which gave `errno`.
    pub(crate) fn replace_removed(&self, root: &Arc<Root>, errno: Errno) -> rustix::io::Result<()> {
        match self.reopen_instead_of(root, true) {
            Ok(true) => Ok(()),
            Ok(false) => Err(errno),
            Err(error) => Err(error.io_error().and_then(Errno::from_io_error).unwrap_or(errno)),
        }
    }

    /// How often another root was opened in place of a removed one, about whose files something may be remembered.
    pub(crate) fn reopened(&self) -> u64 {
        self.reopened.load(Ordering::Acquire)
    }

    fn reopen_instead_of(&self, removed: &Arc<Root>, create: bool) -> Result<bool> {
        if !removed.is_removed() {
            return Ok(false);
        }
        let one = self.reopening.lock();
        if !Arc::ptr_eq(removed, &self.root()) {
            return Ok(true); // another thread was first
        }
        let (folder, grown) = match root::open(self.path()) {
            Err(error) if root::is_missing(&error) && create && self.makes() => {
                root::create_at(&root::destination(self.path()))?
            }
            Err(error) if root::is_missing(&error) => return Ok(false),
            opened => (opened?, Vec::new()),
        };
        let root = Root::new(folder, self.path(), Some(removed))?;
        let Some(mut current) = soon(|| self.root.try_write()) else { return Ok(false) };
        *current = Arc::new(root);
        drop(current);
        let created = !grown.is_empty();
        self.made_anew.store(created, Ordering::Relaxed);
        self.reopened.fetch_add(1, Ordering::Release);
        self.unsynced().extend(grown);
        drop(one);
        if self.makes() {
            self.mark(created);
        }
        tracing::warn!("{}", self.replacement());
        Ok(true)
    }

    /// What became of a folder that was removed, in words, once another root was opened.
    pub(crate) fn replacement(&self) -> String {
        let now = match self.made_anew.load(Ordering::Relaxed) {
            true => "it is made anew",
            false => "the one that is there is used",
        };
        format!("cache folder `{}` was removed while it was in use: {now}", self.path().display())
    }

    /// Writes what tells people and programs what this folder is. The tag comes last: where it stands, all is written.
    pub(crate) fn mark(&self, created: bool) {
        let marked = self.try_mark(created);
        if let Err(error) = marked {
            tracing::warn!("cache folder `{}` can't be tagged as a cache: {error}", self.path().display());
        }
    }

    fn try_mark(&self, created: bool) -> Result<()> {
        if !created && (self.stat(TAG)?.is_some() || !self.is_ours()?) {
            return Ok(());
        }
        if created {
            self.replace(IGNORE, b"*\n", Durability::Buffered)?;
        }
        self.replace(TAG, TAG_TEXT.as_bytes(), Durability::Buffered)
    }

    /// Whether the folder is a cache: it has the tag, or the folder of a function's entries in `f/`.
    ///
    /// The tag of another program, which names that program, doesn't make its folder a cache.
    pub(crate) fn is_cache(&self) -> Result<bool> {
        let tag = self.read(TAG, TAG_MAX).ok().flatten().map(|blob| blob.bytes).unwrap_or_default();
        let mentions = |word: &str| tag.windows(word.len()).any(|window| window == word.as_bytes());
        if tag.starts_with(SIGNATURE) && (mentions("ndcache") || self.is_ours()?) {
            return Ok(true);
        }
        Ok(self.list("f")?.iter().any(|item| item.kind == FileKind::Folder && is_function_folder(&item.name)))
    }

    /// Nothing stands in the root but what a store puts there: true of an empty folder, too.
    fn is_ours(&self) -> Result<bool> {
        // Names are compared by their beginnings, because a crash may have left a staged file.
        let ours = |name: &str| NAMES.contains(&name) || name.starts_with(TAG) || name.starts_with(IGNORE);
        Ok(self.list("")?.iter().all(|item| ours(&item.name)))
    }
}

/// Whether a name is that of a function's folder: `<stem>-<16 hex>`.
fn is_function_folder(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.rsplit_once('-').is_some_and(|(stem, hex)| !stem.is_empty() && hex.len() == 16 && hex.bytes().all(is_digit))
}

/// A lock that nobody holds for longer than a few instructions; `None` in a forked child, in which the thread that holds
/// it may not exist.
fn soon<T>(lock: impl Fn() -> TryLockResult<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        match lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if begin.elapsed() >= PATIENCE => return None,
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_micros(50)),
        }
    }
}
