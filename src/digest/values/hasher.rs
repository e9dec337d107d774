//! The tagged stream that a value becomes.

mod names;
mod nested;
mod rows;
mod unordered;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{ArrayRef, Dimension, Ix2};
use serde::Serialize;

use crate::digest::arrays::array::{array_digest, deque_digest, digest_in_any_order};
use crate::digest::arrays::element::Element;
use crate::digest::arrays::trust;
use crate::digest::arrays::trust::{Known, known_digest};
use crate::digest::stream::ByteStream;
use crate::digest::value::Digest;
use crate::digest::values::canonical;
use crate::digest::values::tag::Tag;
use crate::digest::values::type_name::TypeSequence;
use crate::error::{Error, Result};
use names::NameTable;
pub(crate) use names::{Head, HeadKind, Name};
pub(crate) use rows::Row;
pub(crate) use unordered::DigestSum;

/// The stream over which a value's digest is computed:
/// [`ContentHash::content_hash`](crate::ContentHash::content_hash) writes the value into it.
///
/// Whatever is written is marked with its type and its end. So two values have the same digest only if the same was
/// written for both: `("ab", "c")` differs from `("a", "bc")`, `Some(None)` from `None`, `1_u8` from `1_u16`.
///
/// A value that is one array, or a reference to one, has that array's digest. Within other values an array enters by
/// its digest, so that no array is read whose digest is already known.
///
/// # Implementing `ContentHash` by hand
/// `#[derive(ContentHash)]` writes the full name of the type and each field with its name:
///
/// ```
/// use ndcache::hash::ContentHasher;
/// use ndcache::{ContentHash, digest};
///
/// struct Window {
///     name: String,
///     taps: Vec<f64>,
///     plotted: bool, // makes no difference to what is computed
/// }
///
/// impl ContentHash for Window {
///     fn content_hash(&self, hasher: &mut ContentHasher) {
///         hasher.begin_struct_of::<Self>();
///         hasher.field("name");
///         self.name.content_hash(hasher);
///         hasher.field("taps");
///         self.taps.content_hash(hasher);
///         hasher.end();
///     }
/// }
///
/// let hann = Window { name: "hann".into(), taps: vec![0.0, 0.5, 1.0], plotted: false };
/// let plotted = Window { name: "hann".into(), taps: vec![0.0, 0.5, 1.0], plotted: true };
/// assert_eq!(digest(&hann), digest(&plotted));
/// ```
///
/// An enum begins with [`begin_variant_of`](Self::begin_variant_of) instead. Collections without an order, such as a
/// set type of your own, use [`set`](Self::set) or [`map`](Self::map).
pub struct ContentHasher {
    pub(crate) stream: ByteStream<SHORT>,
    /// The leaf that was fed first, as long as nothing else was.
    only: Option<Digest>,
    empty: bool,
    /// Whether bytes are simply appended: something was fed already that is in the stream, and the stream isn't a
    /// shallow one.
    flows: bool,
    /// Whether it is the stream of a part, and not one that an implementation has put into its place.
    is_part: bool,
    /// How many bytes the stream of a part begins with.
    prefix: u8,
    strict: bool,
    claimed: bool,
    /// Feeds nothing that would take long.
    pub(crate) shallow: bool,
    /// It would have taken long, and something wasn't fed.
    pub(crate) cut: bool,
    pub(crate) failure: Option<Error>,
    /// What serde serialized ignored the error of a part of it.
    pub(crate) spoiled: bool,
    /// How much has begun and not ended, and how many boxes and `Some`s are around it.
    depth: u32,
    hops: u32,
    /// The names of the structs in it, as soon as there is one.
    names: Option<Box<NameTable>>,
    /// The types behind `dyn` references, whose names may be those of others.
    pub(crate) types: TypeSequence,
}

/// What numbers and short texts take.
const SHORT: usize = 128;

/// The stream's first bytes, which no array's text nor a file's begins with.
const DOMAIN: &[u8] = b"value:";

impl ContentHasher {
    /// Makes an empty stream. It depends on no array digest that this process hasn't verified.
    #[must_use]
    pub fn new() -> Self {
        Self::with(true, false)
    }

    /// A hasher that believes no claimed digest, as [`ContentHasher::new`] makes it.
    #[inline]
    pub(crate) fn strict() -> Self {
        Self::with(true, false)
    }

    /// A stream for lookups: it takes a record's word for the digest of a mapped array.
    #[inline]
    pub(crate) fn trusting() -> Self {
        Self::with(false, false)
    }

    #[inline]
    pub(crate) fn with(strict: bool, shallow: bool) -> Self {
        const BEGUN: ByteStream<SHORT> = ByteStream::beginning(DOMAIN);
        // The value is replaced, and not chosen by an `else`: so a hit takes 48 instructions fewer (rustc 1.95).
        let mut stream = BEGUN;
        if shallow {
            stream = ByteStream::new();
        }
        Self {
            stream,
            only: None,
            empty: true,
            flows: false,
            is_part: false,
            prefix: 0,
            strict,
            claimed: false,
            shallow,
            cut: false,
            failure: None,
            spoiled: false,
            depth: 0,
            hops: 0,
            names: None,
            types: TypeSequence::default(),
        }
    }

