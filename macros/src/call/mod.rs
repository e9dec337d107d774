//! `call!`: a lazy call of a function without the attribute, or of a named closure.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, ExprCall, ExprClosure, LitStr, Pat, Result, ReturnType, Token, Type};

use crate::cache::{CodeScope, Options, check_name};
use crate::code::{cargo_variable, code, code_scope, version};
use crate::facts::refuse_places;
use crate::fragment::{opened_head, ungrouped};
use crate::helpers::{ItemCode, of_closure, text_number};

/// `call!(path(arguments…), options)` or `call!("name", |captures…| body, options)`.
enum CallInput {
    Path { call: ExprCall, options: Options },
    Closure { name: LitStr, closure: ExprClosure, options: Options },
}

impl Parse for CallInput {
    fn parse(input: ParseStream<'_>) -> Result<CallInput> {
        if input.peek(LitStr) {
            let name = input.parse()?;
            check_name(&name)?;
            input.parse::<Token![,]>()?;
            refuse_values(&input.fork())?;
            let closure = match ungrouped(input.parse()?) {
                Expr::Closure(closure) => closure,
                other => {
                    return Err(Error::new_spanned(other, "after a name `call!` takes a closure: `|a, k| f(a, k)`"));
                }
            };
            return Ok(CallInput::Closure { name, closure, options: options(input)? });
        }
        let call = match ungrouped(input.parse()?) {
            Expr::Call(call) if matches!(*call.func, Expr::Path(_)) => call,
            Expr::MethodCall(call) => return Err(Error::new_spanned(call, METHOD)),
            other => return Err(Error::new_spanned(other, CALL)),
        };
        let options = options(input)?;
        match options.secret.first() {
            Some(name) => Err(Error::new_spanned(name, UNNAMED)),
            None => Ok(CallInput::Path { call, options }),
        }
    }
}

