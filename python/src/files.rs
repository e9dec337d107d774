//! Files as arguments: by their content, or by their size and times.

use std::ffi::OsString;
use std::path::PathBuf;

use ndcache::dynamic::RunTimeArgument;
use ndcache::{Digest, FileContent, FileStamp, digest};
use pyo3::prelude::*;

use crate::memory::raised;

/// A file that counts by its content, whatever it is called: `key={"path": ndcache.FileContent}`.
#[pyclass(frozen, name = "FileContent", module = "ndcache")]
pub(crate) struct CoreFileContent {
    path: PathBuf,
    digest: Digest,
    file: FileContent,
}

/// A file that counts by its size, times and inode: takes no time, and counts a file that was touched as another one.
#[pyclass(frozen, name = "FileStamp", module = "ndcache")]
pub(crate) struct CoreFileStamp {
    path: PathBuf,
    digest: Digest,
    file: FileStamp,
}

#[pymethods]
impl CoreFileContent {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let opened = path.clone();
        let file = py.detach(|| FileContent::open(opened)).map_err(|error| raised(&error))?;
        Ok(Self { path, digest: digest(&file), file })
    }

    /// Where the file was when it was read.
    #[getter]
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    fn __fspath__(&self) -> OsString {
        self.path.clone().into_os_string()
    }

    fn __repr__(&self) -> String {
        format!("FileContent({})", self.path.display())
    }
}

#[pymethods]
impl CoreFileStamp {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let opened = path.clone();
        let file = py.detach(|| FileStamp::open(opened)).map_err(|error| raised(&error))?;
        Ok(Self { path, digest: digest(&file), file })
    }

    /// Where the file was when it was looked at.
    #[getter]
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    fn __fspath__(&self) -> OsString {
        self.path.clone().into_os_string()
    }

    fn __repr__(&self) -> String {
        format!("FileStamp({})", self.path.display())
    }
}

/// A file that lies in an argument: it is looked at once more before a result is stored.
#[derive(Clone)]
pub(crate) enum HeldFile {
    Content(FileContent),
    Stamp(FileStamp),
}

impl HeldFile {
    /// The argument, with this file in it.
    pub(crate) fn lie_in(&self, argument: RunTimeArgument) -> RunTimeArgument {
        let held = match self {
            Self::Content(file) => argument.clone().holding(file),
            Self::Stamp(file) => argument.clone().holding(file),
        };
        // What is in memory is hashed without fail.
        held.unwrap_or(argument)
    }
}

/// The digest of one of them, and the file.
pub(crate) fn file_of(value: &Bound<'_, PyAny>) -> Option<(Digest, HeldFile)> {
    if let Ok(file) = value.cast::<CoreFileContent>() {
        return Some((file.get().digest, HeldFile::Content(file.get().file.clone())));
    }
    let file = value.cast::<CoreFileStamp>().ok()?;
    Some((file.get().digest, HeldFile::Stamp(file.get().file.clone())))
}
