//! The names of types, without what doesn't tell two types apart.

use std::borrow::Cow;

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
