//! What a cached function reaches in its crate, found in the crate's sources (`ndcache-source`).

mod downstream;

use std::cell::OnceCell;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ndcache_source::{
    Copies, Fact, Index, Named, Part, Position, Reached, Resolver, Session, Sought, Unseen, UpstreamCrates, Why,
};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt as _;
use xxhash_rust::xxh3::Xxh3;

use crate::cache::{CodeScope, Helpers, Options};
pub(crate) use downstream::{of_type, upstream};

/// The crate that is compiled.
struct Sources {
    name: String,
    is_library: bool,
    /// The names of the crates that are read, a line each.
    crates: String,
    /// The folders that files are named by, so that no path of a machine is: of the package, of its build script, and of the
    /// packages that it uses by path.
    folders: Vec<PathBuf>,
    index: &'static Index,
    resolver: Resolver<'static>,
    /// Read where it is asked for: the compiler's files of all crates that are used are searched for it.
    upstream: OnceCell<UpstreamCrates>,
}

thread_local! {
    /// Read once: the compiler is one process for one crate, and expands it on one thread.
    static SOURCES: OnceCell<Result<Sources, String>> = const { OnceCell::new() };
}

/// What counts of an item, and its helpers.
pub(crate) struct ItemCode {
    pub(crate) scope: CodeScope,
    /// The expression of type `Helpers`.
    pub(crate) helpers: TokenStream,
    /// What macros of the crate do to its text.
    pub(crate) copies: Copies,
    /// Where the item stands, if its crate's sources tell.
    place: Option<Position>,
    parts: Vec<Part>,
}

impl ItemCode {
    /// What is counted otherwise: no helpers, and none are missed.
    pub(crate) fn none(scope: CodeScope, private: &TokenStream) -> ItemCode {
        ItemCode { scope, helpers: none(private), copies: Copies::One, place: None, parts: Vec::new() }
    }

    /// The package's version in place of helpers, and why.
    fn package(unseen: &str, private: &TokenStream) -> ItemCode {
        ItemCode { helpers: unfound(unseen, private), ..ItemCode::none(CodeScope::Package, private) }
    }

    /// If macros put one text at several places, where it means different things, the build is part of the key: nothing
    /// else tells these places apart.
    fn told_apart(self, private: &TokenStream) -> ItemCode {
        match self.copies {
            Copies::One | Copies::Alike => self,
            Copies::Apart => ItemCode {
                helpers: unfound("which of the blocks is meant into which macros put it: the build counts", private),
                place: self.place,
                ..ItemCode::none(CodeScope::Build, private)
            },
        }
    }

    /// Whether these parts are among the helpers.
    fn holds(&self, parts: &[Part]) -> bool {
        let known = |part: &Part| self.parts.iter().any(|own| own.name == part.name && own.digest == part.digest);
        self.scope == CodeScope::Auto && parts.iter().all(known)
    }
}

/// What counts of a function with `#[cache]`.
///
/// Where the sources can't be had, the package's version stands for the helpers.
pub(crate) fn of_function(options: &Options, name: &Ident, private: &TokenStream) -> ItemCode {
    let place = place(name.span(), &name.unraw().to_string(), Sought::Function);
    let without = match (options.code, &options.helpers) {
        (Some((scope, _)), _) if scope != CodeScope::Auto => {
            return ItemCode { place, ..ItemCode::none(scope, private) };
        }
        (_, Some((Helpers::Named, _))) => {
            return ItemCode { place, ..ItemCode::package("helpers that `depends(…)` doesn't name", private) };
        }
        (_, Some((Helpers::Without(paths), _))) => paths.iter().map(|path| names(path).join("::")).collect(),
        (_, None) => Vec::new(),
    };
    reached(place, &without, private).told_apart(private)
}

/// What counts of an item with `#[code]`.
pub(crate) fn of_item(span: Span, name: &str, private: &TokenStream) -> ItemCode {
    reached(place(span, name, Sought::Item), &[], private)
}

fn with_sources<T>(run: impl FnOnce(&Sources) -> Option<T>) -> Option<T> {
    SOURCES.with(|sources| run(sources.get_or_init(read).as_ref().ok()?))
}

/// What counts of a named closure.
pub(crate) fn of_closure(name: &syn::LitStr, private: &TokenStream) -> ItemCode {
    reached(place(name.span(), &name.token().to_string(), Sought::Closure), &[], private).told_apart(private)
}

