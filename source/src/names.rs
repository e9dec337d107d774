//! What a path leads to, resolved as Rust does.

mod lost;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::index::{Binding, Import, Index, Item, ItemId, ItemKind, Krate, ScopeId};
use crate::symbol::{Map, Set, Symbol};

/// Where a path, or the first part of it, leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathTarget {
    Item(ItemId),
    Module(ScopeId),
    /// A path of another crate.
    Foreign(Vec<Symbol>),
}

/// A target, and how many segments of the path lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundTarget {
    pub(crate) target: PathTarget,
    pub(crate) length: usize,
}

/// Resolves paths, and remembers what names stand for.
pub(crate) struct PathResolver<'a> {
    index: &'a Index,
    known: RefCell<Map<ScopedName, Targets>>,
    /// Answers of the question that is being settled, and of those that it asks.
    partial: RefCell<Map<ScopedName, Targets>>,
    /// What was asked in this round.
    asked: RefCell<Set<ScopedName>>,
    /// Whether an answer of this round differs from that of the one before.
    changed: Cell<bool>,
    settling: Cell<bool>,
    /// The names by which each crate knows others.
    externs: Vec<Vec<Symbol>>,
}

/// A name in a scope, or `*`: what its glob imports open.
type ScopedName = (ScopeId, Symbol);

type Targets = Rc<Vec<PathTarget>>;

/// Answers settle in three rounds where imports have a meaning; more is for what doesn't compile.
const ROUNDS: usize = 16;

/// Namespaces of a name: an item in one of them leaves glob imports in the others visible.
const TYPES: u8 = 1;
const VALUES: u8 = 2;
const MACROS: u8 = 4;

