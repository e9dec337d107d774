//! A call with its digests.
//!
//! * `changed`: whether the function has changed an argument.

mod changed;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ndcache::Digest;
use ndcache::dynamic::{RunTimeArgument, RunTimeCall};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use self::changed::{Before, Held};
use super::bind::{BoundArgument, as_given};
use super::object::CoreFunction;
use super::resolved::ResolvedFunction;
use super::run::is_exit;
use super::validation;
use crate::files::HeldFile;
use crate::memory::raised;
use crate::walk::{Claims, Manner, Unkeyable, short_text, try_digest_of};

/// The most bytes of arguments that are digested again in full after any computation, however short it was.
const CHECKED: u64 = 64 << 20;

/// More bytes are digested again in full only if the computation took at least this many times as long as digesting.
const SHARE: u32 = 10;

/// The most bytes of arguments that are digested once more so as to tell code from the rest.
const TOLD_APART: u64 = 4 << 20;

/// A call whose arguments are digested.
pub(crate) struct KeyedCall<'py> {
    pub(crate) resolved: Arc<ResolvedFunction>,
    /// The arguments that count, by name, with the digests that they had.
    pub(crate) counted: Vec<KeyArgument<'py>>,
    pub(crate) claims: Claims,
    /// How long digesting took; known once there is something to compute.
    pub(super) digesting: Duration,
}

/// An argument that is part of the key.
pub(crate) struct KeyArgument<'py> {
    pub(crate) name: String,
    /// What the caller has given.
    pub(crate) value: Bound<'py, PyAny>,
    pub(crate) digest: Digest,
    /// A function says what counts of it.
    pub(crate) by_key: bool,
    unordered: bool,
    before: Arc<Before>,
    /// Those that lie in what counts of it.
    files: Vec<HeldFile>,
    /// The code of the user's in it.
    codes: Vec<(Py<PyAny>, Digest)>,
}

/// A [`KeyArgument`] outside of the interpreter, of a call whose turn to compute it has come: the turn has the files.
pub(crate) type UnboundKeyArgument = (String, Py<PyAny>, Digest, [bool; 2], Arc<Before>);

impl<'py> KeyArgument<'py> {
    /// The form that outlives this stay in the interpreter.
    pub(super) fn unbind(self) -> UnboundKeyArgument {
        (self.name, self.value.unbind(), self.digest, [self.by_key, self.unordered], self.before)
    }

    pub(super) fn bind(py: Python<'py>, (name, value, digest, flags, before): &UnboundKeyArgument) -> Self {
        let [by_key, unordered] = *flags;
        let (name, value, before) = (name.clone(), value.bind(py).clone(), Arc::clone(before));
        Self { name, value, digest: *digest, by_key, unordered, before, files: Vec::new(), codes: Vec::new() }
    }

    /// Tells the code that the argument counts by from the rest of it, so that an explanation says which has changed.
    fn with_code(&self, argument: RunTimeArgument, text: &str, bytes: u64) -> RunTimeArgument {
        if self.codes.is_empty() || self.by_key || bytes > TOLD_APART {
            return argument;
        }
        let codeless = Manner { codeless: true, ..Manner::default() };
        let Ok(rest) = try_digest_of(&self.value, codeless, &mut Claims::default()) else { return argument };
        let py = self.value.py();
        self.codes.iter().fold(argument.part("", rest, text), |argument, (of, digest)| {
            let of = of.bind(py);
            let name = of.getattr("__qualname__").or_else(|_| of.getattr("__name__"));
            let name = name.and_then(|name| name.extract::<String>()).unwrap_or_else(|_| "module".to_owned());
            argument.part(&format!("code of `{name}`"), *digest, "")
        })
    }

    /// Whether the function could have changed it. What another function says of it is its own affair.
    fn may_change(&self) -> bool {
        !(self.by_key || is_immutable(&self.value))
    }
}

