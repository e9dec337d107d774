//! `docs/files.md`: every file with the first sentence of its head, folder by folder.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::ROOT;

/// What is listed, in this order.
const FOLDERS: [&str; 12] = [
    "src",
    "macros/src",
    "source/src",
    "cli/src",
    "python/src",
    "python/src-py",
    "tests",
    "cli/tests",
    "source/tests",
    "python/tests",
    "benches",
    "examples",
];

/// Folders whose code isn't the project's own: programs that tests compile, and what builds leave.
const LEFT_OUT: [&str; 6] = ["callers", "ui", "included", "target", "snapshots", "__pycache__"];

const HEAD: &str = "\
# Every file

Each file, folder by folder, with the first sentence of its head and, in brackets, the types that it defines for other files. [Architecture](architecture.md) says how the folders depend on each other, [contributing](contributing.md) where a change goes. Unit tests are in `tests.rs` or `tests/` beside the code that they test. This page is written by `NDCACHE_WRITE_PAGES=1 cargo test --test ndcache every_file_is_listed`.
";

#[test]
fn every_file_is_listed_with_the_first_sentence_of_its_head() {
    let path = Path::new(ROOT).join("docs/files.md");
    let expected = page();
    if std::env::var_os("NDCACHE_WRITE_PAGES").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let lines = written.lines().chain(std::iter::repeat("nothing"));
    let differing = expected.lines().zip(lines).find(|(expected, written)| expected != written);
    assert_eq!(differing, None, "docs/files.md: NDCACHE_WRITE_PAGES=1 writes it anew");
    assert_eq!(written.len(), expected.len(), "docs/files.md goes on behind its last file");
}

#[test]
fn sentences_and_types_are_found() {
    let text = "//! One of [`A`], or [`B`](crate::B): the\n//! rest. `More`.\n\npub(crate) struct C<T>(T);\npub enum D {\nfn e() {}\n";
    assert_eq!(first_sentence(&head_of_rust(text)), "One of `A`, or `B`: the rest.");
    assert_eq!(types(text), ["C", "D"]);
    assert_eq!(
        first_sentence(&head_of_python("#!/usr/bin/env python\n\"\"\"As X has it,\nmore.\"\"\"\n")),
        "As X has it, more."
    );
}

fn page() -> String {
    let mut folders = BTreeMap::new();
    let mut text = HEAD.to_owned();
    for folder in FOLDERS {
        folders.clear();
        gather(Path::new(folder), &mut folders);
        for (folder, files) in &folders {
            write!(text, "\n## `{folder}/`\n\n").unwrap();
            for line in files {
                writeln!(text, "* {line}").unwrap();
            }
        }
    }
    text
}

/// The lines of each folder below `folder`, in the order of their files' names.
fn gather(folder: &Path, all: &mut BTreeMap<String, Vec<String>>) {
    let items = fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
    let mut names: Vec<_> = items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names {
        let path = folder.join(&name);
        if Path::new(ROOT).join(&path).is_dir() {
            if !LEFT_OUT.contains(&&*name) {
                gather(&path, all);
            }
        } else if let Some(line) = line_of(&path, &name) {
            all.entry(folder.to_str().unwrap().to_owned()).or_default().push(line);
        }
    }
}

/// The line of a file; `None` if it has no code, or holds a module's own tests, which the module's line stands for.
fn line_of(path: &Path, name: &str) -> Option<String> {
    let is_rust = name.ends_with(".rs");
    if !(is_rust || name.ends_with(".py")) || name == "tests.rs" {
        return None;
    }
    let text = fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
    let head = first_sentence(&if is_rust { head_of_rust(&text) } else { head_of_python(&text) });
    assert!(!head.is_empty(), "`{}` has no head that says what is in it", path.display());
    let types = if is_rust { types(&text) } else { Vec::new() };
    let types: Vec<_> = types.iter().map(|name| format!("`{name}`")).collect();
    let types = if types.is_empty() { String::new() } else { format!(" ({})", types.join(", ")) };
    Some(format!("`{name}`: {head}{types}"))
}

fn head_of_rust(text: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.starts_with("//!")).map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<_> = lines.map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ")
}

fn head_of_python(text: &str) -> String {
    let doc = text.split("\"\"\"").nth(1).unwrap_or_default();
    let lines: Vec<_> = doc.trim_start().lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ")
}

/// The text up to the end of its first sentence, without the marks of links.
fn first_sentence(head: &str) -> String {
    let mut sentence = String::new();
    for word in head.split(' ') {
        let is_link = word.starts_with("[`") || word.contains("([`");
        let word = if is_link { without_link(word) } else { word.to_owned() };
        let ends = word.ends_with('.') && !word.ends_with("…");
        sentence.push_str(&word);
        if ends {
            break;
        }
        sentence.push(' ');
    }
    sentence.trim_end().to_owned()
}

/// `` [`A`](b), `` is `` `A`, ``.
fn without_link(word: &str) -> String {
    let word = word.replace("[`", "`").replace("`]", "`");
    match (word.find("`("), word.rfind(')')) {
        (Some(begin), Some(end)) if end > begin => format!("{}{}", &word[..=begin], &word[end + 1..]),
        _ => word,
    }
}

/// The types and traits that other files may use.
fn types(text: &str) -> Vec<&str> {
    let items = text.lines().filter(|line| line.starts_with("pub"));
    let named = items.filter_map(|line| {
        let item = ["struct ", "enum ", "trait ", "union "].iter().find_map(|kind| line.split_once(kind))?;
        let is_first = item.0.split_once(')').map_or(item.0, |(_, rest)| rest).trim_start_matches("pub").trim();
        let name = item.1.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()?;
        matches!(is_first, "" | "unsafe").then_some(name)
    });
    named.collect()
}
