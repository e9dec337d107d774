//! What changes a digest, and what doesn't.

use std::fs;

use crate::crates::{Crate, assert_edit_counts};

const FILES: [(&str, &str); 3] = [
    (
        "src/lib.rs",
        "mod shapes;\nmod math;\nuse math::first as chosen;\nuse shapes::Shape;\n\nfn root(s: &Shape) -> f64 {\n    chosen(s.area()) + scale(1.0)\n}\n\nfn scale(x: f64) -> f64 {\n    x * CONSTANT\n}\n\nconst CONSTANT: f64 = 2.0;\n\nfn unrelated() {}\n",
    ),
    (
        "src/shapes.rs",
        "use std::f64::consts::PI;\n\npub struct Shape {\n    pub radius: f64,\n}\n\nimpl Shape {\n    pub fn area(&self) -> f64 {\n        PI * square(self.radius)\n    }\n}\n\nfn square(x: f64) -> f64 {\n    x * x\n}\n\nimpl std::ops::Neg for Shape {\n    type Output = Shape;\n    fn neg(self) -> Shape {\n        self\n    }\n}\n",
    ),
    ("src/math.rs", "pub fn first(x: f64) -> f64 {\n    x\n}\n\npub fn second(x: f64) -> f64 {\n    x\n}\n"),
];

