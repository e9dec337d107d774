//! What a macro of this crate may do with its input, together with the macros that it calls.

use crate::file::File;
use crate::index::{CrateId, Index, ItemId, ItemKind, attribute};
use crate::lex::TokenKind;
use crate::mention::evaluates;
use crate::prelude::is_standard_macro;
use crate::symbol::{Map, Symbol};

/// What a macro looks up by a variable of its own, and whether it may read its input as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// Layout and docs of its input may become a value.
    pub(crate) text: bool,
    /// `cfg!(feature = $f)`, `#[cfg($p)]`, `#[$attribute]`
    pub(crate) cfg: bool,
    /// `env!($name)`, `option_env!($name)`
    pub(crate) env: bool,
    /// `include!($path)`, `include_str!($path)`, `include_bytes!($path)`
    pub(crate) file: bool,
    /// `$name!(…)`: any macro.
    pub(crate) called: bool,
}

impl Reads {
    fn add(&mut self, other: Reads) {
        self.text |= other.text;
        self.cfg |= other.cfg;
        self.env |= other.env;
        self.file |= other.file;
        self.called |= other.called;
    }

    /// What any macro may do.
    pub(crate) const ALL: Reads = Reads { text: true, cfg: true, env: true, file: true, called: true };
}

/// The reads of every macro of the crate, those of the macros that it calls included.
pub(crate) fn of_macros(index: &Index) -> Map<ItemId, Reads> {
    let macros = (0..index.items.len() as ItemId).filter(|&id| index.item(id).kind == ItemKind::Macro);
    let mut found: Map<ItemId, Reads> = macros.map(|id| (id, own(index, id))).collect();
    let calls: Vec<(ItemId, Vec<ItemId>)> = found.keys().map(|&id| (id, index.macros_in(id))).collect();
    loop {
        let before = found.clone();
        for (id, called) in &calls {
            for used in called {
                let used = found[used];
                found.entry(*id).or_default().add(used);
            }
        }
        if before == found {
            return found;
        }
    }
}

/// What one macro does by itself.
fn own(index: &Index, id: ItemId) -> Reads {
    let item = index.item(id);
    let file = index.file_of(item);
    let mut reads = Reads::default();
    for at in item.keyword as usize..item.to as usize {
        if let Some(bracket) = attribute(file, at) {
            reads.cfg |= is_open(file, bracket);
            reads.text |= reads_docs(file, bracket);
        }
        reads.text |= file.symbol(at) == Symbol::DOC;
        if let Some((name, open)) = call(file, at) {
            let to = file.tokens[open].link as usize;
            reads.add(called(index, file, name, open + 1, to, file.symbol(at.wrapping_sub(1)) == Symbol::DOLLAR));
        }
    }
    if reads.called { Reads::ALL } else { reads }
}

/// The name of the macro that is called at `at`, and the delimiter of its input.
pub(crate) fn call(file: &File, at: usize) -> Option<(Symbol, usize)> {
    let name = file.name(at).filter(|_| file.symbol(at + 1) == Symbol::BANG)?;
    file.tokens.get(at + 2).filter(|token| token.kind == TokenKind::Open).map(|_| (name, at + 2))
}

fn called(index: &Index, file: &File, name: Symbol, from: usize, to: usize, is_variable: bool) -> Reads {
    if is_variable {
        return Reads::ALL;
    }
    let open = has_variable(file, from, to);
    match name {
        Symbol::CFG | Symbol::CFG_SELECT => Reads { cfg: open, ..Reads::default() },
        Symbol::ENV | Symbol::OPTION_ENV => Reads { env: open, ..Reads::default() },
        Symbol::INCLUDE | Symbol::INCLUDE_STR | Symbol::INCLUDE_BYTES => Reads { file: open, ..Reads::default() },
        name => Reads { text: reads_text(index, file.krate, name), ..Reads::default() },
    }
}

/// Whether the tokens hold the variable of a macro.
pub(crate) fn has_variable(file: &File, from: usize, to: usize) -> bool {
    (from..to).any(|at| file.symbol(at) == Symbol::DOLLAR && file.symbol(at + 1) != Symbol::CRATE)
}

/// `#[cfg(…$p…)]` and `#[$attribute]`.
fn is_open(file: &File, bracket: usize) -> bool {
    let first = file.symbol(bracket + 1);
    let decides = matches!(first, Symbol::CFG | Symbol::CFG_ATTR);
    first == Symbol::DOLLAR || (decides && has_variable(file, bracket, file.tokens[bracket].link as usize))
}

/// `#[$name:ident = $value:literal]`
fn reads_docs(file: &File, bracket: usize) -> bool {
    let close = file.tokens[bracket].link as usize;
    file.symbol(bracket + 1) == Symbol::DOLLAR && (bracket..close).any(|at| file.symbol(at) == Symbol::EQ)
}

/// Whether a macro of that name may read its input as text, if none of this crate's has it.
fn reads_text(index: &Index, krate: CrateId, name: Symbol) -> bool {
    let text = index.symbols.text(name);
    text == "stringify" || !(evaluates(text) || is_standard_macro(text) || !index.macros_named(krate, name).is_empty())
}

impl Index {
    /// What a macro of that name may do with its input.
    pub(crate) fn reads_of(&self, krate: CrateId, name: Symbol) -> Reads {
        let mut reads = Reads { text: reads_text(self, krate, name), ..Reads::default() };
        for id in self.macros_named(krate, name) {
            reads.add(self.reads.get(id).copied().unwrap_or(Reads::ALL));
        }
        reads
    }
}
