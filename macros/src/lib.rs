//! The attribute and derive macros of `ndcache`; use them through that crate.
//!
//! Each macro parses, checks and expands; what it writes names everything by full path, under the name that the caller's
//! manifest gives `ndcache`.

mod bounds;
mod cache;
mod call;
mod code;
mod derive_hash;
mod derive_payload;
mod edition;
mod facts;
mod fragment;
mod helpers;
mod ident;
mod krate;
mod package;
mod probe;
mod tokens;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;
use syn::DeriveInput;

use krate::compile_error;

/// Caches a function: its results are stored under a key made from its code and its arguments; its signature doesn't change.
///
/// Without a memory the function simply runs, and nothing is hashed. The macro adds a hidden type with the name of the
/// function: `f::call(…)` makes the lazy call that a `Memory` evaluates, `f::compute(…)` runs the plain function,
/// `f::function()` identifies it. For a method `m` it adds the methods `m_call`, `m_compute` and `m_function`.
///
/// ```text
/// #[cache(ignore(verbose), version = 2, depends(window, Table::total))]
/// fn spectrum(x: &ArrayRef1<f64>, verbose: bool) -> Array2<f64> { … }
/// ```
///
/// | option | meaning |
/// | --- | --- |
/// | `ignore(a, b)` | these arguments aren't part of the key, but their type parameters are. A function as an argument can't be ignored; pass an enum that names it instead |
/// | `secret(token)` | `token` is part of the key, but its value is recorded and shown nowhere: records, messages and file names have `(secret)` in its place |
/// | `round(x = 1e-9)` | the float `x`, or array of floats, enters the key as its nearest multiple of the step |
/// | `version = 2` | is part of the key: raise it to stop using earlier results |
/// | `depends(f, Type, Type::m)` | the code of these items is part of the key, too, transitively: any item of this crate (a type with its inherent `impl`s), and `#[cache]` and `#[code]` items of other crates; `Type::m` is a method if the name before the last `::` begins with a capital |
/// | `helpers = "named"` | helpers aren't looked for: only those that `depends` names are part of the key, with the package's version, as with `code = "package"` |
/// | `helpers(without(AppError))` | these items, and items that are reached only through them, aren't part of the key |
/// | `code = "auto"` | which code is part of the key. `"auto"`, the default: the tokens, the values of `cfg`, `env!` and `include_str!` in them, and the helpers, found in their sources; `"package"`: the package's version in place of helpers; `"body"`: neither helpers nor version, except the version number that changes when compatibility breaks; `"version"`: `version` alone; `"build"`: the object file that holds the function |
/// | `name = "…"` | the function's path in keys, in place of package, binary, module and name |
/// | `handle = Name` | another name for the hidden type, if a module or type `f` exists; for a method another name in `name_call` and the like, if two traits have a method with one name |
/// | `method` | for functions of an `impl` without `self` |
/// | `cache_err` | an `Err` is stored as well |
/// | `skip_none` | a `None` isn't stored |
/// | `trust_serde` | the result that serde deserializes isn't compared with the computed one: for a type that holds NaNs, has no `Debug` to compare by, and hides nothing from serde |
/// | `mode = Mode::ReadOnly` | an `ndcache::Mode`; the strictest of the environment's, the memory's and the function's mode holds |
/// | `validate = path` | a `fn(&Entry) -> bool`, called at each lookup in place of the memory's; if it returns `false`, the result is computed again and replaced |
/// | `expires = Duration::from_secs(60)` | a `std::time::Duration` after which a result is computed again, in place of the memory's |
/// | `min_duration = Duration::from_millis(5)` | results that were computed faster aren't stored, in place of the memory's |
/// | `compress = Compression::Gzip(3)` | an `ndcache::Compression`: how arrays are stored, also edited ones, in place of the memory's |
/// | `crate = other::ndcache` | the path of ndcache, for a crate that has it only through another; `#[code]` and `call!` have this option, too, the derives as `#[ndcache(crate = …)]` |
/// | `readable = true` | puts function and arguments into the names of array files, in place of the memory's `readable` |
///
/// `mode`, `validate`, `expires`, `min_duration`, `compress` and `readable` take expressions. They can't name the arguments,
/// and are evaluated at each call that uses a memory, before the function runs. They aren't part of the key, so a changed
/// expression applies to results that are already stored. A panic of `min_duration`, `compress` or `readable` is a fault of
/// the cache: the call is computed, and not stored.
///
/// **Helpers are found automatically**, in the same crate, in the package's library and in path dependencies: each item that
/// the function names, calls or reaches through types and traits, transitively. `f::function().parts()` lists them with
/// their reasons, and `unseen()` lists what can't be followed: items of crates from a registry or a repository, what their
/// macros call, and names that macros make. Where the sources aren't available, in documentation tests and in functions that
/// another crate's macro makes, `code` is `"package"`.
///
/// A function's path has three parts: the package; the binary or example, if the function is in one; and its modules and
/// name, beginning with the crate: `app/app::load::table` in the library of `app`, `app/tool/tool::load::table` in its
/// binary `tool`. So a function that moves from a binary to the library, or to another module, has other keys, and is
/// computed again; with `name = "…"` it keeps its results wherever it moves.
///
/// `depends` can't name functions and constants of other crates without a mark (`#[cache]` or `#[code]`): raise `version`
/// when they change. `code = "build"` makes this unnecessary, but every changed build starts without results.
///
/// `round(x = 1e-9, y = STEP)` is for arguments with small numerical errors: `f32`, `f64`, arrays, slices and `Vec`s of
/// these, `Option`s of those, by reference or not. `x` enters the key as `(x / step).round_ties_even()`, in `f64`; both
/// zeros are the same, and so are all NaNs; arrays keep dtype, shape and order. **A hit may then differ from what the
/// function would compute**: it is the result for whichever argument came first, and `MemoryBuilder::recheck` may report the
/// difference. Two arguments on either side of a half step have different keys, however close they are. The step is a
/// positive constant and is part of the key. A number of 2^53 steps or more (`1.7e9` for a step of `1e-9`), whose neighbours
/// may be many steps apart, isn't rounded: numbers that are two steps apart or more never share a result. Rounded arrays are
/// read at each call, even mapped ones.
///
/// A result expires no later than the cached calls that were made while it was computed: a result computed from today's
/// prices isn't valid tomorrow. Calls on other threads (`rayon`'s workers, spawned ones) aren't seen; in that case give the
/// outer function its own `expires`. `validate` of inner calls isn't applied to the outer result.
///
/// Argument types implement `ContentHash` or `serde::Serialize`. Arguments are identified by name; one with a pattern is
/// called `argument_0` by its position. Result types implement `Payload`, or both `serde::Serialize` and
/// `serde::Deserialize`.
///
/// **What `Serialize` hides of an argument isn't part of the key**: fields with `#[serde(skip)]`, fields that
/// `skip_serializing_if` leaves out, variants of an untagged enum inside a struct. Two arguments that differ only in these
/// share a result; `#[derive(ContentHash)]` hashes everything. If the type of a result is `PartialEq`, and serde deserializes
/// it unequal to the computed one, it isn't stored; without `PartialEq`, what `Serialize` hides is lost.
///
/// A method of a trait is cached in an `impl` for a type of this crate, with `#[cache]` on the `impl` as well:
/// `#[cache] impl Model for Ridge { #[cache] fn fit(&self) … }`. Its lazy call is `ridge.fit_call(…)`; a call through the
/// trait uses the memory of the thread. If two traits have a method `fit` for one type, give one call another name:
/// with `#[cache(handle = fit_baseline)]` it is `ridge.fit_baseline_call(…)`.
///
/// These are compile errors, each with a remedy: provided methods of traits, mutable arguments (`&mut`, mutable views; behind
/// a type parameter they bypass the cache), borrowed and `impl Trait` results, `async`, `const`, `unsafe` and `extern`
/// functions, `main`, `#[track_caller]`, and `line!()`, `column!()`, `file!()` and `Location::caller()` in a body whose
/// tokens are part of the key.
///
/// A `macro_rules!` of the crate that the body calls is a helper like others; one of another crate is part of the key if it
/// has [`macro@code`] and `depends` names it. An argument that is a `Memory`, or a reference to one, isn't part of the key.
#[proc_macro_attribute]
pub fn cache(arguments: TokenStream, item: TokenStream) -> TokenStream {
    cache::expand(arguments.into(), item.into()).into()
}

