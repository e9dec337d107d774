//! Arrays, which are lifted out of the value they are in.

use std::sync::Arc;

use ndarray::{Array, ArrayBase, ArrayRef, Dimension, Ix1, OwnedArcRepr, OwnedRepr};

use crate::digest::{ArrayMeta, Digest, Element, Known, Order};
use crate::error::{ErrorKind, Result};
use crate::map::{self, Mapped, MappedCow};
use crate::payload::wire::Ext;
use crate::payload::wire::read::ReadArray;
use crate::payload::{
    ArraySource, CopyOnWrite, Mappable, MappedFile, Normaliser, OneArray, Payload, PrivateFile, Reader, TypeName,
    Writer,
};

impl<A: Element, D: Dimension> Payload for ArrayBase<OwnedRepr<A>, D> {
    fn type_name(name: &mut TypeName) {
        name.array(A::NAME, D::NDIM, false);
    }

    fn normalise(&mut self, _: &mut Normaliser) {
        map::normalise(self);
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        save_array(self, out, Lift { known: None, may_stay: true })
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        load_array(input)
    }
}

/// Loaded into memory of its own, which nothing else shares yet.
impl<A: Element, D: Dimension> Payload for ArrayBase<OwnedArcRepr<A>, D> {
    fn type_name(name: &mut TypeName) {
        name.array(A::NAME, D::NDIM, false);
    }

    fn normalise(&mut self, _: &mut Normaliser) {
        let is_normal = ArrayMeta::of(self).is_some_and(|meta| exact_strides(&meta) == self.strides());
        if !is_normal {
            let mut owned = self.to_owned();
            map::normalise(&mut owned);
            *self = owned.into_shared();
        }
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        save_array(self, out, Lift { known: None, may_stay: true })
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        load_array(input).map(Array::into_shared)
    }
}

/// Never inside the value: what is mapped needs a file.
impl<A: Element, D: Dimension> Payload for Mapped<A, D> {
    fn type_name(name: &mut TypeName) {
        name.array(A::NAME, D::NDIM, true);
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<()> {
        if let (Some(stage), Some(meta)) = (self.stage(), ArrayMeta::of(self))
            && out.adopted_array(&meta, stage, &|| self.digest())?
        {
            return Ok(());
        }
        let known = self.known().is_verified().then(|| self.digest());
        save_array(self, out, Lift { known, may_stay: false })
    }

    fn load(input: &mut Reader<'_>) -> Result<Self> {
        load_mapped(input)
    }
}

impl<A: Element, D: Dimension> Mappable for ArrayBase<OwnedRepr<A>, D> {
    type Mapped = Mapped<A, D>;

    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
        load_mapped(input)
    }

    fn into_mapped(self) -> Self::Mapped {
        self.into()
    }
}

impl<A: Element, D: Dimension> Mappable for ArrayBase<OwnedArcRepr<A>, D> {
    type Mapped = Mapped<A, D>;

    fn map(input: &mut Reader<'_>) -> Result<Self::Mapped> {
        load_mapped(input)
    }

    fn into_mapped(self) -> Self::Mapped {
        self.into_owned().into()
    }
}

impl<A: Element, D: Dimension> CopyOnWrite for ArrayBase<OwnedRepr<A>, D> {
    type Cow = MappedCow<A, D>;

    fn copy_on_write(input: &mut Reader<'_>) -> Result<Self::Cow> {
        load_cow(input)
    }

    fn into_cow(self) -> Self::Cow {
        self.into()
    }
}

impl<A: Element, D: Dimension> CopyOnWrite for ArrayBase<OwnedArcRepr<A>, D> {
    type Cow = MappedCow<A, D>;

    fn copy_on_write(input: &mut Reader<'_>) -> Result<Self::Cow> {
        load_cow(input)
    }

    fn into_cow(self) -> Self::Cow {
        self.into_owned().into()
    }
}

impl<A: Element, D: Dimension> CopyOnWrite for Mapped<A, D> {
    type Cow = MappedCow<A, D>;

    fn copy_on_write(input: &mut Reader<'_>) -> Result<Self::Cow> {
        load_cow(input)
    }

    fn into_cow(self) -> Self::Cow {
        self.to_owned().into()
    }
}

macro_rules! one_array {
    ($($type:ty, may_stay: $may_stay:literal;)*) => {$(
        impl<A: Element, D: Dimension + 'static> OneArray for $type {
            type Element = A;
            type Axes = D;

            fn save_array(array: &ArrayRef<A, D>, out: &mut Writer<'_>) -> Result<()> {
                save_array(array, out, Lift { known: None, may_stay: $may_stay })
            }
        }
    )*};
}

one_array! {
    ArrayBase<OwnedRepr<A>, D>, may_stay: true;
    ArrayBase<OwnedArcRepr<A>, D>, may_stay: true;
    Mapped<A, D>, may_stay: false;
}

crate::payload::value::maps_to_itself! { [A: Element, D: Dimension] Mapped<A, D>; }

/// How an array leaves a value.
struct Lift {
    /// Its digest, where this process has verified it.
    known: Option<Digest>,
    may_stay: bool,
}

/// Saves an array; one that is contiguous in neither order as its copy in C order.
fn save_array<A: Element, D: Dimension>(array: &ArrayRef<A, D>, out: &mut Writer<'_>, lift: Lift) -> Result<()> {
    match ArrayMeta::of(array) {
        Some(meta) => {
            let in_c_order = if meta.order == Order::F { array.t() } else { array.view() };
            let elements = in_c_order.as_slice().expect("it is contiguous in its own order");
            out.array(&meta, bytemuck::cast_slice(elements), lift.known, lift.may_stay)
        }
        None => save_array(&array.as_standard_layout(), out, lift),
    }
}

