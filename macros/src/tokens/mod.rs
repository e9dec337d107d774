//! The canonical token stream of an item and its digest.
//!
//! `docs/format.md` is normative for these bytes. Two texts with one stream are the same program: what is left out is
//! listed in [`dropped`] and [`idle_commas`], each with the reason why it can't tell two programs apart.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use xxhash_rust::xxh3::Xxh3;

/// A token as Rust's grammar has it: operators glued, lifetimes whole.
#[derive(Clone)]
pub(crate) enum Token {
    Ident(String),
    Lifetime(String),
    Operator(&'static str),
    Literal(String),
    Group(Delimiter, TokenStream),
}

impl Token {
    pub(crate) fn is_operator(&self, text: &str) -> bool {
        matches!(self, Token::Operator(operator) if *operator == text)
    }

    pub(crate) fn is_ident(&self, text: &str) -> bool {
        matches!(self, Token::Ident(ident) if ident == text)
    }

    pub(crate) fn ident(&self) -> Option<&str> {
        match self {
            Token::Ident(ident) => Some(ident),
            _ => None,
        }
    }

    pub(crate) fn group(&self, delimiter: Delimiter) -> Option<&TokenStream> {
        match self {
            Token::Group(found, stream) if *found == delimiter => Some(stream),
            _ => None,
        }
    }

    /// An identifier that names something: neither a keyword nor the start of an expression.
    fn is_name(&self) -> bool {
        self.ident().is_some_and(|ident| !KEYWORDS.contains(&ident))
    }
}

/// Every operator and punctuation mark of Rust, longest first.
///
/// `<-` is a token of the lexer only (the parser reads `a<-1` as `a < -1`), so it is glued inside macros alone.
const OPERATORS: [&str; 48] = [
    "...", "..=", "<<=", ">>=", "!=", "%=", "&&", "&=", "*=", "+=", "-=", "->", "..", "/=", "::", "<-", "<<", "<=",
    "==", "=>", ">=", ">>", "^=", "|=", "||", "!", "#", "$", "%", "&", "'", "*", "+", ",", "-", ".", "/", ":", ";",
    "<", "=", ">", "?", "@", "\\", "^", "|", "~",
];

/// Keywords, strict and reserved: after one of these a parenthesis holds an expression, a pattern or a type.
const KEYWORDS: [&str; 53] = [
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super",
    "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "_",
];

/// Attributes that decide about warnings only.
const LINT_ATTRIBUTES: [&str; 5] = ["allow", "deny", "expect", "forbid", "warn"];

/// XXH3-128 of the canonical stream, big-endian.
pub(crate) fn digest(tokens: TokenStream) -> [u8; 16] {
    let mut sink = Xxh3::new();
    feed(&lex(tokens, false), LevelContext::TOP, &mut sink);
    #[expect(clippy::big_endian_bytes, reason = "digests are written as the canonical XXH3 form, which is big-endian")]
    sink.digest128().to_be_bytes()
}

/// Words of a stream with single spaces, the same for every compiler version: names a fact.
pub(crate) fn text(tokens: TokenStream) -> String {
    let words: Vec<String> = lex(tokens, true).into_iter().map(word).collect();
    words.join(" ")
}

fn word(token: Token) -> String {
    match token {
        Token::Ident(text) | Token::Lifetime(text) | Token::Literal(text) => text,
        Token::Operator(text) => text.to_owned(),
        Token::Group(Delimiter::None, stream) => text(stream),
        Token::Group(delimiter, stream) => {
            let (open, close) = marks(delimiter);
            format!("{} {} {}", char::from(open), text(stream), char::from(close))
        }
    }
}

/// Whether a word occurs among the tokens, in groups as well.
pub(crate) fn mentions(tokens: TokenStream, word: &str) -> bool {
    lex(tokens, true).into_iter().any(|token| match token {
        Token::Ident(ident) => ident == word,
        Token::Group(_, stream) => mentions(stream, word),
        _ => false,
    })
}

/// One level of tokens. `raw` is inside a macro call or an attribute, where a macro sees every token.
pub(crate) fn lex(tokens: TokenStream, raw: bool) -> Vec<Token> {
    let mut lexed = Vec::new();
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Group(group) => lexed.push(Token::Group(group.delimiter(), group.stream())),
            TokenTree::Ident(ident) => lexed.push(Token::Ident(ident.to_string())),
            TokenTree::Literal(literal) => lexed.push(Token::Literal(literal.to_string())),
            TokenTree::Punct(quote) if quote.as_char() == '\'' => {
                let name = trees.next().map(|name| name.to_string()).unwrap_or_default();
                lexed.push(Token::Lifetime(format!("'{name}")));
            }
            TokenTree::Punct(first) => {
                let mut run = String::from(first.as_char());
                let mut spacing = first.spacing();
                while spacing == Spacing::Joint {
                    let Some(TokenTree::Punct(next)) = trees.peek().filter(|next| !starts_lifetime(next)) else {
                        break;
                    };
                    run.push(next.as_char());
                    spacing = next.spacing();
                    trees.next();
                }
                split_operators(&run, raw, &mut lexed);
            }
        }
    }
    lexed
}

