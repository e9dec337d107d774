//! The way of a call: look up, wait, compute, store.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use ndcache::dynamic::{Lead, RawValue, RunTimeCall, TaskId, Turn, Wait};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::front::small;
use super::key::{KeyedCall, Keying, captured};
use super::lead::followed;
use super::messages::say_late;
use super::object::CoreFunction;
use crate::memory::{CoreMemory, changed, changes};
use crate::python;
use crate::value::{Loaded, MmapMode, ResultSite, decode, decode_own, encode};
use crate::walk::digest_of;

thread_local! {
    /// What a callback of the user's has raised, where Rust had to go on.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Keeps what a callback has raised until the lookup is over.
pub(super) fn keep_raised(error: PyErr) {
    RAISED.set(Some(error));
}

fn raise_kept() -> PyResult<()> {
    RAISED.take().map_or(Ok(()), Err)
}

/// Whether a stored result may be used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Evaluation {
    /// Load it, else compute it.
    Eval,
    /// Compute it, whatever is stored.
    Anew,
}

/// How a call waits for others that compute it.
#[derive(Clone, Copy, Default)]
pub(super) struct WaitOptions {
    /// On whose behalf, if not on that of the thread.
    pub(super) task: Option<TaskId>,
    /// For nobody.
    pub(super) at_once: bool,
}

/// What a lookup has found.
pub(super) enum LookupResult<'py> {
    /// The second: it expires with a cached call that was made inside its computation.
    Value(Bound<'py, PyAny>, bool),
    Nothing,
    /// A pickle that isn't loaded: to be computed, and not stored in its place.
    Refused,
}

/// A call that has missed, and its turn.
pub(super) enum Led<'py> {
    Value(Bound<'py, PyAny>),
    Turn(Box<Lead>),
    /// To be computed by each caller for itself.
    Alone,
}

