//! What a tier asks of a place that keeps objects: five verbs, and no protocol.
//!
//! `folder` and `in_memory` are two places; `conformance` tries whether one does what is asked of it.

pub(super) mod conformance;
pub(super) mod folder;
pub(super) mod in_memory;

use std::fmt;
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use crate::tier::{Advice, Fault};

/// A store of objects by name: a folder, an object store, or your own server.
///
/// A tier calls it on threads of its own, several at a time. No call has to be fast, but none is waited for longer
/// than its [`Deadline`]; a call that panics turns the tier off in this process. Whatever it returns is verified:
/// wrong bytes cause a computation, never a wrong result.
///
/// Names are relative paths of ASCII characters, with `/` between their components, none of which is empty, `.` or
/// `..`.
///
/// It must keep one promise: **a reader sees an object whole or not at all**. While one object replaces another, each
/// reader gets all of the old one or all of the new one.
///
/// [`conformance`](crate::tier::conformance()) checks this, and everything else on this page:
///
/// ```
/// use std::collections::HashMap;
/// use std::io::Write;
/// use std::sync::Mutex;
///
/// use ndcache::tier::{Backend, Body, Deadline, Fault, Get, Got, Put, Stored, When};
///
/// #[derive(Debug, Default)]
/// struct Shelf(Mutex<HashMap<String, Vec<u8>>>);
///
/// impl Backend for Shelf {
///     fn place(&self) -> String {
///         "shelf of this program".to_owned()
///     }
///
///     fn get(&self, get: &Get<'_>, out: &mut dyn Write) -> Result<Got, Fault> {
///         let object = self.0.lock().unwrap().get(get.name).cloned().ok_or(Fault::Absent)?;
///         out.write_all(get.part_of(&object))?;
///         Ok(Got::of(object.len() as u64))
///     }
///
///     fn put(&self, put: &Put<'_>, body: &dyn Body) -> Result<Stored, Fault> {
///         let object = body.to_vec()?;
///         let mut objects = self.0.lock().unwrap();
///         if put.when == When::IfAbsent && objects.contains_key(put.name) {
///             return Err(Fault::Exists);
///         }
///         objects.insert(put.name.to_owned(), object);
///         Ok(Stored::default())
///     }
///
///     fn delete(&self, name: &str, _: Deadline) -> Result<(), Fault> {
///         self.0.lock().unwrap().remove(name);
///         Ok(())
///     }
///
///     fn ranges(&self) -> bool {
///         true
///     }
/// }
///
/// ndcache::tier::conformance(&Shelf::default())?;
/// # Ok::<(), ndcache::Error>(())
/// ```
pub trait Backend: Send + Sync + fmt::Debug + 'static {
    /// Identifies the place: the same text in every process that means the same place, and another text for every
    /// other place.
    ///
    /// It names the queue of results to be sent there, and appears in logs and statistics: it must contain no secret,
    /// and must name the actual server, not only a bucket on it.
    fn place(&self) -> String;

    /// Writes an object, or the requested part of it, to `out`, from beginning to end.
    ///
    /// An error of `out` ends the call: the reader wants no more.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::Absent`] when there is no such object, and any other fault when that isn't known, or when not
    /// everything was written.
    fn get(&self, get: &Get<'_>, out: &mut dyn io::Write) -> Result<Got, Fault>;

    /// Puts an object, in place of one with this name.
    ///
    /// With [`When::IfAbsent`], a place that supports conditions leaves an existing object, and returns
    /// [`Fault::Exists`]; one that doesn't puts the object nevertheless.
    ///
    /// # Errors
    ///
    /// Returns an error when the object wasn't put as a whole; then the old one must still be there. An error of
    /// `body` is such an error.
    fn put(&self, put: &Put<'_>, body: &dyn Body) -> Result<Stored, Fault>;

    /// Removes an object. If it doesn't exist, that isn't an error; [`Fault::Absent`] is accepted, too.
    ///
    /// # Errors
    ///
    /// Returns an error when the object may still exist.
    fn delete(&self, name: &str, until: Deadline) -> Result<(), Fault>;

    /// Calls `each` for the objects below a folder, in no order; objects that are put or deleted in the meantime may
    /// be left out.
    ///
    /// A returned token says that there are more; a call with this token in [`List::after`] lists them.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::Unsupported`] when the place can't list, as the default implementation does; and the error of
    /// `each`.
    fn list(&self, list: &List<'_>, each: Each<'_>) -> Result<Option<Token>, Fault> {
        let _ = (list, each);
        Err(Fault::Unsupported)
    }

    /// Returns what this place knows of the cause of a fault that it has just returned, and of the remedy, for
    /// messages. It must return at once, without asking the server. The default is nothing.
    fn advice(&self, fault: &Fault) -> Option<Advice> {
        let _ = fault;
        None
    }

    /// Returns the name of the server, if there may be several places on it: when it doesn't answer for one of them, it
    /// isn't asked for the others either for a while. The default is nothing.
    fn server(&self) -> Option<String> {
        None
    }

    /// Returns whether [`get`](Self::get) can return parts of objects; otherwise it is only called for whole ones.
    /// The default is `false`.
    fn ranges(&self) -> bool {
        false
    }
}

/// The arguments of [`Backend::get`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Get<'a> {
    /// The object's name.
    pub name: &'a str,
    /// The requested bytes, counted from 0; `None`, always for a place without [`ranges`](Backend::ranges), means
    /// all. They are within the object, unless it is shorter than when it was put: then `get` may return the existing
    /// ones, or any fault.
    pub range: Option<Range<u64>>,
    /// The maximum number of bytes that the reader takes. It returns an error for another byte; a place that knows
    /// beforehand that there are more needn't send any.
    pub at_most: u64,
    /// When the reader stops waiting.
    pub until: Deadline,
}

