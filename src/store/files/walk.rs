//! Listing folders and removing trees, while others do the same.

use crate::error::{Error, Result};
use crate::store::disk::Disk;
use crate::store::name::{BlobName, check_folder};
use crate::store::system::at;
use crate::store::system::stat::Stat;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, FileType, Mode};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What commits an entry goes first, so that no reader finds a record whose blobs are gone.
const COMMITS: &[u8] = b".record";

/// How old a file that no record names has to be before it is garbage: nobody takes that long between writing an
/// array and committing it.
pub(crate) const GARBAGE_AGE: Duration = Duration::from_secs(24 * 3600);

/// Ours have three levels. Deeper ones are somebody's mischief, and each level holds a descriptor.
const DEPTH_MAX: usize = 32;

/// Bytes of names that the system gives at once: those of some hundred files.
#[cfg(target_os = "linux")]
const LISTED: usize = 32 << 10;

/// Something in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FolderItem {
    pub(crate) name: String,
    pub(crate) kind: FileKind,
}

/// What an item is by itself; a link is never followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileKind {
    File,
    Folder,
    Other,
}

/// A folder that was listed, and may have been removed since.
pub(crate) struct OpenFolder(OwnedFd);

impl AsFd for OpenFolder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Disk {
    /// What is in a folder (the root's name is empty), in no order; nothing if it isn't there. Names that are not
    /// UTF-8 are none of ours and are left out.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<FolderItem>> {
        Ok(self.list_open(folder)?.1)
    }

    /// Lists a folder and opens it, so that each of its files can be read without looking for it from the root on.
    pub(crate) fn list_open(&self, folder: &str) -> Result<(Option<OpenFolder>, Vec<FolderItem>)> {
        check_folder(folder)?;
        let name = if folder.is_empty() { "." } else { folder };
        let opened = match at::open(self.root().as_fd(), name, at::LIST, Mode::empty()) {
            Err(Errno::STALE) => at::open(self.root().as_fd(), name, at::LIST, Mode::empty()),
            opened => opened,
        };
        let listed = opened.and_then(|folder| {
            let mut items = Vec::new();
            entries(folder.as_fd(), |name, kind| {
                items.extend(name.to_str().map(|name| FolderItem { name: name.to_owned(), kind }))
            })?;
            Ok((Some(OpenFolder(folder)), items))
        });
        match listed {
            Ok(listed) => Ok(listed),
            Err(errno) if at::is_absent(errno) => Ok((None, Vec::new())),
            Err(errno) => Err(at::fault("list", &self.path_of(folder), errno)),
        }
    }

    /// Removes a folder of entries with all that is in it, and returns what that was. Files whose names are none of ours
    /// stay, and the folders that hold them.
    ///
    /// Others may write into it meanwhile: what they add may stay, and what they remove is no error. The first error
    /// is returned after everything else was tried.
    pub(crate) fn remove_tree(&self, folder: &str) -> Result<Removed> {
        self.remove_tree_while(folder, &mut |_| true)
    }

    /// Removes a folder of entries like [`remove_tree`](Self::remove_tree), as long as `goes_on` says so, which is asked
    /// before each folder below it with what was removed so far. No entry is removed in part.
    pub(crate) fn remove_tree_while(&self, folder: &str, goes_on: &mut dyn FnMut(Removed) -> bool) -> Result<Removed> {
        let name = BlobName::new(folder)?;
        self.expect_writable("remove", &name)?;
        if !matches!(folder.split('/').next(), Some("f" | "m")) {
            return Err(Error::invalid(format!("`{folder}` is not a folder of entries, expected one in `f` or `m`")));
        }
        let parent = match self.folder(name.folder()) {
            Err(errno) if at::is_absent(errno) => return Ok(Removed::default()),
            parent => parent.map_err(|errno| self.fault("remove", &name, errno))?,
        };
        let mut removal = TreeRemoval { removed: Removed::default(), error: None, goes_on, is_over: false };
        let leaf = CString::new(name.leaf()).map_err(|_| Error::invalid("a folder's name contains a NUL"))?;
        removal.folder(parent.as_fd(), &leaf, &self.path_of(folder), DEPTH_MAX);
        removal.error.map_or(Ok(removal.removed), Err)
    }

    /// Removes a folder that is empty; one that isn't, or that somebody puts something into meanwhile, stays.
    pub(crate) fn remove_empty(&self, folder: &str) -> Result<()> {
        let name = BlobName::new(folder)?;
        self.expect_writable("remove", &name)?;
        let parent = match self.folder(name.folder()) {
            Err(errno) if at::is_absent(errno) => return Ok(()),
            parent => parent.map_err(|errno| self.fault("remove", &name, errno))?,
        };
        match fs::unlinkat(parent, name.leaf(), AtFlags::REMOVEDIR) {
            Err(errno) if !at::is_absent(errno) && !stays(errno) => Err(self.fault("remove", &name, errno)),
            _ => Ok(()),
        }
    }
}

