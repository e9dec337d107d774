//! Whatever a function executes lies in its parts: generated crates, whose functions record that they ran.

mod generate;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use ndcache_source::{Index, Part, Position, Reached, Resolver, Session, Why};

/// What each function of a crate executed, by the line on which the function stands.
type Executed = BTreeMap<usize, BTreeSet<usize>>;

/// `NDCACHE_SOURCE_CRATES`: how many crates, two unless said. `NDCACHE_SOURCE_SEED`: the first seed.
#[test]
fn whatever_a_function_executes_lies_in_its_parts() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |value| value.parse().unwrap());
    let (seed, crates) = (number("NDCACHE_SOURCE_SEED", 1), number("NDCACHE_SOURCE_CRATES", 2));
    let (mut executed, mut counted, mut pairs, mut control) = (0, 0, 0, 0);
    for seed in seed..seed + crates {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("main.rs");
        let text = generate::generated(seed);
        std::fs::write(&root, &text).unwrap();
        let ran = run(&root);
        let session = Session { root: root.clone(), edition: 2021, ..Session::default() };
        let index = Index::read(session).unwrap();
        let resolver = Resolver::new(&index);
        for (line, expected) in ran {
            let reached = reached(&resolver, &root, &text, line);
            let parts = lines(reached.parts.iter());
            let missed: Vec<&str> =
                expected.difference(&parts).map(|&line| text.lines().nth(line - 1).unwrap()).collect();
            let function = text.lines().nth(line - 1).unwrap();
            assert!(missed.is_empty(), "seed {seed}: `{function}` misses {missed:#?}");
            let named = lines(reached.parts.iter().filter(|part| !matches!(part.why, Why::Member(_))));
            control += expected.difference(&named).count();
            (executed, counted, pairs) = (executed + expected.len(), counted + parts.len(), pairs + index.len());
        }
    }
    println!("counted | pairs of a function and an item | {pairs} | 0 | {seed}");
    println!("{executed} executed, {counted} counted, without methods {control} missed");
    // A search that counts everything misses nothing, and a program that runs nothing has nothing to miss: both have to
    // be excluded.
    assert!(counted < pairs * 3 / 4 && control > 0, "{counted} of {pairs} counted, {control} missed without methods");
}

/// The lines on which items begin.
fn lines<'a>(parts: impl Iterator<Item = &'a Part>) -> BTreeSet<usize> {
    parts.map(|part| part.line).collect()
}

fn reached(resolver: &Resolver<'_>, root: &Path, text: &str, line: usize) -> Reached {
    let function = text.lines().nth(line - 1).unwrap();
    let name = function.split("fn ").nth(1).unwrap().split(['(', '<']).next().unwrap().to_owned();
    let place = Position { file: root.to_owned(), line, name, ..Position::default() };
    resolver.reach(&place, &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn run(root: &Path) -> Executed {
    let program = root.with_extension("out");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let arguments = ["--edition=2021", "-Awarnings", "-Cdebuginfo=0", "-Coverflow-checks=off", "-o"];
    let built = Command::new(rustc).args(arguments).arg(&program).arg(root).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let ran = Command::new(&program).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let lines = String::from_utf8(ran.stdout).unwrap();
    let numbers = |line: &str| line.split(' ').map(|number| number.parse().unwrap()).collect::<Vec<usize>>();
    lines.lines().map(numbers).map(|numbers| (numbers[0], numbers[1..].iter().copied().collect())).collect()
}
