//! The arguments of a call that no types are known of.

use std::fmt;

use crate::call::describe::Description;
use crate::digest::{ContentHash, ContentHasher, Digest, Leaf, SeenFile, Text, feed, files_seen, shown_dtype};
use crate::error::Result;
use crate::key::{ArgumentDigest, interned};
use crate::payload::raw::Array;
use crate::record::SECRET;

/// An argument: its name, the digest that identifies its value, and a text that describes it.
///
/// ```
/// use ndcache::digest;
/// use ndcache::dynamic::RunTimeArgument;
///
/// let sigma = RunTimeArgument::new("sigma", digest(&1.5), "1.5");
/// let token = RunTimeArgument::of("token", "s3cr3t")?.secret();
/// assert_eq!(sigma.digest(), RunTimeArgument::of("sigma", &1.5)?.digest());
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone)]
pub struct RunTimeArgument {
    pub(super) name: &'static str,
    pub(super) digest: Digest,
    pub(super) described: Description,
    pub(super) secret: bool,
    pub(super) ignored: bool,
    /// An array whose digest may be but claimed by a record.
    pub(super) array: Option<Array>,
    /// The files whose content it stands for.
    pub(super) files: Vec<SeenFile>,
}

impl RunTimeArgument {
    /// Makes an argument with this digest. [`digest`](fn@crate::digest) computes the digests that arguments of
    /// `#[cache]` functions have, [`digest_array`](super::digest_array) those of arrays of any dtype; any other
    /// digest must differ wherever the values do.
    ///
    /// `text` is for people; its first 120 characters are stored. `name` is kept as long as the process runs: it
    /// should be the name of a parameter.
    #[must_use]
    pub fn new(name: &str, digest: Digest, text: &str) -> Self {
        let mut words = Text::new();
        words.display(text);
        Self {
            name: interned(name),
            digest,
            described: Description { text: words.into_string(), leaves: Vec::new() },
            secret: false,
            ignored: false,
            array: None,
            files: Vec::new(),
        }
    }

    /// Makes an argument from a Rust value, as for a `#[cache]` function. A [`FileContent`](crate::FileContent) is
    /// checked once more before a result is stored.
    ///
    /// # Errors
    ///
    /// Returns an error when the value can't be hashed, for example because a file can't be read.
    pub fn of<T: ContentHash + ?Sized>(name: &str, value: &T) -> Result<Self> {
        let hash = || {
            let mut hasher = ContentHasher::strict();
            feed(value, &mut hasher);
            hasher.try_finish()
        };
        let (digest, files) = files_seen(hash).map_err(|error| error.at(format_args!("argument `{name}`")))?;
        let mut text = Text::new();
        value.describe(&mut text);
        let described = Description { text: text.into_string(), leaves: Vec::new() };
        Ok(Self { described, files, ..Self::new(name, digest, "") })
    }

    /// Makes an argument from an array of any dtype. An array that was mapped from a cache already has its digest;
    /// before a result is stored under it, the bytes are compared with it.
    #[must_use]
    pub fn of_array(name: &str, array: &Array) -> Self {
        let text = format!("{}{:?} {}", shown_dtype(array.descr()), array.shape(), array.order());
        Self { array: Some(array.clone()), ..Self::new(name, array.digest(), &text) }
    }

    /// Declares that `value`, and the files in it, are inside this argument: they are checked once more before a
    /// result is stored, and results of [`FileStamp`](crate::FileStamp)s are sent to no tier. They aren't part of the
    /// key: `digest` must cover them.
    ///
    /// ```
    /// use ndcache::dynamic::RunTimeArgument;
    /// use ndcache::{FileContent, digest};
    ///
    /// let file = FileContent::open("Cargo.toml")?;
    /// let pair = RunTimeArgument::new("pair", digest(&(&file, 3)), "Cargo.toml, 3").holding(&file)?;
    /// assert_eq!(pair.digest(), digest(&(&file, 3)));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error when the value can't be hashed, for example because a file can't be read.
    pub fn holding<T: ContentHash + ?Sized>(mut self, value: &T) -> Result<Self> {
        self.files.extend(Self::of(self.name, value)?.files);
        Ok(self)
    }

    /// Adds a part of its value, with its place (`kind`, `steps[3]`), so that
    /// [`explain`](super::RunTimeCall::explain) can say which part has changed. It isn't part of the key; each part
    /// of an argument has another place.
    ///
    /// The place ``code of `Class` `` is that of code by which the value counts, such as the class of an object: where it
    /// differs, the explanation is ``argument `x`: code of `Class` changed``. What differs without the code is told from it
    /// by a part whose place is empty.
    #[must_use]
    pub fn part(mut self, path: &str, digest: Digest, text: &str) -> Self {
        let mut words = Text::new();
        words.display(text);
        self.described.leaves.push(Leaf { path: path.to_owned(), digest, text: words.into_string() });
        self
    }

    /// Makes the argument secret: it is part of the key, but neither its text nor its own digest is stored, nor any
    /// of its parts.
    #[must_use]
    pub fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// Makes the argument ignored: it isn't part of the key, and nothing of it is stored.
    #[must_use]
    pub fn ignored(self) -> Self {
        Self { ignored: true, ..self }
    }

    /// Returns the digest that identifies its value.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Takes the description of the argument; a secret one is described by nothing.
    pub(super) fn take_description(&mut self) -> Description {
        let described = std::mem::take(&mut self.described);
        if self.secret { Description { text: SECRET.to_owned(), leaves: Vec::new() } } else { described }
    }

    pub(super) fn counted(&self) -> ArgumentDigest {
        let claimed = self.array.as_ref().is_some_and(|array| !array.is_verified());
        ArgumentDigest { name: self.name, digest: self.digest, claimed, secret: self.secret }
    }
}

impl fmt::Debug for RunTimeArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.secret { SECRET } else { &self.described.text };
        write!(f, "{}={text}", self.name)
    }
}
