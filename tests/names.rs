//! No two types of a crate share a name, so that each is found and read without its module.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The names of several types, by the folder of their crate (docs/design.md, "Why do some names stand in several
/// modules?"): public ones that are read with their module, and the private types below them; terms of a field.
const SHARED: &[(&str, &[&str])] = &[
    ("src", &["Lead", "Options", "Result", "Step", "Stored", "Stripe", "Sums", "Turn", "Wait"]),
    ("macros/src", &[]),
    ("source/src", &["Result"]),
    ("cli/src", &["Column", "Edge", "Row"]),
    ("python/src", &[]),
];

#[test]
fn a_type_has_a_name_of_its_own() {
    for (folder, shared) in SHARED {
        let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (file, text) in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
            for name in text.lines().filter_map(type_named) {
                files.entry(name.to_owned()).or_default().insert(file.clone());
            }
        }
        assert!(files.len() > 20, "{folder}");
        let found: Vec<_> = files.iter().filter(|(_, files)| files.len() > 1).collect();
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, *shared, "{found:#?}");
    }
}

#[test]
fn types_are_found_by_the_lines_that_begin_them() {
    let text = "struct A;\npub(in crate::a) enum B<T> {\npub unsafe trait C: D {}\n    struct E;\ntype F<'a> = &'a str;\nfn g() {}";
    assert_eq!(text.lines().filter_map(type_named).collect::<Vec<_>>(), ["A", "B", "C", "F"]);
}

/// The name of the type, trait or alias that begins at this line, outside of functions and of modules in the file.
fn type_named(line: &str) -> Option<&str> {
    let (before, after) =
        ["struct ", "enum ", "union ", "trait ", "type "].iter().find_map(|kind| line.split_once(kind))?;
    let is_first = before.rsplit_once(')').map_or(before, |(_, rest)| rest).trim_start_matches("pub").trim_end();
    let name = after.split(|char: char| !(char.is_alphanumeric() || char == '_')).next()?;
    matches!(is_first, "" | " unsafe" | "unsafe").then_some(name).filter(|_| !line.starts_with(' '))
}

/// The Rust files below a folder, without those of tests, each with its text.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}