    /// Whether some array's digest is only what a record claims. If so, nothing may be stored under this one.
    pub(crate) fn claimed(&self) -> bool {
        self.claimed
    }

    /// Returns the error of the first part that failed to serialize, if there was one.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Returns the digest of everything that was written.
    ///
    /// If that was one array and nothing else, it is the array's digest. If a part [failed](Self::failure) to
    /// serialize, it is a digest that equals no other.
    #[must_use]
    #[inline]
    pub fn finish(self) -> Digest {
        self.digest()
    }

    /// The digest of all that was fed so far.
    #[inline]
    pub(crate) fn digest(&self) -> Digest {
        match self.only {
            Some(leaf) => leaf,
            None => self.stream.digest(),
        }
    }

    /// Returns the digest of everything that was written.
    ///
    /// # Errors
    ///
    /// Returns an error when a part failed to serialize.
    pub fn try_finish(mut self) -> Result<Digest> {
        self.take()
    }

    /// The digest of all that was fed so far, or the error that [`try_finish`](Self::try_finish) returns.
    #[inline]
    pub(crate) fn take(&mut self) -> Result<Digest> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => Ok(self.digest()),
        }
    }
}

macro_rules! numbers {
    ($($name:ident, $type:ty, $tag:ident, $what:literal;)*) => {
        /// Numbers, each marked with its width: of the same value, no two types feed alike.
        impl ContentHasher {$(
            #[doc = concat!("Feeds ", $what, ".")]
            #[inline]
            pub fn $name(&mut self, value: $type) {
                self.tagged_number(Tag::$tag, value.to_le_bytes());
            }
        )*}
    };
}

numbers! {
    u8, u8, U8, "an integer";
    u16, u16, U16, "an integer";
    u32, u32, U32, "an integer";
    u64, u64, U64, "an integer";
    u128, u128, U128, "an integer";
    i8, i8, I8, "an integer";
    i16, i16, I16, "an integer";
    i32, i32, I32, "an integer";
    i64, i64, I64, "an integer";
    i128, i128, I128, "an integer";
    f32, f32, F32, "a number by its bits: `-0.0` differs from `0.0`, and a NaN equals itself";
    f64, f64, F64, "a number by its bits: `-0.0` differs from `0.0`, and a NaN equals itself";
}

/// Parts that have none.
impl ContentHasher {
    /// Writes an integer, as 64 bits.
    #[inline]
    pub fn usize(&mut self, value: usize) {
        self.tagged_number(Tag::Usize, (value as u64).to_le_bytes());
    }

    /// Writes an integer, as 64 bits.
    pub fn isize(&mut self, value: isize) {
        self.tagged_number(Tag::Isize, (value as i64).to_le_bytes());
    }

