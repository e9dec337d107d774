//! Methods count by name, for types that count.

use crate::crates::{assert_counts, assert_parts};

const TYPES: &str = "struct A; struct B; impl A { fn m(&self) { of_a() } fn n(&self) {} } impl B { fn m(&self) { of_b() } } fn of_a() {} fn of_b() {} ";

fn with_types(text: &str) -> String {
    format!("{TYPES}{text}")
}

#[test]
fn a_method_counts_for_each_type_that_counts() {
    assert_parts(
        &with_types("fn root(a: &A) { get(a).m() } fn get(a: &A) -> &A { a }"),
        &["<impl A>", "<impl A>::m", "A", "get", "of_a"],
    );
    assert_counts(&with_types("fn root(a: &A, b: B) { get().m() } fn get() {}"), &["<impl A>::m", "<impl B>::m"]);
}

#[test]
fn types_that_count_later_bring_their_methods() {
    assert_counts(
        &with_types("fn root(x: Outer) { x.field.m(); helper() } struct Outer { field: u8 } fn helper() -> B { B }"),
        &["<impl B>::m", "of_b"],
    );
}

#[test]
fn a_written_receiver_narrows_to_its_type() {
    let expected = ["<impl A>", "<impl A>::m", "A", "B", "of_a"];
    assert_parts(&with_types("fn root(a: &A, b: &B) { a.m() }"), &expected);
    assert_parts(
        &with_types("fn root(b: B) { let a: A = get(); a.m() } fn get<T>() -> T {}"),
        &["<impl A>", "<impl A>::m", "A", "B", "get", "of_a"],
    );
    assert_parts(
        &with_types("impl A { fn root(&self, b: &B) { self.m() } }"),
        &["<impl A>", "<impl A>", "<impl A>::m", "A", "B", "of_a"],
    );
    assert_parts(&with_types("fn root(x: f64, a: A) { x.m() }"), &["A"]);
}

#[test]
fn a_receiver_that_is_bound_again_is_any() {
    for body in [
        "let a = b; a.m()",
        "match b { a => a.m() }",
        "if let Some(a) = Some(b) { a.m() }",
        "for a in [b] { a.m() }",
        "let f = |a: &B| a.m();",
        "make!(a); a.m()",
        "let (a, _) = (b, 1); a.m()",
    ] {
        assert_counts(&with_types(&format!("fn root(a: &A, b: &B) {{ {body} }}")), &["<impl B>::m"]);
    }
}

#[test]
fn a_receiver_that_dereferences_is_any() {
    assert_counts(
        &with_types(
            "impl std::ops::Deref for A { type Target = B; fn deref(&self) -> &B { &B } } fn root(a: &A) { a.m(); }",
        ),
        &["<impl B>::m"],
    );
    assert_counts(
        &with_types("#[derive(derive_more::Deref)] struct W(B); fn root(w: &W) { w.m(); }"),
        &["<impl B>::m"],
    );
    assert_counts(&with_types("fn root(w: &Box<B>) { w.m(); }"), &["<impl B>::m"]);
    assert_counts(&with_types("type W = Box<B>; fn root(w: &W) { w.m(); }"), &["<impl B>::m"]);
    assert_counts(&with_types("fn root<T: std::ops::Deref<Target = B>>(w: T) { w.m(); }"), &["<impl B>::m"]);
}

#[test]
fn associated_functions_are_those_of_the_type() {
    let text = "struct A; struct B; impl A { fn new() -> A { A } const N: u8 = helper(); } impl B { fn new() -> B { B } } const fn helper() -> u8 { 0 } ";
    assert_parts(&format!("{text} fn root(b: B) {{ A::new(); }}"), &["<impl A>", "<impl A>::new", "A", "B"]);
    assert_parts(
        &format!("{text} fn root() {{ A::N; Vec::<u8>::new(); }}"),
        &["<impl A>", "<impl A>::N", "A", "helper"],
    );
    assert_parts(
        &format!("{text} type Alias = A; fn root() {{ Alias::new(); }}"),
        &["<impl A>", "<impl A>::new", "A", "Alias"],
    );
    assert_counts(&format!("{text} fn root() {{ <A>::new(); }}"), &["<impl A>::new"]);
    assert_counts(&format!("{text} impl A {{ fn root() {{ Self::new(); }} }}"), &["<impl A>::new"]);
    assert_counts(
        &format!(
            "{text} impl<T> Generic<T> {{ fn new() {{}} }} struct Generic<T>(T); fn root() {{ Generic::<u8>::new(); }}"
        ),
        &["<impl<T> Generic<T>>::new"],
    );
}

