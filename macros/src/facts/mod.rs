//! What a body takes from its build: `cfg` predicates, environment variables, included files and its module.
//!
//! The tokens of `cfg!(p)` stay the same whatever `p` is, so its value enters the code digest beside them.

mod file;
mod guards;
mod names;
mod places;

use std::iter::Peekable;
use std::path::PathBuf;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::{Error, Result};

use crate::edition::edition;
use crate::fragment::flat;
use crate::tokens::{self, Token, is_attribute, is_macro_input, lex};
use file::IncludeSite;
use guards::CfgGuards;

pub(crate) use names::Aliases;
pub(crate) use places::refuse_places;

/// One fact and the `#[cfg]` predicates under which it may be looked up.
struct Fact {
    name: String,
    kind: FactKind,
    /// What stands between the parentheses, to be evaluated in the caller's crate.
    tokens: TokenStream,
    guards: Vec<TokenStream>,
}

#[derive(Clone, Copy, PartialEq)]
enum FactKind {
    Cfg,
    Env,
    Include,
    /// An `include!`, which becomes an `Include` and what the file asks for.
    Source,
    Module,
}

/// The elements of the array `[Fact]` of `item`: the edition, then the others in the order in which they first occur.
pub(crate) fn facts(item: &TokenStream, private: &TokenStream) -> Result<Vec<TokenStream>> {
    let (edition, site) = (edition(), Span::mixed_site());
    let mut facts = vec![quote_spanned!(site=> #private::Fact::Edition(#edition))];
    facts.extend(found(item, IncludeSite::here())?.iter().map(|fact| fact.expand(private)));
    Ok(facts)
}

/// Refuses files of a `macro_rules!`, which are looked for beside each file that calls it.
pub(crate) fn refuse_files(item: &TokenStream) -> Result<()> {
    let files = found(item, IncludeSite::here())?;
    let is_relative = |fact: &&Fact| file::evaluated(&fact.tokens).is_some_and(|path| !path.starts_with('/'));
    match files.iter().find(|fact| fact.kind == FactKind::Include && is_relative(fact)) {
        Some(fact) => Err(Error::new_spanned(&fact.tokens, FILE)),
        None => Ok(()),
    }
}

fn found(item: &TokenStream, site: IncludeSite) -> Result<Vec<Fact>> {
    let item = flat(item.clone());
    let mut search = FactSearch { names: names_in(&item), site, found: Vec::new(), error: None };
    search.level(item, &[], false);
    match search.error {
        Some(error) => Err(error),
        None => Ok(unique(search.found)),
    }
}

/// What the compiler's macros are called among these tokens and in the file around them.
fn names_in(tokens: &TokenStream) -> Aliases {
    let mut names = crate::cache::renamed();
    names.add(tokens);
    names
}

fn unique(found: Vec<Fact>) -> Vec<Fact> {
    let mut unique: Vec<Fact> = Vec::new();
    for fact in found {
        if !unique.iter().any(|other| other.same(&fact)) {
            unique.push(fact);
        }
    }
    unique
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
            FactKind::Cfg => quote_spanned!(site=> #private::Fact::Cfg(#name, #private::core::cfg!(#tokens))),
            FactKind::Env => quote_spanned!(site=> #private::Fact::Env(#name, #private::core::option_env!(#tokens))),
            FactKind::Include | FactKind::Source => {
                quote_spanned!(site=> #private::Fact::Include(#name, #private::core::include_bytes!(#tokens)))
            }
            FactKind::Module => quote_spanned!(site=> #private::Fact::Module(#private::core::module_path!())),
        };
        quote_spanned!(site=> #(#[cfg(#guards)])* #fact)
    }

    /// The fact as text, which is of no lexer's.
    fn into_text(self) -> (String, FactKind, String, Vec<String>) {
        let guards = self.guards.iter().map(ToString::to_string).collect();
        (self.name, self.kind, self.tokens.to_string(), guards)
    }

    fn from_text((name, kind, tokens, guards): (String, FactKind, String, Vec<String>)) -> Option<Fact> {
        let guards = guards.iter().map(|guard| guard.parse()).collect::<std::result::Result<_, _>>().ok()?;
        Some(Fact { name, kind, tokens: tokens.parse().ok()?, guards })
    }
}

/// Looks for facts, and for what can't be one.
struct FactSearch {
    names: Aliases,
    site: IncludeSite,
    found: Vec<Fact>,
    error: Option<Error>,
}

impl FactSearch {
    /// Walks one level. `outer` are the predicates of the attributes around it. A level is `raw` inside a macro's input:
    /// it may do anything with an attribute, so that its `#[cfg]` guard nothing but files that aren't there.
    fn level(&mut self, stream: TokenStream, outer: &[TokenStream], raw: bool) {
        let level = lex(stream, true);
        let mut guards = CfgGuards::of(outer);
        for (at, token) in level.iter().enumerate() {
            guards.enter(token);
            if let Token::Group(delimiter, body) = token {
                match is_attribute(&level[..at]) && *delimiter == Delimiter::Bracket {
                    true => self.attribute(body, &mut guards, raw),
                    false => self.group(body, &level[..at], &guards, raw),
                }
            }
            guards.leave(token);
        }
    }

    fn group(&mut self, body: &TokenStream, before: &[Token], guards: &CfgGuards, raw: bool) {
        let guards = guards.predicates();
        match macro_name(before).and_then(|name| self.names.known(name)) {
            Some("cfg") => self.push(FactKind::Cfg, body.clone(), guards, raw),
            Some("cfg_select") => self.select(body.clone(), guards, raw),
            Some("env" | "option_env") => self.push_text(FactKind::Env, first_argument(body.clone()), guards, raw),
            Some("include") => self.push_text(FactKind::Source, first_argument(body.clone()), guards, raw),
            Some("include_str" | "include_bytes") => {
                self.push_text(FactKind::Include, first_argument(body.clone()), guards, raw);
            }
            Some("module_path") => self.push_module(guards),
            Some("stringify") => {}
            _ => self.level(body.clone(), guards, raw || is_macro_input(before)),
        }
    }

    /// `#[cfg(p)]` guards what follows, `#![cfg(p)]` what it stands in; `#[cfg_attr(p, …)]` only depends on `p`.
    fn attribute(&mut self, body: &TokenStream, guards: &mut CfgGuards, raw: bool) {
        let lexed = lex(body.clone(), true);
        let [name, list, ..] = lexed.as_slice() else { return };
        let Some(list) = list.group(Delimiter::Parenthesis) else { return };
        let predicates = guards.predicates().to_vec();
        match name.ident().map(|name| name.trim_start_matches("r#")) {
            Some("cfg") => {
                self.push(FactKind::Cfg, list.clone(), &predicates, raw);
                guards.add(list.clone());
            }
            Some("cfg_attr") => {
                self.push(FactKind::Cfg, first_argument(list.clone()), &predicates, raw);
                self.conditional_attributes(list.clone(), &predicates, raw);
            }
            _ => self.level(list.clone(), &predicates, true),
        }
    }

    /// The attributes a `cfg_attr` adds: `cfg_attr(p, cfg_attr(q, …))` depends on `q` as well.
    fn conditional_attributes(&mut self, list: TokenStream, guards: &[TokenStream], raw: bool) {
        for argument in arguments(list).into_iter().skip(1) {
            self.attribute(&argument, &mut CfgGuards::of(guards), raw);
        }
    }

    /// `cfg_select! { p => …, _ => … }`: every predicate counts, and each arm is guarded by its own.
    fn select(&mut self, body: TokenStream, guards: &[TokenStream], raw: bool) {
        let mut trees = body.into_iter().peekable();
        while trees.peek().is_some() {
            let predicate = until_arrow(&mut trees);
            let arm = match trees.next_if(|tree| matches!(tree, TokenTree::Group(_))) {
                Some(block) => block.into(),
                None => trees.by_ref().take_while(|tree| !is_punct(tree, ',')).collect(),
            };
            trees.next_if(|tree| is_punct(tree, ','));
            self.select_arm(predicate, arm, guards, raw);
        }
    }

    fn select_arm(&mut self, predicate: TokenStream, arm: TokenStream, guards: &[TokenStream], raw: bool) {
        let mut guards = guards.to_vec();
        if tokens::text(predicate.clone()) != "_" {
            self.push(FactKind::Cfg, predicate.clone(), &guards, raw);
            guards.push(predicate);
        }
        self.level(arm, &guards, raw);
    }

    /// Anything else than a literal or a macro that makes one isn't the standard macro of that name.
    fn push_text(&mut self, kind: FactKind, tokens: TokenStream, guards: &[TokenStream], raw: bool) {
        let is_literal = syn::parse2::<syn::LitStr>(tokens.clone()).is_ok();
        if !is_literal && !has_variable(&tokens) && syn::parse2::<syn::Macro>(tokens.clone()).is_err() {
            return;
        }
        match kind {
            FactKind::Include | FactKind::Source if !has_variable(&tokens) => self.push_file(kind, tokens, guards, raw),
            _ => self.push(kind, tokens, guards, raw),
        }
    }

    fn push(&mut self, kind: FactKind, tokens: TokenStream, guards: &[TokenStream], raw: bool) {
        if has_variable(&tokens) {
            return self.refuse(&tokens, VARIABLE);
        }
        if !tokens.is_empty() {
            let guards = if raw { Vec::new() } else { guards.to_vec() };
            self.found.push(Fact { name: name(&tokens), kind, tokens, guards });
        }
    }

    /// The compiler looks for a file beside the one that names it, and the facts stand in the one that is compiled.
    fn push_file(&mut self, kind: FactKind, tokens: TokenStream, guards: &[TokenStream], raw: bool) {
        let path = file::evaluated(&tokens).map(|text| self.site.path(&text));
        let is_there = path.as_ref().is_some_and(|path| self.site.exists(path));
        let guards = if raw && is_there { Vec::new() } else { guards.to_vec() };
        let (name, inside) = (self.site.name(&name(&tokens)), self.site.is_inside());
        let tokens = match path.as_deref().and_then(file::literal) {
            Some(literal) if inside => literal,
            None if inside => return self.refuse(&tokens, format_args!("`{name}` {PATH}")),
            _ => tokens,
        };
        let at = tokens.clone();
        self.found.push(Fact { name: name.clone(), kind: FactKind::Include, tokens, guards: guards.clone() });
        if let (FactKind::Source, Some(path)) = (kind, path) {
            self.source(path, name, &guards, &at);
        }
    }

    /// What a file that is included as code takes from its build in turn.
    ///
    /// Its tokens are this crate's and not the compiler's, whose lexer knows one edition: the two kinds don't mix, so
    /// that facts leave here as text.
    fn source(&mut self, path: PathBuf, name: String, guards: &[TokenStream], at: &TokenStream) {
        if self.site.is_inside() {
            return self.walk(path, name, guards);
        }
        let mut inner =
            FactSearch { names: self.names.clone(), site: self.site.clone(), found: Vec::new(), error: None };
        proc_macro2::fallback::force();
        inner.walk(path, name.clone(), &[]);
        let texts: Vec<_> = inner.found.into_iter().map(Fact::into_text).collect();
        let error = inner.error.map(|error| error.to_string());
        proc_macro2::fallback::unforce();
        if let Some(error) = error {
            self.refuse(at, format_args!("in `{name}`, which is included here: {error}"));
        }
        for mut fact in texts.into_iter().filter_map(Fact::from_text) {
            fact.guards.splice(..0, guards.iter().cloned());
            self.found.push(fact);
        }
    }

    fn walk(&mut self, path: PathBuf, name: String, guards: &[TokenStream]) {
        let Some(tokens) = self.site.tokens(&path) else { return };
        self.names.add(&tokens);
        if let Err(error) = places::refuse(&tokens, &self.names) {
            self.error.get_or_insert(error);
        }
        if self.site.enter(path, name) {
            self.level(tokens, guards, false);
            self.site.leave();
        }
    }

    /// The facts stand in the module of the item, so that they name it.
    fn push_module(&mut self, guards: &[TokenStream]) {
        let (name, tokens) = (String::new(), TokenStream::new());
        self.found.push(Fact { name, kind: FactKind::Module, tokens, guards: guards.to_vec() });
    }

    fn refuse(&mut self, tokens: &TokenStream, message: impl std::fmt::Display) {
        self.error.get_or_insert_with(|| Error::new_spanned(tokens, message));
    }
}

const VARIABLE: &str = "the variable of a `macro_rules!` has no value here, so that what is looked up by it is no part of a key: write it out, or count the function with `code = \"build\"` in `#[cache]`";
const PATH: &str = "is included by a path that isn't known here: make it of literals, `concat!` and `env!`";

const FILE: &str = "a file that a `macro_rules!` includes is looked for beside each file that calls it: include it in a constant with `#[code]`, and use that";

/// How a fact is called: a literal's value, else the tokens.
fn name(tokens: &TokenStream) -> String {
    match syn::parse2::<syn::LitStr>(tokens.clone()) {
        Ok(literal) => literal.value(),
        Err(_) => tokens::text(tokens.clone()),
    }
}

fn has_variable(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|tree| match tree {
        TokenTree::Group(group) => has_variable(&group.stream()),
        tree => is_punct(&tree, '$'),
    })
}

fn macro_name(before: &[Token]) -> Option<&str> {
    match before {
        [.., name, bang] if bang.is_operator("!") => name.ident(),
        _ => None,
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
