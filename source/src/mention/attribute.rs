//! What attributes mention: the paths among their tokens and in their strings.

use super::{Mention, Path, text};
use crate::file::{File, content};
use crate::index::{Attribute, Index, ItemId};
use crate::lex::TokenKind;
use crate::prelude::is_standard_derive;
use crate::symbol::Symbol;

/// Attributes of the compiler that name nothing.
const SILENT: [&str; 43] = [
    "allow",
    "automatically_derived",
    "cfg",
    "cold",
    "default",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "export_name",
    "feature",
    "forbid",
    "global_allocator",
    "ignore",
    "inline",
    "link",
    "link_name",
    "link_section",
    "macro_export",
    "macro_use",
    "must_use",
    "no_mangle",
    "no_std",
    "non_exhaustive",
    "panic_handler",
    "path",
    "proc_macro",
    "proc_macro_attribute",
    "proc_macro_derive",
    "recursion_limit",
    "repr",
    "rustfmt",
    "should_panic",
    "target_feature",
    "test",
    "track_caller",
    "type_length_limit",
    "unsafe",
    "warn",
    "clippy",
    "diagnostic",
    "debugger_visualizer",
    "instruction_set",
];

/// The options of `#[cache]` and `#[code]` that decide what a function returns.
pub(crate) const COUNTED_OPTIONS: [&str; 4] = ["version", "depends", "ignore", "round"];

/// Whether the attribute in `bracket` is `cache` or `code`, by any path: the index of its name.
pub(crate) fn caching(file: &File, bracket: usize) -> Option<usize> {
    let mut at = bracket + 1;
    while file.is_ident(at) && file.symbol(at + 1) == Symbol::COLON2 {
        at += 2;
    }
    matches!(file.symbol(at), Symbol::CACHE | Symbol::CODE).then_some(at)
}

/// Derives of other crates that give a type no method of its own crate's, and attributes that only say something to these.
const KNOWN: [&str; 15] = [
    "ContentHash",
    "Payload",
    "Serialize",
    "Deserialize",
    "Error",
    "Display",
    "Parser",
    "Args",
    "Subcommand",
    "ValueEnum",
    "Pod",
    "Zeroable",
    "serde",
    "error",
    "source",
];

/// Those of them that read docs.
const READING: [&str; 6] = ["Display", "Parser", "Args", "Subcommand", "ValueEnum", "error"];

fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || is_standard_derive(name)
}

/// Whether an attribute or derive of another crate stands before the item, which may make more of it than its text says.
pub(crate) fn is_remade(index: &Index, id: ItemId) -> bool {
    has_other(index, id, &is_known)
}

/// Whether an attribute or derive of another crate may turn the item's docs into values.
pub(crate) fn has_read_docs(index: &Index, id: ItemId) -> bool {
    has_other(index, id, &|name| is_known(name) && !READING.contains(&name))
}

/// Whether an attribute or derive stands before the item that is neither the compiler's nor known.
fn has_other(index: &Index, id: ItemId, known: &dyn Fn(&str) -> bool) -> bool {
    let item = index.item(id);
    let file = index.file_of(item);
    let mut at = item.from as usize;
    while let Some(bracket) = crate::index::attribute(file, at).filter(|_| at < item.keyword as usize) {
        if caching(file, bracket).is_none()
            && remakes(index, file, (bracket + 1, file.tokens[bracket].link as usize), known)
        {
            return true;
        }
        at = file.after(bracket);
    }
    false
}

/// Whether the attribute in these tokens makes the item anew.
fn remakes(index: &Index, file: &File, (from, to): (usize, usize), known: &dyn Fn(&str) -> bool) -> bool {
    let inner = |skipped: usize| crate::cfg::arguments(file, from + 2, to - 1).into_iter().skip(skipped);
    let is_list = file.is_open(from + 1, b'(');
    match file.symbol(from) {
        Symbol::DERIVE if is_list => inner(0).any(|(_, to)| !known(file.text_of(to - 1))),
        Symbol::CFG_ATTR if is_list => inner(1).any(|tokens| remakes(index, file, tokens, known)),
        name => !SILENT.contains(&index.symbols.text(name)) && !known(index.symbols.text(name)),
    }
}

