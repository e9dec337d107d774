//! What macros of the crate declare where they are called: modules, included files, imports, and modules within.

use crate::crates::{Crate, names};

const FILES: [(&str, &str); 3] = [
    ("src/window.rs", "pub fn apply() { helper() } fn helper() {} impl super::Foo { pub fn go(&self) { helper() } }"),
    ("src/deep/mod.rs", "pub mod inner;"),
    ("src/deep/inner.rs", "pub fn apply() { helper() } fn helper() {}"),
];

#[track_caller]
fn reaches(text: &str, expected: &str) {
    let files = [&[("src/lib.rs", text)], FILES.as_slice()].concat();
    let reached = Crate::new(&files).reached();
    assert!(names(&reached).contains(&expected), "{text}: {:?}", names(&reached));
    assert!(reached.unseen.is_empty(), "{text}: {:?}", reached.unseen);
}

#[test]
fn modules_that_a_macro_declares_are_read() {
    for made in [
        "macro_rules! modules { ($($m:ident)*) => { $(mod $m;)* } } modules! { window }",
        "macro_rules! modules { () => { mod window; } } modules! {}",
        "macro_rules! modules { ($($m:ident),*) => { $(pub mod $m;)* } } modules!(window, deep);",
        "macro_rules! modules { ($($m:ident)*) => { $(#[cfg(unix)] pub(crate) mod $m;)* } } modules! { window }",
        "macro_rules! modules { ($f:literal $($m:ident)*) => { $(#[cfg(feature = $f)] mod $m;)* } } modules! { \"fast\" window }",
        "macro_rules! modules { ($($t:tt)*) => { inner! { $($t)* } } } macro_rules! inner { ($($m:ident)*) => { $(mod $m;)* } } modules! { window }",
        "macro_rules! modules { () => { inner! { window } } } macro_rules! inner { ($($m:ident)*) => { $(mod $m;)* } } modules! {}",
        "macro_rules! modules { ($m:ident, $p:literal) => { #[path = $p] mod $m; } } modules! { window, \"window.rs\" }",
    ] {
        reaches(&format!("{made} fn root() {{ window::apply() }}"), "window::helper");
        reaches(&format!("{made} struct Foo; fn root() {{ Foo.go() }}"), "window::helper");
    }
    reaches(
        "macro_rules! modules { ($($m:ident)*) => { $(mod $m;)* } } modules! { deep } fn root() { deep::inner::apply() }",
        "deep::inner::helper",
    );
}

#[test]
fn a_module_that_a_macro_declares_and_that_has_no_file_is_unseen() {
    let text = "macro_rules! modules { ($m:ident) => { mod $m; } } modules!(gone); fn root() { gone::apply() }";
    let reached = Crate::new(&[("src/lib.rs", text)]).reached();
    let unseen: Vec<String> = reached.unseen.iter().map(ToString::to_string).collect();
    assert_eq!(unseen, ["what macro `modules` looks up by what it is given"]);
}

#[test]
fn what_chooses_a_module_counts_with_it() {
    let text = "macro_rules! either { ($f:literal $a:ident $b:ident) => { #[cfg(feature = $f)] mod $a; #[cfg(feature = $f)] use $a as imp; #[cfg(not(feature = $f))] mod $b; #[cfg(not(feature = $f))] use $b as imp; } } either! { \"fast\" window other } fn root() { imp::apply() }";
    let digest = |cfg: &[&str]| {
        let files = [("src/lib.rs", text), FILES[0], ("src/other.rs", "pub fn apply() {}")];
        Crate::new(&files)
            .with(|session| session.cfg = cfg.iter().map(|set| set.to_string()).collect())
            .reached()
            .digest
    };
    assert_ne!(digest(&[]), digest(&["feature=\"fast\""]));
    assert_eq!(digest(&[]), digest(&["feature=\"other\""]));
}

