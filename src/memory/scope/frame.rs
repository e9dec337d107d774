//! Which cached functions a thread is computing, and what the cached calls inside them mean for them.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use crate::key::Function;
use crate::memory::Engine;
use crate::record::nanoseconds_since_1970;
use crate::stats::recorder::ComputeTime;

/// The listener of a caller that follows computations from thread to thread, which no frame does.
static LISTENER: OnceLock<fn(SystemTime)> = OnceLock::new();

/// From here on `listener` is called when the result of a cached call is good no longer, on the thread that made the call
/// and before the call returns; for results that don't expire it isn't called. Returns whether there was none before: the
/// first one stays.
///
/// An entry expires with the cached calls that its computation made on its own thread. A binding whose computations go
/// from thread to thread, or take turns on one, knows better whose a call is: it keeps the first moment for each of its
/// computations, and gives it to [`Lead::inherit`](crate::dynamic::Lead::inherit).
///
/// ```
/// let is_first = ndcache::dynamic::on_expiry(|at| println!("good until {at:?}"));
/// assert!(is_first);
/// ```
pub fn on_expiry(listener: fn(SystemTime)) -> bool {
    LISTENER.set(listener).is_ok()
}

/// Notes that what was computed just now on this thread is good until then: the cached function that is being computed
/// here is good for no longer. For calls that go beside the cache; of the others it is known.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use ndcache::dynamic::{Form, FunctionBuilder, RawValue, RunTimeCall, note_expiry};
/// use ndcache::{Memory, digest};
///
/// # let folder = tempfile::tempdir().unwrap();
/// let memory = Memory::open(folder.path())?;
/// let call = RunTimeCall::new(FunctionBuilder::new("report", digest("1")).build()?, []);
/// let compute = || {
///     note_expiry(SystemTime::now() + Duration::from_secs(60)); // of a price, say
///     RawValue::of(&3.5)
/// };
/// call.eval(&memory, Form::Owned, compute)?;
/// assert!(call.entry(&memory)?.is_some_and(|entry| entry.expires().is_some()));
/// # Ok::<(), ndcache::Error>(())
/// ```
pub fn note_expiry(at: SystemTime) {
    Frame::expires(Some(nanoseconds_since_1970(at)));
}

impl Engine {
    /// Warns once when a cached function calls another that is neither found nor named in its `depends(…)`: a change of the inner
    /// one's code would not reach the outer one's key.
    pub(crate) fn warn_unnamed(&self, inner: &'static Function) {
        let Some(outer) = Frame::innermost() else { return };
        if outer.names(inner) {
            return;
        }
        // Each pair is looked at once.
        let pair = (std::ptr::from_ref(outer).addr(), std::ptr::from_ref(inner).addr());
        if self.recorder.unnamed.lock().insert(pair) && !outer.finds(inner) {
            tracing::warn!(
                outer = outer.path(),
                inner = inner.path(),
                "a cached function calls another that it doesn't name in `depends(…)`"
            );
            let (outer, inner) = (outer.shown(), inner.shown());
            self.recorder.warn(&format!("{outer} calls {inner}, and doesn't name it in `depends(…)`"));
        }
    }
}

/// A cached function that a thread is computing.
struct RunningFunction {
    function: &'static Function,
    /// When the first of the cached calls inside expires.
    expires: Option<u64>,
    /// How long the cached calls inside took to compute.
    inside: Duration,
}

thread_local! {
    /// The cached functions that this thread is computing, innermost last.
    static FRAMES: RefCell<Vec<RunningFunction>> = const { RefCell::new(Vec::new()) };
}

/// A cached function that is being computed.
pub(crate) struct Frame;

impl Frame {
    /// `None` where this thread-local variable is gone, as it may be in the destructor of another: nobody asks for
    /// frames there.
    pub(crate) fn enter(function: &'static Function) -> Option<Self> {
        let running = RunningFunction { function, expires: None, inside: Duration::ZERO };
        FRAMES.try_with(|frames| frames.borrow_mut().push(running)).ok().map(|()| Self)
    }

    /// The cached function that called; unknown on a worker of rayon, which may have stolen the job from anywhere.
    pub(crate) fn innermost() -> Option<&'static Function> {
        let innermost = FRAMES.try_with(|frames| frames.borrow().last().map(|frame| frame.function)).ok().flatten()?;
        rayon::current_thread_index().is_none().then_some(innermost)
    }

    /// The result of a cached call is good until then; so is that of the cached function that called.
    ///
    /// A worker of rayon may run a stolen job, whose caller isn't the function that the worker was computing: then that
    /// function's result expires too early, never too late.
    pub(crate) fn expires(at: Option<u64>) {
        let Some(at) = at else { return };
        Self::note(|frame| frame.expire(at));
        if let Some(listener) = LISTENER.get() {
            listener(SystemTime::UNIX_EPOCH + Duration::from_nanos(at));
        }
    }

    fn note(note: impl FnOnce(&mut RunningFunction)) {
        // `try_with`: a cached function may run in the destructor of another thread local.
        let _ = FRAMES.try_with(|frames| frames.borrow_mut().last_mut().map(note));
    }

    /// Ends a computation that took that long: when the first of the cached calls inside expires, and how long they took.
    ///
    /// The computation around it took this time, too, even where a worker of rayon has run a stolen job meanwhile.
    pub(crate) fn leave(frame: Option<Self>, whole: Duration) -> (Option<u64>, ComputeTime) {
        let of_frame = |_: &Self| {
            FRAMES.try_with(|frames| frames.borrow().last().map(|frame| (frame.expires, frame.inside))).ok().flatten()
        };
        let (expires, inside) = frame.as_ref().and_then(of_frame).unwrap_or_default();
        drop(frame);
        let took = ComputeTime { whole, inside };
        Self::note(|around| around.inside = around.inside.saturating_add(took.own()));
        (expires, took)
    }
}

impl RunningFunction {
    fn expire(&mut self, at: u64) {
        self.expires = Some(self.expires.map_or(at, |first| first.min(at)));
    }
}

impl Drop for Frame {
    /// On unwinding too: if the panic is caught, the calls inside have been made all the same.
    fn drop(&mut self) {
        let left = FRAMES.try_with(|frames| frames.borrow_mut().pop()).ok().flatten();
        let Some(RunningFunction { expires, inside, .. }) = left else { return };
        Self::note(|around| {
            around.inside = around.inside.saturating_add(inside);
            // The listener has heard of it.
            expires.into_iter().for_each(|at| around.expire(at));
        });
    }
}
