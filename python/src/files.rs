//! Files as arguments: by their content, or by their size and times.

use std::ffi::OsString;
use std::path::PathBuf;

use ndcache::{Digest, FileContent, FileStamp, digest};
use pyo3::prelude::*;

use crate::memory::raised;

/// A file that counts by its content, whatever it is called: `key={"path": ndcache.FileContent}`.
#[pyclass(frozen, name = "FileContent", module = "ndcache")]
pub(crate) struct CoreFileContent {
    path: PathBuf,
    digest: Digest,
}

/// A file that counts by its size, times and inode: takes no time, and counts a file that was touched as another one.
#[pyclass(frozen, name = "FileStamp", module = "ndcache")]
pub(crate) struct CoreFileStamp {
    path: PathBuf,
    digest: Digest,
}

#[pymethods]
impl CoreFileContent {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let opened = path.clone();
        let digest = py.detach(|| FileContent::open(opened).map(|file| digest(&file)));
        Ok(Self { path, digest: digest.map_err(|error| raised(&error))? })
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
        let digest = py.detach(|| FileStamp::open(opened).map(|file| digest(&file)));
        Ok(Self { path, digest: digest.map_err(|error| raised(&error))? })
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

/// The digest of one of them.
pub(crate) fn file_digest(value: &Bound<'_, PyAny>) -> Option<Digest> {
    if let Ok(file) = value.cast::<CoreFileContent>() {
        return Some(file.get().digest);
    }
    value.cast::<CoreFileStamp>().ok().map(|file| file.get().digest)
}
