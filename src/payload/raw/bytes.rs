//! Bytes that several hold: in memory, in a mapped file, or somebody else's.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::map::Mapping;

/// The elements of an array, as bytes that don't change; clones share them.
///
/// A mapped file stays mapped for as long as any clone lives, whatever becomes of the memory and of the entry.
///
/// ```
/// use std::sync::Arc;
/// use ndcache::dynamic::Bytes;
///
/// let own = Bytes::from(vec![1, 2, 3]);
/// let shared = Bytes::of_owner(Arc::new([1_u8, 2, 3]));
/// assert_eq!(own[..], shared[..]);
/// ```
#[derive(Clone)]
pub struct Bytes(Repr);

#[derive(Clone)]
enum Repr {
    Owned(Arc<Vec<u8>>),
    Mapped { mapping: Mapping, offset: usize, len: usize },
    Foreign(Arc<dyn AsRef<[u8]> + Send + Sync>),
}

impl Bytes {
    /// The bytes that `owner` has: those of an object of another language, say. They must stay what they are, and where
    /// they are.
    #[must_use]
    pub fn of_owner(owner: Arc<dyn AsRef<[u8]> + Send + Sync>) -> Self {
        Self(Repr::Foreign(owner))
    }

    /// The `len` bytes of a mapped file from `offset` on; `None` where it ends before.
    pub(super) fn of_mapping(mapping: Mapping, offset: usize, len: usize) -> Option<Self> {
        let lies_within = mapping.bytes().get(offset..)?.len() >= len;
        lies_within.then_some(Self(Repr::Mapped { mapping, offset, len }))
    }

    /// Whether they are a mapped file's.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Repr::Mapped { .. })
    }

    /// The bytes for their caller alone: without a copy where they are in memory and nobody else holds them.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Repr::Owned(bytes) => Arc::unwrap_or_clone(bytes),
            other => Self(other).to_vec(),
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Owned(bytes) => bytes,
            // Checked when it was made.
            Repr::Mapped { mapping, offset, len } => mapping.bytes().get(*offset..).map_or(&[], |rest| &rest[..*len]),
            Repr::Foreign(owner) => (**owner).as_ref(),
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Repr::Owned(Arc::new(bytes)))
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.is_mapped() { "mapped" } else { "in memory" };
        write!(f, "Bytes({}, {place})", self.len())
    }
}
