//! The text of tokens: layout and docs count where a macro may read them.

use crate::crates::Crate;

fn digest(text: &str) -> [u8; 16] {
    Crate::new(&[("src/lib.rs", text)]).reached().digest
}

#[track_caller]
fn changes(text: &str, from: &str, to: &str, expected: bool) {
    assert!(text.contains(from), "`{from}` isn't in `{text}`");
    let changed = digest(text) != digest(&text.replace(from, to));
    assert_eq!(changed, expected, "`{from}` → `{to}` in `{text}`");
}

#[test]
fn layout_counts_where_a_macro_may_turn_it_into_text() {
    for (text, from, to) in [
        ("fn root() { stringify!(a+b); }", "a+b", "a + b"),
        ("fn root() { h() } fn h() { stringify!(Vec<u8>); }", "Vec<u8>", "Vec <u8>"),
        ("fn root() { concat!(stringify!(f(1)), 2); }", "f(1)", "f (1)"),
        ("fn root() { h() } fn h() { println!(\"{}\", stringify!(a,b)) }", "a,b", "a, b"),
        ("macro_rules! n { ($($t:tt)*) => { stringify!($($t)*) } } fn root() { n!(a+b); }", "a+b", "a + b"),
        (
            "macro_rules! n { ($($t:tt)*) => { m!($($t)*) } } macro_rules! m { ($e:expr) => { stringify!($e) } } fn root() { n!(x+1); }",
            "x+1",
            "x + 1",
        ),
        ("macro_rules! n { () => { stringify!(x+1) } } fn root() { n!(); }", "x+1", "x + 1"),
        ("macro_rules! n { ($m:ident) => { $m!(x+1) } } fn root() { n!(stringify); }", "x+1", "x + 1"),
        ("fn root() { other::named!(x+1); }", "x+1", "x + 1"),
        ("macro_rules! n { ($e:expr) => { other::named!($e) } } n!(x+1); fn root() { x() }", "x+1", "x + 1"),
    ] {
        changes(text, from, to, true);
    }
}

#[test]
fn layout_counts_nowhere_else() {
    let own = "macro_rules! sum { ($a:expr, $b:expr) => { $a+$b } } ";
    for (root, from, to) in [
        ("fn root() { h(1+2) } fn h(x: u8) {}", "1+2", "1 + 2"),
        ("fn root() { assert!(1<2, \"{}\", 3); }", "1<2", "1 < 2"),
        ("fn root() { vec![1,2]; }", "1,2", "1, 2"),
        ("fn root() { ndarray::array![[1,2],[3,4]]; }", "1,2", "1, 2"),
        ("fn root() { x.slice(s![1..,2]) }", "1..,2", "1.., 2"),
        ("fn root() { println!(\"{}\",1) }", ",1", ", 1"),
        ("fn root() { sum!(1,2); }", "1,2", "1, 2"),
        ("fn root() { sum!(1, 2); }", "$a+$b", "$a + $b"),
    ] {
        changes(&format!("{own}{root}"), from, to, false);
    }
}

#[test]
fn docs_count_where_a_macro_may_turn_them_into_values() {
    let doc = "macro_rules! doc { ($(#[doc = $d:literal])* $n:ident) => { concat!($($d),*) } } ";
    for root in [
        "fn root() { doc!(\n/// one\nx\n); }",
        "fn root() { h() } fn h() { doc!(\n/// one\nx\n); }",
        "fn root() { doc!(/** one */ x); }",
        "macro_rules! outer { () => { doc!(\n/// one\nx) } } fn root() { outer!(); }",
        "macro_rules! outer { ($($t:tt)*) => { doc!($($t)*) } } fn root() { outer!(\n/// one\nx); }",
    ] {
        changes(&format!("{doc}{root}"), "one", "two", true);
    }
    let described = "macro_rules! described { ($(#[doc = $d:literal])* struct $n:ident;) => { struct $n; impl $n { const DOC: &str = concat!($($d),*); } } } described! {\n/// one\nstruct Thing; } fn root() { Thing::DOC; }";
    changes(described, "one", "two", true);
    let named = "macro_rules! named { ($(#[$m:ident = $d:literal])* $n:ident) => { concat!($($d),*) } } fn root() { named!(\n/// one\nx); }";
    changes(named, "one", "two", true);
    changes("fn root() { other::doc!(\n/// one\nx); }", "one", "two", true);
}

