//! A source file and its tokens.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::index::CrateId;
use crate::lex::{self, Token, TokenKind};
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
        self.tokens.get(at).is_some_and(|token| token.kind == TokenKind::Ident)
    }

    pub(crate) fn is_operator(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == TokenKind::Operator)
    }

    /// An identifier that is no keyword.
    pub(crate) fn name(&self, at: usize) -> Option<Symbol> {
        let token = self.tokens.get(at)?;
        (token.kind == TokenKind::Ident && !token.symbol.is_keyword()).then_some(token.symbol)
    }

    pub(crate) fn is_open(&self, at: usize, delimiter: u8) -> bool {
        self.tokens.get(at).is_some_and(|token| {
            token.kind == TokenKind::Open && self.text.as_bytes()[token.start as usize] == delimiter
        })
    }

    /// The index behind the token at `at`, or behind the group that it opens.
    pub(crate) fn after(&self, at: usize) -> usize {
        let token = &self.tokens[at];
        if token.kind == TokenKind::Open { token.link as usize + 1 } else { at + 1 }
    }

    pub(crate) fn text_of(&self, at: usize) -> &str {
        let token = &self.tokens[at];
        &self.text[token.start as usize..token.end as usize]
    }

    /// What stands between the quotes of a string literal.
    pub(crate) fn string(&self, at: usize) -> Option<&str> {
        let token = self.tokens.get(at)?;
        if token.kind != TokenKind::Literal {
            return None;
        }
        content(self.text_of(at))
    }

    /// The value of a string literal, its escapes undone.
    pub(crate) fn value(&self, at: usize) -> Option<Cow<'_, str>> {
        let inner = self.string(at)?;
        let is_raw = self.text_of(at).trim_start_matches(['b', 'c']).starts_with('r');
        Some(if is_raw || !inner.contains('\\') { Cow::Borrowed(inner) } else { Cow::Owned(unescaped(inner)) })
    }

    /// The line of a token, counted from one.
    pub(crate) fn line(&self, at: usize) -> usize {
        let start = self.tokens.get(at).map_or(self.text.len() as u32, |token| token.start);
        self.lines.get_or_init(|| line_starts(&self.text)).partition_point(|&line| line <= start)
    }

    /// The column of a token in characters, counted from one.
    pub(crate) fn column(&self, at: usize) -> usize {
        let before = &self.text[..self.tokens[at].start as usize];
        before.chars().rev().take_while(|&character| character != '\n').count() + 1
    }

    /// The groups that hold the token at `at` and begin behind `from`, by the delimiters that open them, from the outside in.
    pub(crate) fn groups_around(&self, mut from: usize, at: usize) -> Vec<usize> {
        let mut found = Vec::new();
        while from < at {
            let opens = self.tokens[from].kind == TokenKind::Open && self.tokens[from].link as usize > at;
            found.extend(opens.then_some(from));
            from = if opens { from + 1 } else { self.after(from) };
        }
        found
    }

    /// The index of the delimiter that opens the group which ends before `at`.
    pub(crate) fn opening(&self, at: usize) -> Option<usize> {
        let before = self.tokens.get(at.checked_sub(1)?)?;
        (before.kind == TokenKind::Close).then_some(before.link as usize)
    }
}

/// What stands between the quotes of a string, raw or not.
pub(crate) fn content(literal: &str) -> Option<&str> {
    let plain = literal.trim_start_matches(['b', 'c', 'r']).trim_start_matches('#');
    let inner = plain.strip_prefix('"')?;
    inner.rfind('"').map(|end| &inner[..end])
}

/// The text that a string's escapes stand for; what isn't one stays as it is.
fn unescaped(mut rest: &str) -> String {
    let mut text = String::with_capacity(rest.len());
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        rest = match escape.as_bytes().first() {
            Some(b'\n') => escape.trim_start(),
            Some(b'x') => coded(escape, escape.get(1..3), 3, &mut text),
            Some(b'u') => {
                let end = escape.find('}').unwrap_or(0);
                coded(escape, escape.get(2..end), end + 1, &mut text)
            }
            Some(first) => {
                text.push(plain_escape(*first));
                &escape[1..]
            }
            None => escape,
        };
    }
    text + rest
}

/// Takes up the character of that number, and returns what stands behind its escape.
fn coded<'a>(escape: &'a str, digits: Option<&str>, length: usize, text: &mut String) -> &'a str {
    let code = digits.and_then(|digits| u32::from_str_radix(&digits.replace('_', ""), 16).ok());
    text.extend(code.and_then(char::from_u32));
    escape.get(length..).unwrap_or("")
}

fn plain_escape(first: u8) -> char {
    match first {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'0' => '\0',
        other => char::from(other),
    }
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
