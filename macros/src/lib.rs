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

/// Caches a function: its signature stays, its results are stored under a key of its code and its arguments.
///
/// Without a memory the function just runs, and nothing is hashed. Beside `fn f` stands a hidden type of the same name:
/// `f::call(…)` is the lazy call that a `Memory` evaluates, `f::compute(…)` the plain function, `f::function()` its
/// identity. A method `m` gets `m_call`, `m_compute` and `m_function`.
///
/// ```text
/// #[cache(ignore(verbose), version = 2, depends(window, Table::total))]
/// fn spectrum(x: &ArrayRef1<f64>, verbose: bool) -> Array2<f64> { … }
/// ```
///
/// | option | meaning |
/// | --- | --- |
/// | `ignore(a, b)` | these arguments are no part of the key; their type parameters are. Functions can't be ignored: an enum that names them can be an argument |
/// | `secret(token)` | `token` counts, and is told nowhere: in records, messages and file names stands `(secret)` |
/// | `round(x = 1e-9)` | the float `x`, or array of floats, counts by its nearest multiple of the step |
/// | `version = 2` | counts as code: raise it to forget earlier results |
/// | `depends(f, Type, Type::m)` | the code of these counts, too, transitively: any item of this crate (a type with its inherent `impl`s), and `#[cache]` and `#[code]` items of others; `Type::m`, a name in capitals before the last `::`, is a method |
/// | `helpers = "named"` | helpers aren't looked for: only what `depends` names counts, and the package's version, as under `code = "package"` |
/// | `helpers(without(AppError))` | these items, and what only they lead to, don't count as helpers |
/// | `code = "auto"` | what counts as code. `"auto"`, the default: the tokens, what `cfg`, `env!` and `include_str!` in them give, and the helpers in this crate, found in its sources; `"package"`: the package's version in place of helpers; `"body"`: neither, but for what incompatible versions differ in; `"version"`: `version` alone; `"build"`: the object that holds the function |
/// | `name = "…"` | the function's path in keys, in place of package, binary, module and name |
/// | `handle = Name` | the hidden type's name, where a module or type `f` exists; of a method the name that `name_call` and its siblings begin with, where two traits have a method of one name |
/// | `method` | for functions of an `impl` that have no receiver |
/// | `cache_err` | an `Err` is stored as well |
/// | `skip_none` | a `None` isn't stored |
/// | `trust_serde` | what serde brings back of the result is taken for it, and not compared: for a type that holds NaNs, has no `Debug` to compare by, and hides nothing from serde |
/// | `mode = Mode::ReadOnly` | an `ndcache::Mode`; of environment, memory and function the strictest counts |
/// | `validate = path` | a `fn(&Entry) -> bool`, asked at each lookup in place of the memory's: `false` computes again and replaces |
/// | `expires = Duration::from_secs(60)` | a `std::time::Duration` after which a result is computed again, in place of the memory's |
/// | `min_duration = Duration::from_millis(5)` | what was faster to compute isn't stored, in place of the memory's |
/// | `compress = Compression::Gzip(3)` | an `ndcache::Compression`: how arrays are stored, edited ones too, in place of the memory's |
/// | `crate = other::ndcache` | where ndcache is, for a crate that has it only through another; `#[code]` and `call!` have it, too, the derives as `#[ndcache(crate = …)]` |
/// | `readable = true` | array files whose names say function and arguments, in place of the memory's `readable` |
///
/// `mode` to `compress` and `readable` take expressions, which can't name the arguments, are evaluated at each call that goes through a memory,
/// before the function runs, and are no part of the key: changing one takes effect on what is stored already. A panic of
/// `min_duration`, `compress` or `readable` is a fault of the cache: the call is computed, and not stored.
///
/// **Helpers are found by themselves**, in the same crate, in the package's library and in crates by path: each item that
/// the function names, calls or reaches through types and traits, transitively. `f::function().parts()` lists them with the reason why each counts, and `unseen()` what
/// can't be followed: items of crates from a registry or a repository, what their macros call, names that macros make. Where the sources can't be had, in
/// documentation tests and in functions that another crate's macro makes, `code` is `"package"`.
///
/// A function's path has three parts: the package; the binary or example, if the function stands in one; and its
/// modules and name, from the crate on: `app/app::load::table` in the library of `app`, `app/tool/tool::load::table` in
/// its binary `tool`. So a function that moves from a binary to the library, or to another module, is another function,
/// and computes anew; `name = "…"` keeps its results wherever it goes.
///
/// What is foreign and has no mark, functions and constants of other crates, can't be named in `depends`: raise `version` when what
/// they do has changed. `code = "build"` needs no such care, and forgets at each build that changed.
///
/// `round(x = 1e-9, y = STEP)` is for arguments with small numerical errors: `f32`, `f64`, arrays, slices and `Vec`s of
/// these, `Option`s of those, by reference or not. `x` counts by `(x / step).round_ties_even()`, in `f64`; zeros are
/// merged, and so are NaNs; arrays keep dtype, shape and order. **A hit may then differ from what the function would
/// compute**: it is the result of whichever argument came first, and `MemoryBuilder::recheck` may tell of that difference. Two arguments on either side of a half step differ,
/// however close they are. The step is a positive constant and enters the key. A number of 2^53 steps or
/// more (`1.7e9` for a step of `1e-9`), of which neighbours may be many steps apart, counts by itself: numbers that are
/// two steps apart or more never share a result. Rounded arrays are read at each call, mapped ones, too.
///
/// A result expires no later than the cached calls that were made while it was computed: what is made from today's prices
/// isn't good tomorrow. Calls on other threads (`rayon`'s workers, spawned ones) aren't seen; give the outer function
/// an `expires` of its own then. What an inner `validate` would refuse later isn't known, and isn't inherited.
///
/// Arguments are `ContentHash` or `serde::Serialize`, and count by their names; one with a pattern is called
/// `argument_0` by its position. Results are `Payload`, or both `serde::Serialize` and `serde::Deserialize`.
///
/// **What `Serialize` hides of an argument is no part of the key**: fields with `#[serde(skip)]`, fields that
/// `skip_serializing_if` leaves out, variants of an untagged enum inside of a struct. Two arguments that differ in nothing
/// else share a result; `#[derive(ContentHash)]` counts everything. A result that comes back from serde unequal to what it
/// was isn't stored, if its type is `PartialEq`; without that, what `Serialize` hides is lost.
///
/// A method of a trait is cached where it is implemented, for a type of the crate, with `#[cache]` on the `impl`, too:
/// `#[cache] impl Model for Ridge { #[cache] fn fit(&self) … }`. Its call is `ridge.fit_call(…)`; who calls it by the trait
/// has it cached by the thread's memory. Of two traits that have a method `fit` for one type, one takes another name for its call:
/// with `#[cache(handle = fit_baseline)]` it is `ridge.fit_baseline_call(…)`.
///
/// Refused, each with what to write instead: provided methods of traits, mutable arguments (`&mut`, mutable views; behind a type
/// parameter they bypass the cache), borrowed and `impl Trait` results, `async`, `const`, `unsafe` and `extern`
/// functions, `main`, `#[track_caller]`, and `line!()`, `column!()`, `file!()` and `Location::caller()` in a body whose
/// tokens count.
///
/// A `macro_rules!` of the crate that the body calls counts as its other helpers do; one of another crate counts if it has
/// [`macro@code`] and `depends` names it. An argument that is a `Memory`, or a reference to one, is no part of the key.
#[proc_macro_attribute]
pub fn cache(arguments: TokenStream, item: TokenStream) -> TokenStream {
    cache::expand(arguments.into(), item.into()).into()
}