#[test]
fn files_that_a_macro_includes_are_read() {
    for made in [
        "macro_rules! part { ($p:literal) => { include!($p); } } part!(\"part.rs\");",
        "macro_rules! part { () => { include!(\"part.rs\"); } } part!();",
        "macro_rules! part { ($n:ident) => { include!(concat!(stringify!($n), \".rs\")); } } part!(part);",
    ] {
        let text = format!("{made} fn root() {{ apply() }}");
        let files = [("src/lib.rs", text.as_str()), ("src/part.rs", "pub fn apply() { helper() } fn helper() {}")];
        let reached = Crate::new(&files).reached();
        assert!(names(&reached).contains(&"helper"), "{text}: {:?}", names(&reached));
    }
}

#[test]
fn files_that_a_macro_includes_as_expressions_are_followed() {
    for text in [
        "macro_rules! value { ($p:literal) => { include!($p) } } fn root() { value!(\"value.in\") }",
        "macro_rules! value { ($p:expr) => { include!($p) } } const V: u8 = value!(concat!(\"value\", \".in\")); fn root() { V }",
        "mod deep; fn root() { fixed!() }",
        "macro_rules! outer { ($p:literal) => { value!($p) } } macro_rules! value { ($p:literal) => { include!($p) } } fn root() { outer!(\"value.in\") }",
    ] {
        let text = format!("{text} fn helper() {{}}");
        let deep = "macro_rules! fixed { () => { include!(\"value.in\") } }";
        let files = [("src/lib.rs", text.as_str()), ("src/value.in", "helper()"), ("src/deep/mod.rs", deep)];
        let reached = Crate::new(&files).reached();
        assert!(names(&reached).contains(&"helper"), "{text}: {:?}", names(&reached));
    }
}

#[test]
fn imports_by_a_variable_of_a_macro_lead_on() {
    let window = "mod window { pub fn apply() { helper() } fn helper() {} } ";
    for text in [
        "macro_rules! export { ($m:ident) => { pub use $m::*; } } export!(window); fn root() { apply() }",
        "macro_rules! export { ($m:ident $n:ident) => { pub use $m::apply as $n; } } export!(window h); fn root() { h() }",
        "macro_rules! export { ($m:ident $n:ident) => { pub use $m::$n; } } export!(window apply); fn root() { apply() }",
        "macro_rules! export { ($m:path) => { pub use $m as h; } } export!(crate::window::apply); fn root() { h() }",
        "macro_rules! export { ($m:ident $($n:ident),*) => { pub use $m::{$($n),*}; } } export!(window apply); fn root() { apply() }",
        "macro_rules! export { ($($m:ident)*) => { $(pub use self::$m::*;)* } } export!(window); fn root() { apply() }",
        "macro_rules! outer { () => { export!(window); } } macro_rules! export { ($m:ident) => { pub use $m::*; } } outer!(); fn root() { apply() }",
        "macro_rules! export { ($m:ident) => { pub use $m::*; } } mod api { export!(window); use super::window; } fn root() { api::apply() }",
        "macro_rules! bring { ($m:ident) => { use $m::*; } } fn root() { bring!(window); apply() }",
        "macro_rules! bring { () => { use window::*; } } fn root() { h() } fn h() { bring!(); apply() }",
    ] {
        reaches(&format!("{window}{text}"), "window::helper");
    }
}

#[test]
fn super_in_a_module_that_a_macro_makes_is_where_the_macro_is_called() {
    let items = "macro_rules! items { ($($i:item)*) => { $(#[cfg(unix)] $i)* } } mod m { fn scale() { helper() } fn helper() {} ";
    for text in [
        "items! { pub mod imp { pub fn apply() { super::scale() } } } } fn root() { m::imp::apply() }",
        "items! { pub mod imp { use super::*; pub fn apply() { scale() } } } } fn root() { m::imp::apply() }",
        "items! { pub mod imp { use super::scale as s; pub fn apply() { s() } } } } fn root() { m::imp::apply() }",
        "items! { pub mod imp { pub mod deep { pub fn apply() { super::super::scale() } } } } } fn root() { m::imp::deep::apply() }",
        "macro_rules! fixed { () => { pub mod imp { pub fn apply() { super::scale() } } } } fixed!(); } fn root() { m::imp::apply() }",
    ] {
        reaches(&format!("{items}{text}"), "m::helper");
    }
}
