//! A memory of Python's: the folder with the settings that are Python's own.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use ndcache::stats::TierCounts;
use ndcache::verify::Repair;
use ndcache::{Limits, Memory, Mode};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::python;
use crate::settings::{OPTIONS, duration, limits_of, open};
use crate::value::{MmapMode, PickleTrust};

/// The memories that are open, by folder and options.
type OpenMemories = HashMap<(PathBuf, String), Weak<Memory>>;

/// Raised whenever this process changes what is stored: what the fronts of functions remember is older.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// The number of changes so far.
pub(crate) fn changes() -> u64 {
    CHANGES.load(Ordering::Acquire)
}

/// Something that is stored has changed, or is about to.
pub(crate) fn changed() {
    CHANGES.fetch_add(1, Ordering::AcqRel);
}

/// The memories that are open, by folder and settings.
static OPEN: Mutex<Option<OpenMemories>> = Mutex::new(None);

/// A cache folder with its settings. Of one folder and the same settings all objects share one memory.
#[pyclass(frozen, subclass, weakref, module = "ndcache._core")]
pub(crate) struct CoreMemory {
    pub(crate) memory: Arc<Memory>,
    location: Option<PathBuf>,
    options: Py<PyDict>,
    pub(crate) mmap: MmapMode,
    pub(crate) trust: PickleTrust,
    pub(crate) verbose: i64,
    pub(crate) texts: bool,
    pub(crate) expires: Option<Duration>,
    pub(crate) recheck: f64,
    /// The last calls of this process that missed: function, arguments in words, reason.
    misses: Mutex<VecDeque<(String, String, String)>>,
}

/// How many of the last misses are remembered.
const LAST_MISSES: usize = 5;

/// What a cache error is for Python.
pub(crate) fn raised(error: &ndcache::Error) -> PyErr {
    match error.kind() {
        ndcache::ErrorKind::Io => PyOSError::new_err(error.to_string()),
        ndcache::ErrorKind::Invalid => PyValueError::new_err(error.to_string()),
        _ => PyRuntimeError::new_err(error.to_string()),
    }
}

