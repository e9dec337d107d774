use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use crate::entry::read::find::FoundEntry;
use crate::record::{Argument, FORMAT, Producer};
use crate::results::lineage::print::date;
use crate::results::lineage::*;
use crate::store::{Disk, Stat};

/// A folder for entries of which nothing is read: one for all, as each holds a descriptor.
static NOWHERE: LazyLock<Arc<Disk>> = LazyLock::new(|| Arc::new(Disk::open_read_only(Path::new("/")).unwrap()));

fn entry(function: &str, arguments: &[(&str, &str)]) -> Entry {
    let arguments = arguments.iter().map(|(name, text)| Argument::new(name, Digest::of(text.as_bytes()), text));
    let record = Record {
        format: FORMAT,
        requires: Vec::new(),
        key: Digest::of(function.as_bytes()),
        function: function.into(),
        code: Digest::of(b""),
        arguments: arguments.collect::<Vec<_>>().into(),
        created: 1_700_000_000_000_000_000,
        duration: 1_500_000,
        expires: None,
        build: None,
        types: None,
        value: vec![0xc0],
        arrays: Vec::new(),
        overflow: None,
        producer: Producer::current("").into(),
        edited: false,
        origin: None,
        python: Vec::new(),
        local: false,
    };
    Entry::new(
        &NOWHERE,
        "x.record",
        FoundEntry { record: record.into(), stat: Stat::of_no_file(), length: 0, used: SystemTime::UNIX_EPOCH },
    )
}

fn node(entry: Entry, inputs: &[(usize, &[usize], usize)]) -> Node {
    let inputs = inputs.iter();
    let inputs = inputs.map(|&(argument, sources, more)| Input { argument, sources: sources.to_vec(), more });
    Node { entry, inputs: inputs.collect() }
}

/// The lines without key, date and duration.
fn tree(lineage: &Lineage) -> Vec<String> {
    lineage
        .to_string()
        .lines()
        .map(|line| line.split("  ").filter(|part| part.len() != 32).collect::<Vec<_>>())
        .map(|parts| parts.into_iter().filter(|part| !part.contains(" UTC, ")).collect::<Vec<_>>().join("  "))
        .collect()
}

#[test]
fn a_tree_has_a_branch_for_each_array_and_spells_each_entry_out_once() {
    let lineage = Lineage {
        nodes: vec![
            node(
                entry("p/m::f", &[("x", "f64[2] C"), ("k", "3"), ("y", "f64[3] F")]),
                &[(0, &[1, 2], 4), (2, &[2], 0)],
            ),
            node(entry("p/g", &[("z", "u8[] C")]), &[(0, &[], 0)]),
            node(entry("p/h", &[]), &[]),
        ],
        unread: None,
    };
    assert_eq!(
        tree(&lineage),
        [
            "f(x=f64[2] C, k=3, y=f64[3] F)",
            "├─ x: g(z=u8[] C)",
            "│  └─ z: u8[] C, held by no entry: from elsewhere, or removed",
            "├─ x: h()",
            "├─ x: and 4 more entries that hold it",
            "└─ y: h()  (above)",
        ]
    );
    let first = lineage.to_string();
    let first = first.lines().next().unwrap();
    let key = Key::from_digest(Digest::of(b"p/m::f"));
    assert!(first.ends_with(&format!("F)  {key}  2023-11-14 22:13:20 UTC, 1.5 ms")), "{first}");
}

#[test]
fn a_circle_and_a_chain_of_any_length_are_printed() {
    let circle = Lineage {
        nodes: vec![
            node(entry("p/a", &[("x", "f64[1] C")]), &[(0, &[1], 0)]),
            node(entry("p/b", &[("x", "f64[1] C")]), &[(0, &[0], 0)]),
        ],
        unread: None,
    };
    assert_eq!(tree(&circle), ["a(x=f64[1] C)", "└─ x: b(x=f64[1] C)", "   └─ x: a(x=f64[1] C)  (above)"]);
    let step = |n: usize| node(entry("p/step", &[("x", "f64[1] C")]), &[(0, &[n + 1], 0)]);
    let mut nodes: Vec<_> = (0..50_000).map(step).collect();
    nodes.push(node(entry("p/start", &[]), &[]));
    let chain = Lineage { nodes, unread: None }.to_string();
    assert_eq!(chain.lines().count(), 66);
    assert!(chain.ends_with("└─ … and what went into it"));
}

#[test]
fn texts_can_not_break_out_of_a_graph_or_a_line() {
    let hostile = "\"];\n evil [label=\"\\N\u{1b}[31m";
    let lineage = Lineage { nodes: vec![node(entry("p/f", &[("x", hostile)]), &[(0, &[], 0)])], unread: None };
    let dot = lineage.dot();
    assert!(dot.contains(r#"a0 [shape=ellipse, label="\"];\n evil [label=\"\\N�[31m"];"#), "{dot}");
    assert!(dot.contains(r#"n0 [label="f(x=\"];\\n evil [label=\"\\N\\u{1b}[31m)\n2023-11-14"#), "{dot}");
    assert!(dot.contains("a0 -> n0 [label=\"x\"];"), "{dot}");
    assert_eq!(dot.lines().count(), 7, "{dot}");
    assert_eq!(lineage.to_string().lines().count(), 2);
    assert!(!lineage.to_string().contains('\u{1b}'));
}

#[test]
fn arrays_are_known_by_their_text() {
    for array in ["f64[1797, 64] C", "u8[] C", "Complex<f32>[3] F", "bool[2, 2] strided"] {
        assert!(is_array(array), "{array}");
    }
    for other in ["3", "\"x[1] D\"", "[1, 2]", "[f64[2] C, f64[2] C]", "\"a[b] C", "f64[1797, 6…"] {
        assert!(!is_array(other), "{other}");
    }
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (seconds, expected) in [
        (0, "1970-01-01 00:00:00 UTC"),
        (951_782_399, "2000-02-28 23:59:59 UTC"),
        (951_782_400, "2000-02-29 00:00:00 UTC"),
        (951_868_800, "2000-03-01 00:00:00 UTC"),
        (1_795_264_596, "2026-11-21 12:36:36 UTC"),
        (4_107_542_400, "2100-03-01 00:00:00 UTC"),
    ] {
        assert_eq!(date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), expected);
    }
}
