//! A page that the kernel empties in a forked child, by which forks are seen (`threads::fork`).
//!
//! It lies in `src/map/` as what else maps memory, and is a room of its own below all others: `threads` needs it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// What is zero again in each forked child.
pub(crate) struct Page {
    /// The number that this crate gives the process.
    pub(crate) number: AtomicU64,
    /// The number that the system gives the process.
    pub(crate) id: AtomicU32,
}

/// The one page of this process; `None` where the system doesn't empty it.
#[inline]
pub(crate) fn page() -> Option<&'static Page> {
    static PAGE: OnceLock<Option<&'static Page>> = OnceLock::new();
    // No waiting for another thread that makes the page: a forked child may not have it.
    PAGE.get().copied().unwrap_or_else(|| {
        let made = emptied_by_fork();
        *PAGE.get_or_init(|| made)
    })
}

/// A page of its own; `None` where the system doesn't empty it.
#[cfg(target_os = "linux")]
fn emptied_by_fork() -> Option<&'static Page> {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
    // The system makes it a page.
    let length = size_of::<Page>();
    // SAFETY: the mapping is new, at an address that the system chooses, so that nothing else refers to it. The advice
    // changes nothing in this process; in a child it makes the page zero, which is a value of a `Page`, before any of the
    // child's code runs. The system's page is aligned for ours and at least as long, and is never unmapped once it is
    // lent.
    #[allow(unsafe_code)]
    unsafe {
        let page = mmap_anonymous(std::ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        let page = page.ok()?;
        if madvise(page, length, Advice::LinuxWipeOnFork).is_err() {
            let _ = munmap(page, length);
            return None;
        }
        Some(&*page.cast::<Page>())
    }
}

#[cfg(not(target_os = "linux"))]
fn emptied_by_fork() -> Option<&'static Page> {
    None
}
