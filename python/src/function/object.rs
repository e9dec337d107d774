//! A cached function, as Python sees it.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use ndcache::Entry;
use ndcache::dynamic::{Options, TaskId};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use super::bind::Signature;
use super::front::{Front, Placed};
use super::key::Keying;
use super::resolved::ResolvedFunction;
use super::run::{Evaluation, Led, LookupResult, WaitOptions};
use super::validation::is_valid;
use super::{CoreExplanation, CoreLead, CoreReference, missing};
use crate::memory::{CoreMemory, changed, raised};
use crate::python;
use crate::settings::{compression_of, duration};
use crate::value::MmapMode;

/// A function whose calls go through a memory; called as the function is.
#[pyclass(frozen, subclass, weakref, dict, module = "ndcache._core")]
pub(crate) struct CoreFunction {
    placed: Mutex<Option<Arc<Placed>>>,
    pub(super) func: Py<PyAny>,
    pub(super) path: String,
    pub(super) resolve: Py<PyAny>,
    pub(super) signature: Option<Signature>,
    pub(super) ignored: Vec<String>,
    keys: Option<Py<PyDict>>,
    pub(super) secret: Vec<String>,
    pub(super) options: Arc<Options>,
    verbose: Option<i64>,
    mmap: Option<MmapMode>,
    pub(super) resolved: Mutex<Option<Arc<ResolvedFunction>>>,
    pub(super) front: Mutex<Front>,
    /// Its results may be remembered by arguments alone, as far as it says so itself.
    fronted: bool,
    pub(super) why: Mutex<String>,
    /// `why` isn't empty.
    pub(super) missed: AtomicBool,
    /// What explaining misses took, and what computing them took.
    pub(super) spent: Mutex<(Duration, Duration)>,
    pub(super) said: Mutex<HashSet<&'static str>>,
}

/// The names of the options.
const OPTIONS: [&str; 12] = [
    "ignore",
    "key",
    "verbose",
    "mmap_mode",
    "validate",
    "expires",
    "min_duration",
    "signature",
    "secret",
    "compress",
    "readable",
    "front",
];

/// The options that the engine asks for, of those that the decorator was given.
fn engine_options<'py>(get: impl Fn(&str) -> PyResult<Option<Bound<'py, PyAny>>>) -> PyResult<Options> {
    let mut options = Options::default();
    if let Some(expires) = get("expires")? {
        let age = duration(&expires, "expires")?;
        options.expires = Some(Arc::new(move || age));
    }
    if let Some(least) = get("min_duration")? {
        options.min_duration = Some(duration(&least, "min_duration")?);
    }
    if let Some(compress) = get("compress")? {
        options.compression = Some(compression_of(&compress)?);
    }
    if let Some(readable) = get("readable")? {
        options.readable = Some(readable.is_truthy()?);
    }
    if let Some(validate) = get("validate")?.map(Bound::unbind) {
        options.validate = Some(Arc::new(move |entry: &Entry| Python::attach(|py| is_valid(py, &validate, entry))));
    }
    Ok(options)
}

