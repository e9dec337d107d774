//! A result on its way out of an entry.

use ndcache::dynamic::{Array, RawValue};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use rmp::Marker;
use rmp::decode as wire;

use super::arrays::numpy_array;
use super::marks::Marks;
use super::{MmapMode, PickleTrust, ResultSite, ext, mark};
use crate::python;

/// What became of a stored value.
pub(crate) enum Loaded<'py> {
    Value(Bound<'py, PyAny>),
    /// It holds a pickle, which isn't loaded for this reason.
    Refused(String),
}

/// The Python value of one that was loaded from `place`, if `trust` allows it.
///
/// # Errors
/// Raises what unpickling raises, and `ValueError` for what isn't a value.
pub(crate) fn decode<'py>(
    py: Python<'py>,
    value: RawValue,
    mode: MmapMode,
    trust: PickleTrust,
    place: &ResultSite<'_>,
) -> PyResult<Loaded<'py>> {
    if holds_pickle(&value)
        && let Some(why) = trust.refuses(py, &value, place)?
    {
        return Ok(Loaded::Refused(why));
    }
    Ok(Loaded::Value(decode_own(py, value, mode)?))
}

/// The Python value of one that this process has made.
///
/// # Errors
/// Raises as [`decode`] does.
pub(crate) fn decode_own<'py>(py: Python<'py>, value: RawValue, mode: MmapMode) -> PyResult<Bound<'py, PyAny>> {
    let marks = Marks::of(value.python())?;
    let (message, arrays) = value.into_parts();
    let mut decoder = Decoder { py, rest: &message, arrays: arrays.into_iter().map(Some).collect(), marks, mode };
    decoder.value(0)
}

/// Whether there is a pickle in the message, which is looked through value by value.
fn holds_pickle(value: &RawValue) -> bool {
    let mut rest = value.message();
    let mut left = 1_u64;
    while left > 0 {
        left -= 1;
        let Ok(marker) = peek(rest) else { return false };
        let skipped = match marker {
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                wire::read_array_len(&mut rest).map(|len| left += u64::from(len)).is_ok()
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                wire::read_map_len(&mut rest).map(|len| left += 2 * u64::from(len)).is_ok()
            }
            marker if is_ext(marker) => match wire::read_ext_meta(&mut rest) {
                Ok(meta) if meta.typeid == ext::PICKLE => return true,
                Ok(meta) => advance(&mut rest, meta.size as usize),
                Err(_) => false,
            },
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                wire::read_str_len(&mut rest).is_ok_and(|len| advance(&mut rest, len as usize))
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                wire::read_bin_len(&mut rest).is_ok_and(|len| advance(&mut rest, len as usize))
            }
            marker => advance(&mut rest, 1 + number_len(marker)),
        };
        if !skipped {
            return false;
        }
    }
    false
}

fn number_len(marker: Marker) -> usize {
    match marker {
        Marker::U8 | Marker::I8 => 1,
        Marker::U16 | Marker::I16 => 2,
        Marker::U32 | Marker::I32 | Marker::F32 => 4,
        Marker::U64 | Marker::I64 | Marker::F64 => 8,
        _ => 0,
    }
}

