//! Values without parts, and the containers of the language.

use pyo3::buffer::PyBuffer;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyList, PySet, PyString, PyTuple, PyType};

use super::stream::{LONG, digest_of_parts, tag};
use super::walker::{Part, PartName, Parts, Stop, Walker};

/// The one NaN.
const NAN: u64 = 0x7ff8_0000_0000_0000;

pub(super) fn float_bytes(value: f64) -> [u8; 8] {
    if value.is_nan() { NAN.to_le_bytes() } else { value.to_bits().to_le_bytes() }
}

impl<'py> Walker<'py> {
    /// Feeds a value: all of it, or its head, whereupon its parts are next.
    pub(super) fn feed(&mut self, value: &Bound<'py, PyAny>) -> Result<(), Stop> {
        // SAFETY: it is an object.
        let class = unsafe { ffi::Py_TYPE(value.as_ptr()) };
        macro_rules! is {
            ($type:ident) => {
                std::ptr::eq(class, &raw mut ffi::$type)
            };
        }
        if value.is_none() {
            self.stream.byte(tag::NONE);
            Ok(())
        } else if is!(PyLong_Type) {
            self.int(value)
        } else if is!(PyFloat_Type) {
            self.stream.tagged(tag::F64, float_bytes(value.cast::<PyFloat>().map_err(PyErr::from)?.value()));
            Ok(())
        } else if is!(PyUnicode_Type) {
            self.str(value.cast::<PyString>().map_err(PyErr::from)?)
        } else if is!(PyBool_Type) {
            let is_true = value.cast::<PyBool>().map_err(PyErr::from)?.is_true();
            self.stream.tagged(tag::BOOL, [u8::from(is_true)]);
            Ok(())
        } else if is!(PyList_Type) {
            self.list(value)
        } else if is!(PyTuple_Type) {
            self.tuple(value)
        } else if is!(PyDict_Type) {
            self.dict(value)
        } else if is!(PyBytes_Type) {
            let bytes = value.cast::<PyBytes>().map_err(PyErr::from)?;
            self.bytes(tag::BYTES, bytes.as_bytes());
            Ok(())
        } else if is!(PySet_Type) || is!(PyFrozenSet_Type) {
            self.set(value)
        } else if is!(PyByteArray_Type) {
            self.stream.begin("py:bytearray");
            self.exported(value)?;
            self.stream.end();
            Ok(())
        } else if is!(PyComplex_Type) {
            let number = value.cast::<PyComplex>().map_err(PyErr::from)?;
            self.stream.begin("py:complex");
            self.stream.raw(&float_bytes(number.real()));
            self.stream.raw(&float_bytes(number.imag()));
            self.stream.end();
            Ok(())
        } else {
            self.object(value)
        }
    }

