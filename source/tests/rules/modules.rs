//! The files of a crate, and which parts of them are compiled.

use std::fs;

use ndcache_source::Fact;

use crate::crates::{Crate, assert_parts, assert_parts_of, names};

#[test]
fn modules_are_found_in_their_files() {
    assert_parts_of(
        &[
            (
                "src/lib.rs",
                "mod flat; mod nested; mod inline { pub mod deep; #[path = \"other.rs\"] pub mod told; } #[path = \"elsewhere/x.rs\"] mod y; fn root() { flat::f(); flat::inner::g(); nested::h(); nested::inner::i(); inline::deep::j(); y::k(); y::z::l(); inline::told::m() }",
            ),
            ("src/flat.rs", "pub mod inner; pub fn f() {}"),
            ("src/flat/inner.rs", "pub fn g() {}"),
            ("src/nested/mod.rs", "pub mod inner; pub fn h() {}"),
            ("src/nested/inner.rs", "pub fn i() {}"),
            ("src/inline/deep.rs", "pub fn j() {}"),
            ("src/inline/other.rs", "pub fn m() {}"),
            ("src/elsewhere/x.rs", "pub mod z; pub fn k() {}"),
            ("src/elsewhere/z.rs", "pub fn l() {}"),
        ],
        &[
            "flat::f",
            "flat::inner::g",
            "inline::deep::j",
            "inline::told::m",
            "nested::h",
            "nested::inner::i",
            "y::k",
            "y::z::l",
        ],
    );
}

#[test]
fn included_items_count() {
    let text = "include!(\"items.rs\"); include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\")); mod m { include!(\"items.rs\"); } fn root() { f(); g(); m::f() }";
    let krate = Crate::new(&[("src/lib.rs", text), ("src/items.rs", "pub fn f() {}"), ("out/made.rs", "fn g() {}")]);
    let out = krate.path("out");
    assert_eq!(names(&krate.with(|session| session.out_dir = Some(out)).reached()), ["f", "g", "m::f"]);
}

#[test]
fn modules_in_a_macros_input_are_read() {
    assert_parts_of(
        &[
            (
                "src/lib.rs",
                "cfg_if! { if #[cfg(unix)] { mod a; pub use a::f; } else { mod b; } } fn root() { a::f(); f() }",
            ),
            ("src/a.rs", "pub fn f() {}"),
            ("src/b.rs", "pub fn f() {}"),
        ],
        // The call decides which of its modules is compiled.
        &["a::f", "cfg_if!"],
    );
}

const CFG: &str = "#[cfg(feature = \"x\")] fn helper() { with_x() } #[cfg(not(feature = \"x\"))] fn helper() { without_x() } fn with_x() {} fn without_x() {}
    #[cfg(test)] mod tests { pub fn only() {} } #[cfg(unix)] fn system() { posix() } #[cfg(not(unix))] fn system() { other() } fn posix() {} fn other() {}
    #[cfg(any(test, all(feature = \"x\", custom)))] fn some() { helper() } fn root() { helper(); tests::only(); system(); some() }";

#[test]
fn what_the_arguments_decide_is_decided() {
    let krate = || Crate::new(&[("src/lib.rs", CFG)]);
    assert_eq!(names(&krate().reached()), ["helper", "other", "posix", "system", "system", "without_x"]);
    let with = krate().with(|session| session.cfg = vec!["feature=\"x\"".to_owned(), "custom".to_owned()]);
    assert_eq!(names(&with.reached()), ["helper", "other", "posix", "some", "system", "system", "with_x"]);
    let tested = krate().with(|session| session.test = true);
    assert_eq!(
        names(&tested.reached()),
        ["helper", "other", "posix", "some", "system", "system", "tests::only", "without_x"]
    );
}

