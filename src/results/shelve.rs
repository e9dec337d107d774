//! A reference to a stored result, for whoever passes results on without loading them.

#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::sync::Arc;

use crate::call::lazy::Call;
use crate::digest::{ContentHash, ContentHasher, Known, Text};
use crate::entry::in_memory::{Content, InMemoryEntry};
use crate::entry::info::Entry;
use crate::entry::read::find::{FoundEntry, Missing};
use crate::entry::rules::INLINE;
use crate::entry::site::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Function, Key, KeyStream, folder, shown_path};
use crate::memory::form::{ResultForm, StoredEntry};
use crate::memory::scope::ambient::ambient;
use crate::memory::{Engine, Memory};
use crate::payload::{Check, Codec, Mappable};
use crate::record::Record;
use crate::tier::{RemovedScope, mark};

/// A small reference to a result in a cache: it identifies the call and the content of its result.
///
/// [`Memory::shelve`] makes it. It is cheap to clone, can be sent to another thread, and can be serialized for
/// another process that opens the same folder. It refers to one content: if the entry was removed, evicted or
/// replaced by another content, using the reference is an error of the kind [`Changed`](ErrorKind::Changed).
///
/// ```
/// use ndarray::Array1;
/// use ndcache::shelve::Shelved;
/// use ndcache::{Memory, cache};
/// # let folder = tempfile::tempdir().unwrap();
///
/// #[cache]
/// fn ramp(n: usize) -> Array1<f64> {
///     Array1::from_shape_fn(n, |i| i as f64)
/// }
///
/// let memory = Memory::open(folder.path())?;
/// let shelved: Shelved<Array1<f64>> = memory.shelve(ramp::call(100_000))?;
/// let text = serde_json::to_string(&shelved).unwrap(); // some 200 bytes, for another process, say
/// let received: Shelved<Array1<f64>> = serde_json::from_str(&text).unwrap();
/// assert_eq!(received.mmap(&memory)?.sum(), shelved.load(&memory)?.sum());
///
/// memory.remove(&ramp::call(100_000))?;
/// assert_eq!(shelved.load(&memory).unwrap_err().kind(), ndcache::ErrorKind::Changed);
/// # Ok::<(), ndcache::Error>(())
/// ```
///
/// # As an argument
///
/// A shelved array has the digest of the array, and any other shelved result the digest of its content; neither is
/// read to find it. Before something is *stored* under a key with such a digest, this process must have verified the
/// bytes: through the memory that shelved the result, or, for a reference from another process, through the memory
/// that evaluates the call. If they can't be verified, the call is computed, not stored, and counted as a fault.
///
/// # Without an entry
///
/// If the result can't be stored (the memory is disabled or read-only, the call has no key, the disk is full) the
/// reference itself keeps a copy of the result. Then any memory can load it, and it can't be serialized.
pub struct Shelved<R> {
    reference: Arc<Reference>,
    codec: Codec<R>,
}

struct Reference {
    /// The function's path.
    function: String,
    referent: Referent,
}

enum Referent {
    Entry(ShelvedEntry),
    InMemory { key: Option<Key>, in_memory: InMemoryEntry },
}

/// What finds an entry again.
struct ShelvedEntry {
    key: Key,
    content: Content,
    /// The digest that it counts as, and whether this process has verified the bytes.
    known: Known,
    /// The memory that shelved it; none in a reference that was received.
    memory: Option<Memory>,
}

impl ShelvedEntry {
    fn of(entry: &StoredEntry<'_>, memory: &Memory) -> Self {
        let content = Content::of(entry.record);
        // Reading a record verifies all of it, but not its array files.
        let seen = entry.fresh || entry.record.arrays.is_empty();
        let known = if seen { Known::verified } else { Known::claimed };
        let key = entry.site.key();
        Self { key, content, known: known(content.counts_as()), memory: Some(memory.clone()) }
    }
}

