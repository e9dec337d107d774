//! Refuses what can't be cached, each at its place and with what to write instead.

use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    Error, Expr, ExprLit, ExprUnary, FnArg, Generics, Ident, Lifetime, Lit, ParenthesizedGenericArguments, Pat, Path,
    PathArguments, Receiver, ReceiverKind, Result, ReturnType, Safety, Signature, Type, TypeFnPtr, TypeImplTrait,
    TypeParamBound, TypePath, TypeReference, UnOp, WherePredicate,
};

use super::parse::{CodeScope, Helpers, Options, UnparsedFunction};
use super::surroundings::EnclosingItem;
use super::words::unknown;
use crate::facts::refuse_places;
use crate::fragment::ungrouped_type;
use crate::helpers::ItemCode;
use crate::tokens::{Token, lex, mentions};

/// Every mistake at once, so that one build shows them all.
pub(super) fn check(options: &Options, function: &UnparsedFunction, place: Option<EnclosingItem>) -> Result<()> {
    let mut errors = Errors(None);
    modifiers(&function.signature, &mut errors);
    attributes(function, &mut errors);
    standing(options, &function.signature, place, &mut errors);
    main_function(&function.signature, place, &mut errors);
    inputs(&function.signature, &mut errors);
    output(&function.signature.output, &mut errors);
    ignored(options, &function.signature, &mut errors);
    secret(options, &function.signature, &mut errors);
    functions(options, &function.signature, &mut errors);
    rounded(options, &function.signature, &mut errors);
    code(options, &mut errors);
    places(options, function, &mut errors);
    errors.0.map_or(Ok(()), Err)
}

struct Errors(Option<Error>);

impl Errors {
    fn push(&mut self, place: impl ToTokens, message: impl std::fmt::Display) {
        self.add(Error::new_spanned(place, message));
    }

    fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }
}

fn modifiers(signature: &Signature, errors: &mut Errors) {
    if let Some(keyword) = &signature.asyncness {
        errors.push(keyword, "an `async` function can't be cached: cache the synchronous part and call that from here");
    }
    if let Some(keyword) = &signature.constness {
        errors.push(keyword, "a `const` function can't be cached: take out `const`, or cache a function that calls it");
    }
    if let Safety::Unsafe(keyword) = &signature.safety {
        errors.push(keyword, "an `unsafe` function can't be cached: cache a safe function that calls it");
    }
    if let Some(abi) = &signature.abi {
        errors.push(abi, "an `extern` function can't be cached: cache a Rust function that calls it");
    }
    if let Some(variadic) = &signature.variadic {
        errors.push(variadic, "a variadic function can't be cached: take a slice");
    }
}

fn attributes(function: &UnparsedFunction, errors: &mut Errors) {
    for attribute in &function.attributes {
        let last = attribute.path().segments.last().map(|segment| segment.ident.to_string());
        match last.as_deref() {
            Some("cache") => errors.push(attribute, "`#[cache]` is given twice"),
            Some("code") => errors.push(attribute, "`#[cache]` gives a code digest already: take out `#[code]`"),
            Some("target_feature") => errors.push(
                attribute,
                "a function with `#[target_feature]` can't be cached: cache one that checks for the feature and calls it",
            ),
            Some("track_caller" | "cfg_attr") if mentions(attribute.to_token_stream(), "track_caller") => errors.push(
                attribute,
                "a function with `#[track_caller]` can't be cached: where it is called from is no part of its key; take the place as an argument, or take out the attribute",
            ),
            _ => {}
        }
    }
}

fn main_function(signature: &Signature, place: Option<EnclosingItem>, errors: &mut Errors) {
    let is_main = signature.ident == "main" && signature.inputs.is_empty();
    if is_main && !matches!(place, Some(EnclosingItem::Impl | EnclosingItem::TraitImpl | EnclosingItem::Trait)) {
        errors.push(
            &signature.ident,
            "`main` can't be cached: a hit would skip the whole program; cache the functions that it calls",
        );
    }
}

