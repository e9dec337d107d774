//! Editing a stored result: mapped privately, published again under the same key.

use std::time::{Duration, SystemTime};

use ndarray::{ArrayRef, Dimension};

use crate::call::lazy::Call;
use crate::call::options::Options;
use crate::digest::Element;
use crate::entry::site::Site;
use crate::entry::write::names::stem_of;
use crate::entry::write::put::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::map::MappedMut;
use crate::memory::form::{ResultForm, StoredEntry};
use crate::memory::{Engine, Memory};
use crate::payload::{Codec, OneArray, Writer};
use crate::record::{Record, nanoseconds_since_1970};

/// How long a commit waits for whoever else replaces the entry. Going on without a turn that another process has
/// leaves, at worst, files that no record names.
const PATIENCE: Duration = Duration::from_secs(5);

/// How an array of this type is stored.
type Save<A, D> = fn(&ArrayRef<A, D>, &mut Writer<'_>) -> Result<()>;

impl Memory {
    /// Returns the result of `call` for editing: it can be changed in memory, and published by [`MappedMut::commit`].
    ///
    /// The result is computed and stored first if it isn't stored yet; if it was edited before, the edited one is
    /// returned. A hit takes the time of a few system calls; pages that are written to take memory. The function must
    /// return one array: an `Array`, an `ArcArray` or a [`Mapped`](crate::Mapped).
    ///
    /// An edited entry is a hit like any other until it is removed or [refreshed](Self::refresh).
    /// [`Entry::edited`](crate::Entry::edited) and [`explain`](Self::explain) distinguish it from a computed one.
    ///
    /// # Errors
    ///
    /// Returns an error when the memory is disabled or read-only, or the function is read-only, now and not only at
    /// the commit; when the call has no key; or when its result can't be stored.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// #[ndcache::cache]
    /// fn mask(n: usize) -> ndarray::Array1<bool> {
    ///     ndarray::Array1::from_elem(n, true)
    /// }
    ///
    /// let mut mask = memory.mmap_mut(mask::call(1000))?;
    /// mask[17] = false; // a bad sample, found by eye
    /// mask.commit()?;
    /// assert!(!memory.eval(mask::call(1000))[17]);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn mmap_mut<A, R: OneArray>(&self, call: Call<A, R>) -> Result<MappedMut<R::Element, R::Axes>> {
        let Some(engine) = self.writable("edit a result")? else {
            return Err(Error::unsupported("can't edit a result: the memory is disabled"));
        };
        engine.expect_writes(call.function(), call.options(), "edit a result")?;
        let site = engine.site(&call)?;
        let (function, options) = (call.function(), call.options());
        let evaluated = self.evaluate(call, Editable);
        if let Some(fault) = evaluated.fault {
            return Err(fault);
        }
        let (array, record) = evaluated.value.ok_or_else(|| {
            let path = function.path();
            Error::unsupported(format!("the result of function `{path}` isn't stored, and so can't be edited"))
        })?;
        let (memory, save) = (self.clone(), R::save_array as Save<_, _>);
        Ok(MappedMut::new(array, Box::new(move |array| memory.commit(&site, options, &record, array, save))))
    }

    fn commit<A: Element, D: Dimension>(
        &self,
        site: &Site,
        options: &Options,
        base: &Record,
        array: &ArrayRef<A, D>,
        save: Save<A, D>,
    ) -> Result<()> {
        let engine = self.0.as_deref().ok_or_else(|| Error::unsupported("the memory is disabled"))?;
        engine.commit(site, options, base, |out| save(array, out))
    }
}

/// The form of a result that is to be edited: mapped copy-on-write, with its record; `None` where there is no entry.
#[derive(Clone, Copy)]
struct Editable;

impl<R: OneArray> ResultForm<R> for Editable {
    type Out = Option<(R::Cow, Record)>;

    fn load(self, entry: &StoredEntry<'_>, _: Codec<R>) -> Result<Self::Out> {
        let array = entry.load(R::copy_on_write)?;
        Ok(Some((array, entry.record.clone())))
    }

    fn keep(self, _: R) -> Self::Out {
        None
    }

    fn reloads(self, _: Codec<R>) -> bool {
        true
    }
}

impl Engine {
    /// Publishes another value at `site`; what else the record says stays as in `base`.
    fn commit(
        &self,
        site: &Site,
        options: &Options,
        base: &Record,
        save: impl Fn(&mut Writer<'_>) -> Result<()>,
    ) -> Result<()> {
        self.archive.put_whole(site, || self.commit_once(site, options, base, &save).map(Some)).map(drop)
    }

    fn commit_once(
        &self,
        site: &Site,
        options: &Options,
        base: &Record,
        save: impl Fn(&mut Writer<'_>) -> Result<()>,
    ) -> Result<Record> {
        let compression = self.compression(options);
        compression.check()?;
        let stem = stem_of(self.is_readable(options), &base.function, &base.arguments);
        let mut sink = Sink::new(&self.archive, site, compression, stem);
        let mut writer = Writer::new(&mut sink, self.settings.inline);
        save(&mut writer)?;
        // The lifetime of an edit begins now, however old the result is that it replaces.
        let expires = self.expires(options).is_some() || base.expires.is_some();
        let created = if expires { nanoseconds_since_1970(SystemTime::now()) } else { base.created };
        let lifetime = base.expires.map(|at| at.saturating_sub(base.created));
        let record = Record {
            value: writer.finish(),
            arrays: sink.arrays.clone(),
            overflow: None,
            producer: self.archive.producer(),
            created,
            expires: lifetime.map(|lifetime| created.saturating_add(lifetime)),
            edited: true,
            origin: None,
            python: Vec::new(),
            ..base.clone()
        };
        // Two that replace the entry at once wouldn't see each other's files, and so wouldn't remove them.
        let lead = self.flights().moment(site.key(), PATIENCE);
        if lead.is_alone() {
            // What is computed would replace it.
            let what = "its result is computed anew just now; commit the edited one when that has ended";
            return Err(Error::new(ErrorKind::Other, format!("function `{}`: {what}", base.function)));
        }
        // Of two edits the last one wins.
        sink.publish(&record, |_| true)?;
        Ok(record)
    }
}
