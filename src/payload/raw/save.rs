//! A value on its way into an entry: its arrays get files, or a place inside of it.

use rmp::encode::{self, ByteBuf};

use super::{Array, RawValue};
use crate::error::{Error, Result};
use crate::payload::scan::{ScanItem, ValueScan};
use crate::payload::wire::{Ext, u32_of};
use crate::payload::{Reader, Writer};

/// The most arrays of a value that may have files of their own at its wish; with more, small ones stay inside.
const FILED: usize = 64;

/// What a reader of the value has to know.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Features {
    pub(crate) pickle: bool,
    pub(crate) dtype: bool,
}

/// Writes `value`; its arrays as those of any value, and with those of dtypes that aren't an `Element`'s.
pub(crate) fn save(value: &RawValue, out: &mut Writer<'_>) -> Result<Features> {
    let dtype = value.arrays.iter().any(|array| array.meta().itemsize.is_some());
    let mut features = Features { pickle: false, dtype };
    let may_stay = !value.filed || value.arrays.len() > FILED;
    let mut references = References::of(value);
    let mut scan = ValueScan::new(&value.message);
    while let Some((item, bytes)) = scan.next().map_err(not_a_value)? {
        match item {
            ScanItem::Extension(kind, held) if kind == Ext::Lifted as i8 => {
                let array = references.take(held)?;
                // Where there are no elements nothing tells how long one would be.
                let may_stay = may_stay && (array.meta().itemsize.is_none() || !array.bytes().is_empty());
                out.array(array.meta(), array.bytes(), array.verified_digest(), may_stay)?;
            }
            ScanItem::Extension(kind, held) if kind == Ext::Pickle as i8 => {
                features.pickle = true;
                save_pickle(held, &mut references, out)?;
            }
            ScanItem::Extension(kind, _) if !is_leaf(kind) => {
                return Err(Error::invalid(format!("value has extension {kind}, expected 1, 3, 4 or 5")));
            }
            ScanItem::Extension(..) | ScanItem::Array(_) | ScanItem::Map(_) | ScanItem::Text(_) | ScanItem::Other => {
                out.raw(bytes)
            }
        }
    }
    references.finish()?;
    Ok(features)
}

/// Whether `value` can be saved.
pub(super) fn check(value: &RawValue) -> Result<()> {
    let mut references = References::of(value);
    let mut scan = ValueScan::new(&value.message);
    while let Some((item, _)) = scan.next().map_err(not_a_value)? {
        match item {
            ScanItem::Extension(kind, held) if kind == Ext::Lifted as i8 => drop(references.take(held)?),
            ScanItem::Extension(kind, held) if kind == Ext::Pickle as i8 => {
                pickle(held)?.1.into_iter().try_for_each(|number| references.take_number(number).map(drop))?;
            }
            ScanItem::Extension(kind, _) if !is_leaf(kind) => {
                return Err(Error::invalid(format!("value has extension {kind}, expected 1, 3, 4 or 5")));
            }
            ScanItem::Extension(..) | ScanItem::Array(_) | ScanItem::Map(_) | ScanItem::Text(_) | ScanItem::Other => {}
        }
    }
    references.finish()
}

fn not_a_value(error: Error) -> Error {
    Error::invalid(format!("{error}, expected one MessagePack value"))
}

fn is_leaf(kind: i8) -> bool {
    [Ext::ExactLeaf, Ext::UnorderedLeaf].iter().any(|leaf| *leaf as i8 == kind)
}

/// An object that Python pickled, whose buffers have files of their own: they stand there by number.
fn save_pickle(held: &[u8], references: &mut References<'_>, out: &mut Writer<'_>) -> Result<()> {
    let (stream, buffers) = pickle(held)?;
    let mut numbers = Vec::with_capacity(buffers.len());
    for number in buffers {
        let array = references.take_number(number)?;
        numbers.push(out.lift(array.meta(), array.bytes(), array.verified_digest())?);
    }
    out.ext(Ext::Pickle, &pickle_bytes(stream, &numbers)?)
}

/// The stream, and the numbers of its buffers.
pub(crate) fn pickle(held: &[u8]) -> Result<(&[u8], Vec<u64>)> {
    let mut reader = Reader::of_plain(held);
    reader.begin_array_of(2, "pickle")?;
    let stream = reader.bin()?;
    let len = reader.begin_array()?;
    let buffers = (0..len).map(|_| reader.uint()).collect::<Result<_>>()?;
    reader.finish()?;
    Ok((stream, buffers))
}

pub(super) fn pickle_bytes(stream: &[u8], buffers: &[u32]) -> Result<Vec<u8>> {
    let len = |len: usize| u32::try_from(len).map_err(|_| Error::unsupported(format!("pickle has {len} bytes")));
    let mut bytes = ByteBuf::new();
    len(stream.len())?;
    let Ok(_) = encode::write_array_len(&mut bytes, 2);
    let Ok(()) = encode::write_bin(&mut bytes, stream);
    let Ok(_) = encode::write_array_len(&mut bytes, len(buffers.len())?);
    for &number in buffers {
        let Ok(_) = encode::write_uint(&mut bytes, number.into());
    }
    Ok(bytes.into_vec())
}

/// The arrays of a value, which are referred to one after the other.
struct References<'a> {
    arrays: &'a [Array],
    next: usize,
}

impl<'a> References<'a> {
    fn of(value: &'a RawValue) -> Self {
        Self { arrays: &value.arrays, next: 0 }
    }

    /// The array of the number that these four bytes are.
    fn take(&mut self, held: &[u8]) -> Result<&'a Array> {
        let number = <[u8; 4]>::try_from(held).map(u32_of);
        self.take_number(number.map_or(u64::MAX, u64::from))
    }

    fn take_number(&mut self, number: u64) -> Result<&'a Array> {
        let array = self.arrays.get(self.next).filter(|_| number == self.next as u64).ok_or_else(|| {
            let (next, of) = (self.next, self.arrays.len());
            Error::invalid(format!(
                "value refers to array {number} of {of}, expected {next}: each once, in their order"
            ))
        })?;
        self.next += 1;
        Ok(array)
    }

    fn finish(&self) -> Result<()> {
        let (next, of) = (self.next, self.arrays.len());
        match next == of {
            true => Ok(()),
            false => Err(Error::invalid(format!("value refers to {next} of its {of} arrays, expected all"))),
        }
    }
}
