//! An entry as it lies in a tier: the files of a cache folder, with names that say what is in them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::digest::ByteStream;
use crate::entry::archive::Archive;
use crate::entry::site::Site;
use crate::error::{Error, Result};
use crate::folder::verify::check_array;
use crate::record::{Argument, ArrayRecord, Producer, Record};
use crate::tier::{Body, Tier};

/// An entry, ready to be put into a tier.
pub(super) struct Object {
    pub(super) record: Vec<u8>,
    pub(super) overflow: Option<(String, Vec<u8>)>,
    pub(super) arrays: Vec<(String, FileBody)>,
}

/// How much is hashed at a time.
const BLOCK: usize = 1 << 20;

impl Object {
    /// The entry of `record`, all files of which are read and checked.
    ///
    /// # Errors
    ///
    /// Returns an error of kind `Damaged` when a file isn't what the record says, and any other when it can't be read.
    pub(super) fn of(archive: &Archive, site: &Site, record: &Record, tier: &Tier) -> Result<Self> {
        let (mut arrays, mut named) = (Vec::new(), Vec::new());
        for array in &record.arrays {
            let path = site.file(&array.file);
            check_array(&archive.disk, &path, array)?;
            let missing = || Error::damaged(format!("array `{}` is missing", archive.disk.path_of(&path).display()));
            let (file, stat) = archive.disk.open_file(&path)?.ok_or_else(missing)?;
            let body = FileBody { file, len: stat.len };
            let read = |error| Error::io("read", &archive.disk.path_of(&path), error);
            let name = format!("{}.{}.{}", site.key(), content_name(&body).map_err(read)?, array.codec);
            named.push(ArrayRecord { file: name.clone(), ..array.clone() });
            arrays.push((name, body));
        }
        let record = Record { arrays: named, overflow: None, ..shareable(record, tier) };
        // The name of an overflow, which is as long as any, follows from its bytes.
        let name = |n: &str| format!("{}.{n}.msgpack", site.key());
        let Some(overflow) = record.split(|| name("0000000000000000"))?.overflow else {
            return Ok(Self { record: record.split(|| name("0"))?.record, overflow: None, arrays });
        };
        let bytes = [&overflow.head[..], overflow.value, &overflow.tail[..]].concat();
        let file = name(&content_name(&bytes).map_err(Error::other)?);
        let split = record.split(|| file.clone())?;
        Ok(Self { record: split.record, overflow: Some((file, bytes)), arrays })
    }

    /// The names of its files but the record.
    pub(super) fn names(&self) -> Vec<String> {
        let overflow = self.overflow.iter().map(|(name, _)| name.clone());
        self.arrays.iter().map(|(name, _)| name.clone()).chain(overflow).collect()
    }

    /// The bytes of all its files.
    pub(super) fn len(&self) -> u64 {
        let overflow = self.overflow.as_ref().map_or(0, |(_, bytes)| bytes.len() as u64);
        self.arrays.iter().map(|(_, body)| body.len).sum::<u64>() + overflow + self.record.len() as u64
    }
}

/// The record without what isn't to go there.
fn shareable(record: &Record, tier: &Tier) -> Record {
    let mut shared = record.clone();
    if !tier.texts {
        let without_text =
            |argument: &Argument| Argument { text: String::new(), leaves: Vec::new(), ..argument.clone() };
        shared.arguments = shared.arguments.iter().map(without_text).collect::<Vec<_>>().into();
    }
    if !tier.host {
        let producer = Producer::clone(&shared.producer);
        shared.producer = Arc::new(Producer { host: String::new(), session: String::new(), ..producer });
    }
    shared
}

/// The first 16 hex digits of the digest of a file's bytes and its length.
fn content_name(body: &dyn Body) -> io::Result<String> {
    let (mut stream, mut at) = (ByteStream::<64>::new(), 0);
    let mut block = vec![0; BLOCK];
    while at < body.len() {
        let len = usize::try_from(body.len() - at).map_or(BLOCK, |left| left.min(BLOCK));
        body.read_at(at, &mut block[..len])?;
        stream.update(&block[..len]);
        at += len as u64;
    }
    stream.update(&at.to_le_bytes());
    Ok(stream.digest().to_string()[..16].to_owned())
}

/// A file whose bytes nobody changes.
pub(super) struct FileBody {
    file: File,
    len: u64,
}

impl Body for FileBody {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}
