//! In place of `flight::sync`: what the checker schedules, and a clock that stands unless somebody waits for it.

use std::ops::{Deref, DerefMut};
use std::sync::LockResult;
pub(super) use std::sync::PoisonError;
use std::time::Duration;

use shuttle::lazy_static::Lazy;
use shuttle::rand::{Rng, thread_rng};
pub(super) use shuttle::thread::{ThreadId, current};

use super::limits::REPORT;
use super::world::{flaw, world};

/// Made anew for each schedule.
pub(super) struct LazyLock<T: Sync>(Lazy<T>);

impl<T: Sync> LazyLock<T> {
    pub(super) const fn new(init: fn() -> T) -> Self {
        Self(Lazy::new(init))
    }

    pub(super) fn force(this: &'static Self) -> &'static T {
        this.0.get()
    }
}

/// The model forks no process.
#[derive(Default)]
pub(super) struct ForkMutex<T>(shuttle::sync::Mutex<T>);

/// Knows its mutex, so that a wait that may end by itself can give it back.
pub(super) struct MutexGuard<'a, T>(shuttle::sync::MutexGuard<'a, T>, &'a ForkMutex<T>);

impl<T> ForkMutex<T> {
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        // The panics are the model's own, and none leaves anything half done under this lock.
        MutexGuard(self.0.lock().unwrap_or_else(PoisonError::into_inner), self)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

pub(super) struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    pub(super) fn new() -> Self {
        Self(shuttle::sync::Condvar::new())
    }

    /// Times out, if at all, at any moment. The wait until the next report never does: it would hide that nobody wakes
    /// the thread.
    pub(super) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, ())> {
        let MutexGuard(guard, mutex) = guard;
        if limit >= REPORT {
            world().note_wait();
            world().wake();
            let guard = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
            return Ok((MutexGuard(guard, mutex), ()));
        }
        drop(guard);
        pass(limit);
        Ok((mutex.lock(), ()))
    }

    pub(super) fn notify_all(&self) {
        match flaw().wakes_one {
            true => self.0.notify_one(),
            false => self.0.notify_all(),
        }
    }
}

/// Lets others go on; perhaps that takes as long as this.
fn pass(limit: Duration) {
    shuttle::thread::yield_now();
    if thread_rng().gen_bool(0.25) {
        world().advance(limit);
    }
}

#[derive(Clone, Copy)]
pub(super) struct Instant(Duration);

impl Instant {
    pub(super) fn now() -> Self {
        Self(world().now())
    }

    pub(super) fn elapsed(self) -> Duration {
        world().now() - self.0
    }
}

/// A thread without a limit sleeps until something has changed, so that a circle of sleepers is a deadlock.
pub(super) fn sleep(limit: Duration) {
    match world().is_hurried() {
        true => pass(limit),
        false => world().sleep(),
    }
}

pub(super) fn is_worker() -> bool {
    world().is_worker()
}
