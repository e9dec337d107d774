//! Which items count, why, what is unseen, and what changes the digest.

mod built;
mod compiled;
mod crates;
mod doubt;
mod edits;
mod executed;
mod lookups;
mod made;
mod methods;
mod modules;
mod paths;
mod roots;
mod text;
mod types;
mod unseen;
