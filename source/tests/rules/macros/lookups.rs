//! What macros of the crate look up by what they are given: features, variables, files.

use ndcache_source::{Fact, Reached};

use crate::crates::Crate;

fn with(files: &[(&str, &str)], cfg: &[&str]) -> Reached {
    Crate::new(files).with(|session| session.cfg = cfg.iter().map(|set| set.to_string()).collect()).reached()
}

/// Whether the feature `fast` changes the digest, and another one doesn't.
#[track_caller]
fn assert_feature_counts(text: &str) {
    let files = [("src/lib.rs", text)];
    let plain = with(&files, &[]);
    assert_ne!(plain.digest, with(&files, &["feature=\"fast\""]).digest, "{text}");
    assert_eq!(plain.digest, with(&files, &["feature=\"other\"", "unrelated"]).digest, "{text}");
    assert!(plain.unseen.is_empty(), "{text}: {:?}", plain.unseen);
}

const FEATURE: &str = "macro_rules! feature { ($f:literal) => { cfg!(feature = $f) } } ";
const PICK: &str = "macro_rules! pick { ($($t:tt)*) => { { #[cfg($($t)*)] { 1 } #[cfg(not($($t)*))] { 2 } } } } ";

#[test]
fn a_feature_that_a_macro_is_given_counts() {
    for text in [
        "fn root() { feature!(\"fast\") }",
        "fn root() { h() } fn h() { feature!(\"fast\") }",
        "fn root() { h() } fn h() { crate::feature!(r\"fast\") }",
        "const FAST: bool = feature!(\"fast\"); fn root() { FAST }",
        "fn root() { pick!(feature = \"fast\") }",
        "fn root() { h() } fn h() { pick!(all(feature = \"fast\", not(miri))) }",
        "macro_rules! outer { ($f:literal) => { feature!($f) } } fn root() { outer!(\"fast\") }",
        "macro_rules! outer { () => { feature!(\"fast\") } } fn root() { outer!() }",
        "macro_rules! outer { ($f:literal) => { pick!(feature = $f) } } fn root() { outer!(\"fast\") }",
        "macro_rules! outer { ($m:ident) => { $m!(\"fast\") } } fn root() { outer!(feature) }",
        "macro_rules! outer { ($m:ident $f:literal) => { $m!($f) } } fn root() { outer!(feature \"fast\") }",
        "macro_rules! outer { ($m:ident $($t:tt)*) => { $m!($($t)*) } } fn root() { outer!(cfg feature = \"fast\") }",
        "macro_rules! with { ($m:meta $b:block) => { #[$m] $b } } fn root() { with!(cfg(feature = \"fast\") { h() }) } fn h() {}",
        "macro_rules! gated { ($f:literal, $a:item, $b:item) => { #[cfg(feature = $f)] $a #[cfg(not(feature = $f))] $b } } gated!(\"fast\", fn h() { 1 }, fn h() { 2 }); fn root() { h() }",
        "macro_rules! gated { ($f:literal: $($i:item)*) => { $( #[cfg(feature = $f)] $i )* } } gated! { \"fast\": const LEVEL: u32 = 2; } fn root() { LEVEL }",
        "mod m { pub(crate) use crate::feature as has; } fn root() { m::has!(\"fast\") }",
        "use feature as has; fn root() { has!(\"fast\") }",
        "fn root() { vec![feature!(\"fast\")] }",
        "struct S; impl S { fn m(&self) { feature!(\"fast\") } } fn root(s: S) { s.m() }",
        "macro_rules! select { ($f:literal) => { cfg_select! { feature = $f => { 1 } _ => { 2 } } } } fn root() { select!(\"fast\") }",
        "macro_rules! attr { ($f:literal) => { #[cfg_attr(feature = $f, inline)] fn h() {} } } attr!(\"fast\"); fn root() { h() }",
    ] {
        assert_feature_counts(&format!("{FEATURE}{PICK}{text}"));
    }
}

#[test]
fn a_cfg_that_the_compilers_arguments_do_not_tell_is_asked_for() {
    let passed = |text: &str| {
        let reached = with(&[("src/lib.rs", &format!("{FEATURE}{PICK}{text}"))], &[]);
        reached.parts.iter().flat_map(|part| part.passed.clone()).collect::<Vec<_>>()
    };
    let unknown = |predicate: &str| Fact::Cfg(predicate.to_owned(), None);
    assert_eq!(passed("fn root() { pick!(unix) }"), [unknown("unix")]);
    assert_eq!(
        passed("fn root() { pick!(any(debug_assertions, test)) }"),
        [Fact::Cfg("test".to_owned(), Some(false)), unknown("debug_assertions")]
    );
    assert_eq!(passed("fn root() { pick!(target_os = \"linux\") }"), [unknown("target_os=\"linux\"")]);
    let split = "macro_rules! on { ($o:literal) => { pick!(target_os = $o) } } fn root() { on!(\"linux\") }";
    assert!(passed(split).contains(&unknown("target_os=\"linux\"")), "{:?}", passed(split));
    assert!(passed("macro_rules! sum { ($a:expr) => { $a } } fn root() { sum!(unix) }").is_empty());
}

