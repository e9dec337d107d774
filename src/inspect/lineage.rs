//! What went into an entry, and what was made of it.

use crate::entry::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::find::EntryId;
use crate::memory::Memory;
use crate::results::{Dependents, Lineage};

impl Memory {
    /// Returns which stored results went into the result of an entry, like [`lineage`](Self::lineage), or `None` if
    /// there is no such entry.
    ///
    /// It reads all records of the cache, on several threads, and no arrays; if all arguments of the entry are
    /// numbers and texts, which are no results, it reads only its own record.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`entry_by_id`](Self::entry_by_id), or when the cache folder can't be listed.
    /// If a folder in it can't be listed, [`Lineage::unread`] says so.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndarray::prelude::*;
    ///
    /// #[ndcache::cache]
    /// fn ramp(n: usize) -> Array1<f64> {
    ///     Array1::linspace(0.0, 1.0, n)
    /// }
    ///
    /// #[ndcache::cache]
    /// fn total(x: &ArrayRef1<f64>) -> f64 {
    ///     x.sum()
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// let x = memory.eval(ramp::call(1000));
    /// memory.eval(total::call(&x));
    /// let entry = memory.entry(&total::call(&x))?.unwrap();
    /// assert_eq!(memory.lineage_of(entry.key())?.unwrap().entries().count(), 2);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn lineage_of(&self, id: impl EntryId) -> Result<Option<Lineage>> {
        let (Some(engine), Some(entry)) = (&self.0, self.entry_by_id(id)?) else { return Ok(None) };
        engine.trace([entry]).map(Some)
    }

    /// Returns which stored results went into those of these entries: one [`Lineage`], which has the entries themselves
    /// first. `None` if the memory is disabled.
    ///
    /// It reads all records of the cache once, however many entries are given; otherwise it is like
    /// [`lineage_of`](Self::lineage_of).
    ///
    /// # Errors
    ///
    /// Returns an error when the cache folder can't be listed. If a folder in it can't be listed, [`Lineage::unread`]
    /// says so.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndarray::prelude::*;
    ///
    /// #[ndcache::cache]
    /// fn ramp(n: usize) -> Array1<f64> {
    ///     Array1::linspace(0.0, 1.0, n)
    /// }
    ///
    /// #[ndcache::cache]
    /// fn total(x: &ArrayRef1<f64>) -> f64 {
    ///     x.sum()
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// for n in [10, 20] {
    ///     memory.eval(total::call(&memory.eval(ramp::call(n))));
    /// }
    /// let totals: Vec<_> = memory.entries_named(total::function().path()).collect::<Result<_, _>>()?;
    /// let lineage = memory.lineage_of_all(totals)?.unwrap();
    /// assert_eq!((lineage.entries().count(), lineage.links().count()), (4, 2));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn lineage_of_all(&self, entries: impl IntoIterator<Item = Entry>) -> Result<Option<Lineage>> {
        self.0.as_ref().map(|engine| engine.trace(entries)).transpose()
    }

    /// Returns these entries, and those whose results went into them, each once.
    ///
    /// It reads all records of the cache once, however many entries are given; otherwise it is like
    /// [`lineage_of`](Self::lineage_of).
    ///
    /// # Errors
    ///
    /// Returns an error when a folder can't be listed, because entries in it could be missing.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndarray::prelude::*;
    ///
    /// #[ndcache::cache]
    /// fn ramp(n: usize) -> Array1<f64> {
    ///     Array1::linspace(0.0, 1.0, n)
    /// }
    ///
    /// #[ndcache::cache]
    /// fn power(x: &ArrayRef1<f64>, n: i32) -> f64 {
    ///     x.mapv(|x| x.powi(n)).sum()
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// let x = memory.eval(ramp::call(1000));
    /// memory.eval(power::call(&x, 1));
    /// memory.eval(power::call(&x, 2));
    /// let powers: Vec<_> = memory.entries_named(power::function().path()).collect::<Result<_, _>>()?;
    /// assert_eq!(memory.with_lineage(powers)?.len(), 3);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn with_lineage(&self, entries: impl IntoIterator<Item = Entry>) -> Result<Vec<Entry>> {
        match &self.0 {
            Some(engine) => {
                let lineage = engine.trace(entries)?;
                match lineage.unread() {
                    Some(why) => Err(Error::new(ErrorKind::Io, why.to_owned())),
                    None => Ok(lineage.entries().cloned().collect()),
                }
            }
            None => Ok(Vec::new()),
        }
    }

    /// Returns which stored results were computed from the result of an entry, and which from those; `None` if there
    /// is no such entry.
    ///
    /// Arguments are matched as by [`lineage`](Self::lineage). It reads all records of the cache, on several threads,
    /// and no arrays.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`entry_by_id`](Self::entry_by_id), or when the cache folder can't be listed.
    /// If a folder in it can't be listed, [`Dependents::unread`] says so.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndarray::prelude::*;
    ///
    /// #[ndcache::cache]
    /// fn ramp(n: usize) -> Array1<f64> {
    ///     Array1::linspace(0.0, 1.0, n)
    /// }
    ///
    /// #[ndcache::cache]
    /// fn total(x: &ArrayRef1<f64>) -> f64 {
    ///     x.sum()
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path())?;
    /// let x = memory.eval(ramp::call(1000));
    /// memory.eval(total::call(&x));
    /// let entry = memory.entry(&ramp::call(1000))?.unwrap();
    /// let text = memory.dependents_of(entry.key())?.unwrap().to_string();
    /// assert!(text.lines().nth(1).unwrap().starts_with("└─ x of total(x=f64[1000] C)"));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn dependents_of(&self, id: impl EntryId) -> Result<Option<Dependents>> {
        let (Some(engine), Some(entry)) = (&self.0, self.entry_by_id(id)?) else { return Ok(None) };
        engine.dependents(entry).map(Some)
    }
}
