//! Commands that check: stored bytes, the folder of a cache, digests, the speed of the machine.

pub(crate) mod bench;
mod computing;
pub(crate) mod doctor;
pub(crate) mod hash;
pub(crate) mod verify;
