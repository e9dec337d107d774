//! A function's code as it counts, until a guard says that it has changed.

use std::sync::Arc;

use ndcache::Digest;
use ndcache::dynamic::{Function, FunctionBuilder};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::bind::Signature;
use super::object::CoreFunction;
use crate::guards::{Captured, Guards};
use crate::memory::raised;
use crate::python;

/// What the Python side has said of a function.
pub(crate) struct ResolvedFunction {
    pub(crate) function: &'static Function,
    pub(crate) body: Digest,
    pub(crate) parts: Vec<(String, Digest)>,
    pub(crate) guards: Guards,
    pub(crate) captured: Vec<Captured>,
    /// That of now, where it has changed.
    pub(crate) signature: Option<Signature>,
}

impl ResolvedFunction {
    /// From `(body, parts, guards, captured)`, and a fifth item that is the signature of now.
    pub(crate) fn of(path: &str, answer: &Bound<'_, PyAny>) -> PyResult<Arc<Self>> {
        let answer = answer.cast::<PyTuple>()?;
        if !(4..=5).contains(&answer.len()) {
            return Err(PyTypeError::new_err(
                "`resolve` returns (body, parts, guards, captured) and, if it has changed, the signature",
            ));
        }
        let body = Digest::from_bytes(answer.get_item(0)?.extract()?);
        let parts: Vec<(String, [u8; 16])> = answer.get_item(1)?.extract()?;
        let parts: Vec<_> = parts.into_iter().map(|(name, digest)| (name, Digest::from_bytes(digest))).collect();
        let guards = Guards::of(&answer.get_item(2)?)?;
        let captured = Captured::all(&answer.get_item(3)?)?;
        let signature = if answer.len() == 5 { Signature::of(&answer.get_item(4)?)? } else { None };
        let code = code(body, &parts);
        let mut builder = FunctionBuilder::new(path, code).body(body);
        for (name, digest) in &parts {
            builder = builder.part(name.clone(), *digest);
        }
        let function = builder.build().map_err(|error| raised(&error))?;
        Ok(Arc::new(Self { function, body, parts, guards, captured, signature }))
    }
}

impl CoreFunction {
    /// Whether what was resolved still stands, and nothing is captured that is digested at each call.
    #[inline]
    pub(super) fn stands(&self, py: Python<'_>) -> bool {
        let resolved = python::lock(&self.resolved).clone();
        resolved.is_some_and(|resolved| resolved.captured.is_empty() && resolved.guards.hold(py))
    }

    /// The function's code as it counts now.
    pub(super) fn resolved(&self, py: Python<'_>) -> PyResult<Arc<ResolvedFunction>> {
        let known = python::lock(&self.resolved).clone();
        if let Some(known) = known.filter(|known| known.guards.hold(py)) {
            return Ok(known);
        }
        let resolved = ResolvedFunction::of(&self.path, &self.resolve.bind(py).call0()?)?;
        // Dropping what is replaced may run the user's code, which may call this function: so no lock is held then.
        let replaced = python::lock(&self.resolved).replace(Arc::clone(&resolved));
        python::lock(&self.front).clear();
        drop(replaced);
        Ok(resolved)
    }
}

/// The digest of all that counts as the function's code: its body, and each part with its name.
fn code(body: Digest, parts: &[(String, Digest)]) -> Digest {
    let mut stream = b"ndcache-python-code:1".to_vec();
    stream.extend(body.to_bytes());
    let mut sorted: Vec<_> = parts.iter().collect();
    sorted.sort();
    for (name, digest) in sorted {
        stream.extend((name.len() as u64).to_le_bytes());
        stream.extend(name.as_bytes());
        stream.extend(digest.to_bytes());
    }
    Digest::from_bytes(xxhash_rust::xxh3::xxh3_128(&stream).to_be_bytes())
}
