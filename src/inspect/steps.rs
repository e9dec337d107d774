//! The build steps that a cache remembers.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::memory::{Engine, Memory};
use crate::record::{Argument, RECORD_MAX, StepRecord};

/// The folder of their records.
const FOLDER: &str = "m";

/// A build step of [`Memory::make`], as it was last made: from [`Memory::steps`].
#[derive(Clone)]
pub struct Step(StepRecord);

impl Memory {
    /// Returns the recorded build steps, by the paths of their targets; those without a path come first.
    ///
    /// It reads one record for each, and no target.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder of steps can't be listed. A record that can't be read is an item of its own,
    /// and comes last.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use ndarray::Array1;
    /// use ndcache::make::NpyFile;
    ///
    /// #[ndcache::cache]
    /// fn ramp(n: usize) -> Array1<f64> {
    ///     Array1::linspace(0.0, 1.0, n)
    /// }
    ///
    /// let memory = ndcache::Memory::open(folder.path().join("cache"))?;
    /// let target = folder.path().join("ramp.npy");
    /// memory.make(ramp::call(5), NpyFile::new(&target))?;
    /// let steps = memory.steps()?;
    /// let step = steps[0].as_ref().unwrap();
    /// assert!(step.function().ends_with("ramp"));
    /// assert_eq!(step.target(), Some(target.canonicalize().unwrap().as_path()));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn steps(&self) -> Result<Vec<Result<Step>>> {
        let Some(engine) = &self.0 else { return Ok(Vec::new()) };
        engine.archive.reopen(false);
        let items = engine.archive.disk.list(FOLDER)?;
        let records = items.into_iter().filter(|item| item.name.ends_with(".record"));
        let mut steps: Vec<_> = records.filter_map(|item| engine.step(&item.name).transpose()).collect();
        let place = |step: &Result<Step>| match step {
            Ok(Step(record)) => {
                let path = record.target.as_ref().map(|target| target.path.clone());
                (false, path, record.function.clone(), String::new())
            }
            Err(error) => (true, None, String::new(), error.to_string()),
        };
        steps.sort_by_cached_key(place);
        Ok(steps)
    }
}

impl Engine {
    /// The step of a record; `None` if that has vanished.
    fn step(&self, name: &str) -> Result<Option<Step>> {
        let name = format!("{FOLDER}/{name}");
        let disk = &self.archive.disk;
        let Some(blob) = disk.read(&name, RECORD_MAX as u64)? else { return Ok(None) };
        let record = StepRecord::decode(&blob.bytes, &disk.path_of(&name))?;
        // A step is found by a name that its digest begins with.
        if name.split('/').next_back() == Some(&format!("{}.record", &record.slot.to_string()[..16])) {
            return Ok(Some(Step(record)));
        }
        let path = disk.path_of(&name);
        Err(Error::new(ErrorKind::Damaged, format!("record `{}` is of another step", path.display())))
    }
}

impl Step {
    /// Returns the key of the call that made it.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::from_digest(self.0.key)
    }

    /// Returns the path of its function.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.0.function
    }

    /// Returns the arguments of the call.
    #[must_use]
    pub fn arguments(&self) -> &[Argument] {
        &self.0.arguments
    }

    /// Returns the path of its target; `None` for a step without one.
    #[must_use]
    pub fn target(&self) -> Option<&Path> {
        self.0.target.as_ref().map(|target| Path::new(OsStr::from_bytes(&target.path)))
    }

    /// Returns the length of the target when it was made, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.target.as_ref().map_or(0, |target| target.length)
    }

    /// Returns when it was made.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.0.created)
    }

    /// Returns how long its function took.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.0.duration)
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("function", &self.function()).field("target", &self.target()).finish()
    }
}
