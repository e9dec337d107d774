//! The arguments of a stored call, which a hit doesn't read.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::straight;
use crate::digest::Digest;

/// One argument of a stored call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) text: String,
}

impl Argument {
    /// The parameter's name; `<T>` for a type or const argument.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest of its value.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its value in at most 120 characters; of an array dtype, shape and memory order.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A list of arguments; of a record that was read, decoded for the first who asks.
#[derive(Clone, Default)]
pub(crate) struct Arguments {
    /// As `straight` has passed over them.
    bytes: Box<[u8]>,
    list: OnceLock<Vec<Argument>>,
}

impl Arguments {
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), list: OnceLock::new() }
    }
}

impl From<Vec<Argument>> for Arguments {
    fn from(list: Vec<Argument>) -> Self {
        Self { bytes: Box::default(), list: list.into() }
    }
}

impl Deref for Arguments {
    type Target = [Argument];

    fn deref(&self) -> &[Argument] {
        self.list.get_or_init(|| straight::arguments(&self.bytes).unwrap_or_default())
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl PartialEq for Arguments {
    fn eq(&self, other: &Self) -> bool {
        let same_bytes = !self.bytes.is_empty() && self.bytes == other.bytes;
        same_bytes || **self == **other
    }
}

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}
