//! A computation that is under way somewhere else: in an event loop, on another thread.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use ndcache::dynamic::Lead;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::key::{Counted, Keyed, UnboundCounted};
use super::object::CoreFunction;
use super::resolved::Resolved;
use crate::python;
use crate::walk::Claims;

/// The turn to compute a call: those that need its result wait for `store` or `discard`, or until this is gone.
#[pyclass(frozen, name = "Lead", module = "ndcache._core")]
pub(crate) struct CoreLead {
    function: Py<CoreFunction>,
    resolved: Arc<Resolved>,
    counted: Vec<UnboundCounted>,
    begin: Instant,
    state: Mutex<Option<(Box<Lead>, Claims)>>,
}

impl CoreLead {
    pub(super) fn new(function: Py<CoreFunction>, keyed: Keyed<'_>, lead: Box<Lead>) -> Self {
        let Keyed { resolved, counted, claims } = keyed;
        let counted = counted.into_iter().map(Counted::unbind).collect();
        Self { function, resolved, counted, begin: Instant::now(), state: Mutex::new(Some((lead, claims))) }
    }

    fn take(&self) -> PyResult<(Box<Lead>, Claims)> {
        python::lock(&self.state).take().ok_or_else(|| PyRuntimeError::new_err("this turn is over"))
    }
}

#[pymethods]
impl CoreLead {
    /// Stores the result, and returns it as a hit will.
    fn store<'py>(&self, py: Python<'py>, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (lead, claims) = self.take()?;
        let counted = self.counted.iter().map(|counted| Counted::bind(py, counted)).collect();
        let keyed = Keyed { resolved: Arc::clone(&self.resolved), counted, claims };
        self.function.get().finish(py, &keyed, lead, Ok(value), self.begin.elapsed())
    }

    /// Lets the others go on without a result.
    #[pyo3(signature = (why="it has raised"))]
    fn discard(&self, why: &str) -> PyResult<()> {
        let (lead, _) = self.take()?;
        lead.discard(why);
        Ok(())
    }
}
