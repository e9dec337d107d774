//! How a type is keyed and stored, found out by the compiler where a macro expands.
//!
//! What comes out of the search is asked for a trait whose message says what is missing. Its function is named first and
//! called then: of a bound in a call, the compiler would show where the bound stands.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote_spanned;

/// How `value`, a reference, is keyed: by the first trait that it has. Where it has none the message is at `site`.
pub(crate) fn keyed(value: &TokenStream, site: Span, private: &TokenStream) -> TokenStream {
    let private = located(private, site);
    quote_spanned! {site=> {
        let (of, elements, unchanged) =
            (#private::Keyable::of, #private::KeyableElements::of, #private::Unchanged::of);
        unchanged(#value, of(#value, elements(#value, (&&&&&&&#private::Probe(#value)).keyed())))
    }}
}

/// How `value`, a reference, is keyed by the multiples of `step`. Where it can't be the message is at `site`.
pub(crate) fn rounded(value: &TokenStream, step: &TokenStream, site: Span, private: &TokenStream) -> TokenStream {
    let private = located(private, site);
    quote_spanned! {site=> {
        let of = #private::Rounded::of;
        of(#value, (&&#private::Rounding(#value)).keyed(#step))
    }}
}

/// The format that was `found` for the type of `probe`. Where it is none the message is at `site`.
pub(crate) fn stored(probe: &TokenStream, found: &TokenStream, site: Span, private: &TokenStream) -> TokenStream {
    let private = located(private, site);
    quote_spanned! {site=> {
        let (of, elements) = (#private::Storable::of, #private::StorableElements::of);
        of(#probe, elements(#probe, #found))
    }}
}

/// A path with the place of `site`, which resolves as before.
fn located(path: &TokenStream, site: Span) -> TokenStream {
    let at = |mut tree: TokenTree| {
        tree.set_span(tree.span().located_at(site));
        tree
    };
    path.clone().into_iter().map(at).collect()
}