impl Memory {
    /// Returns a reference to the result of `call`, which is computed and stored first if it isn't stored yet.
    ///
    /// A hit loads nothing: it reads the record and compares the lengths of its array files. If the result can't be
    /// stored, the reference keeps a copy of it, which takes as much memory.
    ///
    /// # Errors
    ///
    /// Returns an error when the result can neither be stored nor kept: an `Err` of a function without `cache_err`,
    /// or a value that can't be serialized.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// #[ndcache::cache]
    /// fn square(n: u64) -> u64 {
    ///     n * n
    /// }
    ///
    /// let shelved = (0..10).map(|n| memory.shelve(square::call(n))).collect::<ndcache::Result<Vec<_>>>()?;
    /// assert_eq!(shelved[7].load(&memory)?, 49);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn shelve<A, R>(&self, call: Call<A, R>) -> Result<Shelved<R>> {
        let engine = self.0.as_deref();
        let key = engine.and_then(|engine| Some(call.identity().ok()?.key(&engine.settings.salt)));
        let form = Shelving {
            memory: self,
            function: call.function(),
            key,
            codec: call.codec(),
            check: call.options().check(),
        };
        self.evaluate(call, form).value
    }
}

/// The form of a result that is asked for as a reference.
struct Shelving<'a, R> {
    memory: &'a Memory,
    function: &'static Function,
    key: Option<Key>,
    codec: Codec<R>,
    check: Check,
}

impl<R> Clone for Shelving<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Shelving<'_, R> {}

impl<R> Shelving<'_, R> {
    fn shelved(self, referent: Referent) -> Shelved<R> {
        let function = self.function.path().to_owned();
        Shelved { reference: Arc::new(Reference { function, referent }), codec: self.codec }
    }
}

impl<R> ResultForm<R> for Shelving<'_, R> {
    type Out = Result<Shelved<R>>;

    fn load(self, entry: &StoredEntry<'_>, _: Codec<R>) -> Result<Self::Out> {
        entry.engine.archive.is_whole(entry.site, entry.record)?;
        Ok(Ok(self.shelved(Referent::Entry(ShelvedEntry::of(entry, self.memory)))))
    }

    fn keep(self, mut value: R) -> Self::Out {
        let inline = self.memory.0.as_ref().map_or(INLINE, |engine| engine.settings.inline);
        let in_memory = InMemoryEntry::of(&self.codec.normalise(&mut value, self.check), inline).map_err(|error| {
            error.at(format_args!("the result of function `{}` can't be shelved", self.function.path()))
        })?;
        Ok(self.shelved(Referent::InMemory { key: self.key, in_memory }))
    }

    fn reloads(self, _: Codec<R>) -> bool {
        true
    }
}

impl<R> Shelved<R> {
    /// Reads the result into memory and verifies it.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Changed`](ErrorKind::Changed) when the entry isn't in `memory`'s folder any
    /// more, or has another content; of another kind when it can't be read.
    pub fn load(&self, memory: &Memory) -> Result<R> {
        match &self.reference.referent {
            Referent::InMemory { in_memory, .. } => in_memory.load(|reader| self.codec.load(reader)),
            Referent::Entry(entry) => self.reference.with_entry(entry, memory, |engine, site, record| {
                engine.archive.load(site, record, |reader| self.codec.load(reader))
            }),
        }
    }

    /// Returns the result with its arrays memory-mapped, like [`Memory::mmap`].
    ///
    /// # Errors
    ///
    /// Returns an error in the same cases as [`load`](Self::load).
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// #[ndcache::cache]
    /// fn zeros(n: usize) -> ndarray::Array1<f64> {
    ///     ndarray::Array1::zeros(n)
    /// }
    ///
    /// let zeros = memory.shelve(zeros::call(100_000))?.mmap(&memory)?;
    /// assert!(zeros.is_mapped());
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn mmap(&self, memory: &Memory) -> Result<R::Mapped>
    where
        R: Mappable,
    {
        let mapped = match &self.reference.referent {
            Referent::InMemory { in_memory, .. } => in_memory.load(R::map),
            Referent::Entry(entry) => self.reference.with_entry(entry, memory, |engine, site, record| {
                engine.archive.load(site, record, |reader| R::map(reader))
            }),
        };
        match mapped {
            // A stored `Err`, say: nothing in it to map.
            Err(error) if error.kind() == ErrorKind::Unsupported => self.load(memory).map(R::into_mapped),
            mapped => mapped,
        }
    }

