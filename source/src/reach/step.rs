//! What each mention of an item leads to: items at once, or questions whose answers grow with the items that count.

use super::header::{ImplementingType, foreign_names, listed, opens, parameters, type_of_alias};
use super::part::Unseen;
use super::{Resolver, elsewhere};
use crate::index::{ItemId, ItemKind, ScopeId};
use crate::mention::{Mention, Path, Receiver, mentions};
use crate::names::{FoundTarget, PathTarget};
use crate::prelude;
use crate::symbol::{Set, Symbol};

/// What a mention leads to: an item, or a question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Item(ItemId),
    /// A macro, whose paths may be those of the scope where it is called.
    Macro(ItemId, ScopeId),
    /// The path of another crate: it enters the digest, and is followed no further.
    Foreign(Vec<Symbol>),
    /// Members of this name, of each type that counts, and of traits for what isn't this crate's.
    Any(Symbol),
    /// Members of this name that this crate's traits give to what isn't this crate's.
    Outside(Symbol),
    /// A member of one type: its own, or one that a trait gives to everything.
    On(ItemId, Symbol),
    /// Each `impl` of a trait of this crate.
    Open(ItemId),
    /// Each `impl` of a trait of another crate, by its name, and what macros may implement it for.
    OpenForeign(Symbol),
    /// Each type that derives a trait, by its name.
    Derived(Symbol),
    /// A name that nothing explains: a macro may make it.
    Unknown(Symbol),
    /// The digest of what the blocks around an item declare: it enters the digest, and leads to nothing.
    Blocks([u8; 16]),
    Unseen(Unseen),
}

/// An item, and the scope in which its paths are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) item: ItemId,
    pub(super) scope: ScopeId,
}

/// The steps of each mention of a node, in their order.
pub(super) fn steps(resolver: &Resolver<'_>, node: Node) -> Vec<Vec<Step>> {
    let mut walk = Walk::new(resolver, node);
    for mention in mentions(resolver.index, node.item) {
        walk.mention(&mention);
        walk.cut();
    }
    walk.item();
    walk.cut();
    walk.each
}

