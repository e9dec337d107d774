//! What a tier asks of a place that keeps objects: five verbs, and no protocol.

use std::fmt;
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use crate::tier::{Advice, Fault};

/// A place that keeps objects by name: a folder, an object store, a server of one's own.
///
/// A tier calls it on threads of its own, several at a time. No call has to be fast, and none is waited for longer than
/// its [`Deadline`]; a call that panics turns the tier off in this process. What it returns is verified: wrong bytes cost
/// a computation, never a wrong result.
///
/// Names are relative paths of ASCII characters, with `/` between their components, none of which is empty, `.` or `..`.
///
/// Its one promise: **an object is seen whole or not at all**. While one is put in place of another, each reader gets all
/// of the old one or all of the new one.
///
/// [`conformance`](crate::tier::conformance()) checks that, and the rest of what is said here:
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
    /// Which place it is: the same text in every process that means the same place, another one for every other place.
    ///
    /// It names the queue of what is to be sent there, and stands in logs and statistics: it holds no secret, and names the
    /// server that was resolved, not only a bucket of it.
    fn place(&self) -> String;

    /// Writes an object, or the part of it that is asked for, to `out`, front to back.
    ///
    /// An error of `out` ends the call: the reader wants no more.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::Absent`] when there is no such object, and any other fault when that isn't known, or not all was
    /// written.
    fn get(&self, get: &Get<'_>, out: &mut dyn io::Write) -> Result<Got, Fault>;

    /// Puts an object there, in place of one that has the name.
    ///
    /// With [`When::IfAbsent`] a place that can tell leaves an object that is there, and says [`Fault::Exists`]; one that
    /// can't puts the object all the same.
    ///
    /// # Errors
    ///
    /// Returns an error when the object isn't there as a whole; what was there before is there still. An error of `body`
    /// is one of these.
    fn put(&self, put: &Put<'_>, body: &dyn Body) -> Result<Stored, Fault>;

    /// Removes an object. That it isn't there is no error; [`Fault::Absent`] is taken as none, too.
    ///
    /// # Errors
    ///
    /// Returns an error when it may be there still.
    fn delete(&self, name: &str, until: Deadline) -> Result<(), Fault>;

    /// Calls `each` for the objects below a folder, in no order; those that are put or deleted meanwhile may be left out.
    ///
    /// A token says that there are more, which a call with this token in [`List::after`] lists.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::Unsupported`] when the place can't list, which is what this does unless it is replaced; and the
    /// error of `each`.
    fn list(&self, list: &List<'_>, each: Each<'_>) -> Result<Option<Token>, Fault> {
        let _ = (list, each);
        Err(Fault::Unsupported)
    }

    /// What this place knows of the cause of a fault that it has just returned, and of what helps: for messages. It is asked
    /// nothing, and returns at once. Nothing unless said.
    fn advice(&self, fault: &Fault) -> Option<Advice> {
        let _ = fault;
        None
    }

    /// Whether [`get`](Self::get) gives parts of objects; otherwise it is only asked for whole ones. They don't unless
    /// said.
    fn ranges(&self) -> bool {
        false
    }
}

/// What [`Backend::get`] is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Get<'a> {
    /// The object's name.
    pub name: &'a str,
    /// The bytes that are wanted, counted from 0; all of them if it is `None`, as it is for a place without
    /// [`ranges`](Backend::ranges). They lie within the object, unless it is shorter than it was when it was put: then those
    /// that are there will do, or any fault.
    pub range: Option<Range<u64>>,
    /// The most bytes that the reader takes. It fails to take another one; who knows beforehand that there are more needn't
    /// send any.
    pub at_most: u64,
    /// When the reader stops to wait.
    pub until: Deadline,
}

impl<'a> Get<'a> {
    /// A whole object of at most so many bytes.
    #[must_use]
    pub fn new(name: &'a str, at_most: u64, until: Deadline) -> Self {
        Self { name, range: None, at_most, until }
    }

    /// A part of the object, which is all that the reader takes.
    #[must_use]
    pub fn range(self, range: Range<u64>) -> Self {
        Self { at_most: range.end.saturating_sub(range.start), range: Some(range), ..self }
    }

