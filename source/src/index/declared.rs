//! What a body declares by tokens of its own, which are no items: functions, constants, types; and the blocks that
//! stand around a place in it.

use super::body::{begin, begins_statement, declares, named_closures};
use super::{Binding, Import, Index, ItemId, ItemKind, called_macro, made, split};
use crate::file::File;
use crate::lex::TokenKind;
use crate::mention::evaluates;
use crate::prelude;
use crate::symbol::{Set, Symbol};

/// What a body declares.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    /// Names of functions, constants, types, traits and variants, of the macros' making, too.
    pub(crate) names: Set<Symbol>,
    /// Those of them that are types with values of their own: only code that names one in this body makes any.
    pub(crate) types: Set<Symbol>,
    /// Whether there are such types: what has one may be handed on without its name.
    pub(crate) has_types: bool,
    /// Whether an import that may not be compiled decides about names that can't be listed.
    pub(crate) has_guarded_globs: bool,
}

/// What the body of an item declares, without what its `impl`s and modules do, which are items.
pub(crate) fn declared(index: &Index, id: ItemId) -> Declared {
    let item = index.item(id);
    let mut found = BodyScan { declared: Declared::default(), has_variables: false };
    let is_macro = item.kind == ItemKind::Macro;
    found.tokens(index.file_of(item), item.keyword as usize + 1, item.to as usize, is_macro);
    for used in made::macros(index, id) {
        let item = index.item(used);
        found.tokens(index.file_of(item), item.keyword as usize + 1, item.to as usize, true);
    }
    for included in included(index, id) {
        let item = index.item(included);
        found.tokens(index.file_of(item), item.from as usize, item.to as usize, false);
    }
    if found.has_variables {
        found.declared.names.extend(made::values(index, id).into_iter().map(|path| path[0]));
    }
    found.inputs(index, id);
    found.imports(index, id);
    found.declared
}

/// The files that an item's own calls of `include!` bring, and those of the macros that it calls.
fn included(index: &Index, id: ItemId) -> impl Iterator<Item = ItemId> {
    let item = index.item(id);
    let is_own = |&(&(file, at), _): &(&(u32, u32), &ItemId)| file == item.file && (item.from..item.to).contains(&at);
    let own = index.included.iter().filter(is_own).map(|(_, &included)| included);
    own.chain(index.included_in.get(&id).into_iter().flatten().copied())
}

/// What was found in the tokens of a body so far.
struct BodyScan {
    declared: Declared,
    /// Whether a macro declares what it is given a name for.
    has_variables: bool,
}

impl BodyScan {
    fn tokens(&mut self, file: &File, from: usize, to: usize, is_macro: bool) {
        let mut at = from;
        while at < to {
            let symbol = file.symbol(at);
            let is_item = !is_macro && matches!(symbol, Symbol::IMPL | Symbol::MOD) && declares(file, symbol, at);
            if is_item {
                at = split::item(file, at, to).to;
                continue;
            }
            self.keyword(file, symbol, at);
            at += 1;
        }
    }

    fn keyword(&mut self, file: &File, symbol: Symbol, at: usize) {
        // `*const T`, and the parameter in `<const N: usize>`.
        let is_no_item = at > 0 && matches!(file.symbol(at - 1), Symbol::STAR | Symbol::LT | Symbol::COMMA);
        let name = match symbol {
            Symbol::FN | Symbol::STRUCT | Symbol::ENUM | Symbol::UNION | Symbol::TYPE | Symbol::TRAIT => at + 1,
            // `lazy_static` writes `static ref`.
            Symbol::CONST | Symbol::STATIC if !is_no_item => {
                at + 1 + usize::from(matches!(file.symbol(at + 1), Symbol::MUT | Symbol::REF))
            }
            _ => return,
        };
        self.has_variables |= file.symbol(name) == Symbol::DOLLAR;
        let Some(named) = file.name(name) else {
            self.declared.has_types |= is_type(symbol) && file.symbol(name) == Symbol::DOLLAR;
            return;
        };
        self.declared.names.insert(named);
        if is_type(symbol) {
            self.declared.has_types = true;
            self.declared.types.insert(named);
        }
        if symbol == Symbol::ENUM {
            self.variants(file, name);
        }
    }

    /// Every name in the braces of an `enum`.
    fn variants(&mut self, file: &File, name: usize) {
        let Some(open) = (name..file.tokens.len()).find(|&at| file.is_open(at, b'{')) else { return };
        let names = (open..file.tokens[open].link as usize).filter_map(|at| file.name(at));
        self.declared.names.extend(names);
    }

