//! What the attributes of an item or module decide: whether it is compiled, and where its file lies.

use super::split;
use super::{CfgGuard, Index, Item, ItemId, ItemKind};
use crate::cfg;
use crate::file::File;
use crate::symbol::Symbol;

/// An attribute, as the tokens `from..to`: one in brackets, or one that a `cfg_attr` adds.
pub(crate) struct Attribute {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// The predicates of the `cfg_attr`s around it.
    under: Vec<(usize, usize)>,
}

/// The attribute in a bracket, or those that it adds if it is a `cfg_attr`, those of nested ones included.
pub(crate) fn attributes(file: &File, bracket: usize) -> Vec<Attribute> {
    let (mut found, mut queue) = (Vec::new(), Vec::new());
    queue.push(Attribute { from: bracket + 1, to: file.tokens[bracket].link as usize, under: Vec::new() });
    while let Some(attribute) = queue.pop() {
        if file.symbol(attribute.from) != Symbol::CFG_ATTR || !file.is_open(attribute.from + 1, b'(') {
            found.push(attribute);
            continue;
        }
        let arguments = cfg::arguments(file, attribute.from + 2, attribute.to - 1);
        let Some((&predicate, added)) = arguments.split_first() else { continue };
        let under = [attribute.under.as_slice(), &[predicate]].concat();
        queue.extend(added.iter().rev().map(|&(from, to)| Attribute { from, to, under: under.clone() }));
    }
    found
}

/// A call where items stand, in tests only, of another crate's macro that is given functions and nothing else: it makes
/// tests of them.
pub(crate) fn makes_tests(index: &Index, call: ItemId) -> bool {
    let item = index.item(call);
    let (file, keyword) = (index.file_of(item), item.keyword as usize);
    let Some((name, open)) = split::called_macro(file, keyword).and_then(|bang| crate::reads::call(file, bang - 1))
    else {
        return false;
    };
    let brackets = || (item.from as usize..keyword).filter_map(|at| split::attribute(file, at)).collect::<Vec<_>>();
    let is_of_tests = index.scopes[item.scope as usize].is_of_tests || is_of_tests(file, &brackets());
    let (to, (_, mut at)) = (file.tokens[open].link as usize, inner_attributes(file, open + 1));
    while at < to {
        let raw = split::item(file, at, to);
        if raw.kind != ItemKind::Fn || raw.body.is_none() {
            return false;
        }
        at = raw.to;
    }
    is_of_tests && index.macros_named(file.krate, name).is_empty()
}

/// The types before which a derive of that name stands.
pub(crate) fn deriving(index: &Index, name: Symbol) -> Vec<ItemId> {
    let derives = |item: &Item| {
        let file = index.file_of(item);
        let is_type = item.kind.is_type();
        (item.from..item.keyword).filter(|_| is_type).filter_map(|at| split::attribute(file, at as usize)).any(
            |bracket| {
                let of_derive = |found: &Attribute| file.symbol(found.from) == Symbol::DERIVE;
                let inner = attributes(file, bracket).into_iter().filter(of_derive);
                inner.flat_map(|found| found.from..found.to).any(|at| file.symbol(at) == name)
            },
        )
    };
    (0..).zip(&index.items).filter(|(_, item)| derives(item)).map(|(id, _)| id).collect()
}

impl Attribute {
    /// The predicates around it that the compiler's arguments don't decide; `None` if one doesn't hold.
    fn guards(&self, index: &Index, file: u32) -> Option<Vec<CfgGuard>> {
        let mut guards = Vec::new();
        for &predicate in &self.under {
            guards.extend(undecided(index, file, predicate)?);
        }
        Some(guards)
    }
}

