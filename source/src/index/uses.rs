//! `use` declarations: each name that they bring into scope, with the path that it stands for.

use crate::file::File;
use crate::symbol::Symbol;

/// One name of a `use` declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    /// The name in scope; `None` for `*`, `_` for `as _`.
    pub(crate) name: Option<Symbol>,
    pub(crate) path: Vec<Symbol>,
    /// Whether the path begins with `::`.
    pub(crate) global: bool,
}

/// The names of the declaration whose tree stands in `from..to`.
pub(crate) fn used(file: &File, from: usize, to: usize) -> Vec<Used> {
    let mut found = Vec::new();
    let global = file.symbol(from) == Symbol::COLON2;
    tree(file, from, to, &mut Vec::new(), global, &mut found);
    found
}

fn tree(file: &File, mut at: usize, to: usize, path: &mut Vec<Symbol>, global: bool, found: &mut Vec<Used>) {
    let length = path.len();
    while at < to {
        if file.is_open(at, b'{') {
            branches(file, at, path, global, found);
            path.truncate(length);
            return;
        }
        match file.symbol(at) {
            Symbol::COLON2 | Symbol::DOLLAR => {}
            Symbol::STAR => {
                found.push(Used { name: None, path: path.clone(), global });
                path.truncate(length);
                return;
            }
            Symbol::AS => break,
            symbol => path.push(symbol),
        }
        at += 1;
    }
    if path.len() > 1 && path.last() == Some(&Symbol::SELF) {
        path.pop();
    }
    let name = if at < to { file.symbol(at + 1) } else { path.last().copied().unwrap_or(Symbol::NONE) };
    if !path.is_empty() {
        found.push(Used { name: Some(name), path: path.clone(), global });
    }
    path.truncate(length);
}

fn branches(file: &File, open: usize, path: &mut Vec<Symbol>, global: bool, found: &mut Vec<Used>) {
    let close = file.tokens[open].link as usize;
    let global = global || (path.is_empty() && file.symbol(open.wrapping_sub(1)) == Symbol::COLON2);
    for (from, to) in crate::cfg::arguments(file, open + 1, close) {
        let branch_global = global || (path.is_empty() && file.symbol(from) == Symbol::COLON2);
        tree(file, from, to, path, branch_global, found);
    }
}
