//! What a crate tells of itself to functions of others: the code of its types, and which crates can't have come after it.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ndcache_source::{Copies, Reached, Session, Sought};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt as _;

use super::{Sources, Taken, place, with_sources};

/// The expression of type `Code` for a type and what it does for code that knows it by a trait alone; `None` where that isn't
/// known, and in a program none of whose crates has cached functions: nobody asks there.
pub(crate) fn of_type(name: &Ident, private: &TokenStream) -> Option<TokenStream> {
    let place = place(name.span(), &name.unraw().to_string(), Sought::Type)?;
    with_sources(|sources| {
        if !sources.is_library && !sources.upstream().uses_cache {
            return None;
        }
        let reached = catch_unwind(AssertUnwindSafe(|| sources.resolver.reach(&place, &[]))).ok()?.ok()?;
        (reached.copies != Copies::Apart).then(|| sources.code_alone(&reached, private))
    })
}

/// The expression of type `Option<Upstream>`: which crates aren't made after this one for certain. `None` in a program, which
/// no crate is made after. `hides_types` says that the key doesn't see the types in some argument.
pub(crate) fn upstream(hides_types: bool, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let is_library = || Session::of_this_process().is_some_and(|session| session.is_library);
    if !proc_macro::is_available() || !with_sources(|sources| Some(sources.is_library)).unwrap_or_else(is_library) {
        return quote_spanned!(site=> #private::core::option::Option::None);
    }
    let known = with_sources(|sources| {
        let upstream = sources.upstream();
        let mut types = if upstream.has_namesake { sources.index.types() } else { BTreeSet::new() };
        // No type's path: a list of none isn't the absence of one.
        types.extend(upstream.has_namesake.then(|| "-".to_owned()));
        let [crates, types] =
            [&upstream.names, &types].map(|names| Vec::from_iter(names.iter().map(|it| &**it)).join(" "));
        Some((crates, sources.name.clone(), types))
    });
    let (crates, own, types) = known.unwrap_or_default();
    quote_spanned! {site=>
        #private::core::option::Option::Some(#private::Upstream {
            crates: #crates,
            own: #own,
            types: #types,
            hides_types: #hides_types,
        })
    }
}

impl Sources {
    /// The `Code` of what is reached, all of whose parts are helpers that nothing is said of.
    fn code_alone(&self, reached: &Reached, private: &TokenStream) -> TokenStream {
        let (digest, facts) = (&reached.digest, self.facts(reached, |_| Taken::All, private));
        let (is_whole_crate, mark) = (reached.whole_crate, crate::package::mark());
        quote_spanned! {Span::mixed_site()=>
            #private::Code {
                tokens: [0; 16],
                facts: &[],
                version: #private::core::option::Option::None,
                scope: #private::CodeScope::Auto,
                depends: &[],
                helpers: #private::Helpers {
                    digest: [#(#digest),*],
                    facts: &[#(#facts),*],
                    parts: "",
                    unseen: "",
                    crates: "",
                    is_whole_crate: #is_whole_crate,
                },
                mark: #mark,
            }
        }
    }
}
