//! `use` declarations: each name that they bring into scope, with the path that it stands for.

use super::{Binding, Index};
use crate::file::File;
use crate::symbol::{Map, Symbol};

/// What imports give another name, by that name: the names of their paths.
pub(crate) fn renamed(index: &Index) -> Map<Symbol, Vec<Symbol>> {
    let mut found: Map<Symbol, Vec<Symbol>> = Map::default();
    for (&name, bindings) in index.scopes.iter().flat_map(|scope| &scope.names) {
        for binding in bindings {
            if let Binding::Import(import) = binding
                && import.path.last() != Some(&name)
            {
                let names = import.path.iter().copied().filter(|segment| !segment.is_keyword());
                found.entry(name).or_default().extend(names);
            }
        }
    }
    for names in found.values_mut() {
        names.sort_unstable();
        names.dedup();
    }
    found
}

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
    used_with(file, from, to, &[])
}

/// The names of a declaration in a macro, with paths for its variables.
pub(super) fn used_with(file: &File, from: usize, to: usize, values: &[(Symbol, Vec<Symbol>)]) -> Vec<Used> {
    let global = file.symbol(from) == Symbol::COLON2;
    let mut trees = Trees { file, values, found: Vec::new() };
    trees.tree(from, to, &mut Vec::new(), global);
    trees.found
}

struct Trees<'a> {
    file: &'a File,
    values: &'a [(Symbol, Vec<Symbol>)],
    found: Vec<Used>,
}

impl Trees<'_> {
    fn tree(&mut self, mut at: usize, to: usize, path: &mut Vec<Symbol>, global: bool) {
        let (file, length) = (self.file, path.len());
        while at < to {
            // `{$($name),*}` of a macro has a parenthesis more.
            if file.is_open(at, b'{') || file.is_open(at, b'(') {
                self.branches(at, path, global);
                path.truncate(length);
                return;
            }
            match file.symbol(at) {
                Symbol::COLON2 | Symbol::DOLLAR => {}
                Symbol::STAR => {
                    self.found.push(Used { name: None, path: path.clone(), global });
                    path.truncate(length);
                    return;
                }
                Symbol::AS => break,
                _ => path.extend(self.value(at)),
            }
            at += 1;
        }
        if path.len() > 1 && path.last() == Some(&Symbol::SELF) {
            path.pop();
        }
        let name = if at < to { self.renamed(at) } else { path.last().copied() };
        if !path.is_empty() {
            self.found.push(Used { name: Some(name.unwrap_or(Symbol::NONE)), path: path.clone(), global });
        }
        path.truncate(length);
    }

    /// The name behind `as`.
    fn renamed(&self, at: usize) -> Option<Symbol> {
        let name = if self.file.symbol(at + 1) == Symbol::DOLLAR { at + 2 } else { at + 1 };
        self.value(name).last().copied()
    }

    /// A segment, or what a variable stands for.
    fn value(&self, at: usize) -> Vec<Symbol> {
        let symbol = self.file.symbol(at);
        let is_variable = at > 0 && self.file.symbol(at - 1) == Symbol::DOLLAR;
        let value = self.values.iter().find(|(name, _)| is_variable && *name == symbol);
        value.map_or_else(|| vec![symbol], |(_, value)| value.clone())
    }

    fn branches(&mut self, open: usize, path: &mut Vec<Symbol>, global: bool) {
        let file = self.file;
        let close = file.tokens[open].link as usize;
        let global = global || (path.is_empty() && file.symbol(open.wrapping_sub(1)) == Symbol::COLON2);
        for (from, to) in crate::cfg::arguments(file, open + 1, close) {
            let branch_global = global || (path.is_empty() && file.symbol(from) == Symbol::COLON2);
            self.tree(from, to, path, branch_global);
        }
    }
}
