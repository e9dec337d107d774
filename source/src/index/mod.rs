//! The index of a crate: its files, items and scopes, read once per compilation.

mod body;
mod load;
mod made;
mod split;
mod text;
mod uses;

use std::path::PathBuf;

use crate::error::Result;
use crate::file::File;
use crate::reach::{Place, Sought};
use crate::reads::Reads;
use crate::session::Session;
use crate::symbol::{Map, Symbol, Symbols};

pub(crate) use load::nearer;
pub(crate) use text::{evaluated, is_variable};
pub(crate) use uses::used;

pub(crate) use split::{ItemKind, after_visibility, attribute, called_macro};

pub(crate) type ItemId = u32;
pub(crate) type ScopeId = u32;

/// A `cfg` predicate that the compiler's arguments don't decide: the tokens `from..to` of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
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
    pub(crate) guards: Vec<Guard>,
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
}

/// A module, or the body of a function that declares names of its own.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// For a module the one that it stands in; for a body the scope around it.
    pub(crate) parent: Option<ScopeId>,
    pub(crate) is_body: bool,
    pub(crate) name: Option<Symbol>,
    /// The macro call that makes the module.
    pub(crate) made_by: Option<ItemId>,
    pub(crate) names: Map<Symbol, Vec<Binding>>,
    pub(crate) globs: Vec<Import>,
    /// `use … as _`, and the names that may be those of traits.
    pub(crate) nameless: Vec<Import>,
}

/// The items of one crate, by what its modules reach from its root file.
pub struct Index {
    pub(crate) session: Session,
    pub(crate) symbols: Symbols,
    pub(crate) files: Vec<File>,
    pub(crate) items: Vec<Item>,
    pub(crate) scopes: Vec<Scope>,
    /// Functions, constants and types of `impl`s and traits, by name.
    pub(crate) members: Map<Symbol, Vec<ItemId>>,
    /// The members of each `impl` and trait.
    pub(crate) members_of: Map<ItemId, Vec<ItemId>>,
    /// Macros by name, wherever they are visible.
    pub(crate) macros: Map<Symbol, Vec<ItemId>>,
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
    /// Files that a module names and that aren't there.
    pub(crate) missing: Vec<PathBuf>,
}

/// The scope of the crate's root.
pub(crate) const ROOT: ScopeId = 0;

impl Index {
    /// Reads the crate of `session`, from its root file on.
    ///
    /// # Errors
    ///
    /// Returns an error when a file can't be read or isn't Rust. A module whose file is missing is no error: it may be
    /// one that isn't compiled, and is told as unseen.
    pub fn read(session: Session) -> Result<Index> {
        let mut index = Index {
            session,
            symbols: Symbols::new(),
            files: Vec::new(),
            items: Vec::new(),
            scopes: vec![Scope::default()],
            members: Map::default(),
            members_of: Map::default(),
            macros: Map::default(),
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
        load::root(&mut index)?;
        Ok(index)
    }

    /// The files of the crate, in the order in which they were read.
    pub fn files(&self) -> impl Iterator<Item = &std::path::Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// How many items the crate has, members of `impl`s and traits included.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether the crate has no item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Every function, constant and static of the crate with its path, as the parts of a function are named.
    pub fn values(&self) -> impl Iterator<Item = (Place, String)> {
        let values = self.items.iter().enumerate().filter(|(_, item)| {
            let is_value = matches!(item.kind, ItemKind::Fn | ItemKind::Const | ItemKind::Static);
            is_value && item.name != Symbol::UNDERSCORE && item.name != Symbol::NONE
        });
        values.map(|(id, item)| {
            let file = self.file_of(item);
            let name = self.symbols.text(item.name).trim_start_matches("r#").to_owned();
            let line = file.line(item.keyword as usize);
            let place = Place { file: file.path.clone(), line, name, sought: Sought::Item };
            (place, self.path(id as ItemId))
        })
    }

    pub(crate) fn file_of(&self, item: &Item) -> &File {
        &self.files[item.file as usize]
    }

    pub(crate) fn item(&self, id: ItemId) -> &Item {
        &self.items[id as usize]
    }

    pub(crate) fn members_of(&self, id: ItemId) -> &[ItemId] {
        self.members_of.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The module that a scope is, or that a body stands in.
    pub(crate) fn module(&self, mut scope: ScopeId) -> ScopeId {
        while self.scopes[scope as usize].is_body {
            scope = self.scopes[scope as usize].parent.unwrap_or(ROOT);
        }
        scope
    }

    /// The scope around the one that an item's own body may be.
    pub(crate) fn around(&self, scope: ScopeId) -> ScopeId {
        let inner = &self.scopes[scope as usize];
        if inner.is_body { inner.parent.unwrap_or(ROOT) } else { scope }
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
        called.filter_map(|at| self.macros.get(&file.symbol(at))).flatten().copied().collect()
    }

    /// `module::Type::name`, for people.
    pub(crate) fn path(&self, id: ItemId) -> String {
        let item = self.item(id);
        let mut parts = Vec::new();
        let mut scope = self.module(item.scope);
        while let (Some(name), Some(parent)) = (self.scopes[scope as usize].name, self.scopes[scope as usize].parent) {
            parts.push(self.symbols.text(name).to_owned());
            scope = self.module(parent);
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
