//! `#[derive(Payload)]`: a value is stored field by field, each as its own type says.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Field, Fields, GenericParam, Member, Result, Type, Variant, Visibility};

use crate::bounds::{private_of, with_bounds};
use crate::package;
use crate::tokens::digest;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    check(input)?;
    let private = private_of(input)?;
    let derive = Derive { input, private: &private };
    let (type_name, normalise, save, load) = (derive.type_name(), derive.normalise(), derive.save(), derive.load());
    let name = &input.ident;
    let site = Span::mixed_site();
    let generics = with_bounds(input, &quote_spanned!(site=> #private::Payload));
    let (parameters, arguments, predicates) = generics.split_for_impl();
    Ok(quote_spanned! {site=>
        const _: () = {
            #[allow(unused_imports)]
            use #private::probes::*;
            #[automatically_derived]
            #[allow(clippy::all, clippy::pedantic)]
            impl #parameters #private::Payload for #name #arguments #predicates {
                #type_name
                #normalise
                #save
                #load
            }
            #[automatically_derived]
            impl #parameters #private::Mappable for #name #arguments #predicates {
                type Mapped = Self;
                fn map(input: &mut #private::Reader<'_>) -> #private::Result<Self> {
                    #private::Payload::load(input)
                }
                fn into_mapped(self) -> Self {
                    self
                }
            }
        };
    })
}

fn check(input: &DeriveInput) -> Result<()> {
    if let Data::Union(data) = &input.data {
        let message = "a union doesn't know what it holds: derive for a struct or an enum";
        return Err(Error::new(data.union_token.span, message));
    }
    match input.generics.params.iter().find(|parameter| matches!(parameter, GenericParam::Lifetime(_))) {
        Some(lifetime) => Err(Error::new_spanned(lifetime, "a stored value can't borrow: hold an owned value instead")),
        None => Ok(()),
    }
}

struct Derive<'a> {
    input: &'a DeriveInput,
    private: &'a TokenStream,
}

/// One struct or variant: what constructs it, what its errors call it, and its fields.
struct Shape<'a> {
    path: TokenStream,
    name: String,
    fields: &'a Fields,
}

