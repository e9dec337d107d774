//! What the codes of functions were made of: a file for each function and code, which only explanations read
//! (docs/format.md, "Code").

use crate::digest::Digest;
use crate::entry::archive::Archive;
use crate::entry::site::Site;
use crate::entry::write::put::Draft;
use crate::error::{ErrorKind, Result};
use crate::key::{Part, shown_path};
use crate::record::{CODE_MAX, CodeRecord};
use crate::store::{Disk, Durability};

/// The folder of code records inside that of a function; no shard has this name.
pub(crate) const FOLDER: &str = "code";

impl Archive {
    /// Writes down what the code of a stored call was made of, with the first result of a code and again where somebody
    /// has removed it. A damaged file is replaced.
    ///
    /// An entry is as good without it: a fault only makes explanations less exact.
    pub(crate) fn keep_code(&self, site: &Site, draft: &Draft) {
        if draft.parts.is_empty() || !self.codes.lock().is_due(draft.function, draft.code) {
            return;
        }
        let name = name(site.folder(), draft.code);
        let kept = || -> Result<()> {
            let bytes = CodeRecord::new(draft.function, draft.code, draft.parts).encode()?;
            let stands = self.disk.read(&name, CODE_MAX as u64);
            match stands {
                Ok(Some(blob)) if blob.bytes == bytes => Ok(()),
                _ => self.disk.replace(&name, &bytes, Durability::Buffered),
            }
        };
        match kept() {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.codes.lock().leave(draft.function, draft.code);
                let what = "explanations won't say which part of the code changed";
                tracing::warn!(function = draft.function, %error, "{what}");
                self.warn(&format!("{}: {what}: {error}", shown_path(draft.function)));
            }
            Err(error) => tracing::debug!(%error, "explanations won't say which part of the code changed"),
            Ok(()) => {}
        }
    }

    /// What a code of `function`, whose folder is `folder`, was made of; empty if that isn't known.
    pub(crate) fn code_parts(&self, folder: &str, function: &str, code: Digest) -> Vec<Part> {
        code_parts(&self.disk, folder, function, code)
    }
}

/// The record of a code of `function`; `None` if there is none that says something of it.
pub(crate) fn code_record(disk: &Disk, folder: &str, function: &str, code: Digest) -> Result<Option<Vec<u8>>> {
    let blob = disk.read(&name(folder, code), CODE_MAX as u64)?;
    Ok(blob.map(|blob| blob.bytes).filter(|bytes| is_code_record(bytes, function, code)))
}

/// Whether these bytes are the record of a code of `function`.
pub(crate) fn is_code_record(bytes: &[u8], function: &str, code: Digest) -> bool {
    !CodeRecord::parts_of(bytes, function, code).is_empty()
}

/// Writes down the record of a code of `function`, unless one stands there.
///
/// # Errors
/// Returns an error when it can't be written.
pub(crate) fn keep_code_record(disk: &Disk, folder: &str, function: &str, code: Digest, bytes: &[u8]) -> Result<()> {
    match code_record(disk, folder, function, code)? {
        Some(_) => Ok(()),
        None => disk.replace(&name(folder, code), bytes, Durability::Buffered),
    }
}

/// What a code of `function`, whose folder is `folder`, was made of; empty if that isn't known.
pub(crate) fn code_parts(disk: &Disk, folder: &str, function: &str, code: Digest) -> Vec<Part> {
    let blob = disk.read(&name(folder, code), CODE_MAX as u64).ok().flatten();
    blob.map_or_else(Vec::new, |blob| CodeRecord::parts_of(&blob.bytes, function, code))
}

fn name(folder: &str, code: Digest) -> String {
    format!("{folder}/{FOLDER}/{code}.record")
}