    /// The part of the whole object that is asked for, as far as it is there.
    #[must_use]
    pub fn part_of<'b>(&self, whole: &'b [u8]) -> &'b [u8] {
        let Some(range) = &self.range else { return whole };
        let at = |offset: u64| usize::try_from(offset).map_or(whole.len(), |offset| offset.min(whole.len()));
        &whole[at(range.start)..at(range.end).max(at(range.start))]
    }
}

/// What [`Backend::get`] says of an object that it has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Got {
    /// The length of the whole object in bytes, if it is known.
    pub len: Option<u64>,
    /// When it was put, by the place's clock, if that is known.
    pub modified: Option<SystemTime>,
}

impl Got {
    /// What was got of an object of `len` bytes in all.
    #[must_use]
    pub fn of(len: u64) -> Self {
        Self { len: Some(len), modified: None }
    }

    /// One that was put then.
    #[must_use]
    pub fn modified(self, modified: SystemTime) -> Self {
        Self { modified: Some(modified), ..self }
    }
}

/// What [`Backend::put`] is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Put<'a> {
    /// The object's name.
    pub name: &'a str,
    /// Whether an object that is there stays.
    pub when: When,
    /// When the writer stops to wait.
    pub until: Deadline,
}

impl<'a> Put<'a> {
    /// An object in place of one that may be there.
    #[must_use]
    pub fn new(name: &'a str, until: Deadline) -> Self {
        Self { name, when: When::Always, until }
    }

    /// Only if no object of the name is there, as far as the place can tell.
    #[must_use]
    pub fn if_absent(self) -> Self {
        Self { when: When::IfAbsent, ..self }
    }
}

/// Whether an object is put where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum When {
    /// It takes the other one's place.
    Always,
    /// The other one stays. Nothing depends on it: of equal results one is enough.
    IfAbsent,
}

/// What [`Backend::put`] says of an object that is there now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {}

/// The bytes of an object that is put: as many as it says, read as often and in whichever order the place likes.
pub trait Body: Sync {
    /// How many bytes.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills all of `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// Returns an error when they can't be read, or are fewer: then nothing may be put.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// All of them in memory.
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

/// What [`Backend::list`] is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct List<'a> {
    /// The folder, without a `/` at its end; all objects if it is empty.
    pub folder: &'a str,
    /// Where an earlier listing ended.
    pub after: Option<&'a Token>,
    /// When the reader stops to wait.
    pub until: Deadline,
}

impl<'a> List<'a> {
    /// From the beginning.
    #[must_use]
    pub fn new(folder: &'a str, until: Deadline) -> Self {
        Self { folder, after: None, until }
    }

    /// From where an earlier listing of the folder ended.
    #[must_use]
    pub fn after(self, token: &'a Token) -> Self {
        Self { after: Some(token), ..self }
    }
}

/// An object that [`Backend::list`] has found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listed<'a> {
    /// Its whole name, the folder included.
    pub name: &'a str,
    /// Its length in bytes.
    pub len: u64,
    /// When it was put, if that is known.
    pub modified: Option<SystemTime>,
}

impl<'a> Listed<'a> {
    /// An object of this name and so many bytes.
    #[must_use]
    pub fn new(name: &'a str, len: u64) -> Self {
        Self { name, len, modified: None }
    }

    /// One that was put then.
    #[must_use]
    pub fn modified(self, modified: SystemTime) -> Self {
        Self { modified: Some(modified), ..self }
    }
}

/// What hears of each object that [`Backend::list`] finds; its error ends the listing.
pub type Each<'a> = &'a mut dyn FnMut(Listed<'_>) -> Result<(), Fault>;

/// Where a listing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// What the place itself makes of it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The token's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The moment at which a caller stops to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// The longest wait, which is as good as for ever: a clock may not count further.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

impl Deadline {
    /// The moment that is `wait` from now.
    #[must_use]
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait.min(LONGEST))
    }

    /// What is left until then; nothing once it has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        self.left().is_zero()
    }

    /// The moment itself.
    #[must_use]
    pub fn instant(self) -> Instant {
        self.0
    }
}
