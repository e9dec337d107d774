//! Names of the user's that these macros give to items of their own.

use proc_macro2::{Ident, Span};

/// The name as this crate would write it: located at the user's, so that a lint about the name is reported at the one
/// that the user wrote.
///
/// It is of this crate's edition then, in which `gen` is a keyword, and in the user's it may be a name.
pub(crate) fn rewritten(name: &Ident) -> Ident {
    let site = Span::call_site().located_at(name.span());
    let mut own = match name == "gen" {
        true => Ident::new_raw("gen", site),
        false => name.clone(),
    };
    own.set_span(site);
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_of_this_edition_alone_becomes_raw_and_what_is_raw_stays() {
        for (name, own) in [("x", "x"), ("gen", "r#gen"), ("r#gen", "r#gen"), ("r#type", "r#type")] {
            assert_eq!(rewritten(&syn::parse_str(name).unwrap()).to_string(), own);
        }
    }
}
