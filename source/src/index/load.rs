//! Reads the files of a crate, module by module.

use std::path::{Path, PathBuf};

use super::attributes::{compiled, inner_attributes, is_marked, is_of_tests, paths};
use super::split::{self, ItemKind, Raw, called_macro};
use super::text::{folder, included_path};
use super::{
    Binding, CfgGuard, CrateId, Guarded, Import, Index, Item, ItemId, Krate, Scope, ScopeId, body, made, uses,
};
use crate::error::Result;
use crate::file::File;
use crate::session::Session;
use crate::symbol::{Map, Symbol};

/// Modules nest no deeper; a file that names itself would nest for ever.
const DEPTH: usize = 64;

/// Where the text of a module stands, and where the files of its modules are looked for.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) file: u32,
    pub(super) scope: ScopeId,
    /// The folder for `mod name;`.
    pub(super) children: PathBuf,
    /// The folder for `#[path]`: that of the file, or of the inline module.
    pub(super) paths: PathBuf,
    pub(super) guards: Vec<CfgGuard>,
    pub(super) parent: Option<ItemId>,
    pub(super) depth: usize,
}

/// Reads the root file of a crate and what its modules name.
pub(super) fn root(index: &mut Index, session: Session) -> Result<()> {
    let (path, krate, scope) = (session.root.clone(), index.crates.len() as CrateId, index.scopes.len() as ScopeId);
    index.scopes.push(Scope { krate, ..Scope::default() });
    index.crates.push(Krate { session, root: scope, crates: Map::default(), uses_macros: false });
    let folder = folder(&path);
    let file = open(index, &path, scope)?;
    let context =
        Context { file, scope, children: folder.clone(), paths: folder, guards: Vec::new(), parent: None, depth: 0 };
    let (_, from) = inner_attributes(&index.files[file as usize], 0);
    let to = index.files[file as usize].tokens.len();
    level(index, &context, from, to)
}

/// Takes up what macro calls declare, once all crates are read.
pub(super) fn calls(index: &mut Index) -> Result<()> {
    macros_of_crates(index);
    renamed_macros(index);
    index.reads = crate::reads::of_macros(index);
    made::calls(index)?;
    renamed_macros(index);
    index.reads = crate::reads::of_macros(index);
    imports_of_calls(index);
    made::bodies(index);
    Ok(())
}

/// `#[macro_use] extern crate`: an exported macro may be meant where one of this crate has its name.
fn macros_of_crates(index: &mut Index) {
    for ((krate, name), known) in &mut index.macros {
        if index.crates[*krate as usize].uses_macros {
            known.extend(index.exported.get(name).into_iter().flatten());
            known.sort_unstable();
            known.dedup();
        }
    }
}

/// `use name as other`: a macro is known by each of its names.
fn renamed_macros(index: &mut Index) {
    let mut renamed = Vec::new();
    let names = index.scopes.iter().flat_map(|scope| scope.names.iter().map(|names| (scope.krate, names)));
    for (krate, (&name, bindings)) in names {
        for binding in bindings {
            if let Binding::Import(import) = binding
                && let Some(&last) = import.path.last().filter(|&&last| last != name)
            {
                let macros = index.macros_named(krate, last);
                renamed.extend((!macros.is_empty()).then(|| ((krate, name), macros.to_vec())));
            }
        }
    }
    for (name, macros) in renamed {
        let known = index.macros.entry(name).or_default();
        known.extend(macros);
        known.sort_unstable();
        known.dedup();
    }
}

/// What a macro imports where items stand is imported there.
fn imports_of_calls(index: &mut Index) {
    for call in index.calls.clone() {
        let item = index.item(call);
        let (module, mut seen, mut queue) = (index.around(item.scope), Vec::new(), vec![call]);
        while let Some(id) = queue.pop() {
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            queue.extend(index.macros_in(id));
            share_imports(index, index.item(id).scope, module);
        }
    }
}