#[test]
fn docs_count_where_a_derive_may_turn_them_into_values() {
    for mark in [
        "#[derive(clap::Parser)]",
        "#[derive(Debug, JsonSchema)]",
        "#[described]",
        "#[cfg_attr(all(), derive(Parser))]",
    ] {
        for text in [
            format!("/// first\n{mark} struct S {{ x: u8 }} fn root(s: S) {{}}"),
            format!("{mark}\n/// first\nstruct S {{ x: u8 }} fn root(s: S) {{}}"),
            format!("{mark}\n/// first\n#[repr(C)] struct S {{ x: u8 }} fn root(s: S) {{}}"),
            format!("{mark} struct S {{\n/// first\nx: u8 }} fn root(s: S) {{}}"),
            format!("{mark} enum S {{ A,\n/// first\nB }} fn root(s: S) {{}}"),
        ] {
            changes(&text, "first", "second", true);
        }
        changes(&format!("{mark} struct S {{ x: u8 }}\n/// first\nfn root(s: S) {{}}"), "first", "second", false);
    }
    for mark in ["#[derive(Clone, Debug)]", "#[derive(serde::Serialize, Payload)]", "#[repr(C)]", ""] {
        let text = format!("{mark}\n/// first\nstruct S {{\n/// first\nx: u8 }} fn root(s: S) {{}}");
        changes(&text, "first", "second", false);
    }
}

#[test]
fn docs_and_comments_count_nowhere_else() {
    let items = "macro_rules! items { ($($i:item)*) => { $($i)* } } ";
    for root in [
        "items! {\n/// one\nfn h() {} } fn root() { h() }",
        "fn root() {\n/// one\nlet x = 1; }",
        "fn root() { h() }\n/// one\nfn h() {}",
        "fn root() { stringify!(a // one\n b); }",
        "fn root() { stringify!(a /* one */ b); }",
        "fn root() { stringify!(a //// one\n b); }",
    ] {
        changes(&format!("{items}{root}"), "one", "two", false);
    }
}

#[test]
fn a_visibility_counts_where_a_glob_import_may_hide_another_item_by_it() {
    let text = "mod extra { /**/ fn norm() {} pub fn other() { norm() } } fn norm() {} fn root() { use extra::*; norm(); other() }";
    changes(text, "/**/ fn norm", "pub fn norm", true);
    changes("mod a { /**/ fn h() {} pub fn root() { h() } } fn h() {}", "/**/", "pub ", false);
    let root = "mod extra { /**/ fn norm() {} } fn norm() {} mod m { use super::*; use super::extra::*; pub fn root() { norm() } }";
    changes(root, "/**/ fn norm", "pub fn norm", true);
}

#[test]
fn the_order_of_macros_with_one_name_counts() {
    let text = "macro_rules! k { () => { 1 } } fn a() { k!() } macro_rules! k { () => { 2 } } fn root() { a() }";
    let moved = "macro_rules! k { () => { 1 } } macro_rules! k { () => { 2 } } fn a() { k!() } fn root() { a() }";
    let swapped = "macro_rules! k { () => { 2 } } fn a() { k!() } macro_rules! k { () => { 1 } } fn root() { a() }";
    assert_ne!(digest(text), digest(moved));
    assert_ne!(digest(text), digest(swapped));
    let one = ["macro_rules! k { () => { 1 } } fn a() { k!() } ", "fn b() {} "];
    let root = "fn root() { a() }";
    assert_eq!(digest(&format!("{}{}{root}", one[0], one[1])), digest(&format!("{}{}{root}", one[1], one[0])));
}
