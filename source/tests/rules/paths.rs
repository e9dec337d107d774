//! Paths lead where Rust lets them lead.

use crate::crates::{Crate, assert_counts, assert_parts, assert_parts_of, names};

#[test]
fn helpers_and_their_helpers_count_and_others_dont() {
    assert_parts(
        "fn root() -> f64 { helper(1.0) } fn helper(x: f64) -> f64 { deep(x) * FACTOR } fn deep(x: f64) -> f64 { x }
         const FACTOR: f64 = 2.0; static OTHER: f64 = 3.0; fn unrelated() { root(); }",
        &["FACTOR", "deep", "helper"],
    );
}

#[test]
fn functions_that_call_each_other_count() {
    assert_parts(
        "fn root(n: u32) { even(n) } fn even(n: u32) { odd(n) } fn odd(n: u32) { even(n); root(n) }",
        &["even", "odd"],
    );
}

#[test]
fn modules_and_path_words_lead_to_items() {
    assert_parts(
        "mod a { pub fn f() {} pub mod b { pub fn g() { super::h(); self::i(); crate::j(); super::super::k(); } pub fn i() {} } fn h() {} }
         fn j() {} fn k() {} fn f() {} fn root() { a::b::g(); crate::a::f(); self::a::f() }",
        &["a::b::g", "a::b::i", "a::f", "a::h", "j", "k"],
    );
}

#[test]
fn imports_lead_to_items() {
    assert_parts(
        "mod a { pub fn f() {} pub fn g() {} pub fn h() {} pub mod b { pub fn i() {} pub fn j() {} } pub fn k() {} }
         use a::f; use a::{g as renamed, b::{self, i}}; use crate::a::b as c; use a::h as g;
         fn root() { f(); renamed(); i(); b::j(); c::i(); g() }",
        &["a::b::i", "a::b::j", "a::f", "a::g", "a::h"],
    );
}

#[test]
fn globs_and_re_exports_lead_to_items() {
    assert_parts(
        "mod a { mod hidden { pub fn f() {} pub fn g() {} } pub use self::hidden::*; pub use hidden::g as other; pub fn k() {} }
         mod prelude { pub use crate::a::*; }
         use prelude::*;
         fn root() { f(); other() }",
        &["a::hidden::f", "a::hidden::g"],
    );
}

#[test]
fn globs_in_a_circle_end() {
    assert_parts(
        "mod a { pub use super::b::*; pub fn f() {} } mod b { pub use super::a::*; pub fn g() {} } mod c { pub use super::*; }
         use a::*; use c::*; fn root() { f(); g(); nothing() }",
        &["a::f", "b::g"],
    );
}

#[test]
fn a_module_and_what_it_re_exports_may_have_one_name() {
    let modules =
        "mod window { pub fn window() {} pub struct other; } pub use window::window; pub use crate::window::other; ";
    assert_parts(
        &format!("{modules} mod user {{ use crate::window; pub fn go() {{ window() }} }} fn root() {{ user::go() }}"),
        &["user::go", "window::window"],
    );
    assert_parts(
        &format!(
            "{modules} mod user {{ use super::window; pub fn go() {{ window::window() }} }} fn root() {{ user::go() }}"
        ),
        &["user::go", "window::window"],
    );
    assert_parts(
        "mod a { pub mod a { pub fn a() {} } pub use self::a::a; } use a::a; fn root() { a(); a::a() }",
        &["a::a::a"],
    );
}

/// Each module imports from the root what the root has from the modules: followed one by one, the ways are too many.
#[test]
fn modules_that_import_each_other_through_the_root_are_resolved_in_time() {
    let mut text = String::new();
    for at in 0..60 {
        let names: Vec<String> = (0..60).filter(|&other| other != at).map(|other| format!("f{other}")).collect();
        text.push_str(&format!(
            "mod m{at} {{ use crate::{{{}, missing}}; pub fn f{at}() {{ f{}() }} }}\n",
            names.join(", "),
            (at + 1) % 60
        ));
        text.push_str(&format!("pub use m{at}::*;\n"));
    }
    text.push_str("fn root() { f0(); missing() }");
    let reached = Crate::new(&[("src/lib.rs", &text)]).reached();
    assert_eq!(reached.parts.len(), 61);
}

#[test]
fn imports_in_a_circle_end() {
    assert_parts("mod a { pub use super::b::f; } mod b { pub use super::a::f; } use a::f; fn root() { f() }", &[]);
}

#[test]
fn what_is_declared_hides_what_a_glob_brings() {
    assert_parts("mod a { pub fn f() {} } use a::*; fn f() {} fn root() { f() }", &["f"]);
    assert_parts("mod a { pub fn f() {} } mod f {} use a::*; fn root() { f() }", &["a::f"]);
}

