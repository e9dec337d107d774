//! Items that have the name of another one and don't hide it: the other one counts, too.

use crate::crates::{Crate, assert_counts, assert_edit_counts};

#[test]
fn what_has_no_value_hides_no_function_behind_a_glob_import() {
    let module = "mod m { pub fn helper() -> f64 { @.0 } } use m::*;";
    for other in
        ["struct helper { x: f64 }", "enum helper { A }", "struct helper<const N: usize = { 3 }> { x: [u8; N] }"]
    {
        assert_edit_counts(&format!("{module} {other} fn root() -> f64 {{ helper() }}"));
    }
    // A tuple struct is also a function of its name.
    let text = |value: u8| {
        format!(
            "mod m {{ pub fn helper() -> f64 {{ {value}.0 }} }} use m::*; struct helper(f64); fn root() {{ helper(1.0); }}"
        )
    };
    let digest = |value| Crate::new(&[("src/lib.rs", &text(value))]).reached().digest;
    assert_eq!(digest(1), digest(2));
}

#[test]
fn an_import_of_another_crate_hides_nothing_behind_a_glob_import() {
    for text in [
        "mod m { pub fn time() -> f64 { @.0 } } use m::*; use std::time; fn root() -> f64 { time() }",
        "mod m { pub const f64: u8 = @; } use m::*; use std::f64; fn root() -> u8 { f64 }",
        "mod m { pub fn env() -> f64 { @.0 } } mod n { use super::m::*; use std::{env, process}; pub fn go() -> f64 { env() } } fn root() -> f64 { n::go() }",
        "mod m { pub fn matches() -> f64 { @.0 } } use m::*; use std::matches; fn root() -> f64 { matches() }",
        "mod m { pub fn Display() -> f64 { @.0 } } use m::*; use std::fmt::Display; fn root() -> f64 { Display() }",
        "mod m { pub struct swap; impl swap { pub fn new() -> f64 { @.0 } } } use m::*; use std::mem::swap; fn root() -> f64 { swap::new() }",
        "mod m { pub mod swap { pub fn new() -> f64 { @.0 } } } use m::*; use std::mem::swap; fn root() -> f64 { swap::new() }",
    ] {
        assert_edit_counts(text);
    }
}

#[test]
fn neither_a_function_nor_a_constant_hides_a_crate() {
    for own in ["fn dep() {}", "const dep: u8 = 1;", "static dep: u8 = 1;", "use dep::dep;", "use other::dep;"] {
        let text = format!("{own} fn root() {{ dep::a::helper() }}");
        let krate = Crate::new(&[("src/lib.rs", &text)]);
        let reached = krate.with(|session| session.externs = vec!["dep".to_owned(), "other".to_owned()]).reached();
        let unseen: Vec<String> = reached.unseen.iter().map(ToString::to_string).collect();
        assert!(unseen.iter().any(|unseen| unseen.contains("`dep`")), "{own}: {unseen:?}");
    }
    let krate = Crate::new(&[("src/lib.rs", "mod dep { pub fn helper() {} } fn root() { dep::helper() }")]);
    let reached = krate.with(|session| session.externs = vec!["dep".to_owned()]).reached();
    assert!(reached.unseen.is_empty(), "{:?}", reached.unseen);
}

#[test]
fn an_item_of_a_body_hides_a_variable() {
    let module = "mod m { pub fn helper(x: f64) -> f64 { x * @.0 } }";
    for body in
        ["{ use m::helper; y + helper(2.0) }", "{ use m::*; y + helper(2.0) }", "{ import!(); y + helper(2.0) }"]
    {
        assert_edit_counts(&format!(
            "{module} macro_rules! import {{ () => {{ use m::*; }} }} fn root(helper: f64) -> f64 {{ let y = helper; {body} }}"
        ));
    }
    let types = "struct A; impl A { fn go(&self) -> f64 { 0.0 } } struct B; impl B { fn go(&self) -> f64 { @.0 } }";
    for body in ["use m::x; x.go()", "use m::*; x.go()", "const x: B = B; x.go()", "static x: B = B; x.go()"] {
        assert_edit_counts(&format!(
            "{types} mod m {{ pub static x: super::B = super::B; }} fn root(x: &A) -> f64 {{ let b = B; {{ {body} }} }}"
        ));
    }
    assert_edit_counts(
        "struct A; impl A { fn go(&self) -> f64 { 0.0 } } trait Go { fn go(&self) -> f64; } fn root(x: &A) -> f64 { struct x; impl Go for x { fn go(&self) -> f64 { @.0 } } x.go() }",
    );
}