    /// Writes a truth value.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.tagged_number(Tag::Bool, [u8::from(value)]);
    }

    /// Writes a character.
    #[inline]
    pub fn char(&mut self, value: char) {
        self.tagged_number(Tag::Char, u32::from(value).to_le_bytes());
    }

    /// Writes a text.
    pub fn str(&mut self, value: &str) {
        self.tagged_str(Tag::Str, value);
    }

    /// Writes bytes, which have another digest than a text, or a slice of `u8`.
    pub fn bytes(&mut self, value: &[u8]) {
        self.tag(Tag::Bytes);
        self.length_and(value);
    }

    /// Writes the only value of a type with one value.
    pub fn unit(&mut self) {
        self.tag(Tag::Unit);
    }

    /// Writes the absence of a value.
    #[inline]
    pub fn none(&mut self) {
        self.tag(Tag::None);
    }

    /// Marks the presence of a value, which is written next.
    #[inline]
    pub fn some(&mut self) {
        self.tag(Tag::Some);
    }

    /// Writes something whose digest is known, such as an array's. If nothing else is written, this is the digest of
    /// the stream.
    ///
    /// For a value that *is* a digest, use its [`ContentHash`](crate::ContentHash).
    #[inline]
    pub fn leaf(&mut self, digest: Digest) {
        if self.empty && !self.shallow {
            self.empty = false;
            self.only = Some(digest);
        } else {
            self.tagged(Tag::Leaf, &digest.to_bytes());
        }
    }

    /// Feeds an array; O(1) if it is one whose digest is known.
    #[inline]
    pub(crate) fn array<A: Element, D: Dimension>(&mut self, array: &ArrayRef<A, D>) {
        if self.shallow {
            match known_digest(array) {
                Some(digest) => self.leaf(digest),
                None => self.cut = true,
            }
            return;
        }
        match trust::lookup(array) {
            None => self.leaf(array_digest(array)),
            Some(known) => {
                let (digest, claimed) = known.resolve(self.strict, || digest_in_any_order(array));
                self.claimed |= claimed;
                self.leaf(digest);
            }
        }
    }

    /// Feeds a deque of elements: as a 1-d array, with a mark that tells it from one.
    pub(crate) fn deque<A: Element>(&mut self, deque: &VecDeque<A>) {
        if !self.leaves_out() {
            self.tag(Tag::Deque);
            self.leaf(deque_digest(deque));
        }
    }

    /// Feeds a sequence of arrays of one length: as a 2-d array of their elements, with a mark that tells it from one.
    pub(crate) fn rows<A: Element>(&mut self, rows: &ArrayRef<A, Ix2>) {
        if !self.leaves_out() {
            self.tag(Tag::Rows);
            self.leaf(array_digest(rows));
        }
    }

    /// The digest that is known of something, to be fed; `None` if it failed.
    ///
    /// `verify` finds out whether the bytes have it, and is asked only by a strict stream about a mere claim.
    pub(crate) fn trust(&mut self, known: &Known, verify: impl FnOnce() -> Result<()>) -> Option<Digest> {
        let digest = known.digest()?;
        if known.is_verified() {
            return Some(digest);
        }
        if !self.strict {
            self.claimed = true;
            return Some(digest);
        }
        match verify() {
            Ok(()) => known.verify(digest).then_some(digest),
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// Writes a value as serde serializes it, for types that don't implement [`ContentHash`](crate::ContentHash).
    ///
    /// As in [`digest_serde`](crate::hash::digest_serde), names, widths and variants matter, and the order of map
    /// entries doesn't. If the type refuses to serialize, the stream [fails](Self::failure).
    pub fn serialize<T: Serialize>(&mut self, value: &T) {
        if let Err(error) = canonical::feed(value, self, false) {
            self.fail(error);
        }
    }

    /// Keeps the first failure, and makes the digest equal to no other, of this process or another.
    pub(crate) fn fail(&mut self, error: Error) {
        static FAILURES: AtomicU64 = AtomicU64::new(0);
        let random = RandomState::new();
        let unique = FAILURES.fetch_add(1, Ordering::Relaxed);
        self.tagged(Tag::Failed, &random.hash_one(unique).to_le_bytes());
        self.raw(&random.hash_one((unique, "")).to_le_bytes());
        self.failure.get_or_insert(error);
    }
}

/// Bytes of the stream.
impl ContentHasher {
    #[inline]
    pub(crate) fn tag(&mut self, tag: Tag) {
        self.write([tag as u8]);
    }

    #[inline]
    pub(crate) fn tagged(&mut self, tag: Tag, value: &[u8]) {
        self.tag(tag);
        self.raw(value);
    }

    /// Feeds a tag and few bytes, in one go.
    #[inline]
    pub(crate) fn tagged_number<const LEN: usize>(&mut self, tag: Tag, value: [u8; LEN]) {
        if self.shallow && self.stream.has_room(1 + LEN) {
            self.stream.update(&[tag as u8]);
            self.stream.update(&value);
        } else if !(self.takes_bytes() && self.stream.extend(tag as u8, value)) {
            self.tagged(tag, &value);
        }
    }

    /// Feeds bytes as [`raw`](Self::raw) does, faster for few.
    #[inline]
    pub(crate) fn write<const LEN: usize>(&mut self, bytes: [u8; LEN]) {
        // In a shallow one no leaf stands apart.
        if self.shallow && self.stream.has_room(LEN) {
            self.stream.update(&bytes);
        } else if !(self.flows && self.stream.append(bytes)) {
            self.raw(&bytes);
        }
    }

    pub(crate) fn tagged_str(&mut self, tag: Tag, value: &str) {
        self.tag(tag);
        self.length_and(value.as_bytes());
    }

    pub(crate) fn length_and(&mut self, value: &[u8]) {
        self.write((value.len() as u64).to_le_bytes());
        self.raw(value);
    }

    #[inline]
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        if self.shallow {
            // In a shallow stream a leaf doesn't stand apart: its bytes are in the stream.
            match self.stream.has_room(bytes.len()) {
                true => self.stream.update(bytes),
                false => self.cut = true,
            }
            return;
        }
        self.takes_bytes();
        self.stream.update(bytes);
    }

    /// Whether bytes are simply appended, from the first ones on.
    #[inline]
    fn takes_bytes(&mut self) -> bool {
        self.flows || (!self.shallow && self.begin_to_flow())
    }

    /// Puts a leaf that stood alone before the bytes that come now. Out of line: it is done once.
    #[inline(never)]
    fn begin_to_flow(&mut self) -> bool {
        self.empty = false;
        if let Some(leaf) = self.only.take() {
            self.stream.update(&[Tag::Leaf as u8]);
            self.stream.update(&leaf.to_bytes());
        }
        self.flows = true;
        true
    }
}

impl Default for ContentHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ContentHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentHasher")
            .field("claimed", &self.claimed)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
