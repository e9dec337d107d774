//! `#[cache]` on the `impl` of a trait: a trait takes no method that it doesn't declare, so that what a cached method
//! becomes beside itself goes into an inherent `impl` of the type.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Attribute, Error, GenericParam, ImplItem, ImplItemFn, ItemImpl, Meta, Path, Result, Type};

use super::attributes::companion_attributes;
use super::parse::{Options, UnparsedFunction};
use super::surroundings::EnclosingItem;
use crate::tokens::mentions;

/// Whether the attribute stands on an `impl`.
pub(super) fn is_block(item: &TokenStream) -> bool {
    let mut trees = item.clone().into_iter();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Punct(mark) if mark.as_char() == '#' => drop(trees.next()),
            TokenTree::Ident(word) if word == "unsafe" => {}
            TokenTree::Ident(word) => return word == "impl",
            _ => return false,
        }
    }
    false
}

pub(super) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "options stand on the methods: `#[cache(…)] fn …`"));
    }
    let mut block: ItemImpl = syn::parse2(item)?;
    let Some((path, _)) = block.trait_.clone() else {
        return Err(Error::new_spanned(block.impl_token, INHERENT));
    };
    refuse_types(&block)?;
    let names = declared(&block.items);
    let (mut beside, mut errors) = (TokenStream::new(), None::<Error>);
    for member in &mut block.items {
        let ImplItem::Fn(method) = member else { continue };
        let Some(attribute) = take_cache(method) else { continue };
        match cached(&attribute, method, &path, &names) {
            Ok((wrapper, items)) => {
                *member = ImplItem::Verbatim(wrapper);
                beside.extend(items);
            }
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                none => *none = Some(error),
            },
        }
    }
    match errors {
        Some(error) => Err(error),
        None if beside.is_empty() => Err(Error::new_spanned(block.impl_token, NOTHING)),
        None => Ok(with_inherent(&block, &beside)),
    }
}

const INHERENT: &str = "methods of an inherent `impl` need no `#[cache]` on the `impl`: put it on the methods alone";
const NOTHING: &str = "no method of this `impl` has `#[cache]`: put it on those that are to be cached, too";
const FOREIGN: &str = "the methods of a trait can be cached for a type of this crate: for another, cache a function and call it in the method";
const UNCONSTRAINED: &str = "a parameter that only the trait has can't be one of a cached method: cache a function that has it, and call it in the method";

/// The method for the trait, and what goes into an inherent `impl`.
fn cached(
    attribute: &Attribute,
    method: &ImplItemFn,
    path: &Path,
    names: &[String],
) -> Result<(TokenStream, TokenStream)> {
    let arguments = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    };
    let mut options = Options::of_cache(arguments)?;
    let item = method.to_token_stream();
    let own: UnparsedFunction = syn::parse2(item.clone())?;
    if own.signature.receiver().is_none() {
        options.method.get_or_insert(Span::call_site());
    }
    super::check::check(&options, &own, Some(EnclosingItem::Impl))?;
    let private = crate::krate::private(options.krate.as_ref());
    let found = crate::helpers::of_function(&options, &own.signature.ident, &private);
    let code = crate::code::code(item.clone(), &found, &options, &private)?;
    let mut inherent: UnparsedFunction = syn::parse2(qualified(item, path, names))?;
    inherent.visibility = syn::parse_quote!(pub);
    Ok(super::expand::of_trait(&options, &own, &inherent, &code, &private))
}

/// An `impl` that was refused, whose methods have no mistake of their own to tell; and any other item as it is.
pub(super) fn without_marks(item: TokenStream) -> TokenStream {
    if !is_block(&item) {
        return item;
    }
    let Ok(mut block) = syn::parse2::<ItemImpl>(item.clone()) else { return item };
    for member in &mut block.items {
        if let ImplItem::Fn(method) = member {
            take_cache(method);
        }
    }
    block.to_token_stream()
}

