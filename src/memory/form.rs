//! The forms in which a result can be asked for.

use crate::entry::read::arrays::Remembered;
use crate::entry::site::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::memo::entry::MemoEntry;
use crate::memory::Engine;
use crate::payload::{Codec, CopyOnWrite, Mappable, Reader};
use crate::record::Record;

/// A result in the form that was asked for, and what went wrong on the way.
pub(crate) struct Evaluated<T> {
    pub(crate) value: T,
    pub(crate) fault: Option<Error>,
}

/// The form in which a result is asked for.
pub(crate) trait ResultForm<R>: Copy {
    type Out;
    /// Loads the result of an entry.
    fn load(self, entry: &StoredEntry<'_>, codec: Codec<R>) -> Result<Self::Out>;
    /// Decodes it from a value without arrays; `None` where it takes more of the entry, or can't be had.
    fn decode(self, _value: &mut Reader<'_>, _codec: Codec<R>) -> Option<Self::Out> {
        None
    }
    /// Takes it from the computed value, where there is no entry.
    fn keep(self, value: R) -> Self::Out;
    /// Whether the computed value has to come back from its entry.
    fn reloads(self, codec: Codec<R>) -> bool;
}

/// The result as the function returns it.
#[derive(Clone, Copy)]
pub(crate) struct Owned;
/// Mapped.
#[derive(Clone, Copy)]
pub(crate) struct Shared;
/// Mapped copy-on-write.
#[derive(Clone, Copy)]
pub(crate) struct Writable;

impl<R> ResultForm<R> for Owned {
    type Out = R;

    fn load(self, entry: &StoredEntry<'_>, codec: Codec<R>) -> Result<R> {
        entry.load(|reader| codec.load(reader))
    }

    fn decode(self, value: &mut Reader<'_>, codec: Codec<R>) -> Option<R> {
        codec.load(value).ok()
    }

    fn keep(self, value: R) -> R {
        value
    }

    fn reloads(self, codec: Codec<R>) -> bool {
        codec.type_name().has_mapped()
    }
}

impl<R: Mappable> ResultForm<R> for Shared {
    type Out = R::Mapped;

    fn load(self, entry: &StoredEntry<'_>, codec: Codec<R>) -> Result<R::Mapped> {
        match entry.load(R::map) {
            // A stored `Err`, say: nothing in it to map.
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(self.keep(Owned.load(entry, codec)?)),
            loaded => loaded,
        }
    }

    fn decode(self, value: &mut Reader<'_>, _: Codec<R>) -> Option<R::Mapped> {
        R::map(value).ok()
    }

    fn keep(self, value: R) -> R::Mapped {
        value.into_mapped()
    }

    fn reloads(self, _: Codec<R>) -> bool {
        true
    }
}

impl<R: CopyOnWrite> ResultForm<R> for Writable {
    type Out = R::Cow;

    fn load(self, entry: &StoredEntry<'_>, codec: Codec<R>) -> Result<R::Cow> {
        match entry.load(R::copy_on_write) {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(self.keep(Owned.load(entry, codec)?)),
            loaded => loaded,
        }
    }

    fn keep(self, value: R) -> R::Cow {
        value.into_cow()
    }

    /// What is mapped already may be larger than memory.
    fn reloads(self, codec: Codec<R>) -> bool {
        codec.type_name().has_mapped()
    }
}

/// An entry that was found or has just been made.
pub(crate) struct StoredEntry<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) site: &'a Site,
    pub(crate) record: &'a Record,
    /// Just made, so that its digests are this process's own.
    pub(crate) fresh: bool,
    /// Where it is remembered, unless it is fresh.
    pub(crate) memo_entry: Option<&'a MemoEntry>,
}

impl StoredEntry<'_> {
    /// Decodes the value with `load`.
    pub(crate) fn load<T>(&self, load: impl FnOnce(&mut Reader<'_>) -> Result<T>) -> Result<T> {
        self.engine.archive.load_with(
            self.site,
            self.record,
            self.memo_entry.map(|memo_entry| memo_entry as &dyn Remembered),
            load,
        )
    }
}
