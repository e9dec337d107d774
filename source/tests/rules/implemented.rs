//! An `impl` of a trait counts with the trait, however it is written.

use crate::crates::{Crate, assert_counts, assert_edit_counts, assert_parts};

const DISPLAY: &str = "mod z { pub struct A; impl std::fmt::Display for A { fn fmt(&self) { @; } } }";

#[test]
fn bounds_of_blanket_impls_bring_what_they_are_for() {
    for text in [
        "use std::fmt::Display; trait Show: Display {} impl<T: Display> Show for T {} fn root(x: &dyn Show) {}",
        "use std::fmt::Display; trait Show: Display {} impl<T> Show for T where T: Display {} fn root<T: Show>(x: T) {}",
        "use std::fmt::Display; trait Ext {} impl<T: Display> Ext for T {} fn root(x: Box<dyn Ext>) {}",
        "use std::fmt::Display; trait Ext {} struct W<T>(T); impl<T: Display> Ext for W<T> {} fn root(x: Box<dyn Ext>) {}",
        "use std::fmt::Display; trait Show where Self: Display {} impl<T: Display> Show for T {} fn root(x: &dyn Show) {}",
        "use std::fmt::Display; trait One {} impl<T: Display> One for T {} trait Two {} impl<T: One> Two for T {} fn root(x: &dyn Two) {}",
    ] {
        assert_edit_counts(&format!("{DISPLAY} {text}"));
    }
    assert_counts(
        "trait Base { fn base(&self); } trait Ext { fn ext(&self); } impl<T: Base> Ext for T { fn ext(&self) { self.base() } } mod z { pub struct A; impl super::Base for A { fn base(&self) { helper() } } fn helper() {} } fn root(x: &dyn Ext) { x.ext() }",
        &["z::helper"],
    );
}

#[test]
fn bounds_of_impls_bring_nothing_where_each_impl_says_its_type() {
    assert_parts(
        "use std::fmt::Display; trait Show: Display {} struct A; impl Show for A {} mod z { pub struct B; impl std::fmt::Display for B { fn fmt(&self) {} } } fn root(x: &dyn Show) {}",
        &["<impl Show for A>", "A", "Show"],
    );
}

#[test]
fn a_trait_that_an_import_renames_is_that_trait() {
    for text in [
        "use std::fmt::Display as Show; fn root(x: &dyn Show) {}",
        "use std::fmt::Display as Show; fn root<T: Show>(x: T) {}",
        "mod y { pub use std::fmt::Display as Show; } use y::Show as Shown; fn root(x: &dyn Shown) {}",
    ] {
        assert_edit_counts(&format!("{DISPLAY} {text}"));
    }
    assert_edit_counts(
        "mod z { use std::fmt::Display as D; pub struct A; impl D for A { fn fmt(&self) { @; } } } fn root(x: &dyn std::fmt::Display) {}",
    );
    assert_edit_counts(
        "use std::ops::Deref as D; struct A(C); struct C; impl C { fn go(&self) -> f64 { @.0 } } impl D for A { type Target = C; fn deref(&self) -> &C { &self.0 } } fn root(a: &A) -> f64 { a.go() }",
    );
}

#[test]
fn a_dyn_of_a_foreign_trait_brings_what_derives_it_and_what_macros_make() {
    assert_edit_counts("mod z { #[derive(Clone, Debug)] pub struct A { x@: u8 } } fn root(x: &dyn std::fmt::Debug) {}");
    for root in ["fn root(x: &dyn std::fmt::Display) {}", "fn root<T: std::fmt::Display>(x: T) {}"] {
        assert_edit_counts(&format!(
            "mod z {{ pub struct A; }} macro_rules! imp {{ ($t:path) => {{ impl std::fmt::Display for $t {{ fn fmt(&self) {{ @; }} }} }} }} imp!(z::A); {root}"
        ));
        assert_edit_counts(&format!(
            "use std::fmt::Display; struct A; macro_rules! imp {{ ($i:path, $t:ty) => {{ impl $i for $t {{ fn fmt(&self) {{ @; }} }} }} }} imp!(Display, A); {root}"
        ));
    }
    // A type in a signature is taken for no trait.
    assert_parts(
        "struct A; macro_rules! imp { ($t:ty) => { impl From<$t> for A { fn from(x: $t) -> A { A } } } } imp!(u64); fn root(x: u64) {}",
        &[],
    );
}

