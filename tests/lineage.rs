//! What went into a result.

use ndarray::prelude::*;
use ndcache::inspect::Lineage;
use ndcache::shelve::Shelved;
use ndcache::{Memory, cache};

use crate::support::{fresh, snapshot};

#[cache]
fn source(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

#[cache]
fn smooth(x: &ArrayRef1<f64>, k: f64) -> Array1<f64> {
    x.mapv(|x| x * k + 1.0)
}

#[cache]
fn split(x: &ArrayRef1<f64>) -> (Array1<f64>, f64) {
    (x.mapv(f64::sqrt), x.sum())
}

#[cache]
fn distance(x: &ArrayRef1<f64>, y: &ArrayRef1<f64>) -> f64 {
    (x - y).mapv(f64::abs).sum()
}

#[cache]
fn unchanged(x: &ArrayRef1<f64>) -> Array1<f64> {
    x.to_owned()
}

/// The lines without keys, dates and durations.
fn tree(lineage: &Lineage) -> Vec<String> {
    let told = |part: &&str| part.len() != 32 && !part.contains(" UTC, ");
    let line = |line: &str| line.split("  ").filter(told).collect::<Vec<_>>().join("  ");
    lineage.to_string().lines().map(line).collect()
}

#[test]
fn a_result_is_traced_to_the_entries_whose_arrays_it_took() {
    let (folder, memory) = fresh();
    let x = memory.eval(source::call(2000));
    let y = memory.mmap(smooth::call(&x, 0.5));
    let (root, _) = memory.eval(split::call(&y));
    memory.eval(distance::call(&root, &x));
    let before = snapshot(folder.path());
    let lineage = memory.lineage(&distance::call(&root, &x)).unwrap().unwrap();
    assert_eq!(
        tree(&lineage),
        [
            "distance(x=f64[2000] C, y=f64[2000] C)",
            "├─ x: split(x=f64[2000] C)",
            "│  └─ x: smooth(x=f64[2000] C, k=0.5)",
            "│     └─ x: source(n=2000)",
            "└─ y: source(n=2000)  (above)",
        ]
    );
    assert_eq!(snapshot(folder.path()), before, "nothing was written");
    let entry = memory.entry(&distance::call(&root, &x)).unwrap().unwrap();
    let text = lineage.to_string();
    let first = text.lines().next().unwrap();
    assert!(first.contains(&format!("  {}  ", entry.key())) && first.contains(" UTC, "), "{first}");
    let functions: Vec<_> = lineage.entries().map(|entry| entry.function().rsplit("::").next().unwrap()).collect();
    assert_eq!(functions, ["distance", "split", "source", "smooth"]);
    assert_eq!(lineage.links().count(), 4);
    assert!(lineage.links().all(|link| link.source().is_some_and(|entry| entry.key() != link.call().key())));
    assert_eq!(memory.stats().hits(), 0);
}

#[test]
fn a_small_array_beside_other_values_is_joined_too() {
    let (_folder, memory) = fresh();
    let x = memory.eval(source::call(3));
    let (root, _) = memory.eval(split::call(&x));
    memory.eval(smooth::call(&root, 1.0));
    let lineage = memory.lineage(&smooth::call(&root, 1.0)).unwrap().unwrap();
    let lines = ["smooth(x=f64[3] C, k=1.0)", "└─ x: split(x=f64[3] C)", "   └─ x: source(n=3)"];
    assert_eq!(tree(&lineage), lines);
    assert_eq!(memory.entry(&split::call(&x)).unwrap().unwrap().files().len(), 0, "in the record");
}

#[test]
fn small_arrays_and_shelved_results_are_joined_too() {
    #[cache]
    fn total(parts: &Shelved<(Array1<f64>, f64)>, k: usize) -> f64 {
        k as f64 * parts.load(&ndcache_memory()).unwrap().1
    }
    fn ndcache_memory() -> Memory {
        MEMORY.with_borrow(|memory| memory.clone().expect("set below"))
    }
    thread_local! {
        static MEMORY: std::cell::RefCell<Option<Memory>> = const { std::cell::RefCell::new(None) };
    }
    let (_folder, memory) = fresh();
    MEMORY.set(Some(memory.clone()));
    let x = memory.eval(source::call(3));
    let parts = memory.shelve(split::call(&x)).unwrap();
    memory.eval(total::call(&parts, 2));
    let lineage = memory.lineage(&total::call(&parts, 2)).unwrap().unwrap();
    let lines = tree(&lineage);
    assert!(lines[0].starts_with("total(parts=") && lines[0].ends_with(", k=2)"), "{lines:?}");
    assert_eq!(lines[1..], ["└─ parts: split(x=f64[3] C)", "   └─ x: source(n=3)"]);
}

#[test]
fn a_line_ends_where_no_entry_holds_the_array() {
    let (_folder, memory) = fresh();
    let x = memory.eval(source::call(2000));
    let y = memory.eval(smooth::call(&x, 2.0));
    let call = || distance::call(&y, &x);
    assert!(memory.lineage(&call()).unwrap().is_none(), "not stored yet");
    memory.eval(call());
    memory.remove(&smooth::call(&x, 2.0)).unwrap();
    let lineage = memory.lineage(&call()).unwrap().unwrap();
    assert_eq!(
        tree(&lineage),
        [
            "distance(x=f64[2000] C, y=f64[2000] C)",
            "├─ x: f64[2000] C, held by no entry: from elsewhere, or removed",
            "└─ y: source(n=2000)",
        ]
    );
    assert!(!lineage.to_string().contains("edited"));
    memory.mmap_mut(smooth::call(&x, 2.0)).unwrap().commit().unwrap();
    let lines = memory.lineage(&call()).unwrap().unwrap().to_string();
    let line = lines.lines().find(|line| line.contains("smooth(")).unwrap();
    assert!(line.ends_with(", edited"), "a result that was published by hand: {line}");
    let ends: Vec<_> = lineage.links().filter(|link| link.source().is_none()).collect();
    assert_eq!((ends.len(), ends[0].argument().name()), (1, "x"));
    assert!(lineage.dot().contains("a0 [shape=ellipse, label=\"f64[2000] C\"];"));
    assert!(Memory::disabled().lineage(&call()).unwrap().is_none());
}

#[test]
fn functions_that_return_their_argument_do_not_go_round_in_circles() {
    #[cache]
    fn same(x: &ArrayRef1<f64>) -> Array1<f64> {
        x.to_owned()
    }
    let (_folder, memory) = fresh();
    let x = memory.eval(unchanged::call(&memory.eval(same::call(&source::compute(2000)))));
    let lineage = memory.lineage(&unchanged::call(&x)).unwrap().unwrap();
    // Each entry holds the other's argument, so nobody can tell which was first.
    assert_eq!(
        tree(&lineage),
        ["unchanged(x=f64[2000] C)", "└─ x: same(x=f64[2000] C)", "   └─ x: unchanged(x=f64[2000] C)  (above)",]
    );
}

#[test]
fn an_array_that_several_entries_hold_is_joined_with_each_up_to_eight() {
    #[cache]
    fn zeros(seed: usize) -> Array1<f64> {
        Array1::from_elem(2000, (seed / 1000) as f64)
    }
    let (_folder, memory) = fresh();
    for seed in 0..11 {
        memory.eval(zeros::call(seed));
    }
    let x = zeros::compute(0);
    memory.eval(smooth::call(&x, 1.0));
    let lines = tree(&memory.lineage(&smooth::call(&x, 1.0)).unwrap().unwrap());
    assert_eq!(lines.len(), 10);
    assert_eq!((&*lines[1], &*lines[9]), ("├─ x: zeros(seed=0)", "└─ x: and 3 more entries that hold it"));
}

#[test]
fn a_graph_has_a_box_for_each_entry_and_an_edge_for_each_argument() {
    let (_folder, memory) = fresh();
    let x = memory.eval(source::call(2000));
    let y = memory.eval(smooth::call(&x, 0.5));
    memory.eval(distance::call(&y, &x));
    let dot = memory.lineage(&distance::call(&y, &x)).unwrap().unwrap().dot();
    let lines: Vec<_> = dot.lines().collect();
    assert_eq!((lines[0], lines[lines.len() - 1]), ("digraph lineage {", "}"));
    assert!(lines[3].starts_with("  n0 [label=\"distance(x=f64[2000] C, y=f64[2000] C)\\n"), "{dot}");
    assert!(lines[4].starts_with("  n1 [label=\"smooth("), "{dot}");
    assert_eq!(lines[6..9], ["  n1 -> n0 [label=\"x\"];", "  n2 -> n0 [label=\"y\"];", "  n2 -> n1 [label=\"x\"];"]);
}