fn reached(place: Option<Position>, without: &[String], private: &TokenStream) -> ItemCode {
    let Some(place) = place else { return ItemCode::package("helpers: no file of this crate holds the code", private) };
    SOURCES.with(|sources| match sources.get_or_init(read) {
        Ok(sources) => sources.reached(place, without, private),
        Err(error) => ItemCode::package(&format!("helpers: {error}"), private),
    })
}

/// What a path in `depends(…)` is, beside an item that is `found`.
pub(crate) enum Dependency {
    /// Counted with the item's helpers already.
    Held,
    /// An expression of type `Code` for an item without a mark.
    Code(TokenStream),
    /// Nothing, for all that is known; and the names beside which it would stand.
    Nothing(Vec<String>),
    /// An item of another crate.
    Elsewhere,
    /// An item with a mark, or none that is found: the compiler's to look for.
    Named,
}

/// What `path`, written beside the item that is `found`, depends on.
pub(crate) fn dependency(path: &syn::Path, found: &ItemCode, private: &TokenStream) -> Dependency {
    let Some(place) = &found.place else { return Dependency::Named };
    let mut names = names(path);
    if path.leading_colon.is_some() {
        names.insert(0, String::new());
    }
    SOURCES.with(|sources| {
        let Ok(sources) = sources.get_or_init(read) else { return Dependency::Named };
        let named = catch_unwind(AssertUnwindSafe(|| sources.resolver.named(place, &names)));
        match named {
            Ok(Named::Unmarked { reached, .. }) if found.holds(own(&reached)) => Dependency::Held,
            Ok(Named::Unmarked { reached, own }) => Dependency::Code(sources.code(&reached, own, private)),
            Ok(Named::Nothing(near)) => Dependency::Nothing(near),
            Ok(Named::Elsewhere) => Dependency::Elsewhere,
            _ => Dependency::Named,
        }
    })
}

/// What stands beside the function that is `found` and has its name among types and modules: `module` and the like.
pub(crate) fn namesake(found: &ItemCode) -> Option<&'static str> {
    let place = found.place.as_ref()?;
    SOURCES.with(|sources| {
        let sources = sources.get_or_init(read).as_ref().ok()?;
        catch_unwind(AssertUnwindSafe(|| sources.resolver.namesake(place))).ok()?
    })
}

fn names(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect()
}

/// The parts that are no helpers.
fn own(reached: &Reached) -> &[Part] {
    let end = reached.parts.iter().position(|part| part.why != Why::Function);
    &reached.parts[..end.unwrap_or(reached.parts.len())]
}

