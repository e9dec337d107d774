//! A cached function: its path, its code, and the folder of its entries.

mod downstream;
mod member;

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use super::path::{folder, is_plain_path, shown_path};
use super::run_time::{FunctionDigests, RunTime, function_stream};
use super::{Code, CodePart, CodeScope, Part, object};
use crate::digest::{Digest, TypeSequence, ambiguity, number_of, strip_lifetimes};
use crate::error::{Error, Result};
use crate::threads::found_once;
pub(crate) use downstream::CallTypes;
pub use downstream::Upstream;
use member::{CapturedTypes, ClosureType, Member};
pub use member::{called, member, within};

/// Identifies a cached function; `f::function()` returns it.
///
/// ```
/// #[ndcache::cache(name = "squares, first edition")]
/// fn squares(n: u64) -> Vec<u64> {
///     (0..n).map(|i| i * i).collect()
/// }
/// assert_eq!(squares::function().path(), "squares, first edition");
/// ```
pub struct Function {
    origin: FunctionOrigin,
    member: Option<Member>,
    resolved: OnceLock<Resolved>,
    results: [OnceLock<(usize, Digest)>; RESULTS],
    parts: OnceLock<Vec<Part>>,
    build: OnceLock<Option<Digest>>,
    /// For the first type that it was asked for, the function of that type: most have no other, and need no table.
    first: OnceLock<(TypeId, &'static Function)>,
}

/// Where the description of a function comes from.
enum FunctionOrigin {
    /// A macro, which has seen its text.
    Macro(Definition),
    /// The program, while it runs.
    RunTime(RunTime),
}

/// How many result types a function remembers the digest of; a generic one may have more.
const RESULTS: usize = 4;

/// What the macros write down about a function; a constant.
#[derive(Clone, Copy)]
pub struct Definition {
    /// `CARGO_PKG_NAME`
    pub package: &'static str,
    /// `CARGO_BIN_NAME` of a binary or an example
    pub binary: Option<&'static str>,
    /// The package's mark (docs/format.md, "mark"); under a `name` the version in it alone.
    pub mark: &'static str,
    /// The type of an item that stands beside the function. Its own address tells which object file holds the function.
    pub id: fn() -> TypeId,
    /// Where a named closure's text stands, as a number that its copies by macros share; 0 if each is a text of its own.
    pub text: u64,
    /// What its path is made of.
    pub place: Naming,
    /// Its code.
    pub code: &'static Code,
    /// The crates that are certain not to be made after the function's: see `downstream`. `None` in a program.
    pub upstream: Option<Upstream>,
    /// `cache_err`
    pub cache_err: bool,
    /// `skip_none`
    pub skip_none: bool,
}

/// What a function's path is made of.
#[derive(Clone, Copy)]
pub enum Naming {
    /// The `type_name` of the companion enum.
    Item(fn() -> &'static str),
    /// `name = "…"`
    Named(&'static str),
}

struct Resolved {
    path: String,
    folder: String,
    /// The digests of path and code; or why the function can't be cached.
    digests: Result<FunctionDigests>,
}

impl Function {
    /// Wraps what a macro wrote down.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(definition: Definition) -> Self {
        Self::of(FunctionOrigin::Macro(definition))
    }

    /// A function that no macro has seen.
    pub(super) fn at_run_time(definition: RunTime) -> Self {
        Self::of(FunctionOrigin::RunTime(definition))
    }

    const fn of(origin: FunctionOrigin) -> Self {
        let results = [const { OnceLock::new() }; RESULTS];
        Self {
            origin,
            member: None,
            resolved: OnceLock::new(),
            results,
            parts: OnceLock::new(),
            build: OnceLock::new(),
            first: OnceLock::new(),
        }
    }

    /// Returns the function's path: package, binary or example if it is in one, and item; or its `name`, if it has one.
    ///
    /// A function that moves from a binary to the library, or to another module, has another path and so other keys,
    /// unless it has a `name`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.resolved().path
    }

    /// Returns the digest of the code that is part of its key; `None` if the function can't be cached.
    #[must_use]
    pub fn code(&self) -> Option<Digest> {
        self.digests().ok().map(|digests| digests.code)
    }

    /// Returns the mark of its package, which distinguishes it from others whose items have the same paths:
    /// `kern@0.2`, see "mark" in `docs/format.md`.
    #[must_use]
    pub fn mark(&self) -> &str {
        match &self.origin {
            FunctionOrigin::Macro(definition) => definition.mark,
            FunctionOrigin::RunTime(definition) => definition.mark(),
        }
    }

    /// Its path for a reader: no word of package, binary and crate twice.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        shown_path(self.path())
    }

    /// The folder of its entries, below the cache's root.
    pub(crate) fn folder(&self) -> &str {
        &self.resolved().folder
    }

