//! The types that a call is of, where their names don't tell: another package's version, a block beside this one.

use serde::{Deserialize, Serialize};

use super::Function;
use crate::digest::Digest;
use crate::error::Error;

/// The types of a call, in numbers that mean something within one build only.
///
/// The place of a named closure in the text, or 0; the function's own types; those of type arguments, of arguments that
/// serde describes, of what stands behind a `dyn`, and of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Types([u64; 3]);

impl Types {
    /// The types of a call of `function`; `others` are those that aren't the function's own.
    pub(crate) fn new(function: &Function, others: u64) -> Self {
        let [place, own] = function.type_numbers();
        Self([place, own, others])
    }

    pub(crate) const fn from_numbers(numbers: [u64; 3]) -> Self {
        Self(numbers)
    }

    /// Whether what was stored for a call of `stored`, by this build, may be that of these: in another build types have
    /// other numbers, and where it isn't said nothing is known.
    pub(crate) fn suit(self, function: &Function, stored: Option<Self>, build: Option<Digest>) -> bool {
        stored.is_none_or(|stored| self.agree(stored)) || build.is_none() || build != function.build()
    }

    /// The error of a call whose key is that of other types.
    pub(crate) fn disagreement(function: &str) -> Error {
        Error::unsupported(format!(
            "what is stored for this call of function `{function}` is of other types with the same names; derive \
             `ndcache::ContentHash` or `ndcache::Payload` where that of an argument or of the result is defined; where a type \
             argument or `Self` differs, give each function its `name = \"…\"`, or count by `code = \"build\"`"
        ))
    }

    /// Whether these are the same. A named closure may be written in two places of one function, whose closures have
    /// types of their own; only in one place do these say that what stands around it is of other types.
    fn agree(self, with: Self) -> bool {
        let ([place, own, others], [its_place, its_own, its_others]) = (self.0, with.0);
        others == its_others && (place != its_place || own == its_own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_agree_if_all_do_that_can_be_compared() {
        let one = Types([0, 1, 2]);
        assert!(one.agree(one));
        assert!(!one.agree(Types([0, 1, 3])));
        assert!(!one.agree(Types([0, 2, 2])));
        let closure = Types([5, 1, 2]);
        assert!(!closure.agree(Types([5, 2, 2])), "of one place");
        assert!(closure.agree(Types([6, 2, 2])), "of two places");
        assert!(!closure.agree(Types([6, 2, 3])));
    }
}
