//! What can go wrong with a place that keeps objects.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// Why a [`Backend`](crate::tier::Backend) couldn't do what it was asked.
///
/// `?` turns an error of `std::io` into one: not found is [`Absent`](Self::Absent), permission denied
/// [`Denied`](Self::Denied), already exists [`Exists`](Self::Exists), timed out [`Late`](Self::Late), and any other
/// [`Other`](Self::Other).
///
/// ```
/// use ndcache::tier::Fault;
///
/// let read = || -> Result<Vec<u8>, Fault> { Ok(std::fs::read("/no such object")?) };
/// assert!(matches!(read(), Err(Fault::Absent)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// There is no such object.
    Absent,
    /// There is one already, and it stays.
    Exists,
    /// The place itself isn't there: no such folder, no such bucket.
    NoPlace,
    /// The credentials are missing, wrong, or don't permit the request.
    Denied,
    /// The place is busy, and says when to ask again, if it does.
    Busy(Option<Duration>),
    /// It didn't answer in time.
    Late,
    /// The place doesn't support the request.
    Unsupported,
    /// Anything else.
    Other(Box<dyn Error + Send + Sync>),
}

impl Fault {
    /// Makes a fault of class `other` from an error or a text.
    pub fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }

    /// Returns a short name: `absent`, `exists`, `no place`, `denied`, `busy`, `late`, `unsupported` or `other`.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Exists => "exists",
            Self::NoPlace => "no place",
            Self::Denied => "denied",
            Self::Busy(_) => "busy",
            Self::Late => "late",
            Self::Unsupported => "unsupported",
            Self::Other(_) => "other",
        }
    }

    /// Whether nobody was there to be asked.
    pub(super) fn is_unreachable(&self) -> bool {
        use std::io::ErrorKind::{
            AddrNotAvailable, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown,
            NetworkUnreachable, NotConnected, StaleNetworkFileHandle,
        };
        let Self::Other(error) = self else { return false };
        let mut cause: Option<&(dyn Error + 'static)> = Some(&**error);
        while let Some(error) = cause {
            let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            let kind =
                kind.or_else(|| error.downcast_ref::<crate::error::Error>()?.io_error().map(std::io::Error::kind));
            if kind.is_some_and(|kind| {
                matches!(
                    kind,
                    AddrNotAvailable
                        | ConnectionAborted
                        | ConnectionRefused
                        | ConnectionReset
                        | HostUnreachable
                        | NetworkDown
                        | NetworkUnreachable
                        | NotConnected
                        | StaleNetworkFileHandle
                )
            }) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there is no such object"),
            Self::Exists => f.write_str("there is such an object already"),
            Self::NoPlace => f.write_str("the place isn't there"),
            Self::Denied => f.write_str("access is denied"),
            Self::Busy(None) => f.write_str("it is too busy"),
            Self::Busy(Some(wait)) => write!(f, "it is too busy, and asks for {wait:?} of patience"),
            Self::Late => f.write_str("it didn't answer in time"),
            Self::Unsupported => f.write_str("it can't do that"),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl Error for Fault {}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Absent,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::TimedOut => Self::Late,
            _ => Self::Other(Box::new(error)),
        }
    }
}
