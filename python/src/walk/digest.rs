//! The digest of a value in its several manners, and what it rests on.

use std::collections::HashMap;

use ndcache::Digest;
use ndcache::dynamic::Array;
use pyo3::prelude::*;

use super::walker::{Stop, Walker};
use crate::files::HeldFile;
use crate::function::Referred;
use crate::python;

/// The digests of objects inside of a value, by their addresses.
pub(crate) type Inner = HashMap<usize, Digest>;

/// How many pieces of code are named that an argument counts by.
const CODES: usize = 16;

/// What the digests of arguments rest on.
#[derive(Default)]
pub(crate) struct Claims {
    /// Arrays whose digest is but claimed by a record.
    pub(crate) arrays: Vec<Array>,
    /// How many bytes were digested.
    pub(crate) bytes: u64,
    /// How many of these bytes lie in arrays of which a sample takes only a few MiB.
    pub(crate) sampled: u64,
    /// The bytes of parts without arrays that count by their digest; `bytes` has none of them.
    pub(crate) walked: u64,
    /// References to stored results, which count by their content.
    pub(crate) references: Vec<Referred>,
    /// Files that stand for what they held.
    pub(crate) files: Vec<HeldFile>,
    /// Objects that count by their digests. Nothing keeps them alive.
    pub(crate) inner: Inner,
    /// Classes and functions of the user's, with the digests of their code.
    pub(crate) codes: Vec<(Py<PyAny>, Digest)>,
}

/// What of a value counts.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner {
    /// The order of dicts doesn't count.
    pub(crate) unordered: bool,
    /// Only some blocks of long arrays count.
    pub(crate) sampling: bool,
    /// What `functools.cached_property` has left in objects doesn't count.
    pub(crate) uncached: bool,
    /// The code of classes and functions doesn't count.
    pub(crate) codeless: bool,
}

/// The digest of `value`; the order of dicts doesn't count if `unordered`.
///
/// # Errors
/// Raises `Unkeyable` for what has none, with the place in the value, and what a user's method has raised if that isn't
/// an error of pickling.
pub(crate) fn digest_of(value: &Bound<'_, PyAny>, unordered: bool) -> PyResult<Digest> {
    try_digest_of(value, Manner { unordered, ..Manner::default() }, &mut Claims::default())
}

/// [`digest_of`] in any manner, which adds to `claims` what it rests on.
pub(crate) fn try_digest_of(value: &Bound<'_, PyAny>, manner: Manner, claims: &mut Claims) -> PyResult<Digest> {
    python::guarded(|| walk(value, manner, &Inner::new(), claims))
}

/// The digest that `value` would have if the objects in it had these.
///
/// # Errors
/// Raises as [`digest_of`] does.
pub(crate) fn digest_if(value: &Bound<'_, PyAny>, manner: Manner, inner: &Inner) -> PyResult<Digest> {
    python::guarded(|| walk(value, manner, inner, &mut Claims::default()))
}

fn walk(value: &Bound<'_, PyAny>, manner: Manner, inner: &Inner, claims: &mut Claims) -> PyResult<Digest> {
    let mut walker = Walker::new(value.py(), manner, inner.clone(), false);
    match walker.run(value) {
        Ok(digest) => {
            claims.add(walker);
            Ok(digest)
        }
        Err(Stop::Cycle) => {
            let mut walker = Walker::new(value.py(), manner, Inner::new(), true);
            let digest = walker.run(value).map_err(|stop| walker.raised(stop))?;
            claims.add(walker);
            Ok(digest)
        }
        Err(stop) => Err(walker.raised(stop)),
    }
}

impl Claims {
    fn add(&mut self, walker: Walker<'_>) {
        let (mut claims, bytes) = (walker.claims, walker.stream.len() as u64);
        self.bytes += claims.bytes + bytes;
        self.sampled += claims.sampled;
        self.walked += claims.walked;
        self.arrays.append(&mut claims.arrays);
        self.references.append(&mut claims.references);
        self.files.append(&mut claims.files);
        self.codes.append(&mut claims.codes);
        if self.inner.is_empty() { self.inner = walker.inner } else { self.inner.extend(walker.inner) }
    }

    /// Notes that a class or function counts by this code.
    pub(super) fn note_code(&mut self, of: &Bound<'_, PyAny>, digest: Digest) {
        if self.codes.len() < CODES && !self.codes.iter().any(|(known, _)| known.is(of)) {
            self.codes.push((of.clone().unbind(), digest));
        }
    }
}
