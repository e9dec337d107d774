//! The parameters of a cached function, as the generated functions see them.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Expr, FnArg, PatType, ReceiverKind, Signature, Type};

use super::check::named;
use super::parse::Options;
use crate::fragment::ungrouped_type;
use crate::ident::rewritten;
use crate::tokens::mentions;

/// One parameter, as the generated functions see it.
pub(super) struct Parameter {
    /// Its name in the key, without `r#`; a pattern is named by its position.
    pub(super) name: String,
    /// How it is written in a signature, `None` for the receiver, whose tokens are kept.
    pub(super) typed: Option<(Ident, Type)>,
    pub(super) receiver: Option<TokenStream>,
    /// Its name inside the closures.
    pub(super) local: Ident,
    pub(super) ignored: bool,
    /// Its value is recorded and shown nowhere.
    pub(super) secret: bool,
    /// The step by whose multiples it counts.
    pub(super) step: Option<Expr>,
    pub(super) reference: bool,
    /// Has an `impl Trait` in its type.
    pub(super) opaque: bool,
    pub(super) span: Span,
}

pub(super) fn arguments(options: &Options, signature: &Signature) -> Vec<Parameter> {
    signature.inputs.iter().enumerate().map(|(at, input)| argument(options, at, input)).collect()
}

fn argument(options: &Options, at: usize, input: &FnArg) -> Parameter {
    let ignored = |name: &str| options.ignore.iter().any(|ident| ident.unraw() == name);
    let step = |name: &str| options.round.iter().find(|(ident, _)| ident.unraw() == name).map(|(_, step)| step.clone());
    match input {
        FnArg::Receiver(receiver) => {
            let mut plain = receiver.clone();
            plain.attrs.clear();
            plain.mutability = None;
            let reference = match &plain.kind {
                ReceiverKind::Reference(..) => true,
                ReceiverKind::Typed(_, ty) => matches!(ungrouped_type(ty), Type::Reference(_)),
                _ => false,
            };
            Parameter {
                name: "self".to_owned(),
                typed: None,
                local: Ident::new("receiver", Span::mixed_site()),
                ignored: ignored("self"),
                secret: is_secret(options, "self"),
                step: step("self"),
                reference,
                opaque: false,
                span: receiver.span(),
                receiver: Some(plain.to_token_stream()),
            }
        }
        FnArg::Typed(typed) => typed_argument(options, ignored, step, at, typed),
    }
}

fn is_secret(options: &Options, name: &str) -> bool {
    options.secret.iter().any(|ident| ident.unraw() == name)
}

fn typed_argument(
    options: &Options,
    ignored: impl Fn(&str) -> bool,
    step: impl Fn(&str) -> Option<Expr>,
    at: usize,
    typed: &PatType,
) -> Parameter {
    let (name, ident) = match named(&typed.pat) {
        Some(ident) => {
            // A lint about the name is reported at the one in the body.
            (ident.unraw().to_string(), rewritten(ident))
        }
        None => (format!("argument_{at}"), Ident::new(&format!("argument_{at}"), Span::mixed_site())),
    };
    Parameter {
        ignored: ignored(&name),
        secret: is_secret(options, &name),
        step: step(&name),
        name,
        local: ident.clone(),
        reference: matches!(ungrouped_type(&typed.ty), Type::Reference(_)),
        opaque: mentions(typed.ty.to_token_stream(), "impl"),
        span: typed.ty.span(),
        typed: Some((ident, (*typed.ty).clone())),
        receiver: None,
    }
}

impl Parameter {
    /// How the value is keyed: by the multiples of its step, else by the first trait it has. The span shows the
    /// argument's type when it can't be.
    pub(super) fn keyed(&self, value: &TokenStream, private: &TokenStream) -> TokenStream {
        let site = Span::mixed_site().located_at(self.span);
        let Some(step) = &self.step else { return crate::probe::keyed(value, site, private) };
        // A constant: no step depends on an argument, and a bad one doesn't compile.
        let step = quote_spanned!(step.span()=> const { #private::Step::new(#step) });
        crate::probe::rounded(value, &step, site, private)
    }
}
