//! How a tier is used.

use std::any::TypeId;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
use crate::tier::{Backend, Folder};

/// A place that machines share, and how a memory uses it: for [`MemoryBuilder::tier`](crate::MemoryBuilder::tier).
///
/// ```
/// use std::time::Duration;
/// use ndcache::Memory;
/// use ndcache::tier::{Access, Folder, Share, Tier};
/// # let (cache, team) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
///
/// let team = Tier::new(Folder::new(team.path())?).access(Access::ReadWrite).min_duration(Duration::from_millis(100));
/// let memory = Memory::builder(cache.path()).tier(team).open()?;
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a tier is used by a memory that is built with it"]
pub struct Tier {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) access: Access,
    pub(crate) share: Share,
    pub(crate) min_duration: Duration,
    pub(crate) max_bytes: u64,
    pub(crate) texts: bool,
    pub(crate) host: bool,
    pub(crate) pickles: bool,
}

/// Whether a memory writes to a tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// It only fetches results.
    #[default]
    ReadOnly,
    /// It also puts results there. All who read a tier trust those who may write to it.
    ReadWrite,
}

/// Which machines share results in one place.
///
/// The last bits of a result may depend on the processor and its libraries: a result from a tier is what the function
/// returned on the machine that computed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Share {
    /// Machines with the same target triple, such as `x86_64-unknown-linux-gnu`.
    #[default]
    Target,
    /// Machines that give the same name: of letters, digits, `-`, `_` and `.`, and neither empty nor `f`, `m`, `s`,
    /// `t` or `p`. A name that is only known at run time is made by `String::leak`.
    Named(&'static str),
    /// All machines, as with a cache folder on a file server that many machines open.
    Any,
}

/// Selects entries: those for which all of these conditions hold.
///
/// ```
/// use ndcache::tier::Filter;
///
/// let all = Filter::default();
/// let features = Filter { function: Some("app::features".to_owned()), ..Filter::default() };
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// They are results of the function with this path.
    pub function: Option<String>,
    /// They were computed at this time or later.
    pub since: Option<SystemTime>,
    /// Each has at most this many bytes in all its files.
    pub max_bytes: Option<u64>,
}

impl Tier {
    /// Makes a tier at this place: read-only, for machines with the same target triple, without limits.
    pub fn new(backend: impl Backend) -> Self {
        // Whoever may read a shared folder may as well read the cache folder: texts and hosts are no secret there.
        let is_folder = type_of(&backend) == TypeId::of::<Folder>();
        Self {
            backend: Arc::new(backend),
            access: Access::default(),
            share: Share::default(),
            min_duration: Duration::ZERO,
            max_bytes: u64::MAX,
            texts: is_folder,
            host: is_folder,
            pickles: false,
        }
    }

    /// Sets whether results are put there; the default is [`Access::ReadOnly`].
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Sets which machines share results; the default is [`Share::Target`].
    pub fn share(mut self, share: Share) -> Self {
        self.share = share;
        self
    }

    /// Puts no results there that took less time to compute; the default is 0.
    pub fn min_duration(mut self, least: Duration) -> Self {
        self.min_duration = least;
        self
    }

    /// Neither fetches nor puts results of more bytes; by default there is no limit.
    pub fn max_bytes(mut self, most: u64) -> Self {
        self.max_bytes = most;
        self
    }

    /// Sets whether the values of arguments are sent there in short, as in records of the cache folder; by default
    /// only to a [`Folder`].
    ///
    /// Names and digests of arguments are sent in any case: whoever may read them can test whether a guessed value
    /// was an argument. The names of objects contain names of functions.
    pub fn texts(mut self, texts: bool) -> Self {
        self.texts = texts;
        self
    }

    /// Sets whether results are fetched that hold an object pickled by Python, which only Python loads: whoever may
    /// write to the tier can run code in a program that loads one. By default they aren't fetched.
    pub fn pickles(mut self, pickles: bool) -> Self {
        self.pickles = pickles;
        self
    }

    /// Sets whether the names of machines are sent there; by default only to a [`Folder`].
    pub fn host(mut self, host: bool) -> Self {
        self.host = host;
        self
    }
}

fn type_of<T: 'static>(_: &T) -> TypeId {
    TypeId::of::<T>()
}

impl Tier {
    /// Returns the tiers that the environment names by `NDCACHE_REMOTE`, shared as `NDCACHE_REMOTE_SHARE` says.
    ///
    /// [`MemoryBuilder::env`](crate::MemoryBuilder::env) adds them to a memory; this function is for tools that open
    /// the folder in another way.
    ///
    /// # Errors
    ///
    /// Returns an error when a variable is invalid, or names a place that this build doesn't support.
    pub fn from_env() -> Result<Vec<Self>> {
        let text_of = |variable: &str| {
            let text = std::env::var_os(variable).map(|text| text.to_string_lossy().into_owned());
            text.filter(|text| !text.is_empty())
        };
        let share = match text_of("NDCACHE_REMOTE_SHARE") {
            Some(share) => Share::parse(&share).map_err(|error| error.at("`NDCACHE_REMOTE_SHARE`"))?,
            None => Share::default(),
        };
        let listed = text_of("NDCACHE_REMOTE").map(|tiers| Self::listed(&tiers, share));
        listed.unwrap_or(Ok(Vec::new())).map_err(|error| error.at("`NDCACHE_REMOTE`"))
    }

