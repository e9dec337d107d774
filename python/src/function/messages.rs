//! What a function says of its calls: why one missed, and each warning once.

use std::sync::atomic::Ordering;

use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::key::KeyedCall;
use super::object::CoreFunction;
use super::run::is_exit;
use crate::python;

/// Says something once there is a result, by a function of the package's messages. Where warnings are errors the result is
/// there all the same: raised is what ends the program alone.
pub(super) fn say_late<'py, A: PyCallArgs<'py>>(py: Python<'py>, what: &str, args: A) -> PyResult<()> {
    let messages = python::messages(py)?;
    let told = messages.getattr(what)?.call1(args).map(drop);
    told.or_else(|error| match is_exit(py, &error) {
        true => Err(error),
        false => messages.getattr("unsaid")?.call1((error,)).map(drop),
    })
}

impl CoreFunction {
    pub(super) fn set_why(&self, why: String) {
        self.missed.store(!why.is_empty(), Ordering::Relaxed);
        *python::lock(&self.why) = why;
    }

    pub(super) fn say_once(&self, py: Python<'_>, kind: &'static str, text: &str) -> PyResult<()> {
        if python::lock(&self.said).insert(kind) {
            python::messages(py)?.getattr("warn")?.call1((text,))?;
        }
        Ok(())
    }

    /// [`say_once`](Self::say_once) of what is found when the result is there already: that costs no result.
    pub(super) fn say_once_late(&self, py: Python<'_>, kind: &'static str, text: &str) -> PyResult<()> {
        let is_new = python::lock(&self.said).insert(kind);
        if is_new { say_late(py, "warn", (text,)) } else { Ok(()) }
    }

    pub(super) fn say_unkeyable(&self, py: Python<'_>, why: &str) -> PyResult<()> {
        self.set_why(format!("bypassed: {why}"));
        self.say_once(py, "unkeyable", &format!("{} is computed without the cache: {why}", self.path))
    }

    pub(super) fn say_refused(&self, py: Python<'_>, why: &str) -> PyResult<()> {
        self.set_why(format!("not unpickled: {why}"));
        self.say_once(py, "refused", &format!("{}: a stored result isn't loaded: {why}", self.path))
    }

    /// Tells once that a text that names a file counts by itself.
    pub(super) fn say_of_files(&self, py: Python<'_>, keyed: &KeyedCall<'_>) -> PyResult<()> {
        if python::lock(&self.said).contains("file") {
            return Ok(());
        }
        for counted in &keyed.counted {
            if counted.by_key {
                continue;
            }
            let is_text = counted.value.is_exact_instance_of::<PyString>();
            let is_path = !is_text && counted.value.is_instance(python::types(py)?.pure_path.bind(py))?;
            if !is_text && !is_path {
                continue;
            }
            let Ok(path) = counted.value.extract::<std::path::PathBuf>() else { continue };
            let len = path.as_os_str().len();
            // A word is no name of a file.
            let looks_like_one = is_path || path.components().count() > 1 || path.extension().is_some();
            if len < 4096 && looks_like_one && path.is_file() {
                let name = &counted.name;
                let text = format!(
                    "{}: argument `{name}` names a file, whose content isn't part of the key; \
                     `key={{\"{name}\": ndcache.FileContent}}` makes it so",
                    self.path
                );
                return self.say_once(py, "file", &text);
            }
        }
        Ok(())
    }
}