/// Imports of a body become those of another scope, too.
fn share_imports(index: &mut Index, from: ScopeId, to: ScopeId) {
    if !index.scopes[from as usize].is_body || from == to {
        return;
    }
    let inner = &index.scopes[from as usize];
    let (names, globs) = (inner.names.clone(), inner.globs.clone());
    for import in globs {
        bind_import(index, to, None, import);
    }
    for (name, bindings) in names {
        for binding in bindings {
            if let Binding::Import(import) = binding {
                bind_import(index, to, Some(name), import);
            }
        }
    }
}

/// An import of a macro's: it may stand in a module that the macro makes, so that `super` may be where the macro is
/// called.
pub(super) fn bind_import(index: &mut Index, scope: ScopeId, name: Option<Symbol>, import: Import) {
    for path in std::iter::once(import.path.clone()).chain(nearer(&import.path)) {
        let import = Import { path, ..import };
        let known = &mut index.scopes[scope as usize];
        match name {
            None => known.globs.push(import),
            Some(Symbol::UNDERSCORE) => known.nameless.push(import),
            Some(name) => known.names.entry(name).or_default().push(Binding::Import(import)),
        }
    }
}

/// A path that begins with `super`, with fewer of them: as it is seen from modules further in.
pub(crate) fn nearer(path: &[Symbol]) -> Vec<Vec<Symbol>> {
    let ups = path.iter().take_while(|&&segment| segment == Symbol::SUPER).count();
    let shorter = |kept: usize| {
        let head = if kept == 0 { vec![Symbol::SELF] } else { vec![Symbol::SUPER; kept] };
        [&head, &path[ups..]].concat()
    };
    (0..ups).map(shorter).filter(|path| path.len() > 1).collect()
}

/// Reads a file for the crate of a scope.
fn open(index: &mut Index, path: &Path, scope: ScopeId) -> Result<u32> {
    let file = File::read(path, index.scopes[scope as usize].krate, &mut index.symbols)?;
    index.files.push(file);
    Ok(index.files.len() as u32 - 1)
}

/// The items in the tokens `from..to`.
pub(super) fn level(index: &mut Index, context: &Context, from: usize, to: usize) -> Result<()> {
    let mut at = from;
    while at < to {
        let raw = split::item(&index.files[context.file as usize], at, to);
        at = raw.to.max(at + 1);
        place(index, context, &raw)?;
    }
    Ok(())
}

/// Takes an item into the index, unless its `cfg` says that it isn't compiled.
fn place(index: &mut Index, context: &Context, raw: &Raw) -> Result<()> {
    let mut guards = context.guards.clone();
    if raw.kind == ItemKind::Other || !compiled(index, context.file, &raw.attributes, &mut guards) {
        return Ok(());
    }
    match raw.kind {
        ItemKind::Use => import(index, context, raw, &guards),
        ItemKind::ExternCrate => extern_crate(index, context, raw, &guards),
        ItemKind::Module => return module(index, context, raw, guards),
        ItemKind::ExternBlock => return extern_block(index, context, raw, guards),
        ItemKind::Call if includes(index, context, raw)? => {}
        _ => item(index, context, raw, guards)?,
    }
    Ok(())
}

fn bind(index: &mut Index, scope: ScopeId, name: Symbol, binding: Binding) {
    index.scopes[scope as usize].names.entry(name).or_default().push(binding);
}

fn import(index: &mut Index, context: &Context, raw: &Raw, guards: &[CfgGuard]) {
    let file = &index.files[context.file as usize];
    for used in uses::used(file, raw.keyword + 1, raw.to - 1) {
        let import = Import { path: used.path, global: used.global, is_guarded: !guards.is_empty() };
        guard(index, context, used.name, &import, guards);
        let scope = &mut index.scopes[context.scope as usize];
        match used.name {
            None => scope.globs.push(import),
            Some(Symbol::UNDERSCORE) => scope.nameless.push(import),
            Some(name) => bind(index, context.scope, name, Binding::Import(import)),
        }
    }
}