#[pymethods]
impl CoreMemory {
    #[new]
    #[pyo3(signature = (location=None, **options))]
    fn new(py: Python<'_>, location: Option<PathBuf>, options: Option<Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = options.unwrap_or_else(|| PyDict::new(py));
        for name in options.keys().iter() {
            let name: String = name.extract()?;
            if !OPTIONS.contains(&name.as_str()) {
                return Err(PyTypeError::new_err(format!("a memory has no setting `{name}`")));
            }
        }
        let get = |name: &str| -> PyResult<Option<Bound<'_, PyAny>>> {
            Ok(options.get_item(name)?.filter(|value| !value.is_none()))
        };
        let mmap = match get("mmap_mode")? {
            Some(mode) => MmapMode::with_warning(&mode)?,
            None => MmapMode::Owned,
        };
        let trust = match get("pickle")? {
            Some(pickle) => pickle.extract::<String>()?,
            None => std::env::var("NDCACHE_PICKLE")
                .ok()
                .filter(|pickle| !pickle.is_empty())
                .unwrap_or_else(|| "own".to_owned()),
        };
        let trust = PickleTrust::of(&trust)?;
        let recheck = match get("recheck")? {
            Some(share) => share.extract::<f64>()?,
            None => 0.0,
        };
        if !(0.0..=1.0).contains(&recheck) {
            return Err(PyValueError::new_err(format!("`recheck` is {recheck}, expected a share from 0 to 1")));
        }
        let verbose = match get("verbose")? {
            Some(verbose) => verbose.extract::<f64>()? as i64,
            None => 1,
        };
        let texts = get("texts")?.map_or(Ok(true), |texts| texts.is_truthy())?;
        let expires = get("expires")?.map(|expires| duration(&expires, "expires")).transpose()?;
        let (memory, location) = match location {
            None => (Arc::new(Memory::disabled()), None),
            Some(location) => {
                let location = python::messages(py)?
                    .getattr("prepared_folder")?
                    .call1((location, &options))?
                    .extract::<PathBuf>()?;
                (Self::shared(py, &location, &options, trust)?, Some(location))
            }
        };
        Ok(Self {
            memory,
            location,
            options: options.unbind(),
            mmap,
            trust,
            verbose,
            texts,
            expires,
            recheck,
            misses: Mutex::default(),
        })
    }

    /// The folder, as it was opened; None of a memory that caches nothing.
    #[getter]
    fn root(&self) -> Option<PathBuf> {
        self.memory.location().map(std::path::Path::to_owned).or_else(|| self.location.clone())
    }

    /// Whether anything is looked up: not where the mode is `off`, nor where a folder to be read didn't exist.
    #[getter]
    fn enabled(&self) -> bool {
        self.enabled_now()
    }

    /// The settings, as they were given.
    #[getter]
    fn options<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.options.bind(py).copy()
    }

    /// How the memory is used: `read-write`, `refresh`, `read-only` or `off`. A read-only one whose folder doesn't exist
    /// computes each call.
    #[getter]
    fn mode(&self) -> String {
        match self.memory.mode() {
            Mode::ReadWrite => "read-write",
            Mode::Refresh => "refresh",
            Mode::ReadOnly => "read-only",
            _ => "off",
        }
        .to_owned()
    }

    /// The counts of this process: `hits`, `misses`, `faults`, `saved` and `spent` in seconds, `bytes`, `by_function`,
    /// `by_reason`, `by_tier`.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.memory.stats();
        let fronts = crate::function::front_hits(&self.memory);
        let all = PyDict::new(py);
        let by_function = PyDict::new(py);
        let (mut saved, mut spent, mut bytes) = (0.0, 0.0, 0);
        for (name, counts) in stats.by_function() {
            let one = PyDict::new(py);
            one.set_item("hits", counts.hits + fronts.get(name.as_str()).copied().unwrap_or(0))?;
            one.set_item("misses", counts.misses)?;
            one.set_item("faults", counts.faults)?;
            one.set_item("saved", counts.saved.as_secs_f64())?;
            one.set_item("spent", counts.spent.as_secs_f64())?;
            one.set_item("bytes", counts.bytes)?;
            saved += counts.saved.as_secs_f64();
            spent += counts.spent.as_secs_f64();
            bytes += counts.bytes;
            by_function.set_item(name, one)?;
        }
        all.set_item("hits", stats.hits() + fronts.values().sum::<u64>())?;
        all.set_item("misses", stats.misses())?;
        all.set_item("faults", stats.faults())?;
        all.set_item("saved", saved)?;
        all.set_item("spent", spent)?;
        all.set_item("bytes", bytes)?;
        all.set_item("by_function", by_function)?;
        all.set_item("by_reason", stats.by_reason().clone())?;
        let by_tier = PyDict::new(py);
        for (place, counts) in stats.by_tier() {
            by_tier.set_item(place, tier_counts(py, counts)?)?;
        }
        all.set_item("by_tier", by_tier)?;
        Ok(all)
    }

    /// The last calls of this process that missed, the last one first: function, arguments in words, reason.
    fn last_misses(&self) -> Vec<(String, String, String)> {
        python::lock(&self.misses).iter().cloned().collect()
    }

    /// Sends what is left to be sent to tiers, for at most `timeout` seconds: a dict of how many were `uploaded`, are
    /// `left` and have `failed`, and of `troubles`, which say why.
    #[pyo3(signature = (timeout=None))]
    fn flush_tiers<'py>(&self, py: Python<'py>, timeout: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyDict>> {
        let wait = timeout.map_or(Ok(Duration::from_secs(60)), |timeout| duration(&timeout, "timeout"))?;
        let memory = Arc::clone(&self.memory);
        let flushed = py.detach(|| memory.flush(wait)).map_err(|error| raised(&error))?;
        let fields = PyDict::new(py);
        fields.set_item("uploaded", flushed.uploaded)?;
        fields.set_item("left", flushed.left)?;
        fields.set_item("failed", flushed.failed)?;
        fields.set_item("troubles", flushed.troubles.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        Ok(fields)
    }

    /// The stored calls, of one function if its path is given.
    #[pyo3(signature = (function=None))]
    fn entries<'py>(&self, py: Python<'py>, function: Option<String>) -> PyResult<Bound<'py, PyList>> {
        let memory = Arc::clone(&self.memory);
        let found: Result<Vec<_>, _> = py.detach(|| memory.entries().collect());
        let found = found.map_err(|error| raised(&error))?;
        let list = PyList::empty(py);
        for entry in found {
            if function.as_deref().is_none_or(|function| function == entry.function()) {
                list.append(crate::entry::CoreEntry::of(&entry))?;
            }
        }
        Ok(list)
    }

    /// Removes all entries, and returns how many there were.
    fn remove_all(&self, py: Python<'_>) -> PyResult<u64> {
        changed();
        let memory = Arc::clone(&self.memory);
        let removed = py.detach(|| memory.clear()).map_err(|error| raised(&error))?;
        changed();
        Ok(removed.items)
    }

    /// Removes all entries of the function of this path, and returns how many there were.
    fn clear_function(&self, py: Python<'_>, function: &str) -> PyResult<u64> {
        self.clear_function_of(py, function)
    }

    /// Removes what was used longest ago until the limits hold; returns how many entries and bytes went.
    #[pyo3(signature = (bytes_limit=None, items_limit=None, age_limit=None))]
    fn reduce(
        &self,
        py: Python<'_>,
        bytes_limit: Option<Bound<'_, PyAny>>,
        items_limit: Option<u64>,
        age_limit: Option<Bound<'_, PyAny>>,
    ) -> PyResult<(u64, u64)> {
        let mut limits = match &bytes_limit {
            Some(limit) => limits_of(limit)?,
            None => Limits::default(),
        };
        limits.items = items_limit.or(limits.items);
        if let Some(age) = age_limit {
            limits.age = Some(duration(&age, "age_limit")?);
        }
        if limits == Limits::default() {
            return Ok((0, 0));
        }
        changed();
        let memory = Arc::clone(&self.memory);
        let gone = py.detach(|| memory.reduce_size(limits)).map_err(|error| raised(&error))?;
        changed();
        Ok((gone.items, gone.bytes))
    }

    /// Checks every stored byte. Returns a dict: `entries`, `problems` (texts), `intact`.
    #[pyo3(signature = (repair=false))]
    fn verify<'py>(&self, py: Python<'py>, repair: bool) -> PyResult<Bound<'py, PyDict>> {
        let memory = Arc::clone(&self.memory);
        let how = if repair { Repair::Remove } else { Repair::No };
        changed();
        let report = py.detach(|| memory.verify(how)).map_err(|error| raised(&error))?;
        changed();
        let dict = PyDict::new(py);
        dict.set_item("intact", report.is_intact())?;
        dict.set_item("entries", report.entries)?;
        dict.set_item("damaged", report.damaged)?;
        dict.set_item("newer", report.newer)?;
        dict.set_item("orphans", report.orphans)?;
        dict.set_item("removed", report.removed)?;
        dict.set_item("bytes", report.bytes)?;
        let problems = report.problems.iter().map(|(path, problem)| (path.clone(), problem.to_string()));
        dict.set_item("problems", problems.collect::<Vec<_>>())?;
        Ok(dict)
    }
}

