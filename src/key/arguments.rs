//! The arguments of a call as its key sees them.

use std::ops::Deref;

use crate::digest::Digest;

/// One argument of a call as its key sees it: a parameter, a type argument `<T>` or a const argument `<N>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ArgumentDigest {
    pub(crate) name: &'static str,
    pub(crate) digest: Digest,
    /// The digest rests on the claim of a record that this process hasn't verified.
    pub(crate) claimed: bool,
    /// Nothing of its value is recorded or shown.
    pub(crate) secret: bool,
}

/// How many take no memory of their own.
const FEW: usize = 3;

/// Those of one call, in their order.
#[derive(Clone, Debug)]
pub(crate) enum ArgumentDigests {
    Few([ArgumentDigest; FEW], usize),
    Many(Vec<ArgumentDigest>),
}

impl ArgumentDigests {
    #[inline]
    pub(crate) fn new() -> Self {
        let none = ArgumentDigest { name: "", digest: Digest::from_bytes([0; 16]), claimed: false, secret: false };
        Self::Few([none; FEW], 0)
    }

    #[inline]
    pub(crate) fn push(&mut self, argument: ArgumentDigest) {
        match self {
            Self::Few(few, len) if *len < FEW => {
                few[*len] = argument;
                *len += 1;
            }
            Self::Few(few, _) => {
                let mut many = few.to_vec();
                many.push(argument);
                *self = Self::Many(many);
            }
            Self::Many(many) => many.push(argument),
        }
    }
}

impl ArgumentDigests {
    /// Marks the argument that was added last, if it has this name.
    pub(crate) fn mark_secret(&mut self, name: &str) {
        let last = match self {
            Self::Few(few, len) => few[..*len].last_mut(),
            Self::Many(many) => many.last_mut(),
        };
        if let Some(last) = last.filter(|last| last.name == name) {
            last.secret = true;
        }
    }
}

impl Deref for ArgumentDigests {
    type Target = [ArgumentDigest];

    #[inline]
    fn deref(&self) -> &[ArgumentDigest] {
        match self {
            Self::Few(few, len) => &few[..*len],
            Self::Many(many) => many,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stay_in_their_order_however_many() {
        const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        for len in 0..NAMES.len() {
            let mut arguments = ArgumentDigests::new();
            for &name in &NAMES[..len] {
                arguments.push(ArgumentDigest {
                    name,
                    digest: Digest::of(name.as_bytes()),
                    claimed: false,
                    secret: false,
                });
            }
            let names: Vec<_> = arguments.iter().map(|argument| argument.name).collect();
            assert_eq!(names, NAMES[..len]);
        }
    }
}
