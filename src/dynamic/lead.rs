//! The way of a call through the cache, step by step: look up, wait, compute, store.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use super::{RunTimeCall, TaskId};
use crate::call::request::{AnyCall, Request};
use crate::entry::read::find::{FoundEntry, Missing};
use crate::entry::rules::Mode;
use crate::entry::site::Site;
use crate::error::Error;
use crate::flight::{Look, Need};
use crate::key::Function;
use crate::memory::eval::expiring;
use crate::memory::form::{ResultForm as _, StoredEntry};
use crate::memory::fresh::good_until;
use crate::memory::scope::frame::Frame;
use crate::memory::turn::{ComputeTurn, EDITED, Prepared, Waited};
use crate::memory::{Engine, Memory};
use crate::payload::Codec;
use crate::payload::raw::{Form, RawValue, Untyped};
use crate::record::nanoseconds_since_1970;
use crate::stats::recorder::ComputeTime;
use crate::stats::verbose::{MissReport, Storing};

/// How long a call waits for others that compute its key, and on whose behalf.
///
/// ```
/// use ndcache::dynamic::{TaskId, Wait};
///
/// let stop = || false; // a signal has come, say
/// let wait = Wait::new().interrupt(&stop).task(TaskId::unique());
/// ```
#[derive(Clone, Copy, Default)]
pub struct Wait<'a> {
    interrupt: Option<&'a dyn Fn() -> bool>,
    task: Option<TaskId>,
    is_hasty: bool,
}

impl<'a> Wait<'a> {
    /// Makes a wait as long as the memory allows, on behalf of this thread.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a function that is called on this thread at least every 50 ms while it waits; if it returns `true`, the
    /// wait ends with [`Turn::Interrupted`].
    #[must_use]
    pub fn interrupt(self, interrupt: &'a dyn Fn() -> bool) -> Self {
        Self { interrupt: Some(interrupt), ..self }
    }

    /// Waits on behalf of a task that moves between threads: other waits see the task, and not the thread.
    #[must_use]
    pub fn task(self, task: TaskId) -> Self {
        Self { task: Some(task), ..self }
    }

    /// Doesn't wait: while another call computes the same key, this one computes beside it.
    #[must_use]
    pub fn at_once(self) -> Self {
        Self { is_hasty: true, ..self }
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("task", &self.task).finish_non_exhaustive()
    }
}

/// What a call that needs its result must do.
#[derive(Debug)]
pub enum Turn {
    /// Nothing: the result was stored, or another call has computed it in the meantime.
    Found(RawValue),
    /// Compute the result. Others that need it wait until the lead stores it, or is dropped.
    Compute(Box<Lead>),
    /// The wait was interrupted: nothing was found.
    Interrupted,
}

/// The turn to compute a call: others that need its result wait for this, in threads and processes.
///
/// It may move to another thread. If it is dropped without a result after [`compute`](Self::compute) has begun, also by a
/// panic, all waiting calls compute at once; if it is dropped before, one of them computes.
#[must_use = "the others wait until it is dropped"]
pub struct Lead {
    memory: Memory,
    function: &'static Function,
    to: Destination,
    task: Option<TaskId>,
    /// How long the result is going to be good for by its own function, in nanoseconds.
    lifetime: Option<u64>,
    begin: Instant,
    duration: Option<Duration>,
    /// How long the cached calls inside took.
    inside: Duration,
    /// When the first of the cached calls inside expires.
    expires: Option<u64>,
    in_vain: bool,
}

/// Where a result goes.
enum Destination {
    /// Into the entry whose key is held.
    Entry { site: Site, turn: ComputeTurn, prepared: Prepared },
    /// It isn't stored, for this reason; the call counts as a miss unless there is no cache.
    Nowhere { missed: Option<MissReport>, why: &'static str },
}

/// The outcome of storing a computed value.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stored {
    /// The value in the requested form.
    pub value: RawValue,
    /// Why it isn't stored, if it shouldn't be.
    pub reason: Option<&'static str>,
    /// The fault of the cache, if it should be stored and isn't; the fault is counted and logged.
    pub fault: Option<Error>,
}

impl RunTimeCall {
    /// Returns the stored result, or the turn to compute it: of all threads and processes that need it one computes,
    /// and the others wait for what it stores.
    ///
    /// A miss is counted here. If a wait would be a deadlock, the call gets the turn to compute beside the other.
    #[must_use]
    pub fn lead(&self, memory: &Memory, form: Form, wait: &Wait<'_>) -> Turn {
        match wait.task {
            Some(task) => task.on_this_thread(|| self.lead_here(memory, form, wait)),
            None => self.lead_here(memory, form, wait),
        }
    }

