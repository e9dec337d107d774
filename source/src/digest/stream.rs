//! The canonical tokens of an item: what formatting, docs, lints and visibility change is left out.
//!
//! The rules are those of the code digest (`docs/format.md`, "Tokens of code"), and so are the reasons: docs and lints
//! are no code, a visibility only says who may name an item, and commas that end a list aren't read. In the input of a
//! macro everything counts but comments.

use xxhash_rust::xxh3::Xxh3;

use crate::cfg;
use crate::facts;
use crate::file::File;
use crate::index::{Index, ItemId, ItemKind, OWN, after_visibility, attribute};
use crate::lex::{self, TokenKind};
use crate::mention::{COUNTED_OPTIONS, angle_end, caching, has_read_docs};
use crate::reach::Fact;
use crate::symbol::Symbol;

/// XXH3-128 of tagged and measured pieces.
pub(super) struct Stream(Xxh3);

impl Stream {
    pub(super) fn new(domain: &str) -> Stream {
        let mut stream = Stream(Xxh3::new());
        stream.text(domain);
        stream
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn finish(&self) -> [u8; 16] {
        self.0.digest128().to_be_bytes()
    }
}

/// The digest of an item's tokens and guards, and of what the compiler's arguments decide in them; of an `impl` or a trait those before its members.
pub(crate) fn content(index: &Index, id: ItemId) -> [u8; 16] {
    let item = index.item(id);
    let file = index.file_of(item);
    let mut stream = Stream::new("ndcache-part:1");
    if index.crate_of(item) != OWN {
        stream.number(u64::from(index.session_of(file).edition));
    }
    stream.number(item.guards.len() as u64);
    for guard in &item.guards {
        stream.text(&index.words(guard.file, guard.from as usize, guard.to as usize));
    }
    for fact in facts::of(index, id).into_iter().chain(facts::passed(index, id).facts) {
        if let Fact::Cfg(predicate, Some(value)) = fact {
            stream.text(&predicate);
            stream.number(u64::from(value));
        }
    }
    let to = match item.kind {
        ItemKind::Impl | ItemKind::Trait => item.head_end(),
        _ => item.to as usize,
    };
    let mut tokens = Tokens { index, file, bytes: Vec::new() };
    let docs = has_read_docs(index, id);
    if docs {
        tokens.docs(item.from as usize);
    }
    let from = tokens.attributes(item.from as usize, to, docs);
    tokens.level(from, to, Level { docs, ..Level::default() });
    stream.bytes(&tokens.bytes);
    stream.finish()
}

/// The digest of statements of a file, by the tokens of each.
pub(crate) fn statements(index: &Index, file: u32, ranges: &[(usize, usize)]) -> [u8; 16] {
    let mut stream = Stream::new("ndcache-statements:1");
    stream.number(ranges.len() as u64);
    for &(from, to) in ranges {
        let mut tokens = Tokens { index, file: &index.files[file as usize], bytes: Vec::new() };
        tokens.level(from, to, Level::default());
        stream.bytes(&tokens.bytes);
    }
    stream.finish()
}

/// The digest of a whole file.
pub(super) fn file(index: &Index, file: usize) -> [u8; 16] {
    let file = &index.files[file];
    let mut stream = Stream::new("ndcache-file:1");
    if file.krate != OWN {
        stream.number(u64::from(index.session_of(file).edition));
    }
    let mut tokens = Tokens { index, file, bytes: Vec::new() };
    tokens.level(0, file.tokens.len(), Level::default());
    stream.bytes(&tokens.bytes);
    stream.finish()
}

/// Where a level of tokens stands.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Whether it is in the input of a macro, or in an attribute.
    raw: bool,
    /// Whether it is in the input of a macro that may read it as text: layout and docs count.
    text: bool,
    /// Whether an attribute or a derive of another crate that may read docs stands before it.
    docs: bool,
    /// A comma before its end isn't read.
    closes_list: bool,
}

struct Tokens<'a> {
    index: &'a Index,
    file: &'a File,
    bytes: Vec<u8>,
}