#[pymethods]
impl CoreFunction {
    #[new]
    #[pyo3(signature = (memory, func, path, resolve, **options))]
    fn new(
        py: Python<'_>,
        memory: Option<Py<CoreMemory>>,
        func: Py<PyAny>,
        path: String,
        resolve: Py<PyAny>,
        options: Option<Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let given = options.unwrap_or_else(|| PyDict::new(py));
        for name in given.keys().iter() {
            let name: String = name.extract()?;
            if !OPTIONS.contains(&name.as_str()) {
                return Err(PyTypeError::new_err(format!("a cached function has no option `{name}`")));
            }
        }
        let get = |name: &str| -> PyResult<Option<Bound<'_, PyAny>>> {
            Ok(given.get_item(name)?.filter(|value| !value.is_none()))
        };
        let names = |name: &str| -> PyResult<Vec<String>> {
            let Some(names) = get(name)? else { return Ok(Vec::new()) };
            if names.is_instance_of::<PyString>() {
                return Err(PyValueError::new_err(format!(
                    "`{name}` is a text, expected a list of names of parameters"
                )));
            }
            names.try_iter()?.map(|name| name?.extract()).collect()
        };
        let options = engine_options(get)?;
        let mmap = match given.get_item("mmap_mode")? {
            Some(mode) if !mode.is(missing(py)) => Some(MmapMode::with_warning(&mode)?),
            _ => None,
        };
        let signature = match get("signature")? {
            Some(signature) => Signature::of(&signature)?,
            None => None,
        };
        // What counts of an argument by a function of its own may change while the argument stays: a file's content.
        let fronted = options.validate.is_none()
            && options.expires.is_none()
            && get("key")?.is_none()
            && get("front")?.is_none_or(|front| front.is_truthy().unwrap_or(false));
        let placed = memory.map(|memory| Placed::of(memory, &path));
        let (ignored, secret) = (names("ignore")?, names("secret")?);
        let keys = match get("key")? {
            Some(keys) => Some(keys.cast_into::<PyDict>()?.unbind()),
            None => None,
        };
        Ok(Self {
            placed: Mutex::new(placed),
            func,
            path,
            resolve,
            signature,
            ignored,
            keys,
            secret,
            options: Arc::new(options),
            verbose: get("verbose")?.map(|verbose| verbose.extract::<f64>()).transpose()?.map(|verbose| verbose as i64),
            mmap,
            resolved: Mutex::default(),
            front: Mutex::default(),
            fronted,
            why: Mutex::default(),
            missed: AtomicBool::new(false),
            spent: Mutex::default(),
            said: Mutex::default(),
        })
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.evaluate(py, args, kwargs, Evaluation::Eval)
    }

    /// The function itself.
    #[getter]
    fn func(&self, py: Python<'_>) -> Py<PyAny> {
        self.func.clone_ref(py)
    }

    /// The memory; None of a function that just runs.
    #[getter(memory)]
    fn get_memory(&self, py: Python<'_>) -> Option<Py<CoreMemory>> {
        self.memory(py).map(Bound::unbind)
    }

    /// Moves the function to another memory.
    #[setter(memory)]
    fn set_memory(&self, memory: Option<Py<CoreMemory>>) {
        let placed = memory.map(|memory| Placed::of(memory, &self.path));
        let replaced = std::mem::replace(&mut *python::lock(&self.placed), placed);
        drop(replaced);
        python::lock(&self.front).clear();
    }

    /// The path by which the function is known in the folder.
    #[getter]
    fn function_path(&self) -> &str {
        &self.path
    }

    /// Whether the function says itself how long its results are good for.
    #[getter]
    fn has_lifetime(&self) -> bool {
        self.options.expires.is_some()
    }

    /// Why the last call that went through here missed; empty if it hit.
    #[getter]
    fn why(&self) -> String {
        python::lock(&self.why).clone()
    }

    /// Computes the call and stores it, whatever is stored.
    #[pyo3(signature = (args, kwargs=None))]
    fn compute_anew<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.evaluate(py, args, kwargs, Evaluation::Anew)
    }

    /// `(True, value)` if the call is stored, else `(False, key)`, None where it has none.
    #[pyo3(signature = (args, kwargs=None))]
    fn peek<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<(bool, Option<Bound<'py, PyAny>>)> {
        let Some(keyed) = self.keyed_if_cached(py, args, kwargs)? else { return Ok((false, None)) };
        Ok(match self.look_up(py, &keyed)? {
            LookupResult::Value(value, _) => {
                self.set_why(String::new());
                (true, Some(value))
            }
            // What is wrong with a key is reported where the key is needed.
            LookupResult::Nothing | LookupResult::Refused => {
                let key = self.key_in_memory(py, &keyed).ok().flatten();
                (false, key.map(|key| PyString::new(py, &key).into_any()))
            }
        })
    }

    /// `(True, value)` if the call is stored, or becomes so while this waits; else `(False, turn)`: a `Lead`, on which
    /// the others wait, or None where nothing can be stored. If `anew`, whatever is stored is left and computed again; if
    /// `at_once`, nobody is waited for.
    #[pyo3(name = "lead", signature = (args, kwargs=None, anew=false, at_once=false))]
    fn lead_py<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
        anew: bool,
        at_once: bool,
    ) -> PyResult<(bool, Option<Bound<'py, PyAny>>)> {
        let py = slf.py();
        let this = slf.get();
        if !this.is_enabled(py) {
            return Ok((false, None));
        }
        let begin = Instant::now();
        let mut keyed = match this.keyed(py, args, kwargs)? {
            Keying::Keyed(keyed) => keyed,
            Keying::Misfit => return Ok((false, None)),
            Keying::Unkeyable(why) => {
                this.say_unkeyable(py, &why)?;
                return Ok((false, None));
            }
        };
        keyed.watch(begin.elapsed());
        let found = if anew { LookupResult::Nothing } else { this.look_up(py, &keyed)? };
        match found {
            LookupResult::Value(value, _) => {
                this.set_why(String::new());
                return Ok((true, Some(value)));
            }
            LookupResult::Refused => return Ok((false, None)),
            LookupResult::Nothing => {}
        }
        let evaluation = if anew { Evaluation::Anew } else { Evaluation::Eval };
        match this.lead(py, &keyed, evaluation, WaitOptions { task: Some(TaskId::unique()), at_once })? {
            Led::Value(value) => Ok((true, Some(value))),
            Led::Turn(lead) => {
                let lead = Bound::new(py, CoreLead::new(py, slf.clone().unbind(), keyed, lead)?)?;
                Ok((false, Some(lead.into_any())))
            }
            Led::Alone => Ok((false, None)),
        }
    }

    /// A call has been computed beside the cache: what has called it is good for no longer than its result.
    fn note_uncached(&self, py: Python<'_>) {
        self.note_lifetime(py, SystemTime::now());
    }

    /// Whether the call would hit; nothing is loaded or counted.
    #[pyo3(signature = (args, kwargs=None))]
    fn contains<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<bool> {
        let Some(keyed) = self.keyed_if_cached(py, args, kwargs)? else { return Ok(false) };
        let Some(memory) = self.memory(py) else { return Ok(false) };
        let (call, memory) = (keyed.call(self, false), &memory.get().memory);
        Ok(py.detach(|| call.contains(memory)))
    }

    /// Why the call would hit or miss.
    #[pyo3(signature = (args, kwargs=None))]
    fn explanation<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<CoreExplanation> {
        let Some(memory) = self.memory(py) else { return Ok(CoreExplanation::bypassed("there is no memory")) };
        match self.keyed(py, args, kwargs)? {
            Keying::Keyed(keyed) => {
                let (call, memory) = (keyed.call(self, true), &memory.get().memory);
                Ok(CoreExplanation::of(&py.detach(|| call.explain(memory))))
            }
            Keying::Misfit => Ok(CoreExplanation::bypassed("the function doesn't take these arguments")),
            Keying::Unkeyable(why) => Ok(CoreExplanation::bypassed(&why)),
        }
    }

    /// A reference to the stored result of the call, which is computed if it isn't stored; None where it can't be stored,
    /// beside the value.
    #[pyo3(signature = (args, kwargs=None))]
    fn shelve<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<(Option<CoreReference>, Option<Bound<'py, PyAny>>)> {
        let py = slf.py();
        let this = slf.get();
        let Some(keyed) = this.keyed_if_cached(py, args, kwargs)? else {
            return Ok((None, Some(this.evaluate(py, args, kwargs, Evaluation::Eval)?)));
        };
        let Some(memory) = this.memory(py) else { return Ok((None, Some(this.run(py, args, kwargs)?))) };
        let core = &memory.get().memory;
        let call = keyed.call(this, false);
        let stored = || py.detach(|| if call.contains(core) { call.entry(core).ok().flatten() } else { None });
        let (entry, value) = match stored() {
            Some(entry) => {
                this.set_why(String::new());
                this.note_entry(py, &entry);
                (Some(entry), None)
            }
            None => {
                let value = this.evaluate(py, args, kwargs, Evaluation::Eval)?;
                (stored(), Some(value))
            }
        };
        let refer = |entry: &Entry| CoreReference::of(py, memory.clone().unbind(), this, entry).ok();
        match (entry.as_ref().and_then(refer), value) {
            // Gone since it was looked for.
            (None, None) => Ok((None, Some(this.evaluate(py, args, kwargs, Evaluation::Eval)?))),
            found => Ok(found),
        }
    }

    /// Removes the stored result of the call, and says whether there was one.
    #[pyo3(signature = (args, kwargs=None))]
    fn remove_call<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<bool> {
        let Some(keyed) = self.keyed_if_cached(py, args, kwargs)? else { return Ok(false) };
        let Some(memory) = self.memory(py) else { return Ok(false) };
        let (call, memory) = (keyed.call(self, false), &memory.get().memory);
        changed();
        let removed = py.detach(|| call.remove(memory)).map_err(|error| raised(&error));
        changed();
        removed
    }

    /// The key of the call, in hex; None where it has none.
    #[pyo3(signature = (args, kwargs=None))]
    fn key<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<String>> {
        match self.keyed_if_cached(py, args, kwargs)? {
            Some(keyed) => self.key_in_memory(py, &keyed),
            None => Ok(None),
        }
    }

    /// The stored entry of the call; None if there is none.
    #[pyo3(signature = (args, kwargs=None))]
    fn entry<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<crate::entry::CoreEntry>> {
        let Some(keyed) = self.keyed_if_cached(py, args, kwargs)? else { return Ok(None) };
        let Some(memory) = self.memory(py) else { return Ok(None) };
        let (call, memory) = (keyed.call(self, false), &memory.get().memory);
        let entry = py.detach(|| call.entry(memory)).map_err(|error| raised(&error))?;
        Ok(entry.as_ref().map(crate::entry::CoreEntry::of))
    }

    /// Removes all results of the function, and returns how many there were.
    fn clear_all(&self, py: Python<'_>) -> PyResult<u64> {
        python::lock(&self.front).clear();
        match self.memory(py) {
            Some(memory) => memory.get().clear_function_of(py, &self.path),
            None => Ok(0),
        }
    }

    /// What counts as the function's code now: the digest of its body, and of each part by name.
    fn resolved_parts<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyList>)> {
        let resolved = self.resolved(py)?;
        let parts = PyList::empty(py);
        for (name, digest) in &resolved.parts {
            parts.append((name, PyBytes::new(py, &digest.to_bytes())))?;
        }
        Ok((PyBytes::new(py, &resolved.body.to_bytes()), parts))
    }

    /// The digests of the arguments of a call, by name.
    #[pyo3(signature = (args, kwargs=None))]
    fn argument_digests<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Vec<(String, String)>>> {
        Ok(match self.keyed(py, args, kwargs)? {
            Keying::Keyed(keyed) => {
                Some(keyed.counted.iter().map(|counted| (counted.name.clone(), counted.digest.to_string())).collect())
            }
            _ => None,
        })
    }

    fn __repr__(&self) -> String {
        format!("<cached function {}>", self.path)
    }
}

