//! The 18 failures of `joblib.Memory`, V1 to V18 in `docs/guarantees.md`, and what happens here instead.

mod code;
mod files;
mod keys;
mod storing;
