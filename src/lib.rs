//! An on-disk function cache for programs that work on n-dimensional arrays.
//!
//! Annotate a slow function with [`macro@cache`]. Its first call stores the result in a folder, under a key made from the
//! function's code and the content of its arguments, which are hashed in parallel at memory bandwidth. Every later call
//! with the same key loads or memory-maps the stored result, in this process or in another one. Arrays above 4 KiB are
//! plain `.npy` files, which NumPy can map, too.
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
//!         println!("computing");
//!     }
//!     Array2::from_shape_fn((x.len(), 3), |(i, j)| x[i].powi(j as i32))
//! }
//!
//! fn main() -> ndcache::Result<()> {
//! #   let folder = tempfile::tempdir().unwrap();
//! #   let memory = Memory::open(folder.path())?;
//! #   if false {
//!     let memory = Memory::from_env("cache")?; // the folder `cache`, unless NDCACHE_DIR names another
//! #   }
//!     memory.set_global()?; // from here on every #[cache] function uses this memory
//!     let a = hamming(3); // computed and stored
//!     let b = hamming(3); // loaded
//!     assert_eq!(a, b);
//!     let v: Mapped2<f64> = memory.mmap(vander::call(&a, true)); // the result, memory-mapped
//!     println!("{}", v.sum()); // a Mapped derefs to ndarray's ArrayRef
//!     Ok(())
//! }
//! ```
//!
//! In a `main` that returns [`ndcache::Result`], `?` converts the errors of ndcache and of `std::io`, and
//! `.map_err(ndcache::Error::other)?` those of other libraries. In a `main` that returns
//! `Result<(), Box<dyn std::error::Error>>`, `?` converts all of them.
//!
//! # Where to look
//!
//! * Functions: [`macro@cache`]; [`macro@code`] for helpers in other crates; [`call!`] for library functions and closures.
//! * The cache: [`Memory`], opened by [`Memory::open`], [`Memory::from_env`] or a [`MemoryBuilder`];
//!   [`Memory::set_global`] makes it the memory of the process, [`Memory::with`] that of a thread while a closure runs.
//!   [`Memory::explain`] says why a call hits or misses, [`MemoryBuilder::verbose`] prints it, [`Memory::stats`] counts.
//! * Environment variables: [`Memory::from_env`] and [`MemoryBuilder::env`] read `NDCACHE_DIR`, a folder, and
//!   `NDCACHE_MODE`, which is `read-write`, `refresh`, `read-only` or `off` ([`Mode`]).
//! * Arguments: any type that implements [`ContentHash`] (arrays, slices, numbers, text, tuples, maps, …) or
//!   `serde::Serialize`; [`FileContent`] identifies a file by its content, [`FileStamp`] by its size and times;
//!   `#[cache(round(x = 1e-9))]` ignores small numerical errors. [`digest`] computes the digest by which a key identifies an
//!   argument.
//! * Results: any type that implements [`Payload`] (arrays, [`Mapped`], numbers, tuples, `Option`, `Result`, `Vec`,
//!   maps, structs that derive it), or `serde::Serialize` and `serde::Deserialize`.
//! * Mapped results: [`Mapped`], [`MappedCow`] and [`MappedMut`]. [`zeros()`] fills a large result in the file that will be
//!   stored, without a second copy. [`Shelved`](shelve::Shelved) is a small reference to a stored result.
//! * Build steps: [`Memory::make`] saves a result at a path that you choose, with a [`Persister`](make::Persister):
//!   [`NpyFile`](make::NpyFile), [`MsgpackFile`](make::MsgpackFile), [`NoOutput`](make::NoOutput), or your own;
//!   [`Fallible`](make::Fallible) around it if the function returns a `Result`. With the feature `nifti` it saves volumes of
//!   type `Volume`, which have a `Grid`.
//! * Limits: [`MemoryBuilder::limits`] keeps the folder within [`Limits`], and [`Memory::reduce_size`] enforces them once.
//!   [`MemoryBuilder::expires`] and `#[cache(expires = …)]` give results a lifetime.
//! * Files: [`Compression`] by [`MemoryBuilder::compression`] or `#[cache(compress = …)]`; [`MemoryBuilder::readable`] and
//!   `#[cache(readable = true)]` put function and arguments into the names of array files.
//! * Checks: [`Memory::verify`] checks every stored byte; [`MemoryBuilder::recheck`] computes a share of the hits again and
//!   reports functions that aren't pure; [`Memory::lineage`] says which stored results went into a result.
//!
//! The key holds the code of the function and of its helpers: every item that it reaches in its crate, in the package's
//! library and in path dependencies, which the macro finds in their sources.
//! [`Function::parts`](inspect::Function::parts) lists them. An item of a crate from a registry is part of the key only if
//! it is named: `depends(helper)` on the function, and [`macro@code`] on the helper, whose own helpers are found.
//!
//! Warnings, and the differences that [`MemoryBuilder::recheck`] finds, are events of `tracing` and are counted in
//! [`Memory::stats`]; without a subscriber and without [`MemoryBuilder::verbose`] nothing is printed.
//!
//! In the repository `docs/guarantees.md` lists what is promised, with the tests of each promise, `docs/format.md` the bytes
//! on disk, and `docs/design.md` the reasons.
//!
//! # Features
//!
//! * `half`: `half::f16` as an element type of arrays.
//! * `nifti`: volumes as NIfTI-1 files, with the crate `nifti`: the targets `NiftiFile` and `MappedNiftiFile` of
//!   [`Memory::make`], and `read_nifti`.
//! * `progress`: progress bars on stderr, if that is a terminal, while hashing, storing or compressing takes more than a
//!   second. It is meant for applications: it adds the crate indicatif, and a library that enables it enables it for all.
//! * `remote`: `tier::ObjectStore`, for results that machines share in a bucket of S3, Google Cloud Storage or Azure, or on
//!   an HTTP server. It adds the crates object_store, reqwest, rustls and tokio, and their dependencies.

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

pub use call::{Call, LazyCall};
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

/// How values become digests, besides [`digest()`](crate::digest()): your own types, text, and types of serde.
pub mod hash {
    pub use crate::digest::{ContentHasher, Text, digest_serde};
}

/// Mapped arrays by their number of dimensions, arrays that are filled in place, and the traits of results that can be
/// mapped.
pub mod mapped {
    pub use crate::map::{
        Mapped, Mapped0, Mapped1, Mapped2, Mapped3, Mapped4, Mapped5, Mapped6, MappedCow, MappedCow0, MappedCow1,
        MappedCow2, MappedCow3, MappedCow4, MappedCow5, MappedCow6, MappedCowD, MappedD, MappedMut, MappedMut0,
        MappedMut1, MappedMut2, MappedMut3, MappedMut4, MappedMut5, MappedMut6, MappedMutD, Staged,
    };
    pub use crate::payload::{CopyOnWrite, Mappable, OneArray};
}

/// The types of settings that a [`MemoryBuilder`] takes for a whole memory.
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

/// Damage in a cache folder: what [`Memory::verify`] checks and reports.
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
