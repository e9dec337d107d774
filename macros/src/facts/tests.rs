use std::path::Path;

use proc_macro2::Group;

use super::*;

fn of(source: &str) -> Vec<String> {
    beside(Path::new("/nowhere"), source).unwrap_or_else(|error| panic!("{error}"))
}

/// The facts of code that stands in a file of `folder`.
fn beside(folder: &Path, source: &str) -> Result<Vec<String>> {
    let private = "P".parse().unwrap();
    let facts = found(&source.parse().unwrap(), IncludeSite::in_folder(folder))?;
    Ok(facts.iter().map(|fact| fact.expand(&private).to_string().replace(' ', "")).collect())
}

fn refusal(source: &str) -> String {
    beside(Path::new("/nowhere"), source).unwrap_err().to_string()
}

fn guarded(guard: &str, fact: String) -> String {
    format!("#[cfg({guard})]{fact}")
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
    assert_eq!(of("fn f() { env!(); include!(a + b) }"), [""; 0]);
    assert_eq!(of("fn f() { stringify!(include_str!(\"a\"), cfg!(unix)) }"), [""; 0]);
}

#[test]
fn what_only_a_variable_names_is_refused() {
    for body in [
        "env!($a)",
        "cfg!($p)",
        "include_str!($a)",
        "include!(concat!(\"a\", $a))",
        "#[cfg($p)] f()",
        "cfg_select! { $p => 1 }",
    ] {
        let source = format!("fn f() {{ macro_rules! m {{ ($a:literal, $p:meta) => {{ {body} }} }} }}");
        assert!(refusal(&source).contains("`macro_rules!`"), "{source}");
    }
    assert_eq!(of("fn f() { include_str!(\"a$b\"); g!($a) }"), [include("a$b")]);
}

#[test]
fn a_macro_is_known_by_its_other_names() {
    assert_eq!(of("fn f() { use std::include_str as inc; inc!(\"a\") }"), [include("a")]);
    assert_eq!(
        of("fn f() { use std::{include_bytes as a, env as b, cfg as c}; (a!(\"a\"), b!(\"B\"), c!(unix)) }"),
        [include("a"), env("B"), cfg("unix")]
    );
    assert_eq!(of("fn f() { use b as c; use ::core::{option_env as b}; x::c!(\"A\") }"), [env("A")]);
    assert_eq!(of("fn f() { r#env!(\"A\"); std::r#include_str!(\"a\") }"), [env("A"), include("a")]);
    assert_eq!(of("fn f() { mod m { pub use std::r#env as r#type; } m::r#type!(\"A\") }"), [env("A")]);
    assert_eq!(of("fn f() { ::std::include_str! { r\"a\" }; ::core::include_bytes![r#\"b\"#,]; }").len(), 2);
}

#[test]
fn an_included_file_is_searched_beside_itself() {
    let folder = Folder::new("searched");
    folder.write("a.rs", "{ include!(\"deep/b.rs\"); env!(\"A\"); #[cfg(unix)] include_str!(\"a.txt\") }");
    folder.write("deep/b.rs", "fn g() { cfg!(windows); include_bytes!(\"../c\"); include!(\"b.rs\"); inc!(\"x\"); use std::include_str as inc; }");
    let source = "fn f() { #[cfg(test)] include!(\"a.rs\"); include!(\"missing.rs\") }";
    let inner = |name: &str, path: &str| {
        format!("P::Fact::Include({name:?},P::core::include_bytes!({path:?}))").replace(' ', "")
    };
    let expected = [
        cfg("test"),
        guarded("test", include("a.rs")),
        guarded("test", inner("a.rs > deep/b.rs", "deep/b.rs")),
        guarded("test", cfg("windows")),
        guarded("test", inner("a.rs > deep/b.rs > ../c", "deep/../c")),
        guarded("test", inner("a.rs > deep/b.rs > b.rs", "deep/b.rs")),
        guarded("test", inner("a.rs > deep/b.rs > x", "deep/x")),
        guarded("test", env("A")),
        guarded("test", cfg("unix")),
        guarded("test", guarded("unix", inner("a.rs > a.txt", "a.txt"))),
        include("missing.rs"),
    ];
    assert_eq!(beside(&folder.0, source).unwrap(), expected);
}

#[test]
fn a_file_in_a_folder_of_the_build_is_searched_without_its_path_in_the_name() {
    let folder = Folder::new("built");
    folder.write("a.rs", "include_str!(\"a.txt\")");
    let path = folder.0.join("a.rs");
    let source = format!("fn f() {{ include!(concat!({:?}, '/', \"a.rs\")) }}", folder.0.display().to_string());
    let found = beside(Path::new("/nowhere"), &source).unwrap();
    assert!(found[1].contains(&format!("include_bytes!({:?})", path.with_file_name("a.txt"))), "{found:?}");
    assert!(found[1].contains(">a.txt\""), "{found:?}");
}

