//! How much counts that needn't: nothing in the first example, a stated share in crates that people use.

use std::path::Path;

use ndcache_source::{Index, Position, Resolver, Session};

use super::pinned::Pinned;
use crate::crates::names;

#[test]
fn the_functions_of_the_digits_example_have_their_helpers_and_no_more() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits.rs");
    let text = std::fs::read_to_string(&root).unwrap();
    let session = Session { root: root.clone(), edition: 2024, ..Session::default() };
    let index = Index::read(session).unwrap();
    let resolver = Resolver::new(&index);
    let cached: Vec<(usize, String)> = cached(&text);
    let found = cached.into_iter().map(|(line, name)| {
        let place = Position { file: root.clone(), line, name: name.clone(), ..Position::default() };
        let reached = resolver.reach(&place, &[]).unwrap();
        format!("{name}: {}", names(&reached).join(", "))
    });
    let expected = [
        "load: Digits",
        "standardize: ",
        "project: Pca",
        "neighbours: NEIGHBOURS, squared_distance",
        "accuracy: <impl Knn>, <impl Knn>::vote, <impl Weights>, <impl Weights>::of, Knn, Weights",
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

/// The functions with `#[cache]`, and their lines.
fn cached(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let marked = (1..lines.len()).filter(|&at| lines[at - 1].trim_start().starts_with("#[cache"));
    marked.map(|at| (at + 1, lines[at].split("fn ").nth(1).unwrap().split('(').next().unwrap().to_owned())).collect()
}

#[test]
fn an_edit_of_one_item_rarely_changes_a_function_of_statrs() {
    let statrs =
        Pinned { features: &["std"], externs: &["approx", "num_traits"], ..Pinned::new("statrs", "0.18.0", 2021) };
    assert_precise("statrs", &[statrs], 20);
}

#[test]
fn an_edit_of_one_item_rarely_changes_a_function_of_the_libraries_of_ripgrep() {
    let library = |name, version, externs| Pinned { externs, ..Pinned::new(name, version, 2021) };
    let libraries = [
        library("grep-cli", "0.1.12", &["bstr", "globset", "libc", "log", "termcolor", "winapi_util"]),
        library("grep-regex", "0.1.14", &["bstr", "grep_matcher", "log", "regex_automata", "regex_syntax"]),
        library(
            "grep-searcher",
            "0.1.17",
            &["bstr", "encoding_rs", "encoding_rs_io", "grep_matcher", "log", "memchr", "memmap2"],
        ),
        library(
            "ignore",
            "0.4.35",
            &["crossbeam_deque", "globset", "log", "memchr", "regex_automata", "same_file", "walkdir"],
        ),
    ];
    assert_precise("libraries of ripgrep", &libraries, 70);
}

/// Asserts that of 1,000 pairs of a free function and an item of its crate at most `most` count: with this probability
/// an edit of an item, drawn at random, changes the key of a function.
fn assert_precise(name: &str, crates: &[Pinned], most: usize) {
    let (mut functions, mut counted, mut pairs) = (0, 0, 0);
    for pinned in crates {
        let Some(folder) = pinned.sources() else { return };
        let index = Index::read(pinned.session(&folder.join("src/lib.rs"))).unwrap();
        let resolver = Resolver::new(&index);
        for place in index.values().filter(is_free_function).map(|(place, _)| place) {
            functions += 1;
            counted += resolver.reach(&place, &[]).unwrap().parts.len();
            pairs += index.len();
        }
    }
    let per_mille = counted * 1000 / pairs.max(1);
    println!("counted | pairs of a function and an item of {name} | {pairs} | 0 | {per_mille} of 1,000 count");
    assert!(functions > 40, "{name}: {functions} functions");
    assert!((1..=most).contains(&per_mille), "{name}: {per_mille} of 1,000 pairs count");
}

/// Whether it is neither a method nor a constant.
fn is_free_function((place, path): &(Position, String)) -> bool {
    !path.contains('<') && place.name.starts_with(|first: char| first.is_ascii_lowercase())
}