fn standing(options: &Options, signature: &Signature, place: Option<EnclosingItem>, errors: &mut Errors) {
    let name = &signature.ident;
    let receiver = signature.receiver().is_some();
    if let (Some(span), true) = (options.method, receiver) {
        errors.add(Error::new(span, "`method` is for functions without a receiver: take it out"));
    }
    if place == Some(EnclosingItem::TraitImpl) {
        return errors.push(
            name,
            "a method of a trait is cached if its `impl` has `#[cache]`, too: put `#[cache]` before the `impl`",
        );
    }
    if place == Some(EnclosingItem::Trait) {
        return errors.push(
            name,
            "a trait's provided method can't be cached: cache a function or an inherent method, and call it here",
        );
    }
    if receiver || options.method.is_some() {
        return;
    }
    let message = "a function of an `impl` without a receiver needs `#[cache(method)]`";
    match self_type(signature.to_token_stream()) {
        Some(place) => errors.push(place, message),
        None if place == Some(EnclosingItem::Impl) => errors.push(name, message),
        None => {}
    }
}

/// Refuses the name of a type or module that stands beside the function: its companion would be a second one.
pub(super) fn namesake(options: &Options, signature: &Signature, found: &ItemCode) -> Result<()> {
    let name = signature.ident.unraw().to_string();
    let is_method = options.method.is_some() || signature.receiver().is_some();
    match crate::helpers::namesake(found).filter(|_| options.handle.is_none() && !is_method) {
        Some(kind) => Err(Error::new_spanned(
            &signature.ident,
            format!(
                "`{name}` is the name of a {kind}, too, and `#[cache]` makes a hidden type of the function's name, for `{name}::call(…)`: give that another with `#[cache(handle = {0})]`, for `{0}::call(…)`",
                camel_case(&name)
            ),
        )),
        None => Ok(()),
    }
}

/// `low_pass` as a type would be called: `LowPass`.
fn camel_case(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    let found: String = name.split('_').filter(|part| part.is_ascii() && !part.is_empty()).map(word).collect();
    if found.is_empty() || found == name { format!("{name}Call") } else { found }
}

fn self_type(tokens: proc_macro2::TokenStream) -> Option<proc_macro2::Ident> {
    tokens.into_iter().find_map(|tree| match tree {
        proc_macro2::TokenTree::Ident(ident) if ident == "Self" => Some(ident),
        proc_macro2::TokenTree::Group(group) => self_type(group.stream()),
        _ => None,
    })
}

fn inputs(signature: &Signature, errors: &mut Errors) {
    for input in &signature.inputs {
        let attributes = match input {
            FnArg::Receiver(receiver) => &receiver.attrs,
            FnArg::Typed(typed) => &typed.attrs,
        };
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            errors.push(attribute, "an argument can't depend on `cfg`: put `#[cfg]` on two versions of the function");
        }
        match input {
            FnArg::Receiver(receiver) => self::receiver(receiver, errors),
            FnArg::Typed(typed) => Mutable { errors }.visit_type(&typed.ty),
        }
    }
}

fn receiver(receiver: &Receiver, errors: &mut Errors) {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, Some(_)) => {
            errors.push(
                receiver,
                "a method with `&mut self` can't be cached: a hit wouldn't change `self`; take `&self`",
            );
        }
        ReceiverKind::Typed(_, ty) => Mutable { errors }.visit_type(ty),
        _ => {}
    }
}

/// Finds what a cached call could change without running: outside of function types, which change nothing themselves.
struct Mutable<'a> {
    errors: &'a mut Errors,
}

impl Visit<'_> for Mutable<'_> {
    fn visit_type_reference(&mut self, reference: &TypeReference) {
        if reference.mutability.is_some() {
            let message =
                "a cached function can't take `&mut`: a hit wouldn't change the argument; return the new value";
            return self.errors.push(reference, message);
        }
        visit::visit_type_reference(self, reference);
    }

