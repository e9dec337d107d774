//! What is done with stored results: references, edits, and what they were made of.
//!
//! * `shelve`: small references for other processes; `edit`: results that are changed by hand; `lineage`: what went into
//!   a result; `staged`: arrays that are made where they will be stored.

pub(crate) mod edit;
pub(crate) mod lineage;
pub(crate) mod shelve;
mod staged;

pub use lineage::{Dependents, Lineage, Link};
pub use shelve::Shelved;
pub use staged::zeros;