#[test]
fn a_tuple_behind_pub_is_no_visibility() {
    for first in ["crate::m::A", "self::A", "super::m::A"] {
        assert_edit_counts(&format!(
            "mod m {{ pub struct A; impl A {{ pub fn go(&self) -> f64 {{ @.0 }} }} pub struct S(pub ({first}, f64)); }} fn root(s: &m::S) -> f64 {{ s.0.0.go() }}"
        ));
    }
    assert_edit_counts("struct A1; struct A2; struct S(pub (self::A@, u8)); fn root() -> usize { size_of::<S>() }");
    for visibility in ["pub(crate)", "pub (self)", "pub(super)", "pub(in crate::m)"] {
        let text = |visibility: &str| format!("mod m {{ {visibility} fn helper() {{}} pub fn root() {{ helper() }} }}");
        let digest = |visibility: &str| Crate::new(&[("src/lib.rs", &text(visibility))]).reached().digest;
        assert_eq!(digest(visibility), digest(""));
    }
}

#[test]
fn what_a_macro_makes_is_found_behind_imports_that_rename_it() {
    let make = "macro_rules! mk { ($n:ident) => { pub fn $n() -> f64 { @.0 } } } macro_rules! module { ($n:ident) => { mod $n { pub fn f() -> f64 { @.0 } } } }";
    for text in [
        "mod m { mk!(f); } use m::f as g; fn root() -> f64 { g() }",
        "mod m { mk!(f); } mod k { pub use super::m::f as g; } fn root() -> f64 { k::g() }",
        "mod m { mk!(f); } mod k { pub use super::m::f as g; } use k::*; fn root() -> f64 { g() }",
        "mod m { mk!(f); } mod k { pub use super::m::f as g; } use k::g as h; fn root() -> f64 { h() }",
        "module!(q); use q::f as g; fn root() -> f64 { g() }",
        "module!(q); use q as r; fn root() -> f64 { r::f() }",
        "mod m { mk!(f); } mod k { pub fn f() -> f64 { 0.0 } } use m::f; use k::*; fn root() -> f64 { f() }",
    ] {
        assert_edit_counts(&format!("{make} {text}"));
    }
}

#[test]
fn where_a_name_is_imported_from_that_macros_make_counts() {
    let make = "macro_rules! mk { ($n:ident, $e:expr) => { pub fn $n() -> f64 { $e } } } mod m1 { mk!(f, 1.0); } mod m2 { mk!(f, 2.0); }";
    for text in [
        "use m@::f; fn root() -> f64 { f() }",
        "use m@::*; fn root() -> f64 { f() }",
        "use m@ as m; fn root() -> f64 { m::f() }",
        "mod k { pub use super::m@::f as g; } fn root() -> f64 { k::g() }",
    ] {
        assert_edit_counts(&format!("{make} {text}"));
    }
}

#[test]
fn a_macro_of_another_module_is_one_of_several() {
    assert_counts(
        "mod own { macro_rules! h { () => { super::helper() } } pub fn other() { h!() } } fn helper() {} fn root() { own::other() }",
        &["helper"],
    );
}

#[test]
fn escapes_in_strings_are_undone() {
    assert_edit_counts("const HELPER: u8 = @; fn root() -> String { format!(\"\\x7bHELPER}\") }");
    for (text, file) in [
        ("#[path = \"\\x62.rs\"] mod a; fn root() { a::helper() }", "src/b.rs"),
        ("include!(\"\\u{6_2}.rs\"); fn root() { helper() }", "src/b.rs"),
        ("fn root() { include!(\"part\\\\\\x2ers\") }", "src/part\\.rs"),
    ] {
        let digest = |value: u8| {
            let included =
                if file == "src/b.rs" { format!("pub fn helper() -> u8 {{ {value} }}") } else { value.to_string() };
            let reached = Crate::new(&[("src/lib.rs", text), (file, &included)]).reached();
            assert!(reached.unseen.is_empty(), "{text}: {:?}", reached.unseen);
            reached.digest
        };
        assert_ne!(digest(1), digest(2), "{text}");
    }
    let krate = Crate::new(&[
        ("src/lib.rs", "fn root() -> &'static str { h() } fn h() -> &'static str { include_str!(\"\\x62.txt\") }"),
        ("src/b.txt", "1"),
    ]);
    let facts: Vec<String> = krate.reached().parts[1].facts.iter().map(|fact| format!("{fact:?}")).collect();
    assert!(facts.iter().any(|fact| fact.contains("b.txt")), "{facts:?}");
}