/// Whether a call can be looked up.
pub(crate) enum Keying<'py> {
    Keyed(KeyedCall<'py>),
    /// The function doesn't take these arguments: it says so itself.
    Misfit,
    /// The call can't be keyed, for this reason.
    Unkeyable(String),
}

impl CoreFunction {
    /// The key of a call in the function's memory, in hex.
    pub(super) fn key_in_memory(&self, py: Python<'_>, keyed: &KeyedCall<'_>) -> PyResult<Option<String>> {
        let Some(memory) = self.memory(py) else { return Ok(None) };
        let key = keyed.call(self, false).key(&memory.get().memory).map_err(|error| raised(&error))?;
        Ok(key.map(|key| key.to_string()))
    }

    /// The call with its digests; `None` where it doesn't go through a memory.
    pub(super) fn keyed_if_cached<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<KeyedCall<'py>>> {
        if !self.is_enabled(py) {
            return Ok(None);
        }
        match self.keyed(py, args, kwargs)? {
            Keying::Keyed(keyed) => Ok(Some(keyed)),
            Keying::Misfit | Keying::Unkeyable(_) => Ok(None),
        }
    }

    /// The digests of the arguments, by parameter.
    pub(crate) fn keyed<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Keying<'py>> {
        let resolved = match self.resolved(py) {
            Ok(resolved) => resolved,
            Err(error) if error.is_instance_of::<Unkeyable>(py) => {
                return Ok(Keying::Unkeyable(format!("its code can't be keyed: {}", error.value(py))));
            }
            Err(error) if is_exit(py, &error) => return Err(error),
            Err(error) => return Ok(Keying::Unkeyable(format!("what its code is can't be told: {error}"))),
        };
        validation::begin();
        let signature = resolved.signature.as_ref().or(self.signature.as_ref());
        let bound = match signature {
            Some(signature) => match signature.bind(args, kwargs)? {
                Some(bound) => bound,
                None => return Ok(Keying::Misfit),
            },
            None => as_given(args, kwargs)?,
        };
        let mut keyed = KeyedCall {
            resolved,
            counted: Vec::with_capacity(bound.len()),
            claims: Claims::default(),
            digesting: Duration::ZERO,
        };
        let captured = keyed.resolved.clone();
        for (at, BoundArgument { name, value, unordered }) in bound.into_iter().enumerate() {
            let value = match self.ignored.contains(&name) {
                false => value,
                // The methods that a method finds through `self` are code, whatever the object holds.
                true if at == 0 && name == "self" => value.get_type().into_any(),
                true => continue,
            };
            if let Err(error) = self.count(&mut keyed, name.clone(), value, unordered) {
                return unkeyable(py, &format!("argument `{name}`"), error);
            }
        }
        for captured in &captured.captured {
            let counted =
                captured.value(py).and_then(|value| self.count(&mut keyed, captured.name.clone(), value, false));
            if let Err(error) = counted {
                return unkeyable(py, &format!("`{}`", captured.name), error);
            }
        }
        Ok(Keying::Keyed(keyed))
    }

    fn count<'py>(
        &self,
        keyed: &mut KeyedCall<'py>,
        name: String,
        value: Bound<'py, PyAny>,
        unordered: bool,
    ) -> PyResult<()> {
        let key = self.key_of(value.py(), &name)?;
        let by_key = key.is_some();
        let counts = match key {
            Some(key) => key.call1((&value,))?,
            None => value.clone(),
        };
        // What is in no order is sorted by name already.
        let digest = try_digest_of(&counts, Manner::default(), &mut keyed.claims)?;
        let (files, codes) = (std::mem::take(&mut keyed.claims.files), std::mem::take(&mut keyed.claims.codes));
        keyed.counted.push(KeyArgument {
            name,
            value,
            digest,
            by_key,
            unordered,
            before: Arc::default(),
            files,
            codes,
        });
        Ok(())
    }
}

