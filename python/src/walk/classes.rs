//! What of a type and of a function counts: their names, and what the hooks of the Python side say of their code.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use ndcache::Digest;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType, PyWeakrefMethods, PyWeakrefReference};

use super::Unkeyable;
use super::walker::{Stop, Walker};
use crate::guards::{Captured, Guards};
use crate::python;

/// What the Python side does for the walk.
pub(crate) struct Hooks {
    /// `class -> (digest | None, guards)`
    pub(crate) class_digest: Option<Py<PyAny>>,
    /// `function -> (digest | None, guards, captured)`
    pub(crate) function_digest: Option<Py<PyAny>>,
}

static HOOKS: Mutex<Hooks> = Mutex::new(Hooks { class_digest: None, function_digest: None });

/// Sets the hooks, and forgets what others said.
pub(crate) fn set_hooks(hooks: Hooks) {
    let replaced = std::mem::replace(&mut *python::lock(&HOOKS), hooks);
    let forgotten = python::lock(&CODES).take();
    drop((replaced, forgotten));
}

/// The hook for classes, else the one for functions.
pub(crate) fn hooks(py: Python<'_>, for_class: bool) -> Option<Bound<'_, PyAny>> {
    let hooks = python::lock(&HOOKS);
    let hook = if for_class { &hooks.class_digest } else { &hooks.function_digest };
    hook.as_ref().map(|hook| hook.clone_ref(py).into_bound(py))
}

/// The answer of a hook about a class or function, which is found by its address.
struct RememberedAnswer {
    of: Py<PyWeakrefReference>,
    said: Arc<HookAnswer>,
}

/// What a hook answers about a class or function.
pub(crate) struct HookAnswer {
    pub(crate) digest: Option<Digest>,
    guards: Guards,
    pub(crate) captured: Vec<Captured>,
}

static CODES: Mutex<Option<HashMap<usize, RememberedAnswer>>> = Mutex::new(None);

thread_local! {
    /// The classes and functions that hooks are asked about on this thread, and whether one of them was met again.
    static ASKED: RefCell<(HashSet<usize>, bool)> = RefCell::default();
}

/// What the hook says of `object`; `None` while it is asked about that very object, or if there is no hook.
pub(crate) fn said_of(object: &Bound<'_, PyAny>, is_class: bool) -> PyResult<Option<Arc<HookAnswer>>> {
    let py = object.py();
    let id = object.as_ptr() as usize;
    let known = {
        let codes = python::lock(&CODES);
        let known = codes.as_ref().and_then(|codes| codes.get(&id));
        known
            .filter(|code| code.of.bind(py).upgrade().is_some_and(|of| of.is(object)))
            .map(|code| Arc::clone(&code.said))
    };
    if let Some(said) = known.filter(|said| said.guards.hold(py)) {
        return Ok(Some(said));
    }
    let Some(hook) = hooks(py, is_class) else { return Ok(None) };
    let again = ASKED.with_borrow_mut(|(asked, cut)| {
        let again = !asked.insert(id);
        *cut |= again;
        again
    });
    if again {
        return Ok(None);
    }
    let _end = QuestionGuard(id);
    let answer = hook.call1((object,))?.cast_into::<PyTuple>()?;
    let digest: Option<[u8; 16]> = answer.get_item(0)?.extract()?;
    let captured = if is_class { Vec::new() } else { Captured::all(&answer.get_item(2)?)? };
    let guards = Guards::of(&answer.get_item(1)?)?;
    let said = Arc::new(HookAnswer { digest: digest.map(Digest::from_bytes), guards, captured });
    // What met a class that is still asked about knows but its name of it: that isn't all, so it isn't kept.
    let whole = ASKED.with_borrow_mut(|(asked, cut)| {
        let outermost = asked.len() == 1;
        let whole = outermost || !*cut;
        *cut &= !outermost;
        whole
    });
    if whole && let Ok(weak) = PyWeakrefReference::new(object) {
        let replaced = remember(py, id, RememberedAnswer { of: weak.unbind(), said: Arc::clone(&said) });
        // Dropping it may run the user's code, which may come here again: so it is dropped without the lock.
        drop(replaced);
    }
    Ok(Some(said))
}

/// Returns what is forgotten for it.
fn remember(py: Python<'_>, id: usize, code: RememberedAnswer) -> Vec<RememberedAnswer> {
    let mut codes = python::lock(&CODES);
    let codes = codes.get_or_insert_default();
    let mut forgotten = Vec::new();
    if codes.len() > 256 && codes.len().is_power_of_two() {
        let gone = |code: &RememberedAnswer| code.of.bind(py).upgrade().is_none();
        let ids: Vec<_> = codes.iter().filter(|(_, code)| gone(code)).map(|(&id, _)| id).collect();
        forgotten.extend(ids.iter().filter_map(|id| codes.remove(id)));
    }
    forgotten.extend(codes.insert(id, code));
    forgotten
}

/// Takes the class or function off [`ASKED`], in a panic too.
struct QuestionGuard(usize);

impl Drop for QuestionGuard {
    fn drop(&mut self) {
        ASKED.with_borrow_mut(|(asked, _)| asked.remove(&self.0));
    }
}

/// The name of a module; `__mp_main__`, as which workers know it, is `__main__`.
pub(super) fn module_of(object: &Bound<'_, PyAny>) -> String {
    let module = object.getattr(pyo3::intern!(object.py(), "__module__"));
    let module = module.and_then(|module| module.extract::<String>()).unwrap_or_default();
    if module == "__mp_main__" { "__main__".to_owned() } else { module }
}

pub(super) fn qualname_of(object: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = object.py();
    let name = object.getattr(pyo3::intern!(py, "__qualname__"));
    name.or_else(|_| object.getattr(pyo3::intern!(py, "__name__")))?.extract()
}

/// Whether the type was made by a `class` statement, or might have been.
fn is_heap(class: &Bound<'_, PyType>) -> bool {
    const HEAP: u64 = 1 << 9;
    // SAFETY: it is a type.
    let flags = unsafe { pyo3::ffi::PyType_GetFlags(class.as_type_ptr()) } as u64;
    flags & HEAP != 0
}

impl<'py> Walker<'py> {
    /// Feeds a type: its names, and its code where that is the user's. Says whether it is.
    pub(super) fn class(&mut self, class: &Bound<'py, PyType>) -> Result<bool, Stop> {
        self.stream.begin("py:class");
        self.stream.text(module_of(class).as_bytes());
        self.stream.text(qualname_of(class)?.as_bytes());
        let said = if is_heap(class) { said_of(class, true)? } else { None };
        let digest = said.and_then(|said| said.digest);
        if let Some(digest) = digest {
            self.code_of(class.as_any(), digest);
        }
        self.stream.end();
        Ok(digest.is_some())
    }

    /// Feeds the digest of the code of a class or function.
    fn code_of(&mut self, of: &Bound<'py, PyAny>, digest: Digest) {
        if !self.manner.codeless {
            self.stream.leaf(digest);
            self.claims.note_code(of, digest);
        }
    }

    /// Feeds a function, or another callable that runs code of the user's, by its names and code. Returns the values that
    /// it has captured, which are to be fed.
    pub(super) fn function(&mut self, function: &Bound<'py, PyAny>) -> Result<Vec<Bound<'py, PyAny>>, Stop> {
        self.stream.text(module_of(function).as_bytes());
        self.stream.text(qualname_of(function)?.as_bytes());
        if hooks(self.py, false).is_none() {
            return Err(Stop::Unkeyable("a function's code isn't known".to_owned()));
        }
        self.said(function)
    }

    /// Feeds what the hook says of a function or module. Returns the values that it has captured, which are to be fed.
    pub(super) fn said(&mut self, of: &Bound<'py, PyAny>) -> Result<Vec<Bound<'py, PyAny>>, Stop> {
        let Some(said) = said_of(of, false)? else { return Ok(Vec::new()) };
        if let Some(digest) = said.digest {
            self.code_of(of, digest);
        }
        let values: PyResult<Vec<_>> = said.captured.iter().map(|captured| captured.value(self.py)).collect();
        Ok(values?)
    }
}

/// The error of a value that has no digest.
pub(super) fn unkeyable(reason: &str) -> PyErr {
    Unkeyable::new_err(reason.to_owned())
}
