//! The items that a function's code reaches.

mod calls;
mod elsewhere;
mod graph;
mod grow;
mod guarded;
mod header;
mod named;
mod part;
mod position;
mod report;
mod step;

use std::cell::RefCell;
use std::rc::Rc;

use calls::MacroCalls;
use grow::{Growth, listed};
use header::{Header, Implemented, ImplementingType};
use step::{Node, Step};

use crate::digest;
use crate::error::{Error, Result};
use crate::facts::{self, Passed};
use crate::index::{CrateId, Declared, Index, ItemId, ItemKind, OWN, ScopeId, declared};
use crate::names::{PathResolver, PathTarget};
use crate::symbol::{Map, Set, Symbol};

pub use named::Named;
pub use part::{Fact, Part, Reached, Unseen, Why};
pub use position::{Copies, Position, Sought};

/// The steps of each mention.
type Steps = Vec<Vec<Step>>;

/// Follows functions through one index, and remembers what it has found on the way.
pub struct Resolver<'a> {
    index: &'a Index,
    names: PathResolver<'a>,
    headers: Map<ItemId, Header>,
    /// `impl`s by the type that they are for.
    by_type: Map<ItemId, Vec<ItemId>>,
    /// `impl`s of this crate's traits.
    by_trait: Map<ItemId, Vec<ItemId>>,
    /// `impl`s of other crates' traits, by the name of the trait.
    by_foreign: Map<Symbol, Vec<ItemId>>,
    /// `impl`s of other crates' traits, by the types and traits that their headers name.
    naming: Map<ItemId, Vec<ItemId>>,
    /// `impl`s of other crates' traits that may be for any type of this crate.
    vague: Vec<ItemId>,
    /// `impl`s of traits of crates that are followed, whose headers don't say by a path which types they are for.
    indirect: Vec<ItemId>,
    /// Every `impl` by the types and traits that its header names.
    about: Map<ItemId, Vec<ItemId>>,
    /// What `use` gives another name, by that name: the names of its path.
    renamed: Map<Symbol, Vec<Symbol>>,
    /// `impl`s by the names in their headers that nothing explains.
    unknown: Map<Symbol, Vec<ItemId>>,
    calls: MacroCalls,
    items_by_file: Vec<Vec<ItemId>>,
    steps: RefCell<Map<Node, Rc<Steps>>>,
    contents: RefCell<Map<ItemId, [u8; 16]>>,
    facts: RefCell<Map<ItemId, Vec<Fact>>>,
    passed: RefCell<Map<ItemId, Passed>>,
    traits: RefCell<Map<ScopeId, Rc<Vec<ItemId>>>>,
    paths: RefCell<Map<ItemId, String>>,
    /// The types that have methods which no text shows.
    open: RefCell<Map<ItemId, bool>>,
    /// What the bodies of items declare.
    declared: RefCell<Map<ItemId, Rc<Declared>>>,
}