impl Derive<'_> {
    fn shapes(&self) -> Vec<Shape<'_>> {
        let site = Span::mixed_site();
        match &self.input.data {
            Data::Struct(data) => {
                let path = quote_spanned!(site=> Self);
                vec![Shape { path, name: self.name(), fields: &data.fields }]
            }
            Data::Enum(data) => data.variants.iter().map(variant_shape).collect(),
            Data::Union(_) => Vec::new(),
        }
    }

    fn name(&self) -> String {
        self.input.ident.unraw().to_string()
    }

    fn is_enum(&self) -> bool {
        matches!(self.input.data, Data::Enum(_))
    }

    /// The format of a field; the span shows the field's type when it has none.
    fn format(&self, ty: &Type) -> TokenStream {
        let private = self.private;
        let site = Span::mixed_site().located_at(ty.span());
        let probe = quote_spanned!(site=> #private::FormatProbe::<#ty>::new());
        let found = quote_spanned!(site=> (&&&#probe.with((&&&&&&#probe).format_plain())).compared());
        crate::probe::stored(&probe, &found, site, private)
    }

    fn type_name(&self) -> TokenStream {
        let private = self.private;
        let (package, definition) = (package::mark(), definition(self.input));
        let shapes = self.shapes();
        let parts = shapes.iter().flat_map(|shape| shape.fields).map(|Field { ty, .. }| {
            let format = self.format(ty);
            quote_spanned!(Span::mixed_site()=> name.part::<#ty, _>(#format);)
        });
        quote_spanned! {Span::mixed_site()=>
            fn type_name(name: &mut #private::TypeName) {
                name.derived(#package, #private::core::any::type_name::<Self>(), [#(#definition),*], |name| {
                    let _ = &name;
                    #(#parts)*
                });
            }
        }
    }

    fn normalise(&self) -> TokenStream {
        let private = self.private;
        let site = Span::mixed_site();
        let shapes = self.shapes();
        let arms = shapes.iter().map(|shape| {
            let (path, pattern) = (&shape.path, pattern(shape.fields));
            let each = shape.fields.iter().enumerate().map(|(at, field)| {
                let (local, format) = (local(at), self.format(&field.ty));
                quote_spanned!(site=> #private::normalise(#local, #format, by);)
            });
            quote_spanned!(site=> #path #pattern => { #(#each)* })
        });
        let matched = self.matched(&arms.collect::<Vec<_>>());
        quote_spanned!(site=> fn normalise(&mut self, by: &mut #private::Normaliser) {
            let _ = &by;
            #matched
        })
    }

    /// `match self { … }`; a reference to an enum without variants has to be looked through to see that there is none.
    fn matched(&self, arms: &[TokenStream]) -> TokenStream {
        let site = Span::mixed_site();
        match arms {
            [] => quote_spanned!(site=> match *self {}),
            arms => quote_spanned!(site=> match self { #(#arms)* }),
        }
    }

    fn save(&self) -> TokenStream {
        let private = self.private;
        let site = Span::mixed_site();
        let shapes = self.shapes();
        let arms = shapes.iter().map(|shape| {
            let (path, pattern) = (&shape.path, pattern(shape.fields));
            let saved = self.saved(shape);
            quote_spanned!(site=> #path #pattern => {
                #saved
                #private::core::result::Result::Ok(())
            })
        });
        let matched = self.matched(&arms.collect::<Vec<_>>());
        quote_spanned! {site=>
            fn save(&self, out: &mut #private::Writer<'_>) -> #private::Result<()> {
                let _ = &out;
                #matched
            }
        }
    }

    fn saved(&self, shape: &Shape<'_>) -> TokenStream {
        let site = Span::mixed_site();
        let (name, len) = (&shape.name, shape.fields.len());
        let each = shape.fields.iter().zip(shape.fields.members()).enumerate().map(|(at, (field, member))| {
            let (local, format) = (local(at), self.format(&field.ty));
            match member {
                Member::Named(ident) => {
                    let key = ident.unraw().to_string();
                    quote_spanned!(site=> out.field(#key, #local, #format)?;)
                }
                Member::Unnamed(_) => quote_spanned!(site=> out.item(#local, #format)?;),
            }
        });
        let fields = match shape.fields {
            Fields::Named(_) => quote_spanned!(site=> out.begin_struct(#len)?; #(#each)* out.end();),
            Fields::Unnamed(_) => quote_spanned!(site=> out.begin_tuple(#len)?; #(#each)* out.end();),
            Fields::Unit if self.is_enum() => return quote_spanned!(site=> out.unit_variant(#name)?;),
            Fields::Unit => return quote_spanned!(site=> out.unit();),
        };
        match self.is_enum() {
            true => quote_spanned!(site=> out.begin_variant(#name)?; #fields out.end();),
            false => fields,
        }
    }

    fn load(&self) -> TokenStream {
        let private = self.private;
        let site = Span::mixed_site();
        let shapes = self.shapes();
        let body = if self.is_enum() {
            self.loaded_enum(&shapes)
        } else {
            shapes.iter().map(|shape| self.loaded(shape)).collect()
        };
        quote_spanned! {site=>
            fn load(input: &mut #private::Reader<'_>) -> #private::Result<Self> { #body }
        }
    }

    fn loaded_enum(&self, shapes: &[Shape<'_>]) -> TokenStream {
        let private = self.private;
        let site = Span::mixed_site();
        let name = self.name();
        let names = shapes.iter().map(|shape| &shape.name);
        let arms = shapes.iter().enumerate().map(|(at, shape)| {
            let loaded = self.loaded(shape);
            let has_fields = !matches!(shape.fields, Fields::Unit);
            quote_spanned!(site=> (#at, #has_fields) => { #loaded })
        });
        quote_spanned! {site=>
            const VARIANTS: &[&#private::core::primitive::str] = &[#(#names),*];
            match input.variant(#name, VARIANTS)? {
                #(#arms)*
                (index, _) => #private::core::result::Result::Err(input.wrong_variant(#name, VARIANTS[index])),
            }
        }
    }

    /// Statements that end in `Ok(value)`.
    fn loaded(&self, shape: &Shape<'_>) -> TokenStream {
        let private = self.private;
        let site = Span::mixed_site();
        let Shape { path, name, fields } = shape;
        let len = fields.len();
        let each = fields.iter().zip(fields.members()).map(|(field, member)| {
            let format = self.format(&field.ty);
            match &member {
                Member::Named(ident) => {
                    let key = ident.unraw().to_string();
                    quote_spanned!(site=> #member: input.field(#key, #format)?)
                }
                Member::Unnamed(_) => quote_spanned!(site=> #member: input.item(#format)?),
            }
        });
        let end = self.is_enum().then(|| quote_spanned!(site=> input.end();));
        let begin = match fields {
            Fields::Named(_) => quote_spanned!(site=> input.begin_struct(#name, #len)?;),
            Fields::Unnamed(_) => quote_spanned!(site=> input.begin_tuple(#name, #len)?;),
            Fields::Unit if self.is_enum() => {
                return quote_spanned!(site=> #private::core::result::Result::Ok(#path {}));
            }
            Fields::Unit => {
                return quote_spanned!(site=> input.unit()?; #private::core::result::Result::Ok(#path {}));
            }
        };
        quote_spanned! {site=>
            #begin
            let value = #path { #(#each),* };
            input.end();
            #end
            #private::core::result::Result::Ok(value)
        }
    }
}

fn variant_shape(variant: &Variant) -> Shape<'_> {
    let name = &variant.ident;
    let path = quote_spanned!(Span::mixed_site()=> Self::#name);
    Shape { path, name: name.unraw().to_string(), fields: &variant.fields }
}

/// Binds each field to `field_0`, `field_1`, ….
fn pattern(fields: &Fields) -> TokenStream {
    let site = Span::mixed_site();
    let bound = fields.members().enumerate().map(|(at, member)| {
        let local = local(at);
        quote_spanned!(site=> #member: #local)
    });
    quote_spanned!(site=> { #(#bound),* })
}

fn local(at: usize) -> Ident {
    format_ident!("field_{at}", span = Span::mixed_site())
}

/// The digest of what decides how values are stored: names, fields and types, without attributes and visibilities.
fn definition(input: &DeriveInput) -> [u8; 16] {
    let mut plain = input.clone();
    let strip = |fields: &mut Fields| {
        for field in fields {
            field.attrs.clear();
            field.vis = Visibility::Inherited;
        }
    };
    plain.attrs.clear();
    plain.vis = Visibility::Inherited;
    match &mut plain.data {
        Data::Struct(data) => strip(&mut data.fields),
        Data::Enum(data) => {
            for variant in &mut data.variants {
                variant.attrs.clear();
                strip(&mut variant.fields);
            }
        }
        Data::Union(_) => {}
    }
    digest(plain.to_token_stream())
}

#[cfg(test)]
mod tests;
