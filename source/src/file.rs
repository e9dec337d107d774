//! A source file and its tokens.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::index::CrateId;
use crate::lex::{self, Kind, Token};
use crate::symbol::{Symbol, Symbols};

/// One file of the crate, as the compiler reads it.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// The crate that reads it.
    pub(crate) krate: CrateId,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    /// Where each line begins, once a line has been asked for.
    lines: OnceCell<Vec<u32>>,
}

impl File {
    pub(crate) fn read(path: &Path, krate: CrateId, symbols: &mut Symbols) -> Result<File> {
        let bytes = std::fs::read(path).map_err(|error| Error::unreadable(path, &error))?;
        let text = String::from_utf8(bytes).map_err(|_| Error::not_utf8(path))?;
        File::new(path, krate, &text, symbols)
    }

    pub(crate) fn new(path: &Path, krate: CrateId, text: &str, symbols: &mut Symbols) -> Result<File> {
        let text = lex::normalized(text);
        match lex::lex(&text, symbols) {
            Ok(tokens) => Ok(File { path: path.to_owned(), krate, text, tokens, lines: OnceCell::new() }),
            Err(error) => Err(Error::unlexable(path, line(&text, error.at), error.expected)),
        }
    }

    pub(crate) fn symbol(&self, at: usize) -> Symbol {
        self.tokens.get(at).map_or(Symbol::NONE, |token| token.symbol)
    }

    pub(crate) fn is_ident(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == Kind::Ident)
    }

    pub(crate) fn is_operator(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == Kind::Operator)
    }

    /// An identifier that is no keyword.
    pub(crate) fn name(&self, at: usize) -> Option<Symbol> {
        let token = self.tokens.get(at)?;
        (token.kind == Kind::Ident && !token.symbol.is_keyword()).then_some(token.symbol)
    }

    pub(crate) fn is_open(&self, at: usize, delimiter: u8) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.kind == Kind::Open && self.text.as_bytes()[token.start as usize] == delimiter)
    }

    /// The index behind the token at `at`, or behind the group that it opens.
    pub(crate) fn after(&self, at: usize) -> usize {
        let token = &self.tokens[at];
        if token.kind == Kind::Open { token.link as usize + 1 } else { at + 1 }
    }

    pub(crate) fn text_of(&self, at: usize) -> &str {
        let token = &self.tokens[at];
        &self.text[token.start as usize..token.end as usize]
    }

    /// The value of a plain string literal: without escapes, which no path has.
    pub(crate) fn string(&self, at: usize) -> Option<&str> {
        let token = self.tokens.get(at)?;
        if token.kind != Kind::Literal {
            return None;
        }
        content(self.text_of(at))
    }

    /// The line of a token, counted from one.
    pub(crate) fn line(&self, at: usize) -> usize {
        let start = self.tokens.get(at).map_or(self.text.len() as u32, |token| token.start);
        self.lines.get_or_init(|| line_starts(&self.text)).partition_point(|&line| line <= start)
    }

    /// The index of the delimiter that opens the group which ends before `at`.
    pub(crate) fn opening(&self, at: usize) -> Option<usize> {
        let before = self.tokens.get(at.checked_sub(1)?)?;
        (before.kind == Kind::Close).then_some(before.link as usize)
    }
}

/// What stands between the quotes of a string, raw or not.
pub(crate) fn content(literal: &str) -> Option<&str> {
    let plain = literal.trim_start_matches(['b', 'c', 'r']).trim_start_matches('#');
    let inner = plain.strip_prefix('"')?;
    inner.rfind('"').map(|end| &inner[..end])
}

fn line(text: &str, at: usize) -> usize {
    line_starts(text).partition_point(|&line| line as usize <= at)
}

fn line_starts(text: &str) -> Vec<u32> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'\n' {
            starts.push(at as u32 + 1);
        }
        at += 1;
    }
    starts
}
