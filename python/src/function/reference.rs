//! A reference to a stored result.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ndcache::dynamic::{EntryValue, note_expiry};
use ndcache::{Digest, Entry, ErrorKind, Key};
use pyo3::exceptions::{PyKeyError, PyPermissionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::object::CoreFunction;
use crate::entry::CoreEntry;
use crate::memory::{CoreMemory, changed, raised};
use crate::value::{Loaded, MmapMode, ResultSite, decode};
use crate::walk::Unkeyable;

/// A small, picklable reference to a stored result: `get()` loads it.
#[pyclass(frozen, subclass, name = "CoreReference", module = "ndcache._core")]
pub(crate) struct CoreReference {
    memory: Py<CoreMemory>,
    path: String,
    key: Key,
    mode: MmapMode,
    /// The content that was stored when it was made, if that is known: it counts by it once nothing is stored any more.
    content: Option<Digest>,
    /// How long the function says that its results are good for.
    lifetime: Option<Duration>,
}

/// A reference in an argument: the content that it counts by, and until when that is good.
pub(crate) struct Referred {
    reference: Py<CoreReference>,
    pub(crate) content: Digest,
    pub(crate) until: Option<SystemTime>,
}

impl Referred {
    /// Why nothing may be stored under the content: it isn't what is stored by now, or its files don't hold it.
    pub(super) fn fault(&self, py: Python<'_>) -> Option<String> {
        let this = self.reference.get();
        let entry = match this.entry(py) {
            Ok(entry) => entry,
            Err(error) => return Some(error.to_string()),
        };
        let Some(entry) = entry else { return Some(format!("the result of `{}` isn't stored any more", this.path)) };
        let memory = &this.memory.get().memory;
        py.detach(|| EntryValue::new(memory, &entry).verify(self.content)).err().map(|error| error.to_string())
    }
}

impl CoreReference {
    pub(super) fn of(
        py: Python<'_>,
        memory: Py<CoreMemory>,
        function: &CoreFunction,
        entry: &Entry,
    ) -> ndcache::Result<Self> {
        let core = &memory.get().memory;
        let content = Some(py.detach(|| EntryValue::new(core, entry).content())?);
        let lifetime = function.options.expires.as_ref().map(|expires| expires());
        let (path, key, mode) = (function.path.clone(), entry.key(), function.mmap(py));
        Ok(Self { memory, path, key, mode, content, lifetime })
    }

    fn entry(&self, py: Python<'_>) -> ndcache::Result<Option<Entry>> {
        let (memory, id) = (&self.memory.get().memory, (self.path.as_str(), self.key));
        py.detach(|| memory.entry_by_id(id))
    }

    /// Until when the stored result is good.
    fn until(&self, entry: &Entry) -> Option<SystemTime> {
        let lifetime = self.lifetime.or(self.memory.get().expires);
        let own = lifetime.and_then(|lifetime| entry.created().checked_add(lifetime));
        own.into_iter().chain(entry.expires()).min()
    }

    /// What the reference counts by as an argument: what is stored now, else what was.
    pub(crate) fn referred(slf: &Bound<'_, Self>) -> PyResult<Referred> {
        let (py, this) = (slf.py(), slf.get());
        let memory = &this.memory.get().memory;
        let read = |entry: Entry| {
            let content = py.detach(|| EntryValue::new(memory, &entry).content())?;
            Ok((content, this.until(&entry)))
        };
        let found = this.entry(py).and_then(|entry| entry.map(read).transpose());
        let (content, until) = match (found, this.content) {
            (Ok(Some(found)), _) => found,
            (Ok(None), Some(content)) => (content, None),
            (Ok(None), None) => {
                let gone = format!("the result of `{}`, to which it refers, isn't stored any more", this.path);
                return Err(Unkeyable::new_err(gone));
            }
            (Err(error), _) => return Err(Unkeyable::new_err(error.to_string())),
        };
        Ok(Referred { reference: slf.clone().unbind(), content, until })
    }

    fn gone(&self) -> PyErr {
        let path = &self.path;
        PyKeyError::new_err(format!("the result of `{path}` isn't stored any more: it was removed or evicted"))
    }
}

/// The result of a stored entry.
///
/// # Errors
/// Raises `KeyError` if it is gone or damaged, and `PermissionError` for a pickle that isn't to be loaded.
fn load_entry<'py>(py: Python<'py>, core: &CoreMemory, entry: &Entry, mode: MmapMode) -> PyResult<Bound<'py, PyAny>> {
    let path = entry.function();
    let loaded = py.detach(|| EntryValue::new(&core.memory, entry).load(mode.form()));
    let value = loaded.map_err(|error| match error.kind() {
        ErrorKind::Io => raised(&error),
        ErrorKind::Changed => {
            PyKeyError::new_err(format!("the result of `{path}` isn't stored any more: it was removed or evicted"))
        }
        _ => PyKeyError::new_err(format!("the result of `{path}` can't be loaded: {error}")),
    })?;
    match decode(py, value, mode, core.trust, &ResultSite::of_entry(entry, &core.memory))? {
        Loaded::Value(value) => Ok(value),
        Loaded::Refused(why) => Err(PyPermissionError::new_err(format!("the result of `{path}` isn't loaded: {why}"))),
    }
}

