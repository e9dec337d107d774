//! One opaque error, whose message names its path, function or key.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// The result of a fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of ndcache; one machine word wide.
///
/// Its message names the file, function or argument concerned, what was expected and what was found.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kind of an error, for programs that decide by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system reported an error: a full disk, a permission, a deleted folder.
    Io,
    /// Stored bytes differ from those that were written.
    Damaged,
    /// Stored by a newer version of this crate, in a format that this one can't read.
    Newer,
    /// A shelved result was replaced or removed: the content isn't the requested one.
    Changed,
    /// A value, a file system or a platform that this crate doesn't support.
    Unsupported,
    /// The caller's input is invalid.
    Invalid,
    /// The caller's own code failed, such as a [`Persister`](crate::make::Persister).
    Other,
}

impl Error {
    /// Returns the kind of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Wraps another error, for a [`Persister`](crate::make::Persister) or a `main` to return.
    ///
    /// An error of this crate stays as it is; an error of the operating system gets the kind [`ErrorKind::Io`], any
    /// other [`ErrorKind::Other`].
    ///
    /// ```
    /// use ndcache::{Error, ErrorKind};
    ///
    /// let error = Error::other("column 3 is empty");
    /// assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Other, "column 3 is empty"));
    /// ```
    ///
    /// `?` alone converts only errors of the operating system. A `main` that returns [`ndcache::Result`](Result)
    /// wraps others by this function; one that returns `Result<(), Box<dyn std::error::Error>>` accepts all as they
    /// are.
    ///
    /// ```no_run
    /// fn main() -> ndcache::Result<()> {
    ///     let memory = ndcache::Memory::open("cache")?;
    ///     let text = std::fs::read_to_string("threshold.txt")?;
    ///     let threshold: f64 = text.trim().parse().map_err(ndcache::Error::other)?;
    ///     println!("{threshold}, {:?}", memory.location());
    ///     Ok(())
    /// }
    /// ```
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let kind = |error: &(dyn std::error::Error + 'static)| match error.downcast_ref::<std::io::Error>() {
            Some(_) => ErrorKind::Io,
            None => ErrorKind::Other,
        };
        match error.into().downcast::<Self>() {
            Ok(own) => *own,
            Err(error) => Self::new(kind(&*error), error.to_string()),
        }
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    pub(crate) fn damaged(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Damaged, message)
    }

    pub(crate) fn newer(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Newer, message)
    }

    pub(crate) fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// A failed system call: `action` is a verb phrase such as `open`, `path` its object.
    pub(crate) fn io(action: &str, path: &Path, source: impl Into<std::io::Error>) -> Self {
        Self::new(ErrorKind::Io, format!("can't {action} `{}`", path.display())).because(source.into())
    }

    /// Adds the cause, which `Display` prints once, after the message.
    pub(crate) fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Puts the object in front of the message: ``array `a.npy`: …``.
    pub(crate) fn at(mut self, object: impl fmt::Display) -> Self {
        self.0.message = format!("{object}: {}", self.0.message).into();
        self
    }

    /// A copy of the error for another reader; its cause becomes text.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.kind(), self.to_string())
    }

    /// The operating system's error, if that is the cause.
    pub(crate) fn io_error(&self) -> Option<&std::io::Error> {
        self.0.source.as_deref()?.downcast_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a `main` that returns it prints.
        write!(f, "{self} ({:?})", self.kind())
    }
}

/// An error of the operating system, in a [`Persister`](crate::make::Persister) of one's own or a `main`; its message names no
/// file unless the error does.
///
/// ```
/// use ndcache::ErrorKind;
///
/// fn length(path: &str) -> ndcache::Result<u64> {
///     Ok(std::fs::metadata(path)?.len())
/// }
///
/// assert_eq!(length("/no such file").unwrap_err().kind(), ErrorKind::Io);
/// ```
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::other(error)
    }
}

// Nothing in an error can be half changed, whatever its cause is.
impl std::panic::UnwindSafe for Error {}
impl std::panic::RefUnwindSafe for Error {}

// The cause is part of the message, so that it is not printed twice by reporters that walk `source`.
impl std::error::Error for Error {}
