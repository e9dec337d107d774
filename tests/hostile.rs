//! Attacks on the promises: each test says what a plain function would do, and looks for a cache that does otherwise.

mod bits;
mod code;
mod concurrency;
mod finding;
mod fuzz;
mod hot;
mod keys;
#[cfg(target_os = "linux")]
mod locks;
mod names;
mod owners;
mod planted;
mod roundtrip;
mod secrets;
mod staged;
mod targets;
