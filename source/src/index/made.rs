//! What calls of this crate's macros declare: modules, included files and imports.
//!
//! Nothing is expanded: whatever names a call holds are tried for every variable of a macro.

use std::path::{Path, PathBuf};

use super::load::{self, Context};
use super::split::{self, Raw};
use super::text::folder;
use super::{Import, Index, Item, ItemId, ItemKind, ScopeId, uses};
use crate::error::Result;
use crate::facts;
use crate::file::File;
use crate::lex::TokenKind;
use crate::reads::{call, has_variable};
use crate::symbol::{Set, Symbol};

/// More combinations of names aren't tried.
const MOST: usize = 4_096;

/// A name that a variable may stand for, as a path.
type VariablePath = Vec<Symbol>;

/// What a macro declares by the tokens `from..to` of its own.
struct MacroDeclaration {
    id: ItemId,
    keyword: Symbol,
    from: usize,
    to: usize,
}

/// Takes up what the calls where items stand declare, those of the files that they bring included.
pub(super) fn calls(index: &mut Index) -> Result<()> {
    let mut at = 0;
    while at < index.calls.len() {
        let id = index.calls[at];
        at += 1;
        let Some(context) = index.contexts.get(&id).cloned() else { continue };
        let declared = declared(index, id);
        if declared.is_empty() {
            continue;
        }
        let values = values(index, id);
        for declared in declared {
            match declared.keyword {
                Symbol::MOD => module(index, &context, id, &declared, &values)?,
                Symbol::USE => import(index, context.scope, &declared, &values),
                _ => include(index, &context, id, &declared)?,
            }
        }
    }
    Ok(())
}

/// Takes up what the calls in bodies import and include.
pub(super) fn bodies(index: &mut Index) {
    let declares = |index: &Index, id: ItemId| own(index, id).iter().any(|declared| declared.keyword != Symbol::MOD);
    let macros: Vec<ItemId> = index.macros.values().flatten().copied().collect();
    if !macros.into_iter().any(|id| declares(index, id)) {
        return;
    }
    for id in 0..index.items.len() as ItemId {
        if let Some(&around) = index.closures.get(&id) {
            // The body around it has been looked through before.
            index.items[id as usize].scope = index.item(around).scope;
        }
        let kind = index.item(id).kind;
        let kinds = [ItemKind::Fn, ItemKind::Const, ItemKind::Static, ItemKind::Included, ItemKind::Closure];
        if kinds.contains(&kind) {
            body(index, id);
        }
    }
}

fn body(index: &mut Index, id: ItemId) {
    let declared = declared(index, id);
    if declared.iter().any(|declared| declared.keyword == Symbol::USE) {
        let (values, around) = (values(index, id), index.item(id).scope);
        let scope = super::body::body_scope(index, around, id);
        for declared in declared.iter().filter(|declared| declared.keyword == Symbol::USE) {
            import(index, scope, declared, &values);
        }
    }
    for declared in declared.iter().filter(|declared| declared.keyword == Symbol::INCLUDE) {
        let folder = folder(&index.file_of(index.item(id)).path);
        for path in included(index, id, declared, &folder) {
            // A file that isn't Rust is the compiler's to refuse.
            let _ = made_expression(index, id, &path);
        }
    }
}

/// The macros that an item's tokens call, and those that these call in turn.
pub(super) fn macros(index: &Index, id: ItemId) -> Vec<ItemId> {
    let (mut found, mut seen, mut at) = (index.macros_in(id), Set::default(), 0);
    found.retain(|&id| seen.insert(id));
    while at < found.len() {
        let called = index.macros_in(found[at]);
        found.extend(called.into_iter().filter(|&id| seen.insert(id)));
        at += 1;
    }
    found
}

fn declared(index: &Index, id: ItemId) -> Vec<MacroDeclaration> {
    index.macros_under(id).into_iter().flat_map(|id| own(index, id)).collect()
}

/// What one macro declares.
fn own(index: &Index, id: ItemId) -> Vec<MacroDeclaration> {
    let item = index.item(id);
    let (file, to) = (index.file_of(item), item.to as usize);
    let mut found = Vec::new();
    for at in item.keyword as usize..to {
        let keyword = file.symbol(at);
        let end = match keyword {
            Symbol::MOD => Some(at + 1 + usize::from(file.symbol(at + 1) == Symbol::DOLLAR))
                .filter(|&name| file.is_ident(name) && file.symbol(name + 1) == Symbol::SEMI),
            Symbol::USE if file.symbol(at + 1) != Symbol::LT => (at..to).find(|&end| file.symbol(end) == Symbol::SEMI),
            Symbol::INCLUDE => call(file, at).map(|(_, open)| file.tokens[open].link as usize),
            _ => None,
        };
        found.extend(end.map(|to| MacroDeclaration { id, keyword, from: at, to }));
    }
    found
}

