//! What an object consists of: by its type, or as it would be pickled.

use ndcache::Digest;
use numpy::{PyArrayDescr, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyBaseException;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple, PyType};

use super::arrays::{array_digest, descr_of, sample_digest};
use super::classes::{module_of, unkeyable};
use super::stream::tag;
use super::walker::{Part, PartName, Parts, Stop, Walker};
use crate::files::file_of;
use crate::function::{CoreFunction, CoreReference};
use crate::python::{self, PythonTypes};

/// Types that the user has registered hashers for.
static HASHERS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// From now on values of `class` and of its subclasses count by what `hasher` returns for them.
///
/// # Errors
/// Raises `TypeError` for the types that have digests of their own.
pub(crate) fn register_hasher(class: &Bound<'_, PyType>, hasher: Bound<'_, PyAny>) -> PyResult<()> {
    let py = class.py();
    let own = [
        "NoneType",
        "bool",
        "int",
        "float",
        "complex",
        "str",
        "bytes",
        "bytearray",
        "list",
        "tuple",
        "dict",
        "set",
        "frozenset",
        "object",
        "type",
    ];
    let name = class.name()?.to_string();
    if module_of(class) == "builtins" && own.contains(&name.as_str()) {
        return Err(PyTypeError::new_err(format!(
            "`{name}` has a digest of its own, expected a type of a library or of yours"
        )));
    }
    if !hasher.is_callable() {
        return Err(PyTypeError::new_err("a hasher is called with the value and returns what counts of it"));
    }
    HASHERS.get_or_init(py, || PyDict::new(py).unbind()).bind(py).set_item(class, hasher)
}

fn hasher_of<'py>(class: &Bound<'py, PyType>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(hashers) = HASHERS.get(class.py()) else { return Ok(None) };
    let hashers = hashers.bind(class.py());
    for base in class.mro().iter() {
        if let Some(hasher) = hashers.get_item(base)? {
            return Ok(Some(hasher));
        }
    }
    Ok(None)
}

/// Whether instances of the class are no more than the functions that they wrap; a decorator class of the user's has a state.
fn is_wrapper_alone(class: &Bound<'_, PyType>) -> bool {
    matches!(module_of(class).as_str(), "functools" | "ndcache._function")
}

