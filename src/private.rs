//! What the macros expand to. Nothing here is part of the public interface.

pub use crate::digest::{ContentHash, ContentHasher, Roundable, Step, arrays_hashed};
pub use crate::error::Result;
pub use crate::key::{
    Code, CodeOf, Counts, Definition, Dependency, Fact, Function, HasCode, Place, called, member, within,
};
pub use crate::memory::arguments::{Again, Arguments};
pub use crate::memory::call::{Keyed, Probe, bind, call};
pub use crate::memory::rounding::Rounding;
pub use crate::memory::{Call, Options, ambient};
pub use crate::payload::{
    EqProbe, Format, FormatProbe, Mappable, OkOnly, OptionVia, Outcome, Payload, Reader, Refused, Storable, TypeName,
    ViaPayload, ViaSerde, ViaSerdeEq, WithErr, Writer, normalise,
};
pub use core;
pub use typeid::of as type_id;

/// The levels by which the macros find out how a type is keyed and stored.
pub mod probes {
    pub use crate::memory::call::{KeyedByHash, KeyedByParts, KeyedBySerde, KeyedBySerdeRef, NotKeyed};
    pub use crate::memory::lent::KeyedMutably;
    pub use crate::memory::rounding::{KeyedByStep, NotRounded};
    pub use crate::payload::probes::*;
}

/// A probe for the format of what `compute` returns.
pub fn probe_of<A, R>(_: fn(A, &mut Again) -> R) -> FormatProbe<R> {
    FormatProbe::new()
}

/// Keeps what a memory needs out of the way of a function that runs without one: its registers and its stack.
#[cold]
#[inline(never)]
pub fn aside<R>(body: impl FnOnce() -> R) -> R {
    body()
}
