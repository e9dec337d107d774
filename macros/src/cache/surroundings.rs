//! Where a function stands, which the compiler doesn't say to an attribute.
//!
//! In an `impl` of a trait the generated methods would be strangers to the trait, and without `method` the companion type
//! can't be declared in an `impl`; the compiler's messages for both say nothing of the cause. So the source file is
//! searched for a function of the same tokens. It decides about the message alone: what isn't found, or stands in
//! places that differ, is expanded and left to the compiler.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;

use crate::facts::Aliases;
use crate::tokens::{Token, digest, lex, without_placing_attributes};

/// What a function stands in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum EnclosingItem {
    Module,
    Impl,
    TraitImpl,
    Trait,
    /// Functions of these tokens stand in several kinds of places.
    Several,
}

type EnclosingItems = HashMap<[u8; 16], EnclosingItem>;

/// What is known of a source file.
#[derive(Default)]
struct SourceFile {
    places: EnclosingItems,
    names: Aliases,
    /// What stands under `#[cache]` or `#[code]`, and their handles.
    marked: HashSet<String>,
    /// Words that are declared or imported somewhere.
    declared: HashSet<String>,
}

thread_local! {
    /// Each file is read once: the compiler runs all expansions of a crate in one process.
    static FILES: RefCell<HashMap<PathBuf, SourceFile>> = RefCell::default();
}

/// The place of the function that the attribute stands on; `None` where the compiler doesn't say in which file.
pub(super) fn place(item: &TokenStream) -> Option<EnclosingItem> {
    of_source(|source| source.places.get(&identity(item.clone())).copied()).flatten()
}

/// What the file calls the compiler's own macros; nothing where the compiler doesn't say in which file.
pub(crate) fn renamed() -> Aliases {
    of_source(|source| source.names.clone()).unwrap_or_default()
}

/// Whether the file declares or imports the first of these names, and no item of the last name with `#[cache]` or
/// `#[code]`.
pub(crate) fn is_unmarked(first: &Ident, last: &Ident) -> bool {
    let (first, last) = (first.unraw().to_string(), last.unraw().to_string());
    let is_path = first != last;
    of_source(|source| (is_path || source.declared.contains(&first)) && !source.marked.contains(&last)).unwrap_or(false)
}

fn of_source<T>(ask: impl FnOnce(&SourceFile) -> T) -> Option<T> {
    if !proc_macro::is_available() {
        return None;
    }
    let file = proc_macro::Span::call_site().local_file()?;
    FILES.with_borrow_mut(|files| Some(ask(files.entry(file).or_insert_with_key(|file| read(file)))))
}

/// The compiler's own lexer would report what the file's edition allows and this crate's doesn't.
fn read(file: &Path) -> SourceFile {
    let Ok(source) = std::fs::read_to_string(file) else { return SourceFile::default() };
    proc_macro2::fallback::force();
    let source = source.parse().map(looked_through).unwrap_or_default();
    proc_macro2::fallback::unforce();
    source
}

fn looked_through(tokens: TokenStream) -> SourceFile {
    let mut names = Aliases::default();
    names.add(&tokens);
    let mut source = SourceFile { names, ..SourceFile::default() };
    source.look_through(tokens.clone());
    SourceFile { places: places(tokens), ..source }
}

impl SourceFile {
    /// Takes up the names of items, which follow their marks.
    fn look_through(&mut self, tokens: TokenStream) {
        let words = lex(tokens, true);
        let mut is_marked = false;
        for (at, word) in words.iter().enumerate() {
            match word {
                Token::Group(Delimiter::Bracket, stream) if is_mark(stream) => {
                    is_marked = true;
                    self.marked.extend(handle(stream.clone()));
                }
                Token::Group(_, stream) => self.look_through(stream.clone()),
                Token::Ident(name) if !ITEMS.contains(&name.as_str()) && declares(&words[..at]) => {
                    let name = name.trim_start_matches("r#").to_owned();
                    if std::mem::take(&mut is_marked) {
                        self.marked.insert(name.clone());
                    }
                    self.declared.insert(name);
                }
                Token::Ident(word) if word == "use" => self.import(&words[at..]),
                _ => {}
            }
        }
    }

    /// Every word up to the next `;`.
    fn import(&mut self, words: &[Token]) {
        for word in words.iter().take_while(|word| !word.is_operator(";")) {
            match word {
                Token::Ident(name) => drop(self.declared.insert(name.trim_start_matches("r#").to_owned())),
                Token::Group(_, stream) => self.import(&lex(stream.clone(), true)),
                _ => {}
            }
        }
    }
}

fn is_mark(attribute: &TokenStream) -> bool {
    let words = lex(attribute.clone(), true);
    let path = words.iter().take_while(|word| !matches!(word, Token::Group(..)));
    path.last().is_some_and(|word| word.is_ident("cache") || word.is_ident("code"))
}

