//! What a body takes from its build: `cfg` predicates, environment variables, included files and its module.
//!
//! The tokens of `cfg!(p)` stay the same whatever `p` is, so its value enters the code digest beside them.

use std::iter::Peekable;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::quote_spanned;

use crate::tokens::{self, Token, lex};

/// One fact and the `#[cfg]` predicates under which it may be looked up.
struct Fact {
    name: String,
    kind: Kind,
    /// What stands between the parentheses, to be evaluated in the caller's crate.
    tokens: TokenStream,
    guards: Vec<TokenStream>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Cfg,
    Env,
    Include,
    Module,
}

/// The elements of the array `[Fact]` of `item`, in the order in which they first occur.
pub(crate) fn facts(item: &TokenStream, private: &TokenStream) -> Vec<TokenStream> {
    let mut found = Vec::new();
    collect(item.clone(), &[], &mut found);
    let mut unique: Vec<Fact> = Vec::new();
    for fact in found {
        if !unique.iter().any(|other| other.same(&fact)) {
            unique.push(fact);
        }
    }
    unique.iter().map(|fact| fact.expand(private)).collect()
}

impl Fact {
    fn same(&self, other: &Fact) -> bool {
        let guards = |fact: &Fact| fact.guards.iter().cloned().map(tokens::text).collect::<Vec<_>>();
        self.kind == other.kind && self.name == other.name && guards(self) == guards(other)
    }

