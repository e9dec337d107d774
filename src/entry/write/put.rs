//! From a computed value to an entry: arrays first, each under a name of its own; the record's rename is the commit.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::digest::{ArrayMeta, Digest, SeenFile, combine};
use crate::entry::archive::Archive;
use crate::entry::in_memory::Content;
use crate::entry::info::stored_bytes;
use crate::entry::read::find::Missing;
use crate::entry::rules::Sharing;
use crate::entry::site::Site;
use crate::entry::write::array::{write_blocks, write_plain};
use crate::entry::write::names::stem_of;
use crate::error::{Error, Result};
use crate::key::{Part, Types};
use crate::map::Stage;
use crate::payload::npy_header;
use crate::payload::{ArraySink, Compression, Plain, Savable, Saved};
use crate::planted;
use crate::record::{ArgumentList, ArrayRecord, FORMAT, NPY, Record, nanoseconds, nanoseconds_since_1970, required};
use crate::store::{StagedBlob, nonce};

/// How often storing an entry is tried while somebody sweeps its files away.
const TRIES: usize = 5;

/// About what a record takes without its value, to tell when limits may be exceeded.
const RECORD_LEN: u64 = 512;

/// What a record says of a call besides its value; gathered before the arguments are gone.
pub(crate) struct Draft {
    pub(crate) function: &'static str,
    pub(crate) code: Digest,
    pub(crate) parts: &'static [Part],
    pub(crate) arguments: ArgumentList,
    pub(crate) build: Option<Digest>,
    /// The types of the call, which mean something within `build` alone.
    pub(crate) types: Option<Types>,
    pub(crate) readable: bool,
    pub(crate) expires: Option<u64>,
    pub(crate) files: Vec<SeenFile>,
    pub(crate) sharing: Sharing,
    /// Whether the result means nothing on another machine.
    pub(crate) local: bool,
    /// What somebody had edited where it is to be stored, before the function ran.
    pub(crate) edited: Option<Content>,
}

impl Draft {
    /// Whether the files that the arguments stand for are still what was hashed; asked when the function has returned.
    pub(crate) fn expect_unchanged_files(&self) -> Result<()> {
        let at = |error: Error| error.at(format_args!("function `{}`: its result isn't stored", self.function));
        self.files.iter().try_for_each(SeenFile::expect_unchanged).map_err(at)
    }

    /// An edit is by hand, and can't be computed again.
    fn may_replace(&self, previous: &Record) -> bool {
        !previous.edited || self.edited == Some(Content::of(previous))
    }

    /// Sets whether the result goes to tiers now, and whether it never does.
    pub(crate) fn shared(self, sharing: Sharing, local: bool) -> Self {
        Self { sharing: if local { Sharing::No } else { sharing }, local, ..self }
    }

    /// Sets what is replaced though somebody has edited it. What is edited after the function has begun stays.
    pub(crate) fn over(self, edited: Option<Content>) -> Self {
        Self { edited, ..self }
    }

    /// Sets whether array files get names that say what they are.
    pub(crate) fn readable(self, readable: bool) -> Self {
        Self { readable, ..self }
    }
}

impl Archive {
    /// Stores `value` at `site`, its arrays in this compression, and removes the files of the entry that it replaces.
    /// On a full disk, limits make room. `None` if somebody has edited that entry since the function began: it stays.
    pub(crate) fn put(
        &self,
        site: &Site,
        draft: &Draft,
        value: &dyn Savable,
        duration: Duration,
        compression: Compression,
    ) -> Result<Option<Record>> {
        let put = || self.put_whole(site, || self.put_once(site, draft, value, duration, compression));
        match put() {
            Err(error) if is_full(&error) && self.observer.make_room() => put(),
            put => put,
        }
    }

