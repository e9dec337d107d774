//! The path under which the calling crate knows ndcache, and errors that any crate understands.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::{Error, Path};

use crate::edition::edition;

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

/// `::core::compile_error!` at each mistake; in edition 2015, where that is a path of the crate's own, without the path.
pub(crate) fn compile_error(error: Error) -> TokenStream {
    let tokens = error.into_compile_error();
    if edition() != "2015" {
        return tokens;
    }
    let is_path = |tree: &TokenTree| match tree {
        TokenTree::Punct(mark) => mark.as_char() == ':',
        TokenTree::Ident(name) => name == "core",
        _ => false,
    };
    tokens.into_iter().filter(|tree| !is_path(tree)).collect()
}
