//! Commands that remove entries, or keep them from being removed.

pub(crate) mod clear;
pub(crate) mod gc;
pub(crate) mod pin;
pub(crate) mod removal;
pub(crate) mod rm;
