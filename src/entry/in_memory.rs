//! A value in its stored form, but in memory: what stands in for an entry where there is none.

use std::sync::OnceLock;

use crate::digest::tree;
use crate::digest::{ArrayMeta, Digest};
use crate::error::{Error, Result};
use crate::key::KeyStream;
use crate::map::Spare;
use crate::payload::{ArraySink, ArraySource, MappedFile, Normal, PrivateFile, Reader, SoleArray, sole_array};
use crate::record::Record;
use crate::threads::found_once;

/// What a stored value is, whichever files it lies in (docs/format.md, "Content").
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) digest: Digest,
    /// The digest of the array that it is, if it is one and nothing else.
    pub(crate) array: Option<Digest>,
}

impl Content {
    pub(crate) fn of(record: &Record) -> Self {
        Self::new(&record.value, record.arrays.iter().map(|array| array.digest))
    }

    /// The content of a value as it is stored, with the digests of its arrays.
    pub(crate) fn new(value: &[u8], mut arrays: impl ExactSizeIterator<Item = Digest> + Clone) -> Self {
        let mut stream = KeyStream::new("ndcache-content:1");
        stream.bytes(value);
        stream.length(arrays.len());
        arrays.clone().for_each(|array| stream.digest(array));
        let array = match sole_array(value) {
            Some(SoleArray::Lifted) => arrays.next(),
            Some(SoleArray::Inline(digest)) => Some(digest),
            None => None,
        };
        Self { digest: stream.finish(), array }
    }

    /// What the value counts as in an argument.
    pub(crate) fn counts_as(&self) -> Digest {
        self.array.unwrap_or(self.digest)
    }
}

/// A value that no entry holds. It can be loaded again and again, though it may not be `Clone`.
pub(crate) struct InMemoryEntry {
    value: Vec<u8>,
    arrays: Vec<InMemoryArray>,
    content: OnceLock<Content>,
}

struct InMemoryArray {
    meta: ArrayMeta,
    data: Vec<u8>,
    digest: OnceLock<Digest>,
}

impl InMemoryEntry {
    /// Copies the value; arrays of at most `inline` bytes go where an entry would have them.
    pub(crate) fn of<R>(value: &Normal<'_, R>, inline: u64) -> Result<Self> {
        let mut arrays = LiftedArrays(Vec::new());
        let value = value.save(&mut arrays, inline)?;
        Ok(Self { value, arrays: arrays.0, content: OnceLock::new() })
    }

    pub(crate) fn load<T>(&self, load: impl FnOnce(&mut Reader<'_>) -> Result<T>) -> Result<T> {
        let mut reader = Reader::new(&self.value, self);
        let value = load(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    /// What it is; nothing is hashed before that is asked.
    pub(crate) fn content(&self) -> Content {
        *found_once(&self.content, || Content::new(&self.value, self.arrays.iter().map(InMemoryArray::digest)))
    }

    fn array(&self, index: u32) -> Result<&InMemoryArray> {
        let array = usize::try_from(index).ok().and_then(|index| self.arrays.get(index));
        array.ok_or_else(|| Error::damaged(format!("value refers to array {index} of {}", self.arrays.len())))
    }
}

impl InMemoryArray {
    fn digest(&self) -> Digest {
        *found_once(&self.digest, || self.meta.digest(tree(&self.data)))
    }
}

impl ArraySource for InMemoryEntry {
    fn meta(&self, index: u32) -> Result<&ArrayMeta> {
        self.array(index).map(|array| &array.meta)
    }

    fn read<'a>(&self, index: u32, out: Spare<'a>) -> Result<&'a mut [u8]> {
        out.copy_of(&self.array(index)?.data)
    }

    fn map(&self, _: u32) -> Result<Option<MappedFile>> {
        Ok(None)
    }

    fn cow(&self, _: u32) -> Result<Option<PrivateFile>> {
        Ok(None)
    }

    fn digest(&self, index: u32) -> Result<Digest> {
        self.array(index).map(InMemoryArray::digest)
    }
}

struct LiftedArrays(Vec<InMemoryArray>);

impl ArraySink for LiftedArrays {
    fn put(&mut self, meta: &ArrayMeta, data: &[u8], known: Option<Digest>) -> Result<u32> {
        let index = u32::try_from(self.0.len()).map_err(|_| Error::unsupported("more than 2^32 arrays"))?;
        let digest = known.map_or_else(OnceLock::new, OnceLock::from);
        self.0.push(InMemoryArray { meta: meta.clone(), data: data.to_vec(), digest });
        Ok(index)
    }
}
