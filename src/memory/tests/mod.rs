//! Single flight and storing in a memory, on threads and under a model checker.

#[cfg(target_os = "linux")]
mod leads;
mod publish;
mod workers;
