//! Single flight and storing in a memory, on threads and under a model checker; what else lies in a folder.

mod codes;
mod edits;
mod formats;
mod kept;
#[cfg(target_os = "linux")]
mod leads;
mod publish;
mod workers;
