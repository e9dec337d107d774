//! A file's text as one flat list of tokens.
//!
//! The lexer is the crate's own: it runs without optimisation, over all files of the crate, in a process whose other
//! threads may be using the compiler's lexer. It agrees with `proc_macro2`'s token by token, which a test tries on every
//! file at hand. Comments are no tokens here, doc comments neither.

use crate::symbol::{Symbol, Symbols};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Ident,
    Lifetime,
    Literal,
    Operator,
    Open,
    Close,
}

/// A token; what it says lies in the file's text from `start` to `end`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    /// The symbol of an identifier, lifetime or operator, `NONE` otherwise.
    pub(crate) symbol: Symbol,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// For a delimiter, the index of the other one.
    pub(crate) link: u32,
}

/// What can't be lexed: the byte at which it begins, and what was expected.
#[derive(Debug)]
pub(crate) struct LexError {
    pub(crate) at: usize,
    pub(crate) expected: &'static str,
}

type Result<T> = std::result::Result<T, LexError>;

/// The text without its byte order mark, with `\n` for `\r\n`, as the compiler reads it.
pub(crate) fn normalized(text: &str) -> String {
    text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n")
}

pub(crate) fn lex(text: &str, symbols: &mut Symbols) -> Result<Vec<Token>> {
    let tokens = Vec::with_capacity(text.len() / 4);
    let mut lexer = Lexer { text, bytes: text.as_bytes(), at: 0, tokens, open: Vec::new(), symbols };
    lexer.skip_shebang();
    while lexer.at < lexer.bytes.len() {
        lexer.token()?;
    }
    match lexer.open.last() {
        Some(&open) => Err(LexError { at: lexer.tokens[open].start as usize, expected: "a closing delimiter" }),
        None => Ok(lexer.tokens),
    }
}

/// What a byte may begin or continue.
const SPACE: u8 = 1;
const WORD: u8 = 2;
const DIGIT: u8 = 4;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        classes[byte] = if character.is_ascii_alphabetic() || character == b'_' || byte >= 128 {
            WORD
        } else if character.is_ascii_digit() {
            DIGIT
        } else if character.is_ascii_whitespace() || character == 0x0b {
            SPACE
        } else {
            0
        };
        byte += 1;
    }
    classes
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    tokens: Vec<Token>,
    /// Indices of the delimiters that aren't closed yet.
    open: Vec<usize>,
    symbols: &'a mut Symbols,
}

