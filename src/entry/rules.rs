//! How entries are kept: what a memory may write, when arrays are mapped and verified, and what a put survives.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::store::Durability;

/// Arrays of at most this many bytes stay inside the record (docs/format.md).
pub(crate) const INLINE: u64 = 4096;

/// Whether a memory looks up, computes and stores.
///
/// The strictest of the environment's, the builder's and the function's mode holds; from the strictest on they are
/// `Off`, `ReadOnly`, `Refresh`, `ReadWrite`. A mode prints in the spelling of `NDCACHE_MODE`, and parses from it.
///
/// ```
/// use ndcache::Mode;
///
/// assert_eq!(Mode::ReadOnly.to_string(), "read-only");
/// assert_eq!("refresh".parse::<Mode>()?, Mode::Refresh);
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Looks up; computes and stores what is missing.
    #[default]
    ReadWrite,
    /// Computes each key once per memory, and stores the result in place of the old one; nested calls, too.
    Refresh,
    /// Looks up, and computes what is missing; writes nothing at all.
    ReadOnly,
    /// Neither looks up nor stores: every function simply runs.
    Off,
}

impl Mode {
    const ALL: [Self; 4] = [Self::ReadWrite, Self::Refresh, Self::ReadOnly, Self::Off];

    fn name(self) -> &'static str {
        match self {
            Self::ReadWrite => "read-write",
            Self::Refresh => "refresh",
            Self::ReadOnly => "read-only",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mode {
    type Err = Error;

    /// Reads `read-write`, `refresh`, `read-only` or `off`.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Invalid`](crate::ErrorKind::Invalid) when the text is anything else.
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == text).ok_or_else(|| {
            let text = text.escape_debug();
            Error::invalid(format!("mode is `{text}`, expected `read-write`, `read-only`, `refresh` or `off`"))
        })
    }
}

/// When arrays are mapped, and when they are copied into memory and returned as the same type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MapPolicy {
    /// Mapped on a local file system, copied elsewhere: there another machine could unlink the file, which would
    /// cause a bus error.
    #[default]
    Local,
    /// Copied everywhere.
    Never,
}

/// When mapped bytes are verified against the digest in their record; loaded ones are always verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VerifyPolicy {
    /// Never.
    Never,
    /// Once, if the entry was written before the machine's last boot, because of a possible power cut.
    #[default]
    Boot,
    /// At the first hit of an entry in this memory.
    First,
    /// At every hit.
    Always,
}

/// What an archive has to know of a memory's settings.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// Whether anything may be written.
    pub(crate) writes: bool,
    pub(crate) map: MapPolicy,
    pub(crate) map_network: bool,
    pub(crate) verify: VerifyPolicy,
    pub(crate) durability: Durability,
    /// Arrays of at most this many bytes stay inside the record.
    pub(crate) inline: u64,
    /// How exactly the last use of an entry is known.
    pub(crate) stamp_interval: Duration,
}

/// Whether a result may go to the tiers of its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sharing {
    #[default]
    No,
    /// Unless it is there already.
    Yes,
    /// In place of the object that is there, which isn't good.
    Replace,
}
