//! Forked children of a test's process.

use std::thread;
use std::time::{Duration, Instant};

/// Whether `body` holds in a forked child of this process: 0, 1 if it doesn't, and 3 if the child stands.
#[allow(unsafe_code)]
pub(crate) fn in_a_fork(body: impl FnOnce() -> bool) -> i32 {
    // SAFETY: the child runs `body`, which the caller knows to need no other thread, and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let holds = body();
        // SAFETY: ends the child, which owns nothing that has to be dropped.
        unsafe { libc::_exit(i32::from(!holds)) };
    }
    let begin = Instant::now();
    let mut status = -1;
    while begin.elapsed() < Duration::from_secs(8) {
        // SAFETY: `status` outlives the call, and the child is this process's own.
        if unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == pid {
            return i32::from(status != 0);
        }
        thread::sleep(Duration::from_millis(10));
    }
    // SAFETY: the child is this process's own, and hasn't been waited for.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    3
}