    fn visit_type_path(&mut self, path: &TypePath) {
        if last_segment(path).starts_with("ArrayViewMut") || last_segment(path).starts_with("RawArrayViewMut") {
            let message =
                "a cached function can't take a mutable view: a hit wouldn't change the array; return a new one";
            return self.errors.push(path, message);
        }
        visit::visit_type_path(self, path);
    }

    fn visit_type_fn_ptr(&mut self, _: &TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments(&mut self, _: &ParenthesizedGenericArguments) {}
}

fn last_segment(path: &TypePath) -> String {
    path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default()
}

fn has_static(path: &TypePath) -> bool {
    let tokens = lex(path.path.segments.last().to_token_stream(), false);
    tokens.iter().any(|token| matches!(token, Token::Lifetime(name) if name == "'static"))
}

fn output(output: &ReturnType, errors: &mut Errors) {
    let ReturnType::Type(_, ty) = output else { return };
    if matches!(ungrouped_type(ty), Type::Never(_)) {
        return errors.push(ty, "a function that never returns has no result to cache");
    }
    Borrowed { errors }.visit_type(ty);
}

/// Finds results that only live as long as an argument, and results without a name.
struct Borrowed<'a> {
    errors: &'a mut Errors,
}

impl Borrowed<'_> {
    fn refuse(&mut self, place: impl ToTokens, owned: &str) {
        self.errors.push(place, format!("a cached result can't be borrowed: return {owned}"));
    }
}

impl Visit<'_> for Borrowed<'_> {
    fn visit_type_reference(&mut self, reference: &TypeReference) {
        let owned = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => "`String`",
            Type::Slice(_) => "a `Vec` or an `Array1`",
            _ => "an owned value, for instance an `Array`, or a `Mapped` to share it without a copy",
        };
        self.refuse(reference, owned);
    }

    fn visit_type_path(&mut self, path: &TypePath) {
        let name = last_segment(path);
        if name.starts_with("ArrayView") || name.starts_with("RawArrayView") || name.starts_with("CowArray") {
            return self.refuse(path, "an `Array`, or a `Mapped` to share it without a copy");
        }
        if name == "Cow" && !has_static(path) {
            return self.refuse(path, "what `into_owned` gives");
        }
        visit::visit_type_path(self, path);
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            self.refuse(lifetime, "an owned value");
        }
    }

    fn visit_type_impl_trait(&mut self, opaque: &TypeImplTrait) {
        self.errors.push(opaque, "a cached result needs a type with a name, so that it can be loaded: name it");
    }

    fn visit_type_fn_ptr(&mut self, _: &TypeFnPtr) {}
}

fn ignored(options: &Options, signature: &Signature, errors: &mut Errors) {
    let known: Vec<String> = signature.inputs.iter().filter_map(argument_name).collect();
    for (at, ident) in options.ignore.iter().enumerate() {
        if !known.contains(&ident.unraw().to_string()) {
            errors.add(unknown("argument", ident, &known));
        }
        if options.ignore[..at].iter().any(|earlier| earlier.unraw() == ident.unraw()) {
            errors.push(ident, format!("argument `{ident}` is ignored twice"));
        }
    }
}

fn secret(options: &Options, signature: &Signature, errors: &mut Errors) {
    let known: Vec<String> = signature.inputs.iter().filter_map(argument_name).collect();
    for (at, ident) in options.secret.iter().enumerate() {
        let is = |other: &Ident| other.unraw() == ident.unraw();
        if !known.contains(&ident.unraw().to_string()) {
            errors.add(unknown("argument", ident, &known));
        }
        if options.secret[..at].iter().any(is) {
            errors.push(ident, format!("argument `{ident}` is secret twice"));
        }
        if options.ignore.iter().any(is) {
            errors.push(ident, format!("argument `{ident}` is ignored, and so isn't recorded anyway"));
        }
    }
}