    fn lead_here(&self, memory: &Memory, form: Form, wait: &Wait<'_>) -> Turn {
        let Some((engine, site, mode)) = self.looked_for(memory) else {
            return Turn::Compute(Box::new(Lead::new(self, memory, wait, self.beside_the_cache(memory))));
        };
        let missing = match self.look(engine, &site, form, mode) {
            Look::Found(value) => return Turn::Found(value),
            Look::Missing(missing) => missing,
        };
        if mode > Mode::Refresh {
            let missed = Some(engine.recorder.miss(self, &site, missing));
            let to = Destination::Nowhere { missed, why: "nothing is written in this mode" };
            return Turn::Compute(Box::new(Lead::new(self, memory, wait, to)));
        }
        let interrupted = Cell::new(false);
        let ask = || {
            interrupted.set(interrupted.get() || wait.interrupt.is_some_and(|interrupt| interrupt()));
            interrupted.get()
        };
        let interrupt = wait.interrupt.map(|_| &ask as &dyn Fn() -> bool);
        let need = NeededValue { engine, call: self, site: &site, form, interrupt, is_hasty: wait.is_hasty };
        let fresh = |found: &FoundEntry| engine.fresh(self.options(), &site, found).map(drop);
        let turn = match engine.wait_for_turn(self, &site, missing, &need, &fresh) {
            Waited::Found(value) => return Turn::Found(value),
            Waited::Turn(_) if interrupted.get() => return Turn::Interrupted,
            Waited::Turn(turn) => turn,
        };
        let prepared = memory.prepare(engine, self, &turn);
        let to = match turn.left_alone() {
            Some(why) => Destination::Nowhere { missed: Some(turn.into_missed()), why },
            None => Destination::Entry { site, turn, prepared },
        };
        Turn::Compute(Box::new(Lead::new(self, memory, wait, to)))
    }

    fn look(&self, engine: &Engine, site: &Site, form: Form, mode: Mode) -> Look<RawValue, Missing> {
        match engine.hit(self, site, form) {
            Look::Missing(missing @ (Missing::Absent | Missing::Due))
                if engine.archive.reopen(mode <= Mode::Refresh) =>
            {
                // A call that may write looks again when it has its turn.
                if mode <= Mode::Refresh { Look::Missing(missing) } else { engine.hit(self, site, form) }
            }
            look => look,
        }
    }

    /// Counts a call that can't be keyed, unless there is no cache.
    fn beside_the_cache(&self, memory: &Memory) -> Destination {
        let engine = memory.0.as_deref().filter(|engine| engine.mode(self.options()) != Mode::Off);
        match engine.zip(self.identity().err()) {
            Some((engine, error)) => {
                let missed = Some(engine.recorder.bypassed(self, error));
                Destination::Nowhere { missed, why: "it can't be keyed" }
            }
            None => Destination::Nowhere { missed: None, why: "there is no cache" },
        }
    }

    /// Returns the stored result, or else the result of `compute`, which is stored unless it is an `Err`.
    ///
    /// A fault of the cache is counted and logged, and takes only time.
    ///
    /// # Errors
    ///
    /// Returns the error of `compute`.
    pub fn eval<E>(
        &self,
        memory: &Memory,
        form: Form,
        compute: impl FnOnce() -> Result<RawValue, E>,
    ) -> Result<RawValue, E> {
        let mut lead = match self.lead(memory, form, &Wait::new()) {
            Turn::Found(value) => return Ok(value),
            Turn::Compute(lead) => lead,
            Turn::Interrupted => return compute(),
        };
        match lead.compute(compute) {
            Ok(value) => Ok(lead.store(value, form).value),
            Err(error) => {
                lead.discard("it is an `Err`");
                Err(error)
            }
        }
    }
}

impl Lead {
    fn new(call: &RunTimeCall, memory: &Memory, wait: &Wait<'_>, to: Destination) -> Self {
        let lifetime = memory.0.as_ref().and_then(|engine| engine.expires(call.options()));
        let (memory, function, begin) = (memory.clone(), call.function(), Instant::now());
        let in_vain = matches!(&to, Destination::Entry { turn, .. } if turn.was_in_vain());
        Self {
            memory,
            function,
            to,
            task: wait.task,
            lifetime,
            begin,
            duration: None,
            inside: Duration::ZERO,
            expires: None,
            in_vain,
        }
    }

