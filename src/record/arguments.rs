//! The arguments of a record, which a hit doesn't read.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ArgumentRecord, straight};

/// A list of arguments; of a record that was read, decoded for the first who asks.
#[derive(Clone, Default)]
pub(crate) struct Arguments {
    /// As `straight` has passed over them.
    bytes: Box<[u8]>,
    list: OnceLock<Vec<ArgumentRecord>>,
}

impl Arguments {
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), list: OnceLock::new() }
    }
}

impl From<Vec<ArgumentRecord>> for Arguments {
    fn from(list: Vec<ArgumentRecord>) -> Self {
        Self { bytes: Box::default(), list: list.into() }
    }
}

impl Deref for Arguments {
    type Target = [ArgumentRecord];

    fn deref(&self) -> &[ArgumentRecord] {
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
