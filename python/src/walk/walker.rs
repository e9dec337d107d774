//! The walk: a stack of what has begun, so that no depth of a value is a depth of calls.

use std::collections::{HashMap, HashSet};

use ndcache::Digest;
use pyo3::exceptions::{PyKeyboardInterrupt, PyMemoryError, PyRecursionError, PySystemExit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use super::Unkeyable;
use super::digest::{Claims, Inner, Manner};
use super::stream::{LONG, Stream};
use super::text::short_text;

/// From this depth on the walk looks for cycles.
const SUSPICIOUS: usize = 128;

/// What is nested deeper has no digest.
const DEEPEST: usize = 4_000_000;

/// How deep what hashers return may have hashers in turn: a method that makes a new such value each time has no end.
const HASHERS: usize = 1000;

/// Why a walk ends early.
pub(super) enum Stop {
    /// The value holds itself.
    Cycle,
    /// This part can't be keyed, for this reason.
    Unkeyable(String),
    Raised(PyErr),
}

impl From<PyErr> for Stop {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

/// A part that is still to be fed.
pub(super) enum Part<'py> {
    Value(Bound<'py, PyAny>),
    /// The attributes of an object: in no order.
    Attributes(Bound<'py, PyDict>),
}

/// The parts of a value, in their order.
pub(super) enum Parts<'py> {
    Tuple(Bound<'py, PyTuple>),
    Several(Vec<Part<'py>>),
}

impl<'py> Parts<'py> {
    fn len(&self) -> usize {
        match self {
            Self::Tuple(items) => items.len(),
            Self::Several(parts) => parts.len(),
        }
    }
}

/// What a place inside a value is called.
#[derive(Clone)]
pub(super) enum PartName {
    /// `[3]`
    Index,
    /// `["a"]`: parts are keys and values in turn.
    Key,
    /// `.a`: likewise.
    Attribute,
    /// These names, one for each part.
    Named(&'static [&'static str]),
    /// `{…}`
    Element,
}

/// A value of which some parts are still to be fed.
pub(super) struct OpenValue<'py> {
    owner: Bound<'py, PyAny>,
    start: usize,
    parts: Parts<'py>,
    next: usize,
    place: PartName,
    /// Parts in no order, so many at a time: where the present group begins, and the digests of those before.
    groups: Option<Groups>,
    /// It counts by its digest inside of others.
    apart: bool,
    /// A hasher has made it.
    hashed: bool,
}

struct Groups {
    size: usize,
    start: usize,
    digests: Vec<Digest>,
}

pub(super) struct Walker<'py> {
    pub(super) py: Python<'py>,
    pub(super) stream: Stream,
    pub(super) manner: Manner,
    pub(super) claims: Claims,
    frames: Vec<OpenValue<'py>>,
    /// Digests of values that count by it, and have ended.
    pub(super) inner: Inner,
    /// Digests of arrays that were met.
    pub(super) arrays: HashMap<usize, Digest>,
    /// Whatever one of the maps knows by its address has to live on.
    kept: Vec<Bound<'py, PyAny>>,
    /// The values that have begun, once there are suspiciously many.
    begun: Option<HashSet<usize>>,
    /// In a value with cycles: what was met before, by numbers.
    numbers: Option<HashMap<usize, u64>>,
    /// Nothing deeper is looked at.
    deepest: usize,
    /// How many of the values that have begun hashers have made.
    hashed: usize,
}

impl<'py> Walker<'py> {
    /// A walk on which the objects of `inner` count by these digests.
    pub(super) fn new(py: Python<'py>, manner: Manner, inner: Inner, cyclic: bool) -> Self {
        Self {
            py,
            stream: Stream::default(),
            manner,
            claims: Claims::default(),
            frames: Vec::new(),
            inner,
            arrays: HashMap::new(),
            kept: Vec::new(),
            begun: None,
            numbers: cyclic.then(HashMap::new),
            deepest: usize::MAX,
            hashed: 0,
        }
    }

    pub(super) fn run(&mut self, value: &Bound<'py, PyAny>) -> Result<Digest, Stop> {
        if self.numbers.is_some() {
            self.stream.begin("py:cyclic");
        }
        self.feed(value)?;
        while let Some(frame) = self.frames.last_mut() {
            if let Some(groups) = &mut frame.groups
                && frame.next > 0
                && frame.next % groups.size == 0
            {
                groups.digests.push(self.stream.digest_from(self.py, groups.start));
                self.claims.walked += (self.stream.len() - groups.start) as u64;
                self.stream.cut(groups.start);
            }
            let next = frame.next;
            if next == frame.parts.len() {
                self.end_frame();
                continue;
            }
            frame.next += 1;
            match &mut frame.parts {
                Parts::Tuple(items) => {
                    let item = items.get_item(next)?;
                    self.feed(&item)?;
                }
                Parts::Several(parts) => {
                    match std::mem::replace(&mut parts[next], Part::Value(self.py.None().into_bound(self.py))) {
                        Part::Value(value) => {
                            // Errors name it.
                            if matches!(frame.place, PartName::Key | PartName::Attribute) && next % 2 == 0 {
                                parts[next] = Part::Value(value.clone());
                            }
                            self.feed(&value)?;
                        }
                        Part::Attributes(dict) => self.attributes(&dict)?,
                    }
                }
            }
        }
        Ok(self.stream.digest_from(self.py, 0))
    }

    /// Whether the value was met before: then it is fed already. Else it is a new one.
    pub(super) fn met(&mut self, value: &Bound<'py, PyAny>) -> bool {
        let id = value.as_ptr() as usize;
        if let Some(numbers) = &mut self.numbers {
            let new = numbers.len() as u64;
            let number = *numbers.entry(id).or_insert(new);
            if number != new {
                self.stream.begin("py:met");
                self.stream.u64(number);
                self.stream.end();
                return true;
            }
            self.kept.push(value.clone());
            return false;
        }
        match self.inner.get(&id) {
            Some(&digest) => {
                self.stream.leaf(digest);
                true
            }
            None => false,
        }
    }

    /// Begins a value of these parts, whose head is in the stream from `start` on.
    pub(super) fn begin(
        &mut self,
        owner: &Bound<'py, PyAny>,
        start: usize,
        parts: Parts<'py>,
        place: PartName,
        apart: bool,
    ) -> Result<(), Stop> {
        let depth = self.frames.len();
        let id = owner.as_ptr() as usize;
        if self.numbers.is_none() && depth >= SUSPICIOUS {
            let frames = &self.frames;
            let begun =
                self.begun.get_or_insert_with(|| frames.iter().map(|frame| frame.owner.as_ptr() as usize).collect());
            if !begun.insert(id) {
                return Err(Stop::Cycle);
            }
        }
        if depth >= DEEPEST {
            return Err(Stop::Unkeyable(format!("it is nested more than {DEEPEST} deep")));
        }
        self.frames.push(OpenValue {
            owner: owner.clone(),
            start,
            parts,
            next: 0,
            place,
            groups: None,
            apart,
            hashed: false,
        });
        Ok(())
    }

    /// Notes that what has just begun was made by a hasher.
    pub(super) fn note_hashed(&mut self) -> Result<(), Stop> {
        self.hashed += 1;
        if self.hashed > HASHERS {
            return Err(Stop::Unkeyable(format!("hashers return values with hashers, more than {HASHERS} deep")));
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.hashed = true;
        }
        Ok(())
    }

    /// Begins a value of parts in no order, which come in groups of `size`.
    pub(super) fn begin_unordered(
        &mut self,
        owner: &Bound<'py, PyAny>,
        start: usize,
        parts: Vec<Bound<'py, PyAny>>,
        size: usize,
    ) -> Result<(), Stop> {
        self.stream.u64((parts.len() / size) as u64);
        let place = if size == 1 { PartName::Element } else { PartName::Key };
        let cyclic = self.numbers.is_some();
        let parts = if cyclic { self.in_some_order(parts, size)? } else { parts };
        let parts = Parts::Several(parts.into_iter().map(Part::Value).collect());
        self.begin(owner, start, parts, place, true)?;
        if !cyclic && let Some(frame) = self.frames.last_mut() {
            frame.groups = Some(Groups { size, start: self.stream.len(), digests: Vec::new() });
        }
        Ok(())
    }

    /// Groups in an order that depends on what they hold near their surface: in a value with cycles the numbers of what
    /// was met depend on it. Where groups look alike there, equal values may have several digests.
    fn in_some_order(&self, parts: Vec<Bound<'py, PyAny>>, size: usize) -> Result<Vec<Bound<'py, PyAny>>, Stop> {
        let mut groups = Vec::new();
        for group in parts.chunks(size) {
            let manner = Manner { sampling: false, ..self.manner };
            let mut walker = Walker::new(self.py, manner, Inner::new(), false);
            walker.deepest = 3;
            let tuple = PyTuple::new(self.py, group)?;
            groups.push((walker.run(tuple.as_any())?, group.to_vec()));
        }
        groups.sort_by_key(|(digest, _)| *digest);
        Ok(groups.into_iter().flat_map(|(_, group)| group).collect())
    }

    /// Whether parts of what begins now are too deep to be looked at.
    pub(super) fn is_too_deep(&self) -> bool {
        self.frames.len() >= self.deepest
    }

    fn end_frame(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        self.hashed -= usize::from(frame.hashed);
        if let Some(Groups { mut digests, .. }) = frame.groups {
            digests.sort_unstable();
            digests.iter().for_each(|digest| self.stream.raw(&digest.to_bytes()));
        }
        self.stream.end();
        let id = frame.owner.as_ptr() as usize;
        if let Some(begun) = &mut self.begun {
            begun.remove(&id);
        }
        let long = self.stream.len() - frame.start > LONG;
        if !self.frames.is_empty() && (frame.apart || long) {
            let digest = self.stream.digest_from(self.py, frame.start);
            self.claims.walked += (self.stream.len() - frame.start) as u64;
            self.stream.cut(frame.start);
            self.stream.leaf(digest);
            if self.numbers.is_none() && self.inner.insert(id, digest).is_none() {
                self.kept.push(frame.owner);
            }
        }
    }

    /// The class of the value that has begun last.
    pub(super) fn class_begun(&self) -> Option<Bound<'py, PyType>> {
        self.frames.last().map(|frame| frame.owner.get_type())
    }

    /// Keeps what a map knows by its address.
    pub(super) fn keep(&mut self, value: &Bound<'py, PyAny>) {
        self.kept.push(value.clone());
    }

    pub(super) fn raised(&self, stop: Stop) -> PyErr {
        let place = self.place();
        match stop {
            Stop::Cycle => Unkeyable::new_err("a value changed while it was digested"),
            Stop::Unkeyable(reason) => {
                Unkeyable::new_err(if place.is_empty() { reason } else { format!("`{place}`: {reason}") })
            }
            Stop::Raised(error) => {
                let ours = error.is_instance_of::<Unkeyable>(self.py);
                let passes = error.is_instance_of::<PyKeyboardInterrupt>(self.py)
                    || error.is_instance_of::<PySystemExit>(self.py)
                    || error.is_instance_of::<PyMemoryError>(self.py);
                if passes || (ours && place.is_empty()) {
                    return error;
                }
                let reason = if error.is_instance_of::<PyRecursionError>(self.py) {
                    "it is nested too deep for a method of its own".to_owned()
                } else {
                    error.value(self.py).str().map_or_else(|_| "its methods raise".to_owned(), |text| text.to_string())
                };
                let message = if place.is_empty() { reason } else { format!("`{place}`: {reason}") };
                let raised = Unkeyable::new_err(message);
                raised.set_cause(self.py, Some(error));
                raised
            }
        }
    }

    /// Where in the value the walk is: `[3].kind["a"]`.
    fn place(&self) -> String {
        const SHOWN: usize = 12;
        let mut place = String::new();
        for frame in self.frames.iter().take(SHOWN) {
            let index = frame.next.saturating_sub(1);
            let key = |index: usize| match &frame.parts {
                Parts::Several(parts) => match parts.get(index & !1) {
                    Some(Part::Value(key)) => Some(key.clone()),
                    _ => None,
                },
                Parts::Tuple(_) => None,
            };
            match frame.place {
                PartName::Index => place.push_str(&format!("[{index}]")),
                PartName::Element => place.push_str("{…}"),
                PartName::Key => {
                    let key = key(index).map_or_else(|| "…".to_owned(), |key| short_text(&key));
                    place.push_str(&format!("[{key}]"));
                }
                PartName::Attribute => {
                    let key = key(index).and_then(|key| key.cast_into::<PyString>().ok());
                    place.push_str(&key.map_or_else(|| ".…".to_owned(), |key| format!(".{key}")));
                }
                PartName::Named(names) => place.push_str(names.get(index).unwrap_or(&"")),
            }
        }
        if self.frames.len() > SHOWN {
            place.push('…');
        }
        place
    }
}
