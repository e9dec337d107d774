//! Checks that run at each call: whether what was resolved of a function or a class still stands.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::function::missing;

/// Checks of things that were found; each holds what it was found in, and what was found.
#[derive(Default)]
pub(crate) struct Guards(Vec<Guard>);

enum Guard {
    Slot { mapping: Py<PyAny>, key: Py<PyAny>, expected: Py<PyAny> },
    Attribute { object: Py<PyAny>, name: Py<PyString>, expected: Py<PyAny> },
    Cell { cell: Py<PyAny>, expected: Py<PyAny> },
    Function { function: Py<PyAny>, code: Py<PyAny>, defaults: Py<PyAny>, kwdefaults: Py<PyAny> },
    Length { mapping: Py<PyAny>, len: usize },
    Bases { class: Py<PyType>, mro: Py<PyAny> },
}

/// A captured value that is digested at each call.
pub(crate) struct Captured {
    pub(crate) name: String,
    kind: HolderKind,
    holder: Py<PyAny>,
    key: Py<PyAny>,
}

#[derive(Clone, Copy)]
enum HolderKind {
    Slot,
    Attribute,
    Cell,
}

impl Guards {
    /// Those of a list of tuples, as the head of the crate says.
    pub(crate) fn of(list: &Bound<'_, PyAny>) -> PyResult<Self> {
        let guards: PyResult<Vec<_>> = list.try_iter()?.map(|guard| Guard::of(guard?.cast::<PyTuple>()?)).collect();
        Ok(Self(guards?))
    }

    /// Whether all of it still stands. What raises doesn't.
    pub(crate) fn hold(&self, py: Python<'_>) -> bool {
        self.0.iter().all(|guard| guard.holds(py).unwrap_or(false))
    }
}

impl Guard {
    fn of(tuple: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let kind: String = tuple.get_item(0)?.extract()?;
        let item = |n: usize| -> PyResult<Py<PyAny>> { Ok(tuple.get_item(n)?.unbind()) };
        Ok(match kind.as_str() {
            "slot" => Self::Slot { mapping: item(1)?, key: item(2)?, expected: item(3)? },
            "attr" => Self::Attribute {
                object: item(1)?,
                name: tuple.get_item(2)?.cast_into::<PyString>()?.unbind(),
                expected: item(3)?,
            },
            "cell" => Self::Cell { cell: item(1)?, expected: item(2)? },
            "func" => Self::Function { function: item(1)?, code: item(2)?, defaults: item(3)?, kwdefaults: item(4)? },
            "len" => Self::Length { mapping: item(1)?, len: tuple.get_item(2)?.extract()? },
            "bases" => Self::Bases { class: tuple.get_item(1)?.cast_into::<PyType>()?.unbind(), mro: item(2)? },
            other => {
                return Err(PyValueError::new_err(format!(
                    "guard `{other}` isn't one of slot, attr, cell, func, len, bases"
                )));
            }
        })
    }

    fn holds(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(match self {
            Self::Slot { mapping, key, expected } => slot(mapping.bind(py), key.bind(py))?.is(expected),
            Self::Attribute { object, name, expected } => attribute(object.bind(py), name.bind(py))?.is(expected),
            Self::Cell { cell, expected } => contents(cell.bind(py))?.is(expected),
            Self::Function { function, code, defaults, kwdefaults } => {
                let function = function.bind(py);
                function.getattr(pyo3::intern!(py, "__code__"))?.is(code)
                    && function.getattr(pyo3::intern!(py, "__defaults__"))?.is(defaults)
                    && function.getattr(pyo3::intern!(py, "__kwdefaults__"))?.is(kwdefaults)
            }
            Self::Length { mapping, len } => mapping.bind(py).len()? == *len,
            Self::Bases { class, mro } => class.bind(py).getattr(pyo3::intern!(py, "__mro__"))?.is(mro),
        })
    }
}

impl Captured {
    /// Those of a list of tuples, as the head of the crate says.
    pub(crate) fn all(list: &Bound<'_, PyAny>) -> PyResult<Vec<Self>> {
        list.try_iter()?.map(|captured| Self::of(captured?.cast::<PyTuple>()?)).collect()
    }

    fn of(tuple: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let kind: String = tuple.get_item(0)?.extract()?;
        let kind = match kind.as_str() {
            "slot" => HolderKind::Slot,
            "attr" => HolderKind::Attribute,
            "cell" => HolderKind::Cell,
            other => {
                return Err(PyValueError::new_err(format!(
                    "captured value of kind `{other}`, expected slot, attr or cell"
                )));
            }
        };
        let (holder, key) = (tuple.get_item(2)?.unbind(), tuple.get_item(3)?.unbind());
        Ok(Self { name: tuple.get_item(1)?.extract()?, kind, holder, key })
    }

    /// What it is now.
    pub(crate) fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (holder, key) = (self.holder.bind(py), self.key.bind(py));
        match self.kind {
            HolderKind::Slot => slot(holder, key),
            HolderKind::Attribute => attribute(holder, key.cast::<PyString>()?),
            HolderKind::Cell => contents(holder),
        }
    }
}

fn slot<'py>(mapping: &Bound<'py, PyAny>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = mapping.py();
    if let Ok(dict) = mapping.cast_exact::<PyDict>() {
        return Ok(dict.get_item(key)?.unwrap_or_else(|| missing(py)));
    }
    mapping.call_method1(pyo3::intern!(py, "get"), (key, missing(py)))
}

fn attribute<'py>(object: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    Ok(object.getattr_opt(name)?.unwrap_or_else(|| missing(object.py())))
}

fn contents<'py>(cell: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = cell.py();
    match cell.getattr(pyo3::intern!(py, "cell_contents")) {
        Ok(contents) => Ok(contents),
        Err(error) if error.is_instance_of::<PyValueError>(py) => Ok(missing(py)),
        Err(error) => Err(error),
    }
}