#[test]
fn a_glob_that_another_glob_opens_leads_to_items() {
    assert_parts(
        "mod a { pub mod inner { pub fn f() {} } } use inner::*; use a::*; fn root() { f() }",
        &["a::inner::f"],
    );
}

#[test]
fn imports_in_bodies_lead_to_items() {
    assert_parts(
        "mod a { pub fn f() {} pub fn g() {} pub fn h() {} } fn root() { use a::f; f(); { use crate::a::*; g() } }",
        &["a::f", "a::g"],
    );
}

#[test]
fn items_in_bodies_count_with_the_body() {
    assert_parts("fn root() { fn inner() { helper() } inner() } fn helper() {}", &["helper"]);
    assert_parts("fn root() { mod m { pub fn f() { super::helper() } } m::f() } fn helper() {}", &["helper", "m::f"]);
}

#[test]
fn crates_are_found_by_their_names() {
    let text = "extern crate self as me; mod a { pub fn f() {} } fn root() { me::a::f(); ::other::g() } mod other { pub fn g() {} }";
    let reached =
        Crate::new(&[("src/lib.rs", text)]).with(|session| session.externs.push("other".to_owned())).reached();
    assert_eq!(names(&reached), ["a::f"]);
}

#[test]
fn paths_of_2015_begin_at_the_root() {
    let text = "mod a { pub fn f() {} } mod b { use a::f; pub fn g() { f(); ::c::h() } } mod c { pub fn h() {} } fn root() { b::g() }";
    let reached = Crate::new(&[("src/lib.rs", text)]).with(|session| session.edition = 2015).reached();
    assert_eq!(names(&reached), ["a::f", "b::g", "c::h"]);
}

#[test]
fn functions_count_as_values() {
    assert_parts(
        "fn root(x: &[f64]) -> f64 { x.iter().copied().map(double).sum::<f64>() } fn double(x: f64) -> f64 { x }",
        &["double"],
    );
    assert_parts("fn root() { let f: fn() = helper; f() } fn helper() {}", &["helper"]);
    assert_parts(
        "fn root() { generic::<f64>(1.0); a::b::<u8>() } fn generic<T>(x: T) {} mod a { pub fn b<T>() {} }",
        &["a::b", "generic"],
    );
}

#[test]
fn a_variable_hides_a_function_of_its_name() {
    assert_parts("fn root(window: f64) -> f64 { window * 2.0 } fn window() {}", &[]);
    assert_parts("fn root() -> f64 { let window = window(); window * 2.0 } fn window() -> f64 { 1.0 }", &["window"]);
    assert_parts(
        "fn root() { apply(window); let window = 1; } fn window() {} fn apply(f: fn()) {}",
        &["apply", "window"],
    );
    assert_parts("fn root(f: f64) { fn inner() { f() } } fn f() {}", &["f"]);
    assert_parts("fn root() { { let f = 1; } f() } fn f() {}", &["f"]);
    assert_parts("const N: usize = 1; fn root(x: usize) { let N = x else { return }; }", &["N"]);
}

#[test]
fn items_in_a_body_dont_see_its_variables() {
    assert_parts("fn root(f: f64) { const N: f64 = f(); } const fn f() -> f64 { 1.0 }", &["f"]);
    assert_parts("fn root(f: f64) { static N: f64 = f(); } const fn f() -> f64 { 1.0 }", &["f"]);
}

#[test]
fn comparisons_are_no_generic_lists() {
    assert_parts(
        "fn root(a: u8, b: u8) -> bool { if a < b { return true } a > ::m::f() } mod m { pub fn f() -> u8 { 0 } }",
        &[],
    );
    let text = "fn root(a: u8, b: u8) -> bool { if a < b { return true } a > crate::m::f() || x < m::g::<{ N }>() } mod m { pub fn f() -> u8 { 0 } pub fn g<const N: usize>() {} } const N: usize = 1;";
    assert_parts(text, &["N", "m::f", "m::g"]);
    let old = Crate::new(&[(
        "src/lib.rs",
        "fn root(a: u8, b: u8) -> bool { if a < b { return true } a > ::m::f() } mod m { pub fn f() -> u8 { 0 } }",
    )]);
    assert_eq!(names(&old.with(|session| session.edition = 2015).reached()), ["m::f"]);
}

#[test]
fn fields_and_labels_are_no_functions() {
    assert_parts(
        "struct S { window: f64 } fn root() -> f64 { let s = S { window: 1.0 }; s.window } fn window() {}",
        &["S"],
    );
}

#[test]
fn macros_arguments_count() {
    assert_parts(
        "fn root() { println!(\"{}\", helper()); vec![deep(); 3]; foreign!(a::f) } fn helper() {} fn deep() {} mod a { pub fn f() {} }",
        &["a::f", "deep", "helper"],
    );
}