/// `|x = value|`: of what a closure captures the name is listed, as no parser of closures would say.
fn refuse_values(input: ParseStream<'_>) -> Result<()> {
    if !input.peek(Token![|]) {
        return Ok(());
    }
    input.parse::<Token![|]>()?;
    while !input.is_empty() && !input.peek(Token![|]) {
        if input.peek(Token![=]) {
            return Err(input.error("between the bars stand names of variables: bind the value before, `let x = …;`"));
        }
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

const CALL: &str = "`call!` takes a call, `call!(path::f(a, b))`, or a name and a closure, `call!(\"name\", |a, b| …)`";
const UNNAMED: &str =
    "the arguments of this form have no names: write `call!(\"name\", |token| f(token), secret(token))`";
const METHOD: &str = "`call!` takes a call by path: write `Type::method(receiver, …)`";

fn options(input: ParseStream<'_>) -> Result<Options> {
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Options::of_call(input.parse()?)
}

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let private = |options: &Options| crate::krate::private(options.krate.as_ref());
    Ok(match syn::parse2(opened_head(input))? {
        CallInput::Path { call, options } => path(&call, &options, &private(&options)),
        CallInput::Closure { name, closure, options } => closure_call(&name, &closure, &options, &private(&options))?,
    })
}

fn path(call: &ExprCall, options: &Options, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let function = &call.func;
    // Two places that call one function have to agree on the names, so a place's own names don't count.
    let named = call.args.iter().enumerate().map(|(at, _)| {
        let (local, slot) = (numbered("argument", at), numbered("slot", at));
        let value = quote_spanned!(site=> #private::like(&#slot, #local));
        Capture { name: at.to_string(), secret: false, local, ty: None, value }
    });
    let captures: Vec<Capture> = named.collect();
    let counted = if options.version.is_some() { CodeScope::Version } else { CodeScope::Build };
    let (scope, version) = (code_scope(counted, private), version(options, private));
    let locals = captures.iter().map(|capture| &capture.local);
    Lazy {
        text: 0,
        code: quote_spanned! {site=>
            #private::Code {
                tokens: [0; 16],
                facts: &[],
                version: #version,
                scope: #scope,
                depends: &[],
                helpers: #private::Helpers::NONE,
                mark: "",
            }
        },
        place: quote_spanned!(site=> #private::Naming::Item(|| "")),
        function: quote_spanned!(site=> #private::called(&FUNCTION, &#function)),
        body: quote_spanned!(site=> #function(#(#locals),*)),
        output: TokenStream::new(),
        before: slots(call, private),
        captures: &captures,
    }
    .expand(private)
}

fn numbered(word: &str, at: usize) -> Ident {
    Ident::new(&format!("{word}_{at}"), Span::mixed_site())
}

/// The arguments as they are given, and for each a slot that has the type of the parameter, by a call that is never
/// made: what becomes a `dyn` only when it is passed has to count as one, with the type that is behind it.
fn slots(call: &ExprCall, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let (function, values) = (&call.func, call.args.iter());
    let locals: Vec<Ident> = (0..call.args.len()).map(|at| numbered("argument", at)).collect();
    let slots: Vec<Ident> = (0..call.args.len()).map(|at| numbered("slot", at)).collect();
    quote_spanned! {site=>
        #(let #locals = #values;)*
        #(let mut #slots = #private::core::option::Option::None;)*
        if false {
            #[allow(deprecated, let_underscore_drop, clippy::all, clippy::pedantic)]
            let _ = #function(#(#slots.take().unwrap()),*);
        }
    }
}

fn closure_call(name: &LitStr, closure: &ExprClosure, options: &Options, private: &TokenStream) -> Result<TokenStream> {
    let site = Span::mixed_site();
    if let Some(keyword) = &closure.asyncness {
        return Err(Error::new_spanned(keyword, "an `async` closure can't be cached: cache its synchronous part"));
    }
    let mut captures = closure.inputs.iter().map(capture).collect::<Result<Vec<Capture>>>()?;
    mark_secrets(&mut captures, options)?;
    let tokens = closure.to_token_stream();
    if options.version.is_none() {
        refuse_places(&tokens)?;
    }
    let options = Options { version: options.version.clone(), ..Options::default() };
    let found = match options.version.is_some() {
        true => ItemCode::none(CodeScope::Version, private),
        false => of_closure(name, private),
    };
    let output = match &closure.output {
        ReturnType::Default => TokenStream::new(),
        typed => typed.to_token_stream(),
    };
    let body = closure.body.to_token_stream();
    let begins = tokens.clone().into_iter().next().map_or(name.span(), |first| first.span());
    let lazy = Lazy {
        text: text_number(&found, [name.span(), begins]),
        code: code(tokens, &found, &options, private)?,
        place: quote_spanned!(site=> #private::Naming::Named(#name)),
        // A closure may use what is in the module, type and function around it, which its name and its tokens don't tell.
        function: quote_spanned!(site=> #private::within(&FUNCTION, &|| {}, &arguments)),
        body,
        output,
        before: TokenStream::new(),
        captures: &captures,
    };
    Ok(lazy.expand(private))
}

/// Marks the captures whose values are recorded and shown nowhere.
fn mark_secrets(captures: &mut [Capture], options: &Options) -> Result<()> {
    for ident in &options.secret {
        let name = syn::ext::IdentExt::unraw(ident).to_string();
        match captures.iter_mut().find(|capture| capture.name == name) {
            Some(capture) => capture.secret = true,
            None => {
                return Err(Error::new_spanned(ident, format!("`{name}` is no variable that the closure captures")));
            }
        }
    }
    Ok(())
}

/// A value that the call owns.
struct Capture {
    name: String,
    secret: bool,
    local: Ident,
    ty: Option<Type>,
    value: TokenStream,
}

fn capture(pattern: &Pat) -> Result<Capture> {
    match pattern {
        Pat::Ident(plain) if plain.subpat.is_none() && plain.by_ref.is_none() && plain.mutability.is_none() => {
            let local = plain.ident.clone();
            let name = syn::ext::IdentExt::unraw(&local).to_string();
            Ok(Capture { name, secret: false, ty: None, value: local.to_token_stream(), local })
        }
        Pat::Type(typed) => Ok(Capture { ty: Some((*typed.ty).clone()), ..capture(&typed.pat)? }),
        other => Err(Error::new_spanned(other, "list the captured variables by name: `|a, k|`")),
    }
}

/// What both forms expand to.
struct Lazy<'a> {
    /// Where the text of a named closure stands.
    text: u64,
    code: TokenStream,
    place: TokenStream,
    function: TokenStream,
    body: TokenStream,
    output: TokenStream,
    /// Statements before the arguments are put together.
    before: TokenStream,
    captures: &'a [Capture],
}

impl Lazy<'_> {
    /// The closure is bound to the type of its arguments, so that its result is known where the format is chosen. That it
    /// captures nothing, and so is no part of what the call holds, is asked where no type of this crate stands: the
    /// compiler would show it.
    fn expand(&self, private: &TokenStream) -> TokenStream {
        let Lazy { text, code, place, function, body, output, before, captures } = self;
        let site = Span::mixed_site();
        let (package, mark) = (cargo_variable("CARGO_PKG_NAME", private), crate::package::mark());
        let upstream = crate::helpers::upstream(false, private);
        let locals: Vec<&Ident> = captures.iter().map(|capture| &capture.local).collect();
        let values = captures.iter().map(|capture| match &capture.ty {
            Some(ty) => {
                let Capture { local, .. } = capture;
                quote_spanned!(site=> { let #local: #ty = #local; #local })
            }
            None => capture.value.clone(),
        });
        let body = if output.is_empty() { body.clone() } else { quote_spanned!(site=> (|| #output #body)()) };
        let added = captures.iter().map(|Capture { name, secret, local, .. }| {
            let site = site.located_at(local.span());
            let add = Ident::new(if *secret { "add_secret" } else { "add" }, site);
            let keyed = crate::probe::keyed(&local.to_token_stream(), site, private);
            quote_spanned!(site=> arguments.#add(#name, #local, #keyed);)
        });
        let probe = quote_spanned!(site=> #private::probe_of(compute));
        let found = quote_spanned!(site=> (&&&#probe.with((&&&&&&#probe).format())).compared());
        let format = crate::probe::stored(&probe, &found, site, private);
        let arguments = Ident::new(if captures.is_empty() { "_arguments" } else { "arguments" }, site);
        quote_spanned! {site=> {
            enum Place {}
            static CODE: #private::Code = #code;
            static FUNCTION: #private::Function = #private::Function::new(#private::Definition {
                package: #package,
                binary: #private::core::option_env!("CARGO_BIN_NAME"),
                mark: #mark,
                id: #private::type_id::<Place>,
                text: #text,
                place: #place,
                code: &CODE,
                upstream: #upstream,
                cache_err: false,
                skip_none: false,
            });
            #[allow(unused_imports)]
            use #private::probes::*;
            #before
            let arguments = (#(#values,)*);
            let run = #private::taking(&arguments, |(#(#locals,)*)| #body);
            let _: fn(_) -> _ = run;
            let function = #function;
            let call = (arguments, run);
            let compute = #private::bind(&call, |(arguments, run), _again| run(arguments));
            #private::call(
                function,
                call,
                compute,
                |((#(#locals,)*), _), #arguments| { #(#added)* },
                #format,
                &#private::Options::NONE,
            )
        }}
    }
}

#[cfg(test)]
mod tests;
