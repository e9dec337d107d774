//! Reads the options of `#[cache]`, and a function with its body left as tokens.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, Lit, LitInt, LitStr, Path, Result, Signature, Token, Type, Visibility};

use super::words::{elsewhere, unknown};
use crate::fragment::opened_list;

/// What stands in the parentheses of `#[cache(…)]`, `#[code(…)]` and the derives' `#[ndcache(…)]`, or behind the call in
/// `call!(…)`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) ignore: Vec<Ident>,
    /// Arguments whose values are recorded and shown nowhere.
    pub(crate) secret: Vec<Ident>,
    /// Arguments that count by their nearest multiple of a step, and the steps.
    pub(crate) round: Vec<(Ident, Expr)>,
    pub(crate) version: Option<Expr>,
    pub(crate) depends: Vec<Type>,
    pub(crate) code: Option<(CodeScope, Span)>,
    pub(crate) helpers: Option<(Helpers, Span)>,
    pub(crate) name: Option<LitStr>,
    pub(crate) handle: Option<Ident>,
    pub(crate) method: Option<Span>,
    pub(crate) cache_err: bool,
    pub(crate) skip_none: bool,
    /// Where the calling crate finds ndcache.
    pub(crate) krate: Option<Path>,
    pub(crate) trust_serde: bool,
    /// The others, by name: each takes an expression, which the library evaluates.
    pub(crate) expressions: Vec<(Ident, Expr)>,
}

/// What the code digest counts: `code = "…"`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum CodeScope {
    Auto,
    Package,
    Body,
    Version,
    Build,
}

/// Which helpers in its crate are part of a function's code digest, beside those that `depends` names.
pub(crate) enum Helpers {
    /// `helpers = "named"`: nothing.
    Named,
    /// `helpers(without(a, b))`: all that it reaches but for these.
    Without(Vec<Path>),
}

/// A function whose body isn't parsed: the compiler may know more syntax than syn.
pub(crate) struct UnparsedFunction {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
}

const CACHE_OPTIONS: &[&str] = &[
    "ignore",
    "secret",
    "round",
    "version",
    "depends",
    "helpers",
    "code",
    "name",
    "handle",
    "method",
    "cache_err",
    "skip_none",
    "trust_serde",
    "mode",
    "validate",
    "expires",
    "min_duration",
    "compress",
    "readable",
    "crate",
];
const CODE_OPTIONS: &[&str] = &["version", "depends", "handle", "crate"];
const CALL_OPTIONS: &[&str] = &["version", "secret", "crate"];
const DERIVE_OPTIONS: &[&str] = &["crate"];

impl Options {
    pub(crate) fn of_cache(arguments: TokenStream) -> Result<Options> {
        Options::among(CACHE_OPTIONS, arguments)
    }

    pub(crate) fn of_code(arguments: TokenStream) -> Result<Options> {
        Options::among(CODE_OPTIONS, arguments)
    }

    pub(crate) fn of_call(arguments: TokenStream) -> Result<Options> {
        Options::among(CALL_OPTIONS, arguments)
    }

    pub(crate) fn of_derive(arguments: TokenStream) -> Result<Options> {
        Options::among(DERIVE_OPTIONS, arguments)
    }

    fn among(known: &[&str], arguments: TokenStream) -> Result<Options> {
        let parse = |input: ParseStream<'_>| Options::parse(input, known);
        parse.parse2(opened_list(arguments))
    }