    /// Somebody who clears the folder meanwhile may have taken files of the entry before its record was there to say
    /// whose they are: then it is stored again.
    pub(crate) fn put_whole(&self, site: &Site, put: impl Fn() -> Result<Option<Record>>) -> Result<Option<Record>> {
        let mut stored = put()?;
        self.forget_removed();
        for _ in 1..TRIES {
            // What was evicted at once went with its record.
            let is_torn = |record| self.is_whole(site, record).is_err() && self.stands(site, record);
            if !stored.as_ref().is_some_and(is_torn) {
                break;
            }
            stored = put()?;
        }
        Ok(stored)
    }

    fn put_once(
        &self,
        site: &Site,
        draft: &Draft,
        value: &dyn Savable,
        duration: Duration,
        compression: Compression,
    ) -> Result<Option<Record>> {
        compression.check()?;
        let stem = stem_of(draft.readable, draft.function, &draft.arguments);
        let mut sink = Sink::new(self, site, compression, stem);
        let Saved { bytes, features, python } = value.saved(&mut sink, self.rules.inline)?;
        let record = Record {
            format: FORMAT,
            requires: required(features.pickle, features.dtype),
            key: site.key().digest(),
            function: draft.function.into(),
            code: draft.code,
            arguments: draft.arguments.clone(),
            created: nanoseconds_since_1970(SystemTime::now()),
            duration: nanoseconds(duration),
            expires: draft.expires,
            build: draft.build,
            types: draft.types,
            value: bytes,
            arrays: sink.arrays.clone(),
            overflow: None,
            producer: self.producer(),
            edited: false,
            origin: None,
            python,
            local: draft.local,
        };
        if draft.sharing != Sharing::No {
            self.observer.committing(site, &record, draft.sharing);
        }
        if !sink.publish(&record, |previous| draft.may_replace(previous))? {
            return Ok(None);
        }
        if draft.sharing != Sharing::No {
            self.observer.committed(site, &record, draft.sharing);
        }
        self.keep_code(site, draft);
        Ok(Some(record))
    }

    fn publish(&self, site: &Site, record: &Record) -> Result<()> {
        let durability = self.rules.durability;
        let split = record.split(|| format!("{}.{}.msgpack", site.key(), nonce()))?;
        let overflow = split.overflow.map(|overflow| (site.file(&overflow.file), overflow));
        if let Some((file, overflow)) = &overflow {
            let mut blob = self.disk.create(file, overflow.len())?;
            write_blocks(&overflow.head, overflow.value, &mut blob, |_| {})?;
            blob.write_all(&overflow.tail)?;
            blob.finish(durability)?;
        }
        let replaced = self.disk.replace(&site.record(), &split.record, durability);
        self.observer.changed(site.key());
        if let (Err(_), Some((file, _))) = (&replaced, &overflow) {
            let _ = self.disk.remove(file);
        }
        replaced
    }
}

/// Writes the arrays of one value into files; removes them again unless a record names them.
pub(crate) struct Sink<'a> {
    archive: &'a Archive,
    site: &'a Site,
    compression: Compression,
    /// What the names of the files begin with.
    stem: String,
    pub(crate) arrays: Vec<ArrayRecord>,
    /// The files that were staged, by their names.
    adopted: Vec<(String, Stage)>,
    published: bool,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(archive: &'a Archive, site: &'a Site, compression: Compression, stem: String) -> Self {
        Self { archive, site, compression, stem, arrays: Vec::new(), adopted: Vec::new(), published: false }
    }

    /// Publishes the record that names the arrays, and removes the files of the entry that it replaces; `false` if it
    /// `may` not replace that.
    pub(crate) fn publish(mut self, record: &Record, may: impl FnOnce(&Record) -> bool) -> Result<bool> {
        let previous = match self.archive.find_in_open(self.site, &record.function) {
            Err(Missing::Newer(error) | Missing::OtherType(error)) => return Err(error),
            found => found.ok(),
        };
        if previous.as_ref().is_some_and(|previous| !may(&previous.record)) {
            return Ok(false);
        }
        let files = record.files().map(|file| self.archive.disk.path_of(&self.site.file(file)));
        let late = planted::late("record before data", files);
        self.archive.publish(self.site, record)?;
        self.published = true;
        late.appear();
        // From here on the record stands and names the files, whatever becomes of the folders.
        self.archive.disk.sync_folders_of(&self.site.record(), self.archive.rules.durability)?;
        if let Some(previous) = previous {
            self.archive.remove_files(self.site, &previous.record);
        }
        self.archive.observer.stored(stored_bytes(record) + record.value.len() as u64 + RECORD_LEN);
        Ok(true)
    }
}

