//! Macros that are called where items stand: which names and types they may make something for.

use crate::file::File;
use crate::index::{Index, ItemId, ItemKind, ScopeId};
use crate::lex::Kind;
use crate::mention::{Mention, is_fragment, mentions};
use crate::names::{Names, Target};
use crate::symbol::{Map, Set, Symbol};

/// The calls by what they mention.
#[derive(Default)]
pub(super) struct Calls {
    /// Calls that hold the name at all.
    by_name: Map<Symbol, Vec<ItemId>>,
    /// Calls that may make a method of that name.
    by_method: Map<Symbol, Vec<ItemId>>,
    /// Calls that name the type.
    by_type: Map<ItemId, Vec<ItemId>>,
}

impl Calls {
    pub(super) fn new(index: &Index, names: &Names<'_>) -> Calls {
        let mut calls = Calls::default();
        for &call in &index.calls {
            let mut reader =
                Reader { index, names, call, scope: index.item(call).scope, calls: &mut calls, seen: Set::default() };
            reader.read(call);
        }
        calls
    }

    pub(super) fn of_name(&self, name: Symbol) -> &[ItemId] {
        self.by_name.get(&name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn of_method(&self, name: Symbol) -> &[ItemId] {
        self.by_method.get(&name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn of_type(&self, id: ItemId) -> &[ItemId] {
        self.by_type.get(&id).map_or(&[], Vec::as_slice)
    }
}

struct Reader<'a> {
    index: &'a Index,
    names: &'a Names<'a>,
    call: ItemId,
    scope: ScopeId,
    calls: &'a mut Calls,
    /// The call and the macros that it uses.
    seen: Set<ItemId>,
}

impl Reader<'_> {
    /// Takes in the call, or a macro that it uses, directly or not.
    fn read(&mut self, id: ItemId) {
        if !self.seen.insert(id) {
            return;
        }
        self.idents(id);
        for mention in mentions(self.index, id) {
            match mention {
                Mention::Path { path, .. } | Mention::Dyn(path) => self.types(&path.segments, path.global),
                Mention::Macro(path) => {
                    let name = path.segments.last().copied().unwrap_or(Symbol::NONE);
                    for used in self.index.macros_named(self.index.file_of(self.index.item(id)).krate, name) {
                        self.read(*used);
                    }
                }
                _ => {}
            }
        }
    }

    fn idents(&mut self, id: ItemId) {
        let item = self.index.item(id);
        let file = self.index.file_of(item);
        let arguments = item.kind == ItemKind::Call;
        for at in item.keyword as usize..item.to as usize {
            let Some(name) = file.name(at).filter(|_| !is_fragment(file, at)) else { continue };
            add(self.calls.by_name.entry(name).or_default(), self.call);
            if makes_method(file, at, arguments) {
                add(self.calls.by_method.entry(name).or_default(), self.call);
            }
        }
    }

    fn types(&mut self, path: &[Symbol], global: bool) {
        for found in self.names.resolve(self.scope, path, global) {
            let Target::Item(id) = found.target else { continue };
            if self.index.item(id).kind.is_type() {
                add(self.calls.by_type.entry(id).or_default(), self.call);
            } else if self.index.item(id).kind == ItemKind::Alias
                && let super::header::Head::Local(id) = super::header::head_of_alias(self.index, self.names, id)
            {
                add(self.calls.by_type.entry(id).or_default(), self.call);
            }
        }
    }
}

/// `fn name`, and among a call's arguments a name that stands for itself.
fn makes_method(file: &File, at: usize, arguments: bool) -> bool {
    let before = at.checked_sub(1).map_or(Symbol::NONE, |before| file.symbol(before));
    if before == Symbol::FN {
        return true;
    }
    let next = file.tokens.get(at + 1);
    let used = next.is_some_and(|next| {
        next.kind == Kind::Open || matches!(next.symbol, Symbol::BANG | Symbol::DOT | Symbol::COLON2)
    });
    arguments && before != Symbol::DOT && !used
}

fn add(calls: &mut Vec<ItemId>, call: ItemId) {
    if calls.last() != Some(&call) {
        calls.push(call);
    }
}