/// The entry that the record at `path` in the memory's folder is of.
fn entry_at(py: Python<'_>, core: &CoreMemory, path: &Path) -> PyResult<Option<Entry>> {
    let key = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let found = py.detach(|| core.memory.entry_by_id(key)).map_err(|error| raised(&error))?;
    // A copy of a record beside those of another function is no entry.
    let real = |path: &Path| path.canonicalize().ok();
    Ok(found.filter(|entry| real(path).is_some_and(|path| real(entry.path()) == Some(path))))
}

/// The result, in a tuple, of the entry that the record at `path` in the memory's folder is of; None if there is no such
/// entry.
#[pyfunction]
pub(crate) fn read_record<'py>(
    py: Python<'py>,
    memory: &Bound<'py, CoreMemory>,
    path: PathBuf,
) -> PyResult<Option<(Bound<'py, PyAny>,)>> {
    let core = memory.get();
    let found = entry_at(py, core, &path)?;
    found.map(|entry| Ok((load_entry(py, core, &entry, core.mmap)?,))).transpose()
}

/// The entry that the record at `path` in the memory's folder is of, without its value; None if there is no such entry.
#[pyfunction]
pub(crate) fn record_entry(
    py: Python<'_>,
    memory: &Bound<'_, CoreMemory>,
    path: PathBuf,
) -> PyResult<Option<CoreEntry>> {
    Ok(entry_at(py, memory.get(), &path)?.as_ref().map(CoreEntry::of))
}

#[pymethods]
impl CoreReference {
    #[new]
    #[pyo3(signature = (memory, path, key, mode, content=None, lifetime=None))]
    fn new(
        memory: Py<CoreMemory>,
        path: String,
        key: &str,
        mode: &Bound<'_, PyAny>,
        content: Option<[u8; 16]>,
        lifetime: Option<u64>,
    ) -> PyResult<Self> {
        let key = key.parse().map_err(|error: ndcache::Error| PyValueError::new_err(error.to_string()))?;
        let (content, lifetime) = (content.map(Digest::from_bytes), lifetime.map(Duration::from_nanos));
        Ok(Self { memory, path, key, mode: MmapMode::of(mode)?.0, content, lifetime })
    }

    /// Loads the result.
    fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let entry = self.entry(py).map_err(|error| match error.kind() {
            ErrorKind::Io => raised(&error),
            _ => PyKeyError::new_err(format!("the result of `{}` can't be loaded: {error}", self.path)),
        })?;
        let entry = entry.ok_or_else(|| self.gone())?;
        self.until(&entry).into_iter().for_each(note_expiry);
        load_entry(py, self.memory.get(), &entry, self.mode)
    }

    /// Removes the result.
    fn clear(&self, py: Python<'_>) -> PyResult<bool> {
        changed();
        let (memory, id) = (&self.memory.get().memory, (self.path.as_str(), self.key));
        let removed = py.detach(|| memory.remove_entry(id)).map_err(|error| raised(&error));
        changed();
        removed
    }

    /// What is stored, without its value; None if nothing is any more.
    #[getter(entry)]
    fn stored(&self, py: Python<'_>) -> PyResult<Option<CoreEntry>> {
        Ok(self.entry(py).map_err(|error| raised(&error))?.as_ref().map(CoreEntry::of))
    }

    /// The key of the call, in hex.
    #[getter]
    fn key(&self) -> String {
        self.key.to_string()
    }

    #[getter]
    fn function_path(&self) -> &str {
        &self.path
    }

    #[getter]
    fn memory(&self, py: Python<'_>) -> Py<CoreMemory> {
        self.memory.clone_ref(py)
    }

    /// What counts of it as an argument: the content of the result that it stands for.
    fn __ndcache_hash__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Self::referred(slf).map(|referred| referred.content.to_string())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, this) = (slf.py(), slf.get());
        let content = this.content.map(|content| PyBytes::new(py, &content.to_bytes()));
        let lifetime = this.lifetime.map(|lifetime| u64::try_from(lifetime.as_nanos()).unwrap_or(u64::MAX));
        let parts = (this.memory.clone_ref(py), &this.path, this.key(), this.mode.letter(), content, lifetime);
        Ok((slf.get_type().into_any(), parts.into_pyobject(py)?))
    }

    fn __repr__(&self) -> String {
        format!("Reference({}, key {})", self.path, self.key)
    }
}
