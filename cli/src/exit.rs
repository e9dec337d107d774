//! How a command ends.

use std::fmt::Display;
use std::io;

use ndcache::ErrorKind;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Fine = 0,
    /// Something was found: damage, a difference, a problem, no such entry, an answer of No.
    Found = 1,
    Usage = 2,
    /// It can't be read, or there is no cache.
    Unreadable = 3,
    /// Ctrl-C.
    Interrupted = 130,
    /// `SIGTERM`.
    Terminated = 143,
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads stdout any more.
    ClosedPipe,
    /// With a message for stderr.
    WithMessage { exit: Exit, message: String },
}

pub(crate) type Outcome<T = Exit> = Result<T, Failure>;

impl Failure {
    pub(crate) fn found(message: impl Display) -> Self {
        Self::WithMessage { exit: Exit::Found, message: message.to_string() }
    }

    pub(crate) fn usage(message: impl Display) -> Self {
        Self::WithMessage { exit: Exit::Usage, message: message.to_string() }
    }

    pub(crate) fn unreadable(message: impl Display) -> Self {
        Self::WithMessage { exit: Exit::Unreadable, message: message.to_string() }
    }
}

impl From<ndcache::Error> for Failure {
    fn from(error: ndcache::Error) -> Self {
        match error.kind() {
            ErrorKind::Invalid => Self::usage(error),
            ErrorKind::Damaged | ErrorKind::Changed => Self::found(error),
            _ => Self::unreadable(error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::unreadable(error),
        }
    }
}