/// Notes an import under guards; in a body these are among the tokens of an item.
fn guard(index: &mut Index, context: &Context, name: Option<Symbol>, import: &Import, guards: &[CfgGuard]) {
    let scope = context.scope;
    if !guards.is_empty() && !index.scopes[scope as usize].is_body {
        index.guarded.push(Guarded { scope, name, import: import.clone(), guards: guards.to_vec() });
    }
}

/// `extern crate name as other;`
fn extern_crate(index: &mut Index, context: &Context, raw: &Raw, guards: &[CfgGuard]) {
    let file = &index.files[context.file as usize];
    let name = if file.symbol(raw.keyword + 3) == Symbol::AS { file.symbol(raw.keyword + 4) } else { raw.name };
    let import = Import { path: vec![raw.name], global: true, is_guarded: !guards.is_empty() };
    let krate = index.scopes[context.scope as usize].krate as usize;
    index.crates[krate].uses_macros |= is_marked(file, &raw.attributes, Symbol::MACRO_USE);
    guard(index, context, Some(name), &import, guards);
    bind(index, context.scope, name, Binding::Crate(raw.name));
}

/// The functions and statics of `extern "C" { … }`: what they do is unseen, but they are named.
fn extern_block(index: &mut Index, context: &Context, raw: &Raw, guards: Vec<CfgGuard>) -> Result<()> {
    let Some(body) = raw.body else { return Ok(()) };
    let id = push(index, context, raw, guards.clone());
    let to = index.files[context.file as usize].tokens[body].link as usize;
    let mut at = body + 1;
    while at < to {
        let inner = split::item(&index.files[context.file as usize], at, to);
        at = inner.to.max(at + 1);
        let mut guards = guards.clone();
        let is_compiled = compiled(index, context.file, &inner.attributes, &mut guards);
        if inner.name != Symbol::NONE && is_compiled {
            let member = push(index, context, &inner, guards);
            index.items[member as usize].parent = Some(id);
            bind(index, context.scope, inner.name, Binding::Item(member));
        }
    }
    Ok(())
}

fn push(index: &mut Index, context: &Context, raw: &Raw, guards: Vec<CfgGuard>) -> ItemId {
    index.items.push(Item {
        kind: raw.kind,
        name: raw.name,
        scope: context.scope,
        file: context.file,
        from: raw.from as u32,
        keyword: raw.keyword as u32,
        body: raw.body.map(|body| body as u32),
        to: raw.to as u32,
        parent: context.parent,
        guards,
    });
    index.items.len() as ItemId - 1
}

pub(super) fn item(index: &mut Index, context: &Context, raw: &Raw, guards: Vec<CfgGuard>) -> Result<()> {
    let id = push(index, context, raw, guards.clone());
    match context.parent {
        Some(parent) => {
            index.members_of.entry(parent).or_default().push(id);
            index.members.entry(raw.name).or_default().push(id);
        }
        None if raw.kind == ItemKind::Macro => macro_rules(index, context, raw, id),
        None if raw.name != Symbol::NONE && raw.name != Symbol::UNDERSCORE => {
            bind(index, context.scope, raw.name, Binding::Item(id));
        }
        None => {}
    }
    match raw.kind {
        ItemKind::Impl | ItemKind::Trait => block(index, context, raw, id, guards),
        ItemKind::Fn | ItemKind::Const | ItemKind::Static | ItemKind::Macro => body::scan(index, context, id),
        ItemKind::Struct | ItemKind::Enum | ItemKind::Union => body::scan(index, context, id),
        ItemKind::Call => {
            index.calls.push(id);
            index.contexts.insert(id, context.clone());
            body::scan(index, context, id)?;
            modules_of_call(index, context, raw, id)
        }
        _ => Ok(()),
    }
}

fn macro_rules(index: &mut Index, context: &Context, raw: &Raw, id: ItemId) {
    let (krate, root) = (index.scopes[context.scope as usize].krate, index.root_of(context.scope));
    index.macros.entry((krate, raw.name)).or_default().push(id);
    bind(index, context.scope, raw.name, Binding::Item(id));
    let file = &index.files[context.file as usize];
    let exported = is_marked(file, &raw.attributes, Symbol::MACRO_EXPORT);
    if exported {
        index.exported.entry(raw.name).or_default().push(id);
    }
    if exported && context.scope != root {
        bind(index, root, raw.name, Binding::Item(id));
    }
}

