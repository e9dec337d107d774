//! What a memory was told: the settings of the folder, and of one function.
//!
//! * `builder`: how settings are made; `getters`: how they are read back; `keeping`: what they come to for one result.

pub(crate) mod builder;
mod getters;
pub(crate) mod keeping;

pub use builder::{MemoryBuilder, Settings};