impl Lexer<'_> {
    /// The byte that stands `ahead` bytes from here, zero behind the end.
    fn peek(&self, ahead: usize) -> u8 {
        if self.at + ahead < self.bytes.len() { self.bytes[self.at + ahead] } else { 0 }
    }

    fn skip_shebang(&mut self) {
        if self.bytes.starts_with(b"#!") && !self.text[2..].trim_start().starts_with('[') {
            self.skip_line();
        }
    }

    fn skip_line(&mut self) {
        while self.at < self.bytes.len() && self.bytes[self.at] != b'\n' {
            self.at += 1;
        }
    }

    fn token(&mut self) -> Result<()> {
        let byte = self.bytes[self.at];
        let class = CLASSES[byte as usize];
        if class == SPACE {
            self.at += 1;
            return Ok(());
        }
        if class == WORD {
            return self.word();
        }
        if class == DIGIT {
            self.number();
            return Ok(());
        }
        match byte {
            b'/' if self.peek(1) == b'/' => self.skip_line(),
            b'/' if self.peek(1) == b'*' => self.skip_comment()?,
            b'"' => self.string(self.at)?,
            b'\'' => self.quote()?,
            b'(' | b'[' | b'{' => self.open_group(),
            b')' | b']' | b'}' => self.close_group()?,
            _ => self.operator()?,
        }
        Ok(())
    }

    fn skip_comment(&mut self) -> Result<()> {
        let start = self.at;
        let mut depth = 0;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => depth += 1,
                (b'*', b'/') => depth -= 1,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return Ok(());
            }
        }
        Err(LexError { at: start, expected: "the end of a comment" })
    }

    fn push(&mut self, kind: TokenKind, symbol: Symbol, start: usize) {
        self.tokens.push(Token { kind, symbol, start: start as u32, end: self.at as u32, link: 0 });
    }

    fn skip_word(&mut self) {
        while self.at < self.bytes.len() && CLASSES[self.bytes[self.at] as usize] & (WORD | DIGIT) != 0 {
            if self.bytes[self.at] >= 0xc0 && self.wide_space() > 0 {
                return;
            }
            self.at += 1;
        }
    }

    fn word(&mut self) -> Result<()> {
        let start = self.at;
        if self.bytes[start] >= 128 && self.wide_space() > 0 {
            self.at += self.wide_space();
            return Ok(());
        }
        self.skip_word();
        let next = self.peek(0);
        if next == b'"' || next == b'\'' || next == b'#' {
            match &self.bytes[start..self.at] {
                b"r" | b"br" | b"cr" if next != b'\'' && self.is_raw_string() => return self.raw_string(start),
                b"b" | b"c" if next == b'"' => return self.string(start),
                b"b" if next == b'\'' => return self.character(start),
                b"r" if next == b'#' && CLASSES[self.peek(1) as usize] == WORD => return self.raw_word(start),
                _ => {}
            }
        }
        let symbol = self.symbols.intern(&self.text[start..self.at]);
        self.push(TokenKind::Ident, symbol, start);
        Ok(())
    }

    /// The length of white space beyond ASCII, of which Rust's grammar has five characters.
    fn wide_space(&self) -> usize {
        match self.text[self.at..].chars().next() {
            Some(space @ ('\u{85}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')) => space.len_utf8(),
            _ => 0,
        }
    }

    /// `r#name` is the name itself, where that isn't a keyword.
    fn raw_word(&mut self, start: usize) -> Result<()> {
        self.at += 1;
        self.skip_word();
        let plain = self.symbols.intern(&self.text[start + 2..self.at]);
        let symbol = if plain.is_keyword() { self.symbols.intern(&self.text[start..self.at]) } else { plain };
        self.push(TokenKind::Ident, symbol, start);
        Ok(())
    }

    fn is_raw_string(&self) -> bool {
        let mut ahead = 0;
        while self.peek(ahead) == b'#' {
            ahead += 1;
        }
        self.peek(ahead) == b'"'
    }

    fn raw_string(&mut self, start: usize) -> Result<()> {
        let mut hashes = 0;
        while self.peek(0) == b'#' {
            hashes += 1;
            self.at += 1;
        }
        self.at += 1;
        while self.at < self.bytes.len() {
            self.at += 1;
            if self.bytes[self.at - 1] == b'"' && self.hashes_follow(hashes) {
                self.at += hashes;
                self.literal_end(start);
                return Ok(());
            }
        }
        Err(LexError { at: start, expected: "the end of a raw string" })
    }

    fn hashes_follow(&self, hashes: usize) -> bool {
        (0..hashes).all(|ahead| self.peek(ahead) == b'#')
    }

    /// At the opening quote of a literal that begins at `start`.
    fn string(&mut self, start: usize) -> Result<()> {
        self.at += 1;
        while self.at < self.bytes.len() {
            let byte = self.bytes[self.at];
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                self.literal_end(start);
                return Ok(());
            }
        }
        Err(LexError { at: start, expected: "the end of a string" })
    }

    /// At the opening quote of a character that begins at `start`.
    fn character(&mut self, start: usize) -> Result<()> {
        self.at += 1;
        while self.at < self.bytes.len() && self.bytes[self.at] != b'\'' {
            self.at += if self.bytes[self.at] == b'\\' { 2 } else { 1 };
        }
        if self.at >= self.bytes.len() {
            return Err(LexError { at: start, expected: "the end of a character" });
        }
        self.at += 1;
        self.literal_end(start);
        Ok(())
    }

    /// A suffix belongs to its literal.
    fn literal_end(&mut self, start: usize) {
        self.skip_word();
        self.push(TokenKind::Literal, Symbol::NONE, start);
    }

    /// A character if one stands between quotes, a lifetime otherwise.
    fn quote(&mut self) -> Result<()> {
        let start = self.at;
        let mut characters = self.text[start + 1..].chars();
        let (first, second) = (characters.next(), characters.next());
        if first == Some('\\') || second == Some('\'') {
            return self.character(start);
        }
        self.at += 1;
        self.skip_word();
        if self.peek(0) == b'#' && self.bytes[start + 1..self.at] == *b"r" {
            self.at += 1;
            self.skip_word();
        }
        if self.at == start + 1 {
            return Err(LexError { at: start, expected: "a character or a lifetime" });
        }
        let symbol = self.symbols.intern(&self.text[start..self.at]);
        self.push(TokenKind::Lifetime, symbol, start);
        Ok(())
    }

    fn number(&mut self) {
        let start = self.at;
        let based = self.bytes[start] == b'0' && matches!(self.peek(1), b'x' | b'o' | b'b');
        self.digits(based);
        let fraction = self.peek(0) == b'.' && self.peek(1) != b'.' && CLASSES[self.peek(1) as usize] != WORD;
        if fraction && !based {
            self.at += 1;
            self.digits(false);
        }
        self.push(TokenKind::Literal, Symbol::NONE, start);
    }

    /// Digits, exponent and suffix.
    fn digits(&mut self, based: bool) {
        self.skip_word();
        let exponent = !based && matches!(self.bytes[self.at - 1], b'e' | b'E') && matches!(self.peek(0), b'+' | b'-');
        if exponent {
            self.at += 1;
            self.skip_word();
        }
    }

    fn open_group(&mut self) {
        self.open.push(self.tokens.len());
        self.at += 1;
        self.push(TokenKind::Open, Symbol::NONE, self.at - 1);
    }

    fn close_group(&mut self) -> Result<()> {
        let unexpected = LexError { at: self.at, expected: "an opening delimiter before a closing one" };
        let Some(open) = self.open.pop() else { return Err(unexpected) };
        let opened = self.bytes[self.tokens[open].start as usize];
        if closing(opened) != self.bytes[self.at] {
            return Err(unexpected);
        }
        self.tokens[open].link = self.tokens.len() as u32;
        self.at += 1;
        self.push(TokenKind::Close, Symbol::NONE, self.at - 1);
        let last = self.tokens.len() - 1;
        self.tokens[last].link = open as u32;
        Ok(())
    }

    fn operator(&mut self) -> Result<()> {
        let start = self.at;
        let (symbol, length) = operator(self.peek(0), self.peek(1), self.peek(2));
        if length == 0 {
            return Err(LexError { at: start, expected: "a token of Rust" });
        }
        self.at += length;
        self.push(TokenKind::Operator, symbol, start);
        Ok(())
    }
}

