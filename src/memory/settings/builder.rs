//! How a memory is told its settings, and how it is opened.

use std::env;
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
use crate::store::{Disk, Durability, expanded};
use crate::tier::Tier;

/// The settings of a memory that is about to be opened, from [`Memory::builder`].
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
    folder: PathBuf,
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
    /// `NDCACHE_MODE` is `read-write`, `refresh`, `read-only` or `off`; an empty variable counts as none.
    ///
    /// `NDCACHE_REMOTE` adds [`tiers`](Self::tier) behind those of the builder: `rw:/nfs/team/cache,/nfs/main` are two folders,
    /// of which only the first is written to. `NDCACHE_REMOTE_SHARE` is `target`, `any` or a name
    /// ([`Share`](crate::tier::Share)); `NDCACHE_REMOTE_WAIT` says for how many seconds the end of the memory waits for what
    /// is to be sent to them, and is 0 unless said.
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

    /// Whether the memory looks up, computes and stores; `ReadWrite` unless said.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.settings.mode = mode;
        self
    }

    /// A text that enters every key: memories with different salts share a folder and no entry.
    pub fn salt(mut self, salt: impl fmt::Display) -> Self {
        self.settings.salt = salt.to_string();
        self
    }

    /// When arrays are mapped; on local file systems unless said.
    pub fn map(mut self, policy: MapPolicy) -> Self {
        self.settings.map = policy;
        self
    }

    /// Maps arrays on network file systems too.
    ///
    /// # Safety
    ///
    /// While a mapped array lives, no other machine may remove, truncate or rewrite its file: reading the array
    /// would be a bus error, or see bytes change behind a shared reference.
    #[allow(unsafe_code)] // A declaration: what it allows is done in `map/`.
    pub unsafe fn map_network(mut self) -> Self {
        self.settings.map_network = true;
        self
    }

    /// When mapped bytes are verified; `Boot` unless said.
    pub fn verify(mut self, verify: VerifyPolicy) -> Self {
        self.settings.verify = verify;
        self
    }

    /// What a stored entry survives; `Buffered` unless said.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// How arrays are stored, of functions that don't say so themselves; plain unless said. What is stored already is
    /// found either way.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.settings.compression = compression;
        self
    }

    /// Arrays of at most this many bytes stay inside the record, unless their type is `Mapped`; 0 gives each array
    /// its file, 4096 is the default. Of a result with more than 64 arrays in files, further ones of up to 64 KiB lie
    /// together in one file, but for 0.
    pub fn inline(mut self, bytes: u64) -> Self {
        self.settings.inline = bytes;
        self
    }

    /// How long to wait for another thread or process that computes the same key; as long as it lives unless said.
    ///
    /// After that the value is computed here, too.
    pub fn wait(mut self, limit: Duration) -> Self {
        self.settings.wait = Some(limit);
        self
    }

    /// Keeps the cache within `limits`, in the background; no limits unless said.
    ///
    /// A memory that has written a tenth of a limit counts what is there, on a thread of its own, and evicts until four
    /// fifths of the limit are left, so that there is room for what is written until the next count; each other process
    /// that writes meanwhile may need another tenth. Entries that are too old go in the same way, once in a tenth of
    /// the longest age. Storing a result never waits for that, and opening a memory counts nothing. The first count of
    /// each memory comes at a random point of its first tenth, so that many processes that write a little each count
    /// as often as one that writes a lot. Of the processes that share a folder one counts at a time, where there are
    /// locks.
    ///
    /// When the last clone of the memory is dropped it waits for a count under way. A process that ends in the middle
    /// of one loses nothing, and leaves the rest to the next. If the disk is full, a tenth of the limit is evicted at
    /// once, and storing is tried again; that at most once a minute.
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

    /// Which entries go first when a limit is reached, and in [`Memory::reduce_size`]; the least recently used ones
    /// unless said.
    pub fn evict(mut self, policy: EvictPolicy) -> Self {
        self.settings.evict = policy;
        self
    }

    /// Looks at each entry before it is used: `false` makes the call a miss, which is computed and replaces the entry.
    ///
    /// A function's own `validate` is asked in place of this one. It is asked at every lookup, by
    /// [`Memory::contains`] and [`Memory::explain`] too, and may be asked twice for one call; its panics are the call's.
    /// Entries that it refuses stay where they are until they are replaced.
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

    /// How long results are good for after they were computed, of functions that don't say so themselves; for ever
    /// unless said.
    ///
    /// It counts at the lookup: entries that are stored already expire, too, and none is removed. An entry expires no
    /// later than the cached calls that were made inside it, on its thread.
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

    /// Doesn't store what took less time to compute, for functions that don't say so themselves; 0 unless said.
    ///
    /// A result that is stored already is replaced whatever the new one took.
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

    /// How much is printed on stderr; 0, nothing, unless said.
    ///
    /// * 1: a line for each computation: the function, its arguments in short, the time, the bytes that were stored, and
    ///   why the call missed, as [`Memory::explain`] has it. For that each miss reads up to 1,000 records. And a line for
    ///   each warning that is given once for a function or once for a memory: what can't be stored, a tier that fails, a
    ///   folder that was removed.
    /// * 2: a line for each hit, too, with what was loaded.
    /// * 3: below each line the key and the entry's files.
    ///
    /// What can't be printed is lost, and fails no call. `tracing` gets the same as events, whatever the level: `miss`
    /// and `computed` at `info`, `hit` at `debug`, with `function`, `key`, `reason`, `seconds` and `bytes`.
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

    /// Gives array files names that say what they are, `features(n=3,k=0.5)-<key>.<nonce>.npy`, for functions that
    /// don't say so themselves; off unless said.
    ///
    /// The names hold the function's last name and its arguments, escaped, and have at most 200 bytes; what is too long
    /// ends with `...`. They are for people and for `ls`: entries are found by their records, whose names never change,
    /// and what is stored either way is found either way.
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

    /// Whether the values of arguments are told in short: in records, in the lines of [`verbose`](Self::verbose), in
    /// explanations, events and readable file names; they are unless said.
    ///
    /// Without them only names and digests of arguments are kept, and a miss says which argument changed and not from
    /// what to what. Entries are found either way; what was stored before keeps its texts. A user who may read the folder can
    /// still tell whether a guessed value was an argument: it has the digest that the record holds.
    /// `#[cache(secret(token))]` says so of single arguments.
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

    /// Whether calls are counted for good, in the folder's `s/log`, for [`Memory::history`]; they are unless said.
    ///
    /// A repeated hit costs nothing more for it. A line of at most 4 KiB is appended after a miss, at most once a
    /// second, and otherwise once a minute, when a thread ends and when the last memory of the folder is dropped; a kill
    /// loses what came after the last one. What can't be written is dropped, and fails no call. The lines hold names of
    /// functions, the machine's name and, by function, why the last call missed, in which arguments are told as
    /// [`texts`](Self::texts) says; no limit counts them, and [`Memory::clear`] leaves them.
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

    /// Recomputes this share of the hits, from 0.0 to 1.0, and compares with what is stored; none unless said.
    ///
    /// A difference is an event at the level `error` that names the function and its arguments: the function isn't pure
    /// (it reads a clock, a file, random numbers), or code that it calls has changed and isn't named in `depends(…)`. Of a
    /// result that came from a tier or was imported the event also names what computed it, since the other machine may be
    /// what differs; [`Stats::foreign_mismatches`](crate::stats::Stats::foreign_mismatches) counts these.
    /// The stored result is the one that is returned, as to any other reader, and it stays; [`Memory::refresh`] or
    /// [`Memory::remove`] is what to do about it. [`Stats::rechecks`](crate::stats::Stats::rechecks) and
    /// [`Stats::mismatches`](crate::stats::Stats::mismatches) count.
    ///
    /// A recheck costs what the function costs, and the memory for a second result. It compares the digests of the
    /// results as they would be stored, so each bit counts: a sum whose order depends on threads differs, and a call with
    /// an argument under `#[cache(round(…))]` may differ by the rounding alone. It writes
    /// nothing; but the cached calls inside the function go through the memory as ever: they hit, and are rechecked by
    /// the same share, though each key at most once, on whichever threads, and no deeper than 32 inside one another: of a
    /// memory so many rechecks are under way at most, and hits that are chosen meanwhile pass without. A panic of the
    /// recomputation is a difference, too, and ends there (unless panics abort). The order of a map that serde writes
    /// doesn't count; that of a set does, since serde writes a sequence: return a `BTreeSet`. Mapped arguments that only a
    /// record vouches for are verified first; damage in them is a fault of the cache. Results published by hand aren't
    /// rechecked. Which hits it meets is chosen anew in each process.
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

    /// Adds a place behind the folder that machines share: what is missing in the folder is fetched from the tiers, in the
    /// order in which they were added, before it is computed, and what is computed goes to those that may be written.
    ///
    /// [`ndcache::tier`](crate::tier) says how that works; a hit in the folder asks no tier.
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

    /// For how long the end of the memory waits for what is still to be sent to [tiers](Self::tier), as
    /// `NDCACHE_REMOTE_WAIT` says; not at all unless said.
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

    /// Opens the memory; creates the folder if it isn't there.
    ///
    /// A folder that begins with `~/`, or is `~`, is in the user's home folder, as a shell and joblib have it, whether
    /// it comes from the program or from `NDCACHE_DIR`; one that is really named `~` is reached by `./~`. Another user's
    /// home, `~bob/x`, is an error; Python's package looks it up. If the folder is removed while the memory is open, it is made anew for the next result that is stored; if it is moved, the memory
    /// goes with it.
    ///
    /// A folder that can't be written to opens as `ReadOnly`, with a warning.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder can't be made or isn't one, when `NDCACHE_MODE` is not a mode, when there is
    /// no such level of compression, when the home folder that `~` stands for isn't known, or when the share of hits to recheck isn't from 0 to 1.
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
            Mode::ReadOnly => Disk::open_read_only(&folder)?,
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

    /// A memory with these settings in a folder that is open.
    pub(crate) fn open_disk(self, disk: Disk) -> Memory {
        Memory(Some(Arc::new(Engine::new(disk, self.settings))), None)
    }

    fn read_environment(&mut self) -> Result<()> {
        if let Some(folder) = env::var_os("NDCACHE_DIR").filter(|folder| !folder.is_empty()) {
            self.folder = folder.into();
        }
        if let Some(mode) = env::var_os("NDCACHE_MODE").filter(|mode| !mode.is_empty()) {
            let mode: Mode = mode.to_string_lossy().parse().map_err(|error: Error| error.at("`NDCACHE_MODE`"))?;
            self.settings.mode = self.settings.mode.max(mode);
        }
        self.read_remote()
    }

    /// Tiers that the environment names come behind those of the builder.
    fn read_remote(&mut self) -> Result<()> {
        self.settings.tiers.extend(Tier::from_env()?);
        if let Some(wait) = text_of("NDCACHE_REMOTE_WAIT") {
            let seconds = wait.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let wrong = || {
                let wait = wait.escape_debug();
                Error::invalid(format!("`NDCACHE_REMOTE_WAIT` is `{wait}`, expected a number of seconds"))
            };
            self.settings.tier_wait = seconds.ok_or_else(wrong)?;
        }
        Ok(())
    }
}

/// What an environment variable says; an empty one counts as none.
fn text_of(variable: &str) -> Option<String> {
    env::var_os(variable).map(|text| text.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
}

/// Names the folder and the mode that was asked for.
impl fmt::Debug for MemoryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryBuilder({}, {:?})", self.folder.display(), self.settings.mode)
    }
}