fn advance(rest: &mut &[u8], len: usize) -> bool {
    match rest.get(len..) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

fn is_ext(marker: Marker) -> bool {
    matches!(
        marker,
        Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32
    )
}

fn peek(rest: &[u8]) -> PyResult<Marker> {
    rest.first().map(|&byte| Marker::from_u8(byte)).ok_or_else(|| damaged("ends early"))
}

fn damaged(what: &str) -> PyErr {
    PyValueError::new_err(format!("the stored value {what}"))
}

fn broken<E>(_: E) -> PyErr {
    damaged("isn't MessagePack")
}

struct Decoder<'a, 'py> {
    py: Python<'py>,
    rest: &'a [u8],
    arrays: Vec<Option<Array>>,
    marks: Marks,
    mode: MmapMode,
}

impl<'a, 'py> Decoder<'a, 'py> {
    fn value(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        if depth > 256 {
            return Err(damaged("is nested too deep"));
        }
        let rest = &mut self.rest;
        Ok(match peek(rest)? {
            Marker::Null => {
                wire::read_nil(rest).map_err(broken)?;
                py.None().into_bound(py)
            }
            Marker::True | Marker::False => {
                let is = wire::read_bool(rest).map_err(broken)?;
                pyo3::types::PyBool::new(py, is).to_owned().into_any()
            }
            Marker::F32 => f64::from(wire::read_f32(rest).map_err(broken)?).into_pyobject(py)?.into_any(),
            Marker::F64 => wire::read_f64(rest).map_err(broken)?.into_pyobject(py)?.into_any(),
            Marker::U64 => wire::read_u64(rest).map_err(broken)?.into_pyobject(py)?.into_any(),
            Marker::FixPos(_)
            | Marker::FixNeg(_)
            | Marker::U8
            | Marker::U16
            | Marker::U32
            | Marker::I8
            | Marker::I16
            | Marker::I32
            | Marker::I64 => wire::read_int::<i64, _>(rest).map_err(broken)?.into_pyobject(py)?.into_any(),
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let len = wire::read_str_len(rest).map_err(broken)? as usize;
                PyString::from_bytes(py, self.take(len)?)?.into_any()
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let len = wire::read_bin_len(rest).map_err(broken)? as usize;
                PyBytes::new(py, self.take(len)?).into_any()
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                let len = wire::read_array_len(rest).map_err(broken)?;
                return self.several(len, depth);
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                let len = wire::read_map_len(rest).map_err(broken)?;
                let dict = PyDict::new(py);
                for _ in 0..len {
                    let key = self.value(depth + 1)?;
                    let value = self.value(depth + 1)?;
                    dict.set_item(key, value)?;
                }
                dict.into_any()
            }
            marker if is_ext(marker) => return self.extension(),
            _ => return Err(damaged("isn't MessagePack")),
        })
    }

    fn take(&mut self, len: usize) -> PyResult<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| damaged("ends early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn several(&mut self, len: u32, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        // What only serde knows comes with its digest.
        if len == 2 && is_ext(peek(self.rest).unwrap_or(Marker::Null)) {
            let mut ahead = self.rest;
            let meta = wire::read_ext_meta(&mut ahead).map_err(broken)?;
            if ext::LEAVES.contains(&meta.typeid) {
                self.rest = ahead;
                self.take(meta.size as usize)?;
                return self.value(depth + 1);
            }
        }
        let mark = self.marks.next()?;
        let items: Vec<_> = (0..len).map(|_| self.value(depth + 1)).collect::<PyResult<_>>()?;
        Ok(match mark {
            mark::PLAIN => PyList::new(self.py, items)?.into_any(),
            _ => PyTuple::new(self.py, items)?.into_any(),
        })
    }

    fn extension(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let meta = wire::read_ext_meta(&mut self.rest).map_err(broken)?;
        let held = self.take(meta.size as usize)?;
        match meta.typeid {
            ext::ARRAY => {
                let number: [u8; 4] = held.try_into().map_err(|_| damaged("refers to no array"))?;
                let array = self.array(u32::from_be_bytes(number) as usize)?;
                match self.marks.next()? {
                    mark::PLAIN => numpy_array(self.py, array, self.mode),
                    _ => numpy_array(self.py, array, MmapMode::Owned)?.get_item(PyTuple::empty(self.py)),
                }
            }
            ext::PICKLE => self.pickle(held),
            other => Err(damaged(&format!("has extension {other}"))),
        }
    }

    fn array(&mut self, number: usize) -> PyResult<Array> {
        self.arrays.get_mut(number).and_then(Option::take).ok_or_else(|| damaged("refers to an array that isn't there"))
    }

    fn pickle(&mut self, mut held: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let held = &mut held;
        wire::read_array_len(held).map_err(broken)?;
        let len = wire::read_bin_len(held).map_err(broken)? as usize;
        let (stream, rest) = held.split_at_checked(len).ok_or_else(|| damaged("ends early"))?;
        *held = rest;
        let buffers = wire::read_array_len(held).map_err(broken)?;
        let mut arrays = Vec::new();
        for _ in 0..buffers {
            let number: u32 = wire::read_int(held).map_err(broken)?;
            let array = self.array(number as usize)?;
            arrays.push(numpy_array(self.py, array, self.mode)?);
        }
        let stream = PyBytes::new(self.py, stream);
        python::pickling(self.py)?.getattr("loads")?.call1((stream, PyList::new(self.py, arrays)?))
    }
}