/// No helpers, and none are missed.
fn none(private: &TokenStream) -> TokenStream {
    quote_spanned!(Span::mixed_site()=> #private::Helpers::NONE)
}

fn unfound(unseen: &str, private: &TokenStream) -> TokenStream {
    quote_spanned!(Span::mixed_site()=> #private::Helpers { unseen: #unseen, ..#private::Helpers::NONE })
}

/// `None` where the compiler doesn't say: in a documentation test, and in a macro of another crate.
fn place(span: Span, name: &str, sought: Sought) -> Option<Position> {
    if !proc_macro::is_available() {
        return None;
    }
    let span = span.unwrap();
    let start = span.start();
    Some(Position {
        file: span.local_file()?,
        line: start.line(),
        column: start.column(),
        name: name.to_owned(),
        sought,
    })
}

/// Where a text stands whose parts begin at `spans`, as a number that it shares with its copies alone; 0 where each copy
/// counts by itself, as copies that are alike do, and where the compiler doesn't say.
pub(crate) fn text_number(found: &ItemCode, spans: [Span; 2]) -> u64 {
    if found.copies == Copies::Alike || !proc_macro::is_available() {
        return 0;
    }
    let mut hasher = Xxh3::new();
    for span in spans.map(Span::unwrap) {
        let start = span.start();
        hasher.update(format!("{} {} {}\n", span.file(), start.line(), start.column()).as_bytes());
    }
    hasher.digest()
}

fn read() -> Result<Sources, String> {
    let session = Session::of_this_process().ok_or("the crate's root is no file")?;
    let (name, is_library, out_dir) = (session.crate_name.clone(), session.is_library, session.out_dir.clone());
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let mut folders: Vec<PathBuf> = package.or_else(|| session.root.parent().map(Path::to_owned)).into_iter().collect();
    folders.extend(out_dir);
    // For as long as the compiler runs.
    let index: &'static Index = Box::leak(Box::new(Index::read(session).map_err(|error| error.to_string())?));
    folders.extend(index.packages());
    let crates = index.crate_names().collect::<Vec<_>>().join("\n");
    Ok(Sources { name, is_library, crates, folders, index, resolver: Resolver::new(index), upstream: OnceCell::new() })
}

impl Sources {
    fn upstream(&self) -> &UpstreamCrates {
        self.upstream.get_or_init(|| self.index.upstream())
    }

    fn reached(&self, place: Position, without: &[String], private: &TokenStream) -> ItemCode {
        // A mistake in the search must not keep a crate from being compiled.
        let reached = catch_unwind(AssertUnwindSafe(|| self.resolver.reach(&place, without)));
        match reached {
            Ok(Ok(reached)) => ItemCode {
                scope: CodeScope::Auto,
                helpers: self.expand(
                    &reached,
                    self.facts(&reached, |part| taken(part, &place, &reached), private),
                    private,
                ),
                copies: reached.copies,
                place: Some(place),
                parts: reached.parts,
            },
            Ok(Err(_)) => ItemCode::package("helpers: no file of this crate holds the code", private),
            Err(_) => ItemCode::package("helpers: the search for them failed", private),
        }
    }

    /// The `Code` that an item without a mark would have had with one.
    fn code(&self, reached: &Reached, own: [u8; 16], private: &TokenStream) -> TokenStream {
        let site = Span::mixed_site();
        let is_own = |part: &Part| part.why == Why::Function;
        let taken = |part: &Part| if is_own(part) { Taken::Nothing } else { Taken::All };
        let helpers = self.expand(reached, self.facts(reached, taken, private), private);
        let taken = |part: &Part| if is_own(part) { Taken::All } else { Taken::Nothing };
        let facts = self.listed(reached, taken, private).into_iter().map(|found| found.fact);
        let mark = crate::package::mark();
        quote_spanned! {site=>
            #private::Code {
                tokens: [#(#own),*],
                facts: &[#(#facts),*],
                version: #private::core::option::Option::None,
                scope: #private::CodeScope::Auto,
                depends: &[],
                helpers: #helpers,
                mark: #mark,
            }
        }
    }

    /// The parts are one text: many functions reach many items, and each token takes the compiler time.
    fn expand(&self, reached: &Reached, facts: Vec<TokenStream>, private: &TokenStream) -> TokenStream {
        let mut parts = String::new();
        for part in &reached.parts {
            let [name, why] = [&part.name, &part.why.to_string()].map(|text| text.replace(['\t', '\n'], " "));
            let end = if part.is_elsewhere { "\telsewhere" } else { "" };
            let _ = writeln!(parts, "{}\t{name}\t{}\t{why}{end}", hex(&part.digest), self.shown(&part.file));
        }
        let crates = &self.crates;
        let unseen: Vec<String> = reached.unseen.iter().map(|unseen| self.in_words(unseen)).collect();
        let (unseen, digest, is_whole_crate) = (unseen.join("\n"), &reached.digest, reached.whole_crate);
        quote_spanned! {Span::mixed_site()=>
            #private::Helpers {
                digest: [#(#digest),*],
                facts: &[#(#facts),*],
                parts: #parts,
                crates: #crates,
                unseen: #unseen,
                is_whole_crate: #is_whole_crate,
            }
        }
    }

    fn in_words(&self, unseen: &Unseen) -> String {
        match unseen {
            Unseen::File(path) => Unseen::File(PathBuf::from(self.shown(path))).to_string(),
            other => other.to_string(),
        }
        .replace('\n', " ")
    }

    fn shown(&self, file: &Path) -> String {
        let inside = self.folders.iter().find_map(|folder| file.strip_prefix(folder).ok());
        let shown = inside.or_else(|| file.file_name().map(Path::new)).unwrap_or(file);
        shown.display().to_string().replace(['\t', '\n'], " ")
    }

    /// What the helpers take from the build, but for those parts whose own are looked up beside their tokens.
    fn facts(&self, reached: &Reached, taken: impl Fn(&Part) -> Taken, private: &TokenStream) -> Vec<TokenStream> {
        let expand = |TakenFact { order, fact, helper, .. }: TakenFact<'_>| {
            // What has one value in the whole crate isn't told apart by the item.
            let item = order.get(..32).unwrap_or("");
            quote_spanned!(Span::mixed_site()=> #private::HelperFact { helper: #helper, item: #item, fact: #fact })
        };
        self.listed(reached, taken, private).into_iter().map(expand).collect()
    }

    /// The facts in an order that neither places nor names decide.
    fn listed<'a>(
        &self,
        reached: &'a Reached,
        taken: impl Fn(&Part) -> Taken,
        private: &TokenStream,
    ) -> Vec<TakenFact<'a>> {
        let mut found = Vec::new();
        for part in &reached.parts {
            let taken = if reached.whole_crate { Taken::All } else { taken(part) };
            self.of_part(part, taken, private, &mut found);
        }
        found.sort_by(|a, b| (&a.order, &a.name, a.helper).cmp(&(&b.order, &b.name, b.helper)));
        // A file is one of its item's, whatever other items of the same text include.
        found.dedup_by(|a, b| a.order.len() < 32 && (&a.order, &a.name) == (&b.order, &b.name));
        found
    }

    fn of_part<'a>(&self, part: &'a Part, taken: Taken, private: &TokenStream, found: &mut Vec<TakenFact<'a>>) {
        let site = Span::mixed_site();
        let item = hex(&part.digest);
        let guards = part.guards.iter().map(|guard| Fact::Cfg(guard.clone(), None));
        let own = guards.chain(part.facts.iter().cloned()).filter(|_| taken == Taken::All);
        let passed = part.passed.iter().filter(|_| taken != Taken::Nothing).cloned();
        for (at, fact) in own.chain(passed).enumerate() {
            let (order, name, fact) = match fact {
                Fact::Cfg(predicate, None) => {
                    let Ok(tokens) = predicate.parse::<TokenStream>() else { continue };
                    let tokens: TokenStream = tokens.into_iter().map(at_mixed_site).collect();
                    // The predicate may test a value that the package doesn't declare: this is no place to warn of it.
                    let fact = quote_spanned! {site=>
                        #private::Fact::Cfg(#predicate, {
                            #[allow(unexpected_cfgs)]
                            const IS_SET: bool = #private::core::cfg!(#tokens);
                            IS_SET
                        })
                    };
                    ("cfg".to_owned(), predicate, fact)
                }
                Fact::Env(name) => {
                    let fact = quote_spanned!(site=> #private::Fact::Env(#name, #private::core::option_env!(#name)));
                    ("env".to_owned(), name, fact)
                }
                Fact::Variable(name, value) => {
                    let value = match value {
                        Some(value) => quote_spanned!(site=> #private::core::option::Option::Some(#value)),
                        None => quote_spanned!(site=> #private::core::option::Option::None),
                    };
                    (format!("{item} {at:06}"), name.clone(), quote_spanned!(site=> #private::Fact::Env(#name, #value)))
                }
                // A file that isn't there belongs to an alternative that isn't compiled.
                Fact::Include(path) if path.is_file() => {
                    let Some(literal) = path.to_str() else { continue };
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    let fact = quote_spanned! {site=>
                        #private::Fact::Include(#name, #private::core::include_bytes!(#literal))
                    };
                    (format!("{item} {at:06}"), name, fact)
                }
                Fact::ModulePath => {
                    let path = match part.is_elsewhere {
                        true => part.name.clone(),
                        false => format!("{}::{}", self.name, part.name),
                    };
                    let fact = quote_spanned!(site=> #private::Fact::Module(#path));
                    (format!("{item} {at:06}"), path, fact)
                }
                // A `cfg` that is decided is a part of the item's digest.
                _ => continue,
            };
            found.push(TakenFact { order, name, fact, helper: &part.name });
        }
    }
}

/// Something that a helper takes from the build.
struct TakenFact<'a> {
    /// `cfg`, `env`, or the item's digest and the fact's number in it.
    order: String,
    name: String,
    /// The expression of type `Fact`.
    fact: TokenStream,
    helper: &'a str,
}

/// Which facts of a part are listed.
#[derive(Clone, Copy, PartialEq)]
enum Taken {
    All,
    /// What its macros look up by what it gives them: the others are looked up beside its tokens.
    Passed,
    Nothing,
}

/// Which facts of a part are listed: all of a helper, and of the item at the place those that aren't looked up beside
/// its tokens.
fn taken(part: &Part, place: &Position, reached: &Reached) -> Taken {
    let is_own = match place.sought {
        Sought::Function => part.name.rsplit("::").next() == Some(&place.name) && part.name == reached.parts[0].name,
        Sought::Item | Sought::Type | Sought::Closure => part.why == Why::Function,
    };
    if is_own { Taken::Passed } else { Taken::All }
}

/// The tree with mixed-site spans, so that lints about a predicate are reported where it is written.
fn at_mixed_site(mut tree: proc_macro2::TokenTree) -> proc_macro2::TokenTree {
    if let proc_macro2::TokenTree::Group(group) = &tree {
        let inner = group.stream().into_iter().map(at_mixed_site).collect();
        tree = proc_macro2::Group::new(group.delimiter(), inner).into();
    }
    tree.set_span(Span::mixed_site());
    tree
}

fn hex(digest: &[u8; 16]) -> String {
    digest.iter().fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
