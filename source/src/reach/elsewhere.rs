//! Names whose meaning is no item: in the bodies around an item, in other crates, and those that nothing explains.

use super::part::Unseen;
use super::step::{Step, Walk};
use crate::digest;
use crate::file::File;
use crate::index::{self, Index, Item, ItemId, ItemKind, OWN, ScopeId};
use crate::mention::{Mention, Path};
use crate::names::{FoundTarget, PathTarget};
use crate::prelude;
use crate::symbol::{Set, Symbol};

/// The items in whose bodies an item stands, from the inside out. What a macro makes is looked through where it is called.
pub(super) fn around(index: &Index, id: ItemId) -> Vec<ItemId> {
    let item = index.item(id);
    if matches!(item.kind, ItemKind::Macro | ItemKind::Call) {
        return Vec::new();
    }
    let mut found: Vec<ItemId> = index.closures.get(&id).copied().into_iter().collect();
    let mut at = Some(item.scope);
    while let Some(scope) = at.map(|scope| &index.scopes[scope as usize]).filter(|scope| scope.is_body) {
        found.extend(scope.owner.filter(|&owner| owner != id));
        at = scope.parent;
    }
    found.dedup();
    found
}

/// The names that a closure binds between its `|`.
pub(super) fn hidden(file: &File, item: &Item) -> Set<Symbol> {
    let mut found = Set::default();
    if item.kind != ItemKind::Closure {
        return found;
    }
    let mut at = item.from as usize + usize::from(file.symbol(item.from as usize) == Symbol::MOVE);
    if file.symbol(at) != Symbol::OR {
        return found;
    }
    let mut depth = 0_i32;
    loop {
        at = file.after(at);
        depth += match file.symbol(at) {
            Symbol::LT => 1,
            Symbol::GT => -1,
            _ => 0,
        };
        if file.symbol(at) == Symbol::OR || at >= item.to as usize {
            return found;
        }
        let begins =
            matches!(file.symbol(at - 1), Symbol::OR | Symbol::COMMA | Symbol::AND | Symbol::MUT | Symbol::REF);
        let ends = matches!(file.symbol(at + 1), Symbol::OR | Symbol::COMMA | Symbol::COLON);
        found.extend(file.name(at).filter(|_| begins && ends && depth == 0));
    }
}

/// What the blocks around the tokens `from..to` in the body of `around` declare, if they declare anything.
pub(super) fn blocks(index: &Index, around: ItemId, (from, to): (u32, u32)) -> Option<Step> {
    let found = index::blocks(index, around, from as usize, to as usize);
    (!found.is_empty()).then(|| Step::Blocks(digest::statements(index, index.item(around).file, &found)))
}