impl<'a> PathResolver<'a> {
    pub(crate) fn new(index: &'a Index) -> PathResolver<'a> {
        let externs = index.crates.iter().map(|krate| externs(index, krate)).collect();
        let (known, partial, asked) = (RefCell::default(), RefCell::default(), RefCell::default());
        PathResolver { index, known, partial, asked, changed: Cell::new(false), settling: Cell::new(false), externs }
    }

    /// Everything that the path may lead to, seen from `scope`; nothing for what is neither an item nor a path of
    /// another crate, such as a variable.
    pub(crate) fn resolve(&self, scope: ScopeId, path: &[Symbol], global: bool) -> Vec<FoundTarget> {
        self.path(scope, path, global)
    }

    fn path(&self, scope: ScopeId, path: &[Symbol], global: bool) -> Vec<FoundTarget> {
        let Some((first, from)) = self.begin(scope, path, global) else { return Vec::new() };
        let mut found = Vec::new();
        for target in first {
            self.follow(target, path, from, &mut found);
        }
        found
    }

    /// What the head of a path stands for, and how many segments the head has.
    fn begin(&self, scope: ScopeId, path: &[Symbol], global: bool) -> Option<(Vec<PathTarget>, usize)> {
        let first = *path.first()?;
        if global {
            let mut targets = self.external(scope, first);
            if self.edition(scope) == 2015 {
                targets.extend(self.member(self.index.root_of(scope), first).iter().cloned());
            }
            return Some((targets, 1));
        }
        let module = self.index.module(scope);
        match first {
            Symbol::CRATE => Some((vec![PathTarget::Module(self.index.root_of(scope))], 1)),
            Symbol::SELF if path.len() > 1 => Some(self.upwards(module, path, 1)),
            Symbol::SUPER => Some(self.upwards(module, path, 0)),
            first if first.is_keyword() => None,
            first => Some((self.lexical(scope, first), 1)),
        }
    }

    /// `super::super`: the module, and how many segments lead to it.
    fn upwards(&self, mut module: ScopeId, path: &[Symbol], mut at: usize) -> (Vec<PathTarget>, usize) {
        while path.get(at) == Some(&Symbol::SUPER) {
            if let Some(parent) = self.index.scopes[module as usize].parent {
                module = self.index.module(parent);
            }
            at += 1;
        }
        (vec![PathTarget::Module(module)], at)
    }

    /// A name without a path: scopes from the inside out, then crates.
    fn lexical(&self, scope: ScopeId, name: Symbol) -> Vec<PathTarget> {
        let (mut targets, root) = (Vec::new(), scope);
        let mut at = Some(scope);
        while let Some(scope) = at {
            targets.extend(self.member(scope, name).iter().cloned());
            let inner = &self.index.scopes[scope as usize];
            // One scope stands for all blocks of a body, so that a name of it may be out of sight.
            at = if inner.is_body { inner.parent } else { None };
        }
        // Only a module or a type hides a crate: a function of its name stands beside it.
        if !targets.iter().any(|target| self.hides_crate(target)) {
            for target in self.external(root, name) {
                add(&mut targets, target);
            }
        }
        targets
    }

    fn hides_crate(&self, target: &PathTarget) -> bool {
        match target {
            PathTarget::Item(id) => self.index.item(*id).guards.is_empty() && self.hides(target) & TYPES != 0,
            PathTarget::Module(module) => !self.index.scopes[*module as usize].is_guarded,
            PathTarget::Foreign(_) => false,
        }
    }

    fn edition(&self, scope: ScopeId) -> u16 {
        self.index.crates[self.index.scopes[scope as usize].krate as usize].session.edition
    }

    /// The crate of that name, if the compiler was given one for the crate of the scope.
    fn external(&self, scope: ScopeId, name: Symbol) -> Vec<PathTarget> {
        let root = &self.index.scopes[self.index.root_of(scope) as usize];
        let bound = root.names.get(&name).into_iter().flatten();
        let mut targets: Vec<PathTarget> = bound
            .filter_map(|binding| match binding {
                Binding::Crate(name) => Some(self.other_crate(scope, *name)),
                _ => None,
            })
            .collect();
        if targets.is_empty() && self.externs[root.krate as usize].contains(&name) {
            targets.push(self.other_crate(scope, name));
        }
        targets
    }

    /// The root of a crate that is read, too, or the path of one that isn't.
    fn other_crate(&self, scope: ScopeId, name: Symbol) -> PathTarget {
        let crates = &self.index.crates;
        match crates[self.index.scopes[scope as usize].krate as usize].crates.get(&name) {
            Some(&id) => PathTarget::Module(crates[id as usize].root),
            None => PathTarget::Foreign(vec![name]),
        }
    }

    /// A name of one scope: its own, its imports', and those that its glob imports bring, as far as nothing nearer
    /// has the name in the same namespace.
    fn member(&self, scope: ScopeId, name: Symbol) -> Targets {
        self.answer((scope, name))
    }

    /// What the glob imports of a scope open.
    fn globs(&self, scope: ScopeId) -> Targets {
        self.answer((scope, Symbol::STAR))
    }

    /// Imports may need one another in a circle: `mod window; pub use window::window;` looks its own name up. So a
    /// question that is open already is answered by what is known of it, and all are asked again until nothing changes.
    fn answer(&self, question: ScopedName) -> Targets {
        if let Some(known) = self.known.borrow().get(&question) {
            return Rc::clone(known);
        }
        if !self.settling.get() {
            return self.settle(question);
        }
        if !self.asked.borrow_mut().insert(question) {
            return self.partial.borrow().get(&question).cloned().unwrap_or_default();
        }
        let (scope, name) = question;
        let targets = if name == Symbol::STAR { self.open_globs(scope) } else { self.through_globs(scope, name) };
        let targets = Rc::new(targets);
        let before = self.partial.borrow_mut().insert(question, Rc::clone(&targets));
        if before.as_ref() != Some(&targets) {
            self.changed.set(true);
        }
        targets
    }

    fn settle(&self, question: ScopedName) -> Targets {
        self.settling.set(true);
        let mut targets = Targets::default();
        for _ in 0..ROUNDS {
            self.changed.set(false);
            self.asked.borrow_mut().clear();
            targets = self.answer(question);
            if !self.changed.get() {
                break;
            }
        }
        self.settling.set(false);
        // What the last round didn't ask may be of an earlier state.
        let asked = self.asked.take();
        let settled = self.partial.take().into_iter().filter(|(question, _)| asked.contains(question));
        self.known.borrow_mut().extend(settled);
        targets
    }

    fn through_globs(&self, scope: ScopeId, name: Symbol) -> Vec<PathTarget> {
        let mut targets = Vec::new();
        let mut seen: Vec<(ScopeId, u8)> = Vec::new();
        let mut queue = vec![(scope, TYPES | VALUES | MACROS)];
        while let Some((scope, wanted)) = queue.pop() {
            if seen.iter().any(|&(other, asked)| other == scope && asked & wanted == wanted) {
                continue;
            }
            seen.push((scope, wanted));
            let mut taken = 0;
            for (target, is_guarded) in self.explicit(scope, name) {
                let namespaces = self.namespaces(&target);
                // What may not be compiled hides nothing.
                taken |= if is_guarded { 0 } else { self.hides(&target) };
                if namespaces & wanted != 0 {
                    add(&mut targets, target);
                }
            }
            let rest = wanted & !taken;
            if rest != 0 {
                self.add_from_globs(scope, name, rest, &mut queue, &mut targets);
            }
        }
        targets
    }

    fn add_from_globs(
        &self,
        scope: ScopeId,
        name: Symbol,
        wanted: u8,
        queue: &mut Vec<(ScopeId, u8)>,
        targets: &mut Vec<PathTarget>,
    ) {
        for target in self.globs(scope).iter() {
            match target {
                PathTarget::Module(module) => queue.push((*module, wanted)),
                PathTarget::Item(id) if self.has_variant(*id, name) => add(targets, target.clone()),
                _ => {}
            }
        }
    }

    fn open_globs(&self, scope: ScopeId) -> Vec<PathTarget> {
        let mut opened = Vec::new();
        for import in &self.index.scopes[scope as usize].globs {
            for found in self.import_path(scope, import) {
                if let Some(target) = self.whole(&found, import.path.len()) {
                    add(&mut opened, target);
                }
            }
        }
        opened
    }

    /// What a scope itself has under a name, and whether that stands under a guard.
    fn explicit(&self, scope: ScopeId, name: Symbol) -> Vec<(PathTarget, bool)> {
        let mut targets = Vec::new();
        for binding in self.index.scopes[scope as usize].names.get(&name).into_iter().flatten() {
            match binding {
                Binding::Item(id) => targets.push((PathTarget::Item(*id), !self.index.item(*id).guards.is_empty())),
                Binding::Module(module) => {
                    targets.push((PathTarget::Module(*module), self.index.scopes[*module as usize].is_guarded));
                }
                Binding::Crate(SELF) => targets.push((PathTarget::Module(self.index.root_of(scope)), false)),
                Binding::Crate(name) => targets.push((self.other_crate(scope, *name), false)),
                Binding::Import(import) => {
                    targets.extend(self.imported(scope, import).into_iter().map(|target| (target, import.is_guarded)));
                }
            }
        }
        targets
    }

    /// What an import stands for.
    pub(crate) fn imported(&self, scope: ScopeId, import: &Import) -> Vec<PathTarget> {
        let found = self.import_path(scope, import);
        let whole = found.iter().filter_map(|found| self.whole(found, import.path.len()));
        whole.collect()
    }

    /// A path of a `use`: in 2015 it begins at the crate's root, since then where it stands.
    fn import_path(&self, scope: ScopeId, import: &Import) -> Vec<FoundTarget> {
        let mut found = self.path(scope, &import.path, import.global);
        if self.edition(scope) == 2015 && !import.global {
            found.extend(self.path(self.index.root_of(scope), &import.path, false));
        }
        found
    }

    /// What a whole path leads to: the variant of an `enum` is that `enum`.
    fn whole(&self, found: &FoundTarget, length: usize) -> Option<PathTarget> {
        match found.target {
            PathTarget::Item(_) => (found.length + 1 >= length).then(|| found.target.clone()),
            _ => (found.length == length).then(|| found.target.clone()),
        }
    }

    /// Every item that a scope, or one around its body, has a name for, or imports without one.
    pub(crate) fn items_in(&self, scope: ScopeId) -> Vec<ItemId> {
        let (mut found, mut seen) = (Vec::new(), Vec::new());
        let mut at = Some(scope);
        while let Some(scope) = at {
            self.collect_items(scope, &mut seen, &mut found);
            let inner = &self.index.scopes[scope as usize];
            at = if inner.is_body { inner.parent } else { None };
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn collect_items(&self, scope: ScopeId, seen: &mut Vec<ScopeId>, found: &mut Vec<ItemId>) {
        if seen.contains(&scope) {
            return;
        }
        seen.push(scope);
        let inner = &self.index.scopes[scope as usize];
        let mut targets: Vec<PathTarget> =
            inner.names.keys().flat_map(|&name| self.member(scope, name).iter().cloned().collect::<Vec<_>>()).collect();
        for import in &inner.nameless {
            let paths = self.import_path(scope, import);
            targets.extend(paths.iter().filter_map(|found| self.whole(found, import.path.len())));
        }
        found.extend(targets.into_iter().filter_map(|target| match target {
            PathTarget::Item(id) => Some(id),
            _ => None,
        }));
        for target in self.globs(scope).iter() {
            if let PathTarget::Module(module) = target {
                self.collect_items(*module, seen, found);
            }
        }
    }

    fn has_variant(&self, id: ItemId, name: Symbol) -> bool {
        let item = self.index.item(id);
        let (ItemKind::Enum, Some(body)) = (item.kind, item.body) else {
            // An alias of an `enum`, perhaps.
            return item.kind == ItemKind::Alias;
        };
        let file = self.index.file_of(item);
        let close = file.tokens[body as usize].link as usize;
        crate::cfg::arguments(file, body as usize + 1, close).into_iter().any(|(mut at, to)| {
            while let Some(bracket) = crate::index::attribute(file, at).filter(|_| at < to) {
                at = file.after(bracket);
            }
            file.symbol(at) == name
        })
    }

    /// The rest of a path, from a module on; at anything else it ends.
    fn follow(&self, target: PathTarget, path: &[Symbol], at: usize, found: &mut Vec<FoundTarget>) {
        let Some(&next) = path.get(at) else {
            return found.push(FoundTarget { target, length: at });
        };
        match target {
            PathTarget::Item(_) => found.push(FoundTarget { target, length: at }),
            PathTarget::Foreign(mut whole) => {
                whole.extend(&path[at..]);
                found.push(FoundTarget { target: PathTarget::Foreign(whole), length: path.len() });
            }
            PathTarget::Module(module) => {
                let members = self.member(module, next);
                if members.is_empty() {
                    found.push(FoundTarget { target: PathTarget::Module(module), length: at });
                }
                for member in members.iter() {
                    self.follow(member.clone(), path, at + 1, found);
                }
            }
        }
    }

    /// The namespaces in which a target may have its name.
    fn namespaces(&self, target: &PathTarget) -> u8 {
        let id = match target {
            PathTarget::Item(id) => id,
            PathTarget::Module(_) => return TYPES,
            PathTarget::Foreign(_) => return TYPES | VALUES | MACROS,
        };
        match self.index.item(*id).kind {
            ItemKind::Fn | ItemKind::Const | ItemKind::Static => VALUES,
            ItemKind::Struct | ItemKind::Enum => TYPES | VALUES,
            ItemKind::Macro => MACROS,
            _ => TYPES,
        }
    }

    /// The namespaces in which it surely has the name, so that it hides what glob imports bring. An item of another
    /// crate may be anything; and neither a `struct` with braces nor an `enum` makes its name a value.
    fn hides(&self, target: &PathTarget) -> u8 {
        match target {
            PathTarget::Item(id) => match self.index.item(*id) {
                Item { kind: ItemKind::Enum, .. } | Item { kind: ItemKind::Struct, body: Some(_), .. } => TYPES,
                _ => self.namespaces(target),
            },
            PathTarget::Module(_) => TYPES,
            PathTarget::Foreign(_) => 0,
        }
    }
}

/// The names that a crate has for others: those that the compiler was given, and those of the standard library.
fn externs(index: &Index, krate: &Krate) -> Vec<Symbol> {
    let given = krate.session.externs.iter().map(String::as_str);
    let externs = given.chain(["std", "core", "alloc", "proc_macro", "test"]);
    externs.filter_map(|name| index.symbols.find(name)).collect()
}

fn add(targets: &mut Vec<PathTarget>, target: PathTarget) {
    if !targets.contains(&target) {
        targets.push(target);
    }
}

/// `extern crate self as name;`
const SELF: Symbol = Symbol::SELF;
