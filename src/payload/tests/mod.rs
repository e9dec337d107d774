//! The promise of this room: `load(save(x)) == x`, or a clear refusal at saving.

mod arrays;
mod bytes;
mod codecs;
mod derived;
mod gzip;
mod hostile;
mod npy;
mod probes;
mod serde;
mod values;

use super::{
    ArraySink, ArraySource, Check, Codec, Format, MappedFile, Normaliser, Payload, PrivateFile, Reader, ViaPayload,
    ViaSerde, Writer,
};
use crate::digest::tree;
use crate::digest::{ArrayMeta, Digest};
use crate::error::{Error, Result};
use crate::map::Spare;

/// Lifted arrays, in memory.
#[derive(Default, Debug)]
struct Shelf {
    arrays: Vec<(ArrayMeta, Vec<u8>)>,
    known: Vec<Option<Digest>>,
}

impl Shelf {
    fn get(&self, index: u32) -> Result<&(ArrayMeta, Vec<u8>)> {
        self.arrays.get(index as usize).ok_or_else(|| Error::damaged("no such array"))
    }
}

impl ArraySink for Shelf {
    fn put(&mut self, meta: &ArrayMeta, bytes: &[u8], known: Option<Digest>) -> Result<u32> {
        assert_eq!(meta.byte_len()?, bytes.len() as u64);
        self.arrays.push((meta.clone(), bytes.to_vec()));
        self.known.push(known);
        Ok(self.arrays.len() as u32 - 1)
    }
}

impl ArraySource for Shelf {
    fn meta(&self, index: u32) -> Result<&ArrayMeta> {
        Ok(&self.get(index)?.0)
    }

    fn read<'a>(&self, index: u32, out: Spare<'a>) -> Result<&'a mut [u8]> {
        out.copy_of(&self.get(index)?.1)
    }

    fn map(&self, _: u32) -> Result<Option<MappedFile>> {
        Ok(None)
    }

    fn cow(&self, _: u32) -> Result<Option<PrivateFile>> {
        Ok(None)
    }

    fn digest(&self, index: u32) -> Result<Digest> {
        let (meta, bytes) = self.get(index)?;
        Ok(meta.digest(tree(bytes)))
    }
}

/// A stored value.
#[derive(Debug)]
struct Saved {
    value: Vec<u8>,
    shelf: Shelf,
}

impl Saved {
    fn read<T>(&self, read: impl FnOnce(&mut Reader<'_>) -> Result<T>) -> Result<T> {
        let mut input = Reader::new(&self.value, &self.shelf);
        let value = read(&mut input)?;
        input.finish()?;
        Ok(value)
    }

    fn load<T: Payload>(&self) -> Result<T> {
        self.read(T::load)
    }
}

fn save_as<R>(value: &R, format: impl Format<R>, inline: u64) -> Result<Saved> {
    let mut shelf = Shelf::default();
    let mut out = Writer::new(&mut shelf, inline);
    Codec::of(format).save(value, &mut out)?;
    Ok(Saved { value: out.finish(), shelf })
}

/// Brings a value into the form in which it comes back.
fn normal<T: Payload>(value: &mut T) {
    value.normalise(&mut Normaliser::new(Check::Compare));
}

fn save<T: Payload>(value: &T, inline: u64) -> Saved {
    save_as(value, ViaPayload, inline).unwrap()
}

/// Bytes without an array beside them.
fn plain(bytes: &[u8]) -> Saved {
    Saved { value: bytes.to_vec(), shelf: Shelf::default() }
}

/// Saves and loads, with arrays lifted and inside.
#[track_caller]
fn check<T: Payload + PartialEq + std::fmt::Debug>(value: T) {
    for inline in [0, 4096] {
        assert_eq!(save(&value, inline).load::<T>().unwrap(), value, "inline {inline}");
    }
}

/// Saves and loads through serde; `None` when it is refused at saving.
fn by_serde<T: ::serde::Serialize + ::serde::de::DeserializeOwned>(value: &T) -> Result<T> {
    let saved = save_as(value, ViaSerde, 0)?;
    Ok(saved.read(<ViaSerde as Format<T>>::load).expect("what was saved can be loaded"))
}
