//! What the header of an `impl` says: whose it is, which trait it implements, and which items it names;
//! and what the signature of a function adds.

use super::Resolver;
use super::part::Unseen;
use super::step::{Node, Step, Walk};
use crate::file::File;
use crate::index::{Index, Item, ItemId, ItemKind};
use crate::lex::TokenKind;
use crate::mention::{Path, angle_end, type_head};
use crate::names::{FoundTarget, PathResolver, PathTarget};
use crate::prelude;
use crate::symbol::{Set, Symbol};

/// The type that an `impl` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ImplementingType {
    /// A type of this crate, or a trait behind `dyn`.
    Local(ItemId),
    /// A type of another crate, a type parameter, a tuple, a slice.
    Open,
    /// A name that no item has: a macro makes it, or a body declares it.
    Unknown(Symbol),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Implemented {
    Inherent,
    Local(ItemId),
    Foreign,
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) implementing: ImplementingType,
    pub(super) implemented: Implemented,
    /// The names that a trait of another crate has, there and where the `impl` stands.
    pub(super) foreign: Vec<Symbol>,
    /// Types and traits of this crate that the header names, aliases resolved.
    pub(super) named: Vec<ItemId>,
    /// Names in it that nothing explains.
    pub(super) unknown: Vec<Symbol>,
    /// Whether it may name a type by more than a path: as that of a trait, by a macro, or by an alias of a body.
    pub(super) is_vague: bool,
}

/// The two paths of a header: `impl<…> trait for owner where …`.
struct Ranges {
    implemented: Option<(usize, usize)>,
    owner: (usize, usize),
}

pub(super) fn header(index: &Index, names: &PathResolver<'_>, id: ItemId) -> Header {
    let item = index.item(id);
    let file = index.file_of(item);
    let ranges = ranges(file, item);
    let (implemented, foreign) = match ranges.implemented {
        Some((from, to)) => implemented(index, names, item, from, to),
        None => (Implemented::Inherent, Vec::new()),
    };
    let parameters = parameters(file, item);
    let implementing = implementing_type(index, names, id, ranges.owner.0, ranges.owner.1, &parameters, 0);
    let mut found =
        Header { implementing, implemented, foreign, named: Vec::new(), unknown: Vec::new(), is_vague: false };
    let mut paths = Paths { index, names, parameters: &parameters, header: &mut found };
    paths.collect(id, ranges.owner.0, ranges.owner.1, 0);
    if let Some((from, to)) = ranges.implemented {
        paths.collect(id, from, to, 0);
    }
    let whole = (ranges.implemented.map_or(ranges.owner.0, |(from, _)| from), ranges.owner.1);
    found.is_vague = (whole.0..whole.1).any(|at| is_vague(file, at, whole.0)) || aliases(index, item, &found.unknown);
    found
}

/// Whether `<Type as Trait>::Name` or the call of a macro begins at `at`.
fn is_vague(file: &File, at: usize, from: usize) -> bool {
    let before = if at > from { file.symbol(at - 1) } else { Symbol::NONE };
    let names_before = at > from && (file.name(at - 1).is_some() || before == Symbol::COLON2);
    match file.symbol(at) {
        Symbol::LT if before == Symbol::FOR => !is_higher(file, at),
        Symbol::LT => !names_before,
        Symbol::SHL => true,
        Symbol::BANG => names_before,
        _ => false,
    }
}

/// Whether a body declares one of the names as an alias.
fn aliases(index: &Index, item: &Item, names: &[Symbol]) -> bool {
    let file = index.file_of(item);
    let declares = |at: usize| file.symbol(at) == Symbol::TYPE && names.contains(&file.symbol(at + 1));
    index.scopes[item.scope as usize].is_body && (0..file.tokens.len()).any(declares)
}

/// Whether the `<` at `open`, behind a `for`, holds lifetimes.
fn is_higher(file: &File, open: usize) -> bool {
    let inner = file.tokens.get(open + 1);
    inner.is_some_and(|token| token.kind == TokenKind::Lifetime || token.symbol == Symbol::GT)
}

fn ranges(file: &File, item: &Item) -> Ranges {
    let mut from = item.keyword as usize + 1;
    let end = item.head_end();
    if file.symbol(from) == Symbol::LT {
        from = angle_end(file, from, end).map_or(from, |close| close + 1);
    }
    let separates = |at: usize| {
        let higher = file.symbol(at + 1) == Symbol::LT && is_higher(file, at + 1);
        file.symbol(at) == Symbol::FOR && !higher
    };
    let to = (from..end).find(|&at| file.symbol(at) == Symbol::WHERE).unwrap_or(end);
    match (from..to).find(|&at| separates(at)) {
        Some(at) => Ranges { implemented: Some((from, at)), owner: (at + 1, to) },
        None => Ranges { implemented: None, owner: (from, to) },
    }
}

