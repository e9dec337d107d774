//! Under which `#[cfg]` predicates the tokens of a level stand.

use proc_macro2::{Delimiter, TokenStream};

use crate::tokens::Token;

/// The predicates around the next token.
///
/// A `#[cfg]` guards what follows it up to the next `;`, `,` or `{…}`, inclusive, and no further than the list of
/// generics or of a closure's parameters that it may stand in, nor into the body behind its `where` clause. That may be
/// less than the compiler removes, never more: a fact looked up without need is harmless unless its file is missing, a
/// fact left out is not.
pub(super) struct CfgGuards {
    predicates: Vec<TokenStream>,
    outer: usize,
    seen: OpenSyntax,
    /// What was seen when the first of the predicates that still guard was added.
    then: OpenSyntax,
}

/// What a `#[cfg]` may stand in. Each errs towards an earlier end: a comparison counts as an open list for good.
#[derive(Clone, Copy, Default)]
struct OpenSyntax {
    /// Angle brackets that are open.
    angles: usize,
    bar: bool,
    /// `where`, in this item.
    clause: bool,
}

impl CfgGuards {
    pub(super) fn of(outer: &[TokenStream]) -> CfgGuards {
        let (seen, then) = (OpenSyntax::default(), OpenSyntax::default());
        CfgGuards { predicates: outer.to_vec(), outer: outer.len(), seen, then }
    }

    pub(super) fn predicates(&self) -> &[TokenStream] {
        &self.predicates
    }

    /// `#[cfg(predicate)]` stands here.
    pub(super) fn add(&mut self, predicate: TokenStream) {
        if self.predicates.len() == self.outer {
            self.then = self.seen;
        }
        self.predicates.push(predicate);
    }

    /// Before what stands in a token's group is looked at.
    pub(super) fn enter(&mut self, token: &Token) {
        self.seen.look(token);
        let ends = match token {
            Token::Operator("," | ";") => true,
            Token::Operator("|" | "||") => self.then.bar,
            Token::Operator(mark) if mark.starts_with('>') => self.seen.angles < self.then.angles,
            Token::Group(Delimiter::Brace, _) => self.then.clause,
            _ => false,
        };
        if ends {
            self.predicates.truncate(self.outer);
        }
    }

    /// After what stands in its group was looked at.
    pub(super) fn leave(&mut self, token: &Token) {
        if token.is_operator(";") || token.group(Delimiter::Brace).is_some() {
            self.predicates.truncate(self.outer);
            // The braces of `where A<{ N }>: B` don't end the clause.
            self.seen.clause &= self.seen.angles > 0;
        }
    }
}

impl OpenSyntax {
    fn look(&mut self, token: &Token) {
        match token {
            Token::Operator("|" | "||") => self.bar = true,
            Token::Operator(mark) if mark.starts_with('<') => self.angles += width(mark, '<'),
            Token::Operator(mark) if mark.starts_with('>') => {
                self.angles = self.angles.saturating_sub(width(mark, '>'));
            }
            Token::Ident(word) if word == "where" => self.clause = true,
            _ => {}
        }
    }
}

fn width(mark: &str, angle: char) -> usize {
    mark.chars().take_while(|&character| character == angle).count()
}