/// Refuses functions as arguments: what a function computes goes into the result, and it has nothing that a key could
/// tell it by.
fn functions(options: &Options, signature: &Signature, errors: &mut Errors) {
    for input in &signature.inputs {
        let FnArg::Typed(typed) = input else { continue };
        let name = argument_name(input).unwrap_or_default();
        let is_ignored = options.ignore.iter().any(|ident| ident.unraw() == name);
        FunctionTypes { generics: &signature.generics, is_ignored, errors }.visit_type(&typed.ty);
    }
}

/// Finds types of functions, behind references, boxes, `dyn`, `impl` and type parameters.
struct FunctionTypes<'a> {
    generics: &'a Generics,
    is_ignored: bool,
    errors: &'a mut Errors,
}

impl FunctionTypes<'_> {
    fn refuse(&mut self, place: impl ToTokens) {
        let why = match self.is_ignored {
            true => "a function can't be ignored: calls with another one would share their entries",
            false => "a function can't be part of a cache key: nothing but its address tells it from another",
        };
        let remedy =
            "take an enum that names it, or cache a closure that calls it under a name, `call!(\"name\", |…| …)`";
        self.errors.push(place, format!("{why}; {remedy}"));
    }

    /// Whether a type parameter is bound to be a function, and not to say itself how it is keyed.
    fn is_function(&self, parameter: &Ident) -> bool {
        let parameters = self.generics.type_params().filter(|known| known.ident == *parameter);
        let inline = parameters.flat_map(|known| &known.bounds);
        let predicates = self.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
        let bound = predicates.filter_map(|predicate| match predicate {
            WherePredicate::Type(bound) if mentions_alone(&bound.bounded_ty, parameter) => Some(&bound.bounds),
            _ => None,
        });
        let paths = inline.chain(bound.flatten()).filter_map(|bound| match bound {
            TypeParamBound::Trait(bound) => Some(&bound.path),
            _ => None,
        });
        let paths: Vec<&Path> = paths.collect();
        let is_keyed = !self.is_ignored && paths.iter().any(|path| ends_with(path, &["ContentHash", "Serialize"]));
        !is_keyed && paths.into_iter().any(is_function_trait)
    }

    /// Whether the type is keyed, if it is, by whatever it is applied to: one of another crate may say otherwise.
    fn is_keyed_by_parts(path: &Path) -> bool {
        ends_with(path, &["Arc", "Box", "Option", "Rc", "Vec", "VecDeque"])
    }
}

impl Visit<'_> for FunctionTypes<'_> {
    fn visit_type_fn_ptr(&mut self, function: &TypeFnPtr) {
        self.refuse(function);
    }

    fn visit_type_reference(&mut self, reference: &TypeReference) {
        // `&mut` is refused for itself.
        if reference.mutability.is_none() || self.is_ignored {
            visit::visit_type_reference(self, reference);
        }
    }

    fn visit_path(&mut self, path: &Path) {
        match path.get_ident() {
            _ if is_function_trait(path) => self.refuse(path),
            Some(parameter) if self.is_function(parameter) => self.refuse(path),
            // Holds none: `PhantomData<fn(T)>` says how a type depends on another.
            _ if ends_with(path, &["PhantomData"]) => {}
            _ if self.is_ignored || Self::is_keyed_by_parts(path) => visit::visit_path(self, path),
            _ => {}
        }
    }
}

fn mentions_alone(ty: &Type, parameter: &Ident) -> bool {
    matches!(ty, Type::Path(path) if path.qself.is_none() && path.path.is_ident(parameter))
}

/// The traits of functions are written with parentheses.
fn is_function_trait(path: &Path) -> bool {
    let last = path.segments.last();
    last.is_some_and(|last| matches!(last.arguments, PathArguments::Parenthesized(_)))
        && ends_with(path, &["Fn", "FnMut", "FnOnce", "AsyncFn", "AsyncFnMut", "AsyncFnOnce"])
}