fn starts_lifetime(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == '\'')
}

fn split_operators(mut run: &str, raw: bool, lexed: &mut Vec<Token>) {
    while !run.is_empty() {
        let operator = OPERATORS.iter().find(|operator| run.starts_with(**operator) && (raw || **operator != "<-"));
        let operator = operator.expect("every punctuation character of Rust is an operator of its own");
        lexed.push(Token::Operator(operator));
        run = &run[operator.len()..];
    }
}

/// Where a level of tokens stands.
#[derive(Clone, Copy)]
struct LevelContext {
    raw: bool,
    delimiter: Delimiter,
    /// A parenthesis that can only be a list of parameters or arguments, never a tuple.
    list: bool,
}

impl LevelContext {
    const TOP: LevelContext = LevelContext { raw: false, delimiter: Delimiter::None, list: false };
}

fn feed(level: &[Token], context: LevelContext, sink: &mut Xxh3) {
    let idle = if context.raw { Vec::new() } else { idle_commas(level, context) };
    let mut at = 0;
    while at < level.len() {
        let skip = if context.raw { 0 } else { dropped(&level[at..]).max(usize::from(idle.contains(&at))) };
        if skip > 0 {
            at += skip;
            continue;
        }
        match &level[at] {
            Token::Ident(text) => feed_text(b'i', text, sink),
            Token::Lifetime(text) => feed_text(b'\'', text, sink),
            Token::Operator(text) => feed_text(b'o', text, sink),
            Token::Literal(text) => feed_text(b'l', text, sink),
            Token::Group(delimiter, stream) => feed_group(*delimiter, stream, &level[..at], context.raw, sink),
        }
        at += 1;
    }
}

fn feed_text(tag: u8, text: &str, sink: &mut Xxh3) {
    sink.update(&[tag]);
    sink.update(&(text.len() as u64).to_le_bytes());
    sink.update(text.as_bytes());
}

fn feed_group(delimiter: Delimiter, stream: &TokenStream, before: &[Token], raw: bool, sink: &mut Xxh3) {
    let raw = raw || is_macro_input(before) || (delimiter == Delimiter::Bracket && is_attribute(before));
    let context = LevelContext { raw, delimiter, list: opens_list(before) };
    let (open, close) = marks(delimiter);
    sink.update(&[open]);
    feed(&lex(stream.clone(), raw), context, sink);
    sink.update(&[close]);
}

fn marks(delimiter: Delimiter) -> (u8, u8) {
    match delimiter {
        Delimiter::Parenthesis => (b'(', b')'),
        Delimiter::Bracket => (b'[', b']'),
        Delimiter::Brace => (b'{', b'}'),
        Delimiter::None => (b'<', b'>'),
    }
}

