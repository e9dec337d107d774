//! What the compiler's own macros are called, where a `use` renames them, and what `Location` is, where a `type` does.

use std::collections::HashMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::UseTree;
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;

/// The macros whose values the tokens don't show, and the type that knows its caller's line.
const KNOWN: [&str; 13] = [
    "cfg",
    "cfg_select",
    "column",
    "env",
    "file",
    "include",
    "include_bytes",
    "include_str",
    "line",
    "Location",
    "module_path",
    "option_env",
    "stringify",
];

/// The other names of [`KNOWN`], in whichever scope: a name that is mistaken for one of them at worst adds a fact.
#[derive(Clone, Default)]
pub(crate) struct Aliases(HashMap<String, &'static str>);

impl Aliases {
    /// Adds those that declarations of `use` and `type` among the tokens give.
    pub(crate) fn add(&mut self, tokens: &TokenStream) {
        let mut renames = Vec::new();
        search(tokens.clone(), &mut renames);
        // A renamed name may be renamed before the line that gave it.
        let mut before = usize::MAX;
        while self.0.len() != before {
            before = self.0.len();
            for (name, other) in &renames {
                if let Some(known) = self.known(name) {
                    self.0.insert(other.clone(), known);
                }
            }
        }
    }

    /// What a name, raw or not, stands for.
    pub(crate) fn known(&self, name: &str) -> Option<&'static str> {
        let name = name.strip_prefix("r#").unwrap_or(name);
        let itself = || KNOWN.iter().copied().find(|known| *known == name);
        self.0.get(name).copied().or_else(itself)
    }
}

/// The pairs `a as b` of all `use` declarations, and `type b = a;`.
fn search(tokens: TokenStream, renames: &mut Vec<(String, String)>) {
    let mut trees = tokens.into_iter();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Ident(word) if word == "use" => {
                let declared = trees.by_ref().take_while(|tree| !super::is_punct(tree, ';')).collect();
                if let Ok((_, tree)) = tree_of.parse2(declared) {
                    leaves(tree, renames);
                }
            }
            TokenTree::Ident(word) if word == "type" => {
                let declared = trees.by_ref().take_while(|tree| !super::is_punct(tree, ';')).collect();
                renames.extend(alias(word, declared));
            }
            TokenTree::Group(group) => search(group.stream(), renames),
            _ => {}
        }
    }
}

/// The last name of the path that `type name = path;` stands for, and the name.
fn alias(keyword: proc_macro2::Ident, declared: TokenStream) -> Option<(String, String)> {
    let alias: syn::ItemType = syn::parse2(quote::quote!(#keyword #declared;)).ok()?;
    let mut stands_for = *alias.ty;
    while let syn::Type::Paren(syn::TypeParen { elem, .. }) | syn::Type::Group(syn::TypeGroup { elem, .. }) = stands_for
    {
        stands_for = *elem;
    }
    let syn::Type::Path(path) = stands_for else { return None };
    let last = path.path.segments.last()?;
    Some((last.ident.unraw().to_string(), alias.ident.unraw().to_string()))
}

fn tree_of(input: syn::parse::ParseStream<'_>) -> syn::Result<(Option<syn::Token![::]>, UseTree)> {
    Ok((input.parse()?, input.parse()?))
}

fn leaves(tree: UseTree, renames: &mut Vec<(String, String)>) {
    match tree {
        UseTree::Path(path) => leaves(*path.tree, renames),
        UseTree::Group(group) => group.items.into_iter().for_each(|tree| leaves(tree, renames)),
        UseTree::Rename(rename) => {
            renames.push((rename.ident.unraw().to_string(), rename.rename.unraw().to_string()));
        }
        UseTree::Name(_) | UseTree::Glob(_) => {}
    }
}