    /// Whether the call had waited for another one, which then stored nothing. Calls that queue behind this one needn't
    /// wait for it, either: see [`Wait::at_once`].
    #[must_use]
    pub fn waited_in_vain(&self) -> bool {
        self.in_vain
    }

    /// Says whether waiting calls are told, if the lead ends now, that nothing was stored.
    fn lands_empty(&self, is_empty: bool) {
        if let Destination::Entry { turn, .. } = &self.to {
            turn.lands_empty(is_empty);
        }
    }

    /// Runs the computation: `#[cache]` functions that it calls use this memory, the time at which the first of them
    /// expires is recorded for this result, and the computing time is measured. A computation in several parts takes
    /// the time of all, and expires with the first call in any.
    ///
    /// The thread that runs it is the one that computes the key: the same call inside doesn't wait for itself.
    pub fn compute<T>(&mut self, compute: impl FnOnce() -> T) -> T {
        match self.task {
            Some(task) => task.on_this_thread(|| self.compute_here(compute)),
            None => self.compute_here(compute),
        }
    }

    fn compute_here<T>(&mut self, compute: impl FnOnce() -> T) -> T {
        self.lands_empty(true);
        let _leads = match &self.to {
            Destination::Entry { turn, .. } => Some(turn.take_over()),
            Destination::Nowhere { .. } => None,
        };
        let frame = Frame::enter(self.function);
        let staging = match (&self.memory.0, &self.to) {
            (Some(engine), Destination::Entry { site, .. }) => engine.staging_site(self.function, Some(site)),
            _ => None,
        };
        let begin = Instant::now();
        let value = self.memory.with_staging(staging, compute);
        let (expires, took) = Frame::leave(frame, begin.elapsed());
        self.duration = Some(self.duration.unwrap_or_default().saturating_add(took.whole));
        self.inside = self.inside.saturating_add(took.inside);
        self.expires = self.expires.into_iter().chain(expires).min();
        Frame::expires(self.lifetime.and_then(good_until));
        value
    }

