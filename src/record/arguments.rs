//! An argument of a stored call, as its record describes it.

use std::fmt;

use serde::Serialize;

use crate::digest::Digest;
pub(crate) use crate::digest::Leaf;
use crate::key::{ArgumentDigest, secret_digest};

/// One argument of a stored call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Argument {
    pub(crate) name: String,
    /// The digest of its value; of a secret one another, see [`stored_digest`].
    pub(crate) digest: Digest,
    /// Empty if none is kept.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
    /// What the value is made of, as far as it is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) leaves: Vec<Leaf>,
    /// Nothing of its value is kept but a digest.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) secret: bool,
}

/// What stands for the value of a secret argument wherever its text would stand.
pub(crate) const SECRET: &str = "(secret)";

/// The digest by which a record of a memory with this salt tells of an argument: for a secret one, a digest of the
/// salt and of its own, so that somebody who doesn't know the salt can't tell a value that they guess.
pub(crate) fn stored_digest(argument: &ArgumentDigest, salt: &str) -> Digest {
    if argument.secret { secret_digest(argument.digest, salt) } else { argument.digest }
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Argument {
    /// An argument as a record of a memory with this salt tells of it, with a text unless it is empty.
    pub(crate) fn of(argument: &ArgumentDigest, text: String, leaves: Vec<Leaf>, salt: &str) -> Self {
        let ArgumentDigest { name, secret, .. } = *argument;
        let (text, leaves) = if secret { (String::new(), Vec::new()) } else { (text, leaves) };
        Self { name: name.to_owned(), digest: stored_digest(argument, salt), text, leaves, secret }
    }

    #[cfg(test)]
    pub(crate) fn new(name: &str, digest: Digest, text: &str) -> Self {
        Self { name: name.to_owned(), digest, text: text.to_owned(), leaves: Vec::new(), secret: false }
    }

    /// Returns the parameter's name; `<T>` for a type or const argument.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the digest of its value.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns a description of its value in at most 120 characters: `Params { kind: Lasso { alpha: 1.0 }, steps: [3,
    /// 10], x: f64[1797, 64] }`; for an array dtype, shape and memory order. Equal values have equal texts. It is
    /// `(secret)` for a secret argument, and empty if the memory that stored the entry records no texts.
    #[must_use]
    pub fn text(&self) -> &str {
        if self.secret { SECRET } else { &self.text }
    }
}

impl fmt::Display for Argument {
    /// `x=1.5`; the name alone where no text is kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            "" => f.write_str(&self.name),
            text => write!(f, "{}={text}", self.name),
        }
    }
}
