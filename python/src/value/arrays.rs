//! NumPy's arrays, to and from those of the cache.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ndcache::dynamic::{Array, Bytes, Order};
use numpy::{PyArray1, PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::MmapMode;
use crate::python;
use crate::walk;

/// The most bytes of an array that is copied into memory of NumPy's own.
const COPIED: usize = 64 * 1024;

/// The elements of an array that Python holds.
struct PythonArray {
    array: Py<PyUntypedArray>,
    data: *const u8,
    len: usize,
}

// SAFETY: the array holds the elements for as long as this does, and they are only read. What changes them meanwhile
// races, as with any other reader of NumPy's that has no lock.
unsafe impl Send for PythonArray {}
// SAFETY: as above.
unsafe impl Sync for PythonArray {}

impl AsRef<[u8]> for PythonArray {
    fn as_ref(&self) -> &[u8] {
        let _ = &self.array;
        // SAFETY: as above.
        if self.len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(self.data, self.len) } }
    }
}

/// The array as the cache stores it, without a copy where it lies in C or Fortran order; and whether it does. `None` for
/// a dtype that can't be stored by its bytes.
pub(super) fn stored_array(array: &Bound<'_, PyUntypedArray>) -> PyResult<Option<(Array, bool)>> {
    let py = array.py();
    if let Some(mapped) = walk::mapped_array(array)? {
        return Ok(Some((mapped, true)));
    }
    let Some((layout, gapless)) = walk::layout(array)? else { return Ok(None) };
    let order = layout.order().filter(|_| gapless);
    let (held, as_is) = match order {
        Some(_) => (array.clone(), true),
        None => {
            let copy = python::hashers(py)?.getattr("in_c_order")?.call1((array,))?;
            (copy.cast_into::<PyUntypedArray>()?, false)
        }
    };
    let order = order.unwrap_or(Order::C);
    let bytes = walk::elements(&held, layout.itemsize);
    let owner = PythonArray { data: bytes.as_ptr(), len: bytes.len(), array: held.clone().unbind() };
    let bytes = Bytes::of_owner(Arc::new(owner));
    match Array::new(&layout.descr, layout.itemsize, &layout.shape, order, bytes) {
        Ok(array) => Ok(Some((array, as_is))),
        Err(_) => Ok(None),
    }
}

/// NumPy's dtypes by their text.
static DTYPES: Mutex<Option<HashMap<String, Py<PyAny>>>> = Mutex::new(None);

/// NumPy's dtype of an array, of plain bytes and as long as the array's.
fn dtype<'py>(py: Python<'py>, array: &Array) -> PyResult<Bound<'py, PyAny>> {
    let dtype = dtype_of(py, array.descr())?;
    let found = dtype.cast::<PyArrayDescr>()?;
    if found.has_object() || found.itemsize() as u64 != array.itemsize() {
        let (descr, itemsize) = (array.descr(), array.itemsize());
        return Err(PyValueError::new_err(format!(
            "dtype `{descr}` has elements of {} bytes in NumPy, expected {itemsize}, and no objects",
            found.itemsize()
        )));
    }
    Ok(dtype)
}

fn dtype_of<'py>(py: Python<'py>, descr: &str) -> PyResult<Bound<'py, PyAny>> {
    let known = python::lock(&DTYPES).as_ref().and_then(|known| known.get(descr).map(|dtype| dtype.clone_ref(py)));
    if let Some(known) = known {
        return Ok(known.into_bound(py));
    }
    let dtype = python::hashers(py)?.getattr("dtype_of")?.call1((descr,))?;
    python::lock(&DTYPES).get_or_insert_default().insert(descr.to_owned(), dtype.clone().unbind());
    Ok(dtype)
}

fn letter(order: Order) -> &'static str {
    if order == Order::F { "F" } else { "C" }
}

/// A NumPy array of what was loaded.
pub(super) fn numpy_array<'py>(py: Python<'py>, array: Array, mode: MmapMode) -> PyResult<Bound<'py, PyAny>> {
    if mode != MmapMode::Owned {
        return mapped(py, array, mode);
    }
    owned(py, array)
}

fn owned<'py>(py: Python<'py>, array: Array) -> PyResult<Bound<'py, PyAny>> {
    let dtype = dtype(py, &array)?;
    let shape = PyTuple::new(py, array.shape())?;
    let order = letter(array.order());
    let made = python::hashers(py)?;
    if array.bytes().len() <= COPIED {
        let empty = made.getattr("empty")?.call1((shape, dtype, order))?;
        let target = empty.cast::<PyUntypedArray>()?;
        let bytes = array.bytes();
        if target.len().checked_mul(target.dtype().itemsize()) != Some(bytes.len()) || target.dtype().has_object() {
            return Err(PyValueError::new_err(format!(
                "{} bytes don't fill an array of `{}`",
                bytes.len(),
                array.descr()
            )));
        }
        // SAFETY: it has the length of `bytes`, without gaps and without an address in it, and nobody else has it yet.
        unsafe {
            let data = (*target.as_array_ptr()).fields.data.cast::<u8>();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), data, bytes.len());
        }
        return Ok(empty);
    }
    let bytes = py.detach(|| array.into_bytes().into_vec());
    let bytes = PyArray1::from_vec(py, bytes);
    made.getattr("of_bytes")?.call1((bytes, shape, dtype, order))
}

/// A true `np.memmap` of the array's file, where it has one.
fn mapped<'py>(py: Python<'py>, array: Array, mode: MmapMode) -> PyResult<Bound<'py, PyAny>> {
    let dtype = dtype(py, &array)?;
    let shape = PyTuple::new(py, array.shape())?;
    let order = letter(array.order());
    if let Some((path, offset)) = array.file() {
        let made =
            python::pickling(py)?.getattr("memmap")?.call1((path, offset, &shape, &dtype, order, mode.letter()))?;
        if !made.is_none() {
            if mode == MmapMode::Read {
                let (made, map) = (made.cast::<PyUntypedArray>()?, made.getattr("_mmap")?);
                // SAFETY: the address is but noted.
                let data = unsafe { (*made.as_array_ptr()).fields.data } as usize;
                walk::remember_mapped(&map, data, &array)?;
            }
            return Ok(made);
        }
    }
    let made = owned(py, array)?;
    if mode == MmapMode::Read {
        made.call_method1("setflags", (false,))?;
    }
    Ok(made)
}
