//! Commands that read: what is stored, where it comes from, in what it differs, what was counted.

pub(crate) mod diff;
mod element_differences;
pub(crate) mod ls;
pub(crate) mod ranking;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod steps;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod tree;
pub(crate) mod why;