fn unkeyable<'py>(py: Python<'py>, what: &str, error: PyErr) -> PyResult<Keying<'py>> {
    if !is_exit(py, &error) {
        let reason = error.value(py).to_string();
        // The place in the value follows the name of the argument.
        let why = match reason.strip_prefix('`').and_then(|rest| rest.split_once("`: ")) {
            Some((place, reason)) => format!("{}{place}`: {reason}", what.trim_end_matches('`')),
            None => format!("{what}: {reason}"),
        };
        return Ok(Keying::Unkeyable(why));
    }
    Err(error)
}

impl KeyedCall<'_> {
    /// The call, with texts of the arguments if somebody is going to read them.
    pub(crate) fn call(&self, function: &CoreFunction, texts: bool) -> RunTimeCall {
        let arguments = self.counted.iter().map(|counted| {
            let is_secret = function.secret.contains(&counted.name);
            let text = if texts && !is_secret { short_text(&counted.value) } else { String::new() };
            let argument = RunTimeArgument::new(&counted.name, counted.digest, &text);
            let argument = counted.files.iter().fold(argument, |argument, file| file.lie_in(argument));
            let argument = if texts { counted.with_code(argument, &text, self.claims.bytes) } else { argument };
            if is_secret { argument.secret() } else { argument }
        });
        RunTimeCall::new(self.resolved.function, arguments).options(Arc::clone(&function.options))
    }

    /// The arguments in words: `1, n=3`.
    pub(crate) fn words(&self, function: &CoreFunction) -> String {
        let words = self.counted.iter().filter(|counted| !counted.unordered || counted.value.len().unwrap_or(0) > 0);
        let words: Vec<_> = words
            .map(|counted| {
                let is_secret = function.secret.contains(&counted.name);
                let text = if is_secret { "(secret)".to_owned() } else { short_text(&counted.value) };
                format!("{}={text}", counted.name)
            })
            .collect();
        words.join(", ")
    }

    /// Prepares for a look at what the function may change: at long arguments there may be time for a sample alone.
    pub(super) fn watch(&mut self, digesting: Duration) {
        self.digesting = digesting;
        let Claims { bytes, sampled, walked, .. } = self.claims;
        // What isn't in long arrays is walked as a whole for a sample, too.
        let is_sampled = bytes > CHECKED && bytes - sampled + walked <= CHECKED;
        let inner = std::mem::take(&mut self.claims.inner);
        for counted in self.counted.iter_mut().filter(|counted| counted.may_change()) {
            counted.before = Arc::new(Before::of(&counted.value, &inner, is_sampled));
        }
    }

    /// Until when the first of the results is good that arguments refer to.
    pub(super) fn until(&self) -> Option<SystemTime> {
        self.claims.references.iter().filter_map(|referred| referred.until).min()
    }

    /// The first argument that has changed since the call began, beside what `result` holds, and what of it has; `took` is
    /// the time of the computation.
    pub(crate) fn changed(&self, result: &Bound<'_, PyAny>, took: Duration) -> PyResult<Option<(&str, String)>> {
        let whole = self.claims.bytes <= CHECKED || self.digesting <= took / SHARE;
        let mut held = Held::by(result);
        for counted in self.counted.iter().filter(|counted| counted.may_change()) {
            if counted.is_changed(whole, &mut held)? {
                let name = captured(&counted.name).unwrap_or(&counted.name);
                return Ok(Some((counted.name.as_str(), counted.changes(name, &mut held)?)));
            }
        }
        Ok(None)
    }
}

/// The name of a value that the function's code has captured; `None` for an argument.
pub(super) fn captured(name: &str) -> Option<&str> {
    name.strip_prefix("captured ").map(|name| name.trim_matches('`'))
}

/// Whether the value is of a type without parts that never changes.
fn is_immutable(value: &Bound<'_, PyAny>) -> bool {
    use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};
    value.is_none()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyBytes>()
}