fn ends_with(path: &Path, names: &[&str]) -> bool {
    path.segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

fn rounded(options: &Options, signature: &Signature, errors: &mut Errors) {
    let known: Vec<String> = signature.inputs.iter().filter_map(argument_name).collect();
    for (at, (ident, step)) in options.round.iter().enumerate() {
        let is = |other: &Ident| other.unraw() == ident.unraw();
        if !known.contains(&ident.unraw().to_string()) {
            errors.add(unknown("argument", ident, &known));
        }
        if options.round[..at].iter().any(|(earlier, _)| is(earlier)) {
            errors.push(ident, format!("argument `{ident}` is rounded twice"));
        }
        if options.ignore.iter().any(is) {
            errors.push(ident, format!("argument `{ident}` is ignored, and so can't be rounded"));
        }
        if !may_be_step(step) {
            errors.push(step, "a step of `round` is a positive number with a point or an exponent: `1e-9`, `0.5`");
        }
    }
}

/// Whether an expression may be a step; one that is neither a literal nor negated is left to the compiler.
fn may_be_step(step: &Expr) -> bool {
    match step {
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), .. }) => false,
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => {
            number.base10_parse::<f64>().is_ok_and(|step| step > 0.0 && step.is_finite())
        }
        Expr::Lit(_) => false,
        _ => true,
    }
}

/// The name of an argument that has one: patterns other than a plain name have none.
pub(super) fn argument_name(input: &FnArg) -> Option<String> {
    match input {
        FnArg::Receiver(_) => Some("self".to_owned()),
        FnArg::Typed(typed) => named(&typed.pat).map(|ident| ident.unraw().to_string()),
    }
}

pub(super) fn named(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(ident) => Some(&ident.ident),
        Pat::Paren(inner) => named(&inner.pat),
        _ => None,
    }
}

fn code(options: &Options, errors: &mut Errors) {
    if let (Some((CodeScope::Version, span)), None) = (options.code, &options.version) {
        errors.add(Error::new(span, "`code = \"version\"` counts `version` only: add `version = 1`"));
    }
    if let (Some((Helpers::Named, span)), Some(_)) = (&options.helpers, options.code) {
        errors.add(Error::new(
            *span,
            "`helpers = \"named\"` counts as `code = \"package\"` does: take out one of the two",
        ));
    }
    if let (Some((Helpers::Without(_), span)), Some((scope, _))) = (&options.helpers, options.code)
        && scope != CodeScope::Auto
    {
        errors.add(Error::new(*span, "helpers are looked for under `code = \"auto\"` alone: take out one of the two"));
    }
    for path in &options.depends {
        depends(path, errors);
    }
}

/// Refuses places in a file. Where only the version counts the author answers for them, and a build's id covers each
/// line.
fn places(options: &Options, function: &UnparsedFunction, errors: &mut Errors) {
    let counted =
        options.code.is_none_or(|(scope, _)| matches!(scope, CodeScope::Auto | CodeScope::Package | CodeScope::Body));
    if counted && let Err(error) = refuse_places(&function.body) {
        errors.add(error);
    }
}

/// Code digests live in statics, which know neither `Self` nor the generics around them.
pub(crate) fn depends_paths(options: &Options) -> Result<()> {
    let mut errors = Errors(None);
    options.depends.iter().for_each(|path| depends(path, &mut errors));
    errors.0.map_or(Ok(()), Err)
}

fn depends(path: &Type, errors: &mut Errors) {
    if !matches!(path, Type::Path(_)) {
        return errors.push(path, "`depends` takes paths of items, such as `depends(dsp::window)`");
    }
    if lex(path.to_token_stream(), false)
        .first()
        .is_some_and(|first| matches!(first, Token::Ident(word) if word == "Self"))
    {
        errors
            .add(Error::new(path.span(), "`depends` can't see `Self`: write the type's name, `depends(Type::helper)`"));
    }
}
