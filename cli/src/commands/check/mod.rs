//! Commands that check: stored bytes, the folder of a cache with the calls that are computed there, digests, the speed of
//! the machine.

pub(crate) mod bench;
mod computing;
pub(crate) mod doctor;
pub(crate) mod hash;
pub(crate) mod verify;