/// A sequence of elements, as an array of one axis.
pub(crate) fn save_slices<A: Element>([front, back]: [&[A]; 2], out: &mut Writer<'_>) -> Result<()> {
    if !back.is_empty() {
        return save_slices([&[front, back].concat(), &[]], out);
    }
    let bytes = bytemuck::cast_slice(front);
    if out.short_row(A::DESCR, front.len(), bytes) {
        return Ok(());
    }
    let meta = ArrayMeta { descr: A::DESCR.into(), shape: vec![front.len() as u64], order: Order::C, itemsize: None };
    out.array(&meta, bytes, None, true)
}

pub(crate) fn load_vec<A: Element>(input: &mut Reader<'_>) -> Result<Vec<A>> {
    if let Some((count, bytes)) = short_row::<A>(input) {
        return map::vec_of(count, |out| out.copy_of(bytes));
    }
    let stored = input.array()?;
    read::<A, Ix1>(input, stored).map(|(elements, _)| elements)
}

fn load_array<A: Element, D: Dimension>(input: &mut Reader<'_>) -> Result<Array<A, D>> {
    let stored = input.array()?;
    let (elements, meta) = read::<A, D>(input, stored)?;
    map::array_from_vec(elements, &meta)
}

fn load_mapped<A: Element, D: Dimension>(input: &mut Reader<'_>) -> Result<Mapped<A, D>> {
    let stored = input.array()?;
    let known = match stored {
        ReadArray::Inline(..) => Known::unknown(),
        ReadArray::Lifted(index) => {
            let source = input.source();
            if let Some(MappedFile { mapping, offset, known }) = source.map(index)? {
                return Mapped::from_mapping(mapping, offset, source.meta(index)?, known);
            }
            // Reading verifies.
            Known::verified(source.digest(index)?)
        }
    };
    let (elements, meta) = read::<A, D>(input, stored)?;
    Mapped::from_vec(elements, &meta, Arc::new(known))
}

fn load_cow<A: Element, D: Dimension>(input: &mut Reader<'_>) -> Result<MappedCow<A, D>> {
    let stored = input.array()?;
    if let ReadArray::Lifted(index) = stored
        && let Some(PrivateFile { file, path, len, offset }) = input.source().cow(index)?
    {
        return MappedCow::from_file(&file, &path, len, offset, input.source().meta(index)?);
    }
    let (elements, meta) = read::<A, D>(input, stored)?;
    MappedCow::from_vec(elements, &meta)
}

/// The elements in the order of memory, once dtype and number of axes are those of the type.
fn read<A: Element, D: Dimension>(input: &Reader<'_>, stored: ReadArray<'_>) -> Result<(Vec<A>, ArrayMeta)> {
    let owned;
    let (meta, bytes) = match stored {
        ReadArray::Lifted(index) => (input.source().meta(index)?, Err(index)),
        ReadArray::Inline(meta, bytes) => {
            owned = meta;
            (&owned, Ok(bytes))
        }
    };
    meta.check::<A, D>(ErrorKind::Damaged)?;
    let count = meta.count()?;
    let elements = match bytes {
        Ok(bytes) => map::vec_of(count, |out| out.copy_of(bytes)),
        Err(index) => read_lifted(input.source(), index, count),
    }?;
    Ok((elements, meta.clone()))
}

fn read_lifted<A: Element>(source: &dyn ArraySource, index: u32, count: usize) -> Result<Vec<A>> {
    let Some(mut encoded) = source.encoded(index)? else {
        return map::vec_of(count, |out| source.read(index, out));
    };
    let elements = map::grown_vec_of(count, |out| encoded.fill(out))?;
    encoded.finish(source.digest(index)?)?;
    Ok(elements)
}

/// Takes a short 1-d array inside the value, of which there may be millions; `None` for any other array, and for a
/// malformed one, about which the general way reports what is wrong.
fn short_row<'a, A: Element>(input: &mut Reader<'a>) -> Option<(usize, &'a [u8])> {
    let inner = input.short_ext(Ext::Inline)?;
    let descr = A::DESCR.as_bytes();
    let rest = inner.strip_prefix(&[0x94, 0xa0 | descr.len() as u8])?.strip_prefix(descr)?;
    let (&[count @ 0..=0x7f, 0xc4, len], elements) = rest.strip_prefix(b"\xa1C\x91")?.split_first_chunk()? else {
        return None;
    };
    let is_whole = usize::from(len) == elements.len() && elements.len() == usize::from(count) * size_of::<A>();
    is_whole.then(|| {
        input.skip_short_ext(inner.len());
        (usize::from(count), elements)
    })
}

/// The strides of a new array, in elements; ndarray has none but 0 for an empty one.
fn exact_strides(meta: &ArrayMeta) -> Vec<isize> {
    let mut strides = vec![0; meta.shape.len()];
    let mut stride = if meta.shape.contains(&0) { 0 } else { 1 };
    let fastest_first: &mut dyn Iterator<Item = usize> = match meta.order {
        Order::C => &mut (0..strides.len()).rev(),
        Order::F => &mut (0..strides.len()),
    };
    for axis in fastest_first {
        strides[axis] = stride;
        stride *= meta.shape[axis] as isize;
    }
    strides
}