    /// Removes the entry, and returns whether there was one. Mapped arrays keep their bytes.
    ///
    /// If the reference keeps a copy of the result, there is no entry to remove. A damaged entry is removed whatever
    /// its content was, since that can't be found out any more.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Changed`](ErrorKind::Changed) when the entry has another content, which stays;
    /// of another kind when it can't be removed.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let shelved = memory.shelve(double::call(1.0))?;
    /// assert!(shelved.remove(&memory)?);
    /// assert!(!shelved.remove(&memory)?);
    /// assert!(!memory.contains(&double::call(1.0)));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn remove(&self, memory: &Memory) -> Result<bool> {
        let Referent::Entry(entry) = &self.reference.referent else { return Ok(false) };
        let Some(engine) = memory.writable("remove an entry")? else { return Ok(false) };
        let site = self.reference.site(entry);
        loop {
            let seen = engine.archive.record_stat(&site)?;
            let found = match engine.archive.find(&site, &self.reference.function) {
                Ok(found) => {
                    self.reference.expect_content(entry, &found.record)?;
                    Some(found)
                }
                // A damaged record can't be loaded. Its files, which aren't known, are garbage for a sweep.
                Err(Missing::Damaged(_)) => None,
                Err(Missing::Absent | Missing::Due | Missing::Expired(_) | Missing::Off) => return Ok(false),
                Err(missing) => return Err(self.reference.unusable(missing, engine)),
            };
            mark(&engine.archive.disk, &RemovedScope::Key(entry.key));
            // Another content may have been published since the record was read.
            if !seen.is_some_and(|seen| engine.archive.is_record_still(&site, &seen)) {
                continue;
            }
            return engine.archive.remove(&site, found.as_ref().map(|found| &*found.record));
        }
    }

    /// Returns the path of the function that computed the result.
    ///
    /// ```
    /// #[ndcache::cache(name = "double")]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let shelved = ndcache::Memory::disabled().shelve(double::call(1.0))?;
    /// assert_eq!(shelved.function(), "double");
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn function(&self) -> &str {
        &self.reference.function
    }

    /// Returns the key of the call.
    ///
    /// A call without a key, because its memory is disabled or its arguments can't be keyed, gets one that is made
    /// from function and result, and under which nothing is stored.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let shelved = memory.shelve(double::call(1.0))?;
    /// assert_eq!(shelved.key(), memory.entry(&double::call(1.0))?.unwrap().key());
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn key(&self) -> Key {
        self.reference.key()
    }

    /// Returns the entry without its value, or `None` if it was removed, if there never was one, or if `memory` is
    /// disabled.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Changed`](ErrorKind::Changed) when the entry has another content; of another
    /// kind when it can't be read.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let entry = memory.shelve(double::call(1.0))?.metadata(&memory)?.unwrap();
    /// assert_eq!(entry.arguments()[0].text(), "1.0");
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn metadata(&self, memory: &Memory) -> Result<Option<Entry>> {
        let (Referent::Entry(entry), Some(engine)) = (&self.reference.referent, &memory.0) else { return Ok(None) };
        let site = self.reference.site(entry);
        match engine.archive.find(&site, &self.reference.function) {
            Ok(found) => {
                self.reference.expect_content(entry, &found.record)?;
                Ok(Some(engine.archive.entry(&site.record(), found)))
            }
            Err(Missing::Absent) => Ok(None),
            Err(missing) => Err(self.reference.unusable(missing, engine)),
        }
    }
}

impl Reference {
    fn key(&self) -> Key {
        match &self.referent {
            Referent::Entry(entry) => entry.key,
            Referent::InMemory { key: Some(key), .. } => *key,
            Referent::InMemory { key: None, in_memory } => {
                let mut stream = KeyStream::new("ndcache-kept:1");
                stream.text(&self.function);
                stream.digest(in_memory.content().digest);
                Key::from_digest(stream.finish())
            }
        }
    }

    /// The folder follows from the function's path, so that no name that was sent along is ever opened.
    fn site(&self, entry: &ShelvedEntry) -> Site {
        Site::new(folder(&self.function), entry.key)
    }