/// Gives a helper a code digest, so that `#[cache(depends(helper))]` in another crate can make it part of a key.
///
/// The helper's own helpers are found in its crate's sources; helpers in further crates are named by
/// `#[code(depends(…))]`. Within one crate no mark is needed.
///
/// The attribute can be put on a function, constant, static or `macro_rules!` (which get a hidden type with the same name),
/// on a struct, enum or union, and on an inherent `impl`. `depends(Type)` then means the type's definition and its `impl`,
/// as far as they have the attribute. A method is named by its `impl`, `depends(Type)`; `depends(Type::m)` is for methods
/// with `#[cache]`. If several `impl` blocks of one type have the attribute, and for an `impl` of a trait, each needs a name,
/// `#[code(handle = Name)]`, for `depends(Name)`. An item of a foreign crate can't be marked: raise the `version` of the
/// function that calls it. Further options are `version` and `depends`, as for `#[cache]`.
///
/// ```text
/// #[ndcache::code(depends(TABLE))]
/// fn window(n: usize) -> Array1<f64> { … }
///
/// #[ndcache::code]
/// impl Filter {
///     fn taps(&self) -> usize { … }
/// }
///
/// #[ndcache::cache(depends(window, Filter))]
/// fn filtered(x: &ArrayRef1<f64>, filter: &Filter) -> Array1<f64> { … }
/// ```
#[proc_macro_attribute]
pub fn code(arguments: TokenStream, item: TokenStream) -> TokenStream {
    code::expand(arguments.into(), item.into()).into()
}

