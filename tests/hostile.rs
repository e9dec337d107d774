//! Attacks on the promises: each test says what a plain function would do, and looks for a cache that does otherwise.

mod concurrency;
mod finding;
mod fuzz;
mod hot;
mod keys;
mod staged;
mod targets;