    fn expand(&self, private: &TokenStream) -> TokenStream {
        let Fact { name, tokens, guards, .. } = self;
        let site = Span::mixed_site();
        let fact = match self.kind {
            Kind::Cfg => quote_spanned!(site=> #private::Fact::Cfg(#name, #private::core::cfg!(#tokens))),
            Kind::Env => quote_spanned!(site=> #private::Fact::Env(#name, #private::core::option_env!(#tokens))),
            Kind::Include => {
                quote_spanned!(site=> #private::Fact::Include(#name, #private::core::include_bytes!(#tokens)))
            }
            Kind::Module => quote_spanned!(site=> #private::Fact::Module(#private::core::module_path!())),
        };
        quote_spanned!(site=> #(#[cfg(#guards)])* #fact)
    }
}

/// Walks one level. `outer` are the predicates of the attributes around it.
///
/// A `#[cfg]` guards what follows it up to the next `;`, `,` or `{…}`, inclusive. That may be less than the compiler
/// removes, never more: a fact looked up without need is harmless unless its file is missing, a fact left out is not.
fn collect(stream: TokenStream, outer: &[TokenStream], found: &mut Vec<Fact>) {
    let level = lex(stream, true);
    let mut guards = outer.to_vec();
    for (at, token) in level.iter().enumerate() {
        if token.is_operator(";") || token.is_operator(",") {
            guards.truncate(outer.len());
        }
        let Token::Group(delimiter, body) = token else { continue };
        let before = &level[..at];
        if *delimiter == Delimiter::Bracket && before.last().is_some_and(|token| token.is_operator("#")) {
            attribute(body, &mut guards, found);
            continue;
        }
        match macro_name(before).as_deref() {
            Some("cfg") => push(found, Kind::Cfg, body.clone(), &guards),
            Some("cfg_select") => select(body.clone(), &guards, found),
            Some("env" | "option_env") => push_literal(found, Kind::Env, first_argument(body.clone()), &guards),
            Some("include" | "include_str" | "include_bytes") => {
                push_literal(found, Kind::Include, first_argument(body.clone()), &guards);
            }
            Some("module_path") => push_module(found, &guards),
            _ => collect(body.clone(), &guards, found),
        }
        if *delimiter == Delimiter::Brace {
            guards.truncate(outer.len());
        }
    }
}

fn macro_name(before: &[Token]) -> Option<String> {
    match before {
        [.., name, bang] if bang.is_operator("!") => last_ident(name),
        _ => None,
    }
}

/// A `macro_rules!` passes a path on in an invisible group.
fn last_ident(token: &Token) -> Option<String> {
    match token {
        Token::Ident(name) => Some(name.clone()),
        Token::Group(Delimiter::None, path) => lex(path.clone(), true).last().and_then(last_ident),
        _ => None,
    }
}

/// `#[cfg(p)]` guards what follows; `#[cfg_attr(p, …)]` only depends on `p`.
fn attribute(body: &TokenStream, guards: &mut Vec<TokenStream>, found: &mut Vec<Fact>) {
    let lexed = lex(body.clone(), true);
    let [name, list, ..] = lexed.as_slice() else { return };
    let Some(list) = list.group(Delimiter::Parenthesis) else { return };
    if name.is_ident("cfg") {
        push(found, Kind::Cfg, list.clone(), guards);
        guards.push(list.clone());
    } else if name.is_ident("cfg_attr") {
        push(found, Kind::Cfg, first_argument(list.clone()), guards);
        conditional_attributes(list.clone(), guards, found);
    } else {
        collect(list.clone(), guards, found);
    }
}

/// The attributes a `cfg_attr` adds: `cfg_attr(p, cfg_attr(q, …))` depends on `q` as well.
fn conditional_attributes(list: TokenStream, guards: &[TokenStream], found: &mut Vec<Fact>) {
    for argument in arguments(list).into_iter().skip(1) {
        attribute(&argument, &mut guards.to_vec(), found);
    }
}

/// `cfg_select! { p => …, _ => … }`: every predicate counts, and each arm is guarded by its own.
fn select(body: TokenStream, guards: &[TokenStream], found: &mut Vec<Fact>) {
    let mut trees = body.into_iter().peekable();
    while trees.peek().is_some() {
        let predicate = until_arrow(&mut trees);
        let arm = match trees.next_if(|tree| matches!(tree, TokenTree::Group(_))) {
            Some(block) => block.into(),
            None => trees.by_ref().take_while(|tree| !is_punct(tree, ',')).collect(),
        };
        trees.next_if(|tree| is_punct(tree, ','));
        select_arm(predicate, arm, guards, found);
    }
}

fn until_arrow(trees: &mut Peekable<impl Iterator<Item = TokenTree>>) -> TokenStream {
    let mut predicate = TokenStream::new();
    while let Some(tree) = trees.next() {
        if is_punct(&tree, '=') && trees.next_if(|next| is_punct(next, '>')).is_some() {
            break;
        }
        predicate.extend([tree]);
    }
    predicate
}

fn is_punct(tree: &TokenTree, character: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn select_arm(predicate: TokenStream, arm: TokenStream, guards: &[TokenStream], found: &mut Vec<Fact>) {
    let mut guards = guards.to_vec();
    if tokens::text(predicate.clone()) != "_" {
        push(found, Kind::Cfg, predicate.clone(), &guards);
        guards.push(predicate);
    }
    collect(arm, &guards, found);
}

fn push_literal(found: &mut Vec<Fact>, kind: Kind, tokens: TokenStream, guards: &[TokenStream]) {
    // Anything else than a literal or a macro that makes one isn't the standard macro of that name.
    let literal =
        syn::parse2::<syn::LitStr>(tokens.clone()).is_ok() || syn::parse2::<syn::Macro>(tokens.clone()).is_ok();
    if literal {
        push(found, kind, tokens, guards);
    }
}

/// The facts stand in the module of the item, so that they are told what it is.
fn push_module(found: &mut Vec<Fact>, guards: &[TokenStream]) {
    found.push(Fact { name: String::new(), kind: Kind::Module, tokens: TokenStream::new(), guards: guards.to_vec() });
}

/// Refuses what depends on where in a file the code stands: moving it, which keeps its key, would change its results.
pub(crate) fn refuse_places(code: &TokenStream) -> syn::Result<()> {
    let trees: Vec<TokenTree> = code.clone().into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Ident(name) if is_place(name) && followed_by_call(&trees[at + 1..]) => {
                let message = format!(
                    "`{name}!` is no part of a key, so that its value may be that of an earlier build: take it as an argument, or count it with `code = \"build\"` in `#[cache]`"
                );
                return Err(syn::Error::new(name.span(), message));
            }
            TokenTree::Group(group) => refuse_places(&group.stream())?,
            _ => {}
        }
    }
    Ok(())
}

fn is_place(name: &proc_macro2::Ident) -> bool {
    ["line", "column", "file"].iter().any(|place| name == place)
}

/// The macros of these names take nothing; one that is given something is another macro of that name.
fn followed_by_call(rest: &[TokenTree]) -> bool {
    matches!(rest, [bang, TokenTree::Group(nothing), ..] if is_punct(bang, '!') && nothing.stream().is_empty())
}

fn push(found: &mut Vec<Fact>, kind: Kind, tokens: TokenStream, guards: &[TokenStream]) {
    let name = match syn::parse2::<syn::LitStr>(tokens.clone()) {
        Ok(literal) => literal.value(),
        Err(_) => tokens::text(tokens.clone()),
    };
    // A `macro_rules!` in the body: its variables have no value here.
    if !tokens.is_empty() && !name.contains('$') {
        found.push(Fact { name, kind, tokens, guards: guards.to_vec() });
    }
}

fn first_argument(list: TokenStream) -> TokenStream {
    arguments(list).into_iter().next().unwrap_or_default()
}

/// Splits at top-level commas.
fn arguments(list: TokenStream) -> Vec<TokenStream> {
    let mut split = vec![TokenStream::new()];
    for tree in list {
        match tree {
            comma if is_punct(&comma, ',') => split.push(TokenStream::new()),
            tree => split.last_mut().expect("it starts with one").extend([tree]),
        }
    }
    split
}

#[cfg(test)]
mod tests;
