//! From the arguments of a call to those of a function's parameters.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

/// A signature as Python gives it: names, how many of them go by position alone, whether there are `*args`, names of
/// keywords alone, whether there are `**kwargs`, defaults.
type SignatureParts<'py> =
    (Vec<Bound<'py, PyString>>, usize, bool, Vec<Bound<'py, PyString>>, bool, Bound<'py, PyDict>);

/// The name under which further positional arguments count.
pub(crate) const MORE: &str = "*";

/// The name under which further keyword arguments count.
pub(crate) const MORE_NAMED: &str = "**";

/// The parameters of a function.
pub(crate) struct Signature {
    /// Those that may be given by position, in their order.
    positional: Vec<Py<PyString>>,
    /// How many of them can't be given by name.
    position_only: usize,
    varargs: bool,
    keyword_only: Vec<Py<PyString>>,
    varkw: bool,
    defaults: Py<PyDict>,
}

/// An argument with the name of its parameter.
pub(crate) struct BoundArgument<'py> {
    pub(crate) name: String,
    pub(crate) value: Bound<'py, PyAny>,
    /// Further keyword arguments: in no order.
    pub(crate) unordered: bool,
}

impl Signature {
    /// From `(names, position_only, varargs, keyword_only, varkw, defaults)`.
    pub(crate) fn of(signature: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        if signature.is_none() {
            return Ok(None);
        }
        let (names, position_only, varargs, kwonly, varkw, defaults): SignatureParts<'_> = signature.extract()?;
        let kept = |names: Vec<Bound<'_, PyString>>| names.into_iter().map(Bound::unbind).collect();
        if position_only > names.len() {
            return Err(PyValueError::new_err("a signature has more position-only parameters than positional ones"));
        }
        Ok(Some(Self {
            positional: kept(names),
            position_only,
            varargs,
            keyword_only: kept(kwonly),
            varkw,
            defaults: defaults.unbind(),
        }))
    }

    /// The arguments by name, with defaults; `None` if the function doesn't take these.
    pub(crate) fn bind<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Vec<BoundArgument<'py>>>> {
        let py = args.py();
        let named = self.positional.len();
        let given = args.len().min(named);
        if args.len() > named && !self.varargs {
            return Ok(None);
        }
        let mut places: Vec<Option<Bound<'py, PyAny>>> = args.iter().take(given).map(Some).collect();
        places.resize(named + self.keyword_only.len(), None);
        let mut more = Vec::new();
        for (name, value) in kwargs.into_iter().flat_map(|kwargs| kwargs.iter()) {
            match self.place(&name)? {
                Some(place) if places[place].is_some() => return Ok(None),
                Some(place) => places[place] = Some(value),
                None if self.varkw => more.push((name, value)),
                None => return Ok(None),
            }
        }
        let names = self.positional.iter().chain(&self.keyword_only);
        let mut bound = Vec::with_capacity(places.len() + 2);
        for (name, value) in names.zip(places) {
            let name = name.bind(py);
            let value = match value {
                Some(value) => value,
                None => match self.defaults.bind(py).get_item(name)? {
                    Some(value) => value,
                    None => return Ok(None),
                },
            };
            bound.push(BoundArgument { name: name.to_str()?.to_owned(), value, unordered: false });
        }
        if self.varargs {
            let rest = args.get_slice(given, args.len());
            bound.push(BoundArgument { name: MORE.to_owned(), value: rest.into_any(), unordered: false });
        }
        if self.varkw {
            bound.push(further(py, more)?);
        }
        Ok(Some(bound))
    }

    /// Where the parameter of this name is.
    fn place(&self, name: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let py = name.py();
        let by_name = self.positional.iter().enumerate().skip(self.position_only);
        let keyword_only = self.keyword_only.iter().enumerate().map(|(n, name)| (n + self.positional.len(), name));
        let all: Vec<_> = by_name.chain(keyword_only).collect();
        if let Some((place, _)) = all.iter().find(|(_, known)| known.bind(py).is(name)) {
            return Ok(Some(*place));
        }
        for (place, known) in all {
            if known.bind(py).as_any().eq(name)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// The arguments of a function whose parameters aren't known: as they were given.
pub(crate) fn as_given<'py>(
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Vec<BoundArgument<'py>>> {
    let more = kwargs.into_iter().flat_map(|kwargs| kwargs.iter()).collect();
    let positional = BoundArgument { name: MORE.to_owned(), value: args.clone().into_any(), unordered: false };
    Ok(vec![positional, further(args.py(), more)?])
}

/// Keyword arguments in no order: sorted by name.
fn further<'py>(
    py: Python<'py>,
    mut named: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
) -> PyResult<BoundArgument<'py>> {
    named.sort_by_cached_key(|(name, _)| name.extract::<String>().unwrap_or_default());
    let dict = PyDict::new(py);
    for (name, value) in named {
        dict.set_item(name, value)?;
    }
    Ok(BoundArgument { name: MORE_NAMED.to_owned(), value: dict.into_any(), unordered: true })
}