/// The predicate if the compiler's arguments don't decide it, nothing if it holds, and `None` if it doesn't.
fn undecided(index: &Index, file: u32, (from, to): (usize, usize)) -> Option<Option<CfgGuard>> {
    let source = &index.files[file as usize];
    match cfg::decide(source, from, to, index.session_of(source), &index.symbols) {
        Some(false) => None,
        Some(true) => Some(None),
        None => Some(Some(CfgGuard { file, from: from as u32, to: to as u32 })),
    }
}

/// Whether the attributes in these brackets let an item be compiled; what isn't decided becomes a guard.
pub(super) fn compiled(index: &Index, file: u32, brackets: &[usize], guards: &mut Vec<CfgGuard>) -> bool {
    let source = &index.files[file as usize];
    for attribute in brackets.iter().flat_map(|&bracket| attributes(source, bracket)) {
        if source.symbol(attribute.from) != Symbol::CFG || !source.is_open(attribute.from + 1, b'(') {
            continue;
        }
        let Some(around) = attribute.guards(index, file) else { continue };
        match undecided(index, file, (attribute.from + 2, attribute.to - 1)) {
            Some(None) => {}
            None if around.is_empty() => return false,
            own => guards.extend(around.into_iter().chain(own.flatten())),
        }
    }
    true
}

/// A path of `#[path = "…"]`, and the guards under which it counts.
pub(super) struct GuardedPath {
    pub(super) path: String,
    pub(super) guards: Vec<CfgGuard>,
}

/// The paths that the attributes in these brackets tell; and whether one of them surely counts.
pub(super) fn paths(index: &Index, file: u32, brackets: &[usize]) -> (Vec<GuardedPath>, bool) {
    let source = &index.files[file as usize];
    let mut found = Vec::new();
    for attribute in brackets.iter().flat_map(|&bracket| attributes(source, bracket)) {
        // The path in a macro's variable isn't known.
        let path = source.value(attribute.from + 2).filter(|_| source.symbol(attribute.from) == Symbol::PATH);
        if let (Some(path), Some(guards)) = (path, attribute.guards(index, file)) {
            found.push(GuardedPath { path: path.into_owned(), guards });
        }
    }
    let sure = found.iter().any(|path| path.guards.is_empty());
    (found, sure)
}

/// Whether one of the attributes in these brackets has this name, by itself or through a `cfg_attr`.
pub(super) fn is_marked(file: &File, brackets: &[usize], name: Symbol) -> bool {
    brackets.iter().flat_map(|&bracket| attributes(file, bracket)).any(|attribute| file.symbol(attribute.from) == name)
}

/// Whether one of the attributes in these brackets keeps an item out of every build but tests: `cfg(test)`, or `cfg(all(…))`
/// with `test` in it.
pub(super) fn is_of_tests(file: &File, brackets: &[usize]) -> bool {
    let is_test = |from: usize, to: usize| to == from + 1 && file.text_of(from) == "test";
    let demands = |attribute: &Attribute| {
        let (from, to) = (attribute.from + 2, attribute.to.saturating_sub(1));
        let is_cfg = file.symbol(attribute.from) == Symbol::CFG && file.is_open(attribute.from + 1, b'(');
        let is_all = file.symbol(from) == Symbol::ALL && file.is_open(from + 1, b'(');
        let inner = || cfg::arguments(file, from + 2, file.tokens[from + 1].link as usize);
        is_cfg && (is_test(from, to) || is_all && inner().into_iter().any(|(from, to)| is_test(from, to)))
    };
    let found = brackets.iter().flat_map(|&bracket| attributes(file, bracket));
    found.filter(|attribute| attribute.under.is_empty()).any(|attribute| demands(&attribute))
}

/// The brackets of `#![…]` at the head of a module, and where its items begin.
pub(super) fn inner_attributes(file: &File, mut at: usize) -> (Vec<usize>, usize) {
    let mut found = Vec::new();
    while file.symbol(at + 1) == Symbol::BANG {
        let Some(bracket) = split::attribute(file, at) else { break };
        found.push(bracket);
        at = file.after(bracket);
    }
    (found, at)
}
