//! Whose pickles are loaded: loading one runs the code that it names.

use ndcache::dynamic::Value;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Which pickles are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those that this user or root has written, where nobody else may write.
    Own,
    Any,
    Never,
}

impl Trust {
    /// What the setting's text says.
    pub(crate) fn of(text: &str) -> PyResult<Self> {
        match text {
            "own" => Ok(Self::Own),
            "any" => Ok(Self::Any),
            "never" => Ok(Self::Never),
            other => Err(PyValueError::new_err(format!("`pickle` is `{other}`, expected \"own\", \"any\" or \"never\""))),
        }
    }

    /// Why the pickle in `value` isn't loaded, with the cure.
    pub(crate) fn refuses(self, value: &Value) -> Option<String> {
        match self {
            Self::Any => None,
            Self::Never => Some("it is a pickle, and `pickle=\"never\"` loads none".to_owned()),
            Self::Own => match value.origin() {
                Some(origin) => Some(format!(
                    "its pickle was made by somebody else and came by `{origin}`; `pickle=\"any\"` loads it if you trust \
                     its maker"
                )),
                None => None,
            },
        }
    }
}
