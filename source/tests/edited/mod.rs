//! Crates that are compiled: what runs is counted, and what changes a result changes the digest.

mod built;
mod compiled;
mod doubt;
mod edits;
mod executed;
mod pinned;
mod precision;
mod project;
mod workspaces;