    /// The digests of its code and of path and code, or the reason why its calls bypass the cache.
    pub(crate) fn digests(&self) -> Result<FunctionDigests, &Error> {
        self.resolved().digests.as_ref().copied()
    }

    /// The digest of a result type's name, remembered by `namer`, the address of the function that `name` calls. Types may
    /// share that function only if they share the name.
    pub(crate) fn result_digest(&self, namer: usize, name: impl FnOnce() -> Digest) -> Digest {
        for slot in &self.results {
            match slot.get() {
                Some(&(known, digest)) if known == namer => return digest,
                Some(_) => {}
                None => {
                    let digest = name();
                    // If another thread was faster, this digest may get the next slot next time.
                    let _ = slot.set((namer, digest));
                    return digest;
                }
            }
        }
        name()
    }

    /// Two numbers that hold within this build: which text has the given `name`, 0 without one; and which types tell the
    /// function from others of its path. Both are 0 for a function that was made at run time.
    pub(crate) fn type_numbers(&self) -> [u64; 2] {
        let FunctionOrigin::Macro(definition) = &self.origin else { return [0, 0] };
        let item = number_of((definition.id)());
        let text = if definition.text == 0 { item } else { definition.text };
        let place = if matches!(definition.place, Naming::Named(_)) { text } else { 0 };
        match self.member {
            None => [place, item],
            // The closure's type tells from others the types that it stands in, `Self` and the trait among them.
            Some(Member::Owner(_, ClosureType(_, number))) => {
                let mut both = TypeSequence::default();
                [item, number].into_iter().for_each(|number| both.push(number));
                [place, both.number()]
            }
            Some(Member::Item(_, number) | Member::Around(_, number, _)) => [place, number],
        }
    }

    /// The number of the types that a named closure captures; `None` for anything else. The closure's text doesn't tell
    /// them: two places may write it alike around variables of other types.
    pub(crate) fn captured(&self) -> Option<u64> {
        self.captures().map(|CapturedTypes(_, number)| number)
    }

    fn captures(&self) -> Option<CapturedTypes> {
        match self.member {
            Some(Member::Around(.., captured)) => Some(captured),
            _ => None,
        }
    }

    /// Whether the build is a part of its code: what holds within a build may be a part of the key then.
    pub(crate) fn counts_build(&self) -> bool {
        self.macro_code().is_some_and(|code| matches!(code.scope, CodeScope::Build(_)))
    }

    /// The digest of the id of the build that it belongs to, if that is known.
    pub(crate) fn build(&self) -> Option<Digest> {
        // Without a wait: a forked child doesn't have the thread that it would wait for.
        self.build.get().copied().unwrap_or_else(|| {
            let found = match &self.origin {
                FunctionOrigin::Macro(definition) => object::build_id(definition.id as usize).ok().map(Digest::of),
                FunctionOrigin::RunTime(_) => None,
            };
            let _ = self.build.set(found);
            found
        })
    }

    /// Returns the parts of its code in the key: itself, its helpers and what `depends(…)` names, each with the reason.
    #[must_use]
    pub fn parts(&self) -> Vec<CodePart> {
        match &self.origin {
            FunctionOrigin::Macro(definition) => definition.code.code_parts(self.path()),
            FunctionOrigin::RunTime(definition) => definition.code_parts(),
        }
    }

    /// Returns what the code may depend on that isn't among its [`parts`](Self::parts): items of other crates, what
    /// their macros call, names that macros make; or that no helpers were looked for.
    pub fn unseen(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.macro_code().into_iter().flat_map(|code| code.helpers.unseen())
    }

    /// Whether `depends(…)` names the code of `inner`, directly or not; taken for granted of a run-time function.
    pub(crate) fn names(&self, inner: &'static Function) -> bool {
        match (&self.origin, inner.macro_code()) {
            (FunctionOrigin::Macro(outer), Some(inner)) => outer.code.reaches(inner),
            (FunctionOrigin::Macro(_), None) => false,
            // Its maker has looked for helpers by other means: there is nothing to warn of.
            (FunctionOrigin::RunTime(_), _) => true,
        }
    }

    /// Whether `inner` is among its helpers. Reads all of them.
    pub(crate) fn finds(&self, inner: &'static Function) -> bool {
        let (Some(outer), Some(inner_code)) = (self.macro_code(), inner.macro_code()) else { return false };
        let is_near = outer.mark == inner_code.mark;
        matches!(outer.scope, CodeScope::Auto) && outer.helpers.hold(&inner_code.helpers, inner.path(), is_near)
    }

    /// What its code digest is made of.
    pub(crate) fn code_parts(&self) -> &[Part] {
        match &self.origin {
            FunctionOrigin::Macro(definition) => found_once::<Vec<_>>(&self.parts, || definition.code.parts()),
            FunctionOrigin::RunTime(definition) => definition.parts(),
        }
    }