/// Gives a helper a code digest, so that `#[cache(depends(helper))]` of another crate can count it.
///
/// The helpers of the helper are found in its crate's sources; what it calls in other crates it names, `#[code(depends(…))]`.
/// Within one crate nothing has to be marked.
///
/// It goes on a function, constant, static or `macro_rules!` (which get a hidden type of the same name), on a struct, enum or union, and
/// on an inherent `impl`: `depends(Type)` counts the type's definition and the `impl` so marked, whichever there are. A
/// method has no mark of its own: it counts with its `impl`, by `depends(Type)` (`depends(Type::m)` is for methods with
/// `#[cache]`). What is foreign can't be marked: raise the `version` of what calls it. Of
/// several such `impl` blocks of one type, and for an `impl` of a trait, each needs a name of its own,
/// `#[code(handle = Name)]`, for `depends(Name)`. Further options are `version` and `depends`, as for `#[cache]`.
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
/// `call!(path::f(a, b))` is keyed on the function that the path resolves to (a generic one needs its types,
/// `path::f::<f64>(a)`), on its arguments by position, and on the build; `call!(path::f(a, b), version = 3)` on the
/// version in place of the build. `call!("name", |a, k| a * k)` is keyed on the name, on the module, type and function
/// around it, on the closure's tokens and its helpers in this crate (the body around it among them, if the closure names
/// what that declares), or its `version`, and on the variables it lists, which are variables of the scope and which it
/// owns (`let x = &x;` before it lends one): one that isn't listed is a compile error, which speaks of a `fn` pointer.
#[proc_macro]
pub fn call(input: TokenStream) -> TokenStream {
    call::expand(input.into()).unwrap_or_else(compile_error).into()
}

/// Makes a struct or enum count by its package and full name (module and type arguments included) and, field by field, by name and content.
///
/// Fields are `ContentHash` or `serde::Serialize`; a type parameter that a field holds gets the bound `ContentHash`.
#[proc_macro_derive(ContentHash, attributes(ndcache))]
pub fn derive_content_hash(input: TokenStream) -> TokenStream {
    derived(input, derive_hash::expand)
}

/// Makes a struct or enum storable field by field; each array in it gets a file, and is mapped if its type is `Mapped`.
///
/// Fields are `Payload` or `serde`'s; a type parameter that a field holds gets the bound `Payload`. The definition, names
/// and types of fields included, is a part of every key whose result it is.
#[proc_macro_derive(Payload, attributes(ndcache))]
pub fn derive_payload(input: TokenStream) -> TokenStream {
    derived(input, derive_payload::expand)
}

fn derived(input: TokenStream, expand: fn(&DeriveInput) -> syn::Result<TokenStream2>) -> TokenStream {
    syn::parse(input).and_then(|input| expand(&input)).unwrap_or_else(compile_error).into()
}
