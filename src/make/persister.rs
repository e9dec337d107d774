//! What saves a result and loads it again.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::Path;

use crate::error::{Error, Result};

/// How [`Memory::make`](crate::Memory::make) saves the result of a build step: a format, and a path.
///
/// There are [`NpyFile`](crate::make::NpyFile), [`MsgpackFile`](crate::make::MsgpackFile) and
/// [`NoOutput`](crate::make::NoOutput), and with the feature `nifti` `NiftiFile` and `MappedNiftiFile`. Your own
/// format needs two functions:
///
/// ```
/// use std::io::Write;
/// use std::path::{Path, PathBuf};
///
/// use ndcache::make::{Persister, replace_file};
/// use ndcache::{Error, Memory, Result, cache};
///
/// /// One number a line.
/// struct CsvFile(PathBuf);
///
/// impl Persister<Vec<f64>> for CsvFile {
///     type Loaded = Vec<f64>;
///
///     fn save(&self, value: &Vec<f64>) -> Result<()> {
///         // The old file stays until the new one is whole.
///         replace_file(&self.0, |file| value.iter().try_for_each(|x| writeln!(file, "{x:.3}")))
///     }
///
///     fn load(&self) -> Result<Vec<f64>> {
///         let text = std::fs::read_to_string(&self.0)?;
///         text.lines().map(|line| line.parse().map_err(Error::other)).collect()
///     }
///
///     fn path(&self) -> Option<&Path> {
///         Some(&self.0)
///     }
/// }
///
/// #[cache]
/// fn thirds(n: u32) -> Vec<f64> {
///     (0..n).map(|i| f64::from(i) / 3.0).collect()
/// }
///
/// # let folder = tempfile::tempdir()?;
/// let memory = Memory::open(folder.path().join("cache"))?;
/// let path = folder.path().join("thirds.csv");
/// // The format rounds, and so does the first call: it returns what `load` gives.
/// assert_eq!(memory.make(thirds::call(3), CsvFile(path.clone()))?, [0.0, 0.333, 0.667]);
/// assert_eq!(std::fs::read_to_string(&path)?, "0.000\n0.333\n0.667\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Persister<T> {
    /// The type of a loaded value.
    type Loaded;

    /// Saves the value, in place of the old one.
    ///
    /// [`replace_file`](crate::make::replace_file) keeps the old file until the new one is complete, and tells the
    /// step which file it is, if it is called on the thread of `save`. If `save` writes in another way, a file that
    /// something else puts there before `save` returns is taken for the saved one. `save` is called again if its file
    /// was replaced by something else.
    ///
    /// # Errors
    ///
    /// Returns an error when the value can't be saved; `?` converts errors of `std::io`, and [`Error::other`] wraps
    /// others.
    fn save(&self, value: &T) -> Result<()>;

    /// Loads what was saved.
    ///
    /// # Errors
    ///
    /// Returns an error when it doesn't exist, or isn't what `save` writes.
    fn load(&self) -> Result<Self::Loaded>;

    /// Returns the one file that is written, if there is one. It must stay the same while a step is made; an absolute
    /// path does, even if the current folder changes. A step without a path is identified by its
    /// [`name`](Self::name).
    fn path(&self) -> Option<&Path>;

    /// Returns a name that distinguishes several steps of one function without a path; by default there is one such
    /// step.
    fn name(&self) -> &str {
        ""
    }

    /// Returns the format in which the value is saved, with its settings: a step whose target was saved in another
    /// format is made again. The default is the name of the type. A persister with settings, such as a precision,
    /// includes them here.
    fn format(&self) -> Cow<'_, str> {
        std::any::type_name::<Self>().into()
    }

    /// Returns why the value must not be saved, such as the `Err` of a [`Fallible`] step.
    fn refusal(&self, _value: &T) -> Option<Error> {
        None
    }
}

impl<T, P: Persister<T> + ?Sized> Persister<T> for &P {
    type Loaded = P::Loaded;

    fn save(&self, value: &T) -> Result<()> {
        (**self).save(value)
    }

    fn load(&self) -> Result<Self::Loaded> {
        (**self).load()
    }

    fn path(&self) -> Option<&Path> {
        (**self).path()
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn format(&self) -> Cow<'_, str> {
        (**self).format()
    }

    fn refusal(&self, value: &T) -> Option<Error> {
        (**self).refusal(value)
    }
}

/// The target of a step that may fail: saves the content of an `Ok`. An `Err` is the error of
/// [`Memory::make`](crate::Memory::make), and leaves the old target.
///
/// ```
/// use std::num::ParseIntError;
///
/// use ndcache::make::{Fallible, MsgpackFile};
/// use ndcache::{Memory, cache};
///
/// #[cache]
/// fn parse(text: &str) -> Result<u32, ParseIntError> {
///     text.parse()
/// }
///
/// # let folder = tempfile::tempdir()?;
/// let memory = Memory::open(folder.path().join("cache"))?;
/// let target = Fallible(MsgpackFile::new(folder.path().join("number.msgpack")));
/// assert_eq!(memory.make(parse::call("17"), &target)?, 17);
/// let error = memory.make(parse::call("x"), &target).unwrap_err();
/// assert!(error.to_string().ends_with("invalid digit found in string"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fallible<P>(pub P);

impl<T, E: Display, P: Persister<T>> Persister<Result<T, E>> for Fallible<P> {
    type Loaded = P::Loaded;

    fn save(&self, value: &Result<T, E>) -> Result<()> {
        match value {
            Ok(value) => self.0.save(value),
            Err(error) => Err(Error::other(error.to_string())),
        }
    }

    fn load(&self) -> Result<Self::Loaded> {
        self.0.load()
    }

    fn path(&self) -> Option<&Path> {
        self.0.path()
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn format(&self) -> Cow<'_, str> {
        self.0.format()
    }

    fn refusal(&self, value: &Result<T, E>) -> Option<Error> {
        match value {
            Ok(value) => self.0.refusal(value),
            Err(error) => Some(Error::other(error.to_string())),
        }
    }
}
