//! The compiled part of the Python package `ndcache`.
//!
//! * `walk`: digests of any Python value; `guards`: checks that run at each call; `value`: results, to and from what is
//!   stored; `memory`, `entry`, `files`: a folder and what is in it, and files as arguments; `function`: the way of a call; `python`: Python's own objects.
//!
//! **The seam.** What a function's code is, the Python side finds out (`ndcache/_code.py`): `CoreFunction` is given
//! `resolve`, which returns `(body, parts, guards, captured)` and, where it has changed, the signature. `body` is a
//! digest (16 bytes), `parts` are `(name, digest)` of each helper, class and captured constant; their digests together
//! are the function's code. `guards` are checks that run here at each call, and `resolve` is called again when one fails:
//!
//! ```text
//! ("slot", mapping, key, expected)     mapping.get(key, MISSING) is expected
//! ("attr", object, name, expected)     getattr(object, name, MISSING) is expected
//! ("cell", cell, expected)             cell.cell_contents is expected, MISSING if it is empty
//! ("func", function, code, defaults, kwdefaults)
//! ("len", mapping, n)                  len(mapping) == n
//! ("bases", class, mro)                class.__mro__ is mro
//! ```
//!
//! `captured` are values that are digested at each call, and count as arguments of their name:
//! `("slot" | "attr" | "cell", name, holder, key)`. The hooks `class_digest` and `function_digest` say the same of
//! classes and functions that the walk meets: `(digest | None, guards)` and `(digest | None, guards, captured)`.

mod entry;
mod files;
mod function;
mod guards;
mod memory;
mod python;
mod settings;
mod value;
mod walk;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

/// The digest of a value, in hex; the order of dicts doesn't count. What joblib's `hash` takes besides changes nothing.
#[pyfunction]
#[pyo3(signature = (value, hash_name="md5", coerce_mmap=false))]
fn hash(value: &Bound<'_, PyAny>, hash_name: &str, coerce_mmap: bool) -> PyResult<String> {
    let _ = (hash_name, coerce_mmap);
    Ok(walk::digest_of(value, true)?.to_string())
}

/// The digest by which a value counts as an argument, in hex; the order of dicts counts.
#[pyfunction]
fn digest(value: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(walk::digest_of(value, false)?.to_string())
}

/// The digest by which a value counts as an argument, as 16 bytes.
#[pyfunction]
fn digest_value<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(value.py(), &walk::digest_of(value, false)?.to_bytes()))
}

/// The digests of named values.
#[pyfunction]
fn digest_parts<'py>(parts: Vec<(String, Bound<'py, PyAny>)>) -> PyResult<Vec<(String, Bound<'py, PyBytes>)>> {
    parts.into_iter().map(|(name, value)| Ok((name, digest_value(&value)?))).collect()
}

/// From now on values of this type, and of its subclasses, count by what `hasher` returns for them.
#[pyfunction]
fn register_hasher(class: &Bound<'_, PyType>, hasher: Bound<'_, PyAny>) -> PyResult<()> {
    walk::register_hasher(class, hasher)
}

/// A value in words, by no method of the user's.
#[pyfunction]
fn text(value: &Bound<'_, PyAny>) -> String {
    walk::short_text(value)
}

/// Sets what is asked about classes and functions.
#[pyfunction]
#[pyo3(signature = (class_digest=None, function_digest=None))]
fn set_hooks(class_digest: Option<Py<PyAny>>, function_digest: Option<Py<PyAny>>) {
    walk::set_hooks(walk::Hooks { class_digest, function_digest });
}

/// What is stored has changed: results that functions remember are looked up again.
#[pyfunction]
fn note_change() {
    memory::changed();
}

/// Ends the threads that help with digests: a process that is about to fork has none of them.
#[pyfunction]
fn end_helpers(py: Python<'_>) {
    py.detach(ndcache::dynamic::end_helpers);
}

/// Runs the command `ndcache` with these arguments, and returns its exit code.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| ndcache_cli::run(arguments))
}

// Elements of arrays and bytes are read without locks, as NumPy does: the lock of the interpreter is what orders those who
// change them.
#[pymodule(gil_used = true)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add_function(wrap_pyfunction!(hash, module)?)?;
    module.add_function(wrap_pyfunction!(digest, module)?)?;
    module.add_function(wrap_pyfunction!(digest_value, module)?)?;
    module.add_function(wrap_pyfunction!(digest_parts, module)?)?;
    module.add_function(wrap_pyfunction!(register_hasher, module)?)?;
    module.add_function(wrap_pyfunction!(text, module)?)?;
    module.add_function(wrap_pyfunction!(set_hooks, module)?)?;
    module.add_function(wrap_pyfunction!(note_change, module)?)?;
    module.add_function(wrap_pyfunction!(end_helpers, module)?)?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    module.add_function(wrap_pyfunction!(function::read_record, module)?)?;
    module.add_function(wrap_pyfunction!(function::record_entry, module)?)?;
    module.add_class::<memory::CoreMemory>()?;
    module.add_class::<function::CoreFunction>()?;
    module.add_class::<function::CoreLead>()?;
    module.add_class::<function::Inherited>()?;
    module.add_class::<function::CoreReference>()?;
    module.add_class::<function::CoreExplanation>()?;
    module.add_class::<entry::CoreEntry>()?;
    module.add_class::<files::CoreFileContent>()?;
    module.add_class::<files::CoreFileStamp>()?;
    module.add("MISSING", function::missing(py))?;
    module.add("Unkeyable", py.get_type::<walk::Unkeyable>())?;
    // What is measured of a debug build says nothing.
    module.add("IS_DEBUG", cfg!(debug_assertions))?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
