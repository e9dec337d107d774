//! What a cached function reaches in its crate, found in the crate's sources (`ndcache-source`).

use std::cell::OnceCell;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ndcache_source::{Fact, Index, Part, Place, Reached, Resolver, Session, Unseen};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt as _;

use crate::cache::{Counts, Helpers, Options};

/// The crate that is compiled.
struct Sources {
    name: String,
    /// The folders that files are told by, so that no path of a machine is: of the package, and of its build script.
    folders: [Option<PathBuf>; 2],
    resolver: Resolver<'static>,
}

thread_local! {
    /// Read once: the compiler is one process for one crate, and expands it on one thread.
    static SOURCES: OnceCell<Result<Sources, String>> = const { OnceCell::new() };
}

/// What counts of a function, and the expression of type `Helpers` for it.
///
/// Where the sources can't be had, the package's version stands for the helpers.
pub(crate) fn of(options: &Options, name: &Ident, private: &TokenStream) -> (Counts, TokenStream) {
    let without = match (options.code, &options.helpers) {
        (Some((counts, _)), _) if counts != Counts::Auto => return (counts, none(private)),
        (_, Some((Helpers::Named, _))) => {
            return (Counts::Package, unfound("helpers that `depends(…)` doesn't name", private));
        }
        (_, Some((Helpers::Without(paths), _))) => paths.as_slice(),
        (_, None) => &[],
    };
    match place(name) {
        Some(place) => SOURCES.with(|sources| match sources.get_or_init(read) {
            Ok(sources) => sources.reached(&place, without, private),
            Err(error) => (Counts::Package, unfound(&format!("helpers: {error}"), private)),
        }),
        None => (Counts::Package, unfound("helpers: no file of this crate holds the function", private)),
    }
}

