//! Attacks on the promises: each test says what a plain function would do, and looks for a cache that does otherwise.

mod bits;
mod captures;
mod changed_files;
mod code;
mod concurrency;
mod depth;
mod descriptors;
mod file_sizes;
mod finding;
mod forks;
mod fuzz;
mod home;
mod hot;
mod identity;
mod keys;
#[cfg(target_os = "linux")]
mod locks;
mod made;
mod names;
mod owners;
mod planted;
mod process;
mod removed;
mod roundtrip;
mod secrets;
mod sparse;
mod staged;
mod targets;
