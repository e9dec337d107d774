//! Arrays that own their bytes, on the heap or in a file: the only room that dereferences raw pointers.
//!
//! | module | holds |
//! | --- | --- |
//! | [`mapping`] | a file's bytes as memory, and when that is allowed |
//! | [`handles`] | what a user holds: [`Mapped`], [`MappedCow`], [`MappedMut`], [`Staged`] |
//! | [`read`] | a file's bytes read and hashed in one pass |
//! | [`spare`] | memory that isn't zeroed before |
//! | [`layout`] | the two memory orders that are stored |
//!
//! # Why this is sound
//!
//! **The bytes don't change and don't vanish.** A file that shrinks under a mapping raises `SIGBUS`, one that is
//! written to changes what `&[A]` promises is constant; no check at the time of mapping excludes either. What
//! excludes them is who can do that: [`mapping`] takes regular files without any write permission bit, of exactly the
//! length that was recorded, and its callers offer only files of a local file system in a root that is not
//! world-writable. This crate writes such a file once, under a name of its own, before the record that refers to it
//! exists; from then on it is replaced by rename and removed by unlink, both of which leave the mapped inode as it
//! was. It is never truncated, and never opened for writing again. Mapped targets of build steps are held to the same
//! (`src/make/mapping.rs`): there the folder of the target stands for the root. A user who changes such a file nevertheless
//! has first given himself the permission, by `chmod` (an access control list shows in the mode's group bits) or as
//! root: the class of a process that writes to `/proc/self/mem`, against which no safe abstraction holds.
//! [`MapPolicy::Never`](crate) gives the same types with owned bytes.
//!
//! A file that is [staged](Staged) is the one that is written to through a mapping. It has no write permission either, its
//! blocks are allocated before it is mapped, no record names it, and its descriptor is closed at once, so that the one
//! mapping is the only way to write to it; that mapping belongs to one [`Staged`]. It is made read-only, for good and
//! with the `Staged` consumed, before there is a [`Mapped`] of it: never do the two exist at once. What remains is
//! `fork`, which is unsafe to call: a child inherits the mapping as it is, shared, and must not write to it.
//!
//! **The view doesn't outlive its bytes.** [`Mapped`], [`MappedCow`] and [`Staged`] hold the owner of the bytes (an `Array` or a
//! mapping) beside an ndarray view of them, whose lifetime says `'static`. That lifetime is a lie that stays in here:
//! the view is only ever dereferenced to an `ArrayRef` borrowed from the handle. An `ArrayRef` can't be moved out of
//! that borrow, nor swapped with another: it is unsized since ndarray 0.17.1 (0.17.0, where `mem::swap` could trade
//! the pointers of two arrays, was yanked for that; a `compile_fail` example of [`MappedCow`] holds it). Through
//! `&mut ArrayRef` safe code can narrow, permute and invert axes, so the view may come to point elsewhere *within*
//! its bytes. Hence an owner frees by what it noted itself, never by the view's pointer, and a view has no drop glue:
//! whichever goes first, nothing is touched after it is freed.
//!
//! **Nothing else touches the bytes.** Between construction and drop all access goes through the view, and every
//! pointer in it comes from the owner's raw one (`Vec`'s or the mapping's, never through a `&[A]`, and not through a
//! `Box`, whose moves assert uniqueness); ndarray's `OwnedRepr` and memmap2's handles hold raw pointers, so moving
//! them, or the `Arc` around them, says nothing about aliasing.
//!
//! **The bytes are there.** Memory for an array that is read is not zeroed. [`spare`] makes a vector of it once it has
//! the very same memory back as bytes, which is had by writing each of them; a read that ends early or fails gives none.
//!
//! **The bytes are elements.** [`layout`] checks dtype, number of axes and overflow, [`mapping`] checks that the
//! elements lie within the file, that they are aligned, and, where a type has bit patterns that are no value (`bool`),
//! each element.
//!
//! **A trusted digest is that of the bytes.** The digest of a live read-only array is known by its address
//! ([`mod@crate::digest`]). The registration is declared before the bytes and so dropped first: as long as an array is
//! found in the table its memory can't be another's. This is a matter of right digests, not of memory safety.

#![allow(unsafe_code)]
mod handles;
mod layout;
mod mapping;
mod read;
mod spare;
#[cfg(test)]
mod tests;

pub use handles::{
    Mapped, Mapped0, Mapped1, Mapped2, Mapped3, Mapped4, Mapped5, Mapped6, MappedCow, MappedCow0, MappedCow1,
    MappedCow2, MappedCow3, MappedCow4, MappedCow5, MappedCow6, MappedCowD, MappedD, MappedMut, MappedMut0, MappedMut1,
    MappedMut2, MappedMut3, MappedMut4, MappedMut5, MappedMut6, MappedMutD, Staged,
};
pub(crate) use handles::{Stage, meta_of};
pub(crate) use layout::{array_from_vec, normalise};
pub(crate) use mapping::{DENSE, Examined, Mapping, WeakMapping};
pub(crate) use read::{digest_file, read_at, read_verified};
pub(crate) use spare::{Spare, grown_vec_of, vec_of};
