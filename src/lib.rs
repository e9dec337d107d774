//! An on-disk function cache for programs that work on n-dimensional arrays.
//!
//! Annotate a slow function with [`macro@cache`]; its arguments, arrays of gigabytes among them, are hashed in parallel
//! at memory speed; its result is written as `.npy` and loaded or memory-mapped back the next time, in this process,
//! in another one, or in NumPy.
//!
//! ```
//! use ndarray::prelude::*;
//! use ndcache::{Mapped2, Memory, cache};
//!
//! #[cache]
//! fn hamming(n: usize) -> Array1<f64> {
//!     // Slow.
//!     Array1::from_shape_fn(n, |i| 0.54 - 0.46 * (std::f64::consts::TAU * i as f64 / (n - 1) as f64).cos())
//! }
//!
//! #[cache(ignore(verbose), version = 2)]
//! fn vander(x: &ArrayRef1<f64>, verbose: bool) -> Array2<f64> {
//!     if verbose {
//!         println!("slow, too");
//!     }
//!     Array2::from_shape_fn((x.len(), 3), |(i, j)| x[i].powi(j as i32))
//! }
//!
//! fn main() -> ndcache::Result<()> {
//! #   let folder = tempfile::tempdir().unwrap();
//! #   let memory = Memory::open(folder.path())?;
//! #   if false {
//!     let memory = Memory::from_env("cache")?; // NDCACHE_DIR and NDCACHE_MODE override
//! #   }
//!     memory.set_global()?; // from here on every #[cache] function goes through it
//!     let a = hamming(3); // computed and stored
//!     let b = hamming(3); // loaded
//!     assert_eq!(a, b);
//!     let v: Mapped2<f64> = memory.mmap(vander::call(&a, true)); // the same function, memory-mapped
//!     println!("{}", v.sum()); // derefs to ndarray's ArrayRef
//!     Ok(())
//! }
//! ```
//!
//! `?` takes the errors of the cache and of others alike in a `main` that returns
//! `Result<(), Box<dyn std::error::Error>>`; in one that returns [`ndcache::Result`], it takes those of the cache and of
//! `std::io`, and `.map_err(ndcache::Error::other)?` takes the rest.
//!
//! # Where to look
//!
//! * Functions: [`macro@cache`], [`macro@code`] for their helpers, [`call!`] for functions of others and closures.
//! * The cache: [`Memory`], opened by [`Memory::open`], [`Memory::from_env`] or a [`MemoryBuilder`], with
//!   [`Memory::set_global`] for the process, [`Memory::with`] for a part of a thread's work; [`Call`], [`Entry`],
//!   [`Stats`](stats::Stats), [`Settings`](policy::Settings); [`Explanation`](explain::Explanation) of a hit or miss,
//!   which [`MemoryBuilder::verbose`] prints; [`Compression`] of what is stored, by all functions or by one
//!   (`#[cache(compress = …)]`); the [`Lineage`](inspect::Lineage) of a result.
//! * The environment: [`Memory::from_env`] reads `NDCACHE_DIR`, a folder, and `NDCACHE_MODE`, which is `read-write`,
//!   `refresh`, `read-only` or `off` ([`Mode`]); [`MemoryBuilder::env`] does the same for a memory with other settings.
//! * What stays, and how long: [`Limits`], which [`MemoryBuilder::limits`] keeps to and [`Memory::reduce_size`]
//!   enforces by hand; [`MemoryBuilder::expires`] and `#[cache(expires = …)]`; [`Memory::verify`] checks every stored
//!   byte.
//! * Mapped results: [`Mapped`], [`MappedCow`] and [`MappedMut`]; references to stored ones:
//!   [`Shelved`](shelve::Shelved). Large ones are filled where they will be stored, without a second copy: [`zeros()`].
//! * Build steps: [`Memory::make`] saves a result at a path of one's own, with a [`Persister`](make::Persister):
//!   [`NpyFile`](make::NpyFile), [`MsgpackFile`](make::MsgpackFile), [`NoOutput`](make::NoOutput), or one's own;
//!   [`Fallible`](make::Fallible) around it if the function returns a `Result`. With the feature `nifti`, volumes of
//!   type `Volume`, which have a `Grid`.
//! * Names for people: [`MemoryBuilder::readable`] and `#[cache(readable = true)]` name array files by function and
//!   arguments.
//! * What arguments may be: whatever is [`ContentHash`] (arrays, slices, numbers, text, tuples, maps, …) or
//!   `serde::Serialize`; [`FileContent`] for a file's content, [`FileStamp`] for its size and times;
//!   `#[cache(round(x = 1e-9))]` where small numerical errors aren't to count. [`digest`] shows what an argument counts as; the example
//!   `hash_throughput` of the repository, how fast it is on your machine.
//! * What results may be: whatever is [`Payload`] (arrays, [`Mapped`], numbers, tuples, `Option`, `Result`, `Vec`,
//!   maps, structs that derive it) or `serde::Serialize` and `serde::Deserialize`.
//! * What goes wrong unseen: [`MemoryBuilder::recheck`] computes a share of the hits again and tells of functions that
//!   aren't pure; [`Memory::lineage`] says which stored results went into a result.
//!
//! A function's own text is its code, and that of its helpers: every item that it reaches in its crate, in the
//! package's library and in crates by path, which the macro finds in their sources.
//! [`Function::parts`](inspect::Function::parts) lists them. Code of crates from a registry counts only if it is named: `depends(helper)` on the function, [`macro@code`] on the helper, which finds its own.
//!
//! Warnings, and the differences that [`MemoryBuilder::recheck`] finds, are events of `tracing` and counts in
//! [`Memory::stats`]; without a subscriber and without [`MemoryBuilder::verbose`] nothing is printed.
//!
//! Arguments count by their content. `docs/format.md` of the repository fixes the bytes on disk, `docs/guarantees.md`
//! says what is promised and which test holds it, `docs/design.md` why it is so.
//!
//! # Features
//!
//! * `half`: `half::f16` as an array element.
//! * `nifti`: volumes as NIfTI-1 files, with the crate `nifti`: the targets `NiftiFile` and `MappedNiftiFile` of
//!   [`Memory::make`], and `read_nifti`.
//! * `progress`: bars on stderr, where that is a terminal, for hashing, storing and compressing that last for more than a
//!   second; they go when the work is done. For applications: it adds the crate indicatif, and a library that asks for
//!   it asks for all.
//! * `remote`: `tier::ObjectStore`, for results that machines share in a bucket of S3, Google Cloud Storage or Azure, or on
//!   a server of HTTP. It adds the crates object_store, reqwest, rustls and tokio, and what they need.

