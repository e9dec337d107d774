//! Functions that are known only when the program runs: those of another language, of a tool.
//!
//! A `#[cache]` function is known when it is compiled. This module caches functions that aren't: a function is given
//! by its path and the digest of its code ([`FunctionBuilder`]), arguments by name and digest ([`RunTimeArgument`]),
//! results as MessagePack with arrays of any NumPy dtype ([`RawValue`], [`Array`]). A call is looked up, computed
//! once for all threads and processes that need it, and stored ([`RunTimeCall`], [`Lead`]). Keys, entries, limits,
//! verification and explanations are those of `#[cache]` functions: if path, package, code, arguments and result type
//! agree, each finds the other's results.
//!
//! ```
//! use ndcache::dynamic::{RunTimeArgument, RunTimeCall, Form, FunctionBuilder, RawValue};
//! use ndcache::{Memory, digest};
//!
//! /// A tiny language: a function is a text such as `x * x + 1`, of one number.
//! fn run(source: &str, x: f64) -> f64 {
//!     let product = |term: &str| -> f64 {
//!         let factor = |word: &str| if word.trim() == "x" { x } else { word.trim().parse().unwrap() };
//!         term.split('*').map(factor).product()
//!     };
//!     source.split('+').map(product).sum()
//! }
//!
//! /// Calls a function of it through the cache.
//! fn cached(memory: &Memory, name: &str, source: &str, x: f64) -> ndcache::Result<f64> {
//!     let function = FunctionBuilder::new(name, digest(source)).build()?;
//!     let call = RunTimeCall::new(function, [RunTimeArgument::of("x", &x)?]);
//!     let value = call.eval(memory, Form::Owned, || RawValue::of(&run(source, x)))?;
//!     value.take()
//! }
//!
//! # let folder = tempfile::tempdir().unwrap();
//! let memory = Memory::open(folder.path())?;
//! assert_eq!(cached(&memory, "square", "x * x + 1", 3.0)?, 10.0); // computed and stored
//! assert_eq!(cached(&memory, "square", "x * x + 1", 3.0)?, 10.0); // loaded
//! assert_eq!(cached(&memory, "square", "x * x + 2", 3.0)?, 11.0); // the code has changed
//! assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 2));
//! # Ok::<(), ndcache::Error>(())
//! ```
//!
//! A binding that can't run the computation in a closure takes the steps separately:
//!
//! ```
//! use ndcache::dynamic::{RunTimeArgument, RunTimeCall, Form, FunctionBuilder, Turn, RawValue, Wait};
//! use ndcache::{Memory, digest};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! let memory = Memory::open(folder.path())?;
//! let function = FunctionBuilder::new("double", digest("2 * x")).build()?;
//! let call = RunTimeCall::new(function, [RunTimeArgument::new("x", digest(&21_i64), "21")]);
//! let value = match call.lead(&memory, Form::Owned, &Wait::new()) {
//!     Turn::Found(value) => value,
//!     Turn::Compute(lead) => lead.store(RawValue::of(&42_i64)?, Form::Owned).value, // the others wait until it is stored
//!     Turn::Interrupted => unreachable!("nobody interrupts"),
//! };
//! assert_eq!(value.take::<i64>()?, 42);
//! assert!(call.contains(&memory));
//! # Ok::<(), ndcache::Error>(())
//! ```
//!
//! [`MemoryBuilder::recheck`](crate::MemoryBuilder::recheck) has no effect on these calls, because the memory can't
//! run them.

mod argument;
mod call;
mod entry_value;
mod lead;
mod options;

pub use crate::digest::Order;
pub use crate::flight::TaskId;
pub use crate::key::{Function, FunctionBuilder};
pub use crate::memory::scope::frame::{note_expiry, on_expiry};
pub use crate::payload::raw::{
    Array, Bytes, Form, Owner, RawValue, array_reference, digest_array, dtype_itemsize, result_name,
};
pub use crate::threads::end_helpers;
pub use argument::RunTimeArgument;
pub use call::RunTimeCall;
pub use entry_value::EntryValue;
pub use lead::{Lead, Stored, Turn, Wait};
pub use options::{Lifetime, Options, Validate};
