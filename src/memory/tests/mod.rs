//! Single flight on threads; single flight, storing and removing under a model checker; what else lies in a folder.

mod codes;
mod flights;
mod formats;
#[cfg(target_os = "linux")]
mod leads;
mod model;
mod publish;
