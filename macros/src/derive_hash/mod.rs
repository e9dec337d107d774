//! `#[derive(ContentHash)]`: a value counts by its type's package and full name and, field by field, by name and content;
//! in words it is described the same way.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::bounds::{private_of, with_bounds};
use crate::package;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let private = private_of(input)?;
    let site = Span::mixed_site();
    let mut rows = TokenStream::new();
    let (body, words) = match &input.data {
        Data::Struct(data) => {
            rows = in_rows(&data.fields, &private);
            let words = words(&input.ident, &data.fields, false, &private);
            let pattern = pattern(&data.fields);
            (structure(&data.fields, &private, "digest"), quote_spanned!(site=> let Self #pattern = *self; #words))
        }
        Data::Enum(data) => {
            let package = package::mark();
            let arms = data.variants.iter().map(|variant| {
                let (name, text) = (&variant.ident, variant.ident.unraw().to_string());
                let (pattern, fields) = (pattern(&variant.fields), fields(&variant.fields, &private, "digest"));
                quote_spanned!(site=> Self::#name #pattern => { hasher.begin_variant_in(self, #package, #text); #fields hasher.end(); })
            });
            let words = data.variants.iter().map(|variant| {
                let (name, pattern) = (&variant.ident, pattern(&variant.fields));
                let words = words(name, &variant.fields, true, &private);
                quote_spanned!(site=> Self::#name #pattern => { #words })
            });
            (quote_spanned!(site=> match *self { #(#arms)* }), quote_spanned!(site=> match *self { #(#words)* }))
        }
        Data::Union(data) => {
            return Err(Error::new(
                data.union_token.span,
                "a union doesn't know what it holds: derive for a struct or an enum",
            ));
        }
    };
    let name = &input.ident;
    let generics = with_bounds(input, &quote_spanned!(site=> #private::ContentHash));
    let (parameters, arguments, predicates) = generics.split_for_impl();
    let code = type_code(name, &private);
    Ok(quote_spanned! {site=>
        #[automatically_derived]
        #[allow(unused_imports, clippy::all, clippy::pedantic)]
        impl #parameters #private::ContentHash for #name #arguments #predicates {
            fn content_hash(&self, hasher: &mut #private::ContentHasher) {
                use #private::probes::*;
                let _ = &hasher;
                #body
            }
            #rows
            #code

            fn describe(&self, text: &mut #private::Text) {
                use #private::probes::*;
                let _ = &text;
                #words
            }
        }
    })
}

/// The code of what the type does, for functions of crates that don't see it.
fn type_code(name: &Ident, private: &TokenStream) -> Option<TokenStream> {
    let code = crate::helpers::of_type(name, private)?;
    let path = format!("::{}", name.unraw());
    Some(quote_spanned! {Span::mixed_site()=>
        fn type_code(&self) -> #private::core::option::Option<#private::TypeCode> {
            static CODE: #private::Code = #code;
            #private::core::option::Option::Some(#private::TypeCode {
                name: #private::core::concat!("code of `", #private::core::module_path!(), #path, "`"),
                digest: || CODE.of_type(),
            })
        }
    })
}

/// How a struct stands in a table: its names before the first row, and in each what its fields have there.
fn in_rows(members: &Fields, private: &TokenStream) -> TokenStream {
    let (alike, pattern) = (structure(members, private, "alike"), pattern(members));
    let rows = members.iter().enumerate().map(|(at, field)| {
        let (local, site) = (local(at), Span::mixed_site().located_at(field.ty.span()));
        let keyed = crate::probe::keyed(&local.to_token_stream(), site, private);
        quote_spanned!(site=> #private::Keyed::row(&#keyed, #local, hasher);)
    });
    quote_spanned! {Span::mixed_site()=>
        fn has_rows(&self) -> bool {
            true
        }

        fn hash_alike(&self, hasher: &mut #private::ContentHasher) {
            use #private::probes::*;
            #alike
        }

        #[inline]
        fn hash_row(&self, hasher: &mut #private::ContentHasher) {
            use #private::probes::*;
            if hasher.begin_row() {
                let Self #pattern = *self;
                #(#rows)*
            }
            hasher.end_row();
        }
    }
}

/// Feeds a struct, its fields by this method.
fn structure(members: &Fields, private: &TokenStream, method: &str) -> TokenStream {
    let (package, pattern, fields) = (package::mark(), pattern(members), fields(members, private, method));
    quote_spanned! {Span::mixed_site()=>
        hasher.begin_struct_in(self, #package);
        let Self #pattern = *self;
        #fields
        hasher.end();
    }
}

/// Binds each field to `field_0`, `field_1`, … by reference.
fn pattern(members: &Fields) -> TokenStream {
    let site = Span::mixed_site();
    let bound = members.members().enumerate().map(|(at, member)| {
        let local = local(at);
        quote_spanned!(site=> #member: ref #local)
    });
    quote_spanned!(site=> { #(#bound),* })
}

fn local(at: usize) -> Ident {
    format_ident!("field_{at}", span = Span::mixed_site())
}

fn fields(members: &Fields, private: &TokenStream, method: &str) -> TokenStream {
    let method = format_ident!("{method}");
    let fed = members.iter().zip(members.members()).enumerate().map(|(at, (field, member))| {
        let local = local(at);
        let name = match &member {
            syn::Member::Named(ident) => ident.unraw().to_string(),
            syn::Member::Unnamed(index) => index.index.to_string(),
        };
        let site = Span::mixed_site().located_at(field.ty.span());
        let keyed = crate::probe::keyed(&local.to_token_stream(), site, private);
        quote_spanned! {site=>
            if hasher.begin_field(#name) {
                #private::Keyed::#method(&#keyed, #local, hasher);
            }
        }
    });
    fed.map(ToTokens::into_token_stream).collect()
}

/// What puts a struct or a variant, whose fields are bound, in words: `Lasso { alpha: 1.0 }`, `Ridge(1.0)`, `Auto`.
fn words(name: &Ident, members: &Fields, variant: bool, private: &TokenStream) -> TokenStream {
    let (site, name) = (Span::mixed_site(), name.unraw().to_string());
    let named = matches!(members, Fields::Named(_));
    let only = members.len() == 1 && !named;
    let begin = match variant && !members.is_empty() && !only {
        true => quote_spanned!(site=> text.variant(#name);),
        false => quote_spanned!(site=> text.display(#name);),
    };
    let fields = members.iter().zip(members.members()).enumerate().map(|(at, (field, member))| {
        let (local, site) = (local(at), Span::mixed_site().located_at(field.ty.span()));
        let keyed = crate::probe::keyed(&local.to_token_stream(), site, private);
        let how = quote_spanned!(site=> #keyed, #local);
        if only {
            let mark = if variant { &*name } else { "" };
            return quote_spanned!(site=> text.display("("); #private::describe_inside(text, #mark, #how););
        }
        let field = match &member {
            syn::Member::Named(ident) => ident.unraw().to_string(),
            syn::Member::Unnamed(index) => index.index.to_string(),
        };
        let before = match (at, named) {
            (0, true) => format!(" {{ {field}: "),
            (_, true) => format!(", {field}: "),
            (0, false) => "(".to_owned(),
            (_, false) => ", ".to_owned(),
        };
        quote_spanned!(site=> #private::describe_field(text, #before, #field, #how);)
    });
    let fields: TokenStream = fields.map(ToTokens::into_token_stream).collect();
    let end = match (members.is_empty(), named) {
        (true, _) => quote_spanned!(site=>),
        (false, true) => quote_spanned!(site=> text.display(" }");),
        (false, false) => quote_spanned!(site=> text.display(")");),
    };
    quote_spanned!(site=> #begin #fields #end)
}

#[cfg(test)]
mod tests;