fn digest(change: impl Fn(&str, String) -> String) -> [u8; 16] {
    let files: Vec<(&str, String)> = FILES.iter().map(|(path, text)| (*path, change(path, text.to_string()))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    Crate::new(&files).reached().digest
}

fn unchanged() -> [u8; 16] {
    digest(|_, text| text)
}

/// Whether replacing `from` by `to` in whichever file has it changes the digest.
#[track_caller]
fn changes(from: &str, to: &str) -> bool {
    assert!(FILES.iter().any(|(_, text)| text.contains(from)), "`{from}` stands nowhere");
    digest(|_, text| text.replace(from, to)) != unchanged()
}

#[test]
fn edits_of_what_counts_change_the_digest() {
    for (from, to) in [
        ("scale(1.0)", "scale(2.0)"),
        ("x * CONSTANT", "x + CONSTANT"),
        ("= 2.0", "= 3.0"),
        ("x * x", "x * x * x"),
        ("pub radius: f64", "pub radius: f32"),
        ("PI * square", "square"),
        ("        self\n", "        Shape { radius: self.radius }\n"),
        ("std::ops::Neg", "std::ops::Not"),
        ("pub fn first(x: f64) -> f64 {\n    x\n", "pub fn first(x: f64) -> f64 {\n    -x\n"),
        ("fn scale", "#[inline] fn scale"),
        ("const CONSTANT: f64 = 2.0;", "#[cfg(unix)] const CONSTANT: f64 = 2.0;"),
        ("pub struct", "#[repr(C)] pub struct"),
    ] {
        assert!(changes(from, to), "`{from}` → `{to}`");
    }
}

#[test]
fn edits_of_imports_change_the_digest() {
    for (from, to) in [
        // Items with other names and one body.
        ("math::first as chosen", "math::second as chosen"),
        ("std::f64::consts::PI", "std::f32::consts::PI"),
        ("std::f64::consts::PI", "std::f64::consts::E as PI"),
        ("use std::f64::consts::PI;", "use std::f64::consts::*;"),
    ] {
        assert!(changes(from, to), "`{from}` → `{to}`");
    }
}

#[test]
fn what_a_name_leads_to_changes_the_digest_though_the_parts_are_the_same() {
    let text = |a: &str, b: &str| {
        format!(
            "mod m {{ pub fn one() -> f64 {{ 1.0 }} pub fn two() -> f64 {{ 2.0 }} }} use m::{a} as a; use m::{b} as b; fn root() -> f64 {{ a() - b() }}"
        )
    };
    let digest = |text: String| Crate::new(&[("src/lib.rs", &text)]).reached().digest;
    assert_ne!(digest(text("one", "two")), digest(text("two", "one")));
    let deep = |a: &str, b: &str| {
        format!(
            "mod m {{ pub fn one() -> f64 {{ 1.0 }} pub fn two() -> f64 {{ 2.0 }} }} mod x {{ use crate::m::{a} as f; pub fn go() -> f64 {{ f() }} }} mod y {{ use crate::m::{b} as f; pub fn go() -> f64 {{ f() }} }} fn root() -> f64 {{ x::go() - y::go() }}"
        )
    };
    assert_ne!(digest(deep("one", "two")), digest(deep("two", "one")));
    let impls = |a: u8, b: u8| {
        format!(
            "struct A; struct B; impl A {{ fn m(&self) -> u8 {{ {a} }} }} impl B {{ fn m(&self) -> u8 {{ {b} }} }} fn root() -> u8 {{ A.m() - B.m() }}"
        )
    };
    assert_ne!(digest(impls(1, 2)), digest(impls(2, 1)));
}

#[test]
fn new_impls_change_the_digest() {
    let added = |text: &str| digest(|path, file| if path == "src/lib.rs" { format!("{file}{text}") } else { file });
    assert_ne!(added("impl Drop for Shape { fn drop(&mut self) {} }"), unchanged());
    assert_ne!(
        added("trait Extra { fn area(&self) -> f64; } impl Extra for Shape { fn area(&self) -> f64 { 0.0 } }"),
        unchanged()
    );
    assert_eq!(
        added("trait Extra { fn other(&self) -> f64; } impl Extra for Shape { fn other(&self) -> f64 { 0.0 } }"),
        unchanged()
    );
    assert_eq!(added("struct Other; impl Drop for Other { fn drop(&mut self) {} } fn more() {}"), unchanged());
}

#[test]
fn formatting_comments_docs_lints_and_visibility_change_nothing() {
    for (from, to) in [
        ("    x * CONSTANT", "  // why\n  x /* times */ * CONSTANT"),
        ("fn scale", "/// Scales.\n#[allow(dead_code)]\n#[doc(hidden)]\npub(crate) fn scale"),
        ("pub radius: f64,", "radius: f64"),
        ("scale(x: f64)", "scale(\n    x: f64,\n)"),
        ("fn unrelated() {}", "fn unrelated() { 1 }"),
        ("mod math;", "pub mod math;"),
        ("\n", "\n\n"),
        ("\n", "\r\n"),
        ("mod shapes;", "#![allow(unused)] mod shapes;"),
    ] {
        assert!(!changes(from, to), "`{from}` → `{to}`");
    }
    assert_eq!(digest(|_, text| format!("\u{feff}{text}")), unchanged());
}

#[test]
fn moves_change_nothing() {
    let moved = |path: &str, text: String| {
        match path {
        "src/lib.rs" => text.replace("fn scale(x: f64) -> f64 {\n    x * CONSTANT\n}\n\nconst CONSTANT: f64 = 2.0;\n", "use math::inner::scale;\n").replace("use math::first as chosen", "use math::inner::first as chosen"),
        "src/math.rs" => "pub mod inner { const CONSTANT: f64 = 2.0; pub fn scale(x: f64) -> f64 { x * CONSTANT } pub fn first(x: f64) -> f64 { x } }".to_owned(),
        _ => text,
    }
    };
    assert_eq!(digest(moved), unchanged());
}

#[test]
fn versions_of_cached_helpers_count_and_their_storage_doesnt() {
    let digest = |options: &str| {
        Crate::new(&[(
            "src/lib.rs",
            &format!("fn root() {{ helper() }} #[ndcache::cache({options})] fn helper() {{}} fn extra() {{}}"),
        )])
        .reached()
        .digest
    };
    assert_ne!(digest("version = 1"), digest("version = 2"));
    assert_ne!(digest("version = 1"), digest("version = 1, depends(extra)"));
    assert_eq!(digest("version = 1"), digest("version = 1, compress = Compression::Gzip(3), helpers(without(extra))"));
}

#[test]
fn the_edition_counts() {
    let digest = |edition| Crate::new(&FILES).with(|session| session.edition = edition).reached().digest;
    assert_ne!(digest(2021), digest(2024));
}

#[test]
fn a_decided_cfg_counts_by_what_it_decides() {
    let text = "#[cfg(feature = \"x\")] mod a; fn root() { helper() } #[cfg(not(feature = \"y\"))] fn helper() {} #[cfg(feature = \"y\")] fn helper() { 1 }";
    let digest = |cfg: &str| {
        Crate::new(&[("src/lib.rs", text), ("src/a.rs", "")])
            .with(|session| session.cfg.push(cfg.to_owned()))
            .reached()
            .digest
    };
    assert_eq!(digest("feature=\"x\""), digest("feature=\"z\""));
    assert_ne!(digest("feature=\"x\""), digest("feature=\"y\""));
}

#[test]
fn a_function_is_found_by_a_relative_path() {
    let krate = Crate::new(&FILES);
    let index = krate.index();
    let place =
        ndcache_source::Position { file: "src/lib.rs".into(), line: 6, name: "root".to_owned(), ..Default::default() };
    let relative = ndcache_source::Resolver::new(&index).reach(&place, &[]).unwrap();
    assert_eq!(relative, krate.reached());
    fs::remove_file(krate.path("src/lib.rs")).unwrap();
}

#[test]
fn what_the_arguments_decide_inside_an_item_counts() {
    let digest = |text: &str, cfg: &str| {
        Crate::new(&[("src/lib.rs", text)]).with(|session| session.cfg.push(cfg.to_owned())).reached().digest
    };
    for text in [
        "fn root() { helper() } fn helper() { if cfg!(feature = \"x\") { 1 } }",
        "fn root() { helper() } fn helper() { #[cfg(feature = \"x\")] { 1 } }",
        "fn root(s: S) {} #[cfg_attr(feature = \"x\", repr(C))] struct S { a: u8 }",
        "fn root(s: S) {} struct S { #[cfg(feature = \"x\")] a: u8 }",
        "fn root() { helper() } fn helper() { #[cfg_attr(unix, cfg(feature = \"x\"))] { 1 } }",
        "fn root() { helper() } fn helper() { #[cfg_attr(unix, cfg_attr(windows, cfg(feature = \"x\")))] { 1 } }",
        "fn root() { helper() } fn helper() { #[cfg_attr(unix, cfg_attr(feature = \"x\", inline))] fn f() {} }",
        "fn root() { helper() } fn helper() { match 1 { #[cfg_attr(unix, cfg(feature = \"x\"))] 1 => 2, _ => 3 } }",
        "fn root() { helper() } fn helper() { #[cfg_attr(unix, cfg(feature = \"x\"))] use a::f; #[cfg_attr(unix, cfg(not(feature = \"x\")))] use b::f; f() } mod a { pub fn f() {} } mod b { pub fn f() {} }",
        "fn root(s: S) {} struct S { #[cfg_attr(unix, cfg(feature = \"x\"))] a: u8 }",
        "fn root(s: S) {} enum S { A, #[cfg_attr(unix, cfg(feature = \"x\"))] B }",
        "fn root(s: S) {} #[cfg_attr(unix, cfg_attr(feature = \"x\", repr(C)))] struct S { a: u8 }",
        "fn root() { helper() } #[cfg_attr(unix, cfg(feature = \"x\"))] fn helper() { 1 } #[cfg_attr(unix, cfg(not(feature = \"x\")))] fn helper() { 2 }",
        "fn root() { m::f() } #[cfg_attr(unix, cfg(feature = \"x\"))] mod m { pub fn f() { 1 } } #[cfg_attr(unix, cfg(not(feature = \"x\")))] mod m { pub fn f() { 2 } }",
        "fn root() { m::f() } mod m { #![cfg_attr(unix, cfg(feature = \"x\"))] pub fn f() { 1 } }",
        "fn root() { f() } #[cfg_attr(unix, cfg(feature = \"x\"))] use a::f; #[cfg_attr(unix, cfg(not(feature = \"x\")))] use b::f; mod a { pub fn f() {} } mod b { pub fn f() {} }",
        "fn root() { f() } #[cfg_attr(unix, cfg(feature = \"x\"))] use a::*; #[cfg_attr(unix, cfg(not(feature = \"x\")))] use b::*; mod a { pub fn f() {} } mod b { pub fn f() {} }",
        "fn root() { c::d::f() } mod c { #[cfg_attr(unix, cfg(feature = \"x\"))] pub use crate::a as d; #[cfg_attr(unix, cfg(not(feature = \"x\")))] pub use crate::b as d; } mod a { pub fn f() {} } mod b { pub fn f() {} }",
        "fn root() { x::f() } #[cfg_attr(unix, cfg(feature = \"x\"))] extern crate std as x; #[cfg_attr(unix, cfg(not(feature = \"x\")))] extern crate core as x;",
        "fn root() { f() } extern \"C\" { #[cfg_attr(unix, cfg(feature = \"x\"))] fn f(); #[cfg_attr(unix, cfg(not(feature = \"x\")))] fn f(); }",
        "fn root() { f() } extern \"C\" { #[cfg(feature = \"x\")] #[link_name = \"a\"] fn f(); #[cfg(not(feature = \"x\"))] #[link_name = \"b\"] fn f(); }",
        "fn root(s: S) { s.f() } struct S; impl S { #[cfg_attr(unix, cfg(feature = \"x\"))] fn f(&self) { 1 } #[cfg_attr(unix, cfg(not(feature = \"x\")))] fn f(&self) { 2 } }",
    ] {
        assert_ne!(digest(text, "feature=\"x\""), digest(text, "feature=\"y\""), "{text}");
        assert_eq!(digest(text, "feature=\"z\""), digest(text, "feature=\"y\""), "{text}");
    }
}

#[test]
fn the_trait_in_scope_decides_which_method_is_meant() {
    let provided = "pub mod a { pub trait Ext { fn m(&self) -> u8 { 1 } } impl Ext for u8 {} } pub mod b { pub trait Ext { fn m(&self) -> u8 { 2 } } impl Ext for u8 {} } ";
    let required = "pub mod a { pub trait Ext { fn m(&self) -> u8; } impl Ext for u8 { fn m(&self) -> u8 { 1 } } } pub mod b { pub trait Ext { fn m(&self) -> u8; } impl Ext for u8 { fn m(&self) -> u8 { 2 } } } ";
    for modules in [provided, required] {
        for root in [
            "use @::Ext; fn root(x: u8) -> u8 { x.m() }",
            "use @::Ext as _; fn root(x: u8) -> u8 { x.m() }",
            "use @::*; fn root(x: u8) -> u8 { x.m() }",
            "fn root(x: u8) -> u8 { use @::Ext; x.m() }",
            "mod p { pub use crate::@::*; } use p::*; fn root(x: u8) -> u8 { x.m() }",
            "mod p { pub use crate::@::Ext as _; } use p::*; fn root(x: u8) -> u8 { x.m() }",
            "macro_rules! bring { () => { use @::Ext; } } bring!(); fn root(x: u8) -> u8 { x.m() }",
            "macro_rules! bring { () => { use @::Ext as _; } } bring!(); fn root(x: u8) -> u8 { x.m() }",
            "macro_rules! bring { ($m:ident) => { use $m::Ext as _; } } bring!(@); fn root(x: u8) -> u8 { x.m() }",
            "macro_rules! bring { () => { use crate::@::Ext as _; } } mod p { bring!(); pub fn f(x: u8) -> u8 { x.m() } } fn root(x: u8) -> u8 { p::f(x) }",
            "macro_rules! bring { () => { use @::Ext as _; } } fn root(x: u8) -> u8 { bring!(); x.m() }",
            "mod p { pub use crate::@::Ext; } use p::Ext as _; fn root(x: u8) -> u8 { x.m() }",
            "mod p { pub use crate::@::Ext; } macro_rules! bring { () => { use p::Ext; } } bring!(); fn root(x: u8) -> u8 { x.m() }",
            "mod p { pub use crate::@::Ext; } macro_rules! bring { () => { use p::Ext as _; } } bring!(); fn root(x: u8) -> u8 { x.m() }",
            "mod p { pub use crate::@::Ext; } macro_rules! bring { ($m:ident) => { use $m::Ext as _; } } bring!(p); fn root(x: u8) -> u8 { x.m() }",
            "mod p { pub use crate::@::Ext; } macro_rules! bring { () => { use p::Ext as _; } } mod q { use super::*; bring!(); pub fn f(x: u8) -> u8 { x.m() } } fn root(x: u8) -> u8 { q::f(x) }",
            "mod p { pub use crate::@::Ext as Renamed; } macro_rules! bring { () => { use crate::p::*; } } bring!(); fn root(x: u8) -> u8 { x.m() }",
            "mod p { pub use crate::@::Ext as Renamed; } macro_rules! bring { () => { use crate::p::Renamed as _; } } bring!(); fn root(x: u8) -> u8 { x.m() }",
        ] {
            let digest = |module: &str| {
                Crate::new(&[("src/lib.rs", &format!("{modules}{}", root.replace('@', module)))]).reached().digest
            };
            assert_ne!(digest("a"), digest("b"), "{root}");
        }
    }
}

#[test]
fn an_import_that_leads_to_another_type_of_the_same_text_counts() {
    let types = "mod m1 { pub struct Unit; impl Unit { pub fn factor(&self) -> f64 { 1.0 } } } mod m2 { pub struct Unit; impl Unit { pub fn factor(&self) -> f64 { 25.4 } } }";
    let pick = "mod pick { use super::m@::Unit; pub fn pick() -> Unit { Unit } }";
    let root =
        "fn root() -> f64 { let both = [m1::Unit.factor(), m2::Unit.factor()]; pick::pick().factor() + both[0] }";
    assert_edit_counts(&format!("{types} {pick} {root}"));
    let types = "trait Factor { fn factor(&self) -> f64; } mod m1 { pub struct Unit; } mod m2 { pub struct Unit; } impl Factor for m1::Unit { fn factor(&self) -> f64 { 1.0 } } impl Factor for m2::Unit { fn factor(&self) -> f64 { 25.4 } }";
    assert_edit_counts(&format!("{types} {pick} {root}"));
    let types = "trait Factor { fn factor(&self) -> f64; } mod m1 { pub struct Unit; } mod m2 { pub struct Unit; } macro_rules! imp { ($t:ty, $e:expr) => { impl Factor for $t { fn factor(&self) -> f64 { $e } } } } imp!(m1::Unit, 1.0); imp!(m2::Unit, 2.0);";
    assert_edit_counts(&format!("{types} {pick} {root}"));
}

#[test]
fn an_import_that_leads_to_another_state_of_the_same_text_counts() {
    for state in [
        "pub static C: AtomicU8 = AtomicU8::new(0);",
        "thread_local! { pub static C: Cell<u8> = const { Cell::new(0) }; }",
        "pub fn C() -> &'static AtomicU8 { static INNER: AtomicU8 = AtomicU8::new(0); &INNER }",
        "pub fn C() -> u8 { count!() }",
    ] {
        assert_edit_counts(&format!(
            "macro_rules! count {{ () => {{ {{ static N: AtomicU8 = AtomicU8::new(0); N.load() }} }} }} mod m1 {{ {state} }} mod m2 {{ {state} }} mod a {{ use super::m1::C; pub fn set() {{ C; }} }} mod b {{ use super::m2::C; pub fn set() {{ C; }} }} mod c {{ use super::m@::C; pub fn get() {{ C; }} }} fn root() {{ a::set(); b::set(); c::get() }}"
        ));
    }
}

#[test]
fn a_visibility_counts_where_a_type_dereferences() {
    let deref = "impl std::ops::Deref for A { type Target = B; fn deref(&self) -> &B { &B { x: 2.0 } } } pub struct B { pub x: f64 } impl B { pub fn go(&self) -> f64 { 2.0 } }";
    let digest = |text: String| Crate::new(&[("src/lib.rs", &text)]).reached().digest;
    let method = |deref: &str, public: &str| {
        digest(format!(
            "mod a {{ pub struct A; impl A {{ {public} fn go(&self) -> f64 {{ 1.0 }} }} {deref} }} fn root() -> f64 {{ a::A.go() }}"
        ))
    };
    assert_ne!(method(deref, "pub"), method(deref, ""));
    assert_ne!(method(deref, "pub"), method(deref, "pub(self)"));
    assert_eq!(method("", "pub"), method("", ""));
    let field = |deref: &str, public: &str| {
        digest(format!(
            "mod a {{ pub struct A {{ pub y: u8, {public} x: f64 }} impl A {{ pub fn new() -> A {{ A {{ x: 1.0 }} }} }} {deref} }} fn root() -> f64 {{ a::A::new().x }}"
        ))
    };
    assert_ne!(field(deref, "pub"), field(deref, ""));
    assert_eq!(field("", "pub"), field("", ""));
}

#[test]
fn files_that_change_places_count_where_items_are_not_told_apart() {
    let many: String = (0..5_100).map(|number| format!("fn f{number}() {{}}\n")).collect();
    let calls: String = (0..5_100).map(|number| format!("f{number}();")).collect();
    let lib = format!("mod a; mod b; {many} fn root() -> f64 {{ {calls} a::f() - b::f() }}");
    let reached = |a: &str, b: &str| Crate::new(&[("src/lib.rs", &lib), ("src/a.rs", a), ("src/b.rs", b)]).reached();
    let (one, two) = ("pub fn f() -> f64 { 1.0 }", "pub fn f() -> f64 { 2.0 }");
    assert!(reached(one, two).whole_crate);
    assert_ne!(reached(one, two).digest, reached(two, one).digest);
    assert_eq!(reached(one, two).digest, reached(one, two).digest);
}
