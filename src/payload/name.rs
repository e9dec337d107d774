//! The name of a result type, which is a part of every key.

use std::fmt::Write as _;

use crate::digest::{Digest, leaf};

/// Collects the name of a type that is stored.
///
/// Types of this crate, of std and of ndarray name themselves, whatever the compiler calls them (`f64[2]`,
/// `Vec<String>`); derived ones add the digest of their definition, into which the definitions of their fields' types
/// go, so that a struct whose parts changed is another type.
pub struct TypeName {
    text: String,
    /// Derived types already named, with their packages: where they occur again (they may be recursive) their name will do.
    seen: Vec<(String, [u8; 16])>,
    mapped: bool,
}

impl TypeName {
    pub(crate) fn new() -> Self {
        Self { text: String::new(), seen: Vec::new(), mapped: false }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is a [`Mapped`](crate::Mapped) somewhere in it: then a result that was just stored is loaded back,
    /// so that it is mapped on the first call as on later ones.
    pub(crate) fn has_mapped(&self) -> bool {
        self.mapped
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// `name<…>`, where each of `parts` adds one argument.
    pub(super) fn generic(&mut self, name: &str, parts: &[fn(&mut Self)]) {
        self.push(name);
        self.list('<', parts, '>');
    }

    pub(super) fn list(&mut self, open: char, parts: &[fn(&mut Self)], close: char) {
        self.text.push(open);
        for (n, part) in parts.iter().enumerate() {
            self.push(if n > 0 { ", " } else { "" });
            part(self);
        }
        self.text.push(close);
    }

    /// An array of `ndim` axes, or of any number: `f64[2]`, `mapped f64[..]`.
    pub(super) fn array(&mut self, element: &str, ndim: Option<usize>, mapped: bool) {
        self.mapped |= mapped;
        self.push(if mapped { "mapped " } else { "" });
        self.push(element);
        match ndim {
            // Writing to a string doesn't fail.
            Some(ndim) => drop(write!(self.text, "[{ndim}]")),
            None => self.push("[..]"),
        }
    }
}

/// What `#[derive(Payload)]` calls.
#[doc(hidden)]
impl TypeName {
    /// A derived type: the package that defines it, what the compiler calls it, a digest of its definition's tokens, and
    /// the types of its fields. The package is a part of the digest.
    pub fn derived(&mut self, package: &str, name: &str, definition: [u8; 16], fields: impl FnOnce(&mut Self)) {
        let start = self.text.len();
        let this = (format!("{package} {name}"), definition);
        if !self.seen.contains(&this) {
            self.seen.push(this);
            fields(self);
            let mut content = definition.to_vec();
            content.extend_from_slice(package.as_bytes());
            content.push(0);
            content.extend_from_slice(&self.text.as_bytes()[start..]);
            self.text.truncate(start);
            self.finish_derived(name, leaf(&content));
        } else {
            self.push(name);
        }
    }

    fn finish_derived(&mut self, name: &str, digest: Digest) {
        let _ = write!(self.text, "{name}#{digest}");
    }

    /// The type of one field.
    pub fn part<R, F: super::Format<R>>(&mut self, _: F) {
        F::type_name(self);
        self.text.push(';');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(build: impl FnOnce(&mut TypeName)) -> String {
        let mut name = TypeName::new();
        build(&mut name);
        name.as_str().to_owned()
    }

    #[test]
    fn a_changed_definition_of_a_part_changes_the_name_of_the_whole() {
        let outer = |inner: u8| {
            named(|name| {
                name.derived("a@1", "Outer", [0; 16], |name| name.derived("a@1", "Inner", [inner; 16], |_| {}))
            })
        };
        assert_eq!(outer(1), outer(1));
        assert_ne!(outer(1), outer(2));
        assert!(outer(1).starts_with("Outer#"));
        assert_eq!(outer(1).len(), "Outer#".len() + 32);
    }

    #[test]
    fn types_of_two_versions_of_a_package_differ_one_inside_the_other_too() {
        let of = |package: &'static str| named(|name| name.derived(package, "Same", [0; 16], |_| {}));
        assert_ne!(of("kern@0.1"), of("kern@0.2"));
        let both = |outer: &'static str, inner: &'static str| {
            named(|name| name.derived(outer, "Same", [0; 16], |name| name.derived(inner, "Same", [0; 16], |_| {})))
        };
        assert_ne!(both("kern@0.1", "kern@0.2"), both("kern@0.1", "kern@0.1"));
    }

    #[test]
    fn a_recursive_type_has_a_finite_name() {
        fn list(name: &mut TypeName) {
            name.derived("a@1", "List", [7; 16], |name| name.generic("Option", &[list]));
        }
        assert_eq!(named(list), named(list));
    }

    #[test]
    fn arrays_name_themselves() {
        let both = |name: &mut TypeName| {
            name.list('(', &[|name| name.array("f64", Some(2), false), |name| name.array("u8", None, true)], ')')
        };
        assert_eq!(named(both), "(f64[2], mapped u8[..])");
    }
}
