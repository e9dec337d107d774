//! The user's word on whether a stored result is good still.

use ndcache::Entry;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::bind::{MORE, MORE_NAMED};
use super::run::keep_raised;

/// Asks the user's callback, as joblib does: with duration, time and arguments.
pub(super) fn is_valid(py: Python<'_>, validate: &Py<PyAny>, entry: &Entry) -> bool {
    let answer = metadata(py, entry).and_then(|metadata| validate.bind(py).call1((metadata,))?.is_truthy());
    answer.unwrap_or_else(|error| {
        keep_raised(error);
        false
    })
}

fn metadata<'py>(py: Python<'py>, entry: &Entry) -> PyResult<Bound<'py, PyDict>> {
    let since = entry.created().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
    let arguments = PyDict::new(py);
    for argument in entry.arguments() {
        if argument.name() != MORE && argument.name() != MORE_NAMED || !argument.text().is_empty() {
            arguments.set_item(argument.name(), argument.text())?;
        }
    }
    let metadata = PyDict::new(py);
    metadata.set_item("duration", entry.duration().as_secs_f64())?;
    metadata.set_item("time", since)?;
    metadata.set_item("input_args", arguments)?;
    Ok(metadata)
}