    /// Sets when the first of the cached calls inside expires, for a computation that wasn't run by
    /// [`compute`](Self::compute), or that made cached calls on other threads, too; and passes this, with the
    /// function's own `expires`, to the cached function that called on this thread.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use ndcache::dynamic::{Form, FunctionBuilder, RawValue, RunTimeCall, Turn, Wait};
    /// use ndcache::{Memory, digest};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// let memory = Memory::open(folder.path())?;
    /// let call = RunTimeCall::new(FunctionBuilder::new("report", digest("1")).build()?, []);
    /// let Turn::Compute(mut lead) = call.lead(&memory, Form::Owned, &Wait::new()) else { panic!("it isn't stored") };
    /// lead.inherit(Some(SystemTime::now() + Duration::from_secs(60))); // computed somewhere else
    /// lead.store(RawValue::of(&3.5)?, Form::Owned);
    /// assert!(call.entry(&memory)?.is_some_and(|entry| entry.expires().is_some()));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn inherit(&mut self, expires: Option<SystemTime>) {
        let expires = expires.map(nanoseconds_since_1970);
        self.expires = self.expires.into_iter().chain(expires).min();
        Frame::expires(expires);
        Frame::expires(self.lifetime.and_then(good_until));
    }

    /// Sets the computing time, for a computation that wasn't run by [`compute`](Self::compute). The default is the
    /// time since the lead was given.
    pub fn took(&mut self, duration: Duration) {
        self.duration = Some(duration);
    }

    /// Returns whether a result will be stored, as far as this is known before it is computed.
    #[must_use]
    pub fn will_store(&self) -> bool {
        matches!(self.to, Destination::Entry { .. })
    }

    /// Stores the result, and returns it in this form: a mapped one from its files.
    ///
    /// The arrays are written and hashed in one pass, each to its own file unless it is small. A result that can't be
    /// stored is returned nevertheless.
    pub fn store(self, value: RawValue, form: Form) -> Stored {
        self.lands_empty(true);
        let took = self.compute_time();
        let Self { memory, function, to, expires, .. } = self;
        let Some(engine) = memory.0.as_deref() else { return Stored::not_because("there is no cache", value) };
        let (site, turn, prepared) = match to {
            Destination::Entry { site, turn, prepared } => (site, turn, prepared),
            Destination::Nowhere { missed, why } => {
                engine.say_not_stored(missed.as_ref(), took, why);
                let bypass = missed.and_then(|missed| missed.bypass());
                return match bypass {
                    Some(fault) => Stored::faulted(engine, function, value, fault),
                    None => Stored::not_because(why, value),
                };
            }
        };
        if engine.is_too_cheap(prepared.least, &site, took.whole) {
            let why = "it took less than `min_duration`";
            engine.say_not_stored(Some(&turn.missed), took, why);
            return Stored::not_because(why, value);
        }
        let draft = prepared.draft.map(|draft| expiring(draft, expires));
        let record = match engine.put_computed(&turn, &site, draft, &value, took) {
            Ok(Some(record)) => record,
            Ok(None) => return Stored::not_because(EDITED, value),
            Err(fault) => return Stored::faulted(engine, function, value, fault),
        };
        engine.note_refreshed(site.key(), prepared.refreshes);
        if form == Form::Owned {
            return Stored { value, reason: None, fault: None };
        }
        let entry = StoredEntry { engine, site: &site, record: &record, fresh: true, memo_entry: None };
        match form.load(&entry, Codec::of(Untyped)) {
            Ok(value) => Stored { value, reason: None, fault: None },
            // Evicted or replaced at once.
            Err(_) if !engine.archive.stands(&site, &record) => Stored { value, reason: None, fault: None },
            Err(fault) => Stored::faulted(engine, function, value, fault),
        }
    }

    /// Lets waiting calls continue without a result, for this reason: it is an error, or the function has changed an
    /// argument. All of them compute, at once.
    pub fn discard(self, why: &str) {
        self.lands_empty(true);
        self.end(why);
    }

    /// Lets one of the waiting calls compute, for this reason, while the others keep waiting: for a computation that was
    /// stopped, and might have succeeded.
    ///
    /// ```
    /// use ndcache::Memory;
    /// use ndcache::dynamic::{Form, FunctionBuilder, RunTimeCall, Turn, Wait};
    /// use ndcache::digest;
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// let memory = Memory::open(folder.path())?;
    /// let call = RunTimeCall::new(FunctionBuilder::new("report", digest("1")).build()?, []);
    /// let Turn::Compute(lead) = call.lead(&memory, Form::Owned, &Wait::new()) else { panic!("it isn't stored") };
    /// lead.hand_on("a signal has come");
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn hand_on(self, why: &str) {
        self.lands_empty(false);
        self.end(why);
    }

    fn end(self, why: &str) {
        let took = self.compute_time();
        let missed = match &self.to {
            Destination::Entry { turn, .. } => Some(&turn.missed),
            Destination::Nowhere { missed, .. } => missed.as_ref(),
        };
        if let Some(engine) = self.memory.0.as_deref() {
            engine.say_not_stored(missed, took, why);
        }
    }

    fn compute_time(&self) -> ComputeTime {
        ComputeTime { whole: self.duration.unwrap_or_else(|| self.begin.elapsed()), inside: self.inside }
    }
}

impl Engine {
    fn say_not_stored(&self, missed: Option<&MissReport>, took: ComputeTime, why: &str) {
        if let Some(missed) = missed {
            self.computed(missed, took, &Storing::NotStored(why.to_owned().into()));
        }
    }
}

impl Stored {
    fn not_because(why: &'static str, value: RawValue) -> Self {
        Self { value, reason: Some(why), fault: None }
    }

    fn faulted(engine: &Engine, function: &Function, value: RawValue, fault: Error) -> Self {
        let what = "the cache failed; the result is returned all the same";
        engine.recorder.fault(function.path(), &fault, what);
        Self { value, reason: None, fault: Some(fault) }
    }
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lead({}, stores: {})", self.function.path(), self.will_store())
    }
}

/// A value that is wanted in this form.
struct NeededValue<'a> {
    engine: &'a Engine,
    call: &'a RunTimeCall,
    site: &'a Site,
    form: Form,
    interrupt: Option<&'a dyn Fn() -> bool>,
    is_hasty: bool,
}

impl Need for NeededValue<'_> {
    type Value = RawValue;
    type Missing = Missing;

    fn look(&self) -> Look<RawValue, Missing> {
        self.engine.hit(self.call, self.site, self.form)
    }

    fn watch(&self, missing: &Missing) -> impl Fn() -> bool {
        self.engine.watch(self.site, missing)
    }

    fn interrupt(&self) -> Option<&dyn Fn() -> bool> {
        self.interrupt
    }

    fn still_waits(&self, for_whom: &str, waited: Duration) {
        self.engine.still_waits(self.call.function().path(), for_whom, waited);
    }

    fn is_hasty(&self) -> bool {
        self.is_hasty
    }
}
