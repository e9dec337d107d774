//! The index of a crate: its files, items and scopes, read once per compilation.

mod attributes;
mod body;
mod declared;
mod load;
mod made;
mod split;
mod text;
mod uses;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::file::File;
use crate::library::{Libraries, UpstreamCrates, package};
use crate::reach::{Position, Sought};
use crate::reads::Reads;
use crate::session::Session;
use crate::symbol::{Map, Set, Symbol, Symbols};

pub(crate) use attributes::{Attribute, attributes, deriving, makes_tests};
pub(crate) use body::{begins_statement, named_closures};
pub(crate) use declared::{Declared, blocks, declared, names_item};
pub(crate) use load::nearer;
pub(crate) use text::{evaluated, is_variable};
pub(crate) use uses::{renamed, used};

pub(crate) use split::{ItemKind, after_visibility, attribute, called_macro};

pub(crate) type ItemId = u32;
pub(crate) type ScopeId = u32;
pub(crate) type CrateId = u32;

/// A crate: the one that is compiled, or one that it uses and whose sources are at hand.
pub(crate) struct Krate {
    pub(crate) session: Session,
    pub(crate) root: ScopeId,
    /// The crates of the index, by the names that this one has for them.
    pub(crate) crates: Map<Symbol, CrateId>,
    /// Whether it has `#[macro_use] extern crate`.
    pub(crate) uses_macros: bool,
}

/// The crate that is compiled.
pub(crate) const OWN: CrateId = 0;

/// A `cfg` predicate that the compiler's arguments don't decide: the tokens `from..to` of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CfgGuard {
    pub(crate) file: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// One item: the tokens `from..to` of a file, attributes included.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) kind: ItemKind,
    pub(crate) name: Symbol,
    /// Where its paths are resolved: its module, or the scope of its body where that has names of its own.
    pub(crate) scope: ScopeId,
    pub(crate) file: u32,
    pub(crate) from: u32,
    pub(crate) keyword: u32,
    pub(crate) body: Option<u32>,
    pub(crate) to: u32,
    /// The `impl` or trait that it is a member of.
    pub(crate) parent: Option<ItemId>,
    pub(crate) guards: Vec<CfgGuard>,
}

impl Item {
    /// Where the body begins, or the end.
    pub(crate) fn head_end(&self) -> usize {
        self.body.unwrap_or(self.to) as usize
    }
}

/// What a name of a scope stands for.
#[derive(Clone, Debug)]
pub(crate) enum Binding {
    Item(ItemId),
    Module(ScopeId),
    Import(Import),
    /// `extern crate`: the crate's name.
    Crate(Symbol),
}

/// The path of a `use` declaration, to be resolved in the scope where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) path: Vec<Symbol>,
    pub(crate) global: bool,
    /// Whether it stands under a predicate that isn't decided.
    pub(crate) is_guarded: bool,
}

/// An import of a module's that stands under predicates which the compiler's arguments don't decide.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) scope: ScopeId,
    /// The name in scope; `None` for `*`, `_` for `as _`.
    pub(crate) name: Option<Symbol>,
    pub(crate) import: Import,
    pub(crate) guards: Vec<CfgGuard>,
}

/// A module, or the body of a function that declares names of its own.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// For a module the one that it stands in; for a body the scope around it.
    pub(crate) parent: Option<ScopeId>,
    pub(crate) krate: CrateId,
    pub(crate) is_body: bool,
    /// Whether it stands under a predicate that isn't decided.
    pub(crate) is_guarded: bool,
    /// Whether it is compiled in tests only.
    pub(crate) is_of_tests: bool,
    pub(crate) name: Option<Symbol>,
    /// The item whose body it is.
    pub(crate) owner: Option<ItemId>,
    /// The macro call that makes the module.
    pub(crate) made_by: Option<ItemId>,
    pub(crate) names: Map<Symbol, Vec<Binding>>,
    pub(crate) globs: Vec<Import>,
    /// `use … as _`, and the names that may be those of traits.
    pub(crate) nameless: Vec<Import>,
}

