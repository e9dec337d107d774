//! Writes the lazy call: the arguments, how to compute with them, how to digest them, how to store the result.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{GenericParam, ReturnType};

use super::argument::Parameter;
use super::attributes::Role;
use super::expand::{Expansion, GeneratedNames};

impl Expansion<'_> {
    pub(super) fn call(&self) -> TokenStream {
        let GeneratedNames { owner, call, function, .. } = &self.names;
        let (private, result) = (self.private, self.result());
        let visibility = &self.function.visibility;
        let attributes = self.attributes(Role::Beside);
        let site = Span::mixed_site();
        let output = quote_spanned!(site=> -> #private::Call<impl #private::core::marker::Sized, #result>);
        let signature = self.signature(call, &output);
        let passed = self.passed();
        let (compute, digest) = (self.compute_closure(), self.digest_closure());
        let (format, options) = (self.format(&result), self.options());
        quote_spanned! {site=>
            #(#attributes)*
            #[doc(hidden)]
            #[allow(clippy::all, clippy::pedantic)]
            #visibility #signature {
                #[allow(unused_imports)]
                use #private::probes::*;
                #private::call(#owner::#function(), (#(#passed,)*), #compute, #digest, #format, #options)
            }
        }
    }

    /// The options that are expressions, evaluated at each call. A constant, so that none can depend on an argument;
    /// here and not beside the function's static, where `Self` and type parameters can't be named.
    fn options(&self) -> TokenStream {
        let private = self.private;
        let site = Span::mixed_site();
        let some = quote_spanned!(site=> #private::core::option::Option::Some);
        let given = self.options.expressions.iter().map(|(name, value)| match name == "validate" {
            true => quote_spanned!(site=> #name: #some(#value)),
            false => quote_spanned!(site=> #name: #some(|| #value)),
        });
        let trust_serde = self.options.trust_serde.then(|| quote_spanned!(site=> trust_serde: true,));
        quote_spanned!(site=> const { &#private::Options { #(#given,)* #trust_serde ..#private::Options::NONE } })
    }

    /// How the result is stored. The span shows its type when it can't be.
    fn format(&self, result: &TokenStream) -> TokenStream {
        let private = self.private;
        let site = Span::mixed_site().located_at(match &self.function.signature.output {
            ReturnType::Default => self.function.signature.ident.span(),
            ReturnType::Type(_, ty) => ty.span(),
        });
        let probe = quote_spanned!(site=> #private::FormatProbe::<#result>::new());
        let found = match self.options.cache_err {
            true => {
                let ok = quote_spanned!(site=> (&&&#probe.with((&&&&&&#probe).format_with_err())).compared());
                quote_spanned!(site=> (&&&#probe.with(#ok)).compared_err())
            }
            false => quote_spanned!(site=> (&&&#probe.with((&&&&&&#probe).format())).compared()),
        };
        crate::probe::stored(&probe, &found, site, private)
    }

    /// `fn(A, &mut MutationCheck) -> R`. A reference is `Copy`, so it is still here after the call.
    fn compute_closure(&self) -> TokenStream {
        let GeneratedNames { owner, compute, .. } = &self.names;
        let private = self.private;
        let turbofish = self.turbofish();
        let locals: Vec<&Ident> = self.arguments.iter().map(|argument| &argument.local).collect();
        let again = self.arguments.iter().filter(|argument| argument.reference && !argument.ignored).map(|argument| {
            let Parameter { name, local, .. } = argument;
            let keyed = argument.keyed(&local.to_token_stream(), private);
            quote_spanned!(Span::mixed_site()=> again.add(#name, #local, #keyed);)
        });
        let again: Vec<TokenStream> = again.collect();
        let site = Span::mixed_site();
        let plain = quote_spanned!(site=> #owner::#compute #turbofish (#(#locals),*));
        if again.is_empty() {
            return quote_spanned!(site=> |(#(#locals,)*), _again| #plain);
        }
        quote_spanned! {site=>
            |(#(#locals,)*), again| {
                let value = #plain;
                if #private::core::cfg!(debug_assertions) {
                    #(#again)*
                }
                value
            }
        }
    }

    /// `fn(&A, &mut Arguments)`.
    fn digest_closure(&self) -> TokenStream {
        let site = Span::mixed_site();
        let locals = self.arguments.iter().map(|argument| match argument.ignored && !argument.opaque {
            true => quote_spanned!(site=> _),
            false => argument.local.to_token_stream(),
        });
        let added = self.arguments.iter().filter(|argument| !argument.ignored).map(|argument| self.added(argument));
        let (opaque, generics) = (self.opaque_arguments(), self.generic_arguments());
        quote_spanned!(site=> |(#(#locals,)*), arguments| {
            let _ = &arguments;
            #(#added)*
            #(#opaque)*
            #(#generics)*
        })
    }

    fn added(&self, argument: &Parameter) -> TokenStream {
        let private = self.private;
        let Parameter { name, local, .. } = argument;
        let site = Span::mixed_site().located_at(argument.span);
        // The closure sees `&A`: an argument that is itself a reference is behind two.
        let value = if argument.reference { quote_spanned!(site=> *#local) } else { local.to_token_stream() };
        let keyed = argument.keyed(&value, private);
        let add = Ident::new(if argument.secret { "add_secret" } else { "add" }, site);
        quote_spanned!(site=> arguments.#add(#name, #value, #keyed);)
    }

    /// The types of the `impl Trait` arguments, ignored ones, too: to ignore a value isn't to ignore what its type does.
    fn opaque_arguments(&self) -> Vec<TokenStream> {
        let opaque = self.arguments.iter().filter(|argument| argument.opaque);
        let added = opaque.map(|Parameter { name, local, reference, .. }| {
            // A name that no argument can have: `MutationCheck` looks an argument up by its name.
            let name = format!("impl {name}");
            let site = Span::mixed_site();
            let value = if *reference { quote_spanned!(site=> *#local) } else { local.to_token_stream() };
            quote_spanned!(site=> arguments.type_of(#name, #value);)
        });
        added.collect()
    }

    /// Type and const parameters, whether or not an argument uses them: nothing else shows what a bound makes of one.
    fn generic_arguments(&self) -> Vec<TokenStream> {
        let private = self.private;
        let site = Span::mixed_site();
        let parameters = self.function.signature.generics.params.iter();
        let added = parameters.filter_map(|parameter| match parameter {
            GenericParam::Lifetime(_) => None,
            GenericParam::Type(parameter) => {
                let ident = &parameter.ident;
                let name = ident.unraw().to_string();
                Some(quote_spanned!(site=> #private::Arguments::type_argument::<#ident>(arguments, #name);))
            }
            GenericParam::Const(parameter) => {
                let ident = &parameter.ident;
                let name = ident.unraw().to_string();
                Some(quote_spanned!(site=> arguments.const_argument(#name, &#ident);))
            }
        });
        added.collect()
    }
}
