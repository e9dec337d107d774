//! What counts of the types that a function is called with and that its crate doesn't see: those of crates which are made
//! after it, such as the program beside a library.
//!
//! `#[cache]` finds the helpers of a function in its own crate and in those that this one uses. What a type parameter, an
//! `impl Trait` or a `dyn Trait` stands for may be of none of these; what it does is an `impl` in a crate that uses the
//! function's. There `#[derive(ContentHash)]` expands, and finds the type's code as `#[cache]` does. A type without the derive
//! counts by the build of the program.

use super::Function;
use crate::digest::{Digest, SeenTypes};
use crate::error::Result;
use crate::key::object;
use crate::key::{ArgumentDigest, CodeScope};

/// The argument under which the build counts.
const BUILD: &str = "code of the program";

/// The standard library's crates.
const STANDARD: [&str; 3] = ["std", "core", "alloc"];

/// What a macro knows of the crates of one function: the names of those that its own uses, and, behind a `;`, its own name, or
/// the paths of its own types, where a program may have the name of the library.
#[derive(Clone, Copy)]
pub(super) struct Upstream(pub(super) &'static str);

impl Upstream {
    /// Whether a crate of this name is one that the function's crate uses.
    fn uses(self, krate: &str) -> bool {
        STANDARD.contains(&krate) || self.parts().0.split(' ').any(|name| name == krate)
    }

    /// Whether the type at this path is one of the function's own crate.
    fn owns(self, path: &str) -> bool {
        self.parts().1.split(' ').any(|own| own == path || own == crate_of(path))
    }

    fn parts(self) -> (&'static str, &'static str) {
        self.0.split_once(';').unwrap_or((self.0, ""))
    }
}

/// The types of one call.
pub(crate) struct CallTypes<'a> {
    /// Those of the values in its arguments.
    pub(crate) seen: &'a SeenTypes,
    /// The names of its type arguments.
    pub(crate) arguments: &'a [&'static str],
    /// The address of code that was compiled for these types.
    pub(crate) compiled: usize,
}

impl Function {
    /// What counts of the types of a call, as arguments of its key; most calls have none.
    ///
    /// # Errors
    ///
    /// Returns an error when the build counts and can't be found.
    pub(crate) fn downstream_types(&self, call: &CallTypes<'_>) -> Result<Vec<ArgumentDigest>> {
        let Some((upstream, code)) = self.upstream() else { return Ok(Vec::new()) };
        if !matches!(code.scope, CodeScope::Auto | CodeScope::Package(_)) {
            return Ok(Vec::new());
        }
        let (mut counted, mut known, mut is_known) = (Vec::new(), Vec::new(), true);
        for derived in &call.seen.derived {
            let path = derived.name.split('<').next().unwrap_or_default();
            known.push(path);
            // Without Cargo packages have no mark.
            let is_own = derived.package == code.mark && (!code.mark.is_empty() || upstream.owns(path));
            if is_own || upstream.uses(crate_of(path)) {
                continue;
            }
            match derived.code {
                Some(code) => counted.push(argument(code.name, (code.digest)()?)),
                None => is_known = false,
            }
        }
        let is_downstream =
            |path: &str| !known.contains(&path) && !upstream.uses(crate_of(path)) && !upstream.owns(path);
        let own = self.names_of_types();
        let names = call.arguments.iter().copied().chain(own.iter().map(|name| &**name));
        let is_any = |name: &str| call.seen.concrete.is_empty() && name.contains("dyn ");
        is_known &= !names.clone().any(is_any);
        is_known &= !names.chain(call.seen.concrete.iter().copied()).flat_map(paths).any(is_downstream);
        counted.sort_by_key(|argument| (argument.name, argument.digest.to_bytes()));
        counted.dedup();
        if !is_known {
            counted.push(argument(BUILD, Digest::of(object::build_id(call.compiled)?)));
        }
        Ok(counted)
    }
}

fn argument(name: &'static str, digest: Digest) -> ArgumentDigest {
    ArgumentDigest { name, digest, claimed: false, secret: false }
}

/// The paths in the name of a type: `algo::Runner` and `app::Hinge` of `algo::Runner<app::Hinge, 3>`.
fn paths(name: &str) -> impl Iterator<Item = &str> {
    let is_in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = name.split(move |c: char| !is_in_path(c));
    words.filter(|word| word.contains("::") && !word.starts_with(':'))
}

fn crate_of(path: &str) -> &str {
    path.split("::").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stand_anywhere_in_a_name() {
        let of = |name| paths(name).collect::<Vec<_>>();
        assert_eq!(of("f64"), [""; 0]);
        assert_eq!(of("[f64; 3]"), [""; 0]);
        assert_eq!(of("algo::Runner<app::Hinge, 3>"), ["algo::Runner", "app::Hinge"]);
        assert_eq!(of("<app::A as algo::Model<(u8, app::b::C)>>"), ["app::A", "algo::Model", "app::b::C"]);
        assert_eq!(of("&[alloc::boxed::Box<dyn algo::Model>]"), ["alloc::boxed::Box", "algo::Model"]);
        assert_eq!(of("fn(app::Größe) -> f64"), ["app::Größe"]);
    }

    #[test]
    fn upstream_is_what_the_crate_uses_and_what_it_has() {
        let all = Upstream("ndarray serde;algo");
        assert!(all.uses("ndarray") && all.uses("core") && !all.uses("algo") && !all.uses("nd"));
        assert!(all.owns("algo::Mean") && all.owns("algo::a::B") && !all.owns("app::Mean"));
        let types = Upstream("ndarray;algo::Mean algo::a::B");
        assert!(types.owns("algo::Mean") && types.owns("algo::a::B") && !types.owns("algo::Other"));
        assert!(!types.owns("algo::Me"));
    }
}
