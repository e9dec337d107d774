//! Digests of values: the tagged stream that each becomes.
//!
//! * `hasher`: the stream, its names, its nesting, and sums of what has no order; `tag`: its marks; `types`: what it says
//!   of a type, whose `type_name` may be that of others; `seen_types`: those whose code may count, too.
//! * `content`: [`ContentHash`](crate::ContentHash), with `scalars` and `containers`; `canonical`: what only serde knows.
//! * `shallow`: all arguments of a call at once, for what a process remembers; `text`: a value in words; `outline`: those
//!   of its parts, with their digests.

pub(crate) mod canonical;
pub(crate) mod containers;
pub(crate) mod content;
pub(crate) mod hasher;
pub(crate) mod outline;
pub(crate) mod scalars;
pub(crate) mod seen_types;
pub(crate) mod shallow;
pub(crate) mod tag;
pub(crate) mod text;
pub(crate) mod type_name;
pub(crate) mod types;