/// `#[cache]` or `#[cache(…)]`, which is no longer the method's.
fn take_cache(method: &mut ImplItemFn) -> Option<Attribute> {
    let is_cache = |attribute: &Attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|segment| segment.ident == "cache") && !matches!(attribute.meta, Meta::NameValue(_))
    };
    let at = method.attrs.iter().position(is_cache)?;
    Some(method.attrs.remove(at))
}

/// An inherent `impl` is for a type of the crate, which has all parameters.
fn refuse_types(block: &ItemImpl) -> Result<()> {
    let owner = block.self_ty.to_token_stream();
    let is_foreign = match &*block.self_ty {
        Type::Path(path) => {
            path.qself.is_some() || path.path.segments.last().is_some_and(|last| is_foreign(&last.ident))
        }
        _ => true,
    };
    if is_foreign {
        return Err(Error::new_spanned(&block.self_ty, FOREIGN));
    }
    let parameters = block.generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
        GenericParam::Lifetime(_) => None,
    });
    match parameters.into_iter().find(|name| !mentions(owner.clone(), &name.to_string())) {
        Some(parameter) => Err(Error::new_spanned(parameter, UNCONSTRAINED)),
        None => Ok(()),
    }
}

/// Types that are surely another crate's; of others the compiler says so.
fn is_foreign(name: &Ident) -> bool {
    const TYPES: [&str; 36] = [
        "bool",
        "char",
        "f32",
        "f64",
        "i8",
        "i16",
        "i32",
        "i64",
        "i128",
        "isize",
        "str",
        "u8",
        "u16",
        "u32",
        "u64",
        "u128",
        "usize",
        "String",
        "Vec",
        "Box",
        "Rc",
        "Arc",
        "Option",
        "Result",
        "HashMap",
        "BTreeMap",
        "HashSet",
        "BTreeSet",
        "VecDeque",
        "Array",
        "ArrayBase",
        "ArrayD",
        "Array1",
        "Array2",
        "Array3",
        "Mapped",
    ];
    TYPES.iter().any(|known| name == known)
}

/// The names that `Self::name` has by the trait.
fn declared(items: &[ImplItem]) -> Vec<String> {
    let names = items.iter().filter_map(|item| match item {
        ImplItem::Fn(method) => Some(&method.sig.ident),
        ImplItem::Const(constant) => Some(&constant.ident),
        ImplItem::Type(ty) => Some(&ty.ident),
        _ => None,
    });
    names.map(|name| name.unraw().to_string()).collect()
}

/// The tokens with `<Self as Trait>::name` for each `Self::name` that the trait declares: outside of its `impl` the type
/// has none of that name.
fn qualified(tokens: TokenStream, path: &Path, names: &[String]) -> TokenStream {
    let mut found: Vec<TokenTree> = Vec::new();
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), qualified(group.stream(), path, names));
                inner.set_span(group.span());
                found.push(inner.into());
            }
            TokenTree::Ident(name) if names.contains(&name.unraw().to_string()) && follows_self(&found) => {
                let owner = found.remove(found.len() - 3);
                let colons = found.split_off(found.len() - 2);
                found.extend(quote_spanned!(owner.span()=> <#owner as #path>));
                found.extend(colons);
                found.push(name.into());
            }
            tree => found.push(tree),
        }
    }
    found.into_iter().collect()
}

/// `Self::`, which no other path ends with.
fn follows_self(before: &[TokenTree]) -> bool {
    let [.., TokenTree::Ident(owner), TokenTree::Punct(first), TokenTree::Punct(second)] = before else { return false };
    owner == "Self" && first.as_char() == ':' && second.as_char() == ':'
}

fn with_inherent(block: &ItemImpl, beside: &TokenStream) -> TokenStream {
    let attributes = companion_attributes(&block.attrs);
    let (parameters, _, predicates) = block.generics.split_for_impl();
    let owner = &block.self_ty;
    quote! {
        #block
        #(#attributes)*
        #[doc(hidden)]
        #[allow(unreachable_pub, private_interfaces, private_bounds, clippy::all, clippy::pedantic)]
        impl #parameters #owner #predicates { #beside }
    }
}
