//! Where a function stands, which an attribute isn't told.
//!
//! In an `impl` of a trait the generated methods would be strangers to the trait, and without `method` the companion type
//! can't be declared in an `impl`; the compiler's messages for both say nothing of the cause. So the source file is
//! searched for a function of the same tokens. It decides about the message alone: what isn't found, or stands in
//! places that differ, is expanded and left to the compiler.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tokens::{Token, digest, lex, without_placing_attributes};

/// What a function stands in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Place {
    Module,
    Impl,
    TraitImpl,
    Trait,
    /// Functions of these tokens stand in several kinds of places.
    Several,
}

type Places = HashMap<[u8; 16], Place>;

thread_local! {
    /// Each file is read once: the compiler runs all expansions of a crate in one process.
    static FILES: RefCell<HashMap<PathBuf, Places>> = RefCell::default();
}

/// The place of the function that the attribute stands on; `None` where the compiler doesn't say in which file.
pub(super) fn place(item: &TokenStream) -> Option<Place> {
    if !proc_macro::is_available() {
        return None;
    }
    let file = proc_macro::Span::call_site().local_file()?;
    FILES.with_borrow_mut(|files| {
        let places = files.entry(file).or_insert_with_key(|file| read(file));
        places.get(&identity(item.clone())).copied()
    })
}

/// The compiler's own lexer would report what the file's edition allows and this crate's doesn't.
fn read(file: &Path) -> Places {
    let Ok(source) = std::fs::read_to_string(file) else { return Places::new() };
    proc_macro2::fallback::force();
    let places = source.parse().map(places).unwrap_or_default();
    proc_macro2::fallback::unforce();
    places
}

/// The `#[cache]` functions below `tokens`.
fn places(tokens: TokenStream) -> Places {
    let mut found = Places::new();
    search(tokens, Place::Module, &mut found);
    found
}

/// One level: functions of the level itself stand in `place`, those inside bodies and modules in a module.
fn search(tokens: TokenStream, place: Place, found: &mut Places) {
    let trees: Vec<_> = tokens.into_iter().collect();
    let mut start = 0;
    for (at, tree) in trees.iter().enumerate() {
        let ends = match tree {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => {
                let inside =
                    if group.delimiter() == Delimiter::Brace { kind(&trees[start..at]) } else { Place::Module };
                search(group.stream(), inside, found);
                group.delimiter() == Delimiter::Brace
            }
            _ => false,
        };
        if ends {
            record(trees[start..=at].iter().cloned().collect(), place, found);
            start = at + 1;
        }
    }
}

/// What braces after these tokens hold.
fn kind(before: &[TokenTree]) -> Place {
    let words = lex(before.iter().cloned().collect(), true);
    let item =
        words.iter().position(|word| ["impl", "trait", "fn", "mod"].iter().any(|keyword| word.is_ident(keyword)));
    match item.map(|item| (&words[item], &words[item..])) {
        Some((word, rest)) if word.is_ident("impl") => {
            // `for<'a>` belongs to a bound.
            let names_type = |pair: &[Token]| pair[0].is_ident("for") && !pair[1].is_operator("<");
            let header = rest.split(|word| word.is_ident("where")).next().unwrap_or_default();
            let of_trait = header.windows(2).any(names_type) || header.last().is_some_and(|word| word.is_ident("for"));
            if of_trait { Place::TraitImpl } else { Place::Impl }
        }
        Some((word, _)) if word.is_ident("trait") => Place::Trait,
        _ => Place::Module,
    }
}

fn record(item: TokenStream, place: Place, found: &mut Places) {
    let is_cached =
        |word: &Token| matches!(word, Token::Group(Delimiter::Bracket, stream) if stream.to_string().contains("cache"));
    if lex(item.clone(), true).iter().any(is_cached) {
        let known = found.entry(identity(item)).or_insert(place);
        if *known != place {
            *known = Place::Several;
        }
    }
}

/// The attributes before the function vary: the compiler has taken out those above the macro that it knows.
fn identity(item: TokenStream) -> [u8; 16] {
    let item = without_placing_attributes(item);
    let mut rest = item.into_iter().peekable();
    while rest.next_if(|tree| matches!(tree, TokenTree::Punct(pound) if pound.as_char() == '#')).is_some() {
        rest.next();
    }
    digest(rest.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_in(source: &str, function: &str) -> Option<Place> {
        places(source.parse().unwrap()).get(&identity(function.parse().unwrap())).copied()
    }

    #[test]
    fn a_function_is_found_where_it_stands() {
        let source = "
            use a::b;
            #[cache] fn free() {}
            mod inner { #[ndcache::cache(version = 1)] pub fn module() {} }
            impl<T: for<'a> Fn(&'a T)> Type<T> where T: for<'b> Other<'b> { const A: u8 = 1; #[cache] fn method(&self) {} }
            impl<'a> Trait for Type<'a> { #[cache] #[inline] /// Docs.
                fn of_trait(&self) { #[cache] fn nested() {} } }
            trait Other { #[cache] fn provided(&self) {} }
            impl A { #[cache] fn both() {} } impl B for A { #[cache] fn both() {} }
        ";
        assert_eq!(place_in(source, "fn free() {}"), Some(Place::Module));
        assert_eq!(place_in(source, "pub fn module() {}"), Some(Place::Module));
        assert_eq!(place_in(source, "fn method(&self) {}"), Some(Place::Impl));
        assert_eq!(
            place_in(source, "#[inline] fn of_trait(&self) { #[cache] fn nested() {} }"),
            Some(Place::TraitImpl)
        );
        assert_eq!(place_in(source, "fn nested() {}"), Some(Place::Module));
        assert_eq!(place_in(source, "fn provided(&self) {}"), Some(Place::Trait));
        assert_eq!(place_in(source, "fn both() {}"), Some(Place::Several));
        assert_eq!(place_in(source, "fn missing() {}"), None);
    }
}
