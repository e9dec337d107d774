//! The text that an expression of literals, `concat!`, `env!` and `stringify!` has.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::Index;
use crate::cfg;
use crate::file::File;
use crate::lex::TokenKind;
use crate::symbol::Symbol;

/// The text of the expression `from..to`, if it is known; `values` are those of a macro's variables.
pub(crate) fn evaluated(
    index: &Index,
    file: &File,
    mut from: usize,
    to: usize,
    values: &[(Symbol, String)],
) -> Option<String> {
    while matches!(file.symbol(from), Symbol::COLON2 | Symbol::STD | Symbol::CORE) && from < to {
        from += 1;
    }
    if file.symbol(from) == Symbol::DOLLAR {
        return value(file, from, values);
    }
    if file.tokens.get(from).filter(|_| from < to)?.kind == TokenKind::Literal {
        return file.value(from).or_else(|| plain(file.text_of(from)).map(Cow::Borrowed)).map(Cow::into_owned);
    }
    let (name, open) = crate::reads::call(file, from)?;
    let close = file.tokens[open].link as usize;
    match name {
        Symbol::CONCAT => {
            let each = cfg::arguments(file, open + 1, close).into_iter();
            each.map(|(from, to)| evaluated(index, file, from, to, values)).collect()
        }
        Symbol::ENV => index.session_of(file).variable(&evaluated(index, file, open + 1, close, values)?),
        name if index.symbols.text(name) == "stringify" => words(file, open + 1, close, values),
        _ => None,
    }
}

/// A number or a truth value, as it is written.
fn plain(literal: &str) -> Option<&str> {
    literal.starts_with(|first: char| first.is_ascii_digit()).then_some(literal)
}

fn value(file: &File, dollar: usize, values: &[(Symbol, String)]) -> Option<String> {
    let name = file.symbol(dollar + 1);
    values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
}

fn words(file: &File, mut at: usize, to: usize, values: &[(Symbol, String)]) -> Option<String> {
    let mut words = String::new();
    while at < to {
        if file.symbol(at) == Symbol::DOLLAR {
            words.push_str(&value(file, at, values)?);
            at += 1;
        } else {
            words.push_str(file.text_of(at));
        }
        at += 1;
    }
    Some(words)
}

/// Whether a process may be asked for a variable of that name.
pub(crate) fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// The path that the arguments of `include!` at the delimiter `open` tell, seen from the file.
pub(super) fn included_path(index: &Index, file: u32, open: usize) -> Option<PathBuf> {
    let source = &index.files[file as usize];
    let close = source.tokens[open].link as usize;
    evaluated(index, source, open + 1, close, &[]).map(|path| folder(&source.path).join(path))
}

/// The folder of a file.
pub(super) fn folder(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}