#[test]
fn type_parameters_have_methods_of_every_type() {
    let text = "trait Zero { fn zero() -> Self; } struct A; impl Zero for A { fn zero() -> A { helper() } } fn helper() -> A { A } fn sum<T: Zero>(x: &[T]) -> T { T::zero() } fn root(x: &[A]) { sum(x); }";
    assert_counts(text, &["Zero", "Zero::zero", "<impl Zero for A>::zero", "helper"]);
    assert_counts(&text.replace("T::zero()", "<T as Zero>::zero()"), &["<impl Zero for A>::zero"]);
    assert_counts(&text.replace("T::zero()", "Zero::zero()"), &["<impl Zero for A>::zero"]);
    assert_counts(&text.replace("T: Zero", "A: Zero").replace("T", "A"), &["<impl Zero for A>::zero"]);
}

#[test]
fn provided_methods_count() {
    assert_parts(
        "trait Kernel { fn value(&self) -> f64; fn twice(&self) -> f64 { helper(self.value()) } fn unused(&self) { other() } } struct A; impl Kernel for A { fn value(&self) -> f64 { 1.0 } } fn helper(x: f64) -> f64 { x } fn other() {}
         fn root(a: &A) { a.twice(); }",
        &["<impl Kernel for A>", "<impl Kernel for A>::value", "A", "Kernel", "Kernel::twice", "Kernel::value", "helper"],
    );
}

#[test]
fn traits_for_foreign_types_count() {
    let text = "trait Ext { fn total(&self) -> f64; fn other(&self) {} } impl Ext for [f64] { fn total(&self) -> f64 { helper() } } impl<T: Into<f64>> Ext for Vec<T> { fn total(&self) -> f64 { deep() } } fn helper() -> f64 { 0.0 } fn deep() -> f64 { 0.0 } ";
    assert_counts(
        &format!("{text} fn root(x: &[f64]) {{ x.total(); }}"),
        &["<impl Ext for [f64]>::total", "helper", "deep"],
    );
    assert_counts(&format!("{text} fn root() {{ <Vec<u8>>::total(&vec![]); }}"), &["deep"]);
    assert_counts(&format!("{text} fn root() {{ Vec::<u8>::total(&vec![]); }}"), &["deep"]);
    assert_counts(
        &format!(
            "{text} struct A; impl<T> Every for T {{ fn every(&self) {{ helper(); }} }} trait Every {{ fn every(&self); }} fn root(a: A) {{ a.every(); }}"
        ),
        &["helper"],
    );
}

#[test]
fn associated_types_lead_to_types() {
    assert_counts(
        "trait Kernel { type Out; fn out(&self) -> Self::Out; } struct A; struct B; impl B { fn m(&self) { helper() } } impl Kernel for A { type Out = B; fn out(&self) -> B { make!() } } fn helper() {}
         fn run<K: Kernel>(k: K) -> K::Out { k.out() } fn root(a: A) { run(a).m() }",
        &["<impl Kernel for A>::Out", "B", "<impl B>::m", "helper"],
    );
}

#[test]
fn methods_called_in_macros_count() {
    assert_counts(
        &with_types("macro_rules! call { ($x:ident) => { $x.m() } } fn root(b: B) { call!(b) }"),
        &["<impl B>::m"],
    );
    assert_counts(
        &with_types("macro_rules! call { ($x:ident, $m:ident) => { $x.$m() } } fn root(b: B) { call!(b, m); b.m() }"),
        &["<impl B>::m"],
    );
    assert_counts(
        &with_types("macro_rules! new { ($t:ty) => { <$t>::m(&$t) } } fn root() { new!(B) }"),
        &["<impl B>::m"],
    );
    assert_counts(
        &with_types("macro_rules! new { ($t:ident) => { $t::m(&$t) } } fn root() { new!(B) }"),
        &["<impl B>::m"],
    );
}

#[test]
fn names_given_to_a_macro_may_be_methods() {
    assert_counts(
        &with_types("macro_rules! call { ($x:expr, $m:ident) => { $x.$m() } } fn root(b: B) { call!(b, m) }"),
        &["<impl B>::m"],
    );
    assert_counts(&with_types("fn root(b: B) { foreign!(b => m) }"), &["<impl B>::m"]);
    assert_counts(
        &with_types("macro_rules! println { ($x:expr, $m:ident) => { $x.$m() } } fn root(b: B) { println!(b, m) }"),
        &["<impl B>::m"],
    );
}

#[test]
fn self_in_a_nested_impl_is_another_one() {
    assert_counts(
        &with_types(
            "impl A { fn root(&self) { struct W(B); impl std::ops::Deref for W { type Target = B; } impl W { fn go(&self) { self.m() } } } }",
        ),
        &["<impl B>::m"],
    );
}

#[test]
fn macros_inside_an_impl_count_with_the_type() {
    assert_counts(
        "struct A; macro_rules! getter { ($n:ident) => { fn $n(&self) { helper() } } } impl A { getter!(x); } fn helper() {} fn root(a: &A) { a.x() }",
        &["<impl A>::getter!", "getter", "helper"],
    );
}