pub(super) fn mentions(index: &Index, file: &File, bracket: usize, found: &mut Vec<Mention>) {
    let close = file.tokens[bracket].link as usize;
    if let Some(name) = caching(file, bracket) {
        return options(index, file, name, found);
    }
    match file.symbol(bracket + 1) {
        Symbol::DERIVE => derived(file, bracket + 3, close - 1, found),
        Symbol::CFG_ATTR if file.is_open(bracket + 2, b'(') => conditional(index, file, bracket, found),
        // What a macro's variable stands for is mentioned where the macro is called.
        Symbol::DOLLAR => {}
        name if SILENT.contains(&index.symbols.text(name)) => {}
        _ => custom(index, file, bracket + 1, close, found),
    }
}

/// The paths of `depends(…)`.
fn options(index: &Index, file: &File, name: usize, found: &mut Vec<Mention>) {
    if !file.is_open(name + 1, b'(') {
        return;
    }
    for (from, to) in crate::cfg::arguments(file, name + 2, file.tokens[name + 1].link as usize) {
        if COUNTED_OPTIONS.contains(&file.text_of(from)) && file.text_of(from) != "ignore" {
            tokens(index, file, from + 1, to, found);
        }
    }
}

fn derived(file: &File, from: usize, to: usize, found: &mut Vec<Mention>) {
    for (from, to) in crate::cfg::arguments(file, from, to) {
        let segments = (from..to).filter(|&at| file.is_ident(at)).map(|at| file.symbol(at)).collect();
        found.push(Mention::Attribute(Path { segments, global: false }));
    }
}

/// `cfg_attr(p, a, b)` mentions what `a` and `b` do.
fn conditional(index: &Index, file: &File, bracket: usize, found: &mut Vec<Mention>) {
    for Attribute { from, to, .. } in crate::index::attributes(file, bracket) {
        match file.symbol(from) {
            Symbol::DERIVE => derived(file, from + 2, to - 1, found),
            name if SILENT.contains(&index.symbols.text(name)) => {}
            _ => custom(index, file, from, to, found),
        }
    }
}

fn custom(index: &Index, file: &File, from: usize, to: usize, found: &mut Vec<Mention>) {
    let mut segments = vec![file.symbol(from)];
    let mut at = from;
    while file.symbol(at + 1) == Symbol::COLON2 && at + 2 < to {
        at += 2;
        segments.push(file.symbol(at));
    }
    found.push(Mention::Attribute(Path { segments, global: false }));
    tokens(index, file, at + 1, to, found);
}

/// Paths among tokens, and in strings.
fn tokens(index: &Index, file: &File, from: usize, to: usize, found: &mut Vec<Mention>) {
    let mut at = from;
    while at < to {
        if file.tokens[at].kind == TokenKind::Literal {
            strings(index, file.text_of(at), found);
        }
        let mut segments = Vec::new();
        while at < to && file.is_ident(at) {
            segments.push(file.symbol(at));
            if file.symbol(at + 1) != Symbol::COLON2 {
                break;
            }
            at += 2;
        }
        if !segments.is_empty() {
            found.push(Mention::Text(Path { segments, global: false }));
        }
        at += 1;
    }
}

fn strings(index: &Index, literal: &str, found: &mut Vec<Mention>) {
    for words in text::paths(content(literal).unwrap_or("")) {
        // A name that no file has leads nowhere.
        let segments: Option<Vec<Symbol>> = words.iter().map(|word| index.symbols.find(word)).collect();
        found.extend(segments.map(|segments| Mention::Text(Path { segments, global: false })));
    }
}
