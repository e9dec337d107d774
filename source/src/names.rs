//! What a path leads to, resolved as Rust does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::index::{Binding, Import, Index, ItemId, ItemKind, ROOT, ScopeId};
use crate::symbol::{Map, Symbol};

/// Where a path, or the first part of it, leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Item(ItemId),
    Module(ScopeId),
    /// A path of another crate.
    Foreign(Vec<Symbol>),
}

/// A target, and how many segments of the path lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) target: Target,
    pub(crate) length: usize,
}

/// Resolves paths, and remembers what names stand for.
pub(crate) struct Names<'a> {
    index: &'a Index,
    known: RefCell<Map<(ScopeId, Symbol), Targets>>,
    /// What the glob imports of a scope open.
    opened: RefCell<Map<ScopeId, Targets>>,
    externs: Vec<Symbol>,
    /// How often a circle of imports was cut.
    cuts: Cell<usize>,
    /// How many scopes are having their glob imports resolved: what is found meanwhile isn't remembered.
    resolving: Cell<usize>,
}

/// Namespaces of a name: an item in one of them leaves glob imports in the others visible.
const TYPES: u8 = 1;
const VALUES: u8 = 2;
const MACROS: u8 = 4;

type Targets = Rc<Vec<Target>>;

/// The imports that are being followed, by their addresses, so that those in a circle end.
type Asked = Vec<*const Import>;

