//! Finds the function that a caller asks about.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::index::{Index, Item, ItemId, ItemKind};

/// Where a function's name stands, as the compiler tells a macro.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the compiler's folder or not.
    pub file: PathBuf,
    /// The line, counted from one.
    pub line: usize,
    /// The function's name, without `r#`.
    pub name: String,
}

/// The functions of that name whose lines hold the place, the innermost ones; else the macro call that stands there, which
/// makes the function. A file that two modules have gives one of each.
pub(super) fn roots(index: &Index, place: &Place) -> Result<Vec<ItemId>> {
    let files: Vec<u32> = (0..index.files.len() as u32).filter(|&file| is_file(index, file, &place.file)).collect();
    let name = index.symbols.find(&place.name);
    let mut functions = Vec::new();
    let mut calls = Vec::new();
    for (id, item) in index.items.iter().enumerate() {
        if !files.contains(&item.file) || !holds(index, item, place.line) {
            continue;
        }
        match item.kind {
            ItemKind::Fn if Some(item.name) == name => functions.push(id as ItemId),
            ItemKind::Call | ItemKind::Macro | ItemKind::Fn | ItemKind::Const | ItemKind::Static => {
                calls.push(id as ItemId);
            }
            _ => {}
        }
    }
    let found = if functions.is_empty() { calls } else { functions };
    innermost(index, found).ok_or_else(|| Error::nowhere(&place.file, place.line, &place.name))
}

fn is_file(index: &Index, file: u32, path: &Path) -> bool {
    let known = &index.files[file as usize].path;
    known == path || known.ends_with(path) || (known.file_name() == path.file_name() && same(known, path))
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
