//! How long files are, and how long they say that they are.
//!
//! A sparse file of a few blocks may say that it is gigabytes long. What such a file holds is hashed in constant memory
//! before room is made for it. None is refused for its blocks: a file system that compresses reports few for good files.

use crate::error::{Error, Result};
use crate::map::{DENSE, Examined, digest_file};
use crate::record::Overflow;
use crate::store::Disk;

/// Whether an overflow is hashed before memory is taken for it, because it is long.
pub(crate) fn is_long(overflow: &Overflow) -> bool {
    overflow.length > DENSE
}

/// Whether the overflow file `name` may be read into memory: it isn't sparse, or holds what its record says.
pub(crate) fn expect_overflow(disk: &Disk, name: &str, overflow: &Overflow) -> Result<()> {
    if !is_long(overflow) {
        return Ok(());
    }
    // One that is missing, or has another length, is found by whoever reads it.
    let Some(file) = disk.open_unseen(name)? else { return Ok(()) };
    let path = || disk.path_of(name);
    let file = Examined::of(file, path)?;
    let suspect = file.is_sparse() && file.len() == overflow.length;
    if suspect && digest_file(&file, path, 0, overflow.length)? != overflow.digest {
        return Err(Error::damaged(format!("`{}` is not the file that its record names", path().display())));
    }
    Ok(())
}

/// An array file that isn't there, or has another length than its record says.
pub(crate) fn misfit(name: &str, found: Option<u64>, expected: u64) -> Error {
    let Some(found) = found else {
        return Error::damaged(format!("array file is missing: `{name}`, expected {}", bytes(expected)));
    };
    let how = if found < expected { "short" } else { "too long" };
    let (difference, found, expected) = (bytes(found.abs_diff(expected)), bytes(found), bytes(expected));
    Error::damaged(format!("array file is {difference} {how}: `{name}` has {found}, expected {expected}"))
}

fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}
