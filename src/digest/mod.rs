//! Content digests: what makes two arguments, results or files the same.
//!
//! Everything here is XXH3-128 (<https://xxhash.com>, seed 0) over an unambiguous stream of bytes; `docs/format.md`
//! fixes it. Three domains never meet, because the hashed bytes begin differently: arrays with `ndarray:` ([`meta`]),
//! files with `file:` ([`file`]), every other value with `value:` ([`hasher`]).
//!
//! | module | holds |
//! | --- | --- |
//! | [`value`] | [`Digest`] itself |
//! | [`element`] | what an array may hold, and NumPy's name for it |
//! | [`tree`] | digests of buffers, leaf by leaf |
//! | [`meta`] | shape and memory order, and the digest text made of them |
//! | [`array`] | digests of ndarray's arrays, in any layout |
//! | [`trust`] | live mapped arrays whose digest is known |
//! | [`hasher`] | the tagged stream: [`ContentHasher`]; its names, its nesting, and sums of what has no order |
//! | [`content`] | [`ContentHash`] |
//! | [`scalars`], [`containers`] | its implementations |
//! | [`canonical`] | values that only serde knows |
//! | [`file`], [`stamp`] | files as arguments, by content and by size and times; [`remembered`]: those read before |
//! | [`rounded`] | numbers that count by their nearest multiple of a step |
//! | [`quick`] | all arguments of a call at once, for what a process remembers |
//! | [`seen`] | files that arguments stand for, looked at once more |
//! | [`tag`] | the marks of the stream |
//! | [`stream`] | bytes that come in pieces, hashed as one |
//! | [`team`], [`ordered`] | work that several threads share, and what is handed over in order meanwhile |
//! | [`crew`] | the threads that help |
//! | [`types`] | what a stream says of a type |
//! | [`type_name`] | the names of types, without lifetimes, and numbers for types of one name |
//! | [`progress`] | who is told of a pass that lasts |
//! | [`text`] | a short text that says what a value is |

mod array;
mod canonical;
mod containers;
mod content;
mod crew;
mod element;
mod file;
mod hasher;
mod meta;
mod ordered;
mod progress;
mod quick;
mod remembered;
mod rounded;
mod scalars;
mod seen;
mod stamp;
mod stream;
mod tag;
mod team;
mod text;
mod tree;
mod trust;
mod type_name;
mod types;
mod value;

pub use array::arrays_hashed;
pub(crate) use array::hash_items;
pub use canonical::digest_serde;
pub(crate) use canonical::{digest_serde_unordered, discriminant};
pub(crate) use content::feed;
pub use content::{ContentHash, digest};
pub use element::Element;
pub(crate) use element::known_dtype;
pub use file::FileContent;
pub use hasher::ContentHasher;
pub(crate) use meta::{ArrayMeta, Order};
pub(crate) use ordered::ordered;
pub(crate) use progress::Work;
#[cfg(feature = "progress")]
pub(crate) use progress::{Show, show_by};
pub(crate) use quick::Brief;
pub use rounded::{Roundable, Step};
pub(crate) use seen::{SeenFile, files_seen};
pub use stamp::FileStamp;
pub(crate) use stream::ByteStream;
pub(crate) use team::shared;
pub use text::Text;
pub(crate) use text::escaped;
pub(crate) use tree::{LEAF, combine, leaf, tree};
pub(crate) use trust::{Known, Registration};
pub(crate) use type_name::{TypeSequence, ambiguity, number_of, strip_lifetimes, type_number};
pub use value::Digest;