/// The digests of `fn root` in the program and in its tests.
fn built_and_tested(items: &str) -> [[u8; 16]; 2] {
    let text = format!("pub struct Params(u8); fn root(params: Params) -> u8 {{ params.0 }} {items}");
    [false, true].map(|test| {
        Crate::new(&[("src/lib.rs", &text), ("src/checks.rs", CHECKS)])
            .with(|session| session.test = test)
            .reached()
            .digest
    })
}

const CHECKS: &str =
    "#![cfg(test)] use super::Params; proptest! { #[test] fn holds(params in any::<Params>()) { root(params) } }";

#[test]
fn tests_that_a_macro_of_another_crate_makes_count_for_nothing() {
    for items in [
        "#[cfg(test)] mod tests { use super::*; proptest! { #[test] fn holds(params in any::<Params>()) { root(params) } } }",
        "#[cfg(all(test, not(off)))] mod tests { mod inner { proptest! { #![proptest_config(Config::default())]
            #[test] fn holds(params: super::super::Params) {} #[test] fn also(params: super::super::Params) {} } } }",
        "#[cfg(test)] proptest! { #[test] fn holds(params: Params) {} }",
        "mod checks;",
        "#[cfg(test)] mod tests { #[test] fn holds() { super::root(super::Params(1)); } }",
    ] {
        let [built, tested] = built_and_tested(items);
        assert_eq!(built, tested, "{items}");
    }
}

#[test]
fn what_tests_may_add_to_a_type_counts_in_tests() {
    for items in [
        "#[cfg(test)] mod tests { use super::*; implement!(Params); }",
        "#[cfg(test)] mod tests { use super::*; implement! { fn holds(params: Params) {} impl Drop for Params {} } }",
        "#[cfg(test)] mod tests { use super::*; impl Drop for Params { fn drop(&mut self) {} } }",
        "#[cfg(test)] macro_rules! make { ($($t:tt)*) => { impl Drop for Params {} } }
#[cfg(test)] make! { fn holds(params: Params) {} }",
    ] {
        let [built, tested] = built_and_tested(items);
        assert_ne!(built, tested, "{items}");
    }
    // These modules aren't for tests alone, so a build without tests has them, too.
    let without = built_and_tested("")[0];
    for items in [
        "mod tests { use super::*; proptest! { fn holds(params: Params) {} } }",
        "#[cfg(any(test, on))] proptest! { fn holds(params: Params) {} }",
    ] {
        assert_ne!(without, built_and_tested(items)[1], "{items}");
    }
}

#[test]
fn what_they_dont_decide_guards_its_parts() {
    let reached = Crate::new(&[("src/lib.rs", CFG)]).reached();
    let guards: Vec<_> =
        reached.parts.iter().filter(|part| part.name == "system").map(|part| part.guards.clone()).collect();
    assert_eq!(guards, [["unix"], ["not(unix)"]]);
    let inner = [("src/lib.rs", "mod a; fn root() { a::f() }"), ("src/a.rs", "#![cfg(unix)]\npub fn f() {}")];
    assert_eq!(Crate::new(&inner).reached().parts[1].guards, ["unix"]);
    let outer = [(
        "src/lib.rs",
        "#[cfg(target_os = \"linux\")] mod a { #[cfg(debug_assertions)] pub fn f() {} } fn root() { a::f() }",
    )];
    assert_eq!(Crate::new(&outer).reached().parts[1].guards, ["target_os=\"linux\"", "debug_assertions"]);
}

#[test]
fn paths_under_cfg_attr_are_alternatives() {
    let files = [
        (
            "src/lib.rs",
            "#[cfg_attr(unix, path = \"a.rs\")] #[cfg_attr(not(unix), path = \"b.rs\")] mod m; #[cfg_attr(off, path = \"b.rs\")] mod n; fn root() { m::f(); n::g() }",
        ),
        ("src/a.rs", "pub fn f() { super::of_a() }"),
        ("src/b.rs", "pub fn f() { super::of_b() } pub fn g() { super::of_b() }"),
        ("src/n.rs", "pub fn g() { super::of_n() }"),
    ];
    let reached = Crate::new(&files).reached();
    assert_eq!(names(&reached), ["m::f", "m::f", "n::g"]);
}