    /// Runs `load` on the record, if its content is still the one that was shelved; anew if the entry is replaced meanwhile.
    fn with_entry<T>(
        &self,
        entry: &ShelvedEntry,
        memory: &Memory,
        load: impl Fn(&Engine, &Site, &Record) -> Result<T>,
    ) -> Result<T> {
        let disabled = || Error::unsupported(format!("{self} can't be loaded: the memory is disabled"));
        let engine = memory.0.as_deref().ok_or_else(disabled)?;
        let site = self.site(entry);
        let mut found = self.find(entry, engine, &site)?;
        loop {
            let error = match load(engine, &site, &found.record) {
                Ok(value) => {
                    engine.archive.stamp(&site, found.used);
                    return Ok(value);
                }
                Err(error) => error,
            };
            // The entry may have been replaced after its record was read: by the same content, or by another.
            let again = self.find(entry, engine, &site)?;
            if again.record == found.record {
                return Err(error.at(self));
            }
            found = again;
        }
    }

    fn find(&self, entry: &ShelvedEntry, engine: &Engine, site: &Site) -> Result<FoundEntry> {
        let found = engine.archive.find_loadable(site, &self.function);
        let found = found.map_err(|missing| self.unusable(missing, engine))?;
        self.expect_content(entry, &found.record)?;
        Ok(found)
    }

    fn unusable(&self, missing: Missing, engine: &Engine) -> Error {
        match missing {
            Missing::Damaged(error)
            | Missing::Newer(error)
            | Missing::OtherType(error)
            | Missing::Unsupported(error)
            | Missing::Fault(error) => error.at(self),
            Missing::Absent | Missing::Due | Missing::Expired(_) | Missing::Off => {
                let place = engine.archive.disk.path().display();
                Error::new(ErrorKind::Changed, format!("{self} isn't in `{place}` any more"))
            }
        }
    }

    fn expect_content(&self, entry: &ShelvedEntry, record: &Record) -> Result<()> {
        let (found, expected) = (Content::of(record), entry.content);
        if found == expected {
            return Ok(());
        }
        let (found, expected) = (found.digest, expected.digest);
        Err(Error::new(
            ErrorKind::Changed,
            format!("{self} was replaced: its content is `{found}`, expected `{expected}`"),
        ))
    }

    /// Compares the arrays with their digests, so that something may be stored under these.
    fn verify(&self, entry: &ShelvedEntry) -> Result<()> {
        let memory = entry.memory.clone().or_else(|| ambient().map(|memory| Memory::clone(&memory)));
        let memory = memory.ok_or_else(|| Error::unsupported(format!("{self} can't be verified without a memory")))?;
        self.with_entry(entry, &memory, |engine, site, record| engine.archive.verify(site, record))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "result `{}` of function `{}`", self.key(), shown_path(&self.function))
    }
}

impl<R> ContentHash for Shelved<R> {
    /// Hashes an array as its own digest, and any other result as the digest of its content.
    fn content_hash(&self, hasher: &mut ContentHasher) {
        let (content, digest) = match &self.reference.referent {
            Referent::InMemory { in_memory, .. } => (in_memory.content(), Some(in_memory.content().counts_as())),
            Referent::Entry(entry) => (entry.content, hasher.trust(&entry.known, || self.reference.verify(entry))),
        };
        match digest {
            Some(array) if content.array.is_some() => hasher.leaf(array),
            Some(digest) => {
                hasher.begin_struct("ndcache::Shelved");
                hasher.field("content");
                digest.content_hash(hasher);
                hasher.end();
            }
            // The content couldn't be verified, which `trust` has noted in the hasher.
            None => {}
        }
    }

    fn describe(&self, text: &mut Text) {
        text.display(self);
    }
}

impl<R> Clone for Shelved<R> {
    fn clone(&self) -> Self {
        Self { reference: Arc::clone(&self.reference), codec: self.codec }
    }
}

/// Names key and function.
impl<R> fmt::Display for Shelved<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.fmt(f)
    }
}

impl<R> fmt::Debug for Shelved<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shelved({self})")
    }
}
