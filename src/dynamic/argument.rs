//! The arguments of a call that no types are known of.

use std::fmt;

use crate::call::describe::Described;
use crate::digest::{ContentHash, ContentHasher, Digest, Leaf, SeenFile, Text, feed, files_seen, shown_dtype};
use crate::error::Result;
use crate::key::{ArgumentDigest, interned};
use crate::payload::raw::Array;
use crate::record::SECRET;

/// An argument: its name, the digest that it counts by, and its value in words.
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
    pub(super) told: Described,
    pub(super) secret: bool,
    pub(super) ignored: bool,
    /// An array whose digest may be but claimed by a record.
    pub(super) array: Option<Array>,
    /// The files whose content it stands for.
    pub(super) files: Vec<SeenFile>,
}

impl RunTimeArgument {
    /// An argument of this digest. [`digest`](fn@crate::digest) makes those that arguments of `#[cache]` functions have,
    /// [`digest_array`](super::digest_array) those of arrays of any dtype; whatever else a digest is made of has to
    /// differ wherever the values do.
    ///
    /// `text` is for people; its first 120 characters are stored. `name` is kept for as long as the process runs: it is
    /// meant to be that of a parameter.
    #[must_use]
    pub fn new(name: &str, digest: Digest, text: &str) -> Self {
        let mut words = Text::new();
        words.display(text);
        Self {
            name: interned(name),
            digest,
            told: Described { text: words.into_string(), leaves: Vec::new() },
            secret: false,
            ignored: false,
            array: None,
            files: Vec::new(),
        }
    }

    /// A Rust value, as an argument of a `#[cache]` function. A [`FileContent`](crate::FileContent) is looked at once
    /// more before a result is stored.
    ///
    /// # Errors
    ///
    /// Returns an error when the value can't be hashed: a file can't be read, say.
    pub fn of<T: ContentHash + ?Sized>(name: &str, value: &T) -> Result<Self> {
        let hash = || {
            let mut hasher = ContentHasher::strict();
            feed(value, &mut hasher);
            hasher.try_finish()
        };
        let (digest, files) = files_seen(hash).map_err(|error| error.at(format_args!("argument `{name}`")))?;
        let mut text = Text::new();
        value.describe(&mut text);
        let told = Described { text: text.into_string(), leaves: Vec::new() };
        Ok(Self { told, files, ..Self::new(name, digest, "") })
    }

    /// An array of any dtype. One that was mapped from a cache has its digest already; before a result is stored under
    /// it, the bytes are compared with it.
    #[must_use]
    pub fn of_array(name: &str, array: &Array) -> Self {
        let text = format!("{}{:?} {}", shown_dtype(array.descr()), array.shape(), array.order());
        Self { array: Some(array.clone()), ..Self::new(name, array.digest(), &text) }
    }

    /// The files that `value` stands for, or that are in it, lie inside this argument: they are looked at once more before
    /// a result is stored, and results of [`FileStamp`](crate::FileStamp)s go to no tier. They enter no key: `digest` has to.
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
    /// Returns an error when the value can't be hashed: a file can't be read, say.
    pub fn holding<T: ContentHash + ?Sized>(mut self, value: &T) -> Result<Self> {
        self.files.extend(Self::of(self.name, value)?.files);
        Ok(self)
    }

    /// A part of its value, by where it is in it (`kind`, `steps[3]`): so that [`explain`](super::RunTimeCall::explain) can say
    /// which part has changed. It enters no key; of an argument's parts no two are at one place.
    #[must_use]
    pub fn part(mut self, path: &str, digest: Digest, text: &str) -> Self {
        let mut words = Text::new();
        words.display(text);
        self.told.leaves.push(Leaf { path: path.to_owned(), digest, text: words.into_string() });
        self
    }

    /// An argument that counts but isn't recorded: neither its text nor its own digest is stored, nor any of its parts.
    #[must_use]
    pub fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// An argument that doesn't count, and of which nothing is stored.
    #[must_use]
    pub fn ignored(self) -> Self {
        Self { ignored: true, ..self }
    }

    /// The digest by which it counts.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What is told of it; nothing of a secret one.
    pub(super) fn take_told(&mut self) -> Described {
        let told = std::mem::take(&mut self.told);
        if self.secret { Described { text: SECRET.to_owned(), leaves: Vec::new() } } else { told }
    }

    pub(super) fn counted(&self) -> ArgumentDigest {
        let claimed = self.array.as_ref().is_some_and(|array| !array.is_verified());
        ArgumentDigest { name: self.name, digest: self.digest, claimed, secret: self.secret }
    }
}

impl fmt::Debug for RunTimeArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.secret { SECRET } else { &self.told.text };
        write!(f, "{}={text}", self.name)
    }
}
