//! Why a crate can't be indexed.

use std::fmt;
use std::path::Path;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Names the file or place, what was expected, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<str>);

impl Error {
    fn new(message: String) -> Error {
        Error(message.into_boxed_str())
    }

    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Error {
        Error::new(format!("file `{}` can't be read: {error}", path.display()))
    }

    pub(crate) fn not_utf8(path: &Path) -> Error {
        Error::new(format!("file `{}` isn't UTF-8, which Rust's source files are", path.display()))
    }

    pub(crate) fn unlexable(path: &Path, line: usize, expected: &str) -> Error {
        Error::new(format!("line {line} of `{}`: expected {expected}", path.display()))
    }

    pub(crate) fn nowhere(path: &Path, line: usize, name: &str) -> Error {
        let path = path.display();
        Error::new(format!("function `{name}` isn't found at line {line} of `{path}`, which the crate's modules reach"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