/// The type and constant parameters of an item's own list.
pub(super) fn parameters(file: &File, item: &Item) -> Set<Symbol> {
    let keyword = item.keyword as usize;
    let open = if item.kind == ItemKind::Impl { keyword + 1 } else { keyword + 2 };
    listed(file, open, item.head_end())
}

/// The parameters of the list that opens at `open`.
pub(super) fn listed(file: &File, open: usize, to: usize) -> Set<Symbol> {
    let mut found = Set::default();
    if file.symbol(open) != Symbol::LT {
        return found;
    }
    let Some(close) = angle_end(file, open, to) else { return found };
    for at in open + 1..close {
        let before = file.symbol(at - 1);
        if matches!(before, Symbol::LT | Symbol::COMMA | Symbol::CONST) {
            found.extend(file.name(at));
        }
    }
    found
}

fn implemented(
    index: &Index,
    names: &PathResolver<'_>,
    item: &Item,
    mut from: usize,
    to: usize,
) -> (Implemented, Vec<Symbol>) {
    let file = index.file_of(item);
    while matches!(file.symbol(from), Symbol::BANG | Symbol::CONST | Symbol::QUESTION | Symbol::COLON2) && from < to {
        from += 1;
    }
    let Some(path) = type_head(file, from, to) else { return (Implemented::Foreign, Vec::new()) };
    let found = names.resolve(item.scope, &path, false);
    let is_trait = |id: &ItemId| index.item(*id).kind == ItemKind::Trait;
    match items(&found).find(is_trait) {
        Some(id) => (Implemented::Local(id), Vec::new()),
        None => (Implemented::Foreign, foreign_names(&path, &found)),
    }
}

fn items(found: &[FoundTarget]) -> impl Iterator<Item = ItemId> {
    found.iter().filter_map(|found| match found.target {
        PathTarget::Item(id) => Some(id),
        _ => None,
    })
}

/// The last names of a path as it is written, and of what it stands for in other crates: a `use` may rename it.
pub(super) fn foreign_names(path: &[Symbol], found: &[FoundTarget]) -> Vec<Symbol> {
    let mut names: Vec<Symbol> = path.last().copied().into_iter().collect();
    for found in found {
        if let PathTarget::Foreign(whole) = &found.target {
            let name = whole.last().copied().filter(|name| !names.contains(name));
            names.extend(name);
        }
    }
    names
}

/// Aliases lead to the type they stand for.
fn implementing_type(
    index: &Index,
    names: &PathResolver<'_>,
    id: ItemId,
    from: usize,
    to: usize,
    parameters: &Set<Symbol>,
    depth: usize,
) -> ImplementingType {
    let item = index.item(id);
    let file = index.file_of(item);
    let from = if file.symbol(from) == Symbol::DYN { from + 1 } else { from };
    let Some(path) = type_head(file, from, to) else { return ImplementingType::Open };
    if parameters.contains(&path[0]) {
        return ImplementingType::Open;
    }
    let found = names.resolve(item.scope, &path, false);
    let types = items(&found).filter(|&named| index.item(named).kind.is_type());
    if index.scopes[item.scope as usize].is_body && types.count() > 1 {
        // One scope stands for all blocks of a body.
        return ImplementingType::Open;
    }
    for named in items(&found) {
        let kind = index.item(named).kind;
        if kind.is_type() || kind == ItemKind::Trait {
            return ImplementingType::Local(named);
        }
        if kind == ItemKind::Alias && depth < 8 {
            let (from, to) = aliased(index, named);
            return implementing_type(
                index,
                names,
                named,
                from,
                to,
                &self::parameters(file_of(index, named), index.item(named)),
                depth + 1,
            );
        }
    }
    let known = !found.is_empty() || prelude::is_prelude(index.symbols.text(path[0]));
    if known { ImplementingType::Open } else { ImplementingType::Unknown(*path.last().unwrap_or(&path[0])) }
}

fn file_of(index: &Index, id: ItemId) -> &File {
    index.file_of(index.item(id))
}

/// What stands behind the `=` of `type Name = …;`
pub(super) fn aliased(index: &Index, id: ItemId) -> (usize, usize) {
    let item = index.item(id);
    let file = index.file_of(item);
    let (from, to) = (item.keyword as usize, item.to as usize);
    let equals = (from..to).find(|&at| file.symbol(at) == Symbol::EQ).unwrap_or(to.saturating_sub(1));
    (equals + 1, to.saturating_sub(1))
}