/// Makes the lazy call of a function without the attribute, or of a named closure.
///
/// The key of `call!(path::f(a, b))` holds the function that the path resolves to (a generic one needs its types,
/// `path::f::<f64>(a)`), its arguments by position, and the build; with `call!(path::f(a, b), version = 3)` it holds the
/// version in place of the build.
///
/// The key of `call!("name", |a, k| a * k)` holds the name; the module, type and function around it; the closure's tokens and
/// its helpers in this crate (with the body around it, if the closure names something declared there), or its `version`; and
/// the listed variables. These are variables of the surrounding scope, which the closure takes by value (write `let x = &x;`
/// before it to pass a reference). A captured variable that isn't listed is a compile error that mentions a `fn` pointer.
#[proc_macro]
pub fn call(input: TokenStream) -> TokenStream {
    call::expand(input.into()).unwrap_or_else(compile_error).into()
}

/// Implements `ContentHash` for a struct or enum: its digest covers its package and full name, with module and type
/// arguments, and the name and content of each field.
///
/// Fields implement `ContentHash` or `serde::Serialize`; a type parameter that a field holds gets the bound `ContentHash`.
#[proc_macro_derive(ContentHash, attributes(ndcache))]
pub fn derive_content_hash(input: TokenStream) -> TokenStream {
    derived(input, derive_hash::expand)
}

/// Implements `Payload` for a struct or enum, so that it can be a result; arrays in it are stored like other arrays, and
/// mapped if their type is `Mapped`.
///
/// Fields implement `Payload`, or the traits of `serde`; a type parameter that a field holds gets the bound `Payload`. The
/// definition, with the names and types of fields, is part of the key of every function that returns it.
#[proc_macro_derive(Payload, attributes(ndcache))]
pub fn derive_payload(input: TokenStream) -> TokenStream {
    derived(input, derive_payload::expand)
}

fn derived(input: TokenStream, expand: fn(&DeriveInput) -> syn::Result<TokenStream2>) -> TokenStream {
    syn::parse(input).and_then(|input| expand(&input)).unwrap_or_else(compile_error).into()
}
