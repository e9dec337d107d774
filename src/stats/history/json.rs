//! The part of JSON that lines of counts need: objects, texts and whole numbers.

use std::fmt::Write as _;

/// Values of fields that a later version adds may be nested so deep.
const DEPTH_MAX: usize = 8;

/// Adds `text` in quotes.
pub(super) fn push_text(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if c.is_control() => drop(write!(line, "\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line.push('"');
}

/// Reads a line from its beginning on; `None` says that it isn't one.
pub(super) struct JsonCursor<'a> {
    rest: &'a [u8],
}

impl<'a> JsonCursor<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    /// Nothing follows.
    pub(super) fn end(&mut self) -> Option<()> {
        self.space();
        self.rest.is_empty().then_some(())
    }

    /// Reads an object: `field` reads the value of each name.
    pub(super) fn object(&mut self, mut field: impl FnMut(&mut Self, String) -> Option<()>) -> Option<()> {
        self.list(b'{', b'}', |cursor| {
            let name = cursor.text()?;
            cursor.expect(b':')?;
            field(cursor, name)
        })
    }

    /// Reads an array of texts.
    pub(super) fn texts(&mut self) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        self.list(b'[', b']', |cursor| {
            texts.push(cursor.text()?);
            Some(())
        })?;
        Some(texts)
    }

    /// Reads a whole number of 64 bits without a sign.
    pub(super) fn number(&mut self) -> Option<u64> {
        self.space();
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        str::from_utf8(number).ok()?.parse().ok()
    }

    /// Reads a text in quotes.
    pub(super) fn text(&mut self) -> Option<String> {
        self.expect(b'"')?;
        let mut text = Vec::new();
        loop {
            match self.byte()? {
                b'"' => return String::from_utf8(text).ok(),
                b'\\' => text.extend_from_slice(self.escaped()?.encode_utf8(&mut [0; 4]).as_bytes()),
                byte if byte < b' ' => return None,
                byte => text.push(byte),
            }
        }
    }

    /// Passes over whatever value stands here.
    pub(super) fn skip(&mut self) -> Option<()> {
        self.skip_within(DEPTH_MAX)
    }

    fn skip_within(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.space();
        match self.rest.first()? {
            b'"' => self.text().map(drop),
            b'[' => self.list(b'[', b']', |cursor| cursor.skip_within(depth)),
            b'{' => self.list(b'{', b'}', |cursor| {
                cursor.text()?;
                cursor.expect(b':')?;
                cursor.skip_within(depth)
            }),
            _ => {
                let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                let length = self.rest.iter().take_while(is_word).count();
                self.rest = &self.rest[length..];
                (length > 0).then_some(())
            }
        }
    }

    fn list(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(open)?;
        if self.takes(close) {
            return Some(());
        }
        loop {
            item(self)?;
            if self.takes(close) {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    fn escaped(&mut self) -> Option<char> {
        match self.byte()? {
            b'u' => {
                let (hex, rest) = self.rest.split_at_checked(4)?;
                self.rest = rest;
                let is_hex = hex.iter().all(u8::is_ascii_hexdigit);
                let code = u32::from_str_radix(str::from_utf8(hex).ok().filter(|_| is_hex)?, 16).ok()?;
                char::from_u32(code)
            }
            b'n' => Some('\n'),
            b't' => Some('\t'),
            b'r' => Some('\r'),
            b'b' => Some('\u{8}'),
            b'f' => Some('\u{c}'),
            byte @ (b'"' | b'\\' | b'/') => Some(char::from(byte)),
            _ => None,
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.takes(byte).then_some(())
    }

    fn takes(&mut self, byte: u8) -> bool {
        self.space();
        let taken = self.rest.strip_prefix(&[byte]);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}
