//! Single flight on threads; single flight, storing and removing under a model checker.

mod flights;
mod model;
mod publish;