/// Whether a value's module has it by this name; true where the value doesn't say its module.
fn is_found_by_name(value: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<bool> {
    let Some(module) = value.getattr_opt("__module__")? else { return Ok(true) };
    let modules = value.py().import("sys")?.getattr("modules")?;
    let Ok(mut found) = modules.get_item(module) else { return Ok(true) };
    for part in name.to_str()?.split('.') {
        let Some(next) = found.getattr_opt(part)? else { return Ok(false) };
        found = next;
    }
    Ok(found.is(value))
}

/// Whether instances of the class are pickled as `object` pickles them: nothing of them is missing.
fn is_of_object(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    let object = python::types(py)?.object.bind(py);
    for name in [pyo3::intern!(py, "__reduce__"), pyo3::intern!(py, "__reduce_ex__")] {
        if !class.getattr(name)?.is(&object.getattr(name)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl<'py> Walker<'py> {
    /// Feeds a value that isn't of a plain built-in type.
    pub(super) fn object(&mut self, value: &Bound<'py, PyAny>) -> Result<(), Stop> {
        let py = self.py;
        let types = python::types(py)?;
        let class = value.get_type();
        if self.is_too_deep() {
            return self.class(&class).map(drop);
        }
        if class.is(&types.ndarray) || class.is(&types.memmap) {
            return self.array(value, None);
        }
        if let Some((digest, file)) = file_of(value) {
            self.claims.files.push(file);
            self.stream.leaf(digest);
            return Ok(());
        }
        if self.met(value) {
            return Ok(());
        }
        if let Some(hasher) = hasher_of(&class)? {
            return self.hashed(value, &class, hasher.call1((value,))?);
        }
        if let Ok(reference) = value.cast::<CoreReference>() {
            let referred = CoreReference::referred(reference)?;
            self.stream.begin("py:reference");
            self.stream.raw(&referred.content.to_bytes());
            self.stream.end();
            self.claims.references.push(referred);
            return Ok(());
        }
        if value.is_instance_of::<CoreFunction>() {
            return self.code(value, "py:function");
        }
        if let Some(method) = class.as_any().getattr_opt(pyo3::intern!(py, "__ndcache_hash__"))?
            && !value.is_instance_of::<PyType>()
        {
            return self.hashed(value, &class, method.call1((value,))?);
        }
        if value.is_instance(types.generic.bind(py))? {
            return self.scalar(value, &class);
        }
        if let Ok(array) = value.cast::<PyUntypedArray>()
            && !self.is_of_library(&class)?
        {
            let array = array.clone();
            return self.array(array.as_any(), Some(&class));
        }
        if let Ok(class) = value.cast::<PyType>() {
            return self.class(class).map(drop);
        }
        if class.is(&types.function) {
            return self.code(value, "py:function");
        }
        if class.is(&types.builtin) || class.is(&types.method) {
            return self.bound(value, class.is(&types.method));
        }
        self.other(value, &class, types)
    }

    fn other(
        &mut self,
        value: &Bound<'py, PyAny>,
        class: &Bound<'py, PyType>,
        types: &PythonTypes,
    ) -> Result<(), Stop> {
        let py = self.py;
        let start = self.stream.len();
        if class.is(&types.module) {
            return self.module(value);
        }
        if class.get_type().is_subclass(types.enum_meta.bind(py))? {
            self.stream.begin("py:enum");
            self.class(class)?;
            let parts = [value.getattr("_name_")?, value.getattr("_value_")?];
            return self.several(value, start, parts, &[".name", ".value"]);
        }
        if value.is_instance(types.pure_path.bind(py))? {
            let bytes = value.call_method0("__fspath__")?;
            let bytes = py.import("os")?.getattr("fsencode")?.call1((bytes,))?;
            if class.is(&types.posix_path) {
                self.stream.byte(tag::TEXT);
                self.stream.text(b"Path");
                self.stream.text(bytes.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes());
                return Ok(());
            }
            self.stream.begin("py:path");
            let is_users = self.class(class)?;
            let mut parts = vec![Part::Value(bytes)];
            if is_users {
                parts.extend(self.added(value, true)?);
            }
            return self.begin(value, start, Parts::Several(parts), PartName::Named(&["", ""]), true);
        }
        if class.is(&types.mapping_proxy) {
            self.stream.begin("py:mappingproxy");
            let dict = PyDict::new(py);
            dict.update(value.cast::<pyo3::types::PyMapping>().map_err(PyErr::from)?)?;
            return self.several(value, start, [dict.into_any()], &[""]);
        }
        if class.is(&types.pickle_buffer) {
            return self.buffer(value, "py:buffer");
        }
        if value.is_instance_of::<pyo3::types::PyMemoryView>() {
            return self.buffer(value, "py:memoryview");
        }
        if let Ok(dtype) = value.cast::<PyArrayDescr>()
            && let Some((descr, _)) = descr_of(dtype)?
        {
            self.stream.begin("py:dtype");
            self.class(class)?;
            self.stream.text(descr.as_bytes());
            self.stream.end();
            return Ok(());
        }
        if self.is_of_library(class)? {
            let parts = python::hashers(py)?.getattr("parts")?.call1((value,))?;
            if !parts.is_none() {
                return self.hashed(value, class, parts);
            }
        }
        self.reduced(value, class, types)
    }

    /// Whether the type is one of the libraries whose values count by their parts, or is made from one.
    fn is_of_library(&self, class: &Bound<'py, PyType>) -> PyResult<bool> {
        for base in class.mro().iter() {
            let module = module_of(&base);
            let root = module.split('.').next().unwrap_or_default();
            let is_known = matches!(root, "pandas" | "scipy" | "xarray" | "nibabel") || module.starts_with("numpy.ma");
            if is_known
                || (module == "numpy"
                    && base.cast::<PyType>().is_ok_and(|base| base.name().is_ok_and(|name| name == "ufunc")))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn several<const N: usize>(
        &mut self,
        value: &Bound<'py, PyAny>,
        start: usize,
        parts: [Bound<'py, PyAny>; N],
        names: &'static [&'static str],
    ) -> Result<(), Stop> {
        let parts = parts.into_iter().map(Part::Value).collect();
        self.begin(value, start, Parts::Several(parts), PartName::Named(names), true)
    }

    /// Feeds what a hasher has returned for the value.
    fn hashed(
        &mut self,
        value: &Bound<'py, PyAny>,
        class: &Bound<'py, PyType>,
        counts: Bound<'py, PyAny>,
    ) -> Result<(), Stop> {
        if counts.is(value) {
            return Err(Stop::Unkeyable("its hasher returns the value itself".to_owned()));
        }
        let start = self.stream.len();
        self.stream.begin("py:hashed");
        self.class(class)?;
        self.several(value, start, [counts], &[""])?;
        self.note_hashed()
    }

    /// Feeds a function by its names, its code and what it has captured.
    fn code(&mut self, function: &Bound<'py, PyAny>, kind: &str) -> Result<(), Stop> {
        let start = self.stream.len();
        self.stream.begin(kind);
        let captured = self.function(function)?;
        let parts = captured.into_iter().map(Part::Value).collect();
        self.begin(function, start, Parts::Several(parts), PartName::Index, true)
    }

    /// Feeds a module: by its name, and one of the user's by its code and what that has captured, too.
    fn module(&mut self, module: &Bound<'py, PyAny>) -> Result<(), Stop> {
        let start = self.stream.len();
        self.stream.begin("py:module");
        self.stream.text(module.getattr("__name__")?.extract::<String>()?.as_bytes());
        let parts = self.said(module)?.into_iter().map(Part::Value).collect();
        self.begin(module, start, Parts::Several(parts), PartName::Index, true)
    }

    /// Feeds a bound method, or a function that isn't written in Python.
    fn bound(&mut self, value: &Bound<'py, PyAny>, is_method: bool) -> Result<(), Stop> {
        let py = self.py;
        let start = self.stream.len();
        let holder = value.getattr("__self__").unwrap_or_else(|_| py.None().into_bound(py));
        if is_method {
            self.stream.begin("py:method");
            return self.several(value, start, [value.getattr("__func__")?, holder], &[".__func__", ".__self__"]);
        }
        self.stream.begin("py:builtin");
        self.stream.text(module_of(value).as_bytes());
        self.stream.text(super::classes::qualname_of(value)?.as_bytes());
        let is_of_module = holder.get_type().is(&python::types(py)?.module);
        let holder = if is_of_module { py.None().into_bound(py) } else { holder };
        self.several(value, start, [holder], &[".__self__"])
    }

    /// Feeds the bytes that a buffer exports, with what they are.
    fn buffer(&mut self, value: &Bound<'py, PyAny>, kind: &str) -> Result<(), Stop> {
        let py = self.py;
        let view = py.import("builtins")?.getattr("memoryview")?.call1((value,))?;
        self.stream.begin(kind);
        self.stream.text(view.getattr("format")?.extract::<String>()?.as_bytes());
        let shape: Vec<u64> = view.getattr("shape")?.extract()?;
        self.stream.u64(shape.len() as u64);
        shape.iter().for_each(|&len| self.stream.u64(len));
        let in_one_row = view.getattr("c_contiguous")?.is_truthy()? && view.getattr("nbytes")?.extract::<usize>()? > 0;
        let bytes = if in_one_row { view.call_method1("cast", ("B",))? } else { view.call_method0("tobytes")? };
        self.exported(&bytes)?;
        self.stream.end();
        Ok(())
    }

    /// Feeds a NumPy scalar: by dtype and bytes, one NaN for all.
    fn scalar(&mut self, value: &Bound<'py, PyAny>, class: &Bound<'py, PyType>) -> Result<(), Stop> {
        let dtype = value.getattr("dtype")?.cast_into::<PyArrayDescr>().map_err(PyErr::from)?;
        let Some((descr, itemsize)) = descr_of(&dtype)? else {
            return self.reduced(value, class, python::types(self.py)?);
        };
        let start = self.stream.len();
        self.stream.begin("py:scalar");
        let is_users = self.class(class)?;
        self.stream.text(descr.as_bytes());
        let bytes = python::hashers(self.py)?.getattr("scalar_bytes")?.call1((value, descr, itemsize))?;
        self.bytes(tag::BYTES, bytes.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes());
        if is_users && let Some(added) = self.added(value, true)? {
            return self.begin(value, start, Parts::Several(vec![added]), PartName::Named(&[""]), true);
        }
        self.stream.end();
        Ok(())
    }

    /// What an instance of a user's class has beside what its type of Python's or NumPy's is pickled as: attributes and
    /// slots. If the class says itself how it is pickled, that, where it `counts_else` by no pickle.
    fn added(&self, value: &Bound<'py, PyAny>, counts_else: bool) -> PyResult<Option<Part<'py>>> {
        let added = python::hashers(self.py)?.getattr("added")?.call1((value, counts_else))?;
        Ok(match added.cast_into::<PyDict>() {
            Ok(attributes) => {
                let counts = !self.manner.uncached || !self.counting(&value.get_type(), &attributes)?.is_empty();
                counts.then_some(Part::Attributes(attributes))
            }
            Err(error) => Some(error.into_inner()).filter(|added| !added.is_none()).map(Part::Value),
        })
    }

    /// Feeds an array; of a subclass with its class and attributes.
    fn array(&mut self, value: &Bound<'py, PyAny>, class: Option<&Bound<'py, PyType>>) -> Result<(), Stop> {
        let array = value.cast::<PyUntypedArray>().map_err(PyErr::from)?;
        let digest = self.elements(array)?;
        let start = self.stream.len();
        let Some(class) = class else {
            return match digest {
                Some(digest) => {
                    self.stream.leaf(digest);
                    Ok(())
                }
                None => self.odd_array(value),
            };
        };
        self.stream.begin("py:subclass of array");
        self.class(class)?;
        let types = python::types(self.py)?;
        let plain = value.call_method1("view", (types.ndarray.bind(self.py),))?;
        let none = || self.py.None().into_bound(self.py);
        let attributes = value.getattr("__dict__").unwrap_or_else(|_| none());
        let own = class.getattr("__reduce__")?.is(&types.ndarray.bind(self.py).getattr("__reduce__")?);
        let state = if own { none() } else { value.call_method0("__reduce__")? };
        let attributes = match attributes.cast_into::<PyDict>() {
            Ok(dict) => Part::Attributes(dict),
            Err(error) => Part::Value(error.into_inner()),
        };
        let parts = vec![Part::Value(plain), attributes, Part::Value(state)];
        self.begin(value, start, Parts::Several(parts), PartName::Named(&["", "", ""]), true)
    }

    /// The digest of an array of a plain dtype, which is computed once in a walk.
    fn elements(&mut self, array: &Bound<'py, PyUntypedArray>) -> Result<Option<Digest>, Stop> {
        let id = array.as_ptr() as usize;
        if let Some(&digest) = self.arrays.get(&id) {
            return Ok(Some(digest));
        }
        let sample = if self.manner.sampling { sample_digest(array)? } else { None };
        let digest = match sample {
            Some(sample) => Some(sample),
            None => array_digest(array, &mut self.claims)?,
        };
        if let Some(digest) = digest
            && array.len() > 256
        {
            self.arrays.insert(id, digest);
            self.keep(array.as_any());
        }
        Ok(digest)
    }

    /// Feeds an array of another dtype: by its dtype, shape and order, and its elements or their bytes.
    fn odd_array(&mut self, value: &Bound<'py, PyAny>) -> Result<(), Stop> {
        if self.met(value) {
            return Ok(());
        }
        let start = self.stream.len();
        self.stream.begin("py:array");
        let parts = python::hashers(self.py)?.getattr("array_parts")?.call1((value,))?;
        self.several(value, start, [parts], &[""])
    }

    /// Feeds what the value would be pickled as: a callable, its arguments, the state, and items.
    fn reduced(
        &mut self,
        value: &Bound<'py, PyAny>,
        class: &Bound<'py, PyType>,
        types: &PythonTypes,
    ) -> Result<(), Stop> {
        let py = self.py;
        if let Ok(wrapped) = value.getattr(pyo3::intern!(py, "__wrapped__"))
            && wrapped.get_type().is(&types.function)
            && value.is_callable()
            && is_wrapper_alone(class)
        {
            return self.code(value, "py:wrapper");
        }
        let table = types.dispatch_table.bind(py).get_item(class);
        let reduced = match table {
            Ok(reduce) => reduce.call1((value,))?,
            Err(_) => value.call_method1(pyo3::intern!(py, "__reduce_ex__"), (5,))?,
        };
        let start = self.stream.len();
        if let Ok(name) = reduced.cast::<PyString>() {
            return self.global(value, name);
        }
        let reduced = reduced
            .cast_into::<PyTuple>()
            .map_err(|_| unkeyable("its `__reduce_ex__` returns neither a tuple nor a text"))?;
        let len = reduced.len();
        if !(2..=6).contains(&len) {
            return Err(Stop::Unkeyable(format!("its `__reduce_ex__` returns {len} items, expected 2 to 6")));
        }
        let item = |n: usize| -> PyResult<Bound<'py, PyAny>> {
            if n < len { reduced.get_item(n) } else { Ok(py.None().into_bound(py)) }
        };
        let collected = |n: usize| -> PyResult<Bound<'py, PyAny>> {
            let items = item(n)?;
            if items.is_none() {
                return Ok(items);
            }
            Ok(PyList::new(py, items.try_iter()?.collect::<PyResult<Vec<_>>>()?)?.into_any())
        };
        self.stream.begin("py:object");
        let is_users = self.class(class)?;
        let state = item(2)?;
        let sees_order = class.as_any().getattr_opt("__setstate__")?.is_some() || !item(5)?.is_none();
        let none = || Part::Value(py.None().into_bound(py));
        let added = if is_users && !is_of_object(class)? { self.added(value, false)? } else { None };
        let state = match state.cast_into::<PyDict>() {
            // An object has no state as long as it has no attributes: some ways of pickling give an exception an empty dict.
            Ok(dict) if dict.is_empty() && value.is_instance_of::<PyBaseException>() => none(),
            Ok(dict) if self.manner.uncached && self.counting(class, &dict)?.is_empty() => none(),
            Ok(dict) if !sees_order => Part::Attributes(dict),
            Ok(dict) => Part::Value(dict.into_any()),
            Err(error) => Part::Value(error.into_inner()),
        };
        let (items, pairs, setter) = (collected(3)?, collected(4)?, item(5)?);
        let mut parts = vec![Part::Value(item(0)?), Part::Value(item(1)?), state];
        parts.extend([items, pairs, setter].map(Part::Value));
        parts.extend(added);
        self.begin(value, start, Parts::Several(parts), PartName::Named(&["", "", "", "", "", "", ""]), true)
    }

    /// Feeds an object that pickles as a name of its module.
    fn global(&mut self, value: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> Result<(), Stop> {
        if !is_found_by_name(value, name)? {
            return Err(Stop::Unkeyable(format!(
                "it would be pickled as the name `{name}`, by which something else is found"
            )));
        }
        self.stream.begin("py:global");
        self.stream.text(module_of(value).as_bytes());
        self.stream.text(name.to_str()?.as_bytes());
        self.stream.end();
        Ok(())
    }
}
