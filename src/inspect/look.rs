//! What stands in an entry besides its value: code, files, record.

use std::fs::File;

use crate::digest::Digest;
use crate::entry::Entry;
use crate::entry::write::code_parts::{code_parts, code_record};
use crate::error::{Error, ErrorKind, Result};
use crate::folder::verify::check_array;
use crate::key::Part;
use crate::record::RECORD_MAX;

/// A part of the code of a stored call, as it was when the call was stored: from [`Entry::code_parts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPart(Part);

impl StoredPart {
    /// Its name: the path of a helper in its crate, or as `depends(…)` names it; empty for the function itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What of it is part of the key: `auto`, `package`, `body`, `version` or `build`, as `code = "…"` says; `found` for
    /// a helper.
    #[must_use]
    pub fn counts(&self) -> &str {
        &self.0.counts
    }

    /// The version of its package, where that is part of the key.
    #[must_use]
    pub fn package(&self) -> Option<&str> {
        self.0.package.as_deref()
    }

    /// `version = …`, if it has one.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.0.version
    }

    /// The digest of its tokens, or of the build; `None` where only the version is part of the key.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.0.body
    }

    /// What it takes from the build, each with its value: `cfg(unix)` with `true`. Of variables and included files the
    /// value is a digest.
    pub fn facts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.facts.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Entry {
    /// The digest of its function's code, as far as that is part of the key.
    #[must_use]
    pub fn code(&self) -> Digest {
        self.record().code
    }

    /// How it came into this folder, if no call made it here: `import` or `tier`.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.record().origin.as_deref()
    }

    /// Whether its value holds an object that Python pickled, which only Python can load.
    #[must_use]
    pub fn holds_pickle(&self) -> bool {
        self.record().has_pickle()
    }

    /// What its code was made of: the function itself, then what counts with it; empty where that isn't known.
    ///
    /// Reads one file, which all entries of one code share; it is missing where an entry was stored by a memory that
    /// couldn't write it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache(version = 2)]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.5));
    /// let parts = memory.entry(&double::call(1.5))?.unwrap().code_parts();
    /// assert_eq!((parts[0].name(), parts[0].version()), ("", Some(2)));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn code_parts(&self) -> Vec<StoredPart> {
        self.parts().into_iter().map(StoredPart).collect()
    }

    pub(super) fn parts(&self) -> Vec<Part> {
        let folder = self.folder();
        let function = folder.rsplit_once('/').map_or("", |(function, _)| function);
        code_parts(self.disk(), function, self.function(), self.code())
    }

    /// The bytes of the file that says what its code was made of, which it shares with all entries of that code; at most
    /// 4 MiB. `None` if there is none. Nothing but [`code_parts`](Self::code_parts) and explanations needs it.
    ///
    /// # Errors
    ///
    /// Returns an error when the file can't be read.
    pub fn code_record(&self) -> Result<Option<Vec<u8>>> {
        let folder = self.folder();
        let function = folder.rsplit_once('/').map_or("", |(function, _)| function);
        code_record(self.disk(), function, self.function(), self.code())
    }

    /// The names of all its files beside the record: its arrays, and what of its value is too long for the record.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        self.record().files()
    }

    /// Opens one of its files, by the name that [`file_names`](Self::file_names) gives.
    ///
    /// # Errors
    ///
    /// Returns an error when it has no such file, when that is gone, and when it can't be opened.
    pub fn open_file(&self, name: &str) -> Result<File> {
        if !self.file_names().any(|file| file == name) {
            let (path, name) = (self.path().display(), name.escape_debug());
            return Err(Error::invalid(format!("entry `{path}` has no file `{name}`")));
        }
        let opened = self.disk().open_file(&format!("{}/{name}", self.folder()))?;
        let gone = || Error::damaged(format!("file `{}` is missing", self.path().with_file_name(name).display()));
        opened.map(|(file, _)| file).ok_or_else(gone)
    }

    /// The bytes of its record, as they stand in its file by now; at most 64 KiB. With those of its
    /// [files](Self::file_names) they are all that there is of an entry, and what
    /// [`Memory::publish_foreign`](crate::Memory::publish_foreign) takes in another folder.
    ///
    /// # Errors
    ///
    /// Returns an error when the record is gone or was replaced, and when it can't be read.
    pub fn record_bytes(&self) -> Result<Vec<u8>> {
        let name = self.name();
        let gone = || {
            let path = self.path().display();
            Error::new(ErrorKind::Changed, format!("entry `{path}` was removed or replaced"))
        };
        let blob = self.disk().read(&name, RECORD_MAX as u64)?.ok_or_else(gone)?;
        let record = crate::record::Record::decode(&blob.bytes, || self.path().to_owned())?;
        let is_same = record.created == self.record().created && record.key == self.record().key;
        if is_same { Ok(blob.bytes) } else { Err(gone()) }
    }

    /// Checks its record and each of its files, as [`Memory::verify`](crate::Memory::verify) does; returns the bytes
    /// that are right.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Damaged`](crate::ErrorKind::Damaged) that names the file when one isn't what was
    /// written, of kind [`Changed`](crate::ErrorKind::Changed) when the entry is gone, and when one can't be read.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// memory.eval(double::call(1.5));
    /// let entry = memory.entry(&double::call(1.5))?.unwrap();
    /// assert_eq!(entry.verify()?, entry.bytes());
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn verify(&self) -> Result<u64> {
        loop {
            let found = self.read_anew()?;
            let folder = self.folder();
            let check = |array: &crate::record::ArrayRecord| {
                check_array(self.disk(), &format!("{folder}/{}", array.file), array).map(drop)
            };
            let checked = found.record.arrays.iter().try_for_each(check);
            match checked {
                Ok(()) => return Ok(found.length + crate::entry::info::stored_bytes(&found.record)),
                // It may have been replaced in between, and is then checked anew.
                Err(error) if self.read_anew()?.record == found.record => return Err(error),
                Err(_) => {}
            }
        }
    }
}
