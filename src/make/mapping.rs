//! When the file at a target's path may be mapped.
//!
//! A target is mapped under the conditions of an array of the cache (docs/guarantees.md, "Mapping"): a regular file without write
//! permission, in a folder that isn't world-writable, on a local file system. `save` of a mapped target writes such a
//! file once, under a hidden name, and renames it; it replaces and never changes one. Anything else is copied.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::folder_of;
use crate::error::{Error, Result};
use crate::map::Mapping;
use crate::memory::ambient;
use crate::store::Medium;

/// Opens a regular file, and nothing else: a FIFO would block here for a writer that never comes.
pub(super) fn open(path: &Path) -> Result<(File, u64)> {
    let file = OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open(path);
    let file = file.map_err(|error| Error::io("open", path, error))?;
    let found = file.metadata().map_err(|error| Error::io("examine", path, error))?;
    match found.is_file() {
        true => Ok((file, found.len())),
        false => Err(Error::invalid(format!("`{}` isn't a regular file", path.display()))),
    }
}

/// The file at `path`, open and mapped; or why it is to be copied, a reason that is counted.
pub(super) fn map(path: &Path) -> Result<Result<(File, Mapping), &'static str>> {
    let mapped = try_map(path)?;
    if let Err(reason) = &mapped {
        refuse(reason);
    }
    Ok(mapped)
}

/// Counts a copy in place of a mapping.
pub(super) fn refuse(reason: &'static str) {
    if let Some(memory) = ambient() {
        memory.count_copy(reason);
    }
}

fn try_map(path: &Path) -> Result<Result<(File, Mapping), &'static str>> {
    let (file, len) = open(path)?;
    let found = file.metadata().map_err(|error| Error::io("examine", path, error))?;
    let medium = medium(path)?;
    let policy = match ambient() {
        Some(memory) => memory.unmappable(medium.network),
        None => medium.network.then_some("network"),
    };
    if let Some(reason) = policy {
        return Ok(Err(reason));
    }
    if medium.world_writable {
        return Ok(Err("world-writable"));
    }
    if found.mode() & 0o222 != 0 {
        return Ok(Err("mode"));
    }
    if len == 0 {
        return Ok(Err("empty"));
    }
    let mapping = Mapping::of(&file, path, len)?;
    Ok(Ok((file, mapping)))
}

/// What kind of ground the file's folder is; of a link to the file, the folder that it leads to.
fn medium(path: &Path) -> Result<Medium> {
    let whole = std::fs::canonicalize(path).map_err(|error| Error::io("find", path, error))?;
    let folder = folder_of(&whole);
    let opened = File::open(folder).map_err(|error| Error::io("open folder", folder, error))?;
    let stat = rustix::fs::fstat(&opened).map_err(|errno| Error::io("stat", folder, errno))?;
    Medium::of(&opened, &stat, folder)
}
