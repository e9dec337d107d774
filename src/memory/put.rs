//! From a computed value to an entry: arrays first, each under a name of its own; the record's rename is the commit.

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use super::entry::stored_bytes;
use super::expiry::{nanoseconds, nanoseconds_since_1970};
use super::leaves::{Leaves, in_order};
use super::lookup::{Missing, Site};
use super::{Call, Inner};
use crate::digest::{ArrayMeta, Digest, LEAF, Work, combine};
use crate::error::{Error, Result};
use crate::key::{Part, Types};
use crate::map::Stage;
use crate::payload::{ArraySink, Codec, Compression, Writer, Written, npy_header, write_gzip};
use crate::planted;
use crate::record::{Argument, ArrayRecord, FORMAT, NPY, NPY_GZ, Producer, Record};
use crate::store::{NewBlob, StagedBlob, nonce};

/// How often an entry is stored that somebody sweeps away under the hands.
const TRIES: usize = 5;

/// From here on another thread hashes while this one writes: below, it takes longer to begin.
const LARGE: usize = 4 << 20;

/// About what a record takes without its value, to tell when limits may be exceeded.
const RECORD_LEN: u64 = 512;

/// What a record says of a call besides its value; gathered before the arguments are gone.
pub(super) struct Draft {
    pub(super) function: &'static str,
    pub(super) code: Digest,
    pub(super) parts: Vec<Part>,
    pub(super) arguments: Vec<Argument>,
    pub(super) build: Option<Digest>,
    /// Where they mean something.
    pub(super) types: Option<Types>,
    readable: bool,
    expires: Option<u64>,
}

impl Draft {
    /// Of a call that has an identity.
    pub(super) fn of<A, R>(call: &Call<A, R>) -> Result<Self> {
        let identity = call.identity().map_err(Error::again)?;
        let texts = call.argument_texts();
        let arguments = identity.arguments.iter().zip(texts).map(|(argument, text)| Argument {
            name: argument.name.to_owned(),
            digest: argument.digest,
            text,
        });
        let (function, arguments) = (call.function(), arguments.collect());
        let (build, code) = (function.build(), identity.code);
        let types = build.map(|_| Types::new(function, identity.other_types));
        let (function, parts) = (function.path(), function.parts().to_vec());
        Ok(Self { function, code, parts, arguments, build, types, readable: false, expires: None })
    }

    /// With array files that say what they are.
    pub(super) fn readable(self, readable: bool) -> Self {
        Self { readable, ..self }
    }

    /// With the moment at which the first of the cached calls inside this one expires.
    pub(super) fn expiring(self, expires: Option<u64>) -> Self {
        Self { expires, ..self }
    }
}

impl Inner {
    /// Stores `value` at `site`, its arrays in this compression, and removes the files of the entry that it replaces.
    /// On a full disk, limits make room.
    pub(super) fn put<R>(
        &self,
        site: &Site,
        draft: &Draft,
        codec: Codec<R>,
        value: &R,
        duration: Duration,
        compression: Compression,
    ) -> Result<Record> {
        let put = || self.put_whole(site, || self.put_once(site, draft, codec, value, duration, compression));
        match (put(), &self.keeper) {
            (Err(error), Some(keeper)) if is_full(&error) && keeper.make_room() => put(),
            (put, _) => put,
        }
    }

    /// Somebody who clears the folder meanwhile may have taken files of the entry before its record was there to say
    /// whose they are: then it is stored again.
    fn put_whole(&self, site: &Site, put: impl Fn() -> Result<Record>) -> Result<Record> {
        let mut record = put()?;
        for _ in 1..TRIES {
            // What was evicted at once went with its record.
            if self.is_whole(site, &record).is_ok() || !self.stands(site, &record) {
                break;
            }
            record = put()?;
        }
        Ok(record)
    }

