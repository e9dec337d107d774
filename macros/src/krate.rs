//! The path under which the calling crate knows ndcache.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

/// `::ndcache::__private`, under the name the caller's manifest gives the crate.
///
/// In ndcache's own tests, examples and doctests the crate is `::ndcache`, too. Where the manifest doesn't know the crate
/// the usual name is tried, so that the compiler's message names what is missing.
pub(crate) fn private() -> TokenStream {
    let name = match crate_name("ndcache") {
        Ok(FoundCrate::Name(name)) => name,
        Ok(FoundCrate::Itself) | Err(_) => "ndcache".to_owned(),
    };
    let site = Span::mixed_site();
    let krate = Ident::new(&name, site);
    quote_spanned!(site=> ::#krate::__private)
}
