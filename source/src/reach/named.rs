//! What a path in `depends(…)` names.

use super::grow::Growth;
use super::header::ImplementingType;
use super::position::{self, Position};
use super::{Reached, Resolver};
use crate::digest;
use crate::index::{Binding, ItemId, ItemKind, OWN, ScopeId};
use crate::names::{FoundTarget, PathTarget};
use crate::prelude;
use crate::symbol::{Set, Symbol};

/// What a path of this crate's leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Named {
    /// Items of this crate, none of which has `#[cache]` or `#[code]`.
    Unmarked {
        /// What they reach; their own parts are those that count by [`Why::Function`](super::Why::Function).
        reached: Box<Reached>,
        /// The digest of their own tokens alone: 128 bits, big-endian.
        own: [u8; 16],
    },
    /// Nothing: no item, import, macro or other crate gives it a meaning. With the names that stand where its last segment
    /// was looked for.
    Nothing(Vec<String>),
    /// An item of another crate, with a mark or without.
    Elsewhere,
    /// An item with a mark, or what can't be known.
    Other,
}

impl Resolver<'_> {
    /// What the path `path`, written at `position`, leads to; of one that begins with `::` the first name is empty.
    pub fn named(&self, position: &Position, path: &[String]) -> Named {
        let Ok(roots) = position::roots(self.index, &self.items_by_file, position) else { return Named::Other };
        let scope = self.index.item(roots.items[0]).scope;
        let (is_global, path) = match path {
            [first, rest @ ..] if first.is_empty() => (true, rest),
            path => (false, path),
        };
        let segments: Option<Vec<Symbol>> = path.iter().map(|name| self.index.symbols.find_name(name)).collect();
        let Some(segments) = segments.filter(|segments| !segments.is_empty()) else { return Named::Other };
        let found = self.names.resolve(scope, &segments, is_global);
        if !found.is_empty() && found.iter().all(|found| self.is_elsewhere(&found.target)) {
            return Named::Elsewhere;
        }
        let mut items: Vec<ItemId> = Vec::new();
        for found in &found {
            match found.target {
                PathTarget::Item(id) => items.extend(self.items_of(id, &segments[found.length..])),
                PathTarget::Module(module) if found.length + 1 == segments.len() && self.is_own(module) => {
                    return self.missing(module, &segments, roots.is_sought);
                }
                _ => return Named::Other,
            }
        }
        match items.as_slice() {
            [] if found.is_empty() && segments.len() == 1 && !is_global => {
                self.missing(scope, &segments, roots.is_sought)
            }
            [] => self.missing_member(&found, &segments, roots.is_sought),
            items if items.iter().any(|&id| self.is_marked(id) || self.crate_of(id) != OWN) => Named::Other,
            items => {
                let none = Set::default();
                let reached = Box::new(self.reached(items, &none, Growth::new(self, items, &none)));
                Named::Unmarked { reached, own: digest::items(items.iter().map(|&id| self.content(id)).collect()) }
            }
        }
    }

    /// What has the name of the function at `position` among the types and modules of its module, where no second one can
    /// have it: `module`, `struct` and the like. `None` if a predicate decides whether it is there.
    pub fn namesake(&self, position: &Position) -> Option<&'static str> {
        let roots = position::roots(self.index, &self.items_by_file, position).ok()?;
        let &[id] = roots.items.as_slice() else { return None };
        let item = self.index.item(id);
        let scope = &self.index.scopes[item.scope as usize];
        if !roots.is_sought || scope.is_body || item.parent.is_some() {
            return None;
        }
        scope.names.get(&item.name)?.iter().find_map(|binding| match binding {
            Binding::Module(id) => {
                let module = &self.index.scopes[*id as usize];
                (!module.is_guarded && module.made_by.is_none()).then_some("module")
            }
            Binding::Item(id) if self.index.item(*id).guards.is_empty() => match self.index.item(*id).kind {
                ItemKind::Struct => Some("struct"),
                ItemKind::Enum => Some("enum"),
                ItemKind::Union => Some("union"),
                ItemKind::Trait => Some("trait"),
                ItemKind::Alias => Some("type"),
                _ => None,
            },
            _ => None,
        })
    }

    /// An item, or the member of a type that follows it in the path; of a type its inherent `impl`s, too.
    fn items_of(&self, id: ItemId, rest: &[Symbol]) -> Vec<ItemId> {
        let id = self.unaliased(id);
        let blocks = self.inherent(id);
        match rest {
            [] => std::iter::once(id).chain(blocks).collect(),
            [name] => {
                let members = blocks.iter().flat_map(|&block| self.index.members_of(block));
                members.copied().filter(|&member| self.index.item(member).name == *name).collect()
            }
            _ => Vec::new(),
        }
    }

    fn inherent(&self, id: ItemId) -> Vec<ItemId> {
        let of_it = super::listed(&self.by_type, &id).iter().copied();
        of_it.filter(|block| matches!(self.headers[block].implemented, super::Implemented::Inherent)).collect()
    }

    fn is_elsewhere(&self, target: &PathTarget) -> bool {
        match target {
            PathTarget::Item(id) => self.crate_of(*id) != OWN,
            PathTarget::Module(scope) => !self.is_own(*scope),
            PathTarget::Foreign(_) => true,
        }
    }

    fn is_own(&self, scope: ScopeId) -> bool {
        self.index.scopes[scope as usize].krate == OWN
    }

    /// Whether an attribute before the item speaks of `cache` or `code`.
    fn is_marked(&self, id: ItemId) -> bool {
        let item = self.index.item(id);
        let file = self.index.file_of(item);
        (item.from as usize..item.keyword as usize).any(|at| matches!(file.symbol(at), Symbol::CACHE | Symbol::CODE))
    }

    /// A name that isn't in a scope, unless something may give it a meaning that isn't seen: a macro, another crate's glob
    /// import, a handle, a body whose items have no scope, a file that isn't there, the prelude.
    fn missing(&self, scope: ScopeId, segments: &[Symbol], is_certain: bool) -> Named {
        let name = segments[segments.len() - 1];
        let made = !self.calls.of_name(name).is_empty() || !self.names.foreign_globs(scope, name).is_empty();
        let text = self.index.symbols.text(name);
        let made = made || !self.index.missing.is_empty() || prelude::is_prelude(text) || prelude::is_plain(text);
        if !is_certain || made || self.is_declared(name) {
            return Named::Other;
        }
        let items = self.names.items_in(scope).into_iter().map(|id| self.index.item(id));
        let useful = items.filter(|item| !matches!(item.kind, ItemKind::Trait | ItemKind::Alias)).map(|item| item.name);
        let own = self.index.scopes[scope as usize].names.keys().copied();
        let mut names: Vec<String> = useful.chain(own).map(|name| self.index.symbols.text(name).to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        Named::Nothing(names)
    }

    /// A name that isn't among the members of a type of this crate, unless something may make it one.
    fn missing_member(&self, found: &[FoundTarget], segments: &[Symbol], is_certain: bool) -> Named {
        let [FoundTarget { target: PathTarget::Item(id), length, .. }] = found else { return Named::Other };
        let (id, name) = (self.unaliased(*id), segments[segments.len() - 1]);
        let is_type = matches!(self.index.item(id).kind, ItemKind::Struct | ItemKind::Enum | ItemKind::Union);
        let made = !self.calls.of_name(name).is_empty() || !self.index.missing.is_empty() || self.is_declared(name);
        if length + 1 != segments.len() || self.crate_of(id) != OWN || !is_type || !is_certain || made {
            return Named::Other;
        }
        let members = self.inherent(id).into_iter().flat_map(|block| self.index.members_of(block));
        let names: Set<String> =
            members.map(|&member| self.index.symbols.text(self.index.item(member).name).to_owned()).collect();
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_unstable();
        Named::Nothing(names)
    }

    /// Whether any file declares the name, in a body or a macro, or as a handle.
    fn is_declared(&self, name: Symbol) -> bool {
        let declares = |before: Symbol| {
            matches!(
                before,
                Symbol::FN
                    | Symbol::CONST
                    | Symbol::STATIC
                    | Symbol::MUT
                    | Symbol::STRUCT
                    | Symbol::ENUM
                    | Symbol::UNION
                    | Symbol::TYPE
                    | Symbol::BANG
                    | Symbol::AS
                    | Symbol::EQ
            )
        };
        self.index
            .files
            .iter()
            .any(|file| (1..file.tokens.len()).any(|at| file.symbol(at) == name && declares(file.symbol(at - 1))))
    }

    /// The type that an alias stands for, and anything else itself.
    fn unaliased(&self, id: ItemId) -> ItemId {
        match self.index.item(id).kind {
            ItemKind::Alias => match super::header::type_of_alias(self.index, &self.names, id) {
                ImplementingType::Local(id) => id,
                ImplementingType::Open | ImplementingType::Unknown(_) => id,
            },
            _ => id,
        }
    }
}
