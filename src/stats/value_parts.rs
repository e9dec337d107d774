//! Finds the parts in which a value differs from a stored one, whose record has a digest for each part.

use std::collections::HashMap;

use crate::digest::{CUT, Leaf};

/// A part that only one of two values has, or that differs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed<'a> {
    pub(super) path: &'a str,
    pub(super) before: Option<&'a Leaf>,
    pub(super) now: Option<&'a Leaf>,
}

/// The parts in which two values differ, as far as their leaves tell; the whole value, with an empty path, if their
/// heads differ. Parts inside of a part that both values have and that differs aren't listed.
pub(super) fn changed_parts<'a>(before: &'a [Leaf], now: &'a [Leaf]) -> Vec<Changed<'a>> {
    // Where leaves are missing, nobody knows whether the other value has such a part.
    let whole = |leaves: &[Leaf]| !leaves.is_empty() && leaves.iter().all(|leaf| leaf.path != CUT);
    let whole = whole(before) && whole(now);
    let (old, new) = (by_path(before), by_path(now));
    let changed = now.iter().filter_map(|leaf| {
        let now = (*new.get(&*leaf.path)?)?;
        let before = old.get(&*leaf.path).copied();
        let differs = match before {
            Some(before) => before.is_some_and(|before| before.digest != now.digest),
            None => whole,
        };
        differs.then_some(Changed { path: &now.path, before: before.flatten(), now: Some(now) })
    });
    let gone = before.iter().filter(|leaf| whole && !new.contains_key(&*leaf.path));
    let gone = gone.map(|leaf| Changed { path: &leaf.path, before: Some(leaf), now: None });
    let all: Vec<_> = changed.chain(gone).collect();
    let replaced: Vec<&str> = all.iter().filter(|part| part.is_in_both()).map(|part| part.path).collect();
    all.into_iter().filter(|part| !replaced.iter().any(|path| is_inside(part.path, path))).collect()
}

/// The leaves by their paths; `None` for a path that several leaves have, since it doesn't tell them apart.
fn by_path(leaves: &[Leaf]) -> HashMap<&str, Option<&Leaf>> {
    let mut found = HashMap::new();
    for leaf in leaves.iter().filter(|leaf| leaf.path != CUT) {
        found.entry(&*leaf.path).and_modify(|found| *found = None).or_insert(Some(leaf));
    }
    found
}

impl Changed<'_> {
    /// Whether both values have the part.
    pub(super) fn is_in_both(&self) -> bool {
        self.before.is_some() && self.now.is_some()
    }
}

/// Whether the part at `path` belongs to the one at `outer`.
fn is_inside(path: &str, outer: &str) -> bool {
    path != outer && path.strip_prefix(outer).is_some_and(|rest| outer.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn leaves(parts: &[(&str, &str)]) -> Vec<Leaf> {
        let leaf = |&(path, text): &(&str, &str)| {
            let (path, text) = (path.to_owned(), text.to_owned());
            Leaf { path, digest: Digest::of(text.as_bytes()), text }
        };
        parts.iter().map(leaf).collect()
    }

    fn paths(before: &[(&str, &str)], now: &[(&str, &str)]) -> Vec<String> {
        changed_parts(&leaves(before), &leaves(now)).into_iter().map(|part| part.path.to_owned()).collect()
    }

    #[test]
    fn a_changed_part_is_named_and_nothing_inside_of_it() {
        let before = [("a", "1"), ("kind", "Ridge"), ("kind.alpha", "1"), ("kinds", "x")];
        assert_eq!(paths(&before, &before), [""; 0]);
        assert_eq!(paths(&before, &[("a", "2"), ("kind", "Ridge"), ("kind.alpha", "1"), ("kinds", "x")]), ["a"]);
        assert_eq!(
            paths(&before, &[("a", "1"), ("kind", "Lasso"), ("kind.alpha", "2"), ("kind.b", "1"), ("kinds", "y")]),
            ["kind", "kinds"]
        );
        assert_eq!(paths(&[("", "A"), ("x", "1")], &[("", "B"), ("y", "1")]), [""]);
    }

    #[test]
    fn a_part_that_only_one_has_is_named_unless_leaves_are_missing() {
        assert_eq!(paths(&[("a", "1"), ("b", "1")], &[("a", "1"), ("c", "1")]), ["c", "b"]);
        assert_eq!(paths(&[("a", "1"), ("b", "1")], &[("a", "2"), ("c", "1"), (CUT, "")]), ["a"]);
        assert_eq!(paths(&[("b", "1"), (CUT, "")], &[("c", "1")]), [""; 0]);
        assert_eq!(paths(&[], &[("c", "1")]), [""; 0]);
    }

    #[test]
    fn parts_of_one_path_say_nothing() {
        assert_eq!(paths(&[("a", "1"), ("a", "2")], &[("a", "3"), ("a", "2")]), [""; 0]);
        assert_eq!(paths(&[("a", "1")], &[("a", "3"), ("a", "2")]), [""; 0]);
    }
}
