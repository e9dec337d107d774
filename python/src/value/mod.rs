//! Results, to and from what is stored.
//!
//! * `encode`: plain values become MessagePack with arrays beside it, anything else a pickle with its arrays beside it;
//!   `decode`: the way back; `arrays`: NumPy's arrays, owned and mapped;
//!   `marks`: what tells Python's types apart; `trust`: whose pickles are loaded.

mod arrays;
mod decode;
mod encode;
mod marks;
mod trust;

pub(crate) use decode::{Loaded, decode, decode_own};
pub(crate) use encode::encode;
pub(crate) use trust::{PickleTrust, ResultSite};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::python;

/// What an array in a stored value is referred to by: MessagePack's extensions.
mod ext {
    pub(super) const ARRAY: i8 = 1;
    pub(super) const PICKLE: i8 = 3;
    pub(super) const LEAVES: [i8; 2] = [4, 5];
}

/// What tells Python's types apart, one for each MessagePack array and each array, in their order.
mod mark {
    /// A list; an array.
    pub(super) const PLAIN: u8 = 0;
    /// A tuple; a NumPy scalar.
    pub(super) const OTHER: u8 = 1;
}

/// How the arrays of a result come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MmapMode {
    /// In memory, writable.
    Owned,
    /// `r`: mapped, read-only.
    Read,
    /// `c`: mapped, writable, and written nowhere.
    Copy,
}

impl MmapMode {
    /// What joblib calls it; `r+` and `w+` are `c`, with a warning.
    pub(crate) fn of(mode: &Bound<'_, PyAny>) -> PyResult<(Self, bool)> {
        if mode.is_none() || mode.extract::<bool>().is_ok_and(|mode| !mode) {
            return Ok((Self::Owned, false));
        }
        match mode.extract::<String>()?.as_str() {
            "r" | "readonly" => Ok((Self::Read, false)),
            "c" | "copyonwrite" => Ok((Self::Copy, false)),
            "r+" | "readwrite" | "w+" | "write" => Ok((Self::Copy, true)),
            other => Err(PyValueError::new_err(format!(
                "`mmap_mode` is `{other}`, expected None, \"r\", \"c\", \"r+\" or \"w+\""
            ))),
        }
    }

    /// [`of`](Self::of), which tells once of a mode that is taken as another.
    pub(crate) fn with_warning(mode: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (known, is_another) = Self::of(mode)?;
        if is_another {
            python::messages(mode.py())?.getattr("warn_once")?.call1((
                "mmap_mode",
                "stored results are never written to: `mmap_mode` \"r+\" and \"w+\" are taken as \"c\"",
            ))?;
        }
        Ok(known)
    }

    pub(crate) fn form(self) -> ndcache::dynamic::Form {
        if self == Self::Owned { ndcache::dynamic::Form::Owned } else { ndcache::dynamic::Form::Mapped }
    }

    /// The letter of it.
    pub(crate) fn letter(self) -> Option<&'static str> {
        match self {
            Self::Owned => None,
            Self::Read => Some("r"),
            Self::Copy => Some("c"),
        }
    }
}
