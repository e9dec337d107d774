//! Steps that leave no file.

use std::borrow::Cow;
use std::path::Path;

use super::Persister;
use crate::error::Result;

/// Records that a step ran, and keeps nothing of its result.
///
/// It is for steps with side effects: a plot, an upload. The function runs again when its code or arguments have
/// changed. There is one such step for each function; [`NoOutput::named`] makes more.
///
/// ```
/// use ndcache::make::NoOutput;
/// use ndcache::{Memory, cache};
///
/// #[cache]
/// fn announce(text: &str) {
///     println!("{text}");
/// }
///
/// # let folder = tempfile::tempdir().unwrap();
/// let memory = Memory::open(folder.path())?;
/// memory.make(announce::call("ready"), NoOutput)?;
/// memory.make(announce::call("ready"), NoOutput)?; // doesn't run
/// memory.make(announce::call("ready"), NoOutput::named("once more"))?; // another step
/// assert_eq!(memory.stats().hits(), 1);
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoOutput;

impl NoOutput {
    /// Makes a step with this name, to distinguish several steps of one function.
    pub fn named(name: impl Into<String>) -> NamedNoOutput {
        NamedNoOutput(name.into())
    }
}

/// A [`NoOutput`] with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedNoOutput(String);

impl<T> Persister<T> for NoOutput {
    type Loaded = ();

    fn save(&self, _: &T) -> Result<()> {
        Ok(())
    }

    fn load(&self) -> Result<()> {
        Ok(())
    }

    fn path(&self) -> Option<&Path> {
        None
    }

    /// Whatever loads another format says so, and the step is made again.
    fn format(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }
}

impl<T> Persister<T> for NamedNoOutput {
    type Loaded = ();

    fn save(&self, _: &T) -> Result<()> {
        Ok(())
    }

    fn load(&self) -> Result<()> {
        Ok(())
    }

    fn path(&self) -> Option<&Path> {
        None
    }

    /// Whatever loads another format says so, and the step is made again.
    fn format(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn name(&self) -> &str {
        &self.0
    }
}
