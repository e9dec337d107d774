//! Small results that a function remembers by small arguments: a hit that asks nobody else.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ndcache::Memory;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::memory::{CoreMemory, changes};
use crate::python;

/// How often a memory's function was hit, by the memory's address and the function's path.
type Hits = HashMap<(usize, String), Arc<AtomicU64>>;

/// How long what another process has done may go unseen.
const GOOD: Duration = Duration::from_millis(900);

/// The most calls that are remembered.
const MOST: usize = 4096;

/// The longest text of an argument, and of a result.
const LONGEST: usize = 64;

/// The most arguments.
const ARGUMENTS: usize = 6;

/// Where a function's results are.
pub(super) struct Placed {
    pub(super) memory: Py<CoreMemory>,
    /// Hits of the front.
    pub(super) hits: Arc<AtomicU64>,
    /// Small results may be remembered by their arguments.
    pub(super) fronts: bool,
}

impl Placed {
    pub(super) fn of(memory: Py<CoreMemory>, path: &str) -> Arc<Self> {
        let core = memory.get();
        let fronts = core.expires.is_none() && core.recheck == 0.0 && core.verbose < 2;
        Arc::new(Self { hits: counter(&core.memory, path), fronts, memory })
    }
}

/// The results of calls whose arguments are small and immutable, by these.
#[derive(Default)]
pub(crate) struct Front {
    known: HashMap<SmallArguments, FrontResult>,
}

/// A result, with the number of changes and the time when it was remembered.
struct FrontResult {
    result: Py<PyAny>,
    changes: u64,
    since: Instant,
}

/// Arguments by type and value.
pub(crate) type SmallArguments = smallvec::SmallVec<[u8; 64]>;

/// The arguments of a call, if all are small and immutable.
#[inline]
pub(crate) fn small(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> Option<SmallArguments> {
    if args.len() > ARGUMENTS || kwargs.is_some_and(|kwargs| kwargs.len() > ARGUMENTS) {
        return None;
    }
    let mut key = SmallArguments::new();
    for argument in args.iter_borrowed() {
        push(&mut key, &argument)?;
    }
    for (name, value) in kwargs.into_iter().flat_map(|kwargs| kwargs.iter()) {
        key.push(b'=');
        push(&mut key, &name)?;
        push(&mut key, &value)?;
    }
    Some(key)
}

#[inline]
fn push(key: &mut SmallArguments, value: &Bound<'_, PyAny>) -> Option<()> {
    let class = value.get_type_ptr();
    if std::ptr::eq(class, &raw mut ffi::PyLong_Type) {
        let mut overflow = 0;
        // SAFETY: it is an int.
        let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(value.as_ptr(), &raw mut overflow) };
        if overflow != 0 {
            return None;
        }
        key.push(b'i');
        key.extend_from_slice(&number.to_le_bytes());
    } else if std::ptr::eq(class, &raw mut ffi::PyFloat_Type) {
        // SAFETY: it is a float.
        let number = unsafe { ffi::PyFloat_AsDouble(value.as_ptr()) };
        key.push(b'f');
        key.extend_from_slice(&number.to_bits().to_le_bytes());
    } else if std::ptr::eq(class, &raw mut ffi::PyUnicode_Type) {
        let text = value.cast::<PyString>().ok()?.to_str().ok()?;
        text_of(key, b's', text.as_bytes())?;
    } else if std::ptr::eq(class, &raw mut ffi::PyBool_Type) {
        key.push(if value.is_truthy().ok()? { b'T' } else { b'F' });
    } else if value.is_none() {
        key.push(b'N');
    } else if std::ptr::eq(class, &raw mut ffi::PyBytes_Type) {
        text_of(key, b'b', value.cast::<PyBytes>().ok()?.as_bytes())?;
    } else {
        return None;
    }
    Some(())
}

fn text_of(key: &mut SmallArguments, mark: u8, bytes: &[u8]) -> Option<()> {
    if bytes.len() > LONGEST {
        return None;
    }
    key.push(mark);
    key.push(bytes.len() as u8);
    key.extend_from_slice(bytes);
    Some(())
}

/// Whether a result may be handed out again: it is small, and nobody can change it.
fn is_shareable(result: &Bound<'_, PyAny>) -> bool {
    let plain = |value: &Bound<'_, PyAny>| {
        let mut key = SmallArguments::new();
        push(&mut key, value).is_some()
    };
    match result.cast_exact::<PyTuple>() {
        Ok(tuple) => tuple.len() <= ARGUMENTS && tuple.iter_borrowed().all(|item| plain(&item)),
        Err(_) => plain(result),
    }
}

impl Front {
    /// The result that is remembered for these arguments.
    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>, arguments: &SmallArguments) -> Option<Bound<'py, PyAny>> {
        let known = self.known.get(arguments)?;
        let good = known.changes == changes() && known.since.elapsed() < GOOD;
        good.then(|| known.result.bind(py).clone())
    }

    /// Remembers a result that was looked up when the number of changes was `at`.
    pub(crate) fn put(&mut self, arguments: SmallArguments, result: &Bound<'_, PyAny>, at: u64, since: Instant) {
        if !is_shareable(result) {
            return;
        }
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(arguments, FrontResult { result: result.clone().unbind(), changes: at, since });
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
    }
}

/// The hits of fronts, by memory and path.
static HITS: Mutex<Option<Hits>> = Mutex::new(None);

/// The counter of a function's hits.
fn counter(memory: &Arc<Memory>, path: &str) -> Arc<AtomicU64> {
    let place = (Arc::as_ptr(memory) as usize, path.to_owned());
    Arc::clone(python::lock(&HITS).get_or_insert_default().entry(place).or_default())
}

/// The hits of the fronts of a memory's functions, by path.
pub(crate) fn front_hits(memory: &Arc<Memory>) -> HashMap<String, u64> {
    let of = Arc::as_ptr(memory) as usize;
    let hits = python::lock(&HITS);
    let hits = hits.iter().flatten().filter(|((memory, _), _)| *memory == of);
    hits.map(|((_, path), hits)| (path.clone(), hits.load(std::sync::atomic::Ordering::Relaxed))).collect()
}