#[test]
fn names_in_format_strings_count() {
    assert_parts(
        "const WIDTH: usize = 1; const PRECISION: usize = 2; const NAME: &str = \"\"; const OTHER: u8 = 0; static S: u8 = 0; const A: u8 = 0;
         fn root() { println!(\"{NAME:?} {{OTHER}} {:WIDTH$.PRECISION$} {S:>4}\", 1); let s = \"{A}\"; }",
        &["NAME", "PRECISION", "S", "WIDTH"],
    );
}

#[test]
fn macros_of_the_crate_count_with_what_they_call() {
    assert_parts(
        "macro_rules! twice { ($e:expr) => { $crate::double($e) + helper() + nested!() } } macro_rules! nested { () => { deep() } } macro_rules! other { () => {} }
         mod a { pub fn root() { twice!(1) } fn helper() {} fn deep() {} } fn double() {} fn helper() {} fn deep() {}",
        &["a::deep", "a::helper", "deep", "double", "helper", "nested", "twice"],
    );
}

#[test]
fn macros_are_found_by_paths_and_imports() {
    assert_parts(
        "mod a { #[macro_export] macro_rules! exported { () => { $crate::f() } } macro_rules! local { () => { crate::g() } } pub(crate) use local; pub(crate) use local as renamed; }
         fn f() {} fn g() {} mod b { use crate::a::renamed; pub fn root() { crate::exported!(); renamed!{} } }",
        &["a::exported", "a::local", "f", "g"],
    );
}

#[test]
fn imports_in_macros_lead_to_items() {
    let modules = "mod m { pub fn f() {} pub fn g() {} } mod n { use super::m as here; pub mod other { pub fn f() {} } make!(made); pub fn go() { call!() } } ";
    let make = "macro_rules! make { ($n:ident) => { pub fn $n() { use $crate::m::*; f() } } } macro_rules! call { () => { { use here::g as q; q() } } } ";
    assert_counts(&format!("{make}{modules} fn root() {{ n::made() }}"), &["m::f"]);
    assert_counts(&format!("{make}{modules} fn root() {{ n::go() }}"), &["m::g"]);
    assert_counts(
        "mod m { pub fn f() {} pub fn g() {} } macro_rules! import { () => { pub use m::f; } } import!(); cfg_if! { if #[cfg(unix)] { use m::g as h; } } fn root() { f(); h() }",
        &["m::f", "m::g"],
    );
}

#[test]
fn paths_that_end_in_a_macros_variable_lead_to_all_that_it_may_name() {
    let modules = "mod m { pub struct A; impl A { pub fn go() { helper() } } pub fn f() {} fn helper() {} } mod n {} ";
    assert_counts(
        &format!("{modules} macro_rules! call {{ ($n:ident) => {{ $crate::m::$n() }} }} fn root() {{ call!(f) }}"),
        &["m::f"],
    );
    assert_counts(
        &format!(
            "{modules} macro_rules! call {{ ($t:ident, $f:ident) => {{ {{ use crate::m::$t; $t::$f() }} }} }} fn root() {{ call!(A, go) }}"
        ),
        &["m::<impl A>::go", "m::helper"],
    );
    assert_counts(
        &format!(
            "{modules} macro_rules! call {{ ($t:ident) => {{ {{ use crate::{{n, m::{{$t}}}}; $t::go() }} }} }} fn root() {{ call!(A) }}"
        ),
        &["m::<impl A>::go"],
    );
}

#[test]
fn a_macro_in_a_body_counts() {
    assert_counts("fn root() { macro_rules! inner { () => { helper() } } inner!() } fn helper() {}", &["helper"]);
}

#[test]
fn what_item_macros_make_counts_by_its_name() {
    assert_parts(
        "macro_rules! make { ($($name:ident)*) => { $(pub fn $name() { helper() })* } } mod a { make!(made other); fn helper() {} } make!(another);
         macro_rules! fixed { () => { fn hidden() { deep() } } } fixed!(); fn deep() {}
         fn helper() {} fn root() { a::made(); hidden() }",
        &["a::helper", "a::make!", "deep", "fixed", "fixed!", "helper", "make"],
    );
    assert_parts(
        "thread_local! { static STATE: u8 = helper(); } fn helper() -> u8 { 0 } fn root() { STATE.with(|x| *x); }",
        &["helper", "thread_local!"],
    );
}

#[test]
fn a_function_in_a_macro_counts_with_every_call_of_it() {
    assert_parts(
        "macro_rules! make { ($f:path) => { fn root() { $f() } } }\nmod a { make!(helper); fn helper() {} }",
        &["a::helper", "a::make!"],
    );
    assert_parts(
        "macro_rules! make { ($n:ident, $f:path) => { fn $n() { $f() } } } make!(other, unused);\nmake!(root, helper); /* fn root() */ fn helper() {} fn unused() {}",
        &["helper", "make"],
    );
}

#[test]
fn a_function_in_an_expressions_macro_counts_with_who_calls_it() {
    let text = "macro_rules! detect { ($t:ident) => { { fn root() { $t::go() } root() } } }\nstruct A;\nimpl A { fn go() { helper() } }\nfn caller() { detect!(A) }\nfn helper() {}";
    assert_parts(text, &["<impl A>", "<impl A>::go", "A", "caller", "helper"]);
}

#[test]
fn what_item_macros_implement_counts_with_the_type() {
    assert_parts(
        "struct A; struct B; macro_rules! ops { ($t:ty) => { impl std::ops::Neg for $t { type Output = $t; fn neg(self) -> $t { helper() } } } }
         ops!(A); mod m { use super::B as C; ops!(C); fn helper() {} } fn helper() {} fn root(b: B) { -b; }",
        &["B", "helper", "m::helper", "m::ops!", "ops"],
    );
    assert_parts(
        "trait Square { fn square(self) -> Self; } macro_rules! square { ($($t:ty)*) => { $(impl Square for $t { fn square(self) -> $t { helper(self) } })* } } square!(f32 f64);
         fn helper() {} fn root(x: f64) -> f64 { x.square() }",
        &["Square", "Square::square", "helper", "square", "square!"],
    );
}

#[test]
fn paths_in_attributes_count() {
    assert_parts(
        "mod ser { pub fn serialize() { helper() } pub fn deserialize() {} fn helper() {} pub fn by_name() {} } fn zero() -> u8 { 0 } fn skip() {}
         #[derive(Serialize)] struct S { #[serde(with = \"crate::ser\")] a: u8, #[serde(default = \"zero\", skip_serializing_if = \"self::skip\")] b: u8 }
         #[cfg_attr(unix, serde(with = \"other\"))] enum E {} mod other { pub fn serialize() {} }
         fn root(s: &S, e: &E) {}",
        &["E", "S", "other::serialize", "ser::by_name", "ser::deserialize", "ser::helper", "ser::serialize", "skip", "zero"],
    );
}

#[test]
fn dependencies_of_cached_helpers_count() {
    assert_parts(
        "#[ndcache::cache(depends(extra), version = 3)] fn helper() {} fn extra() {} #[code(depends(a::more))] fn marked() {} mod a { pub fn more() {} } fn root() { helper(); marked() }",
        &["a::more", "extra", "helper", "marked"],
    );
}

#[test]
fn raw_names_are_names() {
    assert_parts(
        "fn r#match() {} fn r#plain() {} fn other() {} fn root() { r#match(); plain(); r#other() }",
        &["other", "plain", "r#match"],
    );
}

#[test]
fn files_that_expressions_include_are_searched() {
    assert_parts_of(
        &[("src/lib.rs", "fn helper() {} fn root() { include!(\"part.in\") }"), ("src/part.in", "{ helper(); 1 }")],
        &["helper", "include!(part.in)"],
    );
}

#[test]
fn what_is_left_out_is_left_out_with_what_only_it_leads_to() {
    let text = "struct Hub; impl Hub { fn m(&self) { deep() } } impl std::fmt::Display for Hub { fn fmt() { other() } } fn deep() {} fn other() {} fn shared() {} fn root(h: &Hub) { h.m(); helper(); shared() } fn helper() { shared() }";
    let reached = Crate::new(&[("src/lib.rs", text)]).reached_without(&["Hub", "helper", "nothing", "no::such"]);
    assert_eq!(names(&reached), ["shared"]);
}

#[test]
fn of_a_member_that_is_left_out_the_other_members_count() {
    let text = "struct Hub; impl Hub { fn m(&self) { deep() } fn n(&self) { other() } } impl Clone for Hub { fn clone(&self) -> Hub { shared() } } fn deep() {} fn other() {} fn shared() -> Hub { Hub } fn root(h: &Hub) { h.m(); h.n(); h.clone(); }";
    let reached = |without: &[&str]| {
        let reached = Crate::new(&[("src/lib.rs", text)]).reached_without(without);
        names(&reached).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (all, less) = (reached(&[]), reached(&["Hub::m"]));
    let gone: Vec<_> = all.iter().filter(|name| !less.contains(name)).collect();
    assert_eq!(gone, ["<impl Hub>::m", "deep"], "{all:?}");
    assert_eq!(reached(&["Hub::nothing"]), all);
    assert_eq!(reached(&["Hub::m::deeper"]), all);
}