/// No helpers, and none are missed.
pub(crate) fn none(private: &TokenStream) -> TokenStream {
    quote_spanned!(Span::mixed_site()=> #private::Helpers::NONE)
}

fn unfound(unseen: &str, private: &TokenStream) -> TokenStream {
    quote_spanned!(Span::mixed_site()=> #private::Helpers { unseen: #unseen, ..#private::Helpers::NONE })
}

/// `None` where the compiler doesn't say: in a documentation test, and in a macro of another crate.
fn place(name: &Ident) -> Option<Place> {
    if !proc_macro::is_available() {
        return None;
    }
    let span = name.span().unwrap();
    Some(Place { file: span.local_file()?, line: span.start().line(), name: name.unraw().to_string() })
}

fn read() -> Result<Sources, String> {
    let session = Session::of_this_process().ok_or("the crate's root is no file")?;
    let (name, out_dir) = (session.crate_name.clone(), session.out_dir.clone());
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let folders = [package.or_else(|| session.root.parent().map(Path::to_owned)), out_dir];
    // For as long as the compiler runs.
    let index = Box::leak(Box::new(Index::read(session).map_err(|error| error.to_string())?));
    Ok(Sources { name, folders, resolver: Resolver::new(index) })
}

impl Sources {
    fn reached(&self, place: &Place, without: &[String], private: &TokenStream) -> (Counts, TokenStream) {
        // A mistake in the search must not keep a crate from being compiled.
        let reached = catch_unwind(AssertUnwindSafe(|| self.resolver.reach(place, without)));
        match reached {
            Ok(Ok(reached)) => (Counts::Auto, self.expand(&reached, &place.name, private)),
            Ok(Err(_)) => (Counts::Package, unfound("helpers: no file of this crate holds the function", private)),
            Err(_) => (Counts::Package, unfound("helpers: the search for them failed", private)),
        }
    }

    /// The parts are one text: many functions reach many items, and each token takes the compiler time.
    fn expand(&self, reached: &Reached, function: &str, private: &TokenStream) -> TokenStream {
        let mut parts = String::new();
        for part in &reached.parts {
            let [name, why] = [&part.name, &part.why.to_string()].map(|text| text.replace(['\t', '\n'], " "));
            let _ = writeln!(parts, "{}\t{name}\t{}\t{why}", hex(&part.digest), self.shown(&part.file));
        }
        let unseen: Vec<String> = reached.unseen.iter().map(|unseen| self.told(unseen)).collect();
        let (unseen, digest, is_whole_crate) = (unseen.join("\n"), &reached.digest, reached.whole_crate);
        let facts = self.facts(reached, function, private);
        quote_spanned! {Span::mixed_site()=>
            #private::Helpers {
                digest: [#(#digest),*],
                facts: &[#(#facts),*],
                parts: #parts,
                unseen: #unseen,
                is_whole_crate: #is_whole_crate,
            }
        }
    }

    fn told(&self, unseen: &Unseen) -> String {
        match unseen {
            Unseen::File(path) => Unseen::File(PathBuf::from(self.shown(path))).to_string(),
            other => other.to_string(),
        }
        .replace('\n', " ")
    }

    fn shown(&self, file: &Path) -> String {
        let inside = self.folders.iter().flatten().find_map(|folder| file.strip_prefix(folder).ok());
        let shown = inside.or_else(|| file.file_name().map(Path::new)).unwrap_or(file);
        shown.display().to_string().replace(['\t', '\n'], " ")
    }

    /// What the helpers take from the build, in an order that neither places nor names decide.
    fn facts(&self, reached: &Reached, function: &str, private: &TokenStream) -> Vec<TokenStream> {
        let mut found: Vec<(String, String, TokenStream, &str)> = Vec::new();
        for part in &reached.parts {
            // The function's own are looked up beside its tokens.
            let is_own = part.name.rsplit("::").next() == Some(function) && part.name == reached.parts[0].name;
            if !is_own || reached.whole_crate {
                self.of_part(part, private, &mut found);
            }
        }
        found.sort_by(|a, b| (&a.0, &a.1, a.3).cmp(&(&b.0, &b.1, b.3)));
        // A file is one of its item's, whatever other items of the same text include.
        found.dedup_by(|a, b| a.0.len() < 32 && (&a.0, &a.1) == (&b.0, &b.1));
        let expand = |(order, _, fact, helper): (String, String, TokenStream, &str)| {
            // What has one value in the whole crate isn't told apart by the item.
            let item = order.get(..32).unwrap_or("");
            quote_spanned!(Span::mixed_site()=> #private::HelperFact { helper: #helper, item: #item, fact: #fact })
        };
        found.into_iter().map(expand).collect()
    }

    fn of_part<'a>(
        &self,
        part: &'a Part,
        private: &TokenStream,
        found: &mut Vec<(String, String, TokenStream, &'a str)>,
    ) {
        let site = Span::mixed_site();
        let item = hex(&part.digest);
        let guards = part.guards.iter().map(|guard| Fact::Cfg(guard.clone(), None));
        for (at, fact) in guards.chain(part.facts.iter().cloned()).enumerate() {
            let (order, name, fact) = match fact {
                Fact::Cfg(predicate, None) => {
                    let Ok(tokens) = predicate.parse::<TokenStream>() else { continue };
                    let tokens: TokenStream = tokens.into_iter().map(at_mixed_site).collect();
                    let fact = quote_spanned!(site=> #private::Fact::Cfg(#predicate, #private::core::cfg!(#tokens)));
                    ("cfg".to_owned(), predicate, fact)
                }
                Fact::Env(name) => {
                    let fact = quote_spanned!(site=> #private::Fact::Env(#name, #private::core::option_env!(#name)));
                    ("env".to_owned(), name, fact)
                }
                // One that isn't there is of an alternative that isn't compiled.
                Fact::Include(path) if path.is_file() => {
                    let Some(literal) = path.to_str() else { continue };
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    let fact = quote_spanned! {site=>
                        #private::Fact::Include(#name, #private::core::include_bytes!(#literal))
                    };
                    (format!("{item} {at:06}"), name, fact)
                }
                Fact::ModulePath => {
                    let path = format!("{}::{}", self.name, part.name);
                    let fact = quote_spanned!(site=> #private::Fact::Module(#path));
                    (format!("{item} {at:06}"), path, fact)
                }
                // A `cfg` that is decided is a part of the item's digest.
                _ => continue,
            };
            found.push((order, name, fact, &part.name));
        }
    }
}

/// So that lints about a predicate are reported where it is written.
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
