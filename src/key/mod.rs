//! What a call is stored under: function, code and argument digests, and the key made of them. Pure.
//!
//! `docs/format.md` ("Keys") fixes every byte. No clock, no environment and no path of a machine enters a key.

mod arguments;
mod builder;
mod code;
mod fact;
mod function;
mod helpers;
mod object;
mod part;
mod path;
mod run_time;
mod types;

pub(crate) use arguments::{ArgumentDigest, ArgumentDigests};
pub use builder::FunctionBuilder;
pub(crate) use builder::interned;
pub use code::{Code, CodeOf, CodeScope, Dependency, HasCode};
pub use fact::Fact;
pub(crate) use function::CallTypes;
pub use function::{Definition, Function, Naming, Upstream, called, member, within};
pub use helpers::{CodePart, HelperFact, Helpers};
pub(crate) use part::{Part, changes};
pub(crate) use path::folder;
pub use path::shown_path;
pub(crate) use types::Types;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::{ByteStream, Digest};
use crate::error::{Error, Result};

/// Raised only when the rules of this module change; every older entry is then a miss.
const KEY_VERSION: &str = "ndcache-key:1";

/// Begins the digests by which records know secret arguments.
const SECRET_VERSION: &str = "ndcache-secret:1";

/// Identifies one call: the same function, code, arguments and salt have the same key, in any process, on any
/// machine.
///
/// A key prints as 32 lower-case hexadecimal digits, which are the name of the entry's record, and parses from them.
/// Serde writes it like a [`Digest`]: as this text in human-readable formats, as 16 bytes in others.
///
/// ```
/// use ndcache::Key;
///
/// let key: Key = "0c3e264c767b9f1326f873db8c902583".parse()?;
/// assert_eq!(key.to_string(), "0c3e264c767b9f1326f873db8c902583");
/// assert!("0c3e264c".parse::<Key>().is_err()); // a key is whole
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Digest);

impl Key {
    /// Returns the key's 128 bits.
    #[must_use]
    pub fn digest(self) -> Digest {
        self.0
    }

    pub(crate) fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Key {
    type Err = Error;

    /// Reads 32 hexadecimal digits of either case.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Invalid`](crate::ErrorKind::Invalid) when the text is anything else.
    fn from_str(text: &str) -> Result<Self> {
        let refused = |_| {
            let text = text.escape_debug();
            Error::invalid(format!("key is `{text}`, expected 32 hexadecimal digits"))
        };
        text.parse().map(Self).map_err(refused)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// The digest of all that names a call but the memory's salt; with its types, where the build is a part of the code.
pub(crate) fn unsalted(function: Digest, result: Digest, arguments: &[ArgumentDigest], types: Option<u64>) -> Digest {
    let mut stream = KeyStream::new(KEY_VERSION);
    stream.digest(function);
    stream.digest(result);
    stream.length(arguments.len());
    for argument in arguments {
        stream.text(argument.name);
        stream.digest(argument.digest);
    }
    if let Some(types) = types {
        stream.number(types);
    }
    stream.finish()
}

/// A call's key in a memory with this salt.
pub(crate) fn salted(unsalted: Digest, salt: &str) -> Key {
    let mut stream = KeyStream::new(KEY_VERSION);
    stream.digest(unsalted);
    stream.text(salt);
    Key(stream.finish())
}

/// What a record says of a secret argument of this digest, in a memory with this salt.
pub(crate) fn secret_digest(digest: Digest, salt: &str) -> Digest {
    let mut stream = KeyStream::new(SECRET_VERSION);
    stream.text(salt);
    stream.digest(digest);
    stream.finish()
}

/// An unambiguous byte stream, hashed in one piece: lengths before texts, digests as they are.
pub(crate) struct KeyStream(ByteStream<SHORT>);

/// A key of a few arguments; XXH3 hashes that many bytes at once, by ways of its own.
const SHORT: usize = 240;

impl KeyStream {
    #[inline]
    pub(crate) fn new(domain: &str) -> Self {
        let mut stream = Self(ByteStream::new());
        stream.text(domain);
        stream
    }

    #[inline]
    pub(crate) fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    #[inline]
    pub(crate) fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.update(bytes);
    }

    #[inline]
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    #[inline]
    pub(crate) fn digest(&mut self, digest: Digest) {
        self.0.update(&digest.to_bytes());
    }

    #[inline]
    pub(crate) fn finish(&self) -> Digest {
        self.0.digest()
    }
}

/// The digest of a text by itself: a type's name, a const argument's value.
pub(crate) fn text_digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}