    /// The names that macros of other crates are given as statements, which may declare them.
    fn inputs(&mut self, index: &Index, id: ItemId) {
        let item = index.item(id);
        let file = index.file_of(item);
        for at in item.keyword as usize..item.to as usize {
            let Some((name, open)) = crate::reads::call(file, at) else { continue };
            let (text, to) = (index.symbols.text(name), file.tokens[open].link as usize);
            let ends = file.tokens.get(to + 1).is_none_or(|next| next.kind == TokenKind::Close);
            if ends || !begins_statement(file, at) {
                continue;
            }
            let known = !index.macros_named(file.krate, name).is_empty() || name == Symbol::MACRO_RULES;
            if known || evaluates(text) || prelude::is_standard_macro(text) || !named_closures(file, at, to).is_empty()
            {
                continue;
            }
            let names = (open..to).filter(|&at| file.symbol(at - 1) != Symbol::DOT).filter_map(|at| file.name(at));
            self.declared.names.extend(names);
        }
    }

    /// Imports of what the body declares, and those that may not be compiled.
    fn imports(&mut self, index: &Index, id: ItemId) {
        let scopes: Vec<_> = index.scopes.iter().filter(|scope| scope.owner == Some(id)).collect();
        let globs = scopes.iter().flat_map(|scope| scope.globs.iter().chain(&scope.nameless));
        self.declared.has_guarded_globs = globs.clone().any(|import| import.is_guarded);
        let bound: Vec<(Symbol, &Import)> = scopes
            .iter()
            .flat_map(|scope| &scope.names)
            .flat_map(|(&name, bindings)| bindings.iter().map(move |binding| (name, binding)))
            .filter_map(|(name, binding)| match binding {
                Binding::Import(import) => Some((name, import)),
                _ => None,
            })
            .collect();
        let mut known = usize::MAX;
        while known != self.declared.names.len() {
            known = self.declared.names.len();
            for (name, import) in &bound {
                let first = import.path.iter().find(|&&name| name != Symbol::SELF);
                if import.is_guarded || first.is_some_and(|first| self.declared.names.contains(first)) {
                    self.declared.names.insert(*name);
                }
            }
        }
    }
}

fn is_type(keyword: Symbol) -> bool {
    matches!(keyword, Symbol::STRUCT | Symbol::ENUM | Symbol::UNION)
}

/// What the blocks declare that stand around the tokens `from..to` in the body of an item, from the outside in: the
/// tokens of each declaration, import and macro call that is a statement. The body itself is none of them.
pub(crate) fn blocks(index: &Index, around: ItemId, from: usize, to: usize) -> Vec<(usize, usize)> {
    let item = index.item(around);
    let file = index.file_of(item);
    let mut found = Vec::new();
    let opens = item.keyword as usize..from;
    let around_it = opens.filter(|&at| file.is_open(at, b'{') && file.tokens[at].link as usize >= to);
    let is_body = |at: usize| item.kind == ItemKind::Fn && item.body == Some(at as u32);
    for open in around_it.filter(|&at| !is_body(at)) {
        let close = file.tokens[open].link as usize;
        let mut at = open + 1;
        while at < close {
            let next = statement(index, file, at, close);
            match next {
                Some((first, end)) => {
                    // What holds the place has blocks of its own.
                    if !(first <= from && to <= end) {
                        found.push((first, end));
                    }
                    at = end.max(at + 1);
                }
                None => at = file.after(at),
            }
        }
    }
    found
}

/// Whether the name of an item other than a module follows this keyword.
pub(crate) fn names_item(keyword: Symbol) -> bool {
    matches!(
        keyword,
        Symbol::CONST
            | Symbol::STATIC
            | Symbol::FN
            | Symbol::STRUCT
            | Symbol::ENUM
            | Symbol::UNION
            | Symbol::TYPE
            | Symbol::TRAIT
    )
}

/// The declaration, import or macro call that the token at `at` begins, or whose keyword it is.
fn statement(index: &Index, file: &File, at: usize, to: usize) -> Option<(usize, usize)> {
    let symbol = file.symbol(at);
    let declared = match symbol {
        keyword if names_item(keyword) => file.is_ident(at + 1) && file.symbol(at.wrapping_sub(1)) != Symbol::STAR,
        _ => file.tokens[at].kind == TokenKind::Ident && declares(file, symbol, at),
    };
    let called = || {
        let bang = called_macro(file, at).filter(|_| begins_statement(file, at))?;
        (!evaluates(index.symbols.text(file.symbol(bang - 1))) && file.is_ident(bang - 1)).then_some(())
    };
    if !declared && called().is_none() {
        return None;
    }
    let raw = split::item(file, at, to);
    Some((begin(file, at), raw.to))
}
