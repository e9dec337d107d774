//! The variables of a function: their written types, and where one hides a function of the same name.

use crate::file::File;
use crate::index::{Index, ItemId, ItemKind, called_macro};
use crate::lex::TokenKind;
use crate::symbol::{Map, Symbol};

/// What a method is called on, as far as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// `self`
    SelfType,
    /// A variable whose type is written: the first path of that type.
    Written(Vec<Symbol>),
    Any,
}

/// How often a name is bound, and the type that is written beside it.
#[derive(Default)]
struct Bound {
    times: usize,
    head: Option<Vec<Symbol>>,
}

#[derive(Default)]
pub(super) struct Locals {
    bound: Map<Symbol, Bound>,
    /// Whether the body may hold an `impl`, in which `self` is another variable.
    has_impl: bool,
    /// A variable and the tokens from which it is seen.
    sights: Vec<(Symbol, usize, usize)>,
}

impl Locals {
    pub(super) fn of(index: &Index, id: ItemId) -> Locals {
        let item = index.item(id);
        let mut locals = Locals::default();
        let (ItemKind::Fn, Some(body)) = (item.kind, item.body) else { return locals };
        let file = index.file_of(item);
        let (keyword, body) = (item.keyword as usize, body as usize);
        let close = file.tokens[body].link as usize;
        if let Some(open) = parameter_list(file, keyword, body) {
            locals.parameters(file, open, Some((body, close)));
        }
        let mut collector =
            Collector { index, file, locals: &mut locals, nested: false, imported: Vec::new(), has_glob: false };
        collector.run(body, close);
        collector.hide();
        locals
    }

    /// Whether a variable of that name hides what the name stands for outside.
    pub(super) fn is_in_sight(&self, name: Symbol, at: usize) -> bool {
        self.sights.iter().any(|&(other, from, to)| other == name && (from..to).contains(&at))
    }

    /// What stands before the `.` at `dot`.
    pub(super) fn receiver(&self, file: &File, dot: usize) -> Receiver {
        let Some(at) = dot.checked_sub(1) else { return Receiver::Any };
        let before = at.checked_sub(1).map_or(Symbol::NONE, |before| file.symbol(before));
        if matches!(before, Symbol::DOT | Symbol::COLON2 | Symbol::DOLLAR) || !file.is_ident(at) {
            return Receiver::Any;
        }
        if file.symbol(at) == Symbol::SELF {
            return if self.has_impl { Receiver::Any } else { Receiver::SelfType };
        }
        match self.bound.get(&file.symbol(at)) {
            Some(Bound { times: 1, head: Some(head) }) => Receiver::Written(head.clone()),
            _ => Receiver::Any,
        }
    }

    fn parameters(&mut self, file: &File, open: usize, sight: Option<(usize, usize)>) {
        for (from, to) in crate::cfg::arguments(file, open + 1, file.tokens[open].link as usize) {
            let Some(colon) = level(file, from, to).find(|&at| file.symbol(at) == Symbol::COLON) else { continue };
            self.bind_all(file, from, colon);
            let simple = file.name(colon - 1).filter(|_| colon - 1 == from || file.symbol(colon - 2) == Symbol::MUT);
            let Some(name) = simple else { continue };
            self.write(file, name, colon + 1, to);
            self.sights.extend(sight.map(|(from, to)| (name, from, to)));
        }
    }

    fn write(&mut self, file: &File, name: Symbol, from: usize, to: usize) {
        self.bound.entry(name).or_default().head = type_head(file, from, to);
    }

    fn bind_all(&mut self, file: &File, from: usize, to: usize) {
        for name in (from..to).filter_map(|at| file.name(at)) {
            self.bound.entry(name).or_default().times += 1;
        }
    }
}

/// Positions of a level, groups as one.
fn level(file: &File, from: usize, to: usize) -> impl Iterator<Item = usize> {
    std::iter::successors((from < to).then_some(from), move |&at| Some(file.after(at)).filter(|&next| next < to))
}

/// The parenthesis of `fn name<…>(…)`.
fn parameter_list(file: &File, keyword: usize, to: usize) -> Option<usize> {
    let mut at = keyword + 2;
    if file.symbol(at) == Symbol::LT {
        at = angle_end(file, at, to)? + 1;
    }
    file.is_open(at, b'(').then_some(at)
}

