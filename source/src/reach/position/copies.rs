//! Whether macros of the crate put the text at a position into several blocks of one function.
//!
//! Where such blocks declare things of one name, the text means another thing in each, and neither its tokens nor its path
//! tell. Nothing is expanded: what a macro may do counts.

use super::{Position, Sought, callers, token};
use crate::file::File;
use crate::index::{Index, Item, ItemId, ItemKind, begins_statement, blocks, called_macro, named_closures, names_item};
use crate::lex::TokenKind;
use crate::mention::evaluates;
use crate::prelude::is_standard_macro;
use crate::reach::elsewhere;
use crate::reads::call;
use crate::symbol::Symbol;

/// What macros of the crate do to the text at a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Copies {
    /// Nothing that is known: it stands once in its function.
    #[default]
    One,
    /// It may stand several times in a function, and means the same each time.
    Alike,
    /// It may stand several times in a function, where blocks declare other things.
    Apart,
}

/// What is done to the text at `position`, which the item `root` holds or makes.
pub(in crate::reach) fn copies(index: &Index, root: ItemId, position: &Position) -> Copies {
    let around = index.item(outermost(index, root));
    let range = (around.from as usize, around.to as usize);
    let Some(at) = token(index, around.file, range, position) else { return Copies::One };
    let mut search = CopySearch { index, position, is_repeated: false, declares: false };
    match defining(index, around.file, at) {
        Some(id) => {
            search.given(index.item(id), at, true);
            search.made(id);
        }
        None => search.given(around, at, true),
    }
    match (search.is_repeated, search.declares) {
        (false, _) => Copies::One,
        (true, false) => Copies::Alike,
        (true, true) => Copies::Apart,
    }
}

/// The innermost macro whose definition has the token.
fn defining(index: &Index, file: u32, at: usize) -> Option<ItemId> {
    let holds = |id: &ItemId| {
        let item = index.item(*id);
        item.file == file && (item.keyword..item.to).contains(&(at as u32))
    };
    index.macros.values().flatten().copied().filter(holds).min_by_key(|&id| index.item(id).to - index.item(id).keyword)
}

/// The outermost item in whose body an item stands, of the same file.
fn outermost(index: &Index, id: ItemId) -> ItemId {
    let file = index.item(id).file;
    elsewhere::around(index, id).into_iter().rfind(|&around| index.item(around).file == file).unwrap_or(id)
}

struct CopySearch<'a> {
    index: &'a Index,
    position: &'a Position,
    /// Whether the text may stand several times in a function.
    is_repeated: bool,
    /// Whether macros, or blocks into which they put it, declare anything.
    declares: bool,
}

impl CopySearch<'_> {
    /// Looks at the macros of the crate that are given the token at `at`, which may be the position itself.
    fn given(&mut self, item: &Item, at: usize, is_place: bool) {
        let file = self.index.file_of(item);
        let groups = file.groups_around(item.from as usize, at);
        // Copies of an item are two items, unless they stand in the body of a function.
        let is_in_body = item.kind != ItemKind::Call;
        for (nth, &open) in groups.iter().enumerate() {
            self.is_repeated |= file.symbol(open.wrapping_sub(1)) == Symbol::DOLLAR;
            let is_name = is_place && nth + 1 == groups.len();
            for &id in called(self.index, file, open) {
                self.is_repeated |= self.repeats(id, is_in_body, is_name);
                self.declares |= self.declared(id) || declares(self.index, file, inside(file, open), at);
            }
        }
    }

    /// Looks at the calls of the macro that makes the text, and of those that call it.
    fn made(&mut self, id: ItemId) {
        let mut all = vec![id];
        while let Some(callers) = callers(self.index, &all) {
            all.extend(callers);
        }
        let is_macro = |id: &ItemId| self.index.item(*id).kind == ItemKind::Macro;
        let makers: Vec<ItemId> = all.iter().copied().filter(is_macro).collect();
        for &id in &makers {
            self.declares |= self.declared(id);
            self.is_repeated |= self.index.macros_under(id).contains(&id);
        }
        for &id in &all {
            self.calls(id, &makers);
        }
    }

    /// Looks at the calls of `makers` in one item. Those in an `impl` or a module are its members'.
    fn calls(&mut self, id: ItemId, makers: &[ItemId]) {
        let item = self.index.item(id);
        if matches!(item.kind, ItemKind::Impl | ItemKind::Trait | ItemKind::Module) {
            return;
        }
        let file = self.index.file_of(item);
        let opens = (item.keyword as usize..item.to as usize).filter_map(|at| call(file, at)).map(|(_, open)| open);
        let calls: Vec<usize> =
            opens.filter(|&open| called(self.index, file, open).iter().any(|id| makers.contains(id))).collect();
        self.is_repeated |= calls.len() > 1;
        for open in calls {
            self.given(item, open, false);
            self.declares |= declares(self.index, file, inside(file, open), usize::MAX)
                || !blocks(self.index, id, open, open + 1).is_empty();
        }
    }

    /// Whether a macro, or one that it calls, may put a part of its input into a function twice.
    fn repeats(&self, id: ItemId, is_in_body: bool, is_name: bool) -> bool {
        let all = self.with_called(id);
        let makes_function = |&id: &ItemId| {
            let (file, (from, to)) = self.definition(id);
            (from..to).any(|at| file.symbol(at) == Symbol::FN)
        };
        let may_be = is_in_body || all.iter().any(makes_function);
        may_be && all.iter().any(|&id| self.repeats_by_itself(id, is_name))
    }

    fn repeats_by_itself(&self, id: ItemId, is_name: bool) -> bool {
        let (file, (from, to)) = self.definition(id);
        let mut at = from;
        while at < to {
            let end = file.after(at);
            let is_arm = file.symbol(end) == Symbol::FAT_ARROW;
            if is_arm && self.repeats_in_arm(file, at, end + 1, is_name) {
                return true;
            }
            at = end;
        }
        false
    }

    /// Whether one arm of a macro, a matcher and what it becomes, has a variable twice or in a repetition of others.
    fn repeats_in_arm(&self, file: &File, matcher: usize, body: usize, is_name: bool) -> bool {
        let (mut bound, mut used) = (Vec::new(), Vec::new());
        variables(file, inside(file, matcher), 0, &mut bound);
        variables(file, inside(file, body), 0, &mut used);
        bound.retain(|&(at, _)| file.symbol(at + 1) == Symbol::COLON);
        bound.into_iter().any(|(at, depth)| {
            let may_hold = is_code(file.text_of(at + 2));
            let puts = |&&(used, _): &&(usize, usize)| {
                file.symbol(used) == file.symbol(at) && (may_hold || is_name && self.puts_name(file, used))
            };
            let uses: Vec<_> = used.iter().filter(puts).collect();
            uses.len() > 1 || uses.iter().any(|(_, deeper)| *deeper > depth)
        })
    }

    /// Whether the variable at `at` is what names a function, or a closure.
    fn puts_name(&self, file: &File, at: usize) -> bool {
        match self.position.sought {
            Sought::Closure => file.symbol(at + 1) == Symbol::COMMA && file.symbol(at.wrapping_sub(3)) == Symbol::BANG,
            Sought::Function | Sought::Item => file.symbol(at.wrapping_sub(2)) == Symbol::FN,
            Sought::Type => matches!(file.symbol(at.wrapping_sub(2)), Symbol::STRUCT | Symbol::ENUM),
        }
    }

    /// Whether a macro, or one that it calls, declares anything.
    fn declared(&self, id: ItemId) -> bool {
        self.with_called(id).into_iter().any(|id| {
            let (file, tokens) = self.definition(id);
            declares(self.index, file, tokens, usize::MAX)
        })
    }

    fn with_called(&self, id: ItemId) -> Vec<ItemId> {
        [id].into_iter().chain(self.index.macros_under(id)).collect()
    }

    /// The arms of a macro.
    fn definition(&self, id: ItemId) -> (&File, (usize, usize)) {
        let item = self.index.item(id);
        let file = self.index.file_of(item);
        let open = (item.keyword as usize..item.to as usize).find(|&at| file.tokens[at].kind == TokenKind::Open);
        (file, open.map_or((0, 0), |open| inside(file, open)))
    }
}

