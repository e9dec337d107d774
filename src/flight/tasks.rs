//! Who computes and waits: a thread, or a task that goes from thread to thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::sync::{ThreadId, current};

/// A task that computes or waits: a thread, whose identifier no later thread gets, or a task that brings its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Waiter {
    Thread(ThreadId),
    Task(TaskId),
}

impl Waiter {
    pub(super) fn current() -> Self {
        match TASK.try_with(Cell::get).ok().flatten() {
            Some(task) => Self::Task(task),
            None => Self::Thread(current().id()),
        }
    }
}

/// A task that computes and waits, on whichever threads, such as a coroutine. Each task of a process is different.
///
/// ```
/// use ndcache::dynamic::TaskId;
///
/// assert_ne!(TaskId::unique(), TaskId::unique());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskId(u64);

impl TaskId {
    /// Makes a new task.
    #[must_use]
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Runs `body`, in which this thread waits and computes on behalf of the task.
    ///
    /// A wait for a key that the task computes is a wait for the task, and not for a thread: if the task waits for a
    /// key that it computes itself, this is recognised as a deadlock, whichever threads it runs on.
    pub fn on_this_thread<T>(self, body: impl FnOnce() -> T) -> T {
        let before = TASK.try_with(|task| task.replace(Some(self))).ok();
        let _restore = RestoreTask(before);
        body()
    }
}

thread_local! {
    /// On behalf of which task this thread acts, if not on its own.
    static TASK: Cell<Option<TaskId>> = const { Cell::new(None) };
}

/// Puts the task back that there was before, in a panic too.
struct RestoreTask(Option<Option<TaskId>>);

impl Drop for RestoreTask {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            let _ = TASK.try_with(|task| task.set(before));
        }
    }
}
