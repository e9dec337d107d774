//! NumPy's arrays: their dtype as text, their memory order, their digest.

use std::collections::HashMap;
use std::sync::Mutex;

use ndcache::Digest;
use ndcache::dynamic::{Array, Order, digest_array, dtype_itemsize};
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use super::digest::Claims;
use super::stream::{SAMPLED, digest_of_sample};
use crate::python;

/// Arrays of more bytes are hashed without the interpreter's lock.
const LARGE: usize = 16 * 1024;

/// An array whose elements lie in memory without gaps.
pub(crate) struct Layout {
    pub(crate) descr: String,
    pub(crate) itemsize: u64,
    pub(crate) shape: Vec<u64>,
    /// The axes, slowest first.
    pub(crate) axes: Vec<usize>,
}

impl Layout {
    /// The order of the elements, if it is one that files have.
    pub(crate) fn order(&self) -> Option<Order> {
        let axes = || self.axes.iter().copied();
        if axes().eq(0..self.axes.len()) {
            Some(Order::C)
        } else if axes().eq((0..self.axes.len()).rev()) {
            Some(Order::F)
        } else {
            None
        }
    }
}

/// NumPy's text for a dtype, as in a `.npy`, with the bytes of an element; `None` for dtypes that it doesn't say all of:
/// those of objects, with metadata, of other libraries, with gaps.
pub(crate) fn descr_of(dtype: &Bound<'_, PyArrayDescr>) -> PyResult<Option<(String, u64)>> {
    let itemsize = dtype.itemsize();
    if itemsize == 0 || dtype.has_object() {
        return Ok(None);
    }
    let (kind, num) = (dtype.kind(), dtype.num());
    // NumPy's own numbers, without metadata: dtypes of others have larger numbers.
    if matches!(kind, b'b' | b'i' | b'u' | b'f' | b'c')
        && num < 24
        && dtype.is_native_byteorder() != Some(false)
        && is_bare(dtype)
    {
        let mark = if itemsize == 1 { '|' } else { '<' };
        return Ok(Some((format!("{mark}{}{itemsize}", kind as char), itemsize as u64)));
    }
    let found = python::hashers(dtype.py())?.getattr("plain_descr")?.call1((dtype,))?.extract::<Option<String>>()?;
    let stored = found.filter(|descr| dtype_itemsize(descr).is_ok_and(|stored| stored == itemsize as u64));
    Ok(stored.map(|descr| (descr, itemsize as u64)))
}

/// Whether nothing was added to the dtype: metadata.
fn is_bare(dtype: &Bound<'_, PyArrayDescr>) -> bool {
    // The dtypes that NumPy hands out itself are one object each.
    dtype.getattr(pyo3::intern!(dtype.py(), "metadata")).is_ok_and(|metadata| metadata.is_none())
}

/// The dtype for people.
pub(super) fn descr_text(array: &Bound<'_, PyUntypedArray>) -> String {
    array.dtype().str().map_or_else(|_| "?".to_owned(), |text| text.to_string())
}

/// How the array lies in memory; `None` if its dtype isn't plain.
pub(crate) fn layout(array: &Bound<'_, PyUntypedArray>) -> PyResult<Option<(Layout, bool)>> {
    let Some((descr, itemsize)) = descr_of(&array.dtype())? else { return Ok(None) };
    let shape: Vec<u64> = array.shape().iter().map(|&len| len as u64).collect();
    let axes = contiguous_axes(array, itemsize as usize);
    let gapless = axes.is_some();
    let axes = axes.unwrap_or_else(|| (0..shape.len()).collect());
    Ok(Some((Layout { descr, itemsize, shape, axes }, gapless)))
}

/// The axes from the slowest to the fastest, if the elements lie without gaps.
fn contiguous_axes(array: &Bound<'_, PyUntypedArray>, itemsize: usize) -> Option<Vec<usize>> {
    let ndim = array.ndim();
    if array.is_c_contiguous() {
        return Some((0..ndim).collect());
    }
    if array.is_fortran_contiguous() {
        return Some((0..ndim).rev().collect());
    }
    let (shape, strides) = (array.shape(), array.strides());
    let mut axes: Vec<usize> = (0..ndim).collect();
    axes.sort_by_key(|&axis| std::cmp::Reverse((shape[axis] != 1, strides[axis])));
    let mut expected = itemsize as isize;
    for &axis in axes.iter().rev() {
        if shape[axis] != 1 {
            if strides[axis] != expected {
                return None;
            }
            expected *= shape[axis] as isize;
        }
    }
    Some(axes)
}

/// The digest of an array of a plain dtype, which an ndarray of the same elements has in Rust; `None` of another dtype.
pub(crate) fn array_digest(array: &Bound<'_, PyUntypedArray>, claims: &mut Claims) -> PyResult<Option<Digest>> {
    if let Some(mapped) = mapped_array(array)? {
        let digest = mapped.digest();
        if !mapped.is_verified() {
            claims.arrays.push(mapped);
        }
        return Ok(Some(digest));
    }
    let Some((layout, gapless)) = layout(array)? else { return Ok(None) };
    let bytes = array.len() as u64 * layout.itemsize;
    claims.bytes += bytes;
    claims.sampled += if bytes > SAMPLED as u64 { bytes } else { 0 };
    if !gapless || python::has_padding(&layout.descr, layout.itemsize) {
        let copied = python::hashers(array.py())?.getattr("tidy")?.call1((array,))?;
        let copied = copied.cast_into::<PyUntypedArray>()?;
        let shape = layout.shape;
        let axes = contiguous_axes(&copied, layout.itemsize as usize).unwrap_or_else(|| (0..shape.len()).collect());
        return digest(&copied, &Layout { shape, axes, ..layout }).map(Some);
    }
    digest(array, &layout).map(Some)
}

