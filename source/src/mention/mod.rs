//! What an item's tokens mention: paths, methods, macros; nothing is resolved yet.

mod attribute;
mod local;
mod text;

use std::borrow::Cow;

use crate::file::File;
use crate::index::{Index, ItemId, ItemKind};
use crate::lex::TokenKind;
use crate::symbol::{Set, Symbol};

pub(crate) use attribute::{COUNTED_OPTIONS, caching, has_read_docs, is_remade};
pub(crate) use local::{Receiver, angle_end, type_head};

/// A path as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) segments: Vec<Symbol>,
    /// Begins with `::`.
    pub(crate) global: bool,
}

/// One thing that an item's tokens mention, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mention {
    Path {
        path: Path,
        /// A variable of this name is in sight, so that no function is meant.
        local: bool,
    },
    /// `.name()`
    Method {
        name: Symbol,
        receiver: Receiver,
    },
    /// `<…>::name`, or what follows a macro's variable.
    Qualified(Symbol),
    Macro(Path),
    /// A path that goes on with a macro's variable, `module::$name`: anything in it.
    AnythingIn(Path),
    /// The trait after `dyn`.
    Dyn(Path),
    /// A path in the string of an attribute.
    Text(Path),
    /// A macro in `derive(…)`, or an attribute that isn't the compiler's own.
    Attribute(Path),
    /// The file that the `include!` at this token names.
    Include(u32),
    /// A name pasted together by a macro: `[<…>]`.
    Pasted,
}

/// Everything that the item mentions, without what the members of an `impl` or a trait do.
pub(crate) fn mentions(index: &Index, id: ItemId) -> Vec<Mention> {
    let item = index.item(id);
    let file = index.file_of(item);
    let to = match item.kind {
        ItemKind::Impl | ItemKind::Trait => item.head_end(),
        _ => item.to as usize,
    };
    let mut scan = MentionScan {
        index,
        file,
        to,
        macro_end: 0,
        known_macro_end: 0,
        after_dyn: false,
        taken: Set::default(),
        locals: local::Locals::of(index, id),
        found: Vec::new(),
    };
    scan.run(item.from as usize);
    scan.found
}

struct MentionScan<'a> {
    index: &'a Index,
    file: &'a File,
    to: usize,
    /// Where the input of the outermost macro call ends that has begun; literals in it are searched.
    macro_end: usize,
    /// Where the input of a macro ends that is known to evaluate its arguments where they stand.
    known_macro_end: usize,
    after_dyn: bool,
    /// Segments behind generic arguments whose path is complete already.
    taken: Set<usize>,
    locals: local::Locals,
    found: Vec<Mention>,
}

/// Macros of the standard library that take expressions.
const EVALUATING: [&str; 24] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "matches",
    "panic",
    "print",
    "println",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
    "azip",
    "array",
    "s",
];

/// Whether a macro of that name takes expressions, and nothing else from its input.
pub(crate) fn evaluates(name: &str) -> bool {
    EVALUATING.contains(&name)
}

/// The kind of a macro's variable: `expr` in `$x:expr`.
pub(crate) fn is_fragment(file: &File, at: usize) -> bool {
    at >= 3 && file.symbol(at - 1) == Symbol::COLON && file.symbol(at - 3) == Symbol::DOLLAR
}

