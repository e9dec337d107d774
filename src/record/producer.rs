//! The program and the machine that stored an entry.

use std::fmt;
use std::sync::OnceLock;

use serde::{Serialize, Serializer};

use crate::threads::found_once;

/// The program and the machine that stored an entry; prints as a phrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Producer {
    /// The version of this crate.
    pub(crate) version: String,
    pub(crate) rustc: String,
    pub(crate) target: String,
    pub(crate) host: String,
    /// Boot and mount. In the session that still lasts, no power cut can have come between.
    pub(crate) session: String,
}

impl Producer {
    /// Returns the version of ndcache.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the compiler's name and version.
    #[must_use]
    pub fn rustc(&self) -> &str {
        &self.rustc
    }

    /// Returns the target triple.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the name of the machine.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// This build on this machine.
    pub(crate) fn current(session: &str) -> Self {
        static HOST: OnceLock<String> = OnceLock::new();
        let host = found_once(&HOST, || rustix::system::uname().nodename().to_string_lossy().into_owned());
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: env!("NDCACHE_RUSTC").to_owned(),
            target: env!("NDCACHE_TARGET").to_owned(),
            host: host.clone(),
            session: session.to_owned(),
        }
    }
}

impl fmt::Display for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, rustc, target, host, .. } = self;
        write!(f, "ndcache {version}, {rustc}, {target}")?;
        // What came from a tier to which no machine's name goes has none.
        if host.is_empty() { Ok(()) } else { write!(f, ", on host `{host}`") }
    }
}

/// Writes a producer that many records share in memory, and each has in its file.
pub(super) fn shared<S: Serializer>(producer: &Producer, serializer: S) -> Result<S::Ok, S::Error> {
    producer.serialize(serializer)
}
