//! Refuses what depends on where in a file the code stands: moving it, which keeps its key, would change its results.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Error, Result};

use super::names::Aliases;
use super::{is_punct, names_in};
use crate::fragment::flat;
use crate::tokens::{Token, lex};

/// `line!()`, `column!()`, `file!()`, and `Location::caller()`, which gives all three.
pub(crate) fn refuse_places(code: &TokenStream) -> Result<()> {
    let code = flat(code.clone());
    refuse(&code, &names_in(&code))
}

pub(super) fn refuse(code: &TokenStream, names: &Aliases) -> Result<()> {
    let trees: Vec<TokenTree> = code.clone().into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Ident(name) => {
                if let Some(what) = place(name, &trees[..at], &trees[at + 1..], names) {
                    return Err(Error::new(name.span(), message(&what)));
                }
            }
            TokenTree::Group(group) => refuse(&group.stream(), names)?,
            _ => {}
        }
    }
    Ok(())
}

fn message(what: &str) -> String {
    format!(
        "`{what}` is no part of a key, so that its value may be that of an earlier build: take it as an argument, or count it with `code = \"build\"` in `#[cache]`"
    )
}

fn place(name: &proc_macro2::Ident, before: &[TokenTree], after: &[TokenTree], names: &Aliases) -> Option<String> {
    let text = name.to_string();
    if text.trim_start_matches("r#") == "caller" && follows_location(before, names) {
        return Some("Location::caller".to_owned());
    }
    let known = names.known(&text)?;
    (["line", "column", "file"].contains(&known) && followed_by_call(after)).then(|| format!("{known}!"))
}

/// `Location::`, `Location::<'_>::`, `<Location>::`, `<Location<'_>>::`.
fn follows_location(before: &[TokenTree], names: &Aliases) -> bool {
    let before = lex(before.iter().cloned().collect(), true);
    let Some((path, colons)) = before.split_last().map(|(last, rest)| (rest, last)) else { return false };
    let is_generic = |token: &&Token| matches!(token, Token::Operator("<" | ">" | ">>" | "::") | Token::Lifetime(_));
    let owner = path.iter().rev().find(|token| !is_generic(token)).and_then(Token::ident);
    colons.is_operator("::") && owner.and_then(|owner| names.known(owner)) == Some("Location")
}

/// Whether a macro is called without input, as the known ones of these names are; with input it is another macro.
fn followed_by_call(rest: &[TokenTree]) -> bool {
    matches!(rest, [bang, TokenTree::Group(nothing), ..] if is_punct(bang, '!') && nothing.stream().is_empty())
}
