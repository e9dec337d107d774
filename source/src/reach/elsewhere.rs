//! Paths that lead out of what is read: to other crates, and to names that nothing explains.

use super::part::Unseen;
use super::step::{Step, Walk};
use crate::index::{OWN, ScopeId};
use crate::mention::Path;
use crate::prelude;
use crate::symbol::Symbol;

impl Walk<'_> {
    /// A name that no text of a module explains: a macro may make it, or another crate's items that are imported there.
    pub(super) fn unknown_in(&mut self, module: ScopeId, name: Symbol) {
        for foreign in self.resolver.names.foreign_globs(module, name) {
            self.unseen_crate(foreign[0]);
            self.push(Step::Foreign(foreign));
        }
        self.lost(module, name);
        self.push(Step::Unknown(name));
    }

    /// Tells the crates of imports that lead nowhere: a crate beside the compiled one may call others by names that only
    /// its manifest explains.
    fn lost(&mut self, scope: ScopeId, name: Symbol) {
        if self.resolver.index.scopes[scope as usize].krate == OWN {
            return;
        }
        for krate in self.resolver.names.lost_imports(scope, name) {
            self.unseen_crate(krate);
        }
    }

    fn unseen_crate(&mut self, krate: Symbol) {
        let name = self.text(krate).to_owned();
        if !krate.is_keyword() && !prelude::is_standard_crate(&name) {
            self.push(Step::Unseen(Unseen::Crate(name)));
        }
    }

    pub(super) fn foreign(&mut self, whole: &[Symbol], written: usize) {
        self.unseen_crate(whole[0]);
        if let (true, Some(&name)) = (written > 1, whole.last()) {
            self.push(Step::Outside(name));
        }
        self.push(Step::Foreign(whole.to_vec()));
    }

    pub(super) fn unresolved(&mut self, path: &Path, local: bool) {
        let (first, rest) = (path.segments[0], &path.segments[1..]);
        let standard = prelude::is_prelude(self.text(first));
        for &name in rest {
            self.push(if standard { Step::Outside(name) } else { Step::Any(name) });
        }
        if local {
            return;
        }
        for foreign in self.resolver.names.foreign_globs(self.node.scope, first) {
            self.push(Step::Foreign(foreign));
        }
        if !standard {
            self.lost(self.node.scope, first);
            let is_path = !rest.is_empty() && self.text(first).starts_with(char::is_lowercase);
            if is_path && self.resolver.index.scopes[self.node.scope as usize].krate != OWN {
                self.unseen_crate(first);
            }
            self.push(Step::Unknown(first));
        }
    }
}