/// The tokens of the group that `open` opens.
fn inside(file: &File, open: usize) -> (usize, usize) {
    (open + 1, file.tokens[open].link as usize)
}

/// The macros of the crate that may be meant where the group is their input.
fn called<'a>(index: &'a Index, file: &File, open: usize) -> &'a [ItemId] {
    match open.checked_sub(2) {
        Some(name) if file.symbol(open - 1) == Symbol::BANG => index.macros_named(file.krate, file.symbol(name)),
        _ => &[],
    }
}

/// The names behind each `$`, and how many repetitions are around them.
fn variables(file: &File, (from, to): (usize, usize), depth: usize, found: &mut Vec<(usize, usize)>) {
    let mut at = from;
    while at < to {
        if file.tokens[at].kind == TokenKind::Open {
            let deeper = depth + usize::from(file.symbol(at - 1) == Symbol::DOLLAR);
            variables(file, inside(file, at), deeper, found);
        } else if file.is_ident(at) && file.symbol(at - 1) == Symbol::DOLLAR {
            found.push((at, depth));
        }
        at = file.after(at);
    }
}

/// Whether a variable of this kind may hold a function or a closure, and not its name alone.
fn is_code(kind: &str) -> bool {
    !matches!(kind, "ident" | "literal" | "lifetime" | "vis" | "path" | "ty" | "meta")
}

/// Whether any token declares or imports something, but for the function whose name stands at `except`.
fn declares(index: &Index, file: &File, (from, to): (usize, usize), except: usize) -> bool {
    let declares = |at: usize| begins_declaration(file, at) || is_foreign_statement(index, file, at);
    (from..to).any(|at| at + 1 != except && declares(at))
}

fn begins_declaration(file: &File, at: usize) -> bool {
    let next = file.symbol(at + 1);
    match file.symbol(at) {
        keyword if names_item(keyword) || keyword == Symbol::MOD => {
            let is_no_item = matches!(file.symbol(at.wrapping_sub(1)), Symbol::STAR | Symbol::LT | Symbol::DOT);
            !is_no_item && (file.is_ident(at + 1) || next == Symbol::DOLLAR)
        }
        Symbol::USE => next != Symbol::LT,
        Symbol::EXTERN => next == Symbol::CRATE,
        Symbol::MACRO_RULES | Symbol::INCLUDE => next == Symbol::BANG,
        _ => false,
    }
}

/// Whether a macro of another crate is called where a statement begins, and goes on, which may declare something.
fn is_foreign_statement(index: &Index, file: &File, at: usize) -> bool {
    let Some((name, open)) = called_macro(file, at).and_then(|bang| call(file, bang - 1)) else { return false };
    let (text, to) = (index.symbols.text(name), file.tokens[open].link as usize);
    let is_value = file.tokens.get(to + 1).is_none_or(|next| next.kind == TokenKind::Close);
    begins_statement(file, at)
        && !is_value
        && index.macros_named(file.krate, name).is_empty()
        && !evaluates(text)
        && !is_standard_macro(text)
        && named_closures(file, at, to).is_empty()
}