impl Tokens<'_> {
    /// The attributes before an item: `cfg` is decided or a guard, and of `cache` and `code` some options count. Returns
    /// where the item goes on.
    fn attributes(&mut self, mut at: usize, to: usize, docs: bool) -> usize {
        while let Some(bracket) = attribute(self.file, at).filter(|_| at < to) {
            let after = self.file.after(bracket);
            if let Some(name) = caching(self.file, bracket) {
                self.options(name);
            } else if self.file.symbol(bracket + 1) != Symbol::CFG {
                self.level(at, after, Level::default());
            }
            at = after;
            // Docs before the keyword stand before the next level's first token.
            if docs && attribute(self.file, at).is_some_and(|_| at < to) {
                self.docs(at);
            }
        }
        at
    }

    fn options(&mut self, name: usize) {
        if !self.file.is_open(name + 1, b'(') {
            return;
        }
        for (from, to) in cfg::arguments(self.file, name + 2, self.file.tokens[name + 1].link as usize) {
            if COUNTED_OPTIONS.contains(&self.file.text_of(from)) {
                self.level(from, to, Level { raw: true, ..Level::default() });
            }
        }
    }

    fn level(&mut self, from: usize, to: usize, place: Level) {
        let mut at = from;
        while at < to {
            let next = self.dropped(at, place);
            if next > at {
                at = next;
                continue;
            }
            if place.text || place.docs {
                self.docs(at);
            }
            let idle = !place.raw && self.file.symbol(at) == Symbol::COMMA && self.is_idle(from, at, to, place);
            if !idle {
                self.token(at, from, place);
            }
            at = self.file.after(at);
            if place.text && at < to {
                self.layout(at);
            }
        }
        // Behind an item stand the docs of the next.
        let is_group = self.file.tokens.get(to).is_some_and(|token| token.kind == TokenKind::Close);
        if (place.text || place.docs) && is_group {
            self.docs(to);
        }
    }

    /// Whether something stands between the token at `at` and the one before.
    fn layout(&mut self, at: usize) {
        let parted = self.file.tokens[at - 1].end < self.file.tokens[at].start;
        self.bytes.push(if parted { b' ' } else { b'&' });
    }

    /// The docs before the token at `at`: to a macro they are tokens.
    fn docs(&mut self, at: usize) {
        let Some(next) = self.file.tokens.get(at) else { return };
        let end = at.checked_sub(1).map_or(0, |before| self.file.tokens[before].end);
        let between = &self.file.text[end as usize..next.start as usize];
        for doc in lex::docs(between) {
            self.bytes.push(b'd');
            self.bytes.extend((doc.len() as u32).to_le_bytes());
            self.bytes.extend(doc.as_bytes());
        }
    }

    /// Behind docs, lint attributes and visibilities, if one begins here.
    fn dropped(&self, at: usize, place: Level) -> usize {
        if place.raw {
            return at;
        }
        match attribute(self.file, at) {
            Some(bracket) if self.is_silent(bracket) => self.file.after(bracket),
            _ if self.file.symbol(at) == Symbol::PUB => after_visibility(self.file, at),
            _ => at,
        }
    }

    fn is_silent(&self, bracket: usize) -> bool {
        let next = self.file.symbol(bracket + 2);
        match self.file.symbol(bracket + 1) {
            Symbol::DOC => true,
            Symbol::ALLOW | Symbol::WARN | Symbol::DENY | Symbol::FORBID | Symbol::EXPECT => next == Symbol::NONE,
            _ => false,
        }
    }

    fn token(&mut self, at: usize, from: usize, place: Level) {
        let token = &self.file.tokens[at];
        match token.kind {
            TokenKind::Ident => self.tagged(b'i', at),
            TokenKind::Lifetime => self.tagged(b'\'', at),
            TokenKind::Literal => self.tagged(b'l', at),
            TokenKind::Operator => self.tagged(if place.raw && self.touches_minus(at) { b'j' } else { b'o' }, at),
            TokenKind::Open => self.group(at, from, place),
            TokenKind::Close => {}
        }
    }

    /// `<-` in the input of a macro, which may tell it from `< -`.
    fn touches_minus(&self, at: usize) -> bool {
        let (token, next) = (&self.file.tokens[at], self.file.tokens.get(at + 1));
        token.symbol == Symbol::LT && next.is_some_and(|next| next.symbol == Symbol::MINUS && next.start == token.end)
    }

    fn tagged(&mut self, tag: u8, at: usize) {
        let text = self.file.text_of(at);
        self.bytes.push(tag);
        self.bytes.extend((text.len() as u32).to_le_bytes());
        self.bytes.extend(text.as_bytes());
    }

    fn group(&mut self, at: usize, from: usize, place: Level) {
        let close = self.file.tokens[at].link as usize;
        let is_input = self.is_macro_input(at, from);
        let raw = place.raw || is_input || self.is_attribute(at, from);
        let text = place.text || (is_input && self.is_text(at));
        let parenthesis = self.file.is_open(at, b'(');
        let closes_list = !parenthesis || self.opens_list(at, from) || self.has_plain_comma(at);
        self.bytes.extend(self.file.text_of(at).as_bytes());
        if place.text {
            self.layout(at + 1);
            self.layout(close);
        }
        self.level(at + 1, close, Level { raw, text, docs: place.docs, closes_list });
        self.bytes.extend(self.file.text_of(close).as_bytes());
    }

    /// `name!` or `macro_rules! name` before a group.
    fn is_macro_input(&self, at: usize, from: usize) -> bool {
        let (Some(first), Some(second)) = (at.checked_sub(1), at.checked_sub(2)) else { return false };
        if second < from {
            return false;
        }
        let called = self.file.symbol(first) == Symbol::BANG && self.file.name(second).is_some();
        let ruled = second > from
            && self.file.symbol(second) == Symbol::BANG
            && self.file.symbol(second - 1) == Symbol::MACRO_RULES;
        called || ruled
    }

    /// Whether the macro whose input opens at `at` may read it as text. What a `macro_rules!` holds is its own.
    fn is_text(&self, at: usize) -> bool {
        if self.file.symbol(at - 1) != Symbol::BANG {
            return false;
        }
        let is_variable = at > 2 && self.file.symbol(at - 3) == Symbol::DOLLAR;
        is_variable || self.index.reads_of(self.file.krate, self.file.symbol(at - 2)).text
    }

    fn is_attribute(&self, at: usize, from: usize) -> bool {
        let before = |back: usize| at.checked_sub(back).filter(|&at| at >= from).map(|at| self.file.symbol(at));
        let bang = before(1) == Some(Symbol::BANG) && before(2) == Some(Symbol::POUND);
        self.file.is_open(at, b'[') && (bang || before(1) == Some(Symbol::POUND))
    }

    /// After a name, `fn`, `Self` or the `>` of a generic list, a parenthesis holds arguments, parameters or fields.
    fn opens_list(&self, at: usize, from: usize) -> bool {
        let Some(before) = at.checked_sub(1).filter(|&before| before >= from) else { return false };
        let symbol = self.file.symbol(before);
        let named = self.file.name(before).is_some() || matches!(symbol, Symbol::FN | Symbol::SELF_TYPE);
        named || (matches!(symbol, Symbol::GT | Symbol::SHR) && self.closes_generic_list(before, from))
    }

    fn closes_generic_list(&self, end: usize, from: usize) -> bool {
        (from..end).any(|open| self.opens_generic_list(open) && angle_end(self.file, open, end + 1) == Some(end))
    }

    /// `::<` and `fn name<`: only these are known to be lists without parsing expressions.
    fn opens_generic_list(&self, open: usize) -> bool {
        let before = |back: usize| open.checked_sub(back).map_or(Symbol::NONE, |at| self.file.symbol(at));
        self.file.symbol(open) == Symbol::LT && (before(1) == Symbol::COLON2 || before(2) == Symbol::FN)
    }

    /// Whether two commas of the group surely separate elements, so that it is no parenthesised value with one.
    fn has_plain_comma(&self, open: usize) -> bool {
        let close = self.file.tokens[open].link as usize;
        let (mut commas, mut at) = (0, open + 1);
        while at < close {
            match self.file.symbol(at) {
                Symbol::COMMA => commas += 1,
                Symbol::FAT_ARROW => {}
                _ if self.file.is_operator(at) && self.file.text_of(at).contains(['<', '>', '|']) => return false,
                _ => {}
            }
            at = self.file.after(at);
        }
        commas >= 2
    }

    /// A comma that rustfmt adds or takes away and that Rust doesn't read.
    fn is_idle(&self, from: usize, at: usize, to: usize, place: Level) -> bool {
        let next = at + 1;
        if next >= to {
            return place.closes_list && from > 0 && self.file.tokens[from - 1].kind == TokenKind::Open;
        }
        let arm = at >= from + 2
            && self.file.text_of(at - 1) == "}"
            && self.file.opening(at).is_some_and(|open| open > from && self.file.symbol(open - 1) == Symbol::FAT_ARROW);
        let ends_where =
            (self.file.symbol(next) == Symbol::SEMI || self.file.is_open(next, b'{')) && self.in_where(from, at);
        let ends_generics =
            matches!(self.file.symbol(next), Symbol::GT | Symbol::SHR) && self.closes_generic_list(next, from);
        arm || ends_where || ends_generics
    }

    /// Whether a `where` stands before, in the same item.
    fn in_where(&self, from: usize, mut at: usize) -> bool {
        while at > from {
            let before = at - 1;
            match self.file.symbol(before) {
                Symbol::WHERE => return true,
                Symbol::SEMI => return false,
                _ => {}
            }
            if self.file.text_of(before) == "}" {
                return false;
            }
            at = self.file.opening(at).unwrap_or(before);
        }
        false
    }
}
