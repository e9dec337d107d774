//! Finds the function that a caller asks about.

mod copies;

use std::path::{Path, PathBuf};

use super::elsewhere;
use super::step::Step;
use crate::error::{Error, Result};
use crate::index::{Index, Item, ItemId, ItemKind, OWN};
use crate::lex::TokenKind;
use crate::symbol::Symbol;

pub use copies::Copies;
pub(super) use copies::copies;

/// What is looked for at a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sought {
    /// A function, or the macro that makes it.
    #[default]
    Function,
    /// An item of any kind; an `impl` by its keyword.
    Item,
    /// A type, together with what it does for code that knows it by a trait alone: each `impl` of a trait whose header names
    /// it, and each of another crate's trait whose header names a type that counts. One that a macro makes isn't found.
    Type,
    /// A closure behind a literal, as in `call!("name", |x| …)`.
    Closure,
}

/// Where an item's name stands, as the compiler reports it to a macro.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The file, relative to the compiler's folder or not.
    pub file: PathBuf,
    /// The line, counted from one.
    pub line: usize,
    /// The column in characters, counted from one; 0 if it isn't known.
    pub column: usize,
    /// The item's name, without `r#`; `impl`; or the literal before a closure, as it is written.
    pub name: String,
    /// What has that name.
    pub sought: Sought,
}

/// The items of each file, so that a function is found without a look at all of them.
pub(super) fn items_by_file(index: &Index) -> Vec<Vec<ItemId>> {
    let mut items = vec![Vec::new(); index.files.len()];
    for (id, item) in index.items.iter().enumerate() {
        items[item.file as usize].push(id as ItemId);
    }
    items
}

/// What is found at a position.
pub(super) struct Roots {
    pub(super) items: Vec<ItemId>,
    /// Whether it is what was looked for, and not what makes it or what it stands in.
    pub(super) is_sought: bool,
}

/// The functions of that name whose lines hold the position, the innermost ones; else the macro, or the call of one, that
/// makes the function; else the item in whose body it stands. A file that two modules have gives one of each.
pub(super) fn roots(index: &Index, items_by_file: &[Vec<ItemId>], position: &Position) -> Result<Roots> {
    let name = index.symbols.find_name(&position.name);
    let mut sought = Vec::new();
    let (mut calls, mut around) = (Vec::new(), Vec::new());
    for file in files(index, &position.file) {
        for &id in &items_by_file[file] {
            let item = index.item(id);
            if !holds(index, item, position.line) {
                continue;
            }
            match item.kind {
                _ if is_sought(index, item, position, name) => sought.push(id),
                ItemKind::Call | ItemKind::Macro => calls.push(id),
                ItemKind::Fn | ItemKind::Const | ItemKind::Static => around.push(id),
                _ => {}
            }
        }
    }
    let is_sought = !sought.is_empty();
    let exact = |&id: &ItemId| is_at_column(index, index.item(id), position);
    if sought.iter().any(exact) {
        sought.retain(exact);
    }
    let found = [sought, calls, around].into_iter().find(|found| !found.is_empty());
    let items = innermost(index, found.unwrap_or_default());
    let items = items.ok_or_else(|| Error::nowhere(&position.file, position.line, &position.name))?;
    Ok(Roots { items, is_sought })
}

/// What the blocks declare that stand around an item which a body declares: an item of the same text may stand in a
/// sibling block, and differ only by this.
pub(super) fn blocks(index: &Index, roots: &Roots, position: &Position) -> Vec<Step> {
    let mut found = Vec::new();
    for &id in roots.items.iter().filter(|_| !roots.is_sought) {
        let item = index.item(id);
        if let Some(at) = token(index, item.file, (item.keyword as usize + 2, item.to as usize), position) {
            found.extend(elsewhere::blocks(index, id, (at as u32, at as u32 + 1)));
        }
    }
    found
}

