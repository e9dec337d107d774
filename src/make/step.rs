//! The way of a call to its target.

use std::path::Path;
use std::time::Duration;

use super::Persister;
use super::published::watch;
use super::target::{TRIES, Target, TargetState};
use crate::call::Call;
use crate::error::{Error, ErrorKind, Result};
use crate::flight::{FlightOutcome, Look};
use crate::key::Key;
use crate::make::step_records::{Ran, Stale, StepName, StepRecords};
use crate::memory::Memory;
use crate::record::StepRecord;

impl Memory {
    /// Makes the target of a build step: runs `call` and saves its result, unless it is there already. Returns what
    /// `target` loads, on the first call as on later ones.
    ///
    /// The result of a build step is at a path that the user chooses, in a format that others read. The function runs
    /// again when its code or its arguments have changed, by the rules of any cached call, or when the target is
    /// missing or was changed by something else. Such a change is found by size, times and inode, and if they differ,
    /// by the content: after a `touch` the function doesn't run. Only the last result is kept: if an argument is
    /// changed and changed back, the function runs twice. A file that is at the path before the first call is
    /// replaced.
    ///
    /// Each file belongs to one function; after it was removed, another function may make it. Steps without a path
    /// are identified by function and [`name`](Persister::name).
    ///
    /// A step whose function returns a `Result` takes [`Fallible(target)`](crate::make::Fallible): an `Err` isn't
    /// saved, leaves the old target and is returned as the error of this method.
    ///
    /// A step isn't an entry: [`contains`](Self::contains), [`explain`](Self::explain), [`entry`](Self::entry) and
    /// [`lineage`](Self::lineage) look for entries of the cache, and don't see steps. The options `validate`,
    /// `expires` and `min_duration` are for entries, and have no effect here. In mode `Refresh` each step is made
    /// again once. In mode `ReadOnly` a target that is up to date is loaded, and any other is an error, since nothing
    /// may be written. In mode `Off`, and with a memory without a folder, each step is made and saved each time, and nothing
    /// is recorded. Threads and processes that make one target at the same time wait for one another. Those of
    /// different caches don't know of each other: a target that was replaced before it was loaded is saved again, and
    /// if this continues, it is an error.
    ///
    /// # Errors
    ///
    /// Returns an error when the target's folder doesn't exist or can't be written to, which is found before the
    /// function runs; when the target isn't a regular file, or belongs to another function; when the result can't be
    /// saved or loaded again, or something else keeps replacing it; when the persister's path changes in the
    /// meantime, as a relative one may; and when the memory is read-only and the target isn't up to date. A fault of
    /// the cache itself is counted and logged, and the step is then made again next time.
    ///
    /// # Panics
    ///
    /// Panics if the function or the persister panics; the old target then stays.
    ///
    /// ```
    /// use ndarray::{Array1, Array2};
    /// use ndcache::make::NpyFile;
    /// use ndcache::{Memory, cache};
    ///
    /// #[cache]
    /// fn table(n: usize) -> Array2<f64> {
    ///     Array2::from_shape_fn((n, n), |(i, j)| (i * j) as f64)
    /// }
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let memory = Memory::open(folder.path().join("cache"))?;
    /// let path = folder.path().join("table.npy");
    /// let made: Array2<f64> = memory.make(table::call(12), NpyFile::new(&path))?;
    /// let again = memory.make(table::call(12), NpyFile::new(&path))?; // loaded
    /// assert_eq!(made, again);
    /// std::fs::remove_file(&path)?;
    /// memory.make(table::call(12), NpyFile::new(&path))?; // made again
    /// assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn make<A, R, P: Persister<R>>(&self, call: Call<A, R>, target: P) -> Result<P::Loaded> {
        let function = call.function().path();
        let file = target.path().map(Target::at).transpose()?;
        let Some(records) = self.step_records(&call) else {
            return self.make_only(call, &target, file.as_ref());
        };
        let place = match &file {
            Some(file) => StepName::Path(file.bytes()),
            None => StepName::Name { function, name: target.name() },
        };
        let step = StepRun { memory: self, records, place, file: file.as_ref(), target: &target };
        match records.key(&call, &target.format()) {
            Ok(key) => step.make(call, key),
            Err(error) if records.writes() => {
                records.count_bypass(function, &error);
                self.make_only(call, &target, file.as_ref())
            }
            Err(error) => Err(error),
        }
    }

    /// Makes it in any case, and remembers nothing.
    fn make_only<A, R, P: Persister<R>>(
        &self,
        call: Call<A, R>,
        target: &P,
        file: Option<&Target>,
    ) -> Result<P::Loaded> {
        file.map_or(Ok(()), Target::expect_writable)?;
        let function = call.function().path();
        let ran = self.run_only(call);
        self.save(function, &ran, target, file, |_| Ok(())).map(|(loaded, _)| loaded)
    }

    /// Saves what a function has returned, and loads it; `look` sees the target in between.
    fn save<R, P: Persister<R>, S>(
        &self,
        function: &str,
        ran: &Ran<R>,
        target: &P,
        file: Option<&Target>,
        look: impl Fn(&Target) -> Result<S>,
    ) -> Result<(P::Loaded, Option<S>)> {
        let at = |error: Error| error.at(format_args!("function `{function}`"));
        if let Some(refusal) = target.refusal(&ran.value) {
            return Err(at(refusal));
        }
        if let Some(nothing) = ran.nothing {
            let message = format!("the result of function `{function}` isn't saved: {nothing}");
            return Err(Error::new(ErrorKind::Other, message));
        }
        // Through this memory, so that its settings are known to the persister.
        let save = || self.with(|| target.save(&ran.value));
        let load = || self.with(|| target.load());
        let Some(file) = file else {
            save().map_err(at)?;
            return Ok((load().map_err(at)?, None));
        };
        let _turn = StepName::Path(file.bytes()).turn();
        for tries in 0..TRIES {
            // Two that save the same file all the time get out of step.
            std::thread::sleep(Duration::from_millis(tries as u64) * (std::process::id() % 7 + 1));
            let (saved, published) = watch(file.path(), save);
            saved.and_then(|()| file.expect_at(target.path())).map_err(at)?;
            // What comes into its place from here on isn't what was made, and may be what is loaded.
            let Some(before) = file.saved_as(published.as_ref()).map_err(at)? else { continue };
            let seen = look(file);
            let loaded = load();
            if file.is_still(before).map_err(at)? {
                file.expect_at(target.path()).map_err(at)?;
                return Ok((loaded.map_err(at)?, Some(seen.map_err(at)?)));
            }
        }
        Err(at(replaced(file)))
    }
}

