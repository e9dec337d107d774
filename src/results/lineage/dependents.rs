//! What was made of a result: the calls that took it as an argument, and those that took their results.

use std::collections::HashMap;

use crate::digest::Digest;
use crate::entry::info::Entry;
use crate::entry::site::Site;
use crate::error::Result;
use crate::folder::survey::{State, survey};
use crate::key::Key;
use crate::memory::Engine;
use crate::results::lineage::{Holder, held};

/// The stored calls that took a result as an argument, and those that took theirs: from
/// [`Memory::dependents_of`](crate::Memory::dependents_of).
///
/// Prints as a tree, as a [`Lineage`](crate::inspect::Lineage) does, upside down: below an entry are those that took its
/// result, each by the name of the argument.
#[derive(Clone, Debug)]
pub struct Dependents {
    /// The result's own first.
    pub(super) nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) entry: Entry,
    /// Those that took its result, by their places, each with the name of an argument.
    pub(super) takers: Vec<(usize, String)>,
}

impl Dependents {
    /// The entries, each once: the result's own first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.nodes.iter().map(|node| &node.entry)
    }

    /// Each entry with one that took its result, and the name of the argument as which it did.
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

/// The calls that took an argument, for each digest of an argument.
struct Takers {
    functions: Vec<String>,
    by_digest: HashMap<Digest, Vec<Taker>>,
}

impl Engine {
    /// Follows the result of `root` to the calls that took it, and on from there; each entry once.
    pub(crate) fn dependents(&self, root: Entry) -> Result<Dependents> {
        let takers = self.takers()?;
        let mut known = HashMap::from([(root.key(), 0)]);
        let mut found = Dependents { nodes: vec![Node { entry: root, takers: Vec::new() }] };
        let mut next = 0;
        while next < found.nodes.len() {
            let entry = found.nodes[next].entry.clone();
            let mut below = Vec::new();
            // One that has vanished by now has nothing below it.
            let digests = entry.read_anew().map(|found| held(&found.record)).unwrap_or_default();
            for taker in digests.iter().filter_map(|digest| takers.by_digest.get(digest)).flatten() {
                if taker.place.key != entry.key()
                    && let Some(node) = self.taker_node(taker, &takers.functions, &mut known, &mut found)
                    && !below.contains(&(node, taker.argument.clone()))
                {
                    below.push((node, taker.argument.clone()));
                }
            }
            found.nodes[next].takers = below;
            next += 1;
        }
        Ok(found)
    }

    fn takers(&self) -> Result<Takers> {
        type Found = Vec<(Digest, Taker)>;
        let survey = survey(&self.archive.disk, |takers: &mut Found, shard| {
            for (key, item) in shard.records() {
                let State::Entry(found) = shard.listed_state(key, item) else { continue };
                let place = Holder { created: found.record.created, function: shard.function, key };
                let arguments = found.record.arguments.iter();
                takers.extend(arguments.map(|it| (it.digest(), Taker { place, argument: it.name().to_owned() })));
            }
        })?;
        let mut by_digest: HashMap<_, Vec<Taker>> = HashMap::new();
        for (digest, taker) in survey.tallies.into_iter().flatten() {
            by_digest.entry(digest).or_default().push(taker);
        }
        for takers in by_digest.values_mut() {
            takers.sort_by(|a, b| (a.place, &a.argument).cmp(&(b.place, &b.argument)));
        }
        survey.error.map_or(Ok(Takers { functions: survey.functions, by_digest }), Err)
    }

    /// The node of a taker, made if it is new; `None` if its entry has vanished meanwhile.
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
        found.nodes.push(Node { entry, takers: Vec::new() });
        known.insert(key, found.nodes.len() - 1);
        Some(found.nodes.len() - 1)
    }
}
