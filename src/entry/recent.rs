//! A set of names that were added recently, in bounded memory.

use std::collections::HashSet;
use std::mem;

/// The set holds at least the last names of this number, and at most twice as many: some megabytes.
const MOST: usize = 32_768;

/// The names that were added last.
#[derive(Default)]
pub(crate) struct RecentNames {
    young: HashSet<String>,
    /// The names that were added before the first of the young ones.
    old: HashSet<String>,
}

impl RecentNames {
    pub(super) fn contains(&self, name: &str) -> bool {
        self.young.contains(name) || self.old.contains(name)
    }

    pub(super) fn insert(&mut self, name: &str) {
        if self.young.len() >= MOST {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(name.to_owned());
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_names_are_known_and_no_more_than_twice_as_many() {
        let mut names = RecentNames::default();
        for n in 0..5 * MOST / 2 {
            names.insert(&n.to_string());
            assert!(names.contains(&n.to_string()) && names.contains(&n.saturating_sub(MOST - 1).to_string()));
        }
        assert!(names.young.len() + names.old.len() <= 2 * MOST);
        assert!(!names.contains("0"));
        names.clear();
        assert!(!names.contains(&(5 * MOST / 2 - 1).to_string()));
    }
}