impl ArraySink for Sink<'_> {
    fn put(&mut self, meta: &ArrayMeta, data: &[u8], known: Option<Digest>) -> Result<u32> {
        let index = self.index()?;
        let header = npy_header(meta)?;
        let encoder = self.compression.codec();
        let (codec, expected) = match &encoder {
            None => (NPY, header.len() as u64 + data.len() as u64),
            // The encoded length isn't known yet, so that nothing is reserved.
            Some(encoder) => (encoder.name(), 0),
        };
        let file = self.name(codec);
        let mut blob = self.archive.disk.create(&self.site.file(&file), expected)?;
        let plain = Plain { header: &header, data, hashed: known.is_none() };
        let written = match &encoder {
            None => write_plain(&plain, &mut blob),
            Some(encoder) => encoder.encode(&plain, &mut |part| blob.write_all(part)),
        }?;
        blob.finish(self.archive.rules.durability)?;
        self.arrays.push(ArrayRecord {
            file,
            meta: meta.clone(),
            offset: header.len() as u64,
            length: written.length,
            digest: known.unwrap_or_else(|| meta.digest(combine(&written.leaves))),
            codec: codec.into(),
        });
        Ok(index)
    }

    fn adopt(&mut self, meta: &ArrayMeta, stage: &Stage, digest: &dyn Fn() -> Digest) -> Result<Option<u32>> {
        let Some(blob) = staged(stage).filter(|_| self.compression == Compression::None) else { return Ok(None) };
        let (index, header, file) = (self.index()?, npy_header(meta)?, self.name(NPY));
        let (offset, durability) = (header.len() as u64, self.archive.rules.durability);
        let length = offset + meta.byte_len()?;
        if !blob.hand_over(&self.archive.disk, &self.site.file(&file), length, durability)? {
            return Ok(None);
        }
        self.adopted.push((file.clone(), Arc::clone(stage)));
        let (meta, digest, codec) = (meta.clone(), digest(), NPY.into());
        self.arrays.push(ArrayRecord { file, meta, offset, length, digest, codec });
        Ok(Some(index))
    }
}

impl Sink<'_> {
    /// The index of the next array.
    fn index(&self) -> Result<u32> {
        u32::try_from(self.arrays.len()).map_err(|_| Error::unsupported("more than 2^32 arrays"))
    }

    /// A name for a file of the entry.
    fn name(&self, codec: &str) -> String {
        format!("{}{}.{}.{codec}", self.stem, self.site.key(), nonce())
    }
}

impl Drop for Sink<'_> {
    fn drop(&mut self) {
        if !self.published {
            let mut adopted = self.adopted.iter().peekable();
            for array in &self.arrays {
                let name = self.site.file(&array.file);
                match adopted.next_if(|(file, _)| *file == array.file) {
                    Some((_, stage)) => staged(stage).into_iter().for_each(|blob| blob.take_back(&name)),
                    None => drop(self.archive.disk.remove(&name)),
                }
            }
        }
    }
}

/// The file of a staged array.
fn staged(stage: &Stage) -> Option<&StagedBlob> {
    let stage: &dyn Any = &**stage;
    stage.downcast_ref()
}

pub(crate) fn is_full(error: &Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    error.io_error().is_some_and(|error| matches!(error.kind(), StorageFull | QuotaExceeded))
}
