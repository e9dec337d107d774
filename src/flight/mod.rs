//! Single flight: of the threads and processes that need a key, one computes it, and the others wait for what it makes.
//!
//! * `flights`: the one way to wait for a key; `waits`: who computes and who waits, in this process; `limits`: how long;
//!   `tasks`: threads and what goes from thread to thread; `processes`: the locks of the others; `sync`: what these take of
//!   the system.
//!
//! A flight only saves work. A task that can't wait, because that would be a deadlock or has lasted too long, computes, and two
//! equal results are stored one after the other. This room knows no file and no record.
//!
//! # Why no wait is a deadlock
//!
//! A task leads the keys that it computes, and waits for one key at a time. It waits for a key of its own process in the
//! table of `waits`, and for one of another process at that key's lock.
//!
//! 1. *In one process* both are in one table, under one lock. A task enters its wait only if the chain *key → leader →
//!    key that this one waits for → …* doesn't come back to it. Whichever task would close a cycle is the last one to
//!    wait in it, sees the whole of it, and computes.
//! 2. *Among processes* the table is written onto the file of locks: a task that leads something, or is waited for by a
//!    task that does, announces which keys wait for which before it looks for a way back to them, and looks again at
//!    each turn of its wait. Of those who close a cycle the last one to announce sees it. One that can't announce, or
//!    can't look, doesn't wait.
//! 3. *Workers of rayon* wait for one another in ways that no table knows: a worker that waits for a part of its own job
//!    runs other jobs meanwhile, and a wait of one of these may lie, on that worker's stack, on top of a job that the
//!    leader needs. So no worker waits for ever. When a flight is 1, 2, 4, … seconds old, it releases the youngest of
//!    the workers that wait for it, which computes beside the leader. The youngest, since the wait that completed the
//!    deadlock was the last to begin, and what holds the leader up was taken after the leader began. Of several flights
//!    one releases at a time, a second apart, and that with the youngest worker first: one release often frees them all.
//!    Once a released worker has stored a result, all that wait for that key look again and find it.
//! 4. *Workers and processes.* What a worker holds up is then any key that its process computes. After its patience
//!    whoever waits for a lock on behalf of workers announces all of these, and takes a search that was cut short, and
//!    keys led in another folder, for a cycle. Nothing else that another process does can depend on this one. While the
//!    leader waits for a lock in this way its flight releases nobody.
//! 5. What no key leads through isn't seen: a function that joins a thread of its own, which asks for the function's own
//!    key; nor, without workers, is a cycle through two folders and two processes. There the limit on waits
//!    (`MemoryBuilder::wait`) ends the wait, and so does the caller's [interrupt](Need::interrupt).
//!
//! # When nothing is stored
//!
//! A flight *lands empty* if its function has run and no result was stored: an `Err`, a panic, a full disk. A task that
//! waited for such a flight and finds no result doesn't wait again: all these tasks compute, at once. Within a process the
//! flight tells them. Among processes the leader notes it, where waiting processes look, before it releases the lock. A
//! killed process has noted nothing: one of the waiting tasks gets the lock and computes, and the others keep waiting.
//!
//! The table's lock is held across no call to anything outside this room.

mod flights;
mod limits;
mod processes;
mod sync;
mod tasks;
#[cfg(test)]
pub(crate) mod tests;
mod waits;

pub(crate) use flights::{FlightOutcome, Flights, Lead, Look, Need};
pub(crate) use processes::{HeldKey, ProcessLocks};
pub use tasks::TaskId;
pub(crate) use waits::{NO_FOLDER, TakenOver};
