//! What an item's tokens take from the build, as `cfg!`, `env!`, `include_str!` and their like do.

mod passed;

use crate::cfg;
use crate::file::File;
use crate::index::{Index, ItemId, attribute, evaluated};
use crate::reach::Fact;
use crate::symbol::Symbol;

pub(crate) use passed::{Passed, folders, passed};

/// The facts of an item's tokens, each once, in the order of first mention.
///
/// Without those of `#[cfg(…)]` before the item: they are decided already, or among `Item::guards`.
pub(crate) fn of(index: &Index, id: ItemId) -> Vec<Fact> {
    let item = index.item(id);
    let mut reader = FactReader { index, file: index.file_of(item), id, found: Vec::new() };
    let mut at = item.from as usize;
    while at < item.to as usize {
        let is_guard =
            at < item.keyword as usize && attribute(reader.file, at).is_some_and(|bracket| reader.is_cfg(bracket));
        at = if is_guard { at + 1 } else { reader.token(at) };
    }
    reader.found
}

struct FactReader<'a> {
    index: &'a Index,
    file: &'a File,
    id: ItemId,
    found: Vec<Fact>,
}

impl FactReader<'_> {
    /// Notes the fact that begins at the token `at`, if one does, and returns the next token to look at.
    fn token(&mut self, at: usize) -> usize {
        let file = self.file;
        if let Some(bracket) = attribute(file, at) {
            self.conditions(bracket);
            return at + 1;
        }
        if file.symbol(at + 1) != Symbol::BANG || file.tokens.get(at + 2).is_none_or(|token| token.link == 0) {
            return at + 1;
        }
        let (from, to) = (at + 3, file.tokens[at + 2].link as usize);
        match file.symbol(at) {
            Symbol::CFG => self.predicate(from, to),
            Symbol::CFG_SELECT => self.select(from, to),
            Symbol::ENV | Symbol::OPTION_ENV => self.environment(from, to),
            Symbol::INCLUDE | Symbol::INCLUDE_STR | Symbol::INCLUDE_BYTES => {
                // An `env!` in the path isn't a fact: the file counts, not where it lies.
                if let Some(path) = evaluated(self.index, file, from, to, &[]) {
                    self.include(&path);
                    return to;
                }
            }
            Symbol::MODULE_PATH => self.push(Fact::ModulePath),
            _ => {}
        }
        at + 1
    }

    fn is_cfg(&self, bracket: usize) -> bool {
        self.file.symbol(bracket + 1) == Symbol::CFG
    }

    fn push(&mut self, fact: Fact) {
        if !self.found.contains(&fact) {
            self.found.push(fact);
        }
    }

    fn conditions(&mut self, bracket: usize) {
        self.condition(bracket + 1, self.file.tokens[bracket].link as usize);
    }

    /// `cfg(p)`, and `cfg_attr(p, …)` with what stands in it.
    fn condition(&mut self, from: usize, to: usize) {
        let file = self.file;
        if !file.is_open(from + 1, b'(') {
            return;
        }
        match file.symbol(from) {
            Symbol::CFG => self.predicate(from + 2, to - 1),
            Symbol::CFG_ATTR => {
                let arguments = cfg::arguments(file, from + 2, to - 1);
                let Some((&(from, to), added)) = arguments.split_first() else { return };
                self.predicate(from, to);
                added.iter().for_each(|&(from, to)| self.condition(from, to));
            }
            _ => {}
        }
    }

    fn predicate(&mut self, from: usize, to: usize) {
        // What a macro's variable may stand for is tried where the macro is called (`passed`).
        if (from..to).any(|at| self.file.symbol(at) == Symbol::DOLLAR) {
            return;
        }
        let value = cfg::decide(self.file, from, to, self.index.session_of(self.file), &self.index.symbols);
        let text = self.index.words(self.index.item(self.id).file, from, to);
        self.push(Fact::Cfg(text, value));
    }

    /// The predicate `p` of each arm `p => …`; the arms themselves are looked through as other tokens are.
    fn select(&mut self, from: usize, to: usize) {
        let file = self.file;
        let (mut start, mut at) = (from, from);
        while at < to {
            if file.symbol(at) == Symbol::FAT_ARROW && file.symbol(start) != Symbol::UNDERSCORE {
                self.predicate(start, at);
            }
            if file.symbol(at) == Symbol::COMMA || file.is_open(at, b'{') {
                start = file.after(at);
            }
            at = file.after(at);
        }
    }

    fn environment(&mut self, from: usize, to: usize) {
        if let Some(name) = evaluated(self.index, self.file, from, to, &[]) {
            self.push(Fact::Env(name));
        }
    }

    /// A path is looked for beside the item's file; that of a macro beside every file, as any may call it.
    fn include(&mut self, path: &str) {
        for path in folders(self.index, self.id).iter().map(|folder| folder.join(path)).filter(|path| path.is_file()) {
            self.push(Fact::Include(path));
        }
    }
}
