//! Objects of Python's own that are looked up once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyModule, PyType};

/// Locks, whoever has panicked meanwhile.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work`; a panic in it is a `RuntimeError`, and not the end of the program.
pub(crate) fn guarded<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(PyRuntimeError::new_err(format!("a fault in ndcache: {}", text.unwrap_or("no reason is known"))))
    })
}

/// The package's module of hashers for libraries' types.
pub(crate) fn hashers(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    module(py, &HASHERS, "ndcache._hashers")
}

/// The package's module for pickled results.
pub(crate) fn pickling(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    module(py, &PICKLING, "ndcache._pickling")
}

/// The package's module for what is said.
pub(crate) fn messages(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    module(py, &MESSAGES, "ndcache._messages")
}

static HASHERS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
static PICKLING: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
static MESSAGES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

fn module<'py>(
    py: Python<'py>,
    cell: &'py PyOnceLock<Py<PyModule>>,
    name: &str,
) -> PyResult<&'py Bound<'py, PyModule>> {
    Ok(cell.get_or_try_init(py, || py.import(name).map(Bound::unbind))?.bind(py))
}

/// Types that values are told apart by.
pub(crate) struct PythonTypes {
    pub(crate) function: Py<PyType>,
    pub(crate) builtin: Py<PyType>,
    pub(crate) method: Py<PyType>,
    pub(crate) mapping_proxy: Py<PyType>,
    pub(crate) module: Py<PyType>,
    pub(crate) ndarray: Py<PyType>,
    pub(crate) memmap: Py<PyType>,
    pub(crate) generic: Py<PyType>,
    pub(crate) enum_meta: Py<PyType>,
    pub(crate) pure_path: Py<PyType>,
    pub(crate) posix_path: Py<PyType>,
    pub(crate) pickle_buffer: Py<PyType>,
    pub(crate) dispatch_table: Py<PyAny>,
    pub(crate) object: Py<PyType>,
}

/// The types, imported once.
pub(crate) fn types(py: Python<'_>) -> PyResult<&PythonTypes> {
    static TYPES: PyOnceLock<PythonTypes> = PyOnceLock::new();
    TYPES.get_or_try_init(py, || {
        let get = |module: &str, name: &str| -> PyResult<Py<PyType>> {
            Ok(py.import(module)?.getattr(name)?.cast_into::<PyType>()?.unbind())
        };
        Ok(PythonTypes {
            function: get("types", "FunctionType")?,
            builtin: get("types", "BuiltinFunctionType")?,
            method: get("types", "MethodType")?,
            mapping_proxy: get("types", "MappingProxyType")?,
            module: get("types", "ModuleType")?,
            ndarray: get("numpy", "ndarray")?,
            memmap: get("numpy", "memmap")?,
            generic: get("numpy", "generic")?,
            enum_meta: get("enum", "EnumMeta")?,
            pure_path: get("pathlib", "PurePath")?,
            posix_path: get("pathlib", "PosixPath")?,
            pickle_buffer: get("pickle", "PickleBuffer")?,
            object: get("builtins", "object")?,
            dispatch_table: py.import("copyreg")?.getattr("dispatch_table")?.unbind(),
        })
    })
}

/// Python's `mmap.mmap`.
pub(crate) fn mmap_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static MMAP: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let found = MMAP.get_or_try_init(py, || -> PyResult<Py<PyType>> {
        Ok(py.import("mmap")?.getattr("mmap")?.cast_into::<PyType>()?.unbind())
    })?;
    Ok(found.bind(py))
}

/// Whether elements of this dtype have bytes that mean nothing: x87's numbers of 80 bits in 16 bytes.
pub(crate) fn has_padding(descr: &str, itemsize: u64) -> bool {
    cfg!(target_arch = "x86_64") && ((itemsize == 16 && descr.contains('f')) || (itemsize == 32 && descr.contains('c')))
}