impl CoreFunction {
    pub(super) fn memory<'py>(&self, py: Python<'py>) -> Option<Bound<'py, CoreMemory>> {
        python::lock(&self.placed).as_ref().map(|placed| placed.memory.bind(py).clone())
    }

    pub(super) fn is_enabled(&self, py: Python<'_>) -> bool {
        self.memory(py).is_some_and(|memory| memory.get().enabled_now())
    }

    pub(super) fn mmap(&self, py: Python<'_>) -> MmapMode {
        self.mmap.or_else(|| Some(self.memory(py)?.get().mmap)).unwrap_or(MmapMode::Owned)
    }

    pub(super) fn verbose(&self, py: Python<'_>) -> i64 {
        self.verbose.or_else(|| Some(self.memory(py)?.get().verbose)).unwrap_or(0)
    }

    /// The share of hits that are computed again, if any is.
    pub(super) fn recheck(&self, py: Python<'_>) -> Option<f64> {
        self.memory(py).and_then(|memory| memory.get().recheck_share())
    }

    /// Where its results are, if small ones are remembered by their arguments.
    #[inline]
    pub(super) fn fronted(&self) -> Option<Arc<Placed>> {
        if !self.fronted || self.verbose.is_some_and(|verbose| verbose > 1) {
            return None;
        }
        python::lock(&self.placed).as_ref().filter(|placed| placed.fronts).cloned()
    }

    /// What says of the parameter what counts of it.
    pub(super) fn key_of<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        match &self.keys {
            Some(keys) => keys.bind(py).get_item(name),
            None => Ok(None),
        }
    }
}
