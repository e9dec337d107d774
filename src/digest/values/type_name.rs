//! The names of types, without what doesn't tell two types apart, and what does where names don't.

use std::any::TypeId;
use std::borrow::Cow;
use std::hash::{Hash as _, Hasher};

/// A number of the type that no other type of this build has; in another build the type may have another number.
///
/// Lifetimes are erased: `Frame<'a>` and `Frame<'static>` are one type to a key.
#[inline]
pub(crate) fn type_number<T: ?Sized>() -> u64 {
    number_of(typeid::of::<T>())
}

/// The number of the type that has this id.
#[inline]
pub(crate) fn number_of(id: TypeId) -> u64 {
    let mut word = Word(0);
    id.hash(&mut word);
    word.0
}

/// Takes the bits that a `TypeId` hashes as they are: they are a hash already.
struct Word(u64);

impl Hasher for Word {
    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.0 = self.0.rotate_left(32) ^ word;
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(ODD);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Types one after another, in a number that depends on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TypeSequence(u64);

/// The fraction of the golden ratio.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

impl TypeSequence {
    /// Appends the type with this number.
    #[inline]
    pub(crate) fn push(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(ODD);
    }

    /// Adds a part with this digest, whatever its place among the parts; most parts have no types.
    pub(crate) fn add_part(&mut self, part: Self, digest: u64) {
        if part != Self::default() {
            self.0 = self.0.wrapping_add((part.0 ^ digest).wrapping_mul(ODD));
        }
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// Why items of this name may be several, if they may: closures have no names of their own, and neither have the
/// constants `_`, in which macros like to put their items.
pub(crate) fn ambiguity(name: &str) -> Option<&'static str> {
    if name.contains("{{closure}}") {
        Some("inside a closure, where names are not unique")
    } else if name.contains("::_::") {
        Some("inside a constant `_`, where names are not unique")
    } else if name.contains("{{") {
        Some("inside the expression of a constant, where names are not unique")
    } else {
        None
    }
}

/// `Frame<'_, f64>` and `Frame<f64>` are one type to a key; which of them `type_name` prints is up to the compiler.
pub(crate) fn strip_lifetimes(name: &str) -> Cow<'_, str> {
    if !name.contains('\'') {
        return Cow::Borrowed(name);
    }
    let mut stripped = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('\'') {
        stripped.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = quoted_length(rest);
        if rest[1..length].ends_with('\'') {
            stripped.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            rest = rest[length..].strip_prefix(", ").unwrap_or_else(|| rest[length..].trim_start());
        }
    }
    stripped.push_str(rest);
    Cow::Owned(stripped.replace(", >", ">").replace("<>", ""))
}

/// The length of the lifetime, or of the `char` of a const argument, that `text` begins with.
fn quoted_length(text: &str) -> usize {
    let mut after = text[1..].char_indices();
    let escaped = after.next().is_some_and(|(_, c)| c == '\\');
    if escaped {
        return text[3..].find('\'').map_or(text.len(), |end| 3 + end + 1);
    }
    match after.next() {
        Some((at, '\'')) => 1 + at + 1,
        _ => text[1..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(text.len(), |end| 1 + end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_one_name_have_numbers_of_their_own() {
        fn one() -> (&'static str, u64) {
            struct Same;
            (std::any::type_name::<Same>(), type_number::<Same>())
        }
        let (first, second) = (
            {
                struct Same;
                type_number::<Same>()
            },
            {
                struct Same;
                type_number::<Same>()
            },
        );
        assert_ne!(first, second);
        assert_eq!(one(), one());
        fn of<'a, T: ?Sized>(_: &'a T) -> u64 {
            type_number::<(&'a T, std::marker::PhantomData<&'a ()>)>()
        }
        assert_eq!(of("x"), type_number::<(&'static str, std::marker::PhantomData<&'static ()>)>());
        assert_ne!(of("x"), of(&1));
    }

    #[test]
    fn items_without_a_name_of_their_own_are_found() {
        fn name_of<F>(_: &F) -> &'static str {
            std::any::type_name::<F>()
        }
        assert!(ambiguity(name_of(&|| {})).is_some());
        assert!(ambiguity(name_of(&f64::max)).is_none());
        assert!(ambiguity("a::_::f").is_some());
        assert!(ambiguity("a::_f::_g").is_none());
    }

    #[test]
    fn a_sequence_depends_on_the_order_of_what_has_one() {
        let of = |numbers: &[u64]| {
            let mut sequence = TypeSequence::default();
            numbers.iter().for_each(|&number| sequence.push(number));
            sequence
        };
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[1]), of(&[]));
        let parts = |parts: &[(u64, u64)]| {
            let mut sequence = of(&[7]);
            parts.iter().for_each(|&(number, digest)| sequence.add_part(of(&[number]), digest));
            sequence
        };
        assert_eq!(parts(&[(1, 10), (2, 20)]), parts(&[(2, 20), (1, 10)]));
        assert_ne!(parts(&[(1, 10), (2, 20)]), parts(&[(1, 20), (2, 10)]));
    }

    #[test]
    fn lifetimes_leave_a_name() {
        for (name, expected) in [
            ("a::Frame<'_, f64>", "a::Frame<f64>"),
            ("a::Frame<'_>", "a::Frame"),
            ("a::Frame<f64>", "a::Frame<f64>"),
            ("a::Two<'a, 'b>::m", "a::Two::m"),
            ("&'a str", "&str"),
            ("a::Letter<'a'>", "a::Letter<'a'>"),
            ("a::Letter<'\\''>", "a::Letter<'\\''>"),
            ("a::Letter<'_, '\\u{301}'>", "a::Letter<'\\u{301}'>"),
        ] {
            assert_eq!(strip_lifetimes(name), expected);
        }
    }
}