/// What was asked of a tier, by the names of its counts.
fn tier_counts<'py>(py: Python<'py>, counts: &TierCounts) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    let numbers = [
        ("asked", counts.asked),
        ("hits", counts.hits),
        ("absent", counts.absent),
        ("stale", counts.stale),
        ("left", counts.left),
        ("damaged", counts.damaged),
        ("fetched_bytes", counts.fetched_bytes),
        ("uploads", counts.uploads),
        ("uploaded_bytes", counts.uploaded_bytes),
    ];
    numbers.into_iter().try_for_each(|(name, number)| fields.set_item(name, number))?;
    fields.set_item("errors", counts.errors.clone())?;
    Ok(fields)
}

impl CoreMemory {
    /// Remembers a call that has missed.
    pub(crate) fn note_miss(&self, function: &str, words: String, why: &str) {
        let mut misses = python::lock(&self.misses);
        misses.truncate(LAST_MISSES - 1);
        misses.push_front((function.to_owned(), words, why.to_owned()));
    }

    pub(crate) fn clear_function_of(&self, py: Python<'_>, function: &str) -> PyResult<u64> {
        changed();
        let memory = Arc::clone(&self.memory);
        let removed = py.detach(|| memory.clear_function_named(function)).map_err(|error| raised(&error))?;
        changed();
        Ok(removed.items)
    }

    pub(crate) fn enabled_now(&self) -> bool {
        self.memory.location().is_some()
    }

    /// The share of hits that are computed again, if any is.
    pub(crate) fn recheck_share(&self) -> Option<f64> {
        (self.recheck > 0.0).then_some(self.recheck)
    }

    /// The memory of this folder and these settings that is open already, else a new one.
    fn shared(
        py: Python<'_>,
        folder: &std::path::Path,
        options: &Bound<'_, PyDict>,
        trust: PickleTrust,
    ) -> PyResult<Arc<Memory>> {
        let own = ["mmap_mode", "verbose", "shared", "recheck", "pickle"];
        let mut settings = vec![format!("{trust:?}")];
        for (name, value) in options.iter() {
            let name: String = name.extract()?;
            if !own.contains(&name.as_str()) {
                settings.push(format!("{name}={}", value.repr()?));
            }
        }
        settings.sort();
        let key = (folder.to_owned(), settings.join(","));
        let known = python::lock(&OPEN).as_ref().and_then(|open| open.get(&key).and_then(Weak::upgrade));
        // One without a folder had none to read, and there may be one by now.
        let stands = |memory: &Arc<Memory>| memory.location().map_or(!folder.exists(), std::path::Path::exists);
        if let Some(memory) = known.filter(stands) {
            return Ok(memory);
        }
        let memory = Arc::new(open(py, folder, options, trust == PickleTrust::Any)?);
        let mut all = python::lock(&OPEN);
        let all = all.get_or_insert_default();
        all.retain(|_, memory| memory.strong_count() > 0);
        all.insert(key, Arc::downgrade(&memory));
        Ok(memory)
    }
}
