//! Parts and imports in words.

use std::collections::BTreeSet;

use super::grow::{Growth, Rule};
use super::part::{Fact, Part, Unseen, Why};
use super::step::{Node, Step};
use super::{Resolver, guarded};
use crate::cfg;
use crate::index::{Binding, Index, ItemId, OWN, ScopeId};
use crate::names::{PathResolver, PathTarget};
use crate::prelude;
use crate::symbol::{Set, Symbol};

/// One part for each item, however many scopes it counts in.
pub(super) fn parts(resolver: &Resolver<'_>, growth: &Growth<'_>) -> Vec<Part> {
    let mut seen: Set<ItemId> = Set::default();
    let firsts = growth.grown.iter().enumerate().filter(|(_, grown)| seen.insert(grown.node.item));
    firsts.map(|(number, _)| part(resolver, growth, number)).collect()
}

pub(super) fn part(resolver: &Resolver<'_>, growth: &Growth<'_>, number: usize) -> Part {
    let index = resolver.index;
    let grown = &growth.grown[number];
    let item = index.item(grown.node.item);
    let file = index.file_of(item);
    let by = resolver.path(growth.grown[grown.by].node.item);
    Part {
        name: resolver.path(grown.node.item),
        is_elsewhere: resolver.crate_of(grown.node.item) != OWN,
        file: file.path.clone(),
        line: file.line(item.keyword as usize),
        why: why(grown.rule, by),
        digest: resolver.content(grown.node.item),
        guards: guards(index, grown.node.item)
            .into_iter()
            .filter(|guard| is_given(index, grown.node.item, guard))
            .collect(),
        facts: seen(resolver, grown.node.item, resolver.facts(grown.node.item)),
        passed: seen(resolver, grown.node.item, resolver.passed(grown.node.item).facts),
    }
}

fn guards(index: &Index, id: ItemId) -> Vec<String> {
    let guards = index.item(id).guards.iter();
    guards.map(|guard| index.words(guard.file, guard.from as usize, guard.to as usize)).collect()
}

/// Whether the crate that is compiled can look a predicate up.
fn is_given(index: &Index, id: ItemId, predicate: &str) -> bool {
    let file = index.file_of(index.item(id));
    file.krate == OWN || cfg::is_shared(predicate, index.session_of(file))
}

/// The facts of an item as they are seen from the crate that is compiled.
fn seen(resolver: &Resolver<'_>, id: ItemId, facts: Vec<Fact>) -> Vec<Fact> {
    let index = resolver.index;
    if resolver.crate_of(id) == OWN {
        return facts;
    }
    let session = index.session_of(index.file_of(index.item(id)));
    let facts = facts.into_iter().filter(|fact| match fact {
        Fact::Cfg(predicate, None) => is_given(index, id, predicate),
        _ => true,
    });
    let facts = facts.map(|fact| match fact {
        Fact::Env(name) => Fact::Variable(name.clone(), session.variable(&name)),
        fact => fact,
    });
    facts.collect()
}

/// The predicates in items of other crates whose values only their own build knows.
pub(super) fn settings(resolver: &Resolver<'_>, growth: &Growth<'_>) -> Vec<Unseen> {
    let index = resolver.index;
    let mut found = Vec::new();
    for id in growth.grown.iter().map(|grown| grown.node.item).filter(|&id| resolver.crate_of(id) != OWN) {
        let facts = resolver.facts(id).into_iter().chain(resolver.passed(id).facts);
        let undecided = facts.filter_map(|fact| match fact {
            Fact::Cfg(predicate, None) => Some(predicate),
            _ => None,
        });
        let name = &index.session_of(index.file_of(index.item(id))).crate_name;
        let hidden = undecided.chain(guards(index, id)).filter(|predicate| !is_given(index, id, predicate));
        found.extend(hidden.map(|predicate| Unseen::Setting(name.clone(), predicate)));
    }
    found
}

