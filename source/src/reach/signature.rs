//! What the signature of a function adds: whatever its callers may pass.

use super::Resolver;
use super::header::Implemented;
use super::part::Unseen;
use super::step::{Node, Step, Walk};
use crate::index::{ItemId, ItemKind};
use crate::mention::Path;
use crate::symbol::Symbol;

/// The steps that the signature of the function in question adds: whatever its callers may pass.
pub(super) fn signature_steps(resolver: &Resolver<'_>, id: ItemId) -> Vec<Step> {
    let index = resolver.index;
    let mut found = Vec::new();
    let owner = index.item(id).parent.filter(|&parent| index.item(parent).kind == ItemKind::Impl);
    for id in std::iter::once(id).chain(owner) {
        let item = index.item(id);
        let mut walk = Walk::new(resolver, Node { item: id, scope: item.scope });
        let file = index.file_of(item);
        for at in item.keyword as usize..item.head_end() {
            let starts = file.is_ident(at) && file.symbol(at.wrapping_sub(1)) != Symbol::COLON2;
            let path = if starts { crate::mention::type_head(file, at, item.head_end()) } else { None };
            if let Some(segments) = path {
                walk.open(&Path { segments, global: false });
            }
        }
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
