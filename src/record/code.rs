//! The record of a function's code: what a code digest was made of, once for all entries of that function and code.

use serde::Serialize;

use super::sealed::{FORMAT, seal};
use crate::digest::Digest;
use crate::error::Result;
use crate::key::Part;

/// The longest record of code, in bytes: room for some thirty thousand parts.
pub(crate) const CODE_MAX: usize = 4 << 20;

/// About what a part takes, in bytes.
const PART_LEN: usize = 128;

/// What one code digest of one function was made of (docs/format.md, "Code"). No look-up reads it: only explanations do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CodeRecord {
    pub(crate) format: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) requires: Vec<String>,
    /// The function's path.
    pub(crate) function: String,
    pub(crate) code: Digest,
    pub(crate) parts: Vec<Part>,
}

impl CodeRecord {
    pub(crate) fn new(function: &str, code: Digest, parts: &[Part]) -> Self {
        Self { format: FORMAT, requires: Vec::new(), function: function.to_owned(), code, parts: parts.to_vec() }
    }

    /// # Errors
    /// Returns an error if the record takes more than [`CODE_MAX`] bytes.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        seal(self, &self.function, PART_LEN * (1 + self.parts.len()), CODE_MAX)
    }
}
