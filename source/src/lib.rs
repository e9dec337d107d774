//! Which items of a crate a function's code reaches, found from the crate's text alone.
//!
//! A procedural macro sees one function. This library reads the files of the crate that the function stands in, and of the
//! crates by path that it uses ([`Index::read`]), follows what the function names ([`Resolver::reach`]), and tells the items it has found, why each of
//! them counts, what can't be followed, and one digest over items and over what each mention in them leads to.
//!
//! Nothing is expanded and no type is inferred: when in doubt, an item counts.

#![forbid(unsafe_code)]

mod cfg;
mod digest;
mod error;
mod facts;
mod file;
mod index;
mod lex;
mod library;
mod mention;
mod names;
mod prelude;
mod reach;
mod reads;
mod session;
mod symbol;

pub use error::Error;
pub use index::Index;
pub use library::UpstreamCrates;
pub use reach::{Copies, Fact, Named, Part, Position, Reached, Resolver, Sought, Unseen, Why};
pub use session::Session;
