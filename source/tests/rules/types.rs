//! What a type that counts brings along, and what a trait does.

use crate::crates::{assert_counts, assert_parts};

#[test]
fn definitions_count_with_the_types_that_they_name() {
    assert_parts(
        "struct A { b: Vec<B>, c: [C; N] } enum B { One(D), Two { e: u8 } } struct C; struct D; struct Other; const N: usize = 1; fn root(a: &A) {}",
        &["A", "B", "C", "D", "N"],
    );
}

#[test]
fn variants_lead_to_their_type() {
    assert_parts(
        "mod m { pub enum E { A, B(u8), #[x] C {} } } use m::E::*; fn root() { A; match x { B(_) => 1, C {} => 2 } }",
        &["m::E"],
    );
    assert_parts("mod m { pub enum E { A } } use m::E::A as First; fn root() { First }", &["m::E"]);
    assert_parts("enum E { A } fn root() { E::A }", &["E"]);
}

#[test]
fn impls_of_foreign_traits_count_with_the_type() {
    for (header, member) in [
        ("Add for A", "add"),
        ("std::ops::Deref for A", "deref"),
        ("Drop for A", "drop"),
        ("From<A> for f64", "from"),
        ("From<f64> for A", "from"),
        ("Iterator for A", "next"),
        ("<T> Extend<T> for Vec<A>", "extend"),
        ("<'a> Mul<&'a A> for &'a f64", "mul"),
        ("<F: for<'a> Fn(&'a u8)> Run<F> for A", "run"),
        ("PartialEq<Alias> for [f64]", "eq"),
        ("Unknown for m::B", "unknown"),
    ] {
        let space = if header.starts_with('<') { "" } else { " " };
        assert_counts(
            &format!(
                "struct A; type Alias = Option<A>; mod m {{ pub use super::A as B; }} impl{space}{header} {{ fn {member}() {{ helper() }} }} fn helper() {{}} fn root(a: &A) {{}}"
            ),
            &["helper"],
        );
    }
}

#[test]
fn impls_for_other_types_dont_count() {
    assert_parts(
        "struct A; struct B; impl Drop for B { fn drop(&mut self) { helper() } } trait Local { fn l(&self) {} } impl Local for A { fn l(&self) { helper() } } fn helper() {} fn root(a: &A) {}",
        &["A"],
    );
}

#[test]
fn impls_in_bodies_count() {
    assert_counts(
        "struct A; const _: () = { impl std::fmt::Display for A { fn fmt(&self) { helper() } } }; fn helper() {} fn root(a: &A) {}",
        &["helper"],
    );
    assert_counts(
        "struct A; fn other() { impl Drop for A { fn drop(&mut self) { use m::helper; helper() } } } mod m { pub fn helper() {} } fn root(a: &A) {}",
        &["m::helper"],
    );
    assert_counts(
        "trait T { fn t(&self); } fn make() -> impl T { struct Inner; impl T for Inner { fn t(&self) { helper() } } Inner } fn helper() {} fn root() { make().t() }",
        &["helper"],
    );
}

const TRAIT: &str = "trait Base { fn base(&self) {} } trait Kernel: Base { fn k(&self); } struct A; struct B(C); struct C; impl Base for A { fn base(&self) { of_base() } } impl Kernel for A { fn k(&self) { of_a() } } impl Kernel for B { fn k(&self) { of_b() } } impl Drop for B { fn drop(&mut self) { of_drop() } } fn of_base() {} fn of_a() {} fn of_b() {} fn of_drop() {} ";

#[test]
fn bounds_of_the_function_bring_every_impl() {
    for root in [
        "fn root<K: Kernel>(k: &K) { k.k() }",
        "fn root<K>(k: &K) where K: Send + Kernel { k.k() }",
        "fn root(k: &impl Kernel) { k.k() }",
        "fn root(k: &dyn Kernel) { k.k() }",
        "fn root(k: Vec<Box<dyn Send + Kernel>>) { }",
        "fn root() { let k: Box<dyn Kernel> = make(); }",
        "struct Model<K: Kernel> { k: K } fn root(m: &Model<A>) {}",
        "struct Model { k: Box<dyn Kernel> } fn root(m: &Model) {}",
        "struct Model<K>(K); impl<K: Kernel> Model<K> { fn root(&self) {} }",
        "type Alias = Box<dyn Kernel>; fn root(m: &Alias) {}",
        "fn root() { helper() } fn helper() { let f = |k: &dyn Kernel| k.k(); }",
    ] {
        assert_counts(&format!("{TRAIT}{root}"), &["of_a", "of_b", "of_base", "of_drop", "C"]);
    }
}

#[test]
fn bounds_of_helpers_bring_the_types_that_count_only() {
    assert_parts(
        &format!("{TRAIT} fn root(a: &A) {{ run(a) }} fn run<K: Kernel>(k: &K) {{ k.k() }}"),
        &["<impl Kernel for A>", "<impl Kernel for A>::k", "A", "Base", "Kernel", "Kernel::k", "of_a", "run"],
    );
}

#[test]
fn bounds_by_foreign_traits_bring_this_crates_impls() {
    for root in [
        "fn root<T: Into<f64>>(x: T) {}",
        "fn root(x: Box<dyn Into<f64>>) {}",
        "fn root(x: impl std::convert::Into<f64>) {}",
    ] {
        assert_counts(
            &format!(
                "struct A; impl Into<f64> for A {{ fn into(self) -> f64 {{ helper() }} }} fn helper() {{}} {root}"
            ),
            &["helper"],
        );
    }
}

#[test]
fn blanket_impls_count() {
    assert_counts(
        "trait T { fn t(&self); } impl<X: Into<f64>> T for X { fn t(&self) { helper() } } fn helper() {} fn root<K: T>(k: K) {}",
        &["helper"],
    );
}