    fn int(&mut self, value: &Bound<'py, PyAny>) -> Result<(), Stop> {
        let mut overflow = 0;
        // SAFETY: it is an int.
        let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(value.as_ptr(), &raw mut overflow) };
        if overflow == 0 {
            self.stream.tagged(tag::I64, number.to_le_bytes());
            return Ok(());
        }
        let bits: usize = value.call_method0(pyo3::intern!(self.py, "bit_length"))?.extract()?;
        let options = PyDict::new(self.py);
        options.set_item("signed", true)?;
        let bytes = value.call_method("to_bytes", (bits / 8 + 1, "little"), Some(&options))?;
        self.stream.begin("py:int");
        self.bytes(tag::BYTES, bytes.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes());
        self.stream.end();
        Ok(())
    }

    fn str(&mut self, text: &Bound<'py, PyString>) -> Result<(), Stop> {
        if let Ok(text) = text.to_str() {
            self.bytes(tag::STR, text.as_bytes());
            return Ok(());
        }
        // Halves of characters, which UTF-8 hasn't.
        let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
        self.stream.begin("py:str");
        self.bytes(tag::BYTES, bytes.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes());
        self.stream.end();
        Ok(())
    }

    /// Feeds bytes, long ones inside of others by their digest.
    pub(super) fn bytes(&mut self, mark: u8, bytes: &[u8]) {
        if bytes.len() > LONG {
            let mut head = [mark; 9];
            head[1..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
            self.stream.leaf(self.py.detach(|| digest_of_parts(&head, bytes)));
        } else {
            self.stream.byte(mark);
            self.stream.text(bytes);
        }
    }

    /// Feeds what exports its bytes in one row, without copying them.
    pub(super) fn exported(&mut self, value: &Bound<'py, PyAny>) -> Result<(), Stop> {
        let buffer = PyBuffer::<u8>::get(value)?;
        if !buffer.is_c_contiguous() {
            return Err(Stop::Unkeyable("its bytes lie apart".to_owned()));
        }
        let bytes: &[u8] = match buffer.item_count() {
            0 => &[],
            // SAFETY: it has `len` bytes, which stay where they are for as long as `buffer` lives. Whoever changes them
            // meanwhile races, as with any other reader of a buffer.
            len => unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), len) },
        };
        self.bytes(tag::BYTES, bytes);
        Ok(())
    }

    fn list(&mut self, value: &Bound<'py, PyAny>) -> Result<(), Stop> {
        let list = value.cast::<PyList>().map_err(PyErr::from)?;
        // A copy: methods of items may change the list.
        let items = list.to_tuple();
        if !items.is_empty() && self.met(value) {
            return Ok(());
        }
        let start = self.stream.len();
        self.stream.tagged(tag::SEQ, (items.len() as u64).to_le_bytes());
        if self.table(&items)? || self.is_too_deep() {
            self.begin(value, start, Parts::Several(Vec::new()), PartName::Index, false)
        } else {
            self.begin(value, start, Parts::Tuple(items), PartName::Index, false)
        }
    }

    fn tuple(&mut self, value: &Bound<'py, PyAny>) -> Result<(), Stop> {
        let items = value.cast::<PyTuple>().map_err(PyErr::from)?.clone();
        if !items.is_empty() && self.met(value) {
            return Ok(());
        }
        let start = self.stream.len();
        self.stream.byte(tag::TUPLE);
        let parts = if self.is_too_deep() {
            self.stream.u64(items.len() as u64);
            Parts::Several(Vec::new())
        } else {
            Parts::Tuple(items)
        };
        self.begin(value, start, parts, PartName::Index, false)
    }

    /// Feeds items of one plain type as a table, as Rust does: their mark once, and each without it.
    fn table(&mut self, items: &Bound<'py, PyTuple>) -> Result<bool, Stop> {
        let Ok(first) = items.get_item(0) else { return Ok(false) };
        let class = first.get_type_ptr();
        if !items.iter_borrowed().all(|item| std::ptr::eq(item.get_type_ptr(), class)) {
            return Ok(false);
        }
        let start = self.stream.len();
        if std::ptr::eq(class, &raw mut ffi::PyLong_Type) {
            self.stream.tagged(tag::TABLE, [tag::I64]);
            for item in items.iter_borrowed() {
                let mut overflow = 0;
                // SAFETY: it is an int.
                let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(item.as_ptr(), &raw mut overflow) };
                if overflow != 0 {
                    self.stream.cut(start);
                    return Ok(false);
                }
                self.stream.raw(&number.to_le_bytes());
            }
        } else if std::ptr::eq(class, &raw mut ffi::PyFloat_Type) {
            self.stream.tagged(tag::TABLE, [tag::F64]);
            for item in items.iter_borrowed() {
                // SAFETY: it is a float.
                self.stream.raw(&float_bytes(unsafe { ffi::PyFloat_AsDouble(item.as_ptr()) }));
            }
        } else if std::ptr::eq(class, &raw mut ffi::PyBool_Type) {
            self.stream.tagged(tag::TABLE, [tag::BOOL]);
            for item in items.iter_borrowed() {
                self.stream.byte(u8::from(item.is(pyo3::types::PyBool::new(self.py, true))));
            }
        } else if std::ptr::eq(class, &raw mut ffi::PyUnicode_Type) {
            self.stream.tagged(tag::TABLE, [tag::STR]);
            for item in items.iter_borrowed() {
                let text = item.cast::<PyString>().map_err(PyErr::from)?;
                let Ok(text) = text.to_str() else {
                    self.stream.cut(start);
                    return Ok(false);
                };
                self.stream.text(text.as_bytes());
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn dict(&mut self, value: &Bound<'py, PyAny>) -> Result<(), Stop> {
        let dict = value.cast::<PyDict>().map_err(PyErr::from)?;
        if !dict.is_empty() && self.met(value) {
            return Ok(());
        }
        let start = self.stream.len();
        if self.is_too_deep() {
            self.stream.begin("py:dict");
            self.stream.u64(dict.len() as u64);
            return self.begin(value, start, Parts::Several(Vec::new()), PartName::Key, false);
        }
        if self.manner.unordered {
            self.stream.begin("py:unordered dict");
            return self.begin_unordered(value, start, pairs(dict), 2);
        }
        self.stream.begin("py:dict");
        let parts = pairs(dict);
        self.stream.u64(parts.len() as u64 / 2);
        self.begin(value, start, Parts::Several(parts.into_iter().map(Part::Value).collect()), PartName::Key, false)
    }

    fn set(&mut self, value: &Bound<'py, PyAny>) -> Result<(), Stop> {
        if self.met(value) {
            return Ok(());
        }
        let start = self.stream.len();
        let items: Vec<_> = match value.cast::<PySet>() {
            Ok(set) => {
                self.stream.begin("py:set");
                set.iter().collect()
            }
            Err(_) => {
                self.stream.begin("py:frozenset");
                value.cast::<PyFrozenSet>().map_err(PyErr::from)?.iter().collect()
            }
        };
        let items = if self.is_too_deep() { Vec::new() } else { items };
        self.begin_unordered(value, start, items, 1)
    }

    /// The attributes of an object that count, by name: all but what cached properties have left, where these don't.
    pub(super) fn counting(
        &self,
        class: &Bound<'py, PyType>,
        attributes: &Bound<'py, PyDict>,
    ) -> PyResult<NamedAttributes<'py>> {
        let mut counting = Vec::with_capacity(attributes.len());
        for (name, value) in attributes.iter() {
            let text = name.cast_exact::<PyString>().ok().and_then(|name| name.to_str().ok().map(str::to_owned));
            if !self.manner.uncached || !is_cached(class, &name)? {
                counting.push((text, name, value));
            }
        }
        Ok(counting)
    }

    /// Feeds the attributes of an object: sorted by name, as functions don't see their order.
    pub(super) fn attributes(&mut self, dict: &Bound<'py, PyDict>) -> Result<(), Stop> {
        let start = self.stream.len();
        self.stream.begin("py:attributes");
        let class = self.class_begun().unwrap_or_else(|| dict.get_type());
        let mut named = self.counting(&class, dict)?;
        if named.iter().all(|(text, ..)| text.is_some()) {
            named.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        }
        self.stream.u64(named.len() as u64);
        let deep = self.is_too_deep();
        let parts =
            named.into_iter().filter(|_| !deep).flat_map(|(_, name, value)| [Part::Value(name), Part::Value(value)]);
        let parts = parts.collect();
        self.begin(dict.as_any(), start, Parts::Several(parts), PartName::Attribute, false)
    }
}

/// Attributes, each with its name as text.
pub(super) type NamedAttributes<'py> = Vec<(Option<String>, Bound<'py, PyAny>, Bound<'py, PyAny>)>;

/// Whether an attribute of this name is what a cached property of the class has computed.
fn is_cached(class: &Bound<'_, PyType>, name: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Ok(name) = name.cast::<PyString>() else { return Ok(false) };
    let kind = class.py().import("functools")?.getattr("cached_property")?;
    class.getattr_opt(name).ok().flatten().map_or(Ok(false), |held| held.is_instance(&kind))
}

/// Keys and values in turn, as they are now.
pub(super) fn pairs<'py>(dict: &Bound<'py, PyDict>) -> Vec<Bound<'py, PyAny>> {
    dict.iter().flat_map(|(key, value)| [key, value]).collect()
}