/// The items of one crate, by what its modules reach from its root file, and of the crates by path that it uses.
pub struct Index {
    /// The crate itself, then the others.
    pub(crate) crates: Vec<Krate>,
    pub(crate) symbols: Symbols,
    pub(crate) files: Vec<File>,
    pub(crate) items: Vec<Item>,
    pub(crate) scopes: Vec<Scope>,
    /// Functions, constants and types of `impl`s and traits, by name.
    pub(crate) members: Map<Symbol, Vec<ItemId>>,
    /// The members of each `impl` and trait.
    pub(crate) members_of: Map<ItemId, Vec<ItemId>>,
    /// The macros of each crate by name, wherever they are visible.
    pub(crate) macros: Map<(CrateId, Symbol), Vec<ItemId>>,
    /// The exported macros of all crates.
    pub(crate) exported: Map<Symbol, Vec<ItemId>>,
    /// The imports under guards, of all crates.
    pub(crate) guarded: Vec<Guarded>,
    pub(crate) impls: Vec<ItemId>,
    pub(crate) calls: Vec<ItemId>,
    /// Where each of the calls stands.
    contexts: Map<ItemId, load::Context>,
    /// Items of files that a macro call includes, and the call.
    pub(crate) made: Map<ItemId, ItemId>,
    /// Calls of macros that declare a module whose file isn't found, and the macro's name.
    pub(crate) unfound: Map<ItemId, Symbol>,
    /// Named closures, and the items in which they stand.
    pub(crate) closures: Map<ItemId, ItemId>,
    /// Files of expressions that include them, by the file and the token of the `include`.
    pub(crate) included: Map<(u32, u32), ItemId>,
    /// What each macro may do with its input.
    pub(crate) reads: Map<ItemId, Reads>,
    /// Files of expressions that macros include for the items that call them.
    pub(crate) included_in: Map<ItemId, Vec<ItemId>>,
    /// Files that a module names and that aren't there, and the crate in which it does.
    pub(crate) missing: Vec<(CrateId, PathBuf)>,
}

impl Index {
    /// Reads the crate of `session`, from its root file on, and those of the crates that it uses by path, as far as their
    /// sources are at hand.
    ///
    /// # Errors
    ///
    /// Returns an error when a file of the crate can't be read or isn't Rust. A module whose file is missing is no error:
    /// it may be one that isn't compiled, and is reported as unseen. So is another crate that can't be read.
    pub fn read(session: Session) -> Result<Index> {
        let mut index = Index {
            crates: Vec::new(),
            symbols: Symbols::new(),
            files: Vec::new(),
            items: Vec::new(),
            scopes: Vec::new(),
            members: Map::default(),
            members_of: Map::default(),
            macros: Map::default(),
            exported: Map::default(),
            guarded: Vec::new(),
            impls: Vec::new(),
            calls: Vec::new(),
            contexts: Map::default(),
            made: Map::default(),
            unfound: Map::default(),
            closures: Map::default(),
            included: Map::default(),
            included_in: Map::default(),
            reads: Map::default(),
            missing: Vec::new(),
        };
        let mut libraries = Libraries::new(&session);
        load::root(&mut index, session)?;
        index.add_libraries(&mut libraries);
        load::calls(&mut index)?;
        Ok(index)
    }

    /// Reads the crates that are named somewhere, then those that these name.
    fn add_libraries(&mut self, libraries: &mut Libraries) {
        let (mut files, mut roots) = (Map::default(), Map::default());
        let mut at = 0;
        while at < self.crates.len() {
            for (name, file) in self.crates[at].session.libraries.clone() {
                let Some(name) = self.symbols.find(&name) else { continue };
                let session = files.entry(file).or_insert_with_key(|file| libraries.find(file));
                let found = session.as_ref().and_then(|session| self.library(session, &mut roots));
                self.crates[at].crates.extend(found.map(|id| (name, id)));
            }
            at += 1;
        }
    }

    /// The crate of a root file, read once: however often it was compiled, its text is one.
    fn library(&mut self, session: &Session, roots: &mut Map<PathBuf, Option<CrateId>>) -> Option<CrateId> {
        let root = session.root.canonicalize().ok()?;
        if let Some(known) = roots.get(&root) {
            return *known;
        }
        let id = self.crates.len() as CrateId;
        let found = load::root(self, session.clone()).is_ok().then_some(id);
        roots.insert(root, found);
        found
    }

