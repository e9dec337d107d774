//! The result of an entry, whether its function has types or is known only at run time.

use std::fmt;

use super::call::owner;
use crate::digest::Digest;
use crate::entry::Entry;
use crate::entry::in_memory::Content;
use crate::entry::read::find::{FoundEntry, Missing};
use crate::entry::site::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{KeyStream, folder};
use crate::memory::{Engine, Memory};
use crate::payload::raw::{Form, RawValue, load};
use crate::record::Record;

/// The result of an entry, for a program that has no call of it: of any function, Rust's too, and whatever salt or secret
/// its key is made with.
///
/// It is loaded whether or not it has expired, and counts as no hit.
///
/// ```
/// use ndcache::dynamic::{EntryValue, Form};
///
/// # let folder = tempfile::tempdir().unwrap();
/// #[ndcache::cache]
/// fn double(x: f64) -> f64 {
///     2.0 * x
/// }
///
/// let memory = ndcache::Memory::builder(folder.path()).salt("beta").open()?;
/// memory.eval(double::call(1.5));
/// let entry = memory.entry(&double::call(1.5))?.unwrap();
/// let reader = ndcache::Memory::open(folder.path())?; // without the salt
/// assert_eq!(EntryValue::new(&reader, &entry).load(Form::Owned)?.take::<f64>()?, 3.0);
/// # Ok::<(), ndcache::Error>(())
/// ```
pub struct EntryValue<'a> {
    memory: &'a Memory,
    entry: &'a Entry,
    site: Site,
}

impl<'a> EntryValue<'a> {
    /// The result of `entry` in the folder of `memory`. Reads nothing.
    #[must_use]
    pub fn new(memory: &'a Memory, entry: &'a Entry) -> Self {
        let site = Site::new(folder(entry.function()), entry.key()).of_any_value();
        Self { memory, entry, site }
    }

    /// The result as it is stored by now, its arrays verified as those of any lookup. Notes that the entry was used.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Changed`](ErrorKind::Changed) when the entry is no longer there; any other when it
    /// can't be read, and when `memory` is disabled.
    pub fn load(&self, form: Form) -> Result<RawValue> {
        let engine = self.engine()?;
        let mut found = self.found(engine)?;
        loop {
            let error = match engine.archive.load(&self.site, &found.record, |reader| load(reader, form)) {
                Ok(value) => {
                    engine.archive.stamp(&self.site, found.used);
                    let Record { python, origin, expires, .. } = &*found.record;
                    return Ok(value.found_with(python, origin.as_deref(), Some(owner(&found.stat)), *expires));
                }
                Err(error) => error,
            };
            // Evicted or replaced after its record was read, unless it is damaged.
            let again = self.found(engine)?;
            if again.record == found.record {
                return Err(error);
            }
            found = again;
        }
    }

    /// The digest of its content: of the value and its arrays, and of what tells Python's types apart. The same value has
    /// another digest only if its arrays lie in the record here and in files there. Reads no array; the record once more
    /// where the value is long.
    ///
    /// # Errors
    ///
    /// Returns an error when the record is no longer there or can't be read.
    pub fn content(&self) -> Result<Digest> {
        self.entry.whole_record().map(|record| content(&record))
    }

    /// Compares the bytes of its arrays with their digests, if its content is still this one: then something may be stored
    /// under it. Reads all of its files.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Changed`](ErrorKind::Changed) when the entry is no longer there or has another
    /// content, of the kind [`Damaged`](ErrorKind::Damaged) when bytes have another digest; any other when they can't be
    /// read.
    pub fn verify(&self, expected: Digest) -> Result<()> {
        let engine = self.engine()?;
        let found = self.found(engine)?;
        if content(&found.record) != expected {
            let path = self.entry.path().display();
            return Err(Error::new(ErrorKind::Changed, format!("entry `{path}` was replaced by another result")));
        }
        engine.archive.verify(&self.site, &found.record)
    }

    fn engine(&self) -> Result<&'a Engine> {
        let path = self.entry.path().display();
        let disabled = || Error::unsupported(format!("entry `{path}` can't be loaded: the memory is disabled"));
        self.memory.0.as_deref().ok_or_else(disabled)
    }

    fn found(&self, engine: &Engine) -> Result<FoundEntry> {
        engine.archive.find(&self.site, self.entry.function()).map_err(|missing| match missing {
            Missing::Damaged(error)
            | Missing::Newer(error)
            | Missing::OtherType(error)
            | Missing::Unsupported(error)
            | Missing::Fault(error) => error,
            Missing::Absent | Missing::Due | Missing::Expired(_) | Missing::Off => {
                Error::new(ErrorKind::Changed, format!("entry `{}` is no longer there", self.entry.path().display()))
            }
        })
    }
}

/// The digest of what a record holds, for Python (docs/format.md, "Content").
fn content(record: &Record) -> Digest {
    let mut stream = KeyStream::new("ndcache-python-content:1");
    stream.digest(Content::of(record).counts_as());
    stream.bytes(&record.python);
    stream.finish()
}

impl fmt::Debug for EntryValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryValue({:?})", self.entry)
    }
}