/// The type that an alias stands for, or any item itself.
pub(super) fn type_of_alias(index: &Index, names: &PathResolver<'_>, id: ItemId) -> ImplementingType {
    let (from, to) = aliased(index, id);
    implementing_type(index, names, id, from, to, &parameters(file_of(index, id), index.item(id)), 0)
}

struct Paths<'a> {
    index: &'a Index,
    names: &'a PathResolver<'a>,
    parameters: &'a Set<Symbol>,
    header: &'a mut Header,
}

impl Paths<'_> {
    /// Every path in the tokens `from..to` of an item.
    fn collect(&mut self, id: ItemId, from: usize, to: usize, depth: usize) {
        let item = self.index.item(id);
        let file = self.index.file_of(item);
        let mut at = from;
        while at < to {
            let path = if file.symbol(at) == Symbol::MUT { None } else { type_head(file, at, to) };
            let Some(path) = path.filter(|_| file.is_ident(at)) else {
                at += 1;
                continue;
            };
            at += path.len() * 2 - 1;
            if !self.parameters.contains(&path[0]) {
                self.path(item, &path, depth);
            }
        }
    }

    fn path(&mut self, item: &Item, path: &[Symbol], depth: usize) {
        let found = self.names.resolve(item.scope, path, false);
        if found.is_empty() && !prelude::is_prelude(self.index.symbols.text(path[0])) {
            self.header.unknown.push(*path.last().unwrap_or(&path[0]));
        }
        for found in found {
            let PathTarget::Item(named) = found.target else { continue };
            let kind = self.index.item(named).kind;
            if kind == ItemKind::Alias && depth < 8 {
                let (from, to) = aliased(self.index, named);
                self.collect(named, from, to, depth + 1);
            }
            if (kind.is_type() || kind == ItemKind::Trait) && !self.header.named.contains(&named) {
                self.header.named.push(named);
            }
        }
    }
}

/// The traits in the header of an `impl` for types that its parameters stand for: they decide which types these are.
pub(super) fn bounds(resolver: &Resolver<'_>, id: ItemId) -> Vec<Step> {
    let item = resolver.index.item(id);
    let mut walk = Walk::new(resolver, Node { item: id, scope: item.scope });
    if item.kind == ItemKind::Impl && !parameters(resolver.index.file_of(item), item).is_empty() {
        open_all(&mut walk, id);
    }
    walk.steps
}

/// Opens each path before the body.
fn open_all(walk: &mut Walk<'_>, id: ItemId) {
    let item = walk.resolver.index.item(id);
    let file = walk.resolver.index.file_of(item);
    for at in item.keyword as usize..item.head_end() {
        let starts = file.is_ident(at) && file.symbol(at.wrapping_sub(1)) != Symbol::COLON2;
        let path = if starts { type_head(file, at, item.head_end()) } else { None };
        if let Some(segments) = path {
            walk.open(&Path { segments, global: false });
        }
    }
}

/// Whether an item is the definition of a type, or gives a trait to a macro that puts it behind `dyn`.
pub(super) fn opens(index: &Index, id: ItemId) -> bool {
    let boxes = |&id: &ItemId| {
        let item = index.item(id);
        let file = index.file_of(item);
        let is_variable = |at| file.symbol(at) == Symbol::DYN && file.symbol(at + 1) == Symbol::DOLLAR;
        (item.keyword as usize..item.to as usize).any(is_variable)
    };
    let kind = index.item(id).kind;
    kind.is_type() || kind == ItemKind::Alias || index.macros_under(id).iter().any(boxes)
}

/// The steps that the signature of the function in question adds: whatever its callers may pass.
pub(super) fn signature_steps(resolver: &Resolver<'_>, id: ItemId) -> Vec<Step> {
    let index = resolver.index;
    let mut found = Vec::new();
    let owner = index.item(id).parent.filter(|&parent| index.item(parent).kind == ItemKind::Impl);
    for id in std::iter::once(id).chain(owner) {
        let mut walk = Walk::new(resolver, Node { item: id, scope: index.item(id).scope });
        open_all(&mut walk, id);
        if !walk.parameters.is_empty() || has_opaque(resolver, id) {
            walk.push(Step::Unseen(Unseen::TypeArguments(index.path(id))));
        }
        found.append(&mut walk.steps);
    }
    if let Some(Implemented::Local(id)) = owner.map(|owner| resolver.headers[&owner].implemented) {
        found.push(Step::Item(id));
    }
    found
}

/// `impl Trait` in the signature.
fn has_opaque(resolver: &Resolver<'_>, id: ItemId) -> bool {
    let item = resolver.index.item(id);
    let file = resolver.index.file_of(item);
    item.kind == ItemKind::Fn && (item.keyword as usize..item.head_end()).any(|at| file.symbol(at) == Symbol::IMPL)
}