#[test]
fn what_an_included_file_hides_is_refused() {
    let folder = Folder::new("refused");
    folder.write("a.rs", "line!()");
    folder.write("b.rs", "include_str!(name!())");
    for (file, text) in
        [("a.rs", "in `a.rs`, which is included here: `line!`"), ("b.rs", "`b.rs > name ! (  )` is included by a path")]
    {
        let error = beside(&folder.0, &format!("fn f() {{ include!({file:?}) }}")).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

/// A folder of source files, removed with this.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = Folder(std::env::temp_dir().join(format!("ndcache-facts-{name}-{}", std::process::id())));
        std::fs::create_dir_all(folder.0.join("deep")).unwrap();
        folder
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
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
    assert_eq!(found(&body, IncludeSite::default()).unwrap().len(), 1);
}

#[test]
fn a_place_in_a_file_is_refused() {
    let refused = |source: &str| refuse_places(&source.parse().unwrap()).is_err();
    for source in [
        "{ line!() }",
        "{ f(std::column!()) }",
        "{ println!(\"{}\", file!()) }",
        "{ r#line!() }",
        "{ use std::line as l; l!() }",
        "{ std::panic::Location::caller() }",
        "{ let place = Location::caller; }",
        "{ <Location<'_>>::caller() }",
        "{ <Location>::caller() }",
        "{ Location::<'a>::caller() }",
        "{ use core::panic::{Location as L}; L::caller() }",
        "{ type L = std::panic::Location<'static>; L::caller().line() }",
        "{ type L<'a> = (std::panic::Location<'a>); type M = L<'static>; <M>::caller() }",
        "{ use std::panic::Location as P; impl Of for A { type L = P<'static>; } <A as Of>::L::caller() }",
    ] {
        assert!(refused(source), "{source}");
    }
    for source in [
        "{ assert!(a) }",
        "{ line(1) }",
        "{ line != (1) }",
        "{ file!(a) }",
        "{ a.line }",
        "{ Other::caller() }",
        "{ location.caller() }",
        "{ Location::new() }",
        "{ type L = Vec<Location<'static>>; L::caller() }",
    ] {
        assert!(!refused(source), "{source}");
    }
}

#[test]
fn docs_are_no_code() {
    assert_eq!(of("fn f() { #[doc = include_str!(\"a\")] let x; }"), [""; 0]);
}

#[test]
fn a_fact_is_guarded_by_the_attributes_around_it() {
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

#[test]
fn a_guard_ends_with_what_the_compiler_removes() {
    let fact = || include("a");
    for unguarded in [
        "fn f() { fn g<#[cfg(unix)] T>() -> &'static str { include_str!(\"a\") } }",
        "fn f() { fn g<A, #[cfg(unix)] B: Into<C<A>>>() -> [u8; 2] { include_str!(\"a\") } }",
        "fn f() { struct S<#[cfg(unix)] T = Vec<u8>>(u8) where [u8; include_str!(\"a\").len()]: B; }",
        "fn f() { impl<#[cfg(unix)] 'a> S<'a> { fn g() { include_str!(\"a\") } } }",
        "fn f() { (|#[cfg(unix)] a| include_str!(\"a\"))() }",
        "fn f() { (|a, #[cfg(unix)] b| include_str!(\"a\"))() }",
        "fn f() { let g = for<#[cfg(unix)] 'a> |x: &'a u8| { include_str!(\"a\") }; }",
        "fn f() { fn g<T>() where #[cfg(unix)] T: Copy { include_str!(\"a\") } }",
        "fn f() { fn g<T>() where T: Copy, #[cfg(unix)] T: Copy { include_str!(\"a\") } }",
        "fn f() { fn g<T>() where A<{ 1 }>: B, #[cfg(unix)] T: Copy { include_str!(\"a\") } }",
        "fn f() { fn g(#[cfg(unix)] a: u8) { include_str!(\"a\") } }",
        "fn f() { g(#[cfg(unix)] a); include_str!(\"a\") }",
        "fn f() { match x { #[cfg(unix)] 1 => {} _ => include_str!(\"a\") } }",
        "fn f() { match x { #[cfg(unix)] 1 => 2, _ => include_str!(\"a\") } }",
        "fn f() { enum E { #[cfg(unix)] A, B = include_str!(\"a\").len() } }",
        "fn f() { [#[cfg(unix)] 1, include_str!(\"a\")] }",
        "fn f() { #[cfg_attr(unix, inline)] fn g() { include_str!(\"a\") } }",
        "fn f() { #[cfg(unix)] {} include_str!(\"a\") }",
    ] {
        let found = of(unguarded);
        assert_eq!(found[found.len() - 1], fact(), "{unguarded}");
    }
    for guarded in [
        "fn f() { #[cfg(unix)] let a: Vec<u8> = include_bytes!(\"a\").to_vec(); }",
        "fn f() { #[cfg(unix)] let a = |x: u8| include_str!(\"a\"); }",
        "fn f() { #[cfg(unix)] fn g<T>() -> Vec<T> where T: Copy { include_str!(\"a\") } }",
        "fn f() { match x { #[cfg(unix)] A(x) if x > 1 => include_str!(\"a\"), _ => 1 } }",
        "fn f() { #[cfg(unix)] #[inline] const A: &str = include_str!(\"a\"); }",
        "fn f() { mod m { #![cfg(unix)] const A: &str = include_str!(\"a\"); } }",
    ] {
        assert_eq!(of(guarded), [cfg("unix"), self::guarded("unix", fact())], "{guarded}");
    }
}

#[test]
fn a_macro_may_do_otherwise_with_a_guard() {
    let folder = Folder::new("macro");
    folder.write("a", "");
    let source = "fn f() { m! { if #[cfg(unix)] { include_str!(\"a\"); include_str!(\"b\"); env!(\"A\") } } }";
    let expected = [cfg("unix"), include("a"), guarded("unix", include("b")), env("A")];
    assert_eq!(beside(&folder.0, source).unwrap(), expected);
}

#[test]
fn a_fragment_of_a_macro_is_read_as_its_tokens() {
    let group = |text: &str| TokenTree::from(Group::new(Delimiter::None, text.parse().unwrap()));
    let mut attribute: TokenStream = "#".parse().unwrap();
    attribute.extend([TokenTree::from(Group::new(Delimiter::Bracket, group("cfg(unix)").into()))]);
    let mut body = attribute;
    body.extend([group("fn a() { }"), group("fn b() { include_str!(\"a\") }")]);
    let facts = found(&body, IncludeSite::default()).unwrap();
    assert!(facts.len() == 2 && facts[1].guards.is_empty());
}
