//! Which memory a `#[cache]` function goes through: this thread's, else the process's, else none.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::entry::write::staging::StagingSite;
use crate::error::{Error, Result};
use crate::memory::Memory;

static GLOBAL: OnceLock<Memory> = OnceLock::new();

/// Whether there ever was a memory to find: until then a cached function costs one relaxed load and a branch.
static EVER: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Innermost last; that of a cached call that is being computed says where its arrays may be made.
    static OVERRIDES: RefCell<Vec<(Memory, Option<StagingSite>)>> = const { RefCell::new(Vec::new()) };
}

impl Memory {
    /// Makes this the memory of the process, which every `#[cache]` function uses from here on.
    ///
    /// Libraries annotate their functions and leave this call to the application, which decides where its cache lies.
    ///
    /// # Errors
    ///
    /// Returns an error when the process already has a memory.
    pub fn set_global(&self) -> Result<()> {
        GLOBAL.set(self.clone()).map_err(|memory| {
            let first = GLOBAL.get().map_or_else(String::new, |first| format!(" (`{}`)", first.place()));
            Error::invalid(format!("the process has a memory already{first}, and can't have `{}`", memory.place()))
        })?;
        EVER.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Runs `body` with this memory, in place of the process's, on this thread.
    ///
    /// The previous memory is restored when `body` returns or panics. Threads that `body` starts, and rayon's worker
    /// threads, don't use this memory: parallel code passes `&Memory` and calls `memory.eval(f::call(…))`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// assert_eq!(memory.with(|| double(21.0)), 42.0);
    /// assert!(memory.contains(&double::call(21.0)));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn with<T>(&self, body: impl FnOnce() -> T) -> T {
        self.with_staging(None, body)
    }

    /// Runs `body`, which computes a call whose result will be stored at `staging`, with this memory on this thread.
    pub(crate) fn with_staging<T>(&self, staging: Option<StagingSite>, body: impl FnOnce() -> T) -> T {
        EVER.store(true, Ordering::Relaxed);
        let _restore = RestoreFrame::after((self.clone(), staging));
        body()
    }
}

/// Takes the innermost override away, on unwinding too.
struct RestoreFrame;

impl RestoreFrame {
    /// Sets an override; none where this thread-local variable is gone, as it may be in the destructor of another.
    fn after(innermost: (Memory, Option<StagingSite>)) -> Option<Self> {
        OVERRIDES.try_with(|overrides| overrides.borrow_mut().push(innermost)).ok().map(|()| Self)
    }
}

impl Drop for RestoreFrame {
    fn drop(&mut self) {
        // Dropped outside of the borrow: a memory's last clone may log, and a logger may call a cached function.
        let memory = OVERRIDES.try_with(|overrides| overrides.borrow_mut().pop());
        drop(memory);
    }
}

/// The memory that a `#[cache]` function goes through here and now.
///
/// That of the process is borrowed: a clone counts references, in memory to which all threads would write at each call.
pub enum Ambient {
    /// The process's.
    Global(&'static Memory),
    /// This thread's.
    Innermost(Memory),
}

impl Deref for Ambient {
    type Target = Memory;

    #[inline]
    fn deref(&self) -> &Memory {
        match self {
            Self::Global(memory) => memory,
            Self::Innermost(memory) => memory,
        }
    }
}

/// Finds it.
#[inline]
#[must_use]
pub fn ambient() -> Option<Ambient> {
    if EVER.load(Ordering::Relaxed) { find() } else { None }
}

#[inline(never)]
fn find() -> Option<Ambient> {
    // `try_with`: a cached function may run in the destructor of another thread local.
    let innermost = OVERRIDES.try_with(|overrides| overrides.borrow().last().map(|(memory, _)| memory.clone()));
    innermost.ok().flatten().map(Ambient::Innermost).or_else(|| GLOBAL.get().map(Ambient::Global))
}

/// Where the innermost cached call that this thread computes is to be stored.
///
/// A worker of rayon may have begun this call, left it for another job, and be asked within that job.
pub(crate) fn staging_site() -> Option<(Memory, StagingSite)> {
    if !EVER.load(Ordering::Relaxed) {
        return None;
    }
    let innermost = OVERRIDES.try_with(|overrides| overrides.borrow().last().cloned());
    innermost.ok().flatten().and_then(|(memory, staging)| Some((memory, staging?)))
}