impl<'a> Get<'a> {
    /// Requests a whole object of at most this many bytes.
    #[must_use]
    pub fn new(name: &'a str, at_most: u64, until: Deadline) -> Self {
        Self { name, range: None, at_most, until }
    }

    /// Requests a part of the object, which is all that the reader takes.
    #[must_use]
    pub fn range(self, range: Range<u64>) -> Self {
        Self { at_most: range.end.saturating_sub(range.start), range: Some(range), ..self }
    }

    /// Returns the requested part of a whole object, as far as it exists.
    #[must_use]
    pub fn part_of<'b>(&self, whole: &'b [u8]) -> &'b [u8] {
        let Some(range) = &self.range else { return whole };
        let at = |offset: u64| usize::try_from(offset).map_or(whole.len(), |offset| offset.min(whole.len()));
        &whole[at(range.start)..at(range.end).max(at(range.start))]
    }
}

/// What [`Backend::get`] returns for an object that it has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Got {
    /// The length of the whole object in bytes, if it is known.
    pub len: Option<u64>,
    /// When it was put, by the place's clock, if that is known.
    pub modified: Option<SystemTime>,
}

impl Got {
    /// Describes an object of `len` bytes in all.
    #[must_use]
    pub fn of(len: u64) -> Self {
        Self { len: Some(len), modified: None }
    }

    /// Adds when it was put.
    #[must_use]
    pub fn modified(self, modified: SystemTime) -> Self {
        Self { modified: Some(modified), ..self }
    }
}

/// The arguments of [`Backend::put`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Put<'a> {
    /// The object's name.
    pub name: &'a str,
    /// Whether an existing object stays.
    pub when: When,
    /// When the writer stops waiting.
    pub until: Deadline,
}

impl<'a> Put<'a> {
    /// Puts an object in place of an existing one.
    #[must_use]
    pub fn new(name: &'a str, until: Deadline) -> Self {
        Self { name, when: When::Always, until }
    }

    /// Puts only if there is no object with this name, as far as the place supports that.
    #[must_use]
    pub fn if_absent(self) -> Self {
        Self { when: When::IfAbsent, ..self }
    }
}

/// Whether an object is put if there is one with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum When {
    /// The new one replaces it.
    Always,
    /// The old one stays. Correctness doesn't depend on this, because both results are equal.
    IfAbsent,
}

/// What [`Backend::put`] returns for an object that was put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {}

/// The bytes of an object to put: `len` of them, read as often and in whatever order the place likes.
pub trait Body: Sync {
    /// Returns the number of bytes.
    fn len(&self) -> u64;

    /// Returns whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// Returns an error when they can't be read, or are fewer: then nothing may be put.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Reads all of them into memory.
    ///
    /// # Errors
    ///
    /// Returns an error when they can't be read.
    fn to_vec(&self) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.len()).map_err(io::Error::other)?;
        let mut bytes = vec![0; len];
        self.read_at(0, &mut bytes)?;
        Ok(bytes)
    }
}

impl Body for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)?.get(..buffer.len()));
        buffer.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl Body for Vec<u8> {
    fn len(&self) -> u64 {
        Body::len(self.as_slice())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        Body::read_at(self.as_slice(), offset, buffer)
    }
}

/// The arguments of [`Backend::list`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct List<'a> {
    /// The folder, without a `/` at its end; all objects if it is empty.
    pub folder: &'a str,
    /// Where an earlier listing ended.
    pub after: Option<&'a Token>,
    /// When the reader stops waiting.
    pub until: Deadline,
}

impl<'a> List<'a> {
    /// Lists from the beginning.
    #[must_use]
    pub fn new(folder: &'a str, until: Deadline) -> Self {
        Self { folder, after: None, until }
    }

    /// Lists from where an earlier listing of the folder ended.
    #[must_use]
    pub fn after(self, token: &'a Token) -> Self {
        Self { after: Some(token), ..self }
    }
}

/// An object that [`Backend::list`] has found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listed<'a> {
    /// Its whole name, with the folder.
    pub name: &'a str,
    /// Its length in bytes.
    pub len: u64,
    /// When it was put, if that is known.
    pub modified: Option<SystemTime>,
}

impl<'a> Listed<'a> {
    /// Describes an object with this name and length.
    #[must_use]
    pub fn new(name: &'a str, len: u64) -> Self {
        Self { name, len, modified: None }
    }

    /// Adds when it was put.
    #[must_use]
    pub fn modified(self, modified: SystemTime) -> Self {
        Self { modified: Some(modified), ..self }
    }
}

/// Called for each object that [`Backend::list`] finds; its error ends the listing.
pub type Each<'a> = &'a mut dyn FnMut(Listed<'_>) -> Result<(), Fault>;

/// Where a listing continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Makes a token from a text that only the place interprets.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the token's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The moment at which a caller stops waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// The longest wait, which is as good as for ever: a clock may not count further.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

impl Deadline {
    /// Returns the moment that is `wait` from now.
    #[must_use]
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait.min(LONGEST))
    }

    /// Returns the time that is left; zero if the moment has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Returns whether the moment has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        self.left().is_zero()
    }

    /// Returns the moment as an `Instant`.
    #[must_use]
    pub fn instant(self) -> Instant {
        self.0
    }
}
