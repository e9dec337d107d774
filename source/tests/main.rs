//! Which items count, why, what is unseen, and what changes the digest.

mod built;
mod compiled;
mod crates;
mod doubt;
mod edits;
mod executed;
mod macros;
mod methods;
mod modules;
mod paths;
mod roots;
mod types;
mod unseen;
mod workspaces;
