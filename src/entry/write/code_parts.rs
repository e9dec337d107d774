//! What the codes of functions were made of: a file for each function and code, which only explanations read
//! (docs/format.md, "Code").

use crate::digest::Digest;
use crate::entry::archive::Archive;
use crate::entry::site::Site;
use crate::entry::write::put::Draft;
use crate::error::Result;
use crate::key::Part;
use crate::record::{CodeRecord, RECORD_MAX};
use crate::store::{Disk, Durability};
use crate::threads::lock;

/// Its folder in that of the function, which is none of its shards.
pub(crate) const FOLDER: &str = "code";

impl Archive {
    /// Writes down what the code of a stored call was made of, once for each memory and code. A damaged file is replaced.
    ///
    /// An entry is no worse without it, so that a fault costs nothing but a more exact explanation.
    pub(crate) fn keep_code(&self, site: &Site, draft: &Draft) {
        if draft.parts.is_empty() || !lock(&self.codes).insert((draft.function, draft.code)) {
            return;
        }
        let name = name(site.folder(), draft.code);
        let kept = || -> Result<()> {
            let bytes = CodeRecord::new(draft.function, draft.code, draft.parts).encode()?;
            let stands = self.disk.read(&name, RECORD_MAX as u64);
            match stands {
                Ok(Some(blob)) if blob.bytes == bytes => Ok(()),
                _ => self.disk.replace(&name, &bytes, Durability::Buffered),
            }
        };
        if let Err(error) = kept() {
            tracing::debug!(%error, "explanations won't say which part of the code changed");
        }
    }

    /// What a code of `function`, whose folder is `folder`, was made of; empty if that isn't known.
    pub(crate) fn code_parts(&self, folder: &str, function: &str, code: Digest) -> Vec<Part> {
        code_parts(&self.disk, folder, function, code)
    }
}

/// What a code of `function`, whose folder is `folder`, was made of; empty if that isn't known.
pub(crate) fn code_parts(disk: &Disk, folder: &str, function: &str, code: Digest) -> Vec<Part> {
    let blob = disk.read(&name(folder, code), RECORD_MAX as u64).ok().flatten();
    blob.map_or_else(Vec::new, |blob| CodeRecord::parts_of(&blob.bytes, function, code))
}

fn name(folder: &str, code: Digest) -> String {
    format!("{folder}/{FOLDER}/{code}.record")
}