/// One step whose call has a key.
struct StepRun<'a, P> {
    memory: &'a Memory,
    records: StepRecords<'a>,
    place: StepName<'a>,
    file: Option<&'a Target>,
    target: &'a P,
}

impl<P> StepRun<'_, P> {
    fn make<A, R>(&self, call: Call<A, R>, key: Key) -> Result<P::Loaded>
    where
        P: Persister<R>,
    {
        let stale = match self.look(&call, key)? {
            Look::Found(loaded) => return Ok(loaded),
            Look::Missing(stale) => stale,
        };
        if !self.records.writes() {
            return Err(self.refuse(&call, &stale));
        }
        self.file.map_or(Ok(()), Target::expect_writable)?;
        let look = || match self.look(&call, key) {
            Ok(Look::Found(loaded)) => Look::Found(Ok(loaded)),
            Ok(Look::Missing(stale)) => Look::Missing(stale),
            Err(error) => Look::Found(Err(error)),
        };
        let (stale, _lead) = match self.records.lead(call.function().path(), self.place, stale, look) {
            FlightOutcome::Found(found) => return found,
            FlightOutcome::Compute(stale, lead) => (stale, lead),
        };
        self.run(call, key, &stale)
    }

    fn run<A, R>(&self, call: Call<A, R>, key: Key, stale: &Stale) -> Result<P::Loaded>
    where
        P: Persister<R>,
    {
        let function = call.function().path();
        self.records.count_miss(function, stale);
        let in_short = self.records.in_short(&call);
        let ran = self.memory.run(call);
        let look = |file: &Target| file.record().map(|(record, _)| record);
        let (loaded, record) = self.memory.save(function, &ran, self.target, self.file, look)?;
        self.records.tell(in_short.as_deref(), function, ran.took, &self.what(), stale);
        let remembered = match stale {
            Stale::Newer(error) => Err(error.again()),
            _ => self.records.remember(key, self.place, ran.made, record),
        };
        if let Err(error) = remembered {
            self.records.count_fault(function, &error, "what was made is not remembered, and is made again next time");
        }
        Ok(loaded)
    }

    /// What the target holds, if it is what the call would make.
    fn look<A, R>(&self, call: &Call<A, R>, key: Key) -> Result<Look<P::Loaded, Stale>>
    where
        P: Persister<R>,
    {
        let function = call.function().path();
        let step = match self.records.read(self.place) {
            Ok(Some(step)) => step,
            Ok(None) => return Ok(Look::Missing(Stale::New)),
            Err(stale) => return Ok(Look::Missing(stale)),
        };
        if step.function != function {
            return match self.file {
                Some(file) if file.is_there() => Err(two_functions(file, &step.function, function)),
                _ => Ok(Look::Missing(Stale::Function)),
            };
        }
        if call.is_refreshed() || self.records.is_due(key, self.place) {
            return Ok(Look::Missing(Stale::Refresh));
        }
        if let Some(stale) = self.records.difference(call, key, &step) {
            return Ok(Look::Missing(stale));
        }
        self.load(call, step)
    }

    /// What the target holds, if it is what `step` remembers.
    fn load<A, R>(&self, call: &Call<A, R>, step: StepRecord) -> Result<Look<P::Loaded, Stale>>
    where
        P: Persister<R>,
    {
        let trusted = self.records.is_of_this_session(&step);
        let made = (step.slot, Duration::from_nanos(step.duration));
        for _ in 0..TRIES {
            // No other file gets its inode while it is compared and loaded.
            let _held = self.file.map(Target::hold);
            let (before, settled) = match (self.file, &step.target) {
                (Some(file), Some(made)) => match file.compare(made, trusted)? {
                    TargetState::Same(look) => (Some((file, look)), None),
                    TargetState::SameByContent(record, look) => (Some((file, look)), Some(record)),
                    TargetState::Other(what) => return Ok(Look::Missing(Stale::Target(what))),
                },
                (None, None) => (None, None),
                _ => return Ok(Look::Missing(Stale::Target("the target was another one".to_owned()))),
            };
            let loaded = self.memory.with(|| self.target.load());
            if let Some((file, look)) = before {
                if !file.is_still(look)? {
                    continue;
                }
                if self.target.path().is_some_and(Path::is_relative) {
                    file.expect_at(self.target.path())?;
                }
            }
            let loaded = match loaded {
                Ok(loaded) => loaded,
                Err(error) => return Ok(Look::Missing(Stale::Target(format!("the target can't be loaded: {error}")))),
            };
            if let Some(record) = settled {
                self.records.settle(self.place, step, record);
            }
            self.records.count_hit(call, made, &self.what());
            return Ok(Look::Found(loaded));
        }
        Ok(Look::Missing(Stale::Target(self.file.map_or_else(String::new, |file| replaced(file).to_string()))))
    }

    /// The step, for people.
    fn what(&self) -> String {
        match self.file {
            Some(file) => format!("target `{}`", file.path().display()),
            None => "a step without a file".to_owned(),
        }
    }

    fn refuse<A, R>(&self, call: &Call<A, R>, stale: &Stale) -> Error {
        let (function, folder, what) = (call.function().path(), self.records.location().display(), self.what());
        Error::unsupported(format!(
            "function `{function}`: {what} isn't up to date ({stale}), and the memory in `{folder}` is read-only"
        ))
    }
}

fn replaced(file: &Target) -> Error {
    let path = file.path().display();
    Error::new(ErrorKind::Other, format!("target `{path}` is replaced by somebody else all the time"))
}

fn two_functions(file: &Target, first: &str, second: &str) -> Error {
    let path = file.path().display();
    Error::invalid(format!(
        "target `{path}` is made by function `{first}`, and can't be made by `{second}` too; remove it if it is to"
    ))
}
