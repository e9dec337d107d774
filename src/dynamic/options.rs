//! What a function that is known at run time says about its calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::call::request::CallOptions;
use crate::entry::{Entry, Mode};
use crate::payload::Compression;

/// The options of one function, in addition to the memory's; none of them is part of a key.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use ndcache::dynamic::Options;
///
/// let mut options = Options::default();
/// options.min_duration = Some(Duration::from_millis(5));
/// options.expires = Some(Arc::new(|| Duration::from_secs(3600)));
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// The mode of these calls, if it is stricter than the memory's.
    pub mode: Option<Mode>,
    /// Whether a stored result is still valid; called at each hit, in place of the memory's `validate`.
    pub validate: Option<Validate>,
    /// How long results are valid; called at each hit and each computation, in place of the memory's `expires`.
    pub expires: Option<Lifetime>,
    /// Results that took less time aren't stored.
    pub min_duration: Option<Duration>,
    /// How arrays are stored.
    pub compression: Option<Compression>,
    /// Whether the names of array files hold the function and its arguments.
    pub readable: Option<bool>,
}

/// Decides whether a stored result is still valid.
pub type Validate = Arc<dyn Fn(&Entry) -> bool + Send + Sync>;

/// Says how long a result is valid.
pub type Lifetime = Arc<dyn Fn() -> Duration + Send + Sync>;

impl CallOptions for Options {
    fn mode(&self) -> Option<Mode> {
        self.mode
    }

    fn validate(&self) -> Option<&dyn Fn(&Entry) -> bool> {
        self.validate.as_deref().map(|validate| validate as _)
    }

    fn expires(&self) -> Option<&dyn Fn() -> Duration> {
        self.expires.as_deref().map(|expires| expires as _)
    }

    fn min_duration(&self) -> Option<Duration> {
        self.min_duration
    }

    fn compression(&self) -> Option<Compression> {
        self.compression
    }

    fn readable(&self) -> Option<bool> {
        self.readable
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, validate, expires, min_duration, compression, readable } = self;
        let said = |is: bool| if is { "said" } else { "not said" };
        f.debug_struct("Options")
            .field("mode", mode)
            .field("validate", &said(validate.is_some()))
            .field("expires", &said(expires.is_some()))
            .field("min_duration", min_duration)
            .field("compression", compression)
            .field("readable", readable)
            .finish()
    }
}