pub(super) struct Walk<'a> {
    pub(super) resolver: &'a Resolver<'a>,
    pub(super) node: Node,
    /// The item that `Self` belongs to: an `impl`, a trait, or a type itself.
    owner: Option<ItemId>,
    pub(super) parameters: Set<Symbol>,
    /// Types that the item's body declares, which are no items.
    declared: Set<Symbol>,
    /// The items in whose bodies it stands.
    pub(super) around: Vec<ItemId>,
    /// The parameters of a closure, which hide what bodies around it declare.
    pub(super) hidden: Set<Symbol>,
    /// Whether the types behind the traits that the item names may come from anywhere.
    opens: bool,
    /// The steps of each mention, in an order that counts; `steps` are those of the mention that is walked through.
    each: Vec<Vec<Step>>,
    pub(super) steps: Vec<Step>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(resolver: &'a Resolver<'a>, node: Node) -> Walk<'a> {
        let (index, item) = (resolver.index, resolver.index.item(node.item));
        let file = index.file_of(item);
        let blocks = matches!(item.kind, ItemKind::Impl | ItemKind::Trait) || item.kind.is_type();
        let owner = if blocks { Some(node.item) } else { item.parent };
        let headed = resolver.index.closures.get(&node.item).map_or(item, |&around| index.item(around));
        let (mut found, mut declared) = (parameters(file, headed), Set::default());
        if let Some(parent) = item.parent {
            found.extend(parameters(file, index.item(parent)));
        }
        for at in item.keyword as usize + 1..item.to as usize {
            match file.symbol(at) {
                Symbol::FN => found.extend(listed(file, at + 2, item.to as usize)),
                Symbol::STRUCT | Symbol::ENUM | Symbol::UNION | Symbol::TYPE => declared.extend(file.name(at + 1)),
                _ => {}
            }
        }
        let (around, hidden) = (elsewhere::around(index, node.item), elsewhere::hidden(file, item));
        let (each, steps, opens) = (Vec::new(), Vec::new(), opens(index, node.item));
        Walk { resolver, node, owner, parameters: found, declared, around, hidden, opens, each, steps }
    }

    /// Ends what one mention leads to.
    fn cut(&mut self) {
        self.each.push(std::mem::take(&mut self.steps));
    }

    pub(super) fn push(&mut self, step: Step) {
        if !self.steps.contains(&step) {
            self.steps.push(step);
        }
    }

    pub(super) fn text(&self, symbol: Symbol) -> &str {
        self.resolver.index.symbols.text(symbol)
    }

    fn kind(&self, id: ItemId) -> ItemKind {
        self.resolver.index.item(id).kind
    }

    /// What an item leads to without a mention.
    fn item(&mut self) {
        let item = self.resolver.index.item(self.node.item);
        self.steps.extend(item.parent.map(Step::Item));
        self.made_by();
        if item.kind == ItemKind::Closure {
            let blocks = self
                .around
                .first()
                .and_then(|&around| elsewhere::blocks(self.resolver.index, around, (item.from, item.to)));
            self.steps.extend(blocks);
        }
        let foreign = item.parent.is_some_and(|parent| self.kind(parent) == ItemKind::ExternBlock);
        if foreign {
            let name = self.text(item.name).to_owned();
            self.push(Step::Unseen(Unseen::Extern(name)));
        }
    }

    /// The macro calls that make the item, or a module around it, and the files that its own calls include.
    fn made_by(&mut self) {
        let index = self.resolver.index;
        self.steps.extend(index.made.get(&self.node.item).map(|&call| Step::Item(call)));
        self.steps.extend(index.included_in.get(&self.node.item).into_iter().flatten().map(|&id| Step::Item(id)));
        let mut at = Some(self.node.scope);
        while let Some(scope) = at {
            let scope = &index.scopes[scope as usize];
            self.steps.extend(scope.made_by.map(Step::Item));
            at = scope.parent;
        }
    }

    fn mention(&mut self, mention: &Mention) {
        match mention {
            Mention::Path { path, local } => self.path(path, *local),
            Mention::Method { name, receiver } => {
                self.method(*name, receiver);
                self.traits(*name);
            }
            Mention::Qualified(name) => self.push(Step::Any(*name)),
            Mention::Macro(path) => self.called(path),
            Mention::Dyn(path) => self.dynamic(path),
            Mention::AnythingIn(path) => self.anything(path),
            Mention::Text(path) => self.attribute_text(path),
            Mention::Attribute(path) => self.attribute(path),
            Mention::Include(at) => {
                let file = self.resolver.index.item(self.node.item).file;
                let included = self.resolver.index.included.get(&(file, *at)).copied();
                self.steps.extend(included.map(Step::Item));
            }
            Mention::Pasted => {
                let name = self.resolver.index.path(self.node.item);
                self.push(Step::Unseen(Unseen::Pasted(name)));
            }
        }
        if self.opens {
            self.open_bounds(mention);
        }
        self.declared_around(mention);
    }

    fn open_bounds(&mut self, mention: &Mention) {
        if let Mention::Path { path, .. } = mention {
            self.open(path);
        }
    }

    /// Each `impl` of what the path names, if that is a trait.
    pub(super) fn open(&mut self, path: &Path) {
        let found = self.resolve(path);
        let local = found.iter().any(|found| matches!(found.target, PathTarget::Item(_)));
        for found in &found {
            if let PathTarget::Item(id) = found.target
                && self.kind(id) == ItemKind::Trait
            {
                self.push(Step::Open(id));
            }
        }
        if !local || found.iter().any(|found| matches!(found.target, PathTarget::Foreign(_))) {
            for name in foreign_names(&path.segments, &found) {
                self.push(Step::OpenForeign(name));
            }
        }
    }

    pub(super) fn resolve(&self, path: &Path) -> Vec<FoundTarget> {
        let names = &self.resolver.names;
        let mut found = names.resolve(self.node.scope, &path.segments, path.global);
        let item = self.resolver.index.item(self.node.item);
        if matches!(item.kind, ItemKind::Call | ItemKind::Macro) {
            // In a module that the macro makes, `super` is where it is called.
            for shorter in crate::index::nearer(&path.segments) {
                let cut = path.segments.len() - shorter.len();
                let found_there = names.resolve(self.node.scope, &shorter, path.global);
                found.extend(found_there.into_iter().map(|found| FoundTarget { length: found.length + cut, ..found }));
            }
        }
        let root = self.resolver.index.root_of(item.scope);
        if path.segments.first() == Some(&Symbol::CRATE) && root != self.resolver.index.root_of(self.node.scope) {
            // `$crate` is the macro's own.
            found.extend(names.resolve(item.scope, &path.segments, path.global));
        }
        if item.scope != self.node.scope {
            // A macro's own imports are resolved where it is called, too.
            for (spelled, global) in self.resolver.index.imported(item.scope, &path.segments) {
                for mut longer in names.resolve(self.node.scope, &spelled, global) {
                    // What is left over belongs to the path as it is written.
                    let rest = spelled.len() - longer.length;
                    if rest < path.segments.len() {
                        longer.length = path.segments.len() - rest;
                        found.push(longer);
                    }
                }
            }
        }
        found
    }

    fn path(&mut self, path: &Path, local: bool) {
        let (first, rest) = (path.segments[0], &path.segments[1..]);
        if first == Symbol::SELF_TYPE {
            return self.self_path(rest);
        }
        if self.parameters.contains(&first) || self.declared.contains(&first) {
            self.any(rest);
        }
        let found = self.resolve(path);
        if local && found.iter().all(|found| self.is_function(&found.target)) {
            return;
        }
        for found in &found {
            self.found(found, path);
        }
        self.visibilities(&found);
        if !found.is_empty() && !local && !self.resolver.names.lost_paths(self.node.scope, first).is_empty() {
            self.made(self.node.scope, first);
        }
        if found.is_empty() && !self.parameters.contains(&first) {
            self.unresolved(path, local);
        }
    }

    /// Notes visibilities: among items in several modules they decide which are imported by a `*`, and so which is meant.
    fn visibilities(&mut self, found: &[FoundTarget]) {
        let index = self.resolver.index;
        let items = found.iter().filter_map(|found| match found.target {
            PathTarget::Item(id) => Some(index.item(id)),
            _ => None,
        });
        let mut modules: Vec<ScopeId> = items.clone().map(|item| index.module(index.around(item.scope))).collect();
        modules.dedup();
        if modules.len() < 2 {
            return;
        }
        let mut words = vec![Symbol::STAR];
        for item in items {
            let file = index.file_of(item);
            let public = (item.from..item.keyword).map(|at| at as usize).find(|&at| file.symbol(at) == Symbol::PUB);
            let end = public.map_or(0, |at| crate::index::after_visibility(file, at));
            words.extend(public.into_iter().flat_map(|at| at..end).map(|at| file.symbol(at)));
            words.push(Symbol::COMMA);
        }
        self.push(Step::Foreign(words));
    }

    fn is_function(&self, target: &PathTarget) -> bool {
        matches!(target, PathTarget::Item(id) if self.kind(*id) == ItemKind::Fn)
    }

    pub(super) fn any(&mut self, names: &[Symbol]) {
        for &name in names {
            self.push(Step::Any(name));
        }
    }

    fn found(&mut self, found: &FoundTarget, path: &Path) {
        let rest = &path.segments[found.length..];
        match &found.target {
            PathTarget::Item(id) => {
                self.push(Step::Item(*id));
                self.members(*id, rest);
            }
            PathTarget::Module(module) => {
                if let Some((&name, rest)) = rest.split_first() {
                    self.unknown_in(*module, name);
                    self.any(rest);
                }
            }
            PathTarget::Foreign(whole) => self.foreign(whole, path.segments.len()),
        }
    }

    /// `Type::name`, `Trait::name`, `Alias::name`.
    fn members(&mut self, id: ItemId, rest: &[Symbol]) {
        let Some((&name, further)) = rest.split_first() else { return };
        self.any(further);
        match self.kind(id) {
            kind if kind.is_type() => self.push(self.member_of(id, name)),
            ItemKind::Alias => match type_of_alias(self.resolver.index, &self.resolver.names, id) {
                ImplementingType::Local(id) => self.push(self.member_of(id, name)),
                ImplementingType::Open | ImplementingType::Unknown(_) => self.push(Step::Any(name)),
            },
            _ => self.push(Step::Any(name)),
        }
    }

    fn self_path(&mut self, rest: &[Symbol]) {
        let Some(owner) = self.owner else { return self.any(rest) };
        match self.self_type(owner) {
            Some(id) => {
                self.push(Step::Item(id));
                self.members(id, rest);
            }
            None => self.any(rest),
        }
    }

    /// The type that `Self` is in an `impl` or a definition; none in a trait, where it may be any.
    fn self_type(&self, owner: ItemId) -> Option<ItemId> {
        match self.kind(owner) {
            ItemKind::Impl => match self.resolver.headers.get(&owner)?.implementing {
                ImplementingType::Local(id) => Some(id),
                ImplementingType::Open | ImplementingType::Unknown(_) => None,
            },
            kind if kind.is_type() => Some(owner),
            _ => None,
        }
    }

    /// Follows the traits in scope: of several that have the method one of these is meant, so that another import
    /// changes what is called.
    fn traits(&mut self, name: Symbol) {
        for &id in self.resolver.traits_in_scope(self.node.scope).iter() {
            let members = self.resolver.index.members_of(id);
            if members.iter().any(|&member| self.resolver.index.item(member).name == name) {
                self.push(Step::Item(id));
            }
        }
    }

    fn method(&mut self, name: Symbol, receiver: &Receiver) {
        let step = match receiver {
            Receiver::Any => Step::Any(name),
            Receiver::SelfType => match self.owner.and_then(|owner| self.self_type(owner)) {
                Some(id) => self.on(id, name),
                None => Step::Any(name),
            },
            Receiver::Written(path) if path[0] == Symbol::SELF_TYPE && path.len() == 1 => {
                return self.method(name, &Receiver::SelfType);
            }
            Receiver::Written(path) => self.on_written(path, name),
        };
        self.push(step);
    }

    /// `Type::name`, which another crate's macro may have made.
    fn member_of(&self, id: ItemId, name: Symbol) -> Step {
        if self.resolver.is_open(id) { Step::Any(name) } else { Step::On(id, name) }
    }

    fn on(&self, id: ItemId, name: Symbol) -> Step {
        if self.resolver.derefs(id) || self.resolver.is_open(id) { Step::Any(name) } else { Step::On(id, name) }
    }

    fn on_written(&self, path: &[Symbol], name: Symbol) -> Step {
        if self.parameters.contains(&path[0]) || self.declared.contains(&path[0]) {
            return Step::Any(name);
        }
        let found = self.resolver.names.resolve(self.node.scope, path, false);
        match found.as_slice() {
            [FoundTarget { target: PathTarget::Item(id), length }]
                if *length == path.len() && self.kind(*id).is_type() =>
            {
                self.on(*id, name)
            }
            [] if path.len() == 1 && prelude::is_plain(self.text(path[0])) => Step::Outside(name),
            _ => Step::Any(name),
        }
    }

    fn called(&mut self, path: &Path) {
        let name = *path.segments.last().unwrap_or(&Symbol::NONE);
        let mut found = Vec::new();
        for target in self.resolve(path) {
            match target.target {
                PathTarget::Item(id) if self.kind(id) == ItemKind::Macro => found.push(id),
                PathTarget::Foreign(whole) => self.foreign(&whole, 1),
                _ => {}
            }
        }
        let index = self.resolver.index;
        let krate = index.scopes[self.node.scope as usize].krate;
        found.extend(index.macros_named(krate, name).iter().filter(|_| path.segments.len() == 1));
        found.sort_unstable();
        found.dedup();
        for &id in &found {
            self.push(Step::Item(id));
            self.push(Step::Macro(id, self.node.scope));
            // Text order decides which of several is meant.
            if found.len() > 1 {
                let stands = if self.is_before(id) { Symbol::TRUE } else { Symbol::FALSE };
                self.push(Step::Foreign(vec![Symbol::STAR, stands]));
                self.cut();
            }
        }
        if found.is_empty() {
            self.unseen_macro(path);
        }
        for call in self.resolver.calls.of_name(name) {
            if found.is_empty() {
                self.push(Step::Item(*call));
            }
        }
    }

    /// Whether a macro stands before the item. The closures of a body are items that come after its macros.
    fn is_before(&self, id: ItemId) -> bool {
        let (item, definition) = (self.resolver.index.item(self.node.item), self.resolver.index.item(id));
        match item.kind == ItemKind::Closure && item.file == definition.file {
            true => definition.from < item.from,
            false => id < self.node.item,
        }
    }

    fn anything(&mut self, path: &Path) {
        for found in self.resolve(path) {
            if let (PathTarget::Module(module), true) = (found.target, found.length == path.segments.len()) {
                for id in self.resolver.names.items_in(module) {
                    self.push(Step::Item(id));
                }
            }
        }
    }

    fn dynamic(&mut self, path: &Path) {
        self.path(path, false);
        self.open(path);
        for name in foreign_names(&path.segments, &self.resolve(path)) {
            self.push(Step::Derived(name));
        }
    }

    /// A path in an attribute: a module stands for the functions in it.
    fn attribute_text(&mut self, path: &Path) {
        for found in self.resolve(path) {
            match found.target {
                PathTarget::Module(module) if found.length == path.segments.len() => self.functions(module),
                PathTarget::Module(_) => {}
                PathTarget::Item(id) if self.kind(id).is_type() && found.length == path.segments.len() => {
                    self.push(Step::Item(id));
                    self.associated(id);
                }
                _ => self.found(&found, path),
            }
        }
        if path.segments[0] == Symbol::SELF_TYPE {
            self.self_path(&path.segments[1..]);
        }
    }

    fn functions(&mut self, module: ScopeId) {
        for id in self.resolver.names.items_in(module) {
            if self.kind(id) == ItemKind::Fn {
                self.push(Step::Item(id));
            }
        }
    }

    /// The functions of a type that take no `self`, as an attribute calls them.
    fn associated(&mut self, id: ItemId) {
        let index = self.resolver.index;
        let blocks = super::grow::listed(&self.resolver.by_type, &id);
        for &member in blocks.iter().flat_map(|&block| index.members_of(block)) {
            let item = index.item(member);
            let file = index.file_of(item);
            let takes_self = (item.keyword as usize..item.head_end()).any(|at| file.symbol(at) == Symbol::SELF);
            if item.kind == ItemKind::Fn && !takes_self {
                self.push(Step::Item(member));
            }
        }
    }
}
