//! What stands in an entry besides its value: code, files, record.

use std::fs::File;

use crate::digest::Digest;
use crate::entry::Entry;
use crate::entry::write::code_parts::{code_parts, code_record};
use crate::error::{Error, ErrorKind, Result};
use crate::folder::verify::check_array;
use crate::key::Part;
use crate::record::RECORD_MAX;

/// A part of the code of a stored call, as it was when the call was stored, from [`Entry::code_parts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPart(Part);

impl StoredPart {
    /// Returns its name: the path of a helper in its crate, or its name in `depends(…)`; empty for the function
    /// itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns what of it is part of the key: `auto`, `package`, `body`, `version` or `build`, as in `code = "…"`;
    /// `found` for a helper.
    #[must_use]
    pub fn counts(&self) -> &str {
        &self.0.scope
    }

    /// Returns the version of its package, if that is part of the key.
    #[must_use]
    pub fn package(&self) -> Option<&str> {
        self.0.package.as_deref()
    }

    /// Returns its `version = …`, if it has one.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.0.version
    }

    /// Returns the digest of its tokens, or of the build; `None` if only the version is part of the key.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.0.body
    }

    /// Returns the facts that it takes from the build, each with its value: `cfg(unix)` with `true`. For variables
    /// and included files the value is a digest.
    pub fn facts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.facts.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Entry {
    /// Returns the digest of its function's code, as far as that is part of the key.
    #[must_use]
    pub fn code(&self) -> Digest {
        self.record().code
    }

    /// Returns how it came into this folder, if no call stored it here: `import` or `tier`.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.record().origin.as_deref()
    }

    /// Returns whether its value holds an object pickled by Python, which only Python can load.
    #[must_use]
    pub fn holds_pickle(&self) -> bool {
        self.record().has_pickle()
    }

    /// Returns the parts of the code that are part of its key, the function itself first; empty if they aren't known.
    ///
    /// It reads one file, which all entries of one code share; the file is missing if the memory that stored the
    /// entry couldn't write it.
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

    /// Returns the bytes of the file that lists the parts of its code, which all entries of that code share; at most
    /// 4 MiB. `None` if there is none. Only [`code_parts`](Self::code_parts) and explanations need this file.
    ///
    /// # Errors
    ///
    /// Returns an error when the file can't be read.
    pub fn code_record(&self) -> Result<Option<Vec<u8>>> {
        let folder = self.folder();
        let function = folder.rsplit_once('/').map_or("", |(function, _)| function);
        code_record(self.disk(), function, self.function(), self.code())
    }

    /// Returns the names of all its files except the record: its arrays, and the part of its value that is too long
    /// for the record.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        self.record().files()
    }

    /// Opens one of its files, by a name from [`file_names`](Self::file_names).
    ///
    /// # Errors
    ///
    /// Returns an error when it has no such file, when the file was removed, or when it can't be opened.
    pub fn open_file(&self, name: &str) -> Result<File> {
        if !self.file_names().any(|file| file == name) {
            let (path, name) = (self.path().display(), name.escape_debug());
            return Err(Error::invalid(format!("entry `{path}` has no file `{name}`")));
        }
        let opened = self.disk().open_file(&format!("{}/{name}", self.folder()))?;
        let gone = || Error::damaged(format!("file `{}` is missing", self.path().with_file_name(name).display()));
        opened.map(|(file, _)| file).ok_or_else(gone)
    }

    /// Returns the present bytes of its record; at most 64 KiB. Together with its [files](Self::file_names) they are
    /// the whole entry, and [`Memory::publish_foreign`](crate::Memory::publish_foreign) publishes them in another
    /// folder.
    ///
    /// # Errors
    ///
    /// Returns an error when the record was removed or replaced, or can't be read.
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

    /// Checks its record and each of its files, like [`Memory::verify`](crate::Memory::verify), and returns the
    /// number of correct bytes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Damaged`](crate::ErrorKind::Damaged) that names the file when one differs from what
    /// was written; of kind [`Changed`](crate::ErrorKind::Changed) when the entry was removed; and when a file can't
    /// be read.
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
                // The entry may have been replaced in between, and is then checked anew.
                Err(error) if self.read_anew()?.record == found.record => return Err(error),
                Err(_) => {}
            }
        }
    }
}
