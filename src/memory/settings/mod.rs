//! The settings of the folder, and of one function.
//!
//! * `values`: the settings, with their defaults; `builder`: how they are set; `store_options`: what they come to for one
//!   result.

mod builder;
pub(crate) mod store_options;
mod values;

pub use builder::MemoryBuilder;
pub use values::{Settings, Validation};
