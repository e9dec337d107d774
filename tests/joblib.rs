//! What `joblib.Memory` is tested for, and where it fails: `docs/guarantees.md` has the list.

mod arguments;
mod arrays;
mod calls;
mod concurrency;
mod failures;
mod limits;
mod results;
mod shelved;
mod validation;