/// The docs in a text of white space and comments, as they are written.
pub(crate) fn docs(mut between: &str) -> Vec<&str> {
    let mut found = Vec::new();
    while let Some(at) = between.find('/') {
        let comment = &between[at..];
        let is_line = comment.starts_with("//");
        let end = if is_line { comment.find('\n').unwrap_or(comment.len()) } else { block_end(comment) };
        let text = &comment[..end];
        let is_doc = match is_line {
            true => text.starts_with("//!") || (text.starts_with("///") && !text.starts_with("////")),
            false => {
                text.starts_with("/*!") || (text.starts_with("/**") && !text.starts_with("/***") && text.len() > 4)
            }
        };
        found.extend(is_doc.then_some(text));
        between = &comment[end..];
    }
    found
}

/// Where the `/* … */` at the head of a text ends.
fn block_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

pub(crate) fn closing(open: u8) -> u8 {
    match open {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

/// The longest operator, and its length; zero where there is none. `<-` is two, as for the parser.
fn operator(first: u8, second: u8, third: u8) -> (Symbol, usize) {
    let three = match (first, second, third) {
        (b'.', b'.', b'.') => Symbol::DOTS3,
        (b'.', b'.', b'=') => Symbol::DOTS_EQ,
        (b'<', b'<', b'=') => Symbol::SHL_EQ,
        (b'>', b'>', b'=') => Symbol::SHR_EQ,
        _ => Symbol::NONE,
    };
    if three != Symbol::NONE {
        return (three, 3);
    }
    match two(first, second) {
        Symbol::NONE => match one(first) {
            Symbol::NONE => (Symbol::NONE, 0),
            symbol => (symbol, 1),
        },
        symbol => (symbol, 2),
    }
}

fn two(first: u8, second: u8) -> Symbol {
    match (first, second) {
        (b'!', b'=') => Symbol::NE,
        (b'%', b'=') => Symbol::REM_EQ,
        (b'&', b'&') => Symbol::AND2,
        (b'&', b'=') => Symbol::AND_EQ,
        (b'*', b'=') => Symbol::MUL_EQ,
        (b'+', b'=') => Symbol::ADD_EQ,
        (b'-', b'=') => Symbol::SUB_EQ,
        (b'-', b'>') => Symbol::ARROW,
        (b'.', b'.') => Symbol::DOTS,
        (b'/', b'=') => Symbol::DIV_EQ,
        (b':', b':') => Symbol::COLON2,
        (b'<', b'<') => Symbol::SHL,
        (b'<', b'=') => Symbol::LE,
        (b'=', b'=') => Symbol::EQ2,
        (b'=', b'>') => Symbol::FAT_ARROW,
        (b'>', b'=') => Symbol::GE,
        (b'>', b'>') => Symbol::SHR,
        (b'^', b'=') => Symbol::XOR_EQ,
        (b'|', b'=') => Symbol::OR_EQ,
        (b'|', b'|') => Symbol::OR2,
        _ => Symbol::NONE,
    }
}

fn one(byte: u8) -> Symbol {
    match byte {
        b'!' => Symbol::BANG,
        b'#' => Symbol::POUND,
        b'$' => Symbol::DOLLAR,
        b'%' => Symbol::PERCENT,
        b'&' => Symbol::AND,
        b'*' => Symbol::STAR,
        b'+' => Symbol::PLUS,
        b',' => Symbol::COMMA,
        b'-' => Symbol::MINUS,
        b'.' => Symbol::DOT,
        b'/' => Symbol::SLASH,
        b':' => Symbol::COLON,
        b';' => Symbol::SEMI,
        b'<' => Symbol::LT,
        b'=' => Symbol::EQ,
        b'>' => Symbol::GT,
        b'?' => Symbol::QUESTION,
        b'@' => Symbol::AT,
        b'\\' => Symbol::BACKSLASH,
        b'^' => Symbol::CARET,
        b'|' => Symbol::OR,
        b'~' => Symbol::TILDE,
        _ => Symbol::NONE,
    }
}

#[cfg(test)]
mod tests;
