//! Where a cached function is called from.
//!
//! * `ambient`: which memory it goes through; `frame`: the cached calls that a thread is computing.

pub(crate) mod ambient;
pub(crate) mod frame;

pub use ambient::ambient;
