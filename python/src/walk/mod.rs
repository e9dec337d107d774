//! The digest of any Python value: a structural walk by value, with an explicit stack.
//!
//! * `digest`: what the others ask for; `stream`: the bytes that a value becomes; `walker`: the walk itself; `atoms`:
//!   values without parts; `objects`: what an object consists of; `classes`: what of a type counts; `arrays`: NumPy's
//!   arrays and dtypes; `text`: arguments in words.
//!
//! The stream is that of `docs/format.md`, "Digests", for what Rust has as well (None, bool, int of 64 bits, float, str,
//! bytes, tuples, lists, POSIX paths, arrays); anything else begins with `34 text(py:…)`, which no Rust type does, and
//! ends with `00`. A part whose stream is longer than [`stream::LONG`], and any set or object, counts by its own digest
//! inside of others (`08` and the digest), so that a part which many hold is walked once.

mod arrays;
mod atoms;
mod classes;
mod digest;
mod objects;
mod stream;
mod text;
mod walker;

pub(crate) use arrays::{elements, layout, mapped_array, remember_mapped};
pub(crate) use classes::{Hooks, set_hooks};
pub(crate) use digest::{Claims, Inner, Manner, digest_if, digest_of, try_digest_of};
pub(crate) use objects::register_hasher;
pub(crate) use text::short_text;

use pyo3::create_exception;
use pyo3::exceptions::PyTypeError;

create_exception!(ndcache._core, Unkeyable, PyTypeError, "A value that has no digest by its content.");
