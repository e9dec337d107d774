//! `tests/callers/functions.rs` as edition 2021, where ndcache has another name.

// The source says `ndcache`; the macros have to find out that the manifest says `renamed`.
extern crate renamed as ndcache;

#[path = "../../functions.rs"]
pub mod functions;
pub mod words;
