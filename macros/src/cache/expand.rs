//! Writes the items a cached function becomes.
//!
//! Literal tokens carry this crate's span: its edition (2024: `impl Sized` captures every lifetime) and, for local
//! names, its hygiene, so that no argument of the user's can be taken for one of ours.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{GenericParam, ReturnType};

use super::argument::{Parameter, arguments};
use super::attributes::{Role, routed};
use super::parse::{Options, UnparsedFunction};
use crate::code::{cargo_variable, method_constant};
use crate::ident::rewritten;
use crate::package;
use crate::tokens::mentions;

pub(super) fn expand(
    options: &Options,
    function: &UnparsedFunction,
    code: &TokenStream,
    private: &TokenStream,
) -> TokenStream {
    let names = GeneratedNames::new(options, function);
    let expansion = Expansion { options, function, names, arguments: arguments(options, &function.signature), private };
    if expansion.names.method { expansion.method(code) } else { expansion.free(code) }
}

/// A method of a trait: what the trait is given, of `own`, and what goes into an inherent `impl`, of `inherent`.
pub(super) fn of_trait(
    options: &Options,
    own: &UnparsedFunction,
    inherent: &UnparsedFunction,
    code: &TokenStream,
    private: &TokenStream,
) -> (TokenStream, TokenStream) {
    let of = |function| {
        let names = GeneratedNames::new(options, function);
        Expansion { options, function, names, arguments: arguments(options, &function.signature), private }
    };
    (of(own).wrapper(), of(inherent).beside(code))
}

/// What the generated items are called, and the path before them.
///
/// A lint about a name is reported where the name is the user's own token, and nowhere else. So that token goes to the
/// generated item that is used if any is: a function of which only `f::call` is used isn't reported as dead.
pub(super) struct GeneratedNames {
    pub(super) method: bool,
    pub(super) wrapper: Ident,
    pub(super) handle: Ident,
    pub(super) owner: TokenStream,
    pub(super) call: Ident,
    pub(super) compute: Ident,
    pub(super) function: Ident,
    pub(super) item: Ident,
    pub(super) code: Ident,
}

impl GeneratedNames {
    fn new(options: &Options, function: &UnparsedFunction) -> GeneratedNames {
        let name = &function.signature.ident;
        let site = Span::mixed_site().located_at(name.span());
        let ident = |text: &str| Ident::new(text, site);
        let wrapper = rewritten(name);
        let method = options.method.is_some() || function.signature.receiver().is_some();
        let handle = options.handle.as_ref().unwrap_or(name).clone();
        if method {
            let plain = handle.unraw();
            return GeneratedNames {
                method,
                wrapper,
                owner: quote_spanned!(site=> Self),
                call: ident(&format!("{plain}_call")),
                compute: Ident::new(&format!("{plain}_compute"), handle.span()),
                function: ident(&format!("{plain}_function")),
                item: ident(&format!("__ndcache_{plain}")),
                code: method_constant(&handle),
                handle,
            };
        }
        GeneratedNames {
            method,
            wrapper,
            owner: handle.to_token_stream(),
            handle,
            call: ident("call"),
            compute: ident("compute"),
            function: ident("function"),
            item: ident("__ndcache_item"),
            code: ident("__NDCACHE_CODE"),
        }
    }
}

pub(super) struct Expansion<'a> {
    pub(super) options: &'a Options,
    pub(super) function: &'a UnparsedFunction,
    pub(super) names: GeneratedNames,
    pub(super) arguments: Vec<Parameter>,
    pub(super) private: &'a TokenStream,
}

