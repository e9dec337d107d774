//! Names that no text explains: which imports may bring them.

use super::{PathResolver, PathTarget};
use crate::index::{Binding, ScopeId};
use crate::symbol::Symbol;

impl PathResolver<'_> {
    /// The crates that may hold what a name stands for that no text explains: those of imports that lead nowhere.
    pub(crate) fn lost_imports(&self, scope: ScopeId, name: Symbol) -> Vec<Symbol> {
        let inner = &self.index.scopes[scope as usize];
        let bound = inner.names.get(&name).into_iter().flatten().filter_map(|binding| match binding {
            Binding::Import(import) => Some(import),
            _ => None,
        });
        let lost = bound.chain(&inner.globs).filter(|import| self.import_path(scope, import).is_empty());
        let mut found: Vec<Symbol> = lost.filter_map(|import| import.path.first().copied()).collect();
        if let Some(parent) = inner.parent.filter(|_| inner.is_body) {
            found.extend(self.lost_imports(parent, name));
        }
        found
    }

    /// The paths of imports of the name that lead to nothing which is written, whatever else has the name.
    pub(crate) fn lost_paths(&self, scope: ScopeId, name: Symbol) -> Vec<Vec<Symbol>> {
        let inner = &self.index.scopes[scope as usize];
        let bound = inner.names.get(&name).into_iter().flatten();
        let lost = |binding: &Binding| match binding {
            Binding::Import(import) if self.imported(scope, import).is_empty() => Some(import.path.clone()),
            _ => None,
        };
        let mut found: Vec<Vec<Symbol>> = bound.filter_map(lost).collect();
        if let Some(parent) = inner.parent.filter(|_| inner.is_body) {
            found.extend(self.lost_paths(parent, name));
        }
        found
    }

    /// The paths of the glob imports of a scope, and of those around its body.
    pub(crate) fn glob_paths(&self, scope: ScopeId) -> Vec<Vec<Symbol>> {
        let inner = &self.index.scopes[scope as usize];
        let mut found: Vec<Vec<Symbol>> = inner.globs.iter().map(|import| import.path.clone()).collect();
        if let Some(parent) = inner.parent.filter(|_| inner.is_body) {
            found.extend(self.glob_paths(parent));
        }
        found
    }

    /// The paths that glob imports of other crates give a name that nothing else explains.
    pub(crate) fn foreign_globs(&self, scope: ScopeId, name: Symbol) -> Vec<Vec<Symbol>> {
        let mut paths = Vec::new();
        let mut at = Some(scope);
        while let Some(scope) = at {
            self.globs_of(scope, name, &mut Vec::new(), &mut paths);
            let inner = &self.index.scopes[scope as usize];
            at = if inner.is_body { inner.parent } else { None };
        }
        paths
    }

    fn globs_of(&self, scope: ScopeId, name: Symbol, seen: &mut Vec<ScopeId>, paths: &mut Vec<Vec<Symbol>>) {
        if seen.contains(&scope) {
            return;
        }
        seen.push(scope);
        for target in self.globs(scope).iter() {
            match target {
                PathTarget::Module(module) => self.globs_of(*module, name, seen, paths),
                PathTarget::Foreign(path) => {
                    let mut path = path.clone();
                    path.extend([Symbol::STAR, name]);
                    paths.push(path);
                }
                PathTarget::Item(_) => {}
            }
        }
    }
}
