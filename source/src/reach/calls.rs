//! Macros that are called where items stand, or that make an `impl` in a body: which names and types they may make
//! something for.

use crate::file::File;
use crate::index::{Index, ItemId, ItemKind, ScopeId, makes_tests};
use crate::lex::TokenKind;
use crate::mention::{Mention, is_fragment, mentions, type_head};
use crate::names::{PathResolver, PathTarget};
use crate::symbol::{Map, Set, Symbol};

/// The calls by what they mention.
#[derive(Default)]
pub(super) struct MacroCalls {
    /// Calls that hold the name at all.
    by_name: Map<Symbol, Vec<ItemId>>,
    /// Calls that may make a method of that name.
    by_method: Map<Symbol, Vec<ItemId>>,
    /// Calls that may make an `impl` of a trait of that name.
    by_trait: Map<Symbol, Vec<ItemId>>,
    /// Calls that name the type.
    by_type: Map<ItemId, Vec<ItemId>>,
}

impl MacroCalls {
    pub(super) fn new(index: &Index, names: &PathResolver<'_>) -> MacroCalls {
        let mut calls = MacroCalls::default();
        for &call in index.calls.iter().filter(|&&call| !makes_tests(index, call)) {
            CallReader::new(index, names, call, &mut calls).read(call);
        }
        let implementing = implementing(index);
        for call in 0..index.items.len() as ItemId {
            let ranges = in_body(index, call, &implementing);
            if !ranges.is_empty() {
                let mut reader = CallReader::new(index, names, call, &mut calls);
                ranges.into_iter().for_each(|(from, to)| reader.range(from, to));
            }
        }
        calls
    }

