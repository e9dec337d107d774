//! Arrays whose elements are borrowed, shared or staged: what a user holds.
//!
//! | module | holds |
//! | --- | --- |
//! | [`mapped`] | [`Mapped`]: read-only, shared |
//! | [`cow`] | [`MappedCow`]: writable in memory, never on disk |
//! | [`mutable`] | [`MappedMut`]: writable in memory until it is committed |
//! | [`staged`] | [`Staged`]: filled in a file of the cache, then read-only |
//! | [`lend`] | all as views, iterators, producers; equality and formatting |
//! | [`ops`] | all in arithmetic |

mod cow;
mod lend;
mod mapped;
mod mutable;
mod ops;
mod staged;

pub use cow::{
    MappedCow, MappedCow0, MappedCow1, MappedCow2, MappedCow3, MappedCow4, MappedCow5, MappedCow6, MappedCowD,
};
pub(crate) use mapped::Stage;
pub use mapped::{Mapped, Mapped0, Mapped1, Mapped2, Mapped3, Mapped4, Mapped5, Mapped6, MappedD};
pub use mutable::{
    MappedMut, MappedMut0, MappedMut1, MappedMut2, MappedMut3, MappedMut4, MappedMut5, MappedMut6, MappedMutD,
};
pub use staged::Staged;
pub(crate) use staged::meta_of;
