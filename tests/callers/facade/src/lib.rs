//! Passes ndcache on to those who have it through this crate alone.

pub use ndcache;

/// Under a path of its own.
pub mod inner {
    pub use ndcache as cached;
}
