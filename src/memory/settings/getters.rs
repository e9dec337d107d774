//! The settings of a memory, read back.

use std::fmt;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use crate::entry::rules::{MapPolicy, Mode, VerifyPolicy};
use crate::folder::limits::{EvictPolicy, Limits};
use crate::memory::Memory;
use crate::memory::settings::builder::MemoryBuilder;
use crate::memory::settings::builder::Settings;
use crate::payload::Compression;
use crate::store::Durability;

impl Memory {
    /// What the memory was told by its [`MemoryBuilder`], each setting by the name of the builder's method.
    ///
    /// A memory of mode [`Off`](Mode::Off) keeps them, too; a [disabled](Memory::disabled) one has the defaults and that
    /// mode.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndcache::policy::VerifyPolicy;
    /// use ndcache::{Memory, Mode};
    /// # let folder = tempfile::tempdir().unwrap();
    ///
    /// let memory = Memory::builder(folder.path()).salt("2026-11").verify(VerifyPolicy::First).verbose(1).open()?;
    /// let settings = memory.settings();
    /// assert_eq!((settings.salt(), settings.verify(), settings.verbose()), ("2026-11", VerifyPolicy::First, 1));
    /// assert_eq!((settings.mode(), settings.wait()), (Mode::ReadWrite, None));
    /// assert_eq!(Memory::disabled().settings().mode(), Mode::Off);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn settings(&self) -> &Settings {
        static OFF: LazyLock<Settings> = LazyLock::new(|| MemoryBuilder::new(Path::new("")).mode(Mode::Off).settings);
        match self {
            Self(Some(inner), _) => &inner.settings,
            Self(None, Some(settings)) => settings,
            Self(None, None) => &OFF,
        }
    }
}

impl Settings {
    /// Whether the memory looks up, computes and stores: the builder's mode, made stricter by `NDCACHE_MODE` and by a
    /// folder that can't be written to.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What enters every key.
    #[must_use]
    pub fn salt(&self) -> &str {
        &self.salt
    }

    /// When arrays are mapped.
    #[must_use]
    pub fn map(&self) -> MapPolicy {
        self.map
    }

    /// Whether arrays are mapped on network file systems too.
    #[must_use]
    pub fn map_network(&self) -> bool {
        self.map_network
    }

    /// When mapped bytes are verified.
    #[must_use]
    pub fn verify(&self) -> VerifyPolicy {
        self.verify
    }

    /// What a stored entry survives.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// How arrays are stored, of functions that don't say so themselves.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The most bytes of an array that stays inside the record.
    #[must_use]
    pub fn inline(&self) -> u64 {
        self.inline
    }

    /// How long to wait for whoever computes the same key; `None` for as long as they live.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        self.wait
    }

    /// How much the cache may hold.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Which entries go first.
    #[must_use]
    pub fn evict(&self) -> EvictPolicy {
        self.evict
    }

    /// Whether a `validate` looks at each entry before it is used.
    #[must_use]
    pub fn validates(&self) -> bool {
        self.validate.is_some()
    }

    /// How long results are good for, of functions that don't say so themselves; `None` for ever.
    #[must_use]
    pub fn expires(&self) -> Option<Duration> {
        self.expires
    }

    /// Whether array files have names that say what they are, of functions that don't say so themselves.
    #[must_use]
    pub fn readable(&self) -> bool {
        self.readable
    }

    /// Whether the values of arguments are told in short.
    #[must_use]
    pub fn texts(&self) -> bool {
        self.texts
    }

    /// Whether calls are counted for good, for [`Memory::history`](crate::Memory::history).
    #[must_use]
    pub fn statistics(&self) -> bool {
        self.statistics
    }

    /// The share of hits that are computed again and compared.
    #[must_use]
    pub fn recheck(&self) -> f64 {
        self.recheck
    }

    /// What takes less time to compute isn't stored, of functions that don't say so themselves.
    #[must_use]
    pub fn min_duration(&self) -> Duration {
        self.min_duration
    }

    /// How much is printed on stderr.
    #[must_use]
    pub fn verbose(&self) -> u8 {
        self.verbose
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("mode", &self.mode)
            .field("salt", &self.salt)
            .field("map", &self.map)
            .field("map_network", &self.map_network)
            .field("verify", &self.verify)
            .field("durability", &self.durability)
            .field("compression", &self.compression)
            .field("inline", &self.inline)
            .field("wait", &self.wait)
            .field("limits", &self.limits)
            .field("evict", &self.evict)
            .field("validates", &self.validates())
            .field("expires", &self.expires)
            .field("min_duration", &self.min_duration)
            .field("readable", &self.readable)
            .field("texts", &self.texts)
            .field("statistics", &self.statistics)
            .field("recheck", &self.recheck)
            .field("verbose", &self.verbose)
            .finish()
    }
}
