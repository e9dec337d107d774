//! From a record to its arrays: read, mapped or inflated, and compared with their digests.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::digest::tree;
use crate::digest::{ArrayMeta, Digest, Known};
use crate::entry::archive::Archive;
use crate::entry::read::extent::misfit;
use crate::entry::rules::VerifyPolicy;
use crate::entry::site::Site;
use crate::error::{Error, Result};
use crate::map::{Examined, Mapping, Spare, digest_file, read_verified, vec_of};
use crate::payload::{ArraySource, EncodedArray, EncodedFile, MappedFile, PrivateFile, Reader, codec_named};
use crate::planted;
use crate::record::{ArrayRecord, Record};

/// Arrays of at most this many bytes are read rather than mapped: it is faster (measured on 2 cores, 2026-11).
pub(crate) const READ_RATHER: u64 = 128 * 1024;

/// Why they are.
const SMALL: &str = "small";

/// What a process remembers of an entry's arrays, by their index in the record.
pub(crate) trait Remembered {
    /// The elements of an array that were verified when they were read.
    fn elements(&self, index: u32) -> Option<Arc<[u8]>>;

    /// Keeps verified elements, if they are small and worth keeping.
    fn keep_elements(&self, index: u32, elements: &[u8]);

    /// The mapping of an array, while somebody holds on to it.
    fn mapping(&self, index: u32) -> Option<(Mapping, Arc<Known>)>;

    /// Keeps a mapping, for as long as it is worth keeping.
    fn keep_mapping(&self, index: u32, mapping: &Mapping, known: &Arc<Known>);
}