/// `handle = Name`
fn handle(attribute: TokenStream) -> Option<String> {
    let words = lex(attribute, true);
    let options = words.iter().find_map(|word| word.group(Delimiter::Parenthesis))?;
    let options = lex(options.clone(), true);
    let value = options.windows(3).find(|three| three[0].is_ident("handle") && three[1].is_operator("="))?;
    value[2].ident().map(str::to_owned)
}

/// Words before the name of an item, and between them (`const unsafe extern "C" fn`).
const ITEMS: [&str; 10] =
    ["const", "enum", "extern", "fn", "macro_rules", "mut", "static", "struct", "union", "unsafe"];

/// Whether the next word is the name of an item.
fn declares(before: &[Token]) -> bool {
    let before = match before {
        [rest @ .., bang] if bang.is_operator("!") => rest,
        whole => whole,
    };
    before.last().and_then(Token::ident).is_some_and(|word| ITEMS.contains(&word))
}

/// The `#[cache]` functions below `tokens`.
fn places(tokens: TokenStream) -> EnclosingItems {
    let mut found = EnclosingItems::new();
    search(tokens, EnclosingItem::Module, &mut found);
    found
}

/// One level: functions of the level itself stand in `place`, those inside bodies and modules in a module.
fn search(tokens: TokenStream, place: EnclosingItem, found: &mut EnclosingItems) {
    let trees: Vec<_> = tokens.into_iter().collect();
    let mut start = 0;
    for (at, tree) in trees.iter().enumerate() {
        let ends = match tree {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => {
                let inside =
                    if group.delimiter() == Delimiter::Brace { kind(&trees[start..at]) } else { EnclosingItem::Module };
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
fn kind(before: &[TokenTree]) -> EnclosingItem {
    let words = lex(before.iter().cloned().collect(), true);
    let item =
        words.iter().position(|word| ["impl", "trait", "fn", "mod"].iter().any(|keyword| word.is_ident(keyword)));
    match item.map(|item| (&words[item], &words[item..])) {
        Some((word, rest)) if word.is_ident("impl") => {
            // `for<'a>` belongs to a bound.
            let names_type = |pair: &[Token]| pair[0].is_ident("for") && !pair[1].is_operator("<");
            let header = rest.split(|word| word.is_ident("where")).next().unwrap_or_default();
            let of_trait = header.windows(2).any(names_type) || header.last().is_some_and(|word| word.is_ident("for"));
            if of_trait { EnclosingItem::TraitImpl } else { EnclosingItem::Impl }
        }
        Some((word, _)) if word.is_ident("trait") => EnclosingItem::Trait,
        _ => EnclosingItem::Module,
    }
}

fn record(item: TokenStream, place: EnclosingItem, found: &mut EnclosingItems) {
    let is_cached =
        |word: &Token| matches!(word, Token::Group(Delimiter::Bracket, stream) if stream.to_string().contains("cache"));
    if lex(item.clone(), true).iter().any(is_cached) {
        let known = found.entry(identity(item)).or_insert(place);
        if *known != place {
            *known = EnclosingItem::Several;
        }
    }
}

/// The attributes before the function aren't compared: the compiler may have taken out those above the macro.
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

    fn place_in(source: &str, function: &str) -> Option<EnclosingItem> {
        places(source.parse().unwrap()).get(&identity(function.parse().unwrap())).copied()
    }

    #[test]
    fn what_is_marked_is_known_by_its_name_and_its_handle() {
        let source = "
            #[code] const fn r#gen() {} #[cache(handle = Other)] /// Docs.
            pub(crate) unsafe extern \"C\" fn free() {} #[ndcache::code] static mut TABLE: u8 = 1; fn plain() {}
            mod m { #[code] macro_rules! window { () => {} } #[allow(code)] const NOT: u8 = 1; }
        ";
        let mut marked: Vec<_> = looked_through(source.parse().unwrap()).marked.into_iter().collect();
        marked.sort();
        assert_eq!(marked, ["Other", "TABLE", "free", "gen", "window"]);
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
        assert_eq!(place_in(source, "fn free() {}"), Some(EnclosingItem::Module));
        assert_eq!(place_in(source, "pub fn module() {}"), Some(EnclosingItem::Module));
        assert_eq!(place_in(source, "fn method(&self) {}"), Some(EnclosingItem::Impl));
        assert_eq!(
            place_in(source, "#[inline] fn of_trait(&self) { #[cache] fn nested() {} }"),
            Some(EnclosingItem::TraitImpl)
        );
        assert_eq!(place_in(source, "fn nested() {}"), Some(EnclosingItem::Module));
        assert_eq!(place_in(source, "fn provided(&self) {}"), Some(EnclosingItem::Trait));
        assert_eq!(place_in(source, "fn both() {}"), Some(EnclosingItem::Several));
        assert_eq!(place_in(source, "fn missing() {}"), None);
    }
}
