//! The static `Code` of an item, and `#[code]`, which gives a helper one.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, Generics, Item, ItemImpl, ItemMacro, Path, Result, Type, TypePath, Visibility, parse_quote};

use crate::cache::{CodeScope, Helpers, Options, companion_attributes, depends_paths, is_unmarked, nearest};
use crate::edition::{edition, is_crate};
use crate::facts::{facts, refuse_files, refuse_places};
use crate::helpers::{Dependency, ItemCode, dependency};
use crate::ident::rewritten;
use crate::krate::compile_error;
use crate::tokens::{digest, without_placing_attributes};

/// The expression of type `Code` for `item`, fit for a static: it may refer to other statics in circles.
pub(crate) fn code(
    item: TokenStream,
    found: &ItemCode,
    options: &Options,
    private: &TokenStream,
) -> Result<TokenStream> {
    let site = Span::mixed_site();
    let item = without_placing_attributes(item);
    let facts = match found.scope {
        CodeScope::Auto | CodeScope::Package | CodeScope::Body => facts(&item, private)?,
        CodeScope::Version | CodeScope::Build => Vec::new(),
    };
    refuse_unknown(options, found, private)?;
    let tokens = digest(item);
    let version = version(options, private);
    let (scope, helpers) = (code_scope(found.scope, private), &found.helpers);
    let depends: Vec<Option<TokenStream>> =
        options.depends.iter().map(|path| depends(path, found, private)).collect::<Result<_>>()?;
    let depends = depends.iter().flatten();
    let mark = crate::package::mark();
    Ok(quote_spanned! {site=>
        #private::Code {
            tokens: [#(#tokens),*],
            facts: &[#(#facts),*],
            version: #version,
            scope: #scope,
            depends: &[#(#depends),*],
            helpers: #helpers,
            mark: #mark,
        }
    })
}

pub(crate) fn version(options: &Options, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    match &options.version {
        Some(version) => quote_spanned!(site=> #private::core::option::Option::Some(#version)),
        None => quote_spanned!(site=> #private::core::option::Option::None),
    }
}

pub(crate) fn code_scope(scope: CodeScope, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    match scope {
        CodeScope::Package => {
            let version = cargo_variable("CARGO_PKG_VERSION", private);
            quote_spanned!(site=> #private::CodeScope::Package(#version))
        }
        CodeScope::Auto => quote_spanned!(site=> #private::CodeScope::Auto),
        CodeScope::Body => quote_spanned!(site=> #private::CodeScope::Body),
        CodeScope::Version => quote_spanned!(site=> #private::CodeScope::Version),
        // Any function of the caller's object will do: the runtime asks which object it lies in.
        CodeScope::Build => quote_spanned!(site=> #private::CodeScope::Build({
            fn anchor() {}
            anchor
        })),
    }
}

/// A variable that Cargo sets, empty where the compiler is run without Cargo.
pub(crate) fn cargo_variable(name: &str, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    quote_spanned! {site=>
        match #private::core::option_env!(#name) {
            #private::core::option::Option::Some(value) => value,
            #private::core::option::Option::None => "",
        }
    }
}

/// The digests that `path` names: its own, and that of an `impl` block marked with `#[code]`.
///
/// They are reached through functions: the compiler follows a constant's references to check what they point to, so that
/// two statics whose constants referred to each other would be a cycle.
fn depends(path: &Type, found: &ItemCode, private: &TokenStream) -> Result<Option<TokenStream>> {
    let dependency = match path {
        Type::Path(TypePath { qself: None, path: plain, .. }) => dependency(plain, found, private),
        _ => Dependency::Named,
    };
    match dependency {
        Dependency::Held => Ok(None),
        Dependency::Code(code) => Ok(Some(unmarked(path, &code, private))),
        Dependency::Nothing(near) => Err(missing(path, &near)),
        Dependency::Elsewhere => Ok(Some(marked(path, true, private))),
        Dependency::Named => Ok(Some(marked(path, false, private))),
    }
}

/// What `helpers(without(…))` leaves out has to be something: a misspelled name would leave out nothing, silently.
fn refuse_unknown(options: &Options, found: &ItemCode, private: &TokenStream) -> Result<()> {
    let Some((Helpers::Without(paths), _)) = &options.helpers else { return Ok(()) };
    for path in paths {
        if let Dependency::Nothing(near) = dependency(path, found, private) {
            return Err(missing(&Type::Path(TypePath { attrs: Vec::new(), qself: None, path: path.clone() }), &near));
        }
    }
    Ok(())
}

/// ``no item `inner::frst` is in sight here, did you mean `inner::first`? ``
fn missing(path: &Type, near: &[String]) -> syn::Error {
    let text = shown(path);
    let (before, name) = text.rsplit_once("::").map_or(("", text.as_str()), |(before, name)| (before, name));
    let near = nearest(name, near).map(|near| match before {
        "" => format!(", did you mean `{near}`?"),
        before => format!(", did you mean `{before}::{near}`?"),
    });
    let near = near.unwrap_or_default();
    syn::Error::new_spanned(path, format!("no item `{text}` is in sight here{near}"))
}

fn shown(path: &Type) -> String {
    crate::tokens::text(path.to_token_stream()).replace(' ', "")
}

/// What has no mark, by the code that the sources tell.
fn unmarked(path: &Type, code: &TokenStream, private: &TokenStream) -> TokenStream {
    let text = shown(path);
    quote_spanned! {Span::mixed_site()=>
        #private::Dependency {
            name: #text,
            codes: &[#private::core::option::Option::Some(|| {
                static CODE: #private::Code = #code;
                &CODE
            })],
        }
    }
}

fn marked(path: &Type, is_elsewhere: bool, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site().located_at(path.span());
    let (text, method) = (shown(path), method_of(path));
    let message = without_digest(&text, method.as_ref().map(|(owner, _)| shown(owner)).as_deref(), is_elsewhere);
    let (codes, imports) = match (method, imported(path, is_elsewhere, private)) {
        (Some((owner, constant)), _) => {
            let fallback = method_fallback(&constant, private);
            (quote_spanned!(site=> [<#owner>::#constant]), fallback)
        }
        (None, Some(imports)) => {
            (quote_spanned!(site=> [<Dependency>::__NDCACHE_CODE, <Dependency>::__NDCACHE_IMPL_CODE]), imports)
        }
        (None, None) => {
            (quote_spanned!(site=> [<#path>::__NDCACHE_CODE, <#path>::__NDCACHE_IMPL_CODE]), TokenStream::new())
        }
    };
    let codes = quote_spanned! {site=> {
        #[allow(unused_imports)]
        use #private::HasCode as _;
        #imports
        const CODES: &[#private::core::option::Option<fn() -> &'static #private::Code>] = &#codes;
        const _: () = {
            let mut at = 0;
            let mut found = false;
            while at < CODES.len() {
                found |= CODES[at].is_some();
                at += 1;
            }
            #private::core::assert!(found, #message);
        };
        CODES
    }};
    quote_spanned!(site=> #private::Dependency { name: #text, codes: #codes })
}

/// What is said of `text`, the path of an item without a digest, or of a method of `owner`.
fn without_digest(text: &str, owner: Option<&str>, is_elsewhere: bool) -> String {
    let mark = match owner {
        Some(owner) => {
            format!("put `#[cache]` on it, or `#[ndcache::code]` on its `impl`, and name the type: `depends({owner})`")
        }
        None => "put `#[ndcache::code]` or `#[cache]` on it".to_owned(),
    };
    match is_elsewhere {
        true => format!(
            "`{text}` is of another crate and has no code digest: {mark}; where that can't be, raise `version` when the crate changes"
        ),
        false => format!("`{text}` has no code digest: {mark}"),
    }
}

/// Gives each type a method's constant without code: of one that isn't there, the compiler would tell the constant's name.
fn method_fallback(constant: &Ident, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    quote_spanned! {site=>
        #[allow(dead_code, non_upper_case_globals)]
        trait __NdcacheUnmarked {
            const #constant: #private::core::option::Option<fn() -> &'static #private::Code> =
                #private::core::option::Option::None;
        }
        impl<T: ?#private::core::marker::Sized> __NdcacheUnmarked for T {}
    }
}

/// Imports that call the item at `path` by the name `Dependency`, where it isn't known to have a digest.
///
/// About a function without a digest the compiler would say "expected type, found function". An import
/// finds the function all the same; as it brings no type, the type of that name from the glob stands in for it. A
/// marked item of this crate needs none of this, nor do names that an import finds ambiguous: a crate beside a module of
/// its name, unless the path is known to lead to the crate. For a name that is declared nowhere the compiler suggests
/// others like it.
fn imported(path: &Type, is_elsewhere: bool, private: &TokenStream) -> Option<TokenStream> {
    let Type::Path(TypePath { qself: None, path, .. }) = path else { return None };
    let (first, last) = (path.segments.first()?, path.segments.last()?);
    let is_plain = path.segments.iter().all(|segment| segment.arguments.is_none());
    let begins_with_crate = path.leading_colon.is_none() && is_crate(&first.ident.unraw().to_string());
    let is_found = is_elsewhere || !begins_with_crate && is_unmarked(&first.ident, &last.ident);
    if !is_plain || is_primitive(path) || edition() == "2015" || !is_found {
        return None;
    }
    let site = Span::mixed_site();
    let global = begins_with_crate.then(|| quote_spanned!(site=> ::));
    Some(quote_spanned! {site=>
        #[allow(unused_imports, deprecated)]
        use #global #path as Dependency;
        #[allow(unused_imports)]
        use #private::unmarked::*;
    })
}

/// Types that no import finds.
fn is_primitive(path: &Path) -> bool {
    const PRIMITIVES: [&str; 19] = [
        "bool", "char", "f16", "f32", "f64", "f128", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16",
        "u32", "u64", "u128", "usize",
    ];
    path.get_ident().is_some_and(|name| PRIMITIVES.iter().any(|primitive| name == primitive))
}

/// The constant that holds a method's code beside the method: its type can't be named from the method's path.
pub(crate) fn method_constant(method: &Ident) -> Ident {
    Ident::new(&format!("__NDCACHE_CODE_{}", method.unraw()), Span::mixed_site().located_at(method.span()))
}

/// `Type::method` as opposed to `module::function`: told apart by the capital, as Rust's names are, or by `<Type>::method`.
fn method_of(path: &Type) -> Option<(Type, Ident)> {
    let Type::Path(TypePath { attrs, qself, path }) = path else { return None };
    let mut owner = path.clone();
    let method = owner.segments.pop()?;
    owner.segments.pop_punct();
    if let (Some(qself), true) = (qself, owner.segments.is_empty()) {
        return Some(((*qself.ty).clone(), method_constant(&method.ident)));
    }
    let last = owner.segments.last()?;
    let is_type = last.ident.unraw().to_string().starts_with(char::is_uppercase) || !last.arguments.is_none();
    let is_method = method.ident.unraw().to_string().starts_with(char::is_lowercase);
    let owner = Type::Path(TypePath { attrs: attrs.clone(), qself: qself.clone(), path: owner });
    (is_type && is_method).then(|| (owner, method_constant(&method.ident)))
}

/// `#[ndcache::code]`.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match try_expand(arguments, item.clone()) {
        Ok(beside) => {
            let mut output = item;
            output.extend(beside);
            output
        }
        Err(error) => {
            let mut output = compile_error(error);
            output.extend(item);
            output
        }
    }
}

fn try_expand(arguments: TokenStream, tokens: TokenStream) -> Result<TokenStream> {
    let options = Options::of_code(arguments)?;
    depends_paths(&options)?;
    let item: Item = syn::parse2(tokens.clone()).map_err(|error| syn::Error::new(error.span(), UNFIT))?;
    refuse_places(&tokens)?;
    if let Item::Fn(function) = &item
        && let Some(receiver) = function.sig.receiver()
    {
        return Err(syn::Error::new_spanned(receiver, METHOD));
    }
    let private = crate::krate::private(options.krate.as_ref());
    let (span, name) = sought(&item);
    let found = crate::helpers::of_item(span, &name, &private);
    let code = code(tokens, &found, &options, &private)?;
    let visible = &visibility(&item);
    if let Item::Macro(item) = &item {
        refuse_files(&item.mac.tokens)?;
    }
    if let Some(handle) = &options.handle {
        return Ok(companion(handle, visible, attributes(&item), &code, &private));
    }
    match &item {
        Item::Fn(function) => Ok(companion(&function.sig.ident, visible, &function.attrs, &code, &private)),
        Item::Const(constant) if constant.ident != "_" => {
            Ok(companion(&constant.ident, visible, &constant.attrs, &code, &private))
        }
        Item::Static(item) => Ok(companion(&item.ident, visible, &item.attrs, &code, &private)),
        Item::Struct(item) => Ok(on_type(&item.ident, &item.generics, &item.attrs, &code, &private)),
        Item::Enum(item) => Ok(on_type(&item.ident, &item.generics, &item.attrs, &code, &private)),
        Item::Union(item) => Ok(on_type(&item.ident, &item.generics, &item.attrs, &code, &private)),
        Item::Macro(ItemMacro { ident: Some(name), attrs, .. }) => Ok(companion(name, visible, attrs, &code, &private)),
        Item::Impl(item) if item.trait_.is_none() => Ok(on_impl(item, &code, &private)),
        Item::Impl(item) => Err(syn::Error::new(item.span(), UNNAMED_IMPL)),
        Item::Type(item) => Err(syn::Error::new(item.ident.span(), UNNAMED_ALIAS)),
        Item::Trait(item) => Err(syn::Error::new(item.ident.span(), UNFIT)),
        other => Err(syn::Error::new(other.span(), UNFIT)),
    }
}

/// What the item is looked for by in its file: its name, or the keyword of an `impl`.
fn sought(item: &Item) -> (Span, String) {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(ItemMacro { ident: Some(name), .. }) => name,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Impl(item) => return (item.impl_token.span, "impl".to_owned()),
        other => return (other.span(), String::new()),
    };
    (name.span(), name.unraw().to_string())
}

const UNFIT: &str = "`#[code]` goes on a function, constant, static, struct, enum, union, `macro_rules!` or inherent `impl`; elsewhere put it on what is used";
const METHOD: &str = "a method counts with its `impl`: put `#[code]` on the `impl` and name the type: `depends(Type)`";
const UNNAMED_IMPL: &str =
    "an `impl` of a trait has no name to depend on: `#[code(handle = Name)]`, then `depends(Name)`";
const UNNAMED_ALIAS: &str = "a type alias shares its type's digest: `#[code(handle = Name)]`, then `depends(Name)`";

/// A `macro_rules!` has none: its name is known wherever the crate has the text before.
fn visibility(item: &Item) -> Visibility {
    match item {
        Item::Const(item) => item.vis.clone(),
        Item::Enum(item) => item.vis.clone(),
        Item::Fn(item) => item.vis.clone(),
        Item::Macro(_) => parse_quote!(pub(crate)),
        Item::Static(item) => item.vis.clone(),
        Item::Struct(item) => item.vis.clone(),
        Item::Type(item) => item.vis.clone(),
        Item::Union(item) => item.vis.clone(),
        _ => Visibility::Inherited,
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        _ => &[],
    }
}

/// An uninhabited type of the same name: types and values have separate namespaces.
fn companion(
    name: &Ident,
    visibility: &Visibility,
    attributes: &[Attribute],
    code: &TokenStream,
    private: &TokenStream,
) -> TokenStream {
    let site = Span::mixed_site();
    let name = rewritten(name);
    let attributes = companion_attributes(attributes);
    let constant = constant("__NDCACHE_CODE", visibility, code, private);
    quote_spanned! {site=>
        #(#attributes)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, clippy::all, clippy::pedantic)]
        #visibility enum #name {}
        #(#attributes)*
        #[doc(hidden)]
        #[allow(clippy::all, clippy::pedantic)]
        impl #name { #constant }
    }
}

fn constant(name: &str, visibility: impl ToTokens, code: &TokenStream, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let name = Ident::new(name, site);
    quote_spanned! {site=>
        #[doc(hidden)]
        #visibility const #name: #private::core::option::Option<fn() -> &'static #private::Code> =
            #private::core::option::Option::Some(|| {
                static CODE: #private::Code = #code;
                &CODE
            });
    }
}

fn on_type(
    name: &Ident,
    generics: &Generics,
    attributes: &[Attribute],
    code: &TokenStream,
    private: &TokenStream,
) -> TokenStream {
    let site = Span::mixed_site();
    let attributes = companion_attributes(attributes);
    let (parameters, arguments, predicates) = generics.split_for_impl();
    let constant = constant("__NDCACHE_CODE", quote_spanned!(site=> pub), code, private);
    quote_spanned! {site=>
        #(#attributes)*
        #[doc(hidden)]
        #[allow(unreachable_pub, clippy::all, clippy::pedantic)]
        impl #parameters #name #arguments #predicates { #constant }
    }
}

fn on_impl(item: &ItemImpl, code: &TokenStream, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let attributes = companion_attributes(&item.attrs);
    let (parameters, _, predicates) = item.generics.split_for_impl();
    let owner = &item.self_ty;
    let constant = constant("__NDCACHE_IMPL_CODE", quote_spanned!(site=> pub), code, private);
    quote_spanned! {site=>
        #(#attributes)*
        #[doc(hidden)]
        #[allow(unreachable_pub, clippy::all, clippy::pedantic)]
        impl #parameters #owner #predicates { #constant }
    }
}

#[cfg(test)]
mod tests;
