//! Whose pickles are loaded: loading one runs the code that it names.

use std::path::{Path, PathBuf};

use ndcache::dynamic::{RawValue, RunTimeCall};
use ndcache::{Entry, Memory};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::python;

/// Which pickles are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PickleTrust {
    /// Those that this user or root has written, where nobody else may write.
    Own,
    Any,
    Never,
}

/// Where a value was loaded from.
pub(crate) struct ResultSite<'a> {
    source: ResultSource<'a>,
    memory: &'a Memory,
}

#[derive(Clone, Copy)]
enum ResultSource<'a> {
    Call(&'a RunTimeCall),
    Entry(&'a Entry),
}

impl<'a> ResultSite<'a> {
    pub(crate) fn of(call: &'a RunTimeCall, memory: &'a Memory) -> Self {
        Self { source: ResultSource::Call(call), memory }
    }

    pub(crate) fn of_entry(entry: &'a Entry, memory: &'a Memory) -> Self {
        Self { source: ResultSource::Entry(entry), memory }
    }

    fn record(&self) -> Option<PathBuf> {
        match self.source {
            ResultSource::Call(call) => call.path(self.memory),
            ResultSource::Entry(entry) => Some(entry.path().to_owned()),
        }
    }

    fn root(&self) -> Option<&'a Path> {
        self.memory.location()
    }
}

impl PickleTrust {
    /// What the setting's text says.
    pub(crate) fn of(text: &str) -> PyResult<Self> {
        match text {
            "own" => Ok(Self::Own),
            "any" => Ok(Self::Any),
            "never" => Ok(Self::Never),
            other => {
                Err(PyValueError::new_err(format!("`pickle` is `{other}`, expected \"own\", \"any\" or \"never\"")))
            }
        }
    }

    /// Why the pickle in `value`, of this record in a cache in `root`, isn't loaded, with the cure.
    pub(crate) fn refuses(self, py: Python<'_>, value: &RawValue, place: &ResultSite<'_>) -> PyResult<Option<String>> {
        Ok(match (self, value.origin(), value.owner()) {
            (Self::Any, ..) => None,
            (Self::Never, ..) => Some("it is a pickle, and `pickle=\"never\"` loads none".to_owned()),
            (Self::Own, Some(origin), _) => Some(format!(
                "its pickle was made by somebody else and came by `{origin}`; `pickle=\"any\"` loads it if you trust its \
                 maker"
            )),
            // Made by this process.
            (Self::Own, None, None) => None,
            (Self::Own, None, Some(owner)) => {
                let args = (owner.uid, owner.gid, owner.mode, place.record(), place.root());
                python::pickling(py)?.getattr("why_refused")?.call1(args)?.extract()?
            }
        })
    }
}
