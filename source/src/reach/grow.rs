//! The items that count: from the function on, until nothing new is found.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::header::{Implemented, ImplementingType, bounds, signature_steps};
use super::part::Unseen;
use super::step::{Node, Step};
use super::{Resolver, Steps};
use crate::index::{ItemId, ItemKind, OWN};
use crate::symbol::{Map, Set, Symbol};

/// The most items that are told apart: with more the search ends.
pub(super) const MOST: usize = 5_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Function,
    Named,
    Member,
    ImplOf,
    Bound,
    MadeBy,
    InSight,
}

/// An item that counts, the rule, and the number of the node that led to it.
pub(super) struct Grown {
    pub(super) node: Node,
    pub(super) rule: Rule,
    pub(super) by: usize,
    pub(super) steps: Rc<Steps>,
}

pub(super) struct Growth<'a> {
    pub(super) resolver: &'a Resolver<'a>,
    pub(super) grown: Vec<Grown>,
    pub(super) numbers: Map<Node, usize>,
    pub(super) roots: Vec<usize>,
    pub(super) unseen: BTreeSet<Unseen>,
    pub(super) signature: Vec<Step>,
    /// Whether code of other crates may call what their traits ask of the types that count.
    pub(super) is_lent: bool,
    /// Items that are left out together with what only they lead to.
    without: &'a Set<ItemId>,
    counted: Set<ItemId>,
    any: Map<Symbol, usize>,
    /// Questions whose answers don't grow, once they are given.
    answered: Set<Step>,
    next: usize,
}

