//! Imports that may not be compiled: they decide what a name stands for, and no item's tokens hold their predicates.

use super::Resolver;
use super::grow::Growth;
use super::part::{Fact, Unseen};
use super::step::Step;
use crate::cfg;
use crate::index::{CfgGuard, CrateId, Guarded, OWN, ScopeId};
use crate::names::PathTarget;
use crate::symbol::{Set, Symbol};

/// The imports under guards that may lead to what counts.
pub(super) fn imports<'a>(resolver: &Resolver<'a>, growth: &Growth<'_>) -> Vec<&'a Guarded> {
    let index = resolver.index;
    if index.guarded.is_empty() {
        return Vec::new();
    }
    let counted = ReachedCode::new(resolver, growth);
    index.guarded.iter().filter(|guarded| counted.holds(guarded)).collect()
}

/// The items, modules, crates, and paths of other crates that were reached: an import may bring names to these.
struct ReachedCode<'a> {
    resolver: &'a Resolver<'a>,
    items: Set<u32>,
    modules: Set<ScopeId>,
    crates: Set<CrateId>,
    foreign: Set<&'a [Symbol]>,
}

impl<'a> ReachedCode<'a> {
    fn new(resolver: &'a Resolver<'_>, growth: &'a Growth<'_>) -> ReachedCode<'a> {
        let nodes = growth.grown.iter().map(|grown| grown.node);
        let steps = growth.grown.iter().flat_map(|grown| grown.steps.iter().flatten());
        let foreign = steps.filter_map(|step| match step {
            Step::Foreign(path) => Some(path.as_slice()),
            _ => None,
        });
        ReachedCode {
            resolver,
            items: nodes.clone().map(|node| node.item).collect(),
            modules: nodes.clone().map(|node| resolver.index.module(node.scope)).collect(),
            crates: nodes.map(|node| resolver.crate_of(node.item)).collect(),
            foreign: foreign.collect(),
        }
    }

    fn holds(&self, guarded: &Guarded) -> bool {
        let targets = self.resolver.names.imported(guarded.scope, &guarded.import);
        if targets.is_empty() {
            return self.is_in_a_crate(guarded);
        }
        targets.iter().any(|target| match target {
            PathTarget::Item(id) => self.items.contains(id),
            // Whatever it imports in turn may be meant.
            PathTarget::Module(_) => self.is_in_a_crate(guarded),
            PathTarget::Foreign(path) => self.is_named(path) || self.brings_methods(guarded),
        })
    }

    fn is_in_a_crate(&self, guarded: &Guarded) -> bool {
        self.crates.contains(&self.resolver.index.scopes[guarded.scope as usize].krate)
    }

    fn is_named(&self, path: &[Symbol]) -> bool {
        self.foreign.iter().any(|named| named.starts_with(path))
    }

    /// Whether it may import a trait where items that count stand.
    fn brings_methods(&self, guarded: &Guarded) -> bool {
        let text = |name| self.resolver.index.symbols.text(name);
        let may_be_trait = guarded.name.is_none_or(|name| text(name).starts_with(|first: char| !first.is_lowercase()));
        may_be_trait && self.modules.contains(&guarded.scope)
    }
}

/// An import in words for the digest: its path and name, then its guards.
pub(super) fn words(resolver: &Resolver<'_>, guarded: &Guarded) -> Vec<String> {
    let (index, import) = (resolver.index, &guarded.import);
    let path = import.path.iter().map(|&name| index.symbols.text(name)).collect::<Vec<_>>().join("::");
    let name = index.symbols.text(guarded.name.unwrap_or(Symbol::STAR)).to_owned();
    [path, name].into_iter().chain(guarded.guards.iter().map(|guard| predicate(resolver, guard))).collect()
}

fn predicate(resolver: &Resolver<'_>, guard: &CfgGuard) -> String {
    resolver.index.words(guard.file, guard.from as usize, guard.to as usize)
}

/// The predicates of these imports, each once, as far as the crate that is compiled can look them up; and the others.
pub(super) fn facts(resolver: &Resolver<'_>, imports: &[&Guarded]) -> (Vec<Fact>, Vec<Unseen>) {
    let (mut facts, mut unseen) = (Vec::new(), Vec::new());
    for guard in imports.iter().flat_map(|guarded| &guarded.guards) {
        let file = &resolver.index.files[guard.file as usize];
        let (session, predicate) = (resolver.index.session_of(file), predicate(resolver, guard));
        if file.krate == OWN || cfg::is_shared(&predicate, session) {
            facts.push(Fact::Cfg(predicate, None));
        } else {
            unseen.push(Unseen::Setting(session.crate_name.clone(), predicate));
        }
    }
    facts.sort();
    facts.dedup();
    (facts, unseen)
}
