//! A value from an entry: all of its arrays beside it, whether they had files or lay inside.

use std::sync::Arc;

use super::save::{pickle, pickle_bytes};
use super::{Array, Bytes, Form, RawValue, array_reference};
use crate::digest::{Digest, Known};
use crate::error::{Error, Result};
use crate::map;
use crate::payload::scan::{ScanItem, ValueScan};
use crate::payload::wire::read::{ReadArray, inline_array};
use crate::payload::wire::{Ext, u32_of};
use crate::payload::{ArraySource, MappedFile, Reader};

/// The value that `input` holds.
///
/// # Errors
/// Returns an error of the kind `Damaged` when it isn't one, and when an array can't be had.
pub(crate) fn load(input: &mut Reader<'_>, form: Form) -> Result<RawValue> {
    let (stored, source) = (input.take_rest(), input.source());
    let mut loading = Loading { source, form, lifted: 0, arrays: Vec::new() };
    let mut message = Vec::with_capacity(stored.len());
    let mut scan = ValueScan::new(stored);
    while let Some((item, bytes)) = scan.next()? {
        match item {
            ScanItem::Extension(kind, held) if kind == Ext::Lifted as i8 => {
                let index = held.try_into().map(u32_of).map_err(|_| Error::damaged("an array's index isn't one"))?;
                let number = loading.lifted(index)?;
                message.extend(array_reference(number));
            }
            ScanItem::Extension(kind, held) if kind == Ext::Inline as i8 => {
                let number = loading.inline(held)?;
                message.extend(array_reference(number));
            }
            ScanItem::Extension(kind, held) if kind == Ext::Pickle as i8 => loading.pickle(held, &mut message)?,
            _ => message.extend_from_slice(bytes),
        }
    }
    Ok(RawValue::made(message, loading.arrays))
}

struct Loading<'a> {
    source: &'a dyn ArraySource,
    form: Form,
    /// The arrays with files that were met. They follow each other, so that a short value can't ask for one large array a
    /// million times.
    lifted: u32,
    arrays: Vec<Array>,
}

impl Loading<'_> {
    fn push(&mut self, array: Array) -> Result<u32> {
        let number = u32::try_from(self.arrays.len()).map_err(|_| Error::damaged("value has more than 2^32 arrays"))?;
        self.arrays.push(array);
        Ok(number)
    }

    fn lifted(&mut self, index: u32) -> Result<u32> {
        if index != self.lifted {
            return Err(Error::damaged(format!("value refers to array {index}, expected {}", self.lifted)));
        }
        self.lifted += 1;
        let array = self.array(index)?;
        self.push(array)
    }

    fn array(&self, index: u32) -> Result<Array> {
        let source = self.source;
        let meta = source.meta(index)?;
        let len = to_usize(meta.byte_len()?)?;
        if self.form == Form::Mapped
            && let Some(MappedFile { mapping, offset, known }) = source.map(index)?
        {
            let bytes = Bytes::of_mapping(mapping, offset, len);
            let bytes = bytes.ok_or_else(|| Error::damaged(format!("array {index} ends before its {len} bytes")))?;
            let file = source.path(index).map(|path| (path, offset as u64));
            return Ok(Array::of_parts(meta.clone(), bytes, known, file));
        }
        let (bytes, digest) = read(source, index, len)?;
        let file = if self.form == Form::Mapped { source.small_file(index) } else { None };
        Ok(Array::of_parts(meta.clone(), bytes.into(), Arc::new(Known::verified(digest)), file))
    }

    fn inline(&mut self, held: &[u8]) -> Result<u32> {
        match inline_array(held)? {
            ReadArray::Inline(meta, elements) => {
                self.push(Array::of_parts(meta, elements.into(), Arc::new(Known::unknown()), None))
            }
            ReadArray::Lifted(index) => Err(Error::damaged(format!("array {index} stands where its elements should"))),
        }
    }

    fn pickle(&mut self, held: &[u8], message: &mut Vec<u8>) -> Result<()> {
        let (stream, buffers) = pickle(held)?;
        let mut numbers = Vec::new();
        for index in buffers {
            let index = u32::try_from(index).map_err(|_| Error::damaged(format!("pickle refers to array {index}")))?;
            numbers.push(self.lifted(index)?);
        }
        let held = pickle_bytes(stream, &numbers)?;
        let mut head = rmp::encode::ByteBuf::new();
        // Hardly longer than what was there.
        let len = u32::try_from(held.len()).map_err(|_| Error::damaged("pickle is too long"))?;
        let Ok(_) = rmp::encode::write_ext_meta(&mut head, len, Ext::Pickle as i8);
        message.extend_from_slice(head.as_slice());
        message.extend_from_slice(&held);
        Ok(())
    }
}

/// The elements, which are those of the digest.
fn read(source: &dyn ArraySource, index: u32, len: usize) -> Result<(Vec<u8>, Digest)> {
    let digest = source.digest(index)?;
    let Some(mut encoded) = source.encoded(index)? else {
        return Ok((map::vec_of(len, |out| source.read(index, out))?, digest));
    };
    let bytes = map::grown_vec_of(len, |out| encoded.fill(out))?;
    encoded.finish(digest)?;
    Ok((bytes, digest))
}

fn to_usize(bytes: u64) -> Result<usize> {
    usize::try_from(bytes).map_err(|_| Error::damaged(format!("array of {bytes} bytes doesn't fit this machine")))
}