    pub(crate) fn caches_err(&self) -> bool {
        self.macro_definition().is_some_and(|definition| definition.cache_err)
    }

    pub(crate) fn skips_none(&self) -> bool {
        self.macro_definition().is_some_and(|definition| definition.skip_none)
    }

    /// What is known of its crate and of those that it uses, and its code; `None` where no crate is made after it.
    fn upstream(&self) -> Option<(Upstream, &'static Code)> {
        let definition = self.macro_definition()?;
        Some((definition.upstream?, definition.code))
    }

    /// The names of types that tell it from others of its text.
    fn names_of_types(&self) -> Vec<Cow<'static, str>> {
        self.member.map_or_else(Vec::new, Member::types)
    }

    fn macro_definition(&self) -> Option<&Definition> {
        match &self.origin {
            FunctionOrigin::Macro(definition) => Some(definition),
            FunctionOrigin::RunTime(_) => None,
        }
    }

    fn macro_code(&self) -> Option<&'static Code> {
        self.macro_definition().map(|definition| definition.code)
    }

    fn resolved(&self) -> &Resolved {
        found_once(&self.resolved, || self.resolve())
    }

    fn resolve(&self) -> Resolved {
        let definition = match &self.origin {
            FunctionOrigin::Macro(definition) => definition,
            FunctionOrigin::RunTime(definition) => {
                let path = definition.path().to_owned();
                return Resolved { folder: folder(&path), path, digests: Ok(definition.digests()) };
            }
        };
        let path = self.full_path(definition);
        let digests = self.check_name(definition, &path).and_then(|()| definition.code.digest()).map(|code| {
            // A given name stands for every `Self`; the types must still differ.
            let member = strip_lifetimes(self.member.map_or("", Member::name));
            let mut stream = function_stream(&path, &member, definition.mark, code);
            if let Some(CapturedTypes(name, _)) = self.captures() {
                stream.text(&strip_lifetimes(name));
            }
            if self.counts_build() {
                stream.number(self.type_numbers()[1]);
            }
            FunctionDigests { code, function: stream.finish() }
        });
        Resolved { folder: folder(&path), path, digests }
    }

    fn full_path(&self, definition: &Definition) -> String {
        let item = match definition.place {
            Naming::Named(name) => return name.to_owned(),
            Naming::Item(name) => strip_lifetimes(name()),
        };
        let item = match self.member {
            // An inherent method's name is unique in its type, and says more than the module of its `impl`.
            Some(Member::Owner(owner, beside)) => {
                let owner = beside.of_trait().unwrap_or_else(|| strip_lifetimes(owner).into_owned());
                format!("{owner}::{}", item.rsplit("::").next().unwrap_or(&item)).into()
            }
            Some(Member::Item(function, _)) => strip_lifetimes(function),
            Some(Member::Around(..)) | None => item,
        };
        match definition.binary {
            Some(binary) => format!("{}/{binary}/{item}", definition.package),
            None => format!("{}/{item}", definition.package),
        }
    }

    /// Refuses names that several may have: two closures of one function do, and two `fn` pointers of one type.
    fn check_name(&self, definition: &Definition, path: &str) -> Result<()> {
        let refuse = |what: &str, why, way| Err(Error::unsupported(format!("{what} stands {why}; {way}")));
        let named = matches!(definition.place, Naming::Named(_));
        match self.member.map(|member| (member, ambiguity(member.name()))) {
            Some((Member::Around(place, ..), Some(why))) => {
                let way = "move it into a function with a name of its own, or write a type for what is generic there";
                return refuse(&format!("closure `{path}`, in `{place}`,"), why, way);
            }
            Some((Member::Item(item, _), Some(why))) => {
                return refuse(
                    &format!("function `{item}`"),
                    why,
                    "name a closure that calls it, and give that its `name = \"…\"`",
                );
            }
            Some((Member::Owner(owner, _), Some(why))) => {
                let way = "define the type outside, or give a free function its `name = \"…\"`";
                return refuse(&format!("type `{owner}` of function `{path}`"), why, way);
            }
            _ => {}
        }
        if let Some((name, why)) = self.captures().and_then(|CapturedTypes(name, _)| Some((name, ambiguity(name)?))) {
            return refuse(&format!("a type in `{name}`, which closure `{path}` captures,"), why, "define it outside");
        }
        if let (false, Some(why)) = (named, ambiguity(path)) {
            return refuse(&format!("function `{path}`"), why, "give it `name = \"…\"`");
        }
        match self.member {
            Some(Member::Item(item, _)) if !is_plain_path(item) => Err(Error::unsupported(format!(
                "`{item}` is a type and not a function, so that it names none; call the function itself, or name a closure"
            ))),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.path())
    }
}
