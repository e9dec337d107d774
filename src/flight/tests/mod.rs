//! Single flight on threads, and under a model checker.

pub(crate) mod model;
mod threads;
