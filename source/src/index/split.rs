//! Cuts a level of tokens into items.

use crate::file::File;
use crate::lex::TokenKind;
use crate::symbol::Symbol;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ItemKind {
    Fn,
    Const,
    Static,
    Struct,
    Enum,
    Union,
    Alias,
    Trait,
    Impl,
    Module,
    /// `macro_rules!` or `macro`.
    Macro,
    /// A macro called where items stand.
    Call,
    Use,
    ExternCrate,
    ExternBlock,
    /// A file that an expression includes.
    Included,
    /// A closure that a macro is given after a name, as in `call!("name", |x| …)`: from the closure to the macro's end.
    Closure,
    Other,
}

impl ItemKind {
    pub(crate) fn is_type(self) -> bool {
        matches!(self, ItemKind::Struct | ItemKind::Enum | ItemKind::Union)
    }
}

/// An item's place among the tokens of a file: attributes from `from`, keyword at `keyword`, body group at `body`.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) kind: ItemKind,
    pub(crate) name: Symbol,
    pub(crate) from: usize,
    pub(crate) keyword: usize,
    pub(crate) body: Option<usize>,
    pub(crate) to: usize,
    /// Indices of the brackets of its attributes.
    pub(crate) attributes: Vec<usize>,
}

/// The item that begins at `from`; something is always taken, so that a caller gets to the end.
pub(crate) fn item(file: &File, from: usize, to: usize) -> Raw {
    let mut at = from;
    let mut attributes = Vec::new();
    while let Some(bracket) = attribute(file, at).filter(|_| at < to) {
        attributes.push(bracket);
        at = file.after(bracket);
    }
    at = after_visibility(file, at);
    at = after_modifiers(file, at);
    let mut raw = Raw { kind: ItemKind::Other, name: Symbol::NONE, from, keyword: at, body: None, to, attributes };
    if at >= to {
        return raw;
    }
    classify(file, &mut raw);
    finish(file, to, &mut raw);
    raw
}

/// The bracket of the attribute at `at`.
pub(crate) fn attribute(file: &File, at: usize) -> Option<usize> {
    if file.symbol(at) != Symbol::POUND {
        return None;
    }
    let bracket = if file.symbol(at + 1) == Symbol::BANG { at + 2 } else { at + 1 };
    file.is_open(bracket, b'[').then_some(bracket)
}

pub(crate) fn after_visibility(file: &File, at: usize) -> usize {
    if file.symbol(at) != Symbol::PUB {
        return at;
    }
    if !file.is_open(at + 1, b'(') {
        return at + 1;
    }
    // `pub (crate::A, f64)` is a tuple.
    let close = file.tokens[at + 1].link as usize;
    let is_scope = match file.symbol(at + 2) {
        Symbol::CRATE | Symbol::SELF | Symbol::SUPER => close == at + 3,
        first => first == Symbol::IN,
    };
    if is_scope { close + 1 } else { at + 1 }
}

fn after_modifiers(file: &File, mut at: usize) -> usize {
    loop {
        let next = file.symbol(at + 1);
        let modifier = match file.symbol(at) {
            Symbol::UNSAFE | Symbol::ASYNC | Symbol::GEN => true,
            Symbol::DEFAULT | Symbol::SAFE | Symbol::AUTO => file.is_ident(at + 1),
            Symbol::CONST => is_modified(next),
            Symbol::EXTERN => {
                let keyword = if file.tokens.get(at + 1).is_some_and(|token| token.kind == TokenKind::Literal) {
                    at + 2
                } else {
                    at + 1
                };
                if file.symbol(keyword) != Symbol::FN {
                    return at;
                }
                at = keyword;
                continue;
            }
            _ => false,
        };
        if !modifier {
            return at;
        }
        at += 1;
    }
}

fn is_modified(keyword: Symbol) -> bool {
    matches!(
        keyword,
        Symbol::FN | Symbol::UNSAFE | Symbol::ASYNC | Symbol::EXTERN | Symbol::GEN | Symbol::TRAIT | Symbol::IMPL
    )
}

fn classify(file: &File, raw: &mut Raw) {
    let at = raw.keyword;
    let kind = match file.symbol(at) {
        Symbol::FN => ItemKind::Fn,
        Symbol::CONST => ItemKind::Const,
        Symbol::STATIC => ItemKind::Static,
        Symbol::STRUCT => ItemKind::Struct,
        Symbol::ENUM => ItemKind::Enum,
        Symbol::UNION if file.name(at + 1).is_some() => ItemKind::Union,
        Symbol::TYPE => ItemKind::Alias,
        Symbol::TRAIT => ItemKind::Trait,
        Symbol::IMPL => ItemKind::Impl,
        Symbol::MOD => ItemKind::Module,
        Symbol::USE => ItemKind::Use,
        Symbol::EXTERN if file.symbol(at + 1) == Symbol::CRATE => ItemKind::ExternCrate,
        Symbol::EXTERN => ItemKind::ExternBlock,
        Symbol::MACRO => ItemKind::Macro,
        Symbol::MACRO_RULES if file.symbol(at + 1) == Symbol::BANG && file.is_ident(at + 2) => ItemKind::Macro,
        _ if called_macro(file, at).is_some() => ItemKind::Call,
        _ => ItemKind::Other,
    };
    let name_at = match kind {
        ItemKind::Macro if file.symbol(at) == Symbol::MACRO_RULES => at + 2,
        ItemKind::Static if file.symbol(at + 1) == Symbol::MUT => at + 2,
        ItemKind::ExternCrate => at + 2,
        _ => at + 1,
    };
    raw.kind = kind;
    if !matches!(kind, ItemKind::Impl | ItemKind::Call | ItemKind::Use | ItemKind::ExternBlock | ItemKind::Other) {
        raw.name = file.symbol(name_at);
    }
}

/// The `!` of `path::name!` at `at`.
pub(crate) fn called_macro(file: &File, mut at: usize) -> Option<usize> {
    if file.symbol(at) == Symbol::COLON2 || file.symbol(at) == Symbol::DOLLAR {
        at += 1;
    }
    while file.is_ident(at) {
        match file.symbol(at + 1) {
            Symbol::BANG => return Some(at + 1),
            Symbol::COLON2 => at += 2,
            _ => return None,
        }
    }
    None
}

/// Finds where the item ends, and its body.
fn finish(file: &File, to: usize, raw: &mut Raw) {
    let until_semicolon = matches!(
        raw.kind,
        ItemKind::Const | ItemKind::Static | ItemKind::Alias | ItemKind::Use | ItemKind::ExternCrate
    );
    if raw.kind == ItemKind::Other {
        raw.to = file.after(raw.keyword);
        return;
    }
    let mut at = raw.keyword;
    while at < to {
        let next = file.after(at);
        if file.symbol(at) == Symbol::SEMI {
            raw.to = next;
            return;
        }
        if !until_semicolon && file.is_open(at, b'{') && !is_const_argument(file, next) {
            raw.body = Some(at);
            raw.to = next;
            return;
        }
        at = next;
    }
    raw.to = to;
}

/// `Array<{ N + 1 }>`: no body is followed by a comma or by a `>`.
fn is_const_argument(file: &File, next: usize) -> bool {
    matches!(file.symbol(next), Symbol::COMMA | Symbol::GT | Symbol::SHR | Symbol::GE | Symbol::EQ)
}
