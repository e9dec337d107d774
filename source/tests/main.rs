//! Which items count, why, what is unseen, and what changes the digest.

mod crates;
mod edited;
mod rules;