    fn parse(input: ParseStream<'_>, known: &[&str]) -> Result<Options> {
        let mut options = Options::default();
        let mut seen: Vec<String> = Vec::new();
        while !input.is_empty() {
            let option = input.call(Ident::parse_any)?;
            let name = option.to_string();
            if !known.contains(&name.as_str()) {
                return Err(elsewhere(&option).unwrap_or_else(|| unknown("option", &option, known)));
            }
            if seen.contains(&name) {
                return Err(syn::Error::new(option.span(), format!("option `{name}` is given twice")));
            }
            options.parse_one(&option, input)?;
            seen.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }

    fn parse_one(&mut self, option: &Ident, input: ParseStream<'_>) -> Result<()> {
        match option.to_string().as_str() {
            "ignore" => self.ignore = listed(option, input, Ident::parse_any)?,
            "secret" => self.secret = listed(option, input, Ident::parse_any)?,
            "round" => self.round = listed(option, input, step)?,
            "depends" => self.depends = listed(option, input, Type::parse)?,
            "version" => self.version = Some(version(input)?),
            "code" => self.code = Some(code_scope(input)?),
            "helpers" => self.helpers = Some((helpers(option, input)?, option.span())),
            "name" => self.name = Some(name(input)?),
            "handle" => {
                input.parse::<Token![=]>()?;
                self.handle = Some(input.parse()?);
            }
            "crate" => self.krate = Some(krate(input)?),
            "method" => self.method = Some(option.span()),
            "cache_err" => self.cache_err = true,
            "skip_none" => self.skip_none = true,
            "trust_serde" => self.trust_serde = true,
            _ => {
                if !input.peek(Token![=]) {
                    let value = if option == "readable" { "true" } else { "…" };
                    return Err(syn::Error::new(
                        option.span(),
                        format!("option `{option}` takes a value: `{option} = {value}`"),
                    ));
                }
                input.parse::<Token![=]>()?;
                self.expressions.push((option.clone(), input.parse()?));
            }
        }
        match input.peek(Token![=]) || input.peek(syn::token::Paren) {
            true => Err(input.error(format!("option `{option}` ends here"))),
            false => Ok(()),
        }
    }
}

/// `option(a, b, …)`, with at least one element.
fn listed<T>(option: &Ident, input: ParseStream<'_>, element: fn(ParseStream<'_>) -> Result<T>) -> Result<Vec<T>> {
    if !input.peek(syn::token::Paren) {
        let example = match option.to_string().as_str() {
            "ignore" => "ignore(verbose)",
            "secret" => "secret(token)",
            "round" => "round(x = 1e-9)",
            "without" => "helpers(without(Name))",
            _ => "depends(helper)",
        };
        return Err(syn::Error::new(
            option.span(),
            format!("`{option}` takes a list in parentheses, as in `{example}`"),
        ));
    }
    let inside;
    syn::parenthesized!(inside in input);
    let elements = Punctuated::<T, Token![,]>::parse_terminated_with(&inside, element)?;
    if elements.is_empty() {
        return Err(syn::Error::new(option.span(), format!("`{option}()` names nothing: take it out")));
    }
    Ok(elements.into_iter().collect())
}

/// `x = 1e-9`
fn step(input: ParseStream<'_>) -> Result<(Ident, Expr)> {
    let name = input.call(Ident::parse_any)?;
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(name.span(), format!("`round` takes a step for `{name}`: `round({name} = 1e-9)`")));
    }
    input.parse::<Token![=]>()?;
    Ok((name, input.parse()?))
}

/// `crate = other::ndcache`, or the same as text, as serde has it.
fn krate(input: ParseStream<'_>) -> Result<Path> {
    input.parse::<Token![=]>()?;
    match input.peek(LitStr) {
        true => input.parse::<LitStr>()?.parse_with(Path::parse_mod_style),
        false => Path::parse_mod_style(input),
    }
}

/// `= 2`, or `= VERSION`, whose type the compiler checks.
fn version(input: ParseStream<'_>) -> Result<Expr> {
    input.parse::<Token![=]>()?;
    let value: Expr = input.parse()?;
    let may_be_u64 = match &value {
        Expr::Lit(literal) => matches!(&literal.lit, Lit::Int(number) if is_u64(number)),
        Expr::Path(_) => true,
        _ => false,
    };
    match may_be_u64 {
        true => Ok(value),
        false => {
            Err(syn::Error::new_spanned(value, "`version` takes an integer from 0 or a `u64` constant: `version = 2`"))
        }
    }
}