/// What macros look up by variables whose values aren't found.
pub(super) fn lookups(resolver: &Resolver<'_>, growth: &Growth<'_>) -> Vec<Unseen> {
    let unseen = growth.grown.iter().flat_map(|grown| resolver.passed(grown.node.item).unseen);
    unseen.map(|name| Unseen::Lookup(resolver.index.symbols.text(name).to_owned())).collect()
}

/// The function alone, with what any item of the crate takes from the build.
pub(super) fn whole(resolver: &Resolver<'_>, growth: &Growth<'_>) -> Part {
    let index = resolver.index;
    let mut facts: BTreeSet<Fact> = BTreeSet::new();
    for id in 0..index.items.len() as ItemId {
        let guards = guards(index, id).into_iter().map(|words| Fact::Cfg(words, None));
        let all = resolver.facts(id).into_iter().chain(resolver.passed(id).facts).chain(guards);
        facts.extend(seen(resolver, id, all.collect()));
    }
    facts.extend(guarded::facts(resolver, &index.guarded.iter().collect::<Vec<_>>()).0);
    Part { facts: facts.into_iter().collect(), ..part(resolver, growth, 0) }
}

fn why(rule: Rule, by: String) -> Why {
    match rule {
        Rule::Function => Why::Function,
        Rule::Named => Why::Named(by),
        Rule::Member => Why::Member(by),
        Rule::ImplOf => Why::ImplOf(by),
        Rule::Bound => Why::Bound(by),
        Rule::MadeBy => Why::MadeBy(by),
        Rule::InSight => Why::InSight(by),
    }
}

/// Imports of other crates that nothing names, in the scopes of items that call methods.
pub(super) fn imports(resolver: &Resolver<'_>, growth: &Growth<'_>) -> BTreeSet<Unseen> {
    let mut scopes: BTreeSet<ScopeId> = BTreeSet::new();
    let mut mentioned: Set<&[Symbol]> = Set::default();
    for grown in &growth.grown {
        let Node { scope, .. } = grown.node;
        for step in grown.steps.iter().flatten() {
            match step {
                Step::Any(_) | Step::On(..) | Step::Outside(_) => {
                    scopes.insert(scope);
                    scopes.insert(resolver.index.module(scope));
                }
                Step::Foreign(path) if !path.contains(&Symbol::STAR) => {
                    mentioned.insert(path);
                }
                _ => {}
            }
        }
    }
    let mut found = BTreeSet::new();
    for scope in scopes {
        for path in foreign(resolver, &resolver.names, scope) {
            let named = mentioned.iter().any(|mentioned| mentioned.starts_with(&path));
            let words: Vec<&str> = path.iter().map(|&name| resolver.index.symbols.text(name)).collect();
            if !named && !prelude::is_standard_crate(words[0]) {
                found.insert(Unseen::Import(words.join("::")));
            }
        }
    }
    found
}

/// Paths of other crates that a scope imports and that may be those of traits: names in capitals, `_` and `*`.
fn foreign(resolver: &Resolver<'_>, names: &PathResolver<'_>, scope: ScopeId) -> Vec<Vec<Symbol>> {
    let index = resolver.index;
    let inner = &index.scopes[scope as usize];
    let capital = |name: &Symbol| index.symbols.text(*name).starts_with(char::is_uppercase);
    let bound = inner.names.iter().filter(|(name, _)| capital(name)).flat_map(|(_, bindings)| bindings);
    let imports = bound.filter_map(|binding| match binding {
        Binding::Import(import) => Some((import, false)),
        _ => None,
    });
    let nameless = inner.nameless.iter().map(|import| (import, false));
    let globs = inner.globs.iter().map(|import| (import, true));
    let mut paths = Vec::new();
    for (import, glob) in imports.chain(nameless).chain(globs) {
        for found in names.resolve(scope, &import.path, import.global) {
            if let PathTarget::Foreign(mut path) = found.target {
                path.extend(glob.then_some(Symbol::STAR));
                paths.push(path);
            }
        }
    }
    paths
}
