//! What macros put several times into a function.

use ndcache_source::{Copies, Sought};

use super::super::bodies::reach;

/// What becomes of the first closure, or of the function `root`, in a text.
fn copies(text: &str) -> Copies {
    match text.contains("\"c\"") {
        true => reach(text, "\"c\"", Sought::Closure, 0).copies,
        false => reach(text, "fn root", Sought::Function, 0).copies,
    }
}

/// Puts what it is given into two blocks that declare other things.
const BRANCHES: &str = "macro_rules! branches { ($first:expr, |$k:ident| $($body:tt)*) => {
    if $first { const $k: f64 = 2.0; $($body)* } else { const $k: f64 = 3.0; $($body)* }
} }
macro_rules! timed { ($body:expr) => {{ use std::time::Instant; let start = Instant::now(); ($body, start) }} }
macro_rules! both { ($one:expr) => { [$one, $one] } }
macro_rules! modules { ($($body:tt)*) => {
    mod a { const K: f64 = 2.0; $($body)* }
    mod b { const K: f64 = 3.0; $($body)* }
} }";

#[test]
fn what_a_macro_puts_into_blocks_that_declare_other_things_is_apart() {
    for text in [
        "fn main() { branches!(true, |K| call!(\"c\", |x| x * K)); }",
        "fn main() { branches!(true, |K| { fn root(x: f64) -> f64 { x * K } }); }",
        "fn main() { branches!(true, |K| { struct S; impl S { fn root(x: f64) -> f64 { x * K } } }); }",
        "fn main() { branches!(true, |K| timed!(call!(\"c\", |x| x * K))); }",
        "macro_rules! through { ($e:expr) => { branches!(true, |K| $e) } }
fn main() { through!(call!(\"c\", |x| x * K)); }",
        // Two calls of one macro, in which the closure is written once.
        "macro_rules! scaled { ($k:expr) => {{ const K: f64 = $k; call!(\"c\", |x| x * K) }} }
fn main() { scaled!(2.0); scaled!(3.0); }",
        "macro_rules! scaled { () => { call!(\"c\", |x| x * K) } }
fn main(a: bool) { if a { const K: f64 = 2.0; scaled!() } else { const K: f64 = 3.0; scaled!() } }",
        "macro_rules! scaled { ($($k:expr),*) => { $({ const K: f64 = $k; call!(\"c\", |x| x * K); })* } }
fn main() { scaled!(2.0, 3.0) }",
        "macro_rules! scaled { () => { call!(\"c\", |x| x * K) } }
fn main() { branches!(true, |K| scaled!()) }",
        "macro_rules! scaled { ($k:item) => {{ $k call!(\"c\", |x| x * K) }} }
fn main() { scaled!(const K: f64 = 2.0;); scaled!(const K: f64 = 3.0;) }",
        "macro_rules! scaled { ($k:expr) => {{ const K: f64 = $k; fn root(x: f64) -> f64 { x * K } root(1.0) }} }
fn main() { scaled!(2.0); scaled!(3.0); }",
        "fn main() {
    macro_rules! scaled { ($k:expr) => {{ const K: f64 = $k; call!(\"c\", |x| x * K) }} }
    scaled!(2.0);
    scaled!(3.0);
}",
        // Only the name comes from the call.
        "macro_rules! named { ($n:literal) => {
    { const K: f64 = 2.0; call!($n, |x| x * K); }
    { const K: f64 = 3.0; call!($n, |x| x * K); }
} }
fn main() { named!(\"c\"); }",
        // An item stands twice in the body of a function that a macro makes.
        "macro_rules! wrapped { ($($i:item)*) => { fn wrapped() { { const K: f64 = 2.0; $($i)* } { const K: f64 = 3.0; $($i)* } } } }
wrapped! { fn root(x: f64) -> f64 { x * K } }",
    ] {
        assert_eq!(copies(&format!("{text}\n{BRANCHES}")), Copies::Apart, "{text}");
    }
}

#[test]
fn what_macros_put_into_a_function_once_is_one() {
    for text in [
        "fn main(a: bool) { const K: f64 = 2.0; call!(\"c\", |x| x * K); }",
        "fn root(x: f64) -> f64 { x }",
        "fn main() { timed!(call!(\"c\", |x| x)); }",
        "fn main() { timed!({ const K: f64 = 2.0; call!(\"c\", |x| x * K) }); }",
        "fn main() { assert_eq!(call!(\"c\", |x| x), 1.0); }",
        "modules! { fn root(x: f64) -> f64 { x * K } }",
        "macro_rules! function { ($n:ident, $k:expr) => { fn $n(x: f64) -> f64 { const K: f64 = $k; x * K + $n::none() } } }
function!(root, 2.0); fn root() {}",
        "fn main() {
    macro_rules! scaled { ($k:expr) => {{ const K: f64 = $k; call!(\"c\", |x| x * K) }} }
    scaled!(2.0);
}",
        "macro_rules! scaled { ($k:expr) => {{ const K: f64 = $k; call!(\"c\", |x| x * K) }} }
fn first() { scaled!(2.0); }
struct S; impl S { fn second() { scaled!(3.0); } fn third() { scaled!(3.0); } }",
    ] {
        assert_eq!(copies(&format!("{text}\n{BRANCHES}")), Copies::One, "{text}");
    }
}

#[test]
fn copies_in_blocks_that_declare_nothing_are_alike() {
    for text in [
        "fn main() { both!(call!(\"c\", |x| x)); }",
        "macro_rules! cached { ($x:expr) => {{ let x = $x; call!(\"c\", |x| x) }} }
fn main() { cached!(2.0); if true { cached!(3.0); } }",
        "macro_rules! named { ($n:literal) => { [call!($n, |x| x), call!($n, |x| x)] } }
fn main() { named!(\"c\"); }",
    ] {
        assert_eq!(copies(&format!("{text}\n{BRANCHES}")), Copies::Alike, "{text}");
    }
}