/// The members of an `impl` or a trait.
fn block(index: &mut Index, context: &Context, raw: &Raw, id: ItemId, guards: Vec<CfgGuard>) -> Result<()> {
    if raw.kind == ItemKind::Impl {
        index.impls.push(id);
    }
    let Some(body) = raw.body else { return Ok(()) };
    let to = index.files[context.file as usize].tokens[body].link as usize;
    let context = Context { parent: Some(id), guards, ..context.clone() };
    level(index, &context, body + 1, to)
}

pub(super) fn module(index: &mut Index, context: &Context, raw: &Raw, guards: Vec<CfgGuard>) -> Result<()> {
    if context.depth >= DEPTH {
        return Ok(());
    }
    let scope = index.scopes.len() as ScopeId;
    let krate = index.scopes[context.scope as usize].krate;
    let is_guarded = !guards.is_empty();
    let is_of_tests = index.scopes[context.scope as usize].is_of_tests
        || is_of_tests(&index.files[context.file as usize], &raw.attributes);
    index.scopes.push(Scope {
        parent: Some(context.scope),
        name: Some(raw.name),
        krate,
        is_guarded,
        is_of_tests,
        ..Scope::default()
    });
    bind(index, context.scope, raw.name, Binding::Module(scope));
    let context = Context { scope, guards, depth: context.depth + 1, parent: None, ..context.clone() };
    match raw.body {
        Some(body) => inline(index, context, raw, body),
        None => files(index, &context, raw),
    }
}

fn inline(index: &mut Index, mut context: Context, raw: &Raw, body: usize) -> Result<()> {
    let named = index.symbols.text(raw.name).trim_start_matches("r#").to_owned();
    let to = index.files[context.file as usize].tokens[body].link as usize;
    let (inner, from) = inner_attributes(&index.files[context.file as usize], body + 1);
    if !compiled(index, context.file, &inner, &mut context.guards) {
        return Ok(());
    }
    index.scopes[context.scope as usize].is_of_tests |= is_of_tests(&index.files[context.file as usize], &inner);
    let (given, sure) = paths(index, context.file, &raw.attributes);
    let (folders, base) = (context.paths.clone(), context.children.join(named));
    for path_attribute in &given {
        let context = under(&context, &path_attribute.guards);
        let folder = folders.join(&path_attribute.path);
        level(index, &Context { children: folder.clone(), paths: folder, ..context }, from, to)?;
    }
    if sure {
        return Ok(());
    }
    let context = given.iter().fold(context, |context, path| under(&context, &path.guards));
    level(index, &Context { children: base.clone(), paths: base, ..context }, from, to)
}

/// This place under more guards.
fn under(context: &Context, guards: &[CfgGuard]) -> Context {
    let mut context = context.clone();
    context.guards.extend_from_slice(guards);
    context
}

fn files(index: &mut Index, context: &Context, raw: &Raw) -> Result<()> {
    let name = index.symbols.text(raw.name).trim_start_matches("r#").to_owned();
    let (given, sure) = paths(index, context.file, &raw.attributes);
    let mut read = false;
    for path_attribute in &given {
        let path = context.paths.join(&path_attribute.path);
        if path.is_file() {
            module_file(index, &under(context, &path_attribute.guards), &path, folder(&path))?;
            read = true;
        }
    }
    let flat = context.children.join(format!("{name}.rs"));
    let nested = context.children.join(&name).join("mod.rs");
    let by_name = given.iter().fold(context.clone(), |context, path| under(&context, &path.guards));
    if !sure && flat.is_file() {
        module_file(index, &by_name, &flat, context.children.join(&name))?;
        read = true;
    } else if !sure && nested.is_file() {
        module_file(index, &by_name, &nested, folder(&nested))?;
        read = true;
    }
    if !read {
        missing(index, context, given.first().map_or(flat, |path| context.paths.join(&path.path)));
    }
    Ok(())
}

