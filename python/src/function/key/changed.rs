//! Whether a function has changed an argument, and what of it.
//!
//! A result that holds what was changed is stored: a hit returns it as the first call did. What is held is the argument
//! itself, or the objects in it, through lists, tuples, dicts and sets alone: whoever gives a dict of models to be fitted
//! gives these models. A change inside of an object is one of that object.

use std::collections::HashSet;

use ndcache::Digest;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyList, PySet, PyString, PyTuple};

use super::KeyArgument;
use crate::python;
use crate::walk::{Claims, Inner, Manner, digest_if, short_text, try_digest_of};

/// The most objects of an argument that are remembered, and the most parts of one of them.
const MOST: usize = 10_000;
const PARTS: usize = 1000;

/// How deep containers are looked into.
const DEPTH: usize = 8;

/// How many changes are told.
const TOLD: usize = 3;

const SAMPLE: Manner = Manner { unordered: false, sampling: true, uncached: false, codeless: false };
const WHOLE: Manner = Manner { unordered: false, sampling: false, uncached: false, codeless: false };

/// A cached property that is computed meanwhile changes nothing: it follows from what was there before.
const UNCACHED: Manner = Manner { unordered: false, sampling: false, uncached: true, codeless: false };

/// An argument before the computation, beside its digest.
#[derive(Default)]
pub(crate) struct Before {
    /// The digest of a sample, where it may be all that there is time for after the computation, and those of objects in it.
    sample: Option<(Digest, Inner)>,
    /// The objects in its containers.
    items: Vec<Item>,
    portrait: Portrait,
}

struct Item {
    object: Py<PyAny>,
    digest: Digest,
    portrait: Portrait,
}

/// The parts of a value by their names, each with its address, which tells whether it is another one now.
#[derive(Default)]
struct Portrait(Vec<(Py<PyAny>, usize)>);

impl Before {
    /// How the argument is now. `inner` has the digests of what is in it; a sample is taken if it is to be `sampled`.
    pub(super) fn of(value: &Bound<'_, PyAny>, inner: &Inner, sampled: bool) -> Self {
        let sample = || {
            let mut claims = Claims::default();
            let digest = try_digest_of(value, SAMPLE, &mut claims).ok()?;
            Some((digest, claims.inner))
        };
        let items = if inner.is_empty() { Vec::new() } else { items_of(value) };
        let items = items.into_iter().filter_map(|object| {
            let digest = *inner.get(&address(&object))?;
            Some(Item { digest, portrait: Portrait::of(&object), object: object.unbind() })
        });
        Self { sample: sampled.then(sample).flatten(), items: items.collect(), portrait: Portrait::of(value) }
    }
}

fn address(value: &Bound<'_, PyAny>) -> usize {
    value.as_ptr() as usize
}

/// What a result holds, found out once it matters.
pub(super) struct Held<'a, 'py> {
    result: &'a Bound<'py, PyAny>,
    found: Option<HashSet<usize>>,
}

impl<'a, 'py> Held<'a, 'py> {
    pub(super) fn by(result: &'a Bound<'py, PyAny>) -> Self {
        Self { result, found: None }
    }

    fn has(&mut self, address: usize) -> PyResult<bool> {
        if self.result.as_ptr() as usize == address {
            return Ok(true);
        }
        if self.found.is_none() {
            let found = python::pickling(self.result.py())?.getattr("held")?.call1((self.result,))?;
            self.found = Some(found.extract()?);
        }
        Ok(self.found.as_ref().is_some_and(|found| found.contains(&address)))
    }
}

impl KeyArgument<'_> {
    /// Whether it isn't what it was, beside what the result holds. All of it is looked at if `whole`, else a sample.
    pub(super) fn is_changed(&self, whole: bool, held: &mut Held<'_, '_>) -> PyResult<bool> {
        if !self.differs(whole, &Inner::new()) || held.has(address(&self.value))? {
            return Ok(false);
        }
        let mut inner = Inner::new();
        for Item { object, digest, .. } in &self.before.items {
            let at = object.as_ptr() as usize;
            if held.has(at)? {
                let sampled = self.before.sample.as_ref().and_then(|(_, inner)| inner.get(&at).copied());
                inner.extend((if whole { Some(*digest) } else { sampled }).map(|digest| (at, digest)));
            }
        }
        Ok(inner.is_empty() || self.differs(whole, &inner))
    }

    /// What has no digest any more isn't what it was.
    fn differs(&self, whole: bool, inner: &Inner) -> bool {
        let is = |manner, was| digest_if(&self.value, manner, inner).ok() == Some(was);
        match &self.before.sample {
            _ if whole => !is(WHOLE, self.digest) && !is(UNCACHED, self.digest),
            Some((was, _)) => !is(SAMPLE, *was),
            None => false,
        }
    }

    /// What of it has changed beside what the result holds, in words; empty if that can't be told.
    pub(super) fn changes(&self, name: &str, held: &mut Held<'_, '_>) -> PyResult<String> {
        let py = self.value.py();
        let mut told = Vec::new();
        for Item { object, digest, portrait } in &self.before.items {
            let object = object.bind(py);
            let is_still = digest_if(object, WHOLE, &Inner::new()).ok() == Some(*digest);
            if is_still || held.has(address(object))? {
                continue;
            }
            if let Some(place) = place_of(&self.value, object, DEPTH) {
                let (place, before) = (format!("{name}{place}"), told.len());
                portrait.changes(object, &place, &mut told);
                if told.len() == before {
                    told.push(format!("`{place}` has changed in place"));
                }
            }
        }
        if told.is_empty() {
            self.before.portrait.changes(&self.value, name, &mut told);
        }
        let more = told.len().saturating_sub(TOLD);
        told.truncate(TOLD);
        Ok(match more {
            0 => told.join(", "),
            more => format!("{}, and {more} more", told.join(", ")),
        })
    }
}

