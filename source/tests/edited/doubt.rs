//! Method calls whose receiver can't be told from the text: a type is written that isn't the receiver's, or the
//! receiver's type is known by more than its text. Then each method of that name counts.

use crate::crates::{assert_counts, assert_parts};

/// Of two types with a method `m`, one whose `m` leads to `helper`, and one whose `m` doesn't.
const TYPES: &str = "struct A; struct B; impl A { fn m(&self) {} } impl B { fn m(&self) { helper() } fn n(&self) {} } fn helper() {} fn is<T, U>() -> bool { true } enum E { At { x: B, on: bool }, One(B), No } ";

#[track_caller]
fn reaches_helper(root: &str) {
    assert_counts(&format!("{TYPES}{root}"), &["helper"]);
}

#[test]
fn a_pattern_in_a_macro_binds_a_name_anew() {
    reaches_helper("fn root(x: A, e: Option<B>) { matches!(e, Some(x) if x.m()); }");
    reaches_helper("fn root(x: A, e: Option<B>) { assert!(matches!(e, Some(x) if x.m())); }");
    reaches_helper("fn root(x: A, e: Vec<B>) { azip!((x in &e) x.m()); }");
    reaches_helper("fn root(x: A, e: Vec<B>) { ndarray::azip!((a in &e, &x in &e) { x.m() }); }");
    reaches_helper(
        "fn root(x: A, e: B) { if let Some(_) = Some(1) { s!(let x = e; x.m()) } } macro_rules! s { (let $x:ident = $e:expr; $b:expr) => {{ let $x = $e; $b }} }",
    );
}

#[test]
fn a_pattern_of_an_arm_binds_a_name_anew_whatever_stands_before_its_guard() {
    for arms in [
        "E::At { x, on } if on => x.m(), _ => {}",
        "E::No => {} E::At { x, on } if on => x.m(), _ => {}",
        "E::No => {}, E::At { x, .. } => x.m(), _ => {}",
        "E::No => if true { 1 } else { 2 } E::At { x, .. } if { true } => x.m(), _ => {}",
        "E::One(x) if is::<u8, u16>() => x.m(), _ => {}",
        "E::No => is::<u8, u16>(), E::One(x) if is::<u8, u16>() && { true } => x.m(), _ => {}",
        "E::One(x) if { is::<u8, u16>() } => x.m(), _ => {}",
        "E::No => match 1 { 1 => {} _ => {} } E::One(x) | E::At { x, .. } if is::<u8, u16>() => { x.m() } _ => {}",
        "E::One(ref x @ B) if matches!(1, 1 if true) => x.m(), _ => {}",
        "E::One(y) if let Some(x) = Some(y) => x.m(), _ => {}",
    ] {
        reaches_helper(&format!("fn root(x: A, e: E) {{ match e {{ {arms} }} }}"));
        reaches_helper(&format!("fn root(e: E) {{ let x: A = A; vec![match e {{ {arms} }}]; }}"));
    }
}

#[test]
fn a_name_of_an_arm_says_nothing_of_a_variable_with_another() {
    let text = format!(
        "{TYPES}fn root(x: A, b: B, e: Option<u8>) {{ b.n(); match e {{ Some(y) if x.m() => x.m(), None => {{ x.m() }} _ => x.m(), }} }}"
    );
    assert_parts(&text, &["<impl A>", "<impl A>::m", "<impl B>", "<impl B>::n", "A", "B"]);
}

#[test]
fn a_type_that_a_body_declares_isnt_the_one_outside() {
    reaches_helper("fn root(b: B) { type A = B; let x: A = b; x.m() }");
    reaches_helper("fn root(b: B) { type A = B; A::m(&b) }");
    reaches_helper("fn root(b: B) { fn inner(x: A) { x.m() } type A = B; inner(b) }");
}

const TRAITS: &str = "trait Area { fn area(&self) -> u32; } struct Disc; impl Area for Disc { fn area(&self) -> u32 { helper() } } fn helper() -> u32 { 1 } ";

#[test]
fn what_another_crate_derives_may_give_a_type_any_method() {
    for mark in [
        "#[derive(pm::Dispatch)]",
        "#[derive(Clone, Dispatch)]",
        "#[enum_dispatch]",
        "#[enum_dispatch(Area)]",
        "#[cfg_attr(all(), derive(Dispatch))]",
        "#[cfg_attr(all(), enum_dispatch(Area))]",
    ] {
        let shape =
            format!("{TRAITS}{mark} enum Shape {{ Disc(Disc) }} impl Shape {{ fn twice(&self) {{ self.area() }} }} ");
        assert_counts(&format!("{shape}fn root(s: Shape) {{ s.twice() }}"), &["helper"]);
        assert_counts(&format!("{shape}fn root(s: Shape) {{ s.area() }}"), &["helper"]);
        assert_counts(&format!("{shape}fn root(s: Shape) {{ Shape::area(&s) }}"), &["helper"]);
    }
    let on_block = format!(
        "{TRAITS}struct Shape(Disc); #[delegate] impl Shape {{ fn twice(&self) {{ self.area() }} }} fn root(s: Shape) {{ s.twice() }}"
    );
    assert_counts(&on_block, &["helper"]);
    let on_trait = "#[auto_impl(&)] trait Area { fn area(&self) { helper() } } fn helper() {} struct S; fn root(s: S) { s.area() }";
    assert_counts(on_trait, &["helper"]);
}

#[test]
fn what_is_known_to_give_no_method_of_this_crate_leaves_a_type_as_it_is() {
    for mark in [
        "#[derive(Clone, Debug, PartialEq)]",
        "#[derive(serde::Serialize, Deserialize)] #[serde(rename_all = \"camelCase\")]",
        "#[repr(C)] #[must_use] #[allow(unused)]",
        "#[cfg_attr(all(), derive(Clone))]",
        "#[derive(ndcache::ContentHash)] #[ndcache::code]",
    ] {
        let text = format!(
            "{TRAITS}fn other(d: Disc) {{ d.area() }} {mark} struct Shape; impl Shape {{ fn area(&self) {{}} }} fn root(d: Option<Disc>, s: Shape) {{ s.area() }}"
        );
        assert_parts(&text, &["<impl Shape>", "<impl Shape>::area", "Area", "Disc", "Shape"]);
    }
}
