use proc_macro2::{Group, Ident, Span};

use super::*;

fn of(source: &str) -> [u8; 16] {
    let tokens: TokenStream = source.parse().unwrap_or_else(|error| panic!("`{source}`: {error}"));
    digest(without_placing_attributes(tokens))
}

fn hex(digest: [u8; 16]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn assert_same(sources: &[&str]) {
    for source in sources {
        assert_eq!(of(source), of(sources[0]), "`{source}` against `{}`", sources[0]);
    }
}

fn assert_all_differ(sources: &[&str]) {
    for (at, source) in sources.iter().enumerate() {
        for earlier in &sources[..at] {
            assert_ne!(of(source), of(earlier), "`{source}` against `{earlier}`");
        }
    }
}

#[test]
fn a_digest_is_that_of_the_golden_vectors() {
    for (source, expected) in golden() {
        assert_eq!(hex(of(&source)), expected, "`{source}`");
    }
}

fn golden() -> Vec<(String, String)> {
    let json: serde_json::Value = serde_json::from_str(include_str!("../../../data/code_digests.json")).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    json["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|vector| (text(&vector["source"]), text(&vector["digest"])))
        .collect()
}

#[test]
fn the_stream_is_what_the_format_page_says() {
    let mut expected = Vec::new();
    let text = |tag: u8, text: &str| {
        let mut bytes = vec![tag];
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    };
    expected.extend(text(b'i', "fn"));
    expected.extend(text(b'i', "f"));
    expected.extend(b"(");
    expected.extend(text(b'i', "x"));
    expected.extend(text(b'o', ":"));
    expected.extend(text(b'o', "&"));
    expected.extend(text(b'\'', "'a"));
    expected.extend(text(b'i', "r#u8"));
    expected.extend(b"){");
    expected.extend(text(b'o', "..="));
    expected.extend(text(b'l', "1_0u8"));
    expected.extend(b"}");
    let digest = xxhash_rust::xxh3::xxh3_128(&expected);
    assert_eq!(hex(of("pub fn f(x: &'a r#u8,) { ..=1_0u8 }")), format!("{digest:032x}"));
}

#[test]
fn layout_comments_docs_lints_visibility_and_place_do_not_count() {
    assert_same(&[
        "fn f(x: f64) -> f64 { let y = x; y }",
        "fn f( x:f64 )->f64{let y=x;y}",
        "fn f(\n    x: f64,\n) -> f64 {\n    // a comment\n    let y /* why */ = x;\n    y\n}",
        "/// Docs.\nfn f(x: f64) -> f64 { let y = x; y }",
        "#[doc = \"Docs.\"] #[doc(hidden)] fn f(x: f64) -> f64 { //! Inner docs.\n let y = x; y }",
        "#[allow(unused)] fn f(x: f64) -> f64 { #![warn(clippy::all)] #[expect(dead_code)] let y = x; y }",
        "fn f(#[allow(unused)] x: f64) -> f64 { let y = x; #[deny(unused)] #[forbid(unsafe_code)] y }",
        "pub fn f(x: f64) -> f64 { let y = x; y }",
        "pub(in a::b) fn f(x: f64) -> f64 { let y = x; y }",
        "#[cache] pub(crate) fn f(x: f64) -> f64 { let y = x; y }",
        "#[ndcache::cache(version = 2)] #[cfg(unix)] fn f(x: f64) -> f64 { let y = x; y }",
    ]);
    assert_same(&["struct S(pub A, B);", "pub struct S(A, pub(crate) B,);", "struct S(pub(self) A, pub B);"]);
}

#[test]
fn commas_that_rustfmt_writes_do_not_count() {
    assert_same(&["fn f() { g(a) }", "fn f() { g(\n a,\n) }"]);
    assert_same(&["fn f() { (a, b) }", "fn f() { (a, b,) }"]);
    assert_same(&["fn f() { [a] }", "fn f() { [a,] }"]);
    assert_same(&["fn f() { S { a, b: 1 } }", "fn f() { S { a, b: 1, } }"]);
    assert_same(&["fn f() { match x { 1 => {} _ => 2 } }", "fn f() { match x { 1 => {}, _ => 2, } }"]);
    assert_same(&[
        "fn f<T>(x: T) where T: Copy {}",
        "fn f<T>(x: T,) where T: Copy, {}",
        "fn f<T,>(x: T) where T: Copy, {}",
    ]);
    assert_same(&["fn f() { g::<A>(a) }", "fn f() { g::<A,>(a,) }", "fn f() { g::<\n A,\n>(\n a,\n) }"]);
    assert_same(&["fn f() { g::<A<B>>(a) }", "fn f() { g::<A<B>>(a,) }"]);
    assert_same(&["fn f(g: fn(A) -> B) {}", "fn f(g: fn(A,) -> B) {}"]);
    assert_same(&["fn f() { Self(a) }", "fn f() { Self(a,) }"]);
    assert_same(&["struct S<T> where T: A;", "struct S<T> where T: A,;"]);
}

#[test]
fn input_of_a_macro_named_in_an_invisible_group_counts_whole() {
    let of = |input: &str| {
        let path = Group::new(Delimiter::None, "a::m".parse().unwrap());
        let mut body: TokenStream = TokenTree::from(path).into();
        body.extend(input.parse::<TokenStream>().unwrap());
        digest(body)
    };
    assert_ne!(of("!(1, 2)"), of("!(1, 2,)"));
}

#[test]
fn commas_that_rust_reads_count() {
    assert_all_differ(&["fn f() { (a) }", "fn f() { (a,) }"]);
    assert_all_differ(&["fn f(x: (A)) {}", "fn f(x: (A,)) {}"]);
    assert_all_differ(&["fn f() -> (A) {}", "fn f() -> (A,) {}"]);
    assert_all_differ(&["fn f() { return (a) }", "fn f() { return (a,) }"]);
    assert_all_differ(&["fn f() { g((a)) }", "fn f() { g((a,)) }"]);
    // One element, though two commas.
    assert_all_differ(&["fn f() { (M::<A, B>::new()) }", "fn f() { (M::<A, B>::new(),) }"]);
    assert_all_differ(&["fn f() { (|a, b| a) }", "fn f() { (|a, b| a,) }"]);
    assert_all_differ(&["fn f() { (a as M<A, B>) }", "fn f() { (a as M<A, B>,) }"]);
    assert_all_differ(&["fn f() { if a > (b) {} }", "fn f() { if a > (b,) {} }"]);
    assert_all_differ(&["fn f() { if a >> (b) {} }", "fn f() { if a >> (b,) {} }"]);
    assert_all_differ(&["fn f() { break 'a (b) }", "fn f() { break 'a (b,) }"]);
    assert_all_differ(&["fn f() { m!(a) }", "fn f() { m!(a,) }"]);
    assert_all_differ(&["fn f() { m![a] }", "fn f() { m![a,] }"]);
    assert_all_differ(&["macro_rules! m { (a) => {} }", "macro_rules! m { (a,) => {} }"]);
    assert_all_differ(&["#[m(a)] fn f() {}", "#[m(a,)] fn f() {}"]);
    assert_same(&["fn f() { if !(g(a)) {} }", "fn f() { if !(g(a,)) {} }"]);
}

#[test]
fn everything_else_counts() {
    assert_all_differ(&[
        "fn f(x: f64) -> f64 { x + 1.0 }",
        "fn g(x: f64) -> f64 { x + 1.0 }",
        "fn f(y: f64) -> f64 { x + 1.0 }",
        "fn f(x: f32) -> f64 { x + 1.0 }",
        "fn f(x: f64) -> f64 { x - 1.0 }",
        "fn f(x: f64) -> f64 { x + 1.00 }",
        "fn f(x: f64) -> f64 { x + 1.0f64 }",
        "fn f(x: f64) -> f64 { x + \"1.0\" }",
        "fn f(x: f64) -> f64 { x += 1.0 }",
        "fn f(x: f64) -> f64 { x + = 1.0 }",
        "fn f(x: f64) -> f64 { (x + 1.0) }",
        "fn f(x: f64) -> f64 { x + 1.0; }",
        "fn f(mut x: f64) -> f64 { x + 1.0 }",
        "fn f(x: &f64) -> f64 { x + 1.0 }",
        "fn f(x: &'a f64) -> f64 { x + 1.0 }",
        "fn r#f(x: f64) -> f64 { x + 1.0 }",
        "#[inline] fn f(x: f64) -> f64 { x + 1.0 }",
        "fn f(x: f64) -> f64 { #[cfg(unix)] x + 1.0 }",
        "fn f(x: f64) -> f64 { #[cfg_attr(unix, allow(unused))] x + 1.0 }",
        "unsafe fn f(x: f64) -> f64 { x + 1.0 }",
    ]);
    assert_all_differ(&["fn f() { a::b }", "fn f() { a: :b }"]);
    assert_all_differ(&["fn f() { m!(a <- b) }", "fn f() { m!(a < -b) }"]);
    assert_all_differ(&["fn f() { m!(#[doc = \"a\"] b) }", "fn f() { m!(b) }"]);
    assert_all_differ(&["fn f() { m!(pub b) }", "fn f() { m!(b) }"]);
    assert_all_differ(&["struct S(pub (A, B));", "struct S(pub (crate) A);"]);
}

#[test]
fn operators_are_told_apart_by_the_longest_match_alone() {
    assert_same(&["fn f() { x=-1 }", "fn f() { x = -1 }"]);
    assert_same(&["fn f() { a<-1 }", "fn f() { a < -1 }"]);
    assert_same(&["fn f() { a&&!b }", "fn f() { a && !b }"]);
    assert_same(&["fn f() { a..=-b }", "fn f() { a ..= - b }"]);
    assert_same(&["fn f() { |x|-> u8{x} }", "fn f() { | x | -> u8 { x } }"]);
}

#[test]
fn an_invisible_group_counts() {
    let name = |name: &str| TokenTree::from(Ident::new(name, Span::call_site()));
    let group = TokenTree::from(Group::new(Delimiter::None, name("a").into()));
    assert_ne!(digest(name("a").into()), digest(group.into()));
}

#[test]
fn raw_text_has_single_spaces() {
    let text_of = |source: &str| text(source.parse().unwrap());
    assert_eq!(text_of("all(unix,feature=\"x\")"), "all ( unix , feature = \"x\" )");
    assert_eq!(text_of("a::b  !( 'c' 'd)"), "a :: b ! ( 'c' 'd )");
}
