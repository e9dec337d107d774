//! What counts of the types that a function is called with and that its crate doesn't see: those of crates which are made
//! after it, such as the program beside a library.
//!
//! `#[cache]` finds the helpers of a function in its own crate and in those that this one uses. What a type parameter, an
//! `impl Trait` or a `dyn Trait` stands for may be of none of these; what it does is an `impl` in a crate that uses the
//! function's. There `#[derive(ContentHash)]` expands, and finds the type's code as `#[cache]` does. A type without the derive
//! counts by the build of the program.

use super::Function;
use crate::digest::{DerivedType, Digest, SeenTypes};
use crate::error::Result;
use crate::key::{ArgumentDigest, CodeScope, object};

/// The argument under which the build counts.
const BUILD: &str = "code of the program";

/// The standard library's crates.
const STANDARD: [&str; 3] = ["std", "core", "alloc"];

/// What a macro knows of the crates around one function; names with a space between.
#[derive(Clone, Copy)]
pub struct Upstream {
    /// The crates that the function's own uses, by themselves or through others.
    pub crates: &'static str,
    /// The function's own crate.
    pub own: &'static str,
    /// The paths of its own types and traits, where a program of its package has its name; else nothing.
    pub types: &'static str,
    /// Whether an argument hides a `dyn` from the key: an ignored one.
    pub hides_types: bool,
}

impl Upstream {
    /// Whether a crate of this name is one that the function's crate uses.
    fn uses(self, krate: &str) -> bool {
        STANDARD.contains(&krate) || holds(self.crates, krate)
    }

    /// Whether the type at this path is one of the function's own crate.
    fn owns(self, path: &str) -> bool {
        crate_of(path) == self.own && (self.types.is_empty() || holds(self.types, path))
    }

    /// Whether a type that derives is one of the function's own crate, whose package has the mark `own`.
    fn defines(self, derived: &DerivedType, path: &str, own: &str) -> bool {
        // Without Cargo packages have no mark; a documentation test has that of the package.
        derived.package == own && crate_of(path) == self.own && (!own.is_empty() || self.owns(path))
    }

    /// Whether a type that derives is one of a library that the function's crate uses. The mark of a program has a `/`; a
    /// library that has another name than its package isn't known.
    fn has_before(self, derived: &DerivedType, path: &str) -> bool {
        let package = derived.package.split('@').next().unwrap_or_default();
        let is_its_library = package.is_empty() || package.replace('-', "_") == crate_of(path);
        self.uses(crate_of(path)) && is_its_library && !derived.package.contains('/')
    }
}

fn holds(names: &str, name: &str) -> bool {
    names.split(' ').any(|known| known == name)
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
        let (mut counted, mut known, mut is_known) = (Vec::new(), Vec::new(), !upstream.hides_types);
        for derived in &call.seen.derived {
            let path = derived.name.split('<').next().unwrap_or_default();
            known.push(path);
            if upstream.defines(derived, path, code.mark) || upstream.has_before(derived, path) {
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
        let concrete = call.seen.concrete.iter().copied();
        // What stands behind a `dyn` is known by its value, unless the trait says by itself how that is hashed.
        let is_any = |name: &str| name.contains("dyn ");
        is_known &= !concrete.clone().any(is_any) && (concrete.len() > 0 || !names.clone().any(is_any));
        is_known &= !names.chain(concrete).flat_map(paths).any(is_downstream);
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
        let all = Upstream { crates: "ndarray serde", own: "algo", types: "", hides_types: false };
        assert!(all.uses("ndarray") && all.uses("core") && !all.uses("algo") && !all.uses("nd"));
        assert!(all.owns("algo::Mean") && all.owns("algo::a::B") && !all.owns("app::Mean"));
        let types = Upstream { types: "algo::Mean algo::a::B", ..all };
        assert!(types.owns("algo::Mean") && types.owns("algo::a::B") && !types.owns("algo::Other"));
        assert!(!types.owns("algo::Me"));
    }

    #[test]
    fn a_type_that_derives_belongs_to_its_package() {
        let upstream = Upstream { crates: "my_kinds rand", own: "algo", types: "", hides_types: false };
        let derived = |package, name| DerivedType { package, name, code: None };
        for (package, path, is_own, is_before) in [
            ("algo@0.1", "algo::Mean", true, false),
            ("algo@0.1/algo", "algo::Mean", false, false),
            ("algo@0.1", "rust_out::Mean", false, false),
            ("my-kinds@1", "my_kinds::A", false, true),
            ("algo@0.1/rand", "rand::A", false, false),
            ("algo@0.1/tests", "rand::A", false, false),
            ("other@1", "rand::A", false, false),
            ("app@0.1", "app::A", false, false),
        ] {
            let derived = derived(package, path);
            assert_eq!(upstream.defines(&derived, path, "algo@0.1"), is_own, "{package} {path}");
            assert_eq!(upstream.has_before(&derived, path), is_before, "{package} {path}");
        }
    }
}