impl CoreFunction {
    /// The result of a call: loaded, or computed and stored.
    pub(super) fn evaluate<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
        evaluation: Evaluation,
    ) -> PyResult<Bound<'py, PyAny>> {
        let fronted = if evaluation == Evaluation::Eval { self.fronted() } else { None };
        let arguments = if fronted.is_some() { small(args, kwargs) } else { None };
        if let Some((arguments, placed)) = arguments.as_ref().zip(fronted)
            && self.stands(py)
            && let Some(result) = python::lock(&self.front).get(py, arguments)
        {
            placed.hits.fetch_add(1, Ordering::Relaxed);
            if self.missed.load(Ordering::Relaxed) {
                self.set_why(String::new());
            }
            return Ok(result);
        }
        if !self.is_enabled(py) {
            return self.run_uncached(py, args, kwargs);
        }
        let (at, since) = (changes(), Instant::now());
        let mut keyed = match self.keyed(py, args, kwargs)? {
            Keying::Keyed(keyed) => keyed,
            Keying::Misfit => return self.run(py, args, kwargs).map_err(|error| self.misfit(py, error)),
            Keying::Unkeyable(why) => {
                self.say_unkeyable(py, &why)?;
                return self.run_uncached(py, args, kwargs);
            }
        };
        if evaluation == Evaluation::Eval {
            match self.look_up(py, &keyed)? {
                LookupResult::Value(value, expires) => {
                    let lasts = !expires && keyed.resolved.captured.is_empty();
                    if let Some(arguments) = arguments.filter(|_| lasts) {
                        python::lock(&self.front).put(arguments, &value, at, since);
                    }
                    return self.hit(py, &keyed, args, kwargs, value);
                }
                LookupResult::Refused => return self.run(py, args, kwargs),
                LookupResult::Nothing => {}
            }
        }
        keyed.watch(since.elapsed());
        self.miss(py, &keyed, args, kwargs, evaluation)
    }

    /// Runs the function itself.
    pub(super) fn run<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.func.bind(py).call(args, kwargs)
    }

    /// Runs the function beside the cache. What has called a function with `expires` is good for no longer, all the same.
    fn run_uncached<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let result = self.run(py, args, kwargs);
        self.note_lifetime(py, SystemTime::now());
        result
    }

    /// What is raised of a call that doesn't fit the function, if it was the call that has raised it.
    fn misfit(&self, py: Python<'_>, error: PyErr) -> PyErr {
        if !error.is_instance_of::<pyo3::exceptions::PyTypeError>(py) || error.traceback(py).is_some() {
            return error;
        }
        let named =
            python::messages(py).and_then(|messages| messages.getattr("misfit")?.call1((error.value(py), &self.path)));
        named.map_or(error, PyErr::from_value)
    }

    /// The stored result.
    pub(super) fn look_up<'py>(&self, py: Python<'py>, keyed: &KeyedCall<'py>) -> PyResult<LookupResult<'py>> {
        let call = keyed.call(self, false);
        let found = self.looked_up(py, &call)?;
        match found {
            Some(value) => self.decoded(py, &call, value),
            None => Ok(LookupResult::Nothing),
        }
    }

    fn looked_up(&self, py: Python<'_>, call: &RunTimeCall) -> PyResult<Option<RawValue>> {
        let Some(memory) = self.memory(py) else { return Ok(None) };
        let (memory, form) = (&memory.get().memory, self.mmap(py).form());
        let found = py.detach(|| call.look_up(memory, form));
        raise_kept()?;
        Ok(found)
    }

    fn decoded<'py>(&self, py: Python<'py>, call: &RunTimeCall, value: RawValue) -> PyResult<LookupResult<'py>> {
        let Some(memory) = self.memory(py) else { return Ok(LookupResult::Nothing) };
        let core = memory.get();
        let expires = value.expires().is_some();
        match decode(py, value, self.mmap(py), core.trust, &ResultSite::of(call, &core.memory)) {
            Ok(Loaded::Value(value)) => Ok(LookupResult::Value(value, expires)),
            Ok(Loaded::Refused(why)) => {
                self.say_refused(py, &why)?;
                Ok(LookupResult::Refused)
            }
            Err(error) if is_exit(py, &error) => Err(error),
            Err(error) => {
                let text = format!("{}: a stored result can't be loaded, and is computed: {error}", self.path);
                self.say_once(py, "load", &text)?;
                Ok(LookupResult::Nothing)
            }
        }
    }

    fn hit<'py>(
        &self,
        py: Python<'py>,
        keyed: &KeyedCall<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
        value: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.set_why(String::new());
        let verbose = self.verbose(py);
        if verbose > 1 {
            python::messages(py)?.getattr("hit")?.call1((&self.path, keyed.words(self), verbose))?;
        }
        if self.is_rechecked(py) {
            let again = self.run(py, args, kwargs)?;
            let same = matches!((digest_of(&again, false), digest_of(&value, false)), (Ok(a), Ok(b)) if a == b);
            if !same {
                let text = format!(
                    "{}({}) gives another result than the stored one: it isn't pure, or code that it runs has changed unseen; \
                     the stored one is returned",
                    self.path,
                    keyed.words(self)
                );
                say_late(py, "mismatch", (text,))?;
            }
        }
        Ok(value)
    }

    fn miss<'py>(
        &self,
        py: Python<'py>,
        keyed: &KeyedCall<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
        evaluation: Evaluation,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut lead = match self.lead(py, keyed, evaluation, WaitOptions::default())? {
            Led::Value(value) => return self.hit(py, keyed, args, kwargs, value),
            Led::Turn(lead) => lead,
            Led::Alone => return self.run_uncached(py, args, kwargs),
        };
        let begin = Instant::now();
        // Its own `expires` is heard of around it.
        let (result, expires) = lead.compute(|| followed(py, || self.run(py, args, kwargs)));
        let took = begin.elapsed();
        lead.inherit(expires);
        self.finish(py, keyed, lead, result, took)
    }

    /// The turn to compute a call that has missed, or what others have stored meanwhile.
    pub(super) fn lead<'py>(
        &self,
        py: Python<'py>,
        keyed: &KeyedCall<'py>,
        evaluation: Evaluation,
        waiting: WaitOptions,
    ) -> PyResult<Led<'py>> {
        let Some(memory) = self.memory(py) else { return Ok(Led::Alone) };
        let core = memory.get();
        let call = keyed.call(self, core.texts);
        let call = if evaluation == Evaluation::Anew { call.refresh() } else { call };
        let why = match evaluation {
            Evaluation::Anew => "refreshed".to_owned(),
            Evaluation::Eval => self.reason(py, &call, core),
        };
        raise_kept()?;
        self.set_why(why.clone());
        let lead = match self.turn(py, &call, core, waiting)? {
            Turn::Found(value) => match self.decoded(py, &call, value)? {
                LookupResult::Value(value, _) => return Ok(Led::Value(value)),
                // The others' result isn't one for us.
                LookupResult::Nothing | LookupResult::Refused => {
                    let call = keyed.call(self, core.texts).refresh();
                    match self.turn(py, &call, core, waiting)? {
                        Turn::Compute(lead) => return Ok(Led::Turn(lead)),
                        Turn::Found(_) | Turn::Interrupted => return Ok(Led::Alone),
                    }
                }
            },
            Turn::Compute(lead) => lead,
            Turn::Interrupted => return Err(pyo3::exceptions::PyKeyboardInterrupt::new_err(())),
        };
        let (verbose, words) = (self.verbose(py), keyed.words(self));
        if verbose > 0 {
            python::messages(py)?.getattr("calling")?.call1((&self.path, &words, &why, verbose))?;
        }
        core.note_miss(&self.path, if core.texts { words } else { "…".to_owned() }, &why);
        self.say_of_files(py, keyed)?;
        Ok(Led::Turn(lead))
    }

    /// Waits for the turn to compute, or for what others compute. What a signal raises meanwhile is raised.
    fn turn(&self, py: Python<'_>, call: &RunTimeCall, core: &CoreMemory, waiting: WaitOptions) -> PyResult<Turn> {
        let raised = Mutex::new(None);
        let form = self.mmap(py).form();
        let turn = py.detach(|| {
            let interrupt = || {
                let is_interrupted = |py: Python<'_>| match py.check_signals() {
                    Ok(()) => false,
                    Err(error) => {
                        *python::lock(&raised) = Some(error);
                        true
                    }
                };
                // Without an interpreter, at the program's end, nobody waits any more.
                Python::try_attach(is_interrupted).unwrap_or(true)
            };
            let mut wait = Wait::new().interrupt(&interrupt);
            if let Some(task) = waiting.task {
                wait = wait.task(task);
            }
            call.lead(&core.memory, form, &if waiting.at_once { wait.at_once() } else { wait })
        });
        raise_kept()?;
        let raised = python::lock(&raised).take();
        raised.map_or(Ok(turn), Err)
    }

    /// Why the call misses, as long as finding out takes little beside what the function takes: it reads up to a thousand
    /// records.
    fn reason(&self, py: Python<'_>, call: &RunTimeCall, core: &CoreMemory) -> String {
        let (explaining, computing) = *python::lock(&self.spent);
        if explaining > Duration::from_millis(200) + computing / 10 {
            return "it isn't stored; `explain` says why: it took longer than computing".to_owned();
        }
        let begin = Instant::now();
        let why = py.detach(|| call.explain(&core.memory)).to_string();
        python::lock(&self.spent).0 += begin.elapsed();
        why
    }

    /// Stores what was computed, and returns it as a hit will.
    pub(super) fn finish<'py>(
        &self,
        py: Python<'py>,
        keyed: &KeyedCall<'py>,
        mut lead: Box<Lead>,
        result: PyResult<Bound<'py, PyAny>>,
        took: Duration,
    ) -> PyResult<Bound<'py, PyAny>> {
        lead.inherit(keyed.until());
        let result = match result {
            Ok(result) => result,
            Err(error) => {
                // An exit stops this call and not those that wait: one of them computes then.
                let end = if is_exit(py, &error) { Lead::hand_on } else { Lead::discard };
                end(*lead, "it has raised");
                return Err(error);
            }
        };
        lead.took(took);
        python::lock(&self.spent).1 += took;
        let verbose = self.verbose(py);
        let (result, not_stored) = self.stored(py, keyed, lead, result, took)?;
        if verbose > 0 {
            say_late(py, "computed", (&self.path, keyed.words(self), took.as_secs_f64(), not_stored, verbose))?;
        }
        Ok(result)
    }

    fn stored<'py>(
        &self,
        py: Python<'py>,
        keyed: &KeyedCall<'py>,
        lead: Box<Lead>,
        result: Bound<'py, PyAny>,
        took: Duration,
    ) -> PyResult<(Bound<'py, PyAny>, Option<String>)> {
        if !lead.will_store() {
            lead.discard("it isn't to be stored");
            return Ok((result, Some("nothing is written in this mode".to_owned())));
        }
        if let Some((short, why)) = self.unfit(py, keyed, &result, took)? {
            lead.discard(short);
            return Ok((result, Some(why)));
        }
        let encoded = match encode(&result) {
            Ok(encoded) => encoded,
            Err(error) if is_exit(py, &error) => {
                lead.hand_on("it was stopped");
                return Err(error);
            }
            Err(error) => {
                let text = format!("{}: the result can't be stored: {error}", self.path);
                self.say_once_late(py, "encode", &text)?;
                lead.discard("it can't be stored");
                return Ok((result, Some(error.to_string())));
            }
        };
        let mode = self.mmap(py);
        let value = if mode == MmapMode::Owned { encoded.value } else { encoded.value.with_files() };
        let reloads = mode != MmapMode::Owned || encoded.differs;
        let stored = py.detach(|| {
            changed();
            let stored = lead.store(value, mode.form());
            changed();
            stored
        });
        let why = stored.reason.map(str::to_owned).or_else(|| stored.fault.as_ref().map(ToString::to_string));
        if let Some(fault) = &stored.fault {
            self.say_once_late(py, "store", &format!("{}: the result isn't stored: {fault}", self.path))?;
        }
        if !reloads {
            return Ok((result, why));
        }
        Ok((decode_own(py, stored.value, mode).unwrap_or(result), why))
    }

    /// Why a result isn't to be stored as that of its arguments, in short and in the words of the function, which are said.
    fn unfit<'py>(
        &self,
        py: Python<'py>,
        keyed: &KeyedCall<'py>,
        result: &Bound<'py, PyAny>,
        took: Duration,
    ) -> PyResult<Option<(&'static str, String)>> {
        if let Some(why) = keyed.claims.references.iter().find_map(|referred| referred.fault(py)) {
            let text =
                format!("{}: an argument refers to a result that can't be told to be the one it was: {why}", self.path);
            self.say_once_late(py, "reference", &text)?;
            return Ok(Some(("an argument refers to another result by now", why)));
        }
        if let Some((name, changes)) = keyed.changed(result, took)? {
            let what = match captured(name) {
                Some(global) => format!("`{global}`, which its code reads"),
                None => format!("its argument `{name}`"),
            };
            let how = if changes.is_empty() { changes } else { format!(" ({changes})") };
            let text = format!(
                "{} has changed {what}{how}: its result isn't stored, as a hit won't change it{}",
                self.path,
                cure(name)
            );
            self.say_once_late(py, "mutates", &text)?;
            return Ok(Some(("it has changed an argument", format!("it has changed {what}"))));
        }
        // Digests that only a record vouches for.
        if let Some(error) = keyed.claims.arrays.iter().find_map(|array| py.detach(|| array.verify()).err()) {
            let text = format!("{}: an argument is a damaged array of a cache: {error}", self.path);
            self.say_once_late(py, "claim", &text)?;
            return Ok(Some(("an argument is damaged", error.to_string())));
        }
        Ok(None)
    }

    /// Whether this hit is one of those that are computed again.
    fn is_rechecked(&self, py: Python<'_>) -> bool {
        static STATE: AtomicU64 = AtomicU64::new(0x9e37_79b9_7f4a_7c15);
        let Some(share) = self.recheck(py) else { return false };
        // xorshift: which hits are met isn't important.
        let mut state = STATE.load(Ordering::Relaxed);
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        STATE.store(state, Ordering::Relaxed);
        ((state >> 11) as f64) < share * (1_u64 << 53) as f64
    }
}

/// What a user does about a changed argument or global, where that has no bearing on the result.
fn cure(name: &str) -> String {
    match captured(name) {
        Some(global) => {
            format!("; ignore_globals=[\"{global}\"] leaves a counter or a cache of its own out of the key")
        }
        None => format!(
            "; let it change a copy (copy.deepcopy, sklearn.base.clone), or return it with the result; if its value has no \
             bearing on the result, ignore=[\"{name}\"] leaves it out of the key"
        ),
    }
}

/// Whether the error ends the program, or is the user's wish.
pub(super) fn is_exit(py: Python<'_>, error: &PyErr) -> bool {
    !error.is_instance_of::<pyo3::exceptions::PyException>(py)
        || error.is_instance_of::<pyo3::exceptions::PyMemoryError>(py)
}