/// Whether this error means that a folder isn't empty, or that one of its files is still open on NFS.
fn stays(errno: Errno) -> bool {
    matches!(errno, Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY)
}

/// Calls `found` with all that is in a folder.
fn entries(folder: BorrowedFd<'_>, mut found: impl FnMut(&CStr, FileKind)) -> rustix::io::Result<()> {
    each(folder, |name, listed| {
        if name != c"." && name != c".." {
            kind(folder, name, listed)?.into_iter().for_each(|kind| found(name, kind));
        }
        Ok(())
    })
}

/// Without a copy of each name: there may be millions.
#[cfg(target_os = "linux")]
fn each(
    folder: BorrowedFd<'_>,
    mut found: impl FnMut(&CStr, FileType) -> rustix::io::Result<()>,
) -> rustix::io::Result<()> {
    let mut buffer = Vec::with_capacity(LISTED);
    let mut listing = fs::RawDir::new(folder, buffer.spare_capacity_mut());
    while let Some(entry) = listing.next() {
        let entry = entry?;
        found(entry.file_name(), entry.file_type())?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn each(
    folder: BorrowedFd<'_>,
    mut found: impl FnMut(&CStr, FileType) -> rustix::io::Result<()>,
) -> rustix::io::Result<()> {
    for entry in fs::Dir::read_from(folder)? {
        let entry = entry?;
        found(entry.file_name(), entry.file_type())?;
    }
    Ok(())
}

/// Some file systems don't say in the listing what an entry is; `None` for what is gone already.
fn kind(folder: BorrowedFd<'_>, name: &CStr, listed: FileType) -> rustix::io::Result<Option<FileKind>> {
    let found = match listed {
        FileType::Unknown => match fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(errno) if at::is_absent(errno) => return Ok(None),
            stat => FileType::from_raw_mode(stat?.st_mode),
        },
        listed => listed,
    };
    Ok(Some(match found {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Folder,
        _ => FileKind::Other,
    }))
}

/// What was removed with a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Records, but for those that say what a code is made of.
    pub(crate) records: u64,
    /// The bytes of all files.
    pub(crate) bytes: u64,
}

/// Where a function's folder holds what its codes are made of.
const CODES: &str = "code";

struct TreeRemoval<'a> {
    removed: Removed,
    error: Option<Error>,
    goes_on: &'a mut dyn FnMut(Removed) -> bool,
    /// It doesn't go on.
    is_over: bool,
}

