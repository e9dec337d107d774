//! How much counts that needn't: of the first example nothing, of crates that people use a share that is stated.

use std::path::Path;

use ndcache_source::{Index, Place, Resolver, Session, Sought};

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
        let place = Place { file: root.clone(), line, name: name.clone(), ..Place::default() };
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
    assert_precise(&Pinned { features: &["std"], ..Pinned::new("statrs", "0.18.0", 2021) }, "src/lib.rs", 20);
}

#[test]
fn an_edit_of_one_item_rarely_changes_a_function_of_ripgrep() {
    assert_precise(&Pinned::new("ripgrep", "14.1.1", 2021), "crates/core/main.rs", 70);
}

/// Of 1,000 pairs of a function and an item of the crate at most so many count: an edit of an item, drawn at random,
/// changes the key of a function with this probability.
fn assert_precise(pinned: &Pinned, root: &str, most: usize) {
    let Some(folder) = pinned.sources() else { return };
    let index = Index::read(pinned.session(&folder.join(root))).unwrap();
    let resolver = Resolver::new(&index);
    let (mut functions, mut counted) = (0, 0);
    for (place, _) in index.values() {
        let place = Place { sought: Sought::Function, ..place };
        let Ok(reached) = resolver.reach(&place, &[]) else { continue };
        if reached.parts[0].name.rsplit("::").next() == Some(&place.name) {
            functions += 1;
            counted += reached.parts.len();
        }
    }
    let (pairs, name) = (functions * index.len(), pinned.name);
    let per_mille = counted * 1000 / pairs.max(1);
    println!(
        "counted | pairs of a function and an item of {name} {} | {pairs} | 0 | {per_mille} of 1,000 count",
        pinned.version
    );
    assert!(functions > 100, "{name}: {functions} functions");
    assert!((1..=most).contains(&per_mille), "{name}: {per_mille} of 1,000 pairs count");
}
