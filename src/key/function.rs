//! A cached function: its path, its code, and the folder of its entries.

use std::any::{TypeId, type_name};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, OnceLock, PoisonError, RwLock};

use super::path::{folder, is_plain_path, shown};
use super::run_time::RunTime;
use super::{Code, CodePart, Counts, Part, Stream, object};
use crate::digest::{Digest, TypeSequence, ambiguity, number_of, strip_lifetimes, type_number};
use crate::error::{Error, Result};

/// A cached function, as `f::function()` gives it.
///
/// ```
/// #[ndcache::cache(name = "squares, first edition")]
/// fn squares(n: u64) -> Vec<u64> {
///     (0..n).map(|i| i * i).collect()
/// }
/// assert_eq!(squares::function().path(), "squares, first edition");
/// ```
pub struct Function {
    origin: Origin,
    member: Option<Member>,
    resolved: OnceLock<Resolved>,
    results: [OnceLock<(usize, Digest)>; RESULTS],
    parts: OnceLock<Vec<Part>>,
    build: OnceLock<Option<Digest>>,
    /// The function of the first type that it was asked for: most have no other.
    first: OnceLock<(TypeId, &'static Function)>,
}

/// Who says what a function is.
enum Origin {
    /// A macro, which has seen its text.
    Macro(Definition),
    /// The program, while it runs.
    RunTime(RunTime),
}

/// A type that says which of the functions of one definition it is.
#[derive(Clone, Copy)]
enum Member {
    /// `Self` of a method, and the type of a closure that stands beside it: a trait's method counts its trait, too.
    Owner(&'static str, Beside),
    /// The item of a `call!`.
    Item(&'static str, u64),
    /// What a named closure stands in, the type of a closure there, and what it captures.
    Around(&'static str, u64, Captured),
}

/// The type of a closure beside a method, by name and by number.
#[derive(Clone, Copy)]
struct Beside(&'static str, u64);

impl Beside {
    /// `<Type as Trait<u8>>` where the method is one that a trait provides.
    ///
    /// Only such a method's closure is named after the type and the trait: an inherent one's is named after the type, or
    /// after the module of its `impl`.
    fn of_trait(self) -> Option<String> {
        let name = strip_lifetimes(self.0);
        let method = name.strip_suffix("::{{closure}}")?;
        let (qualified, _) = method.rsplit_once("::")?;
        (qualified.starts_with('<') && qualified.contains(" as ")).then(|| qualified.to_owned())
    }
}

/// The type of all that a named closure captures, by name and by number.
#[derive(Clone, Copy)]
struct Captured(&'static str, u64);

impl Member {
    fn name(self) -> &'static str {
        match self {
            Self::Owner(name, _) | Self::Item(name, _) | Self::Around(name, ..) => name,
        }
    }
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
    /// What tells the package from others in which items have the same paths: name, binary, and of the version what only
    /// incompatible ones differ in, of which a program may hold several. Under a `name`, that of the version.
    pub mark: &'static str,
    /// The type of an item that stands beside the function.
    pub id: fn() -> TypeId,
    /// Where the function stands.
    pub place: Naming,
    /// Its code.
    pub code: &'static Code,
    /// `cache_err`
    pub cache_err: bool,
    /// `skip_none`
    pub skip_none: bool,
}

/// Where a function stands.
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
    digests: Result<Digests>,
}

#[derive(Clone, Copy)]
pub(crate) struct Digests {
    pub(crate) code: Digest,
    /// The digest of path and code together.
    pub(crate) function: Digest,
}

impl Function {
    /// Wraps what a macro wrote down.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(definition: Definition) -> Self {
        Self::of(Origin::Macro(definition))
    }

    /// A function that no macro has seen.
    pub(super) fn at_run_time(definition: RunTime) -> Self {
        Self::of(Origin::RunTime(definition))
    }

    const fn of(origin: Origin) -> Self {
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

    /// The function's path: package, binary or example if it stands in one, and item; or what `name = "…"` says.
    ///
    /// A function that moves from a binary to the library, or to another module, has another path and so other keys,
    /// unless it has a `name`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.resolved().path
    }

    /// The digest of its code, as far as it counts; `None` if the function can't be cached.
    #[must_use]
    pub fn code(&self) -> Option<Digest> {
        self.digests().ok().map(|digests| digests.code)
    }

    /// What tells its package from others in which items have the same paths: `kern@0.2`, see "mark" in
    /// `docs/format.md`.
    #[must_use]
    pub fn mark(&self) -> &str {
        match &self.origin {
            Origin::Macro(definition) => definition.mark,
            Origin::RunTime(definition) => definition.mark(),
        }
    }

    /// Its path for a reader: no word of package, binary and crate twice.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        shown(self.path())
    }

    /// The folder of its entries, below the cache's root.
    pub(crate) fn folder(&self) -> &str {
        &self.resolved().folder
    }

    /// The digests of its code and of path and code, or the reason why its calls bypass the cache.
    pub(crate) fn digests(&self) -> Result<Digests, &Error> {
        self.resolved().digests.as_ref().copied()
    }

    /// The digest of a result type's name. `namer` stands for the type: it is the address of the function that `name`
    /// calls, and one function writes one name.
    pub(crate) fn result_digest(&self, namer: usize, name: impl FnOnce() -> Digest) -> Digest {
        for slot in &self.results {
            match slot.get() {
                Some(&(known, digest)) if known == namer => return digest,
                Some(_) => {}
                None => {
                    let digest = name();
                    // Of two threads that come at once one stays, which may be that of another type.
                    let _ = slot.set((namer, digest));
                    return digest;
                }
            }
        }
        name()
    }

    /// Two numbers of this build: the place of the text of a function with a given name, else 0; and the types that
    /// tell the function from others of its name. Both are 0 for a function that was made at run time.
    pub(crate) fn scope(&self) -> [u64; 2] {
        let Origin::Macro(definition) = &self.origin else { return [0, 0] };
        let item = number_of((definition.id)());
        let place = if matches!(definition.place, Naming::Named(_)) { item } else { 0 };
        match self.member {
            None => [place, item],
            // The closure's type tells from others the types that it stands in, `Self` and the trait among them.
            Some(Member::Owner(_, Beside(_, number))) => {
                let mut both = TypeSequence::default();
                [item, number].into_iter().for_each(|number| both.push(number));
                [place, both.number()]
            }
            Some(Member::Item(_, number) | Member::Around(_, number, _)) => [place, number],
        }
    }

    /// The types of what a named closure captures. Those of a function's arguments follow from itself and its type
    /// arguments; two places that write a closure alike may give it others.
    pub(crate) fn captured(&self) -> Option<u64> {
        self.captures().map(|Captured(_, number)| number)
    }

    fn captures(&self) -> Option<Captured> {
        match self.member {
            Some(Member::Around(.., captured)) => Some(captured),
            _ => None,
        }
    }

    /// Whether the build is a part of its code: what holds within a build may be a part of the key then.
    pub(crate) fn counts_build(&self) -> bool {
        self.macro_code().is_some_and(|code| matches!(code.counts, Counts::Build(_)))
    }

    /// The digest of the id of the build that it belongs to, if that can be told.
    pub(crate) fn build(&self) -> Option<Digest> {
        // Without a wait: a forked child doesn't have the thread that it would wait for.
        self.build.get().copied().unwrap_or_else(|| {
            let found = match &self.origin {
                Origin::Macro(definition) => object::build_id(definition.id as usize).ok().map(Digest::of),
                Origin::RunTime(_) => None,
            };
            let _ = self.build.set(found);
            found
        })
    }

    /// What counts as its code: the function itself, its helpers and what `depends(…)` names, each with the reason.
    #[must_use]
    pub fn parts(&self) -> Vec<CodePart> {
        match &self.origin {
            Origin::Macro(definition) => definition.code.told(self.path()),
            Origin::RunTime(definition) => definition.told(),
        }
    }

    /// What the code may depend on and that isn't among its [`parts`](Self::parts): items of other crates, what their macros
    /// call, names that macros make; or that no helpers were looked for.
    pub fn unseen(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.macro_code().into_iter().flat_map(|code| code.helpers.unseen())
    }

    /// Whether `depends(…)` names the code of `inner`, or code that names it in turn.
    pub(crate) fn names(&self, inner: &'static Function) -> bool {
        match (&self.origin, inner.macro_code()) {
            (Origin::Macro(outer), Some(inner)) => outer.code.reaches(inner),
            (Origin::Macro(_), None) => false,
            // Whoever made it has found its helpers in ways of their own.
            (Origin::RunTime(_), _) => true,
        }
    }

    /// Whether `inner` is among its helpers. Reads all of them.
    pub(crate) fn finds(&self, inner: &'static Function) -> bool {
        let (Some(outer), Some(inner_code)) = (self.macro_code(), inner.macro_code()) else { return false };
        let is_here = outer.mark == inner_code.mark && matches!(outer.counts, Counts::Auto);
        is_here && outer.helpers.hold(&inner_code.helpers, inner.path())
    }

    /// What its code digest is made of.
    pub(crate) fn code_parts(&self) -> &[Part] {
        match &self.origin {
            Origin::Macro(definition) => found_once::<Vec<_>>(&self.parts, || definition.code.parts()),
            Origin::RunTime(definition) => definition.parts(),
        }
    }

    pub(crate) fn caches_err(&self) -> bool {
        self.macro_definition().is_some_and(|definition| definition.cache_err)
    }

    pub(crate) fn skips_none(&self) -> bool {
        self.macro_definition().is_some_and(|definition| definition.skip_none)
    }

    fn macro_definition(&self) -> Option<&Definition> {
        match &self.origin {
            Origin::Macro(definition) => Some(definition),
            Origin::RunTime(_) => None,
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
            Origin::Macro(definition) => definition,
            Origin::RunTime(definition) => {
                let path = definition.path().to_owned();
                return Resolved { folder: folder(&path), path, digests: Ok(definition.digests()) };
            }
        };
        let path = self.full_path(definition);
        let digests = self.check_name(definition, &path).and_then(|()| definition.code.digest()).map(|code| {
            // A given name stands for every `Self`; the types must still differ.
            let member = strip_lifetimes(self.member.map_or("", Member::name));
            let mut stream = function_stream(&path, &member, definition.mark, code);
            if let Some(Captured(name, _)) = self.captures() {
                stream.text(&strip_lifetimes(name));
            }
            if self.counts_build() {
                stream.number(self.scope()[1]);
            }
            Digests { code, function: stream.finish() }
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

    /// Two closures of one function have one name, and so do two `fn` pointers of one type.
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
        if let Some((name, why)) = self.captures().and_then(|Captured(name, _)| Some((name, ambiguity(name)?))) {
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

/// What names a function: path, type that it belongs to, package and code.
pub(super) fn function_stream(path: &str, member: &str, mark: &str, code: Digest) -> Stream {
    let mut stream = Stream::new("ndcache-function:1");
    stream.text(path);
    stream.text(member);
    stream.text(mark);
    stream.digest(code);
    stream
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.path())
    }
}

/// The method `base` of the type `T`, beside which the closure `_here` stands.
#[must_use]
pub fn member<T: ?Sized, F>(base: &'static Function, _here: &F) -> &'static Function {
    of_type::<F>(base, |name, number| Member::Owner(type_name::<T>(), Beside(name, number)))
}

/// The function `base` as the item that a `call!` names.
///
/// Only a zero-sized value says by its type what is called. A value with a size can be called too, through what it
/// derefs to, and other values of its type may lead elsewhere: it gets the name of a reference, which no function has.
#[must_use]
pub fn called<F>(base: &'static Function, _: &F) -> &'static Function {
    if size_of::<F>() == 0 { of_type::<F>(base, Member::Item) } else { of_type::<&F>(base, Member::Item) }
}

/// The named closure `base` in the function in which the closure `_here` stands.
///
/// The name of a closure has module, type, trait and type arguments of all that it stands in. Closures around it are left
/// out: what is in several of one function is in that function. What is captured counts by its type, too: the values of
/// several may count alike, as their `None` does.
#[must_use]
pub fn within<F, C>(base: &'static Function, _here: &F, _captured: &C) -> &'static Function {
    of_type::<F>(base, |name, number| {
        let mut place = name;
        while let Some(around) = place.strip_suffix("::{{closure}}") {
            place = around;
        }
        Member::Around(place, number, Captured(type_name::<C>(), type_number::<C>()))
    })
}

/// Finds a value once, or once in each of several threads that come at the same time. No thread waits for another that
/// is finding it: a forked child doesn't have that thread.
#[inline]
fn found_once<T>(place: &OnceLock<T>, find: impl FnOnce() -> T) -> &T {
    place.get().unwrap_or_else(|| {
        let found = find();
        place.get_or_init(|| found)
    })
}

/// The function `base` of this type; made once.
#[inline]
fn of_type<T: ?Sized>(base: &'static Function, member: fn(&'static str, u64) -> Member) -> &'static Function {
    let id = typeid::of::<T>();
    match base.first.get() {
        Some(&(first, function)) if first == id => function,
        _ => interned(base, id, || member(type_name::<T>(), type_number::<T>())),
    }
}

fn interned(base: &'static Function, id: TypeId, member: impl FnOnce() -> Member) -> &'static Function {
    type Members = HashMap<(usize, TypeId), &'static Function>;
    static MEMBERS: LazyLock<RwLock<Members>> = LazyLock::new(RwLock::default);
    let of = (std::ptr::from_ref(base).addr(), id);
    if let Some(function) = MEMBERS.read().unwrap_or_else(PoisonError::into_inner).get(&of) {
        return function;
    }
    let mut members = MEMBERS.write().unwrap_or_else(PoisonError::into_inner);
    let Some(&definition) = base.macro_definition() else { return base };
    let make = || Box::leak(Box::new(Function { member: Some(member()), ..Function::new(definition) })) as &_;
    let function = members.entry(of).or_insert_with(make);
    // Of two threads that come at once one stays, which may be that of another type.
    let _ = base.first.set((id, function));
    function
}
