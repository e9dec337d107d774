//! The settings of the folder, and of one function.
//!
//! * `values`: the settings, with their defaults; `builder`: how they are set, `environment`: what the environment
//!   says of them; `store_options`: what they come to for one result.

mod builder;
mod environment;
pub(crate) mod store_options;
mod values;

pub use builder::MemoryBuilder;
pub use values::{Settings, Validation};
