//! A computation that is under way, somewhere else, too: in an event loop, on another thread.
//!
//! What the cached calls inside mean for its result is known wherever they are made. The engine follows a computation on
//! its own thread. A coroutine takes turns with others there, and has tasks and threads of its own: what follows these in
//! Python is the context, of which tasks and `asyncio.to_thread` take copies. So each computation has an object in the
//! context, which hears when a cached call expires that is made there or in a copy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use ndcache::Entry;
use ndcache::dynamic::{Lead, note_expiry, on_expiry};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::key::{KeyArgument, KeyedCall, UnboundKeyArgument};
use super::object::CoreFunction;
use super::resolved::ResolvedFunction;
use crate::python;
use crate::walk::Claims;

/// The turn to compute a call: those that need its result wait for `store` or `discard`, or until this is gone.
#[pyclass(frozen, name = "Lead", module = "ndcache._core")]
pub(crate) struct CoreLead {
    function: Py<CoreFunction>,
    resolved: Arc<ResolvedFunction>,
    counted: Vec<UnboundKeyArgument>,
    digesting: Duration,
    begin: Instant,
    state: Mutex<Option<(Box<Lead>, Claims)>>,
    inherited: Py<Inherited>,
}

impl CoreLead {
    pub(super) fn new(
        py: Python<'_>,
        function: Py<CoreFunction>,
        keyed: KeyedCall<'_>,
        lead: Box<Lead>,
    ) -> PyResult<Self> {
        let KeyedCall { resolved, counted, claims, digesting } = keyed;
        let counted = counted.into_iter().map(KeyArgument::unbind).collect();
        let (state, inherited) = (Mutex::new(Some((lead, claims))), Py::new(py, Inherited::new())?);
        Ok(Self { function, resolved, counted, digesting, begin: Instant::now(), state, inherited })
    }

    /// The turn, with what it inherits: what has called inherits it in turn.
    fn take(&self) -> PyResult<(Box<Lead>, Claims)> {
        let taken = python::lock(&self.state).take();
        let (mut lead, claims) = taken.ok_or_else(|| PyRuntimeError::new_err("this turn is over"))?;
        lead.inherit(self.inherited.get().first());
        Ok((lead, claims))
    }
}

#[pymethods]
impl CoreLead {
    /// What each step of the computation enters, and leaves.
    #[getter]
    fn inherited(&self, py: Python<'_>) -> Py<Inherited> {
        self.inherited.clone_ref(py)
    }

    /// Stores the result, and returns it as a hit will.
    fn store<'py>(&self, py: Python<'py>, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (lead, claims) = self.take()?;
        let counted = self.counted.iter().map(|counted| KeyArgument::bind(py, counted)).collect();
        let keyed = KeyedCall { resolved: Arc::clone(&self.resolved), counted, claims, digesting: self.digesting };
        self.function.get().finish(py, &keyed, lead, Ok(value), self.begin.elapsed())
    }

    /// Lets the others go on without a result: all of them compute.
    #[pyo3(signature = (why="it has raised"))]
    fn discard(&self, why: &str) -> PyResult<()> {
        let (lead, _) = self.take()?;
        lead.discard(why);
        Ok(())
    }

    /// Lets one of the others compute: this one was stopped.
    fn hand_on(&self, why: &str) -> PyResult<()> {
        let (lead, _) = self.take()?;
        lead.hand_on(why);
        Ok(())
    }

    /// Whether the call had waited for another one, which then stored nothing.
    #[getter]
    fn waited_in_vain(&self) -> bool {
        python::lock(&self.state).as_ref().is_some_and(|(lead, _)| lead.waited_in_vain())
    }
}

/// The context variable that holds the innermost computation.
static INNERMOST: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// When the first of the cached calls inside a computation expires.
#[pyclass(frozen, name = "Inherited", module = "ndcache._core")]
pub(crate) struct Inherited {
    /// In nanoseconds since 1970; the largest number is never.
    first: AtomicU64,
}

#[pymethods]
impl Inherited {
    /// From here on what is called in this context is inside; returns what `leave` takes.
    fn enter<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        innermost(py)?.call_method1(pyo3::intern!(py, "set"), (slf,))
    }

    /// Makes the computation around it the innermost one again.
    fn leave(&self, token: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = token.py();
        innermost(py)?.call_method1(pyo3::intern!(py, "reset"), (token,)).map(drop)
    }
}

impl Inherited {
    pub(super) fn new() -> Self {
        Self { first: AtomicU64::new(u64::MAX) }
    }

    /// When the first of the calls that were made so far expires.
    pub(super) fn first(&self) -> Option<SystemTime> {
        let first = self.first.load(Ordering::Acquire);
        (first != u64::MAX).then(|| SystemTime::UNIX_EPOCH + Duration::from_nanos(first))
    }

    fn note(&self, at: SystemTime) {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.first.fetch_min(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), Ordering::AcqRel);
    }
}

/// Runs a computation, and returns beside its result when the first of the cached calls expires that were made in its
/// context or in copies of it.
pub(super) fn followed<T>(py: Python<'_>, compute: impl FnOnce() -> T) -> (T, Option<SystemTime>) {
    // Without an object the engine still follows the thread.
    let inherited = Bound::new(py, Inherited::new()).ok();
    let token = inherited.as_ref().and_then(|inherited| Inherited::enter(inherited).ok());
    let result = compute();
    if let Some((inherited, token)) = inherited.as_ref().zip(token) {
        let _ = inherited.get().leave(&token);
    }
    (result, inherited.and_then(|inherited| inherited.get().first()))
}

fn innermost(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    let made = INNERMOST.get_or_try_init(py, || {
        let made = py.import("contextvars")?.getattr("ContextVar")?.call1(("ndcache",))?.unbind();
        on_expiry(heard);
        PyResult::Ok(made)
    });
    Ok(made?.bind(py))
}

/// A cached call on this thread expires then.
fn heard(at: SystemTime) {
    // Without an interpreter there are no computations of its own.
    let _ = Python::try_attach(|py| {
        let innermost = INNERMOST.get(py)?.bind(py);
        let inherited = innermost.call_method1(pyo3::intern!(py, "get"), (py.None(),)).ok()?;
        inherited.cast::<Inherited>().ok()?.get().note(at);
        Some(())
    });
}

impl CoreFunction {
    /// Notes how long a result of `created` is good for, by what the function or the memory says.
    pub(super) fn note_lifetime(&self, py: Python<'_>, created: SystemTime) {
        let own = self.options.expires.as_ref().map(|expires| expires());
        let lifetime = own.or_else(|| self.memory(py)?.get().expires);
        if let Some(at) = lifetime.and_then(|lifetime| created.checked_add(lifetime)) {
            note_expiry(at);
        }
    }

    /// Notes until when the stored result of a call is good.
    pub(super) fn note_entry(&self, py: Python<'_>, entry: &Entry) {
        self.note_lifetime(py, entry.created());
        entry.expires().into_iter().for_each(note_expiry);
    }
}
