//! What a process remembers of entries, so that a repeated hit makes no system call.
//!
//! * `table`: the entries that lookups have found, by a stripe for each thread; `handles`: what one stripe holds on to;
//!   `entry`: one of them, with what is kept of its arrays.
//! * `thread`: small results that one thread carries; `clock`: the time that all of this goes by.

pub(crate) mod clock;
pub(crate) mod entry;
mod handles;
pub(crate) mod table;
pub(crate) mod thread;

pub(crate) use table::Memo;