    /// The tiers of a list as `NDCACHE_REMOTE` has it: paths and URLs with commas between them, `rw:` or `ro:` before each.
    ///
    /// # Errors
    ///
    /// Returns an error when a place can't be used by this build.
    fn listed(text: &str, share: Share) -> Result<Vec<Self>> {
        let listed = text.split(',').map(str::trim).filter(|place| !place.is_empty());
        listed.map(|place| Self::named(place).map(|tier| tier.share(share))).collect()
    }

    fn named(text: &str) -> Result<Self> {
        let (access, place) = match (text.strip_prefix("rw:"), text.strip_prefix("ro:")) {
            (Some(place), _) => (Access::ReadWrite, place),
            (None, Some(place)) => (Access::ReadOnly, place),
            (None, None) => (Access::ReadOnly, text),
        };
        match place.split_once("://") {
            Some((scheme, _)) => Self::at_url(scheme, place).map(|tier| tier.access(access)),
            None => Ok(Self::new(Folder::new(expect_path(place)?)?).access(access)),
        }
    }

    #[cfg(feature = "remote")]
    fn at_url(_: &str, url: &str) -> Result<Self> {
        Ok(Self::new(crate::tier::ObjectStore::new(url)?))
    }

    #[cfg(not(feature = "remote"))]
    fn at_url(scheme: &str, _: &str) -> Result<Self> {
        let scheme = scheme.escape_debug();
        let what =
            format!("a tier is a URL of scheme `{scheme}`, expected a path: this build lacks the feature `remote`");
        Err(Error::unsupported(what))
    }

    /// # Errors
    ///
    /// Returns an error when its share can't be a folder beside others.
    pub(crate) fn check(&self) -> Result<()> {
        match self.share {
            Share::Named(name) => check_share(name),
            Share::Target | Share::Any => Ok(()),
        }
    }
}

impl Share {
    /// Reads a share as `NDCACHE_REMOTE_SHARE` has it: `target`, `any`, or a name.
    ///
    /// # Errors
    ///
    /// Returns an error when it is none of these.
    fn parse(text: &str) -> Result<Self> {
        match text {
            "target" => Ok(Self::Target),
            "any" => Ok(Self::Any),
            // Once in a process, for each memory that reads its environment.
            name => check_share(name).map(|()| Self::Named(name.to_owned().leak())),
        }
    }
}

/// A relative path whose first component has a `:` is a URL that is misspelt, or a mode that isn't one.
fn expect_path(place: &str) -> Result<&str> {
    let first = place.split('/').next().unwrap_or(place);
    let Some((before, _)) = first.split_once(':') else { return Ok(place) };
    // What follows may be a password.
    let before = before.escape_debug();
    Err(Error::invalid(format!(
        "a tier begins with `{before}:`, expected a path, or a URL such as `s3://bucket/folder`, with `rw:` or `ro:` before it; \
         a folder whose name has a `:` is written `./{before}:…`"
    )))
}

fn check_share(name: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_right = (1..=64).contains(&name.len()) && name.bytes().all(is_plain) && !name.starts_with('.');
    if is_right && !matches!(name, "f" | "m" | "s" | "t" | "p" | "deny") {
        return Ok(());
    }
    let name = name.escape_debug();
    let expected = "expected letters, digits, `-`, `_` and `.`, and none of the names that stand in a cache folder";
    Err(Error::invalid(format!("a tier's share is named `{name}`, {expected}")))
}

/// A tier as `NDCACHE_REMOTE` has it: a path or a URL, with `rw:` or `ro:` before it.
///
/// ```
/// use ndcache::tier::Tier;
///
/// let team: Tier = "rw:/nfs/team/cache".parse()?;
/// let misspelt = "rw:s3:/bucket".parse::<Tier>().unwrap_err();
/// assert!(misspelt.to_string().contains("`s3://bucket/folder`"), "{misspelt}");
/// # Ok::<(), ndcache::Error>(())
/// ```
impl FromStr for Tier {
    type Err = Error;

    /// # Errors
    ///
    /// Returns an error when it is neither a path nor a URL, or names a place that this build can't use.
    fn from_str(text: &str) -> Result<Self> {
        Self::named(text)
    }
}

/// Names the place and how it is used.
impl fmt::Debug for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tier({}, {:?}, {:?})", self.backend.place(), self.access, self.share)
    }
}

// A backend that panics isn't asked again.
impl std::panic::UnwindSafe for Tier {}
impl std::panic::RefUnwindSafe for Tier {}
