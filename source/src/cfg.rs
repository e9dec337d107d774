//! `cfg` predicates, decided as far as the compiler's arguments allow.

use crate::file::File;
use crate::lex::TokenKind;
use crate::session::Session;
use crate::symbol::{Symbol, Symbols};

/// Names that the compiler sets itself: its arguments don't say their values.
const BUILT_IN: [&str; 14] = [
    "debug_assertions",
    "unix",
    "windows",
    "panic",
    "overflow_checks",
    "ub_checks",
    "proc_macro",
    "miri",
    "doc",
    "doctest",
    "relocation_model",
    "fmt_debug",
    "version",
    "accessible",
];

/// Those of them that are stable, without a value.
pub(crate) const FLAGS: [&str; 7] = ["debug_assertions", "unix", "windows", "miri", "doc", "doctest", "proc_macro"];

/// Those of them that are stable, with a value.
pub(crate) const SETTINGS: [&str; 10] = [
    "panic",
    "target_abi",
    "target_arch",
    "target_endian",
    "target_env",
    "target_family",
    "target_feature",
    "target_os",
    "target_pointer_width",
    "target_vendor",
];

/// The value of the predicate in the tokens `from..to`, or `None` if the compiler's arguments don't tell.
pub(crate) fn decide(file: &File, from: usize, to: usize, session: &Session, symbols: &Symbols) -> Option<bool> {
    let name = file.tokens.get(from).filter(|token| from < to && token.kind == TokenKind::Ident)?.symbol;
    if from + 1 < to && file.is_open(from + 1, b'(') {
        let close = file.tokens[from + 1].link as usize;
        let inner = arguments(file, from + 2, close);
        let each = inner.iter().map(|&(from, to)| decide(file, from, to, session, symbols));
        return combine(name, each);
    }
    match symbols.text(name) {
        "true" => return Some(true),
        "false" => return Some(false),
        "test" => return Some(session.test),
        name if is_built_in(name) => return None,
        _ => {}
    }
    let set: String = (from..to).map(|at| file.text_of(at)).collect();
    let is_set = session.cfg.contains(&set);
    (is_set || !session.is_cfg_open).then_some(is_set)
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name) || name.starts_with("target_") || name.starts_with("sanitize")
}

/// Whether a predicate of another crate has the same value in the crate that is compiled. It may not: that crate may be
/// compiled as a test, and a crate of another package with `cfg`s of its own.
pub(crate) fn is_shared(predicate: &str, session: &Session) -> bool {
    let code = predicate.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let mut names = code.split(|character: char| !character.is_alphanumeric() && character != '_');
    names.all(|name| match name {
        "test" => false,
        "" | "all" | "any" | "not" | "true" | "false" => true,
        name => is_built_in(name) || !session.is_cfg_open,
    })
}

fn combine(name: Symbol, mut each: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let decisive = match name {
        Symbol::NOT => return each.next()?.map(|value| !value),
        Symbol::ALL => false,
        Symbol::ANY => true,
        _ => return None,
    };
    let mut open = false;
    for value in each {
        match value {
            Some(value) if value == decisive => return Some(decisive),
            Some(_) => {}
            None => open = true,
        }
    }
    if open { None } else { Some(!decisive) }
}

/// The ranges between the commas of the level `from..to`, empty ones left out.
pub(crate) fn arguments(file: &File, from: usize, to: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let (mut start, mut at) = (from, from);
    while at < to {
        if file.tokens[at].symbol == Symbol::COMMA {
            if start < at {
                found.push((start, at));
            }
            start = at + 1;
        }
        at = file.after(at);
    }
    if start < to {
        found.push((start, to));
    }
    found
}