fn is_u64(number: &LitInt) -> bool {
    number.base10_parse::<u64>().is_ok() && ["", "u64"].contains(&number.suffix())
}

/// `= "package"`
fn code_scope(input: ParseStream<'_>) -> Result<(CodeScope, Span)> {
    input.parse::<Token![=]>()?;
    let value: LitStr = input.parse()?;
    let scope = match value.value().as_str() {
        "auto" => CodeScope::Auto,
        "package" => CodeScope::Package,
        "body" => CodeScope::Body,
        "version" => CodeScope::Version,
        "build" => CodeScope::Build,
        other => {
            let message =
                format!("`code` is `{other}`, expected \"auto\", \"package\", \"body\", \"version\" or \"build\"");
            return Err(syn::Error::new(value.span(), message));
        }
    };
    Ok((scope, value.span()))
}

/// `= "named"` or `(without(a, b))`.
fn helpers(option: &Ident, input: ParseStream<'_>) -> Result<Helpers> {
    let mistake = |span| syn::Error::new(span, "write `helpers = \"named\"` or `helpers(without(Name))`");
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        let value: LitStr = input.parse()?;
        return if value.value() == "named" { Ok(Helpers::Named) } else { Err(mistake(value.span())) };
    }
    if !input.peek(syn::token::Paren) {
        return Err(mistake(option.span()));
    }
    let inside;
    syn::parenthesized!(inside in input);
    let without: Ident = inside.call(Ident::parse_any)?;
    if without != "without" {
        return Err(mistake(without.span()));
    }
    let paths = listed(&without, &inside, Path::parse_mod_style)?;
    if !inside.is_empty() {
        return Err(mistake(inside.span()));
    }
    Ok(Helpers::Without(paths))
}

fn name(input: ParseStream<'_>) -> Result<LitStr> {
    input.parse::<Token![=]>()?;
    let name: LitStr = input.parse()?;
    check_name(&name)?;
    Ok(name)
}

/// Names become function paths, which no reader should find empty or unprintable.
pub(crate) fn check_name(name: &LitStr) -> Result<()> {
    let value = name.value();
    if value.trim().is_empty() || value.chars().any(char::is_control) {
        return Err(syn::Error::new(name.span(), "a name is printable text and not empty"));
    }
    Ok(())
}

/// What to do with the item at hand, which is no function.
fn instead(input: ParseStream<'_>) -> &'static str {
    let word = input.cursor().ident().map_or(String::new(), |(word, _)| word.to_string());
    match word.as_str() {
        "struct" | "enum" | "union" => {
            ": as an argument a type derives `ndcache::ContentHash`, as a result `ndcache::Payload`"
        }
        "trait" | "mod" => ": put it on each function that is to be cached",
        "const" | "static" => ": make this one, `#[cache] fn table() -> …`",
        "use" => ": cache a call of what is imported, `memory.eval(call!(path::f(a, b)))`",
        "macro_rules" => ": of a macro `#[ndcache::code]` makes something that `depends(…)` can name",
        "type" | "extern" => "",
        _ => ": move this into one, or cache a closure under a name, `memory.eval(call!(\"name\", |a, b| …))`",
    }
}

impl Parse for UnparsedFunction {
    fn parse(input: ParseStream<'_>) -> Result<UnparsedFunction> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if !input.peek(Token![fn]) && input.fork().parse::<Signature>().is_err() {
            return Err(input.error(format!("`#[cache]` goes on a function{}", instead(input))));
        }
        let signature: Signature = input.parse()?;
        if input.peek(Token![;]) {
            return Err(input.error(
                "`#[cache]` needs a body: a trait's method can't be cached, let its implementations call a cached function",
            ));
        }
        Ok(UnparsedFunction { attributes, visibility, signature, body: input.parse()? })
    }
}