#[test]
fn impls_that_macros_make_in_bodies_count() {
    let mk = "trait Go { fn go(&self) -> f64; } struct A; macro_rules! mk { ($t:ty, $e:expr) => { impl Go for $t { fn go(&self) -> f64 { $e } } } } macro_rules! id { ($($t:tt)*) => { $($t)* } } macro_rules! each { ($m:ident) => { $m!(A, @.0); } }";
    for made in [
        "const _: () = { mk!(A, @.0); };",
        "const _: () = mk!(A, @.0);",
        "fn anything() { mk!(A, @.0); }",
        "fn anything() { id! { impl Go for A { fn go(&self) -> f64 { @.0 } } } }",
        "fn anything() { each!(mk); }",
        "static S: u8 = { mk!(A, @.0); 1 };",
        "fn anything() { macro_rules! inner { () => { impl Go for A { fn go(&self) -> f64 { @.0 } } } } inner!(); }",
        "each!(mk);",
    ] {
        assert_edit_counts(&format!("{mk} {made} fn root() -> f64 {{ A.go() }}"));
    }
    assert_edit_counts(
        "macro_rules! deref { ($t:ty, $o:ty) => { impl std::ops::Deref for $t { type Target = $o; fn deref(&self) -> &$o { &self.0 } } } } struct A(C); struct C; impl C { fn go(&self) -> f64 { @.0 } } const _: () = { deref!(A, C); }; fn root(a: &A) -> f64 { a.go() }",
    );
    // A macro that makes no `impl` doesn't count.
    assert_parts(
        "struct A; impl A { fn go(&self) {} } macro_rules! plain { ($t:ty, $f:ident) => { { fn $f(x: impl Fn(), y: &$t) {} } } } fn anything() { plain!(A, go); } fn root() { A.go() }",
        &["<impl A>", "<impl A>::go", "A"],
    );
}

#[test]
fn a_macro_that_is_handed_to_a_macro_counts() {
    let text = "trait Go { fn go(&self) -> f64; } macro_rules! imp { ($t:ty) => { impl Go for $t { fn go(&self) -> f64 { @.0 } } } } macro_rules! each { ($m:ident) => { $m!(f32); $m!(f64); } }";
    assert_edit_counts(&format!("{text} each!(imp); fn root() -> f64 {{ 1.0_f64.go() }}"));
    assert_edit_counts(&format!("{text} mod n {{ use super::Go; each!(imp); }} fn root() -> f64 {{ 1.0_f64.go() }}"));
}

#[test]
fn methods_that_macros_put_together_count() {
    let ty = "struct A; impl A { fn go(&self, x: f64) -> f64 { x * @.0 } }";
    for (rules, call) in [
        ("([$($t:tt)*] $p:tt) => { $($t)* $p }", "ap!([a.go] (1.0))"),
        ("($p:tt $($t:tt)*) => { $($t)* $p }", "ap!((1.0) a.go)"),
        ("($($t:tt)*) => { $($t)*(1.0) }", "ap!(a.go)"),
        ("($f:ident . $m:ident) => { $f.$m(1.0) }", "ap!(a.go)"),
    ] {
        assert_edit_counts(&format!("{ty} macro_rules! ap {{ {rules} }} fn root() -> f64 {{ let a = A; {call} }}"));
    }
}

