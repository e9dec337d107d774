//! `tests/callers/functions.rs` as edition 2024.

#[path = "../../functions.rs"]
pub mod functions;
