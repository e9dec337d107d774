//! A stored call, as Python sees it.

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use ndcache::Entry;
use pyo3::prelude::*;

/// A stored call: its function, arguments and files, without its value. Times are seconds since 1970.
#[pyclass(frozen, name = "Entry", module = "ndcache._core")]
pub(crate) struct CoreEntry {
    #[pyo3(get)]
    key: String,
    #[pyo3(get)]
    function: String,
    /// Names and texts.
    #[pyo3(get)]
    arguments: Vec<(String, String)>,
    #[pyo3(get)]
    path: PathBuf,
    #[pyo3(get)]
    files: Vec<PathBuf>,
    #[pyo3(get)]
    bytes: u64,
    #[pyo3(get)]
    duration: f64,
    #[pyo3(get)]
    created: f64,
    #[pyo3(get)]
    used: f64,
}

impl CoreEntry {
    pub(crate) fn of(entry: &Entry) -> Self {
        let seconds =
            |time: std::time::SystemTime| time.duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        Self {
            key: entry.key().to_string(),
            function: entry.function().to_owned(),
            arguments: entry
                .arguments()
                .iter()
                .map(|argument| (argument.name().to_owned(), argument.text().to_owned()))
                .collect(),
            path: entry.path().to_owned(),
            files: entry.files().to_vec(),
            bytes: entry.bytes(),
            duration: entry.duration().as_secs_f64(),
            created: seconds(entry.created()),
            used: seconds(entry.used()),
        }
    }
}

#[pymethods]
impl CoreEntry {
    fn __repr__(&self) -> String {
        let arguments: Vec<_> = self.arguments.iter().map(|(name, text)| format!("{name}={text}")).collect();
        format!("Entry({}({}), {} bytes, {:.3} s)", self.function, arguments.join(", "), self.bytes, self.duration)
    }
}
