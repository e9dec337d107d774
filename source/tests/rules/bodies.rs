//! What the body around a closure, an `impl` or a function declares.

use ndcache_source::{Position, Reached, Resolver, Sought};

use crate::crates::{Crate, names};

pub(super) fn reach(text: &str, name: &str, sought: Sought, nth: usize) -> Reached {
    let krate = Crate::new(&[("src/lib.rs", text)]);
    let index = krate.index();
    let lines = text.lines().enumerate().filter(|(_, line)| line.contains(name));
    let line = lines.map(|(at, _)| at + 1).nth(nth).unwrap_or_else(|| panic!("`{name}` stands nowhere"));
    let name = name.trim_start_matches("fn ").to_owned();
    let place = Position { file: krate.path("src/lib.rs"), line, name, sought, ..Position::default() };
    Resolver::new(&index).reach(&place, &[]).unwrap()
}

fn closure_in_line(krate: &Crate, line: usize) -> Position {
    let (name, sought) = ("\"c\"".to_owned(), Sought::Closure);
    Position { file: krate.path("src/lib.rs"), line, name, sought, ..Position::default() }
}

fn closure(text: &str) -> [u8; 16] {
    reach(text, "\"c\"", Sought::Closure, 0).digest
}

/// The digests of the first and the second closure of that name.
fn pair(text: &str) -> [[u8; 16]; 2] {
    [0, 1].map(|nth| reach(text, "\"c\"", Sought::Closure, nth).digest)
}

const TWO: &str = "2.0";
const THREE: &str = "3.0";

#[track_caller]
fn assert_edited(text: &str, digest: impl Fn(&str) -> [u8; 16]) {
    assert!(text.contains(TWO), "{text}");
    assert_ne!(digest(text), digest(&text.replace(TWO, THREE)), "{text}");
}

