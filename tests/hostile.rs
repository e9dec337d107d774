//! Attacks on the promises: each test says what a plain function would do, and looks for a cache that does otherwise.

mod bits;
mod concurrency;
mod fuzz;
mod keys;
mod names;
mod owners;
mod planted;
mod recent;
mod second;