impl Portrait {
    fn of(value: &Bound<'_, PyAny>) -> Self {
        Self(named(value).into_iter().map(|(name, part)| (name.unbind(), address(&part))).collect())
    }

    /// Adds to `told` how the value differs, which is found at `place`.
    fn changes(&self, value: &Bound<'_, PyAny>, place: &str, told: &mut Vec<String>) {
        let py = value.py();
        let now = named(value);
        let at = |name: &Bound<'_, PyAny>| format!("`{place}{}`", step(value, name));
        let was = |name: &Bound<'_, PyAny>| {
            self.0.iter().find(|(known, _)| known.bind(py).eq(name).unwrap_or(false)).map(|(_, part)| *part)
        };
        let before = told.len();
        for (name, part) in &now {
            match was(name) {
                None => told.push(format!("{} is new", at(name))),
                Some(known) if known != address(part) => told.push(format!("{} is another value", at(name))),
                Some(_) => {}
            }
        }
        for (name, _) in &self.0 {
            let name = name.bind(py);
            if now.len() < PARTS && !now.iter().any(|(known, _)| known.eq(name).unwrap_or(false)) {
                told.push(format!("{} is gone", at(name)));
            }
        }
        // Each part is the one that it was. Where only one can change, it has.
        let mut mutable = now.iter().filter(|(_, part)| !super::is_immutable(part));
        if told.len() == before
            && let (Some((name, _)), None) = (mutable.next(), mutable.next())
        {
            told.push(format!("{} has changed in place", at(name)));
        }
    }
}

/// The step to a part of this name: `.coef_`, `['a']`, `[3]`.
fn step(value: &Bound<'_, PyAny>, name: &Bound<'_, PyAny>) -> String {
    match name.cast::<PyString>() {
        Ok(name) if !is_container(value) => format!(".{name}"),
        _ => format!("[{}]", short_text(name)),
    }
}

fn is_container(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyDict>()
        || value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyTuple>()
        || value.is_instance_of::<PySet>()
        || value.is_instance_of::<PyFrozenSet>()
}

/// The parts of a container or an object by their names: keys, places, attributes. Those of a set have none.
fn named<'py>(value: &Bound<'py, PyAny>) -> Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let in_order = |items: Vec<Bound<'py, PyAny>>| {
        let numbered = items.into_iter().enumerate();
        numbered.filter_map(|(at, item)| Some((at.into_pyobject(value.py()).ok()?.into_any(), item))).collect()
    };
    if let Ok(dict) = value.cast::<PyDict>() {
        return dict.iter().take(PARTS).collect();
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        return in_order(contained(value).into_iter().take(PARTS).collect());
    }
    // Not by `__dict__`: to read that of a stream or an exception gives it one, which its own pickle has in it then.
    let py = value.py();
    let state = python::types(py).and_then(|types| types.object.bind(py).call_method1("__getstate__", (value,)));
    let Ok(state) = state else { return Vec::new() };
    let parts = state.cast::<PyTuple>().map_or_else(|_| vec![state.clone()], |both| both.iter().collect());
    let attributes = parts.into_iter().filter_map(|part| part.cast_into::<PyDict>().ok());
    attributes.flat_map(|attributes| attributes.iter().collect::<Vec<_>>()).take(PARTS).collect()
}

fn contained<'py>(value: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyAny>> {
    if let Ok(list) = value.cast::<PyList>() {
        list.iter().take(MOST).collect()
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        tuple.iter().take(MOST).collect()
    } else if let Ok(dict) = value.cast::<PyDict>() {
        dict.iter().take(MOST).map(|(_, item)| item).collect()
    } else if let Ok(set) = value.cast::<PySet>() {
        set.iter().take(MOST).collect()
    } else if let Ok(set) = value.cast::<PyFrozenSet>() {
        set.iter().take(MOST).collect()
    } else {
        Vec::new()
    }
}

/// The objects in a value's containers.
fn items_of<'py>(value: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyAny>> {
    let mut items = Vec::new();
    let mut level = vec![value.clone()];
    for _ in 0..DEPTH {
        let parts = level.iter().flat_map(contained).take(MOST).filter(|part| !super::is_immutable(part));
        let (containers, objects): (Vec<_>, Vec<_>) = parts.partition(is_container);
        items.extend(objects);
        level = containers;
    }
    items.truncate(MOST);
    items
}

/// The steps from a container to an object in it.
fn place_of(value: &Bound<'_, PyAny>, object: &Bound<'_, PyAny>, depth: usize) -> Option<String> {
    if !is_container(value) || depth == 0 {
        return None;
    }
    named(value).iter().find_map(|(name, part)| match part.is(object) {
        true => Some(step(value, name)),
        false => place_of(part, object, depth - 1).map(|rest| format!("{}{rest}", step(value, name))),
    })
}
