//! Sequences: `Vec`, `VecDeque`, `[T; N]`, boxed slices.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::payload::{Mappable, Normaliser, Payload, Reader, TypeName, Writer};

/// Writes one value after the other: what sequences are unless their items know better.
pub(crate) fn save<T: Payload>([front, back]: [&[T]; 2], out: &mut Writer<'_>) -> Result<()> {
    out.begin_array(front.len() + back.len())?;
    front.iter().chain(back).try_for_each(|item| item.save(out))?;
    out.end();
    Ok(())
}

pub(crate) fn load<T>(input: &mut Reader<'_>, item: fn(&mut Reader<'_>) -> Result<T>) -> Result<Vec<T>> {
    let len = input.begin_array()?;
    let mut items = Vec::with_capacity(capacity::<T>(len, input));
    for _ in 0..len {
        items.push(item(input)?);
    }
    input.end();
    Ok(items)
}

/// Room for `len` items, but never more memory than there is input: each takes at least a byte of it.
pub(crate) fn capacity<T>(len: usize, input: &Reader<'_>) -> usize {
    len.min(input.rest().len() / size_of::<T>().max(1))
}

impl<T: Payload> Payload for Vec<T> {
    fn type_name(name: &mut TypeName) {
        name.generic("Vec", &[T::type_name]);
    }

    fn normalise(&mut self, by: &mut Normaliser) {
        self.iter_mut().for_each(|item| item.normalise(by));
    }

    fn is_always_normal() -> bool {
        T::is_always_normal()
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        T::save_slices([self, &[]], out)
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        T::load_vec(input)
    }
}

impl<T: Mappable> Mappable for Vec<T> {
    type Mapped = Vec<T::Mapped>;

    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
        T::map_vec(input)
    }

    fn into_mapped(self) -> Self::Mapped {
        self.into_iter().map(T::into_mapped).collect()
    }
}

impl<T: Payload> Payload for Box<[T]> {
    fn type_name(name: &mut TypeName) {
        name.generic("Box<[]>", &[T::type_name]);
    }

    fn normalise(&mut self, by: &mut Normaliser) {
        self.iter_mut().for_each(|item| item.normalise(by));
    }

    fn is_always_normal() -> bool {
        T::is_always_normal()
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        T::save_slices([self, &[]], out)
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        T::load_vec(input).map(Vec::into_boxed_slice)
    }
}

impl<T: Mappable> Mappable for Box<[T]> {
    type Mapped = Box<[T::Mapped]>;

    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
        T::map_vec(input).map(Vec::into_boxed_slice)
    }

    fn into_mapped(self) -> Self::Mapped {
        self.into_iter().map(T::into_mapped).collect()
    }
}

impl<T: Payload> Payload for VecDeque<T> {
    fn type_name(name: &mut TypeName) {
        name.generic("VecDeque", &[T::type_name]);
    }

    fn normalise(&mut self, by: &mut Normaliser) {
        // Contiguous, as it is when it is loaded.
        self.make_contiguous().iter_mut().for_each(|item| item.normalise(by));
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        T::save_slices(self.as_slices().into(), out)
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        T::load_vec(input).map(Self::from)
    }
}

impl<T: Mappable> Mappable for VecDeque<T> {
    type Mapped = VecDeque<T::Mapped>;

    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
        T::map_vec(input).map(VecDeque::from)
    }

    fn into_mapped(self) -> Self::Mapped {
        self.into_iter().map(T::into_mapped).collect()
    }
}

/// A sequence of them is one long sequence of their items, so that points in space are one array.
impl<T: Payload, const N: usize> Payload for [T; N] {
    fn type_name(name: &mut TypeName) {
        name.push("[");
        T::type_name(name);
        name.push(&format!("; {N}]"));
    }

    fn normalise(&mut self, by: &mut Normaliser) {
        self.iter_mut().for_each(|item| item.normalise(by));
    }

    fn is_always_normal() -> bool {
        T::is_always_normal()
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        T::save_slices([self, &[]], out)
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        into_array(T::load_vec(input)?)
    }

    fn save_slices([front, back]: [&[Self]; 2], out: &mut Writer<'_>) -> Result<()> {
        match N {
            // Their number would be lost.
            0 => save([front, back], out),
            _ => T::save_slices([front.as_flattened(), back.as_flattened()], out),
        }
    }

    fn load_vec(input: &mut Reader<'_>) -> Result<Vec<Self>> {
        match N {
            0 => load(input, Self::load),
            _ => into_arrays(T::load_vec(input)?),
        }
    }
}

impl<T: Mappable, const N: usize> Mappable for [T; N] {
    type Mapped = [T::Mapped; N];

    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
        into_array(T::map_vec(input)?)
    }

    fn into_mapped(self) -> Self::Mapped {
        self.map(T::into_mapped)
    }

    fn map_vec(input: &mut Reader<'_>) -> Result<Vec<Self::Mapped>> {
        match N {
            0 => load(input, <Self as Mappable>::map),
            _ => into_arrays(T::map_vec(input)?),
        }
    }
}

fn into_array<T, const N: usize>(items: Vec<T>) -> Result<[T; N]> {
    items
        .try_into()
        .map_err(|items: Vec<T>| Error::damaged(format!("sequence has {} values, expected {N}", items.len())))
}

fn into_arrays<T, const N: usize>(items: Vec<T>) -> Result<Vec<[T; N]>> {
    let len = items.len();
    if !len.is_multiple_of(N) {
        return Err(Error::damaged(format!("sequence has {len} values, expected a multiple of {N}")));
    }
    let mut items = items.into_iter();
    (0..len / N).map(|_| into_array(items.by_ref().take(N).collect())).collect()
}
