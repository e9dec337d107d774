//! The settings of a memory: their defaults, and how they are read.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::entry::info::Entry;
use crate::entry::rules::{INLINE, MapPolicy, Mode, VerifyPolicy};
use crate::folder::limits::{EvictPolicy, Limits};
use crate::memory::Memory;
use crate::payload::Compression;
use crate::store::Durability;
use crate::tier::Tier;

/// The settings of a memory, from [`Memory::settings`]: each has the name of the method of
/// [`MemoryBuilder`](crate::MemoryBuilder) that sets it, which says what it does.
///
/// ```
/// use ndcache::Mode;
/// use ndcache::policy::Settings;
///
/// let settings = Settings::default(); // those of a builder on which nothing was set
/// assert_eq!((settings.mode, settings.inline, settings.wait), (Mode::ReadWrite, 4096, None));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Whether the memory looks up, computes and stores. Of an open memory: the builder's mode, made stricter by
    /// `NDCACHE_MODE` and by a folder that can't be written to.
    pub mode: Mode,
    /// A text that is part of every key.
    pub salt: String,
    /// When arrays are mapped.
    pub map: MapPolicy,
    /// Whether arrays are mapped on network file systems, too.
    pub map_network: bool,
    /// When mapped bytes are verified.
    pub verify: VerifyPolicy,
    /// What a stored entry survives.
    pub durability: Durability,
    /// How arrays are stored, of functions that don't say so themselves.
    pub compression: Compression,
    /// The most bytes of an array that stays inside the record.
    pub inline: u64,
    /// How long to wait for whoever computes the same key; `None` for as long as they live.
    pub wait: Option<Duration>,
    /// How much the cache may hold.
    pub limits: Limits,
    /// Which entries go first.
    pub evict: EvictPolicy,
    /// What looks at each entry before it is used.
    pub validate: Option<Validation>,
    /// How long results are good for, of functions that don't say so themselves; `None` for ever.
    pub expires: Option<Duration>,
    /// Results that take less time to compute aren't stored, of functions that don't say so themselves.
    pub min_duration: Duration,
    /// How much is printed on stderr, from 0 to 3.
    pub verbose: u8,
    /// Whether array files have names that say what they are, of functions that don't say so themselves.
    pub readable: bool,
    /// Whether the values of arguments are recorded and shown, in short.
    pub texts: bool,
    /// Whether what calls cost and saved is written down in the cache folder.
    pub statistics: bool,
    /// The share of hits that are computed again and compared, from 0.0 to 1.0.
    pub recheck: f64,
    /// The places behind the folder, in the order in which they are asked.
    pub tiers: Vec<Tier>,
    /// How long the end of the memory waits for what is to be sent to them, by default not at all.
    pub tier_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            salt: String::new(),
            map: MapPolicy::default(),
            map_network: false,
            verify: VerifyPolicy::default(),
            durability: Durability::default(),
            compression: Compression::default(),
            inline: INLINE,
            wait: None,
            limits: Limits::default(),
            evict: EvictPolicy::default(),
            validate: None,
            expires: None,
            min_duration: Duration::ZERO,
            verbose: 0,
            readable: false,
            texts: true,
            statistics: true,
            recheck: 0.0,
            tiers: Vec::new(),
            tier_wait: Duration::ZERO,
        }
    }
}

/// A function that looks at an entry before it is used, from
/// [`MemoryBuilder::validate`](crate::MemoryBuilder::validate).
///
/// A memory may be used after a panic of its user's code, and this is the user's code.
#[derive(Clone)]
pub struct Validation(Arc<AssertUnwindSafe<Box<ValidateEntry>>>);

type ValidateEntry = dyn Fn(&Entry) -> bool + Send + Sync;

impl Validation {
    pub(super) fn new(validate: impl Fn(&Entry) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(AssertUnwindSafe(Box::new(validate))))
    }

    pub(crate) fn accepts(&self, entry: &Entry) -> bool {
        (self.0)(entry)
    }
}

impl fmt::Debug for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Validation(…)")
    }
}

impl Memory {
    /// The settings that the memory was opened with.
    ///
    /// A memory of mode [`Off`](Mode::Off) keeps them, too; a [disabled](Memory::disabled) one has the defaults and that
    /// mode.
    ///
    /// ```
    /// use ndcache::policy::VerifyPolicy;
    /// use ndcache::{Memory, Mode};
    /// # let folder = tempfile::tempdir().unwrap();
    ///
    /// let memory = Memory::builder(folder.path()).salt("2026-11").verify(VerifyPolicy::First).verbose(1).open()?;
    /// let settings = memory.settings();
    /// assert_eq!((&*settings.salt, settings.verify, settings.verbose), ("2026-11", VerifyPolicy::First, 1));
    /// assert_eq!((settings.mode, settings.wait), (Mode::ReadWrite, None));
    /// assert_eq!(Memory::disabled().settings().mode, Mode::Off);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn settings(&self) -> &Settings {
        static OFF: LazyLock<Settings> = LazyLock::new(|| Settings { mode: Mode::Off, ..Settings::default() });
        match self {
            Self(Some(engine), _) => &engine.settings,
            Self(None, Some(settings)) => settings,
            Self(None, None) => &OFF,
        }
    }
}