/// The names and paths that the item's calls, and those of the macros that it calls, hold.
pub(super) fn values(index: &Index, id: ItemId) -> Vec<VariablePath> {
    let mut found: Vec<VariablePath> = Vec::new();
    for id in std::iter::once(id).chain(index.macros_under(id)) {
        let item = index.item(id);
        let file = index.file_of(item);
        let mut end = 0;
        for at in item.keyword as usize..item.to as usize {
            if let Some((name, open)) = call(file, at)
                && !index.macros_named(file.krate, name).is_empty()
            {
                end = end.max(file.tokens[open].link as usize);
            }
            if at < end && file.is_ident(at) && file.symbol(at + 1) != Symbol::BANG {
                found.push(path(file, at));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn path(file: &File, mut at: usize) -> VariablePath {
    let mut path = vec![file.symbol(at)];
    while file.symbol(at + 1) == Symbol::COLON2 && file.is_ident(at + 2) {
        at += 2;
        path.push(file.symbol(at));
    }
    path
}

/// `mod name;` and `mod $name;`: each name that has a file.
fn module(
    index: &mut Index,
    context: &Context,
    id: ItemId,
    declared: &MacroDeclaration,
    values: &[VariablePath],
) -> Result<()> {
    let item = index.item(declared.id);
    let (number, file) = (item.file, index.file_of(item));
    let from = super::body::begin(file, declared.from);
    let mut raw = split::item(file, from, file.tokens.len());
    raw.to = declared.to + 2;
    raw.body = None;
    let is_variable = file.symbol(declared.from + 1) == Symbol::DOLLAR;
    // The module's file is looked for from the folder of the call, while its attributes stand in the file of the macro.
    let context = Context { file: number, ..context.clone() };
    if !is_variable {
        raw.name = file.symbol(declared.from + 1);
        raw.kind = ItemKind::Module;
        return made_module(index, &context, &raw, id);
    }
    let mut is_found = false;
    let names: Vec<Symbol> = values.iter().filter(|value| value.len() == 1).map(|value| value[0]).collect();
    for name in names.into_iter().filter(|name| !name.is_keyword()) {
        raw.name = name;
        raw.kind = ItemKind::Module;
        if has_file(index, &context, name) {
            is_found = true;
            made_module(index, &context, &raw, id)?;
        }
    }
    if !is_found {
        let name = index.item(declared.id).name;
        index.unfound.insert(id, name);
    }
    Ok(())
}

/// `include!("file")` and `include!($file)` where items stand.
fn include(index: &mut Index, context: &Context, id: ItemId, declared: &MacroDeclaration) -> Result<()> {
    let folder = folder(&index.files[context.file as usize].path);
    for path in included(index, id, declared, &folder) {
        made_file(index, context, &path, id)?;
    }
    Ok(())
}

/// The files of code that a macro includes for the item which calls it.
fn included(index: &Index, id: ItemId, declared: &MacroDeclaration, folder: &Path) -> Vec<PathBuf> {
    let file = index.file_of(index.item(declared.id));
    let mut paths = match has_variable(file, declared.from, declared.to) {
        true => facts::passed(index, id).files,
        false => {
            let text = super::evaluated(index, file, declared.from + 3, declared.to, &[]);
            text.map(|text| folder.join(text)).into_iter().collect()
        }
    };
    paths.retain(|path| path.is_file());
    paths
}

/// Imports with each name for each variable.
fn import(index: &mut Index, scope: ScopeId, declared: &MacroDeclaration, values: &[VariablePath]) {
    let item: &Item = index.item(declared.id);
    let file = index.file_of(item);
    let mut variables: Vec<Symbol> = (declared.from..declared.to)
        .filter(|&at| file.symbol(at) == Symbol::DOLLAR && file.symbol(at + 1) != Symbol::CRATE)
        .filter(|&at| file.tokens[at + 1].kind == TokenKind::Ident)
        .map(|at| file.symbol(at + 1))
        .collect();
    variables.sort_unstable();
    variables.dedup();
    let mut combinations: Vec<Vec<(Symbol, VariablePath)>> = vec![Vec::new()];
    for variable in variables {
        let longer = combinations.iter().flat_map(|known| {
            values.iter().map(move |value| [known.as_slice(), &[(variable, value.clone())]].concat())
        });
        combinations = longer.take(MOST).collect();
    }
    let mut used = Vec::new();
    for values in combinations {
        used.extend(uses::used_with(file, declared.from + 1, declared.to, &values));
    }
    for used in used {
        let import = Import { path: used.path, global: used.global, is_guarded: false };
        if import.path.first().is_some_and(|&first| first != Symbol::NONE) {
            load::bind_import(index, scope, used.name, import);
        }
    }
}

/// A module that a macro call makes, which counts with what is in it.
pub(super) fn made_module(index: &mut Index, context: &Context, raw: &Raw, call: ItemId) -> Result<()> {
    let scope = index.scopes.len();
    load::module(index, context, raw, context.guards.clone())?;
    if let Some(scope) = index.scopes.get_mut(scope) {
        scope.made_by = Some(call);
    }
    Ok(())
}

/// A file that a macro call includes where items stand.
fn made_file(index: &mut Index, context: &Context, path: &Path, call: ItemId) -> Result<()> {
    let from = index.items.len() as ItemId;
    load::include_items(index, context, path)?;
    index.made.extend((from..index.items.len() as ItemId).map(|id| (id, call)));
    Ok(())
}

/// Whether `mod name;` has a file.
fn has_file(index: &Index, context: &Context, name: Symbol) -> bool {
    let name = index.symbols.text(name).trim_start_matches("r#");
    context.children.join(format!("{name}.rs")).is_file() || context.children.join(name).join("mod.rs").is_file()
}

/// A file that a macro includes for a body which calls it.
fn made_expression(index: &mut Index, id: ItemId, path: &Path) -> Result<()> {
    let item = index.item(id);
    let folder = folder(path);
    let context = Context {
        file: item.file,
        scope: item.scope,
        children: folder.clone(),
        paths: folder,
        guards: item.guards.clone(),
        parent: None,
        depth: 0,
    };
    let included = load::expression(index, &context, path)?;
    index.included_in.entry(id).or_default().extend(included);
    Ok(())
}