/// The first path of a type, behind references; `None` for what isn't a path.
pub(crate) fn type_head(file: &File, mut at: usize, to: usize) -> Option<Vec<Symbol>> {
    while at < to {
        let token = &file.tokens[at];
        let skipped =
            matches!(token.symbol, Symbol::AND | Symbol::AND2 | Symbol::MUT) || token.kind == TokenKind::Lifetime;
        if !skipped {
            break;
        }
        at += 1;
    }
    let mut segments = Vec::new();
    while at < to && file.is_ident(at) {
        let symbol = file.symbol(at);
        let begins = matches!(symbol, Symbol::CRATE | Symbol::SELF | Symbol::SUPER | Symbol::SELF_TYPE);
        if symbol.is_keyword() && !begins {
            return None;
        }
        segments.push(symbol);
        if file.symbol(at + 1) != Symbol::COLON2 {
            break;
        }
        at += 2;
    }
    (!segments.is_empty()).then_some(segments)
}

/// The `>` that closes the `<` at `open`, if the two are brackets.
pub(crate) fn angle_end(file: &File, open: usize, to: usize) -> Option<usize> {
    let mut depth = 0_i32;
    let mut at = open;
    while at < to {
        depth += match file.symbol(at) {
            Symbol::LT => 1,
            Symbol::SHL => 2,
            Symbol::GT | Symbol::GE => -1,
            Symbol::SHR | Symbol::SHR_EQ => -2,
            Symbol::SEMI | Symbol::FAT_ARROW | Symbol::AND2 | Symbol::OR2 => return None,
            _ if file.is_open(at, b'{') && !is_argument(file, at) => return None,
            _ => 0,
        };
        if depth <= 0 {
            return Some(at);
        }
        at = file.after(at);
    }
    None
}

/// A constant between braces in a generic list: it follows `<`, `,` or `=`.
fn is_argument(file: &File, at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| matches!(file.symbol(before), Symbol::LT | Symbol::COMMA | Symbol::EQ))
}

/// Keywords that begin an expression which ends with a block.
const BLOCKS: [Symbol; 10] = [
    Symbol::IF,
    Symbol::MATCH,
    Symbol::LOOP,
    Symbol::WHILE,
    Symbol::FOR,
    Symbol::UNSAFE,
    Symbol::ASYNC,
    Symbol::CONST,
    Symbol::TRY,
    Symbol::GEN,
];

struct Collector<'a> {
    index: &'a Index,
    file: &'a File,
    locals: &'a mut Locals,
    /// Whether items stand in the body.
    nested: bool,
    /// Names that the body imports, and whether it imports `*`.
    imported: Vec<Symbol>,
    has_glob: bool,
}

