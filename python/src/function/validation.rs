//! The user's word on whether a stored result is good still.

use std::cell::RefCell;
use std::time::SystemTime;

use ndcache::{Entry, Key};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::bind::{MORE, MORE_NAMED};
use super::run::keep_raised;

thread_local! {
    /// The stored results that the callback has refused in this call, by key and time.
    static REFUSED: RefCell<Vec<(Key, SystemTime)>> = const { RefCell::new(Vec::new()) };
}

/// A call begins: what was refused before it may be asked about again.
pub(super) fn begin() {
    REFUSED.take();
}

/// Asks the user's callback, as joblib does: with duration, time and arguments.
///
/// Once for each stored result in a call, which may look it up several times: a callback may answer otherwise next time.
pub(super) fn is_valid(py: Python<'_>, validate: &Py<PyAny>, entry: &Entry) -> bool {
    let this = (entry.key(), entry.created());
    if REFUSED.with_borrow(|refused| refused.contains(&this)) {
        return false;
    }
    let is_valid = asked(py, validate, entry);
    if !is_valid {
        REFUSED.with_borrow_mut(|refused| refused.push(this));
    }
    is_valid
}

fn asked(py: Python<'_>, validate: &Py<PyAny>, entry: &Entry) -> bool {
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