/// `name!` or `macro_rules! name` before a group. A keyword before `!` is a negation: `if !(a)`; what a `macro_rules!`
/// passes on in an invisible group (`$m:path`) can't stand there unless it is a name.
pub(crate) fn is_macro_input(before: &[Token]) -> bool {
    match before {
        [.., name, bang] if bang.is_operator("!") => name.is_name() || name.group(Delimiter::None).is_some(),
        [.., rules, bang, name] => rules.is_ident("macro_rules") && bang.is_operator("!") && name.is_name(),
        _ => false,
    }
}

pub(crate) fn is_attribute(before: &[Token]) -> bool {
    match before {
        [.., pound, bang] if bang.is_operator("!") => pound.is_operator("#"),
        [.., pound] => pound.is_operator("#"),
        [] => false,
    }
}

/// How many tokens at the head of `rest` don't count: docs, lint attributes and visibilities.
///
/// Outside macros `#` starts an attribute and `pub` a visibility, nothing else. None of the three decides what is
/// computed: docs and lints are not code, and a visibility only says who may name an item.
fn dropped(rest: &[Token]) -> usize {
    match rest {
        [pound, bang, body, ..] if pound.is_operator("#") && bang.is_operator("!") && is_silent(body) => 3,
        [pound, body, ..] if pound.is_operator("#") && is_silent(body) => 2,
        [public, scope, ..] if public.is_ident("pub") && is_scope(scope) => 2,
        [public, ..] if public.is_ident("pub") => 1,
        _ => 0,
    }
}

fn is_silent(attribute: &Token) -> bool {
    let Some(stream) = attribute.group(Delimiter::Bracket) else { return false };
    match lex(stream.clone(), true).as_slice() {
        [name] => name.is_ident("doc"),
        [name, equals, ..] if equals.is_operator("=") => name.is_ident("doc"),
        [name, list] if list.group(Delimiter::Parenthesis).is_some() => {
            name.ident().is_some_and(|name| name == "doc" || LINT_ATTRIBUTES.contains(&name))
        }
        _ => false,
    }
}

/// The compiler's own rule, so that the field of `struct S(pub (A, B))` isn't taken for a scope.
fn is_scope(token: &Token) -> bool {
    let Some(stream) = token.group(Delimiter::Parenthesis) else { return false };
    match lex(stream.clone(), true).as_slice() {
        [only] => only.ident().is_some_and(|word| ["crate", "self", "super"].contains(&word)),
        [first, ..] => first.is_ident("in"),
        [] => false,
    }
}

/// Positions of commas that rustfmt adds or takes away and that Rust doesn't read.
///
/// Each stands where the grammar allows one optional comma and the next token ends the list, so that the text with it
/// and the text without it parse alike. The one exception of the language, `(x,)` against `(x)`, is kept: a comma before
/// `)` is idle only where [`opens_list`] or [`has_plain_comma`] rules the parenthesised value out.
fn idle_commas(level: &[Token], context: LevelContext) -> Vec<usize> {
    let mut idle = generic_list_commas(level);
    let mut in_where = false;
    for (at, token) in level.iter().enumerate() {
        let ends_where = token.is_operator(";") || token.group(Delimiter::Brace).is_some();
        if in_where && ends_where {
            in_where = false;
            idle.extend(comma_before(level, at));
        }
        in_where |= token.is_ident("where");
        // The comma after a match arm's block: `=> { … },`. Outside macros `=>` occurs in match arms only, and an arm
        // whose body starts with a block ends with it whenever a comma may follow.
        let arm = at >= 2 && level[at - 2].is_operator("=>") && level[at - 1].group(Delimiter::Brace).is_some();
        if arm && token.is_operator(",") {
            idle.push(at);
        }
    }
    let closes = match context.delimiter {
        Delimiter::Brace | Delimiter::Bracket => true,
        Delimiter::Parenthesis => context.list || has_plain_comma(level),
        Delimiter::None => in_where,
    };
    if closes {
        idle.extend(comma_before(level, level.len()));
    }
    idle
}