impl Collector<'_> {
    /// Counts each name in a place where a pattern may stand. Too many is harmless: the type of such a name isn't used.
    fn run(&mut self, open: usize, close: usize) {
        self.arms(open);
        let mut at = open + 1;
        while at < close {
            match self.file.symbol(at) {
                Symbol::LET => self.binding(at),
                Symbol::FOR => self.until(at + 1, Symbol::IN),
                Symbol::OR => self.until(at + 1, Symbol::OR),
                Symbol::FN if self.file.is_ident(at + 1) => self.function(at, close),
                Symbol::CONST | Symbol::STATIC | Symbol::STRUCT if self.file.is_ident(at + 1) => self.item(at),
                Symbol::USE if self.file.symbol(at + 1) != Symbol::LT => self.import(at),
                Symbol::IMPL => {
                    self.nested = true;
                    self.locals.has_impl = true;
                }
                Symbol::BANG => self.macro_input(at),
                _ if self.file.is_open(at, b'{') => self.arms(at),
                _ => {}
            }
            at += 1;
        }
    }

    fn binding(&mut self, at: usize) {
        let file = self.file;
        let end = self.group_end(at);
        let ends = |at: &usize| matches!(file.symbol(*at), Symbol::EQ | Symbol::SEMI | Symbol::COLON);
        let Some(to) = level(file, at + 1, end).find(ends) else { return };
        self.locals.bind_all(file, at + 1, to);
        let Some(name) = file.name(to - 1).filter(|_| to == at + 2 || file.symbol(at + 1) == Symbol::MUT) else {
            return;
        };
        if file.symbol(to) == Symbol::COLON {
            self.locals.write(file, name, to + 1, end);
        }
        if let Some(seen) = level(file, to, end).find(|&at| file.symbol(at) == Symbol::SEMI)
            && begins_statement(file, at)
        {
            self.locals.sights.push((name, seen, end));
        }
    }

    /// The end of the group that `at` stands in.
    fn group_end(&self, mut at: usize) -> usize {
        while at < self.file.tokens.len() && self.file.tokens[at].kind != TokenKind::Close {
            at = self.file.after(at);
        }
        at
    }

    fn until(&mut self, from: usize, end: Symbol) {
        let to = self.group_end(from);
        if let Some(to) = level(self.file, from, to).find(|&at| self.file.symbol(at) == end) {
            self.locals.bind_all(self.file, from, to);
        }
    }

    /// The patterns before each `=>` of a group.
    fn arms(&mut self, open: usize) {
        let (file, close) = (self.file, self.file.tokens[open].link as usize);
        let mut before = None;
        for arrow in level(file, open + 1, close).filter(|&at| file.symbol(at) == Symbol::FAT_ARROW) {
            let (from, is_sure) = before.map_or((open + 1, true), |before| self.pattern(before + 1, arrow));
            // A guard binds nothing by itself.
            let guard = level(file, from, arrow).find(|&at| is_sure && file.symbol(at) == Symbol::IF);
            self.locals.bind_all(file, from, guard.unwrap_or(arrow));
            before = Some(arrow);
        }
    }

    /// Where the pattern begins that stands behind an arm's value at `value`, at the earliest, and whether it surely does.
    fn pattern(&self, value: usize, arrow: usize) -> (usize, bool) {
        let file = self.file;
        if file.is_open(value, b'{') {
            let next = file.after(value);
            let from = if file.symbol(next) == Symbol::COMMA { next + 1 } else { next };
            return (from, !matches!(file.symbol(next), Symbol::DOT | Symbol::QUESTION));
        }
        // Only such a value ends without a comma.
        let is_block = file.tokens[value].kind == TokenKind::Lifetime || BLOCKS.contains(&file.symbol(value));
        let mut commas = level(file, value, arrow).filter(|&at| file.symbol(at) == Symbol::COMMA);
        match commas.next().filter(|_| !is_block) {
            Some(comma) => (comma + 1, commas.next().is_none()),
            None => (value, false),
        }
    }

    /// A constant, a static or a unit `struct` hides a variable of its name.
    fn item(&mut self, keyword: usize) {
        let name = if self.file.symbol(keyword + 1) == Symbol::MUT { keyword + 2 } else { keyword + 1 };
        self.nested = true;
        self.locals.bind_all(self.file, name, name + 1);
    }

    /// Notes the names that an import brings, which hide variables.
    fn import(&mut self, keyword: usize) {
        let file = self.file;
        let end = self.group_end(keyword);
        let Some(to) = level(file, keyword, end).find(|&at| file.symbol(at) == Symbol::SEMI) else { return };
        for used in crate::index::used(file, keyword + 1, to) {
            match used.name {
                Some(name) => self.imported.push(name),
                None => self.has_glob = true,
            }
        }
    }

    /// A name that an item of the body has, too, may mean the item.
    fn hide(&mut self) {
        let (scopes, locals) = (&self.index.scopes, &mut *self.locals);
        let is_named = |name: &Symbol| scopes.iter().any(|scope| scope.names.contains_key(name));
        for (name, bound) in &mut locals.bound {
            let may_be = self.imported.contains(name) || (self.has_glob && is_named(name));
            bound.times += usize::from(may_be);
        }
        if self.nested || self.has_glob {
            // An item doesn't see the variables around it.
            locals.sights.clear();
        }
        locals.sights.retain(|(name, ..)| !self.imported.contains(name));
    }

    fn imports(&self, id: ItemId) -> bool {
        let item = self.index.item(id);
        let file = self.index.file_of(item);
        (item.keyword..item.to).any(|at| file.symbol(at as usize) == Symbol::USE)
    }

    fn function(&mut self, keyword: usize, to: usize) {
        self.nested = true;
        if let Some(open) = parameter_list(self.file, keyword, to) {
            self.locals.parameters(self.file, open, None);
        }
    }

    /// A macro may bind the names that it is given; of those that are known to evaluate expressions two take patterns.
    fn macro_input(&mut self, bang: usize) {
        let file = self.file;
        let called = bang > 0 && called_macro(file, bang - 1) == Some(bang);
        let Some(open) = file.tokens.get(bang + 1).filter(|token| called && token.kind == TokenKind::Open) else {
            return;
        };
        let (name, to) = (file.symbol(bang - 1), open.link as usize);
        self.has_glob |= self.index.macros_named(file.krate, name).iter().any(|&id| self.imports(id));
        let from = match self.index.symbols.text(name) {
            text if !self.index.macros_named(file.krate, name).is_empty() || !super::EVALUATING.contains(&text) => {
                Some(bang + 2)
            }
            "matches" => level(file, bang + 2, to).find(|&at| file.symbol(at) == Symbol::COMMA),
            "azip" => Some(bang + 2),
            _ => None,
        };
        if let Some(from) = from {
            self.locals.bind_all(file, from, to);
        }
    }
}

fn begins_statement(file: &File, at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| matches!(file.text_of(before), ";" | "{" | "}"))
}