    fn put_once<R>(
        &self,
        site: &Site,
        draft: &Draft,
        codec: Codec<R>,
        value: &R,
        duration: Duration,
        compression: Compression,
    ) -> Result<Record> {
        compression.check()?;
        let stem = self.stem(draft.readable, draft.function, &draft.arguments);
        let mut sink = Sink::new(self, site, compression, stem);
        let mut writer = Writer::new(&mut sink, self.settings.inline);
        codec.save(value, &mut writer)?;
        let record = Record {
            format: FORMAT,
            requires: Vec::new(),
            key: site.key().digest(),
            function: draft.function.to_owned(),
            code: draft.code,
            parts: draft.parts.clone(),
            arguments: draft.arguments.clone().into(),
            created: nanoseconds_since_1970(SystemTime::now()),
            duration: nanoseconds(duration),
            expires: draft.expires,
            build: draft.build,
            types: draft.types,
            value: writer.finish(),
            arrays: sink.arrays.clone(),
            overflow: None,
            producer: Producer::current(&self.disk.medium().session).into(),
            edited: false,
        };
        sink.publish(&record)?;
        Ok(record)
    }

    fn publish(&self, site: &Site, record: &Record) -> Result<()> {
        let durability = self.settings.durability;
        let split = record.split(|| format!("{}.{}.msgpack", site.key(), nonce()))?;
        let overflow = split.overflow.map(|(file, bytes)| (site.file(&file), bytes));
        if let Some((file, bytes)) = &overflow {
            let mut blob = self.disk.create(file, bytes.len() as u64)?;
            blob.write_all(bytes)?;
            blob.finish(durability)?;
        }
        let replaced = self.disk.replace(&site.record(), &split.record, durability);
        self.hot.forget(site.key());
        if let (Err(_), Some((file, _))) = (&replaced, &overflow) {
            let _ = self.disk.remove(file);
        }
        replaced
    }

    /// Removes the files of a record that is no longer there; what can't be removed is garbage for a sweep.
    pub(super) fn remove_files(&self, site: &Site, record: &Record) {
        for file in record.files() {
            if let Err(error) = self.disk.remove(&site.file(file)) {
                tracing::debug!(%error, "left behind");
            }
        }
    }
}

/// Writes the arrays of one value into files; removes them again unless a record names them.
pub(super) struct Sink<'a> {
    inner: &'a Inner,
    site: &'a Site,
    compression: Compression,
    /// What the names of the files begin with.
    stem: String,
    pub(super) arrays: Vec<ArrayRecord>,
    /// The files that were staged, by their names.
    adopted: Vec<(String, Stage)>,
    published: bool,
}

impl<'a> Sink<'a> {
    pub(super) fn new(inner: &'a Inner, site: &'a Site, compression: Compression, stem: String) -> Self {
        Self { inner, site, compression, stem, arrays: Vec::new(), adopted: Vec::new(), published: false }
    }

    /// Publishes the record that names the arrays, and removes the files of the entry that it replaces.
    pub(super) fn publish(mut self, record: &Record) -> Result<()> {
        let previous = match self.inner.find(self.site, &record.function) {
            Err(Missing::Newer(error) | Missing::OtherType(error)) => return Err(error),
            found => found.ok(),
        };
        let files = record.files().map(|file| self.inner.disk.path_of(&self.site.file(file)));
        let late = planted::late("record before data", files);
        self.inner.publish(self.site, record)?;
        self.published = true;
        late.appear();
        // From here on the record stands and names the files, whatever becomes of the folders.
        self.inner.disk.sync_folders_of(&self.site.record(), self.inner.settings.durability)?;
        if let Some(previous) = previous {
            self.inner.remove_files(self.site, &previous.record);
        }
        if let Some(keeper) = &self.inner.keeper {
            keeper.wrote(stored_bytes(record) + record.value.len() as u64 + RECORD_LEN);
        }
        Ok(())
    }
}