#[test]
fn a_variable_that_a_macro_is_given_is_asked_for() {
    for text in [
        "macro_rules! var { ($n:literal) => { option_env!($n) } } fn root() { var!(\"MODE\") }",
        "macro_rules! var { ($n:literal) => { env!($n, \"missing\") } } fn root() { h() } fn h() { var!(\"MODE\") }",
        "macro_rules! var { ($n:ident) => { env!(stringify!($n)) } } fn root() { var!(MODE) }",
        "macro_rules! var { ($n:literal) => { env!(concat!(\"MO\", $n)) } } fn root() { var!(\"DE\") }",
        "macro_rules! var { ($n:expr) => { env!($n) } } fn root() { var!(concat!(\"MO\", \"DE\")) }",
        "macro_rules! var { ($n:expr) => { env!($n) } } macro_rules! of { ($n:ident) => { var!(concat!(\"MO\", stringify!($n))) } } fn root() { of!(DE) }",
        "macro_rules! var { ($m:ident, $n:literal) => { $m!($n) } } macro_rules! of { ($n:literal) => { env!($n) } } fn root() { var!(of, \"MODE\") }",
        "fn root() { env!(concat!(\"MO\", \"DE\")) }",
    ] {
        let reached = with(&[("src/lib.rs", text)], &[]);
        let facts = reached.parts.iter().flat_map(|part| part.passed.iter().chain(&part.facts));
        assert!(
            facts.clone().any(|fact| *fact == Fact::Env("MODE".to_owned())),
            "{text}: {:?}",
            facts.collect::<Vec<_>>()
        );
        assert!(reached.unseen.is_empty(), "{text}: {:?}", reached.unseen);
    }
}

#[test]
fn a_file_that_a_macro_is_given_counts() {
    for text in [
        "macro_rules! text { ($p:literal) => { include_str!($p) } } fn root() { text!(\"table.txt\") }",
        "macro_rules! text { ($p:literal) => { include_bytes!($p) } } const T: &[u8] = text!(\"table.txt\"); fn root() { T }",
        "macro_rules! text { ($n:ident) => { include_str!(concat!(stringify!($n), \".txt\")) } } fn root() { text!(table) }",
        "macro_rules! text { ($n:ident . $e:ident) => { include_str!(concat!(stringify!($n), \".\", stringify!($e))) } } fn root() { text!(table.txt) }",
        "macro_rules! text { ($p:expr) => { include_str!($p) } } fn root() { text!(concat!(\"table\", \".txt\")) }",
        "mod deep; fn root() { text!(\"table.txt\") }",
        "mod deep; fn root() { fixed!() }",
        "mod deep; fn root() { deep::h() }",
    ] {
        let deep = "#[macro_export] macro_rules! text { ($p:literal) => { include_str!($p) } } #[macro_export] macro_rules! fixed { () => { include_str!(\"table.txt\") } } pub fn h() { text!(\"../table.txt\") }";
        let reached = with(&[("src/lib.rs", text), ("src/table.txt", "1"), ("src/deep/mod.rs", deep)], &[]);
        let facts: Vec<&Fact> = reached.parts.iter().flat_map(|part| part.passed.iter().chain(&part.facts)).collect();
        let is_table = |fact: &&&Fact| matches!(fact, Fact::Include(path) if path.ends_with("table.txt"));
        assert_eq!(facts.iter().filter(is_table).count(), 1, "{text}: {facts:?}");
        assert!(reached.unseen.is_empty(), "{text}: {:?}", reached.unseen);
    }
}

#[test]
fn what_a_macro_looks_up_and_is_not_found_is_unseen() {
    for text in [
        "macro_rules! text { ($p:literal) => { include_str!($p) } } fn root() { text!(\"nowhere.txt\") }",
        "macro_rules! text { ($p:expr) => { include_str!($p) } } fn root() { text!(other!()) } macro_rules! other { () => { \"a\" } }",
        "macro_rules! text { ($p:expr) => { env!($p) } } fn root() { text!(concat!(\"a b\")) }",
    ] {
        let unseen: Vec<String> = with(&[("src/lib.rs", text)], &[]).unseen.iter().map(ToString::to_string).collect();
        assert_eq!(unseen, ["what macro `text` looks up by what it is given"], "{text}");
    }
}
