//! What both derives read of a type: bounds for its type parameters, and where ndcache is.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{Data, DeriveInput, GenericParam, Generics, Result, Type, parse_quote};

use crate::cache::Options;
use crate::fragment::ungrouped_type;
use crate::tokens::mentions;

/// The path to ndcache: that of `#[ndcache(crate = …)]`, else the one in the manifest.
pub(crate) fn private_of(input: &DeriveInput) -> Result<TokenStream> {
    let mut options = Options::default();
    if let Some(attribute) = input.attrs.iter().find(|attribute| attribute.path().is_ident("ndcache")) {
        options = Options::of_derive(attribute.meta.require_list()?.tokens.clone())?;
    }
    Ok(crate::krate::private(options.krate.as_ref()))
}

/// `T: bound` for each type parameter that some field holds, as serde does: not for one that only occurs in a
/// `PhantomData`.
pub(crate) fn with_bounds(input: &DeriveInput, bound: &TokenStream) -> Generics {
    let types: Vec<&Type> = held(&input.data);
    let mut generics = input.generics.clone();
    for parameter in &mut generics.params {
        let GenericParam::Type(parameter) = parameter else { continue };
        let name = parameter.ident.to_string();
        if types.iter().any(|ty| !is_phantom(ty) && mentions(ty.to_token_stream(), &name)) {
            parameter.bounds.push(parse_quote!(#bound));
        }
        parameter.default = None;
    }
    generics
}

fn held(data: &Data) -> Vec<&Type> {
    match data {
        Data::Struct(data) => data.fields.iter().map(|field| &field.ty).collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).map(|field| &field.ty).collect(),
        Data::Union(data) => data.fields.named.iter().map(|field| &field.ty).collect(),
    }
}

fn is_phantom(ty: &Type) -> bool {
    let Type::Path(path) = ungrouped_type(ty) else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "PhantomData")
}