    /// The files of the crate and of those that it uses by path, in the order in which they were read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// The crates that the crate uses.
    pub fn upstream(&self) -> UpstreamCrates {
        Libraries::new(&self.crates[OWN as usize].session).upstream()
    }

    /// The paths of the crate's types and traits, each with the crate's name before it.
    pub fn types(&self) -> BTreeSet<String> {
        let name = &self.crates[OWN as usize].session.crate_name;
        let ids = (0..self.items.len() as ItemId).filter(|&id| self.crate_of(self.item(id)) == OWN);
        let types = ids.filter(|&id| self.item(id).kind.is_type() || self.item(id).kind == ItemKind::Trait);
        types.map(|id| format!("{name}::{}", self.path(id))).collect()
    }

    /// The folders of the packages whose crates are read beside the crate.
    pub fn packages(&self) -> impl Iterator<Item = PathBuf> {
        self.crates.iter().skip(1).filter_map(|krate| package(&krate.session.root))
    }

    /// The names of the crates that are read, that of the crate itself first.
    pub fn crate_names(&self) -> impl Iterator<Item = &str> {
        self.crates.iter().map(|krate| krate.session.crate_name.as_str())
    }

    /// How many items there are, members of `impl`s and traits included.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Every function, constant and static of the crate with its path, as the parts of a function are named.
    pub fn values(&self) -> impl Iterator<Item = (Position, String)> {
        let values = self.items.iter().enumerate().filter(|(_, item)| {
            let is_value = matches!(item.kind, ItemKind::Fn | ItemKind::Const | ItemKind::Static);
            is_value && item.name != Symbol::UNDERSCORE && item.name != Symbol::NONE && self.is_own(item)
        });
        values.map(|(id, item)| {
            let file = self.file_of(item);
            let name = self.symbols.text(item.name).trim_start_matches("r#").to_owned();
            let line = file.line(item.keyword as usize);
            let place = Position { file: file.path.clone(), line, column: 0, name, sought: Sought::Item };
            (place, self.path(id as ItemId))
        })
    }

    pub(crate) fn file_of(&self, item: &Item) -> &File {
        &self.files[item.file as usize]
    }

    pub(crate) fn item(&self, id: ItemId) -> &Item {
        &self.items[id as usize]
    }

    pub(crate) fn crate_of(&self, item: &Item) -> CrateId {
        self.scopes[item.scope as usize].krate
    }

    fn is_own(&self, item: &Item) -> bool {
        self.crate_of(item) == OWN
    }

    /// How the crate that reads a file was compiled.
    pub(crate) fn session_of(&self, file: &File) -> &Session {
        &self.crates[file.krate as usize].session
    }

    /// The scope of the root of the crate that a scope belongs to.
    pub(crate) fn root_of(&self, scope: ScopeId) -> ScopeId {
        self.crates[self.scopes[scope as usize].krate as usize].root
    }

    /// The macros that a name may mean in a crate: its own, or else those that any crate exports.
    pub(crate) fn macros_named(&self, krate: CrateId, name: Symbol) -> &[ItemId] {
        let own = self.macros.get(&(krate, name)).or_else(|| self.exported.get(&name));
        own.map_or(&[], Vec::as_slice)
    }