impl Archive {
    /// Decodes the value of `record` with `load`.
    pub(crate) fn load<T>(
        &self,
        site: &Site,
        record: &Record,
        load: impl FnOnce(&mut Reader<'_>) -> Result<T>,
    ) -> Result<T> {
        self.load_with(site, record, None, load)
    }

    /// Decodes the value of `record` with `load`, with what is remembered of its arrays.
    pub(crate) fn load_with<T>(
        &self,
        site: &Site,
        record: &Record,
        remembered: Option<&dyn Remembered>,
        load: impl FnOnce(&mut Reader<'_>) -> Result<T>,
    ) -> Result<T> {
        let source = ReadSource { archive: self, site, record, remembered };
        let mut reader = Reader::new(&record.value, &source);
        let value = load(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    /// Reads every array of `record`, and compares it with its digest.
    pub(crate) fn verify(&self, site: &Site, record: &Record) -> Result<()> {
        let source = ReadSource { archive: self, site, record, remembered: None };
        (0..).take(record.arrays.len()).try_for_each(|index| source.verify_array(index))
    }
}

/// The array files of one record.
struct ReadSource<'a> {
    archive: &'a Archive,
    site: &'a Site,
    record: &'a Record,
    remembered: Option<&'a dyn Remembered>,
}

impl ReadSource<'_> {
    fn array(&self, index: u32) -> Result<&ArrayRecord> {
        let array = usize::try_from(index).ok().and_then(|index| self.record.arrays.get(index));
        array.ok_or_else(|| {
            let name = self.site.record();
            Error::damaged(format!("record `{name}` refers to array {index} of {}", self.record.arrays.len()))
        })
    }

    /// The array's file, which has the length that the record says.
    fn open(&self, array: &ArrayRecord, name: &str) -> Result<Examined> {
        let file = self.archive.disk.open_unseen(name)?.ok_or_else(|| misfit(name, None, array.length))?;
        let file = Examined::of(file, || self.archive.disk.path_of(name))?;
        if file.len() != array.length {
            return Err(misfit(name, Some(file.len()), array.length));
        }
        Ok(file)
    }

    /// The array's file, to be mapped; `None` where it is to be copied, which is counted unless the array is small.
    fn to_map(&self, array: &ArrayRecord, name: &str) -> Result<Option<Examined>> {
        match self.mappable(array, name)? {
            Ok(file) => return Ok(Some(file)),
            Err(SMALL) => {}
            Err(reason) => self.archive.observer.copied(reason),
        }
        Ok(None)
    }

    /// The array's file, if it may be mapped; else why not.
    fn mappable(&self, array: &ArrayRecord, name: &str) -> Result<Result<Examined, &'static str>> {
        if array.offset.saturating_add(array.meta.byte_len()?) <= READ_RATHER {
            return Ok(Err(SMALL));
        }
        let encoded = || codec_named(&array.codec).is_some().then_some("compressed");
        if let Some(reason) = self.archive.unmappable().or_else(encoded) {
            return Ok(Err(reason));
        }
        let mut file = self.open(array, name)?;
        if !file.is_read_only() && self.restore_mode(array, name, &file)? {
            file = Examined::of(file.into_file(), || self.archive.disk.path_of(name))?;
        }
        Ok(if file.is_read_only() { Ok(file) } else { Err("mode") })
    }

    fn mapping(&self, array: &ArrayRecord, name: &str, file: &Examined) -> Result<Mapping> {
        Mapping::of_examined(file, || self.archive.disk.path_of(name), array.length)
    }

    /// A file that lost its mode on the way here, by a copying tool or a file system without modes: if it is ours
    /// and its bytes are right it gets the mode back, else it is copied.
    fn restore_mode(&self, array: &ArrayRecord, name: &str, file: &File) -> Result<bool> {
        if !self.archive.rules.writes || self.site.is_read_only() {
            return Ok(false);
        }
        // Verified before: with its mode back the file is taken for what the record says.
        let path = || self.archive.disk.path_of(name);
        let found = digest_file(file, path, array.offset, array.length.saturating_sub(array.offset))?;
        self.compare(array, name, found)?;
        let restored = self.archive.disk.make_read_only(file)?;
        if !restored {
            self.warn_of_mode(name);
        }
        Ok(restored)
    }

    /// Warns of the first array of a memory that stays writable; all of them are counted.
    fn warn_of_mode(&self, name: &str) {
        let what = "has write permission, so that it is copied instead of mapped";
        if self.archive.warned_of_mode.swap(true, Ordering::Relaxed) {
            return tracing::debug!(array = name, "{what}");
        }
        tracing::warn!(array = name, "{what}");
        self.archive.warn(&format!("array `{}` {what}", self.archive.disk.path_of(name).display()));
    }

    fn verify_array(&self, index: u32) -> Result<()> {
        let array = self.array(index)?;
        let name = self.site.file(&array.file);
        if let Some(encoded) = self.encoded(index)? {
            return encoded.verify(array.digest);
        }
        if let Ok(file) = self.mappable(array, &name)? {
            return self.verify(array, &name, &self.mapping(array, &name, &file)?);
        }
        // Opened before memory is taken for it: it has the length that the record says.
        self.open(array, &name)?;
        vec_of::<u8>(to_usize(array.meta.byte_len()?)?, |out| self.read(index, out)).map(drop)
    }

    /// What may be used again without looking at the file.
    fn remembered(&self) -> Option<&dyn Remembered> {
        self.remembered.filter(|_| self.archive.rules.verify != VerifyPolicy::Always)
    }

    fn must_verify(&self, name: &str) -> bool {
        let fresh = || !self.archive.verified.lock().contains(name);
        match self.archive.rules.verify {
            VerifyPolicy::Never => false,
            VerifyPolicy::Boot => self.record.producer.session != *self.archive.disk.session() && fresh(),
            VerifyPolicy::First => fresh(),
            VerifyPolicy::Always => true,
        }
    }

    fn verify(&self, array: &ArrayRecord, name: &str, mapping: &Mapping) -> Result<()> {
        let data = usize::try_from(array.offset).ok().and_then(|offset| mapping.bytes().get(offset..));
        self.compare(array, name, tree(data.unwrap_or_default()))
    }

    /// Compares the bytes of an array with what its record says, and remembers that they are right.
    fn compare(&self, array: &ArrayRecord, name: &str, tree: Digest) -> Result<()> {
        let found = array.meta.digest(tree);
        if found != array.digest && !planted::is("no digest compared") {
            return Err(Error::damaged(format!("array `{name}` has digest {found}, expected {}", array.digest)));
        }
        // Only an array that may be mapped is asked about later.
        if array.length > READ_RATHER {
            self.archive.verified.lock().insert(name);
        }
        Ok(())
    }
}

impl ArraySource for ReadSource<'_> {
    fn meta(&self, index: u32) -> Result<&ArrayMeta> {
        Ok(&self.array(index)?.meta)
    }

