//! What was made of a result: the calls that took it as an argument, and those that took their results.

use std::collections::{HashMap, HashSet};

use crate::entry::info::Entry;
use crate::entry::site::Site;
use crate::error::Result;
use crate::key::Key;
use crate::memory::Engine;
use crate::record::Argument;
use crate::results::lineage::{DigestIndex, Holder, held};

/// The stored calls that took a result as an argument, and those that took theirs: from
/// [`Memory::dependents_of`](crate::Memory::dependents_of).
///
/// Prints as a tree, as a [`Lineage`](crate::inspect::Lineage) does, upside down: below an entry are those that took its
/// result, each by the name of the argument.
#[derive(Clone, Debug)]
pub struct Dependents {
    /// The entries, the result's own first.
    pub(super) nodes: Vec<DependentNode>,
    /// Why something may be missing.
    pub(super) unread: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct DependentNode {
    pub(super) entry: Entry,
    /// Those that took its result, by their indices in `nodes`, each with the name of the argument.
    pub(super) takers: Vec<(usize, String)>,
}

impl Dependents {
    /// Returns the entries, each once, the result's own first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.nodes.iter().map(|node| &node.entry)
    }

    /// Returns why a folder of the cache couldn't be listed (the first one, if there are several): entries in it may
    /// be missing here.
    #[must_use]
    pub fn unread(&self) -> Option<&str> {
        self.unread.as_deref()
    }

    /// Returns each entry with each one that took its result, and the name of the argument.
    pub fn links(&self) -> impl Iterator<Item = (&Entry, &Entry, &str)> {
        self.nodes.iter().flat_map(move |node| {
            node.takers.iter().map(move |(taker, argument)| (&node.entry, &self.nodes[*taker].entry, argument.as_str()))
        })
    }
}

/// A call that took something, and as which argument.
struct Taker {
    place: Holder,
    argument: String,
}

impl Engine {
    /// Follows the result of `root` to the calls that took it, and on from there; each entry once.
    pub(crate) fn dependents(&self, root: Entry) -> Result<Dependents> {
        let takers = self.takers()?;
        let mut known = HashMap::from([(root.key(), 0)]);
        let mut found = Dependents { nodes: vec![DependentNode { entry: root, takers: Vec::new() }], unread: None };
        let mut next = 0;
        while next < found.nodes.len() {
            let entry = found.nodes[next].entry.clone();
            let (mut below, mut listed) = (Vec::new(), HashSet::new());
            // One that has vanished by now, or can't be read, has nothing below it.
            let digests = entry.read_anew().map(|found| held(&found.record)).unwrap_or_default();
            // A function that returns its argument unchanged holds it, too, and didn't take it from itself.
            for taker in digests.iter().filter_map(|digest| takers.by_digest.get(digest)).flatten() {
                if taker.place.key != entry.key()
                    && let Some(node) = self.taker_node(taker, &takers.functions, &mut known, &mut found)
                    && listed.insert((node, taker.argument.as_str()))
                {
                    below.push((node, taker.argument.clone()));
                }
            }
            found.nodes[next].takers = below;
            next += 1;
        }
        found.unread = takers.unread;
        Ok(found)
    }

    /// For each digest of an argument, the calls that took it.
    fn takers(&self) -> Result<DigestIndex<Taker>> {
        let mut index = self.index(|record, place, takers| {
            let taker = |it: &Argument| (it.digest(), Taker { place, argument: it.name().to_owned() });
            takers.extend(record.arguments.iter().map(taker));
        })?;
        for takers in index.by_digest.values_mut() {
            takers.sort_by(|a, b| (a.place, &a.argument).cmp(&(b.place, &b.argument)));
        }
        Ok(index)
    }

    /// The node of a taker, made if it is new; `None` if its entry has vanished meanwhile, or can't be read any more.
    fn taker_node(
        &self,
        taker: &Taker,
        functions: &[String],
        known: &mut HashMap<Key, usize>,
        found: &mut Dependents,
    ) -> Option<usize> {
        let key = taker.place.key;
        if let Some(&node) = known.get(&key) {
            return Some(node);
        }
        let site = Site::new(functions[taker.place.function].clone(), key);
        let entry = self.entry(&site.record()).ok().flatten()?;
        found.nodes.push(DependentNode { entry, takers: Vec::new() });
        known.insert(key, found.nodes.len() - 1);
        Some(found.nodes.len() - 1)
    }
}