impl<'a> Resolver<'a> {
    /// Reads the headers of the crate's `impl`s.
    pub fn new(index: &'a Index) -> Resolver<'a> {
        let names = PathResolver::new(index);
        let calls = MacroCalls::new(index, &names);
        let mut resolver = Resolver {
            index,
            names,
            headers: Map::default(),
            by_type: Map::default(),
            by_trait: Map::default(),
            by_foreign: Map::default(),
            naming: Map::default(),
            vague: Vec::new(),
            indirect: Vec::new(),
            renamed: crate::index::renamed(index),
            about: Map::default(),
            unknown: Map::default(),
            calls,
            items_by_file: position::items_by_file(index),
            steps: RefCell::default(),
            contents: RefCell::default(),
            facts: RefCell::default(),
            passed: RefCell::default(),
            traits: RefCell::default(),
            paths: RefCell::default(),
            open: RefCell::default(),
            declared: RefCell::default(),
        };
        for &id in &index.impls {
            let header = header::header(index, &resolver.names, id);
            resolver.list(id, &header);
            resolver.headers.insert(id, header);
        }
        resolver
    }

    fn list(&mut self, id: ItemId, header: &Header) {
        match header.implementing {
            ImplementingType::Local(owner) => self.by_type.entry(owner).or_default().push(id),
            ImplementingType::Unknown(name) => self.list_unknown(name, id),
            ImplementingType::Open => {}
        }
        match header.implemented {
            Implemented::Local(implemented) => {
                self.by_trait.entry(implemented).or_default().push(id);
                let is_indirect = header.is_vague || !header.unknown.is_empty();
                self.indirect.extend((is_indirect && self.crate_of(implemented) != OWN).then_some(id));
            }
            Implemented::Foreign => {
                for &name in &header.foreign {
                    self.by_foreign.entry(name).or_default().push(id);
                }
                self.vague.extend(header.is_vague.then_some(id));
                for &named in &header.named {
                    self.naming.entry(named).or_default().push(id);
                }
                for &name in
                    header.unknown.iter().filter(|&&name| header.implementing != ImplementingType::Unknown(name))
                {
                    self.list_unknown(name, id);
                }
            }
            Implemented::Inherent => {}
        }
        for &named in &header.named {
            self.about.entry(named).or_default().push(id);
        }
    }

    fn list_unknown(&mut self, name: Symbol, id: ItemId) {
        for name in self.meant(name) {
            self.unknown.entry(name).or_default().push(id);
        }
    }

    /// What the item at `position` reaches; `without` names items, by paths as the item would write them, that are left out
    /// together with what only they lead to.
    ///
    /// # Errors
    ///
    /// Returns an error when nothing that is sought, and no macro call that could make it, stands at the position.
    pub fn reach(&self, position: &Position, without: &[String]) -> Result<Reached> {
        let found = position::roots(self.index, &self.items_by_file, position)?;
        if position.sought == Sought::Type && !found.is_sought {
            // Which `impl`s are for a type that a macro makes no text tells.
            return Err(Error::nowhere(&position.file, position.line, &position.name));
        }
        let mut roots = found.items.clone();
        while let Some(callers) = position::callers(self.index, &roots).filter(|_| !found.is_sought) {
            roots.extend(callers);
        }
        let without = self.left_out(roots[0], without);
        let mut growth = Growth::new(self, &roots, &without);
        growth.is_lent = position.sought == Sought::Type;
        growth.signature.extend(position::blocks(self.index, &found, position));
        let reached = self.reached(&roots, &without, growth);
        Ok(Reached { copies: position::copies(self.index, roots[0], position), ..reached })
    }

    /// What `roots` reach, from which `growth` begins.
    fn reached(&self, roots: &[ItemId], without: &Set<ItemId>, mut growth: Growth<'_>) -> Reached {
        let Some(types) = self.types_in_sight(roots, without) else { return self.whole_crate(&growth) };
        growth.see(&types);
        if !growth.run() {
            return self.whole_crate(&growth);
        }
        let imports = guarded::imports(self, &growth);
        let vertices = graph::vertices(self, &growth, &imports);
        let digest = digest::refined(self.index.crates[OWN as usize].session.edition, vertices);
        let (facts, hidden) = guarded::facts(self, &imports);
        let mut unseen = growth.unseen.clone();
        unseen.extend(hidden);
        unseen.extend(self.missing_files(&growth));
        unseen.extend(report::settings(self, &growth));
        unseen.extend(report::imports(self, &growth));
        unseen.extend(report::lookups(self, &growth));
        let mut parts = report::parts(self, &growth);
        parts[0].passed.extend(facts);
        Reached { parts, unseen: unseen.into_iter().collect(), digest, whole_crate: false, copies: Copies::One }
    }

    /// The types that what a named closure captures may have: those that the item around it reaches, and the items whose
    /// bodies declare types. `None` if that reaches more items than are told apart.
    fn types_in_sight(&self, roots: &[ItemId], without: &Set<ItemId>) -> Option<Vec<ItemId>> {
        let around: Vec<ItemId> = roots.iter().filter_map(|root| self.index.closures.get(root).copied()).collect();
        if around.is_empty() {
            return Some(Vec::new());
        }
        let mut growth = Growth::new(self, &around, without);
        growth.run().then(|| growth.types())
    }

    /// The files that aren't there, of the crates to which items that count belong.
    fn missing_files(&self, growth: &Growth<'_>) -> Vec<Unseen> {
        let mut crates: Set<CrateId> = growth.grown.iter().map(|grown| self.crate_of(grown.node.item)).collect();
        crates.insert(OWN);
        let missing = self.index.missing.iter().filter(|(krate, _)| crates.contains(krate));
        missing.map(|(_, path)| Unseen::File(path.clone())).collect()
    }

    /// A name, and those for which it may stand by a `use` that leads to nothing which is written.
    fn meant(&self, name: Symbol) -> Vec<Symbol> {
        let (mut names, mut at) = (vec![name], 0);
        while at < names.len() {
            for name in self.renamed.get(&names[at]).into_iter().flatten() {
                if !names.contains(name) {
                    names.push(*name);
                }
            }
            at += 1;
        }
        names
    }

    fn crate_of(&self, id: ItemId) -> CrateId {
        self.index.crate_of(self.index.item(id))
    }

    fn whole_crate(&self, growth: &Growth<'_>) -> Reached {
        Reached {
            parts: vec![report::whole(self, growth)],
            unseen: growth.unseen.iter().cloned().chain(self.missing_files(growth)).collect(),
            digest: digest::files(self.index),
            whole_crate: true,
            copies: Copies::One,
        }
    }

    /// Items that don't count, with the `impl`s of types; of a path that goes on behind a type, that member alone.
    fn left_out(&self, root: ItemId, without: &[String]) -> Set<ItemId> {
        let scope = self.index.item(root).scope;
        let mut ids = Set::default();
        for path in without {
            let segments: Option<Vec<Symbol>> =
                path.split("::").map(|name| self.index.symbols.find_name(name.trim())).collect();
            let segments = segments.unwrap_or_default();
            for found in self.names.resolve(scope, &segments, false) {
                let PathTarget::Item(id) = found.target else { continue };
                let blocks = listed(&self.by_type, &id);
                let members = blocks.iter().flat_map(|&id| self.index.members_of(id)).copied();
                match &segments[found.length..] {
                    [] => ids.extend([id].into_iter().chain(blocks.iter().copied()).chain(members)),
                    [name] => ids.extend(members.filter(|&member| self.index.item(member).name == *name)),
                    _ => {}
                }
            }
        }
        ids
    }

    fn steps(&self, node: Node) -> Rc<Steps> {
        if let Some(known) = self.steps.borrow().get(&node) {
            return Rc::clone(known);
        }
        let steps = Rc::new(step::steps(self, node));
        self.steps.borrow_mut().insert(node, Rc::clone(&steps));
        steps
    }

    fn content(&self, id: ItemId) -> [u8; 16] {
        *self.contents.borrow_mut().entry(id).or_insert_with(|| digest::content(self.index, id))
    }

    /// The crate's traits whose methods can be called in a scope.
    fn traits_in_scope(&self, scope: ScopeId) -> Rc<Vec<ItemId>> {
        if let Some(known) = self.traits.borrow().get(&scope) {
            return Rc::clone(known);
        }
        let mut found = self.names.items_in(scope);
        found.retain(|&id| self.index.item(id).kind == ItemKind::Trait);
        let found = Rc::new(found);
        self.traits.borrow_mut().insert(scope, Rc::clone(&found));
        found
    }

    fn facts(&self, id: ItemId) -> Vec<Fact> {
        self.facts.borrow_mut().entry(id).or_insert_with(|| facts::of(self.index, id)).clone()
    }

    fn passed(&self, id: ItemId) -> Passed {
        self.passed.borrow_mut().entry(id).or_insert_with(|| facts::passed(self.index, id)).clone()
    }

    fn declared(&self, id: ItemId) -> Rc<Declared> {
        if let Some(known) = self.declared.borrow().get(&id) {
            return Rc::clone(known);
        }
        let found = Rc::new(declared(self.index, id));
        self.declared.borrow_mut().insert(id, Rc::clone(&found));
        found
    }

    /// Whether the body of an item declares types.
    fn declares_types(&self, id: ItemId) -> bool {
        let kind = self.index.item(id).kind;
        let has_body =
            matches!(kind, ItemKind::Fn | ItemKind::Const | ItemKind::Static | ItemKind::Macro | ItemKind::Included);
        has_body && self.declared(id).has_types
    }

    fn path(&self, id: ItemId) -> String {
        self.paths.borrow_mut().entry(id).or_insert_with(|| self.index.path(id)).clone()
    }

    /// Whether methods may be called on the type that another type has.
    fn derefs(&self, id: ItemId) -> bool {
        let is_deref = |block: &&ItemId| {
            let header = &self.headers[*block];
            let is_named = header.foreign.iter().any(|name| matches!(*name, Symbol::DEREF | Symbol::DEREF_MUT));
            is_named
                && (header.implementing == ImplementingType::Local(id) || header.implementing == ImplementingType::Open)
        };
        let item = self.index.item(id);
        let file = self.index.file_of(item);
        let derived =
            (item.from..item.keyword).any(|at| matches!(file.symbol(at as usize), Symbol::DEREF | Symbol::DEREF_MUT));
        derived || listed(&self.naming, &id).iter().any(|block| is_deref(&block)) || !self.calls.of_type(id).is_empty()
    }

    /// Whether a macro of another crate, by a derive or an attribute, may give the type methods of any name.
    fn is_open(&self, id: ItemId) -> bool {
        if let Some(&known) = self.open.borrow().get(&id) {
            return known;
        }
        let blocks = listed(&self.by_type, &id).iter();
        let is_open = blocks.chain([&id]).any(|&id| crate::mention::is_remade(self.index, id));
        self.open.borrow_mut().insert(id, is_open);
        is_open
    }

    /// Whether the trait that a member belongs to may be that of a type.
    fn may_implement(&self, member: ItemId, id: ItemId) -> bool {
        let Some(parent) = self.index.item(member).parent else { return true };
        let made = !self.calls.of_name(self.index.item(parent).name).is_empty()
            || crate::mention::is_remade(self.index, parent);
        made || listed(&self.by_trait, &parent).iter().any(|block| match self.headers[block].implementing {
            ImplementingType::Local(owner) => owner == id,
            ImplementingType::Open | ImplementingType::Unknown(_) => true,
        })
    }

    /// The traits of this crate in the header of a trait.
    fn supertraits(&self, id: ItemId) -> Vec<ItemId> {
        let item = self.index.item(id);
        let file = self.index.file_of(item);
        let mut found = Vec::new();
        for at in item.keyword as usize + 2..item.head_end() {
            let Some(path) = crate::mention::type_head(file, at, item.head_end()).filter(|_| file.is_ident(at)) else {
                continue;
            };
            for target in self.names.resolve(item.scope, &path, false) {
                if let PathTarget::Item(id) = target.target
                    && self.index.item(id).kind == ItemKind::Trait
                {
                    found.push(id);
                }
            }
        }
        found
    }
}
