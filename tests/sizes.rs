//! Functions, files and folders stay short enough to be read at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest function, from its head to its closing brace, in lines.
const FUNCTION_MAX: usize = 70;

/// The longest file, in lines.
const FILE_MAX: usize = 500;

/// The most files that a folder of sources may hold.
const FOLDER_MAX: usize = 12;

#[test]
fn folders_hold_few_files() {
    let mut counts = BTreeMap::<PathBuf, usize>::new();
    for path in code_below(SOURCES) {
        *counts.entry(path.parent().unwrap().to_owned()).or_default() += 1;
    }
    counts.retain(|_, count| *count > FOLDER_MAX);
    assert!(counts.is_empty(), "folders with more than {FOLDER_MAX} files: {counts:?}");
}

#[test]
fn functions_and_files_are_short() {
    let mut long = Vec::new();
    let mut lengths = Vec::new();
    for path in all_code() {
        let text = fs::read_to_string(&path).unwrap();
        for (name, length) in functions(&text) {
            lengths.push(length);
            if length > FUNCTION_MAX {
                long.push(format!("`{}`: function `{name}` has {length} lines", path.display()));
            }
        }
        if text.lines().count() > FILE_MAX {
            long.push(format!("`{}` has {} lines", path.display(), text.lines().count()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
    assert!(lengths.len() > 8000, "{} functions", lengths.len());
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] <= 6, "the median function has {} lines", lengths[lengths.len() / 2]);
}

#[test]
fn python_files_are_short() {
    let mut long = Vec::new();
    let files = files_below(&["python/src-py", "python/tests", "python/benches", "python/examples"], "py");
    for path in &files {
        let lines = fs::read_to_string(path).unwrap().lines().count();
        long.extend((lines > FILE_MAX).then(|| format!("`{}` has {lines} lines", path.display())));
    }
    assert!(files.len() > 50 && long.is_empty(), "{} files; {}", files.len(), long.join("\n"));
}

#[test]
fn functions_are_measured() {
    let text = "fn a() {}\n\nimpl A {\n    pub(super) const fn b(\n        x: u8,\n    ) -> u8 {\n        x\n    }\n\
                \n    async fn c();\n}\ntrait T {\n    fn d(\n        &self,\n    ) -> u8;\n}\n";
    assert_eq!(functions(text), [("a", 1), ("b", 5)]);
}

/// The functions with a body, by name, with their lines; as rustfmt lays them out.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        if let Some(name) = function_named(rest)
            && let Some(length) = length(&lines[at..], indent)
        {
            found.push((name, length));
        }
    }
    found
}

/// The name of the function whose head begins here.
fn function_named(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let mut words = before.split_inclusive(['(', ')']).flat_map(|part| part.split_whitespace());
    let is_head = words.all(|word| {
        matches!(
            word,
            "pub" | "pub(" | "crate)" | "super)" | "in" | ")" | "const" | "async" | "unsafe" | "extern" | "\"C\""
        ) || word.starts_with("crate::")
    });
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (is_head && end > 0).then(|| &after[..end])
}

/// The lines of a function, of which these are the first and all that follow it; `None` if it has no body.
fn length(lines: &[&str], indent: &str) -> Option<usize> {
    if lines[0].ends_with(['}', ';']) {
        return lines[0].ends_with('}').then_some(1);
    }
    let mut in_head = !lines[0].ends_with('{');
    for (n, line) in lines.iter().enumerate().skip(1) {
        let of_head = line.strip_prefix(indent).filter(|rest| !rest.starts_with(' '));
        if in_head && line.ends_with(';') {
            return None;
        }
        in_head &= !of_head.is_some_and(|rest| rest.ends_with('{'));
        if of_head == Some("}") {
            return Some(n + 1);
        }
    }
    None
}

/// What is compiled into the libraries and programs of the workspace and into the Python package.
const SOURCES: &[&str] = &["src", "macros/src", "source/src", "cli/src", "python/src"];

/// What tries and measures them, and shows how to use them.
const TESTS: &[&str] = &[
    "tests",
    "source/tests",
    "cli/tests",
    "benches",
    "source/benches",
    "cli/benches",
    "examples",
    "fuzz/fuzz_targets",
];

/// All Rust code of the repository.
fn all_code() -> Vec<PathBuf> {
    [code_below(SOURCES), code_below(TESTS)].concat()
}

/// The Rust files below these folders.
fn code_below(folders: &[&str]) -> Vec<PathBuf> {
    files_below(folders, "rs")
}

fn files_below(folders: &[&str], extension: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut todo: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut code = Vec::new();
    while let Some(folder) = todo.pop() {
        for item in fs::read_dir(&folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                todo.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                code.push(path);
            }
        }
    }
    code
}
