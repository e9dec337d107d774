//! A result on its way into an entry.

use std::collections::HashSet;

use ndcache::dynamic::{Array, RawValue, array_reference};
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use rmp::encode as wire;

use super::arrays::stored_array;
use super::marks::packed;
use super::{ext, mark};
use crate::python;

/// The most containers of a plain value, and how deep they nest.
const CONTAINERS: usize = 1000;
const DEPTH: usize = 64;

/// The most bytes of its marks: they have to fit into a record beside all else.
const MARKS: usize = 32 * 1024;

/// A result as it is stored.
pub(crate) struct EncodedResult {
    pub(crate) value: RawValue,
    /// Whether what is loaded later differs from the object itself: strides, a class of maps.
    pub(crate) differs: bool,
}

/// A value as it is stored.
///
/// # Errors
/// Raises what pickling raises.
pub(crate) fn encode(value: &Bound<'_, PyAny>) -> PyResult<EncodedResult> {
    let mut encoder = Encoder::default();
    if encoder.plain(value, 0)? {
        let Encoder { message, arrays, marks, differs, .. } = encoder;
        let python = packed(&marks);
        if python.len() <= MARKS {
            let value = RawValue::new(message, arrays).map_err(invalid)?;
            return Ok(EncodedResult { value: value.with_python(python), differs });
        }
    }
    pickled(value)
}

fn invalid(error: ndcache::Error) -> PyErr {
    pyo3::exceptions::PyValueError::new_err(error.to_string())
}

#[derive(Default)]
struct Encoder {
    message: Vec<u8>,
    arrays: Vec<Array>,
    marks: Vec<u8>,
    met: HashSet<usize>,
    containers: usize,
    differs: bool,
}

impl Encoder {
    /// Writes a plain value; `false` if it isn't one.
    fn plain(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<bool> {
        let out = &mut self.message;
        if value.is_none() {
            let _ = wire::write_nil(out);
        } else if let Ok(is) = value.cast_exact::<PyBool>() {
            let _ = wire::write_bool(out, is.is_true());
        } else if value.is_exact_instance_of::<PyInt>() {
            let Ok(number) = value.extract::<i64>() else { return Ok(false) };
            let _ = wire::write_sint(out, number);
        } else if let Ok(number) = value.cast_exact::<PyFloat>() {
            let _ = wire::write_f64(out, number.value());
        } else if let Ok(text) = value.cast_exact::<PyString>() {
            let Ok(text) = text.to_str() else { return Ok(false) };
            return Ok(u32::try_from(text.len()).is_ok() && wire::write_str(out, text).is_ok());
        } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            let bytes = bytes.as_bytes();
            return Ok(u32::try_from(bytes.len()).is_ok() && wire::write_bin(out, bytes).is_ok());
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            return self.several(value, &list.to_tuple(), mark::PLAIN, depth);
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            return self.several(value, tuple, mark::OTHER, depth);
        } else if let Ok(dict) = value.cast_exact::<PyDict>() {
            return self.dict(dict, depth);
        } else {
            return self.array_or_scalar(value);
        }
        Ok(true)
    }

    /// Whether one more container may be plain: it isn't met again, nor too deep, nor one too many.
    fn is_new(&mut self, value: &Bound<'_, PyAny>, depth: usize, empty: bool) -> bool {
        self.containers += 1;
        // The empty tuple is one object.
        let new = empty || self.met.insert(value.as_ptr() as usize);
        new && depth < DEPTH && self.containers <= CONTAINERS
    }

    fn several(
        &mut self,
        value: &Bound<'_, PyAny>,
        items: &Bound<'_, PyTuple>,
        mark: u8,
        depth: usize,
    ) -> PyResult<bool> {
        let constant = items.is_empty() && mark == mark::OTHER;
        let Ok(len) = u32::try_from(items.len()) else { return Ok(false) };
        if !self.is_new(value, depth, constant) {
            return Ok(false);
        }
        self.marks.push(mark);
        let _ = wire::write_array_len(&mut self.message, len);
        for item in items.iter_borrowed() {
            if !self.plain(&item, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn dict(&mut self, dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<bool> {
        let Ok(len) = u32::try_from(dict.len()) else { return Ok(false) };
        if !self.is_new(dict.as_any(), depth, false) {
            return Ok(false);
        }
        let _ = wire::write_map_len(&mut self.message, len);
        for (key, value) in dict.iter() {
            let plain = key.is_exact_instance_of::<PyString>() || key.is_exact_instance_of::<PyInt>();
            if !plain || !self.plain(&key, depth + 1)? || !self.plain(&value, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn array_or_scalar(&mut self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let types = python::types(value.py())?;
        let class = value.get_type();
        let is_map = class.is(&types.memmap);
        if class.is(&types.ndarray) || is_map {
            let array = value.cast::<PyUntypedArray>()?;
            if !self.met.insert(value.as_ptr() as usize) {
                return Ok(false);
            }
            let Some((stored, as_is)) = stored_array(array)? else { return Ok(false) };
            self.differs |= is_map || !as_is;
            self.array(stored, mark::PLAIN);
            return Ok(true);
        }
        if value.is_instance(types.generic.bind(value.py()))?
            && class.getattr("__module__")?.extract::<String>()? == "numpy"
        {
            // An array that has no axes, and is told from one by its mark.
            let array = python::hashers(value.py())?.getattr("of_scalar")?.call1((value,))?;
            if array.is_none() {
                return Ok(false);
            }
            let Some((stored, _)) = stored_array(array.cast::<PyUntypedArray>()?)? else { return Ok(false) };
            self.array(stored, mark::OTHER);
            return Ok(true);
        }
        Ok(false)
    }

    fn array(&mut self, array: Array, mark: u8) {
        self.marks.push(mark);
        self.message.extend(array_reference(self.arrays.len() as u32));
        self.arrays.push(array);
    }
}

/// The value as Python pickles it, with its arrays beside.
fn pickled(value: &Bound<'_, PyAny>) -> PyResult<EncodedResult> {
    let (stream, buffers, differs): (Bound<'_, PyBytes>, Vec<Bound<'_, PyAny>>, bool) =
        python::pickling(value.py())?.getattr("dumps")?.call1((value,))?.extract()?;
    let mut arrays = Vec::with_capacity(buffers.len());
    for buffer in buffers {
        let array = buffer.cast::<PyUntypedArray>()?;
        let stored = match stored_array(array)? {
            Some((stored, _)) => stored,
            None => stored_array(array.call_method1("view", ("u1",))?.cast::<PyUntypedArray>()?)?
                .map(|(stored, _)| stored)
                .ok_or_else(|| pyo3::exceptions::PyValueError::new_err("a buffer of the pickle can't be stored"))?,
        };
        arrays.push(stored);
    }
    let mut held = Vec::with_capacity(stream.as_bytes().len() + 16);
    let _ = wire::write_array_len(&mut held, 2);
    let _ = wire::write_bin(&mut held, stream.as_bytes());
    let _ = wire::write_array_len(&mut held, arrays.len() as u32);
    for number in 0..arrays.len() {
        let _ = wire::write_uint(&mut held, number as u64);
    }
    let len = u32::try_from(held.len())
        .map_err(|_| pyo3::exceptions::PyValueError::new_err("its pickle has 4 GiB or more beside its arrays"))?;
    let mut message = Vec::with_capacity(held.len() + 6);
    let _ = wire::write_ext_meta(&mut message, len, ext::PICKLE);
    message.append(&mut held);
    let value = RawValue::new(message, arrays).map_err(invalid)?;
    Ok(EncodedResult { value, differs })
}