impl Expansion<'_> {
    fn free(&self, code: &TokenStream) -> TokenStream {
        let GeneratedNames { handle, .. } = &self.names;
        let visibility = &self.function.visibility;
        let companion = self.attributes(Role::Companion);
        let (wrapper, compute, call, function) = (self.wrapper(), self.compute(), self.call(), self.function());
        let (item, code) = (self.item(None, code), self.code());
        let site = Span::mixed_site();
        quote_spanned! {site=>
            #wrapper
            #(#companion)*
            #[doc(hidden)]
            #[allow(non_camel_case_types, clippy::all, clippy::pedantic)]
            #visibility enum #handle {}
            #(#companion)*
            #[doc(hidden)]
            impl #handle { #compute }
            #(#companion)*
            #[doc(hidden)]
            #[allow(deprecated, clippy::all, clippy::pedantic)]
            impl #handle { #call #function #item #code }
        }
    }

    fn method(&self, code: &TokenStream) -> TokenStream {
        let (wrapper, beside) = (self.wrapper(), self.beside(code));
        quote_spanned!(Span::mixed_site()=> #wrapper #beside)
    }

    /// The items that a method becomes beside itself.
    fn beside(&self, code: &TokenStream) -> TokenStream {
        let handle = &self.names.handle;
        let site = Span::mixed_site();
        let companion = quote_spanned! {site=>
            #[allow(non_camel_case_types)]
            enum #handle {}
        };
        let (compute, call, function) = (self.compute(), self.call(), self.function());
        let (item, code) = (self.item(Some(companion), code), self.code());
        quote_spanned!(site=> #compute #call #function #item #code)
    }

    pub(super) fn attributes(&self, role: Role) -> Vec<TokenStream> {
        routed(&self.function.attributes, role)
    }

    /// The user's signature with plain names for arguments.
    pub(super) fn signature(&self, name: &Ident, output: &TokenStream) -> TokenStream {
        let site = Span::mixed_site();
        let (generics, _, predicates) = self.function.signature.generics.split_for_impl();
        let inputs = self.arguments.iter().map(|argument| match (&argument.typed, &argument.receiver) {
            (Some((ident, ty)), _) => quote_spanned!(site=> #ident: #ty),
            (None, receiver) => receiver.to_token_stream(),
        });
        quote_spanned!(site=> fn #name #generics (#(#inputs),*) #output #predicates)
    }

    /// `::<T, N>`: types and constants by name, lifetimes inferred.
    pub(super) fn turbofish(&self) -> Option<TokenStream> {
        let named = self.function.signature.generics.params.iter().filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            GenericParam::Const(parameter) => Some(&parameter.ident),
            GenericParam::Lifetime(_) => None,
        });
        let named: Vec<&Ident> = named.collect();
        (!named.is_empty()).then(|| quote_spanned!(Span::mixed_site()=> ::<#(#named),*>))
    }

    /// The arguments as the generated functions pass them on.
    pub(super) fn passed(&self) -> Vec<TokenStream> {
        let pass = |argument: &Parameter| match &argument.typed {
            Some((ident, _)) => ident.to_token_stream(),
            None => self.self_token(),
        };
        self.arguments.iter().map(pass).collect()
    }

    /// The receiver's own `self`: the word is hygienic.
    fn self_token(&self) -> TokenStream {
        self.function.signature.receiver().map(|receiver| receiver.self_token).to_token_stream()
    }

    pub(super) fn result(&self) -> TokenStream {
        match &self.function.signature.output {
            ReturnType::Default => quote_spanned!(Span::mixed_site()=> ()),
            ReturnType::Type(_, ty) => ty.to_token_stream(),
        }
    }

    fn wrapper(&self) -> TokenStream {
        let GeneratedNames { owner, call, compute, .. } = &self.names;
        let private = self.private;
        let visibility = &self.function.visibility;
        let attributes = self.attributes(Role::Wrapper);
        let output = self.function.signature.output.to_token_stream();
        let signature = self.signature(&self.names.wrapper, &output);
        let (turbofish, passed) = (self.turbofish(), self.passed());
        let docs = self.docs();
        // Deprecated types in the signature are reported at `compute`.
        quote_spanned! {Span::mixed_site()=>
            #(#attributes)*
            #docs
            #[allow(deprecated, clippy::too_many_arguments, clippy::type_complexity)]
            #visibility #signature {
                match #private::ambient() {
                    #private::core::option::Option::None => #owner::#compute #turbofish (#(#passed),*),
                    #private::core::option::Option::Some(memory) => {
                        #private::aside(move || memory.eval(#owner::#call #turbofish (#(#passed),*)))
                    }
                }
            }
        }
    }

    fn docs(&self) -> TokenStream {
        let GeneratedNames { method, handle, call, compute, function, .. } = &self.names;
        let path = if *method { "Self".to_owned() } else { handle.to_string() };
        let line = format!(
            "Cached by ndcache: `{path}::{call}(…)` is the lazy call, `{path}::{compute}(…)` the plain function, \
             `{path}::{function}()` its identity."
        );
        quote_spanned!(Span::mixed_site()=> #[doc = ""] #[doc = #line])
    }

    fn compute(&self) -> TokenStream {
        let visibility = &self.function.visibility;
        let attributes = self.attributes(Role::Compute);
        let mut signature = self.function.signature.clone();
        signature.ident = self.names.compute.clone();
        let body = &self.function.body;
        quote! {
            #(#attributes)*
            #[doc(hidden)]
            #visibility #signature #body
        }
    }

    fn function(&self) -> TokenStream {
        let GeneratedNames { method, function, item, .. } = &self.names;
        let private = self.private;
        let visibility = &self.function.visibility;
        let attributes = self.attributes(Role::Beside);
        let base = quote_spanned!(Span::mixed_site()=> Self::#item().0);
        let identity = match method {
            true => quote_spanned! {Span::mixed_site()=>
                #private::member::<Self, _>(#base, &|| {})
            },
            false => base,
        };
        quote_spanned! {Span::mixed_site()=>
            #(#attributes)*
            #[doc(hidden)]
            #[allow(clippy::all, clippy::pedantic)]
            #visibility fn #function() -> &'static #private::Function { #identity }
        }
    }

    /// The statics, which a function holds, as an `impl` can't.
    fn item(&self, companion: Option<TokenStream>, code: &TokenStream) -> TokenStream {
        let GeneratedNames { item, handle, .. } = &self.names;
        let private = self.private;
        let attributes = self.attributes(Role::Companion);
        let package = cargo_variable("CARGO_PKG_NAME", private);
        // A given name stands for package and binary, too.
        let mark = if self.options.name.is_some() { package::version() } else { package::mark() };
        let (cache_err, skip_none) = (self.options.cache_err, self.options.skip_none);
        let upstream = crate::helpers::upstream(self.hides_types(), private);
        let site = Span::mixed_site();
        let place = match &self.options.name {
            Some(name) => quote_spanned!(site=> #private::Naming::Named(#name)),
            None => quote_spanned!(site=> #private::Naming::Item(#private::core::any::type_name::<#handle>)),
        };
        quote_spanned! {site=>
            #(#attributes)*
            #[doc(hidden)]
            #[allow(clippy::all, clippy::pedantic)]
            fn #item() -> (&'static #private::Function, &'static #private::Code) {
                #companion
                static CODE: #private::Code = #code;
                static FUNCTION: #private::Function = #private::Function::new(#private::Definition {
                    package: #package,
                    binary: #private::core::option_env!("CARGO_BIN_NAME"),
                    mark: #mark,
                    id: #private::type_id::<#handle>,
                    text: 0,
                    place: #place,
                    code: &CODE,
                    upstream: #upstream,
                    cache_err: #cache_err,
                    skip_none: #skip_none,
                });
                (&FUNCTION, &CODE)
            }
        }
    }

    /// Whether an ignored argument may hold values of types that nothing tells of: to ignore a value isn't to ignore what its
    /// type does.
    fn hides_types(&self) -> bool {
        let is_any =
            |argument: &Parameter| argument.typed.as_ref().is_some_and(|(_, ty)| mentions(ty.to_token_stream(), "dyn"));
        self.arguments.iter().any(|argument| argument.ignored && is_any(argument))
    }

    fn code(&self) -> TokenStream {
        let GeneratedNames { code, item, .. } = &self.names;
        let private = self.private;
        let visibility = &self.function.visibility;
        let attributes = self.attributes(Role::Companion);
        quote_spanned! {Span::mixed_site()=>
            #(#attributes)*
            #[doc(hidden)]
            #visibility const #code: #private::core::option::Option<fn() -> &'static #private::Code> =
                #private::core::option::Option::Some(|| Self::#item().1);
        }
    }
}
