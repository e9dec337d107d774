use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::*;

/// Tokens as both lexers have them: punctuation by character, doc attributes left out.
fn ours(text: &str) -> std::result::Result<Vec<String>, LexError> {
    let text = normalized(text);
    let mut words = Vec::new();
    for token in lex(&text, &mut Symbols::new())? {
        let word = &text[token.start as usize..token.end as usize];
        match token.kind {
            TokenKind::Operator => words.extend(word.chars().map(String::from)),
            TokenKind::Lifetime => words.extend(["'".to_owned(), word[1..].to_owned()]),
            _ => words.push(word.to_owned()),
        }
    }
    Ok(without_docs(words))
}

fn theirs(text: &str) -> Option<Vec<String>> {
    let stream: TokenStream = normalized(text).parse().ok()?;
    let mut words = Vec::new();
    flatten(stream, &mut words);
    Some(without_docs(words))
}

fn flatten(stream: TokenStream, words: &mut Vec<String>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                words.push(open.to_owned());
                flatten(group.stream(), words);
                words.push(close.to_owned());
            }
            tree => words.push(tree.to_string()),
        }
    }
}

fn without_docs(words: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for word in words {
        kept.push(word);
        for pattern in [&["#", "[", "doc", "="][..], &["#", "!", "[", "doc", "="]] {
            let length = pattern.len() + 2;
            if kept.len() >= length && kept.last().is_some_and(|last| last == "]") {
                let tail = kept.len() - length;
                if kept[tail..tail + pattern.len()] == *pattern {
                    kept.truncate(tail);
                }
            }
        }
    }
    kept
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir()
            && path.file_name().is_some_and(|name| name != "target" && !name.to_string_lossy().starts_with('.'))
        {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// `NDCACHE_SOURCE_FILES`: a folder of further files, such as Cargo's registry.
#[test]
fn every_file_has_the_tokens_that_proc_macro2_finds() {
    let mut files = Vec::new();
    rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut files);
    if let Some(folder) = std::env::var_os("NDCACHE_SOURCE_FILES") {
        rust_files(Path::new(&folder), &mut files);
    }
    let mut compared = 0;
    for path in files {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let Some(theirs) = theirs(&text) else { continue };
        let ours = ours(&text).unwrap_or_else(|error| panic!("`{}`: {error:?}", path.display()));
        let differs = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
        let at = differs.unwrap_or(ours.len().min(theirs.len()));
        let around = |words: &[String]| words[at.saturating_sub(5)..(at + 5).min(words.len())].join(" ");
        assert_eq!(ours, theirs, "`{}`: {} | {}", path.display(), around(&ours), around(&theirs));
        compared += 1;
    }
    assert!(compared > 100, "{compared} files were compared");
}

#[test]
fn tokens_that_look_alike_are_told_apart() {
    let cases = [
        "let a = 'a'; let b: &'a str; 'label: loop { break 'label }",
        "b'x' b'\\'' '\\u{1F600}' '\\\\' 'é'",
        r####"r"raw" r#"a "quoted" one"# br##"x"# y"## c"text" cr#"t"# b"bytes\"" "####,
        "1..2 1.0 1. 1.max(2) 1.0.max(2.0) x.0.1 0x1e-5 1e-5 1E+5_f64 1_000u64 0b1010 0o17 1e5",
        "r#type r#fn r#name rust r b c br",
        "/* a /* nested */ comment */ a // line\n/// doc\n//! inner\nb /** block */ c",
        "a <- b; a< -b; x>>=1; x >>= y; a..=b; a...b; |x| x || y; &&x; a->b; a=>b; ::a::b; #![x] $x",
        "\"multi\\\n   line\" \"\\\"\" \"// no comment\"",
        "#!/usr/bin/env run\nfn main() {}",
        "#![feature(x)]\nfn main() {}",
        "'static 'r#type '_",
        "\u{feff}fn\u{2028}f() { naïve() }\r\n",
    ];
    for text in cases {
        let expected = theirs(text.strip_prefix("#!/usr/bin/env run\n").unwrap_or(text));
        assert_eq!(ours(text).ok(), expected.or_else(|| Some(Vec::new())), "`{text}`");
    }
}

#[test]
fn what_is_no_rust_is_refused_where_it_begins() {
    let cases = [
        ("fn f( {", 6),
        ("a ]", 2),
        ("(]", 1),
        ("x \"open", 2),
        ("/* open", 0),
        ("r#\"open\"", 0),
        ("'", 0),
        ("b'x", 0),
    ];
    for (text, at) in cases {
        let error = lex(text, &mut Symbols::new()).expect_err(text);
        assert_eq!(error.at, at, "`{text}`: {error:?}");
    }
}

#[test]
fn nothing_panics_on_pieces_of_a_file() {
    let text = include_str!("tests.rs");
    for (at, _) in text.char_indices().step_by(7) {
        let _ = lex(&text[at..], &mut Symbols::new());
        let _ = lex(&text[..at], &mut Symbols::new());
    }
}
