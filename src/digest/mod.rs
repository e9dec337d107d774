//! Content digests: what makes two arguments, results or files the same.
//!
//! Everything here is XXH3-128 (<https://xxhash.com>, seed 0) over an unambiguous stream of bytes; `docs/format.md`
//! fixes it. Three domains never meet, because the hashed bytes begin differently: arrays with `ndarray:` (`arrays`),
//! files with `file:` (`files`), every other value with `value:` (`values`).
//!
//! * `value`: [`Digest`] itself; `tree`: buffers, leaf by leaf; `stream`: bytes that come in pieces, hashed as
//!   one; `progress`: where a pass that lasts is shown.
//! * `arrays`: arrays as arguments and results; `values`: everything else, by its tagged stream; `files`: files as
//!   arguments.

pub(crate) mod arrays;
pub(crate) mod files;
mod progress;
mod stream;
mod tree;
mod value;
pub(crate) mod values;
mod xxh3;

pub(crate) use crate::threads::share::shared;
pub use arrays::array::arrays_hashed;
pub(crate) use arrays::array::hash_items;
#[cfg(test)]
pub(crate) use arrays::dtype::tests as hostile;
pub(crate) use arrays::dtype::{stored_itemsize, written_itemsize};
pub use arrays::element::Element;
pub(crate) use arrays::element::{itemsize, known_dtype, shown_dtype};
pub use arrays::meta::Order;
pub(crate) use arrays::meta::{ArrayMeta, array_text, memory_order};
pub use arrays::rounded::{Roundable, Step};
pub(crate) use arrays::trust::{Known, Registration};
pub use files::by_stamp::FileStamp;
pub use files::file::FileContent;
pub(crate) use files::seen::{SeenFile, files_seen};
pub(crate) use files::stamp::{CLOCK_STEP, absolute};
pub(crate) use progress::Work;
#[cfg(feature = "progress")]
pub(crate) use progress::{Show, show_by};
pub(crate) use stream::ByteStream;
pub(crate) use tree::{LEAF, TreeHasher, combine, leaf, leaf_of, piece_of_leaf, tree};
pub use value::Digest;
pub(crate) use value::DigestHash;
pub use values::canonical::digest_serde;
pub(crate) use values::canonical::{digest_serde_unordered, discriminant};
pub(crate) use values::content::feed;
pub use values::content::{ContentHash, digest};
pub use values::hasher::ContentHasher;
pub(crate) use values::hasher::Row;
pub(crate) use values::outline::by_serde::serialized;
pub(crate) use values::outline::{CUT, Leaf, PartStep};
pub use values::seen_types::TypeCode;
pub(crate) use values::seen_types::{DerivedType, SeenTypes, types_seen};
pub(crate) use values::shallow::PlainKey;
pub use values::text::Text;
pub(crate) use values::text::escaped;
pub(crate) use values::type_name::{TypeSequence, ambiguity, number_of, strip_lifetimes, type_number};