#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("ndcache runs on Linux and macOS");

#[cfg(target_endian = "big")]
compile_error!("ndcache maps little-endian files, and so runs on little-endian machines only");

// The macros name the crate by the name that its user gave it; in its own tests and docs that is this one.
extern crate self as ndcache;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod call;
mod digest;
pub mod dynamic;
#[path = "map/emptied.rs"]
mod emptied;
mod entry;
mod error;
mod flight;
mod folder;
#[cfg(test)]
#[path = "../tests/support/fuzz.rs"]
mod fuzz;
pub mod inspect;
mod key;
pub mod make;
mod map;
mod memo;
mod memory;
mod payload;
mod planted;
#[path = "map/range_locks.rs"]
mod range_locks;
mod record;
mod results;
pub mod stats;
mod store;
mod threads;
pub mod tier;

pub use call::Call;
pub use digest::{ContentHash, Digest, Element, FileContent, FileStamp, digest};
pub use entry::{Entry, Mode};
pub use error::{Error, ErrorKind, Result};
pub use folder::Limits;
pub use key::Key;
pub use map::{Mapped, Mapped0, Mapped1, Mapped2, Mapped3, Mapped4, Mapped5, Mapped6, MappedCow, MappedD, MappedMut};
pub use memory::{Memory, MemoryBuilder};
pub use ndcache_macros::{ContentHash, Payload, cache, call, code};
pub use payload::{Compression, Payload};
pub use results::zeros;

/// Why a call hits or misses: what [`Memory::explain`] returns.
pub mod explain {
    pub use crate::stats::reason::{Difference, Explanation, Reason};
}

/// How values become digests, beside [`digest()`](crate::digest()): types of one's own, text, and whatever serde knows.
pub mod hash {
    pub use crate::digest::{ContentHasher, Text, digest_serde};
}

/// Mapped arrays by their number of dimensions, arrays that are filled in place, and which results can be mapped.
pub mod mapped {
    pub use crate::map::{
        Mapped, Mapped0, Mapped1, Mapped2, Mapped3, Mapped4, Mapped5, Mapped6, MappedCow, MappedCow0, MappedCow1,
        MappedCow2, MappedCow3, MappedCow4, MappedCow5, MappedCow6, MappedCowD, MappedD, MappedMut, MappedMut0,
        MappedMut1, MappedMut2, MappedMut3, MappedMut4, MappedMut5, MappedMut6, MappedMutD, Staged,
    };
    pub use crate::payload::{CopyOnWrite, Mappable, OneArray};
}

/// What a [`MemoryBuilder`] decides for all entries of a memory.
pub mod policy {
    pub use crate::entry::{MapPolicy, VerifyPolicy};
    pub use crate::folder::{EvictPolicy, Evicted};
    pub use crate::memory::{Settings, Validation};
    pub use crate::store::Durability;
}

/// Small references to stored results: what [`Memory::shelve`] returns.
pub mod shelve {
    pub use crate::results::Shelved;
}

/// Whether a cache folder is whole: what [`Memory::verify`] does and finds.
pub mod verify {
    pub use crate::folder::{Problem, Repair, VerifyReport};
}

/// The parsers, each for any bytes: `fuzz/` calls them. It exists in tests and where cargo-fuzz builds, and nowhere
/// else.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[allow(missing_docs)]
pub mod fuzzing {
    pub use crate::payload::fuzzing::{file, header, members, values};
    pub use crate::record::fuzzing::{code, overflow, record, slot};
    pub use crate::stats::history::any_line as line;
}

/// The examples of the pages, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/coming-from-joblib.md")]
#[doc = include_str!("../docs/recipes.md")]
#[doc = include_str!("../docs/tiers.md")]
mod pages {}