impl MentionScan<'_> {
    fn run(&mut self, mut at: usize) {
        while at < self.to {
            let token = self.file.tokens[at];
            at = match token.kind {
                TokenKind::Ident => self.ident(at, token.symbol),
                TokenKind::Literal => self.literal(at),
                TokenKind::Operator if token.symbol == Symbol::POUND => self.pound(at),
                TokenKind::Open => self.open(at),
                _ => at + 1,
            };
        }
    }

    fn literal(&mut self, at: usize) -> usize {
        if at < self.macro_end {
            let value = self.file.value(at).unwrap_or(Cow::Borrowed(self.file.text_of(at)));
            for name in text::formatted(&value) {
                if let Some(name) = self.index.symbols.find(name) {
                    let local = at < self.known_macro_end && self.locals.is_in_sight(name, at);
                    let path = Path { segments: vec![name], global: false };
                    self.found.push(Mention::Path { path, local });
                }
            }
        }
        at + 1
    }

    fn pound(&mut self, at: usize) -> usize {
        match crate::index::attribute(self.file, at) {
            Some(bracket) => {
                attribute::mentions(self.index, self.file, bracket, &mut self.found);
                self.file.after(bracket)
            }
            None => at + 1,
        }
    }

    fn open(&mut self, at: usize) -> usize {
        let pasted = at < self.macro_end && self.file.is_open(at, b'[') && self.file.symbol(at + 1) == Symbol::LT;
        if pasted {
            self.found.push(Mention::Pasted);
        }
        at + 1
    }

    fn ident(&mut self, at: usize, symbol: Symbol) -> usize {
        let next = self.file.symbol(at + 1);
        match symbol {
            Symbol::DYN => self.after_dyn = true,
            Symbol::MACRO_RULES if next == Symbol::BANG => return at + 3,
            Symbol::PUB => return crate::index::after_visibility(self.file, at),
            Symbol::FN | Symbol::STRUCT | Symbol::ENUM | Symbol::TRAIT | Symbol::TYPE | Symbol::MOD
                if self.file.name(at + 1).is_some() =>
            {
                return at + 2;
            }
            Symbol::USE if next != Symbol::LT => return self.after_use(at),
            Symbol::SELF if next != Symbol::COLON2 => {}
            Symbol::CRATE | Symbol::SUPER | Symbol::SELF | Symbol::SELF_TYPE => return self.path(at),
            symbol if symbol.is_keyword() => {}
            _ => return self.name(at, symbol),
        }
        at + 1
    }

    /// Imports enter by what they make of mentions.
    fn after_use(&mut self, from: usize) -> usize {
        let mut at = from;
        let mut variable = false;
        while at < self.to && self.file.symbol(at) != Symbol::SEMI {
            variable |= self.file.symbol(at) == Symbol::DOLLAR && self.file.symbol(at + 1) != Symbol::CRATE;
            at += 1;
        }
        if variable {
            for used in crate::index::used(self.file, from + 1, at) {
                let segments = used.path[..used.path.len().saturating_sub(1)].to_vec();
                if !segments.is_empty() {
                    self.found.push(Mention::AnythingIn(Path { segments, global: used.global }));
                }
            }
        }
        at
    }

    /// `path::$name`, the path's last segment at `last`.
    fn variable(&mut self, last: usize) {
        let goes_on = self.file.symbol(last + 1) == Symbol::COLON2 && self.file.symbol(last + 2) == Symbol::DOLLAR;
        if !goes_on || !self.file.is_ident(last) {
            return;
        }
        let mut segments = vec![self.file.symbol(last)];
        let mut at = last;
        while at >= 2 && self.file.symbol(at - 1) == Symbol::COLON2 && self.file.is_ident(at - 2) {
            at -= 2;
            segments.insert(0, self.file.symbol(at));
        }
        let global = at > 0 && self.file.symbol(at - 1) == Symbol::COLON2;
        self.found.push(Mention::AnythingIn(Path { segments, global }));
    }

    fn name(&mut self, at: usize, symbol: Symbol) -> usize {
        let before = if at > 0 { self.file.symbol(at - 1) } else { Symbol::NONE };
        if is_fragment(self.file, at) {
            return at + 1;
        }
        if before == Symbol::DOT {
            self.member(at, symbol);
            return at + 1;
        }
        if before == Symbol::COLON2 && !self.begins_global(at) {
            if self.taken.contains(&at) {
                return at + 1;
            }
            self.found.push(Mention::Qualified(symbol));
            // After a comparison a path may begin with `::`.
            let compared = at >= 2 && matches!(self.file.symbol(at - 2), Symbol::GT | Symbol::SHR);
            return if compared { self.path(at) } else { at + 1 };
        }
        self.path(at)
    }

    /// Whether the `::` before `at` begins a path.
    fn begins_global(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(2) else { return true };
        let token = &self.file.tokens[before];
        let ends_path = token.kind == TokenKind::Ident && !token.symbol.is_keyword();
        let angle = matches!(token.symbol, Symbol::GT | Symbol::SHR);
        let group = token.kind == TokenKind::Close;
        !ends_path && !angle && !group && !self.taken.contains(&at)
    }

    /// `.name` is a field unless it is called.
    fn member(&mut self, at: usize, name: Symbol) {
        let next = self.file.symbol(at + 1);
        let generic = next == Symbol::COLON2 && self.file.symbol(at + 2) == Symbol::LT;
        let is_input = at < self.macro_end && at >= self.known_macro_end;
        // The parentheses may come out of a macro, or with a variable in its body.
        if self.file.is_open(at + 1, b'(') || generic || next == Symbol::DOLLAR || is_input {
            let receiver = if is_input { Receiver::Any } else { self.locals.receiver(self.file, at - 1) };
            self.found.push(Mention::Method { name, receiver });
        }
    }

    /// A path that begins at `at`; returns where scanning goes on.
    fn path(&mut self, at: usize) -> usize {
        let variable = at > 0 && self.file.symbol(at - 1) == Symbol::DOLLAR && self.file.symbol(at) != Symbol::CRATE;
        let global = at > 0 && self.file.symbol(at - 1) == Symbol::COLON2;
        let (segments, last, resume) = self.segments(at);
        let path = Path { segments, global };
        self.variable(last);
        if variable {
            self.found.extend(path.segments[1..].iter().map(|&name| Mention::Qualified(name)));
        } else if self.file.symbol(last + 1) == Symbol::BANG && self.calls_macro(last) {
            self.begin_macro(last, &path);
            self.found.push(Mention::Macro(path));
        } else if self.after_dyn {
            self.after_dyn = false;
            self.found.push(Mention::Dyn(path));
        } else if !self.is_label(at, &path) {
            if path.segments.len() == 1 && at < self.macro_end && at >= self.known_macro_end {
                // A macro may put the name behind a `.` or a `::`.
                self.found.push(Mention::Qualified(path.segments[0]));
            }
            let local = path.segments.len() == 1
                && (at >= self.macro_end || at < self.known_macro_end)
                && self.locals.is_in_sight(path.segments[0], at);
            self.found.push(Mention::Path { path, local });
        }
        resume
    }

    fn calls_macro(&self, last: usize) -> bool {
        self.file.tokens.get(last + 2).is_some_and(|token| token.kind == TokenKind::Open)
            || self.file.is_ident(last + 2)
    }

    fn begin_macro(&mut self, last: usize, path: &Path) {
        let Some(token) = self.file.tokens.get(last + 2).filter(|token| token.kind == TokenKind::Open) else { return };
        let end = token.link as usize;
        self.macro_end = self.macro_end.max(end);
        let name = path.segments.last().map_or("", |name| self.index.symbols.text(*name));
        let own = path.segments.last().is_some_and(|name| !self.index.macros_named(self.file.krate, *name).is_empty());
        if EVALUATING.contains(&name) && !own && (last >= self.macro_end || self.known_macro_end < end) {
            self.known_macro_end = end;
        }
        if name == "include" && self.index.included.contains_key(&(self.file_number(), last as u32)) {
            self.found.push(Mention::Include(last as u32));
        }
    }

    fn file_number(&self) -> u32 {
        self.index.files.iter().position(|file| std::ptr::eq(file, self.file)).unwrap_or(0) as u32
    }

    /// `name:` of a field or a parameter: lower case, since what a `where` clause names isn't one.
    fn is_label(&self, at: usize, path: &Path) -> bool {
        let lower = self.file.text_of(at).starts_with(|first: char| first.is_lowercase() || first == '_');
        path.segments.len() == 1 && lower && self.file.symbol(at + 1) == Symbol::COLON && at >= self.macro_end
    }

    /// The segments of a path, the index of its last one, and where scanning goes on: inside generic arguments.
    fn segments(&mut self, at: usize) -> (Vec<Symbol>, usize, usize) {
        let mut segments = vec![self.file.symbol(at)];
        let (mut last, mut resume) = (at, at + 1);
        while let Some(next) = self.next_segment(last) {
            segments.push(self.file.symbol(next));
            if resume == last + 1 && next == last + 2 {
                resume = next + 1;
            } else {
                self.taken.insert(next);
            }
            last = next;
        }
        (segments, last, resume)
    }

    fn next_segment(&self, last: usize) -> Option<usize> {
        let colons = self.file.symbol(last + 1) == Symbol::COLON2;
        let angle = if colons { last + 2 } else { last + 1 };
        let next = if self.file.symbol(angle) == Symbol::LT {
            let close = local::angle_end(self.file, angle, self.to)?;
            (self.file.symbol(close + 1) == Symbol::COLON2).then_some(close + 2)?
        } else if colons {
            angle
        } else {
            return None;
        };
        (next < self.to && self.file.is_ident(next)).then_some(next)
    }
}