/// The guards of each part, and the undecided predicates of imports that count.
fn guards(files: &[(&str, &str)]) -> (Vec<Vec<String>>, Vec<Fact>) {
    let mut parts = Crate::new(files).reached().parts;
    let imports = std::mem::take(&mut parts[0].passed);
    (parts.into_iter().skip(1).map(|part| part.guards).collect(), imports)
}

#[test]
fn paths_that_are_not_decided_guard_their_files() {
    let of = |text| guards(&[("src/lib.rs", text), ("src/a.rs", "pub fn f() {}"), ("src/m.rs", "pub fn f() {}")]).0;
    let both = "#[cfg_attr(unix, path = \"a.rs\")] mod m; fn root() { m::f() }";
    assert_eq!(of(both), [["unix"], ["unix"]]);
    let nested = "#[cfg_attr(unix, cfg_attr(windows, path = \"a.rs\"))] mod m; fn root() { m::f() }";
    assert_eq!(of(nested), [["unix", "windows"], ["unix", "windows"]]);
    let sure = "#[cfg_attr(all(), cfg_attr(not(any()), path = \"a.rs\"))] mod m; fn root() { m::f() }";
    assert_eq!(of(sure), [[""; 0]]);
    let inline = "#[cfg_attr(unix, path = \"b\")] mod m { pub mod n; } fn root() { m::n::f() }";
    let files = [("src/lib.rs", inline), ("src/b/n.rs", "pub fn f() {}"), ("src/m/n.rs", "pub fn f() {}")];
    assert_eq!(guards(&files).0, [["unix"], ["unix"]]);
}

#[test]
fn a_cfg_under_cfg_attr_guards_what_it_stands_before() {
    for (text, expected) in [
        ("#[cfg_attr(unix, cfg(windows))] fn f() {} fn root() { f() }", vec!["unix", "windows"]),
        ("#[cfg_attr(all(), cfg(windows))] fn f() {} fn root() { f() }", vec!["windows"]),
        ("#[cfg_attr(unix, cfg(any()))] fn f() {} fn root() { f() }", vec!["unix"]),
        ("#[cfg_attr(unix, cfg(all()))] fn f() {} fn root() { f() }", vec![]),
        ("#[cfg_attr(any(), cfg(windows))] fn f() {} fn root() { f() }", vec![]),
        (
            "#[cfg_attr(unix, inline, cfg(windows))] mod m { pub fn f() {} } fn root() { m::f() }",
            vec!["unix", "windows"],
        ),
        ("mod m { #![cfg_attr(unix, cfg(windows))] pub fn f() {} } fn root() { m::f() }", vec!["unix", "windows"]),
    ] {
        assert_eq!(guards(&[("src/lib.rs", text)]).0, [expected], "{text}");
    }
    let text = "#[cfg_attr(all(), cfg(any()))] fn f() {} fn root() { f() }";
    assert_eq!(guards(&[("src/lib.rs", text)]).0.len(), 0);
}

