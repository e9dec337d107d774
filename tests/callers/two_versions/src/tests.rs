//! Each case is evaluated with both versions, in both orders, in this process and in others.

use std::process::Command;

use ndcache::{Memory, call};

use super::*;

/// The name of a case, its value by the first version, and by the second.
type Case = (&'static str, fn(&Memory) -> f64, fn(&Memory) -> f64);

/// Makes cases of expressions, each once with `kern1` and once with `kern2` in place of `$kern`.
macro_rules! cases {
    ($($name:literal: |$memory:ident, $kern:ident| $body:expr;)*) => {
        &[$(($name, { use kern1 as $kern; |$memory: &Memory| $body }, { use kern2 as $kern; |$memory: &Memory| $body })),*]
    };
}

/// Here the two versions have keys of their own.
const KEYED: &[Case] = cases! {
    "function": |memory, kern| memory.eval(kern::cached::call(1.0));
    "function under a name": |memory, kern| memory.eval(kern::named::call(1.0));
    "method": |memory, kern| memory.eval(kern::Marker::scaled_call(1.0));
    "called function": |memory, kern| memory.eval(call!(kern::smooth(1.0)));
    "called generic function": |memory, kern| memory.eval(call!(plain::<kern::Marker>(1.0)));
    "named closure": |memory, kern| kern::closure(memory, 1.0);
    "argument": |memory, kern| memory.eval(by_hash::call(kern::Hashed { x: 1.0 }));
    "enum argument": |memory, kern| memory.eval(by_hash::call(kern::Choice::One(1.0)));
    "argument behind a dyn": |memory, kern| memory.eval(by_dyn::call(&kern::Hashed { x: 1.0 }));
    "arguments in boxes": |memory, kern| memory.eval(by_boxes::call(&[Box::new(kern::Hashed { x: 1.0 })]));
    "result": |memory, kern| memory.eval(by_payload::call::<kern::Stored>()).number();
};

/// Here only names tell the versions apart: the result of the first one is stored, and the other one is computed each
/// time.
const APART: &[Case] = cases! {
    "called function of a version": |memory, kern| memory.eval(call!(kern::smooth(1.0), version = 1));
    "type argument": |memory, kern| memory.eval(by_type::call::<kern::Marker>(1.0));
    "Self": |memory, kern| memory.eval(Plain::<kern::Marker>::scaled_call(1.0));
    "serde argument": |memory, kern| memory.eval(by_serde::call(kern::Described { x: 1.0 }));
    "impl Trait": |memory, kern| memory.eval(by_opaque::call(&kern::Described { x: 1.0 }));
    "by hand behind a dyn": |memory, kern| memory.eval(by_dyn::call(&Plain::<kern::Marker>::new()));
    "serde result": |memory, kern| memory.eval(by_result::call::<kern::Described>()).number();
    "named closure in a generic function": |memory, kern| closure::<kern::Marker>(memory, 1.0);
    "argument of a named closure": |memory, kern| closure_of(memory, kern::Described { x: 1.0 });
};

fn check(memory: &Memory, cases: &[Case], first: usize) {
    for (name, one, two) in cases {
        let both = [(one, 2.0), (two, 3.0)];
        for (evaluate, expected) in [both[first], both[1 - first], both[first], both[1 - first]] {
            assert_eq!(evaluate(memory), expected, "{name}, version {} first", first + 1);
        }
    }
}

#[test]
fn two_versions_of_a_package_never_share_an_entry_in_whichever_order() {
    for first in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::open(folder.path()).unwrap();
        check(&memory, KEYED, first);
        let (hits, misses) = (2 * KEYED.len() as u64, 2 * KEYED.len() as u64);
        assert_eq!((memory.stats().hits(), memory.stats().misses(), memory.stats().faults()), (hits, misses, 0));
        check(&memory, APART, first);
        assert_eq!(memory.entries().count(), 2 * KEYED.len() + APART.len());
    }
}

const CHILD: &str = "NDCACHE_TWO_VERSIONS";

#[test]
fn two_versions_of_a_package_never_share_an_entry_in_whichever_process() {
    const NAME: &str = "tests::two_versions_of_a_package_never_share_an_entry_in_whichever_process";
    if let Ok(order) = std::env::var(CHILD) {
        let (first, folder) = order.split_once(' ').unwrap();
        let (first, memory) = (first.parse().unwrap(), Memory::open(folder).unwrap());
        check(&memory, KEYED, first);
        let before = memory.stats();
        check(&memory, APART, first);
        let reasons = memory.stats();
        println!("{NAME}: {} {}", before.misses(), reasons.by_reason().get("bypassed").copied().unwrap_or_default());
        return;
    }
    for orders in [[0, 0], [0, 1], [1, 0], [1, 1]] {
        let folder = tempfile::tempdir().unwrap();
        let told = orders.map(|first| {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", NAME, "--nocapture", "--test-threads=1"]);
            child.env(CHILD, format!("{first} {}", folder.path().display()));
            let output = child.output().unwrap();
            assert!(output.status.success(), "{orders:?}: {}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            let line = text.lines().find_map(|line| line.split(&format!("{NAME}: ")).nth(1).map(str::to_owned));
            line.unwrap_or_else(|| panic!("{text}"))
        });
        let apart = 2 * APART.len();
        let expected = [format!("{} {apart}", 2 * KEYED.len()), format!("0 {apart}")];
        assert_eq!(told, expected, "{orders:?}");
    }
}

#[test]
fn what_has_the_name_of_another_type_is_told_and_leaves_its_entry() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    let one = || by_type::call::<kern1::Marker>(1.0);
    assert_eq!(memory.eval(one()), 2.0);
    let other = || by_type::call::<kern2::Marker>(1.0);
    let explanation = memory.explain(&other());
    assert_eq!(explanation.reason().name(), "bypassed", "{explanation}");
    assert!(explanation.to_string().contains("of other types"), "{explanation}");
    assert!(!memory.contains(&other()));
    assert!(memory.try_eval(other()).unwrap_err().to_string().contains("derive"));
    assert_eq!(memory.refresh(other()), 3.0);
    assert!(memory.contains(&one()));
    assert_eq!(memory.eval(one()), 2.0);
}
