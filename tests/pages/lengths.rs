//! The pages that are read first stay short.

use std::fs;
use std::path::Path;

use super::ROOT;

/// The pages with the most lines and the most words that each may have.
const LIMITS: [(&str, usize, usize); 2] = [("README.md", 180, 1800), ("docs/architecture.md", 250, 3000)];

/// The most words that the glossary may explain.
const GLOSSARY: usize = 40;

#[test]
fn the_pages_that_are_read_first_are_short() {
    for (page, most_lines, most_words) in LIMITS {
        let text = text(page);
        let (lines, words) = (text.lines().count(), text.split_whitespace().count());
        assert!(lines <= most_lines && words <= most_words, "{page} has {lines} lines and {words} words");
    }
}

#[test]
fn the_glossary_is_short_and_in_order() {
    let text = text("docs/architecture.md");
    let (_, glossary) = text.split_once("## Glossary").expect("a glossary");
    let rows = glossary.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |").map(|(word, _)| word));
    let words: Vec<_> = rows.skip(1).filter(|word| !word.starts_with('-')).collect();
    let count: usize = words.iter().map(|word| word.split(", ").count()).sum();
    assert!((30..=GLOSSARY).contains(&count), "{count} words: {words:?}");
    assert!(words.is_sorted(), "{words:?}");
}

/// Each protocol is drawn before it is told.
#[test]
fn each_protocol_has_its_drawing() {
    let text = text("docs/architecture.md");
    let (_, protocols) = text.split_once("## Five protocols").expect("the protocols");
    let protocols = protocols.split("\n## ").next().unwrap_or(protocols);
    let parts: Vec<_> = protocols.split("\n### ").skip(1).collect();
    assert_eq!(parts.len(), 5);
    for part in parts {
        let (name, rest) = part.split_once("\n\n").expect("a heading");
        assert!(rest.starts_with("```text\n") && rest.contains("──▶"), "`{name}` has no drawing");
    }
}

pub(super) fn text(page: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(page)).unwrap()
}
