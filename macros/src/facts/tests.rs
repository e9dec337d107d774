use proc_macro2::Group;

use super::*;

fn of(source: &str) -> Vec<String> {
    let private = "P".parse().unwrap();
    facts(&source.parse().unwrap(), &private)
        .iter()
        .map(ToString::to_string)
        .map(|fact| fact.replace(' ', ""))
        .collect()
}

fn cfg(predicate: &str) -> String {
    let name = tokens::text(predicate.parse().unwrap());
    format!("P::Fact::Cfg({name:?},P::core::cfg!({predicate}))").replace(' ', "")
}

fn env(name: &str) -> String {
    format!("P::Fact::Env({name:?},P::core::option_env!({name:?}))")
}

fn include(path: &str) -> String {
    format!("P::Fact::Include({path:?},P::core::include_bytes!({path:?}))")
}

#[test]
fn every_predicate_variable_and_file_is_a_fact_once() {
    assert_eq!(of("fn f() { if cfg!(unix) || std::cfg!(unix) {} }"), [cfg("unix")]);
    assert_eq!(
        of("fn f() { #[cfg_attr(all(unix, test), cfg_attr(windows, inline))] g() }"),
        [cfg("all(unix,test)"), cfg("windows")]
    );
    assert_eq!(of("fn f() { env!(\"A\", \"message\"); option_env!(\"B\"); core::env!(\"A\"); }"), [env("A"), env("B")]);
    assert_eq!(
        of("fn f() { [include_str!(\"a\"), include_bytes!(\"b\")]; include!(\"c\") }"),
        ["a", "b", "c"].map(include)
    );
    assert_eq!(of("fn f() { println!(\"{}\", concat!(env!(\"A\"))) }"), [env("A")]);
    assert_eq!(of("#[inline] fn f() { g(cfg) + env }"), [""; 0]);
}

#[test]
fn a_name_that_a_macro_makes_is_looked_up_as_it_stands() {
    let made = "P::Fact::Include(\"concat!(env!(\\\"OUT_DIR\\\"),\\\"/a\\\")\",P::core::include_bytes!(concat!(env!(\"OUT_DIR\"),\"/a\")))";
    assert_eq!(of("fn f() { include!(concat!(env!(\"OUT_DIR\"), \"/a\")) }"), [made]);
}

#[test]
fn macros_of_other_meaning_are_left_alone() {
    assert_eq!(of("fn f() { macro_rules! m { ($a:literal, $p:meta) => { env!($a); cfg!($p) } } }"), [""; 0]);
    assert_eq!(of("fn f() { env!(); include!(a + b) }"), [""; 0]);
}

#[test]
fn the_module_is_a_fact() {
    assert_eq!(of("fn f() { module_path!(); std::module_path!() }"), ["P::Fact::Module(P::core::module_path!())"]);
}

#[test]
fn a_macro_named_by_a_path_in_an_invisible_group_is_known() {
    let path = Group::new(Delimiter::None, "core::cfg".parse().unwrap());
    let mut body: TokenStream = TokenTree::from(Group::new(Delimiter::None, TokenTree::from(path).into())).into();
    body.extend("!(unix)".parse::<TokenStream>().unwrap());
    assert_eq!(facts(&body, &"P".parse().unwrap()).len(), 1);
}

#[test]
fn a_place_in_a_file_is_refused() {
    let refused = |source: &str| refuse_places(&source.parse().unwrap()).is_err();
    for source in ["{ line!() }", "{ f(std::column!()) }", "{ println!(\"{}\", file!()) }"] {
        assert!(refused(source), "{source}");
    }
    for source in ["{ assert!(a) }", "{ line(1) }", "{ line != (1) }", "{ file!(a) }", "{ a.line }"] {
        assert!(!refused(source), "{source}");
    }
}

#[test]
fn docs_are_no_code() {
    assert_eq!(of("fn f() { #[doc = include_str!(\"a\")] let x; }"), [""; 0]);
}

#[test]
fn a_fact_is_guarded_by_the_attributes_around_it() {
    let guarded = |guard: &str, fact: String| format!("#[cfg({guard})]{fact}");
    assert_eq!(
        of("fn f() { #[cfg(unix)] let a = include_str!(\"a\"); let b = include_str!(\"b\"); }"),
        [cfg("unix"), guarded("unix", include("a")), include("b")]
    );
    assert_eq!(
        of(
            "fn f() { #[cfg(unix)] fn g() { #[cfg(test)] { include_str!(\"a\"); } include_str!(\"b\") } include_str!(\"c\") }"
        ),
        [
            cfg("unix"),
            guarded("unix", cfg("test")),
            guarded("unix", guarded("test", include("a"))),
            guarded("unix", include("b")),
            include("c")
        ]
    );
    assert_eq!(
        of("fn f() { S { #[cfg(unix)] a: include_str!(\"a\"), b: include_str!(\"b\") } }"),
        [cfg("unix"), guarded("unix", include("a")), include("b")]
    );
}

#[test]
fn the_arms_of_cfg_select_are_predicates() {
    assert_eq!(
        of(
            "fn f() { cfg_select! { feature = \"x\" => { include_str!(\"a\") } unix => include_str!(\"b\"), _ => { 1 } } }"
        ),
        [
            cfg("feature = \"x\""),
            format!("#[cfg(feature=\"x\")]{}", include("a")),
            cfg("unix"),
            format!("#[cfg(unix)]{}", include("b"))
        ]
    );
}