/// The digest of a sample of a long array of a plain dtype; `None` of any other, of which [`array_digest`] knows.
pub(super) fn sample_digest(array: &Bound<'_, PyUntypedArray>) -> PyResult<Option<Digest>> {
    if mapped_array(array)?.is_some() {
        return Ok(None);
    }
    let Some((layout, gapless)) = layout(array)? else { return Ok(None) };
    if array.len() as u64 * layout.itemsize <= SAMPLED as u64 {
        return Ok(None);
    }
    if gapless {
        return Ok(Some(digest_of_sample(elements(array, layout.itemsize))));
    }
    let sample = python::hashers(array.py())?.getattr("sample")?.call1((array,))?.cast_into::<PyUntypedArray>()?;
    Ok(Some(digest_of_sample(elements(&sample, layout.itemsize))))
}

fn digest(array: &Bound<'_, PyUntypedArray>, layout: &Layout) -> PyResult<Digest> {
    let Layout { descr, itemsize, shape, axes } = layout;
    let bytes = elements(array, *itemsize);
    let compute = || digest_array(descr, *itemsize, shape, axes, bytes);
    let digest = if bytes.len() > LARGE { array.py().detach(compute) } else { compute() };
    digest.map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The elements of an array without gaps, as they lie in memory.
pub(crate) fn elements<'a>(array: &'a Bound<'_, PyUntypedArray>, itemsize: u64) -> &'a [u8] {
    let len = array.len() * itemsize as usize;
    if len == 0 {
        return &[];
    }
    // SAFETY: the array has `len` bytes without gaps, which live as long as it does. A program that changes them from
    // another thread meanwhile races, as with any other reader of NumPy's.
    unsafe { std::slice::from_raw_parts((*array.as_array_ptr()).fields.data.cast::<u8>(), len) }
}

/// Arrays that were handed out as read-only maps, by the address of Python's `mmap` object.
static MAPPED: Mutex<Option<HashMap<usize, MappedArray>>> = Mutex::new(None);

struct MappedArray {
    map: Py<PyWeakrefReference>,
    data: usize,
    array: Array,
}

/// Remembers that `map` is mapped read-only, and holds the elements of `array` at `data`.
pub(crate) fn remember_mapped(map: &Bound<'_, PyAny>, data: usize, array: &Array) -> PyResult<()> {
    let weak = PyWeakrefReference::new(map)?.unbind();
    let mut mapped = python::lock(&MAPPED);
    let mapped = mapped.get_or_insert_default();
    if mapped.len() > 64 && mapped.len().is_power_of_two() {
        mapped.retain(|_, known| known.map.bind(map.py()).upgrade().is_some());
    }
    mapped.insert(map.as_ptr() as usize, MappedArray { map: weak, data, array: array.clone() });
    Ok(())
}

/// What `array` was mapped from, if it is that very array and not a part or another view of it.
pub(crate) fn mapped_array(array: &Bound<'_, PyUntypedArray>) -> PyResult<Option<Array>> {
    let py = array.py();
    // SAFETY: `base` is a reference that the array holds, or null.
    let mut base = unsafe { (*array.as_array_ptr()).fields.base };
    let mut hops = 0;
    while !base.is_null() && hops < 4 {
        // SAFETY: it is held by what holds it.
        let object = unsafe { Bound::from_borrowed_ptr(py, base) };
        if object.is_exact_instance(python::mmap_type(py)?) {
            return mapped_at(&object, array);
        }
        let Ok(inner) = object.cast::<PyUntypedArray>() else { return Ok(None) };
        // SAFETY: as above.
        base = unsafe { (*inner.as_array_ptr()).fields.base };
        hops += 1;
    }
    Ok(None)
}

fn mapped_at(map: &Bound<'_, PyAny>, array: &Bound<'_, PyUntypedArray>) -> PyResult<Option<Array>> {
    let found = {
        let mapped = python::lock(&MAPPED);
        let known = mapped.as_ref().and_then(|mapped| mapped.get(&(map.as_ptr() as usize)));
        let alive = known.filter(|known| known.map.bind(map.py()).upgrade().is_some_and(|alive| alive.is(map)));
        // SAFETY: the address is but compared.
        let data = unsafe { (*array.as_array_ptr()).fields.data } as usize;
        alive.filter(|known| known.data == data).map(|known| known.array.clone())
    };
    let Some(found) = found else { return Ok(None) };
    let Some((layout, true)) = layout(array)? else { return Ok(None) };
    let same = layout.descr == found.descr() && layout.shape == found.shape() && layout.itemsize == found.itemsize();
    let ordered = match found.order() {
        Order::C => array.is_c_contiguous(),
        Order::F => array.is_fortran_contiguous(),
    };
    Ok((same && ordered).then_some(found))
}
