//! What the macros expand to. Nothing here is part of the public interface.

pub use crate::call::arguments::{Arguments, MutationCheck};
pub use crate::call::describe::{describe_field, describe_inside};
pub use crate::call::keyed::{Keyable, KeyableElements, Keyed, Probe, UnkeyedElements};
pub use crate::call::lazy::{bind, call, like, taking};
pub use crate::call::mutable_arguments::Unchanged;
pub use crate::call::rounding::{Rounded, Rounding};
pub use crate::call::{Call, Options};
pub use crate::digest::{ContentHash, ContentHasher, Roundable, Step, Text, TypeCode, arrays_hashed};
pub use crate::error::Result;
pub use crate::key::{
    Code, CodeOf, CodeScope, Definition, Dependency, Fact, Function, HasCode, HelperFact, Helpers, Naming, Upstream,
    called, member, within,
};
pub use crate::memory::ambient;
pub use crate::payload::{
    EqProbe, Format, FormatProbe, Mappable, Normaliser, OkOnly, OptionVia, Outcome, Payload, Reader, Refused,
    RefusedElements, Storable, StorableElements, TypeName, ViaPayload, ViaSerde, ViaSerdeEq, ViaSerdeEqDebug, WithErr,
    Writer, normalise,
};
pub use core;
pub use typeid::of as type_id;

/// The levels by which the macros find out how a type is keyed and stored.
pub mod probes {
    pub use crate::call::keyed::{
        KeyedByArrays, KeyedByHash, KeyedByParts, KeyedBySerde, KeyedBySerdeRef, NoKeyedElements, NotKeyed,
    };
    pub use crate::call::mutable_arguments::KeyedMutably;
    pub use crate::call::rounding::{KeyedByStep, NotRounded};
    pub use crate::memory::keyless::KeyedByNothing;
    pub use crate::payload::probes::*;
}

/// A probe for the format of what `compute` returns.
pub fn probe_of<A, R>(_: fn(A, &mut MutationCheck) -> R) -> FormatProbe<R> {
    FormatProbe::new()
}

/// Keeps what a memory needs out of the way of a function that runs without one: its registers and its stack.
#[cold]
#[inline(never)]
pub fn aside<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// What `depends(…)` finds under a name that is no type.
pub mod unmarked {
    /// A type without values or code.
    pub enum Dependency {}
}
