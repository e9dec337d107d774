//! Attacks on the promises: each test says what a plain function would do, and looks for a cache that does otherwise.

mod bits;
mod concurrency;
mod finding;
mod fuzz;
mod hot;
mod identity;
mod keys;
mod names;
mod owners;
mod planted;
mod staged;
mod targets;
