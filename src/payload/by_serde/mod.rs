//! Types that only serde knows, as stored values.
//!
//! * `write`, `read`: serde's data model as MessagePack, and back; `leaf`: such a type inside a stored value.

pub(crate) mod leaf;
pub(crate) mod read;
pub(crate) mod write;
