//! What may be asked about beside functions: items of any kind, named closures, and paths in `depends(…)`.

use ndcache_source::{Named, Position, Reached, Resolver, Sought};

use crate::crates::{Crate, names};

fn ask<T>(text: &str, line: usize, name: &str, sought: Sought, with: impl FnOnce(&Resolver<'_>, &Position) -> T) -> T {
    let krate = Crate::new(&[("src/lib.rs", text)]);
    let index = krate.index();
    let place = Position { file: krate.path("src/lib.rs"), line, name: name.to_owned(), sought, ..Position::default() };
    with(&Resolver::new(&index), &place)
}

fn reach(text: &str, line: usize, name: &str, sought: Sought) -> Reached {
    ask(text, line, name, sought, |resolver, place| resolver.reach(place, &[]).unwrap())
}

fn item(text: &str, line: usize, name: &str) -> Vec<String> {
    names(&reach(text, line, name, Sought::Item)).into_iter().map(str::to_owned).collect()
}

const ITEMS: &str = "struct Filter(u8);
impl Filter {
    fn taps(&self) -> u8 { count(self.0) }
    fn other(&self) -> u8 { deep() }
}
fn count(x: u8) -> u8 { x }
fn deep() -> u8 { DEEP }
const DEEP: u8 = 1;
macro_rules! window { () => { count(1) } }
fn caller() -> u8 { window!() }
static TABLE: u8 = deep();
enum Kind { A(Filter) }
";

#[test]
fn items_of_any_kind_reach_what_they_name() {
    assert_eq!(item(ITEMS, 7, "deep"), ["DEEP"]);
    assert_eq!(item(ITEMS, 11, "TABLE"), ["DEEP", "deep"]);
    assert_eq!(item(ITEMS, 8, "DEEP"), [] as [&str; 0]);
    assert_eq!(item(ITEMS, 12, "Kind"), ["Filter"]);
    assert_eq!(
        item(ITEMS, 2, "impl"),
        ["<impl Filter>::other", "<impl Filter>::taps", "DEEP", "Filter", "count", "deep"]
    );
    // The item that calls a macro isn't a part of the macro.
    assert_eq!(item(ITEMS, 9, "window"), ["count"]);
}

#[test]
fn a_changed_member_changes_the_digest_of_its_impl() {
    let digest = |text: &str| reach(text, 2, "impl", Sought::Item).digest;
    assert_ne!(digest(ITEMS), digest(&ITEMS.replace("count(self.0)", "count(self.0 + 1)")));
    assert_ne!(digest(ITEMS), digest(&ITEMS.replace("DEEP: u8 = 1", "DEEP: u8 = 2")));
    assert_eq!(digest(ITEMS), digest(&ITEMS.replace("static TABLE: u8 = deep()", "static TABLE: u8 = 1")));
}

const LENT: &str = "struct Ridge(Part);
struct Part;
impl algo::Model for Ridge { fn predict(&self) -> u8 { helper() } }
impl algo::Scale for Part { fn scale(&self) -> u8 { deep() } }
impl Own for Ridge { fn own(&self) -> u8 { near() } }
impl Own for Part { fn own(&self) -> u8 { unused() } }
impl Ridge { fn inherent(&self) -> u8 { unused() } }
trait Own { fn own(&self) -> u8; }
fn helper() -> u8 { 1 }
fn deep() -> u8 { 1 }
fn near() -> u8 { 1 }
fn unused() -> u8 { 1 }
";

#[test]
fn a_type_that_is_lent_brings_the_impls_of_other_crates_traits() {
    let lent = |text: &str| reach(text, 1, "Ridge", Sought::Type);
    let expected = [
        "<impl Own for Ridge>",
        "<impl Own for Ridge>::own",
        "<impl algo::Model for Ridge>",
        "<impl algo::Model for Ridge>::predict",
        "<impl algo::Scale for Part>",
        "<impl algo::Scale for Part>::scale",
        "Own",
        "Part",
        "deep",
        "helper",
        "near",
    ];
    let found = lent(LENT);
    assert_eq!(names(&found), expected);
    for (edit, is_counted) in [("helper", true), ("deep", true), ("near", true), ("unused", false)] {
        let edited = LENT.replace(&format!("fn {edit}() -> u8 {{ 1 }}"), &format!("fn {edit}() -> u8 {{ 2 }}"));
        assert_eq!(lent(&edited).digest != found.digest, is_counted, "{edit}");
    }
    assert_ne!(lent(&LENT.replace("Ridge(Part)", "Ridge(Part, u8)")).digest, found.digest);
}

const CLOSURE: &str = r#"use ndcache::call;
struct Filter(u8);
impl Filter { fn apply(&self) -> u8 { taps() } fn unused(&self) {} }
impl std::ops::Neg for Filter { type Output = u8; fn neg(self) -> u8 { sign() } }
fn taps() -> u8 { 1 }
fn sign() -> u8 { 1 }
fn make() -> Filter { Filter(elsewhere()) }
fn elsewhere() -> u8 { 1 }
fn window(x: u8) -> u8 { x }
fn main() {
    let filter = make();
    let x = 1;
    call!("weights", |filter, x| filter.apply() + window(x));
    call!("others", move |x| x);
    elsewhere();
}
"#;

#[test]
fn a_named_closure_reaches_what_it_names_and_the_types_that_it_may_capture() {
    let reached = reach(CLOSURE, 13, "\"weights\"", Sought::Closure);
    assert_eq!(reached.parts[0].name, "main::\"weights\"");
    let expected = [
        "<impl Filter>",
        "<impl Filter>::apply",
        "<impl std::ops::Neg for Filter>",
        "<impl std::ops::Neg for Filter>::Output",
        "<impl std::ops::Neg for Filter>::neg",
        "Filter",
        "sign",
        "taps",
        "window",
    ];
    assert_eq!(names(&reached), expected);
    let filter = reached.parts.iter().find(|part| part.name == "Filter").unwrap();
    assert_eq!(filter.why.to_string(), "a type that what `main::\"weights\"` captures may have");
    let moved = reach(CLOSURE, 14, "\"others\"", Sought::Closure);
    assert!(!names(&moved).contains(&"window") && !names(&moved).contains(&"taps"), "{:?}", names(&moved));
}

#[test]
fn the_digest_of_a_named_closure_changes_with_it_and_not_with_what_stands_around() {
    let digest = |text: &str| reach(text, 13, "\"weights\"", Sought::Closure).digest;
    for (from, to) in [
        ("window(x))", "window(x) + 1)"),
        ("u8 { x }", "u8 { x + 1 }"),
        ("fn taps() -> u8 { 1 }", "fn taps() -> u8 { 2 }"),
        ("fn sign() -> u8 { 1 }", "fn sign() -> u8 { 2 }"),
        ("struct Filter(u8)", "struct Filter(u16)"),
    ] {
        assert_ne!(digest(CLOSURE), digest(&CLOSURE.replace(from, to)), "{from}");
    }
    for (from, to) in [
        ("    elsewhere();\n", ""),
        ("fn elsewhere() -> u8 { 1 }", "fn elsewhere() -> u8 { 2 }"),
        ("let x = 1;", "let x = 2;"),
        ("fn unused(&self) {}", "fn unused(&self) { 1 }"),
    ] {
        assert_eq!(digest(CLOSURE), digest(&CLOSURE.replace(from, to)), "{from}");
    }
}

#[test]
fn a_named_closure_in_a_method_knows_self_and_type_parameters() {
    let text = r#"trait Zero { fn zero() -> Self; }
impl Zero for f64 { fn zero() -> f64 { deep() } }
fn deep() -> f64 { 0.0 }
struct Model;
impl Model { fn weight(&self) -> f64 { 1.0 } const K: f64 = 2.0; }
impl Model { fn fit<T: Zero>(&self) {
    let me = self; call!("fit", |me| me.weight() * Self::K + T::zero());
} }
"#;
    let reached = reach(text, 7, "\"fit\"", Sought::Closure);
    for name in ["<impl Model>::weight", "<impl Model>::K", "<impl Zero for f64>::zero", "deep"] {
        assert!(names(&reached).contains(&name), "{name}: {:?}", names(&reached));
    }
    assert!(reached.unseen.iter().any(|unseen| unseen.to_string().contains("type arguments")), "{:?}", reached.unseen);
}

#[test]
fn a_closure_that_a_macro_makes_counts_with_the_macro() {
    let text = "macro_rules! lazily { ($x:ident) => { call!(\"made\", |$x| helper($x)) } }\nfn helper(x: u8) -> u8 { x }\nfn main() { let x = 1; lazily!(x); }\n";
    let reached = reach(text, 1, "\"made\"", Sought::Closure);
    assert!(names(&reached).contains(&"helper"), "{:?}", names(&reached));
}

fn named(text: &str, path: &[&str]) -> Named {
    let path: Vec<String> = path.iter().map(|name| name.to_string()).collect();
    let line = text.lines().position(|line| line.contains("fn root")).unwrap() + 1;
    ask(text, line, "root", Sought::Function, |resolver, place| resolver.named(place, &path))
}

#[track_caller]
fn unmarked(text: &str, path: &[&str]) -> Vec<String> {
    match named(text, path) {
        Named::Unmarked { reached, .. } => reached.parts.iter().map(|part| part.name.clone()).collect(),
        other => panic!("{path:?}: {other:?}"),
    }
}

const DEPENDS: &str = "use ndcache::{cache, code};
fn root() {}
fn helper() { deep() }
fn deep() {}
mod inner { pub fn first() {} pub const TABLE: u8 = 1; #[ndcache::code] pub fn marked() {} }
struct Filter; impl Filter { fn taps(&self) {} fn other(&self) { deep() } }
#[code] struct Marked;
struct Half; #[code] impl Half {}
#[code(handle = Handle)] impl Clone for Filter { fn clone(&self) -> Filter { Filter } }
use inner::first as renamed;
type Alias = Filter;
make!(made);
fn uses(x: String, y: f64) {}
fn with_body() { fn nested() {} }
";

#[test]
fn paths_of_this_crate_lead_to_items_without_a_mark() {
    assert_eq!(unmarked(DEPENDS, &["helper"]), ["helper", "deep"]);
    assert_eq!(unmarked(DEPENDS, &["crate", "inner", "TABLE"]), ["inner::TABLE"]);
    assert_eq!(unmarked(DEPENDS, &["renamed"]), ["inner::first"]);
    for name in ["Filter", "Alias"] {
        let found = unmarked(DEPENDS, &[name]);
        for part in ["<impl Filter>::taps", "<impl Filter>::other", "<impl Clone for Filter>::clone", "deep"] {
            assert!(found.contains(&part.to_owned()), "{name}: {found:?}");
        }
    }
    assert_eq!(unmarked(DEPENDS, &["Filter", "taps"])[..1], ["<impl Filter>::taps"]);
}

#[test]
fn raw_names_are_found_without_their_mark() {
    let text = "fn root() {}\nmod inner { pub fn r#type() { deep() } #[code] pub fn r#match() {} fn deep() {} }\n";
    assert_eq!(unmarked(text, &["inner", "type"]), ["inner::r#type", "inner::deep"]);
    assert_eq!(named(text, &["inner", "match"]), Named::Other);
    assert_eq!(item(text, 2, "type"), ["inner::deep"]);
}

#[test]
fn what_has_a_mark_or_may_be_anything_is_left_to_the_compiler() {
    for path in [
        &["inner", "marked"][..],
        &["Marked"],
        &["Half"],
        &["Handle"],
        &["made"],
        &["nested"],
        &["ndcache", "helper"],
        &["inner"],
        &["Filter", "taps", "deeper"],
        &["String"],
        &["f64"],
    ] {
        assert_eq!(named(DEPENDS, path), Named::Other, "{path:?}");
    }
    let with_glob = DEPENDS.replace("use ndcache::{cache, code};", "use ndarray::prelude::*;");
    let krate = Crate::new(&[("src/lib.rs", &with_glob)]).with(|session| session.externs = vec!["ndarray".to_owned()]);
    let index = krate.index();
    let place = Position { file: krate.path("src/lib.rs"), line: 2, name: "root".to_owned(), ..Position::default() };
    assert_eq!(Resolver::new(&index).named(&place, &["missing".to_owned()]), Named::Other);
}

#[test]
fn what_another_crate_has_is_told_from_what_this_one_calls_alike() {
    // A name has to stand somewhere to be a symbol, as it does in the attribute.
    let text = format!("#[cache(depends(std::mem::swap, std::time::Duration::as_secs))]\n{DEPENDS}");
    for path in [&["std", "mem", "swap"][..], &["std", "time", "Duration", "as_secs"]] {
        assert_eq!(named(&text, path), Named::Elsewhere, "{path:?}");
    }
    let swap = ["std", "mem", "swap"];
    let imported = format!("use std::mem as memory;\n{text}");
    assert_eq!(named(&imported, &["memory", "swap"]), Named::Elsewhere);
    let own = format!("mod std {{ pub mod mem {{ pub fn swap() {{}} }} }}\n{DEPENDS}");
    assert_eq!(unmarked(&own, &swap), ["std::mem::swap"]);
    assert_eq!(named(&own, &["", "std", "mem", "swap"]), Named::Elsewhere);
    assert_eq!(named(&own.replace("mod std", "#[cfg(own)] mod std"), &swap), Named::Elsewhere, "it isn't compiled");
}

#[test]
fn where_a_file_is_missing_a_name_may_stand_in_it() {
    assert_eq!(named("mod absent;\nfn root() {}\nfn uses() { helpr() }\n", &["helpr"]), Named::Other);
}

#[test]
fn a_name_that_stands_nowhere_comes_with_those_that_do() {
    // The name has to stand somewhere to be a symbol, as it does in the attribute.
    let text = format!("#[cache(depends(helpr, inner::frst, Filter::tpas))]\n{DEPENDS}");
    match named(&text, &["helpr"]) {
        Named::Nothing(near) => assert!(near.contains(&"helper".to_owned()) && near.contains(&"renamed".to_owned())),
        other => panic!("{other:?}"),
    }
    match named(&text, &["inner", "frst"]) {
        Named::Nothing(near) => assert_eq!(near.iter().filter(|name| *name == "first").count(), 1, "{near:?}"),
        other => panic!("{other:?}"),
    }
    match named(&text, &["Filter", "tpas"]) {
        Named::Nothing(near) => assert!(near.contains(&"taps".to_owned()), "{near:?}"),
        other => panic!("{other:?}"),
    }
}