impl Walk<'_> {
    /// Counts the items around whose bodies declare what is mentioned. A function or a constant in a body is no item of
    /// its own, so the whole body counts; what a module has of that name counts, too.
    pub(super) fn declared_around(&mut self, mention: &Mention) {
        for at in 0..self.around.len() {
            let id = self.around[at];
            if self.is_declared_in(id, mention) {
                self.push(Step::Item(id));
            }
        }
    }

    fn is_declared_in(&self, id: ItemId, mention: &Mention) -> bool {
        let declared = self.resolver.declared(id);
        // An `impl` of a type that nothing makes does nothing.
        let is_header = self.resolver.index.item(self.node.item).kind == ItemKind::Impl;
        let has = |name: Symbol| {
            let is_left_out = self.hidden.contains(&name) || is_header && declared.types.contains(&name);
            declared.names.contains(&name) && !is_left_out
        };
        declared.has_guarded_globs
            || match mention {
                Mention::Path { path, .. } | Mention::Dyn(path) | Mention::Text(path) | Mention::AnythingIn(path) => {
                    has(path.segments[0])
                }
                Mention::Method { name, .. } | Mention::Qualified(name) => has(*name),
                Mention::Macro(path) => {
                    let krate = self.resolver.index.scopes[self.node.scope as usize].krate;
                    path.segments.last().is_some_and(|&name| self.resolver.index.words_of_macros(krate, name).any(has))
                }
                Mention::Attribute(_) | Mention::Include(_) => false,
                Mention::Pasted => !declared.names.is_empty(),
            }
    }

    /// A name that no text of a module explains: a macro may make it, or another crate's items that are imported there.
    pub(super) fn unknown_in(&mut self, module: ScopeId, name: Symbol) {
        for foreign in self.resolver.names.foreign_globs(module, name) {
            self.unseen_crate(foreign[0]);
            self.push(Step::Foreign(foreign));
        }
        self.lost(module, name);
        self.made(module, name);
    }

    /// A name that a macro may make, and where it is looked for: another import may lead to another macro's.
    pub(super) fn made(&mut self, scope: ScopeId, name: Symbol) {
        let resolver = self.resolver;
        self.push(Step::Unknown(name));
        if resolver.meant(name).into_iter().all(|name| resolver.calls.of_name(name).is_empty()) {
            return;
        }
        let (names, module) = (&resolver.names, resolver.index.module_path(scope));
        for path in names.lost_paths(scope, name).into_iter().chain(names.glob_paths(scope)).chain([module]) {
            self.push(Step::Foreign([&[Symbol::STAR], path.as_slice()].concat()));
        }
    }

    /// Tells the crates of imports that lead nowhere: a crate beside the compiled one may call others by names that only
    /// its manifest explains.
    fn lost(&mut self, scope: ScopeId, name: Symbol) {
        if self.resolver.index.scopes[scope as usize].krate == OWN {
            return;
        }
        for krate in self.resolver.names.lost_imports(scope, name) {
            self.unseen_crate(krate);
        }
    }

    fn unseen_crate(&mut self, krate: Symbol) {
        let name = self.text(krate).to_owned();
        if !krate.is_keyword() && !prelude::is_standard_crate(&name) {
            self.push(Step::Unseen(Unseen::Crate(name)));
        }
    }

    pub(super) fn foreign(&mut self, whole: &[Symbol], written: usize) {
        self.unseen_crate(whole[0]);
        if let (true, Some(&name)) = (written > 1, whole.last()) {
            self.push(Step::Outside(name));
        }
        self.push(Step::Foreign(whole.to_vec()));
    }

    pub(super) fn unresolved(&mut self, path: &Path, local: bool) {
        let (first, rest) = (path.segments[0], &path.segments[1..]);
        let standard = prelude::is_prelude(self.text(first));
        for &name in rest {
            self.push(if standard { Step::Outside(name) } else { Step::Any(name) });
        }
        if local {
            return;
        }
        for foreign in self.resolver.names.foreign_globs(self.node.scope, first) {
            self.push(Step::Foreign(foreign));
        }
        let index = self.resolver.index;
        // A macro that is handed to another is called where only its name counts.
        for &id in index.macros_named(index.scopes[self.node.scope as usize].krate, first) {
            if rest.is_empty() {
                self.push(Step::Item(id));
                self.push(Step::Macro(id, self.node.scope));
            }
        }
        if !standard {
            self.lost(self.node.scope, first);
            let is_path = !rest.is_empty() && self.text(first).starts_with(char::is_lowercase);
            if is_path && self.resolver.index.scopes[self.node.scope as usize].krate != OWN {
                self.unseen_crate(first);
            }
            self.made(self.node.scope, first);
        }
    }

    pub(super) fn attribute(&mut self, path: &Path) {
        for found in self.resolve(path) {
            if let PathTarget::Foreign(whole) = found.target {
                self.push(Step::Foreign(whole));
            }
        }
        self.unseen_macro(path);
    }

    /// Tells a macro of another crate; whatever its name is, behind a path it isn't the standard library's by that.
    pub(super) fn unseen_macro(&mut self, path: &Path) {
        let name = self.text(*path.segments.last().unwrap_or(&Symbol::NONE)).to_owned();
        let is_standard = |krate: &Symbol| prelude::is_standard_crate(self.text(*krate));
        let leads_there = |found: &FoundTarget| matches!(&found.target, PathTarget::Foreign(whole) if whole.first().is_some_and(is_standard));
        let is_path = path.segments.len() > 1;
        let may_be = !is_path || is_standard(&path.segments[0]) || self.resolve(path).iter().any(leads_there);
        if !may_be || !prelude::is_standard_macro(&name) {
            self.push(Step::Unseen(Unseen::Macro(name)));
        }
    }
}
