//! What a body declares: imports, `impl`s, modules and macros, which get a scope of their own, and files that it includes.
//!
//! Functions and types that a body declares are no items of their own: they are tokens of the item that they stand in,
//! which counts where they are named from an item in that body (`declared`).

use super::load::{self, Context};
use super::split;
use super::{Index, Item, ItemId, ItemKind, Scope, ScopeId};
use crate::error::Result;
use crate::file::File;
use crate::lex::TokenKind;
use crate::symbol::Symbol;

/// Looks through an item's tokens behind its keyword.
pub(super) fn scan(index: &mut Index, context: &Context, id: ItemId) -> Result<()> {
    let item = index.item(id);
    let file = &index.files[item.file as usize];
    // What a macro makes counts with the macro, but what it imports has to be known.
    let imports_only = matches!(item.kind, ItemKind::Macro | ItemKind::Call);
    let declared = declarations(file, item.keyword as usize, item.to as usize, imports_only);
    let named = if imports_only { Vec::new() } else { named_closures(file, item.keyword as usize, item.to as usize) };
    if !declared.is_empty() {
        self::declared(index, context, id, declared)?;
    }
    closures(index, id, named);
    Ok(())
}

fn declared(index: &mut Index, context: &Context, id: ItemId, declared: Vec<usize>) -> Result<()> {
    let context = Context { parent: None, scope: body_scope(index, context.scope, id), ..context.clone() };
    for at in declared {
        let file = &index.files[context.file as usize];
        if file.symbol(at) == Symbol::INCLUDE {
            if let Some(path) = super::text::included_path(index, context.file, at + 2) {
                load::include_expression(index, &context, at, &path)?;
            }
            continue;
        }
        let raw = split::item(file, begin(file, at), file.tokens.len());
        load::body_item(index, &context, &raw)?;
    }
    Ok(())
}

/// Where the closure begins and ends in each `name!("…", |…| …)`.
pub(crate) fn named_closures(file: &File, from: usize, to: usize) -> Vec<(usize, usize)> {
    let begins = |&at: &usize| {
        let closure = if file.symbol(at + 2) == Symbol::MOVE { at + 3 } else { at + 2 };
        file.tokens[at].kind == TokenKind::Literal
            && file.symbol(at + 1) == Symbol::COMMA
            && matches!(file.symbol(closure), Symbol::OR | Symbol::OR2)
            && at >= from + 3
            && file.tokens[at - 1].kind == TokenKind::Open
            && file.symbol(at - 2) == Symbol::BANG
    };
    (from..to).filter(begins).map(|at| (at + 2, file.tokens[at - 1].link as usize)).collect()
}

/// The items that named closures are, in the scope of the item in which they stand.
fn closures(index: &mut Index, around: ItemId, named: Vec<(usize, usize)>) {
    for (from, to) in named {
        let item = index.item(around);
        let closure = Item {
            kind: ItemKind::Closure,
            name: Symbol::NONE,
            scope: item.scope,
            file: item.file,
            from: from as u32,
            keyword: from as u32,
            body: None,
            to: to as u32,
            parent: item.parent,
            guards: item.guards.clone(),
        };
        index.items.push(closure);
        index.closures.insert(index.items.len() as ItemId - 1, around);
    }
}

pub(super) fn body_scope(index: &mut Index, parent: ScopeId, id: ItemId) -> ScopeId {
    let scope = index.scopes.len() as ScopeId;
    let krate = index.scopes[parent as usize].krate;
    index.scopes.push(Scope { parent: Some(parent), is_body: true, owner: Some(id), krate, ..Scope::default() });
    index.items[id as usize].scope = scope;
    scope
}

/// The indices of the keywords that declare something.
fn declarations(file: &File, from: usize, to: usize, imports_only: bool) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = from;
    while at < to {
        let token = &file.tokens[at];
        let skipped = imports_only && !matches!(token.symbol, Symbol::USE | Symbol::INCLUDE);
        if token.kind == TokenKind::Ident && !skipped && declares(file, token.symbol, at) {
            found.push(at);
            if token.symbol == Symbol::IMPL || token.symbol == Symbol::MOD {
                // Its members look through their own bodies.
                at = split::item(file, at, to).to;
                continue;
            }
        }
        at += 1;
    }
    found
}

pub(super) fn declares(file: &File, symbol: Symbol, at: usize) -> bool {
    match symbol {
        // `impl Trait + use<'a>` is a bound.
        Symbol::USE => file.symbol(at + 1) != Symbol::LT,
        Symbol::IMPL => begins_statement(file, at),
        Symbol::MOD => {
            let ends = file.is_open(at + 2, b'{') || file.symbol(at + 2) == Symbol::SEMI;
            file.name(at + 1).is_some() && ends
        }
        Symbol::MACRO_RULES => file.symbol(at + 1) == Symbol::BANG,
        Symbol::INCLUDE => file.symbol(at + 1) == Symbol::BANG,
        _ => false,
    }
}

pub(crate) fn begins_statement(file: &File, at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    let text = file.text_of(before);
    file.symbol(before) == Symbol::UNSAFE || matches!(text, ";" | "{" | "}" | "]")
}

/// The first attribute of what is declared at `at`, so that its `cfg` counts.
pub(super) fn begin(file: &File, mut at: usize) -> usize {
    while let Some(bracket) = file.opening(at) {
        let pound = bracket.wrapping_sub(1);
        if !file.is_open(bracket, b'[') || file.symbol(pound) != Symbol::POUND {
            break;
        }
        at = pound;
    }
    at
}
