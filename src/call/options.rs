//! What one function says about its calls, in `#[cache(…)]`, beside what the memory says about all.

use std::time::Duration;

use crate::entry::{Entry, Mode};
use crate::payload::{Check, Compression};

/// The options of one function that are expressions, as the macro writes them down; a constant. None enters the key.
#[derive(Clone, Copy)]
pub struct Options {
    /// `mode = …`
    pub mode: Option<fn() -> Mode>,
    /// `validate = …`
    pub validate: Option<fn(&Entry) -> bool>,
    /// `expires = …`
    pub expires: Option<fn() -> Duration>,
    /// `min_duration = …`
    pub min_duration: Option<fn() -> Duration>,
    /// `compress = …`
    pub compress: Option<fn() -> Compression>,
    /// `readable = …`
    pub readable: Option<fn() -> bool>,
    /// `trust_serde`
    pub trust_serde: bool,
}

impl Options {
    /// Nothing said.
    pub const NONE: Self = Self {
        mode: None,
        validate: None,
        expires: None,
        min_duration: None,
        compress: None,
        readable: None,
        trust_serde: false,
    };

    /// What is asked of the parts of a result that only serde knows.
    pub(crate) fn check(&self) -> Check {
        if self.trust_serde { Check::Trust } else { Check::Compare }
    }
}
