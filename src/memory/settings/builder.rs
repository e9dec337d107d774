//! How the settings of a memory are chosen, and how it is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::entry::info::Entry;
use crate::entry::rules::{MapPolicy, Mode, VerifyPolicy};
use crate::error::{Error, Result};
use crate::folder::limits::{EvictPolicy, Limits};
use crate::memory::settings::{Settings, Validation};
use crate::memory::{Engine, Memory};
use crate::payload::Compression;
use crate::stats::printer::Printer;
use crate::store::{Disk, Durability, expanded, is_missing};
use crate::tier::Tier;

/// The settings of a memory before it is opened, made by [`Memory::builder`].
///
/// ```
/// use ndcache::{Memory, Mode};
/// # let folder = tempfile::tempdir().unwrap();
///
/// let memory = Memory::builder(folder.path()).salt("2026-11").mode(Mode::ReadWrite).open()?;
/// assert_eq!(memory.mode(), Mode::ReadWrite);
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a memory is opened by `open()`"]
pub struct MemoryBuilder {
    pub(super) folder: PathBuf,
    environment: bool,
    pub(crate) settings: Settings,
}

impl MemoryBuilder {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), environment: false, settings: Settings::default() }
    }

    /// Lets `NDCACHE_DIR` replace the folder, and `NDCACHE_MODE` make the mode stricter; all other settings are those
    /// of the builder.
    ///
    /// `NDCACHE_MODE` is `read-write`, `refresh`, `read-only` or `off`; an empty variable is ignored.
    ///
    /// `NDCACHE_REMOTE` adds [`tiers`](Self::tier) after those of the builder: `rw:/nfs/team/cache,/nfs/main` names
    /// two folders, of which only the first is written to. `NDCACHE_REMOTE_SHARE` is `target`, `any` or a name
    /// ([`Share`](crate::tier::Share)). `NDCACHE_REMOTE_WAIT` is the number of seconds that the memory waits, when it is
    /// dropped, for results to be sent; the default is 0.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// let memory = ndcache::Memory::builder(folder.path()).verbose(1).env().open()?; // `from_env`, and it talks
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn env(mut self) -> Self {
        self.environment = true;
        self
    }

    /// Sets whether the memory looks up, computes and stores; the default is `ReadWrite`.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.settings.mode = mode;
        self
    }

    /// Adds a text to every key: memories with different salts can share a folder, but share no entries.
    pub fn salt(mut self, salt: impl fmt::Display) -> Self {
        self.settings.salt = salt.to_string();
        self
    }

    /// Sets when arrays are mapped; by default on local file systems.
    pub fn map(mut self, policy: MapPolicy) -> Self {
        self.settings.map = policy;
        self
    }

    /// Maps arrays on network file systems, too.
    ///
    /// # Safety
    ///
    /// While a mapped array lives, no other machine may remove, truncate or rewrite its file: reading the array could
    /// cause a bus error, or see bytes change behind a shared reference.
    #[allow(unsafe_code)] // A declaration: what it allows is done in `map/`.
    pub unsafe fn map_network(mut self) -> Self {
        self.settings.map_network = true;
        self
    }

    /// Sets when mapped bytes are verified; the default is `Boot`.
    pub fn verify(mut self, verify: VerifyPolicy) -> Self {
        self.settings.verify = verify;
        self
    }

    /// Sets whether stored entries are flushed to disk; the default is `Buffered`, which doesn't.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// Sets how arrays are stored, for functions without their own `compress`; by default they aren't compressed.
    /// Entries are found whatever their compression.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.settings.compression = compression;
        self
    }

    /// Sets up to how many bytes an array is stored inside the record, unless its type is `Mapped`; the default is 4096, and
    /// with 0 each array gets its own file. If a result has more than 64 arrays in files, further arrays of up to 64 KiB
    /// share one file, except with 0.
    pub fn inline(mut self, bytes: u64) -> Self {
        self.settings.inline = bytes;
        self
    }

    /// Sets how long to wait for another thread or process that computes the same key, before computing it here, too; by
    /// default as long as the other lives.
    pub fn wait(mut self, limit: Duration) -> Self {
        self.settings.wait = Some(limit);
        self
    }

    /// Keeps the cache within `limits`, in the background; by default there are no limits.
    ///
    /// After a memory has written a tenth of a limit, it sums up the folder on a thread of its own, and evicts entries until
    /// four fifths of the limit are left. This leaves room for what is written until the next time; each other process that
    /// writes in the meantime may need another tenth. Entries that are too old are evicted in the same way, once in a tenth
    /// of the longest age. Storing a result never waits for this, and opening a memory sums up nothing. A memory does it for
    /// the first time at a random point of its first tenth, so that many processes that each write a little do it as often as
    /// one that writes a lot. Of the processes that share a folder only one does it at a time, if the file system has locks.
    ///
    /// When the last clone of the memory is dropped, it waits until an eviction under way has ended. If a process ends in the
    /// middle of one, nothing is lost, and the next process does the rest. If the disk is full, a tenth of the limit is
    /// evicted at once, and the result is stored again; this happens at most once a minute.
    ///
    /// ```
    /// use ndcache::{Limits, Memory};
    /// # let folder = tempfile::tempdir().unwrap();
    ///
    /// let memory = Memory::builder(folder.path()).limits(Limits::bytes("10G")?.items(1_000_000)).open()?;
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Sets which entries are evicted first when a limit is reached, and by [`Memory::reduce_size`]; by default the
    /// least recently used ones.
    pub fn evict(mut self, policy: EvictPolicy) -> Self {
        self.settings.evict = policy;
        self
    }

    /// Calls `validate` for each entry before it is used: if it returns `false`, the call is a miss, and its result
    /// replaces the entry.
    ///
    /// A function's own `validate` replaces this one. It is called at every lookup, also by [`Memory::contains`] and
    /// [`Memory::explain`], and may be called twice for one call; if it panics, the call panics. Entries that it refuses stay
    /// in the folder until they are replaced.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let slow = |entry: &ndcache::Entry| entry.duration() > Duration::from_secs(60);
    /// let memory = ndcache::Memory::builder(folder.path()).validate(slow).open()?;
    /// memory.eval(double::call(1.0));
    /// assert!(!memory.contains(&double::call(1.0)));
    /// assert_eq!(memory.explain(&double::call(1.0)).to_string(), "refused by `validate`");
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn validate(mut self, validate: impl Fn(&Entry) -> bool + Send + Sync + 'static) -> Self {
        self.settings.validate = Some(Validation::new(validate));
        self
    }

    /// Sets for how long results are valid after they were computed, for functions without their own `expires`; by
    /// default forever.
    ///
    /// The lifetime is applied at the lookup: entries that are already stored expire, too, and none is removed. An
    /// entry expires no later than the cached calls that were made inside it, on its thread.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::builder(folder.path()).expires(Duration::from_secs(3600)).open()?;
    /// memory.eval(double::call(1.0));
    /// assert!(memory.contains(&double::call(1.0))); // for an hour
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn expires(mut self, age: Duration) -> Self {
        self.settings.expires = Some(age);
        self
    }

    /// Doesn't store results that took less time to compute, for functions without their own `min_duration`; the
    /// default is 0.
    ///
    /// A result that is already stored is replaced, however long the new one took.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::builder(folder.path()).min_duration(Duration::from_secs(1)).open()?;
    /// memory.eval(double::call(1.0));
    /// assert!(!memory.contains(&double::call(1.0))); // it was too fast
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn min_duration(mut self, least: Duration) -> Self {
        self.settings.min_duration = least;
        self
    }

    /// Sets what is printed on stderr; the default is 0, nothing.
    ///
    /// * 1: a line for each computation, with the function, its arguments in short, the time, the stored bytes, and
    ///   why the call missed, as in [`Memory::explain`]. To find this out each miss reads up to 1,000 records. Also a
    ///   line for each warning, which is given once for a function or for a memory: what can't be stored, a tier that
    ///   fails, a folder that was deleted. A call that waits for another process prints a warning each minute.
    /// * 2: also a line for each hit, with what was loaded.
    /// * 3: also the key and the entry's files below each line.
    ///
    /// If a line can't be printed it is lost; no call fails. The same messages are `tracing` events at every level:
    /// `miss` and `computed` at `info`, `hit` at `debug`, with `function`, `key`, `reason`, `seconds` and `bytes`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::builder(folder.path()).verbose(1).open()?;
    /// memory.eval(double::call(1.0)); // ndcache: app/double(x: 1.0) computed in 41.00ns, 9 B stored; new function
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn verbose(mut self, level: u8) -> Self {
        self.settings.verbose = level;
        self
    }

    /// Puts the function and its arguments into the names of array files, `features(n=3,k=0.5)-<key>.<nonce>.npy`,
    /// for functions without their own `readable`; off by default.
    ///
    /// The names hold the last part of the function's path and its arguments, escaped, and have at most 200 bytes; longer
    /// ones are cut and end with `...`. They are only for people: entries are found by their records, whose names don't
    /// change, whatever the names of array files.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn features(n: usize, k: f64) -> ndarray::Array2<f64> {
    ///     ndarray::Array2::from_elem((n, 1000), k)
    /// }
    ///
    /// let memory = ndcache::Memory::builder(folder.path()).readable(true).open()?;
    /// memory.eval(features::call(3, 0.5));
    /// let entry = memory.entry(&features::call(3, 0.5))?.unwrap();
    /// let name = entry.files()[0].file_name().unwrap().to_string_lossy();
    /// assert!(name.starts_with(&format!("features(n=3,k=0.5)-{}.", entry.key())));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn readable(mut self, readable: bool) -> Self {
        self.settings.readable = readable;
        self
    }

    /// Sets whether the values of arguments are recorded and shown in short: in records, in the lines of
    /// [`verbose`](Self::verbose), in explanations, events and readable file names. They are by default.
    ///
    /// With `false` only names and digests of arguments are recorded, and a miss says which argument changed, but not its
    /// values. Entries are found in both cases; entries that are already stored keep their texts. A user who may read the
    /// folder can still test whether a guessed value was an argument, because the record holds its digest.
    /// `#[cache(secret(token))]` does the same for single arguments.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let memory = ndcache::Memory::builder(folder.path()).texts(false).open()?;
    /// memory.eval(double::call(1.0));
    /// assert_eq!(memory.entry(&double::call(1.0))?.unwrap().arguments()[0].text(), "");
    /// assert_eq!(memory.explain(&double::call(2.0)).to_string(), "argument `x` changed");
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn texts(mut self, texts: bool) -> Self {
        self.settings.texts = texts;
        self
    }

    /// Sets whether calls are counted in the folder, in `s/log`, for [`Memory::history`]; they are by default.
    ///
    /// A repeated hit takes no more time for it. A line of at most 4 KiB is appended after a miss, at most once a second, and
    /// otherwise once a minute, when a thread ends, and when the last memory of the folder is dropped; a kill loses what was
    /// counted after the last line. If a line can't be written it is lost; no call fails. The lines hold names of functions,
    /// the machine's name and, for each function, why the last call missed, with arguments as [`texts`](Self::texts) says.
    /// The log isn't part of any limit, and [`Memory::clear`] leaves it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// let memory = ndcache::Memory::builder(folder.path()).statistics(false).open()?;
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn statistics(mut self, statistics: bool) -> Self {
        self.settings.statistics = statistics;
        self
    }

    /// Computes this share of the hits again, from 0.0 to 1.0, and compares with the stored result; the default is 0.
    ///
    /// A difference is an event at the level `error` that names the function and its arguments. It means that the function
    /// isn't pure (it reads a clock, a file, random numbers), or that code which it calls has changed and isn't named in
    /// `depends(…)`. If the stored result came from a tier or was imported, the event also names what computed it, since the
    /// other machine may be the reason; [`Stats::foreign_mismatches`](crate::stats::Stats::foreign_mismatches) counts these.
    /// [`Stats::rechecks`](crate::stats::Stats::rechecks) and [`Stats::mismatches`](crate::stats::Stats::mismatches) count
    /// all. The stored result is returned, and stays; call [`Memory::refresh`] or [`Memory::remove`] to replace it.
    ///
    /// A recheck takes the time of the function, and memory for a second result. It compares the digests of the results in
    /// the form in which they would be stored, so each bit matters: a sum whose order depends on threads differs, and with
    /// `#[cache(round(…))]` the rounding alone may cause a difference. The order of a map that serde serializes doesn't
    /// matter; that of a set does, because serde serializes it as a sequence: return a `BTreeSet`. A panic of the
    /// recomputation is a difference, too, and isn't passed on (unless panics abort).
    ///
    /// A recheck writes nothing. Cached calls inside the function use the memory as usual: they hit, and are rechecked with
    /// the same share, but each key at most once, on whichever threads, and at most 32 levels deep. A memory runs at most 32
    /// rechecks at a time; hits that are chosen in the meantime aren't rechecked. Mapped arguments whose digest only a record
    /// states are verified first; damage in them is a fault of the cache. Edited results aren't rechecked. Each process
    /// chooses the hits anew.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn stamped(x: f64) -> String {
    ///     format!("{x} at {:?}", std::time::SystemTime::now())
    /// }
    ///
    /// let memory = ndcache::Memory::builder(folder.path()).recheck(1.0).open()?;
    /// let first = memory.eval(stamped::call(1.0));
    /// assert_eq!(memory.eval(stamped::call(1.0)), first);
    /// assert_eq!((memory.stats().rechecks(), memory.stats().mismatches()), (1, 1));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn recheck(mut self, rate: f64) -> Self {
        self.settings.recheck = rate;
        self
    }

    /// Adds a tier, a place that machines share. A result that is missing in the folder is looked for in the tiers, in the
    /// order in which they were added, before it is computed; computed results are sent to the tiers that may be written to.
    ///
    /// [`ndcache::tier`](crate::tier) says how this works; a hit in the folder asks no tier.
    ///
    /// ```
    /// use ndcache::Memory;
    /// use ndcache::tier::{Folder, Tier};
    /// # let (cache, team) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    ///
    /// let memory = Memory::builder(cache.path()).tier(Tier::new(Folder::new(team.path())?)).open()?;
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn tier(mut self, tier: Tier) -> Self {
        self.settings.tiers.push(tier);
        self
    }

    /// Sets how long the memory waits, when it is dropped, for results to be sent to its [tiers](Self::tier), like
    /// `NDCACHE_REMOTE_WAIT`; by default it doesn't wait.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndcache::Memory;
    /// use ndcache::tier::{Access, MemoryBackend, Tier};
    /// # let folder = tempfile::tempdir().unwrap();
    ///
    /// #[ndcache::cache]
    /// fn double(x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let place = MemoryBackend::new();
    /// let tier = Tier::new(place.clone()).access(Access::ReadWrite);
    /// let memory = Memory::builder(folder.path()).tier(tier).tier_wait(Duration::from_secs(60)).open()?;
    /// memory.eval(double::call(1.0));
    /// drop(memory);
    /// assert_eq!(place.names().len(), 1);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn tier_wait(mut self, wait: Duration) -> Self {
        self.settings.tier_wait = wait;
        self
    }

    /// Opens the memory; creates the folder if it doesn't exist.
    ///
    /// A folder that is `~`, or begins with `~/`, is in the user's home folder, as in a shell and in joblib, whether it is
    /// given by the program or by `NDCACHE_DIR`; a folder that is really named `~` is written `./~`. Another user's home,
    /// `~bob/x`, is an error. If the folder is deleted while the memory is open, it is created again for the next stored
    /// result; if it is moved, the memory follows it.
    ///
    /// A folder that can't be written to opens as `ReadOnly`, with a warning. One that doesn't exist isn't created for
    /// `ReadOnly`: every function simply runs, with a warning. The memory still has that mode, and has no
    /// [`location`](Memory::location); a folder that is made later is used by memories that are opened then.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder can't be created or isn't a folder, when `NDCACHE_MODE` isn't a mode, when the level
    /// of compression doesn't exist, when the home folder of `~` isn't known, or when the share of hits to recheck isn't from
    /// 0 to 1.
    pub fn open(mut self) -> Result<Memory> {
        self.settings.compression.check()?;
        if !(0.0..=1.0).contains(&self.settings.recheck) {
            let rate = self.settings.recheck;
            return Err(Error::invalid(format!("the share of hits to recheck is {rate}, expected 0.0 to 1.0")));
        }
        if self.environment {
            self.read_environment()?;
        }
        self.settings.tiers.iter().try_for_each(Tier::check)?;
        if self.settings.mode == Mode::Off {
            return Ok(Memory(None, Some(Arc::new(self.settings))));
        }
        let folder = expanded(&self.folder, "cache folder")?;
        let disk = match self.settings.mode {
            Mode::ReadOnly => match Disk::open_read_only(&folder) {
                Err(error) if is_missing(&error) => {
                    let folder = folder.into_owned();
                    return Ok(self.without(&folder));
                }
                disk => disk?,
            },
            _ => Disk::open(&folder)?,
        };
        let is_denied = !disk.writable() && self.settings.mode != Mode::ReadOnly;
        if is_denied {
            self.settings.mode = Mode::ReadOnly;
        }
        let engine = Engine::new(disk, self.settings);
        if is_denied {
            let folder = folder.display();
            engine.recorder.warn(&format!("cache folder `{folder}` can't be written: opened for reading only"));
        }
        Ok(Memory(Some(Arc::new(engine)), None))
    }

    /// A memory for a folder that isn't there and may not be made: of a run, say, for which no cache was restored.
    fn without(self, folder: &Path) -> Memory {
        let what =
            format!("cache folder `{}` doesn't exist, and isn't made for reading: nothing is cached", folder.display());
        tracing::warn!("{what}");
        Printer::new(self.settings.verbose).warn(&what);
        Memory(None, Some(Arc::new(self.settings)))
    }

    /// A memory with these settings in a folder that is open.
    pub(crate) fn open_disk(self, disk: Disk) -> Memory {
        Memory(Some(Arc::new(Engine::new(disk, self.settings))), None)
    }
}

/// Names the folder and the mode that was asked for.
impl fmt::Debug for MemoryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryBuilder({}, {:?})", self.folder.display(), self.settings.mode)
    }
}
