//! A reference to a stored result.

use ndcache::Digest;
use ndcache::dynamic::{FunctionBuilder, RunTimeArgument, RunTimeCall};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::key::Keyed;
use super::object::CoreFunction;
use crate::memory::{CoreMemory, changed, raised};
use crate::value::{Loaded, MmapMode, ResultSite, decode};

/// A small, picklable reference to a stored result: `get()` loads it.
#[pyclass(frozen, subclass, name = "CoreReference", module = "ndcache._core")]
pub(crate) struct CoreReference {
    memory: Py<CoreMemory>,
    path: String,
    code: Digest,
    arguments: Vec<(String, Digest)>,
    mode: MmapMode,
}

impl CoreReference {
    pub(super) fn of(
        py: Python<'_>,
        memory: Py<CoreMemory>,
        function: &CoreFunction,
        keyed: &Keyed<'_>,
    ) -> PyResult<Self> {
        let arguments = keyed.counted.iter().map(|counted| (counted.name.clone(), counted.digest)).collect();
        let (path, code) = (function.path.clone(), keyed.resolved.code);
        Ok(Self { memory, path, code, arguments, mode: function.mmap(py) })
    }

    fn call(&self) -> PyResult<RunTimeCall> {
        let function = FunctionBuilder::new(self.path.clone(), self.code).build().map_err(|error| raised(&error))?;
        Ok(RunTimeCall::new(
            function,
            self.arguments.iter().map(|(name, digest)| RunTimeArgument::new(name, *digest, "")),
        ))
    }
}

#[pymethods]
impl CoreReference {
    #[new]
    fn new(
        memory: Py<CoreMemory>,
        path: String,
        code: [u8; 16],
        arguments: Vec<(String, [u8; 16])>,
        mode: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let arguments = arguments.into_iter().map(|(name, digest)| (name, Digest::from_bytes(digest))).collect();
        Ok(Self { memory, path, code: Digest::from_bytes(code), arguments, mode: MmapMode::of(mode)?.0 })
    }

    /// Loads the result.
    fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let call = self.call()?;
        let core = self.memory.get();
        let gone = || {
            PyKeyError::new_err(format!(
                "the result of `{}` isn't stored any more: it was removed or evicted",
                self.path
            ))
        };
        let value = py.detach(|| call.look_up(&core.memory, self.mode.form())).ok_or_else(gone)?;
        match decode(py, value, self.mode, core.trust, &ResultSite::of(&call, &core.memory))? {
            Loaded::Value(value) => Ok(value),
            Loaded::Refused(why) => Err(pyo3::exceptions::PyPermissionError::new_err(format!(
                "the result of `{}` isn't loaded: {why}",
                self.path
            ))),
        }
    }

    /// Removes the result.
    fn clear(&self, py: Python<'_>) -> PyResult<bool> {
        let call = self.call()?;
        changed();
        let removed = py.detach(|| call.remove(&self.memory.get().memory)).map_err(|error| raised(&error));
        changed();
        removed
    }

    /// The key of the call, in hex.
    #[getter]
    fn key(&self) -> PyResult<Option<String>> {
        let key = self.call()?.key(&self.memory.get().memory).map_err(|error| raised(&error))?;
        Ok(key.map(|key| key.to_string()))
    }

    #[getter]
    fn function_path(&self) -> &str {
        &self.path
    }

    #[getter]
    fn memory(&self, py: Python<'_>) -> Py<CoreMemory> {
        self.memory.clone_ref(py)
    }

    /// What counts of it as an argument: the call whose result it stands for.
    fn __ndcache_hash__(&self) -> PyResult<(String, Vec<(String, String)>)> {
        let arguments = self.arguments.iter().map(|(name, digest)| (name.clone(), digest.to_string())).collect();
        Ok((format!("{} {}", self.path, self.code), arguments))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let this = slf.get();
        let digest = |digest: Digest| PyBytes::new(py, &digest.to_bytes());
        let arguments: Vec<_> = this.arguments.iter().map(|(name, of)| (name.clone(), digest(*of))).collect();
        let parts = (this.memory.clone_ref(py), &this.path, digest(this.code), arguments, this.mode.letter());
        Ok((slf.get_type().into_any(), parts.into_pyobject(py)?))
    }

    fn __repr__(&self) -> PyResult<String> {
        Ok(format!("Reference({}, key {})", self.path, self.key()?.unwrap_or_default()))
    }
}