#[test]
fn what_the_body_around_declares_counts_in_a_named_closure_that_names_it() {
    for (declared, closure) in [
        ("const K: f64 = 2.0;", "|x| x * K"),
        ("static K: f64 = 2.0;", "|x| x * K"),
        ("static mut K: f64 = 2.0;", "move |x| x * unsafe { K }"),
        ("const fn k() -> f64 { 2.0 }", "|x| x * k()"),
        ("unsafe extern \"C\" fn k() -> f64 { 2.0 }", "|x| x * k()"),
        ("fn k<const N: usize>() -> f64 { 2.0 }", "|x| x * k::<3>()"),
        ("struct S; impl S { const K: f64 = 2.0; }", "|x| x * S::K"),
        ("struct S; impl S { fn k() -> f64 { 2.0 } }", "|x| x * S::k()"),
        ("struct S(f64); impl Default for S { fn default() -> S { S(2.0) } }", "|x| x * <S>::default().0"),
        ("enum E { A = 2.0 as isize, B }", "|x| x * E::A as f64"),
        ("enum E { A = 2.0 as isize, B } use E::*;", "|x| x * B as f64"),
        ("enum E { A = 2.0 as isize, B } use E::A as First;", "|x| x * First as f64"),
        ("enum E { A = 2.0 as isize, B } use self::other as f; use E as F; use F::A as First;", "|x| First as f64"),
        ("type T = [u8; 2.0 as usize];", "|x| x * std::mem::size_of::<T>()"),
        ("union U { a: [u8; 2.0 as usize] }", "|x| x * std::mem::size_of::<U>()"),
        ("trait Scale { fn k(&self) -> f64 { 2.0 } } impl Scale for f64 {}", "|x| x.k()"),
        ("trait Scale { fn k() -> f64 { 2.0 } } impl Scale for f64 {}", "|x| <f64 as Scale>::k()"),
        ("const K: f64 = 2.0; macro_rules! k { () => { K } }", "|x| x * k!()"),
        ("const K: f64 = 2.0;", "|x| x * of_k!()"),
        ("const K: f64 = 2.0;", "|x| x * through!()"),
        ("const K: f64 = 2.0;", "|x| format!(\"{K}\")"),
        ("const K: f64 = 2.0;", "|x| { fn inner() -> f64 { K } x * inner() }"),
        ("constants!(2.0);", "|x| x * MADE"),
        ("constant!(K, 2.0);", "|x| x * K"),
        ("elsewhere! { K => 2.0 }", "|x| x * K"),
        ("lazy_static! { static ref K: f64 = 2.0; }", "|x| x * *K"),
        ("{ const K: f64 = 2.0; }", "|x| x * K"),
        // What is captured may be of a type that the body declares, which the closure doesn't name.
        (
            "struct S; impl std::ops::Mul<f64> for S { type Output = f64; fn mul(self, x: f64) -> f64 { 2.0 } }",
            "|s, x| s * x",
        ),
        ("#[derive(PartialOrd)] struct S { a: [u8; 2.0 as usize] }", "|a, b| a < b"),
        ("typed!(2.0);", "|s, x| s * x"),
    ] {
        let text = format!(
            "macro_rules! of_k {{ () => {{ K }} }}
macro_rules! through {{ () => {{ of_k!() }} }}
macro_rules! constants {{ ($v:expr) => {{ const MADE: f64 = $v; }} }}
macro_rules! constant {{ ($n:ident, $v:expr) => {{ const $n: f64 = $v; }} }}
macro_rules! typed {{ ($v:expr) => {{ struct S(f64); impl Neg for S {{ fn neg(self) -> f64 {{ $v }} }} }} }}
use m::other;
mod m {{ pub fn other() {{}} }}
fn main() {{
    {declared}
    call!(\"c\", {closure});
}}"
        );
        assert_edited(&text, self::closure);
    }
}

#[test]
fn a_value_of_a_type_that_another_body_declares_counts_what_is_done_with_it() {
    assert_edited(
        "fn make() -> impl std::ops::Mul<f64> {
    struct S;
    impl std::ops::Mul<f64> for S { type Output = f64; fn mul(self, x: f64) -> f64 { x * 2.0 } }
    S
}
fn main() {
    let s = make();
    call!(\"c\", |s, x| s * x);
}",
        closure,
    );
}

#[test]
fn what_the_body_around_declares_and_a_closure_does_not_name_is_no_part_of_it() {
    let text = "macro_rules! k { () => { 1.0 } }
fn main() {
    const K: f64 = 2.0;
    fn helper(y: f64) -> f64 { K }
    mod inner { pub fn unnamed() -> f64 { 2.0 } }
    elsewhere!(x, y => 2.0);
    println!(\"{}\", 2.0);
    let y = x.helper();
    call!(\"c\", |x, y| { let z = x * y; z + k!() });
}";
    assert_eq!(closure(text), closure(&text.replace(TWO, THREE)));
}

#[test]
fn what_a_macro_imports_or_includes_in_a_body_counts_in_its_closures() {
    assert_edited(
        "macro_rules! imports { () => { use m::helper; } }
mod m { pub fn helper() -> f64 { 2.0 } }
fn main() {
    imports!();
    call!(\"c\", |x| x * helper());
}",
        closure,
    );
    let with = |value: &str| {
        let krate = Crate::new(&[
            (
                "src/lib.rs",
                "macro_rules! table { ($f:literal) => { include!($f) } }\nfn k() -> f64 { 1.0 }\nfn main() {\n    call!(\"c\", |x| x * table!(\"table.rs\"));\n}",
            ),
            ("src/table.rs", value),
        ]);
        let index = krate.index();
        let reached = Resolver::new(&index).reach(&closure_in_line(&krate, 4), &[]).unwrap();
        names(&reached).contains(&"k")
    };
    assert!(with("k()"));
}

#[test]
fn what_a_file_declares_that_a_body_includes_counts_in_its_closures() {
    for (include, file) in [("include!(\"items.rs\");", "items.rs"), ("items!(\"items.rs\");", "items.rs")] {
        let digest = |value: &str| {
            let text = format!(
                "macro_rules! items {{ ($f:literal) => {{ include!($f); }} }}\nfn main() {{\n    {include}\n    call!(\"c\", |x| x * K);\n}}"
            );
            let krate = Crate::new(&[("src/lib.rs", &text), (&format!("src/{file}"), value)]);
            let index = krate.index();
            Resolver::new(&index).reach(&closure_in_line(&krate, 4), &[]).unwrap().digest
        };
        assert_ne!(digest("const K: f64 = 2.0;"), digest("const K: f64 = 3.0;"), "{include}");
    }
}

#[test]
fn an_import_that_the_target_decides_counts_in_the_closures_of_its_body() {
    let text = "mod a { pub fn f() {} } mod b { pub fn f() {} }
fn main() {
    #[cfg(unix)] use a::f;
    #[cfg(not(unix))] use b::f;
    call!(\"c\", |x| f(x));
}";
    let reached = reach(text, "\"c\"", Sought::Closure, 0);
    assert!(reached.parts.iter().any(|part| part.facts.len() == 2 && part.name == "main"), "{:#?}", reached.parts);
}

#[test]
fn what_a_body_declares_counts_in_its_impls_that_name_it() {
    for text in [
        "struct A; const _: () = { const K: f64 = 2.0; impl Scale for A { fn scale(&self) -> f64 { K } } }; trait Scale { fn scale(&self) -> f64; }
fn root(a: A) -> f64 { a.scale() }",
        "struct A; fn other() { fn k() -> f64 { 2.0 } impl A { fn scale(&self) -> f64 { k() } } }
fn root(a: A) -> f64 { a.scale() }",
        "struct A; static X: () = { struct K([u8; 2.0 as usize]); impl A { const SCALE: usize = size_of::<K>(); } };
fn root(a: A) -> usize { A::SCALE }",
        "struct A; fn other() { constants!(2.0); impl A { fn scale(&self) -> f64 { K } } }
macro_rules! constants { ($v:expr) => { const K: f64 = $v; } }
fn root(a: A) -> f64 { a.scale() }",
        "struct A; fn other() { const K: f64 = 2.0; fn inner() { impl A { fn scale(&self) -> f64 { k!() } } } }
macro_rules! k { () => { K } }
fn root(a: A) -> f64 { a.scale() }",
        "struct A; impl A { fn other() { const K: f64 = 2.0; const _: () = { impl Drop for A { fn drop(&mut self) { K } } }; } }
fn root(a: A) {}",
        "fn main() { const K: f64 = 2.0; struct S; impl S {
fn root(x: f64) -> f64 { x * K }
} }",
    ] {
        assert_edited(text, |text| reach(text, "fn root", Sought::Function, 0).digest);
    }
}

#[test]
fn what_a_body_declares_and_an_impl_in_it_does_not_name_is_no_part_of_it() {
    let text = "struct A; fn other() { const K: f64 = 2.0; mod inner { const J: f64 = 2.0; } impl A { fn scale(&self) -> f64 { helper() } } }
fn helper() -> f64 { 1.0 }
fn root(a: A) -> f64 { a.scale() }";
    let digest = |text: &str| reach(text, "fn root", Sought::Function, 0).digest;
    assert_eq!(digest(text), digest(&text.replace(TWO, THREE)));
}

/// Two closures of one name in sibling blocks, before which `first` and `second` stand.
fn siblings(first: &str, second: &str, closure: &str) -> [[u8; 16]; 2] {
    pair(&format!(
        "mod a {{ pub fn f() {{}} pub trait Scale {{ fn k(&self) {{}} }} impl Scale for f64 {{}} }}
mod b {{ pub fn f() {{}} pub trait Scale {{ fn k(&self) {{}} }} impl Scale for f64 {{}} }}
macro_rules! constant {{ ($n:ident, $v:expr) => {{ const $n: f64 = $v; }} }}
fn main(a: bool) {{
    if a {{
        {first}
        call!(\"c\", {closure});
    }} else {{
        {second}
        if true {{
            call!(\"c\", {closure});
        }}
    }}
}}"
    ))
}

#[test]
fn named_closures_in_sibling_blocks_are_two_where_the_blocks_declare_what_they_name() {
    for (first, second, closure) in [
        ("const K: f64 = 2.0;", "const K: f64 = 3.0;", "|x| x * K"),
        ("const K: f64 = 2.0;", "", "|x| x * K"),
        ("fn f() -> f64 { 2.0 }", "fn f() -> f64 { 3.0 }", "|x| f()"),
        ("use a::f;", "use b::f;", "|x| f()"),
        ("use a::f;", "fn f() {}", "|x| f()"),
        ("use a::*;", "use b::*;", "|x| f()"),
        ("use a::Scale as _;", "use b::Scale as _;", "|x| x.k()"),
        ("constant!(K, 2.0);", "constant!(K, 3.0);", "|x| x * K"),
        ("macro_rules! k { () => { 2.0 } }", "macro_rules! k { () => { 3.0 } }", "|x| x * k!()"),
        ("mod m { pub const K: f64 = 2.0; }", "mod m { pub const K: f64 = 3.0; }", "|x| x * m::K"),
        ("struct S; impl S { const K: f64 = 2.0; }", "struct S; impl S { const K: f64 = 3.0; }", "|x| x * S::K"),
        ("struct S; impl Mul for S { fn mul() { 2.0 } }", "struct S; impl Mul for S { fn mul() { 3.0 } }", "|s| s * s"),
    ] {
        let [one, two] = siblings(first, second, closure);
        assert_ne!(one, two, "{first} | {second}");
    }
}

#[test]
fn named_closures_in_sibling_blocks_are_one_where_the_blocks_declare_the_same() {
    for (first, second, closure) in [
        ("", "", "|x| x * 2.0"),
        ("let y = 2.0;", "println!(\"{}\", 3.0);", "|x| x * 2.0"),
        ("use a::f;", "use a::f;", "|x| f()"),
        ("const K: f64 = 2.0;", "const K: f64 = 2.0;", "|x| x * K"),
    ] {
        let [one, two] = siblings(first, second, closure);
        assert_eq!(one, two, "{first} | {second}");
    }
}

#[test]
fn named_closures_are_two_where_a_macro_is_defined_anew_between_them() {
    let text = "fn main() {
    macro_rules! k { () => { 2.0 } }
    call!(\"c\", |x| x * k!());
    macro_rules! k { () => { 3.0 } }
    call!(\"c\", |x| x * k!());
}";
    let [one, two] = pair(text);
    assert_ne!(one, two);
}

#[test]
fn functions_in_sibling_blocks_are_two_where_the_blocks_declare_other_things() {
    let text = "fn main(a: bool) {
    if a {
        const K: f64 = 2.0;
        fn root() -> f64 { K }
    } else {
        const K: f64 = 3.0;
        fn root() -> f64 { K }
    }
}";
    let digest = |text: &str, nth| reach(text, "fn root", Sought::Function, nth).digest;
    assert_ne!(digest(text, 0), digest(text, 1));
    let alike = text.replace(THREE, TWO);
    assert_eq!(digest(&alike, 0), digest(&alike, 1));
}

#[test]
fn a_closure_that_a_macro_makes_counts_what_the_bodies_declare_that_call_it() {
    assert_edited(
        "macro_rules! lazily { () => {
    call!(\"c\", |x| x * K)
} }
macro_rules! through { () => { lazily!() } }
fn main() {
    const K: f64 = 2.0;
    through!();
}",
        closure,
    );
}

/// The digests of what is named in the columns where `name` stands in a line.
fn in_columns(text: &str, name: &str, sought: Sought) -> Vec<[u8; 16]> {
    let krate = Crate::new(&[("src/lib.rs", text)]);
    let index = krate.index();
    let resolver = Resolver::new(&index);
    let (at, line) = text.lines().enumerate().find(|(_, line)| line.contains(name)).unwrap();
    let name_at = name.len() - name.trim_start_matches("fn ").len();
    let reached = |from: usize| {
        let column = line[..from + name_at].chars().count() + 1;
        let name = name[name_at..].to_owned();
        let place = Position { file: krate.path("src/lib.rs"), line: at + 1, column, name, sought };
        resolver.reach(&place, &[]).unwrap().digest
    };
    line.match_indices(name).map(|(from, _)| reached(from)).collect()
}

#[test]
fn what_stands_in_one_line_under_one_name_is_told_apart_by_its_column() {
    let two = "{ const K: f64 = 2.0; § } { const K: f64 = 3.0; § }";
    for (text, name) in [
        ("fn main() { let ü = 'ä'; % }", "\"c\""),
        ("macro_rules! m { () => { % } } fn main() { m!() }", "\"c\""),
        ("fn main() { % }", "fn root"),
    ] {
        let (what, sought) = match name {
            "fn root" => ("fn root(x: f64) -> f64 { x * K }", Sought::Function),
            _ => ("call!(\"c\", |x| x * K);", Sought::Closure),
        };
        let digests = in_columns(&text.replace('%', &two.replace('§', what)), name, sought);
        assert_eq!(digests.len(), 2, "{text}");
        assert_ne!(digests[0], digests[1], "{text}");
    }
    let digests = in_columns("mod a { fn root() {} } mod b { fn root() { 2.0 } }", "fn root", Sought::Function);
    assert_ne!(digests[0], digests[1]);
}

#[test]
fn closures_of_one_macro_in_sibling_blocks_are_two_where_the_blocks_declare_other_things() {
    let text = "macro_rules! m { () => {
    { const K: f64 = 2.0;
        call!(\"c\", |x| x * K); }
    { const K: f64 = 3.0;
        call!(\"c\", |x| x * K); }
} }
fn main() { m!() }";
    let [one, two] = pair(text);
    assert_ne!(one, two);
}
