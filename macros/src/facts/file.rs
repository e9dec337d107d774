//! Files that code includes: where they lie, and what they hold.

use std::path::{Path, PathBuf};

use proc_macro2::{Literal, TokenStream};
use syn::{Lit, LitStr, Macro};

use super::arguments;

/// Where included files are looked for: beside the file that is compiled, or beside one that it includes.
#[derive(Clone, Default)]
pub(super) struct IncludeSite {
    /// The folder of the source file, `None` where the compiler doesn't say.
    pub(super) folder: Option<PathBuf>,
    /// The included files that lead here: their paths, as seen from there, and what they are called in facts.
    inside: Vec<(PathBuf, String)>,
}

impl IncludeSite {
    /// The file of the macro call that is expanded.
    pub(super) fn here() -> IncludeSite {
        let file = proc_macro::is_available().then(|| proc_macro::Span::call_site().local_file()).flatten();
        IncludeSite { folder: file.and_then(|file| file.parent().map(Path::to_owned)), inside: Vec::new() }
    }

    #[cfg(test)]
    pub(super) fn in_folder(folder: &Path) -> IncludeSite {
        IncludeSite { folder: Some(folder.to_owned()), inside: Vec::new() }
    }

    pub(super) fn is_inside(&self) -> bool {
        !self.inside.is_empty()
    }

    /// Begins to read the file at `path`, unless it includes itself; returns whether it did.
    pub(super) fn enter(&mut self, path: PathBuf, name: String) -> bool {
        let is_new = self.inside.iter().all(|(known, _)| *known != path);
        if is_new {
            self.inside.push((path, name));
        }
        is_new
    }

    pub(super) fn leave(&mut self) {
        self.inside.pop();
    }

    /// A path as seen from the file that is compiled.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        let folder = self.inside.last().and_then(|(file, _)| file.parent());
        folder.map_or_else(|| PathBuf::from(text), |folder| folder.join(text))
    }

    /// What a file that is called `name` here is called in a fact: no path of a machine.
    pub(super) fn name(&self, name: &str) -> String {
        self.inside.last().map_or_else(|| name.to_owned(), |(_, file)| format!("{file} > {name}"))
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.folder.as_ref().is_some_and(|folder| folder.join(path).is_file())
    }

    /// The tokens of a file. `None` if there is none, which is for the compiler to tell.
    ///
    /// They are this crate's and not the compiler's, which has a lexer for one edition.
    pub(super) fn tokens(&self, path: &Path) -> Option<TokenStream> {
        std::fs::read_to_string(self.folder.as_ref()?.join(path)).ok()?.parse().ok()
    }
}

pub(super) fn literal(path: &Path) -> Option<TokenStream> {
    Some(proc_macro2::TokenTree::from(Literal::string(path.to_str()?)).into())
}

/// The text that the compiler makes of a literal, a `concat!` or an `env!`.
pub(super) fn evaluated(tokens: &TokenStream) -> Option<String> {
    if let Ok(literal) = syn::parse2::<Lit>(tokens.clone()) {
        return literal_text(&literal);
    }
    let call = syn::parse2::<Macro>(tokens.clone()).ok()?;
    let name = call.path.segments.last()?.ident.to_string();
    match name.as_str() {
        "concat" => {
            let parts = arguments(call.tokens).into_iter().filter(|part| !part.is_empty());
            parts.map(|part| evaluated(&part)).collect()
        }
        "env" => {
            let name: LitStr = syn::parse2(arguments(call.tokens).into_iter().next()?).ok()?;
            std::env::var(name.value()).ok()
        }
        _ => None,
    }
}

fn literal_text(literal: &Lit) -> Option<String> {
    match literal {
        Lit::Str(text) => Some(text.value()),
        Lit::Char(character) => Some(character.value().to_string()),
        Lit::Bool(value) => Some(value.value().to_string()),
        Lit::Int(number) => Some(number.base10_digits().to_owned()),
        _ => None,
    }
}
