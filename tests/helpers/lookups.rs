//! What macros look up by what they are given, and what they make of their input's text, in a crate that is built again.

use super::crates::Crate;

const MAIN: &str = r#"
macro_rules! feature { ($f:literal) => { cfg!(feature = $f) } }
macro_rules! pick { ($($t:tt)*) => {{ #[cfg($($t)*)] { 1 } #[cfg(not($($t)*))] { 2 } }} }
macro_rules! text { ($p:literal) => { include_str!($p) } }

fn of_helper() -> u64 {
    pick!(feature = "fast")
}

#[ndcache::cache]
fn own(x: u64) -> String {
    format!("{x} {}", feature!("fast"))
}

#[ndcache::cache]
fn helped(x: u64) -> u64 {
    x + of_helper()
}

#[ndcache::cache]
fn asked(x: u64) -> u64 {
    x + pick!(target_os = "linux") + pick!(all(unix, debug_assertions))
}

#[ndcache::cache]
fn read(x: u64) -> String {
    format!("{x} {}", text!("table.txt"))
}

#[ndcache::cache]
fn said(x: u64) -> String {
    format!("{x} {}", stringify!(a+b))
}

fn main() {
    let memory = ndcache::Memory::open(std::env::args().nth(1).unwrap()).unwrap();
    assert_eq!(memory.eval(own::call(1)), own::compute(1));
    assert_eq!(memory.eval(helped::call(1)), helped::compute(1));
    assert_eq!(memory.eval(asked::call(1)), asked::compute(1));
    assert_eq!(memory.eval(read::call(1)), read::compute(1));
    assert_eq!(memory.eval(said::call(1)), said::compute(1));
    println!("{}", memory.stats().hits());
    for function in [own::function(), helped::function(), asked::function(), read::function(), said::function()] {
        for unseen in function.unseen() {
            println!("unseen: {unseen}");
        }
    }
}
"#;

const CHECK: &str = "--check-cfg=cfg(feature, values(\"fast\"))";

#[test]
fn what_macros_look_up_by_what_they_are_given_counts() {
    let program = Crate::of(&[("main.rs", MAIN), ("table.txt", "1 2 3")]);
    assert_eq!(program.run(&[CHECK]), ["0"]);
    assert_eq!(program.run(&[CHECK]), ["5"]);
    assert_eq!(program.run(&[CHECK, "--cfg=feature=\"fast\""]), ["3"]);
    assert_eq!(program.run(&[CHECK, "-Cdebug-assertions=no"]), ["4"]);
    program.write("table.txt", "1 2");
    assert_eq!(program.run(&[CHECK]), ["4"]);
    program.edit("main.rs", "stringify!(a+b)", "stringify!(a + b)");
    assert_eq!(program.run(&[CHECK]), ["4"]);
}
