//! What `depends(…)`, `#[code]` and named closures find.

use super::crates::{Crate, rustc};

const MAIN: &str = r#"
mod dsp;

#[ndcache::cache(helpers = "named", depends(dsp::window))]
fn named(x: u64) -> u64 {
    dsp::window(x) + 2
}

#[ndcache::cache(code = "body", depends(dsp::window))]
fn body(x: u64) -> u64 {
    dsp::window(x) + 3
}

#[ndcache::cache(code = "package", depends(dsp::marked, dsp::Filter))]
fn marked(x: u64) -> u64 {
    dsp::marked(x) + dsp::Filter.taps()
}

#[ndcache::cache(depends(dsp::window))]
fn both(x: u64) -> u64 {
    dsp::window(x)
}

fn main() {
    let memory = ndcache::Memory::open(std::env::args().nth(1).unwrap()).unwrap();
    let x = 2_u64;
    let closure = || ndcache::call!("closure", |x| dsp::window(x));
    println!("{}", memory.explain(&named::call(x)));
    println!("{}", memory.explain(&body::call(x)));
    println!("{}", memory.explain(&marked::call(x)));
    println!("{}", memory.explain(&both::call(x)));
    println!("{}", memory.explain(&closure()));
    memory.eval(named::call(x));
    memory.eval(body::call(x));
    memory.eval(marked::call(x));
    memory.eval(both::call(x));
    memory.eval(closure());
    for function in [named::function(), both::function(), closure().function()] {
        println!("{}", function.parts().iter().map(|part| format!("{}: {}", part.name, part.why)).collect::<Vec<_>>().join("; "));
    }
    for unseen in closure().function().unseen() {
        println!("unseen: {unseen}");
    }
}
"#;

const DSP: &str = r#"
pub fn window(x: u64) -> u64 {
    taps(x) + 1
}

fn taps(x: u64) -> u64 {
    x * 2
}

#[ndcache::code]
pub fn marked(x: u64) -> u64 {
    deep(x)
}

fn deep(x: u64) -> u64 {
    x
}

pub struct Filter;

#[ndcache::code]
impl Filter {
    pub fn taps(&self) -> u64 {
        of_filter()
    }
}

fn of_filter() -> u64 {
    7
}
"#;

fn new() -> Crate {
    Crate::of(&[("main.rs", MAIN), ("dsp.rs", DSP)])
}

#[test]
fn what_depends_names_needs_no_mark_in_its_crate() {
    let edited = new();
    let told = edited.run(&[]);
    assert_eq!(told[..5], ["new function"; 5]);
    assert!(told[5].contains("dsp::window: named in `depends(…)`"), "{}", told[5]);
    // `dsp::window` was found already, and isn't listed twice.
    assert_eq!(told[6].matches("dsp::window:").count(), 1, "{}", told[6]);
    assert_eq!(edited.run(&[])[..5], ["hit"; 5]);
    edited.edit("dsp.rs", "x * 2", "x * 3");
    let told = edited.run(&[]);
    let changed = "code of `dsp::taps` changed";
    assert_eq!(told[..5], [changed, "hit", "hit", changed, changed]);
    edited.edit("dsp.rs", "taps(x) + 1", "taps(x) + 2");
    let told = edited.run(&[]);
    assert!([&told[0], &told[1], &told[3], &told[4]].iter().all(|told| told.contains("dsp::window")), "{told:?}");
    assert_eq!(told[2], "hit");
}

#[test]
fn marked_items_find_their_helpers() {
    let edited = new();
    edited.run(&[]);
    for (from, to, name) in [("    x\n", "    x + 1\n", "dsp::deep"), ("    7\n", "    8\n", "dsp::of_filter")] {
        edited.edit("dsp.rs", from, to);
        let told = edited.run(&[]);
        assert_eq!(told[..5], ["hit", "hit", &format!("code of `{name}` changed"), "hit", "hit"]);
    }
}

#[test]
fn a_named_closure_finds_its_helpers() {
    let told = new().run(&[]);
    let parts = [
        "main::\"closure\": the function itself",
        // `main` reaches the struct through `marked`.
        "dsp::Filter: a type that what `main::\"closure\"` captures may have",
        "dsp::window: named by `main::\"closure\"`",
        "dsp::taps: named by `dsp::window`",
    ];
    let parts = parts.join("; ");
    assert_eq!(told[7], parts);
    assert_eq!(told.len(), 8, "nothing is unseen: {told:?}");
}

#[test]
fn where_no_file_holds_the_code_the_packages_version_counts_and_that_is_told() {
    let text = MAIN.replace("mod dsp;", &format!("mod dsp {{ {DSP} }}"));
    let piped =
        Crate::of(&[("main.rs", &text.replace(", depends(dsp::window)", "").replace("depends(dsp::window)", ""))]);
    let text = std::fs::File::open(piped.path("main.rs")).unwrap();
    let without = piped.arguments("-");
    let text_of_package = |version: &str| {
        let mut compiler = rustc();
        compiler.env("CARGO_PKG_NAME", "app").env("CARGO_PKG_VERSION", version).args(&without);
        compiler.stdin(text.try_clone().unwrap());
        std::io::Seek::rewind(&mut &text).unwrap();
        piped.compile(&mut compiler);
        piped.execute()
    };
    let first = text_of_package("0.1.0");
    assert_eq!(first[4], "new function");
    assert_eq!(first[8], "unseen: helpers: no file of this crate holds the code");
    assert_eq!(text_of_package("0.1.0")[4], "hit");
    assert!(text_of_package("0.1.1")[4].contains("version"), "another version of the package is another code");
}

/// A library of which no sources are known: its macro makes a function of the name that it is given, which calls what it
/// is given.
const MAKING: &str = r#"
#[macro_export]
macro_rules! making {
    ($name:ident, $helper:path) => {
        #[::ndcache::cache]
        fn $name(x: u64) -> u64 {
            $helper(x) + 1
        }
    };
    ($($function:item)*) => {
        $(#[::ndcache::cache] $function)*
    };
}
"#;

const MADE: &str = r#"
making::making!(named, helper);

making::making! {
    fn written(x: u64) -> u64 {
        helper(x)
    }
}

fn helper(x: u64) -> u64 {
    x + 1
}

fn main() {
    let memory = ndcache::Memory::open(std::env::args().nth(1).unwrap()).unwrap();
    println!("{}", memory.explain(&named::call(1)));
    println!("{}", memory.explain(&written::call(1)));
    memory.eval(named::call(1));
    memory.eval(written::call(1));
    for function in [named::function(), written::function()] {
        println!("unseen: {}", function.unseen().collect::<Vec<_>>().join("; "));
    }
}
"#;

#[test]
fn of_a_function_that_another_crates_macro_makes_under_a_given_name_the_call_counts() {
    let krate = Crate::of(&[("main.rs", MADE), ("making.rs", MAKING)]);
    let making = krate.library("making");
    let told = krate.run(&[&making]);
    assert_eq!(told[..2], ["new function"; 2]);
    assert!(told[2..].iter().all(|told| told.contains("what macro `making` of another crate calls")), "{told:?}");
    assert_eq!(krate.run(&[&making])[..2], ["hit"; 2]);
    krate.edit("main.rs", "x + 1", "x + 3");
    assert_eq!(krate.run(&[&making])[..2], ["code of `helper` changed"; 2]);
}