    pub(super) fn of_name(&self, name: Symbol) -> &[ItemId] {
        self.by_name.get(&name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn of_method(&self, name: Symbol) -> &[ItemId] {
        self.by_method.get(&name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn of_trait(&self, name: Symbol) -> &[ItemId] {
        self.by_trait.get(&name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn of_type(&self, id: ItemId) -> &[ItemId] {
        self.by_type.get(&id).map_or(&[], Vec::as_slice)
    }
}

/// The macros that may make an `impl`: those that hold one, and those that name such a macro.
fn implementing(index: &Index) -> Set<ItemId> {
    let macros: Vec<ItemId> = index.macros.values().flatten().copied().collect();
    let mut found: Set<ItemId> = Set::default();
    loop {
        let known = found.len();
        for &id in &macros {
            let item = index.item(id);
            let (file, tokens) = (index.file_of(item), item.keyword as usize + 3..item.to as usize);
            if !found.contains(&id) && tokens.into_iter().any(|at| may_implement(index, file, at, &found)) {
                found.insert(id);
            }
        }
        if found.len() == known {
            return found;
        }
    }
}

/// Whether an `impl` block begins at the token, or a macro is named that may make one.
fn may_implement(index: &Index, file: &File, at: usize, implementing: &Set<ItemId>) -> bool {
    let types = [Symbol::COLON, Symbol::ARROW, Symbol::LT, Symbol::COMMA, Symbol::AND, Symbol::EQ, Symbol::PLUS];
    match file.name(at) {
        Some(name) if !implementing.is_empty() => {
            index.macros_named(file.krate, name).iter().any(|id| implementing.contains(id))
        }
        Some(_) => false,
        None => file.symbol(at) == Symbol::IMPL && !types.contains(&file.symbol(at.wrapping_sub(1))),
    }
}

/// The calls in a body of macros that may make an `impl`: such a one is for everybody, wherever it stands.
fn in_body(index: &Index, id: ItemId, implementing: &Set<ItemId>) -> Vec<(usize, usize)> {
    let item = index.item(id);
    if !matches!(item.kind, ItemKind::Fn | ItemKind::Const | ItemKind::Static | ItemKind::Included) {
        return Vec::new();
    }
    let (file, mut found, mut at) = (index.file_of(item), Vec::new(), item.keyword as usize);
    while at < item.to as usize {
        let Some((_, open)) = crate::reads::call(file, at) else {
            at += 1;
            continue;
        };
        let close = file.tokens[open].link as usize;
        if (at..close).any(|at| may_implement(index, file, at, implementing)) {
            found.push((at, close));
        }
        at = close;
    }
    found
}

struct CallReader<'a> {
    index: &'a Index,
    names: &'a PathResolver<'a>,
    call: ItemId,
    scope: ScopeId,
    calls: &'a mut MacroCalls,
    /// The call and the macros that it uses.
    seen: Set<ItemId>,
}

impl<'a> CallReader<'a> {
    fn new(index: &'a Index, names: &'a PathResolver<'a>, call: ItemId, calls: &'a mut MacroCalls) -> CallReader<'a> {
        CallReader { index, names, call, scope: index.item(call).scope, calls, seen: Set::default() }
    }

    /// Takes in the call, or a macro that it uses, directly or not.
    fn read(&mut self, id: ItemId) {
        if !self.seen.insert(id) {
            return;
        }
        let item = self.index.item(id);
        self.idents(id, item.keyword as usize, item.to as usize, item.kind == ItemKind::Call);
        for mention in mentions(self.index, id) {
            if let Mention::Path { path, .. } | Mention::Dyn(path) = mention {
                self.types(&path.segments, path.global);
            }
        }
    }

    /// Takes in a call among the tokens of a body.
    fn range(&mut self, from: usize, to: usize) {
        let file = self.index.file_of(self.index.item(self.call));
        self.idents(self.call, from, to, true);
        for at in from..to {
            let begins = file.is_ident(at) && !matches!(file.symbol(at - 1), Symbol::COLON2 | Symbol::DOT);
            if let Some(path) = type_head(file, at, to).filter(|_| begins) {
                self.types(&path, false);
            }
        }
    }

    /// The names among an item's tokens, and what the macros hold that these name: called, or handed on.
    fn idents(&mut self, id: ItemId, from: usize, to: usize, arguments: bool) {
        let file = self.index.file_of(self.index.item(id));
        for at in from..to {
            let Some(name) = file.name(at).filter(|_| !is_fragment(file, at)) else { continue };
            add(self.calls.by_name.entry(name).or_default(), self.call);
            let is_handed = arguments && self.index.symbols.text(name).starts_with(char::is_uppercase);
            if is_handed || is_implemented(file, at, from) {
                add(self.calls.by_trait.entry(name).or_default(), self.call);
            }
            if makes_method(file, at, arguments) {
                add(self.calls.by_method.entry(name).or_default(), self.call);
            }
            for &used in self.index.macros_named(file.krate, name) {
                self.read(used);
            }
        }
    }

    fn types(&mut self, path: &[Symbol], global: bool) {
        for found in self.names.resolve(self.scope, path, global) {
            let PathTarget::Item(id) = found.target else { continue };
            if self.index.item(id).kind.is_type() {
                add(self.calls.by_type.entry(id).or_default(), self.call);
            } else if self.index.item(id).kind == ItemKind::Alias
                && let super::header::ImplementingType::Local(id) =
                    super::header::type_of_alias(self.index, self.names, id)
            {
                add(self.calls.by_type.entry(id).or_default(), self.call);
            }
        }
    }
}

/// Whether the name at `at` is that of the trait between an `impl` and its `for`.
fn is_implemented(file: &File, at: usize, from: usize) -> bool {
    if !matches!(file.symbol(at + 1), Symbol::FOR | Symbol::LT) {
        return false;
    }
    let ends = |at: &usize| {
        let is_group = matches!(file.tokens[*at].kind, TokenKind::Open | TokenKind::Close);
        is_group || matches!(file.symbol(*at), Symbol::FOR | Symbol::IMPL | Symbol::SEMI)
    };
    let before = (from..at).rev().find(ends).is_some_and(|at| file.symbol(at) == Symbol::IMPL);
    before && (at..file.tokens.len()).find(ends).is_some_and(|at| file.symbol(at) == Symbol::FOR)
}

/// `fn name`, and among a call's arguments a name that stands for itself.
fn makes_method(file: &File, at: usize, arguments: bool) -> bool {
    let before = at.checked_sub(1).map_or(Symbol::NONE, |before| file.symbol(before));
    if before == Symbol::FN {
        return true;
    }
    let next = file.tokens.get(at + 1);
    let used = next.is_some_and(|next| {
        next.kind == TokenKind::Open || matches!(next.symbol, Symbol::BANG | Symbol::DOT | Symbol::COLON2)
    });
    arguments && before != Symbol::DOT && !used
}

fn add(calls: &mut Vec<ItemId>, call: ItemId) {
    if calls.last() != Some(&call) {
        calls.push(call);
    }
}
