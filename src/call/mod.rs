//! Calls that haven't happened yet, and how their arguments become digests.
//!
//! * `lazy`: a call with its function and arguments; `options`: what its function says about storing; `request`: what
//!   the engine knows of a call, with types or without.
//! * `arguments`: the arguments of a call, digested or put in words; `keyed`: how one of some type is digested;
//!   `by_parts`: containers of what only serde knows; `rounding`: arguments that count by multiples of a step;
//!   `mutable_arguments`: those that are refused.
//! * `describe`: arguments in words; `draft`: what of them records hold; `secret`: those whose values are recorded and shown nowhere.

pub(crate) mod arguments;
mod by_parts;
pub(crate) mod describe;
pub(crate) mod draft;
pub(crate) mod keyed;
pub(crate) mod lazy;
pub(crate) mod mutable_arguments;
pub(crate) mod options;
pub(crate) mod request;
pub(crate) mod rounding;
mod secret;

pub use lazy::{Call, LazyCall};
pub use options::Options;