impl ArraySink for Sink<'_> {
    fn put(&mut self, meta: &ArrayMeta, data: &[u8], known: Option<Digest>) -> Result<u32> {
        let index = self.index()?;
        let header = npy_header(meta)?;
        let (codec, expected) = match self.compression {
            Compression::None => (NPY, header.len() as u64 + data.len() as u64),
            // Nobody knows, so that nothing is reserved.
            Compression::Gzip(_) => (NPY_GZ, 0),
        };
        let file = self.name(codec);
        let mut blob = self.inner.disk.create(&self.site.file(&file), expected)?;
        let written = match self.compression {
            Compression::None => write_plain(&header, data, known.is_none(), &mut blob),
            Compression::Gzip(level) => {
                write_gzip(&header, data, level, known.is_none(), &mut |member| blob.write_all(member))
            }
        }?;
        blob.finish(self.inner.settings.durability)?;
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
        let (offset, durability) = (header.len() as u64, self.inner.settings.durability);
        let length = offset + meta.byte_len()?;
        if !blob.hand_over(&self.inner.disk, &self.site.file(&file), length, durability)? {
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

/// Writes a `.npy`, and hashes its leaves if they are `hashed`; those of a large array on another thread, too.
fn write_plain(header: &[u8], data: &[u8], hashed: bool, blob: &mut NewBlob<'_>) -> Result<Written> {
    let leaves = Leaves::of(if hashed { data } else { &[] });
    let mut own = Vec::new();
    let mut write = || {
        let written = write_blocks(header, data, blob, |n| own.extend(leaves.take(n)));
        written.inspect_err(|_| leaves.give_up())
    };
    // On a worker of rayon's pool the other cores have work already.
    let others = if hashed && data.len() >= LARGE && rayon::current_thread_index().is_none() {
        beside(|| leaves.rest().collect(), write)?
    } else {
        write()?;
        Vec::new()
    };
    own.extend(others);
    Ok(Written { length: header.len() as u64 + data.len() as u64, leaves: in_order(own) })
}

/// Runs `helper` beside `work`, if there is a thread to be had: one of its own, as those of a pool may be busy for days.
fn beside<T: Default + Send>(helper: impl FnOnce() -> T + Send, work: impl FnOnce() -> Result<()>) -> Result<T> {
    thread::scope(|scope| {
        let helper = thread::Builder::new().spawn_scoped(scope, helper);
        let done = work();
        let helped =
            helper.map_or_else(|_| T::default(), |helper| helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.map(|()| helped)
    })
}

/// Writes header and elements in blocks of the length of a leaf, and calls `before` each with its number. There are as
/// many of them as leaves, or one more.
///
/// The header goes with the first elements, so that a block begins where a large page of the page cache can.
fn write_blocks(header: &[u8], data: &[u8], blob: &mut NewBlob<'_>, mut before: impl FnMut(usize)) -> Result<()> {
    let work = Work::new("storing", data.len() as u64);
    let (first, rest) = data.split_at(data.len().min(LEAF.saturating_sub(header.len())));
    before(0);
    blob.write_both(header, first)?;
    work.add(first.len() as u64);
    for (n, block) in rest.chunks(LEAF).enumerate() {
        before(n + 1);
        blob.write_all(block)?;
        work.add(block.len() as u64);
    }
    Ok(())
}

impl Drop for Sink<'_> {
    fn drop(&mut self) {
        if !self.published {
            let mut adopted = self.adopted.iter().peekable();
            for array in &self.arrays {
                let name = self.site.file(&array.file);
                match adopted.next_if(|(file, _)| *file == array.file) {
                    Some((_, stage)) => staged(stage).into_iter().for_each(|blob| blob.take_back(&name)),
                    None => drop(self.inner.disk.remove(&name)),
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

pub(super) fn is_full(error: &Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    error.io_error().is_some_and(|error| matches!(error.kind(), StorageFull | QuotaExceeded))
}
