//! Cached functions: what a call of one goes through.
//!
//! * `bind`: arguments to parameters; `resolved`: the function's code, until a guard says that it has changed;
//!   `key`: a call with its digests; `front`: small results that are remembered; `run`: look up, wait, compute, store;
//!   `object`: the methods, `messages`: what they say, `validation`: the user's word on stored results;
//!   `lead`: a computation that is under way, with what the cached calls inside mean for its result; `reference`: a
//!   stored result that isn't loaded, `explanation`: why a call misses.

mod bind;
mod explanation;
mod front;
mod key;
mod lead;
mod messages;
mod object;
mod reference;
mod resolved;
mod run;
mod validation;

pub(crate) use explanation::CoreExplanation;
pub(crate) use front::front_hits;
pub(crate) use lead::{CoreLead, Inherited};
pub(crate) use object::CoreFunction;
pub(crate) use reference::{CoreReference, Referred, read_record, record_entry};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// What stands for nothing: a slot without a value, a setting that isn't given.
#[pyclass(frozen, name = "Missing", module = "ndcache._core")]
pub(crate) struct Missing;

#[pymethods]
impl Missing {
    fn __repr__(&self) -> &'static str {
        "MISSING"
    }

    fn __reduce__(&self) -> &'static str {
        "MISSING"
    }
}

/// The one object of that kind.
pub(crate) fn missing(py: Python<'_>) -> Bound<'_, PyAny> {
    static MISSING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = MISSING
        .get_or_init(py, || Py::new(py, Missing).map(Py::into_any).expect("an object without content can be made"));
    made.bind(py).clone()
}
