//! The path under which the calling crate knows ndcache, and errors that any crate understands.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::{Error, Path};

/// `::ndcache::__private`, under the name the caller's manifest gives the crate, or under the path that `crate = …` gives.
///
/// In ndcache's own tests, examples and doctests the crate is `::ndcache`, too. Where the manifest doesn't know the crate
/// the usual name is tried, so that the compiler's message names what is missing.
pub(crate) fn private(given: Option<&Path>) -> TokenStream {
    let site = Span::mixed_site();
    if let Some(path) = given {
        return quote_spanned!(site=> #path::__private);
    }
    let name = match crate_name("ndcache") {
        Ok(FoundCrate::Name(name)) => name,
        Ok(FoundCrate::Itself) | Err(_) => "ndcache".to_owned(),
    };
    let krate = Ident::new(&name, site);
    quote_spanned!(site=> ::#krate::__private)
}

/// `::core::compile_error!` at the mistake, in this crate's edition: in that of 2015, `::core` is another path.
pub(crate) fn compile_error(error: Error) -> TokenStream {
    of_this_edition(error.into_compile_error())
}

fn of_this_edition(tokens: TokenStream) -> TokenStream {
    let moved = tokens.into_iter().map(|tree| {
        let site = Span::mixed_site().located_at(tree.span());
        let mut tree = match tree {
            TokenTree::Group(group) => Group::new(group.delimiter(), of_this_edition(group.stream())).into(),
            tree => tree,
        };
        tree.set_span(site);
        tree
    });
    moved.collect()
}