fn comma_before(level: &[Token], at: usize) -> Option<usize> {
    at.checked_sub(1).filter(|&before| level[before].is_operator(","))
}

/// Whether some comma but the last surely separates two elements: not inside `<A, B>` or `|a, b|`.
fn has_plain_comma(level: &[Token]) -> bool {
    let angles =
        |token: &Token| matches!(token, Token::Operator(text) if text.contains(['<', '>', '|']) && *text != "=>");
    level.iter().filter(|token| token.is_operator(",")).count() >= 2 && !level.iter().any(angles)
}

/// After a name, `fn`, `Self` or the `>` of a generic list, a parenthesis holds arguments, parameters or fields.
fn opens_list(before: &[Token]) -> bool {
    match before.last() {
        Some(Token::Ident(word)) if word == "fn" || word == "Self" => true,
        Some(Token::Operator(">" | ">>")) => closes_generic_list(before),
        Some(token) => token.is_name(),
        None => false,
    }
}

fn closes_generic_list(before: &[Token]) -> bool {
    (0..before.len()).any(|open| generic_list_end(before, open) == Some(before.len() - 1))
}

fn generic_list_commas(level: &[Token]) -> Vec<usize> {
    let ends = (0..level.len()).filter_map(|open| generic_list_end(level, open));
    ends.filter_map(|end| comma_before(level, end)).collect()
}

/// The position of the `>` that closes the list opened at `open` by `::<` or `fn name<`.
///
/// Only these two are known to be lists without parsing expressions; inside, constants other than literals stand in
/// braces, so that every `<` and `>` is a bracket.
fn generic_list_end(level: &[Token], open: usize) -> Option<usize> {
    let opens = level[open].is_operator("<")
        && match &level[..open] {
            [.., path] if path.is_operator("::") => true,
            [.., keyword, name] => keyword.is_ident("fn") && name.is_name(),
            _ => false,
        };
    if !opens {
        return None;
    }
    let mut depth = 0_i32;
    for (at, token) in level.iter().enumerate().skip(open) {
        let Token::Operator(operator) = token else { continue };
        depth += match *operator {
            "<" => 1,
            "<<" => 2,
            ">" => -1,
            ">>" => -2,
            _ => 0,
        };
        if depth <= 0 {
            return (depth == 0).then_some(at);
        }
    }
    None
}

/// Takes `#[cfg(…)]` and the macro's own attribute from the head of an item: the first is true wherever the item exists
/// (and is already gone when it stands above the macro), the second enters the code digest by its options.
pub(crate) fn without_placing_attributes(item: TokenStream) -> TokenStream {
    let mut kept = TokenStream::new();
    let mut trees = item.into_iter().peekable();
    while matches!(trees.peek(), Some(TokenTree::Punct(pound)) if pound.as_char() == '#') {
        let pound = trees.next();
        let Some(TokenTree::Group(body)) = trees.next() else { break };
        if !is_placing(&body.stream()) {
            kept.extend(pound);
            kept.extend([TokenTree::Group(body)]);
        }
    }
    kept.extend(trees);
    kept
}

fn is_placing(attribute: &TokenStream) -> bool {
    let lexed = lex(attribute.clone(), true);
    let path: Vec<&Token> = lexed.iter().take_while(|token| !matches!(token, Token::Group(..))).collect();
    match path.as_slice() {
        [name] => name.is_ident("cfg") || name.is_ident("cache") || name.is_ident("code"),
        [.., colons, name] => colons.is_operator("::") && (name.is_ident("cache") || name.is_ident("code")),
        [] => false,
    }
}

#[cfg(test)]
mod tests;