#[test]
fn imports_that_are_not_decided_count_where_they_lead() {
    let two = "mod a { pub fn f() {} pub trait T { fn m(&self) {} } } mod b { pub fn f() {} pub trait T { fn m(&self) {} } } ";
    let unix = [Fact::Cfg("not(unix)".to_owned(), None), Fact::Cfg("unix".to_owned(), None)];
    for (text, expected) in [
        ("#[cfg(unix)] use a::f; #[cfg(not(unix))] use b::f; fn root() { f() }", unix.as_slice()),
        ("#[cfg(unix)] use a::*; #[cfg(not(unix))] use b::*; fn root() { f() }", &unix),
        ("#[cfg(unix)] use a as c; #[cfg(not(unix))] use b as c; fn root() { c::f() }", &unix),
        ("#[cfg(unix)] use a::T; #[cfg(not(unix))] use b::T; fn root(x: u8) { x.m() }", &unix),
        (
            "mod c { #[cfg(unix)] pub use crate::a::f; #[cfg(not(unix))] pub use crate::b::f; } fn root() { c::f() }",
            &unix,
        ),
        (
            "#[cfg(unix)] mod c { pub use crate::a::f; } #[cfg(not(unix))] mod c { pub use crate::b::f; } fn root() { c::f() }",
            &unix,
        ),
        ("#[cfg(unix)] use std::ptr::eq; #[cfg(not(unix))] use std::mem::swap as eq; fn root() { eq() }", &unix),
        ("#[cfg(unix)] extern crate std as x; #[cfg(not(unix))] extern crate core as x; fn root() { x::f() }", &unix),
        ("#[cfg_attr(unix, cfg(any()))] use a::f; use b::f; fn root() { f() }", &unix[1..]),
        ("#[cfg(unix)] use a::f; use std::mem::swap; #[cfg(not(unix))] use std::ptr::eq; fn root() { swap() }", &[]),
    ] {
        assert_eq!(guards(&[("src/lib.rs", &format!("{two}{text}"))]).1, expected, "{text}");
    }
}

#[test]
fn a_macro_that_cfg_attr_exports_is_found_at_the_root() {
    for attribute in ["macro_export", "cfg_attr(unix, macro_export)", "cfg_attr(unix, cfg_attr(windows, macro_export))"]
    {
        let text = "mod m { #[@] macro_rules! call { () => { h() } } } fn h() {} fn root() { crate::call!() }";
        assert_parts(&text.replace('@', attribute), &["h", "m::call"]);
    }
}

#[test]
fn what_may_not_be_compiled_hides_no_glob() {
    let two = "mod a { pub fn f() {} } mod b { pub fn f() {} pub mod c { pub fn f() {} } } ";
    for (text, expected) in [
        ("#[cfg(unix)] use a::f; use b::*; fn root() { f() }", ["a::f", "b::f"]),
        ("#[cfg(unix)] fn f() {} use b::*; fn root() { f() }", ["b::f", "f"]),
        ("#[cfg(unix)] mod c { pub fn f() {} } use b::*; fn root() { c::f() }", ["b::c::f", "c::f"]),
    ] {
        assert_parts(&format!("{two}{text}"), &expected);
    }
}

#[test]
fn modules_of_bodies_are_read() {
    assert_parts_of(&[("src/lib.rs", "fn root() { mod a; a::f() }"), ("src/a.rs", "pub fn f() {}")], &["a::f"]);
}

#[test]
fn a_missing_module_is_unseen_and_no_error() {
    let reached = Crate::new(&[("src/lib.rs", "mod gone; fn root() { gone::f() }")]).reached();
    assert!(reached.unseen.iter().any(|unseen| unseen.to_string().contains("gone.rs")), "{:?}", reached.unseen);
}

#[test]
fn a_module_that_names_itself_ends() {
    let files = [("src/lib.rs", "#[path = \"lib.rs\"] mod me; fn root() { me::helper() } fn helper() {}")];
    assert!(!names(&Crate::new(&files).reached()).is_empty());
}

#[test]
fn errors_name_file_and_line() {
    let krate = Crate::new(&[("src/lib.rs", "mod a;\nfn root() {}"), ("src/a.rs", "fn f() {\n\n  (}\n")]);
    let session = ndcache_source::Session { root: krate.path("src/lib.rs"), ..Default::default() };
    let message = ndcache_source::Index::read(session).err().unwrap().to_string();
    assert!(message.starts_with("line 3 of `") && message.contains("a.rs"), "{message}");
    let nowhere = ndcache_source::Session { root: krate.path("none.rs"), ..Default::default() };
    let message = ndcache_source::Index::read(nowhere).err().unwrap().to_string();
    assert!(message.contains("none.rs` can't be read"), "{message}");
    fs::write(krate.path("src/a.rs"), b"\xff").unwrap();
}