impl<'a> Growth<'a> {
    pub(super) fn new(resolver: &'a Resolver<'a>, roots: &[ItemId], without: &'a Set<ItemId>) -> Growth<'a> {
        let mut growth = Growth {
            resolver,
            grown: Vec::new(),
            numbers: Map::default(),
            roots: Vec::new(),
            unseen: BTreeSet::new(),
            signature: Vec::new(),
            is_lent: false,
            without,
            counted: Set::default(),
            any: Map::default(),
            answered: Set::default(),
            next: 0,
        };
        for &root in roots {
            growth.root(root);
        }
        growth
    }

    /// An `impl` or a trait has its members beside it.
    fn root(&mut self, id: ItemId) {
        let resolver = self.resolver;
        let members = resolver.index.members_of(id);
        let around = resolver.index.closures.get(&id);
        for &id in std::iter::once(&id).chain(members) {
            if self.without.contains(&id) {
                continue;
            }
            self.add(id, Rule::Function, 0);
            self.roots.push(self.grown.len() - 1);
            // A closure has no signature but that of the function around it.
            let steps = signature_steps(resolver, *around.unwrap_or(&id));
            for step in &steps {
                self.answer(step, self.grown.len() - 1);
            }
            self.signature.extend(steps);
        }
    }

    /// Types that count though nothing names them.
    pub(super) fn see(&mut self, types: &[ItemId]) {
        for &id in types {
            self.add(id, Rule::InSight, 0);
            self.signature.push(Step::Item(id));
        }
    }

    /// The types that count, and the items whose bodies declare some.
    pub(super) fn types(&self) -> Vec<ItemId> {
        let mut types: Vec<ItemId> = self.grown.iter().map(|grown| grown.node.item).collect();
        types.retain(|&id| self.resolver.index.item(id).kind.is_type() || self.resolver.declares_types(id));
        types.sort_unstable();
        types.dedup();
        types
    }

    /// Whether it came to an end with no more items than are told apart.
    pub(super) fn run(&mut self) -> bool {
        while self.next < self.grown.len() {
            if self.grown.len() > MOST {
                return false;
            }
            let number = self.next;
            self.next += 1;
            self.count(number);
            let steps = Rc::clone(&self.grown[number].steps);
            for step in steps.iter().flatten() {
                self.answer(step, number);
            }
        }
        true
    }

    fn add(&mut self, id: ItemId, rule: Rule, by: usize) {
        let scope = self.resolver.index.item(id).scope;
        self.add_node(Node { item: id, scope }, rule, by);
    }

    fn add_node(&mut self, node: Node, rule: Rule, by: usize) {
        if self.without.contains(&node.item) || self.numbers.contains_key(&node) {
            return;
        }
        self.numbers.insert(node, self.grown.len());
        let steps = self.resolver.steps(node);
        self.grown.push(Grown { node, rule, by, steps });
    }

    /// An `impl` with all its members.
    fn whole(&mut self, id: ItemId, rule: Rule, by: usize) {
        if self.without.contains(&id) {
            return;
        }
        self.add(id, rule, by);
        for &member in self.resolver.index.members_of(id) {
            self.add(member, rule, by);
        }
    }

    fn answer(&mut self, step: &Step, by: usize) {
        match step {
            Step::Item(id) => self.add(*id, Rule::Named, by),
            Step::Macro(id, scope) => self.add_node(Node { item: *id, scope: *scope }, Rule::Named, by),
            Step::Unseen(unseen) => {
                self.unseen.insert(unseen.clone());
            }
            Step::Any(name) => {
                if self.any.insert(*name, by).is_none() {
                    self.add_all(&self.targets(step), Rule::Member, by);
                }
            }
            Step::Foreign(_) | Step::Blocks(_) => {}
            Step::Outside(_)
            | Step::On(..)
            | Step::Open(_)
            | Step::OpenForeign(_)
            | Step::Derived(_)
            | Step::Unknown(_) => {
                if !self.answered.contains(step) {
                    self.answered.insert(step.clone());
                    self.answer_once(step, by);
                }
            }
        }
    }

    fn answer_once(&mut self, step: &Step, by: usize) {
        match step {
            Step::Open(_) | Step::OpenForeign(_) | Step::Derived(_) => self.open(step, by),
            Step::Unknown(name) => self.unknown(*name, by),
            _ => self.add_all(&self.targets(step), Rule::Member, by),
        }
    }

    fn add_all(&mut self, ids: &[ItemId], rule: Rule, by: usize) {
        for &id in ids {
            self.add(id, rule, by);
        }
    }

    /// What a type, or a trait, brings along that counts from now on.
    fn count(&mut self, number: usize) {
        let id = self.grown[number].node.item;
        let kind = self.resolver.index.item(id).kind;
        let counts = kind.is_type() || kind == ItemKind::Trait;
        if kind == ItemKind::Trait {
            self.calls_in(id, number);
            self.markers(id, number);
        }
        if !counts || !self.counted.insert(id) {
            return;
        }
        for &block in listed(&self.resolver.naming, &id).iter().chain(&self.resolver.vague) {
            self.whole(block, Rule::ImplOf, number);
        }
        if self.is_lent && kind.is_type() {
            self.lend(id, number);
        }
        for &block in listed(&self.resolver.by_type, &id) {
            self.calls_in(block, number);
            for &member in self.resolver.index.members_of(block) {
                if let Some(&by) = self.any.get(&self.resolver.index.item(member).name) {
                    self.add(member, Rule::Member, by);
                }
            }
        }
        self.add_all(self.resolver.calls.of_type(id), Rule::MadeBy, number);
    }

    /// What code that doesn't see the type may call of it: each `impl` that names it and is of another crate's trait, though
    /// the trait's text may be at hand. Of what is sought, `impl`s of this crate's traits, too: a generic type beside it may
    /// be bound by one.
    fn lend(&mut self, id: ItemId, by: usize) {
        let resolver = self.resolver;
        let is_sought = self.grown[by].rule == Rule::Function;
        for &block in listed(&resolver.about, &id) {
            let is_lent = match resolver.headers[&block].implemented {
                Implemented::Local(implemented) => is_sought || resolver.crate_of(implemented) != OWN,
                Implemented::Foreign => true,
                Implemented::Inherent => false,
            };
            if is_lent {
                self.whole(block, Rule::ImplOf, by);
            }
        }
        for &block in &resolver.indirect {
            self.whole(block, Rule::ImplOf, by);
        }
    }

    /// For whom a trait without members is implemented may decide by itself which method is meant.
    fn markers(&mut self, id: ItemId, by: usize) {
        if !self.resolver.index.members_of(id).is_empty() {
            return;
        }
        for &block in listed(&self.resolver.by_trait, &id) {
            if self.resolver.headers[&block].implementing == ImplementingType::Open {
                self.whole(block, Rule::ImplOf, by);
            }
        }
        self.add_all(self.resolver.calls.of_trait(self.resolver.index.item(id).name), Rule::MadeBy, by);
    }

    /// Macros called inside an `impl` or a trait make members of any name.
    fn calls_in(&mut self, block: ItemId, by: usize) {
        for &member in self.resolver.index.members_of(block) {
            if self.resolver.index.item(member).kind == ItemKind::Call {
                self.add(member, Rule::MadeBy, by);
            }
        }
    }

    fn open(&mut self, step: &Step, by: usize) {
        for id in self.targets(step) {
            self.whole(id, Rule::Bound, by);
            for step in bounds(self.resolver, id) {
                self.answer(&step, by);
            }
        }
        let Step::Open(id) = step else { return };
        self.add(*id, Rule::Named, by);
        let name = self.resolver.index.item(*id).name;
        self.add_all(self.resolver.calls.of_name(name), Rule::MadeBy, by);
        for inner in self.resolver.supertraits(*id) {
            self.answer(&Step::Open(inner), by);
        }
    }

    fn unknown(&mut self, name: Symbol, by: usize) {
        for name in self.resolver.meant(name) {
            self.add_all(self.resolver.calls.of_name(name), Rule::MadeBy, by);
            for &block in listed(&self.resolver.unknown, &name) {
                self.whole(block, Rule::ImplOf, by);
            }
        }
    }

    /// The items that a step leads to, as far as they are known to count.
    pub(super) fn targets(&self, step: &Step) -> Vec<ItemId> {
        let resolver = self.resolver;
        match step {
            Step::Item(id) | Step::Macro(id, _) => vec![*id],
            Step::Any(name) => self.members(*name, |growth, member| growth.is_any(member)),
            Step::Outside(name) => self.members(*name, |growth, member| growth.is_outside(member)),
            Step::On(id, name) => self.members(*name, |growth, member| growth.is_on(*id, member)),
            Step::Open(id) => listed(&resolver.by_trait, id).to_vec(),
            Step::OpenForeign(name) => {
                let calls = resolver.calls.of_trait(*name).iter();
                calls.chain(listed(&resolver.by_foreign, name)).copied().collect()
            }
            Step::Derived(name) => crate::index::deriving(resolver.index, *name),
            Step::Unknown(name) => {
                let made = |name| resolver.calls.of_name(name).iter().chain(listed(&resolver.unknown, &name)).copied();
                resolver.meant(*name).into_iter().flat_map(made).collect()
            }
            Step::Foreign(_) | Step::Blocks(_) | Step::Unseen(_) => Vec::new(),
        }
    }

    fn members(&self, name: Symbol, counts: impl Fn(&Self, ItemId) -> bool) -> Vec<ItemId> {
        let members = self.resolver.index.members.get(&name).into_iter().flatten().copied();
        let made = self.resolver.calls.of_method(name).iter().copied();
        members.filter(|&member| counts(self, member)).chain(made).collect()
    }

    fn is_any(&self, member: ItemId) -> bool {
        match self.block(member) {
            Some((ImplementingType::Local(id), _)) => self.counted.contains(&id),
            Some((_, outside)) => outside,
            None => true,
        }
    }

    fn is_outside(&self, member: ItemId) -> bool {
        match self.block(member) {
            Some((ImplementingType::Local(_), _)) => false,
            Some((_, outside)) => outside,
            None => true,
        }
    }

    fn is_on(&self, id: ItemId, member: ItemId) -> bool {
        match self.block(member) {
            Some((ImplementingType::Local(other), _)) => other == id,
            Some((_, outside)) => outside,
            None => self.resolver.may_implement(member, id),
        }
    }

    /// The head of a member's `impl`, and whether the `impl` may be for a type that isn't this crate's without naming a
    /// type that is; `None` in a trait.
    fn block(&self, member: ItemId) -> Option<(ImplementingType, bool)> {
        let header = self.resolver.headers.get(&self.resolver.index.item(member).parent?)?;
        let foreign = header.implemented == Implemented::Foreign;
        Some((header.implementing, !foreign || header.named.is_empty()))
    }
}

pub(super) fn listed<'a, K: std::hash::Hash + Eq>(map: &'a Map<K, Vec<ItemId>>, key: &K) -> &'a [ItemId] {
    map.get(key).map_or(&[], Vec::as_slice)
}