#[test]
fn a_trait_that_a_macro_puts_behind_dyn_is_open() {
    let text = "trait Go { fn go(&self) -> f64; } mod z { pub struct A; impl super::Go for A { fn go(&self) -> f64 { @.0 } } } macro_rules! st { ($t:path) => { struct S(Box<dyn $t>); } } macro_rules! boxed { ($t:path) => { Box<dyn $t> } }";
    assert_edit_counts(&format!("{text} st!(Go); fn root(x: &S) -> f64 {{ x.0.go() }}"));
    assert_edit_counts(&format!(
        "{text} fn root() -> f64 {{ inner() }} fn inner() -> f64 {{ let x: boxed!(Go) = make(); x.go() }}"
    ));
}

#[test]
fn functions_of_a_type_that_an_attribute_names_count() {
    let root = "fn root(s: &S) {}";
    assert_edit_counts(&format!(
        "mod m {{ pub struct As; impl As {{ pub fn serialize() {{ @; }} }} }} #[derive(Serialize)] struct S {{ #[serde(with = \"m::As\")] x: f64 }} {root}"
    ));
    assert_edit_counts(&format!(
        "mod inner {{ pub fn serialize() {{ @; }} }} mod m {{ pub use super::inner::*; }} #[derive(Serialize)] struct S {{ #[serde(with = \"m\")] x: f64 }} {root}"
    ));
    assert_parts(
        "struct Wire; impl Wire { fn other(&self) {} } #[derive(Serialize)] #[serde(into = \"Wire\")] struct S; fn root(s: &S) {}",
        &["S", "Wire"],
    );
}

#[test]
fn impls_whose_type_is_no_path_are_for_any_type() {
    let traits = "trait P { type S; } struct Q; struct A; impl P for Q { type S = A; } macro_rules! ty { () => { A } }";
    for made in [
        "impl std::fmt::Display for <Q as P>::S { fn fmt(&self) { @; } }",
        "impl std::fmt::Display for ty!() { fn fmt(&self) { @; } }",
        "fn other() { type B = A; impl std::fmt::Display for B { fn fmt(&self) { @; } } }",
        "impl From<<Q as P>::S> for f64 { fn from(a: A) -> f64 { @.0 } }",
    ] {
        assert_edit_counts(&format!("{traits} {made} fn root(x: &A) {{ x.to_string(); }}"));
    }
}

#[test]
fn an_impl_in_a_body_is_for_each_type_that_its_name_may_mean() {
    assert_edit_counts(
        "trait G { fn go(&self) -> f64; } struct A; mod z { pub struct A; } fn other() { { use z::A; let _ = A; } impl G for A { fn go(&self) -> f64 { @.0 } } } fn root() -> f64 { A.go() }",
    );
}

#[test]
fn impls_in_the_constants_of_types_count() {
    let go = "trait Go { fn go(&self) -> f64; } struct A;";
    assert_edit_counts(&format!(
        "{go} enum E {{ V = {{ impl Go for A {{ fn go(&self) -> f64 {{ @.0 }} }} 3 }} }} fn root() -> f64 {{ A.go() }}"
    ));
    assert_edit_counts(&format!(
        "{go} struct S([u8; {{ impl Go for A {{ fn go(&self) -> f64 {{ @.0 }} }} 3 }}]); fn root() -> f64 {{ A.go() }}"
    ));
}

#[test]
fn a_new_impl_of_a_trait_without_members_counts_with_the_trait() {
    let text = "trait Mark {} trait Other {} struct Probe<T>(T); trait Fall { fn is(&self) -> f64 { 1.0 } } impl<T> Fall for &Probe<T> {} impl<T: Mark> Probe<T> { fn is(&self) -> f64 { 2.0 } } macro_rules! mark { ($($t:ty),*) => { $(impl Mark for $t {})* } } fn root() -> f64 { (&Probe(1.0_f64)).is() }";
    let digest = |added: &str| Crate::new(&[("src/lib.rs", &format!("{text} {added}"))]).reached().digest;
    assert_ne!(digest("impl Mark for f64 {}"), digest(""));
    assert_ne!(digest("mark!(f64);"), digest(""));
    assert_eq!(digest("impl Other for f64 {}"), digest(""));
}
