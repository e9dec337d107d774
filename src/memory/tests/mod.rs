//! Single flight on threads; single flight, storing and removing under a model checker.

mod flights;
#[cfg(target_os = "linux")]
mod leads;
mod model;
mod publish;