    fn digest(&self, index: u32) -> Result<Digest> {
        Ok(self.array(index)?.digest)
    }

    fn path(&self, index: u32) -> Option<PathBuf> {
        let name = self.site.file(&self.array(index).ok()?.file);
        Some(self.archive.disk.path_of(&name))
    }

    fn small_file(&self, index: u32) -> Option<(PathBuf, u64)> {
        let array = self.array(index).ok()?;
        let is_small = array.length <= READ_RATHER && array.meta.byte_len().ok()? > 0;
        let is_plain = codec_named(&array.codec).is_none() && self.archive.unmappable().is_none();
        (is_small && is_plain).then_some(())?;
        Some((self.path(index)?, array.offset))
    }

    fn read<'a>(&self, index: u32, out: Spare<'a>) -> Result<&'a mut [u8]> {
        if let Some(elements) = self.remembered().and_then(|kept| kept.elements(index))
            && elements.len() == out.len()
        {
            return out.copy_of(&elements);
        }
        let array = self.array(index)?;
        let name = self.site.file(&array.file);
        let file = self.open(array, &name)?;
        let path = || self.archive.disk.path_of(&name);
        if file.is_sparse() {
            // Before `out` takes memory, which it does as it is filled.
            let length = array.length.saturating_sub(array.offset);
            self.compare(array, &name, digest_file(&file, path, array.offset, length)?)?;
        }
        let (data, tree) = read_verified(&file, path, array.offset, out)?;
        self.compare(array, &name, tree)?;
        if let Some(remembered) = self.remembered() {
            remembered.keep_elements(index, data);
        }
        Ok(data)
    }

    fn encoded(&self, index: u32) -> Result<Option<Box<dyn EncodedArray>>> {
        let array = self.array(index)?;
        let Some(codec) = codec_named(&array.codec) else { return Ok(None) };
        let name = self.site.file(&array.file);
        let file = self.open(array, &name)?.into_file();
        codec.decode(encoded_file(array, file, self.archive.disk.path_of(&name))).map(Some)
    }

    fn map(&self, index: u32) -> Result<Option<MappedFile>> {
        let array = self.array(index)?;
        if let Some((mapping, known)) = self.remembered().and_then(|kept| kept.mapping(index)) {
            return Ok(Some(MappedFile { mapping, offset: to_usize(array.offset)?, known }));
        }
        let name = self.site.file(&array.file);
        let Some(file) = self.to_map(array, &name)? else { return Ok(None) };
        let mapping = self.mapping(array, &name, &file)?;
        let verified = self.must_verify(&name);
        if verified {
            self.verify(array, &name, &mapping)?;
        }
        let known = if verified { Known::verified(array.digest) } else { Known::claimed(array.digest) };
        let known = Arc::new(known);
        if let Some(remembered) = self.remembered {
            remembered.keep_mapping(index, &mapping, &known);
        }
        Ok(Some(MappedFile { mapping, offset: to_usize(array.offset)?, known }))
    }

    fn cow(&self, index: u32) -> Result<Option<PrivateFile>> {
        let array = self.array(index)?;
        let name = self.site.file(&array.file);
        let Some(file) = self.to_map(array, &name)? else { return Ok(None) };
        let path = self.archive.disk.path_of(&name);
        if self.must_verify(&name) {
            self.verify(array, &name, &self.mapping(array, &name, &file)?)?;
        }
        Ok(Some(PrivateFile { file: file.into_file(), path, len: array.length, offset: to_usize(array.offset)? }))
    }
}

/// An encoded file, with what the record says of it.
pub(crate) fn encoded_file(array: &ArrayRecord, file: File, path: PathBuf) -> EncodedFile<'_> {
    EncodedFile { file, path, length: array.length, offset: array.offset, meta: &array.meta }
}

fn to_usize(offset: u64) -> Result<usize> {
    usize::try_from(offset).map_err(|_| Error::damaged(format!("data offset {offset} doesn't fit this machine")))
}