impl<'a> Names<'a> {
    pub(crate) fn new(index: &'a Index) -> Names<'a> {
        let told = index.session.externs.iter().map(String::as_str);
        let externs = told.chain(["std", "core", "alloc", "proc_macro", "test"]);
        let externs = externs.filter_map(|name| index.symbols.find(name)).collect();
        let (known, opened) = (RefCell::default(), RefCell::default());
        Names { index, known, opened, externs, cuts: Cell::new(0), resolving: Cell::new(0) }
    }

    /// Everything that the path may lead to, seen from `scope`; nothing for what is neither an item nor a path of
    /// another crate, such as a variable.
    pub(crate) fn resolve(&self, scope: ScopeId, path: &[Symbol], global: bool) -> Vec<Found> {
        self.path(scope, path, global, &mut Vec::new())
    }

    fn path(&self, scope: ScopeId, path: &[Symbol], global: bool, asked: &mut Asked) -> Vec<Found> {
        let Some((first, from)) = self.begin(scope, path, global, asked) else { return Vec::new() };
        let mut found = Vec::new();
        for target in first {
            self.follow(target, path, from, asked, &mut found);
        }
        found
    }

    /// What the head of a path stands for, and how many segments the head has.
    fn begin(&self, scope: ScopeId, path: &[Symbol], global: bool, asked: &mut Asked) -> Option<(Vec<Target>, usize)> {
        let first = *path.first()?;
        if global {
            let mut targets = self.external(first);
            if self.index.session.edition == 2015 {
                targets.extend(self.member(ROOT, first, asked));
            }
            return Some((targets, 1));
        }
        let module = self.index.module(scope);
        match first {
            Symbol::CRATE => Some((vec![Target::Module(ROOT)], 1)),
            Symbol::SELF if path.len() > 1 => Some(self.upwards(module, path, 1)),
            Symbol::SUPER => Some(self.upwards(module, path, 0)),
            first if first.is_keyword() => None,
            first => Some((self.lexical(scope, first, asked), 1)),
        }
    }

    /// `super::super`: the module, and how many segments lead to it.
    fn upwards(&self, mut module: ScopeId, path: &[Symbol], mut at: usize) -> (Vec<Target>, usize) {
        while path.get(at) == Some(&Symbol::SUPER) {
            if let Some(parent) = self.index.scopes[module as usize].parent {
                module = self.index.module(parent);
            }
            at += 1;
        }
        (vec![Target::Module(module)], at)
    }

    /// A name without a path: scopes from the inside out, then crates.
    fn lexical(&self, scope: ScopeId, name: Symbol, asked: &mut Asked) -> Vec<Target> {
        let mut targets = Vec::new();
        let mut at = Some(scope);
        while let Some(scope) = at {
            targets.extend(self.member(scope, name, asked));
            let inner = &self.index.scopes[scope as usize];
            // One scope stands for all blocks of a body, so that a name of it may be out of sight.
            at = if inner.is_body { inner.parent } else { None };
        }
        if targets.is_empty() {
            targets = self.external(name);
        }
        targets
    }

    /// The crate of that name, if the compiler was given one.
    fn external(&self, name: Symbol) -> Vec<Target> {
        let bound = self.index.scopes[ROOT as usize].names.get(&name).into_iter().flatten();
        let mut targets: Vec<Target> = bound
            .filter_map(|binding| match binding {
                Binding::Crate(name) => Some(Target::Foreign(vec![*name])),
                _ => None,
            })
            .collect();
        if targets.is_empty() && self.externs.contains(&name) {
            targets.push(Target::Foreign(vec![name]));
        }
        targets
    }

    /// A name of one scope: its own, its imports', and those that its glob imports bring, as far as nothing nearer
    /// has the name in the same namespace.
    fn member(&self, scope: ScopeId, name: Symbol, asked: &mut Asked) -> Vec<Target> {
        if let Some(known) = self.known.borrow().get(&(scope, name)) {
            return known.to_vec();
        }
        let cuts = self.cuts.get();
        let targets = self.through_globs(scope, name, asked);
        // Inside a circle of imports an answer is that of one way round only.
        if self.cuts.get() == cuts && self.resolving.get() == 0 {
            self.known.borrow_mut().insert((scope, name), Rc::new(targets.clone()));
        }
        targets
    }

    fn through_globs(&self, scope: ScopeId, name: Symbol, asked: &mut Asked) -> Vec<Target> {
        let mut targets = Vec::new();
        let mut seen: Vec<(ScopeId, u8)> = Vec::new();
        let mut queue = vec![(scope, TYPES | VALUES | MACROS)];
        while let Some((scope, wanted)) = queue.pop() {
            if seen.iter().any(|&(other, asked)| other == scope && asked & wanted == wanted) {
                continue;
            }
            seen.push((scope, wanted));
            let mut taken = 0;
            for target in self.explicit(scope, name, asked) {
                let namespaces = self.namespaces(&target);
                taken |= namespaces;
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
        targets: &mut Vec<Target>,
    ) {
        for target in self.globs(scope).iter() {
            match target {
                Target::Module(module) => queue.push((*module, wanted)),
                Target::Item(id) if self.has_variant(*id, name) => add(targets, target.clone()),
                _ => {}
            }
        }
    }

    /// What the glob imports of a scope open. One may need a name that another one brings, so that they are resolved
    /// until nothing new is found.
    fn globs(&self, scope: ScopeId) -> Targets {
        if let Some(known) = self.opened.borrow().get(&scope) {
            return Rc::clone(known);
        }
        self.resolving.set(self.resolving.get() + 1);
        let mut opened = Rc::new(Vec::new());
        loop {
            self.opened.borrow_mut().insert(scope, Rc::clone(&opened));
            let again = Rc::new(self.open_globs(scope));
            if again.len() <= opened.len() {
                break;
            }
            opened = again;
        }
        self.resolving.set(self.resolving.get() - 1);
        opened
    }

    fn open_globs(&self, scope: ScopeId) -> Vec<Target> {
        let mut opened = Vec::new();
        for import in &self.index.scopes[scope as usize].globs {
            for found in self.import_path(scope, import, &mut Vec::new()) {
                if let Some(target) = self.whole(&found, import.path.len()) {
                    add(&mut opened, target);
                }
            }
        }
        opened
    }

    fn explicit(&self, scope: ScopeId, name: Symbol, asked: &mut Asked) -> Vec<Target> {
        let mut targets = Vec::new();
        for binding in self.index.scopes[scope as usize].names.get(&name).into_iter().flatten() {
            match binding {
                Binding::Item(id) => targets.push(Target::Item(*id)),
                Binding::Module(module) => targets.push(Target::Module(*module)),
                Binding::Crate(SELF) => targets.push(Target::Module(ROOT)),
                Binding::Crate(name) => targets.push(Target::Foreign(vec![*name])),
                Binding::Import(import) => targets.extend(self.imported(scope, import, asked)),
            }
        }
        targets
    }

    fn imported(&self, scope: ScopeId, import: &Import, asked: &mut Asked) -> Vec<Target> {
        // `mod window; use window::window;`: the path begins with the name that it brings, in another namespace.
        if asked.contains(&std::ptr::from_ref(import)) {
            self.cuts.set(self.cuts.get() + 1);
            return Vec::new();
        }
        asked.push(import);
        let found = self.import_path(scope, import, asked);
        asked.pop();
        let whole = found.iter().filter_map(|found| self.whole(found, import.path.len()));
        whole.collect()
    }

    /// A path of a `use`: in 2015 it begins at the crate's root, since then where it stands.
    fn import_path(&self, scope: ScopeId, import: &Import, asked: &mut Asked) -> Vec<Found> {
        let mut found = self.path(scope, &import.path, import.global, asked);
        if self.index.session.edition == 2015 && !import.global {
            found.extend(self.path(ROOT, &import.path, false, asked));
        }
        found
    }

    /// What a whole path leads to: the variant of an `enum` is that `enum`.
    fn whole(&self, found: &Found, length: usize) -> Option<Target> {
        match found.target {
            Target::Item(_) => (found.length + 1 >= length).then(|| found.target.clone()),
            _ => (found.length == length).then(|| found.target.clone()),
        }
    }

    /// The paths that glob imports of other crates give a name that nothing else explains.
    pub(crate) fn foreign_globs(&self, scope: ScopeId, name: Symbol) -> Vec<Vec<Symbol>> {
        let mut paths = Vec::new();
        let mut at = Some(scope);
        while let Some(scope) = at {
            self.globs_of(scope, name, &mut Vec::new(), &mut paths);
            let inner = &self.index.scopes[scope as usize];
            at = if inner.is_body { inner.parent } else { None };
        }
        paths
    }

    fn globs_of(&self, scope: ScopeId, name: Symbol, seen: &mut Vec<ScopeId>, paths: &mut Vec<Vec<Symbol>>) {
        if seen.contains(&scope) {
            return;
        }
        seen.push(scope);
        for target in self.globs(scope).iter() {
            match target {
                Target::Module(module) => self.globs_of(*module, name, seen, paths),
                Target::Foreign(path) => {
                    let mut path = path.clone();
                    path.extend([Symbol::STAR, name]);
                    paths.push(path);
                }
                Target::Item(_) => {}
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
    fn follow(&self, target: Target, path: &[Symbol], at: usize, asked: &mut Asked, found: &mut Vec<Found>) {
        let Some(&next) = path.get(at) else {
            return found.push(Found { target, length: at });
        };
        match target {
            Target::Item(_) => found.push(Found { target, length: at }),
            Target::Foreign(mut whole) => {
                whole.extend(&path[at..]);
                found.push(Found { target: Target::Foreign(whole), length: path.len() });
            }
            Target::Module(module) => {
                let members = self.member(module, next, asked);
                if members.is_empty() {
                    found.push(Found { target: Target::Module(module), length: at });
                }
                for member in members {
                    self.follow(member, path, at + 1, asked, found);
                }
            }
        }
    }

    fn namespaces(&self, target: &Target) -> u8 {
        let Target::Item(id) = target else {
            return TYPES | if matches!(target, Target::Foreign(_)) { VALUES } else { 0 };
        };
        match self.index.item(*id).kind {
            ItemKind::Fn | ItemKind::Const | ItemKind::Static => VALUES,
            ItemKind::Struct | ItemKind::Enum => TYPES | VALUES,
            ItemKind::Macro => MACROS,
            _ => TYPES,
        }
    }
}

fn add(targets: &mut Vec<Target>, target: Target) {
    if !targets.contains(&target) {
        targets.push(target);
    }
}

/// `extern crate self as name;`
const SELF: Symbol = Symbol::SELF;
