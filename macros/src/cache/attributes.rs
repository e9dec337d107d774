//! Which of the user's attributes goes to which generated item.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// The items that a function becomes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Role {
    /// The function itself, with the user's signature and docs.
    Wrapper,
    /// The plain function: it has the body, so every attribute that isn't known to belong elsewhere.
    Compute,
    /// What else is callable: the lazy call, the identity.
    Beside,
    /// Types, `impl` blocks and constants.
    Companion,
}

/// Attributes for an item that isn't a function: its conditions and its lint levels.
pub(crate) fn companion_attributes(attributes: &[Attribute]) -> Vec<TokenStream> {
    routed(attributes, Role::Companion)
}

pub(super) fn routed(attributes: &[Attribute], role: Role) -> Vec<TokenStream> {
    let outer = attributes.iter().filter(|attribute| matches!(attribute.style, syn::AttrStyle::Outer));
    outer.filter_map(|attribute| meta(&attribute.meta, role)).map(|meta| quote!(#[#meta])).collect()
}

fn meta(meta: &Meta, role: Role) -> Option<TokenStream> {
    let name = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
    let kept = meta.to_token_stream();
    match name.as_str() {
        "cfg" | "allow" | "warn" | "deny" | "forbid" => Some(kept),
        "cfg_attr" => conditional(meta, role),
        // Expected once, where the body is; elsewhere the lint may not occur.
        "expect" if role == Role::Compute => Some(kept),
        "expect" => lint_list(meta).map(|list| quote!(allow(#list))),
        "doc" | "export_name" | "link_section" | "no_mangle" | "unsafe" => (role == Role::Wrapper).then_some(kept),
        "inline" | "cold" | "must_use" => matches!(role, Role::Wrapper | Role::Compute).then_some(kept),
        "deprecated" => (role != Role::Companion).then_some(kept),
        _ => (role == Role::Compute).then_some(kept),
    }
}

/// `cfg_attr(p, a, b)` with those of `a` and `b` that belong to `role`.
fn conditional(attribute: &Meta, role: Role) -> Option<TokenStream> {
    let list = attribute.require_list().ok()?;
    let metas = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let mut metas = metas.into_iter();
    let predicate = metas.next()?;
    let kept: Vec<TokenStream> = metas.filter_map(|inner| meta(&inner, role)).collect();
    (!kept.is_empty()).then(|| quote!(cfg_attr(#predicate, #(#kept),*)))
}

/// The lints of `expect(lints, reason = "…")`.
fn lint_list(attribute: &Meta) -> Option<TokenStream> {
    attribute.require_list().ok().map(|list| list.tokens.clone())
}