fn missing(index: &mut Index, context: &Context, path: PathBuf) {
    index.missing.push((index.scopes[context.scope as usize].krate, path));
}

fn module_file(index: &mut Index, context: &Context, path: &Path, children: PathBuf) -> Result<()> {
    let file = open(index, path, context.scope)?;
    let mut guards = context.guards.clone();
    let (inner, from) = inner_attributes(&index.files[file as usize], 0);
    if !compiled(index, file, &inner, &mut guards) {
        return Ok(());
    }
    index.scopes[context.scope as usize].is_of_tests |= is_of_tests(&index.files[file as usize], &inner);
    let context = Context { file, children, paths: folder(path), guards, ..context.clone() };
    let to = index.files[file as usize].tokens.len();
    level(index, &context, from, to)
}

/// `include!("file")` and `include!(concat!(env!("OUT_DIR"), "/file"))`, where items stand.
fn includes(index: &mut Index, context: &Context, raw: &Raw) -> Result<bool> {
    let file = &index.files[context.file as usize];
    let Some(bang) = called_macro(file, raw.keyword) else { return Ok(false) };
    if file.symbol(bang - 1) != Symbol::INCLUDE {
        return Ok(false);
    }
    match included_path(index, context.file, bang + 1) {
        Some(path) if context.depth < DEPTH && path.is_file() => include_items(index, context, &path)?,
        Some(path) => missing(index, context, path),
        None => missing(index, context, PathBuf::from(index.words(context.file, raw.keyword, raw.to))),
    }
    Ok(true)
}

pub(super) fn include_items(index: &mut Index, context: &Context, path: &Path) -> Result<()> {
    if context.depth >= DEPTH {
        return Ok(());
    }
    let file = open(index, path, context.scope)?;
    let (paths, depth) = (folder(path), context.depth + 1);
    let context = Context { file, children: paths.clone(), paths, depth, ..context.clone() };
    let (_, from) = inner_attributes(&index.files[file as usize], 0);
    let to = index.files[file as usize].tokens.len();
    level(index, &context, from, to)
}

/// `cfg_if! { if … { mod name; } }`: the files of modules that a macro is given.
fn modules_of_call(index: &mut Index, context: &Context, raw: &Raw, call: ItemId) -> Result<()> {
    let mut at = raw.keyword;
    while at + 2 < raw.to {
        let file = &index.files[context.file as usize];
        let named = file.symbol(at) == Symbol::MOD && file.symbol(at + 2) == Symbol::SEMI;
        if let (true, Some(name)) = (named, file.name(at + 1)) {
            let inner = Raw {
                kind: ItemKind::Module,
                name,
                from: at,
                keyword: at,
                body: None,
                to: at + 3,
                attributes: Vec::new(),
            };
            made::made_module(index, context, &inner, call)?;
        }
        at += 1;
    }
    Ok(())
}

pub(super) fn include_expression(index: &mut Index, context: &Context, at: usize, path: &Path) -> Result<()> {
    let included = expression(index, context, path)?;
    index.included.extend(included.map(|id| ((context.file, at as u32), id)));
    Ok(())
}

pub(super) fn expression(index: &mut Index, context: &Context, path: &Path) -> Result<Option<ItemId>> {
    if context.depth >= DEPTH || !path.is_file() {
        return Ok(None);
    }
    let Ok(file) = open(index, path, context.scope) else { return Ok(None) };
    let to = index.files[file as usize].tokens.len();
    let raw = Raw {
        kind: ItemKind::Included,
        name: Symbol::NONE,
        from: 0,
        keyword: 0,
        body: Some(0),
        to,
        attributes: Vec::new(),
    };
    let inner = Context { file, parent: None, depth: context.depth + 1, ..context.clone() };
    let id = push(index, &inner, &raw, context.guards.clone());
    body::scan(index, &inner, id)?;
    Ok(Some(id))
}

/// Whether the attributes of an item in a body let it be compiled.
pub(super) fn body_item(index: &mut Index, context: &Context, raw: &Raw) -> Result<()> {
    place(index, context, raw)
}
