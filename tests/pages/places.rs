//! Where `docs/contributing.md` sends whoever changes something: its files and items are there.

use std::fs;
use std::path::{Path, PathBuf};

use super::ROOT;
use super::lengths::text;

/// Where the files that a page for contributors names begin.
const FROM: [&str; 7] = ["", "src", "cli/src", "source/src", "macros/src", "python/src", "python/src-py/ndcache"];

/// How the names of files end that are looked for.
const ENDS: [&str; 7] = [".rs", ".py", ".pyi", ".toml", ".json", ".md", ".stderr"];

/// The file that a page for contributors names: from the root, or from the sources that it describes.
fn found(name: &str) -> Option<PathBuf> {
    FROM.iter().map(|from| Path::new(ROOT).join(from).join(name)).find(|path| path.is_file())
}

/// The folder that such a page names.
fn folder(name: &str) -> Option<PathBuf> {
    let folders = FROM.iter().map(|from| Path::new(ROOT).join(from).join(name));
    folders.filter(|_| name.ends_with('/')).find(|path| path.is_dir())
}

/// What stands in backticks is the name of a file, not of an item or a command.
fn is_file(code: &str) -> bool {
    code.contains('/') && !code.contains([' ', '*', '…', '<']) && ENDS.iter().any(|end| code.ends_with(end))
}

/// The items that are said to be in files, as in "`a`, `b` and `c` in `file`".
fn items(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<_> = text.split('`').collect();
    let mut found = Vec::new();
    for file in (3..parts.len()).step_by(2).filter(|&at| is_file(parts[at]) && parts[at - 1] == " in ") {
        let mut at = file - 2;
        loop {
            found.push((parts[at], parts[file]));
            let is_list = at > 2 && matches!(parts[at - 1], ", " | " and ") && !is_file(parts[at - 2]);
            if !is_list {
                break;
            }
            at -= 2;
        }
    }
    found
}

/// Whether the text has this word, or the last one of this path.
fn has_word(text: &str, path: &str) -> bool {
    let word = path.rsplit("::").next().unwrap_or(path);
    let is_end = |char: Option<char>| !char.is_some_and(|char| char.is_alphanumeric() || char == '_');
    text.match_indices(word)
        .any(|(at, _)| is_end(text[..at].chars().next_back()) && is_end(text[at + word.len()..].chars().next()))
}

#[test]
fn every_file_that_a_page_for_contributors_names_is_there() {
    let mut files = 0;
    for page in ["docs/architecture.md", "docs/contributing.md"] {
        for name in text(page).split('`').skip(1).step_by(2).filter(|code| is_file(code)) {
            files += 1;
            assert!(found(name).is_some(), "{page} names the file `{name}`, which is not there");
        }
    }
    assert!(files > 400, "{files} files");
}

#[test]
fn every_item_that_a_page_for_contributors_names_is_in_its_file() {
    let mut count = 0;
    for page in ["docs/architecture.md", "docs/contributing.md"] {
        let text = text(page);
        for (item, file) in items(&text) {
            count += 1;
            let code = found(file).map(|path| fs::read_to_string(path).unwrap()).unwrap_or_default();
            assert!(has_word(&code, item), "{page} says that `{item}` is in `{file}`, where it isn't");
        }
    }
    assert!(count > 180, "{count} items");
}

/// Each row of the table says which file is opened first, or leads to another table.
#[test]
fn every_change_has_the_file_that_is_opened_first() {
    let text = text("docs/contributing.md");
    let (_, table) = text.split_once("## Where a change goes").expect("the table");
    let rows = table.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let rows: Vec<Vec<_>> = rows.map(|row| row.split('|').map(str::trim).collect()).collect();
    assert!(rows.len() > 100, "{} rows", rows.len());
    for row in rows.iter().filter(|row| !matches!(row[0], "change" | "---")) {
        assert_eq!(row.len(), 4, "{row:?}");
        let is_there = |code: &str| found(code).is_some() || folder(code).is_some();
        let has_file = row[1].split('`').skip(1).step_by(2).any(is_there);
        assert!(has_file || row[1].contains("](#"), "no file is named: {row:?}");
    }
}

#[test]
fn items_are_found_with_their_files() {
    let text = "`a`, `b` and `c::D` in `x/y.rs`, `e` of `z.rs`: `f` in `x/` and `x/y.rs`, `w/v.rs`, `h` in `w/u.py`";
    assert_eq!(items(text), [("c::D", "x/y.rs"), ("b", "x/y.rs"), ("a", "x/y.rs"), ("h", "w/u.py")]);
    assert!(has_word("fn load()", "A::load") && !has_word("fn reload() {} loads", "load"));
}