/// The token between `from` and `to` that says the name where the position is; if none has the column, the first of the line.
fn token(index: &Index, file: u32, (from, to): (usize, usize), position: &Position) -> Option<usize> {
    let (file, name) = (&index.files[file as usize], index.symbols.find_name(&position.name));
    let says = |at: usize| match position.sought {
        Sought::Closure => file.tokens[at].kind == TokenKind::Literal && file.text_of(at) == position.name,
        Sought::Function | Sought::Item | Sought::Type => Some(file.symbol(at)) == name,
    };
    let on_line: Vec<usize> = (from..to).filter(|&at| says(at) && file.line(at) == position.line).collect();
    on_line.iter().find(|&&at| file.column(at) == position.column).or(on_line.first()).copied()
}

/// Whether what names the item stands in the column of the position: several of one name may stand in a line.
fn is_at_column(index: &Index, item: &Item, position: &Position) -> bool {
    let file = index.file_of(item);
    let named = match item.kind {
        ItemKind::Closure => item.from as usize - 2,
        ItemKind::Impl => item.keyword as usize,
        _ => item.keyword as usize + 1,
    };
    file.line(named) == position.line && file.column(named) == position.column
}

fn is_sought(index: &Index, item: &Item, position: &Position, name: Option<Symbol>) -> bool {
    let file = index.file_of(item);
    let is_named = Some(item.name) == name && item.name != Symbol::NONE;
    match (position.sought, item.kind) {
        (_, ItemKind::Fn) => is_named && position.sought != Sought::Closure,
        (Sought::Closure, ItemKind::Closure) => {
            let literal = item.from as usize - 2;
            file.text_of(literal) == position.name && file.line(literal) == position.line
        }
        (Sought::Item, ItemKind::Impl) => position.name == "impl" && file.line(item.keyword as usize) == position.line,
        (
            Sought::Item,
            ItemKind::Const
            | ItemKind::Static
            | ItemKind::Struct
            | ItemKind::Enum
            | ItemKind::Union
            | ItemKind::Alias
            | ItemKind::Trait
            | ItemKind::Macro,
        ) => is_named,
        (Sought::Type, ItemKind::Struct | ItemKind::Enum) => is_named,
        _ => false,
    }
}

/// The further items that call a macro among `roots`, if there are any: a function in a macro is made by each of them.
pub(super) fn callers(index: &Index, roots: &[ItemId]) -> Option<Vec<ItemId>> {
    if roots.iter().all(|&id| index.item(id).kind != ItemKind::Macro) {
        return None;
    }
    let calls = |&id: &ItemId| {
        !roots.contains(&id)
            && !index.closures.contains_key(&id)
            && index.macros_in(id).iter().any(|used| roots.contains(used))
    };
    let found: Vec<ItemId> = (0..index.items.len() as ItemId).filter(calls).collect();
    (!found.is_empty()).then_some(found)
}

/// The numbers of a file: by its path as it was read, else by what it ends with, else by what the file system says.
fn files(index: &Index, path: &Path) -> Vec<usize> {
    let those = |is_it: &dyn Fn(&Path) -> bool| {
        let files = index.files.iter().enumerate().filter(|(_, file)| file.krate == OWN);
        files.filter(|(_, file)| is_it(&file.path)).map(|(number, _)| number).collect::<Vec<_>>()
    };
    let exact = those(&|known| known.as_os_str() == path.as_os_str());
    if !exact.is_empty() {
        return exact;
    }
    let same = those(&|known| known.file_name() == path.file_name() && same(known, path));
    if same.is_empty() { those(&|known| known.ends_with(path)) } else { same }
}

fn same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn holds(index: &Index, item: &Item, line: usize) -> bool {
    let file = index.file_of(item);
    file.line(item.from as usize) <= line && line <= file.line(item.to as usize - 1)
}

fn innermost(index: &Index, found: Vec<ItemId>) -> Option<Vec<ItemId>> {
    let length = |&id: &ItemId| index.item(id).to - index.item(id).from;
    let shortest = found.iter().map(length).min()?;
    Some(found.into_iter().filter(|id| length(id) == shortest).collect())
}
