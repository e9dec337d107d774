//! What a `macro_rules!` passes on in invisible groups: literals, paths, types, expressions.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::{Expr, Type};

/// The tokens without the invisible groups in which a `macro_rules!` passes its fragments on. Good for looking for
/// words, and not for reading expressions, whose parts these groups hold together.
pub(crate) fn flat(tokens: TokenStream) -> TokenStream {
    tokens.into_iter().flat_map(flat_tree).collect()
}

fn flat_tree(tree: TokenTree) -> TokenStream {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => flat(group.stream()),
        TokenTree::Group(group) => with_stream(&group, flat(group.stream())).into(),
        tree => tree.into(),
    }
}

/// A list `option, option = value, option(list)` without the invisible groups around options, elements and values.
///
/// Each stands alone between commas, so that nothing depends on its group. Inside a value, where groups are operands,
/// they stay.
pub(crate) fn opened_list(tokens: TokenStream) -> TokenStream {
    let mut opened = TokenStream::new();
    let mut trees = tokens.into_iter().peekable();
    let mut part = ListPosition::Start;
    while let Some(tree) = trees.next() {
        let ends = trees.peek().is_none_or(|next| is_mark(next, ','));
        let next = match &tree {
            mark if is_mark(mark, ',') => ListPosition::Start,
            mark if is_mark(mark, '=') && part == ListPosition::Name => ListPosition::Value,
            TokenTree::Ident(_) | TokenTree::Group(_) if part == ListPosition::Start => ListPosition::Name,
            _ => ListPosition::Rest,
        };
        match tree {
            TokenTree::Group(group)
                if group.delimiter() == Delimiter::None
                    && (part == ListPosition::Start || part == ListPosition::Value && ends) =>
            {
                opened.extend(opened_list(group.stream()));
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis && part == ListPosition::Name => {
                opened.extend([with_stream(&group, opened_list(group.stream()))]);
            }
            tree => opened.extend([tree]),
        }
        part = next;
    }
    opened
}

/// Where the next token of a list stands.
#[derive(Clone, Copy, PartialEq)]
enum ListPosition {
    Start,
    Name,
    Value,
    Rest,
}

fn is_mark(tree: &TokenTree, mark: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == mark)
}

/// A group of the same delimiter and place.
fn with_stream(group: &Group, stream: TokenStream) -> TokenTree {
    let mut other = Group::new(group.delimiter(), stream);
    other.set_span(group.span());
    other.into()
}

/// What follows the invisible groups at the head of the tokens, and what is in them.
pub(crate) fn opened_head(tokens: TokenStream) -> TokenStream {
    let mut trees = tokens.into_iter();
    match trees.next() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::None => {
            opened_head(group.stream()).into_iter().chain(trees).collect()
        }
        first => first.into_iter().chain(trees).collect(),
    }
}

/// The expression in an invisible group.
pub(crate) fn ungrouped(expression: Expr) -> Expr {
    match expression {
        Expr::Group(group) => ungrouped(*group.expr),
        other => other,
    }
}

/// The type in an invisible group, or in parentheses.
pub(crate) fn ungrouped_type(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped_type(&group.elem),
        Type::Paren(paren) => ungrouped_type(&paren.elem),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(text: &str) -> TokenTree {
        Group::new(Delimiter::None, text.parse().unwrap()).into()
    }

    /// `#` stands for an invisible group of the next text.
    fn with_groups(source: &str, groups: &[&str]) -> TokenStream {
        let mut groups = groups.iter();
        replaced(source.parse().unwrap(), &mut groups)
    }

    fn replaced<'a>(tokens: TokenStream, groups: &mut impl Iterator<Item = &'a &'a str>) -> TokenStream {
        let replace = |tree: TokenTree| match tree {
            mark if is_mark(&mark, '#') => group(groups.next().unwrap()),
            TokenTree::Group(inner) => with_stream(&inner, replaced(inner.stream(), groups)),
            other => other,
        };
        tokens.into_iter().map(replace).collect()
    }

    fn count(tokens: TokenStream) -> usize {
        let of = |tree: TokenTree| match tree {
            TokenTree::Group(group) => usize::from(group.delimiter() == Delimiter::None) + count(group.stream()),
            _ => 0,
        };
        tokens.into_iter().map(of).sum()
    }

    #[test]
    fn what_stands_alone_in_a_list_is_opened_and_operands_stay() {
        for (source, groups) in [
            ("version = #", &["2"][..]),
            ("depends(#, a, #)", &["a::b", "Shape<f64>"]),
            ("#, #(#)", &["version = 2", "ignore", "x"]),
            ("round(x = #, # = 1e-9)", &["1e-9", "y"]),
            ("depends(#::b)", &["a"]),
        ] {
            assert_eq!(count(opened_list(with_groups(source, groups))), 0, "{source}");
        }
        for (source, groups) in
            [("expires = 2 * #", &["1 + 1"][..]), ("expires = # * 2", &["1 + 1"]), ("mode = f(#)", &["a"])]
        {
            assert_eq!(count(opened_list(with_groups(source, groups))), 1, "{source}");
        }
    }

    #[test]
    fn the_head_is_opened_however_deep() {
        let mut tokens = TokenStream::from(TokenTree::from(Group::new(Delimiter::None, group("a::b").into())));
        tokens.extend("(x)".parse::<TokenStream>().unwrap());
        assert_eq!(opened_head(tokens).to_string().replace(' ', ""), "a::b(x)");
        assert_eq!(flat(with_groups("(#) [#]", &["a", "b"])).to_string().replace(' ', ""), "(a)[b]");
    }
}