impl TreeRemoval<'_> {
    /// Empties and removes the folder `name` in `parent`; a link or file of that name is unlinked itself.
    fn folder(&mut self, parent: BorrowedFd<'_>, name: &CStr, path: &Path, depth: usize) {
        if depth == 0 {
            self.error.get_or_insert_with(|| too_deep(path));
            return;
        }
        self.is_over = self.is_over || !(self.goes_on)(self.removed);
        if self.is_over {
            return;
        }
        let flags = at::LIST | fs::OFlags::NOFOLLOW;
        let opened = rustix::io::retry_on_intr(|| fs::openat(parent, name, flags, Mode::empty()));
        let listed = opened.and_then(|folder| {
            let mut items = Vec::new();
            entries(folder.as_fd(), |name, kind| items.push((name.to_owned(), kind)))?;
            Ok((folder, items))
        });
        match listed {
            Ok((folder, items)) => self.contents(folder.as_fd(), items, path, depth),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                self.file(parent, name, path);
                return;
            }
            Err(errno) => return self.note(path, errno),
        }
        match fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) => {}
            Err(errno) if stays(errno) => {} // somebody has put something there meanwhile
            Err(errno) => self.note(path, errno),
        }
    }

    fn contents(&mut self, at: BorrowedFd<'_>, mut listed: Vec<(CString, FileKind)>, path: &Path, depth: usize) {
        listed.sort_by_key(|(name, kind)| (*kind == FileKind::Folder, !name.to_bytes().ends_with(COMMITS)));
        // Records come first. The files of a key that has none may be those of a put that is about to commit; those
        // of a record that can't be removed are needed.
        let (mut removed, mut kept) = (HashSet::new(), HashSet::new());
        for (name, kind) in &listed {
            let path = below(path, name);
            if *kind != FileKind::Folder && !is_ours(name) {
                continue;
            }
            let commits = name.to_bytes().ends_with(COMMITS);
            match kind {
                FileKind::Folder => self.folder(at, name, &path, depth - 1),
                FileKind::File if !commits => {
                    // One without a suffix is no file of a put, and may stand in a folder's place.
                    let idle = !name.to_bytes().contains(&b'.') || is_old(at, name);
                    let goes = removed.contains(key(name)) || idle && !kept.contains(key(name));
                    if goes {
                        self.file(at, name, &path);
                    }
                }
                FileKind::File | FileKind::Other => {
                    let keys = if self.file(at, name, &path) { &mut removed } else { &mut kept };
                    keys.insert(key(name));
                }
            }
        }
    }

    /// Unlinks a file, and says whether it is gone for sure.
    fn file(&mut self, folder: BorrowedFd<'_>, name: &CStr, path: &Path) -> bool {
        let length = fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_or(0, |stat| stat.st_size);
        let unlinked = fs::unlinkat(folder, name, AtFlags::empty());
        if unlinked.is_ok() {
            let of_code = || path.parent().and_then(Path::file_name).is_some_and(|folder| folder == CODES);
            self.removed.records += u64::from(name.to_bytes().ends_with(COMMITS) && !of_code());
            self.removed.bytes += u64::try_from(length).unwrap_or(0);
        }
        if let Err(errno) = unlinked {
            self.note(path, errno);
        }
        // A stale handle is no error, and doesn't tell whether the file is still there.
        matches!(unlinked, Ok(()) | Err(Errno::NOENT))
    }

    fn note(&mut self, path: &Path, errno: Errno) {
        if !at::is_absent(errno) {
            self.error.get_or_insert_with(|| at::fault("remove", path, errno));
        }
    }
}

/// What the names of an entry's files have in common: they begin with it, or, made readable, have it after the last `-`.
fn key(name: &CStr) -> &[u8] {
    let name = name.to_bytes();
    let rest = name.rsplit(|&byte| byte == b'-').next().unwrap_or(name);
    rest.split(|&byte| byte == b'.').next().unwrap_or(rest)
}

/// Whether a file may be one of an entry or slot, or stand in the place of a folder of them, by its name.
fn is_ours(name: &CStr) -> bool {
    let key = key(name);
    let is_hex = key.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex && key.len() >= 2 || name.to_bytes() == CODES.as_bytes()
}

/// Whether a file that no record names is too old to be that of a put under way.
fn is_old(folder: BorrowedFd<'_>, name: &CStr) -> bool {
    fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| Stat::of(&stat).modified.elapsed().is_ok_and(|age| age >= GARBAGE_AGE))
}

fn too_deep(path: &Path) -> Error {
    Error::damaged(format!("`{}` lies more than {DEPTH_MAX} folders deep", path.display()))
}

fn below(path: &Path, name: &CStr) -> PathBuf {
    path.join(&*name.to_string_lossy())
}