    pub(crate) fn members_of(&self, id: ItemId) -> &[ItemId] {
        self.members_of.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The module that a scope is, or that a body stands in.
    pub(crate) fn module(&self, mut scope: ScopeId) -> ScopeId {
        while self.scopes[scope as usize].is_body {
            scope = self.scopes[scope as usize].parent.unwrap_or(self.root_of(scope));
        }
        scope
    }

    /// The scope around the one that an item's own body may be.
    pub(crate) fn around(&self, scope: ScopeId) -> ScopeId {
        let inner = &self.scopes[scope as usize];
        if inner.is_body { inner.parent.unwrap_or(self.root_of(scope)) } else { scope }
    }

    /// A path as the imports of a body spell it: with what they stand for in place of its first segment.
    pub(crate) fn imported(&self, scope: ScopeId, path: &[Symbol]) -> Vec<(Vec<Symbol>, bool)> {
        let inner = &self.scopes[scope as usize];
        if !inner.is_body {
            return Vec::new();
        }
        let mut spelled = Vec::new();
        for binding in inner.names.get(&path[0]).into_iter().flatten() {
            if let Binding::Import(import) = binding {
                spelled.push(([&import.path, &path[1..]].concat(), import.global));
            }
        }
        for import in &inner.globs {
            spelled.push(([&import.path, path].concat(), import.global));
        }
        spelled
    }

    /// The macros of this crate that an item's tokens call.
    pub(crate) fn macros_in(&self, id: ItemId) -> Vec<ItemId> {
        let item = self.item(id);
        let file = self.file_of(item);
        let called = (item.keyword as usize..item.to as usize).filter(|&at| file.symbol(at + 1) == Symbol::BANG);
        called.flat_map(|at| self.macros_named(file.krate, file.symbol(at))).copied().collect()
    }

    /// Every word of the macros that a call means, and of those that these call.
    pub(crate) fn words_of_macros(&self, krate: CrateId, name: Symbol) -> impl Iterator<Item = Symbol> {
        let named = self.macros_named(krate, name);
        let all: Set<ItemId> =
            named.iter().flat_map(|&id| made::macros(self, id)).chain(named.iter().copied()).collect();
        all.into_iter().flat_map(|id| {
            let item = self.item(id);
            (item.keyword as usize..item.to as usize).map(|at| self.file_of(item).symbol(at))
        })
    }

    /// The macros of this crate that an item's tokens call, and those that these call in turn.
    pub(crate) fn macros_under(&self, id: ItemId) -> Vec<ItemId> {
        made::macros(self, id)
    }

    /// The names of the modules around a scope, from the crate's root on.
    pub(crate) fn module_path(&self, scope: ScopeId) -> Vec<Symbol> {
        let (mut names, mut at) = (Vec::new(), Some(scope));
        while let Some(scope) = at {
            let scope = &self.scopes[scope as usize];
            names.extend(scope.name);
            at = scope.parent;
        }
        names.reverse();
        names
    }

    /// `module::Type::name`, for people; behind its crate's name, if that is another one.
    pub(crate) fn path(&self, id: ItemId) -> String {
        let item = self.item(id);
        let mut parts = Vec::new();
        let mut scope = self.module(item.scope);
        while let (Some(name), Some(parent)) = (self.scopes[scope as usize].name, self.scopes[scope as usize].parent) {
            parts.push(self.symbols.text(name).to_owned());
            scope = self.module(parent);
        }
        let krate = self.scopes[scope as usize].krate;
        if krate != OWN {
            parts.push(self.crates[krate as usize].session.crate_name.clone());
        }
        parts.reverse();
        if let Some(parent) = item.parent {
            parts.push(self.label(parent));
        }
        parts.extend(self.closures.get(&id).map(|&around| self.label(around)));
        parts.push(self.label(id));
        parts.join("::")
    }

    fn label(&self, id: ItemId) -> String {
        let item = self.item(id);
        let (file, words) = (self.file_of(item), |from: usize, to: usize| self.words(item.file, from, to));
        match item.kind {
            ItemKind::Impl => format!("<{}>", words(item.keyword as usize, item.head_end())),
            ItemKind::Call => {
                words(item.keyword as usize, called_macro(file, item.keyword as usize).map_or(0, |bang| bang + 1))
            }
            ItemKind::Closure => file.text_of(item.from as usize - 2).to_owned(),
            ItemKind::Included => format!("include!({})", file.path.file_name().unwrap_or_default().display()),
            _ => self.symbols.text(item.name).to_owned(),
        }
    }

    /// Tokens with single spaces between those that need one.
    pub(crate) fn words(&self, file: u32, from: usize, to: usize) -> String {
        let file = &self.files[file as usize];
        let mut words = String::new();
        for at in from..to {
            let both = file.is_ident(at) && words.ends_with(|last: char| last.is_alphanumeric() || "_>".contains(last));
            let divides = at > from && matches!(file.symbol(at - 1), Symbol::FOR | Symbol::WHERE | Symbol::AS);
            if (both || divides) && !words.ends_with(' ') {
                words.push(' ');
            }
            words.push_str(file.text_of(at));
            if file.symbol(at) == Symbol::COMMA || file.symbol(at) == Symbol::COLON {
                words.push(' ');
            }
        }
        words
    }
}
